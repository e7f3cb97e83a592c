"""Runs imports: reads the file, writes its lines 500 at a time, each with the job's cursor, and stores the refused."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.exchange import import_store
from hub.domain.exchange.dry_runs import DryRun
from hub.domain.exchange.mapping import parse_mapping
from hub.domain.exchange.mapping_types import ImportMapping, ImportMode
from hub.engine.execution.redirects import REDIRECTED_FROM
from hub.errors import BadInput
from hub.jobs.context import JobContext
from hub.jobs.import_files import FileLine, FileSurvey, read_lines, survey
from hub.jobs.import_writer import BatchOutcome, ImportWriter

BATCH = 500  # lines of one transaction
MAX_REDIRECTS = 100  # that the result lists
READ_AT_ONCE = 50


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
    """Raises BadInput for a column of the mapping that the file does not have, or has twice while the mapping reads one."""
    if layout.format == "jsonl":  # a line leaves out the columns that it has no value for
        return
    for name in mapping.columns:
        second = f"{name} (2)"
        if name not in layout.columns:
            shown = ", ".join(layout.columns[:20])
            _refuse(f"the file has no column {name!r}; it has {shown}")
        if name in layout.repeated and second not in mapping.columns:
            numbers = [layout.columns.index(column) + 1 for column in (name, second)]
            _refuse(
                f"columns {numbers[0]} and {numbers[1]} of the header are both called {name!r}; rename one, or read the"
                f" second one as well, which is {second!r} here"
            )


def _refuse(message: str) -> NoReturn:
    raise BadInput(f"mapping: {message}.", code="MAPPING_INVALID", argument="mapping")


class _Run:
    """One run of an import."""

    def __init__(self, context: JobContext, mapping: ImportMapping, layout: FileSurvey, total: int) -> None:
        self._context = context
        self._layout = layout
        self._total = total
        self._dry_run = DryRun(context.job_id) if context.arguments.get("dry_run") else None
        mode = ImportMode(context.arguments["mode"])
        mapping = replace(mapping, file=layout.file)  # with what was found out
        self._writer = ImportWriter(mapping, mode, context.viewer, dry_run=self._dry_run, breathe=context.breathe)

    async def run(self, path: Path) -> None:
        context = self._context
        done = int(context.cursor or 0)
        lines = read_lines(path, self._layout, context.settings.import_limit)
        try:
            await asyncio.to_thread(_skip, lines, done)
            while batch := await _take_batch(lines):
                await context.proceed()
                done += len(batch)
                await self._write_batch(batch, done)
            async with context.transaction() as tx:
                await context.checkpoint(tx, done, done=done, total=done, result=self._result())
                await import_store.delete_files(tx, context.job_id)
                if self._dry_run is not None:
                    await self._dry_run.end(tx)
        finally:
            if hasattr(lines, "close"):
                lines.close()

    def _result(self) -> dict[str, Any]:
        dry = {"dryRun": True} if self._dry_run is not None else {}
        return {"file": self._layout.report(), **dry}

    async def _write_batch(self, batch: Sequence[FileLine], done: int) -> None:
        context, now = self._context, await self._context.now()
        async with context.transaction() as tx:
            if self._dry_run is not None:
                await tx.execute("savepoint dry_run")
            outcome = await self._writer.write_batch(tx, batch, now)
            if self._dry_run is not None:
                await tx.execute("rollback to savepoint dry_run")
                await self._dry_run.add(tx, outcome.seen)
            await self._move(tx, outcome, done)

    async def _move(self, tx: Connection, outcome: BatchOutcome, done: int) -> None:
        """Stores the refused lines and moves the cursor, in the transaction of what was written."""
        if outcome.rejects:
            await import_store.add_rejects(tx, self._context.job_id, outcome.rejects)
        counts = dict(Counter(self._context.counts) + outcome.counts)
        shown = ({"line": r.line, "code": r.code, "message": r.message} for r in outcome.rejects)
        errors = [*self._context.errors, *shown][:100]
        total = max(self._total, done)
        result = self._redirected(outcome.redirects)
        await self._context.checkpoint(tx, done, done=done, total=total, counts=counts, errors=errors, result=result)

    def _redirected(self, redirects: Mapping[UUID, UUID]) -> dict[str, Any]:
        """The first former ids of customers that lines have named, by current id, as responses name them."""
        known = self._context.result.get(REDIRECTED_FROM, {})
        named = {**known, **self._context.services.engine.redirects.public_ids(redirects)}
        return {REDIRECTED_FROM: dict(islice(named.items(), MAX_REDIRECTS))} if redirects else {}


def _skip(lines: Iterator[FileLine], count: int) -> None:
    for _ in islice(lines, count):
        pass


async def _take_batch(lines: Iterator[FileLine]) -> list[FileLine]:
    """The next lines. A thread reads a few at a time, since it holds the interpreter for as long as that takes."""
    batch: list[FileLine] = []
    while len(batch) < BATCH and (part := await asyncio.to_thread(_take, lines, READ_AT_ONCE)):
        batch += part
    return batch


def _take(lines: Iterator[FileLine], count: int) -> list[FileLine]:
    return list(islice(lines, count))
