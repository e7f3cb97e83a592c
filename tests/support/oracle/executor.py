"""The oracle: graphql-core with a resolver on every field, over rows in Python lists."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, cast

import graphql
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    Node,
    Visitor,
    build_schema,
    execute,
    print_schema,
    visit,
)
from graphql.execution import ExecutionResult
from graphql.type import GraphQLInterfaceType, GraphQLUnionType

from hub.engine.catalog.catalog import Catalog, Row, camel, shout
from hub.engine.graphql_types.schema_builder import Graph, Root
from hub.model.declarations import FoundBy, Interface, Many, Merged, One, OneOf, Resolved
from hub.viewer import Viewer
from oracle import figures
from oracle.data import Data, Record
from oracle.faults import Refused
from oracle.lists import PAGE_ARGUMENTS, Lists, page
from oracle.script import read
from oracle.values import exact, key_of, moment, moment_text, outward

Resolver = Callable[..., Any]
Info: TypeAlias = "graphql.GraphQLResolveInfo[Asked]"
LONGEST_KEY = 63
MOST_IDS = 100


@dataclass(slots=True)
class Asked:
    """One operation while it runs: what its viewer sees, and whether each root found something."""

    data: Data
    lists: Lists
    met: list[bool] = field(default_factory=list)

    def note(self, info: Info, found: object) -> None:
        if info.path.prev is None:
            self.met.append(bool(found))


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its data, its errors as (code, root field), and whether every root found something."""

    data: Any
    errors: tuple[tuple[str, str], ...]
    found: bool


class Oracle:
    """Answers operations from `data`."""

    def __init__(self, graph: Graph, data: Data) -> None:
        self.graph = graph
        self.data = data
        self.schema = build_schema(print_schema(graph.core))
        _attach(self.schema, graph)

    def answer(
        self, query: str, variables: Mapping[str, Any] | None, viewer: Viewer, at: datetime, name: str | None = None
    ) -> Told:
        """What the API must answer."""
        document = read(query)
        if _longest_key(document) > LONGEST_KEY:
            return Told(None, (("ALIAS_TOO_LONG", ""),), False)
        seen = self.data.seen_by(viewer)
        asked = Asked(seen, Lists(seen, at))
        result = execute(self.schema, document, None, asked, dict(variables or {}), name)
        assert isinstance(result, ExecutionResult)
        return Told(result.data, tuple(_codes(result)), bool(asked.met) and all(asked.met))


def _codes(result: ExecutionResult) -> Iterator[tuple[str, str]]:
    for error in result.errors or ():
        code = (error.extensions or {}).get("code")
        if code is None:
            raise error.original_error or error
        yield str(code), str(error.path[0]) if error.path else ""


class _Keys(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.longest = 0

    def enter_field(self, node: FieldNode, *_: Node) -> None:
        self.longest = max(self.longest, len((node.alias or node.name).value.encode()))


def _longest_key(document: DocumentNode) -> int:
    keys = _Keys()
    visit(document, keys)
    return keys.longest


def _attach(schema: GraphQLSchema, graph: Graph) -> None:
    decimal = schema.type_map["Decimal"]
    assert isinstance(decimal, GraphQLScalarType)
    decimal.parse_literal = _decimal_literal  # type: ignore[method-assign]
    for each in schema.type_map.values():
        if isinstance(each, GraphQLInterfaceType | GraphQLUnionType):
            each.resolve_type = lambda value, info, kind: str(value["$type"])
    for row in graph.catalog.rows.values():
        fields = cast(GraphQLObjectType, schema.type_map[row.name]).fields
        for name, resolver in _of_row(row, graph.catalog):
            fields[name].resolve = resolver
    assert schema.query_type is not None
    for name, root in graph.roots.items():
        schema.query_type.fields[name].resolve = _of_root(root)


def _decimal_literal(node: Any, variables: Mapping[str, Any] | None = None) -> Decimal:
    return exact(node.value)


def _of_row(row: Row, catalog: Catalog) -> Iterator[tuple[str, Resolver]]:
    prefix = row.declaration.prefix
    yield "id", lambda record, info: f"{prefix}_{record['id'].hex}"
    for column in row.columns.values():
        yield column.name, lambda record, info, c=column: outward(record[c.column.name], c.wire)
    for name, by in row.declaration.implements.items():
        yield catalog.interfaces[name].field, lambda record, info, by=by: moment_text(record[by])
    for name, how in row.resolved.items():
        yield name, _resolved(how, catalog)
    for name, link in row.links.items():
        match link:
            case One():
                yield name, _one(catalog.target(link.target), link.by)
            case Many():
                yield name, _many(row, name, catalog.target(link.target), link.by)
            case OneOf():
                yield name, _one_of([(catalog.target(target), by) for target, by in link.targets.items()])
            case Merged():
                yield name, _merged(row, name, link.interface, link.by)


def _one(target: Row, by: str) -> Resolver:
    def resolve(record: Record, info: Info) -> Record | None:
        asked: Asked = info.context
        return asked.data.get(target.name, record[by])

    return resolve


def _one_of(targets: Sequence[tuple[Row, str]]) -> Resolver:
    def resolve(record: Record, info: Info) -> Record | None:
        asked: Asked = info.context
        for target, by in targets:
            if record[by] is not None:
                return asked.data.get(target.name, record[by])
        return None

    return resolve


def _resolved(how: Resolved, catalog: Catalog) -> Resolver:
    def resolve(record: Record, info: Info, **arguments: Any) -> Any:
        asked: Asked = info.context
        found = how.resolver(None, **{need: record[need] for need in how.needs}, **arguments)
        if how.keys is None:
            return found
        rows = [asked.data.get(catalog.addresses[how.keys], key) for key in found]
        return [each for each in rows if each is not None]

    return resolve


def _mark(place: str, owner: Record | None, arguments: Mapping[str, Any]) -> str:
    """What tells one list from another: where it stands, whose it is, and what it was asked for."""
    asked = {key: value for key, value in arguments.items() if key not in PAGE_ARGUMENTS and value is not None}
    return json.dumps([place, owner and owner["id"].hex, asked], default=str, sort_keys=True)


def _connection(
    asked: Asked, row: Row, rows: Sequence[Record], place: str, owner: Record | None, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    chosen = asked.lists.chosen(row, rows, arguments)
    shown = page(chosen, _mark(place, owner, arguments), arguments)
    return shown | {"stats": lambda info: figures.stats(row, chosen)}


def _many(row: Row, name: str, target: Row, by: str) -> Resolver:
    def resolve(record: Record, info: Info, **arguments: Any) -> Any:
        asked: Asked = info.context
        linked = asked.data.linked(target.name, by, record["id"])
        return _connection(asked, target, linked, f"{row.name}.{name}", record, arguments)

    return resolve


def _merged(row: Row, name: str, interface: Interface, by: str) -> Resolver:
    def resolve(record: Record, info: Info, **arguments: Any) -> Any:
        asked: Asked = info.context
        found: list[tuple[datetime, Record]] = []
        for each in asked.data.catalog.implementing(interface.name):
            if arguments.get("types") is None or shout(each.name) in arguments["types"]:
                column = each.declaration.implements[interface.name]
                found.extend((entry[column], entry) for entry in asked.data.linked(each.name, by, record["id"]))
        if arguments.get("since") is not None:
            found = [pair for pair in found if pair[0] >= moment(arguments["since"])]
        if arguments.get("until") is not None:
            found = [pair for pair in found if pair[0] < moment(arguments["until"])]
        found.sort(key=lambda pair: (pair[0], pair[1]["id"]), reverse=True)
        entries = [entry for _, entry in found]
        return page(entries, _mark(f"{row.name}.{name}", record, arguments), arguments)

    return resolve


def _of_root(root: Root) -> Resolver:
    def resolve(source: None, info: Info, **arguments: Any) -> Any:
        asked: Asked = info.context
        found = _root(asked, root, arguments, info.field_name)
        count = found["totalCount"] if root.kind in ("list", "groups") else found
        asked.note(info, count if not isinstance(count, list) else any(count))
        return found

    return resolve


def _root(asked: Asked, root: Root, arguments: dict[str, Any], name: str) -> Any:
    rows = list(asked.data.catalog.rows.values())
    row = root.row
    if root.kind == "node" or row is None:
        if root.kind == "node":
            return _by_id(asked, rows, arguments["id"], None)
        if len(arguments["ids"]) > MOST_IDS:
            raise Refused("PAGE_LIMIT", "more than 100 ids")
        return [_by_id(asked, rows, each, None) for each in arguments["ids"]]
    every = asked.data.rows[row.name]
    match root.kind:
        case "one":
            return _by_id(asked, rows, arguments["id"], row)
        case "list":
            return _connection(asked, row, every, f"Query.{name}", None, arguments)
        case "groups":
            order = {key: arguments.get(key) for key in ("filter", "search")}
            return figures.groups(row, asked.lists.chosen(row, every, order), arguments)
        case _:
            assert root.found_by is not None
            return _found(asked, row, root.found_by, arguments[camel(root.found_by.name)])


def _by_id(asked: Asked, rows: Sequence[Row], text: str, row: Row | None) -> Record | None:
    found, key = key_of(text, rows, row)
    return asked.data.get(found.name, key)


def _found(asked: Asked, row: Row, how: FoundBy, given: Mapping[str, Any]) -> Record | None:
    wanted = how.normalize(given)
    candidates = [
        each
        for each in asked.data.rows[asked.data.of_table(how.table)]
        if all(
            wanted.get(name) is None or each[column.name] == _plain(wanted[name])
            for name, (column, _) in how.arguments.items()
        )
    ]
    for name, direction in reversed(how.prefer):
        candidates.sort(key=lambda each: each[name], reverse=direction == "desc")
    return asked.data.get(row.name, candidates[0][how.key]) if candidates else None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
