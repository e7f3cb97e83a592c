"""Plans `history`: the changes of one row that the log keeps, each with what the row was before and after.

How connections are planned is selections.py's, how this one becomes SQL is sql/history.py's."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa
from graphql import FieldNode, SelectionSetNode
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, CatalogEntity
from hub.engine.catalog.input_values import bad_input
from hub.engine.graphql_types.history_types import revision_type_name
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.context import PlanningContext
from hub.engine.plan.list_nodes import SortTerm
from hub.engine.plan.nodes import (
    ConnectionPart,
    Constant,
    HistoryConnection,
    HistoryEntry,
    ObjectSelection,
    ResolverTree,
    RowImage,
    SelectionIndex,
)
from hub.engine.plan.pagination import cursor_signing, list_signature, plan_page
from hub.engine.plan.predicates import ExecutionContext, Parameter

SelectionSets = Sequence[SelectionSetNode | None]
NodePlanner = Callable[[SelectionSets], tuple[ObjectSelection | SelectionIndex | HistoryEntry, ResolverTree | None]]
ALWAYS_CHANGED = ("version", "updated_at")  # change with every change, so the log does not name them


class Selecting(Protocol):
    """What is needed of the planner of selections."""

    planning: PlanningContext

    def field_context(self, key: str, node: FieldNode) -> AbstractContextManager[None]: ...

    def arguments(self, node: FieldNode, type_name: str) -> dict[str, ArgumentTree]: ...

    def fields(self, selection_sets: SelectionSets, type_name: str) -> Mapping[str, list[FieldNode]]: ...

    def object_selection(
        self, entity: CatalogEntity, selection_sets: SelectionSets
    ) -> tuple[ObjectSelection, ResolverTree | None]: ...

    def connection_parts(
        self, name: str, selection_sets: SelectionSets, nodes_of: NodePlanner
    ) -> tuple[tuple[tuple[str, ConnectionPart], ...], ResolverTree | None, bool]: ...


def plan_history(
    selector: Selecting, entity: CatalogEntity, nodes: Sequence[FieldNode]
) -> tuple[HistoryConnection, ResolverTree | None]:
    """The plan of a row's history."""
    planning, arguments = selector.planning, selector.arguments(nodes[0], entity.name)
    planning.time_dependent = True  # that days of the log are dropped is no change
    signature = list_signature(f"{entity.name}.{HISTORY}", (SortTerm("id", "desc"),), None)
    page = plan_page(planning, arguments, signature, 1)
    selection_sets = [node.selection_set for node in nodes]
    parts, resolver_tree, uses_cursors = selector.connection_parts(
        revision_type_name(entity), selection_sets, partial(_history_entry, selector, entity)
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
    selector: Selecting, entity: CatalogEntity, selection_sets: SelectionSets
) -> tuple[HistoryEntry, ResolverTree | None]:
    fields: list[tuple[str, Constant | str | RowImage]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in selector.fields(selection_sets, revision_type_name(entity)).items():
        name = nodes[0].name.value
        if name == "__typename":
            fields.append((key, Constant(revision_type_name(entity))))
        elif name == "before" or name == "after":
            with selector.field_context(key, nodes[0]), selector.planning.in_the_past():
                selection, resolver_tree = selector.object_selection(entity, [node.selection_set for node in nodes])
            fields.append((key, RowImage(name, selection)))
            children += [(key, resolver_tree)] if resolver_tree else []
        else:
            fields.append((key, name))
    return HistoryEntry(tuple(fields)), ResolverTree(children=tuple(children)) if children else None


def _changed_columns(planning: PlanningContext, entity: CatalogEntity, tree: ArgumentTree) -> Parameter | None:
    """The columns that one of the fields shows; raises FIELD_UNKNOWN for a field whose changes are not kept."""
    if not isinstance(tree, ArgumentValue):
        return None
    source = tree.source
    columns = {column: field for column, field in entity.field_by_column.items() if column not in ALWAYS_CHANGED}

    def evaluate(context: ExecutionContext) -> list[Any]:
        fields = source(context.variables)
        for field in fields:
            if field not in columns.values():
                problem = (
                    f"{field[:60]!r} is no column of {entity.name} nor a link by one of its columns; name one that is."
                )
                bad_input("FIELD_UNKNOWN", "fields", problem)
        return [column for column, field in columns.items() if field in fields]

    return planning.parameter(ARRAY(sa.Text()), evaluate)
