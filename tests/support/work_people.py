"""People who work by processes: a tree of units, members of staff with keys and roles, a customer, and what they do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import ADMIN

START = datetime(2026, 3, 2, 1, tzinfo=UTC)  # Monday 09:00 in China
CHINA: dict[str, Any] = {
    "code": "cn",
    "name": "China",
    "timezone": "Asia/Shanghai",
    "weekly": {day: ["09:00-12:00", "13:30-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    "country": "CN",
    "startsOn": "2024-01-01",
    "endsOn": "2029-12-31",
}
CALENDAR = "mutation ($input: CalendarUpsertInput!) { calendarUpsert(input: $input) { created } }"
PROCESS = "mutation ($input: ProcessUpsertInput!) { processUpsert(input: $input) { process { revision } } }"
OPEN = """mutation ($input: WorkItemOpenInput!) { workItemOpen(input: $input) {
    workItem { id number status round step { code } }
} }"""
STEPS = """query ($id: ID!) { workItem(id: $id) { status round step { code } number
    steps(first: 100) { nodes {
        id round voter status decision dueAt step { code } addressee { name } decidedBy { name } workingUnit { code }
    } } } }"""
DECIDE = """mutation ($input: WorkStepDecideInput!) { workStepDecide(input: $input) {
    outcome workStep { status } workItem { status round step { code } }
} }"""
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { now } }"


@dataclass
class Worker:
    """A member of staff with a key."""

    key: UUID
    id: str
    token: str


@dataclass
class WorkPeople:
    """A hub with people who work: by name, each with a key, and the customer whom they work for."""

    client: HubClient
    connection: asyncpg.Connection
    units: dict[str, UUID] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    customer: str = ""

    async def add_unit(self, code: str, parent: str | None = None) -> None:
        """Adds a unit below another one."""
        path = code if parent is None else await self._path(parent, code)
        self.units[code] = await self.connection.fetchval(
            "insert into org_units (code, name, kind, path, parent_id) values ($1, $1, 'BRANCH', $2::text::ltree, $3)"
            " returning id",
            code,
            path,
            self.units.get(parent or ""),
        )

    async def _path(self, parent: str, code: str) -> str:
        above = await self.connection.fetchval("select path::text from org_units where code = $1", parent)
        return f"{above}.{code}"

    async def add(self, name: str, unit: str, *roles: str, key_role: str = "writer", bound: bool = True) -> Worker:
        """Adds a person with roles in the unit, and a key that is bound to the unit unless said otherwise."""
        staff = await self.connection.fetchval(
            "insert into staff (number, name, unit_id) values ($1, $1, $2) returning id", name, self.units[unit]
        )
        for role in roles:
            await self.give_role(staff, role, unit)
        worker = Worker(staff, f"stf_{staff.hex}", await self.mint(staff, unit if bound else None, key_role))
        self.workers[name] = worker
        return worker

    async def give_role(self, staff: UUID, role: str, unit: str) -> None:
        """Gives a person a role in a unit, from long ago on."""
        await self.connection.execute(
            "insert into job_roles (staff_id, role, unit_id, from_at) values ($1, $2, $3, '2020-01-01Z')",
            staff,
            role,
            self.units[unit],
        )

    async def mint(self, staff: UUID | None, unit: str | None, role: str = "writer") -> str:
        """A new key of a person; several keys of one person are the same person."""
        unit_id = None if unit is None else self.units[unit]
        new_key = api_keys.NewKey(name="test", role=role, staff_id=staff, unit_id=unit_id)
        return await api_keys.create(self.connection, ADMIN, new_key, START)

    async def add_customer(self, name: str, unit: str, owner: str | None = None) -> str:
        """Adds a customer; returns its id."""
        owner_id = None if owner is None else self.workers[owner].key
        key = await self.connection.fetchval(
            "insert into customers (kind, name, unit_id, owner_id) values ('PERSON', $1, $2, $3) returning id",
            name,
            self.units[unit],
            owner_id,
        )
        return f"cus_{key.hex}"

    async def open(self, opener: str, process: str, **values: Any) -> dict[str, Any]:
        """Opens an item about the customer."""
        item = {"process": process, "subjectId": self.customer, "title": "Loan", **values}
        opened = await self.client.query(OPEN, {"input": item}, key=self.workers[opener].token)
        work_item: dict[str, Any] = opened["workItemOpen"]["workItem"]
        return work_item

    async def item(self, id: str) -> dict[str, Any]:
        """An item with its steps, in the order of opening."""
        work_item: dict[str, Any] = (await self.client.query(STEPS, {"id": id}))["workItem"]
        return work_item

    async def open_steps(self, id: str) -> list[dict[str, Any]]:
        """The open steps of an item."""
        return [step for step in (await self.item(id))["steps"]["nodes"] if step["status"] == "OPEN"]

    async def decide(self, name: str, id: str, decision: str = "DONE", **values: Any) -> dict[str, Any]:
        """Decides the person's open step of an item, or the first that is anybody's; gives the payload."""
        decided = await self.client.query(DECIDE, await self._vote(name, id, decision, values), key=self.token(name))
        payload: dict[str, Any] = decided["workStepDecide"]
        return payload

    async def refuse(self, name: str, id: str, decision: str = "DONE", **values: Any) -> dict[str, Any]:
        """The error of such a decision."""
        variables = await self._vote(name, id, decision, values)
        error: dict[str, Any] = await self.client.error(DECIDE, variables, key=self.token(name))
        return error

    def token(self, name: str) -> str:
        """The key of a person."""
        return self.workers[name].token

    async def _vote(self, name: str, id: str, decision: str, values: dict[str, Any]) -> dict[str, Any]:
        steps = await self.open_steps(id)
        own = [step for step in steps if step["addressee"] == {"name": name}]
        free = [step for step in steps if step["addressee"] is None]
        note = {"note": "because"} if decision in ("REJECT", "RETURN") else {}
        return {"input": {"id": (own or free or steps)[0]["id"], "decision": decision, **note, **values}}

    async def describe(self, code: str, *steps: dict[str, Any], **values: Any) -> None:
        """Describes a process about customers, with the calendar of China."""
        process = {"code": code, "name": code, "type": "APPROVAL", "about": "Customer", "calendar": "cn"}
        await self.client.query(PROCESS, {"input": {**process, "steps": list(steps), **values}})

    async def advance(self, local: str) -> None:
        """Moves the test clock on to a moment of 2026 in China, `03-10 10:00`."""
        await self.client.query(ADVANCE, {"to": instant(local)})


def instant(local: str) -> str:
    """A moment of 2026 in China as the API writes it: `02-13 17:00`."""
    return datetime.fromisoformat(f"2026-{local}+08:00").astimezone(UTC).isoformat()


def local_time(moment: str) -> str:
    """The reverse: a moment of the API in China, `02-13 17:00`."""
    return f"{datetime.fromisoformat(moment).astimezone(datetime.fromisoformat('2026-01-01T00:00+08:00').tzinfo):%m-%d %H:%M}"


def step(code: str, addressee: str = "OPENER", *decisions: str, **values: Any) -> dict[str, Any]:
    """A step of a process; `addressee` is one, or the role of a ROLE."""
    known = ("OPENER", "OWNER", "UNIT_HEAD", "AUTO")
    to = {"addressee": addressee} if addressee in known else {"addressee": "ROLE", "role": addressee}
    taken = {} if addressee == "AUTO" else {"decisions": list(decisions or ("DONE",))}
    return {"code": code, "name": code.capitalize(), **to, **taken, **values}


@asynccontextmanager
async def work_people(client: HubClient) -> AsyncIterator[WorkPeople]:
    """A bank's branch below its head office, with the calendar of China; people are added to it."""
    connection = await asyncpg.connect(client.dsn)
    try:
        await client.query(CALENDAR, {"input": CHINA})
        people = WorkPeople(client, connection)
        await people.add_unit("bank")
        await people.add_unit("branch", "bank")
        await people.add_unit("other", "bank")
        yield people
    finally:
        await connection.close()
