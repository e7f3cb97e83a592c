"""API keys in the graph: who sees them, what is never in them, and the commands that create, rotate, revoke and edit them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.domain.access import api_keys, key_upkeep
from hub.model.columns import secret_columns
from hub.settings import Settings
from hub.viewer import Role

FIELDS = """id publicId name role followsUnit allowedNetworks expiresAt revokedAt lastUsedAt state previousUntil version
    unit { code } customer { name } staff { number } sessionOf { name }"""
CREATE = f"""mutation ($name: String!, $role: String!, $unit: ID, $customer: ID, $staff: ID, $all: Boolean, $end: DateTime,
    $networks: [String!]) {{ apiKeyCreate(input: {{
        name: $name, role: $role, unitId: $unit, customerId: $customer, staffId: $staff, unrestricted: $all, expiresAt: $end,
        allowedNetworks: $networks
    }}) {{ key apiKey {{ {FIELDS} }} }}
}}"""
ROTATE = """mutation ($id: ID!, $minutes: Int) { apiKeyRotate(input: {id: $id, overlapMinutes: $minutes}) {
    key previousUntil apiKey { publicId version previousUntil }
} }"""
REVOKE = "mutation ($id: ID!) { apiKeyRevoke(input: {id: $id}) { apiKey { state revokedAt } } }"
UPDATE = f"""mutation ($id: ID!, $name: String, $end: DateTime, $networks: [String!]) {{
    apiKeyUpdate(input: {{id: $id, name: $name, expiresAt: $end, allowedNetworks: $networks}}) {{ apiKey {{ {FIELDS} }} }}
}}"""
PING = "{ me { viewer { name } } }"


@pytest.fixture(scope="module")
async def northwind_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub that looks up every key anew."""
    async with open_hub_client(await create_database("northwind"), Settings(key_cache_ttl=0)) as hub_client:
        yield hub_client


async def _create(client: HubClient, name: str, **more: Any) -> tuple[str, Any]:
    payload = (await client.query(CREATE, {"name": name, "role": "reader", **more}))["apiKeyCreate"]
    return payload["key"], payload["apiKey"]


async def _code(client: HubClient, key: str) -> str | None:
    response = await client.execute(PING, key=key)
    return response["errors"][0]["extensions"]["code"] if "errors" in response else None


async def test_a_key_is_created_and_shown_once(northwind_client: HubClient) -> None:
    key, row = await _create(northwind_client, "partner", networks=["10.1.0.0/16", " 127.0.0.1 ", "10.1.0.0/16"])
    assert api_keys.extract_public_id(key) == row["publicId"]
    assert row.pop("id").startswith("key_")
    assert row == {
        "publicId": key[4:20],
        "name": "partner",
        "role": "reader",
        "followsUnit": False,
        "allowedNetworks": ["10.1.0.0/16", "127.0.0.1/32"],
        "expiresAt": None,
        "revokedAt": None,
        "lastUsedAt": None,
        "state": "LIVING",
        "previousUntil": None,
        "version": 1,
        "unit": None,
        "customer": None,
        "staff": None,
        "sessionOf": None,
    }
    assert await _code(northwind_client, key) is None


async def test_a_key_is_bound_to_what_it_names(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    staff = await connection.fetchrow("select s.id, u.code from staff s join org_units u on u.id = s.unit_id limit 1")
    customer = await connection.fetchrow("select id, name from customers limit 1")
    unit = await connection.fetchrow("select id, code from org_units limit 1")
    assert staff is not None
    assert customer is not None
    assert unit is not None
    person = f"stf_{staff['id'].hex}"
    own, row = await _create(northwind_client, "person", staff=person)
    assert (row["followsUnit"], row["unit"]) == (True, None)
    me = await northwind_client.query("{ me { unit { code } } }", key=own)
    assert me["me"]["unit"] == {"code": staff["code"]}
    _, row = await _create(northwind_client, "person", staff=person, all=True)
    assert (row["followsUnit"], row["unit"]) == (False, None)
    _, row = await _create(northwind_client, "unit", unit=f"unt_{unit['id'].hex}")
    assert row["unit"] == {"code": unit["code"]}
    _, row = await _create(northwind_client, "app", customer=f"cus_{customer['id'].hex}")
    assert row["customer"] == {"name": customer["name"]}


@pytest.mark.parametrize(
    ("more", "code", "argument"),
    [
        ({"role": "owner"}, "KEY_INVALID", "input.role"),
        ({"name": "a\u200bb"}, "KEY_INVALID", "input.name"),
        ({"end": "2020-01-01T00:00:00Z"}, "KEY_INVALID", "input.expiresAt"),
        ({"networks": ["10.1.2.3/16"]}, "KEY_INVALID", "input.allowedNetworks"),
        ({"networks": ["everywhere"]}, "KEY_INVALID", "input.allowedNetworks"),
        ({"networks": [f"10.0.{n}.0/24" for n in range(101)]}, "KEY_INVALID", "input.allowedNetworks"),
        ({"unit": f"unt_{1:032x}", "customer": f"cus_{1:032x}"}, "KEY_INVALID", "input.customerId"),
        ({"staff": f"stf_{1:032x}"}, "NOT_FOUND", "input.staffId"),
        ({"customer": f"cus_{1:032x}"}, "NOT_FOUND", "input.customerId"),
        ({"unit": f"unt_{1:032x}"}, "NOT_FOUND", "input.unitId"),
    ],
)
async def test_what_no_key_can_have(
    northwind_client: HubClient, more: dict[str, Any], code: str, argument: str
) -> None:
    error = await northwind_client.error(CREATE, {"name": "no", "role": "reader", **more})
    assert (error["code"], error["argument"]) == (code, argument)
    assert error["message"].startswith(f"{argument}: ")


async def test_a_rotated_key_stays_itself(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    old, row = await _create(northwind_client, "rotating")
    rotated = (await northwind_client.query(ROTATE, {"id": row["id"], "minutes": 5}))["apiKeyRotate"]
    new = rotated["key"]
    assert (new[:20], new == old) == (old[:20], False)
    assert rotated["apiKey"] == {"publicId": old[4:20], "version": 2, "previousUntil": rotated["previousUntil"]}
    until = datetime.fromisoformat(rotated["previousUntil"])
    assert timedelta(minutes=4) < until - datetime.now(UTC) < timedelta(minutes=5)
    assert [await _code(northwind_client, key) for key in (old, new)] == [None, None]
    again = (await northwind_client.query(ROTATE, {"id": row["id"], "minutes": 0}))["apiKeyRotate"]["key"]
    codes = [await _code(northwind_client, key) for key in (old, new, again)]
    assert codes == ["KEY_UNKNOWN", "KEY_ROTATED", None]
    stored = await connection.fetchrow("select * from api_keys where public_id = $1", old[4:20])
    assert stored is not None
    assert (stored["hash"], stored["previous_hash"]) == (api_keys.digest(again), api_keys.digest(new))


async def test_the_overlap_ends(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    old, row = await _create(northwind_client, "overlapping")
    new = (await northwind_client.query(ROTATE, {"id": row["id"]}))["apiKeyRotate"]["key"]
    await connection.execute("update api_keys set previous_until = now() where public_id = $1", old[4:20])
    assert [await _code(northwind_client, key) for key in (old, new)] == ["KEY_ROTATED", None]


@pytest.mark.parametrize("minutes", [-1, 10_081])
async def test_an_overlap_is_bounded(northwind_client: HubClient, minutes: int) -> None:
    _, row = await _create(northwind_client, "bounded")
    error = await northwind_client.error(ROTATE, {"id": row["id"], "minutes": minutes})
    assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.overlapMinutes")


async def test_a_revoked_key_is_refused_for_good(northwind_client: HubClient) -> None:
    key, row = await _create(northwind_client, "lost")
    first = (await northwind_client.query(REVOKE, {"id": row["id"]}))["apiKeyRevoke"]["apiKey"]
    assert first["state"] == "REVOKED"
    assert (await northwind_client.query(REVOKE, {"id": row["id"]}))["apiKeyRevoke"]["apiKey"] == first
    assert await _code(northwind_client, key) == "KEY_REVOKED"
    assert (await northwind_client.error(ROTATE, {"id": row["id"]}))["code"] == "KEY_INVALID"


async def test_a_key_is_edited(northwind_client: HubClient) -> None:
    _, row = await _create(northwind_client, "old name")
    end = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()
    edit = {"id": row["id"], "name": "new name", "end": end, "networks": ["::ffff:10.0.0.0/104", "2001:db8::/32"]}
    edited = (await northwind_client.query(UPDATE, edit))["apiKeyUpdate"]["apiKey"]
    assert (edited["name"], edited["expiresAt"], edited["version"]) == ("new name", end, 2)
    assert edited["allowedNetworks"] == ["10.0.0.0/8", "2001:db8::/32"]
    cleared = (await northwind_client.query(UPDATE, {"id": row["id"], "end": None, "networks": []}))["apiKeyUpdate"]
    assert (cleared["apiKey"]["expiresAt"], cleared["apiKey"]["allowedNetworks"]) == (None, [])
    error = await northwind_client.error(UPDATE, {"id": row["id"], "end": "2020-01-01T00:00:00Z"})
    assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.expiresAt")
    error = await northwind_client.error(UPDATE, {"id": row["id"], "networks": ["10.0.0.1/8"]})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.allowedNetworks")


async def test_an_expired_key_stays_dead(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    key, row = await _create(northwind_client, "short")
    await connection.execute("update api_keys set expires_at = now() where public_id = $1", key[4:20])
    assert await _code(northwind_client, key) == "KEY_EXPIRED"
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    error = await northwind_client.error(UPDATE, {"id": row["id"], "end": later})
    assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.expiresAt")
    data = await northwind_client.query("query ($id: ID!) { apiKey(id: $id) { state } }", {"id": row["id"]})
    assert data == {"apiKey": {"state": "EXPIRED"}}


async def test_only_who_administers_sees_keys(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    _, row = await _create(northwind_client, "hidden")
    unit, customer = (
        await connection.fetchval("select id from org_units"),
        await connection.fetchval("select id from customers"),
    )
    query = """query ($id: ID!) { apiKeys { totalCount } apiKey(id: $id) { name } node(id: $id) { id }
        apiKeysGrouped(by: [{field: ROLE}]) { totalCount } changes(filter: {types: [API_KEY]}) { ... on Change { entityId } } }"""
    nothing = {"apiKeys": {"totalCount": 0}, "apiKey": None, "node": None, "apiKeysGrouped": {"totalCount": 0}}
    for key in (
        await create_api_key(northwind_client.dsn, Role.WRITER),
        await create_api_key(northwind_client.dsn, Role.ADMIN, unit_id=unit),
        await create_api_key(northwind_client.dsn, Role.ADMIN, customer_id=customer),
    ):
        data = await northwind_client.query(query, {"id": row["id"]}, key=key)
        assert not any(data.pop("changes"))
        assert data == nothing
        for mutation in (ROTATE, REVOKE, UPDATE):
            error = await northwind_client.error(mutation, {"id": row["id"], "name": "mine"}, key=key)
            assert error["code"] in ("FORBIDDEN", "NOT_FOUND")
        error = await northwind_client.error(CREATE, {"name": "mine", "role": "admin"}, key=key)
        assert error["code"] == "FORBIDDEN"


async def test_no_image_holds_a_secret(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    old, row = await _create(northwind_client, "secretive")
    await northwind_client.query(ROTATE, {"id": row["id"]})
    await northwind_client.query(REVOKE, {"id": row["id"]})
    images = await connection.fetch(
        "select before, after, changed from change_log where row_id = $1 order by id", UUID(row["id"][4:])
    )
    assert [image["changed"] for image in images[1:]] == [["previous_until"], ["revoked_at"]]
    texts = [str(image[side]) for image in images for side in ("before", "after")]
    assert not any("hash" in text or api_keys.digest(old).hex() in text for text in texts)
    assert {"allowed_networks", "last_used_at"} <= set(json.loads(images[0]["after"]))
    await wait_until_sequenced(connection)
    history = await northwind_client.query(
        """query ($id: ID!) { apiKey(id: $id) { history { nodes { operation changedFields } } } }""", {"id": row["id"]}
    )
    changes = [(node["operation"], node["changedFields"]) for node in history["apiKey"]["history"]["nodes"]]
    assert changes[:2] == [("UPDATE", ["revokedAt"]), ("UPDATE", ["previousUntil"])]
    assert not any("hash" in field.lower() for _, fields in changes for field in fields)


async def test_a_use_is_no_change(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    _, row = await _create(northwind_client, "used")
    key_id, used_at = UUID(row["id"][4:]), datetime.now(UTC)
    await key_upkeep.record_usage(connection, {key_id: used_at})
    data = await northwind_client.query(
        "query ($id: ID!) { apiKey(id: $id) { version lastUsedAt } }", {"id": row["id"]}
    )
    assert (data["apiKey"]["version"], datetime.fromisoformat(data["apiKey"]["lastUsedAt"])) == (1, used_at)
    assert await connection.fetchval("select count(*) from change_log where row_id = $1", key_id) == 1


async def test_secret_columns_are_marked(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    names = {f"{column.table.name}.{column.name}" for column in secret_columns()}
    assert names >= {
        "api_keys.hash",
        "api_keys.previous_hash",
        "login_links.hash",
        "webhook_secrets.box",
        "secrets.value",
    }
    captured = await connection.fetch("select tgrelid::regclass::text as name from pg_trigger where tgname = 'touch'")
    omitted = await connection.fetch("select table_name, column_name from change_exceptions where reason = 'secret'")
    tables = {row["name"] for row in captured}
    assert {name for name in names if name.partition(".")[0] in tables} == {
        f"{row['table_name']}.{row['column_name']}" for row in omitted
    }
    for argument in ('filter: {hash: {eq: "a"}}', "orderBy: {field: HASH}"):
        response = await northwind_client.execute(f"{{ apiKeys({argument}) {{ totalCount }} }}")
        assert "errors" in response
    error = await northwind_client.error("{ apiKeys { nodes { hash } } }")
    assert error["code"] == "FIELD_UNKNOWN"


async def test_filters_find_keys(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    staff = await connection.fetchrow("select id from staff where number = '5'")
    assert staff is not None
    await _create(northwind_client, "of five", staff=f"stf_{staff['id'].hex}")
    query = """{ apiKeys(filter: {staff: {number: {eq: "5"}}, revokedAt: {isNull: true}}, orderBy: {field: NAME}) {
        nodes { name staff { number } } } }"""
    nodes = (await northwind_client.query(query))["apiKeys"]["nodes"]
    assert nodes == [{"name": "of five", "staff": {"number": "5"}}]
