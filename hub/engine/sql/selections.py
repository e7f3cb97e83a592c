"""Writes selections of a plan as SQL expressions that give JSON: objects over rows, links, connections, merged lists.

With where.py, paging.py, figures.py and statement.py the only place that writes a SELECT; made once per plan."""

from collections.abc import Sequence

import sqlalchemy as sa

from hub.engine.catalog.scalars import id_text, raw
from hub.engine.plan.list_nodes import Bound, Order, SortColumn
from hub.engine.plan.nodes import (
    Constant,
    Either,
    History,
    Listing,
    MergedListing,
    Null,
    PageInfo,
    Read,
    Selected,
    Shape,
    Single,
    Stats,
    Total,
)
from hub.engine.plan.predicates import All, Figure
from hub.engine.sql.aggregates import Figures, Value, json_object, text
from hub.engine.sql.conditions import (
    Condition,
    Names,
    Source,
    condition,
    figure_value,
    found_by,
    joined,
    likeness,
    rank,
    visible,
)
from hub.engine.sql.connections import Key, Wanted, assembled, behind, bounds, row_columns
from hub.engine.sql.history import history
from hub.engine.sql.merged_lists import merged

Columns = list[tuple[str, Value]]
LEAST = {True: "'-infinity'::numeric", False: "'-infinity'::timestamptz"}


class Writer:
    """Writes the selections of one statement."""

    def __init__(self, names: Names) -> None:
        self.names = names

    # -- objects --------------------------------------------------------------------------------------------------------

    def columns(self, shape: Shape, row: sa.FromClause) -> Columns:
        """The columns of an object over a row."""
        return [(key, self._value(part, row)) for key, part in shape.fields]

    def object(self, shape: Shape, row: sa.FromClause) -> Value:
        """The object as one value, where the row is at hand."""
        return json_object(self.columns(shape, row), self.names.next())

    def chosen(self, shape: Shape, row: sa.FromClause, conditions: Sequence[Condition]) -> Value:
        """The object of the row that meets the conditions, or null."""
        columns = self.columns(shape, row) or [("$", raw("1"))]
        inner = sa.select(*(value.label(key) for key, value in columns)).select_from(row).where(*conditions)
        inside = inner.correlate_except(row).subquery(self.names.next())
        made = sa.func.row_to_json(inside.table_valued()) if shape.fields else raw("'{}'::json")
        return sa.select(made).select_from(inside).correlate_except(inside).scalar_subquery()

    def _value(self, part: Selected, row: sa.FromClause) -> Value:
        match part:
            case Constant(told):
                return text(told)
            case Null():
                return raw("null")
            case Read(column, kind, prefix):
                return kind.read(row.c[column]) if prefix is None else id_text(prefix, row.c[column])
            case Single(join, shape):
                theirs, conditions = joined(self.names, join, row)
                return self.chosen(shape, theirs, conditions)
            case Either(choices):
                pairs = [(row.c[each.join.ours].is_not(None), self._value(each, row)) for each in choices]
                return sa.case(*pairs)
            case Listing():
                return self.listing(part, row)
            case MergedListing():
                return merged(part, row, self.names, self.object)
            case History():
                return history(part, row, self.names, self.object)
            case Shape():
                return self.object(part, row)

    # -- connections ----------------------------------------------------------------------------------------------------

    def source(self, listing: Listing, outer: sa.FromClause | None) -> tuple[Source, list[Condition]]:
        """The rows of a list under fresh aliases, and the conditions that make them this list's."""
        row = self.names.of(listing.row.table)
        source = Source(self.names, row, grouped=outer is None)
        conditions: list[Condition] = []
        if listing.join is None or outer is None:
            seen = listing.row.declaration.scope.visible(row, self.names.binding)
            conditions += [] if seen is None else [seen]
        else:
            conditions.append(row.c[listing.join.theirs] == outer.c[listing.join.ours])
            conditions += visible(self.names, listing.join, row)
        if listing.where != All(()):
            conditions.append(condition(source, listing.where))
        if listing.search is not None:
            conditions.append(found_by(listing.search, row))
        return source, conditions

    def listing(self, listing: Listing, outer: sa.FromClause | None) -> Value:
        """A connection."""
        wanted = Wanted.by(listing.parts, listing.page)
        source, conditions = self.source(listing, outer)
        keys = [self._key(each, listing, source) for each in listing.order]
        if wanted.direct is not None:
            columns = [value.label(key) for key, value in self.columns(wanted.direct, source.row)]
        else:
            made = row_columns(
                listing.parts, listing.cursors, keys, self.names, lambda shape: self.object(shape, source.row)
            )
            columns = made + wanted.columns(keys) or [raw("1").label("$")]
        rows = (
            sa.select(*columns)
            .select_from(source.tables())
            .where(*conditions, *bounds(keys, listing.page))
            .order_by(*(key.ordered(backward=wanted.backward) for key in keys))
            .limit(wanted.limit())
            .correlate_except(*source.own())
            .subquery(self.names.next())
        )
        figures, more = self._figures(listing, outer), self._more(listing, outer)
        return assembled(listing, wanted, rows, figures, more, self.names)

    def _key(self, order: Order, listing: Listing, source: Source) -> Key:
        match order.key:
            case SortColumn(name, missing):
                column = source.row.c[name]
                value: Value = column if missing is None else sa.func.coalesce(column, raw(f"'{missing}'"))
                return Key(value, order.direction, column.type)
            case Figure() as figure:
                value = figure_value(source, figure)
                is_number = figure.column is None or figure.column.wire.number
                if figure.function in ("AVG", "MIN", "MAX"):
                    value = sa.func.coalesce(value, raw(LEAST[is_number]))
                return Key(value, order.direction, sa.Numeric() if is_number else sa.DateTime(timezone=True))
            case "id":
                return Key(source.row.c.id, order.direction, sa.Uuid())
        assert listing.search is not None
        if order.key == "rank":
            return Key(rank(listing.search, source.row), order.direction, sa.Integer())
        return Key(likeness(listing.search, source.row), order.direction, sa.REAL())

    def _more(self, listing: Listing, outer: sa.FromClause | None) -> dict[str, Value]:
        """Whether rows lie outside the cursors that bound the page."""

        def exists(bound: Bound | None, *, ahead: bool) -> Value:
            if bound is None:
                return sa.false()
            source, conditions = self.source(listing, outer)
            keys = [self._key(each, listing, source) for each in listing.order]
            conditions.append(behind(keys, bound, ahead=ahead, itself=True))
            one = sa.select(raw("true")).select_from(source.tables()).where(*conditions)
            # Not `exists`, which drops the order and may read the whole table for a row that stands at its end.
            nearest = one.order_by(*(key.ordered(backward=ahead) for key in keys)).limit(raw("1"))
            return nearest.correlate_except(*source.own()).scalar_subquery().is_not(None)

        if not any(isinstance(part, PageInfo) for _, part in listing.parts):
            return {}
        return {
            "hasNextPage": exists(listing.page.before, ahead=False),
            "hasPreviousPage": exists(listing.page.after, ahead=True),
        }

    def _figures(self, listing: Listing, outer: sa.FromClause | None) -> Figures | None:
        wanted = [part for _, part in listing.parts if isinstance(part, Total | Stats)]
        if not wanted:
            return None
        source, conditions = self.source(listing, outer)
        figures = Figures(source.row, wanted)
        first = (
            sa.select(*figures.columns()).select_from(source.tables()).where(*conditions).group_by(*figures.groups())
        )
        figures.fold(first.correlate_except(*source.own()), self.names)
        return figures
