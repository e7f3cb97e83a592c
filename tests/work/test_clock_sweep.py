"""Sweeps of due escalations: two processes reach each of them once; the rest of the clocks stay as they are."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
import pytest

from bench.timers import ONCE, fill, fire_all
from hub import graph
from hub.db.pool import Pool
from hub.settings import Settings


@pytest.mark.parametrize(
    ("clocks", "due"), [(1_500, 1_200), pytest.param(200_000, 10_000, marks=pytest.mark.soak)], ids=["short", "long"]
)
async def test_two_sweeps_reach_every_level_once(database_dsn: str, clocks: int, due: int) -> None:
    graph.declarations()
    await asyncio.to_thread(fill, database_dsn, clocks, due)
    async with AsyncExitStack() as stack:
        pools = [Pool(database_dsn, Settings(pool_size=1)) for _ in range(2)]
        for pool in pools:
            stack.push_async_callback(pool.close)
        shares = await asyncio.gather(*(fire_all(pool) for pool in pools))
    assert sum(shares) == due
    connection = await asyncpg.connect(database_dsn)
    try:
        reached = await connection.fetchrow(ONCE)
        assert reached is not None
        assert tuple(reached) == (due, due, due)
        statuses = await connection.fetch("select status, level, count(*) from clocks group by 1, 2 order by 2")
        assert [tuple(row) for row in statuses] == [("RUNNING", 0, clocks - due), ("RUNNING", 1, due)]
    finally:
        await connection.close()
