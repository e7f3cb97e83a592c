"""Plans filters: from what a client gave to predicates of the plan. How predicates become SQL is where.py's."""

from typing import Any, Literal, cast

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import Wire
from hub.engine.plan.arguments import Given, Leaf
from hub.engine.plan.context import Draft, leaf_of, objects, refuse
from hub.engine.plan.predicates import All, Exists, Figure, FigureTest, Join, JsonTest, Not, Predicate, Some, Test
from hub.model.declarations import Many, One

Function = Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]
FUNCTIONS: dict[str, Function] = {"sum": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}
EVERYTHING = All(())
# Far beyond what people write; what is larger would cost Postgres more to plan than to run.
DEEPEST = 24
MOST_CONDITIONS = 150
MOST_FIGURES = 12


def join_of(draft: Draft, row: Row, link: One | Many) -> Join:
    """How a link's rows are reached; rows that keep the customer of a visible row are visible too, unless it is an image."""
    target = draft.catalog.target(link.target)
    kept = draft.catalog.keeps_customer(draft.catalog.column(row, link))
    theirs, ours = ("id", link.by) if isinstance(link, One) else (link.by, "id")
    return Join(target, theirs, ours, check=draft.imaged or not kept)


def predicate(draft: Draft, given: Given, row: Row, argument: str) -> Predicate:
    """The predicate of a row's filter object; null or nothing gives one that always holds."""
    if not isinstance(given, dict):
        return EVERYTHING
    draft.conditions += 1
    if argument.count(".") > DEEPEST or max(draft.conditions, len(draft.slots)) > MOST_CONDITIONS:
        refuse("FILTER_LIMIT", argument.partition(".")[0], "it is too large; split it, or send fewer conditions.")
    parts = [_part(draft, name, part, row, f"{argument}.{name}") for name, part in given.items() if part is not None]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _part(draft: Draft, name: str, given: Given, row: Row, argument: str) -> Predicate:
    if name in ("and", "or"):
        parts = tuple(predicate(draft, each, row, f"{argument}[{at}]") for at, each in enumerate(objects(given)))
        return All(parts) if name == "and" else Some(parts)
    if name == "not":
        return Not(predicate(draft, given, row, argument))
    if name == "id":
        return _tests(draft, given, None, scalars.ID, argument, prefix=row.declaration.prefix)
    column = row.columns.get(name)
    if column is not None:
        if column.wire is scalars.JSON:
            return _json(draft, given, column, argument)
        return _tests(draft, given, column, column.wire, argument)
    link = row.links[name]
    assert isinstance(link, One | Many)
    join = join_of(draft, row, link)
    if isinstance(link, One):
        return Exists(join, predicate(draft, given, join.row, argument))
    return _list(draft, given, join, argument)


def _tests(
    draft: Draft, given: Given, column: Column | None, kind: Wire, argument: str, prefix: str | None = None
) -> Predicate:
    assert isinstance(given, dict)
    parts: list[Predicate] = []
    for operator, part in given.items():
        place = f"{argument}.{operator}"
        leaf = leaf_of(part, place, "FILTER_INVALID")
        if operator == "isNull":
            parts.append(Test(column, kind, "isNull", None, bool(leaf.known)))
        elif operator in ("in", "notIn"):
            parts.append(Test(column, kind, operator, draft.values(kind, leaf, place, prefix=prefix)))
        elif operator == "withinLast":
            now = draft.slot(kind.type, lambda run: run.at)
            parts += [Test(column, kind, "gte", draft.moment(leaf, place)), Test(column, kind, "lte", now)]
        elif operator == "olderThan":
            parts.append(Test(column, kind, "lt", draft.moment(leaf, place)))
        else:
            parts.append(Test(column, kind, operator, draft.value(kind, leaf, place, prefix=prefix)))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _json(draft: Draft, given: Given, column: Column, argument: str) -> Predicate:
    assert isinstance(given, dict)
    path = draft.values(
        scalars.STRING, leaf_of(given["path"], f"{argument}.path", "FILTER_INVALID"), f"{argument}.path"
    )
    parts: list[Predicate] = []
    for operator, part in given.items():
        if operator == "path":
            continue
        place = f"{argument}.{operator}"
        if operator in ("eq", "ne") and part is None:
            refuse("FILTER_INVALID", place, "null is no value here; use isNull.")
        leaf = leaf_of(part, place, "FILTER_INVALID")
        if operator == "isNull":
            parts.append(JsonTest(column, path, operator, None, bool(leaf.known)))
        elif operator == "in":
            parts.append(JsonTest(column, path, operator, draft.values(scalars.JSON, leaf, place)))
        else:
            kind = {"eq": scalars.JSON, "ne": scalars.JSON, "contains": scalars.STRING}.get(operator, scalars.DECIMAL)
            parts.append(JsonTest(column, path, operator, draft.value(kind, leaf, place)))
    return All(tuple(parts))


def _list(draft: Draft, given: Given, join: Join, argument: str) -> Predicate:
    assert isinstance(given, dict)
    parts: list[Predicate] = []
    where = predicate(draft, given.get("where"), join.row, f"{argument}.where")
    for name, part in given.items():
        place = f"{argument}.{name}"
        if part is None or name == "where":
            continue
        if name == "count":
            count_figure(draft, place)
            figure = Figure(join, where, "COUNT", None, None)
            parts.append(_figure(draft, figure, part, scalars.INT, place))
        elif name in FUNCTIONS:
            parts += _figures(draft, join, where, FUNCTIONS[name], cast(dict[str, Any], part), place)
        else:
            meets = predicate(draft, part, join.row, place)
            found = Exists(join, meets, fails=name == "every")
            parts.append(found if name == "some" else Not(found))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _figures(
    draft: Draft, join: Join, where: Predicate, function: Function, given: dict[str, Given], argument: str
) -> list[Predicate]:
    parts = []
    for name, part in given.items():
        if name == "currency" or part is None:
            continue
        column = join.row.columns[name]
        figure = figure_of(draft, join, where, function, column, given.get("currency"), f"{argument}.{name}")
        kind = scalars.DECIMAL if column.wire.number else column.wire
        parts.append(_figure(draft, figure, part, kind, f"{argument}.{name}"))
    return parts


def count_figure(draft: Draft, argument: str) -> None:
    """Counts the figures of an operation: each may read a whole table."""
    draft.figures += 1
    if draft.figures > MOST_FIGURES:
        refuse(
            "FILTER_LIMIT",
            argument,
            f"an operation may compare and sort by {MOST_FIGURES} figures over lists; ask twice.",
        )


def figure_of(
    draft: Draft, join: Join, where: Predicate, function: Function, column: Column, currency: Given, argument: str
) -> Figure:
    """A figure over joined rows; money needs a currency, else CURRENCY_REQUIRED."""
    count_figure(draft, argument)
    if not column.wire.money:
        return Figure(join, where, function, column, None)
    if not isinstance(currency, Leaf):
        refuse(
            "CURRENCY_REQUIRED", argument, 'amounts of several currencies have no order; add currency: "EUR" beside it.'
        )
    return Figure(join, where, function, column, draft.value(scalars.STRING, currency, f"{argument}.currency"))


def _figure(draft: Draft, figure: Figure, given: Given, kind: Wire, argument: str) -> Predicate:
    tested = _tests(draft, given, None, kind, argument)
    parts = tested.parts if isinstance(tested, All) else (tested,)
    found = tuple(FigureTest(figure, cast(Test, part)) for part in parts)
    return found[0] if len(found) == 1 else All(found)
