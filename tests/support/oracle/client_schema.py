"""The schema of the oracle: read from SDL as a client reads it, so that it shares nothing with the engine's.

The SDL of the whole schema is read once; that of a role is cut out of it, because to read one takes a second."""

from collections.abc import Container, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from graphql import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    FieldDefinitionNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    NonNullTypeNode,
    TypeDefinitionNode,
    build_ast_schema,
    parse,
    print_schema,
)


def read_schema(whole: GraphQLSchema, part: GraphQLSchema) -> GraphQLSchema:
    """The schema that a client reads who knows `part` of the whole."""
    cut = (_cut(node, part) for node in _read(whole).definitions)
    document = DocumentNode(definitions=tuple(node for node in cut if node is not None))
    return build_ast_schema(document, assume_valid=True, assume_valid_sdl=True)


@lru_cache(maxsize=2)
def _read(schema: GraphQLSchema) -> DocumentNode:
    return parse(print_schema(schema), no_location=True)


def _cut(node: DefinitionNode, schema: GraphQLSchema) -> DefinitionNode | None:
    if isinstance(node, DirectiveDefinitionNode):
        return node
    assert isinstance(node, TypeDefinitionNode)
    type_ = schema.type_map.get(node.name.value)
    return None if type_ is None else _with_members(node, type_)


def _with_members(node: Any, type_: Any) -> DefinitionNode:
    parts: dict[str, object] = {}
    match type_:
        case GraphQLObjectType() | GraphQLInterfaceType():
            fields = _named(node.fields, type_.fields)
            parts["fields"] = tuple(_field(part, type_.fields[part.name.value]) for part in fields)
            parts["interfaces"] = _named(node.interfaces, {interface.name for interface in type_.interfaces})
        case GraphQLInputObjectType():
            parts["fields"] = _named(node.fields, type_.fields)
        case GraphQLEnumType():
            parts["values"] = _named(node.values, type_.values)
        case GraphQLUnionType():
            parts["types"] = _named(node.types, {member.name for member in type_.types})
    cut: DefinitionNode = replace(node, **parts)
    return cut


def _field(node: FieldDefinitionNode, field: GraphQLField) -> FieldDefinitionNode:
    inner = node.type
    if isinstance(inner, NonNullTypeNode) and not isinstance(field.type, GraphQLNonNull):
        inner = inner.type
    return replace(node, arguments=_named(node.arguments, field.args), type=inner)


def _named(nodes: Sequence[Any] | None, names: Container[str]) -> tuple[Any, ...]:
    return tuple(node for node in nodes or () if node.name.value in names)
