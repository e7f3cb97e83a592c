"""Webhooks: deliveries a second of one worker process, from commit to POST, and what a dead endpoint costs the others.

`python -m bench webhooks`. Times go from the writer's clock just before its commit to the receiver's, on one machine."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx2

from bench.children import HOST, environment, free_port, until_ready
from bench.streams import write
from bench.usage import cpu_seconds
from hub.domain.access import api_keys
from hub.viewer import ADMIN, Role

QUERY = """subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change {
    cursor previousCursor operation changedFields node { ... on Customer { id name attributes } }
} } }"""
CREATE = """mutation ($url: String!, $query: String!) {
    webhookCreate(input: {name: "bench", url: $url, query: $query}) { webhook { id } }
}"""
BURST = """
update customers set attributes = jsonb_build_object('t', (extract(epoch from clock_timestamp()) * 1e9)::bigint)
where id = any($1)
"""
CLEAR = "delete from webhooks"
TOPICS = "select id from customers order by id limit $1"
ENDPOINTS = 50


@dataclass(frozen=True)
class Scene:
    """The processes of a run."""

    dsn: str
    port: int
    key: str
    receiver: "subprocess.Popen[str]"
    target: int
    worker: int  # its pid

    async def ask(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of a mutation."""
        async with httpx2.AsyncClient(timeout=20) as client:
            headers, sent = {"authorization": f"Bearer {self.key}"}, {"query": query, "variables": variables}
            answer = (await client.post(f"http://{HOST}:{self.port}/graphql", json=sent, headers=headers)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def hook(self, path: str) -> None:
        """A webhook that is sent to a path."""
        await self.ask(CREATE, {"url": f"http://{HOST}:{self.target}{path}", "query": QUERY})

    def take(self) -> dict[str, Any]:
        """What the receiver got since the last time."""
        assert self.receiver.stdin is not None
        assert self.receiver.stdout is not None
        self.receiver.stdin.write("take\n")
        self.receiver.stdin.flush()
        found: dict[str, Any] = json.loads(self.receiver.stdout.readline())
        return found


@contextmanager
def _ended(process: "subprocess.Popen[Any]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


@contextmanager
def scene(dsn: str, folder: Path, key: str) -> Iterator[Scene]:
    """A hub that answers and sends nothing, one worker that sends, and a receiver."""
    port, log = free_port(), folder / "webhooks.log"
    own = environment(HUB_DATABASE_URL=dsn, HUB_WEBHOOKS="false", HUB_WEBHOOK_ALLOW=HOST, HUB_LOG_REQUESTS="false")
    with log.open("wb") as out:
        hub = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "--port", str(port)], env=own, stdout=out, stderr=out
        )
        worker = subprocess.Popen([sys.executable, "-m", "hub", "worker"], env=own, stdout=out, stderr=out)
    receiver = subprocess.Popen(
        [sys.executable, "-m", "bench.receiver"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with _ended(receiver), _ended(worker), _ended(hub):
        assert receiver.stdout is not None
        target = int(receiver.stdout.readline())
        until_ready(hub, (HOST, port), "/graphql", key, log)
        yield Scene(dsn, port, key, receiver, target, worker.pid)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


async def _topics(dsn: str, number: int) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["id"] for row in await connection.fetch(TOPICS, number)]
    finally:
        await connection.close()


async def _execute(dsn: str, text: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(text, *arguments)
    finally:
        await connection.close()


async def throughput(on: Scene, number: int) -> dict[str, Any]:
    """Deliveries a second, of so many changes of as many customers at once, to one endpoint."""
    await _execute(on.dsn, CLEAR)
    await on.hook("/fast")
    topics = await _topics(on.dsn, number)
    await asyncio.sleep(2)
    on.take()
    cpu, began = cpu_seconds(on.worker), time.monotonic()
    await _execute(on.dsn, BURST, topics)
    count, last = 0, time.monotonic()
    while count < len(topics) and time.monotonic() - last < 15:
        await asyncio.sleep(0.05)
        more = on.take()["count"]
        count, last = count + more, time.monotonic() if more else last
    spent = last - began
    busy = (cpu_seconds(on.worker) - cpu) / spent
    return {
        "deliveries": count,
        "seconds": round(spent, 2),
        "per second": round(count / spent),
        "worker CPU": round(busy, 2),
    }


async def latency(on: Scene, rate: int, seconds: float) -> dict[str, Any]:
    """Milliseconds from commit to POST, at so many changes a second."""
    await _execute(on.dsn, CLEAR)
    await on.hook("/one")
    topics = await _topics(on.dsn, 1_000)
    await write(on.dsn, topics, rate, 2)
    await asyncio.sleep(1)
    on.take()
    written = await write(on.dsn, topics, rate, seconds)
    await asyncio.sleep(2)
    waits = on.take()["waits"].get("/one", [0.0])
    return {"changes": written, "posted": len(waits), **_shown(waits)}


async def neighbours(on: Scene, rate: int, seconds: float, rounds: int) -> dict[str, Any]:
    """The p99 of 49 endpoints, while the fiftieth takes everything and while it never answers, in turn."""
    topics = await _topics(on.dsn, 1_000)
    found: dict[str, list[float]] = {"/well": [], "/dead": []}
    for turn in range(2 * rounds):
        last = "/well" if turn % 2 == 0 else "/dead"
        await _execute(on.dsn, CLEAR)
        for n in range(ENDPOINTS - 1):
            await on.hook(f"/e{n}")
        await on.hook(last)
        await write(on.dsn, topics, rate, 2)
        await asyncio.sleep(1)
        on.take()
        await write(on.dsn, topics, rate, seconds)
        await asyncio.sleep(2)
        waits = on.take()["waits"]
        others = [each for path, some in waits.items() if path.startswith("/e") for each in some]
        found[last].append(percentile(others, 0.99))
    well, dead = median(found["/well"]), median(found["/dead"])
    return {
        "p99 ms, all well": [round(each, 1) for each in found["/well"]],
        "p99 ms, one dead": [round(each, 1) for each in found["/dead"]],
        "medians' difference in %": round(100 * (dead / well - 1), 1),
    }


def _shown(waits: Sequence[float]) -> dict[str, float]:
    return {f"p{round(share * 100)} ms": round(percentile(waits, share), 1) for share in (0.5, 0.95, 0.99)}


async def _key(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await api_keys.create(connection, ADMIN, api_keys.NewKey("bench", Role.ADMIN), at=datetime.now(UTC))
    finally:
        await connection.close()


def run(dsn: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """All three."""
    key = asyncio.run(_key(dsn))
    with scene(dsn, folder, key) as on:
        asyncio.run(throughput(on, 1_000))  # warm up
        fast = [asyncio.run(throughput(on, 20_000)) for _ in range(rounds)]
        quick = [asyncio.run(latency(on, 100, seconds)) for _ in range(rounds)]
        others = asyncio.run(neighbours(on, 5, seconds, rounds))
    asyncio.run(_execute(dsn, CLEAR))  # else the next hub on this database would send to nobody
    return {"throughput": fast, "latency": quick, "neighbours": others}
