"""Those who write at the same time: sums, limits and identities come out as if they had come one after the other."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until
from conftest import CreateDatabase
from writer_client import HubClient, open_hub_client

from hub.engine.execution import mutations
from hub.observability import Event, PlanCompiled, add_handler

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } outcome reasons } }"
UPDATES = "mutation ($input: CustomersUpdateInput!) { done: customersUpdate(input: $input) { succeeded } }"
UPSERTS = "mutation ($input: CustomersUpsertInput!) { done: customersUpsert(input: $input) { succeeded } }"
CONSENTS = "mutation ($input: ConsentsSetInput!) { consentsSet(input: $input) { succeeded } }"


@pytest.fixture(scope="module")
async def hub_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    async with open_hub_client(await create_database("northwind")) as hub_writer:
        yield hub_writer


async def customer(hub_client: HubClient, name: str) -> str:
    data = await hub_client.query(CREATE, {"input": {"kind": "PERSON", "name": name}})
    return str(data["customerCreate"]["customer"]["id"])


async def test_an_order_for_a_customer_on_its_way_to_another_unit_waits_for_it(hub_client: HubClient) -> None:
    moved = await customer(hub_client, "Moved")
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
    input_values = {"customerId": moved, "number": "M-1", "currency": "EUR"}
    connection = await asyncpg.connect(hub_client.dsn)
    async with connection.transaction():
        move = "update customers set unit_id = (select id from org_units where code = 'northern') where id = $1"
        await connection.execute(move, UUID(moved[4:]))
        creating = asyncio.create_task(hub_client.query(document, {"input": input_values}))
        await wait_until(lambda: connection.fetchval("select exists (select from pg_locks where not granted)"))
    assert (await creating)["orderCreate"]["order"]["id"].startswith("ord_")
    await connection.close()


IDENTICAL_DOCUMENTS = (
    "query Crowd { customers(first: 3) { nodes { name tier } } }",
    'mutation Crowd { productCreate(input: {sku: "", name: "a", category: "a", currency: "EUR", unitPrice: "1"}) {'
    " product { sku } } }",
)


@pytest.mark.parametrize("document", IDENTICAL_DOCUMENTS, ids=("query", "mutation"))
async def test_identical_concurrent_operations_are_planned_once(hub_client: HubClient, document: str) -> None:
    events: list[Event] = []
    remove_handler = add_handler(events.append)
    try:
        await asyncio.gather(*(hub_client.execute(document, {}) for _ in range(10)))
    finally:
        remove_handler()
    assert [event.operation for event in events if isinstance(event, PlanCompiled)] == ["Crowd"]


RECORD_INTERACTION = """mutation ($input: InteractionRecordInput!) {
    interactionRecord(input: $input) { interaction { a: mentions { number } b: mentions { items(first: 1) { totalCount } } } }
}"""


async def interaction_naming_an_order(hub_client: HubClient, interaction_kind: str) -> dict[str, Any]:
    """An interaction that names an order."""
    order = (await hub_client.query("{ orders(first: 1) { nodes { id customer { id } } } }"))["orders"]["nodes"][0]
    sent = {"customerId": order["customer"]["id"], "channel": "WEB", "direction": "INBOUND"}
    return {**sent, "kind": interaction_kind, "body": f"Where is {order['id']}?"}


async def test_a_payload_reads_behind_several_keys_one_after_the_other(hub_client: HubClient) -> None:
    data = await hub_client.query(
        RECORD_INTERACTION, {"input": await interaction_naming_an_order(hub_client, "said.once")}
    )
    (number,), (items,) = data["interactionRecord"]["interaction"].values()
    assert (list(number), list(items)) == (["number"], ["items"])


async def test_an_operation_that_cannot_commit_is_not_reported_as_done(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutations, "ATTEMPTS", 1)
    input_values = await interaction_naming_an_order(hub_client, "said.in.vain")
    connection = await asyncpg.connect(hub_client.dsn)
    async with connection.transaction():
        await connection.execute("lock table order_items in access exclusive mode")
        refused = await hub_client.error(RECORD_INTERACTION, {"input": input_values})
    assert refused["code"] == "UNAVAILABLE"
    assert await connection.fetchval("select count(*) from interactions where kind = 'said.in.vain'") == 0
    await connection.close()


async def test_an_order_comes_to_what_all_its_items_come_to(hub_client: HubClient) -> None:
    product = (await hub_client.query("{ products(first: 1) { nodes { id } } }"))["products"]["nodes"][0]["id"]
    input_values = {"customerId": await customer(hub_client, "Sum"), "number": "S-1", "currency": "EUR"}
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
    order = (await hub_client.query(document, {"input": input_values}))["orderCreate"]["order"]["id"]
    add = "mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) { orderItem { id } } }"
    line = {"orderId": order, "productId": product, "quantity": 1, "unitPrice": "1"}
    items = await asyncio.gather(
        *(hub_client.query(add, {"input": {**line, "line": number}}) for number in range(1, 21))
    )
    change = "mutation ($id: ID!) { orderItemUpdate(input: {id: $id, quantity: 5}) { orderItem { id } } }"
    ids = [item["orderItemCreate"]["orderItem"]["id"] for item in items]
    await asyncio.gather(*(hub_client.query(change, {"id": key}) for key in ids[:10]))
    net = (await hub_client.query("query ($id: ID!) { order(id: $id) { net } }", {"id": order}))["order"]["net"]
    assert Decimal(net) == 10 * 5 + 10


async def test_whoever_is_created_and_identified_at_once_is_one_customer(hub_client: HubClient) -> None:
    email = {"kind": "EMAIL", "value": "race@home.org", "source": "shop"}
    create = {"input": {"kind": "PERSON", "name": "Race", "identifiers": [email]}}
    ask = {"input": {"source": "shop", "identifiers": [{"kind": "EMAIL", "value": "race@home.org"}]}}
    doing = [(CREATE, create)] * 8 + [(IDENTIFY, ask)] * 8
    random.Random(7).shuffle(doing)
    answers = await asyncio.gather(*(hub_client.execute(document, variables) for document, variables in doing))
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", ())}
    assert codes <= {"ALREADY_EXISTS"}
    customer_ids = [
        answer["data"]["identify"]["customer"]["id"] for answer in answers if (answer["data"] or {}).get("identify")
    ]
    assert (len(customer_ids), len(set(customer_ids))) == (8, 1)


async def test_the_limit_of_addresses_holds_for_those_who_come_at_once(hub_client: HubClient) -> None:
    devices = [{"kind": "DEVICE_ID", "value": f"device-{number}"} for number in range(8)]
    identified = await hub_client.query(IDENTIFY, {"input": {"source": "app", "identifiers": devices}})

    async def add_addresses(number: int) -> None:
        addresses = [{"kind": "EMAIL", "value": f"many{number}-{index}@home.org"} for index in range(4)]
        await hub_client.query(IDENTIFY, {"input": {"source": "app", "identifiers": [devices[number], *addresses]}})

    await asyncio.gather(*(add_addresses(number) for number in range(8)))
    count_query = "query ($id: ID!) { customer(id: $id) { identifiers(filter: {kind: {eq: EMAIL}}) { totalCount } } }"
    data = await hub_client.query(count_query, {"id": identified["identify"]["customer"]["id"]})
    assert data == {"customer": {"identifiers": {"totalCount": 5}}}


async def test_consents_of_the_same_customers_in_any_order_all_succeed(hub_client: HubClient) -> None:
    keys = [await customer(hub_client, f"Consent {number}") for number in range(30)]

    async def answered(number: int) -> Any:
        order = random.Random(number).sample(keys, len(keys))
        rows = [{"customerId": key, "purpose": "a.b", "status": "GRANTED", "source": str(number)} for key in order]
        return (await hub_client.query(CONSENTS, {"input": {"rows": rows}}))["consentsSet"]["succeeded"]

    assert await asyncio.gather(*(answered(number) for number in range(8))) == [30] * 8


@pytest.mark.parametrize("by", ["id", "identifier"])
async def test_those_who_write_the_same_rows_in_opposite_orders_all_succeed(hub_client: HubClient, by: str) -> None:
    document = (
        "mutation ($input: CustomersCreateInput!) { customersCreate(input: $input) { results { customer { id } } } }"
    )
    created = await hub_client.query(
        document, {"input": {"rows": [{"kind": "PERSON", "name": f"Both {n}"} for n in range(40)]}}
    )
    ids = [{"id": result["customer"]["id"]} for result in created["customersCreate"]["results"]]
    known = [
        {"by": {"identifier": {"kind": "EMAIL", "value": f"both{n}@home.org"}}, "kind": "PERSON"} for n in range(40)
    ]
    rows, document = (ids, UPDATES) if by == "id" else (known, UPSERTS)

    async def edit_rows(number: int) -> Any:
        order = rows if number % 2 else rows[::-1]
        return await hub_client.query(
            document, {"input": {"rows": [{**row, "name": f"Edit {number}"} for row in order]}}
        )

    answers = await asyncio.gather(*(edit_rows(number) for number in range(4)))
    assert answers == [{"done": {"succeeded": 40}}] * 4
