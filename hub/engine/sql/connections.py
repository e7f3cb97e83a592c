"""Writes what all connections have in common as SQL: order, bounds, cursors, page facts, and the JSON of their parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from hub.engine.catalog.scalars import raw
from hub.engine.cursors import sealed
from hub.engine.plan.list_nodes import Bound, Cursors, Page
from hub.engine.plan.nodes import (
    Constant,
    Edges,
    History,
    Listing,
    MergedListing,
    Nodes,
    PageInfo,
    Part,
    Shape,
    Stats,
    Total,
)
from hub.engine.plan.predicates import Slot
from hub.engine.sql.aggregates import EMPTY_LIST, Value, json_object, text
from hub.engine.sql.conditions import Condition, Names, param
from hub.model.declarations import Direction

FLIPPED: Mapping[Direction, Direction] = {"asc": "desc", "desc": "asc"}


@dataclass(frozen=True, slots=True)
class Key:
    """A sort key as it is compared: its value, its direction, and the type that a cursor's text is read as."""

    value: Value
    direction: Direction
    type: sa.types.TypeEngine[Any]

    def ordered(self, *, backward: bool) -> sa.ColumnElement[Any]:
        """The ORDER BY term, from either end."""
        descending = (self.direction == "desc") is not backward
        return self.value.desc() if descending else self.value.asc()

    def of(self, slot: Slot) -> Value:
        """The key's value in a cursor."""
        return sa.cast(param(slot), self.type)


def number(size: int | Slot) -> sa.ColumnElement[int]:
    """A page's size as it is written: a literal, so that Postgres sees it, or a parameter."""
    return raw(str(size)) if isinstance(size, int) else param(size)


def behind(keys: Sequence[Key], bound: Bound, *, ahead: bool = False, itself: bool = False) -> Condition:
    """Rows behind a bound in the list's order, or ahead of it; with `itself`, the row at the bound too.

    Keys of one direction are compared as one row, which an index serves; mixed ones begin with a bound on the first key."""
    values = [key.of(slot) for key, slot in zip(keys, bound.keys, strict=True)]
    greater = [(key.direction == "asc") is not ahead for key in keys]
    equal = "=" if itself else ""
    if len(set(greater)) == 1:
        left = sa.tuple_(*(key.value for key in keys))
        return left.op((">" if greater[0] else "<") + equal, is_comparison=True)(sa.tuple_(*values))
    found: Condition = sa.true() if itself else sa.false()
    for key, value, more in reversed(list(zip(keys, values, greater, strict=True))):
        strictly = key.value > value if more else key.value < value
        found = sa.or_(strictly, sa.and_(key.value == value, found))
    first = keys[0].value >= values[0] if greater[0] else keys[0].value <= values[0]
    return sa.and_(first, found)


def bounds(keys: Sequence[Key], page: Page) -> list[Condition]:
    """The conditions that a page's cursors put on its rows."""
    found = [behind(keys, page.after)] if page.after else []
    return found + ([behind(keys, page.before, ahead=True)] if page.before else [])


def keys_text(keys: Sequence[Key]) -> Value:
    """The sort keys of a row as the text of a JSON array, the inside of its cursor."""
    return sa.cast(sa.func.json_build_array(*(sa.cast(key.value, sa.Text) for key in keys)), sa.Text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the parts of a connection need of the select that gives its rows."""

    size: sa.ColumnElement[int]
    backward: bool
    numbered: bool
    lookahead: bool
    cursor_keys: bool
    direct: Shape | None  # the page's rows are the nodes themselves, and nothing else is asked of them

    @staticmethod
    def by(parts: Sequence[tuple[str, Part]], page: Page) -> "Wanted":
        """What a selection wants."""
        facts = {fact for _, part in parts if isinstance(part, PageInfo) for _, fact in part.fields}
        over = "hasPreviousPage" if page.backward else "hasNextPage"
        rows = [part for _, part in parts if isinstance(part, Nodes | Edges | PageInfo)]
        numbered = page.backward or over in facts
        only = rows[0] if len(rows) == 1 and not numbered else None
        shape = only.shape if isinstance(only, Nodes) else None
        direct = shape if isinstance(shape, Shape) and shape.fields else None
        cursors = bool(facts & {"startCursor", "endCursor"})
        return Wanted(number(page.size), page.backward, numbered, over in facts, cursors, direct)

    def limit(self) -> sa.ColumnElement[int]:
        """How many rows the select gives: one more than the page when it must be known whether there are more."""
        return self.size + raw("1") if self.lookahead else self.size

    def columns(self, keys: Sequence[Key]) -> list[sa.Label[Any]]:
        """The columns beside the nodes."""
        found = []
        if self.numbered:
            order = [key.ordered(backward=self.backward) for key in keys]
            found.append(sa.func.row_number().over(order_by=order).label("i$"))
        if self.cursor_keys:
            found.append(keys_text(keys).label("k$"))
        return found

    def gathered(self, rows: sa.FromClause, value: Value, gather: Callable[[Value], sa.FunctionElement[Any]]) -> Value:
        """An aggregate of a column over the page, in the list's order, without the row that looks ahead."""
        ordered = aggregate_order_by(value, rows.c["i$"].desc()) if self.backward else value
        made = gather(ordered)
        return sa.funcfilter(made, rows.c["i$"] <= self.size) if self.lookahead else made


def row_columns(
    parts: Sequence[tuple[str, Part]],
    cursors: Cursors | None,
    keys: Sequence[Key],
    names: Names,
    node: Callable[[Any], Value],
) -> list[sa.Label[Any]]:
    """A column for every part that lists rows: a node's JSON, or an edge's."""
    found = []
    for at, (_, part) in enumerate(parts):
        if isinstance(part, Nodes):
            found.append(node(part.shape).label(f"n${at}"))
        elif isinstance(part, Edges):
            fields: list[tuple[str, Value]] = []
            for key, value in part.fields:
                if isinstance(value, Constant):
                    fields.append((key, text(value.text)))
                elif value == "cursor":
                    assert cursors is not None
                    fields.append((key, sealed(cursors, keys_text(keys))))
                else:
                    fields.append((key, node(value)))
            found.append(json_object(fields, names.next()).label(f"n${at}"))
    return found


def gathered_columns(parts: Sequence[tuple[str, Part]], wanted: Wanted, rows: sa.Subquery) -> list[sa.Label[Any]]:
    """The page as one row: a JSON list for every part that lists rows, and the facts that `pageInfo` tells."""
    found = []
    for at, (_, part) in enumerate(parts):
        if isinstance(part, Nodes | Edges):
            value = raw(rows.name) if wanted.direct else rows.c[f"n${at}"]
            found.append(sa.func.coalesce(wanted.gathered(rows, value, sa.func.json_agg), EMPTY_LIST).label(f"l${at}"))
    if any(isinstance(part, PageInfo) for _, part in parts):
        found.append(sa.func.count().label("c$"))
        if wanted.cursor_keys:
            found.append(wanted.gathered(rows, rows.c["k$"], sa.func.array_agg).label("a$"))
    return found


def page_info(
    part: PageInfo,
    page: Page,
    wanted: Wanted,
    gathered: sa.FromClause,
    cursors: Cursors | None,
    more: Mapping[str, Value],
) -> list[tuple[str, Value]]:
    """The fields of `pageInfo`; `more` says whether rows lie outside the cursors that bound the page."""
    over = gathered.c["c$"] > wanted.size if wanted.lookahead else sa.false()
    fields: list[tuple[str, Value]] = []
    for key, fact in part.fields:
        if isinstance(fact, Constant):
            fields.append((key, text(fact.text)))
        elif fact in ("hasNextPage", "hasPreviousPage"):
            reached = (fact == "hasPreviousPage") is page.backward
            fields.append((key, sa.or_(over, more[fact]) if reached else more[fact]))
        else:
            assert cursors is not None
            keys = sa.type_coerce(gathered.c["a$"], ARRAY(sa.Text))
            at = raw("1") if fact == "startCursor" else sa.func.cardinality(keys)
            fields.append((key, sealed(cursors, keys[at])))
    return fields


class Level(Protocol):
    """Figures beside a page: the one row that holds them, and the JSON of each part."""

    level: sa.FromClause

    def value(self, part: Total | Stats, names: Names) -> Value:
        """The JSON of one part."""


def assembled(
    listing: Listing | MergedListing | History,
    wanted: Wanted,
    rows: sa.Subquery,
    figures: Level | None,
    more: Mapping[str, Value],
    names: Names,
) -> Value:
    """The connection's JSON out of the select of its page and its figures."""
    tables: list[sa.FromClause] = []
    page: sa.FromClause = rows
    columns = gathered_columns(listing.parts, wanted, rows)
    if columns:
        page = sa.select(*columns).select_from(rows).correlate_except(rows).subquery(names.next())
        tables.append(page)
    if figures is not None:
        tables.append(figures.level)
    fields: list[tuple[str, Value]] = []
    for at, (key, part) in enumerate(listing.parts):
        if isinstance(part, Constant):
            fields.append((key, text(part.text)))
        elif isinstance(part, PageInfo):
            facts = page_info(part, listing.page, wanted, page, listing.cursors, more)
            fields.append((key, json_object(facts, names.next())))
        elif isinstance(part, Nodes | Edges):
            fields.append((key, page.c[f"l${at}"]))
        else:
            assert figures is not None
            fields.append((key, figures.value(part, names)))
    return json_object(fields, names.next(), tables)
