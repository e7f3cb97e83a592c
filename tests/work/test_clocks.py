"""Clocks: goals in working time, pauses, levels in the order of their moments, and changes that keep what was spent."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from clock_hub import CREATE, HOUR, POLICY, START, ClockedCustomer, china, open_clock_hub
from conftest import CreateDatabase
from writer_client import HubClient

from hub.db.pool import Pool
from hub.settings import Settings


@pytest.fixture(scope="module")
async def client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub in China's working time."""
    async with open_clock_hub(await create_database("migrated")) as client:
        yield client


@pytest.fixture(scope="module")
async def pool(client: HubClient) -> AsyncIterator[Pool]:
    pool = Pool(client.dsn, Settings(pool_size=1))
    yield pool
    await pool.close()


@pytest.fixture
async def row(client: HubClient, pool: Pool) -> ClockedCustomer:
    created = await client.query(CREATE, {"input": {"name": "Wang", "tier": "GOLD"}})
    return ClockedCustomer(client, pool, created["customerCreate"]["customer"]["id"])


async def test_a_goal_runs_over_the_spring_festival(client: HubClient, row: ClockedCustomer) -> None:
    assert await row.start("STEP", START, 16 * HOUR) is not None
    read = await row.read("STEP")
    assert datetime.fromisoformat(read["dueAt"]) == china("2026-02-24T18:00")
    assert (read["status"], read["spentSeconds"], read["remainingSeconds"], read["share"]) == ("RUNNING", 0, 57600, 0)


async def test_a_pause_keeps_what_was_spent(row: ClockedCustomer) -> None:
    await row.start("STEP", START, 16 * HOUR)
    assert await row.change("pause", "STEP", china("2026-02-14T10:00"))  # one hour on Friday, one on Saturday
    assert not await row.change("pause", "STEP", china("2026-02-14T11:00"))
    paused = await row.read("STEP")
    assert (paused["status"], paused["dueAt"], paused["spentSeconds"]) == ("PAUSED", None, 7200)
    assert await row.change("resume", "STEP", china("2026-02-24T09:00"))
    assert datetime.fromisoformat((await row.read("STEP"))["dueAt"]) == china("2026-02-25T17:00")
    assert await row.change("stop", "STEP", china("2026-02-25T17:00"))
    met = await row.read("STEP")
    assert (met["status"], met["spentSeconds"], met["overdueSeconds"]) == ("MET", 57600, 0)
    assert met["remainingSeconds"] is None
    assert not await row.change("stop", "STEP", china("2026-02-26T09:00"))


async def test_what_is_late_stays_as_late_as_it_was(row: ClockedCustomer) -> None:
    await row.start("STEP", START, HOUR)  # due at closing time
    assert datetime.fromisoformat((await row.read("STEP"))["dueAt"]) == china("2026-02-13T18:00")
    assert await row.change("stop", "STEP", china("2026-02-13T18:00") + timedelta(microseconds=1))
    closed = await row.read("STEP")
    assert (closed["status"], closed["overdueSeconds"]) == ("MISSED", 0)
    await row.start("STEP", START, HOUR)
    await row.change("stop", "STEP", china("2026-02-14T09:30"))
    late = await row.read("STEP")
    assert (late["status"], late["overdueSeconds"], late["share"]) == ("MISSED", 1800, 1.5)


async def test_a_clock_that_is_called_off_counts_neither_way(row: ClockedCustomer) -> None:
    await row.start("STEP", START, HOUR)
    assert await row.start("STEP", START + HOUR, 2 * HOUR) is not None  # the open one goes on
    assert (await row.read("STEP"))["goalSeconds"] == 3600
    assert await row.change("void", "STEP", START)
    assert ((await row.read("STEP"))["status"], await row.change("resume", "STEP", START)) == ("VOID", False)


async def test_without_a_policy_there_is_no_clock(client: HubClient, row: ClockedCustomer) -> None:
    assert await row.start("VERIFY", START) is None
    policy = {"code": "silver", "name": "Silver", "entity": "Customer", "match": {"tier": {"eq": "SILVER"}}}
    terms = {"terms": [{"clock": "VERIFY", "goalSeconds": 3600, "calendar": "china"}]}
    assert (await client.query(POLICY, {"input": policy | terms}))["slaPolicyUpsert"]["created"]
    assert (await row.start("VERIFY", START), await row.read("VERIFY")) == (None, {})
    gold = policy | terms | {"code": "gold", "match": {"tier": {"eq": "GOLD"}}, "position": 200}
    await client.query(POLICY, {"input": gold})
    await row.start("VERIFY", START)
    read = await row.read("VERIFY")
    assert (read["policy"], read["goalSeconds"]) == ({"code": "gold"}, 3600)
