"""Two hubs restarted one after the other under mutations that must not be repeated: none fails, and streams go on elsewhere."""

import asyncio
import random
import signal
from collections import Counter
from time import monotonic

import pytest
from conftest import key_for
from delivery import Careful, played
from serving import hubs
from subscribing import subscribed

DRAINED, RESUMED = 10.0, 3.0
CLIENTS, PAUSE = 10, 0.09  # some hundred mutations per second


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


@pytest.mark.parametrize(("subscribers", "rounds"), [(10, 1), pytest.param(50, 10, marks=pytest.mark.soak)])
async def test_a_rolling_restart_fails_no_request(database: str, seed: int, subscribers: int, rounds: int) -> None:
    key, drained = await key_for(database), list[float]()
    async with hubs(database, 2) as hub, subscribed(subscribers, hub.ports, key) as told:

        async def roll() -> None:
            for port in hub.ports * rounds:
                await asyncio.sleep(0.5)
                began = monotonic()
                assert await hub.end(port, signal.SIGTERM) == 0
                drained.append(monotonic() - began)
                await hub.start(port)

        rolling = asyncio.create_task(roll())
        play = await played(
            database,
            hub.ports,
            key,
            told,
            seed=seed,
            transactions=5,
            writers=2,
            clients=CLIENTS,
            pause=PAUSE,
            meanwhile=rolling,
            kind=Careful,
        )
        await rolling
    ends = sum((each.ends for each in told), Counter[str]())
    print("drained", max(drained), "away", play.away, dict(ends))
    assert play.faults() == set()
    assert max(drained) < DRAINED
    assert play.away < RESUMED
    assert set(ends) == {"1012"}
