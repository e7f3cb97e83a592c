"""HTTP as real clients send it: bodies beyond the limit, browsers that open an address, preflights, versions and hosts."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT
from fake_engine_hub import BEARER, FakeEngineHub, post_bytes, run_fake_engine_hub, send_without_end
from websocket_client import status_and_code

TEN_MEGABYTES = b'{"query": "' + b"x" * 10_000_000 + b'"}'
ORIGIN = "https://crm.example"
BROWSER_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
BODY = b'{"query":"{ echo }"}'
REQUEST_LINES = f"POST /graphql HTTP/1.1\r\nhost: hub\r\nauthorization: {BEARER['authorization']}\r\n".encode()


@pytest.fixture(scope="module")
async def hub() -> AsyncIterator[FakeEngineHub]:
    async with run_fake_engine_hub(allowed_origins=(ORIGIN,)) as hub:
        yield hub


@pytest.fixture(scope="module")
async def client(hub: FakeEngineHub) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}") as client:
        yield client


def post_by_urllib(port: int, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Posts ten megabytes as urllib does: with `Connection: close`, reading nothing before everything is sent."""
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, TEN_MEGABYTES, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_TIMEOUT) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/graphql", BEARER, (413, "BODY_TOO_LARGE")),
        ("/graphql", {}, (401, "UNAUTHENTICATED")),
        ("/graphql", {**BEARER, "Content-Type": "text/plain"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        ("/graphq", {}, (404, "NOT_FOUND")),
        ("/healthz", {}, (405, "METHOD_NOT_ALLOWED")),
    ],
)
async def test_d10_ten_megabytes_are_refused_readably(
    hub: FakeEngineHub, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    status, body = await asyncio.to_thread(post_by_urllib, hub.port, path, headers)
    assert (status, body["errors"][0]["extensions"]["code"]) == expected


async def test_d10_a_connection_that_goes_on_serves_the_next_request(hub: FakeEngineHub) -> None:
    def post_twice() -> list[tuple[int, Any]]:
        connection = HTTPConnection("127.0.0.1", hub.port, timeout=WAIT_TIMEOUT)
        answers = []
        for body in (TEN_MEGABYTES, BODY):
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json", **BEARER})
            response = connection.getresponse()
            answers.append((response.status, json.load(response)))
        connection.close()
        return answers

    (status, refused), answered = await asyncio.to_thread(post_twice)
    assert (status, refused["errors"][0]["extensions"]) == (413, {"code": "BODY_TOO_LARGE", "limit": 262_144})
    assert answered == (200, {"data": {"echo": ""}})


async def test_d10_the_rest_of_a_refused_body_is_not_read_for_ever(hub: FakeEngineHub) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    lines = b"content-type: application/json\r\nconnection: close\r\ncontent-length: 1000000000\r\n\r\n"
    writer.write(REQUEST_LINES + lines)
    assert status_and_code(await reader.read(-1)) == (413, "BODY_TOO_LARGE")
    assert await send_without_end(writer) < 60_000_000
    writer.close()


async def test_d10_what_follows_the_last_request_is_not_executed(hub: FakeEngineHub) -> None:
    hub.engine.viewers.clear()
    lines = b"content-type: application/json\r\nconnection: close\r\ncontent-length: 300000\r\n\r\n"
    answer = await hub.send_bytes(REQUEST_LINES + lines + b" " * 300_000 + post_bytes("mutation { change }"))
    assert (status_and_code(answer), hub.engine.viewers) == ((413, "BODY_TOO_LARGE"), [])


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/", BROWSER_ACCEPT),
        ("/", "*/*"),
        ("/graphql", BROWSER_ACCEPT),
        ("/graphql", "text/html"),
        ("/graphql?query=%7Becho%7D", BROWSER_ACCEPT),
    ],
)
async def test_s6_a_browser_that_opens_the_hub_is_led_to_graphiql(
    client: httpx2.AsyncClient, path: str, accept: str
) -> None:
    answer = await client.get(path, headers={"accept": accept}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "graphiql")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, application/json", ""])
async def test_s6_a_program_gets_json(client: httpx2.AsyncClient, accept: str) -> None:
    answer = await client.get("/graphql", headers={"accept": accept})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    headers = {"accept": BROWSER_ACCEPT, **BEARER}
    assert (await client.get("/graphql", params={"query": "{ echo }"}, headers=headers)).json() == {
        "data": {"echo": ""}
    }


async def test_s6_without_graphiql_nothing_leads_there() -> None:
    async with (
        run_fake_engine_hub(graphiql=False) as hub,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}", headers={"accept": BROWSER_ACCEPT}) as client,
    ):
        assert [(await client.get(path)).status_code for path in ("/", "/graphql")] == [404, 401]


SENT_BY_CLIENTS = [
    "authorization,content-type",
    "apollographql-client-name,apollographql-client-version,content-type",
    "apollo-require-preflight,x-apollo-operation-name,x-apollo-operation-id",
    "traceparent,tracestate,baggage,sentry-trace",
    "x-requested-with,cache-control,last-event-id",
    "X-App-Version, x-datadog-trace-id",
]


@pytest.mark.parametrize("requested", SENT_BY_CLIENTS)
async def test_s7_an_allowed_page_may_send_the_headers_of_its_tools(client: httpx2.AsyncClient, requested: str) -> None:
    preflight = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": requested,
    }
    answer = await client.options("/graphql", headers=preflight)
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert answer.status_code == 204
    assert {name.strip().lower() for name in requested.split(",")} <= allowed
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers"
    assert "access-control-allow-credentials" not in answer.headers
    foreign = await client.options("/graphql", headers=preflight | {"origin": "https://evil.example"})
    assert [name for name in foreign.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("requested", ["", "x y(z)", "a: b", ",".join(f"x-{number}" for number in range(1_000))])
async def test_s7_malformed_or_too_many_headers_are_not_repeated(client: httpx2.AsyncClient, requested: str) -> None:
    answer = await client.options("/graphql", headers={"origin": ORIGIN, "access-control-request-headers": requested})
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed.startswith("Accept, Authorization, Content-Type, ")
    assert "Apollo-Require-Preflight" in allowed
    assert len(allowed) < 500


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/1.1\r\nhost: a b\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/1.1\r\nhost: user@a\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", (400, "BODY_MALFORMED")),
        (b"POST /graphql HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", (400, "BODY_MALFORMED")),
        (b"GET /healthz HTTP/2.0\r\nhost: a\r\n\r\n", (505, "HTTP_VERSION_UNSUPPORTED")),
        (b"GET /healthz HTTP/1.2\r\nhost: a\r\n\r\n", (505, "HTTP_VERSION_UNSUPPORTED")),
        (b"GET /healthz HTTP/3.0\r\nhost: a\r\n\r\n", (505, "HTTP_VERSION_UNSUPPORTED")),
        (b"GET /healthz\r\n\r\n", (505, "HTTP_VERSION_UNSUPPORTED")),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505, "HTTP_VERSION_UNSUPPORTED")),
    ],
)
async def test_x11_a_request_without_one_host_or_of_another_version_is_refused(
    hub: FakeEngineHub, request_bytes: bytes, expected: tuple[int, str]
) -> None:
    answer = await hub.send_bytes(request_bytes)
    assert status_and_code(answer) == expected
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("host", [b"hub", b"hub.example:8000", b"[::1]:8000", b"127.0.0.1", b"my_hub", b""])
async def test_x11_every_valid_host_is_served(hub: FakeEngineHub, host: bytes) -> None:
    answer = await hub.send_bytes(b"GET /healthz HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % host)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("more", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
async def test_x11_connect_is_refused(hub: FakeEngineHub, more: bytes) -> None:
    answer = await hub.send_bytes(b"CONNECT hub:443 HTTP/1.1\r\nhost: hub\r\n%b\r\n" % more)
    assert status_and_code(answer) == (400, "BODY_MALFORMED")


async def test_x11_http_1_0_needs_no_host(hub: FakeEngineHub) -> None:
    assert (await hub.send_bytes(b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


PROBE = b"GET /healthz HTTP/1.1\r\nhost: hub\r\n\r\n"
UPGRADE_LINES = REQUEST_LINES + b"content-type: application/json\r\nConnection: close, Upgrade, HTTP2-Settings\r\n"
UPGRADE = b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
LENGTH = b"content-length: %d\r\n\r\n" % len(BODY)
CHUNKS = b"transfer-encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])
CUTS = [len(UPGRADE_LINES) + offset for offset in (-1, 0, 1, 4, 7, 9, 11, 12, 13, 14)]


@pytest.mark.parametrize("body", [LENGTH + BODY, CHUNKS], ids=["length", "chunks"])
async def test_x11_a_request_for_another_protocol_keeps_its_body_wherever_it_is_split(
    hub: FakeEngineHub, body: bytes
) -> None:
    sent = UPGRADE_LINES + UPGRADE + body
    for cut in (0, *CUTS, len(sent) - len(body), len(sent) - 5, len(sent)):
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        async with asyncio.timeout(WAIT_TIMEOUT):
            # The answer to the first request shows that the first segment was read.
            writer.write(PROBE + sent[:cut])
            await reader.readuntil(b"}")
            writer.write(sent[cut:])
            answer = await reader.read(-1)
        assert answer.endswith(b'{"data": {"echo": ""}}'), cut
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        UPGRADE_LINES + b"upgrade: websocket\r\n" + LENGTH + BODY,
        UPGRADE_LINES + UPGRADE + b"upgrade: h2\r\n" + LENGTH + BODY,
        post_bytes("{ echo }", connection="upgrade", upgrade="h2c") + UPGRADE_LINES + UPGRADE + LENGTH + BODY,
    ],
)
async def test_x11_every_request_on_a_connection_keeps_its_body(hub: FakeEngineHub, sent: bytes) -> None:
    answers = await hub.send_bytes(sent)
    assert answers.count(b'{"data": {"echo": ""}}') == sent.count(b"POST ")
