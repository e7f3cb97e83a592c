"""Subscribers who are slow, who all come at once, and who were away long: all are told all, nobody waits, memory stays flat."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median
from time import monotonic, time

import httpx2
import pytest
from change_workload import ADD, connected, placed, until
from conftest import NewDatabase, key_for
from hub_process import Hubs, hubs, resident
from reconnecting_subscriber import Subscriber, running, subscribed

from hub.db.pool import Connection

LETTERS = 20_000  # in a message, so that a slow client's buffers are soon full
BUFFER, SLOW = 65_536, 10
MANY = """
insert into products (sku, name, category, unit_price, currency)
select $1 || n, $1 || n || repeat(' ', $3), 'c', 1, 'EUR' from generate_series(1, $2) as n
"""
ONE = """
insert into products (sku, name, category, unit_price, currency) values ($1, $1 || ' ' || $2 || repeat('x', $3), 'c', 1, 'EUR')
"""
STORM, RATE = 15.0, 2_000  # seconds, and changes per second


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    fast: int
    changes: int
    storm: int
    missed: int
    pause: float  # seconds between two changes


@dataclass(frozen=True)
class Scene:
    """A hub of its own process, and a connection past it."""

    scale: Scale
    hub: Hubs
    key: str
    rows: Connection

    @property
    def memory(self) -> float:
        """MiB of the hub's process."""
        return resident(self.hub.running[self.hub.ports[0]].pid)

    async def told(self, subscribers: list[Subscriber], last: str, seconds: float = 60.0) -> None:
        """Waits until everybody has been told of a last row."""

        async def all_are() -> bool:
            return all(last in (each.token for each in one.told[-50:]) for one in subscribers)

        await until(all_are, seconds)

    async def cut(self) -> bool:
        """Whether the streams of all slow clients were ended."""
        async with httpx2.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{self.hub.ports[0]}/metrics")).text
        return 'hub_streams_cut_total{reason="SLOW_CONSUMER"} 10.0' in text

    async def trickle(self, name: str, subscribers: list[Subscriber]) -> float:
        """Writes changes one by one; the 99th percentile of the seconds that they took to those who were told."""
        before = [len(each.told) for each in subscribers]
        for n in range(self.scale.changes):
            await self.rows.execute(ONE, f"{name}-{n}", f"{time()} ", LETTERS)
            await asyncio.sleep(self.scale.pause)
        await self.rows.fetchval(ADD, f"{name} last")
        await self.told(subscribers, f"{name} last")
        waits = sorted(
            at - float(told.token.split()[1])
            for each, n in zip(subscribers, before, strict=True)
            for told, at in zip(each.told[n:-1], each.times[n:], strict=False)
        )
        return waits[len(waits) * 99 // 100]


@pytest.fixture(
    scope="module",
    params=[
        Scale(10, 400, 200, 5_000, 0.0),
        pytest.param(Scale(200, 500, 1_000, 100_000, 0.06), marks=pytest.mark.soak),
    ],
    ids=["short", "long"],
)
async def scene(request: pytest.FixtureRequest, new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Scene]:
    dsn = await new_database("migrated")
    key = await key_for(dsn)
    settings = {"socket_limit": 5_000, "stream_buffer": BUFFER, "stream_patience": 4}
    async with hubs(dsn, 1, **settings) as hub, connected(dsn, 1) as (rows,):
        yield Scene(request.param, hub, key, rows)


@asynccontextmanager
async def slow(scene: Scene) -> AsyncIterator[list[Subscriber]]:
    """Some who read one message per second while the body runs, then all."""
    hasty = asyncio.Event()

    async def pace() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await hasty.wait()

    made = [Subscriber(scene.hub.ports, scene.key, pace, window=4_096) for _ in range(SLOW)]
    async with running(made):
        yield made
        hasty.set()
        await scene.told(made, "with last")


async def test_those_who_are_slow_cost_the_others_nothing_and_lose_nothing(scene: Scene) -> None:
    async with subscribed(scene.scale.fast, scene.hub.ports, scene.key) as fast:
        await scene.trickle("warm", fast)
        alone = await scene.trickle("without", fast)
        before = scene.memory
        async with slow(scene) as late:
            beside = await scene.trickle("with", fast)
            grown = scene.memory - before
            await until(scene.cut, 10)
    print("p99 alone", alone, "beside", beside, "grown", grown, dict(late[0].ends))
    told = fast[0].told[-scene.scale.changes - 1 :]
    assert [(each.told == told, each.jumps) for each in late] == [(True, [])] * SLOW
    assert grown < SLOW * (BUFFER / 2**20 + 2)
    assert beside < alone * 1.2 or scene.scale.pause == 0


async def test_all_who_come_back_at_once_are_let_in(scene: Scene) -> None:
    async def come() -> float:
        began = monotonic()
        await asyncio.gather(*(each.leave() for each in told))
        await asyncio.gather(*(each.again(STORM) for each in told))
        return monotonic() - began

    async with subscribed(scene.scale.storm, scene.hub.ports, scene.key) as told:
        coming, waits = asyncio.create_task(come()), list[float]()
        headers, url = {"authorization": f"Bearer {scene.key}"}, f"http://127.0.0.1:{scene.hub.ports[0]}/graphql"
        async with httpx2.AsyncClient(headers=headers, timeout=30) as client:
            while not coming.done():
                began = monotonic()
                answer = await client.post(url, json={"query": "{ products(first: 1) { nodes { id } } }"})
                waits.append(monotonic() - began)
                assert answer.status_code == 200
        seconds = await coming
        await scene.rows.fetchval(ADD, f"after the storm {began}")
        await scene.told(told, f"after the storm {began}")
    print("storm", seconds, "http", median(waits), max(waits))
    assert seconds < STORM
    assert [(len(each.told), each.jumps) for each in told] == [(1, [])] * scene.scale.storm


async def test_who_was_away_for_long_catches_up_quickly(scene: Scene) -> None:
    async with subscribed(1, scene.hub.ports, scene.key) as (before,):
        name = f"away {time()} "
        await scene.rows.fetchval(ADD, f"{name} first")
        await scene.told([before], f"{name} first")
    for n in range(scene.scale.missed // 5_000):
        await scene.rows.execute(MANY, f"{name}{n} ", 5_000, 100)
    await placed(scene.rows, 60)
    memory, began = scene.memory, monotonic()
    back = Subscriber(scene.hub.ports, scene.key, cursor=before.cursor)
    async with running([back]):
        seconds, grown = monotonic() - began, scene.memory - memory
    print("away", scene.scale.missed / seconds, "per s", grown, "MiB")
    assert (len(back.told), back.jumps) == (scene.scale.missed, [])
    assert seconds < scene.scale.missed / RATE
    assert grown < 20
