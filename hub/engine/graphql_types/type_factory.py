"""Creates single GraphQL types from names and annotations with Strawberry. schema_builder.py decides which types exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, ForwardRef, Literal, Union, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types import get_object_definition
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryObjectDefinition, StrawberryType
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

Category = Literal["object", "interface", "input"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field or argument to create; the annotation is text over the names in TypeFactory.types."""

    name: str
    annotation: str
    description: str
    arguments: tuple["FieldSpec", ...] = ()


class GeneratedField(StrawberryField):
    """A field without a resolver. Its annotation is resolved at its first use, when all types exist."""

    def resolve_type(self, *, type_definition: StrawberryObjectDefinition | None = None) -> StrawberryType | type[Any]:
        """The type of the field; fields with the same annotation share it, and no type is generic."""
        return cast(StrawberryAnnotation, self.type_annotation).resolve()


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

    def _field(self, spec: FieldSpec, category: Category) -> "GeneratedField":
        optional = category == "input" and spec.annotation.endswith("| None")
        generated = GeneratedField(
            python_name=spec.name,
            graphql_name=spec.name,
            description=spec.description,
            **({"default": UNSET} if optional else {}),
        )
        generated.type_annotation = self.annotation(spec.annotation)
        generated.arguments = [
            StrawberryArgument(
                python_name=argument.name,
                graphql_name=argument.name,
                type_annotation=self.annotation(argument.annotation),
                description=argument.description,
                default=UNSET,
            )
            for argument in spec.arguments
        ]
        return generated

    def _add(
        self,
        name: str,
        description: str,
        specs: Sequence[FieldSpec],
        category: Category,
        bases: tuple[type, ...] = (),
        resolved: Sequence[StrawberryField] = (),
    ) -> None:
        """Adds a class with Strawberry's definition of a type. The class has no attributes, because no instances exist:
        `strawberry.type` would make a dataclass of each, which took two thirds of the time in which the hub starts."""
        inherited = [definition for base in bases if (definition := get_object_definition(base))]
        fields = {field.python_name: field for definition in inherited for field in definition.fields}
        fields |= {spec.name: self._field(spec, category) for spec in specs}
        fields |= {field.python_name: field for field in resolved}
        definition = StrawberryObjectDefinition(
            name=name,
            is_input=category == "input",
            is_interface=category == "interface",
            interfaces=[definition for definition in inherited if definition.is_interface],
            description=description,
            directives=(),
            origin=object,
            extend=False,
            is_type_of=None,
            resolve_type=None,
            fields=[],
        )
        definition.fields = list(fields.values())  # set late: the constructor resolves types that need not exist yet
        cls = type(name, bases, {"__module__": __name__, "__strawberry_definition__": definition})
        definition.origin = cls
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
        for resolver_field in resolved:
            resolver_field.python_name = str(resolver_field.graphql_name)
        interfaces = (self.types[interface] for interface in implements)
        self._add(name, description, specs, "object", (*interfaces, *bases), resolved)

    def union(self, name: str, description: str, members: Sequence[str]) -> None:
        """Adds a union of object types."""
        self.types[name] = Annotated[
            # Names only for types that do not exist yet: typing caches unions of names with the types that they resolved to.
            Union[tuple(self.types.get(member) or ForwardRef(member) for member in members)],  # noqa: UP007
            strawberry.union(name, description=description),
        ]

    def interface(self, name: str, description: str, specs: Sequence[FieldSpec]) -> None:
        """Adds an interface type."""
        self._add(name, description, specs, "interface")

    def input(self, name: str, description: str, specs: Sequence[FieldSpec]) -> None:
        """Adds an input type; fields annotated `| None` are optional."""
        self._add(name, description, specs, "input")

    def enum(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """Adds an enum of (value, description) pairs whose values affect the plan and are part of its cache key."""
        self.value_enum(name, description, values)
        self.plan_relevant_enums.add(name)

    def value_enum(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """Adds an enum of (value, description) pairs whose values do not affect the plan."""
        members = {value: strawberry.enum_value(value, description=text) for value, text in values}
        enum_class = cast(Callable[..., type[Enum]], Enum)(name, members)
        self.types[name] = strawberry.enum(enum_class, name=name, description=description)
