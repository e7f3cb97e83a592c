"""Slow statements run on backends of a low priority, if the server runs on this machine and its processes are visible."""

import json
import os
from itertools import count

import pytest
from conftest import execute_sql

from hub.db import lanes
from hub.db import pool as pool_module
from hub.db.backend_priority import NICENESS, lower_priority, runs_here
from hub.db.fair_queue import CONTENTION_SECONDS
from hub.db.lanes import BACKGROUND_SECONDS
from hub.db.pool import Pool
from hub.settings import Settings

PARALLEL_TABLE = """create table many_rows as select n from generate_series(1, 200000) as n;
    alter table many_rows set (parallel_workers = 2)"""
EXPLAIN = "explain (analyze, format json) select count(*) from many_rows"
QUICK, SLOW = "select pg_backend_pid()", "select pg_backend_pid() as slow"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("postgresql://hub@/hub?host=%2Fvar%2Frun", True),
        ("postgresql://hub@localhost:5432/hub", True),
        ("postgresql://hub@[::1]/hub", True),
        ("postgresql://hub@db.example.com/hub", False),
        ("postgresql://hub@/hub?host=/var/run&host=db.example.com", False),
        ("postgresql:///hub", False),
    ],
)
def test_only_a_socket_and_loopback_are_this_machine(address: str, here: bool) -> None:
    assert runs_here(address) is here


def test_a_process_that_is_no_backend_is_left_alone() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    lower_priority(os.getpid())
    lower_priority(2**22 + 1)  # more than any process id
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


async def test_slow_statements_have_connections_of_a_low_priority_while_others_are_at_work(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, ticks = 0.0, count()
    monkeypatch.setattr(lanes, "monotonic", lambda: 100.0)
    monkeypatch.setattr(pool_module, "perf_counter", lambda: next(ticks) * step)
    pool = await Pool.open(database_dsn, Settings(), lanes=True)
    one, other = pool.for_flow("one"), pool.for_flow("other")

    async def niceness(text: str) -> int:
        nonlocal step
        step = 2 * BACKGROUND_SECONDS if text == SLOW else 0.0  # from the begin of a statement to its end
        ((process_id,),) = await one.fetch(text, [])
        return os.getpriority(os.PRIO_PROCESS, process_id)

    usual = await niceness(QUICK)
    assert [await niceness(SLOW) for _ in range(2)] == [usual, usual], "nobody else is at work"
    step = 0.0
    await other.fetch(QUICK, [])
    assert [await niceness(text) for text in (SLOW, QUICK, SLOW)] == [NICENESS, usual, NICENESS]
    await pool.close()


async def test_slow_statements_have_no_parallel_workers_while_others_are_at_work(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, step, ticks = 100.0, 2 * BACKGROUND_SECONDS, count()
    monkeypatch.setattr(lanes, "monotonic", lambda: now)
    monkeypatch.setattr(pool_module, "perf_counter", lambda: next(ticks) * step)
    await execute_sql(database_dsn, PARALLEL_TABLE)
    pool = await Pool.open(database_dsn, Settings(), lanes=True, as_owner=True)
    one, other = pool.for_flow("one"), pool.for_flow("other")

    async def workers() -> int:
        """How many parallel workers a plan with some is given, one that was made before too."""
        ((plan,),) = await one.fetch(EXPLAIN, [])
        return int(json.loads(plan)[0]["Plan"]["Plans"][0]["Workers Launched"])

    assert [await workers() for _ in range(3)] == [2, 2, 2], "nobody else is at work"
    step = 0.0
    await other.fetch(QUICK, [])
    step = 2 * BACKGROUND_SECONDS
    assert [await workers() for _ in range(2)] == [0, 0]
    now += 2 * CONTENTION_SECONDS
    assert await workers() == 2
    await pool.close()
