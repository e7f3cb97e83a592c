"""Postgres is killed, stopped and disconnected under load: requests fail in time, and no change is lost or duplicated."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until
from conftest import create_api_key
from delivery_workload import DeliveryWorkload, run_delivery_workload
from hub_process import HubProcess, HubProcesses, resident_mib, run_hubs
from migrated_folders import migrated_server
from postgres_process import postmaster_pid
from reconnecting_subscriber import open_subscribers
from tcp_proxy import TcpProxy, run_proxy

from hub.postgres import pidfile

SUBSCRIBERS, CONCURRENT_REQUESTS = 6, 100
REJECTION_CODES = {"UNAVAILABLE", "STATEMENT_TIMEOUT"}
PROBE_QUERY = '{ products(filter: {name: {eq: "none"}}) { totalCount } }'


@dataclass(frozen=True)
class OutageScale:
    """The load, and limits in seconds: of a refusal while the database is away, until requests succeed, and until dead
    connections are detected. Only the long run measures them; the short one waits for what must happen."""

    kills: int
    outage_seconds: float
    transactions: int
    settings: dict[str, object]
    rejected_within: float = inf
    recovered_within: float = WAIT_TIMEOUT
    detected_within: float = WAIT_TIMEOUT


SHORT = OutageScale(2, 4.0, 5, {"statement_timeout": 1})
LONG = OutageScale(3, 30.0, 300, {}, rejected_within=6.0, recovered_within=5.0, detected_within=10.0)


@dataclass(frozen=True)
class ProxiedHub:
    """A hub connected to its own Postgres through a proxy that can be cut."""

    scale: OutageScale
    folder: Path
    dsn: str
    proxy: TcpProxy
    processes: HubProcesses
    key: str
    client: httpx2.AsyncClient

    @property
    def process(self) -> HubProcess:
        """The hub's."""
        return self.processes.processes[self.processes.ports[0]]

    async def run_workload(self, seed: int, outage: Any, *, reconnect: bool) -> DeliveryWorkload:
        """Runs writers and subscribers while a fault is injected; with `reconnect`, some subscribers lose their connections."""
        async with open_subscribers(SUBSCRIBERS, self.processes.ports, self.key) as subscribers:

            async def cause_outage() -> None:
                await asyncio.sleep(0.3)
                await outage
                await self.wait_answered()
                for subscriber in subscribers[: SUBSCRIBERS // 2 if reconnect else 0]:
                    await subscriber.disconnect()

            meanwhile = asyncio.create_task(cause_outage())
            workload = await run_delivery_workload(
                self.dsn,
                self.processes.ports,
                self.key,
                subscribers,
                seed=seed,
                transactions=self.scale.transactions,
                meanwhile=meanwhile,
            )
            await meanwhile
        return workload

    async def probe(self, query: str = PROBE_QUERY) -> tuple[str, float]:
        """Returns the error code of a request ("" for none) and its duration in seconds."""
        started_at = monotonic()
        response = (await self.client.post("/graphql", json={"query": query})).json()
        code = response["errors"][0]["extensions"]["code"] if "errors" in response else ""
        return code, monotonic() - started_at

    async def wait_answered(self, seconds: float | None = None) -> None:
        """Waits until requests succeed."""

        async def is_answered() -> bool:
            return (await self.probe())[0] == ""

        await wait_until(is_answered, seconds or self.scale.recovered_within)

    async def assert_rejected(self, seconds: float) -> None:
        """Sends many requests at once, repeatedly, for so long: all are refused while the database is still away."""
        end, before = monotonic() + seconds, resident_mib(self.process.pid)
        while monotonic() < end:
            results = await asyncio.gather(*(self.probe() for _ in range(CONCURRENT_REQUESTS)))
            assert {code for code, _ in results} <= REJECTION_CODES
            assert max(after for _, after in results) < self.scale.rejected_within
        assert resident_mib(self.process.pid) < before + 50


@pytest.fixture(scope="module", params=[SHORT, pytest.param(LONG, marks=pytest.mark.soak)], ids=["short", "long"])
async def proxied_hub(request: pytest.FixtureRequest, migrated_folder: Path) -> AsyncIterator[ProxiedHub]:
    scale: OutageScale = request.param
    with tempfile.TemporaryDirectory() as folder, migrated_server(Path(folder), migrated_folder) as server:
        async with run_proxy("127.0.0.1", server.port) as proxy:
            through = server.dsn.replace(f":{server.port}/", f":{proxy.port}/")
            async with run_hubs(through, 1, **scale.settings) as hub:
                key, address = await create_api_key(server.dsn), f"http://127.0.0.1:{hub.ports[0]}"
                headers = {"authorization": f"Bearer {key}"}
                async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
                    yield ProxiedHub(scale, Path(folder), server.dsn, proxy, hub, key, client)


async def test_postgres_is_killed_repeatedly(proxied_hub: ProxiedHub, seed: int) -> None:
    async def kill() -> None:
        for _ in range(proxied_hub.scale.kills):
            killed = postmaster_pid(proxied_hub.folder)
            os.kill(killed, signal.SIGKILL)
            await wait_until(partial(_is_replaced, proxied_hub.folder, killed), 20)
            await proxied_hub.wait_answered()

    workload = await proxied_hub.run_workload(seed, kill(), reconnect=True)
    assert workload.broken_promises() == set()
    assert [dict(subscriber.end_reasons) for subscriber in workload.subscribers[SUBSCRIBERS // 2 :]] == [{}] * (
        SUBSCRIBERS // 2
    )
    assert proxied_hub.process.returncode is None


async def test_postgres_is_suspended(proxied_hub: ProxiedHub, seed: int) -> None:
    async def stop() -> None:
        with suspended(postmaster_pid(proxied_hub.folder)):
            await proxied_hub.assert_rejected(proxied_hub.scale.outage_seconds)

    workload = await proxied_hub.run_workload(seed, stop(), reconnect=False)
    assert workload.broken_promises() == set()
    assert [dict(subscriber.end_reasons) for subscriber in workload.subscribers] == [{}] * SUBSCRIBERS


async def test_the_hub_is_cut_off_and_its_connections_reset(proxied_hub: ProxiedHub, seed: int) -> None:
    async def cut() -> None:
        proxied_hub.proxy.block()
        try:
            await proxied_hub.assert_rejected(proxied_hub.scale.outage_seconds)
        finally:
            proxied_hub.proxy.reset()

    workload = await proxied_hub.run_workload(seed, cut(), reconnect=True)
    assert workload.broken_promises() == set()


async def test_connections_die_silently(proxied_hub: ProxiedHub, seed: int) -> None:
    async def freeze() -> None:
        proxied_hub.proxy.freeze_existing()
        await proxied_hub.wait_answered(proxied_hub.scale.detected_within)

    workload = await proxied_hub.run_workload(seed, freeze(), reconnect=False)
    assert workload.broken_promises() == set()
    assert [dict(subscriber.end_reasons) for subscriber in workload.subscribers] == [{}] * SUBSCRIBERS


async def _is_replaced(folder: Path, killed: int) -> bool:
    running = pidfile.read(folder / "pg")
    return running is not None and running.pid != killed


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Stops a process and all its children with SIGSTOP in the block."""
    os.kill(pid, signal.SIGSTOP)
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    try:
        for process_id in family[1:]:
            os.kill(process_id, signal.SIGSTOP)
        yield
    finally:
        for process_id in reversed(family):
            os.kill(process_id, signal.SIGCONT)
