"""Natural documents are within the limits; what is beyond them is refused with its place and a remedy."""

import json
import re
from pathlib import Path

import httpx2
import pytest
from bad_requests import BAD_REQUESTS
from conftest import RunQuery
from graphql import get_introspection_query

ITEMS = "{ customers { nodes { orders { nodes { items { nodes { quantity product { name } } } } } } } }"


async def test_d3_three_nested_lists_without_sizes_are_answered(run_query: RunQuery) -> None:
    customers = (await run_query(ITEMS))["customers"]["nodes"]
    assert len(customers) == 20
    assert max(len(customer["orders"]["nodes"]) for customer in customers) == 10
    assert customers[0]["orders"]["nodes"][0]["items"]["nodes"][0].keys() == {"quantity", "product"}


async def test_d3_nested_lists_have_ten_rows_and_root_lists_twenty(run_query: RunQuery) -> None:
    data = await run_query("""{
        orders { nodes { id } }
        customerBy(identifier: {kind: EXTERNAL_ID, value: "SAVEA"}) {
            orders { nodes { id } pageInfo { hasNextPage } }
            timeline { nodes { id } }
        }
        ordersGrouped(by: {field: ID}) { nodes { key { id } } }
    }""")
    customer = data["customerBy"]
    lengths = [len(page["nodes"]) for page in (data["orders"], customer["orders"], customer["timeline"])]
    assert (lengths, customer["orders"]["pageInfo"]) == ([20, 10, 10], {"hasNextPage": True})
    assert len(data["ordersGrouped"]["nodes"]) == 20


async def test_d3_a_refusal_names_the_most_expensive_list_and_the_defaults(expect_error: RunQuery) -> None:
    query = "query ($n: Int) {\n  top: customers(first: $n) {\n    nodes { ...F orders { nodes { id } } }\n  }\n}\n"
    query += "fragment F on Customer { bought: orders(first: 20) { nodes { items { nodes { id } } } } }"
    error = await expect_error(query, {"n": 30})
    assert error == {
        "message": "The operation could touch 6,930 rows; 5,000 are allowed. Most are in top.nodes.bought.nodes.items:"
        " 30 × 20 × 10. Ask for smaller pages (first, last) there, or for fewer lists inside lists. Without a size, a list"
        " inside another has 10 rows, and any other list 20.",
        "locations": [{"line": 6, "column": 62}],
        "extensions": {
            "code": "COST_LIMIT",
            "requested": 6930,
            "allowed": 5000,
            "list": "top.nodes.bought.nodes.items",
        },
    }


async def test_d3_a_live_list_costs_as_much_as_its_query(http_client: httpx2.AsyncClient, admin_key: str) -> None:
    page = "customers { nodes { orders(first: 60) { nodes { id } } } }"
    query = f"subscription {{ customersLive(first: 100) {{ {page} }} }}"
    headers = {"authorization": f"Bearer {admin_key}", "accept": "text/event-stream"}
    response = await http_client.post("/graphql", json={"query": query}, headers=headers)
    assert (
        '"code":"COST_LIMIT","requested":6100,"allowed":5000,"list":"customersLive.customers.nodes.orders"'
        in response.text
    )


async def test_d3_every_refusal_of_a_document_has_a_location(http_client: httpx2.AsyncClient, admin_key: str) -> None:
    headers = {"authorization": f"Bearer {admin_key}", "content-type": "application/json"}
    without = []
    for call in BAD_REQUESTS:
        body = f'{{"query": {json.dumps(call.query)}, "variables": {call.variables or "null"}}}'
        response = await http_client.post("/graphql", content=body, headers=headers)
        without += [call for error in response.json()["errors"] if not error.get("locations")]
    assert without == []


async def test_d3_the_queries_of_the_readme_are_answered(run_query: RunQuery) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    queries = [block for block in re.findall(r"```graphql\n(.*?)```", readme, re.DOTALL) if block.startswith("{")]
    assert queries
    for query in queries:
        assert all((await run_query(query)).values())


# -- limits of documents ------------------------------------------------------------------------------------------------

INCLUDE = "@include(if: $full)"
# As sgqlc sends it: a variable decides on every description and deprecation.
SGQLC = f"""query IntrospectionQuery($full: Boolean!, $old: Boolean!) {{
    __schema {{
        queryType {{ name }}
        mutationType {{ name }}
        subscriptionType {{ name }}
        types {{ ...FullType }}
        directives {{ name description {INCLUDE} locations args {{ ...InputValue }} }}
    }}
}}
fragment FullType on __Type {{
    kind
    name
    description {INCLUDE}
    fields(includeDeprecated: $old) {{
        name
        description {INCLUDE}
        args {{ ...InputValue }}
        type {{ ...TypeRef }}
        isDeprecated @include(if: $old)
        deprecationReason @include(if: $old)
    }}
    inputFields {{ ...InputValue }}
    interfaces {{ ...TypeRef }}
    enumValues(includeDeprecated: $old) {{
        name
        description {INCLUDE}
        isDeprecated @include(if: $old)
        deprecationReason @include(if: $old)
    }}
    possibleTypes {{ ...TypeRef }}
}}
fragment InputValue on __InputValue {{ name description {INCLUDE} type {{ ...TypeRef }} defaultValue }}
fragment TypeRef on __Type {{ kind name {"ofType { kind name " * 8 + "}" * 8} }}
"""
INTROSPECTIONS = {
    "graphql-codegen": get_introspection_query(
        descriptions=True,
        schema_description=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        input_value_deprecation=True,
    ),
    "Relay": get_introspection_query(descriptions=False),
    "Apollo": get_introspection_query(schema_description=True, directive_is_repeatable=True),
    "GraphiQL": get_introspection_query(specified_by_url=True, input_value_deprecation=True),
}


async def test_d4_the_introspection_of_sgqlc_is_answered(run_query: RunQuery) -> None:
    schema = (await run_query(SGQLC, {"full": True, "old": True}))["__schema"]
    assert schema["queryType"] == {"name": "Query"}
    assert "Customer" in {type_["name"] for type_ in schema["types"]}


@pytest.mark.parametrize("client", INTROSPECTIONS)
async def test_d4_the_introspection_of_other_clients_is_answered(run_query: RunQuery, client: str) -> None:
    assert (await run_query(INTROSPECTIONS[client]))["__schema"]["queryType"]["name"] == "Query"


@pytest.mark.parametrize("count", [11, 60])
async def test_d4_a_query_with_many_includes_is_answered(run_query: RunQuery, count: int) -> None:
    fields = " ".join(f"f{number}: name @include(if: $v{number})" for number in range(count))
    declared = ", ".join(f"$v{number}: Boolean!" for number in range(count))
    variables = {f"v{number}": number % 2 == 0 for number in range(count)}
    query = f"query ({declared}) {{ customers(first: 1, orderBy: {{field: NAME}}) {{ nodes {{ {fields} }} }} }}"
    (customer,) = (await run_query(query, variables))["customers"]["nodes"]
    assert customer == {f"f{number}": "Alfreds Futterkiste" for number in range(0, count, 2)}
