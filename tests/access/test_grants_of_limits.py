"""A budget and trusted documents bind what their holders grant: keys that they issue, roles that they make and take away."""

from typing import Any

import asyncpg
import pytest
from change_workload import wait_until
from command_line import RunCommand
from conftest import create_api_key
from limited_keys import limit_key
from test_grants import ASSIGN, CREATE_KEY, MINT_CUSTOMER, MINT_STAFF, UPSERT
from test_trusted_documents import load
from writer_client import HubClient

from hub.client_limits import ClientLimits, CostBudget
from hub.domain.access import api_keys
from hub.domain.access.key_limits import LimitChanges
from hub.viewer import Role

UNASSIGN = "mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }"
REMOVE = "mutation ($input: RoleRemoveInput!) { roleRemove(input: $input) { name } }"
ROTATE = "mutation ($input: ApiKeyRotateInput!) { apiKeyRotate(input: $input) { key } }"
RULES = [{"entity": "Customer", "verbs": ["READ"]}]
BUDGET = {"capacity": 50_000, "refillPerSecond": 500}  # ample: time counts, too, and machines are slow


async def limits_of(connection: asyncpg.Connection, key: str) -> ClientLimits:
    """The limits of a key."""
    stored_key = await api_keys.find_key(connection, api_keys.extract_public_id(key) or "")
    assert stored_key is not None
    return stored_key.viewer.limits


async def id_of(connection: asyncpg.Connection, key: str) -> str:
    """The id of a key, as the API shows it."""
    public_id = api_keys.extract_public_id(key)
    return f"key_{(await connection.fetchval('select id from api_keys where public_id = $1', public_id)).hex}"


async def excess(client: HubClient, document: str, value: dict[str, Any], key: str) -> str:
    """What an attempt names as beyond one's own limits."""
    error = await client.error(document, {"input": value}, key=key)
    assert error["code"] == "FORBIDDEN", error
    return str(error["message"].partition("(")[2].partition(")")[0])


@pytest.fixture(scope="module")
async def budgeted(northwind_client: HubClient) -> str:
    """The key of an administrator with a budget."""
    key = await create_api_key(northwind_client.dsn)
    await limit_key(northwind_client.dsn, key, LimitChanges(CostBudget(50_000, 500.0)))
    return key


@pytest.fixture(scope="module")
async def strict(northwind_client: HubClient) -> str:
    """The key of an administrator that runs trusted documents alone."""
    key = await create_api_key(northwind_client.dsn)
    await limit_key(northwind_client.dsn, key, LimitChanges(trusted_only=True))
    documents = (UPSERT, ASSIGN, MINT_CUSTOMER, MINT_STAFF, CREATE_KEY, UNASSIGN, REMOVE, ROTATE)
    await load(northwind_client.dsn, "admin", *(trusted(text) for text in documents))

    async def is_loaded() -> bool:
        errors = (await northwind_client.execute(trusted(REMOVE), {"input": {"name": "absent"}}, key=key))["errors"]
        return bool(errors[0]["extensions"]["code"] == "NOT_FOUND")

    await wait_until(is_loaded)
    return key


def trusted(document: str) -> str:
    """The document as the manifest has it."""
    return document.replace("mutation ", "mutation M ", 1)


async def test_keys_inherit_the_limits_of_who_issues_them(
    northwind_client: HubClient, connection: asyncpg.Connection, budgeted: str, strict: str
) -> None:
    staff = f"stf_{(await connection.fetchval('select id from staff limit 1')).hex}"
    customer = f"cus_{(await connection.fetchval('select id from customers limit 1')).hex}"
    requests: list[tuple[str, dict[str, Any]]] = [
        (MINT_CUSTOMER, {"customerId": customer}),
        (MINT_STAFF, {"staffId": staff, "role": "writer"}),
        (CREATE_KEY, {"name": "new", "role": "reader"}),
    ]
    for document, value in requests:
        (payload,) = (await northwind_client.query(document, {"input": value}, key=budgeted)).values()
        assert await limits_of(connection, payload["key"]) == ClientLimits(CostBudget(50_000, 500.0))
        (payload,) = (await northwind_client.query(trusted(document), {"input": value}, key=strict)).values()
        assert await limits_of(connection, payload["key"]) == ClientLimits(trusted_only=True)
        error = await northwind_client.error("{ customers(first: 1) { totalCount } }", key=payload["key"])
        assert error["code"] == "DOCUMENT_UNTRUSTED"
        (payload,) = (await northwind_client.query(document, {"input": value})).values()
        assert await limits_of(connection, payload["key"]) == ClientLimits()


async def test_a_stricter_role_is_inherited_from_nobody(
    northwind_client: HubClient, connection: asyncpg.Connection, budgeted: str
) -> None:
    small = {"capacity": 100, "refillPerSecond": 1}
    role = {"name": "small", "rules": RULES, "unbounded": True, "budget": small}
    await northwind_client.query(UPSERT, {"input": role}, key=budgeted)
    created = await northwind_client.query(CREATE_KEY, {"input": {"name": "new", "role": "small"}}, key=budgeted)
    limits = await limits_of(connection, created["apiKeyCreate"]["key"])
    assert limits == ClientLimits(CostBudget(100, 1), introspects=False)


async def test_roles_are_not_looser_than_their_makers(
    northwind_client: HubClient, connection: asyncpg.Connection, budgeted: str, strict: str
) -> None:
    target = await id_of(connection, await create_api_key(northwind_client.dsn, Role.READER))
    for budget, named in (
        (None, "an unlimited budget"),
        ({"capacity": 50_001, "refillPerSecond": 500}, "a larger budget"),
        ({"capacity": 50_000, "refillPerSecond": 501}, "a larger budget"),
    ):
        role = {"name": "loose", "rules": RULES, "unbounded": True, "budget": budget}
        assert await excess(northwind_client, UPSERT, role, budgeted) == named
    await northwind_client.query(UPSERT, {"input": {"name": "free", "rules": RULES, "unbounded": True}})
    assert await excess(northwind_client, ASSIGN, {"role": "free", "keyId": target}, budgeted) == "an unlimited budget"
    named = "documents of no manifest"
    assert await excess(northwind_client, trusted(UPSERT), {**role, "name": "loose"}, strict) == named
    assert await excess(northwind_client, trusted(ASSIGN), {"role": "free", "keyId": target}, strict) == named
    assert await excess(northwind_client, trusted(ROTATE), {"id": target}, strict) == named
    assert await excess(northwind_client, ROTATE, {"id": target}, budgeted) == "an unlimited budget"


async def test_nobody_gets_rid_of_the_role_that_limits_them(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    """The role limits an admin too, although admin makes its rules superfluous."""
    await northwind_client.query(
        UPSERT, {"input": {"name": "limiter", "rules": RULES, "unbounded": True, "budget": BUDGET}}
    )
    key = await create_api_key(northwind_client.dsn)
    mine = await id_of(connection, key)
    await northwind_client.query(ASSIGN, {"input": {"role": "limiter", "keyId": mine}})
    assert (await limits_of(connection, key)).budget == CostBudget(50_000, 500)
    loose = {"name": "limiter", "budget": {"capacity": 0}}
    assert await excess(northwind_client, UPSERT, loose, key) == "an unlimited budget"
    unlimited = {
        "name": "more",
        "rules": RULES,
        "unbounded": True,
        "budget": {"capacity": 50_001, "refillPerSecond": 500},
    }
    assert await excess(northwind_client, UPSERT, unlimited, key) == "a larger budget"
    unassign = {"role": "limiter", "keyId": mine}
    error = await northwind_client.error(UNASSIGN, {"input": unassign}, key=key)
    assert (error["code"], error["message"]) == (
        "FORBIDDEN",
        "The role limiter limits its holders, and this key has such a limit itself; use a key without.",
    )
    await northwind_client.query(
        UPSERT, {"input": {"name": "same", "rules": RULES, "unbounded": True, "budget": BUDGET}}
    )
    replaced = {"role": "same", "keyId": mine, "replace": True}
    assert (await northwind_client.error(ASSIGN, {"input": replaced}, key=key))["code"] == "FORBIDDEN"
    assert (await northwind_client.error(REMOVE, {"input": {"name": "limiter"}}, key=key))["code"] == "FORBIDDEN"
    assert (await limits_of(connection, key)).budget == CostBudget(50_000, 500)
    await northwind_client.query(UNASSIGN, {"input": unassign})
    assert await limits_of(connection, key) == ClientLimits()


async def test_keys_of_the_operator_have_no_limits(run_command: RunCommand, northwind_dsn: str) -> None:
    code, key, _ = await run_command("key", "create", "--role", "admin", HUB_DATABASE_URL=northwind_dsn)
    connection = await asyncpg.connect(northwind_dsn)
    assert (code, await limits_of(connection, key.strip())) == (0, ClientLimits())
    await connection.close()
