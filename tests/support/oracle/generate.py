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

from hub.engine.catalog.catalog import CatalogEntity
from hub.model.declarations import ToMany
from oracle.conditions import FilterEvaluator
from oracle.data import DataRecord, Dataset

T = TypeVar("T")
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,8})(\.\d+)?")
_BARE = ("Int", "Boolean", "Float")


class OperationDraw:
    """The draws of one operation."""

    def __init__(self, seed: str, schema: GraphQLSchema, data: Dataset, now: datetime) -> None:
        self.random = random.Random(seed)
        self.schema = schema
        self.data = data
        self.catalog = data.catalog
        self.now = now
        self.filter_evaluator = FilterEvaluator(data, now)
        self.features: set[str] = set()
        self.reads_rows = True
        self.variables: dict[str, Any] = {}
        self.declared: dict[str, str] = {}
        self.fragments: list[str] = []
        self.directives = 0
        # How much more may be written; whoever is about to write something optional looks here.
        self.remaining_size = 78

    def chance(self, probability: float, feature: str = "") -> bool:
        """True with the probability; the feature then counts as used."""
        drawn = self.random.random() < probability
        if drawn and feature:
            self.features.add(feature)
        return drawn

    def record_features(self, *features: str) -> None:
        self.features.update(features)

    def rows_of_root(self, type_name: str) -> list[DataRecord]:
        """The rows that a root field reads; remembers when there are none."""
        rows = self.data.rows[type_name]
        self.reads_rows = self.reads_rows and bool(rows)
        return rows

    def pick(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def sample(self, choices: Sequence[T], minimum: int, maximum: int) -> list[T]:
        """Several different ones, in any order."""
        return self.random.sample(choices, min(len(choices), self.random.randint(minimum, maximum)))

    def weighted_links(self, entity: CatalogEntity, names: Sequence[str]) -> list[str]:
        """Links by name, those over rows with numbers several times, for figures are taken of few others."""
        weighted = []
        for name in names:
            link = entity.links[name]
            numbers = isinstance(link, ToMany) and any(
                column.scalar.is_number for column in self.catalog.target(link.target).aggregable
            )
            weighted.extend([name] * (5 if numbers else 1))
        return weighted

    def spend(self, amount: int) -> bool:
        """Whether there is room left for something of this size, which then is taken."""
        if self.remaining_size < amount:
            return False
        self.remaining_size -= amount
        return True

    def declare(self, type_: str, value: Any, *, default: str | None = None, supplied: bool = True) -> str:
        """A variable of this type; `supplied` says whether the request carries its value."""
        for name, declaration in self.declared.items():
            same_declaration = declaration == type_ and default is None and supplied and name in self.variables
            if same_declaration and repr(self.variables[name]) == repr(value) and self.chance(0.85):
                self.record_features("variable used twice")
                return f"${name}"
        name = f"v{len(self.declared)}"
        self.declared[name] = type_ + (f" = {default}" if default is not None else "")
        if supplied:
            self.variables[name] = value
        return f"${name}"

    def header(self, name: str | None) -> str:
        """The operation's head with the variables that were declared."""
        declarations = ", ".join(f"${variable}: {type_}" for variable, type_ in self.declared.items())
        return "query" + (f" {name}" if name else "") + (f"({declarations})" if declarations else "")

    def write(self, value: Any, type_: GraphQLInputType, position: str = "argument") -> str:
        """The value as it stands in the document, whole or in part as variables."""
        probability = {"argument": 0.2, "leaf": 0.15}.get(position, 0.06)
        if value is not None and self.chance(probability):
            return self._variable(value, type_, position)
        return self.literal(value, type_)

    def _variable(self, value: Any, type_: GraphQLInputType, position: str) -> str:
        composite = isinstance(get_named_type(type_), GraphQLInputObjectType)
        is_list = is_list_type(type_.of_type if is_non_null_type(type_) else type_)
        part = "list" if is_list else "object" if composite else "leaf"
        self.record_features(f"variable: {'whole argument' if position == 'argument' and composite else part}")
        nullable_type = str(type_.of_type) if is_non_null_type(type_) else str(type_)
        if has_literal_form(value) and self.chance(0.2, "variable: default"):
            text = _LiteralDraw(self).literal(value, type_)
            return self.declare(
                self.pick([nullable_type, nullable_type + "!"]), value, default=text, supplied=self.chance(0.2)
            )
        non_null = is_non_null_type(type_) or self.chance(0.4)
        return self.declare(nullable_type + "!" if non_null else nullable_type, value)

    def literal(self, value: Any, type_: GraphQLInputType) -> str:
        """The value written out; what is inside it may still be variables."""
        if is_non_null_type(type_):
            type_ = type_.of_type
        if value is None:
            return "null"
        if is_list_type(type_):
            if not isinstance(value, list):
                return self.literal(value, type_.of_type)
            return "[" + ", ".join(self.write(item, type_.of_type, "inside") for item in value) + "]"
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(value, type_)
        if isinstance(type_, GraphQLEnumType):
            return str(value)
        name = get_named_type(type_).name
        if name == "JSON":
            return json_literal(value) if has_literal_form(value) else self.declare("JSON!", value)
        if name in _BARE:
            return json.dumps(value)
        if name == "Decimal":
            return str(value) if _NUMBER.fullmatch(str(value)) and self.chance(0.3) else json.dumps(str(value))
        return json.dumps(value, ensure_ascii=self.chance(0.2))

    def _object(self, value: dict[str, Any], type_: GraphQLInputObjectType) -> str:
        parts = []
        for name, field_value in value.items():
            field_type = type_.fields[name].type
            composite = isinstance(get_named_type(field_type), GraphQLInputObjectType) or is_list_type(field_type)
            parts.append(f"{name}: {self.write(field_value, field_type, 'inside' if composite else 'leaf')}")
        if value and self.chance(0.08):
            parts.extend(self._absent_field(value, type_))
        return "{" + ", ".join(parts) + "}"

    def _absent_field(self, value: dict[str, Any], type_: GraphQLInputObjectType) -> list[str]:
        """A field that counts as absent: a variable that is left out, or null where that means nothing."""
        optional = [
            name
            for name, input_field in type_.fields.items()
            if name not in value and not is_required_input_field(input_field)
        ]
        if not optional:
            return []
        name = self.pick(optional)
        field_type = type_.fields[name].type
        if (
            type_.name.endswith("Filter")
            and isinstance(get_named_type(field_type), GraphQLInputObjectType)
            and self.chance(0.5)
        ):
            self.record_features("null for absent")
            return [f"{name}: {self.declare(str(field_type), None) if self.chance(0.4) else 'null'}"]
        self.record_features("variable left out")
        return [f"{name}: {self.declare(str(field_type), None, supplied=False)}"]


class _LiteralDraw(OperationDraw):
    """Writes values without variables: what defaults are made of."""

    def __init__(self, draw: OperationDraw) -> None:
        self.random = draw.random
        self.features = set()

    def write(self, value: Any, type_: GraphQLInputType, position: str = "argument") -> str:
        return self.literal(value, type_)

    def _absent_field(self, value: dict[str, Any], type_: GraphQLInputObjectType) -> list[str]:
        return []


def has_literal_form(value: Any) -> bool:
    """Whether a JSON value can stand in a document: its keys are names."""
    if isinstance(value, dict):
        return all(_NAME.fullmatch(key) and has_literal_form(item) for key, item in value.items())
    return all(map(has_literal_form, value)) if isinstance(value, list) else True


def json_literal(value: Any) -> str:
    """A JSON value in GraphQL's words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {json_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_literal, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
