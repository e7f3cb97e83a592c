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
from fake_engine_hub import BEARER, KEY, Hub, heard, listening, post

from hub.observability import Failed
from hub.settings import Settings
from hub.web.http import negotiation

AUDITS = Path(__file__).parents[1] / "audits" / "node_modules" / "graphql-http"
RESPONSE = "application/graphql-response+json"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub(Settings(allowed_origins=("https://crm.example",)))
    with heard(made):
        yield made


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(hub.app), base_url="http://hub", headers=BEARER
    ) as opened:
        yield opened


def code(answer: httpx2.Response) -> str:
    error = answer.json()["errors"][0]
    assert error["message"]
    return str(error["extensions"]["code"])


async def test_a_posted_query_is_answered_with_headers_that_say_all(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": '{ echo(text: "José") }'})
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
def test_the_media_type_is_the_one_that_is_wanted_most(accept: str | None, chosen: str | None) -> None:
    given = None if accept is None else accept.encode()
    assert negotiation.answer_type(given) == (None if chosen is None else chosen.encode())


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


async def test_a_type_that_cannot_be_produced_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ echo }"}, headers={"accept": "text/html"})
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")
    assert "text/event-stream for a stream" in answer.text


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (RESPONSE, 400)])
async def test_what_is_wrong_with_a_document_has_the_status_of_its_media_type(
    client: httpx2.AsyncClient, accept: str, status: int
) -> None:
    answer = await client.post("/graphql", json={"query": "{ nothing }"}, headers={"accept": accept})
    assert (answer.status_code, code(answer)) == (status, "GRAPHQL_INVALID")
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"


@pytest.mark.parametrize(
    ("kind", "status"),
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
async def test_only_json_in_utf8_is_read(client: httpx2.AsyncClient, kind: str, status: int) -> None:
    answer = await client.post("/graphql", content=b'{"query": "{ echo }"}', headers={"content-type": kind})
    assert answer.status_code == status
    assert status == 200 or code(answer) == "MEDIA_TYPE_UNSUPPORTED"


async def test_a_compressed_body_is_not_read(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await client.post("/graphql", content=gzip.compress(b'{"query": "{ echo }"}'), headers=headers)
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
    client: httpx2.AsyncClient, body: bytes, expected: str, argument: str | None
) -> None:
    answer = await client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, code(answer)) == (400, expected)
    assert answer.json()["errors"][0]["extensions"].get("argument") == argument


async def test_the_twin_of_a_key_is_named(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post("/graphql", content=b'{"query":"{ echo }","variables":{"b":1,"b":2}}', headers=headers)
    assert answer.json()["errors"][0]["message"] == "The key 'b' stands twice in one object; write it once."


async def test_a_get_reads(client: httpx2.AsyncClient) -> None:
    asked = {"query": "query Q($t: String) { echo(text: $t) }", "variables": '{"t": "é & +%"}', "operationName": "Q"}
    answer = await client.get("/graphql", params=asked)
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
    client: httpx2.AsyncClient, query_string: str, argument: str | None
) -> None:
    answer = await client.get(f"/graphql?{query_string}")
    assert (answer.status_code, code(answer)) == (400, "BODY_MALFORMED")
    assert answer.json()["errors"][0]["extensions"].get("argument") == argument


async def test_a_get_does_not_change_anything(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/graphql", params={"query": "mutation { change }"})
    assert (answer.status_code, code(answer), answer.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_other_methods_are_refused_with_those_that_are_possible(client: httpx2.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/graphql", json={"query": "{ echo }"})
    assert (answer.status_code, code(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, POST, OPTIONS"


async def test_a_page_of_an_allowed_origin_may_ask(client: httpx2.AsyncClient) -> None:
    preflight = {"origin": "https://crm.example", "access-control-request-method": "POST"}
    allowed = await client.options("/graphql", headers=preflight)
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == "https://crm.example"
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    answer = await client.post("/graphql", json={"query": "{ echo }"}, headers={"origin": "https://crm.example"})
    assert answer.headers["access-control-allow-origin"] == "https://crm.example"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_another_origin_may_not(client: httpx2.AsyncClient) -> None:
    for origin in ("https://evil.example", "null", "https://crm.example.evil.example", "https://crm.example:444"):
        for method in ("OPTIONS", "POST"):
            answer = await client.request(method, "/graphql", json={"query": "{ echo }"}, headers={"origin": origin})
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_refusal_can_be_read_by_an_allowed_page(client: httpx2.AsyncClient) -> None:
    headers = {"origin": "https://crm.example", "authorization": ""}
    answer = await client.post("/graphql", json={"query": "{ echo }"}, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://crm.example")


async def test_a_long_answer_is_compressed_for_who_accepts_it(client: httpx2.AsyncClient) -> None:
    text = "x" * 100_000
    asked = {"query": "query($t: String) { echo(text: $t) }", "variables": {"t": text}}
    plain = await client.post("/graphql", json=asked, headers={"accept-encoding": "identity"})
    packed = await client.post("/graphql", json=asked, headers={"accept-encoding": "gzip"})
    short = await client.post("/graphql", json={"query": "{ echo }"}, headers={"accept-encoding": "gzip"})
    assert plain.json() == packed.json() == {"data": {"echo": text}}
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in short.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 2000


async def test_a_request_id_is_kept_if_it_is_sane(client: httpx2.AsyncClient, hub: Hub) -> None:
    for given in ("order-17.a_B", "0" * 64):
        answer = await client.post("/graphql", json={"query": "{ echo }"}, headers={"x-request-id": given})
        assert answer.headers["x-request-id"] == hub.requests[-1].request_id == given
    made = set()
    for given in ("", "0" * 65, "a b", 'a"b', "<script>"):
        answer = await client.post("/graphql", json={"query": "{ echo }"}, headers={"x-request-id": given})
        made.add(answer.headers["x-request-id"])
    assert len(made) == 5
    assert all(media_safe(each) for each in made)


def media_safe(text: str) -> bool:
    return text.replace("-", "").isalnum()


async def test_a_fault_of_ours_shows_a_request_id_and_nothing_else(
    client: httpx2.AsyncClient, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(hub.engine, "execute", broken)
    answer = await client.post("/graphql", json={"query": "{ echo }"}, headers={"x-request-id": "abc"})
    assert answer.status_code == 500
    assert answer.json() == {
        "errors": [
            {
                "message": "The hub failed; tell its keeper the request id abc.",
                "extensions": {"code": "INTERNAL", "requestId": "abc"},
            }
        ]
    }
    failed = next(record for record in hub.told if isinstance(record, Failed))
    assert (failed.request_id, str(failed.error)) == ("abc", "the secret inside")


async def test_unknown_paths_are_refused_in_json(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/graphql/", "/GRAPHQL", "/graphql%00", "/..%2fgraphql", "/%ff", "/" + "a" * 3000):
        answer = await client.get(path)
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
        assert len(answer.content) < 300


async def test_a_percent_encoded_path_is_the_same_path(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/%67raphql", json={"query": "{ echo }"})
    assert answer.status_code == 200


async def test_the_whole_answer_passes_through_a_real_socket() -> None:
    async with listening() as hub:
        answer = await hub.raw(post("{ echo }", connection="close"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(body) == {"data": {"echo": ""}}


@pytest.mark.skipif(not AUDITS.exists() or not shutil.which("node"), reason="npm's graphql-http is not installed")
async def test_every_audit_of_graphql_over_http_passes() -> None:
    script = f"""
        const {{ auditServer }} = require({json.dumps(str(AUDITS))});
        const ask = (url, asked = {{}}) =>
            fetch(url, {{ ...asked, headers: {{ ...asked.headers, authorization: "Bearer {KEY}" }} }});
        auditServer({{ url: process.argv[1], fetchFn: ask }}).then((found) =>
            console.log(JSON.stringify(found.map((each) => [each.id, each.status]))));
    """
    async with listening() as hub:
        url = f"http://127.0.0.1:{hub.port}/graphql"
        ran = await asyncio.to_thread(subprocess.run, ["node", "-e", script, url], capture_output=True, timeout=60)
        found: list[Any] = json.loads(ran.stdout)
        assert len(found) == 61
        assert [each for each in found if each[1] != "ok"] == []
