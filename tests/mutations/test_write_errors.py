"""What writes are refused with: the argument at fault by its whole path, in orders and their items, in parts, in upserts."""

import asyncio
from typing import Any

import asyncpg
import pytest
from conftest import key_for
from writer_client import Writer

from hub.viewer import Role

CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id items { nodes { id } } } } }"
EDIT = "mutation ($input: OrderUpdateInput!) { orderUpdate(input: $input) { order { id staff { id } } } }"
ADD = "mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) { orderItem { line } } }"
CHANGE = "mutation ($input: OrderItemUpdateInput!) { orderItemUpdate(input: $input) { orderItem { line } } }"
SCORE = "mutation ($input: ScoreRecordInput!) { scoreRecord(input: $input) { score { value } } }"
MOST = "99999999999999.9999"


@pytest.fixture(scope="module")
async def product(rows: asyncpg.Connection) -> str:
    return f"prd_{(await rows.fetchval('select id from products limit 1')).hex}"


@pytest.fixture(scope="module")
async def customer(hub_: Writer) -> str:
    made = await hub_.do(CUSTOMER, {"input": {"kind": "PERSON", "name": "Ada"}})
    return str(made["customerCreate"]["customer"]["id"])


async def ordered(hub_: Writer, customer: str, number: str, **more: Any) -> tuple[str, list[str]]:
    """The ids of a new order and of its items."""
    given = {"customerId": customer, "number": number, "currency": "EUR", **more}
    order = (await hub_.do(ORDER, {"input": given}))["orderCreate"]["order"]
    return order["id"], [each["id"] for each in order["items"]["nodes"]]


ITEM: dict[str, Any] = {"quantity": 1, "unitPrice": "1"}


@pytest.mark.parametrize(
    ("given", "code", "argument"),
    [
        ({"items": [{**ITEM, "unitPrice": "1e40"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [ITEM, {**ITEM, "unitPrice": "1E+38"}]}, "VALUE_INVALID", "input.items[1].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": "1e20"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": "-1"}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{"quantity": 1_000_000, "unitPrice": MOST}]}, "VALUE_INVALID", "input.items[0].unitPrice"),
        ({"items": [{**ITEM, "unitPrice": MOST}] * 2}, "VALUE_INVALID", "input.items"),
        ({"items": [{**ITEM, "unitPrice": MOST}], "freight": "1"}, "VALUE_INVALID", "input.freight"),
        ({"net": MOST, "freight": "0.0001"}, "VALUE_INVALID", "input.freight"),
        ({"items": [{**ITEM, "discount": "1e40"}]}, "VALUE_INVALID", "input.items[0].discount"),
        ({"items": [{**ITEM, "discount": None}]}, "VALUE_INVALID", "input.items[0].discount"),
        ({"items": [{**ITEM, "line": 0}]}, "VALUE_INVALID", "input.items[0].line"),
        ({"items": [{**ITEM, "line": 1}] * 2}, "ALREADY_EXISTS", "input.items[1].line"),
        ({"items": [ITEM, {**ITEM, "productId": "prd_" + "0" * 32}]}, "NOT_FOUND", "input.items[1].productId"),
    ],
)
async def test_an_order_s_fault_is_named(
    hub_: Writer, customer: str, product: str, given: dict[str, Any], code: str, argument: str
) -> None:
    items = {"items": [{"productId": product, **each} for each in given["items"]]} if "items" in given else {}
    error = await hub_.refused(
        ORDER, {"input": {"customerId": customer, "number": "R-1", "currency": "EUR", **given, **items}}
    )
    assert (error["code"], error["argument"]) == (code, argument)
    assert error["message"].startswith(f"{argument}: ")


async def test_an_order_s_freight_fits_beside_its_net(hub_: Writer, customer: str) -> None:
    key, _ = await ordered(hub_, customer, "R-2", net=MOST)
    error = await hub_.refused(EDIT, {"input": {"id": key, "freight": "1"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.freight")
    assert error["message"] == ("input.freight: what comes of it has more than 14 digits before the point; give less.")


async def test_an_item_s_fault_is_named(hub_: Writer, customer: str, product: str) -> None:
    key, (item,) = await ordered(hub_, customer, "R-3", items=[{**ITEM, "productId": product, "unitPrice": MOST}])
    new = {"orderId": key, "productId": product, **ITEM}
    for document, given, code, argument in (
        (ADD, {**new, "line": 0}, "VALUE_INVALID", "input.line"),
        (ADD, {**new, "line": -5}, "VALUE_INVALID", "input.line"),
        (ADD, {**new, "line": 1_000_001}, "VALUE_INVALID", "input.line"),
        (ADD, {**new, "line": 1}, "ALREADY_EXISTS", "input.line"),
        (ADD, {**new, "line": 2, "unitPrice": "1e40"}, "VALUE_INVALID", "input.unitPrice"),
        (ADD, {**new, "line": 2, "unitPrice": MOST, "quantity": 2}, "VALUE_INVALID", "input.unitPrice"),
        (ADD, {**new, "line": 2}, "VALUE_INVALID", "input.unitPrice"),  # the order has as much as it takes
        (CHANGE, {"id": item, "line": -1}, "VALUE_INVALID", "input.line"),
        (CHANGE, {"id": item, "line": None}, "VALUE_INVALID", "input.line"),
        (CHANGE, {"id": item, "quantity": 2}, "VALUE_INVALID", "input.quantity"),
        (CHANGE, {"id": item, "unitPrice": "1e40"}, "VALUE_INVALID", "input.unitPrice"),
    ):
        error = await hub_.refused(document, {"input": given})
        assert (error["code"], error["argument"]) == (code, argument), given
        assert error["message"].startswith(f"{argument}: ")


async def test_an_item_that_names_no_line_takes_the_next(hub_: Writer, customer: str, product: str) -> None:
    key, _ = await ordered(hub_, customer, "R-4", items=[{**ITEM, "productId": product, "line": 7}])
    new = {"orderId": key, "productId": product, **ITEM}
    for line in (8, 9):
        assert await hub_.do(ADD, {"input": new}) == {"orderItemCreate": {"orderItem": {"line": line}}}
    at_once = await asyncio.gather(*(hub_.do(ADD, {"input": new}) for _ in range(6)))
    assert sorted(each["orderItemCreate"]["orderItem"]["line"] for each in at_once) == [10, 11, 12, 13, 14, 15]
    empty, _ = await ordered(hub_, customer, "R-5")
    assert await hub_.do(ADD, {"input": {**new, "orderId": empty}}) == {"orderItemCreate": {"orderItem": {"line": 1}}}
    error = await hub_.refused(ADD, {"input": {**new, "orderId": "ord_" + "0" * 32}})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.orderId")


async def test_a_conflict_tells_no_key_of_a_hidden_row(hub_: Writer, rows: asyncpg.Connection) -> None:
    western = await rows.fetchval("select id from org_units where code = 'western'")
    within = "select path from org_units where code = 'western'"
    found = f"select s.id from staff s join org_units u on u.id = s.unit_id where (u.path <@ ({within})) = $1 limit 1"
    seen, hidden = [await rows.fetchval(found, each) for each in (True, False)]
    key = await key_for(hub_.dsn, Role.WRITER, unit_id=western)
    new = {"kind": "PERSON", "name": "West", "unitId": f"unt_{western.hex}"}
    customer = (await hub_.do(CUSTOMER, {"input": new}))["customerCreate"]["customer"]["id"]
    for number, staff, told in (("W-1", hidden, None), ("W-2", seen, f"stf_{seen.hex}")):
        order, _ = await ordered(hub_, customer, number)
        await hub_.do(EDIT, {"input": {"id": order, "staffId": f"stf_{staff.hex}"}})
        edit = {"input": {"id": order, "staffId": None, "expectedVersion": 1}}
        error = await hub_.refused(EDIT, edit, key=key)
        assert (error["code"], error["currentVersion"], error["current"]) == ("VERSION_CONFLICT", 2, {"staffId": told})
        everything = await hub_.refused(EDIT, edit)
        assert everything["current"] == {"staffId": f"stf_{staff.hex}"}


async def test_a_conflict_shows_free_facts_as_an_object(hub_: Writer, customer: str) -> None:
    edit = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { version } } }"
    read = "query ($id: ID!) { customer(id: $id) { version } }"
    version = (await hub_.do(read, {"id": customer}))["customer"]["version"]
    await hub_.do(edit, {"input": {"id": customer, "attributes": {"floor": 3}}})
    stale = {"id": customer, "attributes": {}, "expectedVersion": version}
    assert (await hub_.refused(edit, {"input": stale}))["current"] == {"attributes": {"floor": 3}}


async def test_a_part_s_fault_is_named(hub_: Writer) -> None:
    known = {"kind": "LOYALTY_ID", "value": "L-1", "source": "till"}
    given = {"kind": "PERSON", "name": "Ada"}
    await hub_.do(CUSTOMER, {"input": {**given, "identifiers": [known]}})
    error = await hub_.refused(CUSTOMER, {"input": {**given, "identifiers": [{**known, "value": "L-2"}, known]}})
    assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", "input.identifiers[1].kind")
    null = {**known, "value": "L-3", "verified": None}
    error = await hub_.refused(CUSTOMER, {"input": {**given, "identifiers": [null]}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].verified")


@pytest.mark.parametrize("way", ["identifier", "external"])
async def test_an_upsert_names_what_it_cannot_claim(hub_: Writer, rows: asyncpg.Connection, way: str) -> None:
    kind = "EXTERNAL_ID" if way == "external" else "DEVICE_ID"
    known = {"kind": kind, "value": "far-1", "source": "erp"}
    by = {"source": "erp", "externalId": "far-1"} if way == "external" else known
    await hub_.do(CUSTOMER, {"input": {"kind": "PERSON", "name": "Far", "identifiers": [known]}})
    western = await rows.fetchval("select id from org_units where code = 'western'")
    key = await key_for(hub_.dsn, Role.WRITER, unit_id=western)
    error = await hub_.refused(UPSERT, {"input": {"by": {way: by}, "kind": "PERSON", "name": "Near"}}, key=key)
    assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", f"input.by.{way}")
    assert error["message"].startswith(f"input.by.{way}: ")


async def test_an_upsert_of_what_is_gone_makes_no_other(hub_: Writer) -> None:
    product = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created } }"
    nail = {"name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    for document, given in (
        (UPSERT, {"by": {"external": {"source": "erp", "externalId": "gone"}}, "kind": "PERSON", "name": "Ada"}),
        (UPSERT, {"by": {"identifier": {"kind": "LOYALTY_ID", "value": "gone"}}, "kind": "PERSON", "name": "Ada"}),
        (product, {"by": {"sku": "gone"}, **nail}),
    ):
        error = await hub_.refused(document, {"input": {**given, "expectedVersion": 7}})
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.expectedVersion")
        assert error["message"] == (
            "input.expectedVersion: the row that had it is gone; leave it out to make a new one."
        )
        (outcome,) = (await hub_.do(document, {"input": given})).values()
        assert outcome["created"] is True


async def test_an_upsert_does_not_contradict_what_it_is_found_by(hub_: Writer, customer: str) -> None:
    document = "mutation ($input: OrderUpsertInput!) { orderUpsert(input: $input) { created order { number } } }"
    given = {"by": {"number": "U-1"}, "customerId": customer, "currency": "EUR"}
    for created in (True, False):
        for number in ("U-2", None):
            error = await hub_.refused(document, {"input": {**given, "number": number}})
            assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.number")
        same = {"input": {**given, "number": " U-1"}}
        assert await hub_.do(document, same) == {"orderUpsert": {"created": created, "order": {"number": "U-1"}}}
    error = await hub_.refused(document, {"input": {**given, "by": {"number": " "}}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.by.number")


async def test_a_row_in_use_says_by_what(hub_: Writer, rows: asyncpg.Connection) -> None:
    product = f"prd_{(await rows.fetchval('select product_id from order_items limit 1')).hex}"
    error = await hub_.refused("mutation ($id: ID!) { productDelete(input: {id: $id}) { deletedId } }", {"id": product})
    assert error["message"] == "input.id: rows of order items still name it; change or delete those first."


async def test_a_score_is_kept_as_it_was_given_or_not_at_all(hub_: Writer, customer: str) -> None:
    given = {"customerId": customer, "model": "a.b"}
    for value in ("1.23456789", "1e-30", "1e14", "-1e40"):
        error = await hub_.refused(SCORE, {"input": {**given, "value": value}})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.value"), value
    for reasons in ([{"fact": "a"}, 3], [{"fact": "a"}, {"fact": "x" * 100_000}]):
        error = await hub_.refused(SCORE, {"input": {**given, "value": "1", "reasons": reasons}})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.reasons[1]")
    assert await hub_.do(SCORE, {"input": {**given, "value": "-1.2345"}}) == {
        "scoreRecord": {"score": {"value": "-1.2345"}}
    }
