"""One document, four transports: a WebSocket, server-sent events, a webhook and a page tell the same of the same changes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from change_workload import until
from conftest import NewDatabase, execute
from socket_hub import Streaming, streaming
from webhook_client import UNIT, Receiver, customer, hooked, receiving, renamed

SELECTION = """changes(after: $after, filter: {types: [CUSTOMER]}) { ... on Change {
    cursor operation entityId version changedFields at actor transactionId
    node { ... on Customer { id name createdAt updatedAt version attributes contacts { totalCount nodes { name } } } }
} }"""
STREAM = f"subscription ($after: Cursor) {{ {SELECTION} }}"
PAGE = f"query ($after: Cursor) {{ {SELECTION} }}"
HEAD = "{ changes(first: 100) { ... on StreamReady { cursor } } }"
ADD = """mutation ($id: ID!, $name: String!) { contactCreate(input: {customerId: $id, name: $name}) { contact { id } } }"""
REWIND = "mutation ($id: ID!, $after: String) { webhookRewind(input: {id: $id, after: $after}) { webhook { id } } }"
COUNT = 4


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def hub(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Streaming]:
    dsn = await new_database("migrated")
    await execute(dsn, UNIT)
    async with streaming(dsn, webhook_allow=("127.0.0.1",)) as made:
        yield made


async def over_socket(hub: Streaming, after: str) -> list[bytes]:
    """The payloads' bytes, as they stand in the frames."""
    async with hub.subscribed(STREAM, {"after": after}) as stream:
        frames = [await stream.socket.recv(decode=False) for _ in range(COUNT)]
    return [frame[frame.index(b'"payload":') + len(b'"payload":') : -1] for frame in frames]


async def over_events(hub: Streaming, after: str) -> list[bytes]:
    """The same of server-sent events."""
    headers = {"authorization": f"Bearer {hub.key}", "accept": "text/event-stream"}
    sent = {"query": STREAM, "variables": {"after": after}}
    url = f"http://127.0.0.1:{hub.port}/graphql"
    found, lines = list[bytes](), list[str]()
    async with (
        httpx2.AsyncClient(timeout=10) as client,
        client.stream("POST", url, json=sent, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
            elif lines and not line:  # one data line for each line of the message
                found.append("\n".join(lines).encode())
                lines = []
            if len(found) == COUNT:
                break
    return found


async def over_webhook(hub: Streaming, receiver: Receiver, after: str) -> tuple[list[bytes], str]:
    """The same of what is posted, and the webhook's id."""
    await receiver.script()
    webhook, _ = await hooked(hub.ask, receiver.url(), STREAM, variables={"after": after})
    return [each.body for each in await receiver.until(COUNT)], webhook


async def over_page(hub: Streaming, after: str) -> list[bytes]:
    """The same of a page: its elements as bytes, each in the frame of a stream's message."""
    headers, sent = {"authorization": f"Bearer {hub.key}"}, {"query": PAGE, "variables": {"after": after}}
    async with httpx2.AsyncClient() as client:
        answer = (await client.post(f"http://127.0.0.1:{hub.port}/graphql", json=sent, headers=headers)).content
    begins = b'{"data":{"changes":['
    assert answer.startswith(begins)
    # Every element begins with its cursor, which no other object of this document does.
    parts = answer[len(begins) : -3].split(b',{"cursor"')
    elements = [parts[0], *(b'{"cursor"' + part for part in parts[1:])]
    return [b'{"data":{"changes":' + each + b"}}" for each in elements[:COUNT]]


def columns(body: bytes) -> tuple[Any, str]:
    """The root's own columns as text, and what hangs on it by a link."""
    told = json.loads(body)["data"]["changes"]
    links = told["node"].pop("contacts")
    return links, json.dumps(told)


async def test_they_are_the_same_to_the_byte_and_replayed_in_their_columns(hub: Streaming, receiver: Receiver) -> None:
    after = (await hub.ask(HEAD))["changes"][-1]["cursor"]
    ada = await customer(hub.ask, "Ada")
    await hub.ask(ADD, {"id": ada, "name": "Byron"})
    for name in ("Ada II", "小明", "Ada IV"):
        await renamed(hub.ask, ada, name)

    async def placed() -> bool:
        return len((await hub.ask(PAGE, {"after": after}))["changes"]) >= COUNT

    await until(placed)
    socket, events = await over_socket(hub, after), await over_events(hub, after)
    (posted, webhook), page = await over_webhook(hub, receiver, after), await over_page(hub, after)
    assert socket == events == posted == page
    assert [columns(each)[0]["totalCount"] for each in posted] == [1, 1, 1, 1]

    await hub.ask(ADD, {"id": ada, "name": "Lovelace"})
    await hub.ask(REWIND, {"id": webhook, "after": after})
    again = [each.body for each in (await receiver.until(2 * COUNT))[COUNT:]]
    later = [await over_socket(hub, after), await over_events(hub, after), again, await over_page(hub, after)]
    assert [later[0], later[0], later[0]] == later[1:]
    assert [columns(each)[1] for each in later[0]] == [columns(each)[1] for each in posted]
    assert [columns(each)[0]["totalCount"] for each in again] == [2, 2, 2, 2]
