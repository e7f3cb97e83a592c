"""Merges two locked customers: moves the rows, fills in the survivor, deletes the merged one, and leads its id to the survivor.

All of it happens in one transaction, however many rows there are: a merge is done or leaves nothing."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.identity import redirects
from hub.domain.identity.merge_plan import MergePair, MergeSide, resolved_values, tables_in_order
from hub.domain.identity.moving import CHUNK, check_links, merged_at, moving
from hub.model import provenance, rows
from hub.model.mover import SEARCH_TEXT, merge_steps
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge, MergeStatus
from hub.text_case import camel_case
from hub.viewer import Viewer

Progress = Callable[[int], Awaitable[None]]  # awaited with the number of rows touched since it was awaited last

_IMAGE = f"""
insert into merge_rows (merge_id, table_name, row_id, action, row_version, before)
select $2, 'customers', c.id, 'DROPPED', c.version, to_jsonb(c) - '{SEARCH_TEXT}' from customers as c where c.id = $1
"""
_DELETE = "delete from customers where id = $1"
_VALUES = "select to_jsonb(c) from customers as c where c.id = $1"
_CHANGED = """
insert into merge_rows (merge_id, table_name, row_id, action, row_version, before, after)
select $2, 'customers', c.id, 'CHANGED', c.version,
    (select jsonb_object_agg(name, $3::jsonb -> name) from unnest($4::text[]) as name),
    (select jsonb_object_agg(name, to_jsonb(c) -> name) from unnest($4::text[]) as name)
from customers as c where c.id = $1
"""
_COUNTS = """
select table_name, count(distinct row_id) filter (where action = 'MOVED') as moved,
    count(*) filter (where action = 'CHANGED') as changed, count(*) filter (where action = 'DROPPED') as dropped
from merge_rows where merge_id = $1 and table_name not in ('customers', 'customer_redirects')
group by table_name order by table_name
"""


_PURGE = """
delete from merge_rows where ordinal = any(array(
    select r.ordinal from merges as m join merge_rows as r on r.merge_id = m.id where m.undo_until <= $1 limit $2
))
"""


async def no_progress(_: int) -> None:
    """Nothing: for merges that are done at once."""


async def merge_customers(
    tx: Connection,
    viewer: Viewer,
    pair: MergePair,
    row_count: int,
    undo_period: timedelta,
    now: datetime,
    progress: Progress = no_progress,
) -> UUID:
    """Merges two locked customers, of whom the merged one has `row_count` rows; returns the key of the merge."""
    survivor, merged = pair.keys
    choices = {camel_case(name): side.value for name, side in pair.choices.items()}
    # The first change of the transaction: whoever follows the feed learns of the merge before its rows.
    moment = await merged_at(tx, pair.keys, now)
    times = {"merged_at": moment, "undo_until": moment + undo_period}
    merge = await _insert_merge(tx, viewer, pair, {**times, "choices": choices, "rows": row_count}, now)
    async with moving(tx):
        await tx.execute(_IMAGE, merged, merge)
        await _fill_survivor(tx, viewer, pair, merge, now)  # first: rows take the survivor's owner when they move
        await move_all(tx, survivor, merged, merge, now, progress)
        await _record_choices(tx, viewer, pair, merge, now)
        await redirects.add(tx, survivor, merged, merge, moment)
        await check_links(tx)
        await tx.execute(_DELETE, merged)
    return merge


async def move_all(
    tx: Connection, survivor: UUID, merged: UUID, merge: UUID, now: datetime, progress: Progress = no_progress
) -> None:
    """Gives all rows of a customer to another one, and notes in the ledger what became of them."""
    for customer_table in tables_in_order():
        for step in merge_steps(customer_table):
            arguments = (survivor, merged, now, merge)
            while True:
                tag = await tx.execute(step.sql, *arguments, *([CHUNK] if step.chunked else []))
                count = int(tag.rpartition(" ")[2])
                await progress(count)
                if not step.chunked or count < CHUNK:
                    break


async def _record_choices(tx: Connection, viewer: Viewer, pair: MergePair, merge: UUID, now: datetime) -> None:
    """What somebody chose, somebody says: a policy that believes people keeps it."""
    rows_by_side = {MergeSide.SURVIVOR: pair.survivor, MergeSide.MERGED: pair.merged}
    merged_columns = Customer.definition.merged_columns
    values = {name: rows_by_side[side][name] for name, side in pair.choices.items() if name not in merged_columns}
    await provenance.record_choice(tx, Customer.table, pair.survivor["id"], values, viewer.source, merge, now)


async def _insert_merge(
    tx: Connection, viewer: Viewer, pair: MergePair, values: Mapping[str, Any], now: datetime
) -> UUID:
    survivor, merged = pair.keys
    keys = {"customer_id": survivor, "survivor_key": survivor, "merged_key": merged}
    row = {**keys, **values, "status": MergeStatus.DONE, "merged_by_id": viewer.staff_id}
    return await rows.insert_row(tx, viewer, Merge, row, now)


async def _fill_survivor(tx: Connection, viewer: Viewer, pair: MergePair, merge: UUID, now: datetime) -> None:
    """Gives the survivor the values that were chosen or that it lacks, under the rules of any update."""
    resolved = resolved_values(pair)
    values = {**resolved, "former_ids": _former_ids(pair)}
    key = pair.survivor["id"]
    before = await tx.fetchval(_VALUES, key)
    await rows.update_row(tx, viewer, Customer, key, values, now, fields=tuple(pair.choices), derived=True)
    claims = any(name in Customer.definition.verified_columns for name in resolved)
    names = [*resolved, *(["unverified"] if claims else [])]  # former ids follow from redirects
    if names:
        await tx.execute(_CHANGED, key, merge, before, names)


def _former_ids(pair: MergePair) -> list[str]:
    """The ids that lead to the survivor after the merge, in the order of the merges."""
    merged_id = f"{Customer.definition.options['prefix']}_{pair.merged['id'].hex}"
    return [*pair.survivor["former_ids"], *pair.merged["former_ids"], merged_id]


async def counts(tx: Connection, merge: UUID) -> dict[str, dict[str, int]]:
    """Rows that a merge moved, changed and dropped, by table."""
    counted = await tx.fetch(_COUNTS, merge)
    return {row["table_name"]: {name: row[name] for name in ("moved", "changed", "dropped")} for row in counted}


async def purge_ledgers(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes rows of ledgers whose merges cannot be undone any more; returns whether there may be others."""
    return await tx.execute(_PURGE, now, limit) == f"DELETE {limit}"
