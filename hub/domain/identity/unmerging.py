"""Undoes a merge from its ledger: the merged customer comes back with its rows; what was edited since stays, and is reported."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub import schema
from hub.db.pool import Connection
from hub.domain.identity import redirects
from hub.domain.identity.merge_plan import tables_in_order
from hub.domain.identity.merging import Progress, no_progress
from hub.domain.identity.moving import CHUNK, moving
from hub.errors import BadInput, NotFound
from hub.model import provenance, rows
from hub.model.merge_rules import CustomerTable
from hub.model.mover_undo import (
    composite_links,
    gone_rows,
    insert_dropped,
    mend_followers,
    mend_links,
    move_back,
    moving_followers,
    restore_values,
)
from hub.model.subjects import followers
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge, MergeStatus, MergeType
from hub.viewer import Viewer

MAX_LISTED = 100
FIRST_KEY = UUID(int=0)
_LATER = """
select m.id from merges as m
where m.status = 'DONE' and (m.merged_at, m.id) > ($4, $1)
    and (m.survivor_key in ($2, $3) or m.merged_key in ($2, $3))
    and (m.type = 'MERGE' or exists (select from customers as c where c.id = m.merged_key)
        or exists (select from customer_redirects as r where r.merged_id = m.merged_key))
order by m.merged_at desc, m.id desc limit 1
"""
_LOCK_SURVIVOR = """
select c.id from customers as c join merges as m on m.survivor_key = c.id where m.id = $1 for update of c
"""
_DROPPED = """
select ordinal, row_id from merge_rows where merge_id = $1 and table_name = $2 and action = 'DROPPED' order by ordinal
"""
_TRIM = f"""
update customers as c set former_ids = remaining.ids, version = c.version + 1, updated_at = $2 from (
    select array(
        select former.id from customers as own, unnest(own.former_ids) with ordinality as former (id, number)
        where own.id = $1 and exists (
            select from customer_redirects as r where r.customer_id = $1
                and '{Customer.definition.options["prefix"]}_' || replace(r.merged_id::text, '-', '') = former.id
        ) order by former.number
    ) as ids
) as remaining where c.id = $1 and c.former_ids is distinct from remaining.ids
"""
_END = """
update merges set status = 'UNDONE', undone_at = $2, version = version + 1, updated_at = $2 where id = $1
"""
_FORGET = "delete from merge_rows where merge_id = $1"


@dataclass(slots=True)
class UndoReport:
    """What became of the rows of a merge that was undone."""

    counts: Counter[str] = field(default_factory=Counter)
    listed: list[dict[str, str]] = field(default_factory=list)

    def add(self, table: str, fate: str, keys: Iterable[UUID]) -> None:
        """Notes rows that are not as they were."""
        entity = next(entity for entity in schema.entities() if entity.table.name == table)
        for key in keys:
            self.counts[fate] += 1
            if len(self.listed) < MAX_LISTED:
                self.listed.append({"id": f"{entity.definition.options['prefix']}_{key.hex}", "fate": fate})

    def as_json(self) -> dict[str, object]:
        """The report as the API gives it."""
        return {**{name: self.counts[name] for name in ("restored", "edited", "gone")}, "rows": self.listed}


async def lock_merge(tx: Connection, viewer: Viewer, key: UUID, now: datetime) -> asyncpg.Record:
    """Locks a merge that can be undone; raises NotFound, MERGE_EXPIRED and MERGE_SUPERSEDED."""
    await rows.require_visible(tx, viewer, Merge, key, "id")
    await tx.execute(_LOCK_SURVIVOR, key)  # before the merge, as those do who merge the survivor
    row = await rows.lock_row(tx, viewer, Merge, key, "id")
    if row["status"] != MergeStatus.DONE:
        raise BadInput(
            "id: the merge was undone already; there is nothing to undo.", code="MERGE_EXPIRED", argument="id"
        )
    if row["undo_until"] <= now:
        message = f"id: the merge could be undone until {row['undo_until'].isoformat()}; split the customer instead."
        raise BadInput(message, code="MERGE_EXPIRED", argument="id")
    later: UUID | None = await tx.fetchval(_LATER, key, row["survivor_key"], row["merged_key"], row["merged_at"])
    if later is not None:
        public_id = f"{Merge.definition.options['prefix']}_{later.hex}"
        message = f"id: {public_id} came later and has one of the two customers; undo that one first."
        raise BadInput(message, code="MERGE_SUPERSEDED", argument="id", extensions={"merge": public_id})
    await rows.lock_row(tx, viewer, Customer, row["survivor_key"], "id")
    if row["type"] == MergeType.SPLIT:
        await _lock_parted(tx, viewer, row["merged_key"])
    return row


async def _lock_parted(tx: Connection, viewer: Viewer, key: UUID) -> None:
    """Locks the new customer of a split; raises MERGE_EXPIRED if it is gone."""
    try:
        await rows.lock_row(tx, viewer, Customer, key, "id")
    except NotFound:
        message = "id: the customer who was parted is gone, or this key may not see it; there is nothing to join."
        raise BadInput(message, code="MERGE_EXPIRED", argument="id") from None


async def undo_merge(
    tx: Connection, merge: asyncpg.Record, now: datetime, progress: Progress = no_progress
) -> UndoReport:
    """Undoes a locked merge; returns what became of its rows."""
    survivor, merged, report = merge["survivor_key"], merge["merged_key"], UndoReport()
    arguments = (survivor, merged, now, merge["id"])
    async with moving(tx):
        for ordinal, _ in await tx.fetch(_DROPPED, merge["id"], Customer.table.name):
            await tx.execute(insert_dropped(Customer.table), ordinal, now)
        await provenance.forget_choice(tx, merge["id"])
        tables = tables_in_order()
        for customer_table in tables:
            await _restore_table(tx, customer_table, arguments, report, progress)
        # Reviews come first: an identifier that comes back would make new ones.
        for customer_table in sorted(tables, key=lambda t: not t.is_pair):
            await _insert_dropped(tx, customer_table.table, arguments, report)
        for link in composite_links(frozenset(t.name for t in tables)):
            cleared = await tx.fetch(mend_links(*link), *arguments)
            report.add(link[0].name, "edited", [row["id"] for row in cleared])
        for pair in moving_followers(followers(schema.entities())):
            await tx.execute(mend_followers(pair), *arguments)
        restored = await tx.fetchrow(restore_values(Customer.table), *arguments)
        assert restored is not None
        report.add(Customer.table.name, "edited", restored["edited"])
        await redirects.remove(tx, survivor, merged, merge["id"])
        for customer in (survivor, merged):  # a customer who comes back had ids that may lead nowhere since an erasure
            await tx.execute(_TRIM, customer, now)
    await tx.execute(_END, merge["id"], now)
    await tx.execute(_FORGET, merge["id"])
    return report


async def _restore_table(
    tx: Connection,
    customer_table: CustomerTable,
    arguments: tuple[UUID, UUID, datetime, UUID],
    report: UndoReport,
    progress: Progress,
) -> None:
    table = customer_table.table
    if customer_table.rule.way == "stay":
        return
    for column in customer_table.columns:
        last = FIRST_KEY
        while True:
            moved = await tx.fetchrow(move_back(customer_table, column), *arguments, CHUNK, last)
            assert moved is not None
            report.counts["restored"] += moved["moved"]
            report.add(table.name, "edited", moved["edited"])
            await progress(moved["moved"])
            if moved["moved"] < CHUNK:
                break
            last = moved["last"]
    restored = await tx.fetchrow(restore_values(table, customer_table.superseding), *arguments)
    assert restored is not None
    report.add(table.name, "edited", restored["edited"])
    report.add(table.name, "gone", [row["id"] for row in await tx.fetch(gone_rows(customer_table), *arguments)])


async def _insert_dropped(
    tx: Connection, table: sa.Table, arguments: tuple[UUID, UUID, datetime, UUID], report: UndoReport
) -> None:
    """Brings back the rows that the merge dropped, but for those that others rule out by now."""
    for row in await tx.fetch(_DROPPED, arguments[3], table.name):
        await tx.execute("savepoint dropped")
        try:
            await tx.execute(insert_dropped(table), row["ordinal"], arguments[2])
            report.counts["restored"] += 1
        except asyncpg.IntegrityConstraintViolationError:
            await tx.execute("rollback to savepoint dropped")
            report.add(table.name, "gone", [row["row_id"]])
        else:
            await tx.execute("release savepoint dropped")
