"""How rows are written, alike for every kind: create, update, upsert, delete, within what the viewer sees.

A kind says which columns a caller may give and what its rules make of them; the rules are the subjects' own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db import change_log
from hub.db.constraint_errors import refusal
from hub.db.pool import contended
from hub.errors import BadInput, HubError, NotFound
from hub.model import scopes, statements
from hub.model.columns import metadata
from hub.model.scopes import Scope
from hub.viewer import Viewer

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
T = TypeVar("T")
Values = Mapping[str, Any]
Prepare = Callable[[Values, datetime], dict[str, Any]]
Settle = Callable[[Tx, UUID, datetime], Awaitable[None]]
UNTOLD = ("id", "version", "created_at", "updated_at", "search_text")  # columns that no edit is about
_ROOTS = "select id from org_units where parent_id is null limit 2"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that are made along with the row that they are part of; `by` is the column that names it."""

    kind: "Kind"
    by: str


@dataclass(frozen=True, slots=True)
class Way:
    """A way to find the row of an upsert through other rows: `find` locks what it is found by, `claim` ties it to a new row."""

    given: type[Any]
    description: str
    find: Callable[[Tx, Viewer, Any], Awaitable[UUID | None]]
    claim: Callable[[Tx, Viewer, UUID, Any, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Naming:
    """Another way for a new row to say which row its foreign key `column` points at; `find` gives None for no row."""

    column: str
    given: type[Any]
    description: str
    find: Callable[[Tx, Viewer, Any], Awaitable[UUID | None]]


def _as_given(values: Values, at: datetime) -> dict[str, Any]:
    return dict(values)


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of rows: whose they are, what may be given, and the rules that it goes through.

    A new row that is not given a column of `defaults` has that value; columns that are `filled` are seen to by the rules
    or the viewer; `complete` gives those that other rows say. `inherits` are columns that a row takes over from the row
    that a foreign key names: the row that it is part of. That one is told to `settle` after each write. `before` sees a
    new row that is ready, before it is stored. Parts stand in the values under their names. `amounts` are columns that
    the database computes others from. `allow` refuses what a viewer may not say. With `patient`, a row of which much else
    is part may take long to delete."""

    table: sa.Table
    subject: str
    scope: Scope
    creates: Sequence[str] = ()
    updates: Sequence[str] = ()
    deletes: bool = True
    prepare: Prepare = _as_given
    natural: Sequence[str] = ()
    ways: Mapping[str, Way] = field(default_factory=dict)
    namings: Mapping[str, Naming] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    filled: Sequence[str] = ()
    inherits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settle: Settle | None = None
    complete: Callable[[Tx, Viewer, Values], Awaitable[Values]] | None = None
    before: Callable[[Tx, Values], Awaitable[None]] | None = None
    amounts: Sequence[str] = ()
    allow: Callable[[Viewer, Values], None] | None = None
    patient: bool = False

    def __post_init__(self) -> None:
        scopes.SCOPES[self.table] = self.scope

    @property
    def optional(self) -> Sequence[str]:
        return (*self.defaults, *self.filled)

    async def create(self, tx: Tx, viewer: Viewer, values: Values, at: datetime) -> UUID:
        """Makes a row and its parts; gives its key. Raises BadInput, NotFound for keys that the viewer does not see."""
        viewer.require(f"{self.subject}:write")
        key = await self._made(tx, viewer, values, at)
        await self._fitting(values, self._settled(tx, await self._owner(tx, key), at))
        return key

    async def _made(self, tx: Tx, viewer: Viewer, values: Values, at: datetime) -> UUID:
        if self.allow is not None:
            self.allow(viewer, values)
        ready = self.prepare({**self.defaults, **await self._named(tx, viewer, values)}, at)
        if "unit_id" in self.filled and ready.get("unit_id") is None:
            ready["unit_id"] = await _home(tx, viewer)
        if self.complete is not None:
            ready |= await self.complete(tx, viewer, ready)
        parts = {name: ready.pop(name) for name in self.parts if name in ready}
        missing = next((name for name in self._required() if ready.get(name) is None), None)
        if missing is not None:
            raise BadInput(f"{missing}: a new row needs one; give it.", code="ARGUMENT_MISSING", argument=missing)
        if self.before is not None:
            await self.before(tx, ready)
        stamped = ready | {"created_at": at, "updated_at": at}
        key = await self._fitting(ready, insert(tx, viewer, self.table, stamped, self._inherits))
        for name, rows in parts.items():
            part = self.parts[name]
            for number, each in enumerate(rows or ()):
                await within(f"{name}[{number}]", part.kind._made(tx, viewer, {**each, part.by: key}, at))
        return key

    async def _named(self, tx: Tx, viewer: Viewer, values: Values) -> dict[str, Any]:
        """The values with the keys of rows that were named in another way."""
        found = dict(values)
        for name, naming in self.namings.items():
            wanted = found.pop(name, None)
            if wanted is None:
                continue
            if found.get(naming.column) is not None:
                message = f"{name}: {naming.column} says it already; give one of the two."
                raise BadInput(message, argument=name)
            key = await within(name, naming.find(tx, viewer, wanted))
            if key is None:
                raise absent(name)
            found[naming.column] = key
        return found

    @property
    def _inherits(self) -> statements.Inherits:
        return tuple((name, tuple(columns)) for name, columns in self.inherits.items())

    def _required(self) -> list[str]:
        return [
            name
            for name in self.creates
            if not (self.table.c[name].nullable or self.table.c[name].server_default is not None)
        ]

    async def update(
        self, tx: Tx, viewer: Viewer, key: UUID, values: Values, version: int | None, at: datetime
    ) -> UUID:
        """Changes what is given. An edit based on an older version stands if later edits left these columns alone."""
        viewer.require(f"{self.subject}:write")
        if self.allow is not None:
            self.allow(viewer, values)
        ready = self.prepare(values, at)
        for name in ready:
            await _require_target(tx, viewer, self.table, name, ready[name])
        if version is not None:
            await self._require_version(tx, viewer, key, ready, version)
        await self._fitting(ready, change(tx, viewer, self.table, key, ready, at))
        await self._fitting(ready, self._settled(tx, await self._owner(tx, key), at))
        return key

    async def _fitting(self, values: Values, doing: Awaitable[T]) -> T:
        """What `doing` gives; when an amount that comes of these values does not fit, the refusal names one of them."""
        try:
            return await doing
        except asyncpg.NumericValueOutOfRangeError as error:
            name = next((each for each in self.amounts if values.get(each) is not None), None)
            if name is None:
                raise
            message = f"{name}: what comes of it has more than 14 digits before the point; give less."
            raise BadInput(message, argument=name) from error

    async def _require_version(self, tx: Tx, viewer: Viewer, key: UUID, values: Values, version: int) -> None:
        """Locks the row; raises VERSION_CONFLICT when one of the columns was changed after that version."""
        row = await lock(tx, viewer, self.table, key, "id")
        current: int = row["version"]
        if version == current:
            return
        edited = await change_log.edited_since(tx, self.table.name, key, version) if version < current else None
        clash = sorted(values if edited is None else edited & values.keys())
        if not clash:
            return
        names = ", ".join(clash)
        raise BadInput(
            f"expected_version: {names} changed after version {version}, which is now {current}; read the row again.",
            code="VERSION_CONFLICT",
            argument="expected_version",
            extensions={
                "currentVersion": current,
                "current": {name: await self._shown(tx, viewer, name, row[name]) for name in clash},
            },
        )

    async def _shown(self, tx: Tx, viewer: Viewer, name: str, value: Any) -> Any:
        """What stands in a column, as the viewer would read it: the key of a hidden row is null to it."""
        column = self.table.c[name]
        if value is None:
            return None
        if isinstance(column.type, JSONB):
            return orjson.Fragment(value)  # as it stands: it may hold numbers that orjson would not write
        target = statements.target_of(column)
        return value if target is None or await _sees(tx, viewer, target, value) else None

    async def upsert(
        self, tx: Tx, viewer: Viewer, by: Values, values: Values, version: int | None, at: datetime
    ) -> tuple[UUID, bool]:
        """Changes the row that is found, or makes it; gives its key and whether it was made."""
        viewer.require(f"{self.subject}:write")
        if len(by) != 1 or None in by.values():
            raise BadInput("by: give exactly one thing to find the row by.", code="UPSERT_AMBIGUOUS", argument="by")
        ((name, wanted),) = by.items()
        if name == "id":
            await within("by", require_seen(tx, viewer, self.table, wanted, "id"))
            return await self._changed(tx, viewer, wanted, values, version, at), False
        if name in self.ways:
            way = self.ways[name]
            key = await within(f"by.{name}", way.find(tx, viewer, wanted))
            if key is None:
                key = await self._new(tx, viewer, values, version, at)
                await self._claimed(name, way.claim(tx, viewer, key, wanted, at))
                return key, True
            return await looked_up(self._changed(tx, viewer, key, values, version, at)), False
        return await self._by_natural(tx, viewer, name, wanted, values, version, at)

    async def _by_natural(
        self, tx: Tx, viewer: Viewer, name: str, by: Any, values: Values, version: int | None, at: datetime
    ) -> tuple[UUID, bool]:
        try:
            wanted = self.prepare({name: by}, at)[name]
        except BadInput as error:
            raise inside("by", error) from None
        if self.prepare({name: values.get(name, by)}, at)[name] != wanted:
            message = f"{name}: by.{name} says another one; leave it out, or give the same."
            raise BadInput(message, argument=name)
        values = {**values, name: wanted}
        await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{self.table.name}.{name}={wanted}")
        statement = statements.named(self.table, name, viewer.binding)
        key: UUID | None = await tx.fetchval(statement.text, *statement.bind({"wanted": wanted}, viewer))
        if key is None:
            return await self._new(tx, viewer, values, version, at), True
        return await looked_up(self._changed(tx, viewer, key, values, version, at)), False

    async def _new(self, tx: Tx, viewer: Viewer, values: Values, version: int | None, at: datetime) -> UUID:
        """An upsert's new row. An edit that is based on a version was one of a row that is gone, and makes none in its place."""
        if version is not None:
            message = "expected_version: the row that had it is gone; leave it out to make a new one."
            raise NotFound(message, argument="expected_version")
        return await self.create(tx, viewer, values, at)

    async def _claimed(self, name: str, doing: Awaitable[None]) -> None:
        """Ties a new row to what it was not found by, which may be another's that the viewer does not see, or a part's."""
        try:
            await within(f"by.{name}", doing)
        except BadInput as error:
            if error.code != "ALREADY_EXISTS":
                raise
            # What a way is given by need not have the columns of the row that it makes: it is named as a whole.
            message = f"by.{name}: another row or a part of this one has it; give another, or leave the part out."
            raise BadInput(message, code=error.code, argument=f"by.{name}") from error

    async def _changed(
        self, tx: Tx, viewer: Viewer, key: UUID, values: Values, version: int | None, at: datetime
    ) -> UUID:
        """An upsert's change: of what may be changed, what is given; parts are those of new rows only."""
        kept = {name: value for name, value in values.items() if name in self.updates}
        return await self.update(tx, viewer, key, kept, version, at)

    async def delete(self, tx: Tx, viewer: Viewer, key: UUID, version: int | None, at: datetime) -> None:
        """Deletes a row and what is part of it; raises NotFound, VERSION_CONFLICT when it was changed since."""
        viewer.require(f"{self.subject}:write")
        owner = await self._owner(tx, key)
        if version is not None:
            # Nothing of it is left to merge with, so any later edit counts, also of what updates do not take.
            told = {each.name: None for each in self.table.c if each.name not in UNTOLD}
            await self._require_version(tx, viewer, key, told, version)
        statement = statements.delete(self.table, viewer.binding)
        arguments = statement.bind({"wanted": key}, viewer)
        async with change_log.patience(tx) if self.patient else nullcontext():
            gone = await tx.fetchval(statement.text, *arguments, timeout=change_log.LONGEST if self.patient else None)
        if gone is None:
            raise absent("id")
        await self._settled(tx, owner, at)

    async def _owner(self, tx: Tx, key: UUID) -> UUID | None:
        """The row that this one is part of, if it has one that must be settled."""
        if self.settle is None or not self.inherits:
            return None
        (name,) = self.inherits
        owner: UUID | None = await tx.fetchval(statements.owning(self.table, name), key)
        return owner

    async def _settled(self, tx: Tx, owner: UUID | None, at: datetime) -> None:
        if self.settle is not None and owner is not None:
            await self.settle(tx, owner, at)


async def _home(tx: Tx, viewer: Viewer) -> UUID | None:
    """The unit of a row that names none: the viewer's own, else the organisation's root; None when it has several."""
    if viewer.unit_ids:
        return viewer.unit_ids[0]
    roots = await tx.fetch(_ROOTS)
    return roots[0]["id"] if len(roots) == 1 else None


def absent(argument: str) -> NotFound:
    """The refusal of a key that names no row, or a hidden one."""
    return NotFound(f"{argument}: there is no such row, or this key may not see it.", argument=argument)


def inside(argument: str, error: HubError) -> HubError:
    """The refusal of a nested value, told with where it stands."""
    if error.argument is not None:
        error.message = f"{argument}.{error.message}"
        error.argument = f"{argument}.{error.argument}"
    return error


async def within(argument: str, doing: Awaitable[T]) -> T:
    """What `doing` gives; its refusals, and those of the database, name where the nested value stands."""
    try:
        return await doing
    except HubError as error:
        raise inside(argument, error) from None
    except asyncpg.IntegrityConstraintViolationError as error:
        told = refusal(error, metadata)
        if told is None:
            raise
        raise inside(argument, told) from error


async def looked_up(doing: Awaitable[T]) -> T:
    """What is done to a row that was looked up; Contended, so that it is looked up again, if it went meanwhile."""
    try:
        return await doing
    except NotFound as error:
        if error.argument != "id":
            raise
        raise contended() from error


async def insert(tx: Tx, viewer: Viewer, table: sa.Table, values: Values, inherits: statements.Inherits = ()) -> UUID:
    """Inserts a row; gives its key. Raises NotFound when it names a row that the viewer does not see."""
    statement = statements.insert(table, tuple(values), inherits, viewer.binding)
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind(values, viewer))
    if key is None:
        for name in values:
            await _require_target(tx, viewer, table, name, values[name])
        raise absent("id")
    return key


async def _require_target(tx: Tx, viewer: Viewer, table: sa.Table, name: str, key: UUID | None) -> None:
    target = statements.target_of(table.c[name])
    if target is not None and key is not None:
        await require_seen(tx, viewer, target, key, name)


async def change(tx: Tx, viewer: Viewer, table: sa.Table, key: UUID, values: Values, at: datetime) -> None:
    """Changes columns of a row; raises NotFound for one that the viewer does not see."""
    statement = statements.update(table, tuple(values), viewer.binding)
    if await tx.fetchval(statement.text, *statement.bind({**values, "wanted": key, "at": at}, viewer)) is None:
        raise absent("id")


async def lock(tx: Tx, viewer: Viewer, table: sa.Table, key: UUID, argument: str) -> asyncpg.Record:
    """The row, locked until the transaction ends; raises NotFound for one that the viewer does not see."""
    statement = statements.locked(table, viewer.binding)
    row = await tx.fetchrow(statement.text, *statement.bind({"wanted": key}, viewer))
    if row is None:
        raise absent(argument)
    return row


async def require_seen(tx: Tx, viewer: Viewer, table: sa.Table, key: UUID, argument: str) -> None:
    """Raises NotFound unless the viewer sees the row; absent and hidden are the same."""
    if not await _sees(tx, viewer, table, key):
        raise absent(argument)


async def _sees(tx: Tx, viewer: Viewer, table: sa.Table, key: UUID) -> bool:
    statement = statements.named(table, "id", viewer.binding)
    return await tx.fetchval(statement.text, *statement.bind({"wanted": key}, viewer)) is not None
