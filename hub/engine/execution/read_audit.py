"""What an operation reads of persons, for the audit log: found when it is planned, so that running it costs an append."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from uuid import UUID

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from hub.db.audit_buffer import AuditedRead, RowKeys
from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.document.documents import Operation
from hub.engine.plan.dependencies import resolver_plans
from hub.engine.plan.nodes import ColumnSelection, LivePayload, Plan, RowById, RowsByIds
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import Join
from hub.engine.sql.compiler import CompiledStatement

ADMINISTRATION = ("administered", "person", "inside")  # scopes whose rows are about persons, customers or staff


@dataclass(frozen=True, slots=True)
class RowArguments:
    """Where the arguments of a statement name rows by id: the index of the key, and the prefix; or of keys and prefixes."""

    keys: int
    prefix: str | int


@dataclass(frozen=True, slots=True)
class ReadAudit:
    """What a compiled operation reads, and which of its arguments are ids."""

    read: AuditedRead
    row_arguments: tuple[RowArguments, ...]

    def rows(self, arguments: Sequence[Any]) -> RowKeys:
        """The rows that the arguments of one execution name."""
        rows: list[tuple[str, UUID]] = []
        for row_argument in self.row_arguments:
            keys, prefix = arguments[row_argument.keys], row_argument.prefix
            if isinstance(prefix, str):
                rows.append((prefix, keys))
            else:
                rows += zip(arguments[prefix], keys, strict=True)
        return rows


def audit_read(operation: Operation, plans: Sequence[Plan], statement: CompiledStatement | None) -> ReadAudit | None:
    """What the plans of an operation read; None if they read nothing about persons."""
    columns: dict[CatalogEntity, set[str]] = {}
    behind_keys = [inner for plan in plans for inner in resolver_plans(plan.resolver_tree)]
    nodes = [node for plan in (*plans, *behind_keys) for node in _root_nodes(plan)]
    for node in nodes:
        _collect(node, None, columns)
    if not any(is_personal(entity) for entity in columns):
        return None
    by_prefix: dict[str, str] = {}
    required: dict[CatalogEntity, set[str]] = {}
    row_arguments: list[RowArguments] = []
    for node in nodes:
        if not isinstance(node, RowsByIds):
            _collect(node, None, required)
        if isinstance(node, RowsByIds):
            types = (entity for entity, _ in node.selections)
            by_prefix |= {entity.declaration.prefix: entity.name for entity in types}
        elif isinstance(node, RowById):
            by_prefix[node.entity.declaration.prefix] = node.entity.name
        if statement is not None and isinstance(node, RowsByIds | RowById):
            row_arguments += _row_arguments(node, statement)
    named = {entity.name: sorted(names) for entity, names in columns.items()}
    roots = list(_root_fields(operation.node.selection_set, operation.fragments))
    read = AuditedRead(
        operation.name,
        operation.document_hash,
        roots,
        named,
        by_prefix,
        frozenset(named) - {entity.name for entity in required},
    )
    return ReadAudit(read, tuple(row_arguments))


def _root_nodes(plan: Plan) -> Iterator[Any]:
    """The roots of a plan; those of a live query's answer in place of the answer."""
    for _, node in plan.roots:
        if isinstance(node, LivePayload):
            yield from (part for _, part in node.fields)
        else:
            yield node


def _root_fields(selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    for selection in selection_set.selections:
        if isinstance(selection, FieldNode):
            yield selection.name.value
        elif isinstance(selection, FragmentSpreadNode):
            yield from _root_fields(fragments[selection.name.value].selection_set, fragments)
        elif isinstance(selection, InlineFragmentNode):
            yield from _root_fields(selection.selection_set, fragments)


def is_personal(entity: CatalogEntity) -> bool:
    """Whether the rows of an entity are about persons."""
    scope = entity.declaration.scope
    return scope.customer_column is not None or scope.name in ADMINISTRATION


def _row_arguments(node: RowsByIds | RowById, statement: CompiledStatement) -> Iterator[RowArguments]:
    names = [parameter.name for parameter in statement.parameters]
    if isinstance(node, RowById):
        if node.key.name in names:
            yield RowArguments(names.index(node.key.name), node.entity.declaration.prefix)
    elif {node.keys.name, node.types.name} <= set(names):
        yield RowArguments(names.index(node.keys.name), names.index(node.types.name))


def _collect(part: Any, entity: CatalogEntity | None, columns: dict[CatalogEntity, set[str]]) -> None:
    """Adds the entities of a part of a plan, each with its fields that are selected, compared or aggregated."""
    if isinstance(part, ColumnSelection):
        if entity is not None:
            columns[entity].add(entity.field_by_column.get(part.column, part.column))
    elif isinstance(part, ColumnField):
        if entity is not None and part.name in entity.columns:
            columns[entity].add(part.name)
    elif isinstance(part, tuple):
        for item in part:
            if isinstance(item, CatalogEntity):  # a selection of one of several types
                entity = item
                columns.setdefault(entity, set())
            _collect(item, entity, columns)
    elif is_dataclass(part) and not isinstance(part, Parameter | CatalogEntity | type):
        join = getattr(part, "join", None)
        inner = join.entity if isinstance(join, Join) else getattr(part, "entity", None)
        if isinstance(inner, CatalogEntity):
            entity = inner
            columns.setdefault(entity, set())
        for item in fields(part):
            _collect(getattr(part, item.name), entity, columns)


def write_context(operation: Operation, entry_kind: str | None) -> Mapping[str, Any]:
    """What the change log says of every write of a mutation, apart from its caller."""
    roots = list(_root_fields(operation.node.selection_set, operation.fragments))
    described = {"operation": operation.name, "document": operation.document_hash, "roots": roots, "kind": entry_kind}
    return {name: value for name, value in described.items() if value}
