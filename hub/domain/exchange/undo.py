"""Takes back what a job wrote, from the images of the change log: one row at a time, the latest change first.

A row that somebody changed since stays as it is, and so does one that others refer to. A part that the job made, such as an
item or an identifier, goes or stays with the row that the job made it for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model import provenance
from hub.model.columns import metadata, readable_columns
from hub.model.definition import WriteOperation
from hub.model.entity import Entity, declared_entities, entity_of
from hub.model.rows import can_see, may_write_row, updating
from hub.model.writer import writer_of
from hub.rights import Verb
from hub.schema.customers.customers import Customer, Identifier
from hub.viewer import Viewer

Fate = Literal["deleted", "restored", "edited", "in_use", "gone", "part", "forbidden"]
_CHANGES = """
select id, table_name, row_id, operation, before, changed, (after ->> 'updated_at')::timestamptz as written_at
from change_log where request = $1 and request like 'job:%' and table_name <> 'jobs' and id < $2 order by id desc limit $3
"""
_COUNT = "select count(*) from change_log where request = $1 and request like 'job:%' and table_name <> 'jobs'"
# Changes since, but those of the job and of taking it back.
_EDITED = """
select exists (
    select from change_log where row_id = $1 and id > $2 and table_name = $3 and request is distinct from $4
        and coalesce(request, '') <> all ($5)
)
"""
_CREATED = """
select exists (
    select from change_log where row_id = $1 and table_name = $2 and request = $3 and operation = 'CREATE'
)
"""
_OWN_PARTS = """
select t.id from "{0}" as t where t."{1}" = $1 and exists (
    select from change_log where row_id = t.id and table_name = $2 and request = $3 and operation = 'CREATE'
) and not exists (
    select from change_log where row_id = t.id and table_name = $2 and request is distinct from $3
        and coalesce(request, '') <> all ($4)
) order by t.id
"""
_WRITTEN = """
select distinct table_name, operation from change_log
where request = $1 and request like 'job:%' and table_name <> 'jobs'
"""
_REACHED = """
select id from change_log where request = $1 and request like 'job:%' and table_name <> 'jobs'
order by id desc offset $2 limit 1
"""
LATEST = 2**62
STAMPS = ("id", "version", "updated_at", "created_at")


class LoggedWrite(NamedTuple):
    """A change that the job made."""

    id: int
    table_name: str
    row_id: UUID
    operation: str
    before: str | None
    changed: Sequence[str]
    written_at: datetime | None


class RowFate(NamedTuple):
    """What became of a row."""

    entity: type[Entity]
    key: UUID
    fate: Fate


async def count_writes(connection: Connection, request: str) -> int:
    """The number of changes that a job made."""
    count: int = await connection.fetchval(_COUNT, request)
    return count


async def number_reached(connection: Connection, request: str, done: int) -> int:
    """The number of the last of the first `done` changes, the latest first: where taking back goes on."""
    return LATEST if not done else await connection.fetchval(_REACHED, request, done - 1) or LATEST


async def require_undoable(tx: Connection, viewer: Viewer, request: str) -> None:
    """Raises Forbidden unless the viewer may delete and update rows of the tables that a job created and updated rows in."""
    for table_name, operation in await tx.fetch(_WRITTEN, request):
        table = metadata.tables[table_name]
        if operation == "UPDATE":
            _require(viewer, table, "update")
        elif _owner(table) is None:
            _require(viewer, table, "delete")


def _require(viewer: Viewer, table: sa.Table, operation: WriteOperation) -> None:
    entity: type[Entity] = entity_of(table)
    if entity.definition.operations():
        entity.require(viewer, operation)


async def latest_writes(connection: Connection, request: str, before: int, limit: int) -> list[LoggedWrite]:
    """Changes that a job made, the latest first, before the one of a number."""
    return [LoggedWrite(**row) for row in await connection.fetch(_CHANGES, request, before, limit)]


async def take_back(
    tx: Connection, viewer: Viewer, write: LoggedWrite, request: str, undo_requests: Sequence[str], now: datetime
) -> list[RowFate]:
    """Takes one change back; returns what became of the row, and of parts that go or stay with it.

    `undo_requests` are the jobs that take it back, this one and those that ended early. A row that the viewer's roles do not
    let it delete or update stays. Raises Forbidden for types of which it may write no row so."""
    table = metadata.tables[write.table_name]
    entity: type[Entity] = entity_of(table)
    key = write.row_id
    stored = await tx.fetchrow(f'select * from "{table.name}" where id = $1 for update', key)
    if stored is None or not await can_see(tx, viewer, table, key):
        return [RowFate(entity, key, "gone")]
    is_edited = await tx.fetchval(_EDITED, key, write.id, table.name, request, undo_requests)
    if write.operation == "UPDATE":
        if is_edited:
            return [RowFate(entity, key, "edited")]
        _require(viewer, table, "update")
        is_written_beside = not entity.definition.operations()  # by the hub, whatever the viewer may write
        if not is_written_beside and not await may_write_row(tx, viewer, entity, key, Verb.UPDATE):
            return [RowFate(entity, key, "forbidden")]
        fields = [name for name in write.changed if name in writer_of(entity).updatable]
        async with nullcontext() if is_written_beside else updating(tx, viewer, entity, key, fields=fields):
            await tx.execute(_restore_sql(table, tuple(write.changed)), key, write.before, now)
        if write.written_at is not None:
            await provenance.forget(tx, table, key, write.changed, write.written_at, now)
        return [RowFate(entity, key, "restored")]
    owner = _owner(table)
    if owner is not None and not is_edited and await tx.fetchval(_CREATED, stored[owner[1]], owner[0].name, request):
        return []  # it goes or stays with its owner, whose creation is an earlier change
    _require(viewer, table, "delete")
    if entity.definition.operations() and not await may_write_row(tx, viewer, entity, key, Verb.DELETE):
        return [RowFate(entity, key, "forbidden")]
    own = await _own_parts(tx, table, key, request, undo_requests)
    fate: Fate = "edited" if is_edited else await _delete(tx, table, key, own)
    of_parts: Fate = "deleted" if fate == "deleted" else "part"
    return [RowFate(entity, key, fate), *(RowFate(entity_of(part), part_key, of_parts) for part, part_key in own)]


def _owner(table: sa.Table) -> tuple[sa.Table, str] | None:
    """The table whose rows those of a table are made for, and the column that says for which; None for others."""
    parent = entity_of(table).definition.parent
    if parent is not None:
        return parent.target.table, parent.column_name
    return (Customer.table, "customer_id") if table is Identifier.table else None


@lru_cache
def _parts(table: sa.Table) -> tuple[tuple[sa.Table, str], ...]:
    """The tables whose rows go or stay with those of a table, each with the column that refers to them."""
    owners = ((entity.table, _owner(entity.table)) for entity in declared_entities())
    return tuple((part, owner[1]) for part, owner in owners if owner is not None and owner[0] is table)


async def _own_parts(
    tx: Connection, table: sa.Table, key: UUID, request: str, undo_requests: Sequence[str]
) -> list[tuple[sa.Table, UUID]]:
    """Parts of a row that the job made and that nobody has changed since, with theirs before them."""
    own: list[tuple[sa.Table, UUID]] = []
    for part, column in _parts(table):
        sql = _OWN_PARTS.format(part.name, column)
        for row in await tx.fetch(sql, key, part.name, request, undo_requests):
            own += [*await _own_parts(tx, part, row["id"], request, undo_requests), (part, row["id"])]
    return own


async def _delete(tx: Connection, table: sa.Table, key: UUID, own: Sequence[tuple[sa.Table, UUID]]) -> Fate:
    """Deletes a row with its own parts, or nothing if other rows refer to it or to them."""
    await tx.execute("savepoint take_back")
    try:
        for part, part_key in [*own, (table, key)]:
            for sql in _reference_sqls(part):
                if await tx.fetchval(sql, part_key):
                    await tx.execute("rollback to savepoint take_back")
                    return "in_use"
            await tx.execute(f'delete from "{part.name}" where id = $1', part_key)
    except asyncpg.ForeignKeyViolationError:
        await tx.execute("rollback to savepoint take_back")
        return "in_use"
    await tx.execute("release savepoint take_back")
    return "deleted"


@lru_cache
def _reference_sqls(table: sa.Table) -> tuple[str, ...]:
    """Whether rows of other tables refer to a row: deleting it would take them along."""
    return tuple(
        f'select exists (select from "{other.name}" where "{column}" = $1)' for other, column in _referrers(table)
    )


def _referrers(table: sa.Table) -> Iterator[tuple[sa.Table, str]]:
    # Rows that are derived from others hold on to none: those of some entities, and those that no entity declares.
    others = [e.table for e in declared_entities() if not e.definition.options.get("derived", False)]
    pairs: Mapping[tuple[str, str], sa.Table] = {
        (other.name, element.parent.name): other
        for other in others
        for constraint in other.foreign_key_constraints
        for element in constraint.elements
        if element.column.table is table and element.column.name == "id"
    }
    for (_, column), other in sorted(pairs.items()):
        yield other, column


@lru_cache
def _restore_sql(table: sa.Table, changed: tuple[str, ...]) -> str:
    """Gives changed columns the values of an image, which has no others; the row's version goes on."""
    columns = {column.name: column for column in readable_columns(table)}
    restored = [name for name in changed if name in columns and columns[name].computed is None and name not in STAMPS]
    names = "".join(f'"{name}" = r."{name}", ' for name in restored)
    return (
        f'update "{table.name}" as t set {names}version = t.version + 1, updated_at = $3 '
        f'from jsonb_populate_record(null::"{table.name}", $2::jsonb) as r where t.id = $1'
    )
