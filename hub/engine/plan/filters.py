"""Plans filters: from filter arguments to predicates of the plan. sql/conditions.py compiles predicates."""

from typing import Any, Literal, cast

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.input_values import bad_input
from hub.engine.catalog.scalars import ScalarType
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.context import PlanningContext, object_items, required_value
from hub.engine.plan.parameters import Runtime
from hub.engine.plan.predicates import (
    AggregateComparison,
    AggregateExpression,
    And,
    Comparison,
    Exists,
    Join,
    JsonComparison,
    Not,
    Or,
    Predicate,
)
from hub.model.declarations import ToMany, ToOne

AggregateFunctionName = Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]
FUNCTION_BY_FIELD: dict[str, AggregateFunctionName] = {"sum": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}
ALWAYS_TRUE = And(())
# Far above what people write. Larger filters cost Postgres more to plan than to run.
MAX_FILTER_DEPTH = 24
MAX_CONDITIONS = 150
MAX_AGGREGATES = 12
# Rows that a list is expected to have: one that stays with its owner, and one that crosses customers or units.
OWN_LIST_ROWS, SHARED_LIST_ROWS = 10, 40
ORDER_FACTOR = 20  # an order by an aggregate reads the lists of all rows, not only those of a page
TEXT_SCAN_ROWS = 5  # searching a text without an index for a part costs as much as so many rows


def plan_join(planning: PlanningContext, entity: CatalogEntity, link: ToOne | ToMany) -> Join:
    """The join of a link. Rows of the same customer as a visible row are visible too, unless that row is an image."""
    target = planning.catalog.target(link.target)
    preserves_owner = planning.catalog.preserves_customer(planning.catalog.column(entity, link))
    their_column, our_column = ("id", link.by) if isinstance(link, ToOne) else (link.by, "id")
    return Join(target, their_column, our_column, check_visibility=planning.below_image or not preserves_owner)


def plan_filter(planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, argument: str) -> Predicate:
    """The predicate of a filter object; always true for null and for an absent one. Raises FILTER_LIMIT and FILTER_INVALID."""
    if not isinstance(tree, dict):
        return ALWAYS_TRUE
    planning.condition_count += 1
    if (
        argument.count(".") > MAX_FILTER_DEPTH
        or max(planning.condition_count, len(planning.parameters)) > MAX_CONDITIONS
    ):
        bad_input(
            "FILTER_LIMIT",
            argument.partition(".")[0],
            "the filter is too large; send fewer conditions, or split the query.",
        )
    parts = [
        _condition(planning, name, part, entity, f"{argument}.{name}")
        for name, part in tree.items()
        if part is not None
    ]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _condition(
    planning: PlanningContext, name: str, tree: ArgumentTree, entity: CatalogEntity, argument: str
) -> Predicate:
    if name in ("and", "or"):
        parts = tuple(
            plan_filter(planning, item, entity, f"{argument}[{index}]") for index, item in enumerate(object_items(tree))
        )
        return And(parts) if name == "and" else Or(parts)
    if name == "not":
        return Not(plan_filter(planning, tree, entity, argument))
    if name == "id":
        return _comparisons(planning, tree, None, scalars.ID, argument, prefix=entity.declaration.prefix)
    column = entity.columns.get(name)
    if column is not None:
        if column.scalar is scalars.JSON:
            return _json_comparisons(planning, tree, column, argument)
        return _comparisons(planning, tree, column, column.scalar, argument)
    link = entity.links[name]
    assert isinstance(link, ToOne | ToMany)
    join = plan_join(planning, entity, link)
    if isinstance(link, ToOne):
        planning.scan(1, argument)
        return Exists(join, plan_filter(planning, tree, join.entity, argument))
    with planning.multiplied_by(list_rows(planning, entity, link), argument):
        return _list_conditions(planning, tree, join, argument)


def list_rows(planning: PlanningContext, entity: CatalogEntity, link: ToMany) -> int:
    """How many rows a list is expected to have, by its declaration."""
    own = planning.catalog.preserves_customer(planning.catalog.column(entity, link))
    return OWN_LIST_ROWS if own else SHARED_LIST_ROWS


def _comparisons(
    planning: PlanningContext,
    tree: ArgumentTree,
    column: ColumnField | None,
    scalar: ScalarType,
    argument: str,
    prefix: str | None = None,
) -> Predicate:
    assert isinstance(tree, dict)
    parts: list[Predicate] = []
    for operator, part in tree.items():
        operator_path = f"{argument}.{operator}"
        value = required_value(part, operator_path, "FILTER_INVALID")
        if operator == "isNull":
            parts.append(Comparison(column, scalar, "isNull", None, bool(value.plan_value)))
        elif operator in ("in", "notIn"):
            parts.append(
                Comparison(
                    column, scalar, operator, planning.list_parameter(scalar, value, operator_path, prefix=prefix)
                )
            )
        elif operator == "withinLast":
            now = planning.parameter(scalar.sql_type, Runtime("now"))
            parts += [
                Comparison(column, scalar, "gte", planning.relative_time_parameter(value, operator_path)),
                Comparison(column, scalar, "lte", now),
            ]
        elif operator == "olderThan":
            parts.append(Comparison(column, scalar, "lt", planning.relative_time_parameter(value, operator_path)))
        else:
            if operator == "contains" and not (column and column.searched):
                planning.scan(TEXT_SCAN_ROWS, operator_path)
            parts.append(
                Comparison(
                    column, scalar, operator, planning.value_parameter(scalar, value, operator_path, prefix=prefix)
                )
            )
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _json_comparisons(planning: PlanningContext, tree: ArgumentTree, column: ColumnField, argument: str) -> Predicate:
    assert isinstance(tree, dict)
    path = planning.list_parameter(
        scalars.STRING, required_value(tree["path"], f"{argument}.path", "FILTER_INVALID"), f"{argument}.path"
    )
    parts: list[Predicate] = []
    for operator, part in tree.items():
        if operator == "path":
            continue
        operator_path = f"{argument}.{operator}"
        if operator in ("eq", "ne") and part is None:
            bad_input("FILTER_INVALID", operator_path, "null is not allowed here; use isNull.")
        value = required_value(part, operator_path, "FILTER_INVALID")
        if operator == "isNull":
            parts.append(JsonComparison(column, path, operator, None, bool(value.plan_value)))
        elif operator == "in":
            parts.append(
                JsonComparison(column, path, operator, planning.list_parameter(scalars.JSON, value, operator_path))
            )
        else:
            scalar = {"eq": scalars.JSON, "ne": scalars.JSON, "contains": scalars.STRING}.get(operator, scalars.DECIMAL)
            parts.append(JsonComparison(column, path, operator, planning.value_parameter(scalar, value, operator_path)))
    return And(tuple(parts))


def _list_conditions(planning: PlanningContext, tree: ArgumentTree, join: Join, argument: str) -> Predicate:
    assert isinstance(tree, dict)
    parts: list[Predicate] = []
    where = plan_filter(planning, tree.get("where"), join.entity, f"{argument}.where")
    for name, part in tree.items():
        part_path = f"{argument}.{name}"
        if part is None or name == "where":
            continue
        if name == "count":
            count_aggregate(planning, part_path)
            aggregate = AggregateExpression(join, where, "COUNT", None, None)
            parts.append(_aggregate_comparison(planning, aggregate, part, scalars.INT, part_path))
        elif name in FUNCTION_BY_FIELD:
            parts += _aggregate_conditions(
                planning, join, where, FUNCTION_BY_FIELD[name], cast(dict[str, Any], part), part_path
            )
        else:
            condition = plan_filter(planning, part, join.entity, part_path)
            exists = Exists(join, condition, fails=name == "every")
            parts.append(exists if name == "some" else Not(exists))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _aggregate_conditions(
    planning: PlanningContext,
    join: Join,
    where: Predicate,
    function: AggregateFunctionName,
    tree: dict[str, ArgumentTree],
    argument: str,
) -> list[Predicate]:
    parts = []
    for name, part in tree.items():
        if name == "currency" or part is None:
            continue
        column = join.entity.columns[name]
        aggregate = aggregate_expression(
            planning, join, where, function, column, tree.get("currency"), f"{argument}.{name}"
        )
        scalar = scalars.DECIMAL if column.scalar.is_number else column.scalar
        parts.append(_aggregate_comparison(planning, aggregate, part, scalar, f"{argument}.{name}"))
    return parts


def count_aggregate(planning: PlanningContext, argument: str) -> None:
    """Counts the aggregates of an operation, each of which may read a whole table; raises FILTER_LIMIT."""
    planning.aggregate_count += 1
    if planning.aggregate_count > MAX_AGGREGATES:
        bad_input(
            "FILTER_LIMIT",
            argument,
            f"an operation may have at most {MAX_AGGREGATES} aggregates over lists; split it into several operations.",
        )


def aggregate_expression(
    planning: PlanningContext,
    join: Join,
    where: Predicate,
    function: AggregateFunctionName,
    column: ColumnField,
    currency: ArgumentTree,
    argument: str,
) -> AggregateExpression:
    """An aggregate over joined rows; raises CURRENCY_REQUIRED for money without a currency."""
    count_aggregate(planning, argument)
    if not column.scalar.is_money:
        return AggregateExpression(join, where, function, column, None)
    if not isinstance(currency, ArgumentValue):
        bad_input(
            "CURRENCY_REQUIRED",
            argument,
            'amounts in different currencies cannot be compared; add a currency, such as currency: "EUR".',
        )
    return AggregateExpression(
        join, where, function, column, planning.value_parameter(scalars.STRING, currency, f"{argument}.currency")
    )


def _aggregate_comparison(
    planning: PlanningContext, aggregate: AggregateExpression, tree: ArgumentTree, scalar: ScalarType, argument: str
) -> Predicate:
    planned = _comparisons(planning, tree, None, scalar, argument)
    parts = planned.parts if isinstance(planned, And) else (planned,)
    comparisons = tuple(AggregateComparison(aggregate, cast(Comparison, part)) for part in parts)
    return comparisons[0] if len(comparisons) == 1 else And(comparisons)
