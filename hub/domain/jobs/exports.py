"""Exports: the command that starts one, and the table of the files that were written. The files lie in a folder of the hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.domain.jobs import queue
from hub.domain.jobs.commands import JobPayload, real_time
from hub.errors import BadInput, Forbidden, LimitExceeded, NotFound
from hub.model import validators
from hub.model.columns import metadata, timestamp
from hub.model.commands import Injected, command
from hub.schema.jobs.exports import ExportCompression, ExportFormat
from hub.schema.jobs.jobs import Job, JobStatus, JobType
from hub.viewer import Viewer

PATH = "/exports/"  # where files are downloaded, followed by the id of the job
SUFFIXES = {ExportFormat.JSONL: ".jsonl", ExportFormat.CSV: ".csv", ExportFormat.PARQUET: ".parquet"}
COMPRESSED_SUFFIXES = {ExportCompression.NONE: "", ExportCompression.GZIP: ".gz", ExportCompression.ZSTD: ".zst"}
FILE_NAMES = (
    r"([0-9a-f]{32})\.(?:(?:csv|jsonl)(?:\.gz|\.zst)?|parquet)"  # of files in the folder, by the key of the job
)

ExportFiles = sa.Table(
    "export_files",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey(Job.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("format", sa.Text, nullable=False, comment="The format of the file."),
    sa.Column("compression", sa.Text, nullable=False, comment="How the file is compressed."),
    sa.Column("rights", sa.LargeBinary, nullable=False, comment="Hash of the rights with which the rows were read."),
    sa.Column("rows", sa.BigInteger, nullable=False, comment="Number of rows."),
    sa.Column("bytes", sa.BigInteger, nullable=False, comment="Size of the file."),
    sa.Column(
        "personal", sa.Boolean, nullable=False, server_default=sa.true(), comment="Whether rows are about persons."
    ),
    sa.Column("written_at", timestamp(), nullable=False, comment="When the file was whole."),
    sa.Column("expires_at", timestamp(), nullable=False, comment="When it is deleted."),
    comment="Files that exports wrote. They lie in the folder of exports under the keys of their jobs.",
)
sa.Index("ix_export_files_expires_at", ExportFiles.c.expires_at)

_COUNT_OWN = """
select count(*) from jobs as j where j.owner = $1 and j.type = 'EXPORT' and (
    j.status in ('QUEUED', 'RUNNING') or exists (select from export_files as f where f.job_id = j.id)
)
"""
_ADD_FILE = """
insert into export_files (job_id, format, compression, rights, rows, bytes, written_at, expires_at, personal)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (job_id) do update set rights = excluded.rights, rows = excluded.rows, bytes = excluded.bytes,
    written_at = excluded.written_at, expires_at = excluded.expires_at, personal = excluded.personal
"""
_FIND_FILE = """
select j.owner, j.type, j.status, j.name, f.format, f.compression, f.rights, f.rows, f.bytes, f.expires_at
from jobs as j left join export_files as f on f.job_id = j.id where j.id = $1
"""
_EXPIRE = """
delete from export_files where job_id = any(array(
    select job_id from export_files where expires_at <= $1 order by expires_at limit $2 for update skip locked
)) returning job_id, format, compression
"""
_KNOWN_FILES = "select job_id from export_files where job_id = any($1::uuid[])"


class ExportTools(Protocol):
    """Plans exports; hub/jobs/export_job.py implements it."""

    limit: int  # exports of one key that run or have a file

    async def check(
        self,
        viewer: Viewer,
        query: str,
        operation_name: str | None,
        variables: Mapping[str, Any],
        format: ExportFormat,
        now: datetime,
    ) -> None:
        """Raises BadInput for a query or a format that cannot be exported."""


@command("exportCreate", audit="EXPORT")
async def create_export(
    tx: Connection,
    viewer: Viewer,
    *,
    query: Annotated[
        str,
        "A query of one list without page arguments, as `{ customers { nodes { id name } } }`: all of its rows are exported.",
    ],
    variables: Annotated[dict[str, object] | None, "The query's variables."] = None,
    operation_name: Annotated[str | None, "Name of the operation, if the document has several."] = None,
    format: Annotated[ExportFormat, "The format of the file."] = ExportFormat.CSV,
    compression: Annotated[ExportCompression, "How the file is compressed."] = ExportCompression.NONE,
    raw: Annotated[
        bool,
        "Write texts to CSV as they are. Otherwise an apostrophe stands before those that a spreadsheet runs as a formula.",
    ] = False,
    name: Annotated[str, "What the job is called."] = "export",
    now: datetime,
    export_tools: Injected[ExportTools],
) -> JobPayload:
    """Writes all rows of a list to a file, from one snapshot and with the rights that the calling key has when the job begins.

    The job's `result` has the path to download it, for this key alone and until it expires."""
    owner = queue.job_owner(viewer)
    if await tx.fetchval(_COUNT_OWN, owner) >= export_tools.limit:
        message = (
            f"This key already has {export_tools.limit} exports; wait until one expires, or raise HUB_EXPORT_LIMIT."
        )
        raise LimitExceeded(message, code="EXPORT_LIMIT", extensions={"limit": export_tools.limit})
    checked = validators.check_values({"name": name}, {"name": validators.single_line})
    await export_tools.check(viewer, query, operation_name, variables or {}, format, now)
    arguments = {
        "query": query,
        "variables": variables or {},
        "operationName": operation_name,
        "format": format.value,
        "compression": compression.value,
        "raw": raw,
    }
    key = await queue.enqueue(
        tx, viewer, JobType.EXPORT, arguments, name=checked["name"], now=now, queued_at=real_time()
    )
    return JobPayload(key)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A whole file: who may download it, and until when."""

    job_id: UUID
    format: ExportFormat
    compression: ExportCompression
    rows: int
    bytes: int
    expires_at: datetime

    @property
    def file_name(self) -> str:
        """Its name in the folder of exports."""
        return file_name(self.job_id, self.format, self.compression)


def file_suffix(format: ExportFormat, compression: ExportCompression) -> str:
    """What the name of a file ends with; Parquet compresses its own pages."""
    return SUFFIXES[format] + ("" if format is ExportFormat.PARQUET else COMPRESSED_SUFFIXES[compression])


def file_name(job_id: UUID, format: ExportFormat, compression: ExportCompression) -> str:
    """The name of a job's file in the folder of exports: no part of it comes from a client."""
    return job_id.hex + file_suffix(format, compression)


async def add_file(tx: Connection, file: ExportFile, rights: bytes, now: datetime, *, personal: bool) -> None:
    """Records a whole file, the rights with which it was written, and whether its rows are about persons."""
    values = (
        file.job_id,
        file.format.value,
        file.compression.value,
        rights,
        file.rows,
        file.bytes,
        now,
        file.expires_at,
        personal,
    )
    await tx.execute(_ADD_FILE, *values)


async def wait_for_erasures(tx: Connection) -> None:
    """Waits until no customer is being erased. An erasure that begins later sees that the export runs, and restarts it."""
    await tx.execute("select pg_advisory_xact_lock_shared($1)", AdvisoryLock.ERASURE)


async def find_file(connection: Connection, viewer: Viewer, job_id: UUID, now: datetime) -> ExportFile:
    """The file of an export for the key that started it, while that key's rights are those with which it was written.

    Raises NotFound for everybody else; EXPORT_NOT_READY, EXPORT_EXPIRED and EXPORT_RIGHTS_CHANGED say why there is none."""
    row = await connection.fetchrow(_FIND_FILE, job_id)
    is_own = row is not None and row["owner"] == viewer.key_public_id and not viewer.principal
    if row is None or not is_own or row["type"] != JobType.EXPORT.value:
        raise NotFound("id: there is no such export of this key; give the id of a job that it started.", argument="id")
    if row["format"] is None or row["expires_at"] <= now:
        if row["status"] == JobStatus.SUCCEEDED.value:
            raise BadInput("id: the file has expired; export again.", code="EXPORT_EXPIRED", argument="id")
        message = f"id: the export is {row['status']}; a file is there once the job is SUCCEEDED."
        raise BadInput(message, code="EXPORT_NOT_READY", argument="id")
    if bytes(row["rights"]) != viewer.rights_digest():
        message = "id: the key's rights have changed since the file was written; export again."
        raise Forbidden(message, code="EXPORT_RIGHTS_CHANGED", argument="id")
    return ExportFile(
        job_id,
        ExportFormat(row["format"]),
        ExportCompression(row["compression"]),
        row["rows"],
        row["bytes"],
        row["expires_at"],
    )


async def expire(tx: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Deletes the records of up to `limit` expired files; returns the names of the files, which the caller deletes."""
    rows = await tx.fetch(_EXPIRE, now, limit)
    return [
        file_name(row["job_id"], ExportFormat(row["format"]), ExportCompression(row["compression"])) for row in rows
    ]


async def known_files(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs whose files are recorded."""
    return {row["job_id"] for row in await connection.fetch(_KNOWN_FILES, list(job_ids))}


def exports_folder(data_dir: Path, configured: Path | None) -> Path:
    """The folder of exports."""
    return configured or data_dir / "exports"
