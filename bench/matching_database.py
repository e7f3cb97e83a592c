"""Matching in the database: blocking keys and candidates of a whole hub from nothing, and of one customer who changed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.matching_people import planted
from bench.matching_records import BenchPerson
from bench.usage import cpu_seconds
from hub.domain.matching.candidates import rebuild, refresh_customers

DUPLICATES_SHARE = 20
AIM = 60.0  # CPU seconds for 100,000 customers, of both processes
CHANGED = 200  # customers who are compared anew, one by one
UNIT = """
insert into org_units (code, name, kind, path) values ('matching', 'Matching', 'GROUP', 'matching')
on conflict (code) do update set name = excluded.name returning id
"""


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """CPU seconds from nothing of the hub and of Postgres, what came of it, and milliseconds for one customer."""

    customers: int
    hub: float
    postgres: float
    keys: int
    candidates: int
    one: float

    def __str__(self) -> str:
        total = self.hub + self.postgres
        return (
            f"candidates of {self.customers:,} customers from nothing: {total:.1f} s CPU ({self.hub:.1f} hub,"
            f" {self.postgres:.1f} Postgres; aim {AIM:.0f}), {self.keys:,} keys, {self.candidates:,} candidates;"
            f" one customer {self.one:.1f} ms"
        )


def run(dsn: str, customers: int, seed: int) -> CandidateResult:
    """Loads the synthetic set with planted duplicates unless it is there, and derives everything anew."""
    return asyncio.run(_measure(dsn, customers, seed))


async def _measure(dsn: str, customers: int, seed: int) -> CandidateResult:
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("select exists (select from customers)"):
            await _load(connection, planted(customers, customers // DUPLICATES_SHARE, seed).people)
        await connection.execute("truncate match_keys; delete from match_candidates")
        await connection.execute("vacuum analyze")
        backend = await connection.fetchval("select pg_backend_pid()")
        hub_before, postgres_before = time.process_time(), cpu_seconds(backend)
        after: UUID | None = None
        while True:
            async with connection.transaction():
                after = await rebuild(connection, after)
            if after is None:
                break
        hub, postgres = time.process_time() - hub_before, cpu_seconds(backend) - postgres_before
        count, keys, candidates = [
            await connection.fetchval(f"select count(*) from {table}")
            for table in ("customers", "match_keys", "match_candidates")
        ]
        return CandidateResult(count, hub, postgres, keys, candidates, await _one_by_one(connection))
    finally:
        await connection.close()


async def _one_by_one(connection: asyncpg.Connection) -> float:
    """The median of milliseconds for a customer who changed."""
    rows = await connection.fetch("select id from customers order by hashtext(id::text) limit $1", CHANGED)
    seconds = []
    for row in rows:
        started_at = time.perf_counter()
        async with connection.transaction():
            await refresh_customers(connection, {row["id"]})
        seconds.append(time.perf_counter() - started_at)
    return median(seconds) * 1000


async def _load(connection: asyncpg.Connection, people: Sequence[BenchPerson]) -> None:
    unit = await connection.fetchval(UNIT)
    keys = [uuid7() for _ in people]
    numbered = list(zip(keys, people, strict=True))
    tables: dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]] = {
        "customers": (
            ("id", "kind", "name", "unit_id", "country", "born_on"),
            [
                (key, "ORGANISATION" if p.is_organisation else "PERSON", p.name[:200], unit, p.country, _day(p.born_on))
                for key, p in numbered
            ],
        ),
        "identifiers": (
            ("id", "customer_id", "kind", "value", "normalized", "source"),
            [
                (uuid7(), key, sort, value, value, str(number))
                for number, (key, p) in enumerate(numbered)
                for sort, value in (("EMAIL", p.email), ("PHONE", p.phone))
                if value
            ],
        ),
        "addresses": (
            ("id", "customer_id", "kind", "street", "city", "postal_code", "country"),
            [
                (uuid7(), key, "MAIN", p.street, p.city, p.postal_code or None, p.country)
                for key, p in numbered
                if p.street and p.city
            ],
        ),
    }
    async with connection.transaction():
        await connection.execute("set local hub.capture = 'off'")  # the set has no history
        for table, (columns, records) in tables.items():
            await connection.copy_records_to_table(table, columns=columns, records=records)
    await connection.execute("vacuum analyze")


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
