"""How rows are written, alike for every kind: create, update, upsert, delete, within what the viewer sees.

A kind says which columns a caller may give and what its rules make of them; the rules are the subjects' own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db import change_log
from hub.db.constraint_errors import to_hub_error
from hub.db.pool import Connection, ContentionError
from hub.errors import BadInput, HubError, NotFound
from hub.model import scopes, statements
from hub.model.columns import metadata
from hub.model.scopes import Scope
from hub.model.statements import ColumnValues
from hub.viewer import Viewer

T = TypeVar("T")
CheckWrite = Callable[[ColumnValues, datetime], dict[str, Any]]
AfterWrite = Callable[[Connection, UUID, datetime], Awaitable[None]]
SYSTEM_COLUMNS = ("id", "version", "created_at", "updated_at", "search_text")  # columns that no edit is about
_ROOT_UNITS = "select id from org_units where parent_id is null limit 2"


@dataclass(frozen=True, slots=True)
class NestedRows:
    """Rows that are made along with the row that they are part of; `parent_column` is the column that names it."""

    writer: "EntityWriter"
    parent_column: str


@dataclass(frozen=True, slots=True)
class AlternateKey:
    """A way to find the row of an upsert through other rows: `find` locks what it is found by, `attach` ties it to a new row."""

    input: type[Any]
    description: str
    find: Callable[[Connection, Viewer, Any], Awaitable[UUID | None]]
    attach: Callable[[Connection, Viewer, UUID, Any, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReferenceLookup:
    """Another way for a new row to say which row its foreign key `column` points at; `find` gives None for no row."""

    column: str
    input: type[Any]
    description: str
    find: Callable[[Connection, Viewer, Any], Awaitable[UUID | None]]


def _unchecked(values: ColumnValues, now: datetime) -> dict[str, Any]:
    return dict(values)


@dataclass(frozen=True, slots=True, eq=False)
class EntityWriter:
    """One kind of rows: whose they are, what may be given, and the rules that it goes through.

    A new row that is not given a column of `defaults` has that value; columns that are `server_filled` are seen to by the
    rules or the viewer; `resolve_missing` gives those that other rows say. `copied_from_parent` are columns that a row takes
    over from the row that a foreign key names: the row that it is part of. `after_write` is called for that one after each
    write. `before_insert` sees a new row that is ready, before it is stored. Parts stand in the values under their names.
    `overflow_columns` are columns that the database computes others from. `authorize` refuses what a viewer may not say.
    With `long_running_delete`, a row of which much else is part may take long to delete."""

    table: sa.Table
    subject: str
    scope: Scope
    creatable: Sequence[str] = ()
    updatable: Sequence[str] = ()
    deletable: bool = True
    check_write: CheckWrite = _unchecked
    unique_keys: Sequence[str] = ()
    alternate_keys: Mapping[str, AlternateKey] = field(default_factory=dict)
    references: Mapping[str, ReferenceLookup] = field(default_factory=dict)
    nested: Mapping[str, NestedRows] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    server_filled: Sequence[str] = ()
    copied_from_parent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    after_write: AfterWrite | None = None
    resolve_missing: Callable[[Connection, Viewer, ColumnValues], Awaitable[ColumnValues]] | None = None
    before_insert: Callable[[Connection, ColumnValues], Awaitable[None]] | None = None
    overflow_columns: Sequence[str] = ()
    authorize: Callable[[Viewer, ColumnValues], None] | None = None
    long_running_delete: bool = False

    def __post_init__(self) -> None:
        scopes.registry[self.table] = self.scope

    @property
    def optional_columns(self) -> Sequence[str]:
        return (*self.defaults, *self.server_filled)

    async def create(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> UUID:
        """Makes a row and its parts; gives its key. Raises BadInput, NotFound for keys that the viewer does not see."""
        viewer.require(f"{self.subject}:write")
        key = await self._insert(tx, viewer, values, now)
        await self._translate_overflow(values, self._after_write(tx, await self._parent_key(tx, key), now))
        return key

    async def _insert(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> UUID:
        if self.authorize is not None:
            self.authorize(viewer, values)
        checked = self.check_write({**self.defaults, **await self._resolve_references(tx, viewer, values)}, now)
        if "unit_id" in self.server_filled and checked.get("unit_id") is None:
            checked["unit_id"] = await _default_unit(tx, viewer)
        if self.resolve_missing is not None:
            checked |= await self.resolve_missing(tx, viewer, checked)
        nested_values = {name: checked.pop(name) for name in self.nested if name in checked}
        missing = next((name for name in self._required_columns() if checked.get(name) is None), None)
        if missing is not None:
            raise BadInput(f"{missing}: a new row needs one; give it.", code="ARGUMENT_MISSING", argument=missing)
        if self.before_insert is not None:
            await self.before_insert(tx, checked)
        row = checked | {"created_at": now, "updated_at": now}
        key = await self._translate_overflow(checked, insert_row(tx, viewer, self.table, row, self._copied_columns))
        for name, rows in nested_values.items():
            nested = self.nested[name]
            for index, nested_row in enumerate(rows or ()):
                await prefixing_errors(
                    f"{name}[{index}]",
                    nested.writer._insert(tx, viewer, {**nested_row, nested.parent_column: key}, now),
                )
        return key

    async def _resolve_references(self, tx: Connection, viewer: Viewer, values: ColumnValues) -> dict[str, Any]:
        """The values with the keys of rows that were named in another way."""
        resolved = dict(values)
        for name, reference in self.references.items():
            lookup_input = resolved.pop(name, None)
            if lookup_input is None:
                continue
            if resolved.get(reference.column) is not None:
                message = f"{name}: {reference.column} says it already; give one of the two."
                raise BadInput(message, argument=name)
            key = await prefixing_errors(name, reference.find(tx, viewer, lookup_input))
            if key is None:
                raise not_visible(name)
            resolved[reference.column] = key
        return resolved

    @property
    def _copied_columns(self) -> statements.CopiedColumns:
        return tuple((name, tuple(columns)) for name, columns in self.copied_from_parent.items())

    def _required_columns(self) -> list[str]:
        return [
            name
            for name in self.creatable
            if not (self.table.c[name].nullable or self.table.c[name].server_default is not None)
        ]

    async def update(
        self, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues, version: int | None, now: datetime
    ) -> UUID:
        """Changes what is given. An edit based on an older version stands if later edits left these columns alone."""
        viewer.require(f"{self.subject}:write")
        if self.authorize is not None:
            self.authorize(viewer, values)
        checked = self.check_write(values, now)
        for name in checked:
            await _require_reference_visible(tx, viewer, self.table, name, checked[name])
        if version is not None:
            await self._require_version(tx, viewer, key, checked, version)
        await self._translate_overflow(checked, update_row(tx, viewer, self.table, key, checked, now))
        await self._translate_overflow(checked, self._after_write(tx, await self._parent_key(tx, key), now))
        return key

    async def _translate_overflow(self, values: ColumnValues, operation: Awaitable[T]) -> T:
        """What `operation` gives; when an amount that comes of these values does not fit, the refusal names one of them."""
        try:
            return await operation
        except asyncpg.NumericValueOutOfRangeError as error:
            name = next(
                (column_name for column_name in self.overflow_columns if values.get(column_name) is not None), None
            )
            if name is None:
                raise
            message = f"{name}: what comes of it has more than 14 digits before the point; give less."
            raise BadInput(message, argument=name) from error

    async def _require_version(
        self, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues, version: int
    ) -> None:
        """Locks the row; raises VERSION_CONFLICT when one of the columns was changed after that version."""
        row = await lock_row(tx, viewer, self.table, key, "id")
        current: int = row["version"]
        if version == current:
            return
        edited = await change_log.edited_since(tx, self.table.name, key, version) if version < current else None
        conflicts = sorted(values if edited is None else edited & values.keys())
        if not conflicts:
            return
        names = ", ".join(conflicts)
        raise BadInput(
            f"expected_version: {names} changed after version {version}, which is now {current}; read the row again.",
            code="VERSION_CONFLICT",
            argument="expected_version",
            extensions={
                "currentVersion": current,
                "current": {name: await self._visible_value(tx, viewer, name, row[name]) for name in conflicts},
            },
        )

    async def _visible_value(self, tx: Connection, viewer: Viewer, name: str, value: Any) -> Any:
        """What stands in a column, as the viewer would read it: the key of a hidden row is null to it."""
        column = self.table.c[name]
        if value is None:
            return None
        if isinstance(column.type, JSONB):
            return orjson.Fragment(value)  # as it stands: it may hold numbers that orjson would not write
        target = statements.referenced_table(column)
        return value if target is None or await _can_see(tx, viewer, target, value) else None

    async def upsert(
        self, tx: Connection, viewer: Viewer, by: ColumnValues, values: ColumnValues, version: int | None, now: datetime
    ) -> tuple[UUID, bool]:
        """Changes the row that is found, or makes it; gives its key and whether it was made."""
        viewer.require(f"{self.subject}:write")
        if len(by) != 1 or None in by.values():
            raise BadInput("by: give exactly one thing to find the row by.", code="UPSERT_AMBIGUOUS", argument="by")
        ((name, key_value),) = by.items()
        if name == "id":
            await prefixing_errors("by", require_visible(tx, viewer, self.table, key_value, "id"))
            return await self._update_existing(tx, viewer, key_value, values, version, now), False
        if name in self.alternate_keys:
            alternate_key = self.alternate_keys[name]
            key = await prefixing_errors(f"by.{name}", alternate_key.find(tx, viewer, key_value))
            if key is None:
                key = await self._insert_for_upsert(tx, viewer, values, version, now)
                await self._attach(name, alternate_key.attach(tx, viewer, key, key_value, now))
                return key, True
            return await retry_if_gone(self._update_existing(tx, viewer, key, values, version, now)), False
        return await self._upsert_by_unique_key(tx, viewer, name, key_value, values, version, now)

    async def _upsert_by_unique_key(
        self,
        tx: Connection,
        viewer: Viewer,
        name: str,
        by: Any,
        values: ColumnValues,
        version: int | None,
        now: datetime,
    ) -> tuple[UUID, bool]:
        try:
            normalized = self.check_write({name: by}, now)[name]
        except BadInput as error:
            raise prefix_error("by", error) from None
        if self.check_write({name: values.get(name, by)}, now)[name] != normalized:
            message = f"{name}: by.{name} says another one; leave it out, or give the same."
            raise BadInput(message, argument=name)
        values = {**values, name: normalized}
        await tx.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{self.table.name}.{name}={normalized}"
        )
        statement = statements.select_key(self.table, name, viewer.binding)
        key: UUID | None = await tx.fetchval(statement.text, *statement.bind({"row_key": normalized}, viewer))
        if key is None:
            return await self._insert_for_upsert(tx, viewer, values, version, now), True
        return await retry_if_gone(self._update_existing(tx, viewer, key, values, version, now)), False

    async def _insert_for_upsert(
        self, tx: Connection, viewer: Viewer, values: ColumnValues, version: int | None, now: datetime
    ) -> UUID:
        """An upsert's new row. An edit that is based on a version was one of a row that is gone, and makes none in its place."""
        if version is not None:
            message = "expected_version: the row that had it is gone; leave it out to make a new one."
            raise NotFound(message, argument="expected_version")
        return await self.create(tx, viewer, values, now)

    async def _attach(self, name: str, operation: Awaitable[None]) -> None:
        """Ties a new row to what it was not found by, which may be another's that the viewer does not see, or a part's."""
        try:
            await prefixing_errors(f"by.{name}", operation)
        except BadInput as error:
            if error.code != "ALREADY_EXISTS":
                raise
            # What a way is given by need not have the columns of the row that it makes: it is named as a whole.
            message = f"by.{name}: another row or a part of this one has it; give another, or leave the part out."
            raise BadInput(message, code=error.code, argument=f"by.{name}") from error

    async def _update_existing(
        self, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues, version: int | None, now: datetime
    ) -> UUID:
        """An upsert's change: of what may be changed, what is given; parts are those of new rows only."""
        updates = {name: value for name, value in values.items() if name in self.updatable}
        return await self.update(tx, viewer, key, updates, version, now)

    async def delete(self, tx: Connection, viewer: Viewer, key: UUID, version: int | None, now: datetime) -> None:
        """Deletes a row and what is part of it; raises NotFound, VERSION_CONFLICT when it was changed since."""
        viewer.require(f"{self.subject}:write")
        parent = await self._parent_key(tx, key)
        if version is not None:
            # Nothing of it is left to merge with, so any later edit counts, also of what updates do not take.
            columns = {column.name: None for column in self.table.c if column.name not in SYSTEM_COLUMNS}
            await self._require_version(tx, viewer, key, columns, version)
        statement = statements.delete(self.table, viewer.binding)
        arguments = statement.bind({"row_key": key}, viewer)
        async with change_log.long_statement_timeout(tx) if self.long_running_delete else nullcontext():
            deleted_key = await tx.fetchval(
                statement.text,
                *arguments,
                timeout=change_log.LONG_STATEMENT_SECONDS if self.long_running_delete else None,
            )
        if deleted_key is None:
            raise not_visible("id")
        await self._after_write(tx, parent, now)

    async def _parent_key(self, tx: Connection, key: UUID) -> UUID | None:
        """The row that this one is part of, if it has one that must be settled."""
        if self.after_write is None or not self.copied_from_parent:
            return None
        (name,) = self.copied_from_parent
        parent: UUID | None = await tx.fetchval(statements.select_parent(self.table, name), key)
        return parent

    async def _after_write(self, tx: Connection, parent: UUID | None, now: datetime) -> None:
        if self.after_write is not None and parent is not None:
            await self.after_write(tx, parent, now)


async def _default_unit(tx: Connection, viewer: Viewer) -> UUID | None:
    """The unit of a row that names none: the viewer's own, else the organisation's root; None when it has several."""
    if viewer.unit_ids:
        return viewer.unit_ids[0]
    roots = await tx.fetch(_ROOT_UNITS)
    return roots[0]["id"] if len(roots) == 1 else None


def not_visible(argument: str) -> NotFound:
    """The refusal of a key that names no row, or a hidden one."""
    return NotFound(f"{argument}: there is no such row, or this key may not see it.", argument=argument)


def prefix_error(argument: str, error: HubError) -> HubError:
    """The refusal of a nested value, told with where it stands."""
    if error.argument is not None:
        error.message = f"{argument}.{error.message}"
        error.argument = f"{argument}.{error.argument}"
    return error


async def prefixing_errors(argument: str, operation: Awaitable[T]) -> T:
    """What `operation` gives; its refusals, and those of the database, name where the nested value stands."""
    try:
        return await operation
    except HubError as error:
        raise prefix_error(argument, error) from None
    except asyncpg.IntegrityConstraintViolationError as error:
        hub_error = to_hub_error(error, metadata)
        if hub_error is None:
            raise
        raise prefix_error(argument, hub_error) from error


async def retry_if_gone(operation: Awaitable[T]) -> T:
    """What is done to a row that was looked up; raises ContentionError, so that it is looked up again, if it went meanwhile."""
    try:
        return await operation
    except NotFound as error:
        if error.argument != "id":
            raise
        raise ContentionError from error


async def insert_row(
    tx: Connection, viewer: Viewer, table: sa.Table, values: ColumnValues, copied_columns: statements.CopiedColumns = ()
) -> UUID:
    """Inserts a row; gives its key. Raises NotFound when it names a row that the viewer does not see."""
    statement = statements.insert(table, tuple(values), copied_columns, viewer.binding)
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind(values, viewer))
    if key is None:
        for name in values:
            await _require_reference_visible(tx, viewer, table, name, values[name])
        raise not_visible("id")
    return key


async def _require_reference_visible(
    tx: Connection, viewer: Viewer, table: sa.Table, name: str, key: UUID | None
) -> None:
    target = statements.referenced_table(table.c[name])
    if target is not None and key is not None:
        await require_visible(tx, viewer, target, key, name)


async def update_row(
    tx: Connection, viewer: Viewer, table: sa.Table, key: UUID, values: ColumnValues, now: datetime
) -> None:
    """Changes columns of a row; raises NotFound for one that the viewer does not see."""
    statement = statements.update(table, tuple(values), viewer.binding)
    if await tx.fetchval(statement.text, *statement.bind({**values, "row_key": key, "now": now}, viewer)) is None:
        raise not_visible("id")


async def lock_row(tx: Connection, viewer: Viewer, table: sa.Table, key: UUID, argument: str) -> asyncpg.Record:
    """The row, locked until the transaction ends; raises NotFound for one that the viewer does not see."""
    statement = statements.select_for_update(table, viewer.binding)
    row = await tx.fetchrow(statement.text, *statement.bind({"row_key": key}, viewer))
    if row is None:
        raise not_visible(argument)
    return row


async def require_visible(tx: Connection, viewer: Viewer, table: sa.Table, key: UUID, argument: str) -> None:
    """Raises NotFound unless the viewer sees the row; absent and hidden are the same."""
    if not await _can_see(tx, viewer, table, key):
        raise not_visible(argument)


async def _can_see(tx: Connection, viewer: Viewer, table: sa.Table, key: UUID) -> bool:
    statement = statements.select_key(table, "id", viewer.binding)
    return await tx.fetchval(statement.text, *statement.bind({"row_key": key}, viewer)) is not None
