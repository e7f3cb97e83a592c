"""Plans grouped roots: the keys to group by, the order and the page of the groups, and the aggregates of each group.

A key is a column of the row or of a row behind `to one` links."""

from collections.abc import Sequence
from functools import partial

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.input_values import bad_input
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue, plan_value
from hub.engine.plan.connections import plan_connection_parts, plan_stats
from hub.engine.plan.context import PlanningContext, object_items
from hub.engine.plan.fields import FieldCollector, SelectionSets
from hub.engine.plan.filters import ALWAYS_TRUE, aggregate_expression, plan_filter, plan_join
from hub.engine.plan.list_nodes import GroupAggregate, GroupKey, GroupSortTerm
from hub.engine.plan.nodes import (
    Constant,
    GroupKeyFields,
    Groups,
    GroupSelection,
    ResolverTree,
    Stats,
)
from hub.engine.plan.pagination import aggregate_of_order, cursor_signing, groups_signature, plan_page, plan_search
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import Join
from hub.model.declarations import AscDesc, ToOne

MAX_GROUP_KEYS = 4
MAX_GROUP_LINKS = 3  # links from a row to the column that it is grouped by


def plan_groups(
    collector: FieldCollector,
    entity: CatalogEntity,
    selection_sets: SelectionSets,
    arguments: dict[str, ArgumentTree],
    field: str,
) -> Groups:
    """The plan of a grouped root; raises GROUP_INVALID and ORDER_INVALID. `field` names it in cursors."""
    planning = collector.planning
    keys = tuple(
        _plan_group_key(planning, entity, item, f"by[{index}]")
        for index, item in enumerate(object_items(arguments["by"]))
    )
    if not 1 <= len(keys) <= MAX_GROUP_KEYS or len({key.path for key in keys}) < len(keys):
        bad_input(
            "GROUP_INVALID",
            "by",
            f"the fields are none, too many or repeated; give 1 to {MAX_GROUP_KEYS} different ones.",
        )
    search_terms = plan_search(planning, arguments.get("search"), entity, "search")
    where = plan_filter(planning, arguments.get("filter"), entity, "filter")
    order = _plan_order(planning, arguments.get("orderBy"), entity, keys)
    signature = groups_signature(field, keys, order)
    page = plan_page(planning, arguments, signature, len(order), nested=False)
    plan_node = partial(_plan_group, collector, entity, keys)
    parts, _, uses_cursors = plan_connection_parts(collector, f"{entity.name}Group", selection_sets, plan_node)
    signing = cursor_signing(planning, signature) if uses_cursors else None
    minimum = planning.limits.group if entity.aggregate_only else 0
    return Groups(entity, where, search_terms, keys, order, page, signing, parts, minimum)


# -- keys ---------------------------------------------------------------------------------------------------------------


def _plan_group_key(
    planning: PlanningContext, entity: CatalogEntity, group_by: dict[str, ArgumentTree], argument: str
) -> GroupKey:
    joins: tuple[Join, ...] = ()
    path: tuple[str, ...] = ()
    nullable = False
    while (link := _link(group_by, argument)) is not None:
        if len(joins) == MAX_GROUP_LINKS:
            bad_input("GROUP_INVALID", argument, f"the column is too far away; follow at most {MAX_GROUP_LINKS} links.")
        name, group_by = link
        argument = f"{argument}.link.{name}"
        to_one = entity.links[name]
        assert isinstance(to_one, ToOne)
        nullable |= planning.catalog.nullable(entity, to_one)
        joins, path = (*joins, plan_join(planning, entity, to_one)), (*path, name)
        entity = joins[-1].entity
    column = _group_column(entity, group_by)
    bucket, timezone = _plan_bucket(planning, column, group_by, argument)
    nullable |= column is not None and column.nullable
    name = "id" if column is None else column.name
    return GroupKey((*path, name), joins, column, entity.declaration.prefix, nullable, bucket, timezone)


def _link(group_by: dict[str, ArgumentTree], argument: str) -> tuple[str, dict[str, ArgumentTree]] | None:
    """The name of the link that a part of the key follows, and the part behind it; None for a field of the row itself."""
    field, link = group_by.get("field"), group_by.get("link")
    if (field is None) is (link is None):
        bad_input("GROUP_INVALID", argument, "it needs either a field or a link; give one of them.")
    if not isinstance(link, dict):
        return None
    for name in ("bucket", "timezone"):
        if group_by.get(name) is not None:
            problem = "it belongs to the field behind the link; move it there."
            bad_input("GROUP_INVALID", f"{argument}.{name}", problem)
    targets = [(name, part) for name, part in link.items() if isinstance(part, dict)]
    if len(targets) != 1:
        problem = "it needs exactly one link; give several parts of the key as a list."
        bad_input("GROUP_INVALID", f"{argument}.link", problem)
    return targets[0]


def _group_column(entity: CatalogEntity, group_by: dict[str, ArgumentTree]) -> ColumnField | None:
    """The column of the field; None for the id."""
    field = plan_value(group_by["field"])
    if field == "ID":
        return None
    return next(candidate for candidate in entity.columns.values() if candidate.column.name.upper() == field)


def _plan_bucket(
    planning: PlanningContext, column: ColumnField | None, group_by: dict[str, ArgumentTree], argument: str
) -> tuple[str | None, Parameter | None]:
    field = plan_value(group_by["field"])
    bucket, timezone = group_by.get("bucket"), group_by.get("timezone")
    if not isinstance(bucket, ArgumentValue):
        if timezone is not None:
            bad_input(
                "GROUP_INVALID",
                f"{argument}.timezone",
                "a time zone needs a bucket; add one, or leave the time zone out.",
            )
        return None, None
    if column is None or not column.scalar.is_time:
        bad_input("GROUP_INVALID", f"{argument}.bucket", f"{field} is no time; leave the bucket out.")
    if column.scalar.name == "Date" and timezone is not None:
        bad_input(
            "GROUP_INVALID",
            f"{argument}.timezone",
            f"{field} is a date, which is the same in every time zone; leave it out.",
        )
    timezone_parameter = (
        planning.timezone_parameter(timezone, f"{argument}.timezone") if isinstance(timezone, ArgumentValue) else None
    )
    return str(bucket.plan_value).lower(), timezone_parameter


# -- order --------------------------------------------------------------------------------------------------------------


def _plan_order(
    planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, keys: Sequence[GroupKey]
) -> tuple[GroupSortTerm, ...]:
    """The sort keys of the groups. The parts of the key that no sort key names come last, because groups differ in them."""
    terms: list[GroupSortTerm] = []
    items = object_items(tree)
    if len(items) > MAX_GROUP_KEYS:
        bad_input("ORDER_INVALID", "orderBy", f"the sort keys are too many; give at most {MAX_GROUP_KEYS}.")
    for index, item in enumerate(items):
        argument = f"orderBy[{index}]"
        direction: AscDesc = "desc" if plan_value(item.get("direction")) == "DESC" else "asc"
        key: int | GroupAggregate
        if (item.get("key") is None) is (item.get("by") is None):
            bad_input("ORDER_INVALID", argument, "it needs either a key or an aggregate in `by`; give one of them.")
        if isinstance(item.get("key"), dict):
            key = _key_index(planning, item["key"], entity, keys, f"{argument}.key")
        else:
            key = _plan_aggregate(planning, item, entity, argument)
        if any(term.key == key for term in terms):
            bad_input("ORDER_INVALID", argument, "the sort key is repeated; give different ones.")
        terms += _sort_terms(key, keys, direction)
    sorted_keys = {term.key for term in terms}
    for index in range(len(keys)):
        terms += _sort_terms(index, keys, "asc") if index not in sorted_keys else ()
    return tuple(terms)


def _sort_terms(key: int | GroupAggregate, keys: Sequence[GroupKey], direction: AscDesc) -> list[GroupSortTerm]:
    """The terms of one sort key: the group without a value comes last, in either direction."""
    if isinstance(key, int) and keys[key].nullable:
        return [GroupSortTerm(key, "asc", by_null=True), GroupSortTerm(key, direction)]
    return [GroupSortTerm(key, direction)]


def _key_index(
    planning: PlanningContext,
    tree: dict[str, ArgumentTree],
    entity: CatalogEntity,
    keys: Sequence[GroupKey],
    argument: str,
) -> int:
    key = _plan_group_key(planning, entity, tree, argument)
    if key.bucket is not None:
        bad_input("ORDER_INVALID", argument, "a sort key has no bucket; name the field alone.")
    index = next((index for index, candidate in enumerate(keys) if candidate.path == key.path), None)
    if index is None:
        bad_input("ORDER_INVALID", argument, f"{'.'.join(key.path)} is no part of the key; add it to `by`.")
    return index


def _plan_aggregate(
    planning: PlanningContext, item: dict[str, ArgumentTree], entity: CatalogEntity, argument: str
) -> GroupAggregate:
    function, column = aggregate_of_order(item, entity, argument)
    if column is None:
        return GroupAggregate(function, None, None)
    own_rows = Join(entity, "id", "id", check_visibility=False)
    currency = (item.get("currency"), f"{argument}.currency")
    aggregate = aggregate_expression(planning, own_rows, ALWAYS_TRUE, function, column, currency, f"{argument}.by")
    return GroupAggregate(function, column, aggregate.currency)


# -- selections ---------------------------------------------------------------------------------------------------------


def _plan_group(
    collector: FieldCollector, entity: CatalogEntity, keys: Sequence[GroupKey], selection_sets: SelectionSets
) -> tuple[GroupSelection, ResolverTree | None]:
    fields: list[tuple[str, Constant | Stats | GroupKeyFields]] = []
    for key, nodes in collector.fields(selection_sets, f"{entity.name}Group").items():
        inner = [node.selection_set for node in nodes]
        match nodes[0].name.value:
            case "__typename":
                fields.append((key, Constant(f"{entity.name}Group")))
            case "stats":
                fields.append((key, plan_stats(collector, entity, inner)))
            case _:
                indexes = {group_key.path: index for index, group_key in enumerate(keys)}
                fields.append((key, _plan_group_key_fields(collector, entity, indexes, inner)))
    return GroupSelection(tuple(fields)), None


def _plan_group_key_fields(
    collector: FieldCollector,
    entity: CatalogEntity,
    indexes: dict[tuple[str, ...], int],
    selection_sets: SelectionSets,
) -> GroupKeyFields:
    """The key object of an entity; `indexes` has the parts of the key by their paths from it."""
    name = f"{entity.name}GroupKey"
    fields: list[tuple[str, Constant | int | GroupKeyFields | None]] = []
    for key, nodes in collector.fields(selection_sets, name).items():
        field = nodes[0].name.value
        if field == "__typename":
            fields.append((key, Constant(name)))
        elif isinstance(link := entity.links.get(field), ToOne):
            below = {path[1:]: index for path, index in indexes.items() if path[0] == field and len(path) > 1}
            target, inner = collector.schema.catalog.target(link.target), [node.selection_set for node in nodes]
            fields.append((key, _plan_group_key_fields(collector, target, below, inner) if below else None))
        else:
            fields.append((key, indexes.get((field,))))
    return GroupKeyFields(tuple(fields))
