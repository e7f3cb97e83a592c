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

from bench.children import HOST, environment, free_port, until_ready
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
class Scene:
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


SCENES = (
    Scene("10,000 subscribers, each told of 1 change in 100", 10_000, 100, False, FLAT, 200),
    Scene("2,000 subscribers with keys of 2,000 customers, nested", 2_000, 2_000, True, NESTED, 200),
)


def resident(pid: int) -> float:
    """MiB of memory of a process."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def _keys(dsn: str, customers: Sequence[UUID] | None) -> list[str]:
    connection = await asyncpg.connect(dsn)
    bound: Sequence[UUID | None] = customers or [None]
    wanted = [api_keys.NewKey(name="bench", role=Role.READER, customer_id=each) for each in bound]
    try:
        return [await api_keys.create(connection, ADMIN, each, at=datetime.now(UTC)) for each in wanted]
    finally:
        await connection.close()


async def _topics(dsn: str, number: int) -> list[UUID]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["id"] for row in await connection.fetch("select id from customers order by id limit $1", number)]
    finally:
        await connection.close()


async def _vacuumed(dsn: str) -> None:
    """What the rounds before have left is cleared away before, and not beside, the next one."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum (analyze) customers, api_keys, change_log, change_order, change_feed")
    finally:
        await connection.close()


async def write(dsn: str, topics: Sequence[UUID], rate: int, seconds: float) -> int:
    """Writes one change at a time, evenly; gives how many."""
    connection = await asyncpg.connect(dsn)
    written, began = 0, time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            await connection.execute(WRITE, time.time_ns(), topics[written % len(topics)])
            written += 1
            ahead = began + written / rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
    finally:
        await connection.close()
    return written


@contextmanager
def serving(dsn: str, folder: Path, key: str) -> Iterator[tuple[int, int]]:
    """A hub of one process: its port and its pid."""
    port, log = free_port(), folder / "streams-hub.log"
    own = environment(HUB_DATABASE_URL=dsn, HUB_SOCKET_LIMIT="20000", HUB_SOCKET_INIT_LIMIT="5000")
    command = [sys.executable, "-m", "hub", "serve", "--port", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, env=own, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            until_ready(process, (HOST, port), "/graphql", key, log)
            yield port, process.pid
        finally:
            process.terminate()


def run(dsn: str, folder: Path, scene: Scene, seconds: float) -> dict[str, Any]:
    """One scene: connect, warm up, measure."""
    topics = asyncio.run(_topics(dsn, scene.topics))
    held = asyncio.run(_keys(dsn, topics if scene.bound else None))
    asyncio.run(_vacuumed(dsn))
    variables = [{}] if scene.bound else [{"id": f"cus_{each.hex}"} for each in topics]
    with serving(dsn, folder, held[0]) as (port, pid):
        told = {"port": port, "number": scene.subscribers, "query": scene.query, "keys": held, "variables": variables}
        command = [sys.executable, "-m", "bench.subscribers"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            try:
                client.stdin.write(json.dumps(told) + "\n")
                client.stdin.flush()
                connected = json.loads(client.stdout.readline())
                asyncio.run(write(dsn, topics, scene.rate, 3))
                time.sleep(1)
                _take(client)
                before, cpu = resident(pid), cpu_seconds(pid)
                written = asyncio.run(write(dsn, topics, scene.rate, seconds))
                time.sleep(1)
                taken = _take(client)
                return {
                    "scene": scene.name,
                    "connected in s": round(connected["connected"], 1),
                    "changes": written,
                    "expected": written * scene.subscribers // scene.topics,
                    **taken,
                    "hub CPU s per s": round((cpu_seconds(pid) - cpu) / (seconds + 1), 2),
                    "MiB before and after": (round(before), round(resident(pid))),
                }
            finally:
                client.kill()


def rounds(dsn: str, folder: Path, number: int, seconds: float) -> Iterator[dict[str, Any]]:
    """What every scene came to in every round, in turns; then each scene's 99th percentiles, and their median."""
    found: dict[str, list[float]] = {scene.name: [] for scene in SCENES}
    for _ in range(number):
        for scene in SCENES:
            taken = run(dsn, folder, scene, seconds)
            found[scene.name].append(taken["at"].get("990", inf))
            yield taken
    for name, at in found.items():
        yield {"scene": name, "p99 of each round": [round(each, 1) for each in at], "median": round(median(at), 1)}


def _take(client: "subprocess.Popen[str]") -> dict[str, Any]:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("take\n")
    client.stdin.flush()
    found: dict[str, Any] = json.loads(client.stdout.readline())
    return found
