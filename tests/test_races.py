"""Those who write at the same time: sums, limits and identities come out as if they had come one after the other."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from conftest import NewDatabase
from writing import Writer, writing

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
