"""The sample configuration of the work module: it loads, and loading it again changes nothing."""

import asyncpg
from asgi_client import post_query
from conftest import CreateDatabase, create_api_key

from hub.app import lifespan
from hub.db.pool import Pool
from hub.settings import Settings
from hub.work_sample import load_work_sample

LOADED = """{
    calendars { nodes { code } } codeRules { nodes { name } } teams { nodes { code } } jobRoles { totalCount }
    processes { nodes { code revision steps(first: 20) { nodes { code goalSeconds } } } }
    slaPolicies { nodes { code } } reports { nodes { name owner } } disclosureLimits { nodes { type perPerson } }
}"""
CHANGES = "select count(*), max(id) from change_log"
GOAL_HOURS = [15, 15, 7.5, 15, 15, 3.75, 7.5, 3.75, 3.75]


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
    async with lifespan(Settings(), dsn) as app:
        data = (await post_query(app, LOADED, None, await create_api_key(dsn)))["data"]
    (process,) = data["processes"]["nodes"]
    assert [step["goalSeconds"] / 3600 for step in process["steps"]["nodes"]] == GOAL_HOURS
    assert {name: [row.get("code") or row.get("name") for row in data[name]["nodes"]] for name in
            ("calendars", "codeRules", "teams", "slaPolicies", "reports")} == {
        "calendars": ["around_the_clock", "cn"],
        "codeRules": ["applications"],
        "teams": ["credit_committee", "east_coast"],
        "slaPolicies": ["steps_of_work", "daily_logs"],
        "reports": ["daily_log", "month_of_the_unit"],
    }  # fmt: skip
    assert data["disclosureLimits"]["nodes"] == [{"type": "HOSPITALITY", "perPerson": "200.0000"}]
    assert data["jobRoles"]["totalCount"] == 11
