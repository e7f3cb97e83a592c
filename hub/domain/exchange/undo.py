"""Takes back what a job wrote, from the images of the change log: one row at a time, the latest change first.

A row that somebody changed since stays as it is, and so does one that others refer to."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.columns import metadata, readable_columns
from hub.model.entity import Entity, entity_of
from hub.model.rows import can_see
from hub.viewer import Viewer

Fate = Literal["deleted", "restored", "edited", "in_use", "gone"]
_CHANGES = """
select id, table_name, row_id, operation, before, changed from change_log
where request = $1 and request like 'job:%' and table_name <> 'jobs' and id < $2 order by id desc limit $3
"""
_COUNT = "select count(*) from change_log where request = $1 and request like 'job:%' and table_name <> 'jobs'"
# Changes since, but those of the job and of taking it back.
_EDITED = """
select exists (
    select from change_log where row_id = $1 and id > $2 and table_name = $3 and request is distinct from $4
        and request is distinct from $5
)
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


async def count_writes(connection: Connection, request: str) -> int:
    """The number of changes that a job made."""
    count: int = await connection.fetchval(_COUNT, request)
    return count


async def latest_writes(connection: Connection, request: str, before: int, limit: int) -> list[LoggedWrite]:
    """Changes that a job made, the latest first, before the one of a number."""
    return [LoggedWrite(**row) for row in await connection.fetch(_CHANGES, request, before, limit)]


async def take_back(
    tx: Connection, viewer: Viewer, write: LoggedWrite, request: str, undo_request: str, now: datetime
) -> Fate:
    """Takes one change back; returns what became of it. Raises Forbidden for rows that the viewer may not delete."""
    table = metadata.tables[write.table_name]
    entity: type[Entity] = entity_of(table)
    if await tx.fetchval(f'select id from "{table.name}" where id = $1 for update', write.row_id) is None:
        return "gone"
    if not await can_see(tx, viewer, table, write.row_id):
        return "gone"
    if await tx.fetchval(_EDITED, write.row_id, write.id, table.name, request, undo_request):
        return "edited"
    if write.operation == "CREATE":
        if entity.definition.operations():
            entity.require(viewer, "delete")
        return await _delete(tx, table, write.row_id)
    await tx.execute(_restore_sql(table, tuple(write.changed)), write.row_id, write.before, now)
    return "restored"


async def _delete(tx: Connection, table: sa.Table, key: UUID) -> Fate:
    for sql in _reference_sqls(table):
        if await tx.fetchval(sql, key):
            return "in_use"
    await tx.execute("savepoint take_back")
    try:
        await tx.execute(f'delete from "{table.name}" where id = $1', key)
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
    pairs: Mapping[tuple[str, str], sa.Table] = {
        (other.name, element.parent.name): other
        for other in metadata.tables.values()
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
