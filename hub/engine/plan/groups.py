"""Plans grouped roots: the keys to group by, and the aggregates of each group."""

from collections.abc import Sequence
from typing import cast

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.input_values import bad_input
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.connections import plan_stats
from hub.engine.plan.context import PlanningContext, object_items
from hub.engine.plan.fields import FieldCollector, SelectionSets
from hub.engine.plan.filters import plan_filter
from hub.engine.plan.nodes import Constant, GroupKey, GroupKeyFields, GroupNodes, Groups, Stats, TotalCount
from hub.engine.plan.pagination import page_size, plan_search

MAX_GROUP_KEYS = 4


def plan_groups(
    collector: FieldCollector, entity: CatalogEntity, selection_sets: SelectionSets, arguments: dict[str, ArgumentTree]
) -> Groups:
    """The plan of a grouped root; raises GROUP_INVALID."""
    keys = tuple(
        _plan_group_key(collector.planning, entity, item, f"by[{index}]")
        for index, item in enumerate(object_items(arguments["by"]))
    )
    if not 1 <= len(keys) <= MAX_GROUP_KEYS or len({key.column for key in keys}) < len(keys):
        bad_input(
            "GROUP_INVALID",
            "by",
            f"the fields are none, too many or repeated; give 1 to {MAX_GROUP_KEYS} different ones.",
        )
    search_terms = plan_search(collector.planning, arguments.get("search"), entity, "search")
    by_count = (
        isinstance(arguments.get("orderBy"), ArgumentValue)
        and cast(ArgumentValue, arguments["orderBy"]).plan_value == "COUNT"
    )
    parts: list[tuple[str, Constant | TotalCount | GroupNodes]] = []
    for key, nodes in collector.fields(selection_sets, f"{entity.name}Groups").items():
        match nodes[0].name.value:
            case "__typename":
                parts.append((key, Constant(f"{entity.name}Groups")))
            case "totalCount":
                parts.append((key, TotalCount()))
            case _:
                parts.append((key, _plan_group_nodes(collector, entity, keys, [node.selection_set for node in nodes])))
    return Groups(
        entity,
        plan_filter(collector.planning, arguments.get("filter"), entity, "filter"),
        search_terms,
        keys,
        by_count,
        page_size(collector.planning, arguments)[0],
        tuple(parts),
    )


def _plan_group_key(
    planning: PlanningContext, entity: CatalogEntity, group_by: dict[str, ArgumentTree], argument: str
) -> GroupKey:
    field = cast(ArgumentValue, group_by["field"]).plan_value
    column = next(candidate for candidate in entity.columns.values() if candidate.column.name.upper() == field)
    bucket, timezone = group_by.get("bucket"), group_by.get("timezone")
    if not isinstance(bucket, ArgumentValue):
        if timezone is not None:
            bad_input(
                "GROUP_INVALID",
                f"{argument}.timezone",
                "a time zone needs a bucket; add one, or leave the time zone out.",
            )
        return GroupKey(column, None, None)
    if not column.scalar.is_time:
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
    return GroupKey(column, str(bucket.plan_value).lower(), timezone_parameter)


def _plan_group_nodes(
    collector: FieldCollector, entity: CatalogEntity, keys: Sequence[GroupKey], selection_sets: SelectionSets
) -> GroupNodes:
    fields: list[tuple[str, Constant | Stats | GroupKeyFields]] = []
    for key, nodes in collector.fields(selection_sets, f"{entity.name}Group").items():
        inner = [node.selection_set for node in nodes]
        match nodes[0].name.value:
            case "__typename":
                fields.append((key, Constant(f"{entity.name}Group")))
            case "stats":
                fields.append((key, plan_stats(collector, entity, inner)))
            case _:
                fields.append((key, _plan_group_key_fields(collector, entity, keys, inner)))
    return GroupNodes(tuple(fields))


def _plan_group_key_fields(
    collector: FieldCollector, entity: CatalogEntity, keys: Sequence[GroupKey], selection_sets: SelectionSets
) -> GroupKeyFields:
    indexes = {group_key.column.name: index for index, group_key in enumerate(keys)}
    name = f"{entity.name}GroupKey"
    fields: list[tuple[str, Constant | int | None]] = []
    for key, nodes in collector.fields(selection_sets, name).items():
        field = nodes[0].name.value
        fields.append((key, Constant(name) if field == "__typename" else indexes.get(field)))
    return GroupKeyFields(tuple(fields))
