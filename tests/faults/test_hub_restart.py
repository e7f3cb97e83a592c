"""Hubs that are restarted one after the other: no mutation fails, though none may be repeated, and streams go on elsewhere."""

import asyncio
import random
import signal
from collections import Counter
from time import monotonic

import pytest
from conftest import key_for
from delivery_workload import Careful, played
from hub_process import hubs
from reconnecting_subscriber import subscribed

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


async def test_who_was_let_in_as_the_hub_stops_is_answered(database: str) -> None:
    body = b'{"query":"{ customers(first: 1) { totalCount } }"}'
    head = f"authorization: Bearer {await key_for(database)}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    sent = f"POST /graphql HTTP/1.1\r\nhost: hub\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    answers = Counter[bytes]()

    async def ask(port: int) -> None:
        """Again and again, each time on a connection of its own, until nobody is let in."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            writer.write(sent)
            try:
                answers[(await reader.read())[:12]] += 1
            except OSError:
                answers[b"reset"] += 1
            writer.close()

    async with hubs(database, 1) as hub:
        (port,) = hub.ports
        for _ in range(3):
            asking = [asyncio.create_task(ask(port)) for _ in range(CLIENTS)]
            await asyncio.sleep(0.5)
            assert await hub.end(port, signal.SIGTERM) == 0
            await asyncio.gather(*asking)
            await hub.start(port)
    assert set(answers) == {b"HTTP/1.1 200"}
