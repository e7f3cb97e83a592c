"""A schema narrowed to a viewer's rights: what they hide does not exist in it, so that errors, suggestions and introspection
treat it as an unknown name. The types are shallow copies, whose fields are copied when a document first needs them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_introspection_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.type.schema import InterfaceImplementations

from hub.engine.catalog.narrowing import narrow_catalog
from hub.engine.graphql_types.hidden_inputs import hide_inputs
from hub.engine.graphql_types.hidden_members import HiddenMembers, hidden_members
from hub.engine.graphql_types.schema_builder import Schema
from hub.rights import Rights, rights_of_roles

ROOTS = ("Query", "Mutation", "Subscription")


class Argument(NamedTuple):
    """The named type of an argument, and whether it must be set."""

    type_name: str
    required: bool


class Member(NamedTuple):
    """A field, an input field, an enum value or a union's type: the named type behind it, and its arguments."""

    type_name: str | None
    arguments: Mapping[str, Argument]
    required: bool = False


Members = Mapping[str, Mapping[str, Member]]


@lru_cache(maxsize=4)
def _members(core: GraphQLSchema) -> Members:
    """The members of every type of a schema, by names."""
    return {name: dict(_members_of(type_)) for name, type_ in core.type_map.items() if not is_introspection_type(type_)}


def _members_of(type_: GraphQLNamedType) -> Iterator[tuple[str, Member]]:
    match type_:
        case GraphQLObjectType() | GraphQLInterfaceType():
            for name, field in type_.fields.items():
                arguments = {
                    key: Argument(get_named_type(argument.type).name, is_required_argument(argument))
                    for key, argument in field.args.items()
                }
                yield name, Member(get_named_type(field.type).name, arguments)
        case GraphQLInputObjectType():
            for name, input_field in type_.fields.items():
                yield name, Member(get_named_type(input_field.type).name, {}, is_required_input_field(input_field))
        case GraphQLEnumType():
            yield from ((name, Member(None, {})) for name in type_.values)
        case GraphQLUnionType():
            yield from ((part.name, Member(part.name, {})) for part in type_.types)


def narrow(schema: Schema, rights: Rights) -> Schema:
    """The schema as a viewer with these rights may know it; worked out once for its roles."""
    if not rights.hides_names or not (rights.narrowed or schema.catalog.inside):
        return schema
    shared = rights_of_roles(rights)
    narrowed = shared.derived.get(schema.catalog)
    if narrowed is None:
        catalog = narrow_catalog(schema.catalog, shared)
        hidden = hidden_members(schema, catalog)
        hide_inputs(hidden, schema.catalog, catalog, schema.mutations, shared)
        members = _remaining(_members(schema.core), hidden)
        reachable = _reachable(schema.core, members)
        core = NarrowedSchema(schema.core, {name: members.get(name, {}) for name in reachable}, hidden.nullable)
        narrowed = shared.derived[schema.catalog] = replace(schema, core=core, catalog=catalog)
    assert isinstance(narrowed, Schema)
    return narrowed


def _remaining(members: Members, hidden: HiddenMembers) -> dict[str, dict[str, Member]]:
    """The members that exist: none whose own type, or the type of a required argument, has no members left."""
    remaining = {
        type_name: {
            name: _without_arguments(member, hidden.arguments.get((type_name, name), frozenset()))
            for name, member in parts.items()
            if name not in hidden.members.get(type_name, ())
        }
        for type_name, parts in members.items()
        if type_name not in hidden.types
    }
    for type_name in remaining:
        required = {name for name, member in members[type_name].items() if member.required}
        if not required <= remaining[type_name].keys():
            remaining[type_name] = {}  # an input that could never be complete
    while True:
        empty = hidden.types | {
            type_name
            for type_name, parts in remaining.items()
            if members[type_name] and not parts.keys() - hidden.idle.get(type_name, frozenset())
        }
        count = sum(len(parts) for parts in remaining.values())
        for type_name, parts in remaining.items():
            lacking = any(
                member.required and member.type_name in empty for name, member in parts.items()
            )  # an input that could never be given
            remaining[type_name] = {} if lacking or type_name in empty else dict(_live(parts, empty))
        if sum(len(parts) for parts in remaining.values()) == count:
            return remaining


def _without_arguments(member: Member, names: frozenset[str]) -> Member:
    return member._replace(arguments={key: part for key, part in member.arguments.items() if key not in names})


def _live(parts: Mapping[str, Member], empty: set[str] | frozenset[str]) -> Iterator[tuple[str, Member]]:
    for name, member in parts.items():
        if member.type_name in empty or any(a.required and a.type_name in empty for a in member.arguments.values()):
            continue
        lost = frozenset(key for key, argument in member.arguments.items() if argument.type_name in empty)
        yield name, _without_arguments(member, lost) if lost else member


def _reachable(core: GraphQLSchema, members: Mapping[str, Mapping[str, Member]]) -> list[str]:
    """The names of the types that exist, in the order of the schema."""
    directives = [argument.type for directive in core.directives for argument in directive.args.values()]
    reached = {name for name, type_ in core.type_map.items() if is_introspection_type(type_)}
    reached |= {get_named_type(type_).name for type_ in directives} | {"String", "Boolean"}
    waiting = [name for name in ROOTS if members.get(name)]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        type_ = core.type_map[name]
        if isinstance(type_, GraphQLInterfaceType):
            waiting += [part.name for part in core.get_possible_types(type_) if members.get(part.name)]
        for member in members.get(name, {}).values():
            waiting += [member.type_name] if member.type_name else []
            waiting += [argument.type_name for argument in member.arguments.values()]
    return [name for name in core.type_map if name in reached]


class NarrowedSchema(GraphQLSchema):
    """A schema with a part of the members of another one. Fields in `nullable` may be null here."""

    def __init__(self, core: GraphQLSchema, members: Members, nullable: Mapping[str, frozenset[str]]) -> None:
        self.assume_valid = True
        self._validation_errors = []
        self.description, self.extensions = core.description, core.extensions
        self.ast_node, self.extension_ast_nodes = None, ()
        self.directives = core.directives
        self._members, self._nullable = members, nullable
        self._types_by_name: dict[str, Any] = {name: self._copy(core.type_map[name]) for name in members}
        self.type_map = self._types_by_name
        self.query_type, self.mutation_type, self.subscription_type = map(self._types_by_name.get, ROOTS)
        self._sub_type_map = {}
        self._implementations_map = {
            name: InterfaceImplementations(
                objects=[
                    self._types_by_name[part.name] for part in implementations.objects if self._implements(part, name)
                ],
                interfaces=[],
            )
            for name, implementations in core._implementations_map.items()
        }

    def _implements(self, part: GraphQLNamedType, interface: str) -> bool:
        """Whether an object type still has the fields of an interface."""
        if part.name not in self._members or interface not in self._members:
            return False
        return self._members[interface].keys() <= self._members[part.name].keys()

    def _copy(self, type_: GraphQLNamedType) -> Any:
        """A copy with the remaining members; its fields are copied when they are first read."""
        if is_introspection_type(type_) or not self._members[type_.name]:
            return type_
        copy: Any = object.__new__(type(type_))
        copy.__dict__.update(type_.__dict__)
        for cached in ("fields", "interfaces", "types", "values", "_value_lookup"):
            copy.__dict__.pop(cached, None)
        names = self._members[type_.name]
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                copy._fields = partial(self._fields, type_)
                copy._interfaces = partial(self._interfaces, type_)
            case GraphQLInputObjectType():
                copy._fields = partial(self._input_fields, type_)
            case GraphQLEnumType():
                copy.__dict__["values"] = {name: value for name, value in type_.values.items() if name in names}
            case GraphQLUnionType():
                copy._types = partial(self._types, type_)
        return copy

    def _fields(self, type_: GraphQLObjectType | GraphQLInterfaceType) -> dict[str, GraphQLField]:
        nullable = self._nullable.get(type_.name, frozenset())
        return {
            name: self._field(type_.fields[name], member, nullable=name in nullable)
            for name, member in self._members[type_.name].items()
        }

    def _field(self, field: GraphQLField, member: Member, *, nullable: bool) -> GraphQLField:
        inner = field.type.of_type if nullable and isinstance(field.type, GraphQLNonNull) else field.type
        copy: GraphQLField = _shallow(field)
        copy.type = self._wrapped(inner)
        copy.args = {key: self._argument(field.args[key]) for key in member.arguments}
        return copy

    def _argument(self, argument: GraphQLArgument) -> GraphQLArgument:
        copy: GraphQLArgument = _shallow(argument)
        copy.type = self._wrapped(argument.type)
        return copy

    def _input_fields(self, type_: GraphQLInputObjectType) -> dict[str, GraphQLInputField]:
        fields = {}
        for name in self._members[type_.name]:
            fields[name] = copy = _shallow(type_.fields[name])
            copy.type = self._wrapped(type_.fields[name].type)
        return fields

    def _interfaces(self, type_: GraphQLObjectType | GraphQLInterfaceType) -> tuple[Any, ...]:
        return tuple(self.type_map[part.name] for part in type_.interfaces if self._implements(type_, part.name))

    def _types(self, type_: GraphQLUnionType) -> tuple[Any, ...]:
        return tuple(self.type_map[name] for name in self._members[type_.name])

    def _wrapped(self, type_: Any) -> Any:
        """The type of this schema in the same wrappers."""
        if isinstance(type_, GraphQLNonNull):
            return GraphQLNonNull(self._wrapped(type_.of_type))
        if isinstance(type_, GraphQLList):
            return GraphQLList(self._wrapped(type_.of_type))
        return self.type_map[type_.name]


def _shallow(part: Any) -> Any:
    copy = object.__new__(type(part))
    copy.__dict__.update(part.__dict__)
    return copy
