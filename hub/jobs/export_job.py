"""Runs exports: one snapshot, a server-side cursor, and a file that appears when it is whole. It also deletes old files.

A run that was stopped begins anew, with a new snapshot and the key's rights of that moment: no snapshot outlives its
connection."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from hub.db.audit_buffer import AuditBuffer
from hub.db.pool import Connection, Pool
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.domain.jobs import exports, queue
from hub.domain.jobs.exports import ExportFile, exports_folder, file_name
from hub.engine.budgets import MAX_PAUSE, CostAccount
from hub.engine.catalog.scalars import encode_id
from hub.engine.engine import Engine
from hub.engine.execution.exports import ExportSource
from hub.engine.execution.redirects import REDIRECTED_FROM
from hub.engine.request import GraphQLRequest
from hub.jobs.context import JobContext
from hub.jobs.file_formats import RowFile, open_row_file, require_format
from hub.jobs.partial_file import PARTIAL_SUFFIX, partial_file, translated_errors
from hub.model.exact_json import timestamp_text
from hub.schema.jobs.exports import ExportCompression, ExportFormat
from hub.settings import Settings
from hub.time_source import TimeSource
from hub.viewer import Viewer

FOLDER_SETTING = "HUB_EXPORT_DIR"
CHECKPOINT_SECONDS = 1.0
ORPHAN_SECONDS = 3_600  # a file without a record is deleted when nobody can be about to record it
PARTIAL_SECONDS = 86_400  # likewise one that was never whole: no export takes so long
SWEEP_BATCH = 1_000


class ExportChecks:
    """Plans exports for `exportCreate`, which gets it as `export_tools`."""

    def __init__(self, engine: Engine, trusted_documents: TrustedDocuments, limit: int) -> None:
        self._engine = engine
        self._trusted_documents = trusted_documents
        self.limit = limit

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
        require_format(format)
        self._trusted_documents.require(viewer, query)
        await self._engine.export_source(GraphQLRequest(query, dict(variables), operation_name, now=now), viewer)


def find_export(pool: Pool, time_source: TimeSource) -> Callable[[UUID, Viewer], Awaitable[ExportFile]]:
    """Finds the file of an export for a viewer, for the endpoint of downloads."""

    async def find(job_id: UUID, viewer: Viewer) -> ExportFile:
        async with pool.for_flow(viewer.flow).client_connection() as connection:
            return await exports.find_file(connection, viewer, job_id, time_source.now())

    return find


async def run_export(context: JobContext) -> None:
    """Runs an export job: the whole file, or none."""
    if context.cursor is not None:  # the file was whole before the lease ended
        return
    arguments, settings, viewer = context.arguments, context.settings, context.viewer
    format, compression = ExportFormat(arguments["format"]), ExportCompression(arguments["compression"])
    context.services.documents.require(viewer, arguments["query"])
    request = GraphQLRequest(
        arguments["query"],
        arguments["variables"],
        arguments["operationName"],
        request_id=queue.job_request(context.job_id),
    )
    source = await context.services.engine.export_source(request, viewer)
    await audit_export(context.pool, source, viewer, request)
    folder = exports_folder(settings.data_dir, settings.export_dir)
    with translated_errors(folder, FOLDER_SETTING):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / file_name(context.job_id, format, compression)
    with partial_file(path, FOLDER_SETTING) as stream:
        row_file = open_row_file(stream, source.columns, format, compression, raw=arguments["raw"])
        await _write_rows(context, source, row_file)
        await asyncio.to_thread(row_file.finish)
    await _record(context, source, row_file.rows, path.stat().st_size, format, compression)


async def _write_rows(context: JobContext, source: ExportSource, row_file: RowFile) -> None:
    reported_at = monotonic()
    async with context.transaction() as tx:
        await exports.wait_for_erasures(tx)
    account = context.services.engine.accounts.account(context.viewer)
    async with context.pool.snapshot() as connection:
        total = await source.count(connection)
        async with context.transaction() as tx:
            await context.checkpoint(tx, None, done=0, total=total)
        async for rows in source.batches(connection):
            await asyncio.to_thread(row_file.write, rows)
            await context.proceed()
            if account is not None:
                await _pay(context, connection, account, len(rows))
            if monotonic() - reported_at >= CHECKPOINT_SECONDS:
                async with context.transaction() as tx:
                    await context.checkpoint(tx, None, done=row_file.rows, counts={"rows": row_file.rows})
                reported_at = monotonic()


async def _pay(context: JobContext, connection: Connection, account: CostAccount, rows: int) -> None:
    """Takes a point for each row from the key's budget, and waits while the budget is in debt."""
    account.settle(0, rows)
    while (seconds := account.seconds_until(0.0)) > 0:
        await context.proceed()
        await asyncio.sleep(min(seconds, MAX_PAUSE))
        await connection.execute("select")  # a transaction that is idle for long is ended


async def _record(
    context: JobContext,
    source: ExportSource,
    rows: int,
    size: int,
    format: ExportFormat,
    compression: ExportCompression,
) -> None:
    """Records the whole file and the end of the job's work, in one transaction."""
    now = await context.now()
    expires_at = now + timedelta(hours=context.settings.export_retention)
    file = ExportFile(context.job_id, format, compression, rows, size, expires_at)
    redirected_from = context.services.engine.redirects.public_ids(source.context.redirects)
    result = {
        "path": exports.PATH + encode_id("job", context.job_id),
        "format": format.value,
        "compression": compression.value,
        "rows": rows,
        "bytes": size,
        "expiresAt": timestamp_text(expires_at),
        **({REDIRECTED_FROM: redirected_from} if redirected_from else {}),
    }
    async with context.transaction() as tx:
        await exports.add_file(tx, file, context.viewer.rights_digest(), now, personal=source.audit is not None)
        await context.checkpoint(tx, {"whole": True}, done=rows, total=rows, counts={"rows": rows}, result=result)


async def audit_export(pool: Pool, source: ExportSource, viewer: Viewer, request: GraphQLRequest) -> None:
    """Says in the audit log what the export reads of persons, before it reads it."""
    if source.audit is None:
        return
    buffer = AuditBuffer()
    buffer.add(
        viewer,
        request.network,
        request.request_id,
        source.context.now,
        source.audit.read,
        source.audit.rows(source.arguments),
    )
    await buffer.flush(pool)


async def delete_old_files(pool: Pool, settings: Settings, now: datetime) -> bool:
    """Deletes expired files, and those that no job knows; returns whether there may be others."""
    folder = exports_folder(settings.data_dir, settings.export_dir)
    async with pool.transaction() as tx:
        expired = await exports.expire(tx, now, SWEEP_BATCH)
    for name in expired:
        (folder / name).unlink(missing_ok=True)
    candidates = await asyncio.to_thread(_old_files, folder)
    if candidates:
        async with pool.connection() as connection:
            known = await exports.known_files(connection, list(candidates))
        for job_id, path in candidates.items():
            if job_id not in known:
                path.unlink(missing_ok=True)
    return len(expired) == SWEEP_BATCH


def _old_files(folder: Path) -> dict[UUID, Path]:
    """Files that may be without a record, by the key of the job; partial ones that nobody writes any more are deleted."""
    candidates: dict[UUID, Path] = {}
    if not folder.is_dir():
        return candidates
    now = time.time()
    for path in folder.iterdir():
        try:
            age = now - path.lstat().st_mtime
        except FileNotFoundError:
            continue
        name = re.fullmatch(exports.FILE_NAMES, path.name)
        if name is not None and age > ORPHAN_SECONDS and len(candidates) < SWEEP_BATCH:
            candidates[UUID(name[1])] = path
        elif path.name.startswith(".") and path.name.endswith(PARTIAL_SUFFIX) and age > PARTIAL_SECONDS:
            path.unlink(missing_ok=True)
    return candidates
