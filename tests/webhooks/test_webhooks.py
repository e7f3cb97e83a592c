"""Webhooks through the front door, sent to a receiver in another process."""

import json
from collections.abc import AsyncIterator

import pytest
from change_workload import wait_until
from conftest import CreateDatabase, RunQuery, execute_sql
from webhook_client import (
    INSERT_UNIT,
    ReceiverProcess,
    create_customer,
    create_webhook,
    open_webhook_hub,
    rename_customer,
    run_receiver,
    stop_webhooks,
)

DELIVERY = """query ($id: ID!) { webhookDelivery(id: $id) {
    status attempts reason customer { name } tries { nodes { number statusCode error answer } }
} }"""


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    new_dsn = await create_database("migrated")
    await execute_sql(new_dsn, INSERT_UNIT)
    return new_dsn


@pytest.fixture(scope="module")
async def shared_run_query(dsn: str) -> AsyncIterator[RunQuery]:
    """For all tests of this module; each leaves its webhooks paused."""
    async with open_webhook_hub(dsn) as run_query:
        yield run_query


@pytest.fixture
async def run_query(shared_run_query: RunQuery, dsn: str, receiver: ReceiverProcess) -> AsyncIterator[RunQuery]:
    await receiver.set_actions()
    yield shared_run_query
    await stop_webhooks(dsn)


async def test_a_change_is_posted_signed_and_recorded(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    _, secret = await create_webhook(run_query, receiver.url())
    ada = await create_customer(run_query)
    (sent,) = await receiver.wait_for_requests(1)
    assert sent.has_valid_signature(secret)
    change = json.loads(sent.body)["data"]["changes"]
    assert (change["operation"], change["entityId"], change["node"]) == ("CREATE", ada, {"name": "Ada", "version": 1})
    expected = {
        "status": "DELIVERED",
        "attempts": 1,
        "reason": None,
        "customer": {"name": "Ada"},
        "tries": {"nodes": [{"number": 1, "statusCode": 200, "error": None, "answer": "ok"}]},
    }

    async def is_recorded() -> bool:
        return bool((await run_query(DELIVERY, {"id": sent.id}))["webhookDelivery"] == expected)

    await wait_until(is_recorded)


async def test_changes_of_a_customer_come_in_their_order_and_form_a_chain(
    run_query: RunQuery, receiver: ReceiverProcess
) -> None:
    await create_webhook(run_query, receiver.url())
    ada = await create_customer(run_query)
    for n in range(5):
        await rename_customer(run_query, ada, f"Ada {n}")
    changes = [json.loads(sent.body)["data"]["changes"] for sent in await receiver.wait_for_requests(6)]
    assert [change["version"] for change in changes] == [1, 2, 3, 4, 5, 6]
    assert [change["previousCursor"] for change in changes[1:]] == [change["cursor"] for change in changes[:-1]]


async def test_what_becomes_of_deliveries_is_itself_a_stream(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    await create_webhook(run_query, receiver.url())
    ada = await create_customer(run_query)
    (sent,) = await receiver.wait_for_requests(1)
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

    async def changes_match() -> bool:
        changes = (await run_query(page, {"after": after}))["changes"]
        return [change for change in changes if change] in (expected, [expected[0], expected[2], expected[1]])

    await wait_until(changes_match)


async def test_a_body_that_is_too_large_tells_where_to_read_it(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    fields = " ".join(f"f{n}: body" for n in range(5))
    shown = f"... on Change {{ node {{ ... on Interaction {{ {fields} }} }} }}"
    query = f"subscription {{ changes(filter: {{types: [INTERACTION]}}) {{ {shown} }} }}"
    await create_webhook(run_query, receiver.url(), query)
    ada = await create_customer(run_query)
    record = """mutation ($id: ID!, $body: String!) { interactionRecord(input: {
        customerId: $id, channel: EMAIL, direction: INBOUND, kind: "mail.received", body: $body
    }) { interaction { id } } }"""
    await run_query(record, {"id": ada, "body": "x" * 60_000})
    (sent,) = await receiver.wait_for_requests(1)
    body = json.loads(sent.body)
    assert (body["data"], body["extensions"]["code"]) == (None, "PAYLOAD_TOO_LARGE")
    page = query.replace("subscription { changes(", f'{{ changes(after: "{body["extensions"]["after"]}", first: 1, ')
    (message,) = (await run_query(page))["changes"]
    assert len(message["node"]["f4"]) == 60_000
