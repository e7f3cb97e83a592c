"""Imports: three rows of each line by the importer, beside bare COPY of the same rows into the same tables, log and all."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from uuid_utils.compat import uuid7

from bench.children import BenchmarkError
from hub.db.pool import Connection
from hub.domain.exchange import import_store
from hub.domain.exchange.imports import start_import
from hub.domain.exchange.mapping_types import ImportMode
from hub.domain.jobs.queue import OPERATOR
from hub.job_command_line import run_job
from hub.settings import Settings
from hub.viewer import ADMIN

LINES, BATCH = 20_000, 500
AIM = 0.3  # of the rate of COPY
MAPPING = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [
    { kind = "EXTERNAL_ID", column = "number", source = "bench", verified = true },
    { kind = "EMAIL", column = "mail", source = "bench" },
]
fields.name = "name"
fields.country = "country"

[[rows]]
entity = "Contact"
match = "name"
fields.name = "person"
"""
UNIT = """
insert into org_units (code, name, kind, path) values ('imports', 'Imports', 'GROUP', 'imports')
on conflict (code) do update set name = excluded.name returning id
"""
LOGGED = "select count(*) from change_log where table_name <> 'jobs'"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Lines per second: of COPY, of an import of new rows, and of the same file again, with the rows that it logged."""

    copy: float
    first: float
    again: float
    logged_again: int

    def __str__(self) -> str:
        share = self.first / self.copy
        verdict = "within" if share >= AIM else "beyond"
        return (
            f"import: {self.first:,.0f} lines/s, {share:.2f} of COPY's {self.copy:,.0f} ({verdict} {AIM}); the same file"
            f" again {self.again:,.0f}/s, {self.logged_again} changes"
        )


def run(dsn: str) -> Iterator[ImportResult]:
    """Imports into a database in which nobody else writes."""
    yield asyncio.run(_measure(dsn))


async def _measure(dsn: str) -> ImportResult:
    connection = await asyncpg.connect(dsn)
    try:
        unit = await connection.fetchval(UNIT)
        run_id = uuid4().hex[:8]
        copied = await _copy(connection, unit, run_id)
        first = await _import(connection, dsn, run_id)
        logged = await connection.fetchval(LOGGED)
        again = await _import(connection, dsn, run_id)
        return ImportResult(LINES / copied, LINES / first, LINES / again, await connection.fetchval(LOGGED) - logged)
    finally:
        await connection.close()


async def _copy(connection: asyncpg.Connection, unit: UUID, run_id: str) -> float:
    """Seconds of COPY of as many rows, in transactions of as many lines."""
    started_at = time.perf_counter()
    for start in range(0, LINES, BATCH):
        keys = [uuid7() for _ in range(BATCH)]
        rows: dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]] = {
            "customers": (
                ("id", "kind", "name", "unit_id", "country"),
                [(k, "PERSON", "Copied", unit, "DE") for k in keys],
            ),
            "identifiers": (
                ("id", "customer_id", "kind", "value", "normalized", "source", "verified"),
                [
                    (uuid7(), key, sort, value, value, "copy", False)
                    for number, key in enumerate(keys, start)
                    for sort, value in (
                        ("EXTERNAL_ID", f"{run_id}{number}"),
                        ("EMAIL", f"{run_id}{number}@copied-online.net"),
                    )
                ],
            ),
            "contacts": (("id", "customer_id", "name"), [(uuid7(), key, "Copied") for key in keys]),
        }
        async with connection.transaction():
            for table, (columns, records) in rows.items():
                await connection.copy_records_to_table(table, columns=columns, records=records)
    return time.perf_counter() - started_at


async def _import(connection: asyncpg.Connection, dsn: str, run_id: str) -> float:
    """Seconds of an import, without the start of the process."""
    lines = (f"{run_id}{n},{run_id}{n}@bench-online.net,Name {n},DE,Person {n}\n" for n in range(LINES))
    content = ("number,mail,name,country,person\n" + "".join(lines)).encode()

    async def enqueue(tx: Connection, now: datetime) -> UUID:
        file = await import_store.create_file(tx, OPERATOR, "bench", len(content))
        await import_store.add_content(tx, file, 0, content)
        return await start_import(tx, ADMIN, file, "bench", MAPPING, ImportMode.UPSERT, dry_run=False, now=now)

    report = await run_job(Settings(), dsn, enqueue, lambda _: None)
    if report.status != "SUCCEEDED" or report.counts.get("rejected") or report.finished_at is None:
        raise BenchmarkError(f"the import ended with {report.status}: {report.reason} {report.errors[:1]}")
    started_at: datetime = await connection.fetchval("select started_at from jobs where id = $1", report.job_id)
    return (report.finished_at - started_at).total_seconds()
