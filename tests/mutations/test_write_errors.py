"""What writes are refused with: the argument at fault by its whole path, in orders and their items, in parts, in upserts."""

import asyncio
from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub.viewer import Role

CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id items { nodes { id } } } } }"
EDIT = "mutation ($input: OrderUpdateInput!) { orderUpdate(input: $input) { order { id staff { id } } } }"
ADD_ITEM = "mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) { orderItem { line } } }"
EDIT_ITEM = "mutation ($input: OrderItemUpdateInput!) { orderItemUpdate(input: $input) { orderItem { line } } }"
SCORE = "mutation ($input: ScoreRecordInput!) { scoreRecord(input: $input) { score { value } } }"
MAX_AMOUNT = "99999999999999.9999"


@pytest.fixture(scope="module")
async def product(connection: asyncpg.Connection) -> str:
    return f"prd_{(await connection.fetchval('select id from products limit 1')).hex}"


@pytest.fixture(scope="module")
async def customer(northwind_client: HubClient) -> str:
    data = await northwind_client.query(CUSTOMER, {"input": {"kind": "PERSON", "name": "Ada"}})
    return str(data["customerCreate"]["customer"]["id"])


async def create_order(northwind_client: HubClient, customer: str, number: str, **more: Any) -> tuple[str, list[str]]:
    """The ids of a new order and of its items."""
    input_values = {"customerId": customer, "number": number, "currency": "EUR", **more}
    order = (await northwind_client.query(ORDER, {"input": input_values}))["orderCreate"]["order"]
    return order["id"], [item["id"] for item in order["items"]["nodes"]]


ITEM: dict[str, Any] = {"quantity": 1, "unitPrice": "1"}


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"items": [{**ITEM, "unitPrice": "1e40"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [ITEM, {**ITEM, "unitPrice": "1E+38"}]}, "VALUE_INVALID", "input.items[1].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": "1e20"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": "-1"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{"quantity": 1_000_000, "unitPrice": MAX_AMOUNT}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": MAX_AMOUNT}] * 2}, "VALUE_INVALID", "input.items"),
        ({"items": [{**ITEM, "unitPrice": MAX_AMOUNT}], "freight": "1"}, "VALUE_INVALID", "input.freight"),
        ({"net": MAX_AMOUNT, "freight": "0.0001"}, "VALUE_INVALID", "input.freight"),
        ({"items": [{**ITEM, "discount": "1e40"}]}, "VALUE_INVALID", "input.items[0].discount"),
        ({"items": [{**ITEM, "discount": None}]}, "VALUE_INVALID", "input.items[0].discount"),
        ({"items": [{**ITEM, "line": 0}]}, "VALUE_INVALID", "input.items[0].line"),
        ({"items": [{**ITEM, "line": 1}] * 2}, "ALREADY_EXISTS", "input.items[1].line"),
        ({"items": [ITEM, {**ITEM, "productId": "prd_" + "0" * 32}]}, "NOT_FOUND", "input.items[1].productId"),
    ],
)
async def test_an_order_s_fault_is_named(
    northwind_client: HubClient, customer: str, product: str, values: dict[str, Any], code: str, argument: str
) -> None:
    items = {"items": [{"productId": product, **item} for item in values["items"]]} if "items" in values else {}
    error = await northwind_client.error(
        ORDER, {"input": {"customerId": customer, "number": "R-1", "currency": "EUR", **values, **items}}
    )
    assert (error["code"], error["argument"]) == (code, argument)
    assert error["message"].startswith(f"{argument}: ")


async def test_an_order_s_freight_fits_beside_its_net(northwind_client: HubClient, customer: str) -> None:
    key, _ = await create_order(northwind_client, customer, "R-2", net=MAX_AMOUNT)
    error = await northwind_client.error(EDIT, {"input": {"id": key, "freight": "1"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.freight")
    assert error["message"] == (
        "input.freight: the amount that results has more than 14 digits before the point; give less."
    )


async def test_an_item_s_fault_is_named(northwind_client: HubClient, customer: str, product: str) -> None:
    key, (item,) = await create_order(
        northwind_client, customer, "R-3", items=[{**ITEM, "productId": product, "unitPrice": MAX_AMOUNT}]
    )
    new = {"orderId": key, "productId": product, **ITEM}
    for document, input_values, code, argument in (
        (ADD_ITEM, {**new, "line": 0}, "VALUE_INVALID", "input.line"),
        (ADD_ITEM, {**new, "line": -5}, "VALUE_INVALID", "input.line"),
        (ADD_ITEM, {**new, "line": 1_000_001}, "VALUE_INVALID", "input.line"),
        (ADD_ITEM, {**new, "line": 1}, "ALREADY_EXISTS", "input.line"),
        (ADD_ITEM, {**new, "line": 2, "unitPrice": "1e40"}, "VALUE_INVALID", "input.unitPrice"),
        (ADD_ITEM, {**new, "line": 2, "unitPrice": MAX_AMOUNT, "quantity": 2}, "VALUE_INVALID", "input.unitPrice"),
        (ADD_ITEM, {**new, "line": 2}, "VALUE_INVALID", "input.unitPrice"),  # the order has as much as it takes
        (EDIT_ITEM, {"id": item, "line": -1}, "VALUE_INVALID", "input.line"),
        (EDIT_ITEM, {"id": item, "line": None}, "VALUE_INVALID", "input.line"),
        (EDIT_ITEM, {"id": item, "quantity": 2}, "VALUE_INVALID", "input.quantity"),
        (EDIT_ITEM, {"id": item, "unitPrice": "1e40"}, "VALUE_INVALID", "input.unitPrice"),
    ):
        error = await northwind_client.error(document, {"input": input_values})
        assert (error["code"], error["argument"]) == (code, argument), input_values
        assert error["message"].startswith(f"{argument}: ")


async def test_an_item_that_names_no_line_takes_the_next(
    northwind_client: HubClient, customer: str, product: str
) -> None:
    key, _ = await create_order(northwind_client, customer, "R-4", items=[{**ITEM, "productId": product, "line": 7}])
    new = {"orderId": key, "productId": product, **ITEM}
    for line in (8, 9):
        assert await northwind_client.query(ADD_ITEM, {"input": new}) == {
            "orderItemCreate": {"orderItem": {"line": line}}
        }
    at_once = await asyncio.gather(*(northwind_client.query(ADD_ITEM, {"input": new}) for _ in range(6)))
    assert sorted(answer["orderItemCreate"]["orderItem"]["line"] for answer in at_once) == [10, 11, 12, 13, 14, 15]
    empty, _ = await create_order(northwind_client, customer, "R-5")
    assert await northwind_client.query(ADD_ITEM, {"input": {**new, "orderId": empty}}) == {
        "orderItemCreate": {"orderItem": {"line": 1}}
    }
    error = await northwind_client.error(ADD_ITEM, {"input": {**new, "orderId": "ord_" + "0" * 32}})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.orderId")


async def test_a_conflict_tells_no_key_of_a_hidden_row(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    western = await connection.fetchval("select id from org_units where code = 'western'")
    within = "select path from org_units where code = 'western'"
    staff_query = (
        f"select s.id from staff s join org_units u on u.id = s.unit_id where (u.path <@ ({within})) = $1 limit 1"
    )
    seen, hidden = [await connection.fetchval(staff_query, is_within) for is_within in (True, False)]
    key = await create_api_key(northwind_client.dsn, Role.WRITER, unit_id=western)
    new = {"kind": "PERSON", "name": "West", "unitId": f"unt_{western.hex}"}
    customer = (await northwind_client.query(CUSTOMER, {"input": new}))["customerCreate"]["customer"]["id"]
    for number, staff, visible_id in (("W-1", hidden, None), ("W-2", seen, f"stf_{seen.hex}")):
        order, _ = await create_order(northwind_client, customer, number)
        await northwind_client.query(EDIT, {"input": {"id": order, "staffId": f"stf_{staff.hex}"}})
        edit = {"input": {"id": order, "staffId": None, "expectedVersion": 1}}
        error = await northwind_client.error(EDIT, edit, key=key)
        assert (error["code"], error["currentVersion"], error["current"]) == (
            "VERSION_CONFLICT",
            2,
            {"staffId": visible_id},
        )
        everything = await northwind_client.error(EDIT, edit)
        assert everything["current"] == {"staffId": f"stf_{staff.hex}"}


async def test_a_conflict_shows_free_facts_as_an_object(northwind_client: HubClient, customer: str) -> None:
    edit = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { version } } }"
    read = "query ($id: ID!) { customer(id: $id) { version } }"
    version = (await northwind_client.query(read, {"id": customer}))["customer"]["version"]
    await northwind_client.query(edit, {"input": {"id": customer, "attributes": {"floor": 3}}})
    stale = {"id": customer, "attributes": {}, "expectedVersion": version}
    assert (await northwind_client.error(edit, {"input": stale}))["current"] == {"attributes": {"floor": 3}}


async def test_a_part_s_fault_is_named(northwind_client: HubClient) -> None:
    known = {"kind": "LOYALTY_ID", "value": "L-1", "source": "till"}
    person = {"kind": "PERSON", "name": "Ada"}
    await northwind_client.query(CUSTOMER, {"input": {**person, "identifiers": [known]}})
    error = await northwind_client.error(
        CUSTOMER, {"input": {**person, "identifiers": [{**known, "value": "L-2"}, known]}}
    )
    assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", "input.identifiers[1].kind")
    null = {**known, "value": "L-3", "verified": None}
    error = await northwind_client.error(CUSTOMER, {"input": {**person, "identifiers": [null]}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].verified")


@pytest.mark.parametrize("key_name", ["identifier", "external"])
async def test_an_upsert_names_what_it_cannot_claim(northwind_client: HubClient, key_name: str) -> None:
    identifier_kind = "EXTERNAL_ID" if key_name == "external" else "DEVICE_ID"
    known = {"kind": identifier_kind, "value": "far-1", "source": "erp"}
    by = {"source": "erp", "externalId": "far-1"} if key_name == "external" else known
    new = {"by": {key_name: by}, "kind": "PERSON", "name": "Far", "identifiers": [known]}
    error = await northwind_client.error(UPSERT, {"input": new})
    assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", f"input.by.{key_name}")
    assert error["message"].startswith(f"input.by.{key_name}: ")


async def test_an_upsert_of_what_is_gone_makes_no_other(northwind_client: HubClient) -> None:
    product = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created } }"
    nail = {"name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    for document, input_values in (
        (UPSERT, {"by": {"external": {"source": "erp", "externalId": "gone"}}, "kind": "PERSON", "name": "Ada"}),
        (UPSERT, {"by": {"identifier": {"kind": "LOYALTY_ID", "value": "gone"}}, "kind": "PERSON", "name": "Ada"}),
        (product, {"by": {"sku": "gone"}, **nail}),
    ):
        error = await northwind_client.error(document, {"input": {**input_values, "expectedVersion": 7}})
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.expectedVersion")
        assert error["message"] == (
            "input.expectedVersion: the row that had it is gone; leave it out to make a new one."
        )
        (outcome,) = (await northwind_client.query(document, {"input": input_values})).values()
        assert outcome["created"] is True


async def test_an_upsert_does_not_contradict_its_key(northwind_client: HubClient, customer: str) -> None:
    document = "mutation ($input: OrderUpsertInput!) { orderUpsert(input: $input) { created order { number } } }"
    input_values = {"by": {"number": "U-1"}, "customerId": customer, "currency": "EUR"}
    for created in (True, False):
        for number in ("U-2", None):
            error = await northwind_client.error(document, {"input": {**input_values, "number": number}})
            assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.number")
        same = {"input": {**input_values, "number": " U-1"}}
        assert await northwind_client.query(document, same) == {
            "orderUpsert": {"created": created, "order": {"number": "U-1"}}
        }
    error = await northwind_client.error(document, {"input": {**input_values, "by": {"number": " "}}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.by.number")


async def test_a_row_in_use_says_by_what(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    product = f"prd_{(await connection.fetchval('select product_id from order_items limit 1')).hex}"
    error = await northwind_client.error(
        "mutation ($id: ID!) { productDelete(input: {id: $id}) { deletedId } }", {"id": product}
    )
    assert error["message"] == "input.id: rows of order items still refer to it; change or delete them first."


async def test_a_score_is_stored_exactly_or_refused(northwind_client: HubClient, customer: str) -> None:
    input_values = {"customerId": customer, "model": "a.b"}
    for value in ("1.23456789", "1e-30", "1e14", "-1e40"):
        error = await northwind_client.error(SCORE, {"input": {**input_values, "value": value}})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.value"), value
    for reasons in ([{"fact": "a"}, 3], [{"fact": "a"}, {"fact": "x" * 100_000}]):
        error = await northwind_client.error(SCORE, {"input": {**input_values, "value": "1", "reasons": reasons}})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.reasons[1]")
    assert await northwind_client.query(SCORE, {"input": {**input_values, "value": "-1.2345"}}) == {
        "scoreRecord": {"score": {"value": "-1.2345"}}
    }
