"""Writes merged lists as SQL: several types in one connection, newest first; every type gives its newest, then all do."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from hub.engine.catalog.scalars import raw
from hub.engine.plan.list_nodes import Bound
from hub.engine.plan.nodes import MergedListing, MergedSource, PageInfo, Shape, Stats, Total, Variant
from hub.engine.sql.aggregates import Value
from hub.engine.sql.conditions import Condition, Names, param
from hub.engine.sql.connections import Key, Wanted, assembled, behind, bounds, row_columns

Objects = Callable[[Shape, sa.FromClause], Value]


def _keys(at: Value, key: Value) -> list[Key]:
    return [Key(at, "desc", sa.DateTime(timezone=True)), Key(key, "desc", sa.Uuid())]


def _branch(source: MergedSource, listing: MergedListing, outer: sa.FromClause, names: Names) -> "Branch":
    row = names.of(source.row.table)
    at = row.c[source.at]
    conditions: list[Condition] = [row.c[listing.by] == outer.c.id]
    seen = source.row.declaration.scope.visible(row, names.binding) if listing.check else None
    conditions += [] if seen is None else [seen]
    conditions += [at >= param(listing.since)] if listing.since else []
    conditions += [at < param(listing.until)] if listing.until else []
    return Branch(row, at, conditions)


class Branch:
    """The rows of one type in a merged list."""

    def __init__(self, row: sa.FromClause, at: Value, conditions: list[Condition]) -> None:
        self.row = row
        self.keys = _keys(at, row.c.id)
        self.conditions = conditions

    def select(self, *columns: Any) -> sa.Select[Any]:
        """A select over the branch's rows."""
        chosen = sa.select(*columns).select_from(self.row).where(*self.conditions)
        return chosen.correlate_except(self.row)


class Totals:
    """The number of all entries, as the one figure of a merged list."""

    def __init__(self, level: sa.FromClause) -> None:
        self.level = level

    def value(self, part: Total | Stats, names: Names) -> Value:
        """The number."""
        return self.level.c["c$"]


def merged(listing: MergedListing, outer: sa.FromClause, names: Names, objects: Objects) -> Value:
    """The connection's JSON; `objects` writes the object of a shape over a row."""
    wanted = Wanted.by(listing.parts, listing.page)
    branches = [_branch(each, listing, outer, names) for each in listing.sources]
    selects = []
    for at, branch in enumerate(branches):
        columns = [raw(str(at)).label("kind$"), branch.row.c.id, branch.keys[0].value.label("at$")]
        chosen = branch.select(*columns).where(*bounds(branch.keys, listing.page)).limit(wanted.limit())
        ordered = chosen.order_by(*(key.ordered(backward=wanted.backward) for key in branch.keys))
        selects.append(ordered.subquery(names.next()).select())
    entries = sa.union_all(*selects).subquery(names.next()) if selects else _nothing(names)
    keys = _keys(entries.c["at$"], entries.c.id)

    def node(variant: Shape | Variant) -> Value:
        assert isinstance(variant, Variant)
        pairs = []
        for at, source in enumerate(listing.sources):
            row = names.of(source.row.table)
            shape = source.shapes[variant.number]
            inner = sa.select(objects(shape, row)).select_from(row).where(row.c.id == entries.c.id)
            pairs.append((entries.c["kind$"] == raw(str(at)), inner.correlate_except(row).scalar_subquery()))
        return sa.case(*pairs) if pairs else raw("null::json")

    columns = [*row_columns(listing.parts, listing.cursors, keys, names, node), *wanted.columns(keys)]
    rows = (
        sa.select(*(columns or [raw("1").label("$")]))
        .select_from(entries)
        .order_by(*(key.ordered(backward=wanted.backward) for key in keys))
        .limit(wanted.limit())
        .correlate_except(entries)
        .subquery(names.next())
    )
    more = _more(listing, outer, names)
    return assembled(listing, wanted, rows, _totals(listing, outer, names), more, names)


def _nothing(names: Names) -> sa.FromClause:
    columns = (("kind$", "0"), ("id", "null::uuid"), ("at$", "null::timestamptz"))
    empty = sa.select(*(raw(value).label(name) for name, value in columns)).where(sa.false())
    return empty.subquery(names.next())


def _totals(listing: MergedListing, outer: sa.FromClause, names: Names) -> Totals | None:
    if not any(isinstance(part, Total) for _, part in listing.parts):
        return None
    counts = [
        _branch(each, listing, outer, names).select(sa.func.count()).scalar_subquery() for each in listing.sources
    ]
    total: Value = raw("0")
    for count in counts:
        total = total + count
    return Totals(sa.select(total.label("c$")).correlate_except().subquery(names.next()))


def _more(listing: MergedListing, outer: sa.FromClause, names: Names) -> dict[str, Value]:
    """Whether entries lie outside the cursors that bound the page."""

    def exists(bound: Bound | None, *, ahead: bool) -> Value:
        found = []
        for source in listing.sources if bound is not None else ():
            branch = _branch(source, listing, outer, names)
            assert bound is not None
            branch.conditions.append(behind(branch.keys, bound, ahead=ahead, itself=True))
            found.append(sa.exists(branch.select(raw("1"))))
        return sa.or_(sa.false(), *found)

    if not any(isinstance(part, PageInfo) for _, part in listing.parts):
        return {}
    after, before = listing.page.after, listing.page.before
    return {"hasNextPage": exists(before, ahead=False), "hasPreviousPage": exists(after, ahead=True)}
