"""Limits that a role sets for its keys: a budget, trusted documents alone, no introspection and no suggestions."""

from typing import Any

import pytest
from asgi_client import post_query
from change_workload import wait_until
from conftest import create_api_key
from limited_keys import limit_key
from writer_client import HubClient

from hub.client_limits import CostBudget
from hub.domain.access.key_limits import LimitChanges

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
NAMES = "{ customers(first: 1) { nodes { name } } }"
RULES = [{"entity": "Customer", "verbs": ["READ"]}]
INTROSPECTION = (
    "{ __schema { queryType { name } } }",
    '{ __type(name: "Customer") { name } }',
    "query { customers(first: 1) { nodes { name } } __schema { types { name } } }",
)


async def create_role_key(client: HubClient, name: str, **properties: Any) -> str:
    """A key with a role of its own."""
    await client.query(UPSERT, {"input": {"name": name, "rules": RULES, "unbounded": True, **properties}})
    return await create_api_key(client.dsn, name)


async def test_keys_have_a_budget_of_their_own_by_their_role(northwind_client: HubClient) -> None:
    budget = {"capacity": 50, "refillPerSecond": 1}
    one = await create_role_key(northwind_client, "limited", budget=budget)
    other = await create_api_key(northwind_client.dsn, "limited")
    for key in (one, other):
        cost = (await post_query(northwind_client.app, NAMES, None, key))["extensions"]["cost"]
        assert (cost["requested"], cost["capacity"], cost["refillPerSecond"]) == (1, 50, 1)
    dear = NAMES.replace("first: 1", "first: 51")
    (error,) = (await post_query(northwind_client.app, dear, None, one))["errors"]
    assert error["extensions"]["code"] == "COST_ABOVE_BUDGET"


async def test_a_changed_role_limits_its_keys_within_seconds(northwind_client: HubClient) -> None:
    key = await create_role_key(northwind_client, "changing")
    assert "extensions" not in await post_query(northwind_client.app, NAMES, None, key)
    edit = {"name": "changing", "budget": {"capacity": 60, "refillPerSecond": 1}}
    await northwind_client.query(UPSERT, {"input": edit})

    async def is_limited() -> bool:
        return "extensions" in await post_query(northwind_client.app, NAMES, None, key)

    await wait_until(is_limited)
    await northwind_client.query(UPSERT, {"input": edit | {"budget": {"capacity": 0}}})

    async def is_free() -> bool:
        return not await is_limited()

    await wait_until(is_free)


async def test_a_keys_own_budget_comes_before_those_of_its_roles_of_which_the_largest_count(
    northwind_client: HubClient,
) -> None:
    await create_role_key(northwind_client, "wide", budget={"capacity": 80_000, "refillPerSecond": 2})
    key = await create_role_key(northwind_client, "narrow", budget={"capacity": 50_000, "refillPerSecond": 3})
    await limit_key(northwind_client.dsn, key, LimitChanges(CostBudget(60_000, 1)))

    async def has_budget(capacity: int, refill: float) -> bool:
        cost = (await post_query(northwind_client.app, NAMES, None, key))["extensions"]["cost"]
        return bool((cost["capacity"], cost["refillPerSecond"]) == (capacity, refill))

    assert await has_budget(60_000, 1)
    keys = (await northwind_client.query("{ apiKeys(first: 100) { nodes { id publicId } } }"))["apiKeys"]["nodes"]
    (key_id,) = (node["id"] for node in keys if node["publicId"] == key.split("_")[1])
    assign = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
    await northwind_client.query(assign, {"input": {"role": "wide", "keyId": key_id}})
    await limit_key(northwind_client.dsn, key, LimitChanges(without_budget=True))
    await wait_until(lambda: has_budget(80_000, 3))


async def test_a_role_may_demand_trusted_documents(northwind_client: HubClient) -> None:
    key = await create_role_key(northwind_client, "strict", trustedOnly=True)
    (error,) = (await post_query(northwind_client.app, NAMES, None, key))["errors"]
    assert error["extensions"]["code"] == "DOCUMENT_UNTRUSTED"


@pytest.mark.parametrize("query", INTROSPECTION)
async def test_a_role_may_read_the_schema_or_not(northwind_client: HubClient, query: str) -> None:
    blind = await create_role_key(northwind_client, "blind", introspects=False)
    (error,) = (await post_query(northwind_client.app, query, None, blind))["errors"]
    assert error["extensions"]["code"] == "INTROSPECTION_FORBIDDEN"
    seeing = await create_role_key(northwind_client, "seeing", introspects=True)
    assert "errors" not in await post_query(northwind_client.app, query, None, seeing)
    assert "data" in await post_query(northwind_client.app, "{ __typename }", None, blind)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ customers(first: 1) { nodes { nam } } }", None),
        ("{ customer { name } }", None),
        ("{ customers(frist: 1) { nodes { name } } }", None),
        ("{ customers(filter: {nme: {eq: 1}}) { nodes { name } } }", None),
        ("{ customers(filter: {stage: {eq: LOYL}}) { nodes { name } } }", None),
        ("query ($f: CustomerFiltr) { customers(filter: $f) { nodes { name } } }", None),
        ("query ($f: CustomerFilter) { customers(filter: $f) { nodes { name } } }", {"f": {"nme": {"eq": "x"}}}),
        ("query ($s: Stage!) { customers(filter: {stage: {eq: $s}}) { nodes { name } } }", {"s": "LOYL"}),
    ],
)
async def test_who_may_not_read_the_schema_gets_no_suggestions(
    northwind_client: HubClient, query: str, variables: Any
) -> None:
    blind = await create_role_key(northwind_client, "blind", introspects=False)
    seeing = await create_role_key(northwind_client, "seeing", introspects=True)
    suggested = (await post_query(northwind_client.app, query, variables, seeing))["errors"]
    hidden = (await post_query(northwind_client.app, query, variables, blind))["errors"]
    assert [error["extensions"]["code"] for error in hidden] == [error["extensions"]["code"] for error in suggested]
    assert not any("Did you mean" in error["message"] for error in hidden)
