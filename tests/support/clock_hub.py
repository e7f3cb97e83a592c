"""A hub in China's working time, and customers whose clocks a test drives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from writer_client import HubClient, open_hub_client

from hub.db.pool import Pool
from hub.domain.work import clocks
from hub.domain.work.clock_changes import rematch_clocks
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
UNIT = "mutation ($input: OrgUnitCreateInput!) { orgUnitCreate(input: $input) { orgUnit { id } } }"


def china(text: str) -> datetime:
    """A moment in China's time."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


@asynccontextmanager
async def open_clock_hub(dsn: str) -> AsyncIterator[HubClient]:
    """A hub whose time begins on Friday, February 13, 2026, 17:00 in China, with China's calendar and a unit."""
    async with open_hub_client(dsn, Settings(clock="test", clock_start=START)) as client:
        await client.query(CALENDAR, {"input": CHINA})
        await client.query(UNIT, {"input": {"code": "root", "name": "Root", "kind": "GROUP"}})
        yield client


@dataclass
class ClockedCustomer:
    """A customer, whose clocks the test drives."""

    client: HubClient
    pool: Pool
    id: str

    @property
    def key(self) -> UUID:
        return UUID(self.id.removeprefix("cus_"))

    async def start(
        self, name: str, now: datetime, goal: timedelta | None = None, calendar: str = "china"
    ) -> UUID | None:
        async with self.pool.transaction() as tx:
            key = await tx.fetchval("select id from calendars where code = $1", calendar)
            values = await subject_values(tx, Customer, self.key)
            words = {} if goal is None else {"goal": goal, "calendar_id": key}
            return await clocks.start_clock(tx, values, name, now=now, **words)

    async def rematch(self, now: datetime) -> None:
        async with self.pool.transaction() as tx:
            await rematch_clocks(tx, Customer, self.key, now)

    async def change(self, verb: str, name: str, now: datetime) -> bool:
        async with self.pool.transaction() as tx:
            changed: bool = await getattr(clocks, f"{verb}_clock")(tx, Customer, self.key, name, now)
            return changed

    async def read(self, name: str) -> dict[str, Any]:
        nodes = (await self.client.query(READ, {"id": self.id, "name": name}))["customer"]["clocks"]["nodes"]
        return {} if not nodes else nodes[0]
