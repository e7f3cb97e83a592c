"""The log of changes by row: what was edited since, and forgetting a customer. Triggers of migrations/ write it; the order of all
changes is publish/'s."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.db.sql_text import text

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOG = sa.table(
    "change_log",
    sa.column("id", sa.BigInteger),
    sa.column("table_name", sa.Text),
    sa.column("row_id", sa.Uuid),
    sa.column("version", sa.Integer),
    sa.column("operation", sa.Text),
    sa.column("changed", ARRAY(sa.Text)),
    sa.column("before", JSONB),
)

_SINCE = text(
    sa.select(LOG.c.version, LOG.c.changed)
    .where(
        LOG.c.row_id == sa.bindparam("row", type_=sa.Uuid),
        LOG.c.table_name == sa.bindparam("of", type_=sa.Text),
        LOG.c.version > sa.bindparam("seen", type_=sa.Integer),
        LOG.c.operation == sa.literal_column("'UPDATE'"),
    )
    .order_by(LOG.c.id)
)


async def edited_since(tx: Tx, table: str, row: UUID, seen: int) -> frozenset[str] | None:
    """The columns that edits after version `seen` changed; None when the log does not reach back so far.

    The caller holds the row's lock, so that the last version in the log is the row's own."""
    edits = await tx.fetch(_SINCE, row, table, seen)
    if not edits or [edit["version"] for edit in edits] != list(range(seen + 1, seen + 1 + len(edits))):
        return None
    return frozenset(column for edit in edits for column in edit["changed"])


# What rights are cut by stays in the image of a row that was deleted or taken away, so that whoever saw it is told that it is
# gone. What it became under another customer is that one's. A doubt that names the customer as the other one went with it.
_ERASE = """
update change_log set after = case when customer_id <> $1 and after ->> 'other_id' is distinct from $1::text then after end,
before = case when operation = 'DELETE' or changed && array['customer_id', 'unit_id'] then (
    select jsonb_object_agg(key, value) from jsonb_each(before) where key in ('id', 'customer_id', 'unit_id')
) || '{"erased": true}' end
where customer_id = $1 or before ->> 'customer_id' = $1::text
    or table_name = 'identity_reviews' and coalesce(after, before) ->> 'other_id' = $1::text
"""
LONGEST = 61.0  # seconds: a customer may have much, and the log is looked through for it without an index
_PATIENCE = "set local statement_timeout = '60s'"  # so that it is the server who ends them


@asynccontextmanager
async def patience(tx: Tx) -> AsyncIterator[None]:
    """The statements of the block may take up to LONGEST, which the driver must be told with each of them."""
    await tx.execute(_PATIENCE)
    yield
    await tx.execute("set local statement_timeout to default")


async def erase(tx: Tx, customer: UUID) -> int:
    """Empties the images of a customer's rows, all of which are deleted; gives of how many changes.

    Positions stay. The change that deleted a row is told as before, without what the row was."""
    emptied: str = await tx.execute(_ERASE, customer, timeout=LONGEST)
    return int(emptied.removeprefix("UPDATE "))
