"""What a client gave for an argument: literals and variables in one tree, structure apart from values.

Planning looks at the structure only: which keys are there, how long a list of objects is, what a steering enum or a
Boolean says. Everything else is a Leaf, whose value is fetched when the plan runs; so one plan serves all values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
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
    Undefined,
    ValueNode,
    VariableNode,
    value_from_ast,
)

Fetch = Callable[[Mapping[str, Any]], Any]


class Unknown:
    """Marks a value that planning must not look at."""


UNKNOWN = Unknown()
ABSENT = Unknown()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that only a run knows; `known` is set for what steers the plan, `constant` for literals."""

    fetch: Fetch
    known: Any = UNKNOWN
    constant: bool = False


Given = dict[str, "Given"] | list["Given"] | Leaf | None


def _bare(of: GraphQLInputType) -> Any:
    return of.of_type if isinstance(of, GraphQLNonNull) else of


def plain(value: Any) -> Any:
    """An enum's value as text; anything else as it is."""
    return value.value if isinstance(value, Enum) else value


def sent_only(value: Any) -> Any:
    """A JSON literal without the variables in it that were not sent: absent from objects, null in lists."""
    if isinstance(value, dict):
        return {name: sent_only(part) for name, part in value.items() if part is not Undefined}
    if isinstance(value, list):
        return [None if part is Undefined else sent_only(part) for part in value]
    return value


class Reader:
    """Reads arguments of one operation, with its variables."""

    def __init__(self, steering: frozenset[str], variables: Mapping[str, Any]) -> None:
        self._steering = steering
        self._variables = variables

    def steers(self, of: Any) -> bool:
        """Whether values of the type are part of a plan's key."""
        return of.name == "Boolean" or (isinstance(of, GraphQLEnumType) and of.name in self._steering)

    def forget(self) -> None:
        """Lets go of the variables, so that a kept plan keeps nobody's values."""
        self._variables = {}

    def peek(self, leaf: Leaf) -> Any:
        """The value of a leaf in this very run: only for what the plan's key holds too, like the number of words."""
        return leaf.fetch(self._variables)

    def arguments(self, node: FieldNode, declared: Mapping[str, GraphQLArgument]) -> dict[str, Given]:
        """All arguments that were given, those that are null included; defaults of the schema filled in."""
        found = {}
        for each in node.arguments or ():
            given = self._of_node(each.value, declared[each.name.value].type)
            if not isinstance(given, Unknown):
                found[each.name.value] = given
        return found

    def _leaf(self, of: Any, fetch: Fetch, *, constant: bool = False) -> Leaf:
        known = plain(fetch(self._variables)) if self.steers(of) else UNKNOWN
        return Leaf(fetch, known, constant)

    def _of_node(self, node: ValueNode, of: Any) -> "Given | Unknown":
        of = _bare(of)
        if isinstance(node, VariableNode):
            name = node.name.value
            if name not in self._variables:
                return ABSENT
            return self._of_value(self._variables[name], of, lambda values: values[name])
        if isinstance(node, NullValueNode):
            return None
        if isinstance(of, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
            parts = {
                each.name.value: self._of_node(each.value, of.fields[each.name.value].type) for each in node.fields
            }
            return {name: part for name, part in parts.items() if not isinstance(part, Unknown)}
        if isinstance(of, GraphQLList):
            return self._of_list_node(node, _bare(of.of_type))
        if isinstance(node, ListValueNode | ObjectValueNode):  # a JSON literal, which may hold variables
            return self._leaf(of, lambda values: sent_only(value_from_ast(node, of, dict(values))))
        value = value_from_ast(node, of)
        return self._leaf(of, lambda values: value, constant=True)

    def _of_list_node(self, node: ValueNode, of: Any) -> "Given | Unknown":
        items = node.values if isinstance(node, ListValueNode) else (node,)
        parts = [self._of_node(each, of) for each in items]
        present = [None if isinstance(part, Unknown) else part for part in parts]
        if isinstance(of, GraphQLInputObjectType) or self.steers(of):
            return present
        fetches = [each.fetch for each in present if isinstance(each, Leaf)]
        return Leaf(lambda values: [fetch(values) for fetch in fetches])

    def _of_value(self, value: Any, of: Any, fetch: Fetch) -> Given:
        of = _bare(of)
        if value is None:
            return None
        if isinstance(of, GraphQLInputObjectType):
            return {
                name: self._of_value(part, of.fields[name].type, _inside(fetch, name)) for name, part in value.items()
            }
        if isinstance(of, GraphQLList):
            inner = _bare(of.of_type)
            if isinstance(inner, GraphQLInputObjectType) or self.steers(inner):
                return [self._of_value(part, inner, _inside(fetch, at)) for at, part in enumerate(value)]
            return Leaf(fetch)
        return self._leaf(of, fetch)


def _inside(fetch: Fetch, key: str | int) -> Fetch:
    return lambda values: fetch(values)[key]


def shape_of(value: Any, of: Any, steering: frozenset[str]) -> Any:
    """The part of a variable's value that steers planning: structure, nulls, steering enums and Booleans; hashable."""
    if value is None:
        return None
    of = _bare(of)
    if isinstance(of, GraphQLInputObjectType):
        return tuple((name, shape_of(part, of.fields[name].type, steering)) for name, part in value.items())
    if isinstance(of, GraphQLList):
        inner = _bare(of.of_type)
        if isinstance(inner, GraphQLInputObjectType | GraphQLList) or inner.name in steering or inner.name == "Boolean":
            parts = (shape_of(part, inner, steering) for part in value)
            return tuple(parts) if isinstance(inner, GraphQLInputObjectType) else tuple(dict.fromkeys(parts))
        return True
    return plain(value) if of.name in steering or of.name == "Boolean" else True
