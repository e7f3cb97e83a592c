"""Compiles grouped roots: groups by columns or time buckets, of the row or of linked rows, with aggregates and pages.

The scan groups by the keys (and the currency); a second level folds it by the keys. The page is cut from that level, whose
sort keys are never null."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from hub.engine.plan.list_nodes import CursorBound, GroupAggregate, GroupKey, GroupSortTerm
from hub.engine.plan.nodes import (
    Constant,
    Edges,
    GroupKeyFields,
    Groups,
    GroupSelection,
    Nodes,
    PageInfoPlan,
    Stats,
    TotalCount,
)
from hub.engine.plan.predicates import And
from hub.engine.sql.aggregates import AggregateScan, SortAggregate, StatsTree
from hub.engine.sql.conditions import condition, join_table, row_visibility
from hub.engine.sql.connections import (
    PageSelection,
    SortExpression,
    after_cursor,
    assemble_connection,
    cursor_conditions,
    node_columns,
)
from hub.engine.sql.expressions import (
    AliasGenerator,
    SelectSource,
    Value,
    id_expression,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.merged_lists import Totals
from hub.engine.sql.search import search_condition

# The sort key of a group whose key is null; such groups come last.
NULLS_SORT_AS = {
    sa.Integer: "0",
    sa.Boolean: "false",
    sa.DateTime: "'-infinity'::timestamptz",
    sa.Date: "'-infinity'::date",
    sa.Uuid: "'00000000-0000-0000-0000-000000000000'::uuid",
    sa.Text: "''",
}


def compile_groups(node: Groups, aliases: AliasGenerator) -> Value:
    """The JSON of a grouped root."""
    trees, sort_aggregates, scan_rows = _scan(node, aliases)
    keys = [_group_start(key, scan_rows.c[f"k${index}"]).label(f"k${index}") for index, key in enumerate(node.keys)]
    leaves = [leaf for tree in trees.values() for leaf in tree.leaves()]
    values = [leaf.value(scan_rows, aliases.next()).label(f"v${index}") for index, leaf in enumerate(leaves)]
    sorts = [aggregate.value(scan_rows).label(f"o${index}") for index, aggregate in enumerate(sort_aggregates.values())]
    select = sa.select(*keys, *sorts, *values).select_from(scan_rows).group_by(*(key.element for key in keys))
    if node.minimum:
        select = select.having(sa.func.sum(scan_rows.c["n$"]) >= sql_literal(str(node.minimum)))
    groups = select.correlate_except(scan_rows).cte(aliases.next())
    columns = {id(leaf): groups.c[f"v${index}"] for index, leaf in enumerate(leaves)}
    order = _order(node, groups, list(sort_aggregates))
    return _connection(
        node, groups, order, aliases, lambda group: _group_object(group, node.keys, trees, columns, groups, aliases)
    )


def _scan(
    node: Groups, aliases: AliasGenerator
) -> tuple[dict[int, StatsTree], dict[GroupAggregate, SortAggregate], sa.Subquery]:
    """The first level, the aggregates of each `stats` by its identity, and those of the order."""
    source = SelectSource(aliases, aliases.for_table(node.entity.table), grouped=True)
    conditions = row_visibility(aliases, node.entity, source.row)
    conditions += [condition(source, node.where)] if node.where != And(()) else []
    conditions += [search_condition(node.search, node.entity, source)] if node.search else []
    scan = AggregateScan(source.row, node.entity.declaration.amounts_in, node.minimum)
    stats = [part for selection in _selections(node) for _, part in selection.fields if isinstance(part, Stats)]
    trees = {id(part): StatsTree.for_stats(scan, part) for part in stats}
    aggregates = [term.key for term in node.order if isinstance(term.key, GroupAggregate)]
    sort_aggregates = {aggregate: SortAggregate.for_scan(scan, aggregate) for aggregate in aggregates}
    rows = _linked_rows(node.keys, source)
    keys = [_group_expression(key, rows[key.path[:-1]]).label(f"k${index}") for index, key in enumerate(node.keys)]
    currency = [scan.currency.label("currency$")] if scan.by_currency else []
    group_by = [key.element for key in keys] + [column.element for column in currency]
    counts = [sa.func.count().label("n$")] if node.minimum else []
    scan_select = (
        sa.select(*keys, *currency, *counts, *scan.columns)
        .select_from(source.tables())
        .where(*conditions)
        .group_by(*group_by)
    )
    return trees, sort_aggregates, scan_select.correlate_except(*source.own()).subquery(aliases.next())


def _selections(node: Groups) -> Iterator[GroupSelection]:
    for _, part in node.parts:
        if isinstance(part, Nodes) and isinstance(part.selection, GroupSelection):
            yield part.selection
        elif isinstance(part, Edges):
            yield from (value for _, value in part.fields if isinstance(value, GroupSelection))


def _linked_rows(keys: Sequence[GroupKey], source: SelectSource) -> dict[tuple[str, ...], sa.FromClause]:
    """The row itself, and the rows behind links, by their paths. A row that is absent or hidden gives nulls."""
    rows: dict[tuple[str, ...], sa.FromClause] = {(): source.row}
    for key in keys:
        for depth, join in enumerate(key.joins, start=1):
            path = key.path[:depth]
            if path not in rows:
                rows[path], on_conditions = join_table(source.aliases, join, rows[path[:-1]])
                source.joins.append((rows[path], sa.and_(*on_conditions)))
    return rows


def _order(node: Groups, groups: sa.FromClause, aggregates: Sequence[GroupAggregate]) -> list[SortExpression]:
    return [_sort_expression(term, node.keys, groups, aggregates) for term in node.order]


def _sort_expression(
    term: GroupSortTerm, keys: Sequence[GroupKey], groups: sa.FromClause, aggregates: Sequence[GroupAggregate]
) -> SortExpression:
    if isinstance(term.key, GroupAggregate):
        is_number = term.key.column is None or term.key.column.scalar.is_number
        column = groups.c[f"o${aggregates.index(term.key)}"]
        return SortExpression(column, term.direction, sa.Numeric() if is_number else sa.DateTime(timezone=True))
    value: Value = groups.c[f"k${term.key}"]
    if term.by_null:
        return SortExpression(value.is_(None), term.direction, sa.Boolean())
    key = keys[term.key]
    sql_type = sa.Uuid() if key.column is None else key.column.scalar.sql_type
    if key.nullable:
        value = sa.func.coalesce(value, sql_literal(NULLS_SORT_AS[type(sql_type)]))
    return SortExpression(value, term.direction, sql_type)


def _connection(
    node: Groups,
    groups: sa.CTE,
    order: Sequence[SortExpression],
    aliases: AliasGenerator,
    group_object: Callable[[Any], Value],
) -> Value:
    page_selection = PageSelection.for_parts(node.parts, node.page)
    columns = [
        *node_columns(node.parts, node.cursor_signing, order, aliases, group_object),
        *page_selection.columns(order),
    ]
    rows = (
        sa.select(*(columns or [sql_literal("1").label("$")]))
        .select_from(groups)
        .where(*cursor_conditions(order, node.page))
        .order_by(*(key.order_by(backward=page_selection.backward) for key in order))
        .limit(page_selection.limit())
        .correlate_except(groups)
        .subquery(aliases.next())
    )
    totals = None
    if any(isinstance(part, TotalCount) for _, part in node.parts):
        totals = Totals(sa.select(sa.func.count().label("c$")).select_from(groups).subquery(aliases.next()))
    return assemble_connection(node, page_selection, rows, totals, _rows_outside(node, groups, order), aliases)


def _rows_outside(node: Groups, groups: sa.CTE, order: Sequence[SortExpression]) -> dict[str, Value]:
    """Whether there are groups outside the cursors that bound the page."""

    def exists(bound: CursorBound | None, *, reverse: bool) -> Value:
        if bound is None:
            return sa.false()
        outside = after_cursor(order, bound, reverse=reverse, inclusive=True)
        return sa.exists(sa.select(sql_literal("1")).select_from(groups).where(outside))

    if not any(isinstance(part, PageInfoPlan) for _, part in node.parts):
        return {}
    after, before = node.page.after, node.page.before
    return {"hasNextPage": exists(before, reverse=False), "hasPreviousPage": exists(after, reverse=True)}


def _group_object(
    group: GroupSelection,
    keys: Sequence[GroupKey],
    trees: Mapping[int, StatsTree],
    values: Mapping[int, Value],
    groups: sa.FromClause,
    aliases: AliasGenerator,
) -> Value:
    fields: list[tuple[str, Value]] = []
    for name, field in group.fields:
        if isinstance(field, Constant):
            fields.append((name, text(field.text)))
        elif isinstance(field, Stats):
            fields.append((name, trees[id(field)].object(values, aliases.next)))
        else:
            fields.append((name, _group_key_object(field, keys, groups, aliases)))
    return json_object(fields, aliases.next())


def _group_key_object(
    part: GroupKeyFields, keys: Sequence[GroupKey], groups: sa.FromClause, aliases: AliasGenerator
) -> Value:
    fields: list[tuple[str, Value]] = []
    for name, field in part.fields:
        if isinstance(field, Constant):
            fields.append((name, text(field.text)))
        elif field is None:
            fields.append((name, sql_literal("null")))
        elif isinstance(field, GroupKeyFields):
            fields.append((name, _group_key_object(field, keys, groups, aliases)))
        else:
            column, value = keys[field].column, groups.c[f"k${field}"]
            shown = id_expression(keys[field].prefix, value) if column is None else column.scalar.to_json(value)
            fields.append((name, shown))
    return json_object(fields, aliases.next())


def _group_expression(key: GroupKey, row: sa.FromClause) -> Value:
    if key.column is None:
        return row.c.id
    value = row.c[key.column.column.name]
    if key.bucket is None:
        return value
    bucket = sql_literal(f"'{key.bucket}'")
    if key.column.scalar.name == "Date":
        return sa.cast(sa.func.date_trunc(bucket, sa.cast(value, sa.DateTime())), sa.Date)
    if key.timezone is None:
        return sa.func.date_trunc(bucket, value, sql_literal("'UTC'"))
    timezone = param(key.timezone)
    local = sa.func.date_trunc(bucket, _at_time_zone(value, timezone))
    if key.bucket != "hour":
        return local
    hour = sa.func.date_trunc(bucket, value, timezone)
    # An hour in which the clock changes is rare, and the function that finds its start is slow.
    return sa.case((_at_time_zone(hour, timezone) == local, hour), else_=sa.func.hub_hour_start(value, timezone))


def _at_time_zone(value: Value, timezone: Value) -> Value:
    return sa.func.timezone(timezone, value)


def _group_start(key: GroupKey, value: Value) -> Value:
    """The key of a group from the value that its rows share: the local start of an interval becomes a point in time."""
    if key.timezone is None or key.bucket == "hour":
        return value
    return sa.func.hub_interval_start(value, param(key.timezone))
