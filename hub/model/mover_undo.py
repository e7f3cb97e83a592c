"""Takes back what a merge did to the rows of a table, from its ledger. Statements take survivor, merged customer, time and
merge, $1 to $4, as those of mover.py do.

What somebody edited since keeps the edit: a value is put back only where it is still the one that the merge left."""

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from hub.model.columns import metadata
from hub.model.entity import entity_of
from hub.model.merge_rules import CustomerTable
from hub.model.mover import PARAMETERS, moved_values, quoted, stored_columns
from hub.model.subjects import Follower

_LEDGER = "l.merge_id = $4 and l.table_name = '{table}' and l.action = '{action}'"


def move_back(t: CustomerTable, column: str) -> str:
    """Moves up to $5 rows back whose keys come after $6; returns how many, the last key, and those that were edited since."""
    name, ledger = quoted(t.name), _LEDGER.format(table=t.name, action="MOVED")
    return f"""
    with latest as (
        select l.row_id, max(l.row_version) as version from merge_rows as l
        where l.merge_id = $4 and l.table_name = '{t.name}' and exists (
            select from {name} as r where r.id = l.row_id and r.{quoted(column)} = $1
        ) and exists (select from merge_rows as m where {ledger.replace("l.", "m.")} and m.row_id = l.row_id)
        and l.row_id > $6::uuid
        group by l.row_id order by l.row_id limit $5
    ), changed as (
        update {name} as t set {moved_values(t, column, "$2", "$1")} from latest as l where t.id = l.row_id
        returning t.id, l.version, old.version as edition
    )
    select count(*) as moved, (array_agg(id order by id desc))[1] as last,
        coalesce(array_agg(id order by id) filter (where edition <> version), array[]::uuid[]) as edited
    from changed where {PARAMETERS}
    """


def gone_rows(t: CustomerTable) -> str:
    """Rows that a merge moved or changed and that somebody deleted since."""
    return f"""
    select distinct l.row_id as id from merge_rows as l
    where l.merge_id = $4 and l.table_name = '{t.name}' and l.action in ('MOVED', 'CHANGED') and {PARAMETERS}
        and not exists (select from {quoted(t.name)} as t where t.id = l.row_id)
    order by l.row_id
    """


def restore_values(table: sa.Table, superseding: tuple[tuple[str, ...], str] | None = None) -> str:
    """Puts back the columns that the merge changed; returns the keys of rows whose values were changed since."""
    name, ledger = quoted(table.name), _LEDGER.format(table=table.name, action="CHANGED")
    assignments, stays = [], []
    for column in stored_columns(table):
        if column in ("id", "version", "created_at", "updated_at", "customer_id", "unit_id"):
            continue
        own, value = f"t.{quoted(column)}", f"r.{quoted(column)}"
        if superseding is not None and column == "superseded_at":
            value = f"least(r.superseded_at, ({_next_moment(name, superseding)}))"
        is_ours = (
            f"l.before ? '{column}' and to_jsonb({own}) is not distinct from nullif(l.after -> '{column}', 'null')"
        )
        assignments.append(f"{quoted(column)} = case when {is_ours} then {value} else {own} end")
        stays.append(f"(l.before ? '{column}' and not ({is_ours}))")
    return f"""
    with noted as (  -- a row may have changed more than once: the first value before, and the last one after
        select l.row_id, e.key, (array_agg(e.value order by l.ordinal))[1] as before,
            (array_agg(l.after -> e.key order by l.ordinal desc))[1] as after
        from merge_rows as l cross join lateral jsonb_each(l.before) as e (key, value)
        where {ledger} group by l.row_id, e.key
    ), ledger as (
        select row_id, jsonb_object_agg(key, before) as before, jsonb_object_agg(key, after) as after
        from noted group by row_id
    ), changed as (
        update {name} as t set {", ".join(assignments)}, version = t.version + 1, updated_at = $3
        from ledger as l cross join lateral jsonb_populate_record(null::{name}, l.before) as r
        where t.id = l.row_id
        returning t.id, {" or ".join(_old(part) for part in stays)} as edited
    )
    select count(*) as restored, coalesce(array_agg(id order by id) filter (where edited), array[]::uuid[]) as edited
    from changed where {PARAMETERS}
    """


def _old(condition: str) -> str:
    """A condition on the row as it was before the update."""
    return condition.replace("t.", "old.")


def _next_moment(name: str, superseding: tuple[tuple[str, ...], str]) -> str:
    """The moment from which a later row of the same customer counts, if there is one by now."""
    names, moment = superseding
    same = " and ".join(f"o.{quoted(column)} is not distinct from t.{quoted(column)}" for column in names)
    later = f"(o.{quoted(moment)}, o.id) > (t.{quoted(moment)}, t.id)"
    return f"select min(o.{quoted(moment)}) from {name} as o where o.customer_id = t.customer_id and {same} and {later}"


def insert_dropped(table: sa.Table) -> str:
    """Inserts the dropped row whose ordinal in the ledger is $1, stamped with the time $2."""
    columns = [column for column in stored_columns(table) if column not in ("version", "updated_at")]
    names, values = ", ".join(map(quoted, columns)), ", ".join(f"r.{quoted(column)}" for column in columns)
    return f"""
    insert into {quoted(table.name)} ({names}, version, updated_at)
    select {values}, l.row_version + 1, $2 from merge_rows as l
        cross join lateral jsonb_populate_record(null::{quoted(table.name)}, l.before) as r
    where l.ordinal = $1
    """


@cache
def composite_links(names: frozenset[str]) -> tuple[tuple[sa.Table, str, sa.Table, bool], ...]:
    """Links between rows of one customer in these tables: table, column, the table that it names, whether it may be empty.

    Tables that others name come first."""
    links = []
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            columns = [column.name for column in key.columns]
            if table.name in names and len(columns) == 2 and columns[1] == "customer_id":
                links.append((table, columns[0], key.referred_table, bool(table.c[columns[0]].nullable)))
    return tuple(links)


def mend_links(table: sa.Table, column: str, target: sa.Table, optional: bool) -> str:
    """Rows of the one customer that name a row of the other: parts go along, other links are cleared. Returns their keys."""
    name, other = quoted(table.name), quoted(target.name)
    change = f"{quoted(column)} = null" if optional else "customer_id = p.customer_id"
    return f"""
    with changed as (
        update {name} as t set {change}, version = t.version + 1, updated_at = $3 from {other} as p
        where t.customer_id in ($1, $2) and p.id = t.{quoted(column)} and p.customer_id <> t.customer_id
        returning t.id
    )
    select id from changed where {PARAMETERS} order by id
    """


def mend_followers(follower: Follower) -> str:
    """Rows about a row that moved back, which came since, go with it."""
    name, subject = quoted(follower.follower.name), quoted(follower.subject.name)
    unit = ""
    if "audience" in follower.follower.c:
        unit = ", unit_id = coalesce((select c.unit_id from customers as c where c.id = s.customer_id), t.unit_id)"
    entity = entity_of(follower.subject).__name__
    return f"""
    update {name} as t set customer_id = s.customer_id{unit}, version = t.version + 1, updated_at = $3 from {subject} as s
    where t.entity = '{entity}' and t.row_id = s.id and t.customer_id = $1 and s.customer_id = $2 and {PARAMETERS}
    """


def moving_followers(pairs: Iterator[Follower]) -> Iterator[Follower]:
    """The pairs of which both tables say whose their rows are."""
    for pair in pairs:
        if "customer_id" in pair.subject.c and "customer_id" in pair.follower.c:
            yield pair
