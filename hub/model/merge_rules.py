"""How two rows of a table become one when two customers merge: the word `merge=` of a declaration, and what follows without it.

Where nothing speaks against it, the merged customer's rows simply become the survivor's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from hub.model import registry
from hub.model.columns import metadata

Way = Literal["move", "unite", "stay"]
CUSTOMERS = "customers"


@dataclass(frozen=True, slots=True)
class MergeRule:
    """What becomes of the merged customer's rows.

    They move. With `unite`, one whose twin the survivor has is dropped, or with `values` changed before it moves. Rows that
    stay keep naming the merged customer, or go with it."""

    way: Way
    same: tuple[str, ...] = ()  # columns in which twins are equal
    about_customer: bool = False  # only rows whose subject is the customer itself have twins
    where: str = ""  # SQL over `t`: only such rows have twins
    taken: tuple[
        tuple[str, str], ...
    ] = ()  # columns of the survivor's row that its twin changes: SQL over `t` and `twin`
    values: tuple[tuple[str, str], ...] = ()  # SQL over `t`, with {merged} and {now}
    reason: str = ""


def moved_with(**values: str) -> MergeRule:
    """Rows move; `values` are SQL expressions over the row `t` that its columns get meanwhile. {merged} and {now} stand
    for the merged customer's key and the time."""
    return MergeRule("move", values=tuple(values.items()))


def unite(
    *same: str,
    either: Sequence[str] = (),
    taken: Mapping[str, str] | None = None,
    where: str = "",
    about_customer: bool = False,
    **values: str,
) -> MergeRule:
    """Rows with equal values in `same` are twins, of which the survivor's stays; its flags `either` hold if one of them did.
    Columns in `taken` become what SQL over the survivor's row `t` and its `twin` says.

    The merged customer's twin is dropped; with `values`, it gets these and moves as well. `about_customer`: only rows about
    the customer itself, and not about one of its rows, have twins."""
    changes = {flag: f't."{flag}" or twin."{flag}"' for flag in either} | dict(taken or {})
    return MergeRule("unite", tuple(same), about_customer, where, tuple(changes.items()), tuple(values.items()))


def pairs(decided: str) -> MergeRule:
    """Rows are about two customers. Of two about the survivor and the same third one, the survivor's stays; unless only the
    merged one's is `decided`, which is SQL over `t`."""
    return MergeRule("move", where=decided)


def stays(reason: str) -> MergeRule:
    """Rows do not move; `reason` says why."""
    return MergeRule("stay", reason=reason)


MOVE = MergeRule("move")
REBUILT = stays("A projection derives them anew.")

# Tables that no entity declares, with a column that names a customer: why merging leaves them alone, or who moves them.
OTHER_TABLES: Mapping[str, str] = {
    "merge_rows": "the ledger of merges, which goes with its merge",
    "match_keys": "a projection derives them anew",
    "reevaluations": "a projection derives them anew",
    "customer_redirects": "merging itself points them at the survivor",
    "change_log": "the past stays as it was",
    "audit_pending": "the past stays as it was",
    "audit_chain": "the past stays as it was",
}


@dataclass(frozen=True, slots=True)
class CustomerTable:
    """A table whose rows name customers, and what merging does to it."""

    table: sa.Table
    columns: tuple[str, ...]  # those that hold a customer's key
    rule: MergeRule
    superseding: tuple[tuple[str, ...], str] | None  # columns and moment of rows that supersede each other
    exclusions: tuple[tuple[tuple[str, ...], str | None], ...]  # of effective-dated rows: equal columns, condition
    is_pair: bool  # whether each row is about two customers
    has_subject: bool  # whether a row may be about the customer itself, by `entity` and `row_id`
    carries_unit: bool  # whether a row repeats its customer's unit, and no trigger keeps it right

    @property
    def name(self) -> str:
        return self.table.name


def customer_tables() -> list[CustomerTable]:
    """Every table of an entity whose rows name customers, in the order of the declarations."""
    return [
        _customer_table(entity, columns)
        for entity in registry.all_registered()
        if entity.table.name != CUSTOMERS and (columns := customer_columns(entity.table))
    ]


def customer_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns of a table that hold a customer's key."""
    return tuple(
        column.name
        for column in table.c
        if column.name == "customer_id"
        or any(key.column.table.name == CUSTOMERS and key.column.name == "id" for key in column.foreign_keys)
    )


def _customer_table(entity: Any, columns: tuple[str, ...]) -> CustomerTable:
    options, table = entity.definition.options, entity.table
    superseding = options.get("superseding")
    return CustomerTable(
        table,
        columns,
        options.get("merge", MOVE),
        None if superseding is None else (superseding.columns, superseding.moment),
        tuple((exclusion.columns, exclusion.where) for exclusion in options.get("lasting", ())),
        "second_customer" in options,
        "row_id" in table.c and "entity" in table.c,
        entity.definition.ownership.carries_subject,
    )


def merge_faults(entities: Sequence[Any]) -> Iterator[str]:
    """Tables of entities whose rows might collide when two customers become one, and that do not say what happens then."""
    for entity in entities:
        columns = customer_columns(entity.table)
        options = entity.definition.options
        if entity.table.name == CUSTOMERS or not columns:
            continue
        if not entity.definition.has_customer and "merge" not in options:
            yield f"{entity.__name__} names customers in {', '.join(columns)}; say by merge= what merging does to its rows"
        if "merge" in options:
            yield from _rule_faults(entity, options["merge"])
            continue
        for names in _unique_keys(entity):
            if not names.isdisjoint((*columns, "row_id")) and "second_customer" not in options:
                yield f"{entity.__name__} is unique in {', '.join(sorted(names))}; say by merge= how two rows become one"


def _rule_faults(entity: Any, rule: MergeRule) -> Iterator[str]:
    for name in (*rule.same, *dict(rule.taken), *dict(rule.values)):
        if name not in entity.table.c:
            yield f"{entity.__name__} says merge= with {name}, which is no column"
    if rule.way == "unite" and not rule.values:
        for table in metadata.tables.values():
            if any(key.referred_table is entity.table for key in table.foreign_key_constraints):
                yield f"{entity.__name__} drops rows that {table.name} refers to; say merge=unite(…) with values"


def _unique_keys(entity: Any) -> Iterator[frozenset[str]]:
    """Sets of columns that are unique; those that rows which supersede each other or last have by themselves are left out."""
    for constraint in entity.table.constraints:
        if isinstance(constraint, sa.UniqueConstraint) and "id" not in constraint.columns:
            yield frozenset(constraint.columns.keys())
    for index in entity.table.indexes:
        if index.unique and "superseding" not in entity.definition.options:
            yield frozenset(column.name for column in index.columns)
