"""How many sockets, how much of each, how long a slow client is waited for, what becomes of open ones: keys and stops."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_engine_hub import BEARER, CREATED, Hub, key_text, listening, stored
from test_protocol import complete, next_of, status_and_code, until
from websocket_client import CLOSE, INIT, PING, connected, frame, handshake, message, raw

from hub.observability import Failed, StreamClosed
from hub.viewer import Role


def other(hub: Hub, n: int) -> dict[str, str]:
    """The header of one more key."""
    shown = f"{n:08d}"
    hub.stored[shown] = stored(shown)
    return {"authorization": f"Bearer {key_text(shown)}"}


def closed_streams(hub: Hub) -> list[str]:
    return [each.reason for each in hub.told if isinstance(each, StreamClosed)]


# -- how many -----------------------------------------------------------------------------------------------------------


async def test_a_key_holds_so_many_sockets_and_no_more() -> None:
    async with listening(socket_limit=3) as hub, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(connected(hub))
        async with connected(hub):
            late = await stack.enter_async_context(connected(hub, init=False))
            await late.send(type="connection_init", payload=BEARER)
            assert await late.closed() == (1013, "SOCKET_LIMIT")
            another = await stack.enter_async_context(connected(hub, init=False))
            await another.init(other(hub, 7))
        await until(lambda: hub.app.desk.presence.sockets == 3)
        await stack.enter_async_context(connected(hub))


async def test_streams_of_events_count_as_sockets() -> None:
    async with listening(socket_limit=1) as hub, connected(hub):
        head = f"GET /graphql?query=subscription%7Bidle%7D HTTP/1.1\r\nhost: hub\r\nauthorization: {BEARER['authorization']}\r\n"
        answer = await hub.raw(head.encode() + b"accept: text/event-stream\r\nconnection: close\r\n\r\n")
        assert status_and_code(answer) == (429, "SOCKET_LIMIT")
        assert b"\r\nretry-after: 1\r\n" in answer


@pytest.mark.parametrize("settings", [{"socket_init_total": 2}, {"socket_total": 2}])
async def test_so_many_sockets_and_no_more_are_opened(settings: dict[str, int]) -> None:
    async with listening(**settings) as hub:
        async with raw(hub), raw(hub):
            assert status_and_code(await hub.raw(handshake())) == (503, "UNAVAILABLE")
        await until(lambda: hub.app.desk.presence.sockets == 0)
        async with raw(hub):
            pass


async def test_who_has_shown_its_key_does_not_count_among_those_who_have_not() -> None:
    async with listening(socket_init_total=1) as hub, connected(hub), connected(hub):
        pass


async def test_operations_beyond_so_many_wait_for_their_turn() -> None:
    async with listening(socket_concurrency=2) as hub, connected(hub) as client:
        for name in "abc":
            await client.subscribe(name, "{ wait(seconds: 60) }")
        await client.subscribe("d", "{ echo }")
        await client.subscribe("e", "{ echo }")
        await until(lambda: len(hub.engine.viewers) == 2)
        for name in "dcab":
            await client.send(type="complete", id=name)
        assert await client.receive() == next_of("e", {"data": {"echo": ""}})
        assert await client.receive() == complete("e")
        assert hub.engine.cancelled == 2


async def test_open_streams_do_not_keep_others_waiting() -> None:
    async with listening(socket_concurrency=1) as hub, connected(hub) as client:
        for name in "abc":
            await client.subscribe(name, "subscription { idle }")
        await client.subscribe("d", "{ echo }")
        assert (await client.receive())["id"] == "d"


# -- slow clients -------------------------------------------------------------------------------------------------------

FLOOD = message(type="subscribe", id="a", payload={"query": "subscription { flood(size: 20000) }"})


async def test_who_reads_slowly_is_waited_for() -> None:
    async with listening(stream_buffer=100_000) as hub, raw(hub, INIT, limit=1024) as slow:
        await slow.frame()
        slow.writer.write(FLOOD)
        await until(lambda: hub.streams.opened and hub.streams.opened[0].sink.full)
        ticker = hub.streams.opened[0]
        before = ticker.sent
        await asyncio.sleep(0.1)
        assert ticker.sent == before
        assert hub.app.desk.presence.sockets == 1
        (session,) = next(iter(hub.app.desk.presence._parties.values())).guests
        assert session.wire.transport.get_write_buffer_size() < 100_000 + 21_000  # type: ignore[attr-defined]
        while ticker.sent == before:
            await slow.frame()
        assert hub.streams.opened[0].cuts == []


async def test_who_does_not_read_is_cut_and_told_why() -> None:
    async with listening(stream_buffer=100_000, stream_patience=0.3) as hub:
        async with raw(hub, INIT, limit=1024) as slow, connected(hub) as quick:
            await slow.frame()
            slow.writer.write(FLOOD)
            await until(lambda: hub.streams.opened and hub.streams.opened[0].sink.full)
            began = time.perf_counter()
            await quick.subscribe("a", "{ echo }")
            assert (await quick.receive())["type"] == "next"
            assert time.perf_counter() - began < 0.2
            await until(lambda: hub.streams.opened[0].cuts == ["SLOW_CONSUMER"])
            assert 0.2 < time.perf_counter() - began < 1
            assert await slow.closed() == (1013, "SLOW_CONSUMER")
        assert closed_streams(hub) == ["SLOW_CONSUMER"]


async def test_who_does_not_even_take_that_is_dropped() -> None:
    async with (
        listening(stream_buffer=100_000, stream_patience=0.1, drain_timeout=1) as hub,
        raw(hub, INIT, limit=1024) as slow,
    ):
        await slow.frame()
        slow.writer.write(FLOOD)
        await until(lambda: hub.streams.opened and hub.streams.opened[0].cuts)
        await until(lambda: hub.app.desk.presence.sockets == 0)
        assert [each for each in hub.told if isinstance(each, Failed)] == []


async def test_a_stream_waits_for_room_no_longer_than_its_client_is_there() -> None:
    async with listening(stream_buffer=100_000) as hub:
        async with raw(hub, INIT, limit=1024) as slow:
            await slow.frame()
            slow.writer.write(FLOOD)
            await until(lambda: hub.streams.opened and hub.streams.opened[0].sink.full)
            sink = hub.streams.opened[0].sink
            waiting = asyncio.create_task(sink.room())
            await asyncio.sleep(0)
            slow.writer.transport.abort()
            hub.app.desk.wheel._spokes[0].copy().pop().transport.abort()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(2):
                await waiting


# -- silence ------------------------------------------------------------------------------------------------------------


async def test_sockets_are_pinged_and_those_that_do_not_answer_dropped() -> None:
    async with listening(socket_ping=0.3) as hub, connected(hub) as polite, raw(hub, INIT) as silent:
        assert (await silent.frame())[0] == 1
        assert await silent.frame() == (PING, b"")
        async with asyncio.timeout(2):
            assert await silent.reader.read() == b""
        await polite.send(type="ping")
        assert await polite.receive() == {"type": "pong"}


# -- keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"revoked_at": CREATED}, "KEY_REVOKED"),
        ({"expires_at": CREATED}, "KEY_EXPIRED"),
        ({"hash": b"x" * 32}, "KEY_UNKNOWN"),
    ],
)
async def test_a_key_that_opens_nothing_any_more_ends_its_sockets(change: dict[str, Any], code: str) -> None:
    async with listening(key_recheck=0.1) as hub, connected(hub) as client, connected(hub) as another:
        await client.subscribe("a", "subscription { idle }")
        await client.subscribe("b", "{ wait(seconds: 60) }")
        await until(lambda: hub.streams.opened and hub.engine.waiting.is_set())
        await another.send(type="ping")
        hub.stored["00000001"] = replace(hub.stored["00000001"], **change)
        errors = [await client.receive() for _ in range(2)]
        assert [(each["id"], each["type"]) for each in errors] == [("a", "error"), ("b", "error")]
        assert {each["payload"][0]["extensions"]["code"] for each in errors} == {code}
        assert await client.closed() == await another.closed() == (4403, "Forbidden")
        assert hub.streams.opened[0].stopped
        assert hub.streams.opened[0].cuts == []


async def test_a_key_expires_at_its_moment() -> None:
    async with listening() as hub:
        hub.stored["00000001"] = stored("00000001", expires_at=datetime.now(UTC) + timedelta(seconds=0.3))
        began = time.perf_counter()
        async with connected(hub) as client:
            assert await client.closed() == (4403, "Forbidden")
        assert 0.2 < time.perf_counter() - began < 0.6


async def test_other_rights_cut_the_streams_and_hold_for_what_comes() -> None:
    async with listening(key_recheck=0.1) as hub, connected(hub) as client:
        await client.subscribe("a", "subscription { idle }")
        await until(lambda: hub.streams.opened)
        viewer = replace(hub.stored["00000001"].viewer, role=Role.WRITER)
        hub.stored["00000001"] = replace(hub.stored["00000001"], viewer=viewer)
        assert await client.receive() == next_of("a", {"data": {"gap": "PERMISSIONS_CHANGED"}})
        assert await client.receive() == complete("a")
        await client.subscribe("a", "subscription { idle }")
        await until(lambda: len(hub.streams.opened) == 2)
        assert [each.viewer.role for each in hub.streams.opened] == [Role.READER, Role.WRITER]
        await asyncio.sleep(0.3)
        assert hub.streams.opened[1].cuts == []


async def test_rights_that_change_while_a_stream_is_opened_cut_it_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as hub, connected(hub) as client:
        opening = asyncio.Event()
        plain = hub.streams.open

        async def slow(*given: Any) -> Any:
            opening.set()
            await asyncio.sleep(0.05)
            return await plain(*given)

        monkeypatch.setattr(hub.streams, "open", slow)
        await client.subscribe("a", "subscription { idle }")
        await opening.wait()
        (party,) = hub.app.desk.presence._parties.values()
        (session,) = party.guests
        session.change(party.credential)
        assert await client.receive() == next_of("a", {"data": {"gap": "PERMISSIONS_CHANGED"}})
        assert await client.receive() == complete("a")


async def test_many_sockets_of_many_keys_are_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(key_recheck=0.2, key_cache_ttl=0) as hub, AsyncExitStack() as stack:
        asked: list[list[str]] = []
        plain = hub.ring._find

        async def find(shown: Any) -> Any:
            asked.append(sorted(shown))
            return await plain(shown)

        monkeypatch.setattr(hub.ring, "_find", find)
        for n in range(10, 20):
            client = await stack.enter_async_context(connected(hub, init=False))
            await client.init(other(hub, n // 2))
        asked.clear()
        await until(lambda: len(asked) == 2)
        assert asked == [[f"{n:08d}" for n in range(5, 10)]] * 2


async def test_without_a_database_who_is_in_stays() -> None:
    async with listening(key_recheck=0.05, key_cache_ttl=0) as hub, connected(hub) as client:
        hub.database_down = True
        await until(lambda: any(isinstance(each, Failed) for each in hub.told))
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}


# -- the hub stops ------------------------------------------------------------------------------------------------------


async def test_a_stopping_hub_closes_sockets_and_ends_no_stream_so_that_clients_go_on_elsewhere() -> None:
    async with AsyncExitStack() as stack:
        async with listening() as hub:
            client = await stack.enter_async_context(connected(hub))
            stranger = await stack.enter_async_context(connected(hub, init=False))
            await client.subscribe("a", "subscription { idle }")
            await until(lambda: hub.streams.opened)
            began = time.perf_counter()
        assert time.perf_counter() - began < 1
        assert await client.until_closed() == []
        assert await client.closed() == await stranger.closed() == (1012, "STOPPING")
        assert hub.streams.opened[0].stopped


async def test_what_runs_when_the_hub_stops_may_end() -> None:
    async with AsyncExitStack() as stack:
        async with listening(socket_concurrency=1) as hub:
            client = await stack.enter_async_context(connected(hub))
            await client.subscribe("a", "{ wait(seconds: 0.3) }")
            await client.subscribe("b", "{ echo }")
            await hub.engine.waiting.wait()
        answer = await client.receive()
        assert (answer["id"], answer["payload"][0]["extensions"]["code"]) == ("b", "UNAVAILABLE")
        assert await client.receive() == next_of("a", {"data": {"wait": "waited"}})
        assert await client.receive() == complete("a")
        assert await client.closed() == (1012, "STOPPING")


async def test_a_stopping_hub_does_not_wait_for_ever() -> None:
    async with AsyncExitStack() as stack:
        async with listening(drain_timeout=1, stream_buffer=100_000) as hub:
            slow = await stack.enter_async_context(raw(hub, INIT, limit=1024))
            await slow.frame()
            slow.writer.write(FLOOD + message(type="subscribe", id="b", payload={"query": "{ wait(seconds: 60) }"}))
            await until(lambda: hub.streams.opened and hub.streams.opened[0].sink.full)
            began = time.perf_counter()
        assert time.perf_counter() - began < 1.5
        assert hub.streams.opened[0].stopped


async def test_a_stopping_hub_opens_no_more_sockets() -> None:
    async with listening() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(handshake()[:-2])
        await until(lambda: hub.app.desk.presence.sockets == 0)
        hub.app.desk.presence.stop()
        writer.write(b"\r\n")
        assert status_and_code(await reader.read()) == (503, "UNAVAILABLE")
        writer.close()


async def test_metrics_tell_what_is_open_and_what_was_sent() -> None:
    async with listening() as hub, connected(hub) as client:
        await client.subscribe("a", "subscription { ticks(count: 3) }")
        await client.subscribe("b", "subscription { idle }")
        await until(lambda: len(hub.streams.opened) == 2)
        async with raw(hub, frame(b"\x03\xe8", CLOSE)) as gone:
            await gone.closed()
        await until(lambda: b"hub_stream_messages_total 3.0" in hub.metrics.text())
        lines = hub.metrics.text().decode().splitlines()
        assert "hub_sockets_open 1.0" in lines
        assert "hub_streams_open 1.0" in lines
        assert 'hub_streams_cut_total{reason="SLOW_CONSUMER"} 0.0' in lines
