"""Redirects: the id of a merged customer leads to the customer who has its rows. They are flat: no redirect leads to another."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.pool import Connection, Pool
from hub.model import scopes, statements
from hub.model.columns import metadata, timestamp
from hub.model.former_keys import FormerKeys
from hub.rights import Rights
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge
from hub.viewer import Viewer

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
_LEAD = "update customer_redirects set customer_id = $2 where merged_id = any($1)"
# Another one after each merge and undo, whenever their transactions commit and whatever a test clock says.
_EDITION = """
select (select max(updated_at) from merges), (select id from merges order by id desc limit 1),
    (select count(*) from customer_redirects)
"""
_ALL = "select merged_id, customer_id from customer_redirects order by merged_at desc limit $1"
MAX_KNOWN = 100_000  # redirects in memory, the latest ones; with more, filters of requests look each up
NO_KEYS: Mapping[UUID, UUID] = MappingProxyType({})
_REMOVE = "delete from customer_redirects where merged_id = $1"


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


async def lead(tx: Connection, former: Collection[UUID], customer: UUID) -> None:
    """Leads former keys to another customer, who got their rows."""
    if former:
        await tx.execute(_LEAD, list(former), customer)


@lru_cache(maxsize=statements.STATEMENTS)
def _resolve_statement(rights: Rights) -> statements.SqlStatement:
    """Redirects of the keys to customers whom the viewer sees."""
    redirect, customer = CustomerRedirect, Customer.table
    visibility = scopes.shown(customer, customer, rights)
    query = (
        sa.select(redirect.c.merged_id, redirect.c.customer_id)
        .select_from(redirect.join(customer, customer.c.id == redirect.c.customer_id))
        .where(redirect.c.merged_id == sa.any_(sa.bindparam("keys", type_=ARRAY(sa.Uuid))))
    )
    return statements.compile_statement(query if visibility is None else query.where(visibility), customer)


async def resolve(connection: Connection, keys: Collection[UUID], viewer: Viewer) -> Mapping[UUID, UUID]:
    """The keys that former ones among these lead to, of customers whom the viewer sees."""
    statement = _resolve_statement(viewer.rights)
    rows = await connection.fetch(statement.text, *statement.bind({"keys": list(keys)}, viewer))
    return {row["merged_id"]: row["customer_id"] for row in rows}


class CustomerRedirects:
    """Redirects of customers as the engine follows them. They are held in memory, for filters."""

    prefix: str = Customer.definition.options["prefix"]
    tables = frozenset({Merge.table.name})

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: Mapping[UUID, UUID] = NO_KEYS
        self._edition: tuple[object, ...] | None = None

    async def find(
        self, keys: Collection[UUID], viewer: Viewer, connection: "Connection | None" = None
    ) -> Mapping[UUID, UUID]:
        """The keys that former ones among these lead to, as stored now, of customers whom the viewer sees."""
        if connection is not None:
            return await resolve(connection, keys, viewer)
        async with self._pool.connection() as own:
            return await resolve(own, keys, viewer)

    async def find_known(self, keys: Collection[UUID], viewer: Viewer) -> Mapping[UUID, UUID]:
        """The same; what is in memory says whether any of the keys is a former one."""
        if len(self._known) > MAX_KNOWN or not self._known.keys().isdisjoint(keys):
            return await self.find(keys, viewer)
        return NO_KEYS

    async def refresh(self) -> None:
        """Reads the former keys into memory, if there was a merge or an undo since."""
        async with self._pool.connection() as connection:
            edition = tuple(await connection.fetchrow(_EDITION) or ())
            if edition != self._edition:
                self._learn(
                    {row["merged_id"]: row["customer_id"] for row in await connection.fetch(_ALL, MAX_KNOWN + 1)}
                )
                self._edition = edition

    def close(self) -> None:
        """Forgets what is in memory."""
        self._learn(NO_KEYS)

    def _learn(self, known: Mapping[UUID, UUID]) -> None:
        FormerKeys.replace(self._known, known)
        self._known = known
