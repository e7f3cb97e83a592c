"""The sample configuration of the work module: it loads, and loading it again changes nothing."""

from collections.abc import Collection, Sequence
from typing import Any

import asyncpg
from conftest import CreateDatabase
from people import person_of
from work_people import DECIDE, OPEN, STEPS
from writer_client import HubClient, open_hub_client

from hub.db.pool import Pool
from hub.settings import Settings
from hub.work_sample import load_work_sample

LOADED = """{
    calendars { nodes { code } } codeRules { nodes { name } } teams { nodes { code } } jobRoles { totalCount }
    processes { nodes { code revision steps(first: 20) { nodes { code goalSeconds } } } }
    slaPolicies { nodes { code } } reports { nodes { name owner } } disclosureLimits { nodes { type perPerson } }
    credentials { nodes { code limit currency staff { number } } }
}"""
CHANGES = "select count(*), max(id) from change_log"
GOAL_HOURS = [15, 15, 7.5, 15, 15, 3.75, 7.5, 3.75, 3.75]

OWNED = '{ customers(filter: {owner: {number: {eq: "4"}}}, first: 1) { nodes { id } } }'


async def _ended_credit(client: HubClient) -> str:
    """How a credit ends whose steps are decided by whoever may."""
    keys = {number: (await person_of(client, number, bound=False)).key for number in "123456789"}
    (customer,) = (await client.query(OWNED))["customers"]["nodes"]
    loan = {"process": "credit", "subjectId": customer["id"], "title": "Ovens", "amount": "1000000", "currency": "CNY"}
    item = (await client.query(OPEN, {"input": loan}, key=keys["1"]))["workItemOpen"]["workItem"]["id"]
    while (read := (await client.query(STEPS, {"id": item}))["workItem"])["status"] == "OPEN":
        assert await _decide(client, keys.values(), read["steps"]["nodes"]), read
    return str(read["status"])


async def _decide(client: HubClient, keys: Collection[str], steps: Sequence[dict[str, Any]]) -> bool:
    """Decides one open step with the first key that may; returns whether there was one."""
    for step in (step for step in steps if step["status"] == "OPEN"):
        for key in keys:
            for decision in ("DONE", "APPROVE"):
                variables = {"input": {"id": step["id"], "decision": decision}}
                if "errors" not in await client.execute(DECIDE, variables, key=key):
                    return True
    return False


async def test_the_sample_configuration_loads_twice_without_a_change(
    create_database: CreateDatabase, demo_dsn: str
) -> None:
    dsn = await create_database("northwind")
    connection = await asyncpg.connect(dsn)
    pool = Pool(dsn, Settings(), as_owner=True)
    try:
        await load_work_sample(Settings(), pool)
        first = await connection.fetchrow(CHANGES)
        await load_work_sample(Settings(), pool)
        assert await connection.fetchrow(CHANGES) == first
    finally:
        await pool.close()
        await connection.close()
    async with open_hub_client(dsn) as client:
        data = await client.query(LOADED)
        assert await _ended_credit(client) == "DONE"
    (process,) = data["processes"]["nodes"]
    assert [step["goalSeconds"] / 3600 for step in process["steps"]["nodes"]] == GOAL_HOURS
    assert {name: [row.get("code") or row.get("name") for row in data[name]["nodes"]] for name in
            ("calendars", "codeRules", "teams", "slaPolicies", "reports")} == {
        "calendars": ["around_the_clock", "cn"],
        "codeRules": ["applications"],
        "teams": ["credit_committee", "east_coast"],
        "slaPolicies": ["steps_of_work", "daily_logs", "gifts"],
        "reports": ["daily_log", "month_of_the_unit"],
    }  # fmt: skip
    assert data["disclosureLimits"]["nodes"] == [{"type": "HOSPITALITY", "perPerson": "200.0000"}]
    assert sorted(data["credentials"]["nodes"], key=lambda node: str(node["currency"])) == [
        {"code": "CREDIT", "limit": f"{limit}.0000", "currency": currency, "staff": {"number": "2"}}
        for limit, currency in ((10_000_000, "CNY"), (1_500_000, "USD"))
    ]
    assert data["jobRoles"]["totalCount"] == 11
