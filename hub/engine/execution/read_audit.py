"""What an operation reads of persons, for the audit log: found when it is planned, so that running it costs an append."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from uuid import UUID

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from hub.db.audit_buffer import AuditedRead, ObservedReads, RowKeys
from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.document.documents import Operation
from hub.engine.graphql_types.mutation_types import MutationField
from hub.engine.plan.dependencies import resolver_plans
from hub.engine.plan.list_nodes import GroupKey, SearchTerms
from hub.engine.plan.nodes import (
    BulkResults,
    ColumnSelection,
    LivePayload,
    Payload,
    Plan,
    ResultRow,
    RowById,
    RowsByIds,
)
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import Join
from hub.engine.sql.compiler import CompiledStatement
from hub.errors import HubError
from hub.model.personal import PersonalData, entries

ADMINISTRATION = ("administered", "person", "inside")  # scopes whose rows are about persons, customers or staff
# Kinds of data that say who a person is: rows with such a column are about persons, whatever of them is read.
IDENTIFYING = frozenset(
    (PersonalData.NAME, PersonalData.CONTACT, PersonalData.ADDRESS, PersonalData.IDENTIFIER, PersonalData.BIRTH)
)


@dataclass(frozen=True, slots=True)
class RowArguments:
    """Where the arguments of a statement name rows by id: the index of a key or of keys, and their prefix or its index."""

    keys: int
    prefix: str | int


@dataclass(frozen=True, slots=True)
class ReadAudit:
    """What a compiled operation reads, and which of its arguments are ids."""

    read: AuditedRead
    row_arguments: tuple[RowArguments, ...]

    def rows(self, arguments: Sequence[Any]) -> RowKeys:
        """The rows that the arguments of one execution name."""
        return named_rows(self.row_arguments, arguments)


def named_rows(row_arguments: Sequence[RowArguments], arguments: Sequence[Any]) -> list[tuple[str, UUID]]:
    """The rows that the arguments of one execution of a statement name."""
    if len(row_arguments) == 1:  # mostly one row by its id
        keys, prefix = arguments[row_arguments[0].keys], row_arguments[0].prefix
        if isinstance(keys, UUID) and isinstance(prefix, str):
            return [(prefix, keys)]
    rows: list[tuple[str, UUID]] = []
    for row_argument in row_arguments:
        keys, prefix = arguments[row_argument.keys], row_argument.prefix
        if not isinstance(prefix, str):
            rows += zip(arguments[prefix], keys, strict=True)
        elif isinstance(keys, UUID):
            rows.append((prefix, keys))
        else:
            rows += ((prefix, key) for key in keys or () if key is not None)
    return rows


def audit_read(
    operation: Operation, plans: Sequence[Plan], statement: CompiledStatement | None, *, of_payloads: bool = False
) -> ReadAudit | None:
    """What the plans of an operation read; None if they read nothing about persons.

    `of_payloads`: the ids alone of what a mutation wrote are no read."""
    columns: dict[CatalogEntity, set[str]] = {}
    behind_keys = [inner for plan in plans for inner in resolver_plans(plan.resolver_tree)]
    nodes = [node for plan in (*plans, *behind_keys) for node in _root_nodes(plan)]
    for node in nodes:
        _collect(node, None, columns)
    if of_payloads:
        columns = {entity: names for entity, names in columns.items() if names - {"id"}}
    if not any(is_personal(entity, names) for entity, names in columns.items()):
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
        for entity in _row_types(node):
            by_prefix[entity.declaration.prefix] = entity.name
        if statement is not None:
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
    """The roots of a plan; in place of the answer of a live query, and of a payload, what is in it."""
    for _, node in plan.roots:
        yield from _parts(node)


def _parts(node: Any) -> Iterator[Any]:
    if isinstance(node, LivePayload | Payload):
        for _, part in node.fields:
            yield from _parts(part)
    else:
        yield node


def _row_types(node: Any) -> Iterator[CatalogEntity]:
    """The types of the rows that a root reads by their ids, but for roots of any type."""
    if isinstance(node, RowById):
        yield node.entity
    elif isinstance(node, BulkResults):
        yield from (part.entity for _, part in node.fields if isinstance(part, ResultRow))


def _root_fields(selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    for selection in selection_set.selections:
        if isinstance(selection, FieldNode):
            yield selection.name.value
        elif isinstance(selection, FragmentSpreadNode):
            yield from _root_fields(fragments[selection.name.value].selection_set, fragments)
        elif isinstance(selection, InlineFragmentNode):
            yield from _root_fields(selection.selection_set, fragments)


def is_personal(entity: CatalogEntity, names: Collection[str]) -> bool:
    """Whether reading these fields of an entity's rows is a read of personal data: the registry of personal data decides."""
    scope = entity.declaration.scope
    if scope.customer_column is not None or scope.name in ADMINISTRATION:
        return True
    kinds = {entity.field_by_column.get(entry.column, entry.column): entry.personal for entry in entries(entity.table)}
    if not IDENTIFYING.isdisjoint(kinds.values()):
        return True
    return any(kinds.get(name) not in (None, PersonalData.NOT_PERSONAL) for name in names)


def row_arguments_of(plan: Plan, statement: CompiledStatement) -> tuple[RowArguments, ...]:
    """Where the arguments of a plan's statement name rows by id."""
    return tuple(part for node in _root_nodes(plan) for part in _row_arguments(node, statement))


def observe_conflict(reads: ObservedReads | None, mutation: MutationField, values: Any, error: HubError) -> None:
    """Notes that an error shows the current state of a row that a mutation was to change."""
    current: Any = error.extensions["current"]
    entity = next((part.entity for part in mutation.payload if part.entity is not None), None)
    if reads is not None and entity is not None and is_personal(entity, current):
        key = values.get("id") if isinstance(values, Mapping) else None
        reads.add_conflict(entity.declaration.prefix, entity.name, key, current)


def audit_conflicts(operation: Operation, reads: ObservedReads) -> AuditedRead:
    """What the errors of a mutation's conflicts show."""
    shown = {entity: sorted(names) for (_, entity), names in reads.conflicts.items()}
    roots = list(_root_fields(operation.node.selection_set, operation.fragments))
    return AuditedRead(operation.name, operation.document_hash, roots, shown, dict(reads.conflicts.keys()), frozenset())


def _row_arguments(node: Any, statement: CompiledStatement) -> Iterator[RowArguments]:
    names = [parameter.name for parameter in statement.parameters]
    if isinstance(node, BulkResults):
        for _, part in node.fields:
            if isinstance(part, ResultRow) and node.keys[part.key_index].name in names:
                keys = names.index(node.keys[part.key_index].name)
                yield RowArguments(keys, part.entity.declaration.prefix)
    elif isinstance(node, RowById):
        if node.key.name in names:
            yield RowArguments(names.index(node.key.name), node.entity.declaration.prefix)
    elif isinstance(node, RowsByIds) and {node.keys.name, node.types.name} <= set(names):
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
    elif isinstance(part, SearchTerms):
        if entity is not None:
            columns[entity].update(entity.field_by_column.get(name, name) for name in entity.declaration.search)
        for source in part.sources:
            names = source.join.entity.field_by_column
            columns.setdefault(source.join.entity, set()).update(names.get(name, name) for name in source.columns)
    elif isinstance(part, GroupKey):
        for link in part.joins:
            entity = link.entity
            columns.setdefault(entity, set())
        _collect(part.column, entity, columns)
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
