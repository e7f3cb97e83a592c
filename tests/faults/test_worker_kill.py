"""The worker of `hub serve` is killed, and so is the hub beside it: work goes on, and no process is left behind."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx2
from change_workload import wait_until
from conftest import create_api_key
from hub_process import children, run_hubs
from test_import_kill import CANCEL, UNIT, ask, content, progress, start

SECONDS = 60
LEASES = "select count(*) from job_queue where lease is not null"
LEASE_END = "select max(leased_until) from job_queue"
FINISHED_AT = "select max(finished_at) from jobs"
QUEUED = "select count(*) from job_queue where lease is null"


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nobody but its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_for_end(pid: int) -> None:
    async def is_over() -> bool:
        return has_ended(pid)

    await wait_until(is_over, SECONDS)


async def test_a_killed_worker_is_replaced_and_a_cancelled_job_does_not_wait_for_it(database_dsn: str) -> None:
    key = await create_api_key(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(UNIT)
    async with run_hubs(database_dsn, 1, body_limit=100_000_000) as hubs:
        port, hub = hubs.ports[0], hubs.processes[hubs.ports[0]]
        job = await start(port, key, content(20_000))
        await progress(port, key, job, 1)
        (worker,) = children(hub.pid)
        os.kill(worker, signal.SIGKILL)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/readyz")).json() == {"status": "ready"}
            await wait_until(silent(connection), SECONDS)
            lease_end = await connection.fetchval(LEASE_END)
            await ask(port, key, CANCEL, {"id": job})
            row = await progress(port, key, job, 20_001)
            assert (row["status"], row["counts"]["Customer.created"] > 0) == ("CANCELLED", True)
            assert await connection.fetchval(FINISHED_AT) < lease_end
            second = await start(port, key, content(100, "s"))
            assert (await progress(port, key, second, 101))["status"] == "SUCCEEDED"
            (replacement,) = children(hub.pid)
            assert replacement != worker
            lines = (await client.get("/metrics")).text.splitlines()
        assert {"hub_worker_starts_total 2.0", "hub_worker_up 1.0"} <= set(lines)
        assert await hubs.stop(port, signal.SIGTERM) == 0
        assert has_ended(replacement)
    await connection.close()


def silent(connection: asyncpg.Connection) -> Callable[[], Awaitable[bool]]:
    """Whether the runner of the one job has not renewed its lease for a while."""

    async def is_silent() -> bool:
        return bool(await connection.fetchval("select bool_and(leased_until < now() + interval '13 s') from job_queue"))

    return is_silent


async def test_a_killed_hub_takes_its_worker_along_which_puts_its_job_back(database_dsn: str) -> None:
    key = await create_api_key(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(UNIT)
    async with run_hubs(database_dsn, 1, body_limit=100_000_000) as hubs:
        port, hub = hubs.ports[0], hubs.processes[hubs.ports[0]]
        job = await start(port, key, content(20_000))
        await progress(port, key, job, 1)
        (worker,) = children(hub.pid)
        hub.send_signal(signal.SIGKILL)
        await hub.wait()
        await wait_for_end(worker)
        assert [await connection.fetchval(query) for query in (LEASES, QUEUED)] == [0, 1]
    await connection.close()
