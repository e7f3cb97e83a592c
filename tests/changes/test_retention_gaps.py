"""A stream whose next changes are no longer kept says so and goes on, whatever the database or the hub does meanwhile."""

from typing import Any

import pytest
from change_reader import placed
from conftest import NewDatabase
from socket_hub import streaming

from hub.changefeed.feed import Feed, Head
from hub.errors import Unavailable

WATCH = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [CUSTOMER]}) {
    __typename ... on StreamGap { from to reason } ... on StreamReady { cursor }
} }"""


async def test_a_gap_is_told_also_when_the_database_is_away_just_then(
    new_database: NewDatabase, demo_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, refresh = Feed.since, Feed.refresh
    away: list[str] = ["not yet"]  # whether the database is away when it is asked next

    async def looked(feed: Feed, position: int, *given: int) -> list[Head]:
        if away == ["not yet"]:
            away[:] = ["now"]
            await hub.rows.execute("update change_feed set least_position = 4")
        return await since(feed, position, *given)

    async def refreshed(feed: Feed) -> Any:
        if away == ["now"]:
            away.clear()
            raise Unavailable("The database is away.")
        return await refresh(feed)

    async with streaming(await new_database("northwind")) as hub:
        await hub.rows.execute("update customers set stage = 'LOST' where country = 'DE'")
        await placed(hub.rows)
        page = await hub.ask("{ changes(first: 1) { ... on Change { cursor } } }")
        after = page["changes"][0]["cursor"]  # of position 1
        monkeypatch.setattr(Feed, "since", looked)
        monkeypatch.setattr(Feed, "refresh", refreshed)
        async with hub.subscribed(WATCH, {"after": after}) as subscription:
            told = await subscription.next()
            assert (told["__typename"], told["from"], told["reason"]) == ("StreamGap", after, "RETENTION")
            while (await subscription.next())["__typename"] != "StreamReady":
                pass
        assert away == []


async def test_a_hub_that_slept_for_longer_than_changes_are_kept_says_so(
    new_database: NewDatabase, demo_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, asleep = Feed.since, [False]

    async def looked(feed: Feed, *given: Any, **named: Any) -> list[Head]:
        if asleep[0]:
            raise Unavailable("The hub sleeps.")
        return await since(feed, *given, **named)

    monkeypatch.setattr(Feed, "since", looked)
    async with streaming(await new_database("northwind")) as hub, hub.subscribed(WATCH) as subscription:
        before = (await subscription.next())["cursor"]
        asleep[0] = True
        await hub.rows.execute("update customers set stage = 'LOST' where country = 'DE'")
        await placed(hub.rows)
        await hub.rows.execute("update change_feed set least_position = (select max(position) + 1 from change_order)")
        asleep[0] = False
        told = await subscription.next()
        assert (told["__typename"], told["from"], told["reason"]) == ("StreamGap", before, "RETENTION")
        await hub.rows.execute(
            "update customers set stage = 'LOYAL' where id = (select min(id::text)::uuid from customers)"
        )
        assert (await subscription.next())["__typename"] == "Change"
