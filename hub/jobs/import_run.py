"""Runs imports: reads the file, plans and writes its lines 500 at a time, each with the job's cursor, and keeps the refused.

A batch is written as a whole. If the database refuses some of it, its lines are written one by one, to find out which."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from hub.db.constraint_errors import to_hub_error
from hub.db.database_errors import is_connection_fatal, translate_error
from hub.db.pool import Connection
from hub.domain.customers import identify
from hub.domain.exchange import import_store
from hub.domain.exchange.import_store import RejectedLine
from hub.domain.exchange.mapping import parse_mapping
from hub.domain.exchange.mapping_types import ImportMapping, ImportMode, RowSource
from hub.errors import BadInput, HubError, Unavailable
from hub.jobs.context import JobContext
from hub.jobs.import_files import FileLine, FileSurvey, read_lines, survey
from hub.jobs.import_lines import LinePlanner
from hub.jobs.import_rows import ImportLine, LineFault, PlannedRow
from hub.model.bulk_writer import NotAsOne, PreparedRow, insert_prepared
from hub.model.columns import metadata
from hub.model.writer import writer_of
from hub.schema.customers.customers import Identifier
from hub.text_case import camel_case

BATCH = 500  # lines of one transaction
SAVEPOINT, RELEASE, ROLLBACK_TO = "savepoint lines", "release savepoint lines", "rollback to savepoint lines"
FIXED_BY_RETRY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


async def run_import(context: JobContext) -> None:
    """Runs an import from its cursor, the number of records that are done."""
    mapping = parse_mapping(context.arguments["mapping"])
    async with _spooled(context) as path:
        layout = await asyncio.to_thread(survey, path, mapping.file, context.settings.import_limit)
        require_columns(mapping, layout)
        limit = context.settings.import_limit
        total = context.total
        if total is None:
            total = await asyncio.to_thread(_count, path, layout, limit)
        await _Run(context, mapping, layout, total).run(path)


@asynccontextmanager
async def _spooled(context: JobContext) -> AsyncIterator[Path]:
    """The file on this machine's disk, while the body runs."""
    with tempfile.TemporaryDirectory(prefix="hub-import-") as folder:
        path = Path(folder, "file")
        await asyncio.to_thread(path.touch)
        async with context.pool.connection() as connection:
            async for content in import_store.read_content(connection, UUID(context.arguments["file"])):
                await asyncio.to_thread(_append, path, content)
        yield path


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _count(path: Path, layout: FileSurvey, limit: int) -> int:
    return sum(1 for _ in read_lines(path, layout, limit))


def require_columns(mapping: ImportMapping, layout: FileSurvey) -> None:
    """Raises BadInput for a column of the mapping that the file does not have, or has twice."""
    if layout.format == "jsonl":
        return
    for name in mapping.columns:
        if name not in layout.columns:
            shown = ", ".join(layout.columns[:20])
            message = f"mapping: the file has no column {name!r}; it has {shown}."
            raise BadInput(message, code="MAPPING_INVALID", argument="mapping")
        if f"{name} (2)" in layout.columns:
            first, second = layout.columns.index(name) + 1, layout.columns.index(f"{name} (2)") + 1
            message = (
                f"mapping: line 1: columns {first} and {second} are both called {name!r}; rename one, or list the "
                f"columns in the mapping (file.columns); the second one is {name + ' (2)'!r} here."
            )
            if name not in mapping.file.columns if mapping.file.columns else True:
                raise BadInput(message, code="MAPPING_INVALID", argument="mapping")


@dataclass
class _Outcome:
    """What became of the lines of a batch."""

    counts: Counter[str] = field(default_factory=Counter)
    rejects: list[RejectedLine] = field(default_factory=list)


class _Run:
    """One run of an import."""

    def __init__(self, context: JobContext, mapping: ImportMapping, layout: FileSurvey, total: int) -> None:
        self._context = context
        self._layout = layout
        self._total = total
        self._viewer = context.viewer
        self._is_dry = bool(context.arguments.get("dry_run"))
        self._written: RowSource | None = None  # what is written now, for errors of the database
        self._planner = LinePlanner(mapping, ImportMode(context.arguments["mode"]), context.viewer)

    async def run(self, path: Path) -> None:
        context = self._context
        done = int(context.cursor or 0)
        lines = read_lines(path, self._layout, context.settings.import_limit)
        try:
            await asyncio.to_thread(_skip, lines, done)
            while batch := await asyncio.to_thread(_take, lines, BATCH):
                await context.proceed()
                done += len(batch)
                await self._write_batch(batch, done)
            async with context.transaction() as tx:
                await context.checkpoint(tx, done, done=done, total=done, result=self._result())
                await import_store.delete_files(tx, context.job_id)
        finally:
            if hasattr(lines, "close"):
                lines.close()

    def _result(self) -> dict[str, Any]:
        dry = {"dryRun": True} if self._is_dry else {}
        return {"file": self._layout.report(), **dry}

    async def _write_batch(self, batch: Sequence[FileLine], done: int) -> None:
        context, now = self._context, await self._context.now()
        lines = [ImportLine(line) for line in batch]
        for line in lines:
            if line.line.fault is not None:
                message = f"line {line.line.number}: {line.line.fault}."
                line.fault = LineFault(BadInput(message, code="FILE_UNREADABLE"))
        outcome = _Outcome()
        if self._is_dry:
            async with context.transaction() as tx:
                await tx.execute("savepoint dry_run")
                await self._write(tx, lines, now, outcome)
                await tx.execute("rollback to savepoint dry_run")
                await self._move(tx, outcome, lines, done)
            return
        async with context.transaction() as tx:
            await self._write(tx, lines, now, outcome)
            await self._move(tx, outcome, lines, done)

    async def _move(self, tx: Connection, outcome: _Outcome, lines: Sequence[ImportLine], done: int) -> None:
        """Stores the refused lines and moves the cursor, in the transaction of what was written."""
        rejects = [_rejected(line) for line in lines if line.fault is not None]
        outcome.counts["rejected"] += len(rejects)
        if rejects:
            await import_store.add_rejects(tx, self._context.job_id, rejects)
        outcome.counts += Counter({f"{name}.left_out": count for name, count in self._planner.left_out.items()})
        self._planner.left_out.clear()
        counts = dict(Counter(self._context.counts) + outcome.counts)
        shown = ({"line": r.line, "code": r.code, "message": r.message} for r in rejects)
        errors = [*self._context.errors, *shown][:100]
        total = max(self._total, done)
        await self._context.checkpoint(tx, done, done=done, total=total, counts=counts, errors=errors)

    async def _write(self, tx: Connection, lines: Sequence[ImportLine], now: datetime, outcome: _Outcome) -> None:
        waiting: Sequence[ImportLine] = lines
        while waiting:
            waiting = await self._write_wave(tx, waiting, now, outcome)

    async def _write_wave(
        self, tx: Connection, lines: Sequence[ImportLine], now: datetime, outcome: _Outcome
    ) -> list[ImportLine]:
        """Writes lines as a whole, else one by one; returns those that wait for the others."""
        counts: Counter[str] = Counter()
        await tx.execute(SAVEPOINT)
        try:
            waiting = await self._planner.plan(tx, lines, now, _breathe)
            await self._store(tx, [line for line in lines if line not in waiting], now, counts, as_one=True)
            await tx.execute(RELEASE)
        except (HubError, NotAsOne, asyncpg.PostgresError) as error:
            _require_refusal(error, tx)
            await tx.execute(ROLLBACK_TO)
            for line in lines:
                if line.fault is None or line.rows:
                    await self._write_single(tx, line, now, outcome)
            return []
        outcome.counts += counts
        return waiting

    async def _write_single(self, tx: Connection, line: ImportLine, now: datetime, outcome: _Outcome) -> None:
        line.rows, line.fault = {}, None
        counts: Counter[str] = Counter()
        await tx.execute(SAVEPOINT)
        try:
            await self._planner.plan(tx, [line], now, _breathe)
            await self._store(tx, [line], now, counts, as_one=False)
            await tx.execute(RELEASE)
            outcome.counts += counts
        except (HubError, asyncpg.PostgresError) as error:
            _require_refusal(error, tx)
            await tx.execute(ROLLBACK_TO)
            if isinstance(error, asyncpg.PostgresError):
                error = to_hub_error(error, metadata) or translate_error(error)
            line.fault = LineFault(error, self._written)

    async def _store(
        self, tx: Connection, lines: Sequence[ImportLine], now: datetime, counts: Counter[str], *, as_one: bool
    ) -> None:
        """Writes what the lines that are not refused describe, row by row of the mapping."""
        for compiled in self._planner.compiled:
            self._written, name = compiled.source, compiled.source.name
            rows = list(dict.fromkeys(line.rows[name] for line in lines if line.fault is None and name in line.rows))
            writer = compiled.writer
            new = [
                PreparedRow(row.key, row.prepared, tuple(row.values))
                for row in rows
                if row.is_new and row.key is not None and row.prepared is not None
            ]
            if new:
                writer.entity.require(self._viewer, "create")
                await insert_prepared(tx, self._viewer, writer, new, now, as_one=as_one)
            for row in rows:
                if row.updates and row.key is not None:
                    await writer.update(tx, self._viewer, row.key, row.updates, None, now)
            await self._store_identifiers(tx, rows, now, counts, as_one=as_one)
            entity = writer.entity.__name__
            counts[f"{entity}.created"] += len(new)
            counts[f"{entity}.updated"] += sum(bool(row.updates) for row in rows)
            counts[f"{entity}.unchanged"] += sum(row.updates == {} for row in rows)
            await _breathe()

    async def _store_identifiers(
        self, tx: Connection, rows: Sequence[PlannedRow], now: datetime, counts: Counter[str], *, as_one: bool
    ) -> None:
        prepared: list[PreparedRow] = []
        for row in rows:
            new = row.new_identifiers if row.identification is not None else row.identifiers
            for sourced in new:
                values = {
                    "customer_id": row.key,
                    "kind": sourced.identifier.identifier_kind,
                    "value": sourced.identifier.value,
                    "normalized": sourced.identifier.normalized,
                    "verified": sourced.identifier.verified,
                    "source": sourced.source,
                }
                prepared.append(PreparedRow(uuid7(), values, ("kind", "value", "source", "verified")))
            if row.identification is not None:
                counts["Identifier.left_out"] += len(row.identification.left_out)
                for other in row.identification.others:
                    reasons = ["an import names identifiers of both customers"]
                    assert row.key is not None
                    await identify.ensure_review(tx, self._viewer, row.key, other, reasons, now)
        if prepared:
            Identifier.require(self._viewer, "create")
            await insert_prepared(tx, self._viewer, writer_of(Identifier), prepared, now, as_one=as_one)
            counts["Identifier.created"] += len(prepared)


async def _breathe() -> None:
    """Lets other work of the process go on."""
    await asyncio.sleep(0)


def _require_refusal(error: Exception, tx: Connection) -> None:
    """Raises an error again that says nothing about the lines: the database is away, or two waited for each other."""
    is_fatal = isinstance(error, asyncpg.PostgresError) and is_connection_fatal(error)
    if tx.is_closed() or is_fatal or isinstance(error, Unavailable):
        raise error
    if isinstance(error, FIXED_BY_RETRY):
        raise Unavailable(f"the rows are locked: {error}") from error


def _skip(lines: Iterator[FileLine], count: int) -> None:
    for _ in islice(lines, count):
        pass


def _take(lines: Iterator[FileLine], count: int) -> list[FileLine]:
    return list(islice(lines, count))


def _rejected(line: ImportLine) -> RejectedLine:
    assert line.fault is not None
    error, row = line.fault.error, line.fault.row
    argument = None if error.argument is None else ".".join(camel_case(part) for part in error.argument.split("."))
    message = error.message
    if argument is not None and error.argument is not None and message.startswith(error.argument):
        message = argument + message.removeprefix(error.argument)  # as the API names it
    record = {name: _plain(value) for name, value in line.line.record.items() if value not in ("", None)}
    return RejectedLine(
        line.line.number,
        error.code,
        message,
        None if row is None else row.name,
        argument,
        line.fault.columns,
        record,
    )


def _plain(value: Any) -> Any:
    """A value of a record as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
