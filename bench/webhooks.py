"""Throughput and latency of webhooks, and the effect of a dead endpoint on others: `python -m bench webhooks`.

Times go from the writer's clock just before its commit to the receiver's clock, on one machine.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx2

from bench.children import GRAPHQL_PATH, HOST, child_process, free_port, wait_until_ready
from bench.hub_source import WORKING_TREE
from bench.latency import ATTRIBUTE, percentile
from bench.receiver import DEAD_PATH
from bench.streams import create_keys, customer_ids, write
from bench.usage import cpu_seconds
from hub.domain.access import api_keys
from hub.viewer import Role

QUERY = """subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change {
    cursor previousCursor operation changedFields node { ... on Customer { id name attributes } }
} } }"""
CREATE = """mutation ($url: String!, $query: String!) {
    webhookCreate(input: {name: "bench", url: $url, query: $query}) { webhook { id } }
}"""
BURST = f"""
update customers set attributes = jsonb_build_object('{ATTRIBUTE}', (extract(epoch from clock_timestamp()) * 1e9)::bigint)
where id = any($1)
"""
CLEAR = "delete from webhooks"
THROUGHPUT_PATH, LATENCY_PATH, NEIGHBOUR_PREFIX, WELL_PATH = "/fast", "/one", "/e", "/well"
ENDPOINT_COUNT = 50
BURST_CHANGES, WARM_UP_CHANGES = 20_000, 1_000
TOPIC_COUNT = 1_000  # customers that the writer changes in turn
LATENCY_RATE, NEIGHBOUR_RATE = 100, 5  # changes per second
WARM_UP, SETTLE, DRAIN = 2.0, 1.0, 2.0  # seconds of writes that do not count, of silence after them, for the last POSTs
STALL_TIMEOUT = 15.0  # seconds without a delivery that end the measurement of throughput


@dataclass(frozen=True)
class WebhookProcesses:
    """The processes of a run, and the database and the key of its hub."""

    dsn: str
    port: int
    key: str
    receiver: "subprocess.Popen[str]"
    receiver_port: int
    worker_pid: int

    async def execute(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of an operation."""
        async with httpx2.AsyncClient(timeout=20) as client:
            headers, body = {"authorization": f"Bearer {self.key}"}, {"query": query, "variables": variables}
            response = (
                await client.post(f"http://{HOST}:{self.port}{GRAPHQL_PATH}", json=body, headers=headers)
            ).json()
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def create_webhook(self, path: str) -> None:
        """Create a webhook with a path of the receiver as its URL."""
        await self.execute(CREATE, {"url": f"http://{HOST}:{self.receiver_port}{path}", "query": QUERY})

    def read_report(self) -> dict[str, Any]:
        """The receiver's report on the deliveries since the last report."""
        assert self.receiver.stdin is not None
        assert self.receiver.stdout is not None
        self.receiver.stdin.write("report\n")
        self.receiver.stdin.flush()
        report: dict[str, Any] = json.loads(self.receiver.stdout.readline())
        return report


@contextmanager
def _receiver_process() -> Iterator["subprocess.Popen[str]"]:
    """A receiver for the duration of the block."""
    command = [sys.executable, "-m", "bench.receiver"]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def webhook_processes(dsn: str, folder: Path, key: str) -> Iterator[WebhookProcesses]:
    """A hub that serves without sending webhooks, one worker that sends them, and a receiver."""
    port, log, root = free_port(), folder / "webhooks.log", WORKING_TREE.root
    env = WORKING_TREE.environment(dsn, HUB_WEBHOOKS="false", HUB_WEBHOOK_ALLOW=HOST, HUB_LOG_REQUESTS="false")
    with (
        child_process(WORKING_TREE.command("serve", "--port", str(port)), env, log, root) as hub,
        child_process(WORKING_TREE.command("worker"), env, folder / "webhook-worker.log", root) as worker,
        _receiver_process() as receiver,
    ):
        assert receiver.stdout is not None
        receiver_port = int(receiver.stdout.readline())
        wait_until_ready(hub, (HOST, port), GRAPHQL_PATH, key, log)
        yield WebhookProcesses(dsn, port, key, receiver, receiver_port, worker.pid)


async def _execute(dsn: str, text: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(text, *arguments)
    finally:
        await connection.close()


async def throughput(processes: WebhookProcesses, number: int) -> dict[str, Any]:
    """Deliveries per second to one endpoint, of changes of `number` customers in one transaction."""
    await _execute(processes.dsn, CLEAR)
    await processes.create_webhook(THROUGHPUT_PATH)
    topics = await customer_ids(processes.dsn, number)
    await asyncio.sleep(DRAIN)
    processes.read_report()
    cpu, started_at = cpu_seconds(processes.worker_pid), time.monotonic()
    await _execute(processes.dsn, BURST, topics)
    count, last_arrival = 0, time.monotonic()
    while count < len(topics) and time.monotonic() - last_arrival < STALL_TIMEOUT:
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


async def commit_to_post(processes: WebhookProcesses, rate: int, seconds: float) -> dict[str, Any]:
    """Milliseconds from commit to POST, at `rate` changes per second."""
    await _execute(processes.dsn, CLEAR)
    await processes.create_webhook(LATENCY_PATH)
    topics = await customer_ids(processes.dsn, TOPIC_COUNT)
    await write(processes.dsn, topics, rate, WARM_UP)
    await asyncio.sleep(SETTLE)
    processes.read_report()
    written = await write(processes.dsn, topics, rate, seconds)
    await asyncio.sleep(DRAIN)
    latencies = processes.read_report()["latencies"].get(LATENCY_PATH, [0.0])
    return {"changes": written, "posted": len(latencies), **_percentiles(latencies)}


async def neighbour_latency(processes: WebhookProcesses, rate: int, seconds: float, rounds: int) -> dict[str, Any]:
    """The p99 of all endpoints but one, while that one accepts everything and while it never answers, in turn."""
    topics = await customer_ids(processes.dsn, TOPIC_COUNT)
    p99s: dict[str, list[float]] = {WELL_PATH: [], DEAD_PATH: []}
    for turn in range(2 * rounds):
        last_path = WELL_PATH if turn % 2 == 0 else DEAD_PATH
        await _execute(processes.dsn, CLEAR)
        for n in range(ENDPOINT_COUNT - 1):
            await processes.create_webhook(f"{NEIGHBOUR_PREFIX}{n}")
        await processes.create_webhook(last_path)
        await write(processes.dsn, topics, rate, WARM_UP)
        await asyncio.sleep(SETTLE)
        processes.read_report()
        await write(processes.dsn, topics, rate, seconds)
        await asyncio.sleep(DRAIN)
        latencies = processes.read_report()["latencies"]
        other_latencies = [
            milliseconds
            for path, endpoint_latencies in latencies.items()
            if path.startswith(NEIGHBOUR_PREFIX)
            for milliseconds in endpoint_latencies
        ]
        p99s[last_path].append(percentile(other_latencies, 0.99))
    well, dead = median(p99s[WELL_PATH]), median(p99s[DEAD_PATH])
    return {
        "p99 ms, all well": [round(milliseconds, 1) for milliseconds in p99s[WELL_PATH]],
        "p99 ms, one dead": [round(milliseconds, 1) for milliseconds in p99s[DEAD_PATH]],
        "difference of the medians in %": round(100 * (dead / well - 1), 1),
    }


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {f"p{round(share * 100)} ms": round(percentile(latencies, share), 1) for share in (0.5, 0.95, 0.99)}


def run(dsn: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure throughput, latency and neighbours."""
    key = asyncio.run(create_keys(dsn, [api_keys.NewKey("bench", Role.ADMIN)]))[0]
    with webhook_processes(dsn, folder, key) as processes:
        asyncio.run(throughput(processes, WARM_UP_CHANGES))
        fast = [asyncio.run(throughput(processes, BURST_CHANGES)) for _ in range(rounds)]
        quick = [asyncio.run(commit_to_post(processes, LATENCY_RATE, seconds)) for _ in range(rounds)]
        others = asyncio.run(neighbour_latency(processes, NEIGHBOUR_RATE, seconds, rounds))
    asyncio.run(_execute(dsn, CLEAR))  # otherwise the next hub on this database would send to a port without a receiver
    return {"throughput": fast, "latency": quick, "neighbours": others}
