"""Random writes, random live lists, hubs restarted in every way: in the end each list is what a query of it answers."""

import asyncio
import random
import signal
from datetime import UTC, datetime
from itertools import islice

import pytest
from change_workload import connected, placed
from conftest import key_for
from hub_process import Hubs, hubs
from live_query_workload import Scribbler, Watcher, differences, drawn
from oracle.data import load
from reconnecting_subscriber import running
from socket_hub import streaming

from hub import schema
from hub.engine.execution import subscriptions
from hub.engine.plan.dependencies import Reach

WRITES = 60  # statements between two restarts, and once more at the end
COST = 100_000  # what an operation may: lists are drawn within a budget of rows, not of what they are priced at
TERM, KILL = signal.SIGTERM, signal.SIGKILL
RESTARTS = {"graceful": [TERM], "brutal": [KILL], "rolling": [TERM, TERM], "mixed": [TERM, KILL]}


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


async def restarted(hub: Hubs, how: str) -> None:
    """Those that are restarted are so one after the other, or in a mixed way at once."""
    restarts = [hub.restart(port, number) for port, number in zip(hub.ports, RESTARTS[how], strict=False)]
    if how == "mixed":
        await asyncio.gather(*restarts)
        return
    for each in restarts:
        await each


@pytest.mark.parametrize(
    ("lists", "ways"),
    [(30, ["mixed"]), pytest.param(90, [*RESTARTS] * 10, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
async def test_every_live_list_ends_as_a_query_of_it_answers(
    northwind: str, seed: int, lists: int, ways: list[str]
) -> None:
    graph, key = schema.build(), await key_for(northwind)
    data = await load(northwind, graph.catalog)
    wanted = islice(drawn(graph, data, datetime.now(UTC), str(seed)), lists)
    async with hubs(northwind, 2, cost_limit=COST) as hub, connected(northwind, 1) as (rows,):
        ports = hub.ports
        watchers = [Watcher([ports[n % 2], ports[1 - n % 2]], key, watched=each) for n, each in enumerate(wanted)]
        scribbler = Scribbler(rows, graph.catalog, str(seed))
        async with running(watchers):
            before = [each.view for each in watchers]
            for how in [*ways, "end"]:
                restarting = asyncio.create_task(restarted(hub, how) if how in RESTARTS else asyncio.sleep(0))
                for _ in range(WRITES):
                    await scribbler.scribble()
                    await asyncio.sleep(0.01)
                await restarting
            async with asyncio.timeout(30):
                while sum(each.view != view for each, view in zip(watchers, before, strict=True)) < lists // 4:
                    await scribbler.scribble()
                    await asyncio.sleep(0.01)
            await placed(rows)
            different = await differences(watchers, hub.ports[0], key)
    assert different == []


async def test_a_hub_that_does_not_look_where_a_list_reads_is_found(
    northwind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "reach_of", lambda _: Reach(frozenset({"staff"}), frozenset()))
    async with streaming(northwind, cost_limit=COST) as hub:
        graph = schema.build()
        wanted = islice(drawn(graph, await load(northwind, graph.catalog), datetime.now(UTC), str(seed)), 10)
        watchers = [Watcher([hub.port], hub.key, watched=each) for each in wanted]
        scribbler = Scribbler(hub.rows, graph.catalog, str(seed))
        async with running(watchers), asyncio.timeout(60):
            # What is drawn may have nothing to do with what is written: until something has.
            different = False
            while not different:
                for _ in range(WRITES):
                    await scribbler.scribble()
                await placed(hub.rows)
                different = bool(await differences(watchers, hub.port, hub.key, seconds=2))
