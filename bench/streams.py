"""The latency of streams with thousands of subscribers on one hub process: `python -m bench streams`.

Latency goes from the writer's clock just before its statement to the subscriber's clock, on one machine.
"""

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

from bench.children import GRAPHQL_PATH, HOST, child_process, free_port, wait_until_ready
from bench.database import execute
from bench.hub_source import WORKING_TREE
from bench.latency import ATTRIBUTE
from bench.usage import PROC, cpu_seconds
from bench.workloads import hub_customer_id
from hub.domain.access import api_keys
from hub.viewer import ADMIN, Role

FLAT = "... on Change { cursor node { ... on Customer { attributes } } } ... on StreamReady { __typename }"
NESTED = """... on Change { cursor previousCursor operation changedFields node { ... on Customer {
    attributes name unit { name } orders(first: 3) { nodes { number total items(first: 3) { nodes { net } } } }
    interactions(first: 3) { nodes { subject } } scores(first: 1) { nodes { value } }
} } } ... on StreamReady { __typename }"""
CUSTOMERS_SQL = "select id from customers order by id limit $1"
WRITE_SQL = f"update customers set attributes = jsonb_build_object('{ATTRIBUTE}', $1::bigint) where id = $2"
# Otherwise the rows of earlier rounds would be vacuumed during a round.
VACUUM_WRITTEN_SQL = "vacuum (analyze) customers, api_keys, change_log, change_order, change_feed"
WARM_UP, SILENCE = 3.0, 1.0  # seconds of changes that do not count; seconds without changes after them
SOCKET_SETTINGS = {"HUB_SOCKET_LIMIT": "20000", "HUB_SOCKET_INIT_TOTAL": "5000"}


@dataclass(frozen=True)
class StreamScenario:
    """Subscribers of a selection, the topics (customers) that they are spread over, and the changes per second."""

    name: str
    subscribers: int
    topics: int
    bound: bool  # every topic has a key of its own, bound to the customer
    selection: str
    rate: int

    @property
    def query(self) -> str:
        """The document: one customer's changes, selected by its id or by the key's binding."""
        if self.bound:
            return f"subscription {{ changes(filter: {{types: [CUSTOMER]}}) {{ {self.selection} }} }}"
        return f"subscription ($id: ID!) {{ changes(filter: {{customerId: $id}}) {{ {self.selection} }} }}"


SCENARIOS = (
    StreamScenario("10,000 subscribers, each receives 1 change in 100", 10_000, 100, False, FLAT, 200),
    StreamScenario("2,000 subscribers with keys of 2,000 customers, nested", 2_000, 2_000, True, NESTED, 200),
)


def resident_memory(pid: int) -> float:
    """MiB of memory of a process."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def create_keys(dsn: str, new_keys: Sequence[api_keys.NewKey]) -> list[str]:
    """The texts of new API keys."""
    connection = await asyncpg.connect(dsn)
    try:
        return [await api_keys.create(connection, ADMIN, new_key, now=datetime.now(UTC)) for new_key in new_keys]
    finally:
        await connection.close()


async def customer_ids(dsn: str, number: int) -> list[UUID]:
    """The ids of the first customers."""
    connection = await asyncpg.connect(dsn)
    try:
        return [row["id"] for row in await connection.fetch(CUSTOMERS_SQL, number)]
    finally:
        await connection.close()


async def write(dsn: str, topics: Sequence[UUID], rate: int, seconds: float) -> int:
    """Write one change at a time at an even rate; return the number of changes."""
    connection = await asyncpg.connect(dsn)
    written, started_at = 0, time.monotonic()
    try:
        while time.monotonic() - started_at < seconds:
            await connection.execute(WRITE_SQL, time.time_ns(), topics[written % len(topics)])
            written += 1
            ahead = started_at + written / rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
    finally:
        await connection.close()
    return written


@contextmanager
def serving_hub(dsn: str, folder: Path, key: str) -> Iterator[tuple[int, int]]:
    """The port and the process id of a hub of one process."""
    port, log = free_port(), folder / "streams-hub.log"
    command, env = WORKING_TREE.command("serve", "--port", str(port)), WORKING_TREE.environment(dsn, **SOCKET_SETTINGS)
    with child_process(command, env, log, WORKING_TREE.root) as process:
        wait_until_ready(process, (HOST, port), GRAPHQL_PATH, key, log)
        yield port, process.pid


class SubscriberProcess:
    """A child process of `bench.subscribers`, and its protocol: one line of JSON for every line of input."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def request(self, line: str = "report") -> dict[str, Any]:
        """The answer to a line of input; after the first line, the latencies since the previous line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def subscriber_process() -> Iterator[SubscriberProcess]:
    """Subscribers for the duration of the block; the first line of input has their instructions."""
    command = [sys.executable, "-m", "bench.subscribers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield SubscriberProcess(process)
        finally:
            process.kill()


def run(dsn: str, folder: Path, scenario: StreamScenario, seconds: float) -> dict[str, Any]:
    """Connect, warm up and measure one scenario."""
    topics = asyncio.run(customer_ids(dsn, scenario.topics))
    bindings: Sequence[UUID | None] = topics if scenario.bound else [None]
    new_keys = [api_keys.NewKey("bench", Role.READER, customer_id=customer_id) for customer_id in bindings]
    keys = asyncio.run(create_keys(dsn, new_keys))
    execute(dsn, VACUUM_WRITTEN_SQL)
    with serving_hub(dsn, folder, keys[0]) as (port, pid), subscriber_process() as subscribers:
        instructions = {
            "port": port,
            "number": scenario.subscribers,
            "query": scenario.query,
            "keys": keys,
            "variables": [{}] if scenario.bound else [{"id": hub_customer_id(topic)} for topic in topics],
        }
        connected = subscribers.request(json.dumps(instructions))
        asyncio.run(write(dsn, topics, scenario.rate, WARM_UP))
        time.sleep(SILENCE)
        subscribers.request()
        memory, cpu = resident_memory(pid), cpu_seconds(pid)
        written = asyncio.run(write(dsn, topics, scenario.rate, seconds))
        time.sleep(SILENCE)
        return {
            "scenario": scenario.name,
            "connected in s": round(connected["connected"], 1),
            "changes": written,
            "expected": written * scenario.subscribers // scenario.topics,
            **subscribers.request(),
            "hub CPU s per s": round((cpu_seconds(pid) - cpu) / (seconds + SILENCE), 2),
            "MiB before and after": (round(memory), round(resident_memory(pid))),
        }


def rounds(dsn: str, folder: Path, number: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The results of all scenarios in turns, round by round; then the p99 of every scenario's rounds and their median."""
    p99s: dict[str, list[float]] = {scenario.name: [] for scenario in SCENARIOS}
    for _ in range(number):
        for scenario in SCENARIOS:
            result = run(dsn, folder, scenario, seconds)
            p99s[scenario.name].append(result["percentiles"].get("990", inf))
            yield result
    for name, values in p99s.items():
        yield {
            "scenario": name,
            "p99 of the rounds": [round(value, 1) for value in values],
            "median": round(median(values), 1),
        }
