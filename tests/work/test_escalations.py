"""Levels of escalation: reached once each, in the order of their moments, also after the hub was down; who is notified."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from clock_hub import (
    ADVANCE,
    CALENDAR,
    CHINA,
    CREATE,
    HOUR,
    POLICY,
    START,
    UNIT,
    ClockedCustomer,
    china,
    open_clock_hub,
)
from writer_client import HubClient, open_hub_client

from hub.db.pool import Pool
from hub.settings import Settings

STAFF = "mutation ($input: StaffCreateInput!) { staffCreate(input: $input) { staff { id } } }"
ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
NOTIFICATIONS = """{ notifications(orderBy: {field: NOTIFIED_AT, direction: ASC}) { nodes {
    notifiedAt type level role text staff { number } customer { name } clock { name } subject { __typename } } } }"""
SHARES = (("0.5", "HEAD", "OWN"), ("0.8", "RISK", "OWN"), ("1", "HEAD", "PARENT"), ("1.5", "HEAD", "TOP"))
# 16 working hours from Friday, February 13, 17:00: one on Friday, 7.5 on the make-up Saturday, 7.5 on February 24.
MOMENTS = ("2026-02-14T17:30", "2026-02-24T14:48", "2026-02-24T18:00", "2026-02-26T09:30")
LEVELS = [
    {
        "clock": "STEP",
        "level": number,
        "atShare": share,
        "role": role,
        "unit": unit,
        "copyRole": "RISK" if number == 3 else None,
    }
    for number, (share, role, unit) in enumerate(SHARES, 1)
]
GOAL = {"clock": "STEP", "goalSeconds": 57_600, "calendar": "china"}
GOLD = {"code": "gold", "name": "Gold", "entity": "Customer", "match": {"tier": {"eq": "GOLD"}}, "position": 1,
        "terms": [GOAL], "escalationRules": LEVELS}  # fmt: skip


class ClockedBranch:
    """A hub with three units in a line, heads, a risk officer at the top, and a pool beside the hub's."""

    def __init__(self, client: HubClient, pool: Pool) -> None:
        self.client, self.pool = client, pool
        self.units: dict[str, str] = {}

    async def prepare(self) -> None:
        """Makes the units and people, and the policy."""
        roots = await self.client.query('{ orgUnits(filter: {code: {eq: "root"}}) { nodes { id } } }')
        self.units["root"] = roots["orgUnits"]["nodes"][0]["id"]
        for code, unit_kind, parent in (("branch", "BRANCH", "root"), ("outlet", "OUTLET", "branch")):
            unit_input = {"code": code, "name": code, "kind": unit_kind, "parentId": self.units[parent]}
            self.units[code] = (await self.client.query(UNIT, {"input": unit_input}))["orgUnitCreate"]["orgUnit"]["id"]
        for number, role, unit in (
            ("OUTLET-HEAD", "HEAD", "outlet"), ("BRANCH-HEAD", "HEAD", "branch"),
            ("TOP-HEAD", "HEAD", "root"), ("RISK", "RISK", "branch"),
        ):  # fmt: skip
            person = {"number": number, "name": number, "unitId": self.units[unit]}
            staff = (await self.client.query(STAFF, {"input": person}))["staffCreate"]["staff"]["id"]
            role_input = {
                "staffId": staff,
                "role": role,
                "unitId": self.units[unit],
                "fromAt": "2026-01-01T00:00:00Z",
            }
            await self.client.query(ROLE, {"input": role_input})
        await self.client.query(POLICY, {"input": GOLD})

    async def customer(self, name: str = "Wang", tier: str = "GOLD") -> ClockedCustomer:
        values = {"name": name, "tier": tier, "unitId": self.units["outlet"]}
        created = await self.client.query(CREATE, {"input": values})
        return ClockedCustomer(self.client, self.pool, created["customerCreate"]["customer"]["id"])

    async def notifications(self) -> list[dict[str, Any]]:
        """All notifications, by their moments."""
        nodes: list[dict[str, Any]] = (await self.client.query(NOTIFICATIONS))["notifications"]["nodes"]
        return nodes

    async def advance(self, text: str) -> None:
        await self.client.query(ADVANCE, {"to": china(text).isoformat()})


@pytest.fixture
async def branch(database_dsn: str) -> AsyncIterator[ClockedBranch]:
    pool = Pool(database_dsn, Settings(pool_size=1))
    async with open_clock_hub(database_dsn) as client:
        branch = ClockedBranch(client, pool)
        await branch.prepare()
        yield branch
    await pool.close()


def _reached(notified: Sequence[dict[str, Any]]) -> list[tuple[datetime, int, str, str]]:
    return [
        (datetime.fromisoformat(node["notifiedAt"]), node["level"], node["staff"]["number"], node["type"])
        for node in notified
    ]


EXPECTED = [
    (china(MOMENTS[0]), 1, "OUTLET-HEAD", "ESCALATION"),
    (china(MOMENTS[1]), 2, "RISK", "ESCALATION"),  # nobody at the outlet: the nearest unit above that has one
    (china(MOMENTS[2]), 3, "BRANCH-HEAD", "ESCALATION"),
    (china(MOMENTS[2]), 3, "RISK", "COPY"),
    (china(MOMENTS[3]), 4, "TOP-HEAD", "ESCALATION"),
]


async def test_a_level_is_reached_once_at_its_moment(branch: ClockedBranch) -> None:
    row = await branch.customer()
    await row.start("STEP", START)
    for moment, level, share, status in zip(
        MOMENTS, (1, 2, 3, 4), (0.5, 0.8, 1, 1.5), ("RUNNING", "RUNNING", "RUNNING", "MISSED"), strict=True
    ):
        await branch.advance(moment)
        read = await row.read("STEP")
        assert (read["level"], read["share"], read["status"]) == (level, share, status)
    await branch.advance("2026-04-01T09:00")
    notified = await branch.notifications()
    assert _reached(notified) == EXPECTED
    assert notified[1]["text"] == "STEP of Customer: 80 % of its time is spent; due 2026-02-24 10:00 UTC."
    assert {node["customer"]["name"] for node in notified} == {"Wang"}
    assert {(node["clock"]["name"], node["subject"]["__typename"]) for node in notified} == {("STEP", "Customer")}
    await row.change("stop", "STEP", china("2026-04-01T09:00"))
    late = await row.read("STEP")
    assert (late["status"], late["dueAt"]) == ("MISSED", "2026-02-24T10:00:00+00:00")


async def _until_notified(branch: ClockedBranch, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            if len(notified := await branch.notifications()) >= count:
                return notified
            await asyncio.sleep(0.05)


async def test_levels_whose_moments_came_while_no_hub_ran_are_reached_in_order(
    database_dsn: str,
) -> None:
    connection = await asyncpg.connect(database_dsn)
    pool = Pool(database_dsn, Settings(pool_size=1))
    async with open_clock_hub(database_dsn) as client:
        branch = ClockedBranch(client, pool)
        await branch.prepare()
        for minutes in (0, 15, 30):
            row = await branch.customer()
            await row.start("STEP", START + minutes * HOUR / 60)
    await connection.execute("update test_clock set now = $1", china("2026-04-01T09:00"))
    async with open_hub_client(database_dsn, Settings(clock="test", clock_start=START)) as client:
        branch.client = client
        notified = await _until_notified(branch, 3 * len(EXPECTED))
    await pool.close()
    in_order = await connection.fetch("select notified_at, level from notifications order by id")
    assert [row["notified_at"] for row in in_order] == sorted(row["notified_at"] for row in in_order)
    assert [row["level"] for row in in_order] == [1] * 3 + [2] * 3 + [3] * 6 + [4] * 3
    assert len(notified) == 3 * len(EXPECTED)
    await connection.close()


async def test_another_priority_keeps_what_was_spent(branch: ClockedBranch) -> None:
    silver = GOLD | {"code": "silver", "match": {"tier": {"eq": "SILVER"}}, "terms": [GOAL | {"goalSeconds": 28_800}]}
    await branch.client.query(POLICY, {"input": silver})
    row = await branch.customer()
    await row.start("STEP", START)
    await branch.advance("2026-02-14T10:00")  # two hours are spent
    await row.change("pause", "STEP", china("2026-02-14T11:00"))  # three
    await row.change("resume", "STEP", china("2026-02-24T09:00"))
    change = "mutation ($id: ID!) { customerUpdate(input: {id: $id, tier: SILVER}) { customer { id } } }"
    await branch.client.query(change, {"id": row.id})
    await row.rematch(china("2026-02-24T10:00"))
    read = await row.read("STEP")
    assert (read["policy"], read["goalSeconds"]) == ({"code": "silver"}, 28_800)
    assert datetime.fromisoformat(read["dueAt"]) == china("2026-02-24T15:30")  # five hours after 9:00
    assert await row.change("stop", "STEP", china("2026-02-24T15:30"))
    assert (await row.read("STEP"))["status"] == "MET"


async def test_another_revision_of_the_policy_moves_due_times(branch: ClockedBranch) -> None:
    row, own = await branch.customer(), await branch.customer()
    await row.start("STEP", START)
    await own.start("STEP", START, 2 * HOUR)
    longer = GOLD | {"terms": [GOAL | {"goalSeconds": 2 * 57_600}]}
    assert (await branch.client.query(POLICY, {"input": GOLD}))["slaPolicyUpsert"]["slaPolicy"]["revision"] == 1
    assert (await branch.client.query(POLICY, {"input": longer}))["slaPolicyUpsert"]["slaPolicy"]["revision"] == 2
    await branch.advance("2026-02-13T17:01")
    read = await row.read("STEP")
    assert datetime.fromisoformat(read["dueAt"]) == china("2026-02-27T10:00")
    assert (await own.read("STEP"))["goalSeconds"] == 7_200
    await branch.advance("2026-02-24T18:00")  # half of the longer goal: one level
    assert [entry[1] for entry in _reached(await branch.notifications()) if entry[2] == "OUTLET-HEAD"] == [1, 1]


async def test_another_calendar_keeps_what_was_spent(branch: ClockedBranch) -> None:
    row = await branch.customer()
    await row.start("STEP", START)
    await branch.advance("2026-02-24T10:00")  # 9.5 hours are spent
    afternoons = {day: ["14:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    await branch.client.query(CALENDAR, {"input": CHINA | {"weekly": afternoons}})
    await branch.advance("2026-02-24T10:01")
    read = await row.read("STEP")
    assert (read["spentSeconds"], read["remainingSeconds"]) == (34_200, 23_400)
    assert datetime.fromisoformat(read["dueAt"]) == china("2026-02-25T16:30")
    await branch.advance("2026-02-25T16:30")
    await row.change("stop", "STEP", china("2026-02-25T16:30"))
    assert (await row.read("STEP"))["status"] == "MET"


async def test_what_lies_beyond_the_horizon_is_due_when_the_calendar_goes_that_far(branch: ClockedBranch) -> None:
    short = CHINA | {"code": "short", "endsOn": "2026-02-25"}
    await branch.client.query(CALENDAR, {"input": short})
    far = GOLD | {"code": "far", "terms": [GOAL | {"calendar": "short", "goalSeconds": 100_000}]}
    error = await branch.client.error(POLICY, {"input": far})
    assert (error["code"], error["argument"]) == ("CALENDAR_HORIZON", "input.terms[0].goalSeconds")
    row = await branch.customer()
    await row.start("STEP", START, 30 * HOUR, calendar="short")
    read = await row.read("STEP")
    assert (read["status"], read["dueAt"]) == ("RUNNING", None)
    await branch.client.query(CALENDAR, {"input": short | {"endsOn": "2026-12-31"}})
    await branch.advance("2026-02-14T09:00")
    assert datetime.fromisoformat((await row.read("STEP"))["dueAt"]) == china("2026-02-26T17:00")
    never = CHINA | {"code": "never", "country": "", "weekly": {}}
    assert (await branch.client.error(CALENDAR, {"input": never}))["code"] == "CALENDAR_EMPTY"


async def test_a_task_of_a_policy_gets_no_further_task(branch: ClockedBranch) -> None:
    levels = [
        {"clock": "HANDLING", "level": 1, "atShare": "0.5", "act": "TASK", "role": "HEAD", "text": "Look after it"}
    ]
    policy = {"code": "tasks", "name": "Tasks", "entity": "Task", "position": 1, "escalationRules": levels}
    terms = [{"clock": "HANDLING", "goalSeconds": 3_600, "calendar": "china"}]
    await branch.client.query(POLICY, {"input": {**policy, "terms": terms}})
    roles = await branch.client.query('{ jobRoles(filter: {role: {eq: "RISK"}}) { nodes { staff { id } } } }')
    person = roles["jobRoles"]["nodes"][0]["staff"]["id"]
    create = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
    await branch.client.query(create, {"input": {"type": "CALL", "title": "Call", "staffId": person}})
    await branch.advance("2026-02-26T09:30")
    tasks = (await branch.client.query("{ tasks { nodes { title origin } } }"))["tasks"]["nodes"]
    assert sorted(task["title"] for task in tasks) == ["Call", "Look after it"]
