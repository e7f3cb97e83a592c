"""Job roles: one head at a time, successions, and who heads a unit that has no head of its own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from writer_client import HubClient

from hub.domain.work.job_roles import head_of, holders

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
UPSERT = (
    """mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id version fromAt toAt } } }"""
)
ROLES = """query ($unit: ID!, $at: DateTime) {
    orgUnit(id: $unit) { jobRoles(filter: {role: {eq: "HEAD"}, holds: {at: $at}}) { nodes { staff { number } } } } }"""


@pytest.fixture(autouse=True)
async def connection(northwind_client: HubClient) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database without job roles."""
    connection = await asyncpg.connect(northwind_client.dsn)
    try:
        await connection.execute("delete from job_roles")
        yield connection
    finally:
        await connection.close()


async def _leaf_and_root(client: HubClient) -> tuple[str, str]:
    units = (await client.query("{ orgUnits(first: 100) { nodes { id parent { id } units { totalCount } } } }"))[
        "orgUnits"
    ]["nodes"]
    root = next(unit["id"] for unit in units if unit["parent"] is None)
    return next(unit["id"] for unit in units if unit["parent"] and unit["units"]["totalCount"] == 0), root


async def _staff(client: HubClient) -> list[dict[str, str]]:
    return list((await client.query("{ staffMembers(first: 3) { nodes { id number } } }"))["staffMembers"]["nodes"])


async def _upsert(client: HubClient, staff: str, unit: str, since: str, role: str = "HEAD") -> Any:
    values = {"staffId": staff, "role": role, "unitId": unit, "fromAt": since}
    return (await client.query(UPSERT, {"input": values}))["jobRoleUpsert"]["jobRole"]


def _key(id: str) -> UUID:
    return UUID(id.partition("_")[2])


async def test_a_new_head_follows_the_former_one(northwind_client: HubClient) -> None:
    (leaf, _), (first, second, _) = await _leaf_and_root(northwind_client), await _staff(northwind_client)
    role = await _upsert(northwind_client, first["id"], leaf, "2026-01-01T00:00:00Z")
    assert await _upsert(northwind_client, first["id"], leaf, "2026-01-15T00:00:00Z") == role
    await _upsert(northwind_client, second["id"], leaf, "2026-02-01T00:00:00Z")

    async def heads(moment: str) -> list[str]:
        nodes = (await northwind_client.query(ROLES, {"unit": leaf, "at": moment}))["orgUnit"]["jobRoles"]["nodes"]
        return [node["staff"]["number"] for node in nodes]

    assert await heads("2025-12-31T00:00:00Z") == []
    assert await heads("2026-01-31T23:59:59Z") == [first["number"]]
    assert await heads("2026-02-01T00:00:00Z") == [second["number"]]
    values = {"staffId": second["id"], "role": "HEAD", "unitId": leaf, "fromAt": "2026-01-10T00:00:00Z"}
    error = await northwind_client.error(UPSERT, {"input": values})
    assert (error["code"], error["argument"]) == ("OVERLAP", "input.fromAt")


async def test_a_unit_without_a_head_has_that_of_the_nearest_unit_above(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    (leaf, root), (first, second, third) = await _leaf_and_root(northwind_client), await _staff(northwind_client)
    assert await head_of(connection, _key(leaf), now=NOW) is None
    await _upsert(northwind_client, first["id"], root, "2026-01-01T00:00:00Z")
    assert await head_of(connection, _key(leaf), now=NOW) == _key(first["id"])
    await _upsert(northwind_client, second["id"], leaf, "2026-01-01T00:00:00Z")
    assert await head_of(connection, _key(leaf), now=NOW) == _key(second["id"])
    assert await head_of(connection, _key(leaf), now=NOW, besides=_key(second["id"])) == _key(first["id"])
    for person in (third, first):
        await _upsert(northwind_client, person["id"], leaf, "2026-02-01T00:00:00Z", "RISK")
    assert set(await holders(connection, "RISK", _key(leaf), now=NOW)) == {_key(third["id"]), _key(first["id"])}
    await connection.execute("update staff set left_on = '2026-03-01' where id = $1", _key(third["id"]))
    assert await holders(connection, "RISK", _key(leaf), now=NOW) == [_key(first["id"])]
    await connection.execute("update staff set left_on = null where id = $1", _key(third["id"]))


async def test_a_role_is_of_a_unit_or_of_a_team(northwind_client: HubClient) -> None:
    (first, *_) = await _staff(northwind_client)
    error = await northwind_client.error(UPSERT, {"input": {"staffId": first["id"], "role": "HEAD"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.unitId")
