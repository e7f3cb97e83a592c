"""Hubs are killed under writers and subscribers: reconnected subscribers get every acknowledged change once and in order."""

import asyncio
from time import monotonic

import pytest
import random_runs
from conftest import create_api_key
from delivery_workload import run_delivery_workload
from hub_process import run_hubs
from reconnecting_subscriber import open_subscribers

RESUME_TIMEOUT = 3.0  # seconds from the first answer of a hub until every stream has resumed


@pytest.mark.parametrize(
    ("subscribers", "kills", "pause"), [(10, 1, 0.0), pytest.param(50, 5, 0.2, marks=pytest.mark.soak)]
)
async def test_a_single_hub_is_killed_and_restarted(
    database_dsn: str, seed: int, subscribers: int, kills: int, pause: float, pytestconfig: pytest.Config
) -> None:
    key, down = await create_api_key(database_dsn), [0.0]
    async with run_hubs(database_dsn, 1) as processes, open_subscribers(subscribers, processes.ports, key) as streams:

        async def kill() -> None:
            for _ in range(kills):
                await asyncio.sleep(0.5)
                started_at = monotonic()
                await processes.restart(processes.ports[0])
                down.append(monotonic() - started_at)
                await asyncio.gather(*(stream.wait_resumed() for stream in streams))

        killing = asyncio.create_task(kill())
        number = 500 if pause else 5
        workload = await run_delivery_workload(
            database_dsn, processes.ports, key, streams, seed=seed, transactions=number, pause=pause, meanwhile=killing
        )
        await killing
    print("away", workload.longest_gap, "down", max(down), "written", len(workload.ledger.acknowledged))
    assert workload.broken_promises() == set()
    assert {stream.end_reasons["broken"] for stream in streams} == {kills}
    assert workload.longest_gap < max(down) + random_runs.time_limit(RESUME_TIMEOUT, pytestconfig)


@pytest.mark.parametrize(
    ("subscribers", "kills", "pause"), [(10, 1, 0.0), pytest.param(50, 6, 0.2, marks=pytest.mark.soak)]
)
async def test_one_of_two_hubs_is_killed_and_the_other_goes_on(
    database_dsn: str, seed: int, subscribers: int, kills: int, pause: float, pytestconfig: pytest.Config
) -> None:
    key = await create_api_key(database_dsn)
    async with run_hubs(database_dsn, 2) as processes, open_subscribers(subscribers, processes.ports, key) as streams:

        async def kill() -> None:
            for n in range(kills):
                if n:
                    await processes.start(processes.ports[(n - 1) % 2])
                await asyncio.sleep(0.5)
                await processes.kill(processes.ports[n % 2])
                await asyncio.gather(*(stream.wait_resumed() for stream in streams))

        killing = asyncio.create_task(kill())
        number = 500 if pause else 5
        workload = await run_delivery_workload(
            database_dsn, processes.ports, key, streams, seed=seed, transactions=number, pause=pause, meanwhile=killing
        )
        await killing
    print("away", workload.longest_gap, "written", len(workload.ledger.acknowledged))
    assert workload.broken_promises() == set()
    assert sum(stream.end_reasons["broken"] for stream in streams) >= kills * subscribers // 2
    assert workload.longest_gap < random_runs.time_limit(RESUME_TIMEOUT, pytestconfig)
