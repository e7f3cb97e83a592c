"""A merge of a customer with many rows is a job: killed in the middle it finishes or leaves nothing, and others hardly notice."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
import random_runs
from conftest import create_api_key
from hub_process import run_hubs
from merges import MERGE, UNDO, public_id
from reader_latencies import latencies

from bench.latency import percentile
from hub.domain.jobs.queue import LEASE_DURATION

UNIT = "insert into org_units (name, code, kind, path) values ('Root', 'root', 'GROUP', 'root')"
CUSTOMERS = "insert into customers (name) values ('small'), ('large'), ('reader') returning id"
FILL = """
insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at)
select c.id, c.unit_id, 'EMAIL', 'INBOUND', 'message', 'm' || n, now() from customers as c, generate_series(1, $2) as n
where c.id = $1
"""
JOB = "query ($id: ID!) { job(id: $id) { status done total errorCode reason result } }"
READ = "query ($id: ID!) { customer(id: $id) { id name kind status stage tier country language currency createdAt } }"
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%interactions%'"
HELD = """
select (select count(*) from interactions where customer_id = $1) as survivor,
    (select count(*) from interactions where customer_id = $2) as merged,
    (select count(*) from customers where id = $2) as customers, (select count(*) from merge_rows) > 0 as noted
"""
RUNNING = """
select q.lease, exists (
    select from pg_stat_activity as a join pg_locks as l on l.pid = a.pid and l.mode = 'RowExclusiveLock'
    where a.datname = current_database() and a.application_name = 'hub-jobs' and l.relation = 'merge_rows'::regclass
) as moves from job_queue as q where q.job_id = $1
"""
SECONDS = 180
QUIET_SECONDS = 5
MIDDLE = 0.5  # seconds after the begin of a merge or an undo, when it is killed


async def ask(port: int, key: str, query: str, variables: dict[str, Any]) -> Any:
    """The data of a query; asked again while the hub is away."""
    headers = {"authorization": f"Bearer {key}"}
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                    answer = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
                continue
            assert "errors" not in answer, answer
            return answer["data"]


async def ended(port: int, key: str, job: str) -> Any:
    """The job, once it has ended."""
    async with asyncio.timeout(SECONDS):
        while True:
            row = (await ask(port, key, JOB, {"id": job}))["job"]
            if row["status"] not in ("QUEUED", "RUNNING"):
                return row
            await asyncio.sleep(0.1)


async def start(port: int, key: str, survivor: UUID, merged: UUID) -> str:
    """Starts the merge; returns the job's id."""
    names = {"survivorId": public_id("cus", survivor), "mergedId": public_id("cus", merged)}
    plan = (await ask(port, key, MERGE, {"input": {**names, "dryRun": True}}))["customersMerge"]
    values = {**names, "fingerprint": plan["fingerprint"]}
    return str((await ask(port, key, MERGE, {"input": values}))["customersMerge"]["job"]["id"])


async def prepare(connection: asyncpg.Connection, count: int) -> tuple[UUID, UUID, UUID]:
    """A customer, one with many rows, and one to read."""
    await connection.execute(UNIT)
    small, large, reader = [row["id"] for row in await connection.fetch(CUSTOMERS)]
    await connection.execute(FILL, large, count)
    return small, large, reader


async def test_a_merge_that_is_killed_leaves_nothing_and_finishes_later(database_dsn: str) -> None:
    count = random_runs.SIZES["rows of a customer who is merged by a job"].part
    key = await create_api_key(database_dsn)
    owner = await asyncpg.connect(database_dsn)
    blocker = await asyncpg.connect(database_dsn)
    small, large, _ = await prepare(owner, count)
    async with run_hubs(database_dsn, 1) as hubs:
        port = hubs.ports[0]
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute(
            "select from interactions where customer_id = $1 order by id desc limit 1 for update", large
        )
        job = await start(port, key, small, large)
        async with asyncio.timeout(SECONDS):
            while True:
                if await owner.fetchval(WAITING):
                    break
                await asyncio.sleep(0.02)
        await hubs.restart(port)
        held = await owner.fetchrow(HELD, small, large)
        assert tuple(held or ()) == (0, count, 1, False)
        await transaction.rollback()
        row = await ended(port, key, job)
        assert row["status"] == "SUCCEEDED", row
        held = await owner.fetchrow(HELD, small, large)
        assert tuple(held or ()) == (count, 0, 0, True)
        assert await owner.fetchval("select count(*) from merges") == 1
    await blocker.close()
    await owner.close()


async def lease_of_running(connection: asyncpg.Connection, job: str, former: UUID | None = None) -> UUID:
    """The lease under which the job has moved rows, which is another one than `former`."""
    async with asyncio.timeout(SECONDS):
        while True:
            row = await connection.fetchrow(RUNNING, UUID(job.partition("_")[2]))
            if row is not None and row["lease"] not in (None, former) and row["moves"]:
                return UUID(str(row["lease"]))
            await asyncio.sleep(0.02)


@pytest.mark.soak
async def test_a_large_merge_that_is_killed_finishes_later_and_hardly_moves_the_latency_of_other_keys(
    database_dsn: str,
) -> None:
    count = random_runs.SIZES["rows of a customer who is merged by a job"].whole
    key, other = [await create_api_key(database_dsn) for _ in range(2)]
    owner = await asyncpg.connect(database_dsn)
    small, large, reader = await prepare(owner, count)
    async with run_hubs(database_dsn, 1) as hubs:
        port = hubs.ports[0]
        job = await start(port, key, small, large)
        lease = await lease_of_running(owner, job)
        await asyncio.sleep(MIDDLE)
        await hubs.restart(port)
        held = await owner.fetchrow(HELD, small, large)
        assert tuple(held or ()) == (0, count, 1, False)
        await latencies(port, other, READ, public_id("cus", reader), QUIET_SECONDS)
        # The dead process's lease has not ended: nothing runs meanwhile.
        idle = await latencies(port, other, READ, public_id("cus", reader), LEASE_DURATION.total_seconds() / 3)
        await lease_of_running(owner, job, lease)
        task = asyncio.create_task(ended(port, key, job))
        merging = await latencies(port, other, READ, public_id("cus", reader), QUIET_SECONDS, task)
        row = task.result()
        assert row["status"] == "SUCCEEDED", row
        held = await owner.fetchrow(HELD, small, large)
        assert tuple(held or ()) == (count, 0, 0, True)
        assert await owner.fetchval("select count(*) from merges") == 1
        undo = (await ask(port, key, UNDO, {"input": {"id": row["result"]["merge"]}}))["mergeUndo"]["job"]["id"]
        for _ in range(2):
            await asyncio.sleep(MIDDLE)
            await hubs.restart(port)
        row = await ended(port, key, undo)
        assert row["status"] == "SUCCEEDED", row
        held = await owner.fetchrow(HELD, small, large)
        assert tuple(held or ())[:3] == (0, count, 1)
    await owner.close()
    p95 = [percentile(values, 0.95) * 1e3 for values in (idle, merging)]
    print(f"p95 in ms: {p95[0]:.2f} idle, {p95[1]:.2f} beside the merge of {count} rows; {len(merging)} requests")
    assert p95[1] < 2 * p95[0]
