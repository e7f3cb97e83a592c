"""Creates single GraphQL types from names and annotations with Strawberry. schema_builder.py decides which types exist."""

import types as pytypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, ForwardRef, Union, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types import get_object_definition
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

KEYWORDS = {"in", "not", "and", "or", "from"}
DEFERRED = StrawberryAnnotation(Any)  # placeholder until all types exist; then each field gets its own annotation


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field or argument to create; the annotation is text over the names in TypeFactory.types."""

    name: str
    annotation: str
    description: str
    arguments: tuple["FieldSpec", ...] = ()


@dataclass(slots=True)
class TypeFactory:
    """Creates types and collects them by name, so that annotations can refer to them."""

    types: dict[str, Any] = field(default_factory=dict)
    plan_relevant_enums: set[str] = field(default_factory=set)
    annotations: dict[str, StrawberryAnnotation] = field(default_factory=dict)

    def annotation(self, text: str) -> StrawberryAnnotation:
        """Returns an annotation that is resolved when the schema is built, so that types may refer to each other.

        Fields with equal annotations share one, because resolving it is the slowest step of building a field."""
        if text not in self.annotations:
            self.annotations[text] = StrawberryAnnotation(text, namespace=self.types)
        return self.annotations[text]

    def _field(self, spec: FieldSpec, *, is_input: bool) -> StrawberryField:
        python_name = f"{spec.name}_" if spec.name in KEYWORDS else spec.name
        strawberry_field = StrawberryField(
            python_name=python_name,
            graphql_name=spec.name,
            type_annotation=DEFERRED,
            description=spec.description,
            **({"default": UNSET} if is_input and spec.annotation.endswith("| None") else {}),
        )
        strawberry_field.arguments = [
            StrawberryArgument(
                python_name=argument.name,
                graphql_name=argument.name,
                type_annotation=self.annotation(argument.annotation),
                description=argument.description,
                default=UNSET,
            )
            for argument in spec.arguments
        ]
        return strawberry_field

    def _create_class(self, name: str, specs: Sequence[FieldSpec], bases: tuple[type, ...], *, is_input: bool) -> type:
        fields = {
            strawberry_field.python_name: strawberry_field
            for strawberry_field in (self._field(spec, is_input=is_input) for spec in specs)
        }
        body = {**fields, "__annotations__": dict.fromkeys(fields, Any), "__module__": __name__}
        return pytypes.new_class(name, bases, {}, lambda namespace: namespace.update(body))

    def _register(self, name: str, cls: type, specs: Sequence[FieldSpec]) -> None:
        annotations = {spec.name: spec.annotation for spec in specs}
        for type_field in get_object_definition(cls, strict=True).fields:
            # Strawberry resolves annotations in the module of the class; our names are in `types`.
            if type_field.graphql_name in annotations:
                type_field.type_annotation = self.annotation(annotations[type_field.graphql_name])
        self.types[name] = cls

    def output(
        self,
        name: str,
        description: str,
        specs: Sequence[FieldSpec],
        *,
        implements: Sequence[str] = (),
        bases: tuple[type, ...] = (),
        resolved: Sequence[StrawberryField] = (),
    ) -> None:
        """Adds an object type; `bases` are classes with more fields, `resolved` are fields with a resolver."""
        cls = self._create_class(
            name, specs, (*(self.types[interface] for interface in implements), *bases), is_input=False
        )
        for resolver_field in resolved:
            resolver_field.python_name = str(resolver_field.graphql_name)
            cls.__annotations__[resolver_field.python_name] = Any
            setattr(cls, resolver_field.python_name, resolver_field)
        annotations = [resolver_field.type_annotation for resolver_field in resolved]
        self._register(name, strawberry.type(cls, name=name, description=description), specs)
        for resolver_field, annotation in zip(resolved, annotations, strict=True):
            resolver_field.type_annotation = annotation

    def union(self, name: str, description: str, members: Sequence[str]) -> None:
        """Adds a union of object types."""
        self.types[name] = Annotated[
            # Names only for types that do not exist yet: typing caches unions of names with the types that they resolved to.
            Union[tuple(self.types.get(member) or ForwardRef(member) for member in members)],  # noqa: UP007
            strawberry.union(name, description=description),
        ]

    def interface(self, name: str, description: str, specs: Sequence[FieldSpec]) -> None:
        """Adds an interface type."""
        cls = self._create_class(name, specs, (), is_input=False)
        self._register(name, strawberry.interface(cls, name=name, description=description), specs)

    def input(self, name: str, description: str, specs: Sequence[FieldSpec]) -> None:
        """Adds an input type; fields annotated `| None` are optional."""
        cls = self._create_class(name, specs, (), is_input=True)
        self._register(name, strawberry.input(cls, name=name, description=description), specs)

    def enum(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """Adds an enum of (value, description) pairs whose values affect the plan and are part of its cache key."""
        self.value_enum(name, description, values)
        self.plan_relevant_enums.add(name)

    def value_enum(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """Adds an enum of (value, description) pairs whose values do not affect the plan."""
        members = {value: strawberry.enum_value(value, description=text) for value, text in values}
        enum_class = cast(Callable[..., type[Enum]], Enum)(name, members)
        self.types[name] = strawberry.enum(enum_class, name=name, description=description)
