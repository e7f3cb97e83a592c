"""Subscriptions on a whole hub, through real sockets: changes as they happen.

Which changes are told is test_changes.py's; what sockets do, test_sockets.py's; answers kept alive, test_live_answers.py's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from change_reader import placed
from change_workload import until
from conftest import NewDatabase, key_for
from socket_hub import Streaming, set_stage, streaming

from hub.changefeed import feed
from hub.engine.execution.subscriptions import Watch
from hub.subscriptions import change_streams, registry
from hub.viewer import Role
from hub.web.websocket.operation import Operation

CROWD = 20
HERE, FAR = "Around the Horn", "Folk och fä HB"
STAGES = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    __typename
    ... on Change { cursor previousCursor operation node { ... on Customer { name stage } } }
    ... on StreamReady { cursor }
} }"""


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


async def ready(subscription: Any) -> str:
    """Waits until what follows is new; the cursor there."""
    while True:
        found = await subscription.next()
        if found["__typename"] == "StreamReady":
            return str(found["cursor"])


async def test_a_change_is_told_as_it_happens(hub: Streaming) -> None:
    async with hub.subscribed(STAGES) as subscription:
        at = await ready(subscription)
        await set_stage(hub, HERE, "LOST")
        told = await subscription.next()
        assert told == {
            "__typename": "Change",
            "cursor": told["cursor"],
            "previousCursor": at,
            "operation": "UPDATE",
            "node": {"name": HERE, "stage": "LOST"},
        }


async def test_a_mutation_is_told_too(hub: Streaming) -> None:
    async with hub.subscribed(STAGES) as subscription:
        await ready(subscription)
        move = 'mutation ($id: ID!) { customerStageMove(input: {id: $id, stage: LOYAL, reason: "x"}) { customer { stage } } }'
        await hub.ask(move, {"id": await hub.id_of(HERE)})
        assert (await subscription.next())["node"] == {"name": HERE, "stage": "LOYAL"}


async def test_who_comes_back_with_a_cursor_is_told_all_in_between(hub: Streaming) -> None:
    async with hub.subscribed(STAGES) as subscription:
        await ready(subscription)
        await set_stage(hub, HERE, "LOST")
        last = (await subscription.next())["cursor"]
    for stage in ("LOYAL", "DORMANT", "PROSPECT"):
        await set_stage(hub, HERE, stage)
    await placed(hub.rows)
    async with hub.subscribed(STAGES, {"after": last}) as subscription:
        seen = []
        for _ in range(3):
            told = await subscription.next()
            seen.append(told["node"]["stage"])
            assert told["previousCursor"] == last
            last = told["cursor"]
        assert seen == ["LOYAL", "DORMANT", "PROSPECT"]
        assert await ready(subscription) == last


async def test_subscribers_of_the_same_are_each_told_their_own_chain(hub: Streaming) -> None:
    async with hub.subscribed(STAGES) as first:
        await ready(first)
        await set_stage(hub, HERE, "LOST")
        told = await first.next()
        async with hub.subscribed(STAGES) as second:
            at = await ready(second)
            await set_stage(hub, HERE, "LOYAL")
            one, other = await first.next(), await second.next()
    assert (one["previousCursor"], other["previousCursor"]) == (told["cursor"], at)
    assert one["cursor"] == other["cursor"]


async def test_who_comes_back_while_the_last_one_leaves_misses_nothing(
    northwind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, waiting, gone = feed.Feed.behind, asyncio.Event(), asyncio.Event()

    async def slowly(self: feed.Feed, cursor: str) -> int:
        found = await behind(self, cursor)
        waiting.set()
        await gone.wait()
        return found

    monkeypatch.setattr(feed.Feed, "behind", slowly)
    async with streaming(northwind) as hub:
        async with hub.subscribed(STAGES) as last:
            at = await ready(last)
            again = asyncio.create_task(_next_stage(hub, at))
            await waiting.wait()
        await until(lambda: asyncio.sleep(0, hub.serving.presence.sockets == 1))
        gone.set()
        assert await again == "LOST"


async def test_those_who_come_back_together_are_read_to_at_once(
    hub: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hub.subscribed(STAGES) as subscription:
        before = await ready(subscription)
    for stage in ("LOST", "DORMANT"):
        await set_stage(hub, HERE, stage)
    await placed(hub.rows)
    subscribe, since, tell = change_streams.ChangeGroup.subscribe, feed.Feed.since, feed.Feed.told
    asked, told, there = 0, list[Sequence[int]](), asyncio.Event()

    def subscribed(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == CROWD:
            there.set()
        return subscribe(*given)

    async def looked(*given: Any, **named: Any) -> Any:
        await there.wait()
        return await since(*given, **named)

    async def counted(of: feed.Feed, watch: Watch, wanted: Sequence[int]) -> Any:
        told.append(wanted)
        return await tell(of, watch, wanted)

    monkeypatch.setattr(change_streams.ChangeGroup, "subscribe", subscribed)
    monkeypatch.setattr(feed.Feed, "since", looked)
    monkeypatch.setattr(feed.Feed, "told", counted)
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(hub.subscribed(STAGES, {"after": before})) for _ in range(CROWD)]
        for each in crowd:
            assert [(await each.next())["node"]["stage"] for _ in range(2)] == ["LOST", "DORMANT"]
    assert [len(each) for each in told] == [2]


async def _next_stage(hub: Streaming, after: str) -> str:
    """The stage that the first change behind a cursor tells, which is made once the stream is ready."""
    async with hub.subscribed(STAGES, {"after": after}) as subscription:
        await ready(subscription)
        await set_stage(hub, HERE, "LOST")
        return str((await subscription.next())["node"]["stage"])


async def test_a_cursor_below_a_change_goes_on_in_a_query(hub: Streaming) -> None:
    page = (
        "orders(first: 2, %sorderBy: {items: {by: COUNT}, direction: DESC}) { nodes { number } pageInfo { endCursor } }"
    )
    watch = f"""subscription {{ changes(filter: {{types: [CUSTOMER]}}) {{
        __typename ... on Change {{ node {{ ... on Customer {{ stage {page % ""} }} }} }} ... on StreamReady {{ cursor }}
    }} }}"""
    async with hub.subscribed(watch) as subscription:
        await ready(subscription)
        await set_stage(hub, HERE, "LOST")
        first = (await subscription.next())["node"]["orders"]
    query = f"query ($id: ID!, $after: Cursor!) {{ customer(id: $id) {{ {page % 'after: $after, '} }} }}"
    given = {"id": await hub.id_of(HERE), "after": first["pageInfo"]["endCursor"]}
    second = (await hub.ask(query, given))["customer"]["orders"]
    assert len({each["number"] for each in (*first["nodes"], *second["nodes"])}) == 4


async def test_the_cursor_of_a_page_goes_on_as_a_stream(hub: Streaming) -> None:
    await set_stage(hub, HERE, "LOST")
    await placed(hub.rows)
    query = STAGES.replace("subscription ($after: Cursor) { changes(", "query ($after: Cursor) { changes(first: 100, ")
    async with hub.subscribed(STAGES) as subscription:
        at = await ready(subscription)
    page = (await hub.ask(query, {"after": at}))["changes"]
    assert [each["__typename"] for each in page] == ["StreamReady"]
    async with hub.subscribed(STAGES, {"after": page[-1]["cursor"]}) as subscription:
        await ready(subscription)
        await set_stage(hub, HERE, "LOYAL")
        assert (await subscription.next())["node"]["stage"] == "LOYAL"


async def test_a_quiet_stream_says_how_far_it_is(hub: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_streams, "QUIET", 0.0)
    quiet = """subscription { changes(filter: {types: [PRODUCT]}) {
        __typename ... on Change { previousCursor } ... on StreamProgress { cursor } } }"""
    monkeypatch.setattr(registry, "LIFE", 0.05)
    async with hub.subscribed(quiet) as subscription:
        assert (await subscription.next())["__typename"] == "StreamReady"
        while (told := await subscription.next())["__typename"] == "StreamProgress":
            last = told["cursor"]
            if told["cursor"] == last:
                await hub.rows.execute("update products set unit_price = unit_price + 1 where name = 'Chai'")
        assert told["previousCursor"] == last


async def test_what_a_slow_client_has_no_room_for_is_read_again_later(
    hub: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, room, read = list[int](), asyncio.Event(), feed.Feed.told

    async def told(self: feed.Feed, watch: Watch, wanted: Sequence[int]) -> list[tuple[int, bytes]]:
        asked.append(len(wanted))
        return await read(self, watch, wanted)

    async with hub.subscribed(STAGES) as subscription:
        at = await ready(subscription)
    await hub.rows.execute("update customers set stage = 'LOST'")
    await placed(hub.rows)
    monkeypatch.setattr(feed.Feed, "told", told)
    monkeypatch.setattr(Operation, "full", property(lambda self: self.sent >= 3 and not room.is_set()))
    monkeypatch.setattr(Operation, "room", lambda _: room.wait())
    async with hub.subscribed(STAGES, {"after": at}) as subscription:
        names = [(await subscription.next())["node"]["name"] for _ in range(3)]
        assert await subscription.quiet(0.05)
        room.set()
        names += [(await subscription.next())["node"]["name"] for _ in range(88)]
        assert (await subscription.next())["__typename"] == "StreamReady"
    assert (len(set(names)), asked) == (91, [91, 10, 20, 40, 18])


FORK = """
with lost as (delete from change_order where position > $1 returning id),
    gone as (delete from change_log where id = any(array(select id from lost)))
insert into change_epochs (epoch, origin, began, at) select 7, origin, $1, now() from change_epochs order by at desc limit 1
"""
HEAD = "select coalesce(max(position), 0) from change_order"


@pytest.mark.parametrize(("lost", "names"), [(1, ["Chai", "Tofu"]), (3, ["Chai"])], ids=["few", "more than are made"])
async def test_who_was_told_what_the_database_has_lost_hears_so_and_others_go_on(
    northwind: str, lost: int, names: list[str]
) -> None:
    products = STAGES.replace("CUSTOMER", "PRODUCT").replace("Customer { name stage }", "Product { name }")
    async with streaming(northwind) as hub, hub.subscribed(STAGES) as told, hub.subscribed(products) as other:
        await ready(told)
        await ready(other)
        head = await hub.rows.fetchval(HEAD)
        for stage in ("LOST", "LOYAL", "DORMANT")[:lost]:
            await set_stage(hub, HERE, stage)
            await told.next()
        await hub.rows.execute(FORK.replace("$1", str(head)))
        await hub.rows.execute("update products set name = name || '!' where name = any($1)", names)
        refused = await told.message()
        assert refused["payload"][0]["extensions"]["code"] == "CURSOR_FORKED"
        assert [(await other.next())["operation"] for _ in names] == ["UPDATE"] * len(names)


async def test_what_the_database_loses_while_it_is_read_is_not_told(
    northwind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, read, lost = feed.Feed.told, asyncio.Event(), asyncio.Event()

    async def slow(of: feed.Feed, watch: Watch, wanted: Sequence[int]) -> Any:
        told = await tell(of, watch, wanted)
        if len(wanted) == 2:
            read.set()
            await lost.wait()
        return told

    monkeypatch.setattr(feed.Feed, "told", slow)
    async with streaming(northwind) as hub, hub.subscribed(STAGES) as other:
        before = await ready(other)
        for stage in ("LOST", "DORMANT"):
            await set_stage(hub, HERE, stage)
            await other.next()
        async with hub.subscribed(STAGES, {"after": before}) as behind:
            await read.wait()
            await hub.rows.execute(FORK.replace("$1", str(await hub.rows.fetchval(HEAD) - 1)))
            assert (await other.message())["payload"][0]["extensions"]["code"] == "CURSOR_FORKED"
            await set_stage(hub, HERE, "LOYAL")
            await placed(hub.rows)
            lost.set()
            told = [await behind.next() for _ in range(3)]  # among them that it has caught up, once
            assert [each["node"]["stage"] for each in told if "node" in each] == ["LOST", "LOYAL"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('subscription { changes(after: "x") { __typename } }', "CURSOR_MALFORMED"),
        ("subscription { changes { nothing } }", "FIELD_UNKNOWN"),
        ("subscription { a: changes { __typename } b: changes { __typename } }", "GRAPHQL_INVALID"),
        ("subscription ($no: Boolean = false) { changes @include(if: $no) { __typename } }", "GRAPHQL_INVALID"),
        ('subscription { customerLive(id: "x") { customer { id } } }', "ID_MALFORMED"),
        ("subscription { customersLive(first: 101) { customers { totalCount } } }", "PAGE_LIMIT"),
    ],
)
async def test_a_subscription_that_cannot_run_is_refused(hub: Streaming, query: str, code: str) -> None:
    async with hub.subscribed(query) as subscription:
        told = await subscription.message()
        assert (told["type"], told["payload"][0]["extensions"]["code"]) == ("error", code)


async def test_a_burst_is_told_in_order_and_whole(hub: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SCAN", 7)
    monkeypatch.setattr(change_streams, "RUN", 3)
    async with hub.subscribed(STAGES) as subscription:
        await ready(subscription)
        await hub.rows.execute("update customers set stage = 'LOST'")
        told = [await subscription.next() for _ in range(91)]
    chain = [each["cursor"] for each in told]
    assert [each["previousCursor"] for each in told[1:]] == chain[:-1]
    assert len({each["node"]["name"] for each in told}) == 91


async def test_a_key_of_one_customer_is_told_of_that_one(hub: Streaming) -> None:
    customer = await hub.rows.fetchval("select id from customers where name = $1", HERE)
    key = await key_for(hub.dsn, Role.READER, customer_id=customer)
    async with hub.subscribed(STAGES, key=key) as subscription:
        await ready(subscription)
        await set_stage(hub, FAR, "LOST")
        await set_stage(hub, HERE, "LOST")
        assert (await subscription.next())["node"]["name"] == HERE


async def first_event(hub: Streaming, **headers: str) -> dict[str, str]:
    """The first event of a response, which is left then."""
    wanted = {"authorization": f"Bearer {hub.key}", "accept": "text/event-stream", **headers}
    url = f"http://127.0.0.1:{hub.port}/graphql"
    found: dict[str, str] = {}
    async with (
        httpx2.AsyncClient(timeout=10) as client,
        client.stream("POST", url, json={"query": STAGES}, headers=wanted) as answer,
    ):
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                found[name] = value
            elif found:
                break
    return found


async def test_events_are_gone_on_from_also_when_nothing_had_happened_yet(hub: Streaming) -> None:
    ready = await first_event(hub)
    assert f'"cursor":"{ready["id"]}"' in ready["data"]
    await set_stage(hub, HERE, "LOST")
    await placed(hub.rows)
    told = await first_event(hub, **{"last-event-id": ready["id"]})
    assert f'"name":"{HERE}","stage":"LOST"' in told["data"]


async def test_streams_of_whole_tables_are_bounded_and_those_of_a_customer_are_not(northwind: str) -> None:
    wide = "subscription ($stage: Stage!) { changes(filter: {customer: {stage: {eq: $stage}}}) { __typename } }"
    narrow = "subscription ($id: ID!) { changes(filter: {customerId: $id}) { __typename } }"
    async with streaming(northwind, live_limit=1) as hub, hub.subscribed(wide, {"stage": "LOST"}) as first:
        await first.next()
        async with hub.subscribed(narrow, {"id": await hub.id_of(HERE)}) as one:
            assert await one.next() == {"__typename": "StreamReady"}
        async with hub.subscribed(wide, {"stage": "LOYAL"}) as other:
            refused = await other.message()
    assert refused["payload"][0]["extensions"] == {"code": "LIVE_LIMIT", "limit": 1}
