"""One document, four transports: a WebSocket, server-sent events, a webhook and a page tell the same of the same changes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until
from conftest import CreateDatabase, execute_sql
from socket_hub import SocketHub, run_socket_hub
from webhook_client import INSERT_UNIT, ReceiverProcess, create_customer, create_webhook, rename_customer, run_receiver

SELECTION = """changes(after: $after, filter: {types: [CUSTOMER]}) { ... on Change {
    cursor operation entityId version changedFields at actor transactionId
    node { ... on Customer { id name createdAt updatedAt version attributes contacts { totalCount nodes { name } } } }
} }"""
STREAM = f"subscription ($after: Cursor) {{ {SELECTION} }}"
PAGE = f"query ($after: Cursor) {{ {SELECTION} }}"
CURRENT_CURSOR = "{ changes(first: 100) { ... on StreamReady { cursor } } }"
ADD = """mutation ($id: ID!, $name: String!) { contactCreate(input: {customerId: $id, name: $name}) { contact { id } } }"""
REWIND = "mutation ($id: ID!, $after: String) { webhookRewind(input: {id: $id, after: $after}) { webhook { id } } }"
COUNT = 4


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


@pytest.fixture
async def socket_hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[SocketHub]:
    dsn = await create_database("migrated")
    await execute_sql(dsn, INSERT_UNIT)
    async with run_socket_hub(dsn, webhook_allow=("127.0.0.1",)) as streaming_hub:
        yield streaming_hub


async def over_socket(socket_hub: SocketHub, after: str) -> list[bytes]:
    """The payloads' bytes, as they stand in the frames."""
    async with socket_hub.subscribe(STREAM, {"after": after}) as stream:
        frames = [await stream.socket.recv(decode=False) for _ in range(COUNT)]
    return [frame[frame.index(b'"payload":') + len(b'"payload":') : -1] for frame in frames]


async def over_events(socket_hub: SocketHub, after: str) -> list[bytes]:
    """The same of server-sent events."""
    headers = {"authorization": f"Bearer {socket_hub.key}", "accept": "text/event-stream"}
    sent = {"query": STREAM, "variables": {"after": after}}
    url = f"http://127.0.0.1:{socket_hub.port}/graphql"
    payloads, lines = list[bytes](), list[str]()
    async with (
        httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client,
        client.stream("POST", url, json=sent, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
            elif lines and not line:  # one data line for each line of the message
                payloads.append("\n".join(lines).encode())
                lines = []
            if len(payloads) == COUNT:
                break
    return payloads


async def over_webhook(socket_hub: SocketHub, receiver: ReceiverProcess, after: str) -> tuple[list[bytes], str]:
    """The same of what is posted, and the webhook's id."""
    await receiver.set_actions()
    webhook, _ = await create_webhook(socket_hub.query, receiver.url(), STREAM, variables={"after": after})
    return [delivery.body for delivery in await receiver.wait_for_requests(COUNT)], webhook


async def over_page(socket_hub: SocketHub, after: str) -> list[bytes]:
    """The same of a page: its elements as bytes, each in the frame of a stream's message."""
    headers, sent = {"authorization": f"Bearer {socket_hub.key}"}, {"query": PAGE, "variables": {"after": after}}
    async with httpx2.AsyncClient() as client:
        answer = (await client.post(f"http://127.0.0.1:{socket_hub.port}/graphql", json=sent, headers=headers)).content
    begins = b'{"data":{"changes":['
    assert answer.startswith(begins)
    # Every element begins with its cursor, which no other object of this document does.
    parts = answer[len(begins) : -3].split(b',{"cursor"')
    elements = [parts[0], *(b'{"cursor"' + part for part in parts[1:])]
    return [b'{"data":{"changes":' + element + b"}}" for element in elements[:COUNT]]


def columns(body: bytes) -> tuple[Any, str]:
    """The root's own columns as text, and what hangs on it by a link."""
    change = json.loads(body)["data"]["changes"]
    links = change["node"].pop("contacts")
    return links, json.dumps(change)


async def test_they_are_the_same_to_the_byte_and_replayed_in_their_columns(
    socket_hub: SocketHub, receiver: ReceiverProcess
) -> None:
    after = (await socket_hub.query(CURRENT_CURSOR))["changes"][-1]["cursor"]
    ada = await create_customer(socket_hub.query, "Ada")
    await socket_hub.query(ADD, {"id": ada, "name": "Byron"})
    for name in ("Ada II", "小明", "Ada IV"):
        await rename_customer(socket_hub.query, ada, name)

    async def is_assigned() -> bool:
        return len((await socket_hub.query(PAGE, {"after": after}))["changes"]) >= COUNT

    await wait_until(is_assigned)
    socket, events = await over_socket(socket_hub, after), await over_events(socket_hub, after)
    (posted, webhook), page = await over_webhook(socket_hub, receiver, after), await over_page(socket_hub, after)
    assert socket == events == posted == page
    assert [columns(message)[0]["totalCount"] for message in posted] == [1, 1, 1, 1]

    await socket_hub.query(ADD, {"id": ada, "name": "Lovelace"})
    await socket_hub.query(REWIND, {"id": webhook, "after": after})
    again = [request.body for request in (await receiver.wait_for_requests(2 * COUNT))[COUNT:]]
    later = [
        await over_socket(socket_hub, after),
        await over_events(socket_hub, after),
        again,
        await over_page(socket_hub, after),
    ]
    assert [later[0], later[0], later[0]] == later[1:]
    assert [columns(message)[1] for message in later[0]] == [columns(message)[1] for message in posted]
    assert [columns(message)[0]["totalCount"] for message in again] == [2, 2, 2, 2]
