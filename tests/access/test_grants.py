"""Nobody grants more than they have: rules, filters, commands, administration and the schema, through every command."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from command_line import RunCommand
from conftest import create_api_key
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import Role

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { __typename } }"
MINT_STAFF = "mutation ($input: StaffKeyMintInput!) { staffKeyMint(input: $input) { key } }"
MINT_CUSTOMER = "mutation ($input: CustomerKeyMintInput!) { customerKeyMint(input: $input) { key } }"
CREATE_KEY = "mutation ($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { key } }"

GERMAN, AUSTRIAN = {"country": {"eq": "DE"}}, {"country": {"eq": "AT"}}
OWN = {"owner": {"id": {"eq": "$staff"}}}
ALL = ["READ", "CREATE", "UPDATE", "DELETE"]


def customers(*verbs: str, **rule: Any) -> dict[str, Any]:
    """A rule of customers."""
    return {"entity": "Customer", "verbs": list(verbs) or ["READ"], **rule}


# By a role that is held: (the name of its case, a role that it does not cover, the excess that is named).
EXCESSES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("verbs", {"rules": [customers()]}, {"rules": [customers("READ", "UPDATE")]}, "Customer"),
    ("type", {"rules": [customers()]}, {"rules": [{"entity": "Order", "verbs": ["READ"]}]}, "Order"),
    ("rows", {"rules": [customers(rowFilter=GERMAN)]}, {"rules": [customers()]}, "Customer"),
    ("other-rows", {"rules": [customers(rowFilter=GERMAN)]}, {"rules": [customers(rowFilter=AUSTRIAN)]}, "Customer"),
    ("others-own", {"rules": [customers(rowFilter=OWN)]}, {"rules": [customers(rowFilter=OWN)]}, "Customer"),
    ("fields", {"rules": [customers(fields=["name"])]}, {"rules": [customers(fields=["name", "tier"])]}, "Customer"),
    (
        "mask",
        {"rules": [customers(masks=[{"field": "name", "mask": "INITIAL"}])]},
        {"rules": [customers()]},
        "Customer",
    ),
    ("rows-of-counts", {"rules": [customers(aggregateOnly=True)]}, {"rules": [customers()]}, "Customer"),
    (
        "filter-on-a-hidden-field",
        {"rules": [customers(fields=["name"])]},
        {"rules": [customers(fields=["name"], rowFilter=GERMAN)]},
        "Customer",
    ),
    (
        "filter-on-a-masked-field",
        {"rules": [customers(masks=[{"field": "country", "mask": "INITIAL"}])]},
        {"rules": [customers(masks=[{"field": "country", "mask": "INITIAL"}], rowFilter={"not": GERMAN})]},
        "Customer",
    ),
    (
        "filter-by-another-type",
        {"rules": [customers()]},
        {"rules": [customers(rowFilter={"owner": {"name": {"eq": "Nancy Davolio"}}})]},
        "Customer",
    ),
    (
        "writable",
        {"rules": [customers("READ", "UPDATE", writable=["name"])]},
        {"rules": [customers("READ", "UPDATE")]},
        "Customer",
    ),
    (
        "every-command",
        {"rules": [customers("READ", "UPDATE")], "run": []},
        {"rules": [customers("READ", "UPDATE")], "run": ["*"]},
        "Customer",
    ),
    (
        "every-command-by-default",
        {"rules": [customers("READ", "UPDATE")], "run": ["customerAssign"]},
        {"rules": [customers("READ", "UPDATE")]},
        "Customer",
    ),
    (
        "another-command",
        {"rules": [customers()], "run": ["customerAssign"]},
        {"rules": [customers()], "run": ["customerAssign", "customerErase"]},
        "the command customerErase",
    ),
    (
        "a-command-by-name",
        {"rules": [customers("READ", "UPDATE")]},
        {"rules": [customers("READ", "UPDATE")], "run": ["customerAssign"]},
        "the command customerAssign",
    ),
    ("schema", {"rules": [customers()]}, {"rules": [customers()], "introspects": True}, "the schema"),
    ("every-type", {"rules": [customers(*ALL)]}, {"copyOf": "reader"}, ""),
]


async def create_role(client: HubClient, name: str, **role: Any) -> None:
    """A new role, by an administrator."""
    await client.query(UPSERT, {"input": {"name": name, "unbounded": True, **role}})


async def deputy(client: HubClient, name: str, **role: Any) -> str:
    """The key of a new role that administers, and reads what it needs for that."""
    seen = [{"entity": entity, "verbs": ["READ"]} for entity in ("AccessRole", "ApiKey", "Staff")]
    await create_role(client, name, administers=True, **{**role, "rules": [*role["rules"], *seen]})
    return await create_api_key(client.dsn, name)


async def refusal(client: HubClient, document: str, value: dict[str, Any], key: str) -> str:
    """What an attempt to grant names as beyond one's own rights."""
    error = await client.error(document, {"input": value}, key=key)
    assert (error["code"], error["scope"]) == ("FORBIDDEN", "roles:admin"), error
    return str(error["message"].partition("(")[2].partition(")")[0])


@pytest.fixture(scope="module")
async def staff_id(northwind_client: HubClient, connection: asyncpg.Connection) -> str:
    """A member of staff without roles."""
    return f"stf_{(await connection.fetchval('select id from staff order by number limit 1')).hex}"


async def reader_id(client: HubClient, connection: asyncpg.Connection) -> str:
    """The id of a new reader's key."""
    public_id = api_keys.extract_public_id(await create_api_key(client.dsn, Role.READER))
    return f"key_{(await connection.fetchval('select id from api_keys where public_id = $1', public_id)).hex}"


@pytest.mark.parametrize(("name", "held", "granted", "excess"), EXCESSES, ids=[case[0] for case in EXCESSES])
async def test_no_command_grants_what_is_not_held(
    northwind_client: HubClient,
    connection: asyncpg.Connection,
    staff_id: str,
    name: str,
    held: dict[str, Any],
    granted: dict[str, Any],
    excess: str,
) -> None:
    key = await deputy(northwind_client, f"held-{name}", **held)
    await create_role(northwind_client, f"granted-{name}", **granted)
    attempts = [
        (UPSERT, {"name": f"new-{name}", **granted}),
        (UPSERT, {"name": f"new-{name}", "dryRun": True, **granted}),
        (UPSERT, {"name": f"held-{name}", **granted}),
        (ASSIGN, {"role": f"granted-{name}", "staffId": staff_id}),
        (ASSIGN, {"role": f"granted-{name}", "keyId": await reader_id(northwind_client, connection)}),
        (CREATE_KEY, {"name": "new", "role": f"granted-{name}"}),
    ]
    if "copyOf" in granted or ("run" in held and "run" not in granted):  # what an edit leaves out stays
        attempts = attempts[:2] + attempts[3:]
    for document, value in attempts:
        named = await refusal(northwind_client, document, value, key)
        assert named == excess or not excess, (document, value)
    assert not await connection.fetchval("select exists (select from roles where name = $1)", f"new-{name}")


async def test_what_is_held_is_granted(northwind_client: HubClient, staff_id: str) -> None:
    orders = {"entity": "Order", "verbs": ["READ"]}
    key = await deputy(
        northwind_client,
        "held-much",
        rules=[customers("READ", "UPDATE", rowFilter=GERMAN), orders],
        run=["customerAssign"],
    )
    narrower: list[dict[str, Any]] = [
        {"rules": [customers(rowFilter=GERMAN)]},
        {"rules": [customers(rowFilter=GERMAN, fields=["name"]), orders], "run": []},
        {"rules": [customers("READ", "UPDATE", rowFilter=GERMAN, writable=["name"])], "run": ["customerAssign"]},
        {
            "rules": [
                {
                    **orders,
                    "rowFilter": {
                        "number": {"startsWith": "10"},
                        "not": {"customer": {"id": {"eq": f"cus_{'0' * 32}"}}},
                    },
                }
            ]
        },
        {"rules": [customers(rowFilter=GERMAN, aggregateOnly=True)], "administers": True},
    ]
    for index, role in enumerate(narrower):
        value = {"name": f"narrower-{index}", "unbounded": True, **role}
        assert await northwind_client.query(UPSERT, {"input": value}, key=key) == {"roleUpsert": {"created": True}}
        await northwind_client.query(ASSIGN, {"input": {"role": value["name"], "staffId": staff_id}}, key=key)
    await northwind_client.query(MINT_STAFF, {"input": {"staffId": staff_id, "unrestricted": True}}, key=key)


async def test_parts_of_several_roles_are_not_put_together(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    """One role shows all rows and few fields, the other few rows and all fields; a command is bound to its role's rows."""
    await create_role(northwind_client, "few-fields", rules=[customers("READ", fields=["name"])])
    await create_role(northwind_client, "few-rows", rules=[customers("READ", rowFilter=GERMAN)], run=["customerAssign"])
    key = await deputy(northwind_client, "nothing", rules=[])
    id = await connection.fetchval("select id from api_keys where public_id = $1", api_keys.extract_public_id(key))
    for role in ("few-fields", "few-rows"):
        await northwind_client.query(ASSIGN, {"input": {"role": role, "keyId": f"key_{id.hex}"}})
    for role in ("few-fields", "few-rows"):  # each of its own
        await northwind_client.query(
            ASSIGN, {"input": {"role": role, "keyId": await reader_id(northwind_client, connection)}}, key=key
        )
    both = {"name": "both", "rules": [customers("READ", fields=["name", "tier"])]}
    assert await refusal(northwind_client, UPSERT, both, key) == "Customer"
    everywhere = {"name": "everywhere", "rules": [customers("READ", fields=["name"])], "run": ["customerAssign"]}
    assert await refusal(northwind_client, UPSERT, everywhere, key) == "the command customerAssign"


async def test_a_command_is_not_run_on_the_rows_of_a_role_that_does_not_list_it(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    staff = {"entity": "Staff", "verbs": ["READ"]}
    await create_role(northwind_client, "edits-all", rules=[customers("READ", "UPDATE")], run=[])
    await create_role(northwind_client, "runs-german", rules=[customers("READ", "UPDATE", rowFilter=GERMAN), staff])
    key = await create_api_key(northwind_client.dsn, "edits-all")
    id = await connection.fetchval("select id from api_keys where public_id = $1", api_keys.extract_public_id(key))
    await northwind_client.query(ASSIGN, {"input": {"role": "runs-german", "keyId": f"key_{id.hex}"}})
    owner = f"stf_{(await connection.fetchval('select id from staff limit 1')).hex}"
    german, foreign = [
        f"cus_{(await connection.fetchval(f'select id from customers where country {condition} limit 1')).hex}"
        for condition in ("= 'DE'", "<> 'DE'")
    ]
    assign = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { id } } }"
    update = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
    await northwind_client.query(assign, {"input": {"id": german, "ownerId": owner}}, key=key)
    error = await northwind_client.error(assign, {"input": {"id": foreign, "ownerId": owner}}, key=key)
    assert error["code"] == "FORBIDDEN"
    await northwind_client.query(update, {"input": {"id": foreign, "name": "Edited"}}, key=key)


async def test_mints_grant_no_more_than_is_held(
    northwind_client: HubClient, connection: asyncpg.Connection, staff_id: str
) -> None:
    key = await deputy(northwind_client, "minting", rules=[customers()])
    customer = f"cus_{(await connection.fetchval('select id from customers limit 1')).hex}"
    for role in ("reader", "writer", "customer"):
        value = {"customerId": customer, "role": role}
        assert await refusal(northwind_client, MINT_CUSTOMER, value, key)
        value = {"staffId": staff_id, "role": "agent" if role == "customer" else role}
        assert await refusal(northwind_client, MINT_STAFF, value, key)
    await northwind_client.query(ASSIGN, {"input": {"role": "analyst", "staffId": staff_id, "replace": True}})
    assert await refusal(northwind_client, MINT_STAFF, {"staffId": staff_id}, key) == "the schema"


@pytest.mark.parametrize(("shipped", "others"), [("writer", ["writer", "reader", "agent"]), ("reader", ["reader"])])
async def test_who_administers_and_writes_grants_what_writers_may(
    northwind_client: HubClient, connection: asyncpg.Connection, shipped: str, others: list[str]
) -> None:
    if not await connection.fetchval("select exists (select from roles where name = 'bare-deputy')"):
        await create_role(northwind_client, "bare-deputy", rules=[], administers=True)
    key = await create_api_key(northwind_client.dsn, shipped)
    id = await connection.fetchval("select id from api_keys where public_id = $1", api_keys.extract_public_id(key))
    await northwind_client.query(ASSIGN, {"input": {"role": "bare-deputy", "keyId": f"key_{id.hex}"}})
    target = await reader_id(northwind_client, connection)
    for role in others:
        await northwind_client.query(ASSIGN, {"input": {"role": role, "keyId": target}}, key=key)
    writing = {"name": "writing", "rules": [customers("READ", "UPDATE")]}
    if shipped == "reader":
        assert await refusal(northwind_client, UPSERT, writing, key) == "Customer"
        for role in ("writer", "admin"):
            assert await refusal(northwind_client, ASSIGN, {"role": role, "keyId": target}, key) == "every type"
    else:
        await northwind_client.query(UPSERT, {"input": writing}, key=key)


async def test_the_address_that_tokens_name_a_holder_of_roles_by_is_the_administrators(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    staff = f"stf_{(await connection.fetchval('select id from staff order by number desc limit 1')).hex}"
    update = "mutation ($input: StaffUpdateInput!) { staffUpdate(input: $input) { staff { email } } }"
    writer = await create_api_key(northwind_client.dsn, Role.WRITER)
    await northwind_client.query(update, {"input": {"id": staff, "email": "own@firma.de"}}, key=writer)
    await northwind_client.query(ASSIGN, {"input": {"role": "admin", "staffId": staff}})
    error = await northwind_client.error(update, {"input": {"id": staff, "email": "mine@evil.example"}}, key=writer)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.email")
    for same in ({"title": "Boss"}, {"email": "own@firma.de"}):
        await northwind_client.query(update, {"input": {"id": staff, **same}}, key=writer)
    changed = await northwind_client.query(update, {"input": {"id": staff, "email": "new@firma.de"}})
    assert changed["staffUpdate"]["staff"]["email"] == "new@firma.de"


async def test_the_operator_grants_everything(run_command: RunCommand, northwind_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "role.json"
    file.write_text(json.dumps({"name": "all", "copyOf": "admin", "administers": True, "run": ["customerErase"]}))
    assert (await run_command("role", "apply", str(file), HUB_DATABASE_URL=northwind_dsn))[0] == 0
    code, key, _ = await run_command("key", "create", "--role", "all")
    assert code == 0
    assert (await run_command("role", "assign", "admin", "--key", key.split("_")[1], "--replace"))[0] == 0
    code, _, errors = await run_command("key", "create", "--role", "alll")
    assert (code, errors.strip()) == (2, "hub: role: there is no role 'alll'; `hub role list` shows them.")
