"""A condition that is empty because its variables were left out is refused: it would match every row."""

from typing import Any

import httpx2
import pytest
from conftest import RunQuery

COUNT = "customers(filter: %s) { totalCount }"
ORDERS = "orders(filter: %s) { totalCount }"


def refusal(argument: str) -> str:
    return f"{argument}: no condition is left in it, so it would match every row; send its variables, or leave it out."


async def refused_argument(expect_error: RunQuery, query: str, variables: dict[str, Any] | None = None) -> str:
    """The argument of the one error, which must say what is empty, and where the field stands."""
    error = await expect_error(query, variables or {})
    argument = error["extensions"]["argument"]
    assert (error["extensions"]["code"], error["message"]) == ("FILTER_INVALID", refusal(argument))
    assert error["locations"][0]["line"] == 1
    return str(argument)


async def test_d1_an_operator_object_without_its_variable_is_refused(expect_error: RunQuery) -> None:
    error = await expect_error("query ($v: ID) { customers(filter: {id: {eq: $v}}) { totalCount } }", {})
    assert error == {
        "message": refusal("filter.id"),
        "locations": [{"line": 1, "column": 18}],
        "path": ["customers"],
        "extensions": {"code": "FILTER_INVALID", "argument": "filter.id"},
    }


@pytest.mark.parametrize(
    ("declared", "condition", "argument"),
    [
        ("$v: String", "{name: {contains: $v}}", "filter.name"),
        ("$v: [ID!]", "{id: {in: $v}}", "filter.id"),
        ("$v: Boolean", "{country: {isNull: $v}}", "filter.country"),
        ("$v: JSON", '{attributes: {path: ["tier"], eq: $v}}', "filter.attributes"),
        ("$v: Int", "{orders: {count: {gt: $v}}}", "filter.orders.count"),
        ("$v: Decimal", '{orders: {sum: {net: {gt: $v}, currency: "USD"}}}', "filter.orders.sum.net"),
        ("$v: DecimalFilter", '{orders: {sum: {net: $v, currency: "USD"}}}', "filter.orders.sum"),
        ("$v: IntFilter", "{orders: {where: {status: {eq: SHIPPED}}, count: $v}}", "filter.orders"),
        ("$v: OrderFilter", "{orders: {some: $v}}", "filter.orders"),
        ("$v: ID", "{orders: {some: {id: {eq: $v}}}}", "filter.orders.some.id"),
        ("$v: IDFilter", "{orders: {none: {id: $v}}}", "filter.orders.none"),
        ("$v: IDFilter", "{orders: {where: {id: $v}, count: {gt: 1}}}", "filter.orders.where"),
        ("$v: String", "{unit: {code: {eq: $v}}}", "filter.unit.code"),
        ("$v: StringFilter", "{unit: {code: $v}}", "filter.unit"),
        ("$v: StringFilter", '{or: [{country: {eq: "DE"}}, {name: $v}]}', "filter.or[1]"),
        ("$v: StringFilter", '{and: [{name: $v}, {country: {eq: "DE"}}]}', "filter.and[0]"),
        ("$v: ID", "{not: {id: {eq: $v}}}", "filter.not.id"),
        ("$v: String", "{identifiers: {some: {value: {eq: $v}}}}", "filter.identifiers.some.value"),
        ("$v: ID", "{unit: {under: $v}}", "filter.unit"),
        (
            "$v: OrderDateTimeField",
            "{orders: {some: {compare: {requiredAt: {lt: $v}}}}}",
            "filter.orders.some.compare.requiredAt",
        ),
        ("$v: StringFilter, $w: IDFilter", "{name: $v, id: $w}", "filter"),
    ],
)
async def test_d1_an_empty_condition_is_refused_wherever_it_stands(
    expect_error: RunQuery, declared: str, condition: str, argument: str
) -> None:
    query = f"query ({declared}) {{ {COUNT % condition} }}"
    assert await refused_argument(expect_error, query) == argument


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        ("{ customers(first: 1) { nodes { orders(filter: {id: {eq: $v}}) { totalCount } } } }", "filter.id"),
        ("{ customersGrouped(by: {field: COUNTRY}, filter: {id: {eq: $v}}) { totalCount } }", "filter.id"),
        (
            "{ customers(orderBy: {orders: {by: COUNT, where: {id: {eq: $v}}}}) { totalCount } }",
            "orderBy[0].orders.where.id",
        ),
        ("{ changes(filter: {order: {id: {eq: $v}}}) { ... on Change { cursor } } }", "filter.order.id"),
        ("{ changes(filter: {customerId: $v}) { ... on Change { cursor } } }", "filter"),
    ],
)
async def test_d1_every_argument_that_selects_rows_is_checked(
    expect_error: RunQuery, query: str, argument: str
) -> None:
    assert await refused_argument(expect_error, f"query ($v: ID) {query}") == argument


@pytest.mark.parametrize(
    ("value", "argument"),
    [
        ({"id": {}}, "filter.id"),
        ({"orders": {}}, "filter.orders"),
        ({"orders": {"count": {}}}, "filter.orders.count"),
        ({"orders": {"some": {"status": {}}}}, "filter.orders.some.status"),
        ({"attributes": {"path": ["tier"]}}, "filter.attributes"),
        ({"attributes": []}, "filter.attributes"),
        ({"or": [{"id": {}}]}, "filter.or[0].id"),
    ],
)
async def test_d1_a_variable_that_lost_its_values_as_json_does_is_refused(
    expect_error: RunQuery, value: dict[str, Any], argument: str
) -> None:
    query = f"query ($f: CustomerFilter) {{ {COUNT % '$f'} }}"
    assert await refused_argument(expect_error, query, {"f": value}) == argument


async def test_d1_null_in_place_of_a_condition_is_refused_like_an_absent_one(expect_error: RunQuery) -> None:
    query = f"query ($v: IDFilter) {{ {COUNT % '{id: $v}'} }}"
    assert await refused_argument(expect_error, query, {"v": None}) == "filter"


async def test_d1_what_is_left_of_a_condition_or_meant_to_be_empty_is_applied(run_query: RunQuery) -> None:
    query = """query ($from: DateTime, $to: DateTime, $f: CustomerFilter) {
        all: customers(filter: $f) { totalCount }
        empty: customers(filter: {}) { totalCount }
        null: customers(filter: {id: null}) { totalCount }
        placed: orders(filter: {placedAt: {gte: $from, lt: $to}}) { totalCount }
        ordered: customers(filter: {orders: {some: {}}}) { totalCount }
    }"""
    data = await run_query(query, {"from": "1998-05-01T00:00:00Z", "f": {}})
    counts = {name: connection["totalCount"] for name, connection in data.items()}
    assert counts == {"all": 91, "empty": 91, "null": 91, "placed": 14, "ordered": 89}


async def test_d1_subscriptions_and_webhooks_are_refused_too(
    http_client: httpx2.AsyncClient, admin_key: str, expect_error: RunQuery
) -> None:
    live = f"subscription ($v: ID) {{ customersLive(filter: {{id: {{eq: $v}}}}) {{ {'customers { totalCount }'} }} }}"
    stream = "subscription ($v: ID) { changes(filter: {customer: {id: {eq: $v}}}) { ... on Change { cursor } } }"
    headers = {"authorization": f"Bearer {admin_key}", "accept": "text/event-stream"}
    for query, argument in ((live, "filter.id"), (stream, "filter.customer.id")):
        response = await http_client.post("/graphql", json={"query": query}, headers=headers)
        assert f'"message":"{refusal(argument)}"' in response.text
    dry_run = "mutation ($query: String!) { webhookDryRun(input: {query: $query}) { deliveries } }"
    error = await expect_error(dry_run, {"query": stream})
    assert refusal("filter.customer.id") in error["message"]
