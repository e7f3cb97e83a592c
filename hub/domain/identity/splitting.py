"""Splits a customer: selects the rows that go, makes the new customer, and gives it the rows. Undoing it joins the two again.

All of it happens in one transaction, as a merge does, and in the ledger of merges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from hub import schema
from hub.db.pool import Connection
from hub.domain.identity import redirects, split_values
from hub.domain.identity.merge_plan import moving_tables
from hub.domain.identity.merging import Progress, move_all, no_progress
from hub.domain.identity.moving import CHUNK, check_links, merged_at, moving
from hub.model import exact_json, parting, provenance, rows
from hub.model.mover_undo import composite_links, moving_followers, restore_values
from hub.model.subjects import followers
from hub.schema.customers.customers import Customer, Identifier
from hub.schema.customers.identity_reviews import IdentityReview, ReviewStatus
from hub.schema.identity.merges import Merge, MergeStatus, MergeType
from hub.schema.identity.source_records import SourceRecord
from hub.viewer import Viewer

CLOSURE_ROUNDS = 2  # rows about a part, and parts of rows about a row
PARTED = "they were parted"
_NOTE = """
insert into merge_rows (merge_id, table_name, row_id, action, row_version, before, after)
select $2, 'customers', c.id, 'CHANGED', c.version,
    (select jsonb_object_agg(name, $3::jsonb -> name) from unnest($4::text[]) as name),
    (select jsonb_object_agg(name, to_jsonb(c) -> name) from unnest($4::text[]) as name)
from customers as c where c.id = $1
"""
_VALUES = "select to_jsonb(c)::text from customers as c where c.id = $1"
_FORMER = """
select r.merged_id from customer_redirects as r join merges as m on m.id = any($2) where r.customer_id = $1
    and (r.merged_id = m.merged_key or exists (
        select from merge_rows as l
        where l.merge_id = m.id and l.table_name = 'customer_redirects' and l.row_id = r.merged_id
    )) order by r.merged_at, r.merged_id
"""
_END = "update merges set status = 'UNDONE', undone_at = $2, version = version + 1, updated_at = $2 where id = $1"
_FORGET = "delete from merge_rows where merge_id = $1"
_FORMER_IDS = """
update customers set former_ids = $2, version = version + 1, updated_at = $3 where id = $1
"""
_FORMER_IDS_OF = "select id, former_ids from customers where id = any($1)"
_DELETE = "delete from customers where id = $1"
_LEDGER_FORMER_IDS = """
select (before -> 'former_ids')::text from merge_rows where merge_id = $1 and table_name = 'customers' and row_id = $2
    and action = 'CHANGED' and before ? 'former_ids'
"""


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """What somebody chose of a customer: identifiers and sources that are another one's, and its name."""

    identifiers: Sequence[UUID]
    sources: Sequence[str]
    name: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that go: how many by table, and the merges of which all goes that they brought."""

    counts: dict[str, int]
    origins: Sequence[UUID]


async def insert_split(
    tx: Connection, viewer: Viewer, customer: UUID, undo_period: timedelta, now: datetime
) -> tuple[UUID, UUID]:
    """The first change of a split, which its ledger belongs to; returns its key and the new customer's."""
    parted, moment = uuid7(), await merged_at(tx, [customer], now)
    values: dict[str, Any] = {
        "type": MergeType.SPLIT,
        "customer_id": customer,
        "survivor_key": customer,
        "merged_key": parted,
        "status": MergeStatus.DONE,
        "merged_at": moment,
        "undo_until": moment + undo_period,
        "choices": {},
        "rows": 0,
        "merged_by_id": viewer.staff_id,
    }
    return await rows.insert_row(tx, viewer, Merge, values, now), parted


async def select_rows(tx: Connection, customer: UUID, split: UUID, choice: SplitChoice) -> Selection:
    """Selects the rows that go into the split's ledger."""
    tables = moving_tables()
    by_name = {t.name: t for t in tables}
    arguments = (customer, split)
    await tx.execute(parting.select_named(by_name[Identifier.table.name]), *arguments, list(choice.identifiers))
    for t in tables:
        if choice.sources and parting.has_source(t):
            await tx.execute(parting.select_of_sources(t), *arguments, list(choice.sources))
    origins = await _whole_origins(tx, arguments)
    if origins:
        await tx.execute(parting.select_named(by_name[Merge.table.name]), *arguments, origins)
        for t in tables:
            await tx.execute(parting.select_brought(t), *arguments, origins)
    links = composite_links(frozenset(by_name))
    pairs = list(moving_followers(followers(schema.entities())))
    for _ in range(CLOSURE_ROUNDS):
        for statement in parting.closure(tables, links, pairs):
            await tx.execute(statement, *arguments)
    for table, column, target, optional in links:
        if not optional:
            await tx.execute(parting.keep_parts(table, column, target), *arguments)
    counted = await tx.fetch(parting.COUNT_SELECTED, split)
    return Selection({row["table_name"]: row["count"] for row in counted}, origins)


async def _whole_origins(tx: Connection, arguments: tuple[UUID, UUID]) -> list[UUID]:
    """The merges of which all goes: all identifiers that they brought, or all that sources said if there were none."""
    by_identifiers = await tx.fetch(parting.whole_origins(Identifier.table.name), *arguments)
    by_sources = await tx.fetch(parting.whole_origins(SourceRecord.table.name), *arguments)
    known = {row["merge_id"] for row in await tx.fetch(parting.origins_with(Identifier.table.name), arguments[0])}
    whole = [row["merge_id"] for row in by_identifiers]
    return [*whole, *(row["merge_id"] for row in by_sources if row["merge_id"] not in known)]


async def split_customer(
    tx: Connection,
    viewer: Viewer,
    stored: asyncpg.Record,
    split: UUID,
    parted: UUID,
    selection: Selection,
    name: str | None,
    now: datetime,
    progress: Progress = no_progress,
) -> list[str]:
    """Parts the selected rows from a locked customer, who keeps the rest; returns the columns of it that change."""
    customer: UUID = stored["id"]
    facts = await split_values.read_facts(tx, customer, split)
    image = await split_values.former_image(tx, selection.origins)
    values = await split_values.parted_values(tx, stored, split, image, facts, name)
    former = [row["merged_id"] for row in await tx.fetch(_FORMER, customer, list(selection.origins))]
    former_ids = [_public_id(key) for key in former]
    async with moving(tx):
        await _insert_customer(tx, stored, parted, {**values, "former_ids": former_ids}, now)
        await rows.require_creatable(tx, viewer, Customer, parted)
        if name is not None:
            await provenance.record(tx, Customer.table, {parted: {"name": name}}, now, viewer.source)
        await _move(tx, customer, split, parted, now, progress)
        await redirects.lead(tx, former, parted)
        changed = await split_values.lost_values(tx, stored, selection.origins, facts)
        staying = [former_id for former_id in stored["former_ids"] if former_id not in former_ids]
        await _change(tx, viewer, customer, split, {**changed, "former_ids": staying}, now)
    review = {"customer_id": customer, "other_id": parted, "reason": PARTED, "status": ReviewStatus.NOT_SAME}
    await rows.insert_row(tx, viewer, IdentityReview, review, now)
    return list(changed)


def _public_id(key: UUID) -> str:
    return f"{Customer.definition.options['prefix']}_{key.hex}"


async def _insert_customer(
    tx: Connection, stored: asyncpg.Record, parted: UUID, values: dict[str, Any], now: datetime
) -> None:
    """Inserts the new customer, in the unit of the old one; values are JSON by column."""
    row = {**values, "id": str(parted), "unit_id": str(stored["unit_id"]), "created_at": now.isoformat()}
    row |= {"owner_id": stored["owner_id"] and str(stored["owner_id"]), "updated_at": now.isoformat()}
    names = ", ".join(f'"{name}"' for name in row)
    statement = f"insert into customers ({names}) select {names} from jsonb_populate_record(null::customers, $1::jsonb)"
    await tx.execute(statement, exact_json.dumps(row))


async def _move(tx: Connection, customer: UUID, split: UUID, parted: UUID, now: datetime, progress: Progress) -> None:
    """Gives the selected rows to the new customer."""
    tables = moving_tables()
    links = composite_links(frozenset(t.name for t in tables))
    for table in dict.fromkeys(link[0] for link in links):
        crossing = [(column, target) for owner, column, target, optional in links if owner is table and optional]
        if crossing:
            await tx.execute(parting.clear_links(table, crossing), customer, split, now)
    for t in tables:
        for column in t.columns:
            while True:
                count = await tx.fetchval(parting.move_selected(t, column), customer, split, now, parted, CHUNK)
                await progress(count)
                if count < CHUNK:
                    break
        if t.superseding is not None:
            await tx.execute(parting.supersede_anew(t), customer, split, now, parted)


async def _change(
    tx: Connection, viewer: Viewer, customer: UUID, split: UUID, values: dict[str, Any], now: datetime
) -> None:
    """Takes values from the customer, under the rules of any update, and notes them in the ledger."""
    before = await tx.fetchval(_VALUES, customer)
    await rows.update_row(tx, viewer, Customer, customer, values, now, derived=True)
    await tx.execute(_NOTE, customer, split, before, list(values))


async def undo_split(tx: Connection, split: asyncpg.Record, now: datetime, progress: Progress = no_progress) -> None:
    """Joins the two of a locked split again: all rows of the new customer, also later ones, are the old one's.

    What the split changed in others is put back, unless somebody changed it since. The new customer's id leads to the old."""
    customer, parted, key = split["survivor_key"], split["merged_key"], split["id"]
    former_ids = await _joined_former_ids(tx, customer, parted, key)
    async with moving(tx):
        arguments = (customer, parted, now, key)
        for t in moving_tables():
            await tx.fetchrow(restore_values(t.table, t.superseding), *arguments)
        await tx.fetchrow(restore_values(Customer.table), *arguments)
        await tx.execute(_FORGET, key)
        await move_all(tx, customer, parted, key, now, progress)
        await redirects.add(tx, customer, parted, key, now)
        await tx.execute(_FORMER_IDS, customer, former_ids, now)
        await check_links(tx)
        await tx.execute(_DELETE, parted)
    await tx.execute(_END, key, now)
    await tx.execute(_FORGET, key)


async def _joined_former_ids(tx: Connection, customer: UUID, parted: UUID, split: UUID) -> list[str]:
    """The ids that lead to the customer once the two are one: in the order that they had before the split."""
    current = {row["id"]: row["former_ids"] for row in await tx.fetch(_FORMER_IDS_OF, [customer, parted])}
    text = await tx.fetchval(_LEDGER_FORMER_IDS, split, customer)
    ordered: list[str] = [] if text is None else exact_json.loads(text)
    joined = [*current[customer], *current[parted]]
    names = [*(name for name in ordered if name in joined), *joined, _public_id(parted)]
    return list(dict.fromkeys(names))
