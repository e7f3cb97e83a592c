"""Compiles merged lists: several types in one connection, newest first. Each type gives its newest rows; these are merged."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from hub.engine.plan.list_nodes import CursorBound
from hub.engine.plan.nodes import (
    MergedConnectionPlan,
    MergedSourcePlan,
    ObjectSelection,
    PageInfoPlan,
    SelectionIndex,
    Stats,
    TotalCount,
)
from hub.engine.sql.conditions import row_visibility
from hub.engine.sql.connections import (
    PageSelection,
    SortExpression,
    after_cursor,
    assemble_connection,
    cursor_conditions,
    node_columns,
)
from hub.engine.sql.expressions import AliasGenerator, Condition, Value, param, sql_literal

ObjectCompiler = Callable[[ObjectSelection, sa.FromClause], Value]


def _keys(time: Value, key: Value) -> list[SortExpression]:
    return [SortExpression(time, "desc", sa.DateTime(timezone=True)), SortExpression(key, "desc", sa.Uuid())]


def _branch(
    source: MergedSourcePlan, connection: MergedConnectionPlan, outer: sa.FromClause, aliases: AliasGenerator
) -> "Branch":
    row = aliases.for_table(source.entity.table)
    time_column = row.c[source.time_column]
    conditions: list[Condition] = [row.c[connection.by] == outer.c.id]
    conditions += row_visibility(aliases, source.entity, row) if source.check_visibility else []
    conditions += [time_column >= param(connection.since)] if connection.since else []
    conditions += [time_column < param(connection.until)] if connection.until else []
    return Branch(row, time_column, conditions)


class Branch:
    """The rows of one type in a merged list."""

    def __init__(self, row: sa.FromClause, time_column: Value, conditions: list[Condition]) -> None:
        self.row = row
        self.keys = _keys(time_column, row.c.id)
        self.conditions = conditions

    def select(self, *columns: Any) -> sa.Select[Any]:
        """A select over the branch's rows."""
        select = sa.select(*columns).select_from(self.row).where(*self.conditions)
        return select.correlate_except(self.row)


class Totals:
    """The number of all entries, which is the only aggregate of a merged list."""

    def __init__(self, row: sa.FromClause) -> None:
        self.row = row

    def value(self, part: TotalCount | Stats, aliases: AliasGenerator) -> Value:
        """The number."""
        return self.row.c["c$"]


def compile_merged(
    connection: MergedConnectionPlan, outer: sa.FromClause, aliases: AliasGenerator, compile_object: ObjectCompiler
) -> Value:
    """The connection's JSON; `compile_object` compiles an object over a row."""
    page_selection = PageSelection.for_parts(connection.parts, connection.page)
    branches = [_branch(source, connection, outer, aliases) for source in connection.sources]
    selects = []
    for index, branch in enumerate(branches):
        columns = [sql_literal(str(index)).label("source$"), branch.row.c.id, branch.keys[0].value.label("time$")]
        select = (
            branch.select(*columns)
            .where(*cursor_conditions(branch.keys, connection.page))
            .limit(page_selection.limit())
        )
        ordered = select.order_by(*(key.order_by(backward=page_selection.backward) for key in branch.keys))
        selects.append(ordered.subquery(aliases.next()).select())
    entries = sa.union_all(*selects).subquery(aliases.next()) if selects else _no_entries(aliases)
    keys = _keys(entries.c["time$"], entries.c.id)

    def node(variant: ObjectSelection | SelectionIndex) -> Value:
        assert isinstance(variant, SelectionIndex)
        pairs = []
        for source_index, source in enumerate(connection.sources):
            row = aliases.for_table(source.entity.table)
            selection = source.selections[variant.index]
            inner = sa.select(compile_object(selection, row)).select_from(row).where(row.c.id == entries.c.id)
            pairs.append(
                (entries.c["source$"] == sql_literal(str(source_index)), inner.correlate_except(row).scalar_subquery())
            )
        return sa.case(*pairs) if pairs else sql_literal("null::json")

    columns = [
        *node_columns(connection.parts, connection.cursor_signing, keys, aliases, node),
        *page_selection.columns(keys),
    ]
    rows = (
        sa.select(*(columns or [sql_literal("1").label("$")]))
        .select_from(entries)
        .order_by(*(key.order_by(backward=page_selection.backward) for key in keys))
        .limit(page_selection.limit())
        .correlate_except(entries)
        .subquery(aliases.next())
    )
    rows_outside = _rows_outside(connection, outer, aliases)
    return assemble_connection(
        connection, page_selection, rows, _totals(connection, outer, aliases), rows_outside, aliases
    )


def _no_entries(aliases: AliasGenerator) -> sa.FromClause:
    columns = (("source$", "0"), ("id", "null::uuid"), ("time$", "null::timestamptz"))
    empty = sa.select(*(sql_literal(value).label(name) for name, value in columns)).where(sa.false())
    return empty.subquery(aliases.next())


def _totals(connection: MergedConnectionPlan, outer: sa.FromClause, aliases: AliasGenerator) -> Totals | None:
    if not any(isinstance(part, TotalCount) for _, part in connection.parts):
        return None
    counts = [
        _branch(source, connection, outer, aliases).select(sa.func.count()).scalar_subquery()
        for source in connection.sources
    ]
    total: Value = sql_literal("0")
    for count in counts:
        total = total + count
    return Totals(sa.select(total.label("c$")).correlate_except().subquery(aliases.next()))


def _rows_outside(connection: MergedConnectionPlan, outer: sa.FromClause, aliases: AliasGenerator) -> dict[str, Value]:
    """Whether there are entries outside the cursors that bound the page."""

    def exists(bound: CursorBound | None, *, reverse: bool) -> Value:
        conditions = []
        for source in connection.sources if bound is not None else ():
            branch = _branch(source, connection, outer, aliases)
            assert bound is not None
            branch.conditions.append(after_cursor(branch.keys, bound, reverse=reverse, inclusive=True))
            conditions.append(sa.exists(branch.select(sql_literal("1"))))
        return sa.or_(sa.false(), *conditions)

    if not any(isinstance(part, PageInfoPlan) for _, part in connection.parts):
        return {}
    after, before = connection.page.after, connection.page.before
    return {"hasNextPage": exists(before, reverse=False), "hasPreviousPage": exists(after, reverse=True)}
