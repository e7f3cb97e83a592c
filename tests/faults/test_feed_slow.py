"""Positions come as soon as ever while somebody holds a snapshot or a transaction open, and when nobody is woken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from time import monotonic

import pytest
from change_workload import ADD, LEADER, connected, place_of, placed, until
from conftest import asking

from hub.changefeed import sequencer
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.settings import Settings

SAMPLES = 20
MORE, MOST_MORE = (
    0.05,
    0.25,
)  # seconds that the usual and the longest wait may grow by, on a machine that does other things
MANY = """
insert into products (sku, name, category, unit_price, currency)
select $1 || ' ' || n, 'n', 'c', 1, 'EUR' from generate_series(1, 5000) as n
"""
MAKE = """mutation { productCreate(input: {sku: "A", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}) {
    product { sku }
} }"""


async def waits(connection: Connection, name: str) -> list[float]:
    """Seconds from a commit to its position, sorted."""
    found = []
    for n in range(SAMPLES):
        row = await connection.fetchval(ADD, f"{name} {n}")
        begun = monotonic()
        await place_of(connection, row)
        found.append(monotonic() - begun)
    return sorted(found)


@asynccontextmanager
async def held(dsn: str, what: str) -> AsyncIterator[None]:
    """Somebody who has begun, and does not end while the body runs."""
    async with connected(dsn, 1) as (slow,), slow.transaction(isolation="repeatable_read"):
        await slow.fetchval("select count(*) from products")
        if what == "transaction":
            await slow.fetchval(ADD, "slow")
        yield


@pytest.mark.parametrize("what", ["snapshot", "transaction"])
@pytest.mark.parametrize("changes", [100_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
async def test_one_who_is_slow_delays_nobody(
    database: str, what: str, changes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each note of what is settled leaves a dead row: as many as there would be in an hour or more.
    monkeypatch.setattr(sequencer, "WRITING", 0.0)
    async with connected(database, 1) as (connection,), Sequencer(database, Settings()).running():
        before = await waits(connection, "before")
        async with held(database, what):
            for n in range(changes // 5_000):
                await connection.execute(MANY, f"many {n}")
            await placed(connection, 60)
            during = await waits(connection, "during")
        after = await waits(connection, "after")
    assert max(median(during), median(after)) < median(before) + MORE
    assert during[-2] < before[-2] + MOST_MORE


async def test_a_wake_up_that_is_lost_is_made_up_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sequencer, "wake", lambda _: None)
    async with connected(database, 1) as (connection,), asking(database) as ask:
        await until(lambda: connection.fetchval(LEADER))
        await ask(MAKE)
        await placed(connection, 1.0)
