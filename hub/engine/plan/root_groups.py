"""Plans root groups: rows by keys that the viewer has, and values of the viewer. The plan serves all viewers alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from graphql import FieldNode

from hub.engine.catalog.catalog import camel_case
from hub.engine.plan.fields import SelectionSets
from hub.engine.plan.nodes import (
    BulkResults,
    ConnectionPlan,
    Constant,
    LiteralValue,
    Payload,
    ResolverTree,
    RowById,
)
from hub.engine.plan.parameters import Codec, ExecutionContext, Runtime
from hub.engine.plan.predicates import And, OfViewer
from hub.engine.plan.selections import SelectionPlanner
from hub.model import exact_json
from hub.model.columns import timestamp
from hub.model.root_groups import RootGroup, ViewerList, ViewerObject

PayloadFields = list[tuple[str, Constant | LiteralValue | RowById | ConnectionPlan | BulkResults | Payload]]


@dataclass(frozen=True, slots=True)
class ViewerJsonCodec(Codec):
    """A value of the viewer, as JSON text."""

    def encode(self, value: Any, context: ExecutionContext) -> str:
        """The JSON text."""
        plain = value.isoformat() if hasattr(value, "isoformat") else value
        return exact_json.dumps(list(plain) if isinstance(plain, tuple) else plain)


def plan_root_group(
    selector: SelectionPlanner, group: RootGroup, selection_sets: SelectionSets
) -> tuple[Payload, ResolverTree | None]:
    """The plan of a root group with these selections."""
    collector, planning = selector.collector, selector.planning
    parts = {camel_case(name): (name, part) for name, part in group.parts.items()}
    fields: PayloadFields = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in collector.fields(selection_sets, group.type_name).items():
        field = nodes[0].name.value
        if field == "__typename":
            fields.append((key, Constant(group.type_name)))
            continue
        name, part = parts[field]
        inner = [node.selection_set for node in nodes]
        with collector.field_context(key, nodes[0]):
            if isinstance(part, ViewerObject):
                fields.append((key, _viewer_object(selector, part, inner)))
                continue
            if isinstance(part, ViewerList):
                connection, resolver_tree = _viewer_list(selector, part, f"{group.type_name}.{field}", nodes)
                fields.append((key, connection))
                children += [(key, resolver_tree)] if resolver_tree else []
                continue
            entity = planning.catalog.target(part.target)
            row_key = planning.parameter(sa.Uuid(), Runtime(part.attribute or f"{name}_id", viewer=True))
            selection, resolver_tree = selector.object_selection(entity, inner)
        fields.append((key, RowById(entity, row_key, selection)))
        children += [(key, resolver_tree)] if resolver_tree else []
    return Payload(tuple(fields)), ResolverTree(children=tuple(children)) if children else None


def has_lists(payload: Payload) -> bool:
    """Whether a planned root group reads lists: which of their rows are the viewer's depends on who asks."""
    return any(isinstance(part, ConnectionPlan) for _, part in payload.fields)


def _viewer_list(
    selector: SelectionPlanner, part: ViewerList, field: str, nodes: Sequence[FieldNode]
) -> tuple[ConnectionPlan, ResolverTree | None]:
    """A list of the rows that are the viewer's; time alone may change which are."""
    planning = selector.planning
    entity = planning.catalog.target(part.target)
    arguments = selector.collector.arguments(nodes[0], field.partition(".")[0])
    connection, resolver_tree = selector.connection(
        entity, None, [node.selection_set for node in nodes], arguments, field, nested=True
    )
    planning.time_dependent = True
    now = planning.parameter(timestamp(), Runtime("now"))
    whole = planning.catalog.whole or planning.catalog  # a role may hide what decides
    own = OfViewer(part.rows, now, tuple(whole.target(target) for target in part.reads))
    return replace(connection, where=And((connection.where, own))), resolver_tree


def _viewer_object(selector: SelectionPlanner, part: ViewerObject, selection_sets: Sequence[Any]) -> Payload:
    values = {camel_case(name): value.attribute or name for name, value in part.values.items()}
    fields: PayloadFields = []
    for key, nodes in selector.collector.fields(selection_sets, part.name).items():
        name = nodes[0].name.value
        if name == "__typename":
            fields.append((key, Constant(part.name)))
        else:
            source = Runtime(values[name], viewer=True)
            fields.append((key, LiteralValue(selector.planning.parameter(sa.Text(), source, ViewerJsonCodec()))))
    return Payload(tuple(fields))
