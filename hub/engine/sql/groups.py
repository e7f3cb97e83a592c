"""Compiles grouped roots: groups by columns or time buckets, with the aggregates of each group."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from hub.engine.plan.nodes import Constant, GroupKey, GroupKeyFields, GroupNodes, Groups, Stats, TotalCount
from hub.engine.plan.predicates import And
from hub.engine.sql.aggregates import AggregateScan, StatsTree
from hub.engine.sql.conditions import condition, row_visibility
from hub.engine.sql.connections import limit_expression
from hub.engine.sql.expressions import (
    EMPTY_LIST,
    AliasGenerator,
    SelectSource,
    Value,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.search import search_condition


def compile_groups(node: Groups, aliases: AliasGenerator) -> Value:
    """The JSON of a grouped root.

    The scan groups by the keys (and the currency); a second level folds it by the keys, sorts the groups and cuts the page."""
    source = SelectSource(aliases, aliases.for_table(node.entity.table), grouped=True)
    conditions = row_visibility(aliases, node.entity, source.row)
    conditions += [condition(source, node.where)] if node.where != And(()) else []
    conditions += [search_condition(node.search, node.entity, source)] if node.search else []
    scan = AggregateScan(source.row)
    trees = {
        id(part): StatsTree.for_stats(scan, part)
        for _, nodes in node.parts
        if isinstance(nodes, GroupNodes)
        for _, part in nodes.fields
        if isinstance(part, Stats)
    }
    count = scan.add_column(sa.func.count())
    keys = [_group_expression(key, source.row).label(f"k${index}") for index, key in enumerate(node.keys)]
    currency = [source.row.c.currency.label("currency$")] if scan.by_currency else []
    group_by = [key.element for key in keys] + [column.element for column in currency]
    scan_select = (
        sa.select(*keys, *currency, *scan.columns).select_from(source.tables()).where(*conditions).group_by(*group_by)
    )
    scan_rows = scan_select.correlate_except(*source.own()).subquery(aliases.next())
    return _aggregate_groups(node, trees, scan_rows, scan_rows.c[count], aliases)


def _aggregate_groups(
    node: Groups, trees: dict[int, StatsTree], scan_rows: sa.FromClause, count: Value, aliases: AliasGenerator
) -> Value:
    keys = [_group_start(key, scan_rows.c[f"k${index}"]).label(f"k${index}") for index, key in enumerate(node.keys)]
    leaves = [leaf for tree in trees.values() for leaf in tree.leaves()]
    values = [leaf.value(scan_rows, aliases.next()).label(f"v${index}") for index, leaf in enumerate(leaves)]
    select = sa.select(*keys, sa.func.sum(count).label("n$"), *values).select_from(scan_rows)
    select = select.group_by(*(key.element for key in keys))
    groups = select.correlate_except(scan_rows).cte(aliases.next())
    order = [groups.c[key.name].asc().nulls_last() for key in keys]
    order = [groups.c["n$"].desc(), *order] if node.by_count else order
    page = sa.select(groups).order_by(*order).limit(limit_expression(node.size)).subquery(aliases.next())
    values_by_leaf = {id(leaf): page.c[f"v${index}"] for index, leaf in enumerate(leaves)}
    fields: list[tuple[str, Value]] = []
    for key, part in node.parts:
        if isinstance(part, Constant):
            fields.append((key, text(part.text)))
        elif isinstance(part, TotalCount):
            fields.append((key, sa.select(sa.func.count()).select_from(groups).scalar_subquery()))
        else:
            group_json = _group_object(part, node.keys, trees, values_by_leaf, page, aliases)
            group_list = sa.select(sa.func.coalesce(sa.func.json_agg(group_json), EMPTY_LIST)).select_from(page)
            fields.append((key, group_list.correlate_except(page).scalar_subquery()))
    return json_object(fields, aliases.next())


def _group_object(
    part: GroupNodes,
    keys: Sequence[GroupKey],
    trees: dict[int, StatsTree],
    values: Mapping[int, Value],
    page: sa.FromClause,
    aliases: AliasGenerator,
) -> Value:
    fields: list[tuple[str, Value]] = []
    for name, field in part.fields:
        if isinstance(field, Constant):
            fields.append((name, text(field.text)))
        elif isinstance(field, Stats):
            fields.append((name, trees[id(field)].object(values, aliases.next)))
        else:
            fields.append((name, _group_key_object(field, keys, page, aliases)))
    return json_object(fields, aliases.next())


def _group_key_object(
    part: GroupKeyFields, keys: Sequence[GroupKey], page: sa.FromClause, aliases: AliasGenerator
) -> Value:
    fields: list[tuple[str, Value]] = []
    for name, field in part.fields:
        if isinstance(field, Constant):
            fields.append((name, text(field.text)))
        elif field is None:
            fields.append((name, sql_literal("null")))
        else:
            fields.append((name, keys[field].column.scalar.to_json(page.c[f"k${field}"])))
    return json_object(fields, aliases.next())


def _group_expression(key: GroupKey, row: sa.FromClause) -> Value:
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
