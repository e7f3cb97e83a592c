"""Apollo's automatic persisted queries over POST, GET, WebSocket and SSE, in the order in which its clients send them."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fake_engine_hub import BEARER, FakeEngineHub, key_text, run_fake_engine_hub, stored_key
from websocket_client import complete, next_of, open_websocket

from hub.errors import BadInput
from hub.web.persisted_queries import IDLE_SECONDS, KEY_BYTES, PersistedQueries

QUERY = 'query Greet { echo(text: "Olá") }'
UNKNOWN_HASH = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
KEYS = [UUID(int=number) for number in range(1, 6)]


def extension(query: str, **members: Any) -> dict[str, Any]:
    return {"version": 1, "sha256Hash": sha256(query.encode()).hexdigest(), **members}


def extensions(query: str, **members: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": extension(query, **members)}}


@pytest.fixture(scope="module")
async def hub() -> AsyncIterator[FakeEngineHub]:
    async with run_fake_engine_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
async def client(hub: FakeEngineHub) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}", headers=BEARER) as client:
        yield client


async def test_d5_a_hash_is_unknown_then_registered_then_answered(client: httpx2.AsyncClient) -> None:
    by_hash = {"operationName": "Greet", "variables": {}, **extensions(QUERY)}
    for accept in ("application/json", "application/graphql-response+json, application/json;q=0.9", "*/*"):
        first = await client.post("/graphql", json=by_hash | {"query": ""}, headers={"accept": accept})
        assert (first.status_code, first.json()) == (200, {"errors": [UNKNOWN_HASH]})
    answer = {"data": {"echo": "Olá"}}
    assert (await client.post("/graphql", json=by_hash | {"query": QUERY})).json() == answer
    for body in (by_hash, by_hash | {"query": None}, by_hash | {"query": ""}, by_hash | {"query": QUERY}):
        assert (await client.post("/graphql", json=body)).json() == answer
    upper = extension(QUERY)["sha256Hash"].upper()
    assert (await client.post("/graphql", json=extensions(QUERY, sha256Hash=upper))).json() == answer


async def test_d5_a_get_finds_and_registers_too_and_still_reads_only(client: httpx2.AsyncClient) -> None:
    query, change = '{ echo(text: "by GET") }', "mutation { change }"
    parameters = {"variables": "{}", "extensions": json.dumps(extensions(query)["extensions"])}
    headers = {"content-type": "application/json", "apollo-require-preflight": "true"}
    first = await client.get("/graphql", params=parameters, headers=headers)
    assert (first.status_code, first.json()) == (200, {"errors": [UNKNOWN_HASH]})
    for more in ({"query": query}, {}):
        answer = await client.get("/graphql", params=parameters | more, headers=headers)
        assert answer.json() == {"data": {"echo": "by GET"}}
    assert (await client.post("/graphql", json={"query": change, **extensions(change)})).status_code == 200
    refused = await client.get("/graphql", params={"extensions": json.dumps(extensions(change)["extensions"])})
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (405, "METHOD_NOT_ALLOWED")


async def test_d5_a_socket_and_an_event_stream_share_the_documents(
    hub: FakeEngineHub, client: httpx2.AsyncClient
) -> None:
    query = "subscription { ticks(count: 1) }"
    async with open_websocket(hub) as socket:
        await socket.send(type="subscribe", id="a", payload={"query": "", **extensions(query)})
        assert await socket.receive() == {"id": "a", "type": "error", "payload": [UNKNOWN_HASH]}
        for payload in ({"query": query, **extensions(query)}, {"query": "", **extensions(query, miss=True)}):
            await socket.send(type="subscribe", id="a", payload=payload)
            assert await socket.receive() == next_of("a", {"data": {"ticks": 1}})
            assert await socket.receive() == complete("a")
    headers = {"accept": "text/event-stream"}
    events = await client.post("/graphql", json=extensions(query), headers=headers)
    assert 'data: {"data":{"ticks":1}}' in events.text
    unknown = await client.post("/graphql", json=extensions("{ absent }"), headers=headers)
    assert (unknown.status_code, unknown.json()) == (200, {"errors": [UNKNOWN_HASH]})


@pytest.mark.parametrize(
    ("persisted", "argument"),
    [
        (extension("another"), "extensions.persistedQuery.sha256Hash"),
        (extension(QUERY) | {"sha256Hash": "0" * 63}, "extensions.persistedQuery.sha256Hash"),
        (extension(QUERY) | {"sha256Hash": 1}, "extensions.persistedQuery.sha256Hash"),
        (extension(QUERY) | {"version": 2}, "extensions.persistedQuery.version"),
        (extension(QUERY) | {"version": True}, "extensions.persistedQuery.version"),
        ({"sha256Hash": "0" * 64}, "extensions.persistedQuery.version"),
        ("0" * 64, "extensions.persistedQuery"),
    ],
)
async def test_d5_a_hash_that_is_not_the_documents_is_refused(
    client: httpx2.AsyncClient, persisted: Any, argument: str
) -> None:
    body = {"query": '{ echo(text: "never registered") }', "extensions": {"persistedQuery": persisted}}
    answer = await client.post("/graphql", json=body)
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert error["extensions"] == {"code": "PERSISTED_QUERY_INVALID", "argument": argument}


async def test_d5_a_registered_hash_with_another_document_is_refused(client: httpx2.AsyncClient) -> None:
    registered = {"query": QUERY, **extensions(QUERY)}
    assert "data" in (await client.post("/graphql", json=registered)).json()
    (error,) = (await client.post("/graphql", json=registered | {"query": "{ echo }"})).json()["errors"]
    assert error["extensions"]["code"] == "PERSISTED_QUERY_INVALID"


async def test_d5_a_key_finds_its_own_documents_only(hub: FakeEngineHub, client: httpx2.AsyncClient) -> None:
    query = '{ echo(text: "secret document") }'
    await client.post("/graphql", json={"query": query, **extensions(query)})
    hub.stored_keys["00000008"] = stored_key("00000008")
    headers = {"authorization": f"Bearer {key_text('00000008')}"}
    assert (await client.post("/graphql", json=extensions(query), headers=headers)).json() == {"errors": [UNKNOWN_HASH]}


async def test_d5_a_hub_without_storage_says_not_supported() -> None:
    async with (
        run_fake_engine_hub(persisted_queries=0) as hub,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}", headers=BEARER) as client,
    ):
        error = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
        answer = await client.post("/graphql", json=extensions(QUERY))
        assert (answer.status_code, answer.json()) == (200, {"errors": [error]})
        assert (await client.post("/graphql", json={"query": QUERY})).json() == {"data": {"echo": "Olá"}}


def is_stored(queries: PersistedQueries, key: UUID, query: str) -> bool:
    try:
        return queries.document(key, None, extension(query)) == query
    except BadInput:
        return False


def test_d5_a_keys_documents_are_bounded_by_number_and_by_size() -> None:
    queries = PersistedQueries(3)
    for query in ("a", "b", "c", "a", "d"):
        queries.document(KEYS[0], query, extension(query))
    assert [is_stored(queries, KEYS[0], query) for query in "abcd"] == [True, False, True, True]
    large, larger = "x" * (KEY_BYTES // 2), "y" * KEY_BYTES
    for query in (large, large[1:], large[2:]):
        queries.document(KEYS[1], query, extension(query))
    assert [is_stored(queries, KEYS[1], query) for query in (large, large[1:], large[2:])] == [False, False, True]
    assert queries.document(KEYS[1], larger, extension(larger)) == larger
    assert not is_stored(queries, KEYS[1], larger)


def test_d5_a_key_evicts_its_own_documents_and_those_of_idle_keys() -> None:
    now = 0.0
    queries = PersistedQueries(100, total_bytes=2_000, clock=lambda: now)
    for key in KEYS[:2]:
        queries.document(key, "a", extension("a"))
    for number in range(20):
        queries.document(KEYS[0], f"flood {number}", extension(f"flood {number}"))
    assert is_stored(queries, KEYS[1], "a")
    assert queries.document(KEYS[2], "b", extension("b")) == "b"
    assert not is_stored(queries, KEYS[2], "b"), "there is no room, and the others are in use"
    now = IDLE_SECONDS
    assert is_stored(queries, KEYS[1], "a")
    queries.document(KEYS[2], "b", extension("b"))
    assert is_stored(queries, KEYS[2], "b")
    assert is_stored(queries, KEYS[1], "a")
    assert not is_stored(queries, KEYS[0], "flood 19")
