"""Slow statements run on backends of a low priority, if the server runs on this machine and its processes are visible."""

import os
from itertools import count

import pytest

from hub.db import lanes
from hub.db import pool as pool_module
from hub.db.backend_priority import NICENESS, lower_priority, runs_here
from hub.db.lanes import BACKGROUND_SECONDS
from hub.db.pool import Pool
from hub.settings import Settings

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
