"""Derives input and payload fields from the signatures of commands.

A parameter's type is its annotation. `Annotated` adds a description and, for a key, the entity of the row."""

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
from hub.engine.catalog.catalog import CatalogEntity, camel_case, with_article
from hub.engine.catalog.input_values import bad_input, enum_value, json_text, storable_text
from hub.engine.catalog.scalars import ScalarType
from hub.engine.graphql_types import inputs
from hub.model.commands import RowReference, injected_parameters
from hub.model.declarations import ToOne
from hub.model.entity import Entity

ValueReader = Callable[[Any, str], Any]


def storable_value(value: Any, argument: str) -> Any:
    """Converts an argument for a command: the value of an enum member, and text only if it can be stored."""
    return storable_text(enum_value(value), argument)


def _as_json(value: Any, argument: str) -> Any:
    json_text(value, argument)
    return value


def _as_json_object(value: Any, argument: str) -> Any:
    """Returns a JSON object as it is; raises VALUE_INVALID for other JSON."""
    if not isinstance(value, Mapping):
        bad_input("VALUE_INVALID", argument, 'it is no JSON object; give one like {"name": 1}.')
    return _as_json(value, argument)


def _list_reader(read_value: ValueReader) -> ValueReader:
    return lambda values, argument: [read_value(value, f"{argument}[{index}]") for index, value in enumerate(values)]


def _column_reader(scalar: ScalarType) -> ValueReader:
    if scalar.is_list:
        return _list_reader(storable_value)
    return _as_json if scalar.name == "JSON" else storable_value


@dataclass(frozen=True, slots=True)
class InputField:
    """A field of an input type: GraphQL name, name in the command, annotation text, and the reader of its value."""

    name: str
    key: str
    annotation: str
    required: bool
    description: str
    read: ValueReader = storable_value
    inner: "InputType | None" = None
    prefix: str | None = None  # of ids

    def conflict_value(self, value: Any) -> Any:
        """Converts a database value to JSON, for `current` in the error of a conflict."""
        if isinstance(value, UUID) and self.prefix is not None:
            return scalars.encode_id(self.prefix, value)
        return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class InputType:
    """An input type; `factory` builds the result from the values. Without `null_clears`, null counts as absent."""

    name: str
    description: str
    fields: tuple[InputField, ...]
    factory: Callable[..., Any] = dict
    null_clears: bool = False

    def read(self, arguments: Mapping[str, Any], argument: str) -> Any:
        """Reads the values that are present, by their names in the command; raises BadInput with the argument."""
        values = {}
        for input_field in self.fields:
            value = arguments.get(input_field.name)
            if value is not None or (self.null_clears and input_field.name in arguments):
                values[input_field.key] = (
                    None if value is None else input_field.read(value, f"{argument}.{input_field.name}")
                )
        return self.factory(**values)

    def read_list(self, items: Sequence[Mapping[str, Any]], argument: str) -> list[Any]:
        """Reads a list of inputs."""
        return [self.read(item, f"{argument}[{index}]") for index, item in enumerate(items)]


@dataclass(slots=True)
class SignatureReader:
    """Reads signatures; knows the entities by table, and collects the enums and input types that it meets."""

    entities: Mapping[sa.FromClause, CatalogEntity]
    enums: dict[str, type[Enum]] = field(default_factory=dict)
    input_types: dict[type, InputType] = field(default_factory=dict)

    def id_reader(self, entity: CatalogEntity) -> ValueReader:
        """Returns a reader of ids of one entity; it raises ID_WRONG_TYPE for other entities."""
        prefix = entity.declaration.prefix

        def read(value: str, argument: str) -> UUID:
            actual_prefix, key = scalars.decode_id(value, argument)
            if actual_prefix != prefix:
                bad_input(
                    "ID_WRONG_TYPE",
                    argument,
                    f"{value} is not the id of {with_article(entity.name)}; send an id that begins with {prefix}_.",
                )
            return key

        return read

    def reference_reader(self) -> ValueReader:
        """Returns a reader of ids of any entity."""
        names = {entity.declaration.prefix: entity.name for entity in self.entities.values()}

        def read(value: str, argument: str) -> RowReference:
            prefix, key = scalars.decode_id(value, argument)
            if prefix not in names:
                bad_input(
                    "ID_MALFORMED", argument, f"{value} is the id of no type of this hub; send one from a response."
                )
            return RowReference(names[prefix], key)

        return read

    def column_field(self, entity: CatalogEntity, column: sa.Column[Any], required: bool) -> InputField:
        """Returns the input field of a column; a foreign key becomes an ID."""
        name, text = camel_case(column.name), str(column.comment)
        link = next(
            (
                candidate
                for candidate in entity.links.values()
                if isinstance(candidate, ToOne) and candidate.by == column.name
            ),
            None,
        )
        if link is not None:
            entity = next(
                candidate for candidate in self.entities.values() if candidate.declaration.entity is link.target
            )
            return InputField(
                name, column.name, "ID", required, text, self.id_reader(entity), prefix=entity.declaration.prefix
            )
        catalog_column = next(candidate for candidate in entity.columns.values() if candidate.column is column)
        read = _column_reader(catalog_column.scalar)
        return InputField(name, column.name, inputs.non_null_annotation(catalog_column), required, text, read)


def _unwrap(annotation: Any) -> tuple[Any, str, sa.FromClause | None, bool]:
    """Returns the bare type, the description, the table and the nullability of an annotation."""
    text, table, nullable = "", None, False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *notes = typing.get_args(annotation)
            text = next((argument for argument in notes if isinstance(argument, str)), text)
            table = next((note.table for note in notes if isinstance(note, type) and issubclass(note, Entity)), table)
        elif origin in (typing.Union, pytypes.UnionType):
            (annotation,) = (argument for argument in typing.get_args(annotation) if argument is not type(None))
            nullable = True
        else:
            return annotation, text, table, nullable


def _input_type_of(
    annotation: Any, signatures: SignatureReader, owner: str
) -> tuple[str, ValueReader, InputType | None]:
    """Returns the annotation text of a type, its reader, and its input type, if it is one."""
    bare_type, _, table, _ = _unwrap(annotation)
    if typing.get_origin(bare_type) is list:
        text, read, inner = _input_type_of(typing.get_args(bare_type)[0], signatures, owner)
        return f"list[{text}]", _list_reader(read), inner
    if table is not None:
        return "ID", signatures.id_reader(signatures.entities[table]), None
    if bare_type is RowReference:
        return "ID", signatures.reference_reader(), None
    if isinstance(bare_type, type) and hasattr(bare_type, "_fields"):
        nested = input_type(bare_type, signatures, owner)
        return nested.name, nested.read, nested
    if bare_type is dict or typing.get_origin(bare_type) in (dict, Mapping):
        return "Json", _as_json_object, None
    if bare_type is Any:
        return "Json", _as_json, None
    if isinstance(bare_type, type) and issubclass(bare_type, Enum):
        signatures.enums[bare_type.__name__] = bare_type
        enum_class = bare_type
        return bare_type.__name__, lambda value, argument: enum_class(enum_value(value)), None
    return inputs.annotation_of(bare_type), storable_value, None


def input_type(record_class: type[Any], signatures: SignatureReader, owner: str) -> InputType:
    """Returns the input type of a NamedTuple class, built once per class."""
    if record_class not in signatures.input_types:
        hints = typing.get_type_hints(record_class, include_extras=True)
        fields = [
            _input_field(name, hints[name], name not in record_class._field_defaults, signatures, owner)
            for name in record_class._fields
        ]
        name = record_class.__name__ if record_class.__name__.endswith("Input") else f"{record_class.__name__}Input"
        signatures.input_types[record_class] = InputType(
            name, " ".join((record_class.__doc__ or "").split()), tuple(fields), record_class
        )
    return signatures.input_types[record_class]


def _input_field(name: str, annotation: Any, required: bool, signatures: SignatureReader, owner: str) -> InputField:
    text, read, inner = _input_type_of(annotation, signatures, owner)
    return InputField(camel_case(name), name, text, required, _unwrap(annotation)[1], read, inner)


def input_fields(command: Callable[..., Any], signatures: SignatureReader) -> Iterator[InputField]:
    """Yields the input fields of a command: its keyword parameters except `now` and injected objects."""
    injected = set(injected_parameters(command))
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and name != "now" and name not in injected:
            required = parameter.default is parameter.empty
            yield _input_field(name, parameter.annotation, required, signatures, command.__name__)


def payload_fields(
    command: Callable[..., Any], signatures: SignatureReader
) -> Iterator[tuple[str, str, str, CatalogEntity | None]]:
    """Yields name, annotation text and description of each result field, and its entity if it is a key."""
    result_class = inspect.signature(command).return_annotation
    for name, annotation in typing.get_type_hints(result_class, include_extras=True).items():
        _, text, table, nullable = _unwrap(annotation)
        if table is not None:
            yield name, f"{signatures.entities[table].name} | None", text, signatures.entities[table]
        else:
            type_text = _input_type_of(annotation, signatures, command.__name__)[0]
            yield name, type_text + (" | None" if nullable else ""), text, None
