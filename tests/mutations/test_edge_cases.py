"""Mutations that are odd or large: roots that are skipped, nulls and variables in strange places, bulks and what they cost."""

from datetime import datetime
from typing import Any

import asyncpg
import pytest
from writer_client import HubClient

from hub.engine.plan.payloads import json_value


@pytest.fixture(scope="module")
async def unit(northwind_client: HubClient) -> str:
    """The id of a unit."""
    data = await northwind_client.query("{ orgUnits(first: 1) { nodes { id } } }")
    return str(data["orgUnits"]["nodes"][0]["id"])


async def test_roots_that_are_skipped_do_nothing(northwind_client: HubClient, unit: str) -> None:
    document = """mutation ($input: CustomerCreateInput!, $no: Boolean!) {
        customerCreate(input: $input) @include(if: $no) { customer { id } }
    }"""
    assert (
        await northwind_client.query(
            document, {"input": {"kind": "PERSON", "name": "Ada", "unitId": unit}, "no": False}
        )
        == {}
    )


PRODUCT_INPUT = '{sku: "N", name: %s, category: "N", unitPrice: 1, currency: "EUR"}'


@pytest.mark.parametrize(
    ("declared", "root"),
    [
        ('String = "N"', f"productCreate(input: {PRODUCT_INPUT % '$x'}) {{ product {{ id }} }}"),
        ("ProductCreateInput = " + PRODUCT_INPUT % '"N"', "productsCreate(input: {rows: [$x]}) { succeeded }"),
    ],
)
async def test_null_in_place_of_a_default_is_refused_where_it_is_no_value(
    northwind_client: HubClient, declared: str, root: str
) -> None:
    error = await northwind_client.error(f"mutation ($x: {declared}) {{ {root} }}", {"x": None})
    assert (error["code"], error["argument"], error["path"]) == ("VARIABLE_INVALID", "input", [root.partition("(")[0]])


@pytest.mark.parametrize(
    ("type_name", "value"),
    [("DateTime!", "2026-01-01T00:00:00Z"), ("Decimal!", "1.5"), ("Tier!", "GOLD"), ("JSON", None)],
)
async def test_only_json_stands_inside_json(northwind_client: HubClient, unit: str, type_name: str, value: Any) -> None:
    document = f"""mutation ($unit: ID!, $x: {type_name}) {{ customerCreate(
        input: {{kind: PERSON, name: "Ada", unitId: $unit, attributes: {{since: $x}}}}
    ) {{ customer {{ id }} }} }}"""
    error = await northwind_client.error(document, {"unit": unit, **({"x": value} if value else {})})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.attributes")


async def test_a_conflict_shows_what_is_there_whatever_was_to_be_done(northwind_client: HubClient) -> None:
    make = """mutation { productCreate(input: {sku: "C", name: "Old", category: "C", unitPrice: 1, currency: "EUR"}) {
        product { id }
    } }"""
    variables = {"id": (await northwind_client.query(make))["productCreate"]["product"]["id"]}
    rename = 'mutation ($id: ID!) { productUpdate(input: {id: $id, name: "New"}) { product { version } } }'
    assert await northwind_client.query(rename, variables) == {"productUpdate": {"product": {"version": 2}}}
    one = "mutation ($id: ID!) { productDelete(input: {id: $id, expectedVersion: 1}) { deletedId } }"
    error = await northwind_client.error(one, variables)
    assert (error["code"], error["currentVersion"], error["current"]) == ("VERSION_CONFLICT", 2, {"name": "New"})
    many = """mutation ($id: ID!) { productsDelete(
        input: {rows: [{id: $id, expectedVersion: 1}], errorPolicy: REJECT_FAILED_ROWS}
    ) { results { error { code currentVersion current } } } }"""
    expected = {"code": "VERSION_CONFLICT", "currentVersion": 2, "current": {"name": "New"}}
    assert await northwind_client.query(many, variables) == {"productsDelete": {"results": [{"error": expected}]}}


async def test_a_conflict_shows_facts_as_they_stand(northwind_client: HubClient, unit: str) -> None:
    make = """mutation ($unit: ID!) { customerCreate(
        input: {kind: PERSON, name: "Ada", unitId: $unit, attributes: {n: 1}}
    ) { customer { id } } }"""
    variables = {"id": (await northwind_client.query(make, {"unit": unit}))["customerCreate"]["customer"]["id"]}
    edit = """mutation ($id: ID!) { customerUpdate(input: {id: $id, attributes: {n: 123456789012345678901234567890}%s}) {
        customer { version }
    } }"""
    assert await northwind_client.query(edit % "", variables) == {"customerUpdate": {"customer": {"version": 2}}}
    error = await northwind_client.error(edit.replace("890}", "891}") % ", expectedVersion: 1", variables)
    assert (error["code"], error["current"]) == (
        "VERSION_CONFLICT",
        {"attributes": {"n": 123456789012345678901234567890}},
    )


async def test_items_that_name_no_line_have_the_first_that_are_free(northwind_client: HubClient) -> None:
    data = await northwind_client.query("{ customers(first: 1) { nodes { id } } products(first: 1) { nodes { id } } }")
    product = data["products"]["nodes"][0]["id"]
    lines: list[dict[str, Any]] = [{"line": 2}, {}, {"line": None}]
    items = [{"productId": product, "quantity": 1, "unitPrice": "1", **line} for line in lines]
    input_values = {
        "customerId": data["customers"]["nodes"][0]["id"],
        "number": "lines",
        "currency": "EUR",
        "items": items,
    }
    document = """mutation ($input: OrderCreateInput!) { orderCreate(input: $input) {
        order { items(orderBy: [{field: LINE}]) { nodes { line } } }
    } }"""
    order = (await northwind_client.query(document, {"input": input_values}))["orderCreate"]["order"]
    assert [item["line"] for item in order["items"]["nodes"]] == [1, 2, 3]


async def test_a_bulk_costs_its_rows(northwind_client: HubClient) -> None:
    document = """mutation ($input: ProductsUpdateInput!) { productsUpdate(input: $input) {
        succeeded results { product { items(first: 100) { nodes { id } } } }
    } }"""
    rows = [{"id": "prd_" + "0" * 32}] * 50
    error = await northwind_client.error(document, {"input": {"rows": rows}})
    assert (error["code"], error["requested"]) == ("COST_LIMIT", 10 + 50 * (1 + 1 + 100))
    written = document.replace("($input: ProductsUpdateInput!)", "").replace("$input", "{rows: [%s]}")
    row = '{id: "prd_00000000000000000000000000000000"}'
    assert (await northwind_client.error(written % ", ".join([row] * 50)))["requested"] == error["requested"]
    assert (await northwind_client.error(written % row))["code"] == "BULK_REJECTED"


async def test_five_hundred_rows_may_have_their_parts(northwind_client: HubClient, unit: str) -> None:
    document = "mutation ($input: CustomersCreateInput!) { customersCreate(input: $input) { succeeded failed } }"
    parts = [
        [{"kind": "LOYALTY_ID", "value": f"L-{index}-{n}", "source": "till"} for n in range(3)] for index in range(500)
    ]
    rows = [{"kind": "PERSON", "name": "Ada", "unitId": unit, "identifiers": identifiers} for identifiers in parts]
    answer = await northwind_client.query(document, {"input": {"rows": rows}})
    assert answer == {"customersCreate": {"succeeded": 500, "failed": 0}}


@pytest.mark.parametrize("fraction", ["", ".5", ".9109", ".910901", ".00001"])
async def test_a_command_names_a_time_as_a_query_reads_it(connection: asyncpg.Connection, fraction: str) -> None:
    moment = datetime.fromisoformat(f"2026-11-30T13:06:26{fraction}+00:00")
    assert json_value(moment) == await connection.fetchval("SELECT to_json($1::timestamptz)::text", moment)
