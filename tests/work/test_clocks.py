"""Clocks: goals in working time, pauses, levels in the order of their moments, and changes that keep what was spent."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase
from writer_client import HubClient, open_hub_client

from hub.db.pool import Pool
from hub.domain.work import clocks
from hub.model.subjects import subject_values
from hub.schema.customers.customers import Customer
from hub.settings import Settings

START = datetime(2026, 2, 13, 9, tzinfo=UTC)  # Friday 17:00 in China
HOUR = timedelta(hours=1)
CHINA = {
    "code": "china",
    "name": "China",
    "timezone": "Asia/Shanghai",
    "country": "CN",
    "weekly": {day: ["09:00-12:00", "13:30-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
}
CALENDAR = "mutation ($input: CalendarUpsertInput!) { calendarUpsert(input: $input) { calendar { id } } }"
POLICY = """mutation ($input: SlaPolicyUpsertInput!) { slaPolicyUpsert(input: $input) {
    created slaPolicy { id version revision } } }"""
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired } }"
CREATE = """mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"""
READ = """query ($id: ID!, $name: String!) { customer(id: $id) { clocks(filter: {name: {eq: $name}}) { nodes {
    status dueAt spentSeconds remainingSeconds share level stoppedAt overdueSeconds goalSeconds policy { code } } } } }"""


@pytest.fixture(scope="module")
async def client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub whose time begins on Friday, February 13, 2026, 17:00 in China, with China's calendar."""
    async with open_hub_client(await create_database("migrated"), Settings(clock="test", clock_start=START)) as client:
        await client.query(CALENDAR, {"input": CHINA})
        unit = 'mutation { orgUnitCreate(input: {code: "root", name: "Root", kind: GROUP}) { orgUnit { id } } }'
        await client.query(unit)
        yield client


@pytest.fixture(scope="module")
async def pool(client: HubClient) -> AsyncIterator[Pool]:
    pool = Pool(client.dsn, Settings(pool_size=1))
    yield pool
    await pool.close()


@dataclass
class Row:
    """A customer, whose clocks the test drives."""

    client: HubClient
    pool: Pool
    id: str

    @property
    def key(self) -> UUID:
        return UUID(self.id.removeprefix("cus_"))

    async def start(self, name: str, now: datetime, goal: timedelta | None = None) -> UUID | None:
        async with self.pool.transaction() as tx:
            calendar = await tx.fetchval("select id from calendars where code = 'china'")
            values = await subject_values(tx, Customer, self.key)
            given = {} if goal is None else {"goal": goal, "calendar_id": calendar}
            return await clocks.start_clock(tx, values, name, now=now, **given)

    async def change(self, verb: str, name: str, now: datetime) -> bool:
        async with self.pool.transaction() as tx:
            changed: bool = await getattr(clocks, f"{verb}_clock")(tx, Customer, self.key, name, now)
            return changed

    async def read(self, name: str) -> dict[str, Any]:
        nodes = (await self.client.query(READ, {"id": self.id, "name": name}))["customer"]["clocks"]["nodes"]
        return {} if not nodes else nodes[0]


@pytest.fixture
async def row(client: HubClient, pool: Pool) -> Row:
    created = await client.query(CREATE, {"input": {"name": "Wang", "tier": "GOLD"}})
    return Row(client, pool, created["customerCreate"]["customer"]["id"])


def china(text: str) -> datetime:
    """A moment in China's time."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


async def test_a_goal_runs_over_the_spring_festival(client: HubClient, row: Row) -> None:
    assert await row.start("STEP", START, 16 * HOUR) is not None
    read = await row.read("STEP")
    assert datetime.fromisoformat(read["dueAt"]) == china("2026-02-24T18:00")
    assert (read["status"], read["spentSeconds"], read["remainingSeconds"], read["share"]) == ("RUNNING", 0, 57600, 0)


async def test_a_pause_keeps_what_was_spent(row: Row) -> None:
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


async def test_what_is_late_stays_as_late_as_it_was(row: Row) -> None:
    await row.start("STEP", START, HOUR)  # due at closing time
    assert datetime.fromisoformat((await row.read("STEP"))["dueAt"]) == china("2026-02-13T18:00")
    assert await row.change("stop", "STEP", china("2026-02-13T18:00") + timedelta(microseconds=1))
    closed = await row.read("STEP")
    assert (closed["status"], closed["overdueSeconds"]) == ("MISSED", 0)
    await row.start("STEP", START, HOUR)
    await row.change("stop", "STEP", china("2026-02-14T09:30"))
    late = await row.read("STEP")
    assert (late["status"], late["overdueSeconds"], late["share"]) == ("MISSED", 1800, 1.5)


async def test_a_clock_that_is_called_off_counts_neither_way(row: Row) -> None:
    await row.start("STEP", START, HOUR)
    assert await row.start("STEP", START + HOUR, 2 * HOUR) is not None  # the open one goes on
    assert (await row.read("STEP"))["goalSeconds"] == 3600
    assert await row.change("void", "STEP", START)
    assert ((await row.read("STEP"))["status"], await row.change("resume", "STEP", START)) == ("VOID", False)


async def test_without_a_policy_there_is_no_clock(client: HubClient, row: Row) -> None:
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
