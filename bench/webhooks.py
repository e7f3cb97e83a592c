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

from bench.children import HOST, environment, free_port, wait_until_ready
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
CUSTOMER_IDS = "select id from customers order by id limit $1"
ENDPOINT_COUNT = 50


@dataclass(frozen=True)
class WebhookProcesses:
    """The processes of a run."""

    dsn: str
    port: int
    key: str
    receiver: "subprocess.Popen[str]"
    receiver_port: int
    worker_pid: int  # its pid

    async def execute(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of a mutation."""
        async with httpx2.AsyncClient(timeout=20) as client:
            headers, body = {"authorization": f"Bearer {self.key}"}, {"query": query, "variables": variables}
            response = (await client.post(f"http://{HOST}:{self.port}/graphql", json=body, headers=headers)).json()
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def create_webhook(self, path: str) -> None:
        """A webhook that is sent to a path."""
        await self.execute(CREATE, {"url": f"http://{HOST}:{self.receiver_port}{path}", "query": QUERY})

    def read_report(self) -> dict[str, Any]:
        """What the receiver got since the last time."""
        assert self.receiver.stdin is not None
        assert self.receiver.stdout is not None
        self.receiver.stdin.write("take\n")
        self.receiver.stdin.flush()
        report: dict[str, Any] = json.loads(self.receiver.stdout.readline())
        return report


@contextmanager
def _terminated_after(process: "subprocess.Popen[Any]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


@contextmanager
def webhook_processes(dsn: str, folder: Path, key: str) -> Iterator[WebhookProcesses]:
    """A hub that answers and sends nothing, one worker that sends, and a receiver."""
    port, log = free_port(), folder / "webhooks.log"
    env = environment(HUB_DATABASE_URL=dsn, HUB_WEBHOOKS="false", HUB_WEBHOOK_ALLOW=HOST, HUB_LOG_REQUESTS="false")
    with log.open("wb") as output:
        hub = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "--port", str(port)], env=env, stdout=output, stderr=output
        )
        worker = subprocess.Popen([sys.executable, "-m", "hub", "worker"], env=env, stdout=output, stderr=output)
    receiver = subprocess.Popen(
        [sys.executable, "-m", "bench.receiver"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with _terminated_after(receiver), _terminated_after(worker), _terminated_after(hub):
        assert receiver.stdout is not None
        receiver_port = int(receiver.stdout.readline())
        wait_until_ready(hub, (HOST, port), "/graphql", key, log)
        yield WebhookProcesses(dsn, port, key, receiver, receiver_port, worker.pid)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


async def _topics(dsn: str, number: int) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["id"] for row in await connection.fetch(CUSTOMER_IDS, number)]
    finally:
        await connection.close()


async def _execute(dsn: str, text: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(text, *arguments)
    finally:
        await connection.close()


async def throughput(processes: WebhookProcesses, number: int) -> dict[str, Any]:
    """Deliveries a second, of so many changes of as many customers at once, to one endpoint."""
    await _execute(processes.dsn, CLEAR)
    await processes.create_webhook("/fast")
    topics = await _topics(processes.dsn, number)
    await asyncio.sleep(2)
    processes.read_report()
    cpu, started_at = cpu_seconds(processes.worker_pid), time.monotonic()
    await _execute(processes.dsn, BURST, topics)
    count, last_arrival = 0, time.monotonic()
    while count < len(topics) and time.monotonic() - last_arrival < 15:
        await asyncio.sleep(0.05)
        new_count = processes.read_report()["count"]
        count, last_arrival = count + new_count, time.monotonic() if new_count else last_arrival
    elapsed = last_arrival - started_at
    worker_cpu = (cpu_seconds(processes.worker_pid) - cpu) / elapsed
    return {
        "deliveries": count,
        "seconds": round(elapsed, 2),
        "per second": round(count / elapsed),
        "worker CPU": round(worker_cpu, 2),
    }


async def latency(processes: WebhookProcesses, rate: int, seconds: float) -> dict[str, Any]:
    """Milliseconds from commit to POST, at so many changes a second."""
    await _execute(processes.dsn, CLEAR)
    await processes.create_webhook("/one")
    topics = await _topics(processes.dsn, 1_000)
    await write(processes.dsn, topics, rate, 2)
    await asyncio.sleep(1)
    processes.read_report()
    written = await write(processes.dsn, topics, rate, seconds)
    await asyncio.sleep(2)
    latencies = processes.read_report()["latencies"].get("/one", [0.0])
    return {"changes": written, "posted": len(latencies), **_percentiles(latencies)}


async def neighbour_latency(processes: WebhookProcesses, rate: int, seconds: float, rounds: int) -> dict[str, Any]:
    """The p99 of 49 endpoints, while the fiftieth takes everything and while it never answers, in turn."""
    topics = await _topics(processes.dsn, 1_000)
    p99s: dict[str, list[float]] = {"/well": [], "/dead": []}
    for turn in range(2 * rounds):
        last_path = "/well" if turn % 2 == 0 else "/dead"
        await _execute(processes.dsn, CLEAR)
        for n in range(ENDPOINT_COUNT - 1):
            await processes.create_webhook(f"/e{n}")
        await processes.create_webhook(last_path)
        await write(processes.dsn, topics, rate, 2)
        await asyncio.sleep(1)
        processes.read_report()
        await write(processes.dsn, topics, rate, seconds)
        await asyncio.sleep(2)
        latencies = processes.read_report()["latencies"]
        other_latencies = [
            milliseconds
            for path, endpoint_latencies in latencies.items()
            if path.startswith("/e")
            for milliseconds in endpoint_latencies
        ]
        p99s[last_path].append(percentile(other_latencies, 0.99))
    well, dead = median(p99s["/well"]), median(p99s["/dead"])
    return {
        "p99 ms, all well": [round(milliseconds, 1) for milliseconds in p99s["/well"]],
        "p99 ms, one dead": [round(milliseconds, 1) for milliseconds in p99s["/dead"]],
        "medians' difference in %": round(100 * (dead / well - 1), 1),
    }


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {f"p{round(share * 100)} ms": round(percentile(latencies, share), 1) for share in (0.5, 0.95, 0.99)}


async def _key(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await api_keys.create(connection, ADMIN, api_keys.NewKey("bench", Role.ADMIN), now=datetime.now(UTC))
    finally:
        await connection.close()


def run(dsn: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """All three."""
    key = asyncio.run(_key(dsn))
    with webhook_processes(dsn, folder, key) as processes:
        asyncio.run(throughput(processes, 1_000))  # warm up
        fast = [asyncio.run(throughput(processes, 20_000)) for _ in range(rounds)]
        quick = [asyncio.run(latency(processes, 100, seconds)) for _ in range(rounds)]
        others = asyncio.run(neighbour_latency(processes, 5, seconds, rounds))
    asyncio.run(_execute(dsn, CLEAR))  # else the next hub on this database would send to nobody
    return {"throughput": fast, "latency": quick, "neighbours": others}
