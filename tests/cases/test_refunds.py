"""Refunds and returns, amounts of four decimals, and what an upsert of an existing order refuses to ignore."""

from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from writer_client import HubClient

ORDER = """mutation ($input: OrderCreateInput!) { orderCreate(input: $input) {
    order { id net freight total reason items(orderBy: [{field: LINE}]) { nodes { id quantity net reason } } }
} }"""
EDIT = "mutation ($input: OrderUpdateInput!) { orderUpdate(input: $input) { order { net freight total reason } } }"
ITEM = "mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) { orderItem { net order { net } } } }"
EDIT_ITEM = (
    "mutation ($input: OrderItemUpdateInput!) { orderItemUpdate(input: $input) { orderItem { order { net } } } }"
)
UPSERT = "mutation ($input: OrderUpsertInput!) { orderUpsert(input: $input) { created order { net status freight } } }"
_numbers = count(1)


@pytest.fixture(scope="module")
async def known(northwind_client: HubClient) -> dict[str, Any]:
    """Two customers, a product and a contact of Northwind."""
    data = await northwind_client.query("{ customers(first: 2) { nodes { id } } products(first: 1) { nodes { id } } }")
    one, two = (node["id"] for node in data["customers"]["nodes"])
    return {"customer": one, "other": two, "product": data["products"]["nodes"][0]["id"]}


def order_input(known: dict[str, Any], **values: Any) -> dict[str, Any]:
    items = [{"productId": known["product"], "unitPrice": "10", **item} for item in values.pop("items", ())]
    row = {"customerId": known["customer"], "number": f"R-{next(_numbers)}", "currency": "EUR", **values}
    return row | ({"items": items} if items else {})


async def create(northwind_client: HubClient, known: dict[str, Any], **values: Any) -> Any:
    answer = await northwind_client.query(ORDER, {"input": order_input(known, **values)})
    return answer["orderCreate"]["order"]


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ({"net": "-50"}, "-50.0000"),
        ({"net": "0", "freight": "-4.5"}, "-4.5000"),
        ({"net": "-50", "freight": "4.5"}, "-45.5000"),
        ({"items": [{"quantity": -2}]}, "-20.0000"),
        ({"items": [{"quantity": 0}]}, "0.0000"),
        ({"items": [{"quantity": 1, "unitPrice": "-3.3333"}]}, "-3.3333"),
        ({"items": [{"quantity": 3}, {"quantity": -1, "discount": "0.5"}]}, "25.0000"),
    ],
)
async def test_v16_a_refund_has_a_reason(
    northwind_client: HubClient, known: dict[str, Any], values: dict[str, Any], total: str
) -> None:
    error = await northwind_client.error(ORDER, {"input": order_input(known, **values)})
    assert error["code"] == "VALUE_INVALID"
    assert "reason" in error["message"]
    order = await create(northwind_client, known, reason=" Arrived broken", **values)
    assert (order["total"], order["reason"]) == (total, "Arrived broken")
    assert sum((Decimal(item["net"]) for item in order["items"]["nodes"]), Decimal(order["freight"])) in (
        Decimal(total),
        Decimal(total) - Decimal(order["net"]),
    )
    returned = [item["reason"] for item in order["items"]["nodes"] if item["quantity"] < 1]
    assert returned == ["Arrived broken"] * len(returned)


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ({"net": "-1"}, "input.net"),
        ({"freight": "-0.0001"}, "input.freight"),
        ({"items": [{"quantity": 1}, {"quantity": -1}]}, "input.items[1].quantity"),
        ({"items": [{"quantity": 0}]}, "input.items[0].quantity"),
        ({"items": [{"quantity": 1, "unitPrice": "-1"}]}, "input.items[0].unitPrice"),
        ({"items": [{"quantity": -1_000_001, "reason": "x"}]}, "input.items[0].quantity"),
        ({"net": "-1", "reason": " "}, "input.reason"),
        ({"net": "-100000000000000", "reason": "x"}, "input.net"),
        ({"net": "-0.00001", "reason": "x"}, "input.net"),
    ],
)
async def test_v16_what_is_no_refund_is_refused(
    northwind_client: HubClient, known: dict[str, Any], values: dict[str, Any], argument: str
) -> None:
    error = await northwind_client.error(ORDER, {"input": order_input(known, **values)})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", argument)


async def test_v16_a_return_is_added_to_an_order(northwind_client: HubClient, known: dict[str, Any]) -> None:
    order = await create(northwind_client, known, items=[{"quantity": 3}])
    line = {"orderId": order["id"], "productId": known["product"], "unitPrice": "10", "quantity": -1}
    error = await northwind_client.error(ITEM, {"input": line})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.quantity")
    item = (await northwind_client.query(ITEM, {"input": {**line, "reason": "Too small"}}))["orderItemCreate"]
    assert item["orderItem"] == {"net": "-10.0000", "order": {"net": "20.0000"}}
    (first,) = order["items"]["nodes"]
    error = await northwind_client.error(EDIT_ITEM, {"input": {"id": first["id"], "quantity": -3}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.quantity")
    edited = await northwind_client.query(
        EDIT_ITEM, {"input": {"id": first["id"], "quantity": -3, "reason": "All came back"}}
    )
    assert edited["orderItemUpdate"]["orderItem"]["order"] == {"net": "-40.0000"}
    error = await northwind_client.error(EDIT_ITEM, {"input": {"id": first["id"], "reason": None}})
    assert error["code"] == "VALUE_INVALID"


async def test_v16_freight_is_refunded_later(northwind_client: HubClient, known: dict[str, Any]) -> None:
    order = await create(northwind_client, known, net="20", freight="5")
    error = await northwind_client.error(EDIT, {"input": {"id": order["id"], "freight": "-5"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.freight")
    edited = await northwind_client.query(EDIT, {"input": {"id": order["id"], "freight": "-5", "reason": "Late"}})
    assert edited["orderUpdate"]["order"] == {
        "net": "20.0000",
        "freight": "-5.0000",
        "total": "15.0000",
        "reason": "Late",
    }


async def test_v16_sums_and_filters_count_refunds(northwind_client: HubClient, known: dict[str, Any]) -> None:
    for net in ("100", "-30.25"):
        await create(northwind_client, known, net=net, currency="CHF", reason="Goodwill")
    query = """{ orders(filter: {currency: {eq: "CHF"}, reason: {eq: "Goodwill"}}) { stats { sum { total { amount currency } } } }
        refunds: orders(filter: {currency: {eq: "CHF"}, net: {lt: "0"}}) { totalCount } }"""
    data = await northwind_client.query(query)
    assert data["orders"]["stats"]["sum"]["total"] == [{"amount": "69.7500", "currency": "CHF"}]
    assert data["refunds"] == {"totalCount": 1}


@pytest.mark.parametrize(("currency", "net"), [("JPY", "100.5"), ("KWD", "1.2345"), ("EUR", "0.0001")])
async def test_v16_amounts_keep_four_decimals(
    northwind_client: HubClient, known: dict[str, Any], currency: str, net: str
) -> None:
    order = await create(northwind_client, known, currency=currency, net=net)
    assert Decimal(order["net"]) == Decimal(net)
    described = '{ __type(name: "Order") { fields { name description } } }'
    fields = {
        field["name"]: field["description"] for field in (await northwind_client.query(described))["__type"]["fields"]
    }
    assert all("four decimals in every currency" in fields[name] for name in ("net", "freight", "total"))


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ({"net": "21"}, "net"),
        ({"status": "SHIPPED"}, "status"),
        ({"currency": "USD"}, "currency"),
        ({"placedAt": "2026-01-01T00:00:00Z"}, "placedAt"),
        ({"shippedAt": "2026-01-01T00:00:00Z"}, "shippedAt"),
        ({"customerId": "other"}, "customerId"),
        ({"identifier": {"kind": "EXTERNAL_ID", "value": "QUICK", "source": "northwind"}}, "identifier"),
        ({"items": [{"quantity": 3}]}, "items[0]"),
        ({"items": [{"quantity": 2}, {"quantity": 2, "line": 2}]}, "items[1]"),
        ({"status": None}, "status"),
    ],
)
async def test_d12_an_upsert_ignores_nothing(
    northwind_client: HubClient, known: dict[str, Any], values: dict[str, Any], argument: str
) -> None:
    row = order_input(known, items=[{"quantity": 2}], placedAt="2025-05-05T00:00:00Z")
    await northwind_client.query(ORDER, {"input": row})
    number = row["number"]
    change = order_input(known, **values)
    supplied = {name: known.get(str(change[name]), change[name]) for name in change if name in values}
    error = await northwind_client.error(UPSERT, {"input": {"by": {"number": number}, **supplied, "freight": "9"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.{argument}")
    read = "query ($n: String!) { orders(filter: {number: {eq: $n}}) { nodes { net freight status currency } } }"
    (order,) = (await northwind_client.query(read, {"n": number}))["orders"]["nodes"]
    assert order == {"net": "20.0000", "freight": "0.0000", "status": "PLACED", "currency": "EUR"}


async def test_d12_an_upsert_of_the_same_row_succeeds(northwind_client: HubClient, known: dict[str, Any]) -> None:
    row = order_input(
        known, items=[{"quantity": -2}, {"quantity": 1}], reason="Broken", placedAt="2025-05-05T00:00:00Z"
    )
    number = row.pop("number")
    row |= {"status": "PLACED", "currency": "eur"}
    for freight, created in (("1", True), ("2", False)):
        values = {"input": {"by": {"number": number}, **row, "freight": freight}}
        answer = (await northwind_client.query(UPSERT, values))["orderUpsert"]
        expected = {"net": "-10.0000", "status": "PLACED", "freight": f"{freight}.0000"}
        assert answer == {"created": created, "order": expected}
    same = {
        "by": {"number": number},
        "net": "-10",
        "placedAt": None,
        "shippedAt": None,
        "customerId": None,
        "items": None,
    }
    assert (await northwind_client.query(UPSERT, {"input": same}))["orderUpsert"]["created"] is False


@pytest.mark.parametrize("root", ["product", "staff"])
async def test_d12_every_entity_refuses_what_its_upsert_cannot_change(northwind_client: HubClient, root: str) -> None:
    unit = (await northwind_client.query("{ orgUnits(first: 1) { nodes { id } } }"))["orgUnits"]["nodes"][0]["id"]
    key, row = {
        "product": ("sku", {"name": "N", "category": "N", "unitPrice": "1", "currency": "EUR"}),
        "staff": ("number", {"name": "N", "unitId": unit}),
    }[root]
    name = root.capitalize()
    document = f"mutation ($input: {name}UpsertInput!) {{ {root}Upsert(input: $input) {{ created {root} {{ id }} }} }}"
    first = (await northwind_client.query(document, {"input": {"by": {key: "U-1"}, **row}}))[f"{root}Upsert"]
    assert first["created"] is True
    by_id = {"by": {"id": first[root]["id"]}}
    error = await northwind_client.error(document, {"input": {**by_id, key: "U-2"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.{key}")
    assert (await northwind_client.query(document, {"input": {**by_id, key: " U-1"}}))[f"{root}Upsert"][
        "created"
    ] is False
