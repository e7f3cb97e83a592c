"""Redirects: the id of a merged customer leads to the customer who has its rows. They are flat: no redirect leads to another."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.columns import metadata, timestamp
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge

CustomerRedirect = sa.Table(
    "customer_redirects",
    metadata,
    sa.Column("merged_id", sa.Uuid, primary_key=True, comment="The key of a customer who was merged."),
    sa.Column(
        "customer_id",
        sa.Uuid,
        sa.ForeignKey(Customer.c.id, ondelete="CASCADE"),
        nullable=False,
        comment="The customer who has the rows now.",
    ),
    sa.Column(
        "merge_id",
        sa.Uuid,
        sa.ForeignKey(Merge.c.id, ondelete="CASCADE"),
        nullable=False,
        comment="The merge that made it.",
    ),
    sa.Column("merged_at", timestamp(), nullable=False, comment="When the customer was merged."),
    comment="Former ids of customers, and whom they lead to.",
)
sa.Index("ix_customer_redirects_customer_id", CustomerRedirect.c.customer_id)
sa.Index("ix_customer_redirects_merge_id", CustomerRedirect.c.merge_id)

_RESOLVE = "select merged_id, customer_id from customer_redirects where merged_id = any($1)"
_FORMER = "select merged_id from customer_redirects where customer_id = $1 order by merged_at, merged_id"
_ADD = "insert into customer_redirects (merged_id, customer_id, merge_id, merged_at) values ($1, $2, $3, $4)"
# Those that led to the merged customer lead to the survivor; the ledger knows them, so that an undo leads them back.
_FOLLOW = """
with changed as (
    update customer_redirects set customer_id = $1 where customer_id = $2 returning merged_id
)
insert into merge_rows (merge_id, table_name, row_id, action, row_version)
select $3, 'customer_redirects', merged_id, 'MOVED', 0 from changed
"""
_LEAD_BACK = """
update customer_redirects as r set customer_id = $2 from merge_rows as l
where l.merge_id = $3 and l.table_name = 'customer_redirects' and l.row_id = r.merged_id and r.customer_id = $1
"""
_REMOVE = "delete from customer_redirects where merged_id = $1"


async def resolve(connection: Connection, keys: Collection[UUID]) -> Mapping[UUID, UUID]:
    """The customers whom those of the keys lead to that are former ones."""
    return {row["merged_id"]: row["customer_id"] for row in await connection.fetch(_RESOLVE, list(keys))}


async def former_keys(connection: Connection, customer: UUID) -> list[UUID]:
    """The keys that lead to a customer, in the order of the merges."""
    return [row["merged_id"] for row in await connection.fetch(_FORMER, customer)]


async def add(tx: Connection, survivor: UUID, merged: UUID, merge: UUID, now: datetime) -> None:
    """Leads the merged customer's id, and those that led to it, to the survivor."""
    await tx.execute(_FOLLOW, survivor, merged, merge)
    await tx.execute(_ADD, merged, survivor, merge, now)


async def remove(tx: Connection, survivor: UUID, merged: UUID, merge: UUID) -> None:
    """Takes a redirect back, and leads those that led to the merged customer there again."""
    await tx.execute(_REMOVE, merged)
    await tx.execute(_LEAD_BACK, survivor, merged, merge)
