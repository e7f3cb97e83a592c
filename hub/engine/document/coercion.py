"""Coerces JSON values to input types: one function per type, built when it is first needed.

graphql-core's `coerce_input_value` gives the same results, but inspects the type again for every value. Error messages for
values that do not fit come from graphql-core alone."""

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

CoerceFunction = Callable[[Any], Any]  # returns Undefined for a value that does not fit


class InputCoercers:
    """The functions of one schema. Types may contain themselves, so a function looks up those of its fields when first called."""

    def __init__(self) -> None:
        self._coercers: dict[GraphQLNamedInputType, CoerceFunction] = {}

    def for_type(self, type_: GraphQLInputType) -> CoerceFunction:
        """The function of a type. Only those of named types are cached: every document has new objects for their wrappers."""
        if isinstance(type_, GraphQLNonNull):
            return _non_null(self.for_type(type_.of_type))
        if isinstance(type_, GraphQLList):
            return _list(self.for_type(type_.of_type))
        coercer = self._coercers.get(type_)
        if coercer is None:
            new_coercer = (
                self._object(type_) if isinstance(type_, GraphQLInputObjectType) else _leaf(type_.coerce_input_value)
            )
            coercer = self._coercers[type_] = new_coercer
        return coercer

    def _object(self, type_: GraphQLInputObjectType) -> CoerceFunction:
        fields: list[tuple[str, str, CoerceFunction, Any]] = []

        def coerce(value: Any) -> Any:
            if value is None:
                return None
            if not isinstance(value, dict):
                return Undefined
            if not fields:
                fields[:] = [self._field(name, field) for name, field in type_.fields.items()]
            coerced, recognised = {}, 0
            for name, key, coerce_field, default in fields:
                if name in value:
                    recognised += 1
                    part = coerce_field(value[name])
                    if part is Undefined:
                        return Undefined
                    coerced[key] = part
                elif default is REQUIRED:
                    return Undefined
                elif default is not Undefined:
                    coerced[key] = default
            if recognised != len(value) or (
                type_.is_one_of and not (recognised == len(coerced) == 1 and None not in coerced.values())
            ):
                return Undefined
            return type_.out_type(coerced)

        return coerce

    def _field(self, name: str, field: GraphQLInputField) -> tuple[str, str, CoerceFunction, Any]:
        """The field's name, the name of its value, its function, and its default; Undefined for none."""
        default = coerce_default_value(field)
        required = default is Undefined and isinstance(field.type, GraphQLNonNull)
        return name, field.out_name or name, self.for_type(field.type), REQUIRED if required else default


REQUIRED = object()


def _non_null(inner: CoerceFunction) -> CoerceFunction:
    return lambda value: Undefined if value is None else inner(value)


def _list(inner: CoerceFunction) -> CoerceFunction:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        # A single value is coerced to a list of one.
        items = [inner(item) for item in (value if isinstance(value, list) else (value,))]
        return Undefined if any(item is Undefined for item in items) else items  # it also equals None

    return coerce


def _leaf(parse: CoerceFunction) -> CoerceFunction:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except Exception:
            return Undefined

    return coerce
