"""What breaks the protocol of sockets closes them with the right code, costs nobody else, and leaves nothing behind."""

import asyncio
import gc
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from change_workload import WAIT_TIMEOUT
from fake_engine_hub import run_fake_engine_hub, until
from websocket_client import (
    BINARY,
    CLOSE,
    CONTINUED,
    INIT,
    PING,
    PONG,
    TEXT,
    encode_frame,
    encode_message,
    handshake,
    open_raw_websocket,
    open_websocket,
)
from websockets.server import ServerProtocol

from hub.observability import InternalFailure, SocketClosed
from hub.web.http_protocol import LimitedHttpProtocol
from hub.web.websocket.connection import WebSocketConnection
from hub.web.websocket.session import Session

SUBSCRIBE = encode_message(type="subscribe", id="a", payload={"query": "subscription { idle }"})
LONG = "x" * 65_536
FAIR_SHARE = 65_536  # bytes of one client that the hub may read before it answers another
BAD = [
    ("nothing within the time", b"", 4408),
    ("a subscription before the key", SUBSCRIBE, 4401),
    ("a subscription while the key is looked up", INIT + SUBSCRIBE, 4401),
    ("two inits", INIT + INIT, 4429),
    ("an init with a list", encode_message(type="connection_init", payload=[]), 4400),
    ("no JSON", INIT + encode_frame("{"), 4400),
    ("nothing", INIT + encode_frame(""), 4400),
    ("an array", INIT + encode_frame("[]"), 4400),
    ("a text", INIT + encode_frame('"ping"'), 4400),
    ("a key twice", INIT + encode_frame('{"type":"ping","type":"pong"}'), 4400),
    ("a deep object", INIT + encode_frame('{"type":"ping","payload":' + '{"a":' * 9_000 + "1" + "}" * 9_001), 4400),
    ("no type", INIT + encode_frame("{}"), 4400),
    ("a type that is no text", INIT + encode_frame('{"type":1}'), 4400),
    ("a type that is unknown", INIT + encode_message(type="start", id="a"), 4400),
    ("a type that the hub sends", INIT + encode_message(type="next", id="a", payload={}), 4400),
    ("a ping with a list", INIT + encode_message(type="ping", payload=[1]), 4400),
    ("a pong with a text", INIT + encode_message(type="pong", payload="x"), 4400),
    ("a completion without id", INIT + encode_message(type="complete"), 4400),
    ("a subscription without id", INIT + encode_message(type="subscribe", payload={"query": "{ echo }"}), 4400),
    ("an empty id", INIT + encode_message(type="subscribe", id="", payload={"query": "{ echo }"}), 4400),
    ("a long id", INIT + encode_message(type="complete", id="x" * 257), 4400),
    ("a binary frame", INIT + encode_frame(b"{}", BINARY), 1003),
    ("65,537 bytes", INIT + encode_frame(LONG + "x"), 1009),
    ("2 MiB", INIT + encode_frame(b"x" * 2 * 1024 * 1024), 1009),
    (
        "2 MiB in many frames",
        INIT + encode_frame(LONG[:999], fin=False) + encode_frame(LONG[:999], CONTINUED, fin=False) * 2_000,
        1009,
    ),
    ("the longest frame", INIT + b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"mask", 1009),
    ("no UTF-8", INIT + encode_frame(b'{"type":"\xff"}'), 1007),
    ("a reserved bit", INIT + encode_frame("{}", bits=0x40), 1002),
    ("an unmasked frame", INIT + encode_frame("{}", mask=False), 1002),
    ("an unknown opcode", INIT + encode_frame("{}", 3), 1002),
    ("a long ping", INIT + encode_frame(b"x" * 126, PING), 1002),
    ("a ping in parts", INIT + encode_frame(b"x", PING, fin=False), 1002),
    ("a continuation of nothing", INIT + encode_frame("{}", CONTINUED), 1002),
    ("a message within another", INIT + encode_frame("{", fin=False) + encode_frame("{}"), 1002),
    ("a close of one byte", INIT + encode_frame(b"x", CLOSE), 1002),
    ("a close with a code that is none", INIT + encode_frame(b"\x03\xe7", CLOSE), 1002),
    ("HTTP", INIT + b"GET / HTTP/1.1\r\nhost: hub\r\n\r\n", 1002),
    ("noise", INIT + bytes(range(256)) * 64, 1002),
    ("no JSON and then a reserved bit", INIT + encode_frame("{") + encode_frame("{}", bits=0x40), 1002),
    ("no JSON and then a close", INIT + encode_frame("{") + encode_frame(b"\x03\xe8", CLOSE), 1000),
    ("a close", INIT + encode_frame(b"\x03\xe8bye", CLOSE), 1000),
]
PAYLOADS: list[Any] = [
    None,
    {},
    [],
    "{ echo }",
    {"query": None},
    {"query": 1},
    {"query": "{ echo }", "operationName": 1},
    {"query": "{ echo }", "variables": []},
    {"query": "{ echo }", "extensions": "x"},
]


@pytest.mark.parametrize(("sent", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_what_breaks_the_protocol_closes_the_socket(sent: bytes, code: int) -> None:
    async with run_fake_engine_hub(socket_init_timeout=0.3) as hub:
        async with open_raw_websocket(hub, sent) as client:
            assert (await client.wait_closed())[0] == code
            client.writer.write(encode_frame(code.to_bytes(2, "big"), CLOSE))
            async with asyncio.timeout(WAIT_TIMEOUT):
                with suppress(ConnectionError):
                    assert await client.reader.read() == b"", "something came behind the close"
        await until(lambda: any(isinstance(event, SocketClosed) for event in hub.events))
        assert [event for event in hub.events if isinstance(event, InternalFailure)] == []


async def test_a_subscription_that_is_no_request_is_an_error_of_its_id() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        for payload in PAYLOADS:
            await client.send(type="subscribe", id="a", payload=payload)
            answer = await client.receive()
            assert (answer["id"], answer["type"]) == ("a", "error")
            assert [error["extensions"]["code"] for error in answer["payload"]] == ["BODY_MALFORMED"], payload


async def test_the_error_says_what_is_wrong() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.send(type="subscribe", id="a", payload={})
        message = "query is missing; send the GraphQL document as a string."
        error = {"message": message, "extensions": {"code": "BODY_MALFORMED", "argument": "query"}}
        assert await client.receive() == {"id": "a", "type": "error", "payload": [error]}


async def test_an_id_that_is_in_use_closes_the_socket() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("é" * 200, "subscription { idle }")
        await until(lambda: hub.subscriptions.opened)
        await client.subscribe("é" * 200, "{ echo }")
        code, reason = await client.wait_closed()
        assert (code, reason[:20]) == (4409, "Subscriber for ééééé")
        await until(lambda: hub.subscriptions.opened[0].cancelled)


async def test_a_client_that_does_not_close_is_dropped() -> None:
    async with (
        run_fake_engine_hub(drain_timeout=1) as hub,
        open_raw_websocket(hub, encode_frame("{}") + INIT) as client,
    ):
        assert await client.wait_closed() == (
            4400,
            "The message must be an object whose `type` is a client message of graphql-transport-ws.",
        )
        async with asyncio.timeout(WAIT_TIMEOUT):
            with suppress(ConnectionError):
                assert await client.reader.read() == b""


async def test_a_client_that_is_half_closed_counts_as_gone() -> None:
    async with run_fake_engine_hub() as hub, open_raw_websocket(hub, INIT) as client:
        await client.read_frame()
        client.writer.write(SUBSCRIBE)
        await until(lambda: hub.subscriptions.opened)
        client.writer.write_eof()
        await until(lambda: hub.subscriptions.opened[0].cancelled)
        async with asyncio.timeout(WAIT_TIMEOUT):
            assert await client.reader.read() == b""


async def test_pings_are_answered_at_any_time() -> None:
    async with (
        run_fake_engine_hub() as hub,
        open_raw_websocket(
            hub, encode_frame(b"1", PING) + encode_message(type="ping") + encode_frame(b"2", PONG)
        ) as client,
    ):
        assert sorted([await client.read_frame(), await client.read_frame()]) == [
            (TEXT, b'{"type":"pong"}'),
            (PONG, b"1"),
        ]
        client.writer.write(
            INIT + encode_message(type="pong") + encode_message(type="complete", id="unknown") + encode_frame(b"", PING)
        )
        assert sorted([await client.read_frame(), await client.read_frame()]) == [
            (TEXT, b'{"type":"connection_ack"}'),
            (PONG, b""),
        ]


async def test_ten_thousand_subscriptions_are_fifty_streams_and_many_refusals() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        for n in range(10_000):
            await client.subscribe(str(n), "subscription { idle }")
        codes = set()
        for _ in range(9_950):
            (error,) = (await client.receive())["payload"]
            codes.add((error["extensions"]["code"], error["extensions"]["limit"]))
        assert codes == {("STREAM_LIMIT", 50)}
        assert len(hub.subscriptions.opened) == 50
        await client.send(type="complete", id="0")
        await client.subscribe("0", "{ echo }")
        assert (await client.receive())["type"] == "next"


async def test_a_flood_of_pings_does_not_grow_the_memory() -> None:
    async with (
        run_fake_engine_hub(stream_backpressure_timeout=60, drain_timeout=1) as hub,
        open_raw_websocket(hub, INIT) as client,
    ):
        flood = encode_frame(b"x" * 125, PING) * 2_000
        sent = 0
        with suppress(TimeoutError):
            while sent < 200_000_000:
                client.writer.write(flood)
                sent += len(flood)
                async with asyncio.timeout(0.5):
                    await client.writer.drain()
        assert sent < 100_000_000, "the hub reads on, although its answers are not read"
        (session,) = next(iter(hub.app.context.connection_registry._by_key.values())).connections
        assert session.connection.transport.get_write_buffer_size() < 1_000_000  # type: ignore[attr-defined]


def live_objects() -> list[Any]:
    return [
        object_
        for object_ in gc.get_objects()
        if isinstance(object_, WebSocketConnection | Session | ServerProtocol | LimitedHttpProtocol)
    ]


async def test_a_flood_of_small_frames_does_not_keep_others_waiting() -> None:
    async with run_fake_engine_hub() as hub, open_raw_websocket(hub, INIT) as client, open_websocket(hub) as other:
        assert await client.read_frame() == (TEXT, b'{"type":"connection_ack"}')
        flood = encode_frame(b"", PONG) * 120_000
        client.writer.write(flood + encode_message(type="ping"))
        answer_behind_the_flood = asyncio.create_task(client.read_frame())
        answered = 0
        while not answer_behind_the_flood.done():
            await other.send(type="ping")
            assert (await other.receive())["type"] == "pong"
            answered += 1
        assert answered > len(flood) // FAIR_SHARE
        assert await answer_behind_the_flood == (TEXT, b'{"type":"pong"}')


async def test_closed_sockets_leave_nothing_behind() -> None:
    async with run_fake_engine_hub(socket_init_timeout=0.05) as hub:
        before = live_objects()
        gc.disable()
        try:
            for ending in (encode_frame(b"\x03\xe8", CLOSE), encode_frame("{}"), encode_frame("{}", bits=0x40), b""):
                async with open_raw_websocket(hub, INIT) as client:
                    await client.read_frame()
                    client.writer.write(SUBSCRIBE)
                    await until(lambda: hub.subscriptions.opened)
                    client.writer.write(ending)
                await until(lambda: hub.app.context.connection_registry.open_sockets == 0)
                hub.subscriptions.opened.clear()
            for refused in (handshake("/"), handshake(sec_websocket_key="é"), handshake(origin="null")):
                await hub.send_bytes(refused)
            known = set(map(id, before))
            await until(lambda: not [object_ for object_ in live_objects() if id(object_) not in known])
        finally:
            gc.enable()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the machine does not tell of memory in this way")
async def test_the_memory_stays_flat() -> None:
    async with run_fake_engine_hub(socket_init_timeout=0.1, drain_timeout=1) as hub:

        async def misbehave(sent: bytes) -> None:
            async with open_raw_websocket(hub, sent) as bad:
                await bad.wait_closed()

        async def everybody() -> None:
            for case in BAD:
                await asyncio.gather(*(misbehave(case[1]) for _ in range(8)))
            hub.events.clear()

        await everybody()
        before = resident()
        for _ in range(3):
            await everybody()
        assert resident() - before < 8_000_000


async def test_others_are_served_while_many_misbehave() -> None:
    async with run_fake_engine_hub(socket_init_timeout=0.3) as hub, open_websocket(hub) as client:

        async def misbehave(sent: bytes) -> None:
            async with open_raw_websocket(hub, sent) as bad:
                await bad.wait_closed()

        async with asyncio.TaskGroup() as group:
            for case in BAD * 3:
                group.create_task(misbehave(case[1]))
            for n in range(50):
                await client.subscribe(str(n), "{ echo }")
                assert (await client.receive())["type"] == "next"
                assert (await client.receive())["type"] == "complete"
        assert [event for event in hub.events if isinstance(event, InternalFailure)] == []
