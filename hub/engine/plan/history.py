"""Plans `history`: the changes of one row in the log, each with the row's images before and after. sql/history.py compiles it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from graphql import FieldNode
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, VERSION_COLUMNS, CatalogEntity
from hub.engine.catalog.input_values import bad_input
from hub.engine.graphql_types.history_types import revision_type_name
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.connections import plan_connection_parts
from hub.engine.plan.context import PlanningContext
from hub.engine.plan.fields import FieldCollector, SelectionSets
from hub.engine.plan.list_nodes import SortTerm
from hub.engine.plan.nodes import (
    Constant,
    HistoryConnection,
    HistoryEntry,
    ObjectSelection,
    ResolverTree,
    RowImage,
)
from hub.engine.plan.pagination import cursor_signing, list_signature, plan_page
from hub.engine.plan.parameters import Codec, ExecutionContext, Parameter

ObjectPlanner = Callable[[CatalogEntity, SelectionSets], tuple[ObjectSelection, ResolverTree | None]]


@dataclass(frozen=True, slots=True)
class HistoryFieldsCodec(Codec):
    """Names of fields, as the columns that they show."""

    entity_name: str
    field_by_column: Mapping[str, str] = field(repr=False)

    def encode(self, value: Sequence[str], context: ExecutionContext) -> list[str]:
        """The columns; raises FIELD_UNKNOWN for a field that shows none."""
        for name in value:
            if name not in self.field_by_column.values():
                problem = (
                    f"{name[:60]!r} is neither a column of {self.entity_name} nor a link by one; give a field that is."
                )
                bad_input("FIELD_UNKNOWN", "fields", problem)
        return [column for column, name in self.field_by_column.items() if name in value]


def plan_history(
    collector: FieldCollector, entity: CatalogEntity, nodes: Sequence[FieldNode], plan_object: ObjectPlanner
) -> tuple[HistoryConnection, ResolverTree | None]:
    """The plan of a row's history."""
    planning, arguments = collector.planning, collector.arguments(nodes[0], entity.name)
    planning.time_dependent = True  # dropping days of the log shortens it without a change
    signature = list_signature(f"{entity.name}.{HISTORY}", (SortTerm("id", "desc"),), None)
    page = plan_page(planning, arguments, signature, 1)
    selection_sets = [node.selection_set for node in nodes]
    parts, resolver_tree, uses_cursors = plan_connection_parts(
        collector, revision_type_name(entity), selection_sets, partial(_history_entry, collector, entity, plan_object)
    )
    since, until = (
        planning.value_parameter(scalars.DATETIME, part, argument)
        if isinstance(part := arguments.get(argument), ArgumentValue)
        else None
        for argument in ("since", "until")
    )
    changed_columns = _changed_columns(planning, entity, arguments.get("fields"))
    signing = cursor_signing(planning, signature) if uses_cursors else None
    return HistoryConnection(
        entity, changed_columns, since, until, page, signing, parts, planning.below_image
    ), resolver_tree


def _history_entry(
    collector: FieldCollector, entity: CatalogEntity, plan_object: ObjectPlanner, selection_sets: SelectionSets
) -> tuple[HistoryEntry, ResolverTree | None]:
    fields: list[tuple[str, Constant | str | RowImage]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in collector.fields(selection_sets, revision_type_name(entity)).items():
        name = nodes[0].name.value
        collector.require_selectable(nodes[0])
        if name == "__typename":
            fields.append((key, Constant(revision_type_name(entity))))
        elif name == "before" or name == "after":
            with collector.field_context(key, nodes[0]), collector.planning.in_the_past():
                selection, resolver_tree = plan_object(entity, [node.selection_set for node in nodes])
            fields.append((key, RowImage(name, selection)))
            children += [(key, resolver_tree)] if resolver_tree else []
        else:
            fields.append((key, name))
    return HistoryEntry(tuple(fields)), ResolverTree(children=tuple(children)) if children else None


def _changed_columns(planning: PlanningContext, entity: CatalogEntity, tree: ArgumentTree) -> Parameter | None:
    """A parameter for the columns that the fields show; None without the argument."""
    if not isinstance(tree, ArgumentValue):
        return None
    columns = {column: field for column, field in entity.field_by_column.items() if column not in VERSION_COLUMNS}
    return planning.parameter(ARRAY(sa.Text()), tree.source, HistoryFieldsCodec(entity.name, columns))
