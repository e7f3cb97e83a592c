"""Budgets over sockets, event streams, live queries, change streams and dry runs of webhooks. The clock is the tests'."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from change_workload import wait_until
from conftest import CreateDatabase
from limited_keys import BudgetHub, run_budget_hub
from socket_hub import set_stage, wait_until_streams_idle
from websocket_client import open_websocket

CUSTOMER = "Around the Horn"
TEN = "{ customers(first: 10) { nodes { name } } }"
ONE = "{ __typename }"
LIVE = """subscription { customersLive(filter: {stage: {eq: LOST}}, first: 10) {
    customers { totalCount nodes { name } }
} }"""
CHANGES = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { operation } } }"
DRY_RUN = "mutation ($query: String!) { webhookDryRun(input: {query: $query}) { deliveries } }"


@pytest.fixture(scope="module")
async def budgets(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[BudgetHub]:
    async with run_budget_hub(await create_database("northwind")) as hub:
        yield hub


async def balance(budgets: BudgetHub, key: str) -> int:
    """The key's balance before this question, which costs a point."""
    response: Any = (await budgets.post(key, ONE)).json()
    return int(response["extensions"]["cost"]["balance"]) + 1


async def test_on_a_socket_the_operation_is_refused_and_the_socket_stays(budgets: BudgetHub) -> None:
    key = await budgets.create_key(10, 4)
    async with open_websocket(budgets.hub.port, init=False) as socket:
        await socket.init({"authorization": f"Bearer {key}"})
        await socket.subscribe("a", TEN)
        answer = await socket.receive()
        assert answer["payload"]["extensions"]["cost"]["balance"] == 9
        assert (await socket.receive())["type"] == "complete"
        await socket.subscribe("b", TEN)
        refused = await socket.receive()
        assert (refused["id"], refused["type"]) == ("b", "error")
        assert refused["payload"][0]["extensions"] == {
            "code": "THROTTLED",
            "retryAfter": 0.25,
            "cost": {"requested": 10, "balance": 9, "capacity": 10, "refillPerSecond": 4},
        }
        budgets.clock.now += 0.25
        await socket.subscribe("b", TEN)
        assert (await socket.receive())["type"] == "next"


async def test_opening_a_stream_needs_the_points_of_one_run(budgets: BudgetHub) -> None:
    key = await budgets.create_key(10, 0.5)
    await budgets.post(key, TEN)
    refused = await budgets.post(key, LIVE, accept="text/event-stream")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "20")
    assert refused.json()["errors"][0]["extensions"]["code"] == "COST_ABOVE_BUDGET"


async def test_a_live_query_is_charged_for_each_run_and_runs_late_but_is_not_lost(budgets: BudgetHub) -> None:
    await budgets.hub.connection.execute("update customers set stage = 'ACTIVE'")
    await wait_until_streams_idle(budgets.hub)
    key = await budgets.create_key(20, 1)
    async with budgets.hub.subscribe(LIVE, key=key) as subscription:
        assert (await subscription.next_root())["customers"]["totalCount"] == 0
