"""Reading the log of changes by row. The triggers that write it are in migrations/, the order of all changes is publish/'s."""

from typing import TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.db.text import text

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
