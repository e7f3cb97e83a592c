"""A rolling restart of hubs: no mutation fails, although none may be retried, and streams resume on other hubs."""

import asyncio
import signal
from collections import Counter
from time import monotonic

import pytest
import random_runs
from conftest import create_api_key
from delivery_workload import SafeRetryClient, run_delivery_workload
from hub_process import run_hubs
from reconnecting_subscriber import open_subscribers

DRAIN_TIMEOUT, RESUME_TIMEOUT = 10.0, 3.0
CLIENTS, PAUSE = 10, 0.09  # some hundred mutations per second


@pytest.mark.parametrize(("subscribers", "rounds"), [(10, 1), pytest.param(50, 10, marks=pytest.mark.soak)])
async def test_a_rolling_restart_fails_no_request(
    database_dsn: str, seed: int, subscribers: int, rounds: int, pytestconfig: pytest.Config
) -> None:
    key, drained = await create_api_key(database_dsn), list[float]()
    async with run_hubs(database_dsn, 2) as processes, open_subscribers(subscribers, processes.ports, key) as streams:

        async def roll() -> None:
            for port in processes.ports * rounds:
                await asyncio.sleep(0.5)
                started_at = monotonic()
                assert await processes.stop(port, signal.SIGTERM) == 0
                drained.append(monotonic() - started_at)
                await processes.start(port)

        rolling = asyncio.create_task(roll())
        workload = await run_delivery_workload(
            database_dsn,
            processes.ports,
            key,
            streams,
            seed=seed,
            transactions=5,
            writers=2,
            clients=CLIENTS,
            pause=PAUSE,
            meanwhile=rolling,
            client_type=SafeRetryClient,
        )
        await rolling
    ends = sum((stream.end_reasons for stream in streams), Counter[str]())
    print("drained", max(drained), "away", workload.longest_gap, dict(ends))
    assert workload.broken_promises() == set()
    assert max(drained) < random_runs.time_limit(DRAIN_TIMEOUT, pytestconfig)
    assert workload.longest_gap < random_runs.time_limit(RESUME_TIMEOUT, pytestconfig)
    assert set(ends) == {"1012"}


async def test_connections_accepted_during_shutdown_are_answered(database_dsn: str) -> None:
    body = b'{"query":"{ customers(first: 1) { totalCount } }"}'
    key = await create_api_key(database_dsn)
    header_lines = f"authorization: Bearer {key}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    request = (
        f"POST /graphql HTTP/1.1\r\nhost: hub\r\n{header_lines}content-length: {len(body)}\r\n\r\n".encode() + body
    )
    status_lines = Counter[bytes]()

    async def send_until_closed(port: int) -> None:
        """Sends mutations, each on a new connection, until the hub accepts none."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            writer.write(request)
            try:
                status_lines[(await reader.read())[:12]] += 1
            except OSError:
                status_lines[b"reset"] += 1
            writer.close()

    async with run_hubs(database_dsn, 1) as processes:
        (port,) = processes.ports
        for _ in range(3):
            requests = [asyncio.create_task(send_until_closed(port)) for _ in range(CLIENTS)]
            await asyncio.sleep(0.5)
            assert await processes.stop(port, signal.SIGTERM) == 0
            await asyncio.gather(*requests)
            await processes.start(port)
    assert set(status_lines) == {b"HTTP/1.1 200"}
