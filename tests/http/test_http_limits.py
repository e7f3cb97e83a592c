"""Clients that are slow, silent, huge, broken or gone, on real sockets: each costs a while, and others nothing."""

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from change_workload import WAIT_TIMEOUT
from fake_engine_hub import BEARER, FakeEngineHub, post_bytes, run_fake_engine_hub, send_without_end, until

from hub.settings import Settings

AUTHORIZED = f"authorization: {BEARER['authorization']}\r\n".encode()
REQUEST_HEAD = b"POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n" + AUTHORIZED
# Timeouts that no test waits for: what ends is then ended by another rule, or by the one timeout that is short.
NO_TIMEOUTS: dict[str, Any] = {"header_timeout": 3600, "request_timeout": 3600, "keep_alive_timeout": 3600}
HEADER_TIMEOUT, REQUEST_TIMEOUT = NO_TIMEOUTS | {"header_timeout": 0.3}, NO_TIMEOUTS | {"request_timeout": 0.6}
KEEP_ALIVE_TIMEOUT = NO_TIMEOUTS | {"keep_alive_timeout": 1}


def parse_response(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the first answer among some bytes."""
    response_head, _, rest = answer.partition(b"\r\n\r\n")
    line, *lines = response_head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in lines)}
    body = rest[: int(headers.get("content-length", 0))]
    return int(line.split()[1]), headers, json.loads(body) if body else None


def code(answer: bytes) -> tuple[int, str]:
    status, _, body = parse_response(answer)
    return status, body["errors"][0]["extensions"]["code"]


async def test_a_body_over_the_limit_is_refused_at_once() -> None:
    async with run_fake_engine_hub(**NO_TIMEOUTS) as hub:
        answer = await hub.send_bytes(REQUEST_HEAD + b"content-length: 262145\r\nconnection: close\r\n\r\n")
        assert code(answer) == (413, "BODY_TOO_LARGE")


async def test_ten_megabytes_are_refused_and_the_connection_goes_on() -> None:
    async with run_fake_engine_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        size = 10 * 1024 * 1024
        writer.write(
            REQUEST_HEAD
            + b"content-length: %d\r\n\r\n" % size
            + b"x" * size
            + post_bytes("{ echo }", connection="close")
        )
        answers = await reader.read(-1)
        assert code(answers) == (413, "BODY_TOO_LARGE")
        assert answers.endswith(b'{"data": {"echo": ""}}')
        writer.close()


async def test_a_chunked_body_is_counted() -> None:
    async with run_fake_engine_hub() as hub:
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        answer = await hub.send_bytes(
            REQUEST_HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n" + chunk * 9 + b"0\r\n\r\n"
        )
        assert code(answer) == (413, "BODY_TOO_LARGE")


async def test_a_body_at_the_limit_is_read() -> None:
    async with run_fake_engine_hub(body_limit=1000) as hub:
        query = "{ echo }" + " " * (1000 - len('{"query": "{ echo }"}'))
        assert parse_response(await hub.send_bytes(post_bytes(query, connection="close")))[0] == 200
        assert code(await hub.send_bytes(post_bytes(query + " ", connection="close"))) == (413, "BODY_TOO_LARGE")


async def test_expect_100_continue_is_refused_before_the_body() -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(REQUEST_HEAD + b"expect: 100-continue\r\ncontent-length: 10000000\r\n\r\n")
        assert code(answer) == (413, "BODY_TOO_LARGE")
        assert parse_response(answer)[1]["connection"] == "close"


async def test_a_body_that_never_ends_is_not_read_for_ever() -> None:
    async with run_fake_engine_hub() as hub:
        _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(REQUEST_HEAD + b"content-length: 1000000000\r\n\r\n")
        assert await send_without_end(writer) < 60_000_000
        writer.close()


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST /graphql HTTP/1.1\r\nhost: hub\r\nx-long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\n" + b"x-many: a\r\n" * 10_000 + b"\r\n",
        b"GET /graphql?query=" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: hub\r\n\r\n",
        b"GET /" + b"a" * 400_000,
        b"GET / HTTP/1.1\r\nx: " + b"a" * 400_000,
    ],
)
async def test_headers_over_the_limit_are_refused(request_head: bytes) -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(request_head)
        assert code(answer) == (431, "HEADERS_TOO_LARGE")


async def test_headers_under_the_limit_are_read_though_much_was_sent_before() -> None:
    async with run_fake_engine_hub() as hub:
        large = post_bytes("{ echo }" + " " * 60_000, **{"x-large": "a" * 60_000})
        answers = await hub.send_bytes(large * 3 + post_bytes("{ echo }", connection="close"))
        assert answers.count(b"HTTP/1.1 200 OK") == 4


async def test_a_silent_client_is_hung_up_on() -> None:
    async with run_fake_engine_hub(**HEADER_TIMEOUT) as hub:
        began = time.perf_counter()
        assert await hub.send_bytes(b"") == b""
        assert time.perf_counter() - began > 0.25


@pytest.mark.parametrize("start", [b"P", b"POST /graphql HTTP/1.1\r\nhost: h", REQUEST_HEAD])
async def test_headers_that_do_not_end_time_out(start: bytes) -> None:
    async with run_fake_engine_hub(**HEADER_TIMEOUT) as hub:
        began = time.perf_counter()
        assert code(await hub.send_bytes(start)) == (408, "REQUEST_TIMEOUT")
        assert time.perf_counter() - began > 0.25


async def test_a_header_every_now_and_then_does_not_extend_the_time() -> None:
    async with run_fake_engine_hub(**HEADER_TIMEOUT) as hub:
        assert code(await drip(hub, REQUEST_HEAD, b"x: y\r\n")) == (408, "REQUEST_TIMEOUT")


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with run_fake_engine_hub(**HEADER_TIMEOUT) as hub:
        assert await drip(hub, post_bytes("{ echo }"), b"\r\n") != b""


async def test_a_body_that_does_not_end_times_out_with_an_answer() -> None:
    async with run_fake_engine_hub(**REQUEST_TIMEOUT) as hub:
        began = time.perf_counter()
        answer = await drip(hub, REQUEST_HEAD + b"content-length: 1000\r\n\r\n", b"{")
        assert code(answer) == (408, "REQUEST_TIMEOUT")
        assert parse_response(answer)[1]["connection"] == "close"
        assert time.perf_counter() - began > 0.5
        assert (hub.requests[0].status, hub.requests[0].code) == (408, "REQUEST_TIMEOUT")


async def test_a_slow_answer_times_out_and_its_work_is_cancelled() -> None:
    async with run_fake_engine_hub(**REQUEST_TIMEOUT) as hub:
        answer = await hub.send_bytes(post_bytes("{ wait(seconds: 60) }", connection="close"))
        assert code(answer) == (503, "REQUEST_TIMEOUT")
        assert hub.engine.cancelled == 1


async def test_an_idle_connection_is_closed() -> None:
    async with run_fake_engine_hub(**KEEP_ALIVE_TIMEOUT) as hub:
        began = time.perf_counter()
        assert parse_response(await hub.send_bytes(post_bytes("{ echo }")))[0] == 200
        assert time.perf_counter() - began > 0.9


async def test_a_connection_is_not_idle_while_its_request_is_processed() -> None:
    async with run_fake_engine_hub(**KEEP_ALIVE_TIMEOUT) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(post_bytes("{ echo }"))
        await reader.readuntil(b"}}")
        writer.write(post_bytes("{ wait(seconds: 1.2) }"))  # longer than a connection may be idle
        began = time.perf_counter()
        assert parse_response(await reader.read())[2] == {"data": {"wait": "waited"}}
        assert time.perf_counter() - began > 2.1
        writer.close()


async def test_every_request_has_a_time_of_its_own() -> None:
    async with run_fake_engine_hub(**REQUEST_TIMEOUT) as hub:
        for _ in range(2):
            waiting = [hub.send_bytes(post_bytes("{ wait(seconds: 60) }", connection="close")) for _ in range(3)]
            assert {code(answer) for answer in await asyncio.gather(*waiting)} == {(503, "REQUEST_TIMEOUT")}
            assert parse_response(await hub.send_bytes(post_bytes("{ echo }", connection="close")))[0] == 200


async def test_who_hangs_up_ends_the_work() -> None:
    async with run_fake_engine_hub() as hub:
        _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(post_bytes("{ wait(seconds: 60) }"))
        async with asyncio.timeout(WAIT_TIMEOUT):
            await hub.engine.waiting.wait()
        writer.close()
        await until(lambda: bool(hub.requests))
        assert (hub.engine.cancelled, hub.requests[0].status, hub.requests[0].code) == (1, 499, "")


async def test_a_client_that_closes_its_half_counts_as_gone() -> None:
    async with run_fake_engine_hub() as hub:
        assert await hub.send_bytes(post_bytes("{ wait(seconds: 60) }"), half_close=True) == b""
        await until(lambda: bool(hub.requests))
        assert hub.requests[0].status == 499


async def test_requests_in_a_row_are_answered_in_their_order() -> None:
    async with run_fake_engine_hub() as hub:
        asked = [post_bytes(f'{{ echo(text: "{n}") }}') for n in range(9)] + [
            post_bytes('{ echo(text: "9") }', connection="close")
        ]
        answers = await hub.send_bytes(post_bytes("{ wait(seconds: 0.1) }") + b"".join(asked))
        assert answers.index(b"waited") < answers.index(b'"0"')
        assert [answers.index(b'"%d"' % n) for n in range(10)] == sorted(answers.index(b'"%d"' % n) for n in range(10))


async def test_a_head_is_refused_without_a_body() -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(
            b"HEAD /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n" + AUTHORIZED + b"\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert answer.endswith(b"\r\n\r\n")


async def test_a_head_of_health_has_no_body() -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(b"HEAD /healthz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /gra\x00phql HTTP/1.1\r\nhost: hub\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: hub\r\nx: a\x00b\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"CONNECT hub:443 HTTP/1.1\r\nhost: hub\r\n\r\n",
        REQUEST_HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
async def test_what_is_not_http_is_refused(nonsense: bytes) -> None:
    async with run_fake_engine_hub(**NO_TIMEOUTS) as hub:
        answer = await hub.send_bytes(nonsense)
        assert code(answer) == (400, "BODY_MALFORMED")
        assert parse_response(answer)[1]["connection"] == "close"


async def test_a_wish_for_another_protocol_is_ignored() -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(
            post_bytes("{ echo }", connection="Upgrade, HTTP2-Settings, close", Upgrade="h2c")
        )
        assert parse_response(answer)[2] == {"data": {"echo": ""}}


async def test_a_key_in_another_place_than_its_header_opens_nothing() -> None:
    async with run_fake_engine_hub() as hub:
        request_head = (
            b"GET /graphql?query=%7Becho%7D&key=x HTTP/1.1\r\nhost: hub\r\ncookie: a=b\r\nconnection: close\r\n\r\n"
        )
        assert code(await hub.send_bytes(request_head)) == (401, "UNAUTHENTICATED")


async def test_who_takes_no_answer_does_not_hold_it_for_ever() -> None:
    async with run_fake_engine_hub(request_timeout=0.3, keep_alive_timeout=1) as hub:
        text = "x" * 200_000
        body = json.dumps({"query": "query($t: String) { echo(text: $t) }", "variables": {"t": text}}).encode()
        one = REQUEST_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
        for _ in range(60):
            writer.write(one)
        with suppress(ConnectionError):
            async with asyncio.timeout(WAIT_TIMEOUT):
                await writer.drain()
                while True:
                    writer.write(b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
        reader.feed_eof()


async def test_others_are_served_while_many_dawdle() -> None:
    async with run_fake_engine_hub(**NO_TIMEOUTS) as hub, AsyncExitStack() as stack:
        for start in (b"", b"POST", REQUEST_HEAD + b"content-length: 9\r\n\r\n{") * 60:
            _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            stack.callback(writer.close)
            writer.write(start)
        for _ in range(50):
            assert parse_response(await hub.send_bytes(post_bytes("{ echo }", connection="close")))[0] == 200
        assert [request.status for request in hub.requests] == [200] * 50


async def test_all_who_dawdle_are_hung_up_on() -> None:
    async with run_fake_engine_hub(**HEADER_TIMEOUT | {"request_timeout": 0.6}) as hub:
        starts = (b"", b"POST", REQUEST_HEAD + b"content-length: 9\r\n\r\n{") * 60
        await asyncio.gather(*map(hub.send_bytes, starts))
        assert {request.status for request in hub.requests} == {408}


async def test_a_stopping_hub_ends_what_it_has_begun() -> None:
    async with run_fake_engine_hub() as hub:
        answer = asyncio.create_task(hub.send_bytes(post_bytes("{ wait(seconds: 0.3) }")))
        await hub.engine.waiting.wait()
    assert parse_response(await answer)[2] == {"data": {"wait": "waited"}}


async def test_a_stopping_hub_answers_who_does_not_know_yet() -> None:
    async def asked_late(hub: FakeEngineHub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await until(lambda: hub.app.context.connection_registry.stopping)
        writer.write(post_bytes("{ wait(seconds: 0) }"))
        return await reader.read()

    async with run_fake_engine_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(post_bytes("{ echo }"))
        await reader.readuntil(b"}}")
        late = asyncio.create_task(asked_late(hub, reader, writer))
    status, headers, answer = parse_response(await late)
    assert (status, headers["connection"], answer) == (200, "close", {"data": {"wait": "waited"}})
    writer.close()


async def test_a_stopping_hub_does_not_wait_for_ever() -> None:
    async with asyncio.timeout(WAIT_TIMEOUT), run_fake_engine_hub(drain_timeout=1, **NO_TIMEOUTS) as hub:
        answer = asyncio.create_task(hub.send_bytes(post_bytes("{ wait(seconds: 3600) }")))
        await hub.engine.waiting.wait()
        hub.engine.rollback_seconds = 0.2
    assert [request.status for request in hub.requests] == [499]  # the process may end now: the answer is sent
    assert code(await answer) == (503, "UNAVAILABLE")


async def drip(hub: FakeEngineHub, first: bytes, chunk: bytes) -> bytes:
    """What comes back to a client that sends a little every 50 ms, until the hub hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(first)
    answer = asyncio.create_task(reader.read(-1))
    async with asyncio.timeout(WAIT_TIMEOUT):
        while not answer.done():
            writer.write(chunk)
            await asyncio.sleep(0.05)
    writer.close()
    return answer.result()


def test_the_limits_are_those_of_the_settings() -> None:
    assert Settings().model_dump(include={"body_limit", "header_timeout", "request_timeout", "keep_alive_timeout"}) == {
        "body_limit": 262_144,
        "header_timeout": 5.0,
        "request_timeout": 15.0,
        "keep_alive_timeout": 75,
    }
