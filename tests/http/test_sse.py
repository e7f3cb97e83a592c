"""Server-sent events through a real socket: who gets them, what they look like, how they end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT
from fake_engine_hub import BEARER, CREATED, KEY, REVOKED, FakeEngineHub, run_fake_engine_hub, stored_key, until

from hub.observability import StreamClosed, StreamOpened
from hub.web.http import negotiation
from hub.web.http.sse import format_event

EVENTS = {"accept": "text/event-stream", **BEARER}
RESPONSE = "application/graphql-response+json"
START = ":\n\n"
END = "event: complete\ndata:\n\n"


@asynccontextmanager
async def streaming(
    hub: FakeEngineHub, query: str, *, method: str = "POST", **headers: str
) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[str]]]:
    """A response that is read bit by bit."""
    url = f"http://127.0.0.1:{hub.port}/graphql"
    request_body: dict[str, Any] = {"params": {"query": query}} if method == "GET" else {"json": {"query": query}}
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream(
            method, url, headers={**EVENTS, **{n.replace("_", "-"): v for n, v in headers.items()}}, **request_body
        ) as answer,
    ):
        yield answer, answer.aiter_text()


async def read_response(hub: FakeEngineHub, query: str, **options: Any) -> tuple[int, str]:
    """Status and text of a response that ends."""
    async with streaming(hub, query, **options) as (answer, _):
        return answer.status_code, (await answer.aread()).decode()


async def read_until(text: AsyncIterator[str], expected: str) -> str:
    """What comes until a text has."""
    received = ""
    async with asyncio.timeout(WAIT_TIMEOUT):
        while expected not in received:
            received += await anext(text)
    return received


def event_text(*ticks: int) -> str:
    return "".join(f'event: next\nid: c{n}\ndata: {{"data":{{"ticks":{n}}}}}\n\n' for n in ticks)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_subscription_is_a_stream_of_events(method: str) -> None:
    async with (
        run_fake_engine_hub() as hub,
        streaming(hub, "subscription { ticks(count: 3) }", method=method) as (answer, _),
    ):
        assert answer.status_code == 200
        headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
        assert headers == {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-accel-buffering": "no",
            "vary": "Accept, Accept-Encoding, Origin",
            "transfer-encoding": "chunked",
        }
        assert (await answer.aread()).decode() == START + event_text(1, 2, 3) + END


async def test_events_are_sent_when_they_happen() -> None:
    async with run_fake_engine_hub() as hub, streaming(hub, "subscription { idle }") as (_, text):
        await read_until(text, START)
        for n in (1, 2):
            hub.subscriptions.opened[0].tick()
            assert await read_until(text, "\n\n") == event_text(n)


async def test_a_query_is_one_event() -> None:
    async with run_fake_engine_hub() as hub:
        expected = 'event: next\ndata: {"data": {"echo": "é"}}\n\n'.replace("é", "\\u00e9")
        assert await read_response(hub, '{ echo(text: "é") }') == (200, START + expected + END)
        assert (hub.requests[0].operation, hub.requests[0].status) == ("query", 200)


async def test_a_mutation_is_one_event_and_no_get() -> None:
    async with run_fake_engine_hub() as hub:
        expected = 'event: next\ndata: {"data": {"change": "changed"}}\n\n'
        assert await read_response(hub, "mutation { change }") == (200, START + expected + END)
        status, body = await read_response(hub, "mutation { change }", method="GET")
        assert (status, json.loads(body)["errors"][0]["extensions"]["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("{ nothing }", 400, "GRAPHQL_INVALID"),
        ("{", 400, "GRAPHQL_SYNTAX"),
        ("subscription { nothing }", 400, "GRAPHQL_INVALID"),
        ('subscription { broken(how: "refused") }', 400, "CURSOR_MALFORMED"),
        ('subscription { broken(how: "unavailable") }', 503, "UNAVAILABLE"),
        ('subscription { broken(how: "fault") }', 500, "INTERNAL"),
        ('subscription { broken(how: "slow") }', 503, "REQUEST_TIMEOUT"),
    ],
)
async def test_errors_before_the_stream_begins_are_ordinary_answers(query: str, status: int, code: str) -> None:
    async with run_fake_engine_hub(request_timeout=0.3) as hub, streaming(hub, query) as (answer, _):
        error_code = json.loads(await answer.aread())["errors"][0]["extensions"]["code"]
        assert (answer.status_code, error_code) == (status, code)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        await until(lambda: hub.requests)
        assert (hub.requests[0].status, hub.requests[0].code) == (status, code)


async def test_a_key_is_needed() -> None:
    async with run_fake_engine_hub() as hub:
        for header in ("", f"Bearer {REVOKED}"):
            assert (await read_response(hub, "subscription { idle }", authorization=header))[0] == 401


async def test_a_stream_that_fails_says_so_and_ends() -> None:
    async with run_fake_engine_hub() as hub:
        error = '{"errors":[{"message":"no more","extensions":{"code":"UNAVAILABLE"}}]}'
        expected = f'event: next\ndata: {{"data":{{"broken":1}}}}\n\nevent: next\ndata: {error}\n\n'
        assert await read_response(hub, 'subscription { broken(how: "later") }') == (200, START + expected + END)


@pytest.mark.parametrize("accept", ["application/json", RESPONSE, "*/*", "text/*", "text/event-stream;q=0, */*"])
async def test_a_subscription_without_an_event_media_type_is_refused_with_the_remedy(accept: str) -> None:
    async with run_fake_engine_hub() as hub:
        status, body = await read_response(hub, "subscription { idle }", accept=accept)
        assert status == (406 if accept == "text/*" else 400 if accept == RESPONSE else 200)
        error = json.loads(body)["errors"][0]
        assert error["extensions"]["code"] == ("NOT_ACCEPTABLE" if accept == "text/*" else "STREAM_TRANSPORT")
        assert "text/event-stream" in error["message"]


async def test_a_client_that_takes_all_gets_events_for_subscriptions_alone() -> None:
    async with run_fake_engine_hub() as hub:
        accept = f"{RESPONSE}, application/json, text/event-stream, multipart/mixed"
        assert await read_response(hub, "subscription { ticks(count: 1) }", accept=accept) == (
            200,
            START + event_text(1) + END,
        )
        assert await read_response(hub, "{ echo }", accept=accept) == (200, '{"data": {"echo": ""}}')


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        (None, False),
        ("*/*", False),
        ("text/event-stream", True),
        ("application/json, TEXT/Event-Stream;q=0.5", True),
        ("text/event-stream;q=0", False),
        ("text/event-streams", False),
    ],
)
def test_events_are_accepted_by_name(accept: str | None, taken: bool) -> None:
    assert negotiation.accepts_events(None if accept is None else accept.encode()) is taken


async def test_the_last_event_id_says_where_to_go_on() -> None:
    async with run_fake_engine_hub() as hub:
        await read_response(hub, "subscription { ticks(count: 1) }", last_event_id="c41")
        await read_response(hub, "subscription { ticks(count: 1) }")
        assert [ticker.request.resume for ticker in hub.subscriptions.opened] == ["c41", None]


async def test_silence_is_filled_with_comments() -> None:
    async with run_fake_engine_hub(stream_keepalive=0.05) as hub, streaming(hub, "subscription { idle }") as (_, text):
        assert set(await read_until(text, START * 3)) == {":", "\n"}


async def test_the_time_of_a_request_does_not_cut_a_stream() -> None:
    async with run_fake_engine_hub(request_timeout=0.2) as hub, streaming(hub, "subscription { idle }") as (_, text):
        await asyncio.sleep(0.3)
        hub.subscriptions.opened[0].tick()
        assert (await read_until(text, "}\n\n")).endswith(event_text(1))


async def test_who_hangs_up_ends_the_stream_at_once() -> None:
    async with run_fake_engine_hub() as hub:
        async with streaming(hub, "subscription { idle }") as (_, text):
            await read_until(text, START)
        await until(lambda: hub.subscriptions.opened[0].cancelled)
        (closed,) = (hub_event for hub_event in hub.events if isinstance(hub_event, StreamClosed))
        assert (closed.transport, closed.reason) == ("events", "gone")
        assert hub.requests == []


async def test_a_connection_goes_on_after_a_stream() -> None:
    async with run_fake_engine_hub() as hub, httpx2.AsyncClient(headers=EVENTS) as client:
        url = f"http://127.0.0.1:{hub.port}/graphql"
        for _ in range(3):
            answer = await client.post(url, json={"query": "subscription { ticks(count: 1) }"})
            assert answer.text == START + event_text(1) + END
        opened = [hub_event for hub_event in hub.events if isinstance(hub_event, StreamOpened)]
        assert len(opened) == 3


async def test_pages_of_allowed_origins_may_read_events() -> None:
    query, origin = "subscription { ticks(count: 1) }", "https://crm.example"
    async with (
        run_fake_engine_hub(allowed_origins=(origin,)) as hub,
        streaming(hub, query, origin=origin) as (answer, _),
    ):
        assert answer.headers["access-control-allow-origin"] == origin


async def test_a_revoked_key_ends_the_stream_with_an_error() -> None:
    async with (
        run_fake_engine_hub(key_recheck_interval=0.1) as hub,
        streaming(hub, "subscription { idle }") as (_, text),
    ):
        await read_until(text, START)
        hub.stored_keys["00000001"] = stored_key("00000001", revoked_at=CREATED)
        assert '"code":"KEY_REVOKED"' in await read_until(text, END)
        assert hub.subscriptions.opened[0].cancelled


async def test_json_over_several_lines_is_one_event() -> None:
    assert format_event(b'{\r\n"data":\n1}', b"c") == b'event: next\nid: c\ndata: {\ndata: "data":\ndata: 1}\n\n'


FLOOD = (
    f"POST /graphql HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {KEY}\r\naccept: text/event-stream\r\n"
    "connection: close\r\ncontent-type: application/json\r\ncontent-length: 47\r\n\r\n"
    '{"query":"subscription { flood(size: 50000) }"}'
).encode()


async def test_a_slow_consumer_is_closed_with_a_reason() -> None:
    async with run_fake_engine_hub(stream_backpressure_timeout=0.3) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
        writer.write(FLOOD)
        await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].close_reasons)
        assert hub.subscriptions.opened[0].close_reasons == ["SLOW_CONSUMER"]
        assert f'{{"data":{{"gap":"SLOW_CONSUMER"}}}}\n\n{END}'.encode() in (await reader.read())[-200:]
        writer.close()


async def test_a_consumer_that_does_not_read_the_close_is_dropped() -> None:
    async with run_fake_engine_hub(stream_backpressure_timeout=0.1, drain_timeout=1) as hub:
        _, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
        writer.write(FLOOD)
        await until(lambda: hub.subscriptions.opened and hub.subscriptions.opened[0].close_reasons)
        await until(lambda: not hub.app.context.connection_registry._by_key)
        writer.close()


async def test_a_stopping_hub_ends_responses_and_no_stream() -> None:
    async with run_fake_engine_hub() as hub, streaming(hub, "subscription { idle }") as (_, text):
        await read_until(text, START)
        hub.app.context.connection_registry.shutdown()
        assert "".join([chunk async for chunk in text]) == ""
