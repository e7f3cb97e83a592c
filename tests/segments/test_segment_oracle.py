"""Segments of the sample data equal plain SQL; segments under random writes and steps of the clock equal a computation anew."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import random_runs
from change_workload import wait_until
from conftest import CreateDatabase
from merges import merge
from segment_hub import SegmentHub, open_segment_hub
from writer_client import open_hub_client

from hub.db.pool import Pool
from hub.segment_sample import load_segments
from hub.settings import Settings

SPENDERS = """
select customer_id from orders where currency = 'USD' group by customer_id having sum(total) >= 20000
"""
LAPSED = """
select customer_id from orders group by customer_id having max(placed_at) < now() - interval '365 days'
"""
EXPECTED = {
    "big.spenders": SPENDERS,
    "lapsed": LAPSED,
    "win.back": f"select customer_id from ({SPENDERS}) as s join ({LAPSED}) as l using (customer_id)",
}
MEMBERS = "select customer_id from segment_memberships where code = $1 and until is null"
COUNTRIES = ("CH", "DE", "AT")
FILTERS: dict[str, Any] = {
    "random.home": {"country": {"in": ["CH", "AT"]}},
    "random.fresh": {"interactions": {"some": {"occurredAt": {"withinLast": "PT36H"}}}},
    "random.busy": {"interactions": {"count": {"gte": 2}, "where": {"occurredAt": {"withinLast": "P3D"}}}},
    "random.quiet": {"interactions": {"max": {"occurredAt": {"olderThan": "P2D"}}}},
    "random.both": {
        "segments": {"some": {"code": {"eq": "random.home"}}},
        "not": {"segments": {"some": {"code": {"eq": "random.fresh"}}}},
    },
    "random.top": {
        "or": [
            {"segments": {"some": {"code": {"in": ["random.both", "random.busy"]}}}},
            {"orders": {"sum": {"net": {"gte": 100}, "currency": "EUR"}}},
        ]
    },
}


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[SegmentHub]:
    async with open_segment_hub(await create_database("migrated")) as segment_hub:
        yield segment_hub


async def test_segments_of_northwind_equal_plain_sql(northwind_dsn: str) -> None:
    pool = Pool(northwind_dsn, Settings())
    for _ in range(2):  # a second load changes nothing
        await load_segments(Settings(), pool)
    await pool.close()
    async with open_hub_client(northwind_dsn):
        connection = await asyncpg.connect(northwind_dsn)

        async def computed() -> bool:
            return bool(await connection.fetchval("select bool_and(computed_at is not null) from segments"))

        await wait_until(computed, 20)
        for code, query in EXPECTED.items():
            expected = {row[0] for row in await connection.fetch(query)}
            assert {row[0] for row in await connection.fetch(MEMBERS, code)} == expected
            assert expected
        await connection.close()


async def _write(hub: SegmentHub, customers: list[str], rng: random.Random) -> None:
    """One random write or step of the clock."""
    customer = rng.choice(customers) if customers else ""
    match (
        rng.choice(("create", "country", "visit", "visit", "order", "time", "merge"))
        if len(customers) > 2
        else "create"
    ):
        case "create":
            customers.append(await hub.create(country=rng.choice(COUNTRIES)))
        case "country":
            await hub.update(customer, country=rng.choice(COUNTRIES))
        case "visit":
            await hub.interaction(customer, hub.now - timedelta(hours=rng.randint(0, 60)))
        case "order":
            await hub.order(customer, str(rng.randint(1, 120)))
        case "time":
            await hub.advance(hub.now + timedelta(minutes=rng.randint(1, 1_500)))
        case "merge":
            other = rng.choice([name for name in customers if name != customer])
            await merge(hub.client, customer, other)
            customers.remove(other)


async def test_memberships_equal_a_computation_anew_after_random_writes(
    hub: SegmentHub, pytestconfig: pytest.Config
) -> None:
    rng = random.Random(random_runs.seed())
    for code, filter_ in FILTERS.items():
        await hub.activate(code, filter_)
    customers: list[str] = []
    for number in range(random_runs.size("writes beside segments", pytestconfig)):
        await _write(hub, customers, rng)
        if number % 25 == 24:
            assert await hub.stored() == await hub.computed(), number
    assert await hub.stored() == await hub.computed()
    entries = await hub.connection.fetch("select code, until is null as is_in from segment_memberships")
    reached = Counter(row["code"] for row in entries if not row["is_in"])
    assert reached
