"""Makes single GraphQL types out of names and annotations, through Strawberry. What types there are is types.py's."""

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
LATER = StrawberryAnnotation(Any)  # while a type is made, when not all names are known; then each field gets its own


@dataclass(frozen=True, slots=True)
class Slot:
    """A field or argument to be made: GraphQL name, annotation as text over the shared names, description, arguments."""

    name: str
    annotation: str
    description: str
    arguments: tuple["Slot", ...] = ()


@dataclass(slots=True)
class Names:
    """The names that annotations may use, and the makers that add to them."""

    known: dict[str, Any] = field(default_factory=dict)
    steering: set[str] = field(default_factory=set)
    annotations: dict[str, StrawberryAnnotation] = field(default_factory=dict)

    def annotation(self, text: str) -> StrawberryAnnotation:
        """An annotation that is looked up when the schema is built, so that types may name each other freely.

        Fields of one annotation share it: looking it up takes longer than all else that is done for a field."""
        if text not in self.annotations:
            self.annotations[text] = StrawberryAnnotation(text, namespace=self.known)
        return self.annotations[text]

    def _field(self, slot: Slot, *, is_input: bool) -> StrawberryField:
        python_name = f"{slot.name}_" if slot.name in KEYWORDS else slot.name
        made = StrawberryField(
            python_name=python_name,
            graphql_name=slot.name,
            type_annotation=LATER,
            description=slot.description,
            **({"default": UNSET} if is_input and slot.annotation.endswith("| None") else {}),
        )
        made.arguments = [
            StrawberryArgument(
                python_name=each.name,
                graphql_name=each.name,
                type_annotation=self.annotation(each.annotation),
                description=each.description,
                default=UNSET,
            )
            for each in slot.arguments
        ]
        return made

    def _make(self, name: str, slots: Sequence[Slot], bases: tuple[type, ...], *, is_input: bool) -> type:
        fields = {made.python_name: made for made in (self._field(slot, is_input=is_input) for slot in slots)}
        body = {**fields, "__annotations__": dict.fromkeys(fields, Any), "__module__": __name__}
        return pytypes.new_class(name, bases, {}, lambda namespace: namespace.update(body))

    def _keep(self, name: str, made: type, slots: Sequence[Slot]) -> None:
        annotations = {slot.name: slot.annotation for slot in slots}
        for made_field in get_object_definition(made, strict=True).fields:
            # Strawberry points every field's annotation at the module of its class; ours live in `known`.
            if made_field.graphql_name in annotations:
                made_field.type_annotation = self.annotation(annotations[made_field.graphql_name])
        self.known[name] = made

    def output(
        self,
        name: str,
        description: str,
        slots: Sequence[Slot],
        *,
        implements: Sequence[str] = (),
        bases: tuple[type, ...] = (),
        resolved: Sequence[StrawberryField] = (),
    ) -> None:
        """An object type; `bases` are classes that bring fields of their own, `resolved` fields with a resolver."""
        made = self._make(name, slots, (*(self.known[each] for each in implements), *bases), is_input=False)
        for each in resolved:
            each.python_name = str(each.graphql_name)
            made.__annotations__[each.python_name] = Any
            setattr(made, each.python_name, each)
        annotations = [each.type_annotation for each in resolved]
        self._keep(name, strawberry.type(made, name=name, description=description), slots)
        for each, annotation in zip(resolved, annotations, strict=True):
            each.type_annotation = annotation

    def union(self, name: str, description: str, members: Sequence[str]) -> None:
        """A union of object types."""
        self.known[name] = Annotated[
            # By name only where there is no type yet: typing remembers unions of names, with what they once stood for.
            Union[tuple(self.known.get(each) or ForwardRef(each) for each in members)],  # noqa: UP007
            strawberry.union(name, description=description),
        ]

    def interface(self, name: str, description: str, slots: Sequence[Slot]) -> None:
        """An interface type."""
        made = self._make(name, slots, (), is_input=False)
        self._keep(name, strawberry.interface(made, name=name, description=description), slots)

    def input(self, name: str, description: str, slots: Sequence[Slot]) -> None:
        """An input type; slots annotated `| None` may be left out."""
        made = self._make(name, slots, (), is_input=True)
        self._keep(name, strawberry.input(made, name=name, description=description), slots)

    def enum(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """An enum type of (value, description) pairs whose values steer a plan, so that they are part of its key."""
        self.choices(name, description, values)
        self.steering.add(name)

    def choices(self, name: str, description: str, values: Sequence[tuple[str, str]]) -> None:
        """An enum type of (value, description) pairs that are values like any other."""
        members = {value: strawberry.enum_value(value, description=text) for value, text in values}
        made = cast(Callable[..., type[Enum]], Enum)(name, members)
        self.known[name] = strawberry.enum(made, name=name, description=description)
