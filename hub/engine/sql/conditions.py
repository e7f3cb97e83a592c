"""Compiles predicates to SQL conditions. A condition that compares with null does not hold.

Aggregates over joined rows are grouped joins at a root, which reads all owners, and correlated subqueries below."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, array

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.predicates import (
    AggregateComparison,
    AggregateExpression,
    And,
    Comparison,
    Exists,
    FieldComparison,
    InSubtree,
    Join,
    JsonComparison,
    Not,
    OfViewer,
    Or,
    Predicate,
)
from hub.engine.sql.expressions import AliasGenerator, Condition, SelectSource, fold, param, pattern, sql_literal
from hub.engine.sql.named_rows import Named, named_rows
from hub.model import scopes
from hub.rights import UNLIMITED_RIGHTS

EMPTY_ARRAY = sql_literal("'{}'")
RANGE_OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def join_table(aliases: AliasGenerator, join: Join, row: sa.FromClause) -> tuple[sa.FromClause, list[Condition]]:
    """The joined table under a fresh alias, and its conditions: the key, and visibility where the join checks it."""
    joined_row = aliases.for_table(join.entity.table)
    conditions: list[Condition] = [joined_row.c[join.their_column] == row.c[join.our_column]]
    return joined_row, conditions + visibility(aliases, join, joined_row)


def row_visibility(aliases: AliasGenerator, entity: CatalogEntity, row: sa.FromClause) -> list[Condition]:
    """The condition that the viewer may see the row; none where every viewer with these rights may."""
    unlimited = aliases.rights is UNLIMITED_RIGHTS
    predicate = None if unlimited else scopes.visible(entity.table, row, aliases.rights)
    return [] if predicate is None else [predicate]


def visibility(aliases: AliasGenerator, join: Join, joined_row: sa.FromClause) -> list[Condition]:
    """The visibility of joined rows; none where the join preserves it."""
    return row_visibility(aliases, join.entity, joined_row) if join.check_visibility else []


def _not_null(join: Join, joined_row: sa.FromClause) -> list[Condition]:
    """`key IS NOT NULL`. Equality implies it, but Postgres needs it stated to use a partial index for more than one key."""
    return [joined_row.c[join.their_column].is_not(None)] if join.entity.table.c[join.their_column].nullable else []


def condition(source: SelectSource, part: Predicate) -> Condition:
    """The SQL condition of a predicate on the source's rows; aggregates may add joins to the source."""
    match part:
        case And(parts):
            return sa.and_(sa.true(), *(condition(source, operand) for operand in parts))
        case Or(parts):
            return sa.or_(sa.false(), *(condition(source, operand) for operand in parts))
        case Not(inner):
            return condition(source, inner).is_not(sa.true())
        case Exists():
            return _exists(source, part)
        case AggregateComparison(aggregate, comparison):
            return compare(comparison, aggregate_value(source, aggregate), nullable=aggregate.function != "COUNT")
        case JsonComparison():
            return _json(part, source.row)
        case FieldComparison():
            return _compare_fields(part, source.row)
        case OfViewer(rows, now):
            return rows(source.row, param(now), source.aliases.rights.binding)
        case InSubtree():
            return _in_subtree(source, part)
        case Comparison():
            if part.column is None:
                return compare(part, source.row.c.id, nullable=False)
            column = source.row.c[part.column.column.name]
            if part.operator in ("contains", "startsWith"):
                return _text(part, column, source.row)
            if part.operator == "has":
                return _has_element(part, column)
            return compare(part, column, nullable=bool(part.column.column.nullable))


def compare(comparison: Comparison, value: sa.ColumnElement[Any], *, nullable: bool) -> Condition:
    """One operator between a value and a parameter."""
    if comparison.operator == "isNull":
        return value.is_(None) if comparison.is_null else value.is_not(None)
    if comparison.operator == "isEmpty":
        return value == EMPTY_ARRAY if comparison.is_null else value != EMPTY_ARRAY
    assert comparison.parameter is not None
    parameter = param(comparison.parameter)
    match comparison.operator:
        case "eq":
            return value == parameter
        case "ne":
            return value.is_distinct_from(parameter) if nullable else value != parameter
        case "in":
            return value == sa.any_(parameter)
        case "notIn":
            return sa.or_(value.is_(None), value != sa.all_(parameter)) if nullable else value != sa.all_(parameter)
        case operator:
            return value.op(RANGE_OPERATORS[operator], is_comparison=True)(parameter)


def _text(comparison: Comparison, value: sa.ColumnElement[Any], row: sa.FromClause) -> Condition:
    assert comparison.parameter is not None
    assert comparison.column is not None
    like_pattern = pattern(param(comparison.parameter))
    if comparison.operator == "startsWith":
        like_pattern = sql_literal("' '").concat(sa.func.ltrim(sa.func.substr(like_pattern, sql_literal("2"))))
    matches = fold(value).like(like_pattern)
    if comparison.column.searched and comparison.operator == "contains" and "search_text" in row.c:
        # search_text holds the column's text too, and its index narrows the rows down first.
        return sa.and_(row.c.search_text.like(pattern(param(comparison.parameter))), matches)
    return matches


def _has_element(comparison: Comparison, value: sa.ColumnElement[Any]) -> Condition:
    assert comparison.parameter is not None
    return value.op("@>", is_comparison=True)(sa.cast(array([param(comparison.parameter)]), value.type))


def _compare_fields(comparison: FieldComparison, row: sa.FromClause) -> Condition:
    value, other = row.c[comparison.column.column.name], row.c[comparison.other.column.name]
    match comparison.operator:
        case "eq":
            return value == other
        case "ne":
            return value.is_distinct_from(other)
        case operator:
            return value.op(RANGE_OPERATORS[operator], is_comparison=True)(other)


def _in_subtree(source: SelectSource, part: InSubtree) -> Condition:
    """A hidden root is as good as absent: nothing is below it."""
    root = source.aliases.for_table(part.entity.table)
    conditions = [root.c.id == param(part.key), *row_visibility(source.aliases, part.entity, root)]
    path = sa.select(root.c[part.path]).select_from(root).where(*conditions).correlate_except(root).scalar_subquery()
    return source.row.c[part.path].op("<@", is_comparison=True)(path)


def _json(comparison: JsonComparison, row: sa.FromClause) -> Condition:
    value = row.c[comparison.column.column.name].op("#>", return_type=JSONB())(param(comparison.path))
    json_type = sa.func.jsonb_typeof(value)
    if comparison.operator == "isNull":
        empty = sa.or_(value.is_(None), json_type == sql_literal("'null'"))
        return empty if comparison.is_null else sa.not_(empty)
    assert comparison.parameter is not None
    parameter = param(comparison.parameter)
    match comparison.operator:
        case "eq":
            return value.op("=", is_comparison=True)(parameter)
        case "ne":
            return value.is_distinct_from(parameter)
        case "in":
            return value.op("=", is_comparison=True)(sa.any_(parameter))
        case "contains":
            text = value.op("#>>", return_type=sa.Text())(sql_literal("'{}'"))
            return sa.case((json_type == sql_literal("'string'"), fold(text).like(pattern(parameter))))
        case operator:
            number = sa.cast(value, sa.Numeric)
            matches = number.op(RANGE_OPERATORS[operator], is_comparison=True)(parameter)
            return sa.case((json_type == sql_literal("'number'"), matches))


def _exists(source: SelectSource, part: Exists) -> Condition:
    named = None if part.fails else _hideable(source, part.join, part.part)
    if named is not None:
        return _belongs_to_named(source, part, named)
    joined_row, conditions = join_table(source.aliases, part.join, source.row)
    inner = SelectSource(source.aliases, joined_row, grouped=False, of_images=source.of_images)
    matches = condition(inner, part.part)
    conditions += [*_not_null(part.join, joined_row), matches.is_not(sa.true()) if part.fails else matches]
    return sa.exists(
        sa.select(sql_literal("1")).select_from(inner.tables()).where(*conditions).correlate_except(*inner.own())
    )


def _hideable(source: SelectSource, join: Join, part: Predicate) -> Named | None:
    """How many joined rows the part names, where the viewer may not see all rows. Images are joined as they were."""
    table = join.entity.table
    if source.of_images or not row_visibility(source.aliases, join.entity, table):
        return None
    return named_rows(part, table)


def _belongs_to_named(source: SelectSource, part: Exists, named: Named) -> Condition:
    """The condition that the row is joined to the rows that the part names.

    These are looked up once, before any row that belongs to them, and only where the viewer sees them: a hidden row is as
    good as absent, in time too."""
    joined_row = source.aliases.for_table(part.join.entity.table)
    inner = SelectSource(source.aliases, joined_row, grouped=False)
    conditions = [condition(inner, part.part), *row_visibility(source.aliases, part.join.entity, joined_row)]
    keys = sa.select(joined_row.c[part.join.their_column]).select_from(inner.tables()).where(*conditions)
    keys = keys.correlate_except(*inner.own())
    our_key = source.row.c[part.join.our_column]
    return our_key == (keys.scalar_subquery() if named == "one" else sa.any_(sa.func.array(keys.scalar_subquery())))


def aggregate_value(source: SelectSource, aggregate: AggregateExpression) -> sa.ColumnElement[Any]:
    """An aggregate over joined rows as a value of the source's row. Without rows, counts are 0, the others null."""
    joined_row = source.aliases.for_table(aggregate.join.entity.table)
    inner = SelectSource(source.aliases, joined_row, grouped=False, of_images=source.of_images)
    conditions = [condition(inner, aggregate.where), *visibility(source.aliases, aggregate.join, joined_row)]
    if not aggregate.join.check_visibility and _hideable(source, aggregate.join, aggregate.where):
        conditions += row_visibility(source.aliases, aggregate.join.entity, joined_row)
    key, value = joined_row.c[aggregate.join.their_column], _aggregate_function(aggregate, joined_row)
    if source.grouped:
        columns = [key.label("k$"), value.label("v$")]
        conditions += _not_null(aggregate.join, joined_row)
        groups = sa.select(*columns).select_from(inner.tables()).where(*conditions).group_by(key)
        joined_groups = groups.subquery(source.aliases.next())
        source.joins.append((joined_groups, joined_groups.c["k$"] == source.row.c[aggregate.join.our_column]))
        result: sa.ColumnElement[Any] = joined_groups.c["v$"]
    else:
        select = (
            sa.select(value)
            .select_from(inner.tables())
            .where(key == source.row.c[aggregate.join.our_column], *conditions)
        )
        result = select.correlate_except(*inner.own()).scalar_subquery()
    return sa.func.coalesce(result, sql_literal("0")) if aggregate.function == "COUNT" else result


def _aggregate_function(aggregate: AggregateExpression, row: sa.FromClause) -> sa.ColumnElement[Any]:
    if aggregate.column is None:
        return sa.func.count()
    function = getattr(sa.func, aggregate.function.lower())
    value: sa.FunctionElement[Any] = function(row.c[aggregate.column.column.name])
    if aggregate.currency is None:
        return value
    in_currency = row.c[aggregate.join.entity.declaration.amounts_in] == param(aggregate.currency)
    return sa.type_coerce(sa.funcfilter(value, in_currency), sa.Numeric())
