"""Answers that are kept alive, through real sockets: told at once, and again when they are others, by a change or by time.

Streams of changes are test_streams.py's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from change_reader import placed
from conftest import NewDatabase, key_for
from socket_hub import Streaming, set_stage, streaming

from hub.engine.execution.subscriptions import Watch
from hub.subscriptions import live_queries
from hub.viewer import Role

HERE, FAR = "Around the Horn", "Folk och fä HB"
LIVE = "subscription ($id: ID!) { customerLive(id: $id) { customer { stage orders { totalCount } } } }"
LIST = """subscription ($stage: Stage!) {
    customersLive(filter: {stage: {eq: $stage}}, first: 3) { cursor customers { totalCount nodes { name } } }
}"""
BEHIND = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    ... on Change { node { ... on Customer { stage } } }
} }"""
SAID = """subscription {
    interactionsLive(filter: {kind: {eq: "said.just.now"}}) { interactions { nodes { told: %s } } }
}"""


@pytest.fixture(scope="module")
async def shared(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[Streaming]:
    async with streaming(await new_database("northwind")) as made:
        yield made


@pytest.fixture
async def hub(shared: Streaming) -> Streaming:
    """A hub on Northwind, with what tests change as it was."""
    await shared.rows.execute("update customers set stage = 'ACTIVE'")
    await placed(shared.rows)
    return shared


async def say(hub: Streaming) -> None:
    """One interaction, about an order that it names."""
    await hub.rows.execute("""
        with one as (select * from orders order by id limit 1)
        insert into interactions (customer_id, order_id, channel, direction, kind, body, occurred_at)
        select customer_id, id, 'WEB', 'INBOUND', 'said.just.now', 'Where is ord_' || replace(id::text, '-', ''), now() from one
    """)
    await placed(hub.rows)


async def test_an_answer_comes_at_once_and_again_when_it_is_another(hub: Streaming) -> None:
    async with hub.subscribed(LIVE, {"id": await hub.id_of(HERE)}) as subscription:
        assert await subscription.next() == {"customer": {"stage": "ACTIVE", "orders": {"totalCount": 13}}}
        await set_stage(hub, HERE, "LOST")
        assert await subscription.next() == {"customer": {"stage": "LOST", "orders": {"totalCount": 13}}}
        await hub.rows.execute(
            "insert into orders (number, customer_id, status, placed_at, currency, net, freight)"
            " select 'N1', id, 'PLACED', now(), 'EUR', 0, 0 from customers where name = $1",
            HERE,
        )
        assert await subscription.next() == {"customer": {"stage": "LOST", "orders": {"totalCount": 14}}}
        await hub.rows.execute("delete from orders where number = 'N1'")
        assert await subscription.next() == {"customer": {"stage": "LOST", "orders": {"totalCount": 13}}}


async def test_an_answer_that_stays_the_same_is_not_told_again(hub: Streaming) -> None:
    async with hub.subscribed(LIVE, {"id": await hub.id_of(HERE)}) as subscription:
        await subscription.next()
        await hub.rows.execute("update customers set country = 'FR' where name = $1", HERE)
        await set_stage(hub, FAR, "LOST")
        assert await subscription.quiet(3 * live_queries.EVERY)


async def test_a_live_list_follows_its_filter(hub: Streaming) -> None:
    async with hub.subscribed(LIST, {"stage": "LOST"}) as subscription:
        assert (await subscription.next())["customers"] == {"totalCount": 0, "nodes": []}
        await set_stage(hub, HERE, "LOST")
        assert (await subscription.next())["customers"] == {"totalCount": 1, "nodes": [{"name": HERE}]}
        await set_stage(hub, HERE, "LOYAL")
        assert (await subscription.next())["customers"] == {"totalCount": 0, "nodes": []}


async def test_changes_go_on_behind_the_cursor_of_a_frame(hub: Streaming) -> None:
    async with hub.subscribed(LIST, {"stage": "LOST"}) as subscription:
        at = (await subscription.next())["cursor"]
    await set_stage(hub, HERE, "LOST")
    await placed(hub.rows)
    async with hub.subscribed(BEHIND, {"after": at}) as subscription:
        stages = []
        while "LOST" not in stages:
            stages.append((await subscription.next())["node"]["stage"])


async def test_a_row_that_is_gone_is_null(hub: Streaming) -> None:
    await hub.rows.execute(
        "insert into products (sku, name, category, unit_price, currency) values ('L', 'Lamp', 'Iron', 1, 'EUR')"
    )
    key = await hub.rows.fetchval("select id from products where sku = 'L'")
    watch = "subscription ($id: ID!) { productLive(id: $id) { product { name } } }"
    async with hub.subscribed(watch, {"id": f"prd_{key.hex}"}) as subscription:
        assert await subscription.next() == {"product": {"name": "Lamp"}}
        await hub.rows.execute("delete from products where sku = 'L'")
        assert await subscription.next() == {"product": None}


async def test_a_key_is_kept_to_its_customers_when_one_moves_away(hub: Streaming) -> None:
    unit = await hub.rows.fetchval("select id from org_units where code = 'eastern'")
    key = await key_for(hub.dsn, Role.READER, unit_id=unit)
    watch = "subscription ($id: ID!) { customerLive(id: $id) { customer { name } } }"
    moved = "update customers set unit_id = (select id from org_units where code = $1) where name = $2"
    async with hub.subscribed(watch, {"id": await hub.id_of(HERE)}, key=key) as subscription:
        assert await subscription.next() == {"customer": {"name": HERE}}
        await hub.rows.execute(moved, "northern", HERE)
        assert await subscription.next() == {"customer": None}
        await hub.rows.execute(moved, "20852", HERE)
        assert await subscription.next() == {"customer": {"name": HERE}}


async def test_time_alone_changes_an_answer(hub: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_queries, "TIMED", 0.1)
    await set_stage(hub, HERE, "LOST")
    watch = 'subscription { customersLive(filter: {updatedAt: {withinLast: "PT2S"}}) { customers { totalCount } } }'
    async with hub.subscribed(watch) as subscription:
        counts = [(await subscription.next())["customers"]["totalCount"]]
        while counts[-1]:
            counts.append((await subscription.next())["customers"]["totalCount"])
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("one", "other"), [("excerpt(words: 1)", "excerpt(words: 2)"), ("mentions { number }", "mentions { status }")]
)
async def test_answers_that_differ_in_what_python_adds_are_told_apart(hub: Streaming, one: str, other: str) -> None:
    await say(hub)
    async with hub.subscribed(SAID % one) as first, hub.subscribed(SAID % other) as second:
        assert await first.next() != await second.next()


async def test_time_alone_changes_what_stands_behind_keys(hub: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_queries, "TIMED", 0.1)
    await hub.rows.execute("delete from interactions where kind = 'said.just.now'")
    await say(hub)
    recent = 'mentions { interactions(filter: {occurredAt: {withinLast: "PT2S"}}) { totalCount } }'
    async with hub.subscribed(SAID % recent) as subscription:
        for count in (1, 0):
            told = {"told": [{"interactions": {"totalCount": count}}]}
            assert await subscription.next() == {"interactions": {"nodes": [told]}}


async def test_history_that_is_forgotten_is_an_answer_that_time_changes(
    hub: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queries, "TIMED", 0.1)
    await set_stage(hub, HERE, "LOST")
    await placed(hub.rows)
    watch = (
        "subscription ($id: ID!) { customerLive(id: $id) { customer { history(first: 1) { nodes { operation } } } } }"
    )
    async with hub.subscribed(watch, {"id": await hub.id_of(HERE)}) as subscription:
        assert await subscription.next() == {"customer": {"history": {"nodes": [{"operation": "UPDATE"}]}}}
        await hub.rows.execute("truncate change_log")
        assert await subscription.next() == {"customer": {"history": {"nodes": []}}}


async def test_the_order_of_a_list_by_what_is_recent_is_not_told_again(
    hub: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queries, "TIMED", 0.1)
    recent = '{orders: {by: COUNT, where: {placedAt: {withinLast: "P20000D"}}}, direction: DESC}'
    watch = f"subscription {{ customersLive(orderBy: {recent}) {{ customers {{ pageInfo {{ endCursor }} }} }} }}"
    async with hub.subscribed(watch) as subscription:
        await subscription.next()
        assert await subscription.quiet(3 * live_queries.EVERY)


async def test_the_same_answer_is_run_once_for_all_who_listen(hub: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0
    run = Watch.frame

    async def counted(*given: Any) -> Any:
        nonlocal runs
        runs += 1
        return await run(*given)

    monkeypatch.setattr(Watch, "frame", counted)
    variables = {"id": await hub.id_of(HERE)}
    async with hub.subscribed(LIVE, variables) as one, hub.subscribed(LIVE, variables) as two:
        await asyncio.gather(one.next(), two.next())
        before = runs
        await set_stage(hub, HERE, "LOST")
        assert await one.next() == await two.next()
        assert runs == before + 1


async def test_live_answers_are_bounded(northwind: str) -> None:
    async with streaming(northwind, live_limit=1) as hub, hub.subscribed(LIST, {"stage": "LOST"}) as first:
        told = await first.next()
        async with hub.subscribed(LIST, {"stage": "LOST"}) as same, hub.subscribed(LIST, {"stage": "LOYAL"}) as other:
            assert await same.next() == told
            refused = await other.message()
    assert refused["payload"][0]["extensions"] == {"code": "LIVE_LIMIT", "limit": 1}


async def test_a_live_answer_that_is_cut_says_why(northwind: str) -> None:
    async with (
        streaming(northwind, key_recheck=0.05, key_cache_ttl=0) as hub,
        hub.subscribed(LIST, {"stage": "LOST"}) as subscription,
    ):
        await subscription.next()
        await hub.rows.execute("update api_keys set role = 'reader'")
        told = await subscription.message()
    assert told["payload"][0]["extensions"] == {"code": "STREAM_ENDED", "reason": "PERMISSIONS_CHANGED"}
