"""Hubs killed under writers and subscribers: whoever comes back is told all that was acknowledged, once and in order."""

import asyncio
import random
from time import monotonic

import pytest
from conftest import key_for
from delivery_workload import played
from hub_process import hubs
from reconnecting_subscriber import subscribed

RESUMED = 3.0  # seconds from a hub that answers until every stream goes on


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


@pytest.mark.parametrize(
    ("subscribers", "kills", "pause"), [(10, 1, 0.0), pytest.param(50, 5, 0.2, marks=pytest.mark.soak)]
)
async def test_one_hub_is_killed_and_started_again(
    database: str, seed: int, subscribers: int, kills: int, pause: float
) -> None:
    key, down = await key_for(database), [0.0]
    async with hubs(database, 1) as hub, subscribed(subscribers, hub.ports, key) as told:

        async def kill() -> None:
            for _ in range(kills):
                await asyncio.sleep(0.5)
                began = monotonic()
                await hub.restart(hub.ports[0])
                down.append(monotonic() - began)
                await asyncio.gather(*(each.again() for each in told))

        killing = asyncio.create_task(kill())
        number = 500 if pause else 5
        play = await played(
            database, hub.ports, key, told, seed=seed, transactions=number, pause=pause, meanwhile=killing
        )
        await killing
    print("away", play.away, "down", max(down), "written", len(play.ledger.acknowledged))
    assert play.faults() == set()
    assert {each.ends["broken"] for each in told} == {kills}
    assert play.away < max(down) + RESUMED


@pytest.mark.parametrize(
    ("subscribers", "kills", "pause"), [(10, 1, 0.0), pytest.param(50, 6, 0.2, marks=pytest.mark.soak)]
)
async def test_one_of_two_hubs_is_killed_and_the_other_goes_on(
    database: str, seed: int, subscribers: int, kills: int, pause: float
) -> None:
    key = await key_for(database)
    async with hubs(database, 2) as hub, subscribed(subscribers, hub.ports, key) as told:

        async def kill() -> None:
            for n in range(kills):
                if n:
                    await hub.start(hub.ports[(n - 1) % 2])
                await asyncio.sleep(0.5)
                await hub.kill(hub.ports[n % 2])
                await asyncio.gather(*(each.again() for each in told))

        killing = asyncio.create_task(kill())
        number = 500 if pause else 5
        play = await played(
            database, hub.ports, key, told, seed=seed, transactions=number, pause=pause, meanwhile=killing
        )
        await killing
    print("away", play.away, "written", len(play.ledger.acknowledged))
    assert play.faults() == set()
    assert sum(each.ends["broken"] for each in told) >= kills * subscribers // 2
    assert play.away < RESUMED
