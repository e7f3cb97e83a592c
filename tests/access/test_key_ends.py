"""A key that is revoked, expires, is rotated out, or whose person leaves ends on sockets, event streams and webhooks alike."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until
from conftest import CreateDatabase
from fake_engine_hub import BEARER, CREATED, run_fake_engine_hub, stored_key
from socket_hub import SocketHub, run_socket_hub
from websockets.exceptions import ConnectionClosed

from hub.web.http import endpoint

CREATE = """mutation ($staff: ID) { apiKeyCreate(input: {name: "ends", role: "writer", staffId: $staff, unrestricted: true}) {
    key apiKey { id } } }"""
HOOK = """mutation { webhookCreate(input: {name: "hook", url: "http://127.0.0.1:9/hook",
    query: "subscription { changes(filter: {types: [PRODUCT]}) { ... on Change { node { id } } } }"}) { webhook { id } } }"""
HOOK_STATE = "query ($id: ID!) { webhook(id: $id) { status statusReason } }"
LIVE = "subscription { meLive { me { viewer { name } } } }"

# How a key ends: the mutation, its variables but for `id`, the code, and why its webhooks stop; None if they go on.
REVOKE = "mutation ($id: ID!) { apiKeyRevoke(input: {id: $id}) { apiKey { state } } }"
ROTATE = "mutation ($id: ID!) { apiKeyRotate(input: {id: $id, overlapMinutes: 0}) { key } }"
EXPIRE = "mutation ($id: ID!, $end: DateTime) { apiKeyUpdate(input: {id: $id, expiresAt: $end}) { apiKey { state } } }"
LEAVE = "mutation ($staff: ID!, $on: Date) { staffUpdate(input: {id: $staff, leftOn: $on}) { staff { id } } }"


@dataclass
class OwnedKey:
    """A key of a member of staff, and a webhook that it owns."""

    text: str
    id: str
    staff: str
    webhook: str


@pytest.fixture(scope="module")
async def socket_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    """A hub that checks keys often."""
    dsn, allowed = await create_database("northwind"), ("127.0.0.1",)
    async with run_socket_hub(dsn, key_cache_ttl=0, key_recheck_interval=0.05, webhook_allow=allowed) as hub:
        yield hub


async def _owned_key(hub: SocketHub, name: str) -> OwnedKey:
    create = """mutation ($number: String!, $unit: ID!) {
        staffCreate(input: {number: $number, name: "Ada", unitId: $unit}) { staff { id } } }"""
    unit = f"unt_{(await hub.connection.fetchval('select id from org_units limit 1')).hex}"
    staff = (await hub.query(create, {"number": name, "unit": unit}))["staffCreate"]["staff"]["id"]
    payload = (await hub.query(CREATE, {"staff": staff}))["apiKeyCreate"]
    webhook = (await hub.query(HOOK, key=payload["key"]))["webhookCreate"]["webhook"]["id"]
    return OwnedKey(payload["key"], payload["apiKey"]["id"], staff, webhook)


async def _end(hub: SocketHub, key: OwnedKey, mutation: str) -> None:
    """Ends a key. The end of one that expires is moved near afterwards, since a mutation takes no end that is past."""
    now = datetime.now(UTC)
    end, yesterday = now + timedelta(hours=1), now.date() - timedelta(days=1)
    variables = {"id": key.id, "staff": key.staff, "end": end.isoformat(), "on": yesterday.isoformat()}
    declared = {name: value for name, value in variables.items() if f"${name}:" in mutation}
    await hub.query(mutation, declared)
    if mutation == EXPIRE:
        near = "update api_keys set expires_at = now() + interval '0.3 s' where public_id = $1"
        await hub.connection.execute(near, key.text[4:20])


async def _events(hub: SocketHub, key: str, opened: asyncio.Event) -> str:
    """The text of an event stream until it ends."""
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    url, text = f"http://127.0.0.1:{hub.port}/graphql", ""
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream("POST", url, json={"query": LIVE}, headers=headers) as response,
    ):
        async for chunk in response.aiter_text():
            text += chunk
            if "event: next" in text:
                opened.set()
    return text


async def _code_over_http(hub: SocketHub, key: str) -> tuple[int, str | None]:
    async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        headers = {"authorization": f"Bearer {key}"}
        url, body = f"http://127.0.0.1:{hub.port}/graphql", {"query": "{ me { viewer { name } } }"}
        response = await client.post(url, json=body, headers=headers)
    errors: list[dict[str, Any]] = response.json().get("errors", [])
    return response.status_code, errors[0]["extensions"]["code"] if errors else None


@pytest.mark.parametrize(
    ("mutation", "code", "reason"),
    [
        (REVOKE, "KEY_REVOKED", "was revoked"),
        (EXPIRE, "KEY_EXPIRED", "has expired"),
        (LEAVE, "KEY_STAFF_LEFT", "belongs to a person who has left"),
        (ROTATE, "KEY_ROTATED", None),
    ],
)
async def test_a_key_ends_everywhere(socket_hub: SocketHub, mutation: str, code: str, reason: str | None) -> None:
    key, opened = await _owned_key(socket_hub, code), asyncio.Event()
    async with socket_hub.subscribe(LIVE, key=key.text) as subscription, asyncio.timeout(WAIT_TIMEOUT):
        assert (await subscription.next_root())["me"] == {"viewer": {"name": "ends"}}
        events = asyncio.create_task(_events(socket_hub, key.text, opened))
        await opened.wait()
        await _end(socket_hub, key, mutation)
        message = await subscription.next_message()
        assert (message["type"], message["payload"][0]["extensions"]) == ("error", {"code": code})
        with pytest.raises(ConnectionClosed) as caught:
            await subscription.socket.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason.partition(":")[0]) == (4403, code)
        text = await events
    last = json.loads(text.split("data: ")[-1].partition("\n")[0])
    assert last["errors"][0]["extensions"]["code"] == code
    assert await _code_over_http(socket_hub, key.text) == (401, code)
    if reason is None:
        state = (await socket_hub.query(HOOK_STATE, {"id": key.webhook}))["webhook"]
        assert state == {"status": "ACTIVE", "statusReason": None}
        return

    async def paused() -> bool:
        return bool((await socket_hub.query(HOOK_STATE, {"id": key.webhook}))["webhook"]["status"] == "PAUSED")

    await wait_until(paused)
    state = (await socket_hub.query(HOOK_STATE, {"id": key.webhook}))["webhook"]
    assert state["statusReason"] == f"The webhook's API key {key.text[4:20]} {reason}."


async def test_a_slow_answer_is_not_sent_to_a_key_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "RECHECK_AFTER", 0.0)
    async with run_fake_engine_hub(key_cache_ttl=0) as hub, httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        url, body = f"http://127.0.0.1:{hub.port}/graphql", {"query": "{ wait(seconds: 0.2) }"}
        task = asyncio.create_task(client.post(url, json=body, headers=BEARER))
        await hub.engine.waiting.wait()
        hub.stored_keys["00000001"] = stored_key("00000001", revoked_at=CREATED)
        response = await task
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "KEY_REVOKED")
    assert "waited" not in response.text


async def test_an_overlap_is_shortened_on_open_sockets(socket_hub: SocketHub) -> None:
    key = await _owned_key(socket_hub, "overlap")
    rotate = "mutation ($id: ID!, $minutes: Int!) { apiKeyRotate(input: {id: $id, overlapMinutes: $minutes}) { key } }"
    new = (await socket_hub.query(rotate, {"id": key.id, "minutes": 60}))["apiKeyRotate"]["key"]
    async with (
        socket_hub.subscribe(LIVE, key=key.text) as old_socket,
        socket_hub.subscribe(LIVE, key=new) as new_socket,
        asyncio.timeout(WAIT_TIMEOUT),
    ):
        assert (await old_socket.next_root())["me"] == (await new_socket.next_root())["me"]
        await socket_hub.connection.execute(
            "update api_keys set previous_until = now() where public_id = $1", key.text[4:20]
        )
        message = await old_socket.next_message()
        assert message["payload"][0]["extensions"]["code"] == "KEY_ROTATED"
        await new_socket.socket.send(json.dumps({"type": "ping"}))
        assert json.loads(await new_socket.socket.recv()) == {"type": "pong"}


async def test_sessions_of_a_rotated_key_go_on(socket_hub: SocketHub) -> None:
    key = await _owned_key(socket_hub, "session")
    row = await socket_hub.connection.fetchrow("select * from api_keys where public_id = $1", key.text[4:20])
    assert row is not None
    session = await socket_hub.connection.fetchval(
        """insert into api_keys (public_id, hash, name, role, session_of_id) values ('0000000c', sha256($1), 's', 'reader', $2)
        returning 'hub_0000000c_' || $3::text""",
        f"hub_0000000c_{'s' * 43}".encode(),
        row["id"],
        "s" * 43,
    )
    await socket_hub.query(ROTATE, {"id": key.id})
    assert [await _code_over_http(socket_hub, text) for text in (key.text, session)] == [
        (401, "KEY_ROTATED"),
        (200, None),
    ]
    await socket_hub.query(REVOKE, {"id": key.id})
    assert await _code_over_http(socket_hub, session) == (401, "KEY_REVOKED")
