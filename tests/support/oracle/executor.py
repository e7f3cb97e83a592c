"""The oracle: graphql-core with a resolver on every field, over rows in Python lists."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, cast

import graphql
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLFieldResolver,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    Node,
    Visitor,
    execute_sync,
    get_named_type,
    visit,
)
from graphql.execution import ExecutionResult
from graphql.type import GraphQLInterfaceType, GraphQLUnionType

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case, upper_snake
from hub.engine.graphql_types.schema_builder import RootField, Schema
from hub.errors import BadInput
from hub.model.declarations import (
    FieldResolver,
    Interface,
    Lookup,
    MergedConnection,
    ToMany,
    ToOne,
    UnionLink,
    parameter_name,
)
from hub.viewer import Viewer
from oracle import figures
from oracle.client_schema import read_schema
from oracle.clock_seconds import spent_so_far
from oracle.data import HIDDEN_LINKS, UNMASKED, DataRecord, Dataset
from oracle.faults import OracleError
from oracle.groups import groups
from oracle.lists import PAGE_ARGUMENTS, ListEvaluator, page
from oracle.script import parse_document
from oracle.values import parse_id, parse_timestamp, timestamp_text, to_decimal, to_output
from oracle.viewer_rows import group_resolvers

OracleInfo: TypeAlias = "graphql.GraphQLResolveInfo[OracleContext]"
MAX_KEY_BYTES = 63
# What SQL computes for resolvers, by the parameter that receives it.
EXPRESSIONS: Mapping[str, Callable[[DataRecord, Dataset, datetime], Any]] = {
    "spent_so_far": spent_so_far,
    "said": lambda customer, every_row, now: {
        record["source"]: record["facts"] for record in every_row.linked("SourceRecord", "customer_id", customer["id"])
    },
}
MAX_IDS = 100


@dataclass(slots=True)
class OracleContext:
    """One operation while it runs: what its viewer sees, and whether each root found something."""

    data: Dataset
    lists: ListEvaluator
    now: datetime
    viewer: Viewer
    every_row: Dataset  # those that the viewer does not see too
    non_empty_roots: list[bool] = field(default_factory=list)

    def record_root(self, info: OracleInfo, value: object) -> None:
        if info.path.prev is None:
            self.non_empty_roots.append(bool(value))


@dataclass(frozen=True, slots=True)
class ExpectedResponse:
    """An answer: its data, its errors as (code, root field), and whether every root found something."""

    data: Any
    errors: tuple[tuple[str, str], ...]
    non_empty: bool


class Oracle:
    """Answers operations from `data`. `whole` is the schema of which the graph's is a part."""

    def __init__(self, graph: Schema, data: Dataset, whole: GraphQLSchema | None = None) -> None:
        self.graph = graph
        self.data = data
        self.narrowed: dict[GraphQLSchema, Oracle] = {}  # by the schema of those who know less
        self.schema = read_schema(whole or graph.core, graph.core)
        _attach_resolvers(self.schema, graph)
        self._answers: dict[tuple[object, ...], ExpectedResponse] = {}

    def replace_data(self, data: Dataset) -> None:
        """Answers from other rows from now on."""
        self.data = data
        self.narrowed.clear()
        self._answers.clear()

    def answer(
        self, query: str, variables: Mapping[str, Any] | None, viewer: Viewer, now: datetime, name: str | None = None
    ) -> ExpectedResponse:
        """What the API must answer; an operation that comes again is not executed again."""
        key = (query, json.dumps(variables, sort_keys=True, default=repr), viewer, now, name)
        if key not in self._answers:
            self._answers[key] = self._execute(query, variables, viewer, now, name)
        return self._answers[key]

    def _execute(
        self, query: str, variables: Mapping[str, Any] | None, viewer: Viewer, now: datetime, name: str | None
    ) -> ExpectedResponse:
        document = parse_document(query)
        if _longest_key(document) > MAX_KEY_BYTES:
            return ExpectedResponse(None, (("ALIAS_TOO_LONG", ""),), False)
        visible = self.data.visible_to(viewer)
        context = OracleContext(visible, ListEvaluator(visible, now), now, viewer, self.data)
        result = execute_sync(self.schema, document, None, context, dict(variables or {}), name)
        return ExpectedResponse(
            result.data, tuple(_error_codes(result)), bool(context.non_empty_roots) and all(context.non_empty_roots)
        )


def _error_codes(result: ExecutionResult) -> Iterator[tuple[str, str]]:
    for error in result.errors or ():
        code = (error.extensions or {}).get("code")
        if code is None:
            raise error.original_error or error
        yield str(code), str(error.path[0]) if error.path else ""


class _ResponseKeyVisitor(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.longest = 0

    def enter_field(self, node: FieldNode, *_: Node) -> None:
        self.longest = max(self.longest, len((node.alias or node.name).value.encode()))


def _longest_key(document: DocumentNode) -> int:
    keys = _ResponseKeyVisitor()
    visit(document, keys)
    return keys.longest


def _attach_resolvers(schema: GraphQLSchema, graph: Schema) -> None:
    decimal = schema.type_map["Decimal"]
    assert isinstance(decimal, GraphQLScalarType)
    decimal.parse_literal = _decimal_literal  # type: ignore[method-assign]
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = lambda value, info, abstract_type: str(value["$type"])
    for entity in graph.catalog.with_rows:
        fields = cast(GraphQLObjectType, schema.type_map[entity.name]).fields
        for name, resolver in _row_resolvers(entity, graph.catalog):
            if name in fields:  # a narrowed type may lack the field of an interface
                fields[name].resolve = _unless_hidden(name, resolver)
    assert schema.query_type is not None
    for name, root in graph.roots.items():
        schema.query_type.fields[name].resolve = _root_resolver(root)
        if root.group is not None:
            group_fields = cast(GraphQLObjectType, schema.type_map[root.group.type_name]).fields
            for part, resolver in group_resolvers(root.group, graph.catalog, _connection):
                if part in group_fields:
                    group_fields[part].resolve = resolver


def _decimal_literal(node: Any, variables: Mapping[str, Any] | None = None) -> Decimal:
    return to_decimal(node.value)


def _row_resolvers(entity: CatalogEntity, catalog: Catalog) -> Iterator[tuple[str, GraphQLFieldResolver]]:
    prefix = entity.declaration.prefix
    yield "id", lambda record, info: f"{prefix}_{record['id'].hex}"
    for column in entity.columns.values():
        yield column.name, lambda record, info, c=column: to_output(record[c.column.name], c.scalar)
    for name, by in entity.declaration.implements.items():
        yield catalog.interfaces[name].field, lambda record, info, by=by: timestamp_text(record[by])
    for name, resolver in entity.resolvers.items():
        yield name, _resolver_field(resolver, catalog)
    for name, link in entity.links.items():
        match link:
            case ToOne():
                yield name, _to_one(catalog.target(link.target), link.by)
            case ToMany():
                yield name, _to_many(entity, name, catalog.target(link.target), link.by)
            case UnionLink():
                targets = [(catalog.target(target), by) for target, by in link.targets.items()]
                yield name, _union(targets, link.type_column)
            case MergedConnection():
                yield name, _merged_connection(entity, name, link.interface, link.by)


def _unless_hidden(name: str, resolver: GraphQLFieldResolver) -> GraphQLFieldResolver:
    """A resolver of links that roles may hide in single rows."""

    def resolve(record: DataRecord, info: OracleInfo, **arguments: Any) -> Any:
        return None if name in record.get(HIDDEN_LINKS, ()) else resolver(record, info, **arguments)

    return resolve


def _to_one(target: CatalogEntity, by: str) -> GraphQLFieldResolver:
    def resolve(record: DataRecord, info: OracleInfo) -> DataRecord | None:
        context: OracleContext = info.context
        return context.data.get(target.name, record[by])

    return resolve


def type_of(record: DataRecord, type_column: str) -> Any:
    """The type of the row that a link of several types leads to, also where a role hides the column that says it."""
    return record.get(f"{UNMASKED}{type_column}", record[type_column])


def _union(targets: Sequence[tuple[CatalogEntity, str]], type_column: str | None) -> GraphQLFieldResolver:
    def resolve(record: DataRecord, info: OracleInfo) -> DataRecord | None:
        context: OracleContext = info.context
        for target, by in targets:
            if record[by] is not None and (type_column is None or type_of(record, type_column) == target.name):
                return context.data.get(target.name, record[by])
        return None

    return resolve


def _resolver_field(resolver: FieldResolver, catalog: Catalog) -> GraphQLFieldResolver:
    def resolve(record: DataRecord, info: OracleInfo, **arguments: Any) -> Any:
        context: OracleContext = info.context
        values = {need: record[need] for need in resolver.needs} | ({"now": context.now} if resolver.takes_now else {})
        values |= {"viewer": context.viewer} if resolver.takes_viewer else {}
        values |= {"redirects": {}} if resolver.takes_redirects else {}  # it merges nobody
        for name, _ in resolver.expressions:
            values[name] = EXPRESSIONS[name](record, context.every_row, context.now)
        if "may_write" in dict(resolver.conditions):
            values["may_write"] = context.every_row.may_update(record, resolver.needs[0], context.viewer)
        declared = info.parent_type.fields[info.field_name].args
        read = {n: _resolver_argument(value, get_named_type(declared[n].type).name) for n, value in arguments.items()}
        try:
            result = resolver.function(None, **values, **{parameter_name(name): read[name] for name in read})
        except BadInput as error:
            raise OracleError(error.code, error.message) from None
        if resolver.returns is None:
            return timestamp_text(result) if isinstance(result, datetime) else result
        rows = [context.data.get(resolver.returns.__name__, key) for key in result]
        return [row for row in rows if row is not None]

    return resolve


def _resolver_argument(value: Any, type_name: str) -> Any:
    """An argument as a resolver takes it."""
    if isinstance(value, str) and type_name in ("DateTime", "Date"):
        return parse_timestamp(value) if type_name == "DateTime" else date.fromisoformat(value)
    return value


def _list_fingerprint(list_name: str, owner: DataRecord | None, arguments: Mapping[str, Any]) -> str:
    """What tells one list from another: where it stands, whose it is, and what it was asked for."""
    list_arguments = {key: value for key, value in arguments.items() if key not in PAGE_ARGUMENTS and value is not None}
    return json.dumps([list_name, owner and owner["id"].hex, list_arguments], default=str, sort_keys=True)


def _connection(
    context: OracleContext,
    entity: CatalogEntity,
    rows: Sequence[DataRecord],
    list_name: str,
    owner: DataRecord | None,
    arguments: Mapping[str, Any],
    *,
    nested: bool = False,
) -> dict[str, Any]:
    matching = context.lists.matching(entity, rows, arguments)
    if entity.aggregate_only and len(matching) < figures.least(entity):
        matching = []
    fingerprint = _list_fingerprint(list_name, owner, arguments)
    connection = page(matching, fingerprint, arguments, nested=nested or owner is not None)
    return connection | {"stats": lambda info: figures.stats(entity, matching)}


def _to_many(entity: CatalogEntity, name: str, target: CatalogEntity, by: str) -> GraphQLFieldResolver:
    def resolve(record: DataRecord, info: OracleInfo, **arguments: Any) -> Any:
        context: OracleContext = info.context
        linked = context.data.linked(target.name, by, record["id"])
        return _connection(context, target, linked, f"{entity.name}.{name}", record, arguments)

    return resolve


def _merged_connection(entity: CatalogEntity, name: str, interface: Interface, by: str) -> GraphQLFieldResolver:
    def resolve(record: DataRecord, info: OracleInfo, **arguments: Any) -> Any:
        context: OracleContext = info.context
        dated_entries: list[tuple[datetime, DataRecord]] = []
        for implementing in context.data.catalog.implementing(interface.name):
            if arguments.get("types") is None or upper_snake(implementing.name) in arguments["types"]:
                column = implementing.declaration.implements[interface.name]
                dated_entries.extend(
                    (entry[column], entry) for entry in context.data.linked(implementing.name, by, record["id"])
                )
        if arguments.get("since") is not None:
            dated_entries = [pair for pair in dated_entries if pair[0] >= parse_timestamp(arguments["since"])]
        if arguments.get("until") is not None:
            dated_entries = [pair for pair in dated_entries if pair[0] < parse_timestamp(arguments["until"])]
        dated_entries.sort(key=lambda pair: (pair[0], pair[1]["id"]), reverse=True)
        entries = [entry for _, entry in dated_entries]
        fingerprint = _list_fingerprint(f"{entity.name}.{name}", record, arguments)
        return page(entries, fingerprint, arguments, nested=True)

    return resolve


def _root_resolver(root: RootField) -> GraphQLFieldResolver:
    def resolve(source: None, info: OracleInfo, **arguments: Any) -> Any:
        context: OracleContext = info.context
        result = _root(context, root, arguments, info.field_name)
        count = result["totalCount"] if root.category in ("list", "groups") else result
        context.record_root(info, count if not isinstance(count, list) else any(count))
        return result

    return resolve


def _root(context: OracleContext, root: RootField, arguments: dict[str, Any], name: str) -> Any:
    if root.group is not None:
        return {"$type": root.group.type_name}
    entities = list(context.data.catalog.entities.values())
    entity = root.entity
    if root.category == "node" or entity is None:
        if root.category == "node":
            return _by_id(context, entities, arguments["id"], None)
        if len(arguments["ids"]) > MAX_IDS:
            raise OracleError("PAGE_LIMIT", "more than 100 ids")
        return [_by_id(context, entities, id_, None) for id_ in arguments["ids"]]
    records = context.data.rows[entity.name]
    match root.category:
        case "one":
            return _by_id(context, entities, arguments["id"], entity)
        case "list":
            return _connection(context, entity, records, f"Query.{name}", None, arguments)
        case "groups":
            order = {key: arguments.get(key) for key in ("filter", "search")}
            matching = context.lists.matching(entity, records, order)
            fingerprint = _list_fingerprint(f"Query.{name}", None, arguments)
            return groups(context.data, entity, matching, arguments, fingerprint)
        case _:
            assert root.lookup is not None
            return _lookup(context, entity, root.lookup, arguments[camel_case(root.lookup.name)])


def _by_id(
    context: OracleContext, entities: Sequence[CatalogEntity], text: str, entity: CatalogEntity | None
) -> DataRecord | None:
    actual_entity, key = parse_id(text, entities, entity)
    return context.data.get(actual_entity.name, key)


def _lookup(
    context: OracleContext, entity: CatalogEntity, lookup: Lookup, arguments: Mapping[str, Any]
) -> DataRecord | None:
    try:
        normalized = lookup.normalize(arguments)
    except BadInput as error:
        raise OracleError(error.code, error.message) from None
    candidates = [
        record
        for record in context.data.rows[context.data.type_of_table(lookup.table)]
        if all(
            normalized.get(name) is None or record[column.name] == _enum_value(normalized[name])
            for name, column in lookup.compared.items()
        )
    ]
    for name, direction in reversed(lookup.prefer):
        candidates.sort(key=lambda record: record[name], reverse=direction == "desc")
    return context.data.get(entity.name, candidates[0][lookup.key]) if candidates else None


def _enum_value(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
