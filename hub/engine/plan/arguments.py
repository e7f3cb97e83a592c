"""Arguments of fields: literals and variables in one tree, the structure apart from the values.

Planning uses the structure only: which keys are present, how long a list of objects is, the plan-relevant enums and
Booleans. Everything else is an ArgumentValue, which is read when the plan runs."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    parse_value,
    value_from_ast,
)

from hub.engine.catalog.input_values import enum_value
from hub.engine.plan.parameters import ArgumentSource, ConstantValue, JsonLiteral, ListSource, VariablePath


class Unknown:
    """The type of the marker for a value that planning must not use."""


UNKNOWN = Unknown()
ABSENT = Unknown()
MAX_ID_TYPES = 2  # types of ids that a plan distinguishes: each combination is a plan of its own


@dataclass(frozen=True, slots=True)
class ArgumentValue:
    """A value that is read when the plan runs. `plan_value` is the value itself where the plan depends on it."""

    source: ArgumentSource
    plan_value: Any = UNKNOWN


ArgumentTree = dict[str, "ArgumentTree"] | list["ArgumentTree"] | ArgumentValue | None


class EmptiedObject(dict[str, ArgumentTree]):
    """An object of the document of which nothing is left, because its variables were left out or are null."""


def plan_value(tree: ArgumentTree) -> object:
    """The value that the plan depends on, such as an enum's; None for an absent argument."""
    return tree.plan_value if isinstance(tree, ArgumentValue) else None


def _nullable(type_: GraphQLInputType) -> Any:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


class ArgumentReader:
    """Reads the arguments of one operation; holds its variables while it is planned."""

    def __init__(self, plan_relevant_enums: frozenset[str], variables: Mapping[str, Any]) -> None:
        self._plan_relevant_enums = plan_relevant_enums
        self._variables = variables

    def affects_plan(self, type_: Any) -> bool:
        """Whether values of the type are part of a plan's cache key."""
        return type_.name == "Boolean" or (
            isinstance(type_, GraphQLEnumType) and type_.name in self._plan_relevant_enums
        )

    def current_value(self, value: ArgumentValue) -> Any:
        """The value in the operation that is planned. Use it only for what the plan's cache key holds too."""
        return value.source.read(self._variables)

    def arguments(self, node: FieldNode, declared: Mapping[str, GraphQLArgument]) -> dict[str, ArgumentTree]:
        """The arguments of a field, also those that are null; absent variables are left out."""
        arguments = {}
        for argument in node.arguments or ():
            tree = self._from_node(argument.value, declared[argument.name.value].type)
            if not isinstance(tree, Unknown):
                arguments[argument.name.value] = tree
        return arguments

    def variable(self, name: str, type_: Any) -> ArgumentTree:
        """The tree of a variable's value."""
        return self._from_value(self._variables[name], type_, VariablePath(name))

    def literal(self, text: str, type_: Any) -> ArgumentTree:
        """The tree of a GraphQL literal without variables."""
        tree = self._from_node(parse_value(text), type_)
        assert not isinstance(tree, Unknown)
        return tree

    def _value(self, type_: Any, source: ArgumentSource) -> ArgumentValue:
        plan_value = enum_value(source.read(self._variables)) if self.affects_plan(type_) else UNKNOWN
        return ArgumentValue(source, plan_value)

    def _from_node(self, node: ValueNode, type_: Any) -> "ArgumentTree | Unknown":
        type_ = _nullable(type_)
        if isinstance(node, VariableNode):
            name = node.name.value
            if name not in self._variables:
                return ABSENT
            return self._from_value(self._variables[name], type_, VariablePath(name))
        if isinstance(node, NullValueNode):
            return None
        if isinstance(type_, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
            parts = {
                object_field.name.value: self._from_node(object_field.value, type_.fields[object_field.name.value].type)
                for object_field in node.fields
            }
            present = {name: part for name, part in parts.items() if not isinstance(part, Unknown)}
            return EmptiedObject(present) if _is_emptied(node, present) else present
        if isinstance(type_, GraphQLList):
            return self._from_list_node(node, _nullable(type_.of_type))
        if isinstance(node, ListValueNode | ObjectValueNode):  # a JSON literal, which may hold variables
            return self._value(type_, JsonLiteral(node, type_))
        return self._value(type_, ConstantValue(value_from_ast(node, type_)))

    def _from_list_node(self, node: ValueNode, type_: Any) -> "ArgumentTree | Unknown":
        items = node.values if isinstance(node, ListValueNode) else (node,)
        parts = [self._from_node(item, type_) for item in items]
        present = [None if isinstance(part, Unknown) else part for part in parts]
        if isinstance(type_, GraphQLInputObjectType) or self.affects_plan(type_):
            return present
        return ArgumentValue(ListSource(tuple(item.source for item in present if isinstance(item, ArgumentValue))))

    def _from_value(self, value: Any, type_: Any, source: VariablePath) -> ArgumentTree:
        type_ = _nullable(type_)
        if value is None:
            return None
        if isinstance(type_, GraphQLInputObjectType):
            return {
                name: self._from_value(part, type_.fields[name].type, source.part(name)) for name, part in value.items()
            }
        if isinstance(type_, GraphQLList):
            inner = _nullable(type_.of_type)
            if isinstance(inner, GraphQLInputObjectType) or self.affects_plan(inner):
                return [self._from_value(part, inner, source.part(index)) for index, part in enumerate(value)]
            return ArgumentValue(source)
        return self._value(type_, source)


def _is_emptied(node: ObjectValueNode, present: Mapping[str, ArgumentTree]) -> bool:
    """Whether an object lost every field that it has in the document; nulls that the document writes are meant so."""
    return all(part is None for part in present.values()) and any(
        isinstance(object_field.value, VariableNode) for object_field in node.fields
    )


def plan_key_part(value: Any, type_: Any, plan_relevant_enums: frozenset[str]) -> Any:
    """The part of a variable's value that plans depend on: structure, nulls, plan-relevant enums, Booleans. It is hashable."""
    if value is None:
        return None
    type_ = _nullable(type_)
    if isinstance(type_, GraphQLInputObjectType):
        return tuple(
            (name, plan_key_part(part, type_.fields[name].type, plan_relevant_enums)) for name, part in value.items()
        )
    if isinstance(type_, GraphQLList):
        inner = _nullable(type_.of_type)
        if (
            isinstance(inner, GraphQLInputObjectType | GraphQLList)
            or inner.name in plan_relevant_enums
            or inner.name == "Boolean"
        ):
            parts = (plan_key_part(part, inner, plan_relevant_enums) for part in value)
            return tuple(parts) if isinstance(inner, GraphQLInputObjectType) else tuple(dict.fromkeys(parts))
        return True
    return enum_value(value) if type_.name in plan_relevant_enums or type_.name == "Boolean" else True


def id_prefixes(value: Any, known: Container[str]) -> tuple[str, ...] | None:
    """The types that an id, or a list of them, names by their prefixes; None where they are many, or one is not known.

    A plan for few types has a branch for each of them instead of one for every type of the graph."""
    ids = value if isinstance(value, list | tuple) else (value,)
    prefixes = {text.partition("_")[0] for text in ids if isinstance(text, str)}
    few = len(prefixes) <= MAX_ID_TYPES and all(prefix in known for prefix in prefixes)
    return tuple(sorted(prefixes)) if few else None
