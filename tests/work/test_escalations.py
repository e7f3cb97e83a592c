"""Levels of escalation: reached once each, in the order of their moments, also after the hub was down; who is notified."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from clock_hub import ADVANCE, CREATE, POLICY, START, UNIT, ClockedCustomer, china, open_clock_hub
from writer_client import HubClient

from hub.db.pool import Pool
from hub.settings import Settings

STAFF = "mutation ($input: StaffCreateInput!) { staffCreate(input: $input) { staff { id } } }"
ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
TOLD = """{ notifications(orderBy: {field: NOTIFIED_AT, direction: ASC}) { nodes {
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


class Branch:
    """A hub with three units in a line, heads, a risk officer at the top, and a pool beside the hub's."""

    def __init__(self, client: HubClient, pool: Pool) -> None:
        self.client, self.pool = client, pool
        self.units: dict[str, str] = {}

    async def prepare(self) -> None:
        """Makes the units and people, and the policy."""
        roots = await self.client.query('{ orgUnits(filter: {code: {eq: "root"}}) { nodes { id } } }')
        self.units["root"] = roots["orgUnits"]["nodes"][0]["id"]
        for code, kind, parent in (("branch", "BRANCH", "root"), ("outlet", "OUTLET", "branch")):
            unit = {"code": code, "name": code, "kind": kind, "parentId": self.units[parent]}
            self.units[code] = (await self.client.query(UNIT, {"input": unit}))["orgUnitCreate"]["orgUnit"]["id"]
        for number, role, unit in (
            ("OUTLET-HEAD", "HEAD", "outlet"), ("BRANCH-HEAD", "HEAD", "branch"),
            ("TOP-HEAD", "HEAD", "root"), ("RISK", "RISK", "branch"),
        ):  # fmt: skip
            person = {"number": number, "name": number, "unitId": self.units[unit]}
            staff = (await self.client.query(STAFF, {"input": person}))["staffCreate"]["staff"]["id"]
            role_input = {"staffId": staff, "role": role, "unitId": self.units[unit], "fromAt": "2026-01-01T00:00:00Z"}
            await self.client.query(ROLE, {"input": role_input})
        await self.client.query(POLICY, {"input": GOLD})

    async def customer(self, name: str = "Wang", tier: str = "GOLD") -> ClockedCustomer:
        values = {"name": name, "tier": tier, "unitId": self.units["outlet"]}
        created = await self.client.query(CREATE, {"input": values})
        return ClockedCustomer(self.client, self.pool, created["customerCreate"]["customer"]["id"])

    async def told(self) -> list[dict[str, Any]]:
        """All notifications, by their moments."""
        nodes: list[dict[str, Any]] = (await self.client.query(TOLD))["notifications"]["nodes"]
        return nodes

    async def advance(self, text: str) -> None:
        await self.client.query(ADVANCE, {"to": china(text).isoformat()})


@pytest.fixture
async def branch(database_dsn: str) -> AsyncIterator[Branch]:
    pool = Pool(database_dsn, Settings(pool_size=1))
    async with open_clock_hub(database_dsn) as client:
        branch = Branch(client, pool)
        await branch.prepare()
        yield branch
    await pool.close()


def _reached(told: Sequence[dict[str, Any]]) -> list[tuple[datetime, int, str, str]]:
    return [
        (datetime.fromisoformat(node["notifiedAt"]), node["level"], node["staff"]["number"], node["type"])
        for node in told
    ]


EXPECTED = [
    (china(MOMENTS[0]), 1, "OUTLET-HEAD", "ESCALATION"),
    (china(MOMENTS[1]), 2, "RISK", "ESCALATION"),  # nobody at the outlet: the nearest unit above that has one
    (china(MOMENTS[2]), 3, "BRANCH-HEAD", "ESCALATION"),
    (china(MOMENTS[2]), 3, "RISK", "COPY"),
    (china(MOMENTS[3]), 4, "TOP-HEAD", "ESCALATION"),
]


async def test_each_level_is_reached_once_at_its_moment(branch: Branch) -> None:
    row = await branch.customer()
    await row.start("STEP", START)
    for moment, level, share, status in zip(
        MOMENTS, (1, 2, 3, 4), (0.5, 0.8, 1, 1.5), ("RUNNING", "RUNNING", "RUNNING", "MISSED"), strict=True
    ):
        await branch.advance(moment)
        read = await row.read("STEP")
        assert (read["level"], read["share"], read["status"]) == (level, share, status)
    await branch.advance("2026-04-01T09:00")
    told = await branch.told()
    assert _reached(told) == EXPECTED
    assert told[1]["text"] == "STEP of Customer: 80 % of its time is spent; due 2026-02-24 10:00 UTC."
    assert {node["customer"]["name"] for node in told} == {"Wang"}
    assert {(node["clock"]["name"], node["subject"]["__typename"]) for node in told} == {("STEP", "Customer")}
    await row.change("stop", "STEP", china("2026-04-01T09:00"))
    late = await row.read("STEP")
    assert (late["status"], late["dueAt"]) == ("MISSED", "2026-02-24T10:00:00+00:00")
