"""Writes lines of imports, a batch as a whole. If the database refuses some of it, its lines are written one by one.

It knows no job and no file: the sample data comes in through it as well."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from math import isfinite
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.constraint_errors import to_hub_error
from hub.db.database_errors import is_connection_fatal, translate_error
from hub.db.pool import Connection
from hub.domain.customers import identify
from hub.domain.exchange.dry_runs import DryRun, SeenRow
from hub.domain.exchange.import_store import RejectedLine
from hub.domain.exchange.mapping_types import ImportMapping, ImportMode, RowSource
from hub.errors import BadInput, HubError, Unavailable
from hub.jobs.import_files import FileLine
from hub.jobs.import_lines import LinePlanner
from hub.jobs.import_rows import USUAL_STAMPS, ImportLine, LineFault, PlannedRow, RowStamps
from hub.model import provenance, survivorship
from hub.model.bulk_writer import NotAsOne, PreparedRow, insert_prepared
from hub.model.columns import metadata
from hub.model.writer import writer_of
from hub.schema.customers.customers import Identifier
from hub.text_case import camel_case
from hub.viewer import Viewer

SAVEPOINT, RELEASE, ROLLBACK_TO = "savepoint lines", "release savepoint lines", "rollback to savepoint lines"
FIXED_BY_RETRY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


@dataclass
class BatchOutcome:
    """What became of the lines of a batch."""

    counts: Counter[str] = field(default_factory=Counter)
    rejects: list[RejectedLine] = field(default_factory=list)
    seen: dict[bytes, SeenRow] = field(default_factory=dict)  # of a dry run: what later lines would find
    redirects: Mapping[UUID, UUID] = field(
        default_factory=dict
    )  # former keys of customers that lines have named so far


class ImportWriter:
    """Writes the lines of one import."""

    def __init__(
        self,
        mapping: ImportMapping,
        mode: ImportMode,
        viewer: Viewer,
        stamps: RowStamps = USUAL_STAMPS,
        dry_run: DryRun | None = None,
        breathe: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._viewer = viewer
        self._stamps = stamps
        self._breathe = breathe or _take_turns
        self._written: RowSource | None = None  # what is written now, for errors of the database
        self._source = mapping.source or viewer.source
        self._planner = LinePlanner(mapping, mode, viewer, stamps, dry_run)

    async def write_batch(self, tx: Connection, batch: Sequence[FileLine], now: datetime) -> BatchOutcome:
        """Writes what lines describe, in the caller's transaction; says what became of them."""
        lines = [ImportLine(line) for line in batch]
        for line in lines:
            if line.line.fault is not None:
                line.fault = LineFault(BadInput(f"{line.line.fault}.", code="FILE_UNREADABLE"))
        outcome = BatchOutcome()
        await provenance.use_source(tx, self._source)
        await self._write(tx, lines, now, outcome)
        outcome.rejects = [_rejected(line) for line in lines if line.fault is not None]
        outcome.counts["rejected"] += len(outcome.rejects)
        for line in lines:
            if line.left_out and line.fault is None:
                outcome.counts.update(f"{name}.left_out" for name in line.left_out)
        if self._planner.dry_run is not None:
            outcome.seen = self._seen(self._planner.dry_run, lines, now)
        outcome.redirects = self._planner.redirects
        return outcome

    def _seen(self, dry_run: DryRun, lines: Sequence[ImportLine], now: datetime) -> dict[bytes, SeenRow]:
        """What the lines would have written, by what later lines find it by."""
        seen: dict[bytes, SeenRow] = {}
        for compiled in self._planner.compiled:
            rows = (line.rows.get(compiled.source.name) for line in lines if line.fault is None)
            for row in dict.fromkeys(row for row in rows if row is not None and row.key is not None):
                assert row.key is not None
                written = row.prepared if row.is_new else row.written if row.updates or row.seen else None
                if written is None:
                    continue
                columns = {**(row.seen.columns if row.seen else {}), **dry_run.digests(written)}
                tokens = compiled.dry_run_tokens(dry_run, row, self._viewer, now)
                seen |= dict.fromkeys(tokens, SeenRow(row.key, columns))
        return seen

    async def _write(self, tx: Connection, lines: Sequence[ImportLine], now: datetime, outcome: BatchOutcome) -> None:
        waiting: Sequence[ImportLine] = lines
        while waiting:
            waiting = await self._write_wave(tx, waiting, now, outcome)

    async def _write_wave(
        self, tx: Connection, lines: Sequence[ImportLine], now: datetime, outcome: BatchOutcome
    ) -> list[ImportLine]:
        """Writes lines as a whole, else one by one; returns those that wait for the others."""
        counts: Counter[str] = Counter()
        await tx.execute(SAVEPOINT)
        try:
            waiting = await self._planner.plan(tx, lines, now, self._breathe)
            blocked = {id(line) for line in waiting}
            await self._store(tx, [line for line in lines if id(line) not in blocked], now, counts, as_one=True)
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

    async def _write_single(self, tx: Connection, line: ImportLine, now: datetime, outcome: BatchOutcome) -> None:
        line.rows, line.fault = {}, None
        counts: Counter[str] = Counter()
        await tx.execute(SAVEPOINT)
        try:
            await self._planner.plan(tx, [line], now, self._breathe)
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
                PreparedRow(row.key, row.prepared, tuple(row.values), self._stamps.created_at(row))
                for row in rows
                if row.is_new and row.key is not None and row.prepared is not None and not row.is_virtual
            ]
            if new:
                writer.entity.require(self._viewer, "create")
                await insert_prepared(tx, self._viewer, writer, new, now, as_one=as_one)
            # Rows that are as the lines say are not updated; the source says it nevertheless.
            unchanged = (row for row in rows if row.updates == {} and not row.is_virtual)
            said = {row.key: row.written for row in unchanged if row.key is not None and row.written is not None}
            await provenance.record(tx, writer.table, said, now)
            for row in rows:
                if row.updates and row.key is not None and not row.is_virtual:
                    await writer.update(tx, self._viewer, row.key, row.updates, None, now)
            await self._store_identifiers(tx, rows, now, counts, as_one=as_one)
            entity = writer.entity.__name__
            counts[f"{entity}.created"] += sum(row.is_new and row.prepared is not None for row in rows)
            updated = [row.key for row in rows if row.updates and row.key is not None and not row.is_virtual]
            overruled = await survivorship.count_overruled(tx, writer.table, updated, now)
            counts[f"{entity}.updated"] += sum(bool(row.updates) for row in rows) - overruled
            counts[f"{entity}.unchanged"] += sum(row.updates == {} for row in rows) + overruled
            await self._breathe()

    async def _store_identifiers(
        self, tx: Connection, rows: Sequence[PlannedRow], now: datetime, counts: Counter[str], *, as_one: bool
    ) -> None:
        prepared: list[PreparedRow] = []
        for index, row in enumerate(rows):
            if index % 50 == 49:
                await self._breathe()
            new = row.new_identifiers if row.identification is not None else row.identifiers
            if row.is_virtual:
                counts["Identifier.created"] += len(new)
                continue
            for sourced in new:
                values = {
                    "customer_id": row.key,
                    "kind": sourced.identifier.identifier_kind,
                    "value": sourced.identifier.value,
                    "normalized": sourced.identifier.normalized,
                    "verified": sourced.identifier.verified,
                    "source": sourced.source,
                }
                key = self._stamps.of_identifier(row, sourced.identifier)
                fields = ("kind", "value", "source", "verified")
                prepared.append(PreparedRow(key, values, fields, self._stamps.created_at(row)))
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


async def _take_turns() -> None:
    """Lets other work of the process go on."""
    await asyncio.sleep(0)


def _require_refusal(error: Exception, tx: Connection) -> None:
    """Raises an error again that says nothing about the lines: the database is away, or two waited for each other."""
    is_fatal = isinstance(error, asyncpg.PostgresError) and is_connection_fatal(error)
    if tx.is_closed() or is_fatal or isinstance(error, Unavailable):
        raise error
    if isinstance(error, FIXED_BY_RETRY):
        raise Unavailable(f"the rows are locked: {error}") from error


def _rejected(line: ImportLine) -> RejectedLine:
    assert line.fault is not None
    error, row = line.fault.error, line.fault.row
    argument = None if error.argument is None else ".".join(camel_case(part) for part in error.argument.split("."))
    message = error.message
    if argument is not None and error.argument is not None and message.startswith(error.argument):
        message = argument + message.removeprefix(error.argument)  # as the API names it
    record = _plain({name: value for name, value in line.line.record.items() if value not in ("", None)})
    return RejectedLine(
        line.line.number,
        error.code,
        _plain(message),
        None if row is None else row.name,
        argument,
        tuple(map(_plain, line.fault.columns)),
        record,
        _plain(line.line.text),
    )


def _plain(value: Any) -> Any:
    """A value of a record as JSON and the database have it: a text for what they have no other word for."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    text: str = value.isoformat() if isinstance(value, datetime | date | time) else str(value)
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode()
