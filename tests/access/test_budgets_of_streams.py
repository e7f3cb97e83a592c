"""Budgets over sockets, event streams, live queries, change streams and dry runs of webhooks. The clock is the tests'."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import CreateDatabase
from limited_keys import BudgetHub, run_budget_hub
from socket_hub import SocketSubscription, set_stage, wait_until_streams_idle
from websocket_client import open_websocket

from hub.subscriptions.live_queries import MIN_RERUN_INTERVAL

FIRST, SECOND = "Around the Horn", "Folk och fä HB"
TEN = "{ customers(first: 10) { nodes { name } } }"
ONE = "{ __typename }"
LIVE = """subscription { customersLive(filter: {stage: {eq: LOST}}, first: 10) {
    customers { totalCount nodes { name } }
} }"""
CHANGES = """subscription { changes(filter: {types: [CUSTOMER]}) {
    ... on Change { operation } ... on StreamReady { __typename }
} }"""
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


async def test_opening_a_stream_needs_the_points_of_one_run_and_costs_one(budgets: BudgetHub) -> None:
    key = await budgets.create_key(14, 0.5)
    await budgets.spend(key, 2)
    refused = await budgets.post(key, LIVE, accept="text/event-stream")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    extensions = refused.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["retryAfter"], extensions["cost"]["requested"]) == ("THROTTLED", 2, 13)
    async with budgets.hub.subscribe(LIVE, key=key) as subscription:
        message = await subscription.next_message()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "THROTTLED")
    budgets.clock.now += 2
    async with budgets.hub.subscribe(CHANGES, key=key) as subscription:
        assert await subscription.next_root() == {"__typename": "StreamReady"}
        assert await balance(budgets, key) == 12


async def test_a_stream_beyond_the_capacity_is_refused(budgets: BudgetHub) -> None:
    key = await budgets.create_key(12, 100)
    refused = await budgets.post(key, LIVE, accept="text/event-stream")
    assert (refused.status_code, "retry-after" in refused.headers) == (400, False)
    assert refused.json()["errors"][0]["extensions"]["code"] == "COST_ABOVE_BUDGET"


@pytest.fixture
async def all_active(budgets: BudgetHub) -> None:
    """All customers are active, and nobody is subscribed."""
    await budgets.hub.connection.execute("update customers set stage = 'ACTIVE'")
    await wait_until_streams_idle(budgets.hub)


@pytest.mark.usefixtures("all_active")
async def test_a_live_query_is_charged_per_run_and_runs_late_but_is_not_lost(budgets: BudgetHub) -> None:
    key = await budgets.create_key(20, 2)
    async with budgets.hub.subscribe(LIVE, key=key) as subscription:
        assert await customers(subscription) == []
        assert await balance(budgets, key) == 18
        await set_stage(budgets.hub, FIRST, "LOST")
        assert await customers(subscription) == [FIRST]
        await budgets.spend(key, 4)  # a run needs 13 points, and 12 are left
        await set_stage(budgets.hub, SECOND, "LOST")
        assert await subscription.is_silent(3 * MIN_RERUN_INTERVAL)
        budgets.clock.now += 0.5
        assert await customers(subscription) == [FIRST, SECOND]


@pytest.mark.usefixtures("all_active")
async def test_who_has_points_pays_for_a_live_query_that_others_share(budgets: BudgetHub) -> None:
    poor, rich = await budgets.create_key(20, 1), await budgets.create_key(50, 1)
    async with (
        budgets.hub.subscribe(LIVE, key=poor) as first,
        budgets.hub.subscribe(LIVE, key=rich) as second,
    ):
        assert [await customers(first), await customers(second)] == [[], []]
        await budgets.spend(poor, 100)
        await set_stage(budgets.hub, FIRST, "LOST")
        assert [await customers(first), await customers(second)] == [[FIRST], [FIRST]]
        await budgets.spend(rich, 100)
        async with budgets.hub.subscribe(LIVE) as unlimited:
            assert await customers(unlimited) == [FIRST]
            await set_stage(budgets.hub, FIRST, "ACTIVE")
            assert [await customers(s) for s in (first, second, unlimited)] == [[], [], []]


@pytest.mark.usefixtures("all_active")
async def test_changes_wait_in_the_log_while_their_reader_is_in_debt(budgets: BudgetHub) -> None:
    key = await budgets.create_key(20, 10)
    async with budgets.hub.subscribe(CHANGES, key=key) as subscription:
        assert await subscription.next_root() == {"__typename": "StreamReady"}
        await budgets.spend(key, 24)
        await set_stage(budgets.hub, FIRST, "LOST")
        await set_stage(budgets.hub, SECOND, "LOST")
        assert await subscription.is_silent(3 * MIN_RERUN_INTERVAL)
        budgets.clock.now += 2
        assert [await subscription.next_root() for _ in range(2)] == [{"operation": "UPDATE"}] * 2


async def test_a_dry_run_of_a_webhook_is_charged_like_any_mutation(budgets: BudgetHub) -> None:
    key = await budgets.create_key(12, 1)
    answers = [(await budgets.post(key, DRY_RUN, {"query": CHANGES})).json() for _ in range(3)]
    assert [answer["extensions"]["cost"]["balance"] for answer in answers[:2]] == [11, 10]
    assert answers[2]["errors"][0]["extensions"]["code"] == "THROTTLED"


async def test_a_page_of_changes_is_charged_for_the_time_that_it_reads_the_log(budgets: BudgetHub) -> None:
    key = await budgets.create_key(20, 1)
    page = (await budgets.post(key, "{ changes(first: 5) { ... on Change { operation } } }")).json()
    assert page["extensions"]["cost"]["requested"] == 5
    assert page["extensions"]["cost"]["balance"] == 19


async def customers(subscription: SocketSubscription) -> list[str]:
    """The names in the next answer of LIVE."""
    return [node["name"] for node in (await subscription.next_root())["customers"]["nodes"]]
