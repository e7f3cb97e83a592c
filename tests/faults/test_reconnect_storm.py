"""Slow subscribers, reconnect storms and long absences: all get every change, no one delays others, memory stays flat."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median
from time import monotonic, time

import httpx2
import pytest
import random_runs
from change_workload import INSERT_PRODUCT, open_connections, wait_until, wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from hub_process import HubProcesses, resident_mib, run_hubs
from reconnecting_subscriber import ReconnectingSubscriber, open_subscribers, run_subscribers

from hub.db.pool import Connection

MESSAGE_CHARACTERS = 20_000  # bytes per message, so that a slow client's buffers are soon full
BUFFER, SLOW_CLIENTS = 65_536, 10
INSERT_MANY = """
insert into products (sku, name, category, unit_price, currency)
select $1 || n, $1 || n || repeat(' ', $3), 'c', 1, 'EUR' from generate_series(1, $2) as n
"""
INSERT_ONE = """
insert into products (sku, name, category, unit_price, currency) values ($1, $1 || ' ' || $2 || repeat('x', $3), 'c', 1, 'EUR')
"""
STORM_TIMEOUT, MIN_CATCH_UP_RATE = 15.0, 2_000  # seconds, and changes per second


@dataclass(frozen=True)
class StormScale:
    """The size of the load."""

    fast: int
    changes: int
    storm: int
    missed: int
    pause: float  # seconds between two changes


@dataclass(frozen=True)
class StormHub:
    """A hub in its own process, and a database connection that bypasses it."""

    scale: StormScale
    processes: HubProcesses
    key: str
    connection: Connection

    @property
    def memory_mib(self) -> float:
        """Returns the memory of the hub's process in MiB."""
        return resident_mib(self.processes.processes[self.processes.ports[0]].pid)

    async def wait_received(
        self, subscribers: list[ReconnectingSubscriber], marker: str, seconds: float = 60.0
    ) -> None:
        """Waits until every subscriber has got the change of a last row."""

        async def all_received() -> bool:
            return all(marker in (change.token for change in subscriber.changes[-50:]) for subscriber in subscribers)

        await wait_until(all_received, seconds)

    async def slow_clients_closed(self) -> bool:
        """Whether the streams of all slow clients were ended."""
        async with httpx2.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{self.processes.ports[0]}/metrics")).text
        return 'hub_streams_closed_total{reason="SLOW_CONSUMER"} 10.0' in text

    async def measure_latency(self, name: str, subscribers: list[ReconnectingSubscriber]) -> float:
        """Writes changes one by one; returns the 99th percentile of the delivery time in seconds."""
        before = [len(subscriber.changes) for subscriber in subscribers]
        for n in range(self.scale.changes):
            await self.connection.execute(INSERT_ONE, f"{name}-{n}", f"{time()} ", MESSAGE_CHARACTERS)
            await asyncio.sleep(self.scale.pause)
        await self.connection.fetchval(INSERT_PRODUCT, f"{name} last")
        await self.wait_received(subscribers, f"{name} last")
        latencies = sorted(
            received_at - float(change.token.split()[1])
            for subscriber, n in zip(subscribers, before, strict=True)
            for change, received_at in zip(subscriber.changes[n:-1], subscriber.received_at[n:], strict=False)
        )
        return latencies[len(latencies) * 99 // 100]


@pytest.fixture(
    scope="module",
    params=[
        StormScale(10, 400, 200, 5_000, 0.0),
        pytest.param(StormScale(200, 500, 1_000, 100_000, 0.06), marks=pytest.mark.soak),
    ],
    ids=["short", "long"],
)
async def storm_hub(
    request: pytest.FixtureRequest, create_database: CreateDatabase, empty_dsn: str
) -> AsyncIterator[StormHub]:
    dsn = await create_database("migrated")
    key = await create_api_key(dsn)
    settings = {"socket_limit": 5_000, "stream_buffer": BUFFER, "stream_backpressure_timeout": 4}
    async with run_hubs(dsn, 1, **settings) as hub, open_connections(dsn, 1) as (connection,):
        yield StormHub(request.param, hub, key, connection)


@asynccontextmanager
async def slow_subscribers(storm_hub: StormHub) -> AsyncIterator[list[ReconnectingSubscriber]]:
    """Runs clients that read one message per second in the block, and the rest afterwards."""
    unthrottled = asyncio.Event()

    async def pace() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await unthrottled.wait()

    subscribers = [
        ReconnectingSubscriber(storm_hub.processes.ports, storm_hub.key, pace, receive_buffer=4_096)
        for _ in range(SLOW_CLIENTS)
    ]
    async with run_subscribers(subscribers):
        yield subscribers
        unthrottled.set()
        await storm_hub.wait_received(subscribers, "with last")


async def test_slow_subscribers_lose_nothing_and_do_not_delay_others(storm_hub: StormHub) -> None:
    async with open_subscribers(storm_hub.scale.fast, storm_hub.processes.ports, storm_hub.key) as fast:
        await storm_hub.measure_latency("warm", fast)
        alone = await storm_hub.measure_latency("without", fast)
        before = storm_hub.memory_mib
        async with slow_subscribers(storm_hub) as late:
            beside = await storm_hub.measure_latency("with", fast)
            grown = storm_hub.memory_mib - before
            await wait_until(storm_hub.slow_clients_closed, 10)
    print("p99 alone", alone, "beside", beside, "grown", grown, dict(late[0].end_reasons))
    expected = fast[0].changes[-storm_hub.scale.changes - 1 :]
    assert [(subscriber.changes == expected, subscriber.cursor_breaks) for subscriber in late] == [
        (True, [])
    ] * SLOW_CLIENTS
    assert grown < SLOW_CLIENTS * (BUFFER / 2**20 + 2)
    assert beside < alone * 1.2 or storm_hub.scale.pause == 0


async def test_subscribers_that_reconnect_at_once_are_all_admitted(
    storm_hub: StormHub, pytestconfig: pytest.Config
) -> None:
    async def reconnect() -> float:
        began = monotonic()
        await asyncio.gather(*(subscriber.disconnect() for subscriber in subscribers))
        await asyncio.gather(*(subscriber.wait_resumed(STORM_TIMEOUT) for subscriber in subscribers))
        return monotonic() - began

    async with open_subscribers(storm_hub.scale.storm, storm_hub.processes.ports, storm_hub.key) as subscribers:
        reconnecting, waits = asyncio.create_task(reconnect()), list[float]()
        headers, url = (
            {"authorization": f"Bearer {storm_hub.key}"},
            f"http://127.0.0.1:{storm_hub.processes.ports[0]}/graphql",
        )
        async with httpx2.AsyncClient(headers=headers, timeout=30) as client:
            while not reconnecting.done():
                began = monotonic()
                answer = await client.post(url, json={"query": "{ products(first: 1) { nodes { id } } }"})
                waits.append(monotonic() - began)
                assert answer.status_code == 200
        seconds = await reconnecting
        await storm_hub.connection.fetchval(INSERT_PRODUCT, f"after the storm {began}")
        await storm_hub.wait_received(subscribers, f"after the storm {began}")
    print("storm", seconds, "http", median(waits), max(waits))
    assert seconds < random_runs.time_limit(STORM_TIMEOUT, pytestconfig)
    assert [(len(subscriber.changes), subscriber.cursor_breaks) for subscriber in subscribers] == [
        (1, [])
    ] * storm_hub.scale.storm


async def test_a_subscriber_far_behind_catches_up_quickly(storm_hub: StormHub, pytestconfig: pytest.Config) -> None:
    async with open_subscribers(1, storm_hub.processes.ports, storm_hub.key) as (before,):
        name = f"away {time()} "
        await storm_hub.connection.fetchval(INSERT_PRODUCT, f"{name} first")
        await storm_hub.wait_received([before], f"{name} first")
    for n in range(storm_hub.scale.missed // 5_000):
        await storm_hub.connection.execute(INSERT_MANY, f"{name}{n} ", 5_000, 100)
    await wait_until_sequenced(storm_hub.connection, 60)
    memory, began = storm_hub.memory_mib, monotonic()
    returning = ReconnectingSubscriber(storm_hub.processes.ports, storm_hub.key, cursor=before.cursor)
    async with run_subscribers([returning]):
        seconds, grown = monotonic() - began, storm_hub.memory_mib - memory
    print("away", storm_hub.scale.missed / seconds, "per s", grown, "MiB")
    assert (len(returning.changes), returning.cursor_breaks) == (storm_hub.scale.missed, [])
    assert seconds < random_runs.time_limit(storm_hub.scale.missed / MIN_CATCH_UP_RATE, pytestconfig)
    assert grown < 20
