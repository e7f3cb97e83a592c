"""The change log by row: columns edited since a version, and redaction of a customer.

Triggers from migrations/ write the log. hub/changefeed assigns the global order of changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.db.pool import Connection
from hub.db.sql_text import to_sql

CHANGE_LOG = sa.table(
    "change_log",
    sa.column("id", sa.BigInteger),
    sa.column("table_name", sa.Text),
    sa.column("row_id", sa.Uuid),
    sa.column("version", sa.Integer),
    sa.column("operation", sa.Text),
    sa.column("changed", ARRAY(sa.Text)),
    sa.column("before", JSONB),
    sa.column("after", JSONB),
    sa.column("customer_id", sa.Uuid),
    sa.column("actor", sa.Text),
    sa.column("request", sa.Text),
    sa.column("transaction_id", sa.Text),
    sa.column("at", sa.DateTime(timezone=True)),
)
# The columns that describe a change, without its id and its table.
CHANGE_COLUMNS = tuple(column for column in CHANGE_LOG.c if column.name not in ("id", "table_name"))
CHANGE_ORDER = sa.table("change_order", sa.column("position", sa.BigInteger), sa.column("id", sa.BigInteger))
CHANGE_FEED = sa.table("change_feed", sa.column("least_position", sa.BigInteger), sa.column("settled", sa.BigInteger))

# The last position in the snapshot; if there is none, the one before the first readable position.
LAST_POSITION = sa.func.coalesce(
    sa.select(sa.func.max(CHANGE_ORDER.c.position)).scalar_subquery(),
    sa.select(CHANGE_FEED.c.least_position - sa.literal_column("1")).scalar_subquery(),
)

_UPDATES_SINCE_VERSION = to_sql(
    sa.select(CHANGE_LOG.c.version, CHANGE_LOG.c.changed)
    .where(
        CHANGE_LOG.c.row_id == sa.bindparam("row", type_=sa.Uuid),
        CHANGE_LOG.c.table_name == sa.bindparam("table_name", type_=sa.Text),
        CHANGE_LOG.c.version > sa.bindparam("seen", type_=sa.Integer),
        CHANGE_LOG.c.operation == sa.literal_column("'UPDATE'"),
    )
    .order_by(CHANGE_LOG.c.id)
)


async def edited_since(tx: Connection, table: str, row_id: UUID, known_version: int) -> frozenset[str] | None:
    """Returns the columns changed by edits after `known_version`, or None if the log no longer holds all of these edits.

    The caller holds the row's lock, so the last version in the log is the row's current version."""
    updates = await tx.fetch(_UPDATES_SINCE_VERSION, row_id, table, known_version)
    if not updates or [update["version"] for update in updates] != list(
        range(known_version + 1, known_version + 1 + len(updates))
    ):
        return None
    return frozenset(column for update in updates for column in update["changed"])


# The image of a deleted or reassigned row keeps the columns that permissions are based on, so that subscribers who saw the row
# still receive its DELETE or LEAVE. The after image of a row that now belongs to another customer is kept. An identity review
# that names the customer as `other_id` is redacted too.
_REDACT = """
update change_log set after = case when customer_id <> $1 and after ->> 'other_id' is distinct from $1::text then after end,
before = case when operation = 'DELETE' or changed && array['customer_id', 'unit_id'] then (
    select jsonb_object_agg(key, value) from jsonb_each(before) where key in ('id', 'customer_id', 'unit_id', 'audience')
) || '{"erased": true}' end
where customer_id = $1 or before ->> 'customer_id' = $1::text
    or table_name in ('identity_reviews', 'match_candidates') and coalesce(after, before) ->> 'other_id' = $1::text
"""
# A customer may have many changes, and no index of the log finds them by customer.
LONG_STATEMENT_SECONDS = 61.0
_RAISE_STATEMENT_TIMEOUT = "set local statement_timeout = '60s'"  # less than the driver's timeout: the server ends it


@asynccontextmanager
async def long_statement_timeout(tx: Connection) -> AsyncIterator[None]:
    """Raises the statement timeout in the block; pass `timeout=LONG_STATEMENT_SECONDS` to the driver with each statement."""
    await tx.execute(_RAISE_STATEMENT_TIMEOUT)
    yield
    await tx.execute("set local statement_timeout to default")


async def redact_customer(tx: Connection, customer_id: UUID) -> int:
    """Redacts the images of a customer's deleted rows; returns the number of changes redacted.

    Positions stay. Subscribers still receive the DELETE of each row, without its former values."""
    command_tag: str = await tx.execute(_REDACT, customer_id, timeout=LONG_STATEMENT_SECONDS)
    return int(command_tag.removeprefix("UPDATE "))
