"""Subscribers by the thousand on one serving process, and what they wait: `python -m bench streams`.

Latency goes from the writer's clock just before its commit to the subscriber's clock, on one machine."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from bench.children import HOST, environment, free_port, wait_until_ready
from bench.usage import PROC, cpu_seconds
from hub.domain.access import api_keys
from hub.viewer import ADMIN, Role

FLAT = "... on Change { cursor node { ... on Customer { attributes } } } ... on StreamReady { __typename }"
NESTED = """... on Change { cursor previousCursor operation changedFields node { ... on Customer {
    attributes name unit { name } orders(first: 3) { nodes { number total items(first: 3) { nodes { net } } } }
    interactions(first: 3) { nodes { subject } } scores(first: 1) { nodes { value } }
} } } ... on StreamReady { __typename }"""
WRITE = "update customers set attributes = jsonb_build_object('t', $1::bigint) where id = $2"


@dataclass(frozen=True)
class StreamScenario:
    """So many subscribers, with so many keys and topics, of a document; so many changes each second."""

    name: str
    subscribers: int
    topics: int
    bound: bool
    selection: str
    rate: int

    @property
    def query(self) -> str:
        """The document: of one customer's changes, by its id or by the key's own right."""
        if self.bound:
            return f"subscription {{ changes(filter: {{types: [CUSTOMER]}}) {{ {self.selection} }} }}"
        return f"subscription ($id: ID!) {{ changes(filter: {{customerId: $id}}) {{ {self.selection} }} }}"


SCENARIOS = (
    StreamScenario("10,000 subscribers, each told of 1 change in 100", 10_000, 100, False, FLAT, 200),
    StreamScenario("2,000 subscribers with keys of 2,000 customers, nested", 2_000, 2_000, True, NESTED, 200),
)


def resident(pid: int) -> float:
    """MiB of memory of a process."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def _keys(dsn: str, customers: Sequence[UUID] | None) -> list[str]:
    connection = await asyncpg.connect(dsn)
    customer_ids: Sequence[UUID | None] = customers or [None]
    new_keys = [
        api_keys.NewKey(name="bench", role=Role.READER, customer_id=customer_id) for customer_id in customer_ids
    ]
    try:
        return [await api_keys.create(connection, ADMIN, new_key, now=datetime.now(UTC)) for new_key in new_keys]
    finally:
        await connection.close()


async def _topics(dsn: str, number: int) -> list[UUID]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["id"] for row in await connection.fetch("select id from customers order by id limit $1", number)]
    finally:
        await connection.close()


async def _vacuum(dsn: str) -> None:
    """What the rounds before have left is cleared away before, and not beside, the next one."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum (analyze) customers, api_keys, change_log, change_order, change_feed")
    finally:
        await connection.close()


async def write(dsn: str, topics: Sequence[UUID], rate: int, seconds: float) -> int:
    """Writes one change at a time, evenly; gives how many."""
    connection = await asyncpg.connect(dsn)
    written, started_at = 0, time.monotonic()
    try:
        while time.monotonic() - started_at < seconds:
            await connection.execute(WRITE, time.time_ns(), topics[written % len(topics)])
            written += 1
            ahead = started_at + written / rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
    finally:
        await connection.close()
    return written


@contextmanager
def serving_hub(dsn: str, folder: Path, key: str) -> Iterator[tuple[int, int]]:
    """A hub of one process: its port and its pid."""
    port, log = free_port(), folder / "streams-hub.log"
    env = environment(HUB_DATABASE_URL=dsn, HUB_SOCKET_LIMIT="20000", HUB_SOCKET_INIT_TOTAL="5000")
    command = [sys.executable, "-m", "hub", "serve", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_until_ready(process, (HOST, port), "/graphql", key, log)
            yield port, process.pid
        finally:
            process.terminate()


def run(dsn: str, folder: Path, scenario: StreamScenario, seconds: float) -> dict[str, Any]:
    """One scene: connect, warm up, measure."""
    topics = asyncio.run(_topics(dsn, scenario.topics))
    api_keys = asyncio.run(_keys(dsn, topics if scenario.bound else None))
    asyncio.run(_vacuum(dsn))
    variables = [{}] if scenario.bound else [{"id": f"cus_{topic.hex}"} for topic in topics]
    with serving_hub(dsn, folder, api_keys[0]) as (port, pid):
        instructions = {
            "port": port,
            "number": scenario.subscribers,
            "query": scenario.query,
            "keys": api_keys,
            "variables": variables,
        }
        command = [sys.executable, "-m", "bench.subscribers"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            try:
                client.stdin.write(json.dumps(instructions) + "\n")
                client.stdin.flush()
                connected = json.loads(client.stdout.readline())
                asyncio.run(write(dsn, topics, scenario.rate, 3))
                time.sleep(1)
                _read_latencies(client)
                before, cpu = resident(pid), cpu_seconds(pid)
                written = asyncio.run(write(dsn, topics, scenario.rate, seconds))
                time.sleep(1)
                latencies = _read_latencies(client)
                return {
                    "scene": scenario.name,
                    "connected in s": round(connected["connected"], 1),
                    "changes": written,
                    "expected": written * scenario.subscribers // scenario.topics,
                    **latencies,
                    "hub CPU s per s": round((cpu_seconds(pid) - cpu) / (seconds + 1), 2),
                    "MiB before and after": (round(before), round(resident(pid))),
                }
            finally:
                client.kill()


def rounds(dsn: str, folder: Path, number: int, seconds: float) -> Iterator[dict[str, Any]]:
    """What every scene came to in every round, in turns; then each scene's 99th percentiles, and their median."""
    p99s: dict[str, list[float]] = {scenario.name: [] for scenario in SCENARIOS}
    for _ in range(number):
        for scenario in SCENARIOS:
            result = run(dsn, folder, scenario, seconds)
            p99s[scenario.name].append(result["percentiles"].get("990", inf))
            yield result
    for name, values in p99s.items():
        yield {
            "scene": name,
            "p99 of each round": [round(value, 1) for value in values],
            "median": round(median(values), 1),
        }


def _read_latencies(client: "subprocess.Popen[str]") -> dict[str, Any]:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("take\n")
    client.stdin.flush()
    latencies: dict[str, Any] = json.loads(client.stdout.readline())
    return latencies
