"""Refusals name the argument as the client wrote it, and a place in the document."""

from typing import Any

import httpx2
import pytest
from writer_client import HubClient

CREATE = """mutation ($name: String!, $source: String!) {
    customerCreate(input: {name: $name, identifiers: [{kind: EXTERNAL_ID, value: "V3-77", source: $source}]}) { customer { id } }
}"""
AMBIGUOUS = '(identifier: {kind: EXTERNAL_ID, value: "V3-77"}) { name }'


async def first_error(northwind_client: HubClient, query: str, variables: dict[str, Any] | None = None) -> Any:
    response = await northwind_client.execute(query, variables)
    assert response.get("data") is None, response
    return response["errors"][0]


async def refused_argument(
    northwind_client: HubClient, query: str, variables: dict[str, Any] | None = None
) -> tuple[str, str | None]:
    error = await first_error(northwind_client, query, variables)
    assert error["locations"]
    return error["extensions"]["code"], error["extensions"].get("argument")


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        (
            '{ customers(filter: {orders: {sum: {net: {gt: "1"}, currency: "EURO"}}}) { totalCount } }',
            "filter.orders.sum.currency",
        ),
        (
            '{ customers(filter: {orders: {max: {freight: {lt: "1"}, currency: ""}}}) { totalCount } }',
            "filter.orders.max.currency",
        ),
        (
            '{ customers(orderBy: {orders: {by: SUM, field: NET, currency: "EURO"}}) { totalCount } }',
            "orderBy[0].orders.currency",
        ),
        (
            '{ ordersGrouped(by: {field: STATUS}, orderBy: {by: SUM, field: NET, currency: "EURO"}) { totalCount } }',
            "orderBy[0].currency",
        ),
    ],
)
async def test_v4_a_refused_currency_names_its_own_argument(
    northwind_client: HubClient, query: str, argument: str
) -> None:
    assert await refused_argument(northwind_client, query) == ("VALUE_INVALID", argument)


async def test_v3_an_ambiguous_value_is_refused_at_its_place(northwind_client: HubClient) -> None:
    for source in ("first", "second"):
        await northwind_client.query(CREATE, {"name": source, "source": source})
    error = await first_error(northwind_client, "{ customers { totalCount } known: customerBy" + AMBIGUOUS + " }")
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("ARGUMENT_MISSING", "identifier.source")
    assert error["path"] == ["known"]
    assert error["locations"] == [{"line": 1, "column": 28}]
    several = (
        '{ a: customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { name }\n  b: customerBy' + AMBIGUOUS + " }"
    )
    error = await first_error(northwind_client, several)
    assert "path" not in error
    assert error["locations"] == [{"line": 1, "column": 3}, {"line": 2, "column": 3}]


@pytest.mark.parametrize("name", ["localtime", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin", "", "posix"])
async def test_t1_names_outside_the_iana_database_are_refused(northwind_client: HubClient, name: str) -> None:
    query = """query ($name: String) {
        ordersGrouped(by: {field: PLACED_AT, bucket: DAY, timezone: $name}) { totalCount }
    }"""
    assert await refused_argument(northwind_client, query, {"name": name}) == ("TIMEZONE_UNKNOWN", "by[0].timezone")


@pytest.mark.parametrize(
    "filter_text", ["unit: {under: null}", "unit: {under: null, name: {eq: null}}", "not: {unit: {under: null}}"]
)
async def test_d1_a_unit_that_is_null_is_no_condition(northwind_client: HubClient, filter_text: str) -> None:
    code, argument = await refused_argument(
        northwind_client, "{ customers(filter: {" + filter_text + "}) { totalCount } }"
    )
    assert code == "FILTER_INVALID"
    assert argument is not None
    assert argument.endswith("unit.under")


@pytest.mark.parametrize(
    ("item", "path", "problem"),
    [
        ("quantity: null, unitPrice: 1", "quantity", "Expected value of non-null type 'Int!' not to be null."),
        ("quantity: 1, unitPrice: null", "unitPrice", "Expected value of non-null type 'Decimal!' not to be null."),
    ],
)
async def test_d11_a_null_in_a_list_names_its_place(
    northwind_client: HubClient, item: str, path: str, problem: str
) -> None:
    query = (
        'mutation { orderCreate(input: {number: "D11", currency: "USD", items: [{productId: "prd_1", '
        + item
        + "}]}) { order { id } } }"
    )
    error = await first_error(northwind_client, query)
    argument = f"input.items[0].{path}"
    assert error["message"] == f"Argument '{argument}': {problem}"
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("VALUE_INVALID", argument)


@pytest.mark.parametrize(
    ("variables", "argument"),
    [
        ({"items": [{"productId": "prd_1", "quantity": 2**31, "unitPrice": "1"}]}, "$items[0].quantity"),
        ({"items": [{"productId": "prd_1", "quantity": None, "unitPrice": "1"}]}, "$items[0].quantity"),
        ({"items": [{"productId": "prd_1", "quantity": 1, "unitPrice": "1,5"}]}, "$items[0].unitPrice"),
        ({"items": None}, "$items"),
        ({}, "$items"),
    ],
)
async def test_d11_a_refused_variable_is_named(
    northwind_client: HubClient, variables: dict[str, Any], argument: str
) -> None:
    query = """mutation ($items: [OrderOrderItemInput!]!) {
        orderCreate(input: {number: "D11", currency: "USD", items: $items}) { order { id } }
    }"""
    assert await refused_argument(northwind_client, query, variables) == ("VARIABLE_INVALID", argument)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2027-02-29T00:00:00Z", "2026-06-30T23:59:60Z"]
)
async def test_v11_a_refused_time_names_the_limits(northwind_client: HubClient, moment: str) -> None:
    query = "query ($moment: DateTime) { orders(filter: {placedAt: {lt: $moment}}) { totalCount } }"
    error = await first_error(northwind_client, query, {"moment": moment})
    assert error["extensions"] == {"code": "VARIABLE_INVALID", "argument": "$moment"}
    assert "use one after 0001-01-01T00:00:00Z and before 9999-12-31T23:59:59.999999Z" in error["message"]


@pytest.mark.parametrize("number", ["1e400", "-1E309", "9" * 400, "12" + "0" * 310 + ".5"])
async def test_v7_a_number_beyond_a_double_is_refused_as_such(
    http_client: httpx2.AsyncClient, admin_key: str, number: str
) -> None:
    query = "query ($net: Decimal) { orders(filter: {net: {eq: $net}}) { totalCount } }"
    response = await http_client.post(
        "/graphql",
        content=f'{{"query": "{query}", "variables": {{"net": {number}}}}}',
        headers={"Authorization": f"Bearer {admin_key}", "Content-Type": "application/json"},
    )
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "message": "The body holds a JSON number of more than 308 digits; send it as a string.",
            "extensions": {"code": "BODY_MALFORMED"},
        }
    ]
