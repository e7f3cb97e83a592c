"""Plans exports: a query of one root list, read from its first row to its last, and the columns of its flat formats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from graphql import (
    FieldNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    NameNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_scalar_type,
)

from hub.engine.plan.fields import FieldCollector, SelectionSets
from hub.engine.plan.nodes import ConnectionPlan, Plan
from hub.engine.plan.operations import OperationPlanner
from hub.errors import BadInput

PAGE_ARGUMENTS = frozenset(("first", "last", "after", "before"))
COUNT_FIELD = "totalCount"
JSON_TYPE = "JSON"  # of a column whose values are written as JSON text


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column of a flat format: the response keys that lead to its value, and the name of its GraphQL scalar.

    Lists, and what is inside them, are one column of type JSON."""

    path: tuple[str, ...]
    type: str

    @property
    def name(self) -> str:
        """The response keys, joined by dots, which no key contains."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The plan of an export, the response keys of its list and of its rows, and its columns."""

    plan: Plan
    count: Plan  # of the list's totalCount
    key: str
    nodes_key: str
    columns: tuple[ExportColumn, ...]


def plan_export(planner: OperationPlanner, count_planner: OperationPlanner, selection_set: Any) -> ExportPlan:
    """The plan of an export, and by a planner of its own that of its count.

    Raises BadInput EXPORT_INVALID for a query that is no single list of rows."""
    collector = planner.collector
    roots = collector.fields([selection_set], "Query")
    if len(roots) != 1:
        _refuse(f"an export is one list, and this query has {len(roots)} root fields; select one.")
    ((key, nodes),) = roots.items()
    name = nodes[0].name.value
    root = planner.schema.roots.get(name)
    with collector.field_context(key, nodes[0]):
        if root is not None and root.category == "groups":
            _refuse(f"{name} has groups, which are few; read them as pages. An export has the rows of a list.")
        if root is None or root.category != "list":
            _refuse(f"{name} is no list of rows; select a list that has `nodes` and pages.")
        for argument in nodes[0].arguments or ():
            if argument.name.value in PAGE_ARGUMENTS:
                _refuse(f"{argument.name.value}: an export has no pages; leave it out.")
        connection = get_named_type(_query_type(collector).fields[name].type)
        selection_sets = [node.selection_set for node in nodes]
        parts = collector.fields(selection_sets, connection.name)
        nodes_key, node_fields = _only_nodes(parts)
        row_type = get_named_type(cast(GraphQLObjectType, connection).fields["nodes"].type)
        columns = _merge(_columns(collector, [node.selection_set for node in node_fields], row_type, ()))
    plan = planner.plan_query(selection_set).plan
    assert isinstance(plan.roots[0][1], ConnectionPlan)
    return ExportPlan(plan, count_planner.plan_query(_count_of(nodes[0])).plan, key, nodes_key, columns)


def _count_of(root: FieldNode) -> SelectionSetNode:
    """The selection of how many rows a list has."""
    count = FieldNode(name=NameNode(value=COUNT_FIELD), arguments=(), directives=())
    arguments = {name: getattr(root, name) for name in ("alias", "name", "arguments", "directives")}
    return SelectionSetNode(selections=(FieldNode(**arguments, selection_set=SelectionSetNode(selections=(count,))),))


def _query_type(collector: FieldCollector) -> GraphQLObjectType:
    return cast(GraphQLObjectType, collector.schema.core.type_map["Query"])


def _only_nodes(parts: dict[str, list[FieldNode]]) -> tuple[str, list[FieldNode]]:
    names = {key: fields[0].name.value for key, fields in parts.items()}
    if list(names.values()) != ["nodes"]:
        others = ", ".join(name for name in names.values() if name != "nodes") or "several `nodes`"
        _refuse(f"an export has rows alone; select `nodes` once, without {others}.")
    ((key, fields),) = parts.items()
    return key, fields


def _columns(
    collector: FieldCollector, selection_sets: SelectionSets, type_: Any, path: tuple[str, ...]
) -> Iterator[ExportColumn]:
    """The columns of a selection; those of a union or an interface are the columns of all its types."""
    if is_abstract_type(type_):
        for concrete in collector.schema.core.get_possible_types(type_):
            yield from _columns(collector, selection_sets, concrete, path)
        return
    for key, nodes in collector.fields(selection_sets, type_.name).items():
        field_path, field = (*path, key), nodes[0].name.value
        if field == "__typename":
            yield ExportColumn(field_path, "String")
            continue
        declared = cast(GraphQLObjectType, type_).fields[field].type
        nullable = declared.of_type if isinstance(declared, GraphQLNonNull) else declared
        named = get_named_type(declared)
        if isinstance(nullable, GraphQLList):
            yield ExportColumn(field_path, JSON_TYPE)
        elif is_leaf_type(named):
            yield ExportColumn(field_path, named.name if is_scalar_type(named) else "String")
        else:
            yield from _columns(collector, [node.selection_set for node in nodes], named, field_path)


def _merge(columns: Iterator[ExportColumn]) -> tuple[ExportColumn, ...]:
    """Each path once; one whose types differ is JSON."""
    merged: dict[tuple[str, ...], ExportColumn] = {}
    for column in columns:
        known = merged.setdefault(column.path, column)
        if known.type != column.type:
            merged[column.path] = ExportColumn(column.path, JSON_TYPE)
    return tuple(merged.values())


def _refuse(fault: str) -> NoReturn:
    raise BadInput(fault, code="EXPORT_INVALID")


def column_names(columns: Sequence[ExportColumn]) -> list[str]:
    """The names of columns, as the first line of a CSV file has them."""
    return [column.name for column in columns]
