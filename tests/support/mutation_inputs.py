"""Inputs of mutations from the schema: values like those of stored rows, and ids of rows of the types that they name."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from oracle.data import Dataset, public_id
from oracle.values import to_output

from hub.engine.catalog.catalog import Catalog, CatalogEntity
from hub.model.commands import registered_commands
from hub.model.entity import Entity
from hub.text_case import camel_case

# The type whose id an input field takes, where its name does not say so.
TARGETS = {
    "owner": "Staff",
    "unit": "OrgUnit",
    "parent": "OrgUnit",
    "reportsTo": "Staff",
    "key": "ApiKey",
    "other": "Customer",
}
SCALARS: Mapping[str, Any] = {
    "Int": 1,
    "Float": 1.0,
    "Decimal": "1.5",
    "Boolean": True,
    "DateTime": "2026-11-30T00:00:00Z",
    "Date": "1990-01-01",
    "JSON": {},
    "String": "some.text",
}
TEXTS = {"country": "DE", "shipCountry": "DE", "currency": "EUR", "language": "de", "source": "shop", "timezone": "UTC"}
ABSENT_KEY = "0" * 31 + "7"


@dataclass(slots=True)
class MutationInput:
    """An input of one mutation, and where ids stand in it: their paths and the types that they belong to."""

    root: str
    value: dict[str, Any]
    ids: list[tuple[tuple[Any, ...], str]] = field(default_factory=list)

    def replaced(self, path: tuple[Any, ...], new: str) -> dict[str, Any]:
        """The input with another id at a path."""
        return _replaced(self.value, path, new)  # type: ignore[no-any-return]


@cache
def _targets_of_commands() -> dict[tuple[str, str], str]:
    """By command and name of a parameter, the type of the row that the parameter names."""
    targets: dict[tuple[str, str], str] = {}
    for registered in registered_commands():
        for parameter in signature(registered.function).parameters.values():
            for note in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(note, type) and issubclass(note, Entity):
                    key = camel_case(parameter.name)
                    targets |= {(name, key): note.__name__ for name in (registered.name, registered.bulk_name) if name}
    return targets


def _replaced(value: Any, path: tuple[Any, ...], new: str) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [_replaced(item, path[1:], new) if index == path[0] else item for index, item in enumerate(value)]
    return {name: _replaced(item, path[1:], new) if name == path[0] else item for name, item in value.items()}


def entity_of(catalog: Catalog, root: str) -> CatalogEntity | None:
    """The type of the rows that a mutation is about: that of the row that a command names by `id`, or that of its name."""
    target = _targets_of_commands().get((root, "id"))
    if target is not None:
        return catalog.entities.get(target)
    names = {
        spelling: entity
        for entity in catalog.entities.values()
        for spelling in (entity.declaration.singular, entity.declaration.plural)
    }
    fitting = [spelling for spelling in names if root.startswith(spelling)]
    return names[max(fitting, key=len)] if fitting else None


class MutationInputs:
    """Draws inputs over the rows that a viewer sees, for the mutations of the schema that it knows."""

    def __init__(self, schema: GraphQLSchema, catalog: Catalog, visible: Dataset, rng: random.Random) -> None:
        self._schema = schema
        self._catalog = catalog
        self._visible = visible
        self._rng = rng

    def roots(self) -> list[str]:
        """The mutations that there are."""
        return list(self._schema.mutation_type.fields) if self._schema.mutation_type else []

    def draw(self, root: str, *, optional: bool = True) -> MutationInput:
        """An input of the mutation: what must be given, and a part of the rest if `optional`."""
        assert self._schema.mutation_type is not None
        drawn = MutationInput(root, {})
        type_ = get_named_type(self._schema.mutation_type.fields[root].args["input"].type)
        assert isinstance(type_, GraphQLInputObjectType)
        drawn.value = self._object(type_, entity_of(self._catalog, root), drawn, ())
        if not optional:
            drawn.value = {name: v for name, v in drawn.value.items() if is_required_input_field(type_.fields[name])}
        return drawn

    def document(self, root: str) -> str:
        """The mutation with its input as a variable; it selects the rows that it gives."""
        assert self._schema.mutation_type is not None
        payload = get_named_type(self._schema.mutation_type.fields[root].type)
        assert isinstance(payload, GraphQLObjectType)
        input_type = self._schema.mutation_type.fields[root].args["input"].type
        return (
            f"mutation ($input: {input_type}) {{ {root}(input: $input) {{ {' '.join(self._selected(payload, 2))} }} }}"
        )

    def _selected(self, type_: GraphQLObjectType, depth: int) -> Iterator[str]:
        yield "__typename"
        for name, member in type_.fields.items():
            inner = get_named_type(member.type)
            if isinstance(inner, GraphQLObjectType):
                if depth and not any(argument.type for argument in member.args.values()):
                    yield f"{name} {{ {' '.join(self._selected(inner, depth - 1))} }}"
            elif not member.args and not hasattr(inner, "types") and not name.endswith("ecret") and name != "key":
                yield name if not hasattr(inner, "interfaces") else "__typename"

    def _object(
        self, type_: GraphQLInputObjectType, entity: CatalogEntity | None, drawn: MutationInput, path: tuple[Any, ...]
    ) -> dict[str, Any]:
        fields = type_.fields
        value = {}
        for name, member in fields.items():
            likely = 0.85 if get_named_type(member.type).name == "ID" else 0.3
            if is_required_input_field(member) or len(fields) == 1 or self._rng.random() < likely:
                value[name] = self._value(member.type, name, entity, drawn, (*path, name))
        value.pop("expectedVersion", None)
        value.pop("dryRun", None)
        return value

    def _value(
        self,
        type_: GraphQLInputType,
        name: str,
        entity: CatalogEntity | None,
        drawn: MutationInput,
        path: tuple[Any, ...],
    ) -> Any:
        if is_non_null_type(type_):
            type_ = type_.of_type
        if is_list_type(type_):
            return [self._value(type_.of_type, name, entity, drawn, (*path, 0))]
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, entity, drawn, path)
        if isinstance(type_, GraphQLEnumType):
            return self._rng.choice(list(type_.values))
        if get_named_type(type_).name == "ID":
            return self._id(name, entity, drawn, path)
        return self._scalar(get_named_type(type_).name, name, entity)

    def _id(self, name: str, entity: CatalogEntity | None, drawn: MutationInput, path: tuple[Any, ...]) -> str:
        link = name.removesuffix("Ids").removesuffix("Id")
        target = TARGETS.get(link, link[:1].upper() + link[1:])
        if name in ("id", "ids") and entity is not None:
            target = entity.name
        target = _targets_of_commands().get((drawn.root, name), target)
        if target not in self._catalog.entities:
            return f"cus_{ABSENT_KEY}"
        drawn.ids.append((path, target))
        rows = self._visible.rows.get(target, [])
        if not rows:
            return f"{self._catalog.entities[target].declaration.prefix}_{ABSENT_KEY}"
        return public_id(self._visible, self._rng.choice(rows))

    def _scalar(self, scalar: str, name: str, entity: CatalogEntity | None) -> Any:
        column = entity.columns.get(name) if entity else None
        if name in ("number", "sku", "code", "email", "name") or column is None:
            fresh = f"t{self._rng.randrange(10**9)}"
            return (
                TEXTS.get(name, {"email": f"{fresh}@example.org"}.get(name, fresh))
                if scalar == "String"
                else SCALARS[scalar]
            )
        values = [row[column.column.name] for row in self._visible.rows.get(entity.name, [])[:40]] if entity else []
        known = [value for value in values if value is not None]
        return to_output(self._rng.choice(known), column.scalar) if known else TEXTS.get(name, SCALARS.get(scalar, "x"))
