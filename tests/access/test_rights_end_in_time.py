"""Nothing is delivered later than 5 seconds after a right is gone, at the default settings: sockets, event streams, webhooks.

One writer edits what all of them follow, without pauses. A long run, since it measures time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until, wait_until_sequenced
from conftest import CreateDatabase
from socket_hub import SocketHub, run_socket_hub
from webhook_client import CREATE_WEBHOOK, ReceiverProcess, names, run_receiver

LIMIT = 5.0  # seconds
FOLLOWED, LAST = "Alfreds Futterkiste", "After the end"
CHANGES = (
    "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { name } } } } }"
)
LIVE = 'subscription { customersLive(filter: {country: {eq: "DE"}}) { customers { nodes { name } } } }'
UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
READER = {"entity": "Customer", "verbs": ["READ"]}
HOOKS = {"entity": "Webhook", "verbs": ["READ", "CREATE", "UPDATE"]}
CREATE_KEY = """mutation ($role: String!, $staff: ID!) { apiKeyCreate(input: {
    name: "ends", role: $role, staffId: $staff, unrestricted: true
}) { key apiKey { id } } }"""
CREATE_STAFF = """mutation ($number: String!, $unit: ID!) {
    staffCreate(input: {number: $number, name: "Ada", unitId: $unit}) { staff { id } } }"""
PAUSE = "mutation ($id: ID!) { webhookPause(input: {id: $id}) { webhook { status } } }"
# What takes a right away: a mutation of `input`, or a statement about the key.
ENDS: dict[str, tuple[str, Any]] = {
    "another row filter": (UPSERT, {"rules": [{**READER, "rowFilter": {"country": {"eq": "FR"}}}, HOOKS]}),
    "a hidden column": (UPSERT, {"rules": [{**READER, "fields": ["country"]}, HOOKS]}),
    "no rule": (UPSERT, {"rules": [HOOKS]}),
    "no role": ("mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }", {}),
    "a revoked key": ("mutation ($input: ApiKeyRevokeInput!) { apiKeyRevoke(input: $input) { apiKey { id } } }", {}),
    "a person who left": ("mutation ($input: StaffUpdateInput!) { staffUpdate(input: $input) { staff { id } } }", {}),
    "an expired key": ("update api_keys set expires_at = clock_timestamp() where public_id = $1", None),
    "a foreign network": ("update api_keys set allowed_networks = '{192.0.2.0/24}' where public_id = $1", None),
}
NO_END_OF_WEBHOOKS = {"a foreign network"}  # the hub itself sends them, from wherever it runs


@dataclass
class RevokedStream:
    """A key with one right, what it received with times, and the tasks of its streams."""

    role: str
    key: str
    key_id: str
    staff: str
    received: list[tuple[float, str]] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Notes a message that has a customer's name."""
        if '"name":' in text:
            self.received.append((time.time(), text))


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("northwind"), webhook_allow=("127.0.0.1",)) as hub:
        yield hub


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


async def follow_socket(hub: SocketHub, follower: RevokedStream, document: str) -> None:
    """Reads a socket until the hub ends the subscription."""
    async with hub.subscribe(document, key=follower.key) as stream:
        while (message := json.loads(await stream.socket.recv()))["type"] == "next":
            follower.note(json.dumps(message))


async def follow_events(hub: SocketHub, follower: RevokedStream, document: str) -> None:
    """Reads server-sent events until the hub ends the stream."""
    headers = {"authorization": f"Bearer {follower.key}", "accept": "text/event-stream"}
    url = f"http://127.0.0.1:{hub.port}/graphql"
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream("POST", url, json={"query": document}, headers=headers) as response,
    ):
        async for chunk in response.aiter_text():
            follower.note(chunk)


async def new_follower(hub: SocketHub, name: str) -> RevokedStream:
    """A key of a person with a role that reads customers."""
    role = name.replace(" ", "-")
    await hub.query(UPSERT, {"input": {"name": role, "rules": [READER, HOOKS]}})
    unit = f"unt_{(await hub.connection.fetchval('select id from org_units limit 1')).hex}"
    staff = (await hub.query(CREATE_STAFF, {"number": role, "unit": unit}))["staffCreate"]["staff"]["id"]
    created = (await hub.query(CREATE_KEY, {"role": role, "staff": staff}))["apiKeyCreate"]
    return RevokedStream(role, created["key"], created["apiKey"]["id"], staff)


@asynccontextmanager
async def editing(hub: SocketHub) -> AsyncIterator[None]:
    """Renames the customer again and again during the block."""

    async def edit() -> None:
        number = 0
        while True:
            number += 1
            await rename(hub, f"Name {number}")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(edit())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rename(hub: SocketHub, name: str) -> None:
    statement = (
        "update customers set name = $1 where country = 'DE' and attributes -> 'northwind' ->> 'customerId' = 'ALFKI'"
    )
    assert await hub.connection.execute(statement, name) == "UPDATE 1"


async def take_away(hub: SocketHub, follower: RevokedStream, end: str) -> float:
    """Takes the right away; gives the time at which it is gone."""
    statement, value = ENDS[end]
    if value is None:
        await hub.connection.execute(statement, follower.key.split("_")[1])
        return time.time()
    values = {
        "RoleUpsertInput": {"name": follower.role, **value},
        "RoleUnassignInput": {"role": follower.role, "keyId": follower.key_id},
        "ApiKeyRevokeInput": {"id": follower.key_id},
        "StaffUpdateInput": {"id": follower.staff, "leftOn": "2020-01-01"},
    }
    await hub.query(statement, {"input": next(v for name, v in values.items() if name in statement)})
    return time.time()


@pytest.mark.soak
@pytest.mark.parametrize("end", ENDS)
async def test_nothing_is_delivered_after_a_right_is_gone(hub: SocketHub, receiver: ReceiverProcess, end: str) -> None:
    path, follower = f"/{end.replace(' ', '-')}", await new_follower(hub, end)
    created = await hub.query(CREATE_WEBHOOK, {"url": receiver.url(path), "query": CHANGES}, key=follower.key)
    assert created["webhookCreate"]["webhook"]["status"] == "ACTIVE"
    follower.tasks = [
        asyncio.create_task(follow(hub, follower, document))
        for follow in (follow_socket, follow_events)
        for document in (CHANGES, LIVE)
    ]
    async with editing(hub):
        await receiver.wait_for_requests(3, path)
        await wait_until(lambda: is_true(len(follower.received) > 12))
        gone = await take_away(hub, follower, end)
        await asyncio.wait(follower.tasks, timeout=WAIT_TIMEOUT)
        assert all(task.done() for task in follower.tasks)
        for task in follower.tasks:
            task.result()
        await wait_until(lambda: is_true(time.time() > gone + 2 * LIMIT))
    late = [time_and_text for time_and_text in follower.received if time_and_text[0] > gone + LIMIT]
    assert not late, (len(late), late[-1], gone)
    print(f"{end}: last message {max(t for t, _ in follower.received) - gone:+.2f} s", end=" ")
    if end in NO_END_OF_WEBHOOKS:
        return
    named = [request for request in await receiver.captured(path) if '"name"' in request.body.decode()]
    assert named
    assert max(request.received_at for request in named) <= gone + LIMIT
    print(f"last delivery {max(request.received_at for request in named) - gone:+.2f} s")
    await write_after(hub, receiver, path)


async def write_after(hub: SocketHub, receiver: ReceiverProcess, path: str) -> None:
    """One more edit reaches a webhook that may see it, and not the one whose right is gone."""
    witness = f"{path}-witness"
    created = await hub.query(CREATE_WEBHOOK, {"url": receiver.url(witness), "query": CHANGES})
    await rename(hub, LAST)
    await wait_until_sequenced(hub.connection)
    assert names(await receiver.wait_for_requests(1, witness)) == [LAST]
    assert not [request for request in await receiver.captured(path) if LAST in str(request.body)]
    await hub.query(PAUSE, {"id": created["webhookCreate"]["webhook"]["id"]})


async def is_true(value: bool) -> bool:
    return value
