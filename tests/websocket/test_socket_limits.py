"""How many sockets, how much of each, how long a slow client is waited for, what becomes of open ones: keys and stops."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from change_workload import WAIT_TIMEOUT
from fake_engine_hub import BEARER, CREATED, FakeEngineHub, key_text, run_fake_engine_hub, stored_key, until
from websocket_client import (
    CLOSE,
    INIT,
    PING,
    complete,
    encode_frame,
    encode_message,
    handshake,
    next_of,
    open_raw_websocket,
    open_websocket,
    status_and_code,
)

from hub.observability import InternalFailure, StreamClosed
from hub.viewer import Role


def other_key_header(hub: FakeEngineHub, n: int) -> dict[str, str]:
    """The header of one more key."""
    public_id = f"{n:08d}"
    hub.stored_keys[public_id] = stored_key(public_id)
    return {"authorization": f"Bearer {key_text(public_id)}"}


def closed_streams(hub: FakeEngineHub) -> list[str]:
    return [event.reason for event in hub.events if isinstance(event, StreamClosed)]


# -- how many -----------------------------------------------------------------------------------------------------------


async def test_a_key_holds_so_many_sockets_and_no_more() -> None:
    async with run_fake_engine_hub(socket_limit=3) as hub, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(open_websocket(hub))
        async with open_websocket(hub):
            late = await stack.enter_async_context(open_websocket(hub, init=False))
            await late.send(type="connection_init", payload=BEARER)
            assert await late.wait_closed() == (1013, "SOCKET_LIMIT")
            another = await stack.enter_async_context(open_websocket(hub, init=False))
            await another.init(other_key_header(hub, 7))
        await until(lambda: hub.app.context.connection_registry.open_sockets == 3)
        await stack.enter_async_context(open_websocket(hub))


async def test_streams_of_events_count_as_sockets() -> None:
    async with run_fake_engine_hub(socket_limit=1) as hub, open_websocket(hub):
        request_line = b"GET /graphql?query=subscription%7Bidle%7D HTTP/1.1\r\n"
        headers = f"host: hub\r\nauthorization: {BEARER['authorization']}\r\naccept: text/event-stream\r\n"
        answer = await hub.send_bytes(request_line + headers.encode() + b"connection: close\r\n\r\n")
        assert status_and_code(answer) == (429, "SOCKET_LIMIT")
        assert b"\r\nretry-after: 1\r\n" in answer


@pytest.mark.parametrize("settings", [{"socket_init_total": 2}, {"socket_total": 2}])
async def test_so_many_sockets_and_no_more_are_opened(settings: dict[str, int]) -> None:
    async with run_fake_engine_hub(**settings) as hub:
        async with open_raw_websocket(hub), open_raw_websocket(hub):
            assert status_and_code(await hub.send_bytes(handshake())) == (503, "UNAVAILABLE")
        await until(lambda: hub.app.context.connection_registry.open_sockets == 0)
        async with open_raw_websocket(hub):
            pass


async def test_who_has_shown_its_key_does_not_count_among_those_who_have_not() -> None:
    async with run_fake_engine_hub(socket_init_total=1) as hub, open_websocket(hub), open_websocket(hub):
        pass


async def test_operations_beyond_so_many_wait_for_their_turn() -> None:
    async with run_fake_engine_hub(socket_concurrency=2) as hub, open_websocket(hub) as client:
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
    async with run_fake_engine_hub(socket_concurrency=1) as hub, open_websocket(hub) as client:
        for name in "abc":
            await client.subscribe(name, "subscription { idle }")
        await client.subscribe("d", "{ echo }")
        assert (await client.receive())["id"] == "d"


# -- slow clients -------------------------------------------------------------------------------------------------------

FLOOD = encode_message(type="subscribe", id="a", payload={"query": "subscription { flood(size: 20000) }"})


async def test_who_reads_slowly_is_waited_for() -> None:
    async with run_fake_engine_hub(stream_buffer=100_000) as hub, open_raw_websocket(hub, INIT, limit=1024) as slow:
        await slow.read_frame()
        slow.writer.write(FLOOD)
        await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].sink.is_backpressured)
        ticker = hub.subscriptions.opened[0]
        before = ticker.sent
        await asyncio.sleep(0.1)
        assert ticker.sent == before
        assert hub.app.context.connection_registry.open_sockets == 1
        (session,) = next(iter(hub.app.context.connection_registry._by_key.values())).connections
        assert session.connection.transport.get_write_buffer_size() < 100_000 + 21_000  # type: ignore[attr-defined]
        while ticker.sent == before:
            await slow.read_frame()
        assert hub.subscriptions.opened[0].close_reasons == []


async def test_others_are_served_beside_a_slow_consumer() -> None:
    async with (
        run_fake_engine_hub(stream_buffer=100_000, stream_backpressure_timeout=3600, drain_timeout=1) as hub,
        open_raw_websocket(hub, INIT, limit=1024) as slow,
        open_websocket(hub) as quick,
    ):
        await slow.read_frame()
        slow.writer.write(FLOOD)
        await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].sink.is_backpressured)
        await quick.subscribe("a", "{ echo }")
        assert (await quick.receive())["type"] == "next"
        assert hub.subscriptions.opened[0].close_reasons == []


async def test_a_slow_consumer_is_closed() -> None:
    async with run_fake_engine_hub(stream_buffer=100_000, stream_backpressure_timeout=0.3) as hub:
        async with open_raw_websocket(hub, INIT, limit=1024) as slow:
            await slow.read_frame()
            slow.writer.write(FLOOD)
            await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].sink.is_backpressured)
            began = time.perf_counter()
            await until(lambda: hub.subscriptions.opened[0].close_reasons == ["SLOW_CONSUMER"])
            assert time.perf_counter() - began > 0.2
            assert await slow.wait_closed() == (1013, "SLOW_CONSUMER")
        assert closed_streams(hub) == ["SLOW_CONSUMER"]


async def test_a_client_that_does_not_read_the_close_is_dropped() -> None:
    async with (
        run_fake_engine_hub(stream_buffer=100_000, stream_backpressure_timeout=0.1, drain_timeout=1) as hub,
        open_raw_websocket(hub, INIT, limit=1024) as slow,
    ):
        await slow.read_frame()
        slow.writer.write(FLOOD)
        await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].close_reasons)
        await until(lambda: hub.app.context.connection_registry.open_sockets == 0)
        assert [event for event in hub.events if isinstance(event, InternalFailure)] == []


async def test_a_stream_waits_for_room_no_longer_than_its_client_is_there() -> None:
    async with run_fake_engine_hub(stream_buffer=100_000) as hub:
        async with open_raw_websocket(hub, INIT, limit=1024) as slow:
            await slow.read_frame()
            slow.writer.write(FLOOD)
            await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].sink.is_backpressured)
            sink = hub.subscriptions.opened[0].sink
            waiting = asyncio.create_task(sink.drained())
            await asyncio.sleep(0)
            slow.writer.transport.abort()
            hub.app.context.timing_wheel._slots[0].copy().pop().transport.abort()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(WAIT_TIMEOUT):
                await waiting


# -- silence ------------------------------------------------------------------------------------------------------------


async def test_sockets_are_pinged_and_those_that_do_not_answer_dropped() -> None:
    async with (
        run_fake_engine_hub(socket_ping=0.3) as hub,
        open_websocket(hub) as polite,
        open_raw_websocket(hub, INIT) as silent,
    ):
        assert (await silent.read_frame())[0] == 1
        assert await silent.read_frame() == (PING, b"")
        async with asyncio.timeout(WAIT_TIMEOUT):
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
    async with (
        run_fake_engine_hub(key_recheck_interval=0.1) as hub,
        open_websocket(hub) as client,
        open_websocket(hub) as another,
    ):
        await client.subscribe("a", "subscription { idle }")
        await client.subscribe("b", "{ wait(seconds: 60) }")
        await until(lambda: hub.subscriptions.opened and hub.engine.waiting.is_set())
        await another.send(type="ping")
        hub.stored_keys["00000001"] = replace(hub.stored_keys["00000001"], **change)
        errors = [await client.receive() for _ in range(2)]
        assert [(error["id"], error["type"]) for error in errors] == [("a", "error"), ("b", "error")]
        assert {error["payload"][0]["extensions"]["code"] for error in errors} == {code}
        (close_code, reason), same = await client.wait_closed(), await another.wait_closed()
        assert (close_code, reason.partition(":")[0]) == (4403, code)
        assert same == (close_code, reason)
        assert hub.subscriptions.opened[0].cancelled
        assert hub.subscriptions.opened[0].close_reasons == []


async def test_a_key_expires_at_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(public_ids: Any) -> Any:
        await asyncio.Event().wait()

    async with run_fake_engine_hub() as hub:
        expires_at = datetime.now(UTC) + timedelta(seconds=1)
        hub.stored_keys["00000001"] = stored_key("00000001", expires_at=expires_at)
        async with open_websocket(hub) as client:
            # No check of open keys ends it.
            monkeypatch.setattr(hub.key_cache, "_find", never)
            code, reason = await client.wait_closed()
            assert (code, reason.partition(":")[0]) == (4403, "KEY_EXPIRED")
        assert datetime.now(UTC) >= expires_at


async def test_other_rights_cut_the_streams_and_hold_for_what_comes() -> None:
    async with run_fake_engine_hub(key_recheck_interval=0.1) as hub, open_websocket(hub) as client:
        await client.subscribe("a", "subscription { idle }")
        await until(lambda: hub.subscriptions.opened)
        viewer = replace(hub.stored_keys["00000001"].viewer, role=Role.WRITER)
        hub.stored_keys["00000001"] = replace(hub.stored_keys["00000001"], viewer=viewer)
        assert await client.receive() == next_of("a", {"data": {"gap": "PERMISSIONS_CHANGED"}})
        assert await client.receive() == complete("a")
        await client.subscribe("a", "subscription { idle }")
        await until(lambda: len(hub.subscriptions.opened) == 2)
        assert [ticker.viewer.role for ticker in hub.subscriptions.opened] == [Role.READER, Role.WRITER]
        await asyncio.sleep(0.3)
        assert hub.subscriptions.opened[1].close_reasons == []


async def test_rights_that_change_while_a_stream_is_opened_cut_it_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        opening = asyncio.Event()
        original = hub.subscriptions.open

        async def slow(*args: Any) -> Any:
            opening.set()
            await asyncio.sleep(0.05)
            return await original(*args)

        monkeypatch.setattr(hub.subscriptions, "open", slow)
        await client.subscribe("a", "subscription { idle }")
        await opening.wait()
        (key_connections,) = hub.app.context.connection_registry._by_key.values()
        (session,) = key_connections.connections
        session.on_rights_changed(key_connections.credential)
        assert await client.receive() == next_of("a", {"data": {"gap": "PERMISSIONS_CHANGED"}})
        assert await client.receive() == complete("a")


async def test_many_sockets_of_many_keys_are_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_fake_engine_hub(key_recheck_interval=0.2, key_cache_ttl=0) as hub, AsyncExitStack() as stack:
        lookups: list[list[str]] = []
        original = hub.key_cache._find

        async def find(public_ids: Any) -> Any:
            lookups.append(sorted(public_ids))
            return await original(public_ids)

        monkeypatch.setattr(hub.key_cache, "_find", find)
        for n in range(10, 20):
            client = await stack.enter_async_context(open_websocket(hub, init=False))
            await client.init(other_key_header(hub, n // 2))
        lookups.clear()
        await until(lambda: len(lookups) == 2)
        assert lookups == [[f"{n:08d}" for n in range(5, 10)]] * 2


async def test_without_a_database_who_is_in_stays() -> None:
    async with run_fake_engine_hub(key_recheck_interval=0.05, key_cache_ttl=0) as hub, open_websocket(hub) as client:
        hub.database_down = True
        await until(lambda: any(isinstance(event, InternalFailure) for event in hub.events))
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}


# -- the hub stops ------------------------------------------------------------------------------------------------------


async def test_a_stopping_hub_closes_sockets_and_ends_no_stream_so_that_clients_go_on_elsewhere() -> None:
    async with asyncio.timeout(WAIT_TIMEOUT), AsyncExitStack() as stack:
        async with run_fake_engine_hub(drain_timeout=3600) as hub:
            client = await stack.enter_async_context(open_websocket(hub))
            stranger = await stack.enter_async_context(open_websocket(hub, init=False))
            await client.subscribe("a", "subscription { idle }")
            await until(lambda: hub.subscriptions.opened)
        assert await client.receive_until_closed() == []
        assert await client.wait_closed() == await stranger.wait_closed() == (1012, "STOPPING")
        assert hub.subscriptions.opened[0].cancelled


async def test_what_runs_when_the_hub_stops_may_end() -> None:
    async with AsyncExitStack() as stack:
        async with run_fake_engine_hub(socket_concurrency=1) as hub:
            client = await stack.enter_async_context(open_websocket(hub))
            await client.subscribe("a", "{ wait(seconds: 0.3) }")
            await client.subscribe("b", "{ echo }")
            await hub.engine.waiting.wait()
        answer = await client.receive()
        assert (answer["id"], answer["payload"][0]["extensions"]["code"]) == ("b", "UNAVAILABLE")
        assert await client.receive() == next_of("a", {"data": {"wait": "waited"}})
        assert await client.receive() == complete("a")
        assert await client.wait_closed() == (1012, "STOPPING")


async def test_a_stopping_hub_does_not_wait_for_ever() -> None:
    async with asyncio.timeout(WAIT_TIMEOUT), AsyncExitStack() as stack:
        async with run_fake_engine_hub(drain_timeout=1, request_timeout=3600, stream_buffer=100_000) as hub:
            slow = await stack.enter_async_context(open_raw_websocket(hub, INIT, limit=1024))
            await slow.read_frame()
            slow.writer.write(
                FLOOD + encode_message(type="subscribe", id="b", payload={"query": "{ wait(seconds: 3600) }"})
            )
            await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].sink.is_backpressured)
        assert hub.subscriptions.opened[0].cancelled


async def test_a_stopping_hub_opens_no_more_sockets() -> None:
    async with run_fake_engine_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(handshake()[:-2])
        await until(lambda: hub.app.context.connection_registry.open_sockets == 0)
        hub.app.context.connection_registry.shutdown()
        writer.write(b"\r\n")
        assert status_and_code(await reader.read()) == (503, "UNAVAILABLE")
        writer.close()


async def test_metrics_tell_what_is_open_and_what_was_sent() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "subscription { ticks(count: 3) }")
        await client.subscribe("b", "subscription { idle }")
        await until(lambda: len(hub.subscriptions.opened) == 2)
        async with open_raw_websocket(hub, encode_frame(b"\x03\xe8", CLOSE)) as gone:
            await gone.wait_closed()
        await until(lambda: b"hub_stream_messages_total 3.0" in hub.metrics.exposition())
        lines = hub.metrics.exposition().decode().splitlines()
        assert "hub_sockets_open 1.0" in lines
        assert "hub_streams_open 1.0" in lines
        assert 'hub_streams_closed_total{reason="SLOW_CONSUMER"} 0.0' in lines
