"""Writes the rows of an entity, alike for all: create, update, delete, within what the viewer sees; upserts.py upserts.

What a caller may write follows from the declaration; the rules that a row goes through are the domain's."""

from collections.abc import Awaitable, Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from hub.db import change_log
from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import collisions, exact_json, statements
from hub.model.entity import Entity, declared_entities
from hub.model.fields import GLOBAL, NOW
from hub.model.rows import (
    default_unit,
    hiding_references,
    insert_row,
    lock_row,
    not_visible,
    prefixing_errors,
    refused_row,
    require_reference_visible,
    update_row,
)
from hub.model.rules import AlternateKey, ReferenceLookup, Write, python_value
from hub.model.statements import ColumnValues
from hub.model.validators import check_values
from hub.model.versions import SYSTEM_COLUMNS, require_version
from hub.rights import Verb
from hub.viewer import Viewer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NestedRows:
    """Rows that may be written along with the row that `parent_column` refers to."""

    writer: "EntityWriter"
    parent_column: str


class EntityWriter:
    """Writes the rows of one entity.

    ColumnValues are by column, and only those that the caller gave: what is absent stays, what is null is cleared."""

    def __init__(self, entity: type[Entity]) -> None:
        definition = entity.definition
        self.entity = entity
        self.table = entity.table
        self.creatable: Sequence[str] = definition.creatable()
        self.updatable: Sequence[str] = definition.updatable()
        self.deletable = "delete" in definition.operations()
        self.unique_keys: Sequence[str] = definition.unique_keys()
        self._rules = entity.rules
        self._defaults = definition.defaults()
        self.server_filled = frozenset(definition.server_filled())
        self._initial = {n: [s.value for s in w.initial()] for n, w in definition.workflow_columns.items()}
        self._overflow_columns = definition.options.get("overflow_columns", ())
        self.merged_columns = definition.merged_columns
        self._frozen_when = definition.options.get("frozen_when", {})
        self._long_running_delete = definition.options.get("long_running_delete", False)

    @cached_property
    def nested(self) -> Mapping[str, NestedRows]:
        """The rows that may be written along with a new row, by the name of their list."""
        nested = {}
        for part in declared_entities():
            names = part.definition.nested_in(self.entity)
            if names is not None:
                nested[names[0]] = NestedRows(writer_of(part), names[1])
        return dict(sorted(nested.items()))

    @property
    def alternate_keys(self) -> Mapping[str, AlternateKey]:
        return self._rules.alternate_keys

    @property
    def references(self) -> Mapping[str, ReferenceLookup]:
        return self._rules.references

    @cached_property
    def optional_columns(self) -> frozenset[str]:
        """Columns that a new row gets where the caller leaves them out."""
        by_customers = self.creatable and "customer" in self.entity.definition.writable_by("create")
        own_customer = {"customer_id"} if by_customers else set()
        references = (reference.column for reference in self.references.values())
        return frozenset({*self._defaults, *self.server_filled, *own_customer, *references})

    @cached_property
    def columns_with_normal_form(self) -> frozenset[str]:
        """Columns that have their normal form in another column, which tells two rows apart."""
        columns = self.entity.definition.columns.values()
        return frozenset(column.options.normal_form_of[-1] for column in columns if column.options.normal_form_of)

    def is_filled(self, name: str) -> bool:
        """Whether the hub fills in the column, so that null means left out."""
        return name in self.server_filled or name in self.references or name == "customer_id"

    @cached_property
    def global_keys(self) -> frozenset[str]:
        """The constraints that keep a value of a caller unique among all rows."""
        columns = self.entity.definition.columns.items()
        names = [name for name, column in columns if column.options.unique is GLOBAL]
        return frozenset(f"uq_{self.table.name}_{name}" for name in names)

    @cached_property
    def _required_columns(self) -> list[str]:
        # The writer names a unit in every insert; that column's DEFAULT is for SQL.
        columns = (self.table.c[name] for name in self.creatable)
        return [c.name for c in columns if not c.nullable and (c.server_default is None or c.name == "unit_id")]

    # -- create ---------------------------------------------------------------------------------------------------------

    def is_single_insert(self, viewer: Viewer, values: ColumnValues) -> bool:
        """Whether `create` with these values is one INSERT and reads nothing before it."""
        rules = self._rules
        if rules.before_insert or rules.after_write or rules.after_change or rules.reads_other_rows:
            return False
        if any(values.get(name) is not None for name in self.references) or any(map(values.get, self.nested)):
            return False
        if any(values.get(name) is not None for name in self.entity.definition.verified_columns):
            return False
        return "unit_id" not in self.server_filled or values.get("unit_id") is not None or bool(viewer.unit_ids)

    async def create(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> UUID:
        """Inserts a row and its nested rows; returns its key. Raises BadInput, and NotFound for hidden references."""
        self.entity.require(viewer, "create")
        with collisions.LIMIT.counting(viewer, self.global_keys, now):
            key = await self._insert(tx, viewer, values, now)
        if self._rules.after_write:
            await self.translate_overflow(values, self._after_write(tx, await self._parent_key(tx, key), now))
        return key

    async def _insert(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> UUID:
        row = await self.prepare(tx, viewer, values, now)
        for rule in self._rules.before_insert:
            await rule(tx, [row])
        return await self._store(tx, viewer, row, now, values)

    async def prepare(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> dict[str, Any]:
        """The complete new row, with its nested rows as they were given."""
        return await self.complete(tx, viewer, await self.draft(tx, viewer, values, now), now)

    async def draft(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> dict[str, Any]:
        """A new row in normal form, before rules read other rows to complete it."""
        for authorize in self._rules.authorizers:
            authorize(Write("create", values, None, viewer, now))
        if viewer.customer_id is not None and "customer_id" in self.creatable and values.get("customer_id") is None:
            values = {**values, "customer_id": viewer.customer_id}
        resolved = await self.resolve_references(tx, viewer, values) if self.references else values
        ready = self.validated(Write("create", self._with_defaults(resolved, now), None, viewer, now))
        if "unit_id" in self.server_filled and ready.get("unit_id") is None:
            ready["unit_id"] = await default_unit(tx, viewer)
        return ready

    async def complete(self, tx: Connection, viewer: Viewer, row: ColumnValues, now: datetime) -> dict[str, Any]:
        """A row that `draft` returned, with the columns that follow from other rows."""
        ready = dict(row)
        for resolve in self._rules.resolve_missing:
            ready |= await resolve(tx, Write("create", ready, None, viewer, now))
        self.require_complete(ready, ())
        return ready

    def require_complete(self, row: ColumnValues, but: Container[str]) -> None:
        """Raises BadInput for a required column that is absent, but for those that are filled in later."""
        for name in self._required_columns:
            if row.get(name) is None and name not in but:
                raise _missing(name)

    async def _store(
        self, tx: Connection, viewer: Viewer, row: dict[str, Any], now: datetime, values: ColumnValues
    ) -> UUID:
        """Inserts a complete row, then its nested rows; `values` are what the caller gave of it."""
        nested = {name: row.pop(name) for name in self.nested if name in row}
        insert = insert_row(tx, viewer, self.entity, row, now, fields=values)
        key = await self.translate_overflow(row, insert)
        for name, rows in nested.items():
            part, prepared = self.nested[name], []
            if rows:
                part.writer.entity.require(viewer, "create")
            for index, values in enumerate(rows or ()):
                preparing = part.writer.prepare(tx, viewer, {**values, part.parent_column: key}, now)
                prepared.append(await prefixing_errors(f"{name}[{index}]", preparing))
            for rule in part.writer._rules.before_insert if prepared else ():
                await rule(tx, prepared)
            for index, (part_row, part_values) in enumerate(zip(prepared, rows or (), strict=True)):
                stored = part.writer._store(tx, viewer, part_row, now, part_values)
                await prefixing_errors(f"{name}[{index}]", stored)
        await self._rules.changed(tx, self.entity, key, now)
        return key

    def _with_defaults(self, values: ColumnValues, now: datetime) -> dict[str, Any]:
        """The values with the defaults of absent columns. Null means absent for columns that the server fills."""
        present = {n: v for n, v in values.items() if v is not None or n not in self.server_filled}
        for name, value in self._defaults.items():
            if name not in present:
                present[name] = now if value is NOW else value
            elif present[name] is None and not self.table.c[name].nullable:  # before any rule sees it
                raise _missing(name)
        for name in self._required_columns:
            if name in present and present[name] is None:
                raise _missing(name)
        self._refuse_nulls(present)
        merged = ((name, present.get(name)) for name in self.merged_columns)
        return present | {name: _without_nulls(value) for name, value in merged if isinstance(value, dict)}

    def _refuse_nulls(self, values: ColumnValues) -> None:
        """Raises BadInput for a null that no column holds, before any rule sees it."""
        for name, value in values.items():
            if value is None and name in self.table.c and not self.table.c[name].nullable:
                raise BadInput(f"{name}: null is not allowed; give a value.", argument=name)

    async def resolve_references(self, tx: Connection, viewer: Viewer, values: ColumnValues) -> dict[str, Any]:
        """The values with the keys of rows that the caller refers to in another way than by id."""
        resolved = dict(values)
        for name, reference in self.references.items():
            sought = resolved.pop(name, None)
            if sought is None:
                continue
            if resolved.get(reference.column) is not None:
                message = f"{name}: {reference.column} says it already; give one of the two."
                raise BadInput(message, argument=name)
            key = await prefixing_errors(name, reference.find(tx, viewer, sought))
            if key is None:
                raise not_visible(name)
            resolved[reference.column] = key
        return resolved

    # -- rules ----------------------------------------------------------------------------------------------------------

    def canonical(self, values: ColumnValues) -> dict[str, Any]:
        """The values in normal form, each by the check of its own column; raises BadInput naming the argument."""
        return check_values(values, self._checks)

    @cached_property
    def _checks(self) -> dict[str, Any]:
        columns = self.entity.definition.columns.items()
        declared = {name: column.options.check for name, column in columns if column.options.check is not None}
        return declared | self._rules.checks

    def validated(self, write: Write) -> dict[str, Any]:
        """The values in normal form, with the columns that are computed from them; raises BadInput."""
        values = self.canonical(write.values)
        if write.operation == "create":
            for name, states in self._initial.items():
                if values.get(name) is not None and values[name] not in states:
                    message = f"{name}: a new row cannot begin as {values[name]}; give {' or '.join(states)}."
                    raise BadInput(message, argument=name)
        rules = self._rules
        if not (rules.validators or rules.stored_validators or rules.computations):
            return values
        write = Write(write.operation, values, write.stored, write.viewer, write.now)
        for rule in rules.validators:
            rule(write)
        if write.operation == "create" or write.stored is not None:
            for rule in rules.stored_validators:
                rule(write)
        return values | self.computed(write)

    def computed(self, write: Write) -> dict[str, Any]:
        """The computed columns that follow from what is written; absent inputs of an update are the stored ones."""
        computed: dict[str, Any] = {}
        for computation in self._rules.computations.values():
            written = [name for name in computation.inputs if name in write.values or name in computed]
            if write.operation == "update" and not written:
                continue
            merged = {**(write.stored or {}), **write.values, **computed}
            inputs = [python_value(self.table.c[name], merged.get(name)) for name in computation.inputs]
            required = (self.table.c[name].nullable for name in computation.inputs)
            if any(value is None and not nullable for value, nullable in zip(inputs, required, strict=True)):
                continue  # a required input is missing, which is refused below
            try:
                computed[computation.column] = computation.function(*inputs)
            except ValueError as error:
                name = (written or computation.inputs)[-1]
                raise BadInput(f"{name}: {error}.", argument=name) from None
        return computed

    def needs_stored(self, values: ColumnValues) -> bool:
        """Whether a rule of this update needs the stored row."""
        if self._rules.stored_validators or self._frozen_when or not self.merged_columns.isdisjoint(values):
            return True
        inputs = (computation.inputs for computation in self._rules.computations.values())
        return any(any(n in values for n in names) and not all(n in values for n in names) for names in inputs)

    # -- update ---------------------------------------------------------------------------------------------------------

    async def update(
        self, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues, version: int | None, now: datetime
    ) -> UUID:
        """Updates what is given. An edit based on an older version stands if later edits left these columns alone."""
        self.entity.require(viewer, "update")
        self._refuse_nulls(values)
        stored = await lock_row(tx, viewer, self.entity, key, "id") if self.needs_stored(values) else None
        if stored is not None:
            self._require_not_frozen(stored)
            values = self._merge(values, stored)
        write = Write("update", values, None if stored is None else dict(stored), viewer, now)
        for authorize in self._rules.authorizers:
            authorize(write)
        ready = self.validated(write)
        await self._rules.require_permits(tx, key, replace(write, values=ready))
        for name in ready:
            await require_reference_visible(tx, viewer, self.table, name, ready[name])
        if version is not None:
            await require_version(tx, viewer, self.entity, key, ready, version)
        with collisions.LIMIT.counting(viewer, self.global_keys, now):
            update = update_row(tx, viewer, self.entity, key, ready, now, fields=values)
            await self.translate_overflow(ready, update)
        if self._rules.after_write:
            await self.translate_overflow(ready, self._after_write(tx, await self._parent_key(tx, key), now))
        await self._rules.changed(tx, self.entity, key, now)
        return key

    def _merge(self, values: ColumnValues, stored: asyncpg.Record) -> ColumnValues:
        """The values with the stored keys of JSON objects that are merged by key."""
        objects = {name: values[name] for name in self.merged_columns if isinstance(values.get(name), dict)}
        merged = {name: exact_json.loads(stored[name]) | value for name, value in objects.items()}
        return {**values, **{name: _without_nulls(value) for name, value in merged.items()}}

    def _require_not_frozen(self, stored: asyncpg.Record) -> None:
        """Raises BadInput for a row whose state takes no edits; moves of its workflow may lead out of the state."""
        for name, values in self._frozen_when.items():
            if stored[name] in values:
                message = f"id: a row whose {name} is {stored[name]} takes no edits; move it first."
                raise BadInput(message, argument="id")

    async def translate_overflow(self, values: ColumnValues, awaitable: Awaitable[T]) -> T:
        """Awaits; where an amount that is generated from these values does not fit, the error names one of them."""
        try:
            return await awaitable
        except asyncpg.NumericValueOutOfRangeError as error:
            name = next((name for name in self._overflow_columns if values.get(name) is not None), None)
            if name is None:
                raise
            message = f"{name}: the amount that results has more than 14 digits before the point; give less."
            raise BadInput(message, argument=name) from error

    # -- delete ---------------------------------------------------------------------------------------------------------

    async def delete(self, tx: Connection, viewer: Viewer, key: UUID, version: int | None, now: datetime) -> None:
        """Deletes a row and its parts; raises NotFound, and VERSION_CONFLICT when it was changed since."""
        self.entity.require(viewer, "delete")
        if self._frozen_when:
            self._require_not_frozen(await lock_row(tx, viewer, self.entity, key, "id"))
        parent = await self._parent_key(tx, key)
        if version is not None:
            # Nothing is left to merge with, so any later edit counts, also of columns that no update takes.
            values = {column.name: None for column in self.table.c if column.name not in SYSTEM_COLUMNS}
            await require_version(tx, viewer, self.entity, key, values, version)
        statement = statements.delete(self.table, viewer.rights, viewer.rows_for(Verb.DELETE))
        arguments = statement.bind({"row_key": key}, viewer)
        slow = self._long_running_delete
        async with change_log.long_statement_timeout(tx) if slow else nullcontext():
            with hiding_references(viewer):
                limit = change_log.LONG_STATEMENT_SECONDS if slow else None
                deleted = await tx.fetchval(statement.text, *arguments, timeout=limit)
        if deleted is None:
            raise await refused_row(tx, viewer, self.entity, key, Verb.DELETE)
        await self._after_write(tx, parent, now)

    async def _parent_key(self, tx: Connection, key: UUID) -> UUID | None:
        """The key of the row that this one is part of, if a rule wants to know."""
        parent = self.entity.definition.parent
        if not self._rules.after_write or parent is None:
            return None
        key_of_parent: UUID | None = await tx.fetchval(statements.select_parent(self.table, parent.column_name), key)
        return key_of_parent

    async def _after_write(self, tx: Connection, parent: UUID | None, now: datetime) -> None:
        if parent is not None:
            for rule in self._rules.after_write:
                await rule(tx, [parent], now)


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object without the keys that are null, which an update removes."""
    return {key: member for key, member in value.items() if member is not None}


def _missing(name: str) -> BadInput:
    return BadInput(f"{name}: a new row needs one; give it.", code="ARGUMENT_MISSING", argument=name)


_writers: dict[type[Entity], EntityWriter] = {}


def writer_of(entity: type[Entity]) -> EntityWriter:
    """The one writer of an entity's rows."""
    return _writers.setdefault(entity, EntityWriter(entity)) if entity not in _writers else _writers[entity]
