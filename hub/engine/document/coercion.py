"""From JSON to what an input type makes of it: one function per type, made when it is first needed.

graphql-core's `coerce_input_value` gives the same, and works out anew for every value of which kind its type is. What is wrong
with a value that does not fit is told by graphql-core alone."""

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedInputType,
    GraphQLNonNull,
    Undefined,
)
from graphql.utilities.coerce_input_value import coerce_default_value

Coerce = Callable[[Any], Any]  # gives Undefined for a value that does not fit


class Coercers:
    """The functions of one schema. Types that hold themselves are why each looks up its fields' when it is first called."""

    def __init__(self) -> None:
        self._made: dict[GraphQLNamedInputType, Coerce] = {}

    def of(self, kind: GraphQLInputType) -> Coerce:
        """The function of a type. Only those of named types are kept: what wraps them is another object in every document."""
        if isinstance(kind, GraphQLNonNull):
            return _given(self.of(kind.of_type))
        if isinstance(kind, GraphQLList):
            return _list(self.of(kind.of_type))
        found = self._made.get(kind)
        if found is None:
            made = self._object(kind) if isinstance(kind, GraphQLInputObjectType) else _leaf(kind.coerce_input_value)
            found = self._made[kind] = made
        return found

    def _object(self, kind: GraphQLInputObjectType) -> Coerce:
        fields: list[tuple[str, str, Coerce, Any]] = []

        def coerce(value: Any) -> Any:
            if value is None:
                return None
            if not isinstance(value, dict):
                return Undefined
            if not fields:
                fields[:] = [self._field(name, each) for name, each in kind.fields.items()]
            found, known = {}, 0
            for name, key, of, default in fields:
                if name in value:
                    known += 1
                    part = of(value[name])
                    if part is Undefined:
                        return Undefined
                    found[key] = part
                elif default is REQUIRED:
                    return Undefined
                elif default is not Undefined:
                    found[key] = default
            if known != len(value) or (
                kind.is_one_of and not (known == len(found) == 1 and None not in found.values())
            ):
                return Undefined
            return kind.out_type(found)

        return coerce

    def _field(self, name: str, field: GraphQLInputField) -> tuple[str, str, Coerce, Any]:
        """Its name, the name of its value, its function, and what it is when it is not given: Undefined for nothing."""
        default = coerce_default_value(field)
        required = default is Undefined and isinstance(field.type, GraphQLNonNull)
        return name, field.out_name or name, self.of(field.type), REQUIRED if required else default


REQUIRED = object()


def _given(inner: Coerce) -> Coerce:
    return lambda value: Undefined if value is None else inner(value)


def _list(inner: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        # A single value stands for a list of one.
        found = [inner(each) for each in (value if isinstance(value, list) else (value,))]
        return Undefined if any(each is Undefined for each in found) else found  # it equals None, too

    return coerce


def _leaf(read: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        try:
            return read(value)
        except Exception:
            return Undefined

    return coerce
