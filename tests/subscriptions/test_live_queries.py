"""Answers that are kept alive, through real sockets: told at once, and again when they are others, by a change or by time.

Streams of changes are test_change_streams.py's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, run_socket_hub, set_stage, wait_until_streams_idle

from hub.engine.execution.subscriptions import SubscriptionSource
from hub.subscriptions import live_queries
from hub.viewer import Role

EASTERN_CUSTOMER, NORTHERN_CUSTOMER = "Around the Horn", "Folk och fä HB"
LIVE = "subscription ($id: ID!) { customerLive(id: $id) { customer { stage orders { totalCount } } } }"
LIST = """subscription ($stage: Stage!) {
    customersLive(filter: {stage: {eq: $stage}}, first: 3) { cursor customers { totalCount nodes { name } } }
}"""
CHANGES_AFTER = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    ... on Change { node { ... on Customer { stage } } }
} }"""
RECENT_INTERACTIONS = """subscription {
    interactionsLive(filter: {kind: {eq: "said.just.now"}}) { interactions { nodes { resolved: %s } } }
}"""
# As if a minute had passed: no change says so.
AGE_INTERACTIONS_SQL = """
begin; set local hub.capture = off; update interactions set occurred_at = occurred_at - interval '1 minute'; commit
"""


@pytest.fixture(scope="module")
async def shared_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("northwind")) as hub:
        yield hub


@pytest.fixture
async def socket_hub(shared_hub: SocketHub) -> SocketHub:
    """A hub on Northwind, with what tests change as it was."""
    await shared_hub.connection.execute("update customers set stage = 'ACTIVE'")
    await wait_until_streams_idle(shared_hub)
    return shared_hub


async def add_interaction(socket_hub: SocketHub) -> None:
    """One interaction, about an order that it names."""
    await socket_hub.connection.execute("""
        with one as (select * from orders order by id limit 1)
        insert into interactions (customer_id, order_id, channel, direction, kind, body, occurred_at)
        select customer_id, id, 'WEB', 'INBOUND', 'said.just.now', 'Where is ord_' || replace(id::text, '-', ''), now() from one
    """)
    await wait_until_sequenced(socket_hub.connection)


async def test_an_answer_comes_at_once_and_again_when_it_is_another(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(LIVE, {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)}) as subscription:
        assert await subscription.next_root() == {"customer": {"stage": "ACTIVE", "orders": {"totalCount": 13}}}
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        assert await subscription.next_root() == {"customer": {"stage": "LOST", "orders": {"totalCount": 13}}}
        await socket_hub.connection.execute(
            "insert into orders (number, customer_id, status, placed_at, currency, net, freight)"
            " select 'N1', id, 'PLACED', now(), 'EUR', 0, 0 from customers where name = $1",
            EASTERN_CUSTOMER,
        )
        assert await subscription.next_root() == {"customer": {"stage": "LOST", "orders": {"totalCount": 14}}}
        await socket_hub.connection.execute("delete from orders where number = 'N1'")
        assert await subscription.next_root() == {"customer": {"stage": "LOST", "orders": {"totalCount": 13}}}


async def test_an_unchanged_result_is_not_sent_again(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(LIVE, {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)}) as subscription:
        await subscription.next_root()
        await socket_hub.connection.execute("update customers set country = 'FR' where name = $1", EASTERN_CUSTOMER)
        await set_stage(socket_hub, NORTHERN_CUSTOMER, "LOST")
        assert await subscription.is_silent(3 * live_queries.MIN_RERUN_INTERVAL)


async def test_a_live_list_follows_its_filter(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(LIST, {"stage": "LOST"}) as subscription:
        assert (await subscription.next_root())["customers"] == {"totalCount": 0, "nodes": []}
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        assert (await subscription.next_root())["customers"] == {"totalCount": 1, "nodes": [{"name": EASTERN_CUSTOMER}]}
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOYAL")
        assert (await subscription.next_root())["customers"] == {"totalCount": 0, "nodes": []}


async def test_changes_go_on_behind_the_cursor_of_a_frame(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(LIST, {"stage": "LOST"}) as subscription:
        cursor = (await subscription.next_root())["cursor"]
    await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
    await wait_until_sequenced(socket_hub.connection)
    async with socket_hub.subscribe(CHANGES_AFTER, {"after": cursor}) as subscription:
        stages = []
        while "LOST" not in stages:
            stages.append((await subscription.next_root())["node"]["stage"])


async def test_a_row_that_is_gone_is_null(socket_hub: SocketHub) -> None:
    await socket_hub.connection.execute(
        "insert into products (sku, name, category, unit_price, currency) values ('L', 'Lamp', 'Iron', 1, 'EUR')"
    )
    key = await socket_hub.connection.fetchval("select id from products where sku = 'L'")
    watch = "subscription ($id: ID!) { productLive(id: $id) { product { name } } }"
    async with socket_hub.subscribe(watch, {"id": f"prd_{key.hex}"}) as subscription:
        assert await subscription.next_root() == {"product": {"name": "Lamp"}}
        await socket_hub.connection.execute("delete from products where sku = 'L'")
        assert await subscription.next_root() == {"product": None}


async def test_a_bound_key_loses_a_customer_that_moves_away(socket_hub: SocketHub) -> None:
    unit = await socket_hub.connection.fetchval("select id from org_units where code = 'eastern'")
    key = await create_api_key(socket_hub.dsn, Role.READER, unit_id=unit)
    watch = "subscription ($id: ID!) { customerLive(id: $id) { customer { name } } }"
    moved = "update customers set unit_id = (select id from org_units where code = $1) where name = $2"
    async with socket_hub.subscribe(
        watch, {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)}, key=key
    ) as subscription:
        assert await subscription.next_root() == {"customer": {"name": EASTERN_CUSTOMER}}
        await socket_hub.connection.execute(moved, "northern", EASTERN_CUSTOMER)
        assert await subscription.next_root() == {"customer": None}
        await socket_hub.connection.execute(moved, "20852", EASTERN_CUSTOMER)
        assert await subscription.next_root() == {"customer": {"name": EASTERN_CUSTOMER}}


async def test_time_alone_changes_an_answer(socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_queries, "TIME_DEPENDENT_INTERVAL", 0.1)
    await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
    watch = 'subscription { customersLive(filter: {updatedAt: {withinLast: "PT2S"}}) { customers { totalCount } } }'
    async with socket_hub.subscribe(watch) as subscription:
        counts = [(await subscription.next_root())["customers"]["totalCount"]]
        while counts[-1]:
            counts.append((await subscription.next_root())["customers"]["totalCount"])
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("one", "other"), [("excerpt(words: 1)", "excerpt(words: 2)"), ("mentions { number }", "mentions { status }")]
)
async def test_live_queries_with_different_resolver_fields_are_separate_groups(
    socket_hub: SocketHub, one: str, other: str
) -> None:
    await add_interaction(socket_hub)
    async with (
        socket_hub.subscribe(RECENT_INTERACTIONS % one) as first,
        socket_hub.subscribe(RECENT_INTERACTIONS % other) as second,
    ):
        assert await first.next_root() != await second.next_root()


async def test_time_alone_changes_what_stands_behind_keys(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queries, "TIME_DEPENDENT_INTERVAL", 0.1)
    await socket_hub.connection.execute("delete from interactions where kind = 'said.just.now'")
    await add_interaction(socket_hub)
    recent = 'mentions { interactions(filter: {occurredAt: {withinLast: "PT1M"}}) { totalCount } }'
    async with socket_hub.subscribe(RECENT_INTERACTIONS % recent) as subscription:
        for count in (1, 0):
            node = {"resolved": [{"interactions": {"totalCount": count}}]}
            assert await subscription.next_root() == {"interactions": {"nodes": [node]}}
            await socket_hub.connection.execute(AGE_INTERACTIONS_SQL)


async def test_a_live_history_changes_when_its_partitions_are_dropped(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queries, "TIME_DEPENDENT_INTERVAL", 0.1)
    await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
    await wait_until_sequenced(socket_hub.connection)
    watch = (
        "subscription ($id: ID!) { customerLive(id: $id) { customer { history(first: 1) { nodes { operation } } } } }"
    )
    async with socket_hub.subscribe(watch, {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)}) as subscription:
        assert await subscription.next_root() == {"customer": {"history": {"nodes": [{"operation": "UPDATE"}]}}}
        await socket_hub.connection.execute("truncate change_log")
        assert await subscription.next_root() == {"customer": {"history": {"nodes": []}}}


async def test_a_list_sorted_by_recent_activity_is_not_sent_again(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queries, "TIME_DEPENDENT_INTERVAL", 0.1)
    recent = '{orders: {by: COUNT, where: {placedAt: {withinLast: "P20000D"}}}, direction: DESC}'
    watch = f"subscription {{ customersLive(orderBy: {recent}) {{ customers {{ pageInfo {{ endCursor }} }} }} }}"
    async with socket_hub.subscribe(watch) as subscription:
        await subscription.next_root()
        assert await subscription.is_silent(3 * live_queries.MIN_RERUN_INTERVAL)


async def test_the_same_answer_is_run_once_for_all_who_listen(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = 0
    original = SubscriptionSource.answer

    async def counted(*args: Any) -> Any:
        nonlocal runs
        runs += 1
        return await original(*args)

    monkeypatch.setattr(SubscriptionSource, "answer", counted)
    variables = {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)}
    async with socket_hub.subscribe(LIVE, variables) as one, socket_hub.subscribe(LIVE, variables) as two:
        await asyncio.gather(one.next_root(), two.next_root())
        before = runs
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        assert await one.next_root() == await two.next_root()
        assert runs == before + 1


async def test_live_answers_are_bounded(northwind_dsn: str) -> None:
    async with run_socket_hub(northwind_dsn, live_limit=1) as hub, hub.subscribe(LIST, {"stage": "LOST"}) as first:
        answer = await first.next_root()
        async with hub.subscribe(LIST, {"stage": "LOST"}) as same, hub.subscribe(LIST, {"stage": "LOYAL"}) as other:
            assert await same.next_root() == answer
            refused = await other.next_message()
    assert refused["payload"][0]["extensions"] == {"code": "LIVE_LIMIT", "limit": 1}


async def test_a_live_answer_that_is_cut_says_why(northwind_dsn: str) -> None:
    async with (
        run_socket_hub(northwind_dsn, key_recheck_interval=0.05, key_cache_ttl=0) as hub,
        hub.subscribe(LIST, {"stage": "LOST"}) as subscription,
    ):
        await subscription.next_root()
        await hub.connection.execute("update api_keys set role = 'reader'")
        message = await subscription.next_message()
    assert message["payload"][0]["extensions"] == {"code": "STREAM_ENDED", "reason": "PERMISSIONS_CHANGED"}
