"""Webhooks through the front door, sent to a receiver in another process."""

import json
from collections.abc import AsyncIterator

import pytest
from change_workload import until
from conftest import Ask, NewDatabase, execute
from webhook_client import QUIET, UNIT, Receiver, customer, hooked, hub_on, receiving, renamed

DELIVERY = """query ($id: ID!) { webhookDelivery(id: $id) {
    status attempts reason customer { name } tries { nodes { number statusCode error answer } }
} }"""


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture(scope="module")
async def dsn(new_database: NewDatabase, empty_dsn: str) -> str:
    made = await new_database("migrated")
    await execute(made, UNIT)
    return made


@pytest.fixture(scope="module")
async def shared(dsn: str) -> AsyncIterator[Ask]:
    """For all tests of this module; each leaves its webhooks paused."""
    async with hub_on(dsn) as made:
        yield made


@pytest.fixture
async def ask(shared: Ask, dsn: str, receiver: Receiver) -> AsyncIterator[Ask]:
    await receiver.script()
    yield shared
    await execute(dsn, QUIET)


async def test_a_change_is_posted_signed_and_told_of(ask: Ask, receiver: Receiver) -> None:
    _, secret = await hooked(ask, receiver.url())
    ada = await customer(ask)
    (sent,) = await receiver.until(1)
    assert sent.verified(secret)
    change = json.loads(sent.body)["data"]["changes"]
    assert (change["operation"], change["entityId"], change["node"]) == ("CREATE", ada, {"name": "Ada", "version": 1})
    expected = {
        "status": "DELIVERED",
        "attempts": 1,
        "reason": None,
        "customer": {"name": "Ada"},
        "tries": {"nodes": [{"number": 1, "statusCode": 200, "error": None, "answer": "ok"}]},
    }

    async def told() -> bool:
        return bool((await ask(DELIVERY, {"id": sent.id}))["webhookDelivery"] == expected)

    await until(told)


async def test_changes_of_a_customer_come_in_their_order_and_form_a_chain(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url())
    ada = await customer(ask)
    for n in range(5):
        await renamed(ask, ada, f"Ada {n}")
    changes = [json.loads(sent.body)["data"]["changes"] for sent in await receiver.until(6)]
    assert [each["version"] for each in changes] == [1, 2, 3, 4, 5, 6]
    assert [each["previousCursor"] for each in changes[1:]] == [each["cursor"] for each in changes[:-1]]


async def test_what_becomes_of_deliveries_is_itself_a_stream(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url())
    ada = await customer(ask)
    (sent,) = await receiver.until(1)
    page = """query ($after: Cursor) { changes(after: $after, filter: {types: [WEBHOOK_DELIVERY, WEBHOOK_ATTEMPT]}) {
        ... on Change { operation actor node {
            ... on WebhookDelivery { status customer { id } } ... on WebhookAttempt { number statusCode }
        } }
    } }"""
    delivery = {"status": "PENDING", "customer": {"id": ada}}
    expected = [
        {"operation": "CREATE", "actor": "hub", "node": delivery},
        {"operation": "UPDATE", "actor": "hub", "node": delivery | {"status": "DELIVERED"}},
        {"operation": "CREATE", "actor": "hub", "node": {"number": 1, "statusCode": 200}},
    ]
    after = json.loads(sent.body)["data"]["changes"]["cursor"]

    async def told() -> bool:
        found = (await ask(page, {"after": after}))["changes"]
        return [each for each in found if each] in (expected, [expected[0], expected[2], expected[1]])

    await until(told)
