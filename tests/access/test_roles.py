"""Roles as data: who administers them, what is refused by name, copies of shipped roles, and who holds them."""

from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub.viewer import Role

UPSERT = """mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) {
    created plans role { name version description rules(first: 40) { nodes { entity verbs rowFilter fields masks } } }
} }"""
ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } roleAssignment { id } } }"
ASSIGN_ONLY = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
UNASSIGN = "mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }"
REMOVE = "mutation ($name: String!) { roleRemove(input: {name: $name}) { name } }"
ROLES = "{ roles(first: 20) { nodes { name shipped } } }"


@pytest.fixture
async def key_id(northwind_client: HubClient, connection: asyncpg.Connection) -> str:
    """The id of a new key of a reader, as the API shows it."""
    key = await create_api_key(northwind_client.dsn, Role.READER)
    return f"key_{(await connection.fetchval('select id from api_keys where public_id = $1', key.split('_')[1])).hex}"


async def own_key_id(client: HubClient) -> str:
    """The id of the admin's key."""
    keys = await client.query("{ apiKeys(first: 100) { nodes { id publicId } } }")
    (node,) = (node for node in keys["apiKeys"]["nodes"] if node["publicId"] == client.key.split("_")[1])
    return str(node["id"])


async def refused(client: HubClient, **role: Any) -> tuple[str, str | None]:
    """Code and argument of the refusal of a role."""
    error = await client.error(UPSERT, {"input": {"name": "refused", **role}})
    return error["code"], error.get("argument")


async def test_the_shipped_roles_are_stored_at_the_start(northwind_client: HubClient) -> None:
    roles = (await northwind_client.query(ROLES))["roles"]["nodes"]
    names = ("admin", "agent", "analyst", "customer", "integration", "manager", "reader", "writer")
    assert [role for role in roles if role["shipped"]] == [{"name": name, "shipped": True} for name in names]


async def test_a_role_is_created_changed_and_removed(northwind_client: HubClient) -> None:
    rule = {
        "entity": "Customer",
        "verbs": ["READ"],
        "rowFilter": {"country": {"eq": "DE"}},
        "fields": ["name", "email"],
    }
    assert await refused(northwind_client, rules=[rule]) == ("ROLE_INVALID", "input.rules[0].fields")
    rule |= {"fields": ["name"]}
    created = (await northwind_client.query(UPSERT, {"input": {"name": "german", "rules": [rule]}}))["roleUpsert"]
    stored = {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"country": {"eq": "DE"}}, "fields": ["name"]}
    assert created["role"]["rules"]["nodes"] == [{**stored, "masks": {}}]
    assert (created["created"], created["role"]["version"]) == (True, 1)
    edit = {"name": "german", "description": "Reads German customers.", "expectedVersion": 1}
    changed = (await northwind_client.query(UPSERT, {"input": edit}))["roleUpsert"]
    assert (changed["created"], changed["role"]["version"]) == (False, 2)
    assert changed["role"]["rules"]["nodes"] == [{**stored, "masks": {}}]
    assert (await northwind_client.error(UPSERT, {"input": edit}))["code"] == "VERSION_CONFLICT"
    assert await northwind_client.query(REMOVE, {"name": "german"}) == {"roleRemove": {"name": "german"}}
    assert (await northwind_client.error(REMOVE, {"name": "german"}))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("role", "code", "argument"),
    [
        ({"name": "Big Boss"}, "ROLE_INVALID", "name"),
        ({"name": "none"}, "ROLE_INVALID", "name"),
        ({"name": "agent"}, "ROLE_SHIPPED", "name"),
        ({"copyOf": "nobody"}, "NOT_FOUND", "copyOf"),
        ({"rules": [{"entity": "Custmer", "verbs": ["READ"]}]}, "ROLE_INVALID", "rules[0].entity"),
        ({"rules": [{"entity": "Customer", "verbs": []}]}, "ROLE_INVALID", "rules[0].verbs"),
        ({"rules": [{"entity": "Customer", "verbs": ["UPDATE"]}]}, "ROLE_INVALID", "rules[0].verbs"),
        ({"rules": [{"entity": "Customer", "verbs": ["CREATE"]}]}, "ROLE_INVALID", "rules[0].verbs"),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ"]}, {"entity": "Customer", "verbs": ["READ"]}]},
            "ROLE_INVALID",
            "rules[1].entity",
        ),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ"], "writable": ["nme"]}]},
            "ROLE_INVALID",
            "rules[0].writable",
        ),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ"], "masks": [{"field": "name", "mask": "YEAR"}]}]},
            "ROLE_INVALID",
            "rules[0].masks",
        ),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ", "CREATE"], "aggregateOnly": True}]},
            "ROLE_INVALID",
            "rules[0].aggregateOnly",
        ),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ"], "rowFilter": {"owner": {"nme": {"eq": "x"}}}}]},
            "FILTER_INVALID",
            "rules[0].rowFilter.owner",
        ),
        (
            {"rules": [{"entity": "Customer", "verbs": ["READ"], "rowFilter": {"owner": {"id": {"eq": "nobody"}}}}]},
            "ID_MALFORMED",
            "rules[0].rowFilter.owner.id.eq",
        ),
        (
            {"rules": [{"entity": "Order", "verbs": ["READ"], "rowFilter": {"placedAt": {"withinLast": "P30D"}}}]},
            "FILTER_INVALID",
            "rules[0].rowFilter",
        ),
        ({"run": ["customerErase", "customerAsign"]}, "ROLE_INVALID", "run"),
        ({"run": ["customerUpdate"]}, "ROLE_INVALID", "run"),
        ({"budget": {"capacity": -1}}, "ROLE_INVALID", "budget.capacity"),
    ],
)
async def test_what_is_wrong_with_a_role_is_named(
    northwind_client: HubClient, role: dict[str, Any], code: str, argument: str
) -> None:
    assert await refused(northwind_client, **role) == (code, f"input.{argument}")


async def test_a_copy_of_a_shipped_role_begins_with_its_rules(northwind_client: HubClient) -> None:
    products = {"entity": "Product", "verbs": ["READ", "UPDATE"]}
    copy = {"name": "agent-plus", "copyOf": "agent", "rules": [products]}
    role = (await northwind_client.query(UPSERT, {"input": copy}))["roleUpsert"]["role"]
    rules = {rule["entity"]: rule for rule in role["rules"]["nodes"]}
    assert rules["Product"]["verbs"] == ["READ", "UPDATE"]
    assert rules["Customer"]["rowFilter"] == {"owner": {"id": {"eq": "$staff"}}}


async def test_a_dry_run_explains_and_stores_nothing(northwind_client: HubClient) -> None:
    role = {"name": "dry", "copyOf": "agent", "dryRun": True}
    answer = (await northwind_client.query(UPSERT, {"input": role}))["roleUpsert"]
    assert (answer["role"], answer["created"]) == (None, True)
    plans = {plan["list"]: plan for plan in answer["plans"]}
    assert plans["orders"]["bounded"] is True
    assert 0 < plans["customers"]["matches"] < plans["orders"]["matches"]
    assert "matches" not in plans["products"]
    assert any("orders" in step for step in plans["orders"]["plan"])
    assert (await northwind_client.error(REMOVE, {"name": "dry"}))["code"] == "NOT_FOUND"


async def test_only_an_administrator_changes_roles_and_others_read_their_own(northwind_client: HubClient) -> None:
    writer = await create_api_key(northwind_client.dsn, Role.WRITER)
    error = await northwind_client.error(UPSERT, {"input": {"name": "mine", "copyOf": "admin"}}, key=writer)
    assert (error["code"], error["scope"]) == ("FORBIDDEN", "roles:admin")
    assert await northwind_client.query(ROLES, key=writer) == {
        "roles": {"nodes": [{"name": "writer", "shipped": True}]}
    }


async def test_a_bound_admin_administers_no_roles(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    unit = await connection.fetchval("select id from org_units where code = 'eastern'")
    bound = await create_api_key(northwind_client.dsn, Role.ADMIN, unit_id=unit)
    error = await northwind_client.error(UPSERT, {"input": {"name": "mine", "copyOf": "admin"}}, key=bound)
    assert error["code"] == "FORBIDDEN"


async def test_an_assigned_role_stays_until_it_is_taken_away(northwind_client: HubClient, key_id: str) -> None:
    assigned = {"input": {"role": "analyst", "keyId": key_id}}
    first = (await northwind_client.query(ASSIGN, assigned))["roleAssign"]
    assert (await northwind_client.query(ASSIGN, assigned))["roleAssign"] == first  # twice is once
    assert (await northwind_client.error(REMOVE, {"name": "analyst"}))["code"] == "ROLE_SHIPPED"
    await northwind_client.query(UNASSIGN, assigned)
    assert (await northwind_client.error(UNASSIGN, assigned))["code"] == "NOT_FOUND"
    session = {"input": {"role": "analyst"}}
    assert (await northwind_client.error(ASSIGN, session))["code"] == "ARGUMENT_MISSING"


async def test_a_role_that_somebody_has_is_not_removed(northwind_client: HubClient, key_id: str) -> None:
    await northwind_client.query(UPSERT, {"input": {"name": "busy", "copyOf": "analyst"}})
    await northwind_client.query(ASSIGN, {"input": {"role": "busy", "keyId": key_id}})
    error = await northwind_client.error(REMOVE, {"name": "busy"})
    assert (error["code"], error["holders"]) == ("IN_USE", 1)


async def test_nobody_grants_more_than_they_have(northwind_client: HubClient, key_id: str) -> None:
    upsert = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
    narrow = {"entity": "Customer", "verbs": ["READ"], "fields": ["name"]}
    role = {"name": "narrow-admin", "administers": True, "rules": [narrow, {"entity": "AccessRole", "verbs": ["READ"]}]}
    await northwind_client.query(UPSERT, {"input": role})
    key = await create_api_key(northwind_client.dsn, "narrow-admin")
    wider = {"name": "wider", "rules": [{"entity": "Customer", "verbs": ["READ"]}]}
    error = await northwind_client.error(upsert, {"input": wider}, key=key)
    assert (error["code"], error["scope"]) == ("FORBIDDEN", "roles:admin")
    error = await northwind_client.error(ASSIGN_ONLY, {"input": {"role": "admin", "keyId": key_id}}, key=key)
    assert error["code"] == "FORBIDDEN"
    rotate = "mutation ($id: ID!) { apiKeyRotate(input: {id: $id}) { key } }"
    assert (await northwind_client.error(rotate, {"id": await own_key_id(northwind_client)}, key=key))["code"] in (
        "FORBIDDEN",
        "NOT_FOUND",
    )
    equal = {"name": "equal", "rules": [narrow]}
    assert await northwind_client.query(upsert, {"input": equal}, key=key) == {"roleUpsert": {"created": True}}


async def test_the_last_administrator_stays(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    public_id = northwind_client.key.split("_")[1]
    await connection.execute("update api_keys set revoked_at = now() where public_id <> $1", public_id)
    mine = {"keyId": await own_key_id(northwind_client)}
    error = await northwind_client.error(UNASSIGN, {"input": {"role": "admin", **mine}})
    assert (error["code"], error["argument"]) == ("ROLE_LAST_ADMIN", "input.role")
    error = await northwind_client.error(ASSIGN, {"input": {"role": "reader", "replace": True, **mine}})
    assert error["code"] == "ROLE_LAST_ADMIN"
    revoke = "mutation ($id: ID!) { apiKeyRevoke(input: {id: $id}) { apiKey { id } } }"
    error = await northwind_client.error(revoke, {"id": mine["keyId"]})
    assert (error["code"], error["argument"]) == ("ROLE_LAST_ADMIN", "input.id")
