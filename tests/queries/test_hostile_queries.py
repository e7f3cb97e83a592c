"""What once stalled or confused the hub, as an attacker would send it: each is refused with a code, and costs little."""

import json
from typing import Any
from uuid import UUID

import httpx2
import pytest
from conftest import Ask, key_for, posted

from hub.viewer import Role

HEAVY = {"items": {"where": {"product": {"items": {"count": {"gte": 1}}}}, "count": {"gte": 1}}}
MANY_CONDITIONS: dict[str, Any] = {"or": [{"orders": {"where": HEAVY, "count": {"gte": 1}}} for _ in range(60)]}
SIXTY_LISTS = " ".join(f"a{n}: orders(filter: $f) {{ totalCount }}" for n in range(60))
MANY_RESOLVED = " ".join(f"a{n}: international" for n in range(98))


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("query($f: CustomerFilter) { customers(filter: $f) { totalCount } }", {"f": MANY_CONDITIONS}, "FILTER_LIMIT"),
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
async def test_it_is_refused(refused: Ask, query: str, variables: dict[str, Any] | None, code: str) -> None:
    assert (await refused(query, variables))["extensions"]["code"] == code


async def test_a_list_of_steering_values_is_one_shape(ask: Ask) -> None:
    query = "query($t: [TimelineEntryType!]) { customers(first: 1) { nodes { timeline(types: $t) { totalCount } } } }"
    once = await ask(query, {"t": ["ORDER"]})
    assert await ask(query, {"t": ["ORDER"] * 5_000}) == once


@pytest.mark.parametrize("first", [{}, {"given": False}])
async def test_a_variable_that_is_left_out_is_not_one_that_says_no(ask: Ask, first: dict[str, Any]) -> None:
    name = f"Asked{len(first)}"  # a document of its own, which nobody has planned
    query = f"query {name}($given: Boolean) {{ orders(filter: {{shippedAt: {{isNull: $given}}}}) {{ totalCount }} }}"
    await ask(query, first)
    told = [(await ask(query, each))["orders"]["totalCount"] for each in ({}, {"given": False}, {"given": True})]
    assert told == [830, 809, 21]


async def test_a_search_that_is_left_out_is_not_one_for_nothing(ask: Ask, refused: Ask) -> None:
    query = "query ($words: String) { customers(search: $words) { totalCount } }"
    assert (await ask(query))["customers"]["totalCount"] == 91
    assert (await refused(query, {"words": ""}))["extensions"]["code"] == "SEARCH_EMPTY"


async def test_the_schema_is_told_beside_rows_that_an_enum_filters(ask: Ask) -> None:
    query = """query ($stage: Stage!) {
        __type(name: "Query") { name } customers(filter: {stage: {eq: $stage}}, first: 0) { totalCount }
    }"""
    assert (await ask(query, {"stage": "LOST"}))["__type"] == {"name": "Query"}


async def test_a_cursor_of_another_figure_is_refused(ask: Ask, refused: Ask) -> None:
    def ordered(where: str, after: str = "") -> str:
        return (
            f"{{ customers(first: 2{after}, orderBy: {{orders: {{by: COUNT{where}}}, direction: DESC}})"
            " { pageInfo { endCursor } } }"
        )

    cursor = (await ask(ordered("")))["customers"]["pageInfo"]["endCursor"]
    other = ordered(", where: {status: {eq: PLACED}}", f', after: "{cursor}"')
    assert (await refused(other))["extensions"]["code"] == "CURSOR_WRONG_LIST"


async def test_a_list_by_a_figure_of_the_last_days_is_paged_a_moment_later(ask: Ask) -> None:
    query = """query ($after: Cursor) {
        customers(first: 2, after: $after, orderBy: {orders: {by: COUNT, where: {placedAt: {withinLast: "P20000D"}}}}) {
            nodes { name } pageInfo { endCursor }
        }
    }"""
    first = (await ask(query))["customers"]
    second = (await ask(query, {"after": first["pageInfo"]["endCursor"]}))["customers"]
    whole = (await ask(query.replace("first: 2", "first: 4")))["customers"]
    assert [*first["nodes"], *second["nodes"]] == whole["nodes"]


async def test_many_headers_cost_no_more_than_reading_them(client: httpx2.AsyncClient) -> None:
    headers = [(str(n), "") for n in range(9_000)] + [("0", "")]
    response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert response.status_code == 401


async def test_a_key_that_stands_twice_is_found_without_comparing_all(
    client: httpx2.AsyncClient, admin_key: str
) -> None:
    many = ", ".join(f'"{n}": 0' for n in range(20_000))
    body = f'{{"query": "{{__typename}}", "x": {{{many}, "19999": 0}}}}'
    headers = {"content-type": "application/json", "authorization": f"Bearer {admin_key}"}
    response = await client.post("/graphql", content=body, headers=headers)
    assert json.loads(response.content)["errors"][0]["extensions"]["code"] == "BODY_MALFORMED"


async def test_a_bad_value_is_told_with_the_field_that_it_was_given_to(
    client: httpx2.AsyncClient, admin_key: str
) -> None:
    query = "query($n: Int) { customers(first: 1) { nodes { id } } more: orders(first: $n) { totalCount } }"
    (error,) = (await posted(client, query, {"n": -5}, admin_key))["errors"]
    assert error["path"] == ["more"]


async def test_a_key_that_may_not_read_the_schema_is_told_no_names(refused: Ask, ask: Ask, demo_dsn: str) -> None:
    found = await ask('{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }')
    bound = await key_for(demo_dsn, Role.READER, customer_id=UUID(found["customerBy"]["id"].removeprefix("cus_")))
    error = await refused("{ customers { nodes { nam } } }", key=bound)
    assert error["message"] == "Cannot query field 'nam' on type 'Customer'."
