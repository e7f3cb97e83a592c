"""Subscriptions on a whole hub, through real sockets: changes as they happen.

Which changes are told is test_changes_query.py's; what sockets do, test_protocol.py's; live queries, test_live_queries.py's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until, wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, SocketSubscription, run_socket_hub, set_stage, wait_until_streams_idle

from hub.changefeed import feed
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.subscriptions import change_streams, registry
from hub.viewer import Role
from hub.web.websocket.operation import SocketOperation

SUBSCRIBERS = 20
EASTERN_CUSTOMER, NORTHERN_CUSTOMER = "Around the Horn", "Folk och fä HB"
STAGES = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    __typename
    ... on Change { cursor previousCursor operation node { ... on Customer { name stage } } }
    ... on StreamReady { cursor }
} }"""


@pytest.fixture(scope="module")
async def shared_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("northwind")) as streaming_hub:
        yield streaming_hub


@pytest.fixture
async def socket_hub(shared_hub: SocketHub) -> SocketHub:
    """A hub on Northwind, with what tests change as it was."""
    await shared_hub.connection.execute("update customers set stage = 'ACTIVE'")
    await wait_until_streams_idle(shared_hub)
    return shared_hub


async def wait_until_ready(subscription: SocketSubscription) -> str:
    """Waits until what follows is new; the cursor there."""
    while True:
        message = await subscription.next_root()
        if message["__typename"] == "StreamReady":
            return str(message["cursor"])


async def test_a_change_is_delivered_as_it_happens(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(STAGES) as subscription:
        cursor = await wait_until_ready(subscription)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        change = await subscription.next_root()
        assert change == {
            "__typename": "Change",
            "cursor": change["cursor"],
            "previousCursor": cursor,
            "operation": "UPDATE",
            "node": {"name": EASTERN_CUSTOMER, "stage": "LOST"},
        }


async def test_the_change_of_a_mutation_is_delivered(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(STAGES) as subscription:
        await wait_until_ready(subscription)
        move = 'mutation ($id: ID!) { customerStageMove(input: {id: $id, stage: LOYAL, reason: "x"}) { customer { stage } } }'
        await socket_hub.query(move, {"id": await socket_hub.customer_id(EASTERN_CUSTOMER)})
        assert (await subscription.next_root())["node"] == {"name": EASTERN_CUSTOMER, "stage": "LOYAL"}


async def test_resuming_with_a_cursor_delivers_all_missed_changes(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(STAGES) as subscription:
        await wait_until_ready(subscription)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        last = (await subscription.next_root())["cursor"]
    for stage in ("LOYAL", "DORMANT", "PROSPECT"):
        await set_stage(socket_hub, EASTERN_CUSTOMER, stage)
    await wait_until_sequenced(socket_hub.connection)
    async with socket_hub.subscribe(STAGES, {"after": last}) as subscription:
        seen = []
        for _ in range(3):
            change = await subscription.next_root()
            seen.append(change["node"]["stage"])
            assert change["previousCursor"] == last
            last = change["cursor"]
        assert seen == ["LOYAL", "DORMANT", "PROSPECT"]
        assert await wait_until_ready(subscription) == last


async def test_subscribers_of_one_group_have_their_own_cursor_chains(socket_hub: SocketHub) -> None:
    async with socket_hub.subscribe(STAGES) as first:
        await wait_until_ready(first)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        first_change = await first.next_root()
        async with socket_hub.subscribe(STAGES) as second:
            cursor = await wait_until_ready(second)
            await set_stage(socket_hub, EASTERN_CUSTOMER, "LOYAL")
            one, other = await first.next_root(), await second.next_root()
    assert (one["previousCursor"], other["previousCursor"]) == (first_change["cursor"], cursor)
    assert one["cursor"] == other["cursor"]


async def test_who_comes_back_while_the_last_one_leaves_misses_nothing(
    northwind_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, waiting, gone = feed.ChangeFeed.position_at_cursor, asyncio.Event(), asyncio.Event()

    async def slowly(self: feed.ChangeFeed, cursor: str) -> int:
        position = await behind(self, cursor)
        waiting.set()
        await gone.wait()
        return position

    monkeypatch.setattr(feed.ChangeFeed, "position_at_cursor", slowly)
    async with run_socket_hub(northwind_dsn) as hub:
        async with hub.subscribe(STAGES) as last:
            after = await wait_until_ready(last)
            again = asyncio.create_task(_next_stage(hub, after))
            await waiting.wait()
        await wait_until(lambda: asyncio.sleep(0, hub.http_server.connection_registry.open_sockets == 1))
        gone.set()
        assert await again == "LOST"


async def test_subscribers_that_resume_together_share_one_reader(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with socket_hub.subscribe(STAGES) as subscription:
        before = await wait_until_ready(subscription)
    for stage in ("LOST", "DORMANT"):
        await set_stage(socket_hub, EASTERN_CUSTOMER, stage)
    await wait_until_sequenced(socket_hub.connection)
    subscribe, since, render = (
        change_streams.StreamGroup.subscribe,
        feed.ChangeFeed.headers_after,
        feed.ChangeFeed.render,
    )
    subscriptions_seen, rendered, all_there = 0, list[Sequence[int]](), asyncio.Event()

    def counting_subscribe(*args: Any) -> Any:
        nonlocal subscriptions_seen
        subscriptions_seen += 1
        if subscriptions_seen == SUBSCRIBERS:
            all_there.set()
        return subscribe(*args)

    async def since_when_all_are_there(*args: Any, **kwargs: Any) -> Any:
        await all_there.wait()
        return await since(*args, **kwargs)

    async def counting_render(changefeed: feed.ChangeFeed, source: SubscriptionSource, positions: Sequence[int]) -> Any:
        rendered.append(positions)
        return await render(changefeed, source, positions)

    monkeypatch.setattr(change_streams.StreamGroup, "subscribe", counting_subscribe)
    monkeypatch.setattr(feed.ChangeFeed, "headers_after", since_when_all_are_there)
    monkeypatch.setattr(feed.ChangeFeed, "render", counting_render)
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(socket_hub.subscribe(STAGES, {"after": before})) for _ in range(SUBSCRIBERS)
        ]
        for subscription in streams:
            assert [(await subscription.next_root())["node"]["stage"] for _ in range(2)] == ["LOST", "DORMANT"]
    assert [len(batch) for batch in rendered] == [2]


async def _next_stage(socket_hub: SocketHub, after: str) -> str:
    """The stage that the first change behind a cursor tells, which is made once the stream is ready."""
    async with socket_hub.subscribe(STAGES, {"after": after}) as subscription:
        await wait_until_ready(subscription)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        return str((await subscription.next_root())["node"]["stage"])


async def test_a_cursor_below_a_change_goes_on_in_a_query(socket_hub: SocketHub) -> None:
    page = (
        "orders(first: 2, %sorderBy: {items: {by: COUNT}, direction: DESC}) { nodes { number } pageInfo { endCursor } }"
    )
    watch = f"""subscription {{ changes(filter: {{types: [CUSTOMER]}}) {{
        __typename ... on Change {{ node {{ ... on Customer {{ stage {page % ""} }} }} }} ... on StreamReady {{ cursor }}
    }} }}"""
    async with socket_hub.subscribe(watch) as subscription:
        await wait_until_ready(subscription)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        first = (await subscription.next_root())["node"]["orders"]
    query = f"query ($id: ID!, $after: Cursor!) {{ customer(id: $id) {{ {page % 'after: $after, '} }} }}"
    variables = {"id": await socket_hub.customer_id(EASTERN_CUSTOMER), "after": first["pageInfo"]["endCursor"]}
    second = (await socket_hub.query(query, variables))["customer"]["orders"]
    assert len({order["number"] for order in (*first["nodes"], *second["nodes"])}) == 4


async def test_the_cursor_of_a_page_goes_on_as_a_stream(socket_hub: SocketHub) -> None:
    await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
    await wait_until_sequenced(socket_hub.connection)
    query = STAGES.replace("subscription ($after: Cursor) { changes(", "query ($after: Cursor) { changes(first: 100, ")
    async with socket_hub.subscribe(STAGES) as subscription:
        cursor = await wait_until_ready(subscription)
    page = (await socket_hub.query(query, {"after": cursor}))["changes"]
    assert [message["__typename"] for message in page] == ["StreamReady"]
    async with socket_hub.subscribe(STAGES, {"after": page[-1]["cursor"]}) as subscription:
        await wait_until_ready(subscription)
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOYAL")
        assert (await subscription.next_root())["node"]["stage"] == "LOYAL"


async def test_a_quiet_stream_says_how_far_it_is(socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_streams, "PROGRESS_INTERVAL", 0.0)
    quiet = """subscription { changes(filter: {types: [PRODUCT]}) {
        __typename ... on Change { previousCursor } ... on StreamProgress { cursor } } }"""
    monkeypatch.setattr(registry, "KEEPALIVE_INTERVAL", 0.05)
    async with socket_hub.subscribe(quiet) as subscription:
        assert (await subscription.next_root())["__typename"] == "StreamReady"
        while (message := await subscription.next_root())["__typename"] == "StreamProgress":
            last = message["cursor"]
            if message["cursor"] == last:
                await socket_hub.connection.execute(
                    "update products set unit_price = unit_price + 1 where name = 'Chai'"
                )
        assert message["previousCursor"] == last


async def test_changes_that_a_slow_client_cannot_buffer_are_read_again_later(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_sizes, drained, original = list[int](), asyncio.Event(), feed.ChangeFeed.render

    async def counting_render(
        self: feed.ChangeFeed, source: SubscriptionSource, positions: Sequence[int]
    ) -> list[tuple[int, bytes]]:
        batch_sizes.append(len(positions))
        return await original(self, source, positions)

    async with socket_hub.subscribe(STAGES) as subscription:
        cursor = await wait_until_ready(subscription)
    await socket_hub.connection.execute("update customers set stage = 'LOST'")
    await wait_until_sequenced(socket_hub.connection)
    monkeypatch.setattr(feed.ChangeFeed, "render", counting_render)
    monkeypatch.setattr(
        SocketOperation, "is_backpressured", property(lambda self: self.sent >= 3 and not drained.is_set())
    )
    monkeypatch.setattr(SocketOperation, "drained", lambda _: drained.wait())
    async with socket_hub.subscribe(STAGES, {"after": cursor}) as subscription:
        names = [(await subscription.next_root())["node"]["name"] for _ in range(3)]
        assert await subscription.is_silent(0.05)
        drained.set()
        names += [(await subscription.next_root())["node"]["name"] for _ in range(88)]
        assert (await subscription.next_root())["__typename"] == "StreamReady"
    assert (len(set(names)), batch_sizes) == (91, [91, 10, 20, 40, 18])


FORK_LOG = """
with lost as (delete from change_order where position > $1 returning id),
    gone as (delete from change_log where id = any(array(select id from lost)))
insert into change_epochs (epoch, origin, began, at) select 7, origin, $1, now() from change_epochs order by at desc limit 1
"""
LAST_POSITION = "select coalesce(max(position), 0) from change_order"


@pytest.mark.parametrize(("lost", "names"), [(1, ["Chai", "Tofu"]), (3, ["Chai"])], ids=["few", "more than are made"])
async def test_a_fork_ends_streams_that_sent_lost_changes_and_no_others(
    northwind_dsn: str, lost: int, names: list[str]
) -> None:
    products = STAGES.replace("CUSTOMER", "PRODUCT").replace("Customer { name stage }", "Product { name }")
    async with run_socket_hub(northwind_dsn) as hub, hub.subscribe(STAGES) as forked, hub.subscribe(products) as other:
        await wait_until_ready(forked)
        await wait_until_ready(other)
        last_position = await hub.connection.fetchval(LAST_POSITION)
        for stage in ("LOST", "LOYAL", "DORMANT")[:lost]:
            await set_stage(hub, EASTERN_CUSTOMER, stage)
            await forked.next_root()
        await hub.connection.execute(FORK_LOG.replace("$1", str(last_position)))
        await hub.connection.execute("update products set name = name || '!' where name = any($1)", names)
        refused = await forked.next_message()
        assert refused["payload"][0]["extensions"]["code"] == "CURSOR_FORKED"
        assert [(await other.next_root())["operation"] for _ in names] == ["UPDATE"] * len(names)


async def test_changes_lost_while_being_read_are_not_delivered(
    northwind_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render, read, lost = feed.ChangeFeed.render, asyncio.Event(), asyncio.Event()

    async def slow_render(changefeed: feed.ChangeFeed, source: SubscriptionSource, positions: Sequence[int]) -> Any:
        messages = await render(changefeed, source, positions)
        if len(positions) == 2:
            read.set()
            await lost.wait()
        return messages

    monkeypatch.setattr(feed.ChangeFeed, "render", slow_render)
    async with run_socket_hub(northwind_dsn) as hub, hub.subscribe(STAGES) as other:
        before = await wait_until_ready(other)
        for stage in ("LOST", "DORMANT"):
            await set_stage(hub, EASTERN_CUSTOMER, stage)
            await other.next_root()
        async with hub.subscribe(STAGES, {"after": before}) as behind:
            await read.wait()
            await hub.connection.execute(FORK_LOG.replace("$1", str(await hub.connection.fetchval(LAST_POSITION) - 1)))
            assert (await other.next_message())["payload"][0]["extensions"]["code"] == "CURSOR_FORKED"
            await set_stage(hub, EASTERN_CUSTOMER, "LOYAL")
            await wait_until_sequenced(hub.connection)
            lost.set()
            messages = [await behind.next_root() for _ in range(3)]  # among them that it has caught up, once
            assert [message["node"]["stage"] for message in messages if "node" in message] == ["LOST", "LOYAL"]


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
async def test_a_subscription_that_cannot_run_is_refused(socket_hub: SocketHub, query: str, code: str) -> None:
    async with socket_hub.subscribe(query) as subscription:
        message = await subscription.next_message()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)


async def test_a_burst_is_delivered_completely_and_in_order(
    socket_hub: SocketHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SCAN_BATCH", 7)
    monkeypatch.setattr(change_streams, "RENDER_BATCH", 3)
    async with socket_hub.subscribe(STAGES) as subscription:
        await wait_until_ready(subscription)
        await socket_hub.connection.execute("update customers set stage = 'LOST'")
        messages = [await subscription.next_root() for _ in range(91)]
    chain = [message["cursor"] for message in messages]
    assert [message["previousCursor"] for message in messages[1:]] == chain[:-1]
    assert len({message["node"]["name"] for message in messages}) == 91


async def test_a_key_bound_to_a_customer_gets_changes_of_that_customer_only(socket_hub: SocketHub) -> None:
    customer = await socket_hub.connection.fetchval("select id from customers where name = $1", EASTERN_CUSTOMER)
    key = await create_api_key(socket_hub.dsn, Role.READER, customer_id=customer)
    async with socket_hub.subscribe(STAGES, key=key) as subscription:
        await wait_until_ready(subscription)
        await set_stage(socket_hub, NORTHERN_CUSTOMER, "LOST")
        await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
        assert (await subscription.next_root())["node"]["name"] == EASTERN_CUSTOMER


async def first_event(socket_hub: SocketHub, **headers: str) -> dict[str, str]:
    """The first event of a response, which is left then."""
    request_headers = {"authorization": f"Bearer {socket_hub.key}", "accept": "text/event-stream", **headers}
    url = f"http://127.0.0.1:{socket_hub.port}/graphql"
    event: dict[str, str] = {}
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream("POST", url, json={"query": STAGES}, headers=request_headers) as answer,
    ):
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                event[name] = value
            elif event:
                break
    return event


async def test_events_are_gone_on_from_also_when_nothing_had_happened_yet(socket_hub: SocketHub) -> None:
    ready_event = await first_event(socket_hub)
    assert f'"cursor":"{ready_event["id"]}"' in ready_event["data"]
    await set_stage(socket_hub, EASTERN_CUSTOMER, "LOST")
    await wait_until_sequenced(socket_hub.connection)
    event = await first_event(socket_hub, **{"last-event-id": ready_event["id"]})
    assert f'"name":"{EASTERN_CUSTOMER}","stage":"LOST"' in event["data"]


async def test_streams_of_whole_tables_are_bounded_and_those_of_a_customer_are_not(northwind_dsn: str) -> None:
    wide = "subscription ($stage: Stage!) { changes(filter: {customer: {stage: {eq: $stage}}}) { __typename } }"
    narrow = "subscription ($id: ID!) { changes(filter: {customerId: $id}) { __typename } }"
    async with run_socket_hub(northwind_dsn, live_limit=1) as hub, hub.subscribe(wide, {"stage": "LOST"}) as first:
        await first.next_root()
        async with hub.subscribe(narrow, {"id": await hub.customer_id(EASTERN_CUSTOMER)}) as one:
            assert await one.next_root() == {"__typename": "StreamReady"}
        async with hub.subscribe(wide, {"stage": "LOYAL"}) as other:
            refused = await other.next_message()
    assert refused["payload"][0]["extensions"] == {"code": "LIVE_LIMIT", "limit": 1}
