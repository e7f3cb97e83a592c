"""Mutations that are odd or large: roots that are skipped, nulls and variables in strange places, bulks and what they cost."""

from typing import Any

import pytest
from writer_client import Writer


@pytest.fixture(scope="module")
async def unit(hub_: Writer) -> str:
    """The id of a unit."""
    found = await hub_.do("{ orgUnits(first: 1) { nodes { id } } }")
    return str(found["orgUnits"]["nodes"][0]["id"])


async def test_roots_that_are_skipped_do_nothing(hub_: Writer, unit: str) -> None:
    document = """mutation ($input: CustomerCreateInput!, $no: Boolean!) {
        customerCreate(input: $input) @include(if: $no) { customer { id } }
    }"""
    assert await hub_.do(document, {"input": {"kind": "PERSON", "name": "Ada", "unitId": unit}, "no": False}) == {}


NAIL = '{sku: "N", name: %s, category: "N", unitPrice: 1, currency: "EUR"}'


@pytest.mark.parametrize(
    ("declared", "root"),
    [
        ('String = "N"', f"productCreate(input: {NAIL % '$x'}) {{ product {{ id }} }}"),
        ("ProductCreateInput = " + NAIL % '"N"', "productsCreate(input: {rows: [$x]}) { succeeded }"),
    ],
)
async def test_null_in_place_of_a_default_is_refused_where_it_is_no_value(
    hub_: Writer, declared: str, root: str
) -> None:
    error = await hub_.refused(f"mutation ($x: {declared}) {{ {root} }}", {"x": None})
    assert (error["code"], error["argument"], error["path"]) == ("VARIABLE_INVALID", "input", [root.partition("(")[0]])


@pytest.mark.parametrize(
    ("kind", "value"), [("DateTime!", "2026-01-01T00:00:00Z"), ("Decimal!", "1.5"), ("Tier!", "GOLD"), ("JSON", None)]
)
async def test_only_json_stands_inside_json(hub_: Writer, unit: str, kind: str, value: Any) -> None:
    document = f"""mutation ($unit: ID!, $x: {kind}) {{ customerCreate(
        input: {{kind: PERSON, name: "Ada", unitId: $unit, attributes: {{since: $x}}}}
    ) {{ customer {{ id }} }} }}"""
    error = await hub_.refused(document, {"unit": unit, **({"x": value} if value else {})})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.attributes")


async def test_a_conflict_shows_what_is_there_whatever_was_to_be_done(hub_: Writer) -> None:
    make = """mutation { productCreate(input: {sku: "C", name: "Old", category: "C", unitPrice: 1, currency: "EUR"}) {
        product { id }
    } }"""
    given = {"id": (await hub_.do(make))["productCreate"]["product"]["id"]}
    rename = 'mutation ($id: ID!) { productUpdate(input: {id: $id, name: "New"}) { product { version } } }'
    assert await hub_.do(rename, given) == {"productUpdate": {"product": {"version": 2}}}
    one = "mutation ($id: ID!) { productDelete(input: {id: $id, expectedVersion: 1}) { deletedId } }"
    error = await hub_.refused(one, given)
    assert (error["code"], error["currentVersion"], error["current"]) == ("VERSION_CONFLICT", 2, {"name": "New"})
    many = """mutation ($id: ID!) { productsDelete(
        input: {rows: [{id: $id, expectedVersion: 1}], errorPolicy: REJECT_FAILED_ROWS}
    ) { results { error { code currentVersion current } } } }"""
    told = {"code": "VERSION_CONFLICT", "currentVersion": 2, "current": {"name": "New"}}
    assert await hub_.do(many, given) == {"productsDelete": {"results": [{"error": told}]}}


async def test_a_conflict_shows_facts_as_they_stand(hub_: Writer, unit: str) -> None:
    make = """mutation ($unit: ID!) { customerCreate(
        input: {kind: PERSON, name: "Ada", unitId: $unit, attributes: {n: 1}}
    ) { customer { id } } }"""
    given = {"id": (await hub_.do(make, {"unit": unit}))["customerCreate"]["customer"]["id"]}
    edit = """mutation ($id: ID!) { customerUpdate(input: {id: $id, attributes: {n: 123456789012345678901234567890}%s}) {
        customer { version }
    } }"""
    assert await hub_.do(edit % "", given) == {"customerUpdate": {"customer": {"version": 2}}}
    error = await hub_.refused(edit.replace("890}", "891}") % ", expectedVersion: 1", given)
    assert (error["code"], error["current"]) == (
        "VERSION_CONFLICT",
        {"attributes": {"n": 123456789012345678901234567890}},
    )


async def test_items_that_name_no_line_have_the_first_that_are_free(hub_: Writer) -> None:
    found = await hub_.do("{ customers(first: 1) { nodes { id } } products(first: 1) { nodes { id } } }")
    product = found["products"]["nodes"][0]["id"]
    lines: list[dict[str, Any]] = [{"line": 2}, {}, {"line": None}]
    items = [{"productId": product, "quantity": 1, "unitPrice": "1", **line} for line in lines]
    given = {"customerId": found["customers"]["nodes"][0]["id"], "number": "lines", "currency": "EUR", "items": items}
    document = """mutation ($input: OrderCreateInput!) { orderCreate(input: $input) {
        order { items(orderBy: [{field: LINE}]) { nodes { line } } }
    } }"""
    made = (await hub_.do(document, {"input": given}))["orderCreate"]["order"]
    assert [each["line"] for each in made["items"]["nodes"]] == [1, 2, 3]


async def test_a_bulk_costs_its_rows(hub_: Writer) -> None:
    document = """mutation ($input: ProductsUpdateInput!) { productsUpdate(input: $input) {
        succeeded results { product { items(first: 100) { nodes { id } } } }
    } }"""
    rows = [{"id": "prd_" + "0" * 32}] * 50
    error = await hub_.refused(document, {"input": {"rows": rows}})
    assert (error["code"], error["requested"]) == ("COST_LIMIT", 10 + 50 * (1 + 1 + 100))
    written = document.replace("($input: ProductsUpdateInput!)", "").replace("$input", "{rows: [%s]}")
    row = '{id: "prd_00000000000000000000000000000000"}'
    assert (await hub_.refused(written % ", ".join([row] * 50)))["requested"] == error["requested"]
    assert (await hub_.refused(written % row))["code"] == "BULK_REJECTED"


async def test_five_hundred_rows_may_have_their_parts(hub_: Writer, unit: str) -> None:
    document = "mutation ($input: CustomersCreateInput!) { customersCreate(input: $input) { succeeded failed } }"
    parts = [[{"kind": "LOYALTY_ID", "value": f"L-{at}-{n}", "source": "till"} for n in range(3)] for at in range(500)]
    rows = [{"kind": "PERSON", "name": "Ada", "unitId": unit, "identifiers": each} for each in parts]
    answer = await hub_.do(document, {"input": {"rows": rows}})
    assert answer == {"customersCreate": {"succeeded": 500, "failed": 0}}
