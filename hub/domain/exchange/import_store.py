"""What imports store beside their rows: the files that were sent, in chunks, until they are done; and refused lines."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.errors import LimitExceeded
from hub.model import exact_json
from hub.model.columns import metadata, timestamp
from hub.schema.jobs.jobs import Job

CHUNK = 1_048_576  # bytes of one stored chunk
REJECTS_AT_ONCE = (
    50  # of one statement: they are encoded in about a millisecond, in which nothing else of the process runs
)

ImportFile = sa.Table(
    "import_files",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()")),
    sa.Column("owner", sa.Text, nullable=False, comment="The id of the key that sent it."),
    sa.Column("name", sa.Text, nullable=False, comment="Its name."),
    sa.Column("size", sa.BigInteger, comment="Its bytes, as announced; empty if they were not."),
    sa.Column("received", sa.BigInteger, nullable=False, server_default=sa.text("0"), comment="Bytes that have come."),
    sa.Column("job_id", sa.Uuid, sa.ForeignKey(Job.c.id, ondelete="CASCADE"), comment="The import that reads it."),
    sa.Column(
        "created_at", timestamp(), nullable=False, server_default=sa.func.now(), comment="When it began to come."
    ),
    comment="Files that were sent to be imported. They are deleted once their import is done.",
)
ImportChunk = sa.Table(
    "import_chunks",
    metadata,
    sa.Column("file_id", sa.Uuid, sa.ForeignKey(ImportFile.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, comment="Of its first byte in the file."),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="The bytes."),
    comment="The contents of these files.",
)
sa.Index("ix_import_files_job_id", ImportFile.c.job_id)
sa.Index("ix_import_files_unused", ImportFile.c.created_at, postgresql_where=ImportFile.c.job_id.is_(None))

_LOCK_OWNER = "select pg_advisory_xact_lock(hashtextextended('import files of ' || $1, 0))"
# Files that wait for their import or its end; what imports that ended have left goes by itself.
_WAITING = """
select f.id, f.owner, f.name, f.size, f.received, f.job_id from import_files as f left join jobs as j on j.id = f.job_id
where f.owner = $1 and j.finished_at is null order by f.created_at, f.id limit $2
"""
_CREATE = "insert into import_files (owner, name, size) values ($1, $2, $3) returning id"
_STATE = "select owner, name, size, received, job_id from import_files where id = $1 for update"
_ADD = "insert into import_chunks (file_id, position, content) values ($1, $2, $3)"
_RECEIVE = "update import_files set received = $2 where id = $1"
_TAKE = "update import_files set job_id = $2 where id = $1"
_READ = "select position, content from import_chunks where file_id = $1 and position >= $2 order by position limit 1"
_DELETE = "delete from import_files where id = $1"
_DELETE_OF_JOB = "delete from import_files where job_id = $1"
_PURGE = """
delete from import_files where id = any(array(
    select f.id from import_files as f left join jobs as j on j.id = f.job_id
    where f.job_id is null and f.created_at < $1 or j.finished_at is not null order by f.created_at limit $2
))
"""
_REJECT = """
insert into import_rejects (owner, staff_id, job_id, line, code, message, "row", argument, columns, record, text)
select j.owner, j.staff_id, j.id, r.line, r.code, r.message, r.name, r.argument,
    array(select jsonb_array_elements_text(r.columns::jsonb)), r.record::jsonb, r.text
from jobs as j, unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
    as r (line, code, message, name, argument, columns, record, text)
where j.id = $1
"""
_REJECTS = """
select line, code, message, "row", argument, columns, record, text from import_rejects
where job_id = $1 and line > $2 order by line limit $3
"""


class StoredFile(NamedTuple):
    """How far a file has come."""

    owner: str
    name: str
    size: int | None
    received: int
    job_id: UUID | None


class RejectedLine(NamedTuple):
    """A line that was refused."""

    line: int
    code: str
    message: str
    row: str | None
    argument: str | None
    columns: Sequence[str]
    record: Any
    text: str | None = None  # of a line that has no columns


async def waiting_files(tx: Connection, owner: str, limit: int) -> dict[UUID, StoredFile]:
    """Files of an owner that no import has read to its end, the oldest first, by their keys; up to a limit."""
    rows = [dict(row) for row in await tx.fetch(_WAITING, owner, limit)]
    return {row.pop("id"): StoredFile(**row) for row in rows}


async def require_room(tx: Connection, owner: str, limit: int) -> None:
    """Raises LimitExceeded UPLOAD_COUNT_LIMIT if an owner has so many such files.

    Others of the owner wait for the transaction."""
    await tx.execute(_LOCK_OWNER, owner)
    files = await waiting_files(tx, owner, limit)
    if len(files) >= limit:
        message = (
            f"This key has {limit} files that wait or are imported (HUB_UPLOAD_COUNT); wait until an import ends, or delete"
            " a file that waits: GET /imports lists them."
        )
        raise LimitExceeded(message, code="UPLOAD_COUNT_LIMIT", extensions={"limit": limit})


async def delete_file(tx: Connection, key: UUID) -> None:
    """Deletes a file and what has come of it."""
    await tx.execute(_DELETE, key)


async def create_file(tx: Connection, owner: str, name: str, size: int | None) -> UUID:
    """Begins a file; returns its key."""
    key: UUID = await tx.fetchval(_CREATE, owner, name, size)
    return key


async def lock_file(tx: Connection, key: UUID) -> StoredFile | None:
    """How far a file has come, locked until the transaction ends; None if there is none."""
    row = await tx.fetchrow(_STATE, key)
    return None if row is None else StoredFile(**row)


async def add_content(tx: Connection, key: UUID, received: int, content: bytes) -> int:
    """Adds bytes behind those that have come; returns how many there are now."""
    for start in range(0, len(content), CHUNK):
        await tx.execute(_ADD, key, received + start, content[start : start + CHUNK])
    await tx.execute(_RECEIVE, key, received + len(content))
    return received + len(content)


async def take_file(tx: Connection, key: UUID, job_id: UUID) -> None:
    """Gives a file to the import that reads it."""
    await tx.execute(_TAKE, key, job_id)


async def read_content(connection: Connection, key: UUID) -> AsyncIterator[bytes]:
    """Yields the contents of a file in their order."""
    position = 0
    while (row := await connection.fetchrow(_READ, key, position)) is not None:
        yield row["content"]
        position = row["position"] + 1


async def delete_files(tx: Connection, job_id: UUID) -> None:
    """Deletes the files of an import."""
    await tx.execute(_DELETE_OF_JOB, job_id)


async def purge_files(tx: Connection, before: datetime, limit: int) -> bool:
    """Deletes files that no import has read, and those of imports that ended; returns whether there may be others."""
    return await tx.execute(_PURGE, before, limit) == f"DELETE {limit}"


async def add_rejects(tx: Connection, job_id: UUID, rejects: Sequence[RejectedLine]) -> None:
    """Stores refused lines."""
    for start in range(0, len(rejects), REJECTS_AT_ONCE):
        await _add_rejects(tx, job_id, rejects[start : start + REJECTS_AT_ONCE])


async def _add_rejects(tx: Connection, job_id: UUID, rejects: Sequence[RejectedLine]) -> None:
    encoded = [
        reject._replace(
            message=reject.message[:2_000],
            columns=exact_json.dumps(list(reject.columns)),
            record=exact_json.dumps(reject.record),
        )
        for reject in rejects
    ]
    await tx.execute(_REJECT, job_id, *map(list, zip(*encoded, strict=True)))


async def read_rejects(connection: Connection, job_id: UUID, after: int, limit: int) -> list[RejectedLine]:
    """Refused lines of an import after a line, in the order of the file."""
    rows: list[asyncpg.Record] = await connection.fetch(_REJECTS, job_id, after, limit)
    return [RejectedLine(**{**row, "record": exact_json.loads(row["record"])}) for row in rows]
