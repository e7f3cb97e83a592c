"""Parts rows from a customer, from the declarations: which rows go along, and the links between them and those that stay.

The ledger of merges holds the rows that go: SELECTED first, MOVED once they went. Statements take the customer whose rows
they are and the split, $1 and $2, and others as they say."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from hub.model.entity import entity_of
from hub.model.merge_rules import CustomerTable
from hub.model.mover import STEP_COLUMNS, images, moved_values, quoted
from hub.model.subjects import Follower

SOURCE = "source"
# A row's origin is the first of the merges that brought it: whose it was before.
_IS_FIRST = """not exists (
    select from merge_rows as e join merges as em on em.id = e.merge_id
    where e.table_name = l.table_name and e.row_id = l.row_id and e.action = 'MOVED' and em.type = 'MERGE'
        and em.status = 'DONE' and (em.merged_at, em.id) < (m.merged_at, m.id)
)"""
_BROUGHT = f"""
select l.row_id from merges as m join merge_rows as l on l.merge_id = m.id
where {{merges}} and m.type = 'MERGE' and m.status = 'DONE' and l.action = 'MOVED' and l.table_name = '{{table}}'
    and {_IS_FIRST}
"""


def has_source(t: CustomerTable) -> bool:
    """Whether each row of a table says which source it is from."""
    is_access = entity_of(t.table).definition.scope.name in ("administered", "key_owned")
    return SOURCE in t.table.c and not is_access


def _select(t: CustomerTable, where: str) -> str:
    """Selects rows of the customer that are not selected yet; returns nothing, but its tag counts them."""
    own = " or ".join(f"t.{quoted(column)} = $1" for column in t.columns)
    return f"""
    insert into merge_rows {STEP_COLUMNS}
    select $2, '{t.name}', t.id, 'SELECTED', t.version, null, null from {quoted(t.name)} as t
    where ({own}) and ({where}) and not {selected("t.id", t.name)}
    """


def selected(key: str, table: str) -> str:
    """Whether the row of this key is selected."""
    return f"""exists (
        select from merge_rows as s where s.merge_id = $2 and s.table_name = '{table}' and s.row_id = {key}
            and s.action in ('SELECTED', 'MOVED')
    )"""


def select_named(t: CustomerTable) -> str:
    """Selects the rows with the keys $3."""
    return _select(t, "t.id = any($3::uuid[])")


def select_of_sources(t: CustomerTable) -> str:
    """Selects the rows that are from the sources $3."""
    return _select(t, f"t.{quoted(SOURCE)} = any($3::text[])")


def whole_origins(evidence: str) -> str:
    """The merges of which everything that is `evidence` of a customer, identifiers say, is selected."""
    brought = _BROUGHT.format(merges="m.customer_id = $1", table=evidence)
    rows = brought.replace("select l.row_id", "select m.id as merge_id, l.row_id", 1)
    return f"""
    select brought.merge_id from ({rows}) as brought join {evidence} as t on t.id = brought.row_id and t.customer_id = $1
    group by brought.merge_id having bool_and({selected("t.id", evidence)}) order by brought.merge_id
    """


def origins_with(evidence: str) -> str:
    """The merges that brought something that is `evidence` of the customer $1 and that it still has."""
    brought = _BROUGHT.format(merges="m.customer_id = $1", table=evidence)
    rows = brought.replace("select l.row_id", "select m.id as merge_id, l.row_id", 1)
    return f"""
    select distinct brought.merge_id from ({rows}) as brought
    join {evidence} as t on t.id = brought.row_id and t.customer_id = $1
    """


def select_brought(t: CustomerTable) -> str:
    """Selects the rows that the merges $3 brought."""
    return _select(t, f"t.id in ({_BROUGHT.format(merges='m.id = any($3::uuid[])', table=t.name)})")


def select_parts(t: CustomerTable, column: str, target: sa.Table) -> str:
    """Selects rows that are part of a selected row."""
    return _select(t, selected(f"t.{quoted(column)}", target.name))


def select_followers(t: CustomerTable, subject: sa.Table) -> str:
    """Selects rows that are about a selected row."""
    return _select(t, f"t.entity = '{entity_of(subject).__name__}' and {selected('t.row_id', subject.name)}")


def keep_parts(table: sa.Table, column: str, target: sa.Table) -> str:
    """Takes rows out of the selection that are part of a row which stays."""
    return f"""
    delete from merge_rows as l using {quoted(table.name)} as t
    where l.merge_id = $2 and l.table_name = '{table.name}' and l.row_id = t.id and t.customer_id = $1
        and not {selected(f"t.{quoted(column)}", target.name)}
    """


def clear_links(table: sa.Table, links: Sequence[tuple[str, sa.Table]]) -> str:
    """Clears links between rows that go and rows that stay, $3 being the time; the ledger knows them."""
    crossing = {
        column: f"(t.{quoted(column)} is not null and {selected('t.id', table.name)}"
        f" <> {selected(f't.{quoted(column)}', target.name)})"
        for column, target in links
    }
    values = ", ".join(
        f"{quoted(column)} = case when {where} then null else t.{quoted(column)} end"
        for column, where in crossing.items()
    )
    return f"""
    with changed as (
        update {quoted(table.name)} as t set {values}, version = t.version + 1, updated_at = $3
        where t.customer_id = $1 and ({" or ".join(crossing.values())})
        returning t.id, t.version, {images(tuple(crossing))}
    )
    insert into merge_rows {STEP_COLUMNS}
    select $2, '{table.name}', id, 'CHANGED', version, before, after from changed
    """


def move_selected(t: CustomerTable, column: str) -> str:
    """Moves up to $5 selected rows from the customer to $4, $3 being the time; returns how many."""
    values = moved_values(t, column, "$4", "$1")
    return f"""
    with changed as (
        update {quoted(t.name)} as t set {values}
        where t.{quoted(column)} = $1 and t.id = any(array(
            select row_id from merge_rows where merge_id = $2 and table_name = '{t.name}' and action = 'SELECTED' limit $5
        ))
        returning t.id, t.version
    ), noted as (
        update merge_rows as l set action = 'MOVED', row_version = changed.version from changed
        where l.merge_id = $2 and l.table_name = '{t.name}' and l.action = 'SELECTED' and l.row_id = changed.id
    )
    select count(*) from changed
    """


def supersede_anew(t: CustomerTable) -> str:
    """Ends rows of the customer and of $4 by their own next row, where rows that went leave gaps; $3 is the time."""
    assert t.superseding is not None
    names, moment = t.superseding
    key, name = ", ".join(quoted(column) for column in names), quoted(t.name)
    return f"""
    with ordered as (
        select id, lead({quoted(moment)}) over (partition by customer_id, {key} order by {quoted(moment)}, id) as next,
            bool_or({selected("r.id", t.name)}) over (partition by {key}) as concerned
        from {name} as r where customer_id in ($1, $4)
    ), changed as (
        update {name} as t set superseded_at = o.next, version = t.version + 1, updated_at = $3
        from ordered as o where o.id = t.id and o.concerned and o.next is distinct from t.superseded_at
        returning t.id, t.version, {images(("superseded_at",))}
    )
    insert into merge_rows {STEP_COLUMNS}
    select $2, '{t.name}', id, 'CHANGED', version, before, after from changed
    """


COUNT_SELECTED = """
select table_name, count(*) as count from merge_rows where merge_id = $1 and action = 'SELECTED'
group by table_name order by table_name
"""


def closure(
    tables: Sequence[CustomerTable],
    links: Sequence[tuple[sa.Table, str, sa.Table, bool]],
    pairs: Sequence[Follower],
) -> Iterator[str]:
    """Statements that select what goes along with rows that are selected, in order: parts, and rows about them."""
    by_name = {t.name: t for t in tables}
    for table, column, target, optional in links:
        if not optional:
            yield select_parts(by_name[table.name], column, target)
    for pair in pairs:
        if pair.follower.name in by_name:
            yield select_followers(by_name[pair.follower.name], pair.subject)
