"""Which mutations the declarations give rise to: their inputs, payloads and calls, alike for verbs and for the writes of rows.

GraphQL types are made of these in types.py; what is read of a payload is the planner's, running them is perform.py's."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, Row, a, camel
from hub.engine.graphql_types.command_signatures import Field, Input, Types, arguments_of, given_by, record, tools_of
from hub.model.commands import Tx, Verb, Writes
from hub.viewer import Viewer

Outcome = Mapping[str, Any]
Call = Callable[[Tx, Viewer, Mapping[str, Any], datetime], Awaitable[Outcome]]
NEW = " Only a new row takes it; one that is found keeps its own."
VERSION = Field(
    "expectedVersion",
    "version",
    "int",
    False,
    "The version that the edit is based on; later edits are not overwritten.",
)


@dataclass(frozen=True, slots=True)
class Gives:
    """A field of a payload: a row by its key in the outcome, or a value as it is told."""

    name: str
    key: str
    annotation: str
    description: str
    row: Row | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """A root field of the mutation type; with `many`, its input is rows of the single form's."""

    name: str
    description: str
    input: Input
    gives: tuple[Gives, ...]
    call: Call
    many: bool = False
    secret: bool = False
    turns: str | None = None  # the field whose id the rows of the bulk form are done by, in its order
    tools: tuple[str, ...] = ()  # what the command is handed besides its input
    columns: tuple[Field, ...] = ()  # as which a conflict shows the row's state

    @property
    def type(self) -> str:
        """What its types' names begin with."""
        return self.name[0].upper() + self.name[1:]

    @property
    def payload(self) -> str:
        return f"{self.type}Payload"

    @property
    def result(self) -> str:
        """The type of one row's result in the bulk form."""
        return f"{self.type}Result"


@dataclass(frozen=True, slots=True)
class Mutations:
    """Every mutation by its name, those of rows before the verbs, and the closed sets that only verbs name."""

    by_name: Mapping[str, Mutation]
    choices: Mapping[str, type[Enum]]


def derived(catalog: Catalog, verbs: Sequence[Verb]) -> Mutations:
    """The mutations of a catalog and its verbs."""
    types = Types({row.table: row for row in catalog.rows.values()})
    found: list[Mutation] = []
    for row in catalog.rows.values():
        if row.declaration.writes is not None:
            found += _of_row(row, row.declaration.writes, types)
    for verb in verbs:
        one = _of_verb(verb, types)
        found += [one] if verb.many is None else [one, _many(one, verb.many)]
    return Mutations({each.name: each for each in found}, types.choices)


# -- the writes of rows -------------------------------------------------------------------------------------------------


def _of_row(row: Row, writes: Writes, types: Types) -> Iterator[Mutation]:
    name, plural = row.name[0].lower() + row.name[1:], row.declaration.plural
    names = dict.fromkeys((*writes.creates, *writes.updates))
    columns = tuple(_columns(row, writes, tuple(names), types, fresh=False))
    for single in _singles(name, row, writes, types):
        one = replace(single, columns=columns)
        yield one
        yield _many(one, plural + one.name.removeprefix(name))


def _singles(name: str, row: Row, writes: Writes, types: Types) -> Iterator[Mutation]:
    gives = Gives(name, "key", f"{row.name} | None", "The row as it is now.", row)
    if writes.creates:
        creates = (
            *_columns(row, writes, writes.creates, types, fresh=True),
            *_namings(row, writes, types),
            *_parts(row, writes, types),
        )
        yield _mutation(f"{name}Create", f"Makes {a(row.name)}.", creates, (gives,), partial(_create, writes))
    an_id = Field("id", "id", "ID", True, "Its id.", types.key(row))
    if writes.updates:
        updates = (an_id, VERSION, *_columns(row, writes, writes.updates, types, fresh=False))
        text = f"Changes {a(row.name)}: what is absent stays, what is null is cleared."
        yield replace(_mutation(f"{name}Update", text, updates, (gives,), partial(_update, writes)), turns="id")
    if writes.creates and (writes.natural or writes.ways):
        by = _by(row, writes, an_id, types)
        rest = [
            *_columns(row, writes, writes.creates, types, fresh=False),
            *_namings(row, writes, types),
            *_parts(row, writes, types),
        ]
        made = Gives("created", "created", "bool", "Whether it was made now.")
        text = f"Changes the {row.name} that is found, or makes it."
        given = (
            Field("by", "by", by.name, True, "What it is found by; exactly one of them.", by.read, by),
            VERSION,
            *(
                each if each.key in writes.updates else replace(each, description=each.description + NEW)
                for each in rest
            ),
        )
        yield _mutation(f"{name}Upsert", text, given, (gives, made), partial(_upsert, writes))
    if writes.deletes:
        gone = Gives("deletedId", "deleted", "ID", "The id that it had.")
        prefix = row.declaration.prefix
        text = f"Deletes {a(row.name)} and what is part of it."
        call = partial(_delete, writes, prefix)
        yield replace(_mutation(f"{name}Delete", text, (an_id, VERSION), (gone,), call), turns="id")


def _mutation(
    name: str, text: str, fields: Iterable[Field], gives: tuple[Gives, ...], call: Call, *, clears: bool = True
) -> Mutation:
    made = Input(f"{name[0].upper()}{name[1:]}Input", text, tuple(fields), clears=clears)
    return Mutation(name, text, made, gives, call)


def _columns(row: Row, writes: Writes, names: Sequence[str], types: Types, *, fresh: bool) -> Iterator[Field]:
    for name in names:
        column = writes.table.c[name]
        required = fresh and not (column.nullable or column.server_default is not None or name in writes.optional)
        yield types.column(row, column, required)


def _namings(row: Row, writes: Writes, types: Types) -> Iterator[Field]:
    for name, naming in writes.namings.items():
        inner = record(naming.given, types, row.name)
        yield Field(camel(name), name, inner.name, False, naming.description, inner.read, inner)


def _parts(row: Row, writes: Writes, types: Types) -> Iterator[Field]:
    for name, part in writes.parts.items():
        owned = types.rows[part.kind.table]
        columns = [each for each in part.kind.creates if each != part.by]
        inner = Input(
            f"{row.name}{owned.name}Input",
            f"A {owned.name} that is made with its {row.name}.",
            tuple(_columns(owned, part.kind, columns, types, fresh=True)),
            clears=True,
        )
        text = f"Rows that are made with it: {owned.declaration.description}"
        yield Field(camel(name), name, f"list[{inner.name}]", False, text, inner.read_list, inner)


def _by(row: Row, writes: Writes, an_id: Field, types: Types) -> Input:
    fields = [Field(an_id.name, an_id.key, an_id.annotation, False, an_id.description, an_id.read)]
    fields += [types.column(row, writes.table.c[name], required=False) for name in writes.natural]
    for name, way in writes.ways.items():
        inner = record(way.given, types, f"{row.name}Upsert")
        fields.append(Field(camel(name), name, inner.name, False, way.description, inner.read, inner))
    return Input(f"{row.name}UpsertBy", f"What {a(row.name)} is found by; give exactly one.", tuple(fields))


async def _create(writes: Writes, tx: Tx, viewer: Viewer, given: Mapping[str, Any], at: datetime) -> Outcome:
    return {"key": await writes.create(tx, viewer, given, at)}


async def _update(writes: Writes, tx: Tx, viewer: Viewer, given: Mapping[str, Any], at: datetime) -> Outcome:
    values = dict(given)
    key, version = values.pop("id"), values.pop("version", None)
    return {"key": await writes.update(tx, viewer, key, values, version, at)}


async def _upsert(writes: Writes, tx: Tx, viewer: Viewer, given: Mapping[str, Any], at: datetime) -> Outcome:
    values = dict(given)
    by, version = values.pop("by"), values.pop("version", None)
    key, created = await writes.upsert(tx, viewer, by, values, version, at)
    return {"key": key, "created": created}


async def _delete(
    writes: Writes, prefix: str, tx: Tx, viewer: Viewer, given: Mapping[str, Any], at: datetime
) -> Outcome:
    key: UUID = given["id"]
    await writes.delete(tx, viewer, key, given.get("version"), at)
    return {"deleted": scalars.public_id(prefix, key)}


# -- verbs and bulk -----------------------------------------------------------------------------------------------------


def _of_verb(verb: Verb, types: Types) -> Mutation:
    text = " ".join((verb.command.__doc__ or "").split())
    gives = tuple(
        Gives(camel(name), name, annotation, description, row)
        for name, annotation, description, row in given_by(verb.command, types)
    )
    fields = arguments_of(verb.command, types)

    async def call(tx: Tx, viewer: Viewer, given: Mapping[str, Any], at: datetime) -> Outcome:
        outcome: Outcome = (await verb.command(tx, viewer, **given, at=at))._asdict()
        return outcome

    made = _mutation(verb.name, text, fields, gives, call, clears=False)
    done_to = next((each.name for each in made.input.fields if each.annotation == "ID"), None)
    return replace(made, secret=verb.secret, turns=done_to, tools=tuple(tools_of(verb.command)))


def _many(one: Mutation, name: str) -> Mutation:
    inner = one.input
    fields = (
        Field("rows", "rows", f"list[{inner.name}]", True, "The rows, at most 500.", inner.read_list, inner),
        Field(
            "errorPolicy", "policy", "ErrorPolicy", False, "What a row that is refused does; REJECT_ALL when left out."
        ),
    )
    text = f"{one.description} For up to 500 rows, each with its result."
    if one.turns is not None:
        text += f" They are done in the order of their `{one.turns}`, so that two such lists never block each other."
    made = Input(f"{name[0].upper()}{name[1:]}Input", text, fields)
    return replace(one, name=name, description=text, input=made, many=True)
