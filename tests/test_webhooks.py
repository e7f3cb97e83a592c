"""Webhooks through the front door, sent to a receiver in another process."""

import json
from collections.abc import AsyncIterator

import pytest
from conftest import Ask, execute
from feeding import until
from receiving import UNIT, Receiver, customer, hooked, hub_on, receiving, renamed

DELIVERIES = """{ webhookDeliveries(orderBy: [{field: CREATED_AT}]) { nodes {
    id status attempts reason customer { name } tries { nodes { number statusCode error answer } }
} } }"""


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def ask(database: str, receiver: Receiver) -> AsyncIterator[Ask]:
    await receiver.script()
    await execute(database, UNIT)
    async with hub_on(database) as made:
        yield made


async def test_a_change_is_posted_signed_and_told_of(ask: Ask, receiver: Receiver) -> None:
    _, secret = await hooked(ask, receiver.url())
    ada = await customer(ask)
    (sent,) = await receiver.until(1)
    assert sent.verified(secret)
    change = json.loads(sent.body)["data"]["changes"]
    assert (change["operation"], change["entityId"], change["node"]) == ("CREATE", ada, {"name": "Ada", "version": 1})
    expected = {
        "id": sent.id,
        "status": "DELIVERED",
        "attempts": 1,
        "reason": None,
        "customer": {"name": "Ada"},
        "tries": {"nodes": [{"number": 1, "statusCode": 200, "error": None, "answer": "ok"}]},
    }

    async def told() -> bool:
        found = await ask(DELIVERIES)
        return bool(found["webhookDeliveries"]["nodes"] == [expected])

    await until(told)


async def test_changes_of_a_customer_come_in_their_order_and_form_a_chain(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url())
    ada = await customer(ask)
    for n in range(5):
        await renamed(ask, ada, f"Ada {n}")
    changes = [json.loads(sent.body)["data"]["changes"] for sent in await receiver.until(6)]
    assert [each["version"] for each in changes] == [1, 2, 3, 4, 5, 6]
    assert [each["previousCursor"] for each in changes[1:]] == [each["cursor"] for each in changes[:-1]]
