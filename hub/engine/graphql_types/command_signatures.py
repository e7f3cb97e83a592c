"""Reads the signatures of commands: which input fields their parameters are, and what their results give.

A parameter's type is its annotation; `Annotated` adds a description, and for a key the table of the row it belongs to."""

import inspect
import types as pytypes
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Row, a, camel
from hub.engine.graphql_types import inputs
from hub.engine.plan.arguments import plain
from hub.engine.plan.context import json_text, refuse, storable
from hub.model.declarations import One

Read = Callable[[Any, str], Any]


def as_given(value: Any, argument: str) -> Any:
    """A value as a command wants it: text that can be stored, an enum's value."""
    return storable(plain(value), argument)


def _as_json(value: Any, argument: str) -> Any:
    json_text(value, argument)
    return value


def _each(read: Read) -> Read:
    return lambda values, argument: [read(value, f"{argument}[{at}]") for at, value in enumerate(values)]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an input: GraphQL name, the command's name for it, type as annotation text, and how its value is read."""

    name: str
    key: str
    annotation: str
    required: bool
    description: str
    read: Read = as_given
    inner: "Input | None" = None
    prefix: str | None = None  # of ids

    def shown(self, value: Any) -> Any:
        """A value of the database as JSON has it."""
        if isinstance(value, UUID) and self.prefix is not None:
            return scalars.public_id(self.prefix, value)
        return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class Input:
    """An input type; `make` is what becomes of its values, a dict when left out. Null clears, or is as good as absent."""

    name: str
    description: str
    fields: tuple[Field, ...]
    make: Callable[..., Any] = dict
    clears: bool = False

    def read(self, given: Mapping[str, Any], argument: str) -> Any:
        """The values by the command's names; only those that were given. Raises BadInput naming the argument."""
        found = {}
        for each in self.fields:
            value = given.get(each.name)
            if value is not None or (self.clears and each.name in given):
                found[each.key] = None if value is None else each.read(value, f"{argument}.{each.name}")
        return self.make(**found)

    def read_list(self, given: Sequence[Mapping[str, Any]], argument: str) -> list[Any]:
        """The same for each of a list."""
        return [self.read(each, f"{argument}[{at}]") for at, each in enumerate(given)]


@dataclass(slots=True)
class Types:
    """The rows that keys belong to, by table, and the closed sets that commands name."""

    rows: Mapping[sa.FromClause, Row]
    choices: dict[str, type[Enum]] = field(default_factory=dict)
    records: dict[type, Input] = field(default_factory=dict)

    def key(self, row: Row) -> Read:
        """Reads an id of a row's type."""
        prefix = row.declaration.prefix

        def read(value: str, argument: str) -> UUID:
            found, key = scalars.parse_id(value, argument)
            if found != prefix:
                refuse(
                    "ID_WRONG_TYPE",
                    argument,
                    f"{value} is not the id of {a(row.name)}; give one that begins {prefix}_.",
                )
            return key

        return read

    def column(self, row: Row, column: sa.Column[Any], required: bool) -> Field:
        """The input field of a column: a key of another row is an id."""
        name, text = camel(column.name), str(column.comment)
        link = next((each for each in row.links.values() if isinstance(each, One) and each.by == column.name), None)
        if link is not None:
            row = next(each for each in self.rows.values() if each.declaration.address == link.target)
            return Field(name, column.name, "ID", required, text, self.key(row), prefix=row.declaration.prefix)
        shown = next(each for each in row.columns.values() if each.column is column)
        read = _as_json if shown.wire.name == "JSON" else as_given
        return Field(name, column.name, inputs.plain(shown), required, text, read)


def _apart(annotation: Any) -> tuple[Any, str, sa.FromClause | None, bool]:
    """An annotation's bare type, description, table, and whether it may be null."""
    text, table, nullable = "", None, False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *notes = typing.get_args(annotation)
            text = next((each for each in notes if isinstance(each, str)), text)
            table = next((each for each in notes if isinstance(each, sa.FromClause)), table)
        elif origin in (typing.Union, pytypes.UnionType):
            (annotation,) = (each for each in typing.get_args(annotation) if each is not type(None))
            nullable = True
        else:
            return annotation, text, table, nullable


def _kind(annotation: Any, types: Types, owner: str) -> tuple[str, Read, Input | None]:
    """The annotation text of a type, how its values are read, and the input type behind it."""
    bare, _, table, _ = _apart(annotation)
    if typing.get_origin(bare) is list:
        text, read, inner = _kind(typing.get_args(bare)[0], types, owner)
        return f"list[{text}]", _each(read), inner
    if table is not None:
        return "ID", types.key(types.rows[table]), None
    if isinstance(bare, type) and hasattr(bare, "_fields"):
        made = record(bare, types, owner)
        return made.name, made.read, made
    if bare is dict or typing.get_origin(bare) in (dict, Mapping):
        return "Json", _as_json, None
    if isinstance(bare, type) and issubclass(bare, Enum):
        types.choices[bare.__name__] = bare
        choices = bare
        return bare.__name__, lambda value, argument: choices(plain(value)), None
    return inputs.plain_of(bare), as_given, None


def record(of: type[Any], types: Types, owner: str) -> Input:
    """The input type of a NamedTuple class; the same class gives the same type."""
    if of not in types.records:
        hints = typing.get_type_hints(of, include_extras=True)
        fields = [_field(name, hints[name], name not in of._field_defaults, types, owner) for name in of._fields]
        name = of.__name__ if of.__name__.endswith("Input") else f"{of.__name__}Input"
        types.records[of] = Input(name, " ".join((of.__doc__ or "").split()), tuple(fields), of)
    return types.records[of]


def _field(name: str, annotation: Any, required: bool, types: Types, owner: str) -> Field:
    text, read, inner = _kind(annotation, types, owner)
    return Field(camel(name), name, text, required, _apart(annotation)[1], read, inner)


def arguments_of(command: Callable[..., Any], types: Types) -> Iterator[Field]:
    """The input fields of a command: its keyword parameters but for `at`, the moment of the request, and its tools."""
    tools = set(tools_of(command))
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and name != "at" and name not in tools:
            required = parameter.default is parameter.empty
            yield _field(name, parameter.annotation, required, types, command.__name__)


def tools_of(command: Callable[..., Any]) -> Iterator[str]:
    """The parameters that are no input but what the hub hands to a command: those whose type is a protocol."""
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and getattr(parameter.annotation, "_is_protocol", False):
            yield name


def given_by(command: Callable[..., Any], types: Types) -> Iterator[tuple[str, str, str, Row | None]]:
    """What a command's result gives: each field's name, annotation text, description, and the row that it is the key of."""
    result = inspect.signature(command).return_annotation
    for name, annotation in typing.get_type_hints(result, include_extras=True).items():
        _, text, table, nullable = _apart(annotation)
        if table is not None:
            yield name, f"{types.rows[table].name} | None", text, types.rows[table]
        else:
            kind = _kind(annotation, types, command.__name__)[0]
            yield name, kind + (" | None" if nullable else ""), text, None
