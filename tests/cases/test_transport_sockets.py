"""Sockets of common clients: where they put the key, why a key is refused, and messages of which one operation is invalid."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_engine_hub import BEARER, KEY, REVOKED, FakeEngineHub, run_fake_engine_hub, until
from websocket_client import (
    CONTINUED,
    INIT,
    RawWebSocketClient,
    WebSocketClient,
    encode_frame,
    encode_message,
    next_of,
    open_raw_websocket,
    open_websocket,
)

BEARER_KEY = f"Bearer {KEY}"
LIMIT = 65_536


@pytest.fixture(scope="module")
async def hub() -> AsyncIterator[FakeEngineHub]:
    async with run_fake_engine_hub() as hub:
        yield hub


@pytest.fixture
async def client(hub: FakeEngineHub) -> AsyncIterator[WebSocketClient]:
    """A socket with one open stream, whose id is `live`."""
    hub.subscriptions.opened.clear()
    async with open_websocket(hub) as client:
        await client.subscribe("live", "subscription { idle }")
        await until(lambda: hub.subscriptions.opened)
        yield client


async def expect_live(hub: FakeEngineHub, client: WebSocketClient) -> None:
    """The stream is still open."""
    hub.subscriptions.opened[0].tick()
    assert await client.receive() == next_of("live", {"data": {"ticks": 1}})


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": BEARER_KEY},
        {"Authorization": BEARER_KEY},
        {"AUTHORIZATION": f"bearer {KEY}"},
        {"Authorization": KEY},
        {"headers": {"Authorization": BEARER_KEY, "x-hasura-role": "user"}},
        {"Headers": {"authorization": BEARER_KEY}},
        {"authToken": KEY},
        {"authToken": BEARER_KEY},
        {"auth_token": KEY},
        {"token": KEY},
        {"accessToken": KEY},
        {"x-api-key": KEY},
        {"headers": {"X-Api-Key": KEY}},
        {"Authorization-Bearer": KEY},
        {"Authorization": BEARER_KEY, "headers": {"authorization": BEARER_KEY}, "authToken": KEY},
        {"authorization": None, "Authorization": BEARER_KEY, "token": ""},
        {"headers": None, "authorization": BEARER_KEY, "lazy": True},
    ],
    ids=json.dumps,
)
async def test_d8_the_key_is_accepted_where_clients_put_it(hub: FakeEngineHub, payload: dict[str, Any]) -> None:
    async with open_websocket(hub, init=False) as client:
        await client.init(payload)


async def test_d8_an_empty_payload_leaves_the_key_of_the_handshake(hub: FakeEngineHub) -> None:
    async with open_websocket(hub, init=False, **BEARER) as client:
        await client.init({"authorization": "", "headers": {}})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"x": 1}, 'UNAUTHENTICATED: connection_init carries no API key; send {"authorization": "Bearer hub_…"}.'),
        (
            {"Authorization": BEARER_KEY, "authToken": REVOKED},
            'UNAUTHENTICATED: connection_init carries several API keys; send one, as {"authorization": "Bearer hub_…"}.',
        ),
        (
            {"headers": {"Authorization": [BEARER_KEY]}},
            'UNAUTHENTICATED: Authorization of connection_init is not a string; send {"authorization": "Bearer hub_…"}.',
        ),
        ({"Authorization": "Basic eDp5"}, "UNAUTHENTICATED: The Authorization header has no bearer key; send `Author"),
        ({"authToken": REVOKED}, "KEY_REVOKED: This API key was revoked; send `Author"),
        ({"headers": {"authorization": "Bearer x"}}, "KEY_UNKNOWN: This API key is unknown; send `Author"),
    ],
)
async def test_d8_a_refusal_says_why(hub: FakeEngineHub, payload: dict[str, Any], reason: str) -> None:
    async with open_websocket(hub, init=False) as client:
        await client.send(type="connection_init", payload=payload)
        code, said = await client.wait_closed()
        assert (code, said[: len(reason)]) == (4403, reason)


QUERY = '"query":"query($t: String) { echo(text: $t) }"'
UNREADABLE = [
    ('"\\ud83d"', "a lone surrogate"),
    ('"\\udc00 and more"', "another one"),
    ("1e400", "a number beyond a double"),
    ("-1e999", "another one"),
    ("NaN", "no number"),
    ('{"a":1,"a":2}', "a name twice"),
    ('{"a":' * 5_000 + "1" + "}" * 5_000, "too deep"),
    ('"\\x"', "an unknown escape"),
    ("", "nothing"),
]


@pytest.mark.parametrize("value", [value for value, _ in UNREADABLE], ids=[name for _, name in UNREADABLE])
async def test_d9_an_invalid_payload_is_an_error_of_its_id(
    hub: FakeEngineHub, client: WebSocketClient, value: str
) -> None:
    await client.socket.send(
        f'{{"id":"bad \\" é","type":"subscribe","payload":{{{QUERY},"variables":{{"t":{value}}}}}}}'
    )
    answer = await client.receive()
    assert (answer["id"], answer["type"]) == ('bad " é', "error")
    assert [error["extensions"]["code"] for error in answer["payload"]] == ["BODY_MALFORMED"]
    await expect_live(hub, client)


@pytest.mark.parametrize("value", ['"\\ud83d"', "1e400"])
@pytest.mark.parametrize(
    "template",
    ['{"type": "subscribe", "payload": {"query": %s}, "id": "z"}', '{"payload":[%s],"id":"z","type":"subscribe"}'],
)
async def test_d9_the_id_may_stand_behind_the_payload(
    hub: FakeEngineHub, client: WebSocketClient, template: str, value: str
) -> None:
    await client.socket.send(template % value)
    answer = await client.receive()
    assert (answer["id"], answer["type"]) == ("z", "error")
    await expect_live(hub, client)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"type":"ping","payload":{"a":1e400}}', 4400),
        ('{"id":"a","type":"complete","payload":1e400}', 4400),
        ('{"id":"a","id":"b","type":"subscribe","payload":{"query":1e400}}', 4400),
        ('{"id":"\\ud83d","type":"subscribe","payload":{"query":1e400}}', 4400),
        ('{"id":"live","type":"subscribe","payload":{"query":1e400}}', 4409),
        ('["subscribe"', 4400),
    ],
)
async def test_d9_what_names_no_operation_closes_the_socket(client: WebSocketClient, text: str, code: int) -> None:
    await client.socket.send(text)
    assert (await client.wait_closed())[0] == code


@pytest.mark.parametrize("size", [LIMIT + 1, 132_000, 3_000_000])
@pytest.mark.parametrize("fragments", [1, 7])
async def test_d9_a_message_that_is_too_large_is_an_error_of_its_id(
    hub: FakeEngineHub, size: int, fragments: int
) -> None:
    start = f'{{"id":"big","type":"subscribe","payload":{{{QUERY},"variables":{{"t":"'
    text = (start + "x" * (size - len(start) - 4) + '"}}}').encode()
    step = -(-size // fragments)
    parts = [text[offset : offset + step] for offset in range(0, size, step)]
    frames = [
        encode_frame(part, CONTINUED if number else 1, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]
    async with open_raw_websocket(hub, INIT + b"".join(frames) + encode_message(type="ping")) as raw:
        assert await read_message(raw) == {"type": "connection_ack"}
        error = await read_message(raw)
        assert (error["id"], error["type"]) == ("big", "error")
        assert error["payload"][0]["extensions"] == {"code": "BODY_TOO_LARGE", "limit": LIMIT}
        assert await read_message(raw) == {"type": "pong"}
        (session,) = next(iter(hub.app.context.connection_registry._by_key.values())).connections
        assert len(session.connection.parser.reader.buffer) < LIMIT  # type: ignore[attr-defined]


async def test_d9_a_message_at_the_limit_runs(hub: FakeEngineHub, client: WebSocketClient) -> None:
    start, end = f'{{"id":"a","type":"subscribe","payload":{{{QUERY},"variables":{{"t":"', '"}}}'
    text = "x" * (LIMIT - len(start) - len(end))
    await client.socket.send(start + text + end)
    assert await client.receive() == next_of("a", {"data": {"echo": text}})


async def read_message(raw: RawWebSocketClient) -> Any:
    return json.loads((await raw.read_frame())[1])
