"""GraphQL over HTTP: methods, media types, bodies, statuses, headers, CORS, compression."""

import asyncio
import gzip
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_engine_hub import BEARER, KEY, FakeEngineHub, capture_events, post_bytes, run_fake_engine_hub

from hub.observability import InternalFailure
from hub.settings import Settings
from hub.web.http import negotiation

AUDITS = Path(__file__).parents[1] / "audits" / "node_modules" / "graphql-http"
RESPONSE = "application/graphql-response+json"


@pytest.fixture
async def fake_hub() -> AsyncIterator[FakeEngineHub]:
    fake_hub = FakeEngineHub(Settings(allowed_origins=("https://crm.example",)))
    with capture_events(fake_hub):
        yield fake_hub


@pytest.fixture
async def fake_hub_client(fake_hub: FakeEngineHub) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(fake_hub.app), base_url="http://hub", headers=BEARER
    ) as opened:
        yield opened


def code(answer: httpx2.Response) -> str:
    error = answer.json()["errors"][0]
    assert error["message"]
    return str(error["extensions"]["code"])


async def test_a_posted_query_is_answered_with_headers_that_say_all(fake_hub_client: httpx2.AsyncClient) -> None:
    answer = await fake_hub_client.post("/graphql", json={"query": '{ echo(text: "José") }'})
    assert (answer.status_code, answer.json()) == (200, {"data": {"echo": "José"}})
    headers = dict(answer.headers)
    assert headers.pop("x-request-id")
    assert headers == {
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Accept-Encoding, Origin",
        "server-timing": "parse;dur=0.250, sql;dur=1.500",
    }


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE, RESPONSE),
        (f"application/json, {RESPONSE}", RESPONSE),
        (f"application/json, {RESPONSE};q=0.9", "application/json"),
        (f"*/*;q=0.1, {RESPONSE};q=0", "application/json"),
        (f"{RESPONSE}, application/json;q=0, */*;q=0.5", RESPONSE),
        (f"{RESPONSE}; charset=utf-8, text/event-stream", RESPONSE),
        ("APPLICATION/JSON;CHARSET=UTF-8", "application/json"),
        ("text/event-stream", None),
        ("application/json;q=0", None),
        ("application/json;q=many", None),
        (f"{RESPONSE};charset=latin-1", None),
        ("application/jso", None),
        (", ;;=,", None),
    ],
)
def test_the_media_type_with_the_highest_quality_is_chosen(accept: str | None, chosen: str | None) -> None:
    header = None if accept is None else accept.encode()
    assert negotiation.response_type(header) == (None if chosen is None else chosen.encode())


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        (None, False),
        ("gzip, br", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("br, identity;q=0.5, *;q=0", False),
        ("GZip;q=0.1", True),
    ],
)
def test_gzip_is_used_when_it_is_accepted(accepted: str | None, taken: bool) -> None:
    assert negotiation.accepts_gzip(None if accepted is None else accepted.encode()) is taken


async def test_a_type_that_cannot_be_produced_is_refused(fake_hub_client: httpx2.AsyncClient) -> None:
    answer = await fake_hub_client.post("/graphql", json={"query": "{ echo }"}, headers={"accept": "text/html"})
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")
    assert "text/event-stream for a stream" in answer.text


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (RESPONSE, 400)])
async def test_what_is_wrong_with_a_document_has_the_status_of_its_media_type(
    fake_hub_client: httpx2.AsyncClient, accept: str, status: int
) -> None:
    answer = await fake_hub_client.post("/graphql", json={"query": "{ nothing }"}, headers={"accept": accept})
    assert (answer.status_code, code(answer)) == (status, "GRAPHQL_INVALID")
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ('application/json; charset="UTF-8"', 200),
        ("Application/JSON", 200),
        ("application/json; charset=latin-1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
async def test_only_json_in_utf8_is_read(fake_hub_client: httpx2.AsyncClient, content_type: str, status: int) -> None:
    answer = await fake_hub_client.post(
        "/graphql", content=b'{"query": "{ echo }"}', headers={"content-type": content_type}
    )
    assert answer.status_code == status
    assert status == 200 or code(answer) == "MEDIA_TYPE_UNSUPPORTED"


async def test_a_compressed_body_is_not_read(fake_hub_client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await fake_hub_client.post("/graphql", content=gzip.compress(b'{"query": "{ echo }"}'), headers=headers)
    assert (answer.status_code, code(answer)) == (415, "MEDIA_TYPE_UNSUPPORTED")


@pytest.mark.parametrize(
    ("body", "expected", "argument"),
    [
        (b"", "BODY_MALFORMED", None),
        (b'{"query": ', "BODY_MALFORMED", None),
        (b'"{ echo }"', "BODY_MALFORMED", None),
        (b"null", "BODY_MALFORMED", None),
        (b'\xef\xbb\xbf{"query":"{ echo }"}', "BODY_MALFORMED", None),
        (b'{"query":"\xff"}', "BODY_MALFORMED", None),
        (b'{"query":"\\ud800"}', "BODY_MALFORMED", None),
        (b'{"query":"{ echo }","variables":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "BODY_MALFORMED", None),
        (b'{"query":"{ echo }","variables":' + b'{ "a":' * 1000 + b"1" + b"}" * 1001, "BODY_MALFORMED", None),
        (b'{"query":"{ echo }","query":"{ nothing }"}', "BODY_MALFORMED", None),
        (b'{"query":"{ echo }","variables":{"a":1,"a":2}}', "BODY_MALFORMED", None),
        (b'{"query":"{ echo }","variables":{"a":NaN}}', "BODY_MALFORMED", None),
        (b"{}", "BODY_MALFORMED", "query"),
        (b'{"query":null}', "BODY_MALFORMED", "query"),
        (b'{"query":["{ echo }"]}', "BODY_MALFORMED", "query"),
        (b'{"query":"{ echo }","operationName":1}', "BODY_MALFORMED", "operationName"),
        (b'{"query":"{ echo }","variables":"{}"}', "BODY_MALFORMED", "variables"),
        (b'{"query":"{ echo }","variables":[]}', "BODY_MALFORMED", "variables"),
        (b'{"query":"{ echo }","extensions":[]}', "BODY_MALFORMED", "extensions"),
        (b'[{"query":"{ echo }"}]', "BATCH_UNSUPPORTED", None),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    fake_hub_client: httpx2.AsyncClient, body: bytes, expected: str, argument: str | None
) -> None:
    answer = await fake_hub_client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, code(answer)) == (400, expected)
    assert answer.json()["errors"][0]["extensions"].get("argument") == argument


async def test_the_twin_of_a_key_is_named(fake_hub_client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await fake_hub_client.post(
        "/graphql", content=b'{"query":"{ echo }","variables":{"b":1,"b":2}}', headers=headers
    )
    assert answer.json()["errors"][0]["message"] == "The key 'b' occurs twice in one object; write it once."


async def test_a_get_reads(fake_hub_client: httpx2.AsyncClient) -> None:
    asked = {"query": "query Q($t: String) { echo(text: $t) }", "variables": '{"t": "é & +%"}', "operationName": "Q"}
    answer = await fake_hub_client.get("/graphql", params=asked)
    assert (answer.status_code, answer.json()) == (200, {"data": {"echo": "é & +%"}})


@pytest.mark.parametrize(
    ("query_string", "argument"),
    [
        ("", "query"),
        ("query=%7Becho%7D&query=%7Becho%7D", "query"),
        ("query=%7Becho%7D&variables=%5B%5D", "variables"),
        ("query=%7Becho%7D&variables=%7B", "variables"),
        ("query=%7Becho%7D&extensions=1", "extensions"),
        ("query=%FF", None),
        ("&".join(f"a{n}=" for n in range(101)), None),
    ],
)
async def test_a_get_that_is_no_request_is_refused(
    fake_hub_client: httpx2.AsyncClient, query_string: str, argument: str | None
) -> None:
    answer = await fake_hub_client.get(f"/graphql?{query_string}")
    assert (answer.status_code, code(answer)) == (400, "BODY_MALFORMED")
    assert answer.json()["errors"][0]["extensions"].get("argument") == argument


async def test_a_get_does_not_change_anything(fake_hub_client: httpx2.AsyncClient) -> None:
    answer = await fake_hub_client.get("/graphql", params={"query": "mutation { change }"})
    assert (answer.status_code, code(answer), answer.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")
    assert answer.json()["errors"][0]["message"] == "A mutation is not allowed over GET; use POST."


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_other_methods_are_refused_with_those_that_are_possible(
    fake_hub_client: httpx2.AsyncClient, method: str
) -> None:
    answer = await fake_hub_client.request(method, "/graphql", json={"query": "{ echo }"})
    assert (answer.status_code, code(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, POST, OPTIONS"


async def test_a_page_of_an_allowed_origin_may_ask(fake_hub_client: httpx2.AsyncClient) -> None:
    preflight = {"origin": "https://crm.example", "access-control-request-method": "POST"}
    allowed = await fake_hub_client.options("/graphql", headers=preflight)
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == "https://crm.example"
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    answer = await fake_hub_client.post(
        "/graphql", json={"query": "{ echo }"}, headers={"origin": "https://crm.example"}
    )
    assert answer.headers["access-control-allow-origin"] == "https://crm.example"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_another_origin_may_not(fake_hub_client: httpx2.AsyncClient) -> None:
    for origin in ("https://evil.example", "null", "https://crm.example.evil.example", "https://crm.example:444"):
        for method in ("OPTIONS", "POST"):
            answer = await fake_hub_client.request(
                method, "/graphql", json={"query": "{ echo }"}, headers={"origin": origin}
            )
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_refusal_can_be_read_by_an_allowed_page(fake_hub_client: httpx2.AsyncClient) -> None:
    headers = {"origin": "https://crm.example", "authorization": ""}
    answer = await fake_hub_client.post("/graphql", json={"query": "{ echo }"}, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://crm.example")


async def test_a_long_answer_is_compressed_for_who_accepts_it(fake_hub_client: httpx2.AsyncClient) -> None:
    text = "x" * 100_000
    asked = {"query": "query($t: String) { echo(text: $t) }", "variables": {"t": text}}
    plain = await fake_hub_client.post("/graphql", json=asked, headers={"accept-encoding": "identity"})
    packed = await fake_hub_client.post("/graphql", json=asked, headers={"accept-encoding": "gzip"})
    short = await fake_hub_client.post("/graphql", json={"query": "{ echo }"}, headers={"accept-encoding": "gzip"})
    assert plain.json() == packed.json() == {"data": {"echo": text}}
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in short.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 2000


async def test_a_valid_request_id_is_echoed(fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub) -> None:
    for request_id in ("order-17.a_B", "0" * 64):
        answer = await fake_hub_client.post(
            "/graphql", json={"query": "{ echo }"}, headers={"x-request-id": request_id}
        )
        assert answer.headers["x-request-id"] == fake_hub.requests[-1].request_id == request_id
    generated = set()
    for request_id in ("", "0" * 65, "a b", 'a"b', "<script>"):
        answer = await fake_hub_client.post(
            "/graphql", json={"query": "{ echo }"}, headers={"x-request-id": request_id}
        )
        generated.add(answer.headers["x-request-id"])
    assert len(generated) == 5
    assert all(is_safe_id(generated_id) for generated_id in generated)


def is_safe_id(text: str) -> bool:
    return text.replace("-", "").isalnum()


async def test_a_fault_of_ours_shows_a_request_id_and_nothing_else(
    fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(fake_hub.engine, "execute", broken)
    answer = await fake_hub_client.post("/graphql", json={"query": "{ echo }"}, headers={"x-request-id": "abc"})
    assert answer.status_code == 500
    assert answer.json() == {
        "errors": [
            {
                "message": "The hub failed; report the request id abc to its operator.",
                "extensions": {"code": "INTERNAL", "requestId": "abc"},
            }
        ]
    }
    failed = next(record for record in fake_hub.events if isinstance(record, InternalFailure))
    assert (failed.request_id, str(failed.error)) == ("abc", "the secret inside")


async def test_unknown_paths_are_refused_in_json(fake_hub_client: httpx2.AsyncClient) -> None:
    for path in ("/graphql/", "/GRAPHQL", "/graphql%00", "/..%2fgraphql", "/%ff", "/" + "a" * 3000):
        answer = await fake_hub_client.get(path)
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
        assert len(answer.content) < 300


async def test_a_percent_encoded_path_is_the_same_path(fake_hub_client: httpx2.AsyncClient) -> None:
    answer = await fake_hub_client.post("/%67raphql", json={"query": "{ echo }"})
    assert answer.status_code == 200


async def test_the_whole_answer_passes_through_a_real_socket() -> None:
    async with run_fake_engine_hub() as hub:
        answer = await hub.send_bytes(post_bytes("{ echo }", connection="close"))
        response_head, _, body = answer.partition(b"\r\n\r\n")
        assert response_head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(body) == {"data": {"echo": ""}}


@pytest.mark.skipif(not AUDITS.exists() or not shutil.which("node"), reason="npm's graphql-http is not installed")
async def test_every_audit_of_graphql_over_http_passes() -> None:
    script = f"""
        const {{ auditServer }} = require({json.dumps(str(AUDITS))});
        const ask = (url, options = {{}}) =>
            fetch(url, {{ ...options, headers: {{ ...options.headers, authorization: "Bearer {KEY}" }} }});
        auditServer({{ url: process.argv[1], fetchFn: ask }}).then((results) =>
            console.log(JSON.stringify(results.map((result) => [result.id, result.status]))));
    """
    async with run_fake_engine_hub() as hub:
        url = f"http://127.0.0.1:{hub.port}/graphql"
        ran = await asyncio.to_thread(subprocess.run, ["node", "-e", script, url], capture_output=True, timeout=60)
        results: list[Any] = json.loads(ran.stdout)
        assert len(results) == 61
        assert [result for result in results if result[1] != "ok"] == []
