"""Jobs through the front door: progress, rights, cancellation, failures, and going on after a process that died."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from command_line import RunCommand
from conftest import create_api_key
from writer_client import HubClient

from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.jobs import queue
from hub.engine.catalog.scalars import encode_id
from hub.errors import BadInput, Forbidden, Unavailable
from hub.jobs.context import JobContext
from hub.jobs.job_types import JOB_DEFINITIONS, JobDefinition
from hub.schema.jobs.jobs import JobType
from hub.settings import Settings
from hub.viewer import Role

READ = "query ($id: ID!) { job(id: $id) { status done total reason errorCode counts result finishedAt } }"
CANCEL = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { status } } }"
SECONDS = 20


@dataclass
class Script:
    """What the job of the test does: one step for each number, and what happens at some."""

    steps: int = 3
    at_step: dict[int, Callable[[], None]] = field(default_factory=dict)
    blocked: asyncio.Event = field(default_factory=asyncio.Event)
    runs: list[int] = field(default_factory=list)  # the step at which each run began

    async def run(self, context: JobContext) -> None:
        first = context.cursor or 0
        self.runs.append(first)
        for step in range(first, self.steps):
            if step in self.at_step:
                self.at_step.pop(step)()
            if context.arguments.get("waits_at") == step:
                await self.blocked.wait()
            await context.proceed()
            async with context.transaction() as tx:
                await context.checkpoint(tx, step + 1, done=step + 1, total=self.steps, counts={"steps": step + 1})


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The script of jobs of type EXPORT."""
    script = Script()
    monkeypatch.setitem(JOB_DEFINITIONS, JobType.EXPORT, JobDefinition(script.run))
    return script


@pytest.fixture(scope="module")
async def pool(northwind_client: HubClient) -> AsyncIterator[Pool]:
    pool = Pool(northwind_client.dsn, Settings())
    yield pool
    await pool.close()


async def enqueue(pool: Pool, key: str, **arguments: int) -> str:
    """Starts a job with the rights of a key; returns its id."""
    now = datetime.now(UTC)
    async with pool.transaction() as tx:
        stored = await api_keys.find_key(tx, str(api_keys.extract_public_id(key)))
        assert stored is not None
        row = await queue.enqueue(tx, stored.viewer, JobType.EXPORT, arguments, name="a script", now=now, queued_at=now)
    return encode_id("job", row)


async def wait_for(client: HubClient, job: str, *statuses: str, done: int = 0) -> dict[str, Any]:
    """The job, once it has one of the statuses and is so far."""
    async with asyncio.timeout(SECONDS):
        while True:
            row: dict[str, Any] = (await client.query(READ, {"id": job}))["job"]
            if row["status"] in statuses and row["done"] >= done:
                return row
            await asyncio.sleep(0.02)


async def test_a_job_runs_and_says_how_far_it_is(northwind_client: HubClient, pool: Pool, script: Script) -> None:
    job = await enqueue(pool, northwind_client.key)
    row = await wait_for(northwind_client, job, "SUCCEEDED")
    assert row.pop("finishedAt") is not None
    assert row == {
        "status": "SUCCEEDED",
        "done": 3,
        "total": 3,
        "reason": None,
        "errorCode": None,
        "counts": {"steps": 3},
        "result": {},
    }
    assert script.runs == [0]


async def test_a_job_is_seen_by_its_key_and_by_admins(
    northwind_client: HubClient, pool: Pool, script: Script, connection: asyncpg.Connection
) -> None:
    unit_id = await connection.fetchval("select id from org_units limit 1")
    writer, other, bound = [
        await create_api_key(northwind_client.dsn, Role.WRITER),
        await create_api_key(northwind_client.dsn, Role.WRITER),
        await create_api_key(northwind_client.dsn, Role.WRITER, unit_id=unit_id),
    ]
    job = await enqueue(pool, writer)
    await wait_for(northwind_client, job, "SUCCEEDED")
    seen = [
        (await northwind_client.query(READ, {"id": job}, key=key))["job"] is not None
        for key in (writer, northwind_client.key, other, bound)
    ]
    assert seen == [True, True, False, False]
    assert (await northwind_client.error(CANCEL, {"id": job}, key=other))["code"] == "NOT_FOUND"


async def test_keys_that_may_not_write_start_no_job(northwind_client: HubClient, pool: Pool, script: Script) -> None:
    reader = await create_api_key(northwind_client.dsn, Role.READER)
    with pytest.raises(Forbidden, match="jobs:write"):
        await enqueue(pool, reader)


async def test_a_cancelled_job_stops_and_says_what_it_did(
    northwind_client: HubClient, pool: Pool, script: Script
) -> None:
    job = await enqueue(pool, northwind_client.key, waits_at=2)
    await wait_for(northwind_client, job, "QUEUED", "RUNNING", done=2)
    await northwind_client.query(CANCEL, {"id": job})
    row = await wait_for(northwind_client, job, "CANCELLED")
    assert (row["done"], row["counts"]) == (2, {"steps": 2})
    again = await northwind_client.error(CANCEL, {"id": job})
    assert (again["code"], again["argument"]) == ("VALUE_INVALID", "input.id")


async def test_a_job_that_fails_says_why(northwind_client: HubClient, pool: Pool, script: Script) -> None:
    def fail() -> None:
        raise BadInput("mapping: it is wrong.", code="VALUE_INVALID", argument="mapping")

    script.at_step[1] = fail
    row = await wait_for(northwind_client, await enqueue(pool, northwind_client.key), "FAILED")
    assert (row["done"], row["reason"], row["errorCode"]) == (1, "mapping: it is wrong.", "VALUE_INVALID")


async def test_a_job_goes_on_after_a_fault_that_passes(northwind_client: HubClient, pool: Pool, script: Script) -> None:
    def lose() -> None:
        raise Unavailable("the database is away")

    script.at_step[2] = lose
    row = await wait_for(northwind_client, await enqueue(pool, northwind_client.key), "SUCCEEDED")
    assert (row["done"], script.runs) == (3, [0, 2])


async def test_a_job_goes_on_when_the_lease_of_its_process_has_ended(
    northwind_client: HubClient, pool: Pool, script: Script, connection: asyncpg.Connection
) -> None:
    job = await enqueue(pool, northwind_client.key, waits_at=1)
    key = UUID(job.partition("_")[2])
    await wait_for(northwind_client, job, "QUEUED", "RUNNING", done=1)
    # As if that process had died a minute ago: its lease is another's now.
    past = datetime.now(UTC) - timedelta(minutes=1)
    await connection.execute(
        "update job_queue set lease = $2, leased_until = $3, arguments = '{}' where job_id = $1", key, uuid4(), past
    )
    row = await wait_for(northwind_client, job, "SUCCEEDED")
    assert (row["done"], script.runs) == (3, [0, 1])
    script.blocked.set()


async def test_a_job_of_a_revoked_key_fails(
    northwind_client: HubClient, pool: Pool, script: Script, connection: asyncpg.Connection
) -> None:
    key = await create_api_key(northwind_client.dsn, Role.WRITER)
    await connection.execute(
        "update api_keys set revoked_at = now() where public_id = $1", api_keys.extract_public_id(key)
    )
    row = await wait_for(northwind_client, await enqueue(pool, key), "FAILED")
    assert (row["errorCode"], script.runs) == ("KEY_REVOKED", [])


async def test_the_command_line_lists_and_stops_jobs(
    northwind_client: HubClient, pool: Pool, script: Script, run_command: RunCommand
) -> None:
    job = await enqueue(pool, northwind_client.key, waits_at=0)
    database = {"HUB_DATABASE_URL": northwind_client.dsn}
    code, output, _ = await run_command("jobs", "--limit", "1", "--json", **database)
    assert (code, job in output) == (0, True)
    assert await run_command("jobs", "cancel", job, **database) == (0, f"{job} is cancelled\n", "")
    await wait_for(northwind_client, job, "CANCELLED")
    code, _, errors = await run_command("jobs", "cancel", "cus_1", **database)
    assert (code, "not an id" in errors) == (2, True)
