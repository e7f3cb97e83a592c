"""Derives the mutations of the declarations: inputs, payloads and calls, for commands and for writes of single rows.

mutation_root.py builds their GraphQL types, plan/payloads.py plans their payloads, execution/mutations.py runs them."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case, with_article
from hub.engine.graphql_types.command_signatures import (
    InputField,
    InputType,
    SignatureReader,
    input_fields,
    input_type,
    payload_fields,
)
from hub.model.commands import Command, injected_parameters
from hub.model.upserts import upsert
from hub.model.writer import EntityWriter
from hub.viewer import Viewer

CommandResult = Mapping[str, Any]
SingleInsertTest = Callable[[Viewer, Mapping[str, Any]], bool]
CommandCall = Callable[[Connection, Viewer, Mapping[str, Any], datetime], Awaitable[CommandResult]]
NEW_ROW_ONLY = " Applies to a new row only; an existing row must have it already."
MERGED_BY_KEY = " Merged by top-level key: a key that is left out stays, null removes one."
OWN_CUSTOMER = " A key that is bound to a customer may leave it out."
EXPECTED_VERSION = InputField(
    "expectedVersion",
    "version",
    "int",
    False,
    "The version that the edit is based on; an edit that conflicts with a later one is rejected.",
)


@dataclass(frozen=True, slots=True)
class PayloadField:
    """A field of a payload: a row, whose key is in the command's result, or a value of the result itself."""

    name: str
    key: str
    annotation: str
    description: str
    entity: CatalogEntity | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MutationField:
    """A root field of the mutation type; with `is_bulk`, it takes a list of the single mutation's inputs."""

    name: str
    description: str
    input: InputType
    payload: tuple[PayloadField, ...]
    call: CommandCall
    is_bulk: bool = False
    secret: bool = False
    audit: str | None = None  # the kind of its entry in the audit log; None: by the tables that it writes
    ordering_field: str | None = None  # the bulk form runs its rows in the order of this id
    injected: tuple[str, ...] = ()  # names of the objects that the command takes besides its input
    entity: str | None = None  # the type whose rows it writes, unless it is a command
    conflict_fields: tuple[InputField, ...] = ()  # the fields of `current` in the error of a conflict
    single_insert: SingleInsertTest | None = None  # whether these arguments make it a single INSERT; None: never
    is_command: bool = False

    @property
    def type_prefix(self) -> str:
        """The beginning of the names of its types."""
        return self.name[0].upper() + self.name[1:]

    @property
    def payload_type(self) -> str:
        return f"{self.type_prefix}Payload"

    @property
    def result_type(self) -> str:
        """The type of one row's result in the bulk form."""
        return f"{self.type_prefix}Result"


@dataclass(frozen=True, slots=True)
class MutationSet:
    """All mutations by name, writes of rows before commands, and the enums that commands use."""

    by_name: Mapping[str, MutationField]
    enums: Mapping[str, type[Enum]]


def derive_mutations(catalog: Catalog, commands: Sequence[Command]) -> MutationSet:
    """Returns the mutations of a catalog and its commands."""
    signatures = SignatureReader({entity.table: entity for entity in catalog.entities.values()})
    mutations: list[MutationField] = []
    for entity in catalog.entities.values():
        mutations += _single_and_bulk_mutations(entity, entity.declaration.writer, signatures)
    for command in commands:
        single = _command_mutation(command, signatures)
        mutations += [single] if command.bulk_name is None else [single, _bulk_mutation(single, command.bulk_name)]
    return MutationSet({mutation.name: mutation for mutation in mutations}, signatures.enums)


# -- writes of rows ------------------------------------------------------------------------------------------------------


def _single_and_bulk_mutations(
    entity: CatalogEntity, writer: EntityWriter, signatures: SignatureReader
) -> Iterator[MutationField]:
    name, plural = entity.name[0].lower() + entity.name[1:], entity.declaration.plural
    names = dict.fromkeys((*writer.creatable, *writer.updatable))
    conflict_fields = tuple(_column_inputs(entity, writer, tuple(names), signatures, for_create=False))
    for single in _entity_mutations(name, entity, writer, signatures):
        mutation = replace(single, entity=entity.name, conflict_fields=conflict_fields)
        yield mutation
        yield _bulk_mutation(mutation, plural + mutation.name.removeprefix(name))


def _entity_mutations(
    name: str, entity: CatalogEntity, writer: EntityWriter, signatures: SignatureReader
) -> Iterator[MutationField]:
    row_payload = PayloadField(name, "key", f"{entity.name} | None", "The current row.", entity)
    id_field = InputField("id", "id", "ID", True, "The row's id.", signatures.id_reader(entity))
    if writer.creatable:
        fields = [
            *_column_inputs(entity, writer, writer.creatable, signatures, for_create=True),
            *_reference_inputs(entity, writer, signatures),
            *_nested_inputs(entity, writer, signatures),
        ]
        text, call = f"Creates {with_article(entity.name)}.", partial(_create, writer)
        create = _mutation_field(f"{name}Create", text, fields, (row_payload,), call)
        yield replace(create, single_insert=writer.is_single_insert)
    if writer.updatable:
        updates = _column_inputs(entity, writer, writer.updatable, signatures, for_create=False)
        fields = [id_field, EXPECTED_VERSION, *updates]
        text = f"Updates {with_article(entity.name)}: absent fields stay unchanged, null clears a field."
        update = _mutation_field(f"{name}Update", text, fields, (row_payload,), partial(_update, writer))
        yield replace(update, ordering_field="id")
    if writer.creatable and (writer.unique_keys or writer.alternate_keys):
        created_payload = PayloadField("created", "created", "bool", "Whether the row was created.")
        text, payload = (
            f"Updates the {entity.name} that `by` identifies, or creates it.",
            (row_payload, created_payload),
        )
        fields = list(_upsert_inputs(entity, writer, id_field, signatures))
        yield _mutation_field(f"{name}Upsert", text, fields, payload, partial(_upsert, writer))
    if writer.deletable:
        deleted_payload = PayloadField("deletedId", "deleted", "ID", "Id of the deleted row.")
        text = f"Deletes {with_article(entity.name)} and its parts."
        call = partial(_delete, writer, entity.declaration.prefix)
        delete = _mutation_field(f"{name}Delete", text, (id_field, EXPECTED_VERSION), (deleted_payload,), call)
        yield replace(delete, ordering_field="id")


def _upsert_inputs(
    entity: CatalogEntity, writer: EntityWriter, id_field: InputField, signatures: SignatureReader
) -> Iterator[InputField]:
    key = _upsert_key_input(entity, writer, id_field, signatures)
    yield InputField("by", "by", key.name, True, "Key of the row; exactly one field.", key.read, key)
    yield EXPECTED_VERSION
    fields = (
        *_column_inputs(entity, writer, writer.creatable, signatures, for_create=False),
        *_reference_inputs(entity, writer, signatures),
        *_nested_inputs(entity, writer, signatures),
    )
    for field in fields:
        is_updatable = field.key in writer.updatable
        yield field if is_updatable else replace(field, description=field.description + NEW_ROW_ONLY)


def _mutation_field(
    name: str,
    text: str,
    fields: Iterable[InputField],
    payload: tuple[PayloadField, ...],
    call: CommandCall,
    *,
    null_clears: bool = True,
) -> MutationField:
    mutation_input = InputType(f"{name[0].upper()}{name[1:]}Input", text, tuple(fields), null_clears=null_clears)
    return MutationField(name, text, mutation_input, payload, call)


def _column_inputs(
    entity: CatalogEntity, writer: EntityWriter, names: Sequence[str], signatures: SignatureReader, *, for_create: bool
) -> Iterator[InputField]:
    for name in names:
        column = writer.table.c[name]
        required = for_create and not (
            column.nullable or column.server_default is not None or name in writer.optional_columns
        )
        field = signatures.column_field(entity, column, required)
        if name in writer.merged_columns and not for_create:
            field = replace(field, description=field.description + MERGED_BY_KEY)
        if name == "customer_id" and name in writer.optional_columns and not writer.references:
            field = replace(field, description=field.description + OWN_CUSTOMER)
        yield field


def _reference_inputs(entity: CatalogEntity, writer: EntityWriter, signatures: SignatureReader) -> Iterator[InputField]:
    for name, reference in writer.references.items():
        inner = input_type(reference.input, signatures, entity.name)
        yield InputField(camel_case(name), name, inner.name, False, reference.description, inner.read, inner)


def _nested_inputs(entity: CatalogEntity, writer: EntityWriter, signatures: SignatureReader) -> Iterator[InputField]:
    for name, nested in writer.nested.items():
        nested_entity = signatures.entities[nested.writer.table]
        columns = [column_name for column_name in nested.writer.creatable if column_name != nested.parent_column]
        inner = InputType(
            f"{entity.name}{nested_entity.name}Input",
            f"A new {nested_entity.name} of a new {entity.name}.",
            tuple(_column_inputs(nested_entity, nested.writer, columns, signatures, for_create=True)),
            null_clears=True,
        )
        text = f"Rows to create with it: {nested_entity.declaration.description}"
        yield InputField(camel_case(name), name, f"list[{inner.name}]", False, text, inner.read_list, inner)


def _upsert_key_input(
    entity: CatalogEntity, writer: EntityWriter, id_field: InputField, signatures: SignatureReader
) -> InputType:
    fields = [InputField(id_field.name, id_field.key, id_field.annotation, False, id_field.description, id_field.read)]
    fields += [signatures.column_field(entity, writer.table.c[name], required=False) for name in writer.unique_keys]
    for name, alternate_key in writer.alternate_keys.items():
        inner = input_type(alternate_key.input, signatures, f"{entity.name}Upsert")
        fields.append(
            InputField(camel_case(name), name, inner.name, False, alternate_key.description, inner.read, inner)
        )
    return InputType(
        f"{entity.name}UpsertBy", f"Key of {with_article(entity.name)}; set exactly one field.", tuple(fields)
    )


async def _create(
    writer: EntityWriter, tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime
) -> CommandResult:
    return {"key": await writer.create(tx, viewer, arguments, now)}


async def _update(
    writer: EntityWriter, tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime
) -> CommandResult:
    values = dict(arguments)
    key, version = values.pop("id"), values.pop("version", None)
    return {"key": await writer.update(tx, viewer, key, values, version, now)}


async def _upsert(
    writer: EntityWriter, tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime
) -> CommandResult:
    values = dict(arguments)
    by, version = values.pop("by"), values.pop("version", None)
    key, created = await upsert(writer, tx, viewer, by, values, version, now)
    return {"key": key, "created": created}


async def _delete(
    writer: EntityWriter, prefix: str, tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime
) -> CommandResult:
    key: UUID = arguments["id"]
    await writer.delete(tx, viewer, key, arguments.get("version"), now)
    return {"deleted": scalars.encode_id(prefix, key)}


# -- commands and bulk -----------------------------------------------------------------------------------------------------


def _command_mutation(command: Command, signatures: SignatureReader) -> MutationField:
    text = " ".join((command.function.__doc__ or "").split())
    payload = tuple(
        PayloadField(camel_case(name), name, annotation, description, entity)
        for name, annotation, description, entity in payload_fields(command.function, signatures)
    )
    fields = input_fields(command.function, signatures)

    async def call(tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime) -> CommandResult:
        runner = viewer.running(command.name)
        result: CommandResult = (await command.function(tx, runner, **arguments, now=now))._asdict()
        return result

    mutation = _mutation_field(command.name, text, fields, payload, call, null_clears=False)
    ordering_field = next((field.name for field in mutation.input.fields if field.annotation == "ID"), None)
    single_insert = command.single_insert
    return replace(
        mutation,
        secret=command.secret,
        audit=command.audit,
        is_command=True,
        ordering_field=ordering_field,
        injected=tuple(injected_parameters(command.function)),
        single_insert=None if single_insert is None else lambda viewer, arguments: single_insert(arguments),
    )


def _bulk_mutation(single: MutationField, name: str) -> MutationField:
    inner = single.input
    fields = (
        InputField("rows", "rows", f"list[{inner.name}]", True, "The rows, at most 500.", inner.read_list, inner),
        InputField("errorPolicy", "policy", "ErrorPolicy", False, "Effect of a rejected row; REJECT_ALL by default."),
    )
    text = f"{single.description} Takes up to 500 rows and returns a result for each."
    if single.ordering_field is not None:
        text += f" Rows run in the order of their `{single.ordering_field}`, so that two such lists never deadlock."
    bulk_input = InputType(f"{name[0].upper()}{name[1:]}Input", text, fields)
    return replace(single, name=name, description=text, input=bulk_input, is_bulk=True, single_insert=None)
