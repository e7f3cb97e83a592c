"""Customers are handed over between agents: a list that an agent keeps by its stream equals the query."""

import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from change_workload import wait_until
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import ADMIN

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
RULES = [
    {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"owner": {"id": {"eq": "$staff"}}}},
    {"entity": "Order", "verbs": ["READ"], "rowFilter": {"customer": {"owner": {"id": {"eq": "$staff"}}}}},
]
LISTS = """query ($customers: Cursor, $orders: Cursor) {
    customers(first: 100, after: $customers) { nodes { id version } pageInfo { hasNextPage endCursor } }
    orders(first: 100, after: $orders) { nodes { id version } pageInfo { hasNextPage endCursor } }
}"""
CHANGES = """query ($after: Cursor) { changes(after: $after, first: 100) {
    __typename ... on Change { cursor operation entityId version } ... on StreamReady { cursor }
} }"""


@pytest.fixture(scope="module")
async def agents(northwind_client: HubClient, connection: asyncpg.Connection) -> dict[UUID, str]:
    """The keys of three members of staff with the role of an agent."""
    await northwind_client.query(UPSERT, {"input": {"name": "hand-over", "rules": RULES}})
    staff = await connection.fetch("select id from staff order by number limit 3")
    keys = {}
    for (key,) in staff:
        new_key = api_keys.NewKey(name="agent", role="hand-over", staff_id=key)
        keys[key] = await api_keys.create(connection, ADMIN, new_key, now=datetime.now(UTC))
    return keys


async def listed(client: HubClient, key: str) -> dict[str, int]:
    """The versions of all customers and orders that a key sees, by their ids."""
    versions: dict[str, int] = {}
    for root in ("customers", "orders"):
        page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
        while page["hasNextPage"]:
            data = (await client.query(LISTS, {root: page["endCursor"]}, key=key))[root]
            versions |= {node["id"]: node["version"] for node in data["nodes"]}
            page = data["pageInfo"]
    return versions


async def follow(client: HubClient, key: str, after: str | None, versions: dict[str, int]) -> str | None:
    """Applies the messages after a cursor to the list; gives the cursor after the last."""
    while True:
        messages = (await client.query(CHANGES, {"after": after}, key=key))["changes"]
        for message in messages:
            after = message["cursor"]
            match message.get("operation"):
                case "ENTER" | "CREATE":
                    assert message["entityId"] not in versions
                    versions[message["entityId"]] = message["version"]
                case "LEAVE" | "DELETE":
                    del versions[message["entityId"]]
                case "UPDATE":
                    assert message["version"] > versions[message["entityId"]]
                    versions[message["entityId"]] = message["version"]
        if not messages or messages[-1]["__typename"] == "StreamReady":
            return after


@random_runs.draws("customers handed over")
async def test_a_list_that_follows_the_stream_equals_the_query(
    northwind_client: HubClient, connection: asyncpg.Connection, agents: dict[UUID, str], draws: int
) -> None:
    rng = random.Random(f"{random_runs.seed()} hand over")
    customers = [row[0] for row in await connection.fetch("select id from customers order by id")]
    followed = {staff: await listed(northwind_client, key) for staff, key in agents.items()}
    cursors = {staff: await follow(northwind_client, key, None, dict(followed[staff])) for staff, key in agents.items()}
    for _ in range(draws):
        owner = rng.choice([*agents, None])
        await connection.execute("update customers set owner_id = $2 where id = $1", rng.choice(customers), owner)
    for staff, key in agents.items():

        async def is_equal(staff: UUID = staff, key: str = key) -> bool:
            cursors[staff] = await follow(northwind_client, key, cursors[staff], followed[staff])
            return followed[staff] == await listed(northwind_client, key)

        await wait_until(is_equal)
    assert all(followed.values())
