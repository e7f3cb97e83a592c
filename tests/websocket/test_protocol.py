"""graphql-transport-ws through a real socket: the handshake, the key, operations, streams."""

import asyncio
import json
from typing import Any
from unittest.mock import ANY

import pytest
from conftest import create_api_key
from fake_engine_hub import BEARER, EXPIRED, REVOKED, post_bytes, run_fake_engine_hub, serve_app, until
from websocket_client import (
    CONTINUED,
    INIT,
    PROTOCOL,
    TEXT,
    complete,
    encode_frame,
    encode_message,
    handshake,
    next_of,
    open_raw_websocket,
    open_websocket,
    status_and_code,
)

from hub.app import lifespan
from hub.observability import RequestDone, SocketClosed, SocketOpened, StreamClosed, StreamOpened
from hub.settings import Settings

# -- the handshake ------------------------------------------------------------------------------------------------------


async def test_the_handshake_is_answered_with_the_sub_protocol() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        assert client.socket.subprotocol == PROTOCOL
        assert client.socket.response is not None
        assert "sec-websocket-extensions" not in client.socket.response.headers


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("graphql", "x")])
async def test_another_sub_protocol_is_not_spoken(protocols: tuple[str, ...]) -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub, protocols=protocols, init=False) as client:
        assert await client.wait_closed() == (4406, "Subprotocol not acceptable")


async def test_ours_is_chosen_among_others() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub, protocols=("graphql-ws", PROTOCOL)) as client:
        assert client.socket.subprotocol == PROTOCOL


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (handshake("/"), (404, "NOT_FOUND")),
        (handshake("/graphql/"), (404, "NOT_FOUND")),
        (handshake("/healthz"), (404, "NOT_FOUND")),
        (handshake(origin="https://evil.example"), (403, "FORBIDDEN")),
        (handshake(origin="null"), (403, "FORBIDDEN")),
        (handshake(origin="http://hub:81"), (403, "FORBIDDEN")),
        (handshake(origin="http://hub.example"), (403, "FORBIDDEN")),
        (handshake(sec_websocket_key=""), (400, "HANDSHAKE_INVALID")),
        (handshake(sec_websocket_key="short"), (400, "HANDSHAKE_INVALID")),
        (handshake(sec_websocket_version="8"), (400, "HANDSHAKE_INVALID")),
        (handshake(sec_websocket_version=""), (400, "HANDSHAKE_INVALID")),
        (handshake(sec_websocket_protocol='"'), (400, "HANDSHAKE_INVALID")),
    ],
)
async def test_a_handshake_that_may_not_be_is_refused_in_json(sent: bytes, expected: tuple[int, str]) -> None:
    async with run_fake_engine_hub() as hub:
        assert status_and_code(await hub.send_bytes(sent)) == expected


async def test_the_supported_version_is_named() -> None:
    async with run_fake_engine_hub() as hub:
        assert b"\r\nsec-websocket-version: 13\r\n" in await hub.send_bytes(handshake(sec_websocket_version="8"))


@pytest.mark.parametrize("origin", ["https://crm.example", "http://hub", "https://hub:443", "HTTP://HUB:80"])
async def test_pages_of_allowed_origins_and_our_own_may_open_a_socket(origin: str) -> None:
    async with run_fake_engine_hub(allowed_origins=("https://crm.example",)) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(handshake(origin=origin))
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        writer.close()


async def test_what_is_no_handshake_stays_http() -> None:
    async with run_fake_engine_hub() as hub:
        body = b'{"query":"{ echo }"}'
        request_head = f"POST /graphql HTTP/1.1\r\nhost: hub\r\nauthorization: {BEARER['authorization']}\r\n".encode()
        upgrade = b"content-type: application/json\r\nconnection: close, upgrade\r\nupgrade: h2c\r\n"
        answer = await hub.send_bytes(request_head + upgrade + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert answer.endswith(b'{"data": {"echo": ""}}')
        assert (await hub.send_bytes(post_bytes("{ echo }", connection="close"))).startswith(b"HTTP/1.1 200 ")


async def test_a_socket_can_be_asked_for_on_a_connection_that_was_used() -> None:
    async with run_fake_engine_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(post_bytes("{ echo }"))
        assert (await reader.readuntil(b"}}")).endswith(b'{"data": {"echo": ""}}')
        writer.write(handshake())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        writer.close()


async def test_frames_right_behind_the_handshake_are_read() -> None:
    async with run_fake_engine_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(handshake() + INIT + encode_message(type="ping"))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\x81\x0f"
        assert await reader.readexactly(15) == b'{"type":"pong"}'
        writer.close()


# -- the key ------------------------------------------------------------------------------------------------------------


async def test_the_key_may_come_with_the_handshake() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub, init=False, **BEARER) as client:
        await client.send(type="connection_init")
        assert await client.receive() == {"type": "connection_ack"}


async def test_the_key_in_the_payload_goes_before_that_of_the_handshake() -> None:
    async with (
        run_fake_engine_hub() as hub,
        open_websocket(hub, init=False, authorization=f"Bearer {REVOKED}") as client,
    ):
        await client.init(BEARER)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("", "UNAUTHENTICATED"),
        ("x", "KEY_UNKNOWN"),
        (REVOKED, "KEY_REVOKED"),
        (EXPIRED, "KEY_EXPIRED"),
        ("hub_00000009_" + "a" * 43, "KEY_UNKNOWN"),
        (1, "UNAUTHENTICATED"),
        (["x"], "UNAUTHENTICATED"),
        ("é", "KEY_UNKNOWN"),
    ],
)
async def test_without_a_living_key_the_socket_is_closed_with_the_reason(key: Any, code: str) -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub, init=False) as client:
        payload = {} if key is None else {"authorization": f"Bearer {key}" if isinstance(key, str) else key}
        await client.send(type="connection_init", payload=payload)
        closed = await client.wait_closed()
        assert (closed[0], closed[1].partition(": ")[0]) == (4403, code)


async def test_without_a_database_the_client_may_try_again() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub, init=False) as client:
        hub.database_down = True
        await client.send(type="connection_init", payload=BEARER)
        assert await client.wait_closed() == (1013, "UNAVAILABLE")


# -- operations ---------------------------------------------------------------------------------------------------------


async def test_a_query_is_answered_once() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe(
            "a", "query Q($t: String) { echo(text: $t) }", variables={"t": "José"}, operationName="Q"
        )
        assert await client.receive() == next_of("a", {"data": {"echo": "José"}})
        assert await client.receive() == complete("a")


async def test_a_mutation_runs_over_a_socket() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "mutation { change }")
        assert await client.receive() == next_of("a", {"data": {"change": "changed"}})


async def test_what_is_refused_before_it_runs_is_an_error_message() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "{ nothing }")
        answer = await client.receive()
        assert (answer["id"], answer["type"]) == ("a", "error")
        assert [error["extensions"]["code"] for error in answer["payload"]] == ["GRAPHQL_INVALID"]
        await client.subscribe("a", "{ echo }")
        assert await client.receive() == next_of("a", {"data": {"echo": ""}})


async def test_every_operation_emits_a_request_event() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "query Find { echo }")
        await client.subscribe("b", "{")
        await until(lambda: len(hub.requests) == 2)
        requests = [request._replace(request_id="", seconds=0.0) for request in hub.requests]
        assert requests == [
            RequestDone("", "query", "Find", 200, "", "00000001", 0.0, 1, (("parse", 0.25), ("sql", 1.5))),
            RequestDone("", "", "", 400, "GRAPHQL_SYNTAX", "00000001", 0.0, 0, ()),
        ]
        assert len({request.request_id for request in hub.requests}) == 2


async def test_a_fault_of_ours_shows_a_request_id_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:

        async def broken(*_: object) -> None:
            raise RuntimeError("the secret inside")

        monkeypatch.setattr(hub.engine, "execute", broken)
        await client.subscribe("a", "{ echo }")
        (error,) = (await client.receive())["payload"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert "secret" not in json.dumps(error)
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}


async def test_the_whole_hub_answers_over_a_socket(northwind_dsn: str) -> None:
    key, settings = await create_api_key(northwind_dsn), Settings()
    async with (
        lifespan(settings, northwind_dsn) as site,
        serve_app(site, settings) as port,
        open_websocket(port, init=False) as client,
    ):
        await client.init({"authorization": f"Bearer {key}"})
        await client.subscribe("a", '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { name } }')
        assert await client.receive() == next_of("a", {"data": {"customerBy": {"name": "QUICK-Stop"}}})
        assert await client.receive() == complete("a")
        for query, code in (("{ customers(first: 101) { totalCount } }", "PAGE_LIMIT"), ("{", "GRAPHQL_SYNTAX")):
            await client.subscribe("a", query)
            assert (await client.receive())["payload"][0]["extensions"]["code"] == code


async def test_an_operation_has_the_time_of_a_request() -> None:
    async with run_fake_engine_hub(request_timeout=0.2) as hub, open_websocket(hub) as client:
        for query in ("{ wait(seconds: 60) }", 'subscription { broken(how: "slow") }'):
            await client.subscribe("a", query)
            assert (await client.receive())["payload"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        assert hub.engine.cancelled == 1


async def test_an_answer_of_any_length_arrives() -> None:
    async with run_fake_engine_hub(request_timeout=30) as hub, open_websocket(hub) as client:
        for length in (1, 50, 100, 10_000, 60_000):
            await client.subscribe("a", "query($t: String) { echo(text: $t) }", variables={"t": "x" * length})
            assert await client.receive() == next_of("a", {"data": {"echo": "x" * length}})
            assert await client.receive() == complete("a")


async def test_a_message_may_come_in_several_frames() -> None:
    async with run_fake_engine_hub() as hub:
        text = json.dumps({"type": "ping", "payload": {"é": "日本"}}, ensure_ascii=False).encode()
        parts = [text[:20], b"", text[20:31], text[31:]]
        sent = [
            encode_frame(part, TEXT if n == 0 else CONTINUED, fin=n == len(parts) - 1) + encode_frame(b"hi", 9)
            for n, part in enumerate(parts)
        ]
        async with open_raw_websocket(hub, b"".join(sent)) as client:
            assert [await client.read_frame() for _ in range(5)].count((10, b"hi")) == 4


# -- streams ------------------------------------------------------------------------------------------------------------


async def test_a_stream_is_sent_and_completed() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "subscription { ticks(count: 3) }")
        assert [await client.receive() for _ in range(4)] == [
            *(next_of("a", {"data": {"ticks": n}}) for n in (1, 2, 3)),
            complete("a"),
        ]


async def test_streams_share_a_socket() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        for name in ("a", 'b"\\'):
            await client.subscribe(name, "subscription { idle }")
        await until(lambda: len(hub.subscriptions.opened) == 2)
        for ticker in reversed(hub.subscriptions.opened):
            ticker.tick()
        assert [await client.receive() for _ in range(2)] == [
            next_of('b"\\', {"data": {"ticks": 1}}),
            next_of("a", {"data": {"ticks": 1}}),
        ]


async def test_who_completes_hears_no_more_and_may_use_the_id_again() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "subscription { idle }")
        await until(lambda: hub.subscriptions.opened)
        await client.send(type="complete", id="a")
        await until(lambda: hub.subscriptions.opened[0].cancelled)
        hub.subscriptions.opened[0].tick()
        await client.subscribe("a", "{ echo }")
        assert await client.receive() == next_of("a", {"data": {"echo": ""}})


async def test_who_completes_a_query_ends_its_work() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", "{ wait(seconds: 60) }")
        await hub.engine.waiting.wait()
        await client.send(type="complete", id="a")
        await until(lambda: hub.requests)
        assert (hub.engine.cancelled, hub.requests[0].status) == (1, 499)


@pytest.mark.parametrize(
    ("how", "code"), [("refused", "CURSOR_MALFORMED"), ("unavailable", "UNAVAILABLE"), ("fault", "INTERNAL")]
)
async def test_a_stream_that_is_not_opened_is_refused(how: str, code: str) -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", f'subscription {{ broken(how: "{how}") }}')
        answer = await client.receive()
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", code)
        await until(lambda: hub.requests)
        assert hub.requests[0].code == code


async def test_a_stream_may_end_with_errors() -> None:
    async with run_fake_engine_hub() as hub, open_websocket(hub) as client:
        await client.subscribe("a", 'subscription { broken(how: "later") }')
        assert await client.receive() == next_of("a", {"data": {"broken": 1}})
        errors = [{"message": "no more", "extensions": {"code": "UNAVAILABLE"}}]
        assert await client.receive() == {"id": "a", "type": "error", "payload": errors}


async def test_who_is_gone_has_no_streams() -> None:
    async with run_fake_engine_hub() as hub:
        async with open_websocket(hub) as client:
            await client.subscribe("a", "subscription { idle }")
            await client.subscribe("b", "{ wait(seconds: 60) }")
            await hub.engine.waiting.wait()
            await until(lambda: hub.subscriptions.opened)
        await until(lambda: hub.subscriptions.opened[0].cancelled and hub.engine.cancelled)


async def test_sockets_and_streams_emit_events() -> None:
    async with run_fake_engine_hub() as hub:
        async with open_websocket(hub) as client:
            await client.subscribe("a", "subscription S { ticks(count: 3) }", operationName="S")
            assert len([await client.receive() for _ in range(4)]) == 4
        await until(lambda: any(isinstance(event, SocketClosed) for event in hub.events))
        events = [
            event
            for event in hub.events
            if isinstance(event, SocketOpened | SocketClosed | StreamOpened | StreamClosed)
        ]
        assert [(type(event), *event[-2:]) for event in events] == [
            (SocketOpened,),
            (StreamOpened, "00000001", "socket"),
            (StreamClosed, ANY, 3),
            (SocketClosed, 1000, ANY),
        ]
        (closed,) = (event for event in events if isinstance(event, StreamClosed))
        assert (closed.name, closed.key, closed.transport, closed.reason) == ("S", "00000001", "socket", "complete")
