"""Plans the parts that all connections share: nodes, edges, pageInfo, totalCount, and the aggregates of `stats`."""

from collections.abc import Callable
from typing import Any

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.fields import FieldCollector, SelectionSets
from hub.engine.plan.nodes import (
    Aggregate,
    ConnectionPart,
    Constant,
    Edges,
    GroupSelection,
    HistoryEntry,
    MoneyByCurrency,
    Nodes,
    ObjectSelection,
    PageInfoPlan,
    ResolverTree,
    SelectionIndex,
    Stats,
    TotalCount,
)

NodeSelection = ObjectSelection | SelectionIndex | HistoryEntry | GroupSelection
NodePlanner = Callable[[SelectionSets], tuple[NodeSelection, ResolverTree | None]]


def plan_connection_parts(
    collector: FieldCollector,
    name: str,
    selection_sets: SelectionSets,
    plan_node: NodePlanner,
    entity: CatalogEntity | None = None,
) -> tuple[tuple[tuple[str, ConnectionPart], ...], ResolverTree | None, bool]:
    """The parts of a connection, and whether they hold cursors. `name` is its node type; `entity` is that of its aggregates."""
    parts: list[tuple[str, ConnectionPart]] = []
    children: list[tuple[str, ResolverTree]] = []
    uses_cursors = False
    for key, nodes in collector.fields(selection_sets, f"{name}Connection").items():
        inner = [node.selection_set for node in nodes]
        resolver_tree: ResolverTree | None = None
        with collector.field_context(key, nodes[0]):
            match nodes[0].name.value:
                case "__typename":
                    part: ConnectionPart = Constant(f"{name}Connection")
                case "totalCount":
                    part = TotalCount()
                case "stats":
                    assert entity is not None
                    part = plan_stats(collector, entity, inner)
                case "pageInfo":
                    part = _page_info(collector, inner)
                    uses_cursors |= any(fact in ("startCursor", "endCursor") for _, fact in part.fields)
                case "nodes":
                    selection, resolver_tree = plan_node(inner)
                    part = Nodes(selection)
                case _:
                    part, resolver_tree = _edges(collector, name, inner, plan_node)
                    uses_cursors |= any(value == "cursor" for _, value in part.fields)
        parts.append((key, part))
        if resolver_tree is not None:
            children.append((key, resolver_tree))
    return tuple(parts), ResolverTree(children=tuple(children)) if children else None, uses_cursors


def _edges(
    collector: FieldCollector, name: str, selection_sets: SelectionSets, plan_node: NodePlanner
) -> tuple[Edges, ResolverTree | None]:
    fields: list[tuple[str, Any]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in collector.fields(selection_sets, f"{name}Edge").items():
        match nodes[0].name.value:
            case "__typename":
                fields.append((key, Constant(f"{name}Edge")))
            case "cursor":
                fields.append((key, "cursor"))
            case _:
                with collector.field_context(key, nodes[0]):
                    selection, resolver_tree = plan_node([node.selection_set for node in nodes])
                fields.append((key, selection))
                if resolver_tree is not None:
                    children.append((key, resolver_tree))
    return Edges(tuple(fields)), ResolverTree(children=tuple(children)) if children else None


def _page_info(collector: FieldCollector, selection_sets: SelectionSets) -> PageInfoPlan:
    fields = collector.fields(selection_sets, "PageInfo").items()
    names = ((key, nodes[0].name.value) for key, nodes in fields)
    return PageInfoPlan(tuple((key, Constant("PageInfo") if name == "__typename" else name) for key, name in names))


def plan_stats(collector: FieldCollector, entity: CatalogEntity, selection_sets: SelectionSets) -> Stats:
    """The aggregates over a list or a group."""
    fields: list[tuple[str, Constant | TotalCount | Aggregate | Stats]] = []
    for key, nodes in collector.fields(selection_sets, f"{entity.name}Stats").items():
        name = nodes[0].name.value
        if name == "__typename":
            fields.append((key, Constant(f"{entity.name}Stats")))
        elif name == "count":
            fields.append((key, TotalCount()))
        else:
            fields.append((key, _aggregates(collector, entity, name, [node.selection_set for node in nodes])))
    return Stats(tuple(fields))


def _aggregates(
    collector: FieldCollector, entity: CatalogEntity, function: Any, selection_sets: SelectionSets
) -> Stats:
    name = entity.name + {"sum": "Sums", "avg": "Averages"}.get(function, "Extremes")
    fields: list[tuple[str, Constant | TotalCount | Aggregate | Stats]] = []
    for key, nodes in collector.fields(selection_sets, name).items():
        field = nodes[0].name.value
        if field == "__typename":
            fields.append((key, Constant(name)))
            continue
        column = entity.columns[field]
        money = _money(collector, [node.selection_set for node in nodes]) if column.scalar.is_money else None
        fields.append((key, Aggregate(function, column, money)))
    return Stats(tuple(fields))


def _money(collector: FieldCollector, selection_sets: SelectionSets) -> MoneyByCurrency:
    names = ((key, nodes[0].name.value) for key, nodes in collector.fields(selection_sets, "Money").items())
    return MoneyByCurrency(tuple((key, Constant("Money") if name == "__typename" else name) for key, name in names))
