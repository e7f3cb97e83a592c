"""Allowed networks of API keys: over HTTP, WebSockets and server-sent events, behind proxies, and when they change."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT
from conftest import CreateDatabase
from socket_hub import SocketHub, run_socket_hub
from websocket_client import PROTOCOL
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hub.model.ip_networks import parse_address, parse_network
from hub.web.client_address import TrustedProxies

INSIDE, OUTSIDE = "10.1.2.3", "10.2.0.1"
CREATE = """mutation ($networks: [String!]) { apiKeyCreate(input: {name: "net", role: "reader", allowedNetworks: $networks}) {
    key apiKey { id } } }"""
CHANGE = """mutation ($id: ID!, $networks: [String!]) {
    apiKeyUpdate(input: {id: $id, allowedNetworks: $networks}) { apiKey { name } } }"""
LIVE = "subscription { meLive { me { viewer { name } } } }"


@pytest.fixture(scope="module")
async def socket_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    """A hub behind a proxy on loopback, which checks keys often."""
    dsn, proxies = await create_database("northwind"), ("127.0.0.0/8",)
    async with run_socket_hub(dsn, trusted_proxies=proxies, key_cache_ttl=0, key_recheck_interval=0.05) as hub:
        yield hub


async def _key(hub: SocketHub, *networks: str) -> tuple[str, str]:
    payload = (await hub.query(CREATE, {"networks": list(networks)}))["apiKeyCreate"]
    return payload["key"], payload["apiKey"]["id"]


async def _post(hub: SocketHub, key: str, *forwarded: str) -> tuple[int, str | None]:
    """The status and the error's code of a query that proxies forward."""
    headers = [("authorization", f"Bearer {key}"), *(("x-forwarded-for", text) for text in forwarded)]
    async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        body = {"query": "{ me { viewer { name } } }"}
        response = await client.post(f"http://127.0.0.1:{hub.port}/graphql", json=body, headers=headers)
    errors = response.json().get("errors")
    return response.status_code, errors[0]["extensions"]["code"] if errors else None


@asynccontextmanager
async def _socket(hub: SocketHub, key: str, forwarded: str) -> AsyncIterator[ClientConnection]:
    address = f"ws://127.0.0.1:{hub.port}/graphql"
    headers = {"x-forwarded-for": forwarded}
    async with connect(address, subprotocols=[PROTOCOL], additional_headers=headers, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        yield socket


async def _close_of(socket: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(WAIT_TIMEOUT):
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason.partition(":")[0]


@pytest.mark.parametrize(
    ("networks", "forwarded", "code"),
    [
        (["10.1.0.0/16"], [INSIDE], None),
        (["10.1.0.0/16"], [OUTSIDE], "KEY_NETWORK"),
        (["10.1.0.0/16"], [f"[::ffff:{INSIDE}]:1234"], None),
        (["10.1.0.0/16"], [f"{INSIDE}:4321"], None),
        (["::ffff:10.1.0.0/112"], [INSIDE], None),
        (["2001:db8::/32"], ["2001:DB8::1"], None),
        (["2001:db8::/32"], ["2001:db9::1"], "KEY_NETWORK"),
        (["10.3.0.0/16", "2001:db8::/32"], ["2001:db8::1"], None),
        # The last address that no trusted proxy has counts; what the client wrote before it does not.
        (["10.1.0.0/16"], [f"{INSIDE}, {OUTSIDE}"], "KEY_NETWORK"),
        (["10.1.0.0/16"], [f"{OUTSIDE}, {INSIDE}, 127.0.0.2"], None),
        (["10.1.0.0/16"], [OUTSIDE, INSIDE], None),
        (["10.1.0.0/16"], ["unknown"], "KEY_NETWORK"),
        (["10.1.0.0/16"], [f"{INSIDE}, not an address"], "KEY_NETWORK"),
        (["10.1.0.0/16"], [], "KEY_NETWORK"),
        (["127.0.0.1"], [], None),
        ([], [OUTSIDE], None),
    ],
)
async def test_a_request_comes_from_an_allowed_network(
    socket_hub: SocketHub, networks: list[str], forwarded: list[str], code: str | None
) -> None:
    key, _ = await _key(socket_hub, *networks)
    assert await _post(socket_hub, key, *forwarded) == ((200, None) if code is None else (403, code))


async def test_the_message_names_no_network(socket_hub: SocketHub) -> None:
    key, _ = await _key(socket_hub, "10.77.0.0/16")
    headers = {"authorization": f"Bearer {key}", "x-forwarded-for": OUTSIDE}
    async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        url = f"http://127.0.0.1:{socket_hub.port}/graphql"
        response = await client.post(url, json={"query": "{ __typename }"}, headers=headers)
    (error,) = response.json()["errors"]
    assert (OUTSIDE in error["message"], "10.77" in response.text) == (True, False)


async def test_a_refused_request_is_no_use(socket_hub: SocketHub) -> None:
    key, _ = await _key(socket_hub, "10.1.0.0/16")
    app_cache = socket_hub.http_server.connection_registry._key_cache
    app_cache.drain_usage()
    assert await _post(socket_hub, key, OUTSIDE) == (403, "KEY_NETWORK")
    assert app_cache.drain_usage() == {}


async def test_a_socket_from_elsewhere_is_closed(socket_hub: SocketHub) -> None:
    key, _ = await _key(socket_hub, "10.1.0.0/16")
    async with _socket(socket_hub, key, OUTSIDE) as socket:
        assert await _close_of(socket) == (4403, "KEY_NETWORK")
    async with _socket(socket_hub, key, INSIDE) as socket:
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}


async def test_an_open_socket_ends_when_its_network_does(socket_hub: SocketHub) -> None:
    key, id = await _key(socket_hub, "10.0.0.0/8")
    async with _socket(socket_hub, key, OUTSIDE) as outside, _socket(socket_hub, key, INSIDE) as inside:
        for socket in (outside, inside):
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": LIVE}}))
            assert json.loads(await socket.recv())["type"] == "next"
        await socket_hub.query(CHANGE, {"id": id, "networks": ["10.1.0.0/16"]})
        message = json.loads(await outside.recv())
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "KEY_NETWORK")
        assert await _close_of(outside) == (4403, "KEY_NETWORK")
        await inside.send(json.dumps({"type": "ping"}))
        assert json.loads(await inside.recv()) == {"type": "pong"}


async def test_a_stream_of_events_ends_when_its_network_does(socket_hub: SocketHub) -> None:
    key, id = await _key(socket_hub, "10.0.0.0/8")
    headers: dict[str, Any] = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    url, received = f"http://127.0.0.1:{socket_hub.port}/graphql", ""
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream("POST", url, json={"query": LIVE}, headers=headers | {"x-forwarded-for": OUTSIDE}) as response,
    ):
        async for chunk in response.aiter_text():
            if "event: next" not in received and "event: next" in received + chunk:
                await socket_hub.query(CHANGE, {"id": id, "networks": ["10.1.0.0/16"]})
            received += chunk
    assert '"code":"KEY_NETWORK"' in received
    assert received.endswith("event: complete\ndata:\n\n")


def test_without_trusted_proxies_the_connection_counts() -> None:
    proxies = TrustedProxies(())
    assert proxies.client_address("192.0.2.1", INSIDE.encode()) == parse_address("192.0.2.1")
    assert proxies.client_address("::ffff:192.0.2.1", None) == parse_address("192.0.2.1")
    assert proxies.client_address("fe80::1%eth0", None) == parse_address("fe80::1")
    assert proxies.client_address(None, INSIDE.encode()) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_networks_have_one_form(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "10.0.0.0/33", "example.net", "fe80::1%eth0", "2001:db8::1/32", "1"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"give"):
        parse_network(text)
