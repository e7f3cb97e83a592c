"""Scores: a full run of RFM over all customers, what a second run writes, and what computing and comparing alone take."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bench.children import BenchmarkError
from bench.database import execute
from hub import graph
from hub.db.pool import Connection
from hub.domain.scoring.evaluation import compute
from hub.domain.scoring.model_commands import activate_model, create_model
from hub.domain.scoring.model_definitions import read_model
from hub.domain.scoring.runs import BATCH, FIRST_KEY
from hub.domain.scoring.templates import ScoreTemplate
from hub.model.customer_derivations import derive
from hub.viewer import ADMIN

CUSTOMERS = 1_000_000
COMPARE_LIMIT = 60.0  # seconds
NOW = datetime(2026, 6, 1, tzinfo=UTC)

# Four orders for each customer, within three years.
FILL = """
set hub.capture = 'off';
insert into org_units (code, name, kind, path) values ('bench', 'Bench', 'GROUP', 'bench');
insert into customers (name, unit_id) select 'Customer ' || n, u.id from org_units as u, generate_series(1, {customers}) as n;
insert into orders (customer_id, unit_id, number, placed_at, currency, net)
    select c.id, c.unit_id, c.name || '/' || n, timestamptz '2026-05-31' - random() * interval '3 years', 'EUR',
        round((random() * 900)::numeric, 4)
    from customers as c, generate_series(1, 4) as n;
"""
NEXT = "select id from customers where id > $1 order by id limit $2"


@dataclass(frozen=True)
class ScoresResult:
    """What full runs of one model took."""

    customers: int
    first: float
    second: float
    compared: float
    rewritten: int

    def __str__(self) -> str:
        rate = self.customers / self.compared
        return (
            f"RFM of {self.customers:,} customers: first values in {self.first:.1f} s; computing and comparing "
            f"{self.compared:.1f} s ({rate:,.0f}/s); a second run {self.second:.1f} s, which writes {self.rewritten} scores"
        )


def run(dsn: str, customers: int = CUSTOMERS) -> ScoresResult:
    """Fills a migrated database and measures; raises BenchmarkError where a second run writes, or comparing takes too long."""
    execute(dsn, FILL.format(customers=customers), "vacuum (analyze) customers", "vacuum (analyze) orders")
    result = asyncio.run(_measure(dsn, customers))
    if result.rewritten or result.compared > COMPARE_LIMIT * max(1.0, customers / CUSTOMERS):
        raise BenchmarkError(str(result))
    return result


async def _measure(dsn: str, customers: int) -> ScoresResult:
    graph.build()  # which registers what is derived
    connection: Connection = await asyncpg.connect(dsn, server_settings={"jit": "off"})
    try:
        async with connection.transaction():
            draft = await create_model(
                connection, ADMIN, code="rfm", name="RFM", template=ScoreTemplate.RFM, currency="EUR", now=NOW
            )
            await activate_model(connection, ADMIN, id=draft.score_model, now=NOW)
        first = await _full_run(connection, draft.score_model)
        await connection.execute("vacuum (analyze) scores")
        before = await connection.fetchval("select sum(version) from scores")
        second = await _full_run(connection, draft.score_model)
        rewritten: int = await connection.fetchval("select sum(version) from scores") - before
        compared = await _compare(connection, draft.score_model)
    finally:
        await connection.close()
    return ScoresResult(customers, first, second, compared, rewritten)


async def _full_run(connection: Connection, model: UUID) -> float:
    start, after = time.perf_counter(), FIRST_KEY
    while batch := [row["id"] for row in await connection.fetch(NEXT, after, BATCH)]:
        async with connection.transaction():
            await derive(connection, "scores", batch, NOW, model)
        after = batch[-1]
    return time.perf_counter() - start


async def _compare(connection: Connection, key: UUID) -> float:
    """Computes all scores and compares them with the stored ones, without a look at moments."""
    model, start, after = await read_model(connection, key), time.perf_counter(), FIRST_KEY
    while batch := [row["id"] for row in await connection.fetch(NEXT, after, BATCH)]:
        if any(score.differs for score in await compute(connection, model, batch, NOW)):
            raise BenchmarkError("a score that was just computed differs")
        after = batch[-1]
    return time.perf_counter() - start
