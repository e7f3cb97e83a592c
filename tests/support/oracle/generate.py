"""Chance with a memory: draws for one operation, the features that were drawn, its variables and fragments.

Also writes values into documents, some of them by way of variables."""

import json
import random
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)

from hub.engine.catalog.catalog import Row
from hub.model.declarations import Many
from oracle.conditions import Conditions
from oracle.data import Data

T = TypeVar("T")
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,8})(\.\d+)?")
_BARE = ("Int", "Boolean", "Float")


class Draw:
    """The draws of one operation."""

    def __init__(self, seed: str, schema: GraphQLSchema, data: Data, at: datetime) -> None:
        self.random = random.Random(seed)
        self.schema = schema
        self.data = data
        self.catalog = data.catalog
        self.at = at
        self.conditions = Conditions(data, at)
        self.features: set[str] = set()
        self.variables: dict[str, Any] = {}
        self.declared: dict[str, str] = {}
        self.fragments: list[str] = []
        self.directives = 0
        # How much more may be written; whoever is about to write something optional looks here.
        self.left = 78

    def chance(self, probability: float, feature: str = "") -> bool:
        """True with the probability; the feature then counts as used."""
        drawn = self.random.random() < probability
        if drawn and feature:
            self.features.add(feature)
        return drawn

    def use(self, *features: str) -> None:
        self.features.update(features)

    def pick(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Several different ones, in any order."""
        return self.random.sample(choices, min(len(choices), self.random.randint(least, most)))

    def counted(self, row: Row, names: Sequence[str]) -> list[str]:
        """Links by name, those over rows with numbers several times, for figures are taken of few others."""
        found = []
        for name in names:
            link = row.links[name]
            numbers = isinstance(link, Many) and any(
                each.wire.number for each in self.catalog.target(link.target).aggregable
            )
            found.extend([name] * (5 if numbers else 1))
        return found

    def spend(self, amount: int) -> bool:
        """Whether there is room left for something of this size, which then is taken."""
        if self.left < amount:
            return False
        self.left -= amount
        return True

    def declare(self, kind: str, value: Any, *, default: str | None = None, given: bool = True) -> str:
        """A variable of this type; `given` says whether the request carries its value."""
        for name, declaration in self.declared.items():
            alike = declaration == kind and default is None and given and name in self.variables
            if alike and repr(self.variables[name]) == repr(value) and self.chance(0.85):
                self.use("variable used twice")
                return f"${name}"
        name = f"v{len(self.declared)}"
        self.declared[name] = kind + (f" = {default}" if default is not None else "")
        if given:
            self.variables[name] = value
        return f"${name}"

    def header(self, name: str | None) -> str:
        """The operation's head with the variables that were declared."""
        declarations = ", ".join(f"${each}: {kind}" for each, kind in self.declared.items())
        return "query" + (f" {name}" if name else "") + (f"({declarations})" if declarations else "")

    def write(self, value: Any, kind: GraphQLInputType, place: str = "argument") -> str:
        """The value as it stands in the document, whole or in part as variables."""
        probability = {"argument": 0.2, "leaf": 0.15}.get(place, 0.06)
        if value is not None and self.chance(probability):
            return self._variable(value, kind, place)
        return self.literal(value, kind)

    def _variable(self, value: Any, kind: GraphQLInputType, place: str) -> str:
        composite = isinstance(get_named_type(kind), GraphQLInputObjectType)
        listed = is_list_type(kind.of_type if is_non_null_type(kind) else kind)
        what = "list" if listed else "object" if composite else "leaf"
        self.use(f"variable: {'whole argument' if place == 'argument' and composite else what}")
        loose = str(kind.of_type) if is_non_null_type(kind) else str(kind)
        if writable(value) and self.chance(0.2, "variable: default"):
            text = _Plain(self).literal(value, kind)
            return self.declare(self.pick([loose, loose + "!"]), value, default=text, given=self.chance(0.2))
        strict = is_non_null_type(kind) or self.chance(0.4)
        return self.declare(loose + "!" if strict else loose, value)

    def literal(self, value: Any, kind: GraphQLInputType) -> str:
        """The value written out; what is inside it may still be variables."""
        if is_non_null_type(kind):
            kind = kind.of_type
        if value is None:
            return "null"
        if is_list_type(kind):
            if not isinstance(value, list):
                return self.literal(value, kind.of_type)
            return "[" + ", ".join(self.write(each, kind.of_type, "inside") for each in value) + "]"
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(value, kind)
        if isinstance(kind, GraphQLEnumType):
            return str(value)
        name = get_named_type(kind).name
        if name == "JSON":
            return json_literal(value) if writable(value) else self.declare("JSON!", value)
        if name in _BARE:
            return json.dumps(value)
        if name == "Decimal":
            return str(value) if _NUMBER.fullmatch(str(value)) and self.chance(0.3) else json.dumps(str(value))
        return json.dumps(value, ensure_ascii=self.chance(0.2))

    def _object(self, value: dict[str, Any], kind: GraphQLInputObjectType) -> str:
        parts = []
        for name, each in value.items():
            of = kind.fields[name].type
            composite = isinstance(get_named_type(of), GraphQLInputObjectType) or is_list_type(of)
            parts.append(f"{name}: {self.write(each, of, 'inside' if composite else 'leaf')}")
        if self.chance(0.08):
            parts.extend(self._nothing(value, kind))
        return "{" + ", ".join(parts) + "}"

    def _nothing(self, value: dict[str, Any], kind: GraphQLInputObjectType) -> list[str]:
        """A field that counts as absent: a variable that is left out, or null where that means nothing."""
        free = [name for name, each in kind.fields.items() if name not in value and not is_required_input_field(each)]
        if not free:
            return []
        name = self.pick(free)
        of = kind.fields[name].type
        if kind.name.endswith("Filter") and isinstance(get_named_type(of), GraphQLInputObjectType) and self.chance(0.5):
            self.use("null for absent")
            return [f"{name}: {self.declare(str(of), None) if self.chance(0.4) else 'null'}"]
        self.use("variable left out")
        return [f"{name}: {self.declare(str(of), None, given=False)}"]


class _Plain(Draw):
    """Writes values without variables: what defaults are made of."""

    def __init__(self, draw: Draw) -> None:
        self.random = draw.random
        self.features = set()

    def write(self, value: Any, kind: GraphQLInputType, place: str = "argument") -> str:
        return self.literal(value, kind)

    def _nothing(self, value: dict[str, Any], kind: GraphQLInputObjectType) -> list[str]:
        return []


def writable(value: Any) -> bool:
    """Whether a JSON value can stand in a document: its keys are names."""
    if isinstance(value, dict):
        return all(_NAME.fullmatch(key) and writable(each) for key, each in value.items())
    return all(map(writable, value)) if isinstance(value, list) else True


def json_literal(value: Any) -> str:
    """A JSON value in GraphQL's words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {json_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_literal, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
