"""What once stalled or confused the hub, as an attacker would send it: each is refused with a code, and costs little."""

import json
from typing import Any
from uuid import UUID

import httpx2
import pytest
from asgi_client import post_query
from conftest import RunQuery, create_api_key
from starlette.types import ASGIApp

from hub.viewer import Role

HEAVY = {"items": {"where": {"product": {"items": {"count": {"gte": 1}}}}, "count": {"gte": 1}}}
MANY_CONDITIONS: dict[str, Any] = {"or": [{"orders": {"where": HEAVY, "count": {"gte": 1}}} for _ in range(60)]}
SIXTY_LISTS = " ".join(f"a{n}: orders(filter: $f) {{ totalCount }}" for n in range(60))
MANY_RESOLVED = " ".join(f"a{n}: international" for n in range(98))


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("query($f: CustomerFilter) { customers(filter: $f) { totalCount } }", {"f": MANY_CONDITIONS}, "COST_LIMIT"),
        (
            f"query($f: OrderFilter) {{ customers(first: 1) {{ nodes {{ {SIXTY_LISTS} }} }} }}",
            {"f": HEAVY},
            "FILTER_LIMIT",
        ),
        ("query($s: String) { customers(search: $s) { totalCount } }", {"s": "王" * 80_000}, "SEARCH_TOO_LONG"),
        ("query($s: String) { customers(search: $s) { totalCount } }", {"s": "x" * 200_000}, "SEARCH_TOO_LONG"),
        ('{ customers(search: "\\u0301") { totalCount } }', None, "SEARCH_EMPTY"),
        (
            "{ products(first: 9) { nodes { items(first: 100) { nodes { order { contact { points(first: 2) { nodes {"
            f" {MANY_RESOLVED} }} }} }} }} }} }} }} }} }}",
            None,
            "COST_LIMIT",
        ),
        (
            "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }",
            {"f": {"or": [{}] * 20_000}},
            "VARIABLE_LIMIT",
        ),
        ('{ customers(filter: {attributes: {path: ["a"], eq: 1e400}}) { totalCount } }', None, "VALUE_INVALID"),
        ('{ orders(filter: {net: {gt: "1_000"}}) { totalCount } }', None, "VALUE_INVALID"),
        ('{ orders(filter: {net: {gt: "٣"}}) { totalCount } }', None, "VALUE_INVALID"),
        ('{ customers(after: "nonsense") { totalCount } }', None, "CURSOR_MALFORMED"),
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": 1_000_000_000}, "PAGE_LIMIT"),
    ],
)
async def test_it_is_refused(expect_error: RunQuery, query: str, variables: dict[str, Any] | None, code: str) -> None:
    assert (await expect_error(query, variables))["extensions"]["code"] == code


async def test_a_list_of_plan_relevant_values_shares_one_plan(run_query: RunQuery) -> None:
    query = "query($t: [TimelineEntryType!]) { customers(first: 1) { nodes { timeline(types: $t) { totalCount } } } }"
    once = await run_query(query, {"t": ["ORDER"]})
    assert await run_query(query, {"t": ["ORDER"] * 5_000}) == once


@pytest.mark.parametrize("first", [{}, {"isNull": False}])
async def test_a_variable_that_is_left_out_is_not_one_that_says_no(
    run_query: RunQuery, expect_error: RunQuery, first: dict[str, Any]
) -> None:
    name = f"Filtered{len(first)}"  # a document of its own, which nobody has planned
    query = f"query {name}($isNull: Boolean) {{ orders(filter: {{shippedAt: {{isNull: $isNull}}}}) {{ totalCount }} }}"
    await (run_query if first else expect_error)(query, first)
    counts = [(await run_query(query, {"isNull": value}))["orders"]["totalCount"] for value in (False, True)]
    assert counts == [809, 21]
    emptied = (await expect_error(query, {}))["extensions"]
    assert (emptied["code"], emptied["argument"]) == ("FILTER_INVALID", "filter.shippedAt")


async def test_a_search_that_is_left_out_is_not_one_for_nothing(run_query: RunQuery, expect_error: RunQuery) -> None:
    query = "query ($words: String) { customers(search: $words) { totalCount } }"
    assert (await run_query(query))["customers"]["totalCount"] == 91
    assert (await expect_error(query, {"words": ""}))["extensions"]["code"] == "SEARCH_EMPTY"


async def test_introspection_works_beside_rows_filtered_by_an_enum(run_query: RunQuery) -> None:
    query = """query ($stage: Stage!) {
        __type(name: "Query") { name } customers(filter: {stage: {eq: $stage}}, first: 0) { totalCount }
    }"""
    assert (await run_query(query, {"stage": "LOST"}))["__type"] == {"name": "Query"}


async def test_a_cursor_of_another_figure_is_refused(run_query: RunQuery, expect_error: RunQuery) -> None:
    def ordered(where: str, after: str = "") -> str:
        return (
            f"{{ customers(first: 2{after}, orderBy: {{orders: {{by: COUNT{where}}}, direction: DESC}})"
            " { pageInfo { endCursor } } }"
        )

    cursor = (await run_query(ordered("")))["customers"]["pageInfo"]["endCursor"]
    other = ordered(", where: {status: {eq: PLACED}}", f', after: "{cursor}"')
    assert (await expect_error(other))["extensions"]["code"] == "CURSOR_WRONG_LIST"


async def test_a_list_by_a_figure_of_the_last_days_is_paged_a_moment_later(run_query: RunQuery) -> None:
    query = """query ($after: Cursor) {
        customers(first: 2, after: $after, orderBy: {orders: {by: COUNT, where: {placedAt: {withinLast: "P20000D"}}}}) {
            nodes { name } pageInfo { endCursor }
        }
    }"""
    first = (await run_query(query))["customers"]
    second = (await run_query(query, {"after": first["pageInfo"]["endCursor"]}))["customers"]
    whole = (await run_query(query.replace("first: 2", "first: 4")))["customers"]
    assert [*first["nodes"], *second["nodes"]] == whole["nodes"]


async def test_many_headers_cost_no_more_than_reading_them(http_client: httpx2.AsyncClient) -> None:
    headers = [(str(n), "") for n in range(9_000)] + [("0", "")]
    response = await http_client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert response.status_code == 401


async def test_a_duplicate_object_key_is_detected_in_linear_time(
    http_client: httpx2.AsyncClient, admin_key: str
) -> None:
    many = ", ".join(f'"{n}": 0' for n in range(20_000))
    body = f'{{"query": "{{__typename}}", "x": {{{many}, "19999": 0}}}}'
    headers = {"content-type": "application/json", "authorization": f"Bearer {admin_key}"}
    response = await http_client.post("/graphql", content=body, headers=headers)
    assert json.loads(response.content)["errors"][0]["extensions"]["code"] == "BODY_MALFORMED"


async def test_a_bad_variable_is_reported_with_the_path_of_its_field(app: ASGIApp, admin_key: str) -> None:
    query = "query($n: Int) { customers(first: 1) { nodes { id } } more: orders(first: $n) { totalCount } }"
    (error,) = (await post_query(app, query, {"n": -5}, admin_key))["errors"]
    assert error["path"] == ["more"]


async def test_a_key_without_introspection_gets_no_suggestions(
    expect_error: RunQuery, run_query: RunQuery, demo_dsn: str
) -> None:
    data = await run_query('{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }')
    bound = await create_api_key(demo_dsn, Role.READER, customer_id=UUID(data["customerBy"]["id"].removeprefix("cus_")))
    error = await expect_error("{ customers { nodes { nam } } }", key=bound)
    assert error["message"] == "Cannot query field 'nam' on type 'Customer'. The schema lists the fields of each type."
