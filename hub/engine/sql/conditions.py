"""Writes predicates of a plan as SQL conditions. Conditions are two-valued: what compares with null does not hold.

Figures over joined rows are grouped joins at a root, where all owners are looked at, and correlated below, where few are."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.engine.catalog.scalars import raw
from hub.engine.plan.list_nodes import Search
from hub.engine.plan.predicates import All, Exists, Figure, FigureTest, Join, JsonTest, Not, Predicate, Slot, Some, Test
from hub.viewer import Binding

Condition = sa.ColumnElement[bool]
RANGES = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
LIKENESS = (
    0.35  # the least word similarity that a search takes for a spelling of the same word; set on every connection
)


def param(slot: Slot) -> sa.BindParameter[Any]:
    """The parameter of a slot."""
    return sa.bindparam(slot.name, type_=slot.type)


def fold(text: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Text without case, accents and width."""
    return sa.func.hub_fold(text)


def pattern(text: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """The LIKE pattern of folded text that holds this one."""
    return sa.func.hub_pattern(text)


@dataclass(slots=True)
class Names:
    """Aliases of one statement, `t$0`, `t$1`, … in walk order: no GraphQL name holds a `$`, so none is ever captured."""

    binding: Binding
    made: int = 0

    def next(self) -> str:
        """A fresh alias."""
        self.made += 1
        return f"t${self.made - 1}"

    def of(self, table: sa.FromClause) -> sa.FromClause:
        """The table under a fresh alias."""
        return (light(table) if isinstance(table, sa.Table) else table).alias(self.next())


@cache
def light(table: sa.Table) -> sa.TableClause:
    """A table with the names and types of its columns alone: each alias copies them, which costs a fifth so."""
    return sa.table(table.name, *(sa.column(each.name, each.type) for each in table.c))


@dataclass(slots=True)
class Source:
    """The rows that a select reads: a table's alias, the joins that figures need, and whether those are grouped."""

    names: Names
    row: sa.FromClause
    grouped: bool
    joins: list[tuple[sa.FromClause, Condition]] = field(default_factory=list)

    def tables(self) -> sa.FromClause:
        """What stands behind FROM."""
        found = self.row
        for other, on in self.joins:
            found = found.outerjoin(other, on)
        return found

    def own(self) -> list[sa.FromClause]:
        """The tables that are this select's own, not those of a select around it."""
        return [self.row, *(other for other, _ in self.joins), self.tables()]


def joined(names: Names, join: Join, ours: sa.FromClause) -> tuple[sa.FromClause, list[Condition]]:
    """The joined table under a fresh alias, and the conditions that join it: the key, and visibility if need be."""
    theirs = names.of(join.row.table)
    conditions: list[Condition] = [theirs.c[join.theirs] == ours.c[join.ours]]
    return theirs, conditions + visible(names, join, theirs)


def visible(names: Names, join: Join, theirs: sa.FromClause) -> list[Condition]:
    """The visibility of joined rows, unless the join keeps it."""
    seen = join.row.declaration.scope.visible(theirs, names.binding) if join.check else None
    return [] if seen is None else [seen]


def _there(join: Join, theirs: sa.FromClause) -> list[Condition]:
    """That a joined row has its key, which an equal one implies. But Postgres sees that only where it looks for a single key,
    and else does not use an index that lists only rows with one."""
    return [theirs.c[join.theirs].is_not(None)] if join.row.table.c[join.theirs].nullable else []


def condition(source: Source, part: Predicate) -> Condition:
    """The SQL condition of a predicate over the source's rows; figures may add joins to the source."""
    match part:
        case All(parts):
            return sa.and_(sa.true(), *(condition(source, each) for each in parts))
        case Some(parts):
            return sa.or_(sa.false(), *(condition(source, each) for each in parts))
        case Not(inner):
            return condition(source, inner).is_not(sa.true())
        case Exists():
            return _exists(source, part)
        case FigureTest(figure, test):
            return compare(test, figure_value(source, figure), nullable=figure.function in ("AVG", "MIN", "MAX"))
        case JsonTest():
            return _json(part, source.row)
        case Test():
            if part.column is None:
                return compare(part, source.row.c.id, nullable=False)
            found = source.row.c[part.column.column.name]
            if part.operator in ("contains", "startsWith"):
                return _text(part, found, source.row)
            return compare(part, found, nullable=bool(part.column.column.nullable))


def compare(test: Test, value: sa.ColumnElement[Any], *, nullable: bool) -> Condition:
    """One operator between a value and a parameter."""
    if test.operator == "isNull":
        return value.is_(None) if test.wanted else value.is_not(None)
    assert test.slot is not None
    given = param(test.slot)
    match test.operator:
        case "eq":
            return value == given
        case "ne":
            return value.is_distinct_from(given) if nullable else value != given
        case "in":
            return value == sa.any_(given)
        case "notIn":
            return sa.or_(value.is_(None), value != sa.all_(given)) if nullable else value != sa.all_(given)
        case operator:
            return value.op(RANGES[operator], is_comparison=True)(given)


def _text(test: Test, value: sa.ColumnElement[Any], row: sa.FromClause) -> Condition:
    assert test.slot is not None
    assert test.column is not None
    wanted = pattern(param(test.slot))
    if test.operator == "startsWith":
        wanted = raw("' '").concat(sa.func.ltrim(sa.func.substr(wanted, raw("2"))))
    found = fold(value).like(wanted)
    if test.column.searched and test.operator == "contains" and "search_text" in row.c:
        # What the column holds, search_text holds too: its index narrows the rows down first.
        return sa.and_(row.c.search_text.like(pattern(param(test.slot))), found)
    return found


def _json(test: JsonTest, row: sa.FromClause) -> Condition:
    value = row.c[test.column.column.name].op("#>", return_type=JSONB())(param(test.path))
    kind = sa.func.jsonb_typeof(value)
    if test.operator == "isNull":
        empty = sa.or_(value.is_(None), kind == raw("'null'"))
        return empty if test.wanted else sa.not_(empty)
    assert test.slot is not None
    given = param(test.slot)
    match test.operator:
        case "eq":
            return value.op("=", is_comparison=True)(given)
        case "ne":
            return value.is_distinct_from(given)
        case "in":
            return value.op("=", is_comparison=True)(sa.any_(given))
        case "contains":
            text = value.op("#>>", return_type=sa.Text())(raw("'{}'"))
            return sa.case((kind == raw("'string'"), fold(text).like(pattern(given))))
        case operator:
            number = sa.cast(value, sa.Numeric)
            found = number.op(RANGES[operator], is_comparison=True)(given)
            return sa.case((kind == raw("'number'"), found))


def _exists(source: Source, part: Exists) -> Condition:
    theirs, conditions = joined(source.names, part.join, source.row)
    inner = Source(source.names, theirs, grouped=False)
    meets = condition(inner, part.part)
    conditions += [*_there(part.join, theirs), meets.is_not(sa.true()) if part.fails else meets]
    return sa.exists(sa.select(raw("1")).select_from(inner.tables()).where(*conditions).correlate_except(*inner.own()))


def figure_value(source: Source, figure: Figure) -> sa.ColumnElement[Any]:
    """A figure over joined rows as a value of the source's row: counts and sums are 0 without rows, others null."""
    theirs = source.names.of(figure.join.row.table)
    inner = Source(source.names, theirs, grouped=False)
    conditions = [condition(inner, figure.where), *visible(source.names, figure.join, theirs)]
    key, value = theirs.c[figure.join.theirs], _aggregate(figure, theirs)
    if source.grouped:
        columns = [key.label("k$"), value.label("v$")]
        conditions += _there(figure.join, theirs)
        groups = sa.select(*columns).select_from(inner.tables()).where(*conditions).group_by(key)
        joined_groups = groups.subquery(source.names.next())
        source.joins.append((joined_groups, joined_groups.c["k$"] == source.row.c[figure.join.ours]))
        found: sa.ColumnElement[Any] = joined_groups.c["v$"]
    else:
        select = sa.select(value).select_from(inner.tables()).where(key == source.row.c[figure.join.ours], *conditions)
        found = select.correlate_except(*inner.own()).scalar_subquery()
    return sa.func.coalesce(found, raw("0")) if figure.function in ("COUNT", "SUM") else found


def _aggregate(figure: Figure, row: sa.FromClause) -> sa.ColumnElement[Any]:
    if figure.column is None:
        return sa.func.count()
    function = getattr(sa.func, figure.function.lower())
    value: sa.FunctionElement[Any] = function(row.c[figure.column.column.name])
    if figure.currency is None:
        return value
    return sa.type_coerce(sa.funcfilter(value, row.c.currency == param(figure.currency)), sa.Numeric())


def found_by(search: Search, row: sa.FromClause) -> Condition:
    """Whether a row's folded text holds every word, or one spelled like it."""
    text = row.c.search_text

    def has(word: Slot) -> Condition:
        folded = sa.func.btrim(fold(param(word)))
        # `%>`, not its mirror `<%`: as the index has it, so that Postgres does not check every row twice.
        return sa.or_(text.like(pattern(param(word))), text.op("%>", is_comparison=True)(folded))

    return sa.and_(*(has(word) for word in search.words))


def rank(search: Search, row: sa.FromClause) -> sa.ColumnElement[int]:
    """0 for the searched text itself, 1 for text that begins with it, 2 for text that holds it, 3 for the rest."""
    text, wanted = row.c.search_text, fold(param(search.text))
    begins = sa.func.starts_with(text, sa.func.rtrim(wanted))
    holds = sa.func.strpos(text, sa.func.btrim(wanted)) > raw("0")
    return sa.case((text == wanted, raw("0")), (begins, raw("1")), (holds, raw("2")), else_=raw("3"))


def likeness(search: Search, row: sa.FromClause) -> sa.ColumnElement[float]:
    """How like the searched text the row's text is; the greater, the less the value, so that best comes first."""
    return -sa.func.word_similarity(sa.func.btrim(fold(param(search.text))), row.c.search_text, type_=sa.REAL())
