"""Gives a customer's rows to another customer, from the declarations, and writes each step to the ledger of merges.

Statements for one table, in the order in which they run. The caller has locked both customers and deferred the checks of
foreign keys. A statement is named by what it does, and takes survivor, merged customer, time and ledger, $1 to $4."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from hub.model.columns import DENORMALIZED_OWNER, readable_columns
from hub.model.lasting import FROM, TO
from hub.model.merge_rules import CustomerTable

SEARCH_TEXT = "search_text"
STEP_COLUMNS = "(merge_id, table_name, row_id, action, row_version, before, after)"
# Parameters that a statement does not need are named nevertheless, so that all take the same ones.
PARAMETERS = "($1::uuid is not null and $2::uuid is not null and $3::timestamptz is not null and $4::uuid is not null)"


@dataclass(frozen=True, slots=True)
class MergeStep:
    """A statement of a merge; `chunked` ones take a limit of rows, $5, and run until they find none."""

    table: str
    action: str
    sql: str
    chunked: bool = False


def quoted(name: str) -> str:
    """A column or table in SQL."""
    return f'"{name}"'


def images(names: tuple[str, ...]) -> str:
    """The columns of an updated row before and after, as two JSON objects, for RETURNING."""
    if not names:
        return "null::jsonb as before, null::jsonb as after"
    pairs = [", ".join(f"'{name}', {row}.{quoted(name)}" for name in names) for row in ("old", "new")]
    return f"jsonb_build_object({pairs[0]}) as before, jsonb_build_object({pairs[1]}) as after"


def _logged(table: str, action: str, change: str, before: str = "before", after: str = "after") -> str:
    """A change whose rows are noted in the ledger; `change` is the CTE `changed` with id, version, before and after."""
    return f"""
    with {change}
    insert into merge_rows {STEP_COLUMNS}
    select $4, '{table}', id, '{action}', version, {before}, {after} from changed where {PARAMETERS}
    """


@cache
def merge_steps(customer_table: CustomerTable) -> tuple[MergeStep, ...]:
    """What merging does to a table, in order."""
    return tuple(_steps(customer_table))


def _steps(t: CustomerTable) -> Iterator[MergeStep]:
    if t.rule.way == "stay":
        return
    if t.superseding is not None:
        yield MergeStep(t.name, "CHANGED", _supersede(t))
    if t.is_pair:
        if t.rule.where:
            yield MergeStep(t.name, "DROPPED", _drop(t, _undecided_twins(t), "true"))
        yield MergeStep(t.name, "DROPPED", _drop(t, _pair_twins(t)))
    for names, where in t.exclusions:
        yield MergeStep(t.name, "DROPPED", _drop(t, _overlaps(t, names, where)))
    if t.rule.way == "unite":
        twin = _twin(t)
        if t.rule.taken:
            yield MergeStep(t.name, "CHANGED", _take_values(t))
        if t.rule.values:
            yield MergeStep(
                t.name, "CHANGED", _set_values(t, f"exists (select from {quoted(t.name)} as s where {twin})")
            )
        else:
            yield MergeStep(t.name, "DROPPED", _drop(t, f"exists (select from {quoted(t.name)} as s where {twin})"))
    elif t.rule.values:
        yield MergeStep(t.name, "CHANGED", _set_values(t, "true"))
    for column in t.columns:
        yield MergeStep(t.name, "MOVED", move_rows(t, column), chunked=True)


def moved_values(t: CustomerTable, column: str, target: str, source: str) -> str:
    """The assignments that give a row another customer, who is `target`; both are parameters."""
    values = [f"{quoted(column)} = {target}", "version = t.version + 1", "updated_at = $3"]
    if t.carries_unit and column == "customer_id":
        values.append(f"unit_id = (select c.unit_id from customers as c where c.id = {target})")
    if t.has_subject and column == t.columns[0]:
        values.append(
            f"row_id = case when t.entity = 'Customer' and t.row_id = {source} then {target} else t.row_id end"
        )
    return ", ".join(values)


def move_rows(t: CustomerTable, column: str) -> str:
    """Moves up to $5 rows of the merged customer."""
    name = quoted(t.name)
    change = f"""changed as (
        update {name} as t set {moved_values(t, column, "$1", "$2")}
        where t.id = any(array(select id from {name} where {quoted(column)} = $2 limit $5))
        returning t.id, t.version
    )"""
    return _logged(t.name, "MOVED", change, "null", "null")


def count_rows(t: CustomerTable) -> str:
    """Counts the rows of the customer $1."""
    named = " or ".join(f"{quoted(column)} = $1" for column in t.columns)
    return f"select count(*) from {quoted(t.name)} where {named}"


def _drop(t: CustomerTable, where: str, whose: str | None = None) -> str:
    """Deletes rows `t`, those of the merged customer unless `whose` says else, with their images in the ledger."""
    search_text = f" - '{SEARCH_TEXT}'" if SEARCH_TEXT in t.table.c else ""
    change = f"""changed as (
        delete from {quoted(t.name)} as t where {whose or _is_merged(t)} and {where}
        returning t.id, t.version, to_jsonb(t){search_text} as before, null::jsonb as after
    )"""
    return _logged(t.name, "DROPPED", change)


def _set_values(t: CustomerTable, where: str) -> str:
    values = {name: sql.format(merged="$2", now="$3") for name, sql in t.rule.values}
    assignments = ", ".join(f"{quoted(name)} = {sql}" for name, sql in values.items())
    differs = " or ".join(f"t.{quoted(name)} is distinct from ({sql})" for name, sql in values.items())
    change = f"""changed as (
        update {quoted(t.name)} as t set {assignments}, version = t.version + 1, updated_at = $3
        where {_is_merged(t)} and {where} and ({differs})
        returning t.id, t.version, {images(tuple(values))}
    )"""
    return _logged(t.name, "CHANGED", change)


def _take_values(t: CustomerTable) -> str:
    """The survivor's twins take over what those that are dropped have: a flag, the facts of a source."""
    name, taken = quoted(t.name), dict(t.rule.taken)
    assignments = ", ".join(f"{quoted(column)} = {sql}" for column, sql in taken.items())
    differs = " or ".join(f"t.{quoted(column)} is distinct from ({sql})" for column, sql in taken.items())
    change = f"""changed as (
        update {name} as t set {assignments}, version = t.version + 1, updated_at = $3 from {name} as twin
        where t.customer_id = $1 and twin.customer_id = $2 and {_equal(t, "t", "twin")} and ({differs})
        returning t.id, t.version, {images(tuple(taken))}
    )"""
    return _logged(t.name, "CHANGED", change)


def _is_merged(t: CustomerTable) -> str:
    """Whether the row `t` names the merged customer."""
    return "(" + " or ".join(f"t.{quoted(column)} = $2" for column in t.columns) + ")"


def _equal(t: CustomerTable, one: str, other: str) -> str:
    """Whether two rows are twins, apart from whose they are."""
    parts = [f"{one}.{quoted(name)} is not distinct from {other}.{quoted(name)}" for name in t.rule.same]
    return " and ".join(parts) or "true"


def _twin(t: CustomerTable) -> str:
    """Whether `s` is the survivor's twin of the merged customer's row `t`."""
    parts = ["s.customer_id = $1", _equal(t, "s", "t")]
    if t.rule.about_customer:
        parts.append("s.entity = 'Customer' and s.row_id = $1 and t.entity = 'Customer' and t.row_id = $2")
    if t.rule.where:
        parts += [f"({t.rule.where.replace('t.', alias)})" for alias in ("s.", "t.")]
    return " and ".join(parts)


def _pair_twins(t: CustomerTable) -> str:
    """Rows about both customers, and rows about the merged one and a third that the survivor has, too."""
    one, other = (quoted(column) for column in t.columns)
    third = f"case when t.{one} = $2 then t.{other} else t.{one} end"
    return f"""({third} = $1 or exists (
        select from {quoted(t.name)} as s
        where (s.{one} = $1 and s.{other} = {third}) or (s.{other} = $1 and s.{one} = {third})
    ))"""


def _undecided_twins(t: CustomerTable) -> str:
    """The survivor's rows that nobody decided, where the merged customer has a decided one about the same third customer."""
    one, other = (quoted(column) for column in t.columns)
    third = f"case when t.{one} = $1 then t.{other} else t.{one} end"
    decided = t.rule.where.replace("t.", "m.")
    return f"""$1 in (t.{one}, t.{other}) and {third} <> $2 and not ({t.rule.where}) and exists (
        select from {quoted(t.name)} as m
        where ((m.{one} = $2 and m.{other} = {third}) or (m.{other} = $2 and m.{one} = {third})) and {decided}
    )"""


def _overlaps(t: CustomerTable, names: tuple[str, ...], where: str | None) -> str:
    """Rows of which one of the survivor's holds at the same time."""
    same = [f"s.{quoted(name)} = t.{quoted(name)}" for name in names if name not in t.columns]
    limited = [] if where is None else [f"(select {where} from (select {row}.*) as r)" for row in ("s", "t")]
    periods = [f"tstzrange({row}.{FROM}, {row}.{TO})" for row in ("s", "t")]
    conditions = " and ".join(["s.customer_id = $1", " && ".join(periods), *same, *limited])
    return f"exists (select from {quoted(t.name)} as s where {conditions})"


def _supersede(t: CustomerTable) -> str:
    """Ends rows that a later one of the other customer supersedes; only keys of which both have rows are concerned."""
    assert t.superseding is not None
    names, moment = t.superseding
    key, name = ", ".join(quoted(column) for column in names), quoted(t.name)
    change = f"""ordered as (
        select id, lead({quoted(moment)}) over ordered as next,
            bool_or(customer_id = $1) over alike and bool_or(customer_id = $2) over alike as of_both
        from {name} where customer_id in ($1, $2)
        window alike as (partition by {key}), ordered as (partition by {key} order by {quoted(moment)}, id)
    ), changed as (
        update {name} as t set superseded_at = least(t.superseded_at, o.next), version = t.version + 1, updated_at = $3
        from ordered as o
        where o.id = t.id and o.of_both and least(t.superseded_at, o.next) is distinct from t.superseded_at
        returning t.id, t.version, {images(("superseded_at",))}
    )"""
    return _logged(t.name, "CHANGED", change)


def stored_columns(table: sa.Table) -> list[str]:
    """The columns of a table that an image holds and that can be written."""
    return [column.name for column in readable_columns(table) if column.computed is None]


def has_owner(table: sa.Table) -> bool:
    """Whether triggers keep the unit and the owner of the row's customer in the row."""
    return any(column.info.get(DENORMALIZED_OWNER) for column in table.c)
