"""A stream whose next changes are no longer kept says so and goes on, whatever the database or the hub does meanwhile."""

import asyncio
from typing import Any

import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase
from socket_hub import run_socket_hub

from hub.changefeed.feed import ChangeFeed, ChangeHeader
from hub.errors import Unavailable

WATCH = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    __typename ... on StreamGap { from to reason } ... on StreamReady { cursor }
} }"""


async def test_a_gap_is_reported_even_if_the_database_is_unavailable_meanwhile(
    create_database: CreateDatabase, demo_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, refresh = ChangeFeed.headers_after, ChangeFeed.refresh
    away: list[str] = ["not yet"]  # whether the database is away when it is asked next

    async def since_then_fail(feed: ChangeFeed, position: int, *limit: int) -> list[ChangeHeader]:
        if away == ["not yet"]:
            away[:] = ["now"]
            await hub.connection.execute("update change_feed set least_position = 4")
        return await since(feed, position, *limit)

    async def failing_refresh(feed: ChangeFeed) -> Any:
        if away == ["now"]:
            away.clear()
            raise Unavailable("The database is away.")
        return await refresh(feed)

    async with run_socket_hub(await create_database("northwind")) as hub:
        await hub.connection.execute("update customers set stage = 'LOST' where country = 'DE'")
        await wait_until_sequenced(hub.connection)
        page = await hub.query("{ changes(first: 1) { ... on Change { cursor } } }")
        after = page["changes"][0]["cursor"]  # of position 1
        monkeypatch.setattr(ChangeFeed, "headers_after", since_then_fail)
        monkeypatch.setattr(ChangeFeed, "refresh", failing_refresh)
        async with hub.subscribe(WATCH, {"after": after}) as subscription:
            message = await subscription.next_root()
            assert (message["__typename"], message["from"], message["reason"]) == ("StreamGap", after, "RETENTION")
            while (await subscription.next_root())["__typename"] != "StreamReady":
                pass
        assert away == []


async def test_a_hub_paused_beyond_the_retention_reports_a_gap(
    create_database: CreateDatabase, demo_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, asleep, failed_read = ChangeFeed.headers_after, [False], asyncio.Event()

    async def since_unless_asleep(feed: ChangeFeed, *args: Any, **kwargs: Any) -> list[ChangeHeader]:
        if asleep[0]:
            failed_read.set()
            raise Unavailable("The hub sleeps.")
        return await since(feed, *args, **kwargs)

    monkeypatch.setattr(ChangeFeed, "headers_after", since_unless_asleep)
    async with run_socket_hub(await create_database("northwind")) as hub, hub.subscribe(WATCH) as subscription:
        before = (await subscription.next_root())["cursor"]
        asleep[0] = True
        await failed_read.wait()  # all that was read before is sent
        await hub.connection.execute("update customers set stage = 'LOST' where country = 'DE'")
        await wait_until_sequenced(hub.connection)
        await hub.connection.execute(
            "update change_feed set least_position = (select max(position) + 1 from change_order)"
        )
        asleep[0] = False
        message = await subscription.next_root()
        assert (message["__typename"], message["from"], message["reason"]) == ("StreamGap", before, "RETENTION")
        await hub.connection.execute(
            "update customers set stage = 'LOYAL' where id = (select min(id::text)::uuid from customers)"
        )
        assert (await subscription.next_root())["__typename"] == "Change"
