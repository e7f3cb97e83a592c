"""Those who write at the same time: sums, limits and identities come out as if they had come one after the other."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import until
from conftest import NewDatabase
from writer_client import Writer, writing

from hub.engine.execution import mutations
from hub.observability import PlanMade, Record, listen

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } outcome reasons } }"
UPDATES = "mutation ($input: CustomersUpdateInput!) { done: customersUpdate(input: $input) { succeeded } }"
UPSERTS = "mutation ($input: CustomersUpsertInput!) { done: customersUpsert(input: $input) { succeeded } }"
CONSENTS = "mutation ($input: ConsentsSetInput!) { consentsSet(input: $input) { succeeded } }"


@pytest.fixture(scope="module")
async def writer(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[Writer]:
    async with writing(await new_database("northwind")) as made:
        yield made


async def customer(writer: Writer, name: str) -> str:
    made = await writer.do(CREATE, {"input": {"kind": "PERSON", "name": name}})
    return str(made["customerCreate"]["customer"]["id"])


async def test_an_order_for_a_customer_on_its_way_to_another_unit_waits_for_it(writer: Writer) -> None:
    moved = await customer(writer, "Moved")
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
    given = {"customerId": moved, "number": "M-1", "currency": "EUR"}
    rows = await asyncpg.connect(writer.dsn)
    async with rows.transaction():
        move = "update customers set unit_id = (select id from org_units where code = 'northern') where id = $1"
        await rows.execute(move, UUID(moved[4:]))
        made = asyncio.create_task(writer.do(document, {"input": given}))
        await until(lambda: rows.fetchval("select exists (select from pg_locks where not granted)"))
    assert (await made)["orderCreate"]["order"]["id"].startswith("ord_")
    await rows.close()


CROWD = (
    "query Crowd { customers(first: 3) { nodes { name tier } } }",
    'mutation Crowd { productCreate(input: {sku: "", name: "a", category: "a", currency: "EUR", unitPrice: "1"}) {'
    " product { sku } } }",
)


@pytest.mark.parametrize("document", CROWD, ids=("query", "mutation"))
async def test_what_a_crowd_asks_for_at_once_is_planned_once(writer: Writer, document: str) -> None:
    planned: list[Record] = []
    unlisten = listen(planned.append)
    try:
        await asyncio.gather(*(writer.answer(document, {}) for _ in range(10)))
    finally:
        unlisten()
    assert [each.operation for each in planned if isinstance(each, PlanMade)] == ["Crowd"]


SAID = """mutation ($input: InteractionRecordInput!) {
    interactionRecord(input: $input) { interaction { a: mentions { number } b: mentions { items(first: 1) { totalCount } } } }
}"""


async def said(writer: Writer, kind: str) -> dict[str, Any]:
    """An interaction that names an order."""
    order = (await writer.do("{ orders(first: 1) { nodes { id customer { id } } } }"))["orders"]["nodes"][0]
    sent = {"customerId": order["customer"]["id"], "channel": "WEB", "direction": "INBOUND"}
    return {**sent, "kind": kind, "body": f"Where is {order['id']}?"}


async def test_a_payload_reads_behind_several_keys_one_after_the_other(writer: Writer) -> None:
    told = await writer.do(SAID, {"input": await said(writer, "said.once")})
    (number,), (items,) = told["interactionRecord"]["interaction"].values()
    assert (list(number), list(items)) == (["number"], ["items"])


async def test_what_could_not_be_committed_is_not_told_as_done(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "ATTEMPTS", 1)
    given = await said(writer, "said.in.vain")
    rows = await asyncpg.connect(writer.dsn)
    async with rows.transaction():
        await rows.execute("lock table order_items in access exclusive mode")
        refused = await writer.refused(SAID, {"input": given})
    assert refused["code"] == "UNAVAILABLE"
    assert await rows.fetchval("select count(*) from interactions where kind = 'said.in.vain'") == 0
    await rows.close()


async def test_an_order_comes_to_what_all_its_items_come_to(writer: Writer) -> None:
    product = (await writer.do("{ products(first: 1) { nodes { id } } }"))["products"]["nodes"][0]["id"]
    given = {"customerId": await customer(writer, "Sum"), "number": "S-1", "currency": "EUR"}
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
    order = (await writer.do(document, {"input": given}))["orderCreate"]["order"]["id"]
    add = "mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) { orderItem { id } } }"
    line = {"orderId": order, "productId": product, "quantity": 1, "unitPrice": "1"}
    made = await asyncio.gather(*(writer.do(add, {"input": {**line, "line": number}}) for number in range(1, 21)))
    change = "mutation ($id: ID!) { orderItemUpdate(input: {id: $id, quantity: 5}) { orderItem { id } } }"
    ids = [each["orderItemCreate"]["orderItem"]["id"] for each in made]
    await asyncio.gather(*(writer.do(change, {"id": key}) for key in ids[:10]))
    net = (await writer.do("query ($id: ID!) { order(id: $id) { net } }", {"id": order}))["order"]["net"]
    assert Decimal(net) == 10 * 5 + 10


async def test_whoever_is_created_and_identified_at_once_is_one_customer(writer: Writer) -> None:
    email = {"kind": "EMAIL", "value": "race@home.org", "source": "shop"}
    create = {"input": {"kind": "PERSON", "name": "Race", "identifiers": [email]}}
    ask = {"input": {"source": "shop", "identifiers": [{"kind": "EMAIL", "value": "race@home.org"}]}}
    doing = [(CREATE, create)] * 8 + [(IDENTIFY, ask)] * 8
    random.Random(7).shuffle(doing)
    answers = await asyncio.gather(*(writer.answer(document, variables) for document, variables in doing))
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", ())}
    assert codes <= {"ALREADY_EXISTS"}
    found = [
        answer["data"]["identify"]["customer"]["id"] for answer in answers if (answer["data"] or {}).get("identify")
    ]
    assert (len(found), len(set(found))) == (8, 1)


async def test_the_limit_of_addresses_holds_for_those_who_come_at_once(writer: Writer) -> None:
    devices = [{"kind": "DEVICE_ID", "value": f"device-{number}"} for number in range(8)]
    made = await writer.do(IDENTIFY, {"input": {"source": "app", "identifiers": devices}})

    async def told(number: int) -> None:
        addresses = [{"kind": "EMAIL", "value": f"many{number}-{each}@home.org"} for each in range(4)]
        await writer.do(IDENTIFY, {"input": {"source": "app", "identifiers": [devices[number], *addresses]}})

    await asyncio.gather(*(told(number) for number in range(8)))
    kept = "query ($id: ID!) { customer(id: $id) { identifiers(filter: {kind: {eq: EMAIL}}) { totalCount } } }"
    found = await writer.do(kept, {"id": made["identify"]["customer"]["id"]})
    assert found == {"customer": {"identifiers": {"totalCount": 5}}}


async def test_consents_of_the_same_customers_in_any_order_all_succeed(writer: Writer) -> None:
    keys = [await customer(writer, f"Consent {number}") for number in range(30)]

    async def answered(number: int) -> Any:
        order = random.Random(number).sample(keys, len(keys))
        rows = [{"customerId": key, "purpose": "a.b", "status": "GRANTED", "source": str(number)} for key in order]
        return (await writer.do(CONSENTS, {"input": {"rows": rows}}))["consentsSet"]["succeeded"]

    assert await asyncio.gather(*(answered(number) for number in range(8))) == [30] * 8


@pytest.mark.parametrize("by", ["id", "identifier"])
async def test_those_who_write_the_same_rows_in_opposite_orders_all_succeed(writer: Writer, by: str) -> None:
    document = (
        "mutation ($input: CustomersCreateInput!) { customersCreate(input: $input) { results { customer { id } } } }"
    )
    made_ = await writer.do(document, {"input": {"rows": [{"kind": "PERSON", "name": f"Both {n}"} for n in range(40)]}})
    ids = [{"id": each["customer"]["id"]} for each in made_["customersCreate"]["results"]]
    known = [
        {"by": {"identifier": {"kind": "EMAIL", "value": f"both{n}@home.org"}}, "kind": "PERSON"} for n in range(40)
    ]
    rows, document = (ids, UPDATES) if by == "id" else (known, UPSERTS)

    async def edited(number: int) -> Any:
        order = rows if number % 2 else rows[::-1]
        return await writer.do(document, {"input": {"rows": [{**each, "name": f"Edit {number}"} for each in order]}})

    answers = await asyncio.gather(*(edited(number) for number in range(4)))
    assert answers == [{"done": {"succeeded": 40}}] * 4
