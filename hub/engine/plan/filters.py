"""Plans filters: from filter arguments to predicates of the plan. sql/conditions.py compiles predicates."""

from collections.abc import Mapping
from typing import Any, cast

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity, ColumnField, camel_case
from hub.engine.catalog.input_values import bad_input
from hub.engine.catalog.scalars import ScalarType
from hub.engine.graphql_types.inputs import COMPARE, HOLDS, UNDER
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue, EmptiedObject
from hub.engine.plan.context import PlanningContext, object_items, required_value
from hub.engine.plan.key_conditions import key_conditions
from hub.engine.plan.parameters import ArgumentSource, Runtime
from hub.engine.plan.predicates import (
    AggregateComparison,
    AggregateExpression,
    AggregateFunctionName,
    And,
    Comparison,
    Exists,
    FieldComparison,
    InSubtree,
    Join,
    JsonComparison,
    Not,
    Or,
    Predicate,
)
from hub.model import scopes
from hub.model.declarations import ToMany, ToOne
from hub.model.lasting import LASTING_COLUMNS
from hub.model.normal_forms import RowNormalForm

FUNCTION_BY_FIELD: dict[str, AggregateFunctionName] = {"sum": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}
ALWAYS_TRUE = And(())
# Far above what people write. Larger filters cost Postgres more to plan than to run.
MAX_FILTER_DEPTH = 24
MAX_CONDITIONS = 150
MAX_AGGREGATES = 12
# Rows that a list is expected to have: one that stays with its owner, and one that crosses customers or units.
OWN_LIST_ROWS, SHARED_LIST_ROWS = 10, 40
ORDER_FACTOR = 20  # an order by an aggregate reads the lists of all rows, not only those of a page
TEXT_SCAN_ROWS = 5  # the cost of `contains` on a text without an index, in rows


def plan_join(planning: PlanningContext, entity: CatalogEntity, link: ToOne | ToMany) -> Join:
    """The join of a link. Rows of the same customer as a visible row are visible too, unless that row is an image or the
    scope of the joined rows or a role hides some of them."""
    target = planning.catalog.target(link.target)
    preserves_owner = planning.catalog.preserves_customer(planning.catalog.column(entity, link))
    hides_rows = scopes.hides_rows_of_customers(target.table, planning.rights)
    their_column, our_column = ("id", link.by) if isinstance(link, ToOne) else (link.by, "id")
    check_visibility = planning.below_image or hides_rows or not preserves_owner
    about_it = their_column == "row_id"  # rows about a row belong to its customer, but may be hidden
    return Join(target, their_column, our_column, check_visibility, same_customer=preserves_owner or about_it)


def plan_filter(planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, argument: str) -> Predicate:
    """The predicate of a filter object; always true for null and for an absent one. Raises FILTER_LIMIT and FILTER_INVALID."""
    if not isinstance(tree, dict):
        return ALWAYS_TRUE
    require_condition(not isinstance(tree, EmptiedObject), argument)
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
        _condition(planning, name, part, entity, f"{argument}.{name}", tree)
        for name, part in tree.items()
        if part is not None or (name == UNDER and entity.declaration.tree is not None)
    ]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def require_condition(present: bool, argument: str) -> None:
    """Raises FILTER_INVALID for an object without a condition: it would match every row when its variables are left out."""
    if not present:
        problem = "no condition is left in it, so it would match every row; send its variables, or leave it out."
        bad_input("FILTER_INVALID", argument, problem)


def _condition(
    planning: PlanningContext,
    name: str,
    tree: ArgumentTree,
    entity: CatalogEntity,
    argument: str,
    siblings: Mapping[str, ArgumentTree],
) -> Predicate:
    if name in ("and", "or"):
        parts = tuple(
            plan_filter(planning, item, entity, f"{argument}[{index}]") for index, item in enumerate(object_items(tree))
        )
        return And(parts) if name == "and" else Or(parts)
    if name == "not":
        return Not(plan_filter(planning, tree, entity, argument))
    if name == "id":
        return _comparisons(
            planning, tree, None, scalars.ID, argument, entity.declaration.prefix, entity.declaration.me
        )
    if name == COMPARE:
        return _field_comparisons(tree, entity, argument)
    if name == UNDER and entity.declaration.tree is not None:
        return _in_subtree(planning, tree, entity, entity.declaration.tree, argument)
    if name == HOLDS and entity.declaration.lasting:
        return _holds(planning, tree, entity, argument)
    column = entity.columns.get(name)
    if column is not None:
        if column.scalar is scalars.JSON:
            return _json_conditions(planning, tree, column, argument)
        if isinstance(column.normal_form, RowNormalForm):
            return _row_comparisons(planning, tree, column, column.normal_form, argument, siblings)
        return _comparisons(planning, tree, column, column.scalar, argument)
    link = entity.links[name]
    assert isinstance(link, ToOne | ToMany)
    if planning.by_keys and isinstance(link, ToOne) and isinstance(tree, dict):
        keys, others = key_conditions(planning.catalog, name, link, tree, entity)
        compared = [
            _comparisons(planning, ids, key, scalars.ID, f"{argument}.{path}", prefix=prefix)
            for key, prefix, ids, path in keys
        ]
        if compared:
            rest = [_condition(planning, name, others, entity, argument, siblings)] if others else []
            return And((*compared, *rest))
    join = plan_join(planning, entity, link)
    if isinstance(link, ToOne):
        planning.scan(1, argument)
        return Exists(join, plan_filter(planning, tree, join.entity, argument))
    with planning.multiplied_by(list_rows(planning, entity, link), argument):
        return _list_conditions(planning, tree, join, argument)


def _in_subtree(
    planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, path: str, argument: str
) -> Predicate:
    if tree is None:
        bad_input("FILTER_INVALID", argument, "null is the id of no row; give an id, or leave it out.")
    key = planning.key_parameter(required_value(tree, argument, "FILTER_INVALID"), entity, argument)
    return InSubtree(entity, path, key)


def _holds(planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, argument: str) -> Predicate:
    """Whether the row holds at a moment, else at that of the request."""
    require_condition(isinstance(tree, dict) and not isinstance(tree, EmptiedObject), argument)
    since, until = (entity.columns[camel_case(name)] for name in LASTING_COLUMNS)
    value = tree.get("at") if isinstance(tree, dict) else None
    if isinstance(value, ArgumentValue):
        moment = planning.value_parameter(scalars.DATETIME, value, f"{argument}.at")
    else:
        planning.time_dependent = True
        moment = planning.parameter(scalars.DATETIME.sql_type, Runtime("now"))
    begun = Comparison(since, since.scalar, "lte", moment)
    endless = Comparison(until, until.scalar, "isNull", None, is_null=True)
    return And((begun, Or((endless, Comparison(until, until.scalar, "gt", moment)))))


def list_rows(planning: PlanningContext, entity: CatalogEntity, link: ToMany) -> int:
    """How many rows a list is expected to have, by its declaration."""
    own = link.by == "row_id" or planning.catalog.preserves_customer(planning.catalog.column(entity, link))
    return OWN_LIST_ROWS if own else SHARED_LIST_ROWS


def _comparisons(
    planning: PlanningContext,
    tree: ArgumentTree,
    column: ColumnField | None,
    scalar: ScalarType,
    argument: str,
    prefix: str | None = None,
    me: str | None = None,
) -> Predicate:
    assert isinstance(tree, dict)
    require_condition(bool(tree), argument)
    parts: list[Predicate] = []
    for operator, part in tree.items():
        operator_path = f"{argument}.{operator}"
        value = required_value(part, operator_path, "FILTER_INVALID")
        if operator in ("isNull", "isEmpty"):
            parts.append(Comparison(column, scalar, operator, None, bool(value.plan_value)))
        elif operator in ("in", "notIn"):
            parts.append(
                Comparison(
                    column,
                    scalar,
                    operator,
                    planning.list_parameter(scalar, value, operator_path, prefix=prefix, column=column, me=me),
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
        elif operator in scalars.TEXT:
            if operator == "contains" and not (column and column.searched):
                planning.scan(TEXT_SCAN_ROWS, operator_path)
            parts.append(Comparison(column, scalar, operator, planning.pattern_parameter(value, operator_path)))
        else:
            operand = scalars.STRING if operator == "has" else scalar
            parameter = planning.value_parameter(operand, value, operator_path, prefix=prefix, column=column, me=me)
            parts.append(Comparison(column, scalar, operator, parameter))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _row_comparisons(
    planning: PlanningContext,
    tree: ArgumentTree,
    column: ColumnField,
    normal_form: RowNormalForm,
    argument: str,
    siblings: Mapping[str, ArgumentTree],
) -> Predicate:
    """Conditions on a text whose normal form depends on its row: the filter's other conditions on the row decide it."""
    assert isinstance(tree, dict)
    require_condition(bool(tree), argument)
    known: dict[str, ArgumentSource] = {}
    for name in normal_form.inputs:
        sibling = siblings.get(camel_case(name))
        value = sibling.get("eq") if isinstance(sibling, dict) else None
        if isinstance(value, ArgumentValue):
            known[name] = value.source
    parts: list[Predicate] = []
    for operator, part in tree.items():
        if operator not in scalars.EQUALITY:
            parts.append(_comparisons(planning, {operator: part}, column, column.scalar, argument))
            continue
        path = f"{argument}.{operator}"
        parameter = planning.spellings_parameter(required_value(part, path, "FILTER_INVALID"), known, normal_form, path)
        parts.append(Comparison(column, column.scalar, "in" if operator in ("eq", "in") else "notIn", parameter))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _field_comparisons(tree: ArgumentTree, entity: CatalogEntity, argument: str) -> Predicate:
    assert isinstance(tree, dict)
    fields = {column.column.name.upper(): column for column in entity.filterable.values()}
    parts: list[Predicate] = []
    for name, operators in tree.items():
        assert isinstance(operators, dict | None)
        for operator, part in (operators or {}).items():
            other = required_value(part, f"{argument}.{name}.{operator}", "FILTER_INVALID").plan_value
            parts.append(FieldComparison(entity.filterable[name], operator, fields[str(other)]))
        require_condition(operators is None or bool(operators), f"{argument}.{name}")
    require_condition(bool(parts), argument)
    return And(tuple(parts))


def _json_conditions(planning: PlanningContext, tree: ArgumentTree, column: ColumnField, argument: str) -> Predicate:
    """Conditions on several paths; an error names the index of one among several."""
    conditions = object_items(tree)
    require_condition(bool(conditions), argument)
    if len(conditions) == 1:
        return _json_comparisons(planning, conditions[0], column, argument)
    indexed = enumerate(conditions)
    return And(tuple(_json_comparisons(planning, part, column, f"{argument}[{index}]") for index, part in indexed))


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
    require_condition(bool(parts), argument)
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
    require_condition(bool(parts), argument)
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
            planning,
            join,
            where,
            function,
            column,
            (tree.get("currency"), f"{argument}.currency"),
            f"{argument}.{name}",
        )
        scalar = scalars.DECIMAL if column.scalar.is_number else column.scalar
        parts.append(_aggregate_comparison(planning, aggregate, part, scalar, f"{argument}.{name}"))
    require_condition(bool(parts), argument)
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
    currency: tuple[ArgumentTree, str],
    argument: str,
) -> AggregateExpression:
    """An aggregate over joined rows; `currency` is its value and its argument. Raises CURRENCY_REQUIRED for money without one."""
    count_aggregate(planning, argument)
    currency_value, currency_argument = currency
    if not column.scalar.is_money:
        return AggregateExpression(join, where, function, column, None)
    if not isinstance(currency_value, ArgumentValue):
        bad_input(
            "CURRENCY_REQUIRED",
            argument,
            'amounts in different currencies cannot be compared; add a currency, such as currency: "EUR".',
        )
    parameter = planning.value_parameter(
        scalars.STRING,
        currency_value,
        currency_argument,
        column=join.entity.columns[camel_case(join.entity.declaration.amounts_in)],
    )
    return AggregateExpression(join, where, function, column, parameter)


def _aggregate_comparison(
    planning: PlanningContext, aggregate: AggregateExpression, tree: ArgumentTree, scalar: ScalarType, argument: str
) -> Predicate:
    planned = _comparisons(planning, tree, None, scalar, argument)
    parts = planned.parts if isinstance(planned, And) else (planned,)
    comparisons = tuple(AggregateComparison(aggregate, cast(Comparison, part)) for part in parts)
    return comparisons[0] if len(comparisons) == 1 else And(comparisons)
