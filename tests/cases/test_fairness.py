"""One key leaves others their share: of connections, operations, live queries and webhooks.

Statements are held up by locks that the test takes, so that nothing depends on time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, run_socket_hub
from webhook_client import CREATE_WEBHOOK

from hub.changefeed.feed import MAX_SCANS
from hub.postgres import PostgresServer
from hub.viewer import Role

OPERATION_LIMIT, LIVE_LIMIT, WEBHOOK_LIMIT = 8, 2, 3
PRODUCTS = "{ products(first: 1) { nodes { name } } }"
TERRITORIES = "{ orgUnits(first: 1) { nodes { name } } }"
PRODUCT_UPDATE = (
    "mutation ($id: ID!, $name: String!) { productUpdate(input: {id: $id, name: $name}) { product { id } } }"
)
LIVE = "subscription ($stage: Stage!) { customersLive(filter: {stage: {eq: $stage}}) { customers { totalCount } } }"
CHANGES = "subscription { changes(filter: {types: [PRODUCT]}) { ... on Change { node { ... on Product { name } } } } }"
WAITING_FOR_LOCK = "select count(*) from pg_locks where not granted"


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    """A hub with low limits per key, whose statements may wait long for a lock."""
    limits = {"operation_limit": OPERATION_LIMIT, "key_live_limit": LIVE_LIMIT, "webhook_limit": WEBHOOK_LIMIT}
    limits["stream_pool_size"] = 2
    patience = {"statement_timeout": 60.0, "lock_timeout": 60.0, "request_timeout": 60.0}
    async with run_socket_hub(await create_database("northwind"), **limits, **patience) as hub:
        await answers(hub, await create_api_key(hub.dsn), TERRITORIES)  # so that its statement is known
        yield hub


async def post(hub: SocketHub, key: str, query: str, variables: Any = None) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        body = {"query": query, "variables": variables}
        address = f"http://127.0.0.1:{hub.port}/graphql"
        return await client.post(address, json=body, headers={"authorization": f"Bearer {key}"})


async def answers(hub: SocketHub, key: str, query: str) -> bool:
    return "errors" not in (await post(hub, key, query)).json()


async def error_of(hub: SocketHub, key: str, query: str, variables: Any = None) -> Any:
    (error,) = (await post(hub, key, query, variables)).json()["errors"]
    return error["extensions"] | {"message": error["message"]}


@asynccontextmanager
async def locked(hub: SocketHub, statement: str) -> AsyncIterator[None]:
    """Holds the locks of a statement during the block."""
    connection = await asyncpg.connect(hub.dsn)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def held_up(
    hub: SocketHub, keys: Sequence[str], requests: int, query: str = PRODUCTS
) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Requests of these keys in turn whose statement waits for a lock during the block."""
    async with asyncio.TaskGroup() as group, locked(hub, "lock table products in access exclusive mode"):
        tasks = [group.create_task(post(hub, keys[n % len(keys)], query)) for n in range(requests)]
        await wait_until(lambda: hub.connection.fetchval(WAITING_FOR_LOCK))
        yield tasks
    for task in tasks:
        assert task.result().status_code == 200


async def product_id(hub: SocketHub) -> str:
    return f"prd_{(await hub.connection.fetchval('select id from products limit 1')).hex}"


@pytest.mark.parametrize("requests", [1, 6, OPERATION_LIMIT])
async def test_x2_statements_of_one_key_that_do_not_end_leave_others_their_connections(
    hub: SocketHub, requests: int
) -> None:
    one, other = await create_api_key(hub.dsn, Role.READER), await create_api_key(hub.dsn, Role.READER)
    async with held_up(hub, [one], requests) as tasks:
        assert await answers(hub, other, TERRITORIES)
        assert not any(task.done() for task in tasks)


async def test_x2_the_keys_of_one_customer_share_a_turn(hub: SocketHub) -> None:
    customer = await hub.connection.fetchval("select id from customers limit 1")
    keys = [await create_api_key(hub.dsn, Role.READER, customer_id=customer) for _ in range(6)]
    async with held_up(hub, keys, 6, "{ products(first: 1) { nodes { sku } } }") as tasks:  # never run before
        assert await answers(hub, await create_api_key(hub.dsn), TERRITORIES)
        assert (await hub.connection.fetchval(WAITING_FOR_LOCK), any(task.done() for task in tasks)) == (1, False)


async def test_x2_slow_statements_of_many_keys_leave_others_their_connections(hub: SocketHub) -> None:
    keys = [await create_api_key(hub.dsn, Role.READER) for _ in range(12)]
    never_run = "{ products(first: 1) { nodes { category } } }"
    async with held_up(hub, keys, 12, never_run) as tasks:
        assert await answers(hub, await create_api_key(hub.dsn), TERRITORIES)
        assert not any(task.done() for task in tasks)


async def test_x2_mutations_of_one_key_that_do_not_end_leave_others_a_connection(hub: SocketHub) -> None:
    writer, other = await create_api_key(hub.dsn, Role.WRITER), await create_api_key(hub.dsn)
    variables = {"id": await product_id(hub), "name": "Chai"}
    async with asyncio.TaskGroup() as group, locked(hub, "lock table products in access exclusive mode"):
        writes = [group.create_task(post(hub, writer, PRODUCT_UPDATE, variables)) for _ in range(OPERATION_LIMIT)]
        await wait_until(lambda: hub.connection.fetchval(WAITING_FOR_LOCK))
        assert await answers(hub, other, TERRITORIES)
        assert not any(write.done() for write in writes)
    assert {write.result().status_code for write in writes} == {200}


async def test_x2_operations_of_one_key_are_bounded(hub: SocketHub) -> None:
    one, other = await create_api_key(hub.dsn, Role.READER), await create_api_key(hub.dsn, Role.READER)
    async with held_up(hub, [one], OPERATION_LIMIT):
        refused = await wait_until(lambda: refusal(hub, one))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        (error,) = refused.json()["errors"]
        assert error["extensions"] == {"code": "OPERATION_LIMIT", "limit": OPERATION_LIMIT}
        assert await answers(hub, other, TERRITORIES)
    assert await answers(hub, one, TERRITORIES)


async def refusal(hub: SocketHub, key: str) -> httpx2.Response | None:
    """The answer to one more request once all others have arrived."""
    response = await post(hub, key, TERRITORIES)
    return response if response.status_code == 429 else None


async def test_x6_live_queries_of_one_key_are_bounded_and_others_have_theirs(hub: SocketHub) -> None:
    one, other = await create_api_key(hub.dsn, Role.READER), await create_api_key(hub.dsn, Role.READER)
    async with hub.subscribe(LIVE, {"stage": "LOST"}, key=one) as first:
        await first.next_root()
        async with hub.subscribe(LIVE, {"stage": "LOYAL"}, key=one) as second:
            await second.next_root()
            for query, variables in ((LIVE, {"stage": "ACTIVE"}), (CHANGES, None)):
                async with hub.subscribe(query, variables, key=one) as third:
                    refused = (await third.next_message())["payload"][0]
                assert refused["extensions"] == {"code": "LIVE_LIMIT", "limit": LIVE_LIMIT}
            async with hub.subscribe(LIVE, {"stage": "LOST"}, key=one) as same:  # it costs no statement
                await same.next_root()
            async with hub.subscribe(LIVE, {"stage": "ACTIVE"}, key=other) as of_another:
                await of_another.next_root()
    await wait_until(lambda: opens(hub, one))


LIVE_PRODUCTS = """
subscription { customersLive(first: 1) { customers { nodes { name orders(first: 1) { nodes { items(first: 1) {
    nodes { product { name } } } } } } } } }
"""


async def test_x6_a_live_query_that_another_key_opened_first_does_not_wait_for_its_others(hub: SocketHub) -> None:
    one, other = await create_api_key(hub.dsn, Role.READER), await create_api_key(hub.dsn, Role.READER)
    shared = 'subscription { customersLive(filter: {name: {eq: "Shared"}}) { customers { totalCount } } }'
    async with (
        hub.subscribe(shared, key=one) as first,
        hub.subscribe(LIVE_PRODUCTS, key=one) as slow,
        hub.subscribe(shared, key=other) as second,
    ):
        for subscription in (first, slow, second):
            await subscription.next_root()
        async with locked(hub, "lock table products in access exclusive mode"):
            await hub.connection.execute("update customers set name = 'Alone' where name = 'Alfreds Futterkiste'")
            await wait_until(lambda: hub.connection.fetchval(WAITING_FOR_LOCK))
            await hub.connection.execute("update customers set name = 'Shared' where name = 'Alone'")
            assert (await second.next_root())["customers"] == {"totalCount": 1}


async def opens(hub: SocketHub, key: str) -> bool:
    """Whether the key may open one more live query."""
    async with hub.subscribe(LIVE, {"stage": "ACTIVE"}, key=key) as subscription:
        return bool((await subscription.next_message())["type"] == "next")


async def test_x7_webhooks_of_one_key_are_bounded_also_when_they_are_created_at_once(hub: SocketHub) -> None:
    one, other = await create_api_key(hub.dsn, Role.WRITER), await create_api_key(hub.dsn, Role.WRITER)
    webhook = {"url": "https://1.1.1.1/hook", "query": CHANGES}
    created = await asyncio.gather(*(post(hub, one, CREATE_WEBHOOK, webhook) for _ in range(WEBHOOK_LIMIT + 2)))
    errors = [error for response in created for error in response.json().get("errors", ())]
    assert [error["extensions"]["code"] for error in errors] == ["WEBHOOK_LIMIT"] * 2
    assert "errors" not in (await post(hub, other, CREATE_WEBHOOK, webhook)).json()


async def test_x8_a_webhook_is_its_own_keys_and_the_admins(hub: SocketHub) -> None:
    owner, writer = await create_api_key(hub.dsn, Role.WRITER), await create_api_key(hub.dsn, Role.WRITER)
    reader, admin = await create_api_key(hub.dsn, Role.READER), await create_api_key(hub.dsn)
    webhook = {"url": "https://1.1.1.1/secret", "query": CHANGES}
    row = (await post(hub, owner, CREATE_WEBHOOK, webhook)).json()["data"]["webhookCreate"]["webhook"]
    listed = '{ webhooks(filter: {url: {eq: "https://1.1.1.1/secret"}}) { totalCount nodes { url } } }'
    by_id = f'{{ node(id: "{row["id"]}") {{ id }} }}'
    logged = (
        """{ changes(filter: {types: [WEBHOOK]}, first: 100) { ... on Change { node { ... on Webhook { url } } } } }"""
    )
    for key, visible in ((owner, True), (admin, True), (writer, False), (reader, False)):
        data = (await post(hub, key, listed)).json()["data"]["webhooks"]
        assert data == {"totalCount": int(visible), "nodes": [{"url": webhook["url"]}] if visible else []}
        assert (await post(hub, key, by_id)).json()["data"] == {"node": {"id": row["id"]} if visible else None}
        messages = (await post(hub, key, logged)).json()["data"]["changes"]
        assert ({"node": {"url": webhook["url"]}} in messages) is visible
    for command in (
        "webhookSecretRotate(input: {id: $id}) { secret }",
        'webhookUpdate(input: {id: $id, url: "https://1.1.1.1/mine"}) { webhook { id } }',
        "webhookPause(input: {id: $id}) { webhook { id } }",
        "webhookDelete(input: {id: $id}) { deletedId }",
    ):
        mutation = f"mutation ($id: ID!) {{ {command} }}"
        assert (await error_of(hub, writer, mutation, {"id": row["id"]}))["code"] == "NOT_FOUND"
        assert "errors" not in (await post(hub, owner, mutation, {"id": row["id"]})).json()


CHAIN = (
    "{customers(filter:{orders:{every:{items:{every:{product:{items:{none:{order:{customer:{orders:{none:"
    '{freight:{gt:"999"}}}}}}}}}}}}},first:5){totalCount}}'
)
AS_VARIABLE = "query ($filter: CustomerFilter) { customers(filter: $filter) { totalCount } }"
# `contains` on a text without an index costs more than other conditions.
REASONS = {"orders": {"some": {"items": {"some": {"or": [{"reason": {"contains": text}} for text in "abcdefghij"]}}}}}
BOUGHT_TOGETHER = {"orders": {"some": {"items": {"some": {"product": {"items": {"some": {"quantity": {"gt": 1}}}}}}}}}


@pytest.mark.parametrize(
    ("query", "variables", "argument"),
    [
        (CHAIN, None, "filter"),
        (AS_VARIABLE, {"filter": {"or": [BOUGHT_TOGETHER, BOUGHT_TOGETHER]}}, "filter"),
        (AS_VARIABLE, {"filter": REASONS}, "filter"),
        (
            "{ orgUnits(orderBy: {customers: {by: COUNT, where: {orders: {some: {items: {some: {}}}}}}}) { totalCount } }",
            None,
            "orderBy",
        ),
    ],
)
async def test_x2_conditions_that_read_most_of_the_database_cost_too_much(
    hub: SocketHub, query: str, variables: Any, argument: str
) -> None:
    error = await error_of(hub, hub.key, query, variables)
    assert (error["code"], error["argument"], error["allowed"]) == ("COST_LIMIT", argument, 5_000)
    assert error["requested"] > 5_000


@pytest.mark.parametrize(
    "selection",
    [
        'customers(filter: {orders: {some: {items: {some: {product: {name: {contains: "Chai"}}}}}}})',
        "customers(filter: {orders: {every: {items: {none: {quantity: {gt: 100}}}}}})",
        'customers(filter: {orders: {some: {items: {some: {reason: {contains: "a"}}}}}})',
        "customers(orderBy: {orders: {by: COUNT}})",
        "products(filter: {items: {some: {order: {customer: {stage: {eq: ACTIVE}}}}}})",
    ],
)
async def test_x2_natural_conditions_are_answered(hub: SocketHub, selection: str) -> None:
    assert await answers(hub, hub.key, f"{{ {selection} {{ totalCount }} }}")


async def test_x11_scans_of_the_change_log_take_turns(hub: SocketHub, postgres_server: PostgresServer) -> None:
    scan = "{ changes(filter: {types: [SCORE]}, first: 100) { __typename } }"
    scanning = """select count(*) from pg_stat_activity
        where datname = $1 and wait_event_type = 'Lock' and query like '%match.position%'"""
    superuser = await asyncpg.connect(postgres_server.admin_dsn)  # others do not see what a role of its own waits for
    database = hub.dsn.rpartition("/")[2]
    keys = [await create_api_key(hub.dsn, Role.READER) for _ in range(6)]
    async with asyncio.TaskGroup() as group, locked(hub, "lock table change_log in access exclusive mode"):
        scans = [group.create_task(post(hub, key, scan)) for key in keys for _ in range(2)]

        async def both_scan() -> bool:
            return bool(await superuser.fetchval(scanning, database) == MAX_SCANS)

        await wait_until(both_scan)
        assert await answers(hub, hub.key, TERRITORIES)
        assert await both_scan()
    await superuser.close()
    assert {task.result().status_code for task in scans} == {200}
