"""The state in a version conflict names and shows only what the viewer reads as it is."""

from typing import Any

import asyncpg
import pytest
from change_workload import wait_until
from conftest import create_api_key
from writer_client import HubClient

from hub.viewer import Role

UPSERT_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
BULK = """mutation ($rows: [CustomerUpdateInput!]!) { customersUpdate(input: {rows: $rows, errorPolicy: REJECT_FAILED_ROWS}) {
    results { error { code message current } }
} }"""
DELETE = "mutation ($input: CustomerDeleteInput!) { customerDelete(input: $input) { deletedId } }"
WRITABLE = ["name", "country", "tier", "owner"]
EDIT = {"name": "Mine", "country": "FR", "tier": "GOLD"}


@pytest.fixture(scope="module")
async def edited(northwind_client: HubClient, connection: asyncpg.Connection) -> dict[str, Any]:
    """The id of a customer whose name, country, tier and owner were changed after version 1."""
    key = await connection.fetchval("select id from customers where owner_id is not null order by id limit 1")
    staff = await connection.fetchval(
        "select id from staff where id <> (select owner_id from customers where id = $1) limit 1", key
    )
    customer = {"id": f"cus_{key.hex}", "expectedVersion": 1}
    change = {"id": customer["id"], "name": "Theirs", "country": "AT", "tier": "SILVER"}
    await northwind_client.query(UPDATE, {"input": change})
    assign = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { id } } }"
    await northwind_client.query(assign, {"input": {"id": customer["id"], "ownerId": f"stf_{staff.hex}"}})
    return customer


async def role_key(client: HubClient, name: str, **rule: Any) -> str:
    """A key with a new role of one rule of customers."""
    rules = [{"entity": "Customer", "verbs": ["READ", "UPDATE", "DELETE"], "writable": WRITABLE, **rule}]
    await client.query(UPSERT_ROLE, {"input": {"name": name, "unbounded": True, "rules": rules}})
    return await create_api_key(client.dsn, name)


@pytest.mark.parametrize(
    ("name", "rule", "current"),
    [
        ("all", {}, {"name": "Theirs", "country": "AT", "tier": "SILVER"}),
        ("fields", {"fields": ["name"]}, {"name": "Theirs"}),
        ("nothing", {"fields": ["createdAt"]}, {}),
        ("masks", {"masks": [{"field": "country", "mask": "INITIAL"}]}, {"name": "Theirs", "tier": "SILVER"}),
    ],
)
async def test_an_edit_shows_nothing_that_is_written_unread(
    northwind_client: HubClient, edited: dict[str, Any], name: str, rule: dict[str, Any], current: dict[str, Any]
) -> None:
    key = await role_key(northwind_client, f"edits-{name}", **rule)
    error = await northwind_client.error(UPDATE, {"input": {**edited, **EDIT}}, key=key)
    assert (error["code"], error["current"]) == ("VERSION_CONFLICT", current)
    changed = ", ".join(sorted(current)) or "the row"
    message = f"input.expectedVersion: {changed} changed after version 1, which is now 3; read the row again."
    assert error["message"] == message
    rows = await northwind_client.query(BULK, {"rows": [{**edited, **EDIT}]}, key=key)
    (row,) = rows["customersUpdate"]["results"]
    assert row["error"] == {
        "code": "VERSION_CONFLICT",
        "message": message.replace("input.", "input.rows[0]."),
        "current": current,
    }


async def test_a_delete_shows_no_more(northwind_client: HubClient, edited: dict[str, Any]) -> None:
    key = await role_key(northwind_client, "deletes", fields=["name", "owner"])
    error = await northwind_client.error(DELETE, {"input": edited}, key=key)
    assert (error["code"], error["current"]) == ("VERSION_CONFLICT", {"name": "Theirs"})  # the owner's row is hidden


async def test_two_roles_show_what_both_show(
    northwind_client: HubClient, connection: asyncpg.Connection, edited: dict[str, Any]
) -> None:
    """A column that one role shows in some rows is left out: the state does not ask which row it is."""
    key = await role_key(northwind_client, "names", fields=["name"])
    other = {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"country": {"eq": "DE"}}}
    await northwind_client.query(UPSERT_ROLE, {"input": {"name": "germans", "unbounded": True, "rules": [other]}})
    assign = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { __typename } }"
    id = await connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
    await northwind_client.query(assign, {"input": {"role": "germans", "keyId": f"key_{id.hex}"}})
    error = await northwind_client.error(UPDATE, {"input": {**edited, **EDIT}}, key=key)
    assert (error["code"], error["current"]) == ("VERSION_CONFLICT", {"name": "Theirs"})


async def test_a_customers_own_key_reads_the_state_of_its_contact(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    customer = await connection.fetchval("select id from customers order by id desc limit 1")
    key = await create_api_key(northwind_client.dsn, Role.WRITER, customer_id=customer)
    contact = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
    created = await northwind_client.query(contact, {"input": {"customerId": f"cus_{customer.hex}", "name": "A"}})
    change = "mutation ($input: ContactUpdateInput!) { contactUpdate(input: $input) { contact { id } } }"
    id = created["contactCreate"]["contact"]["id"]
    await northwind_client.query(change, {"input": {"id": id, "name": "B"}})
    value = {"id": id, "name": "C", "expectedVersion": 1}
    error = await northwind_client.error(change, {"input": value}, key=key)
    assert (error["code"], error["current"]) == ("VERSION_CONFLICT", {"name": "B"})


async def test_a_response_is_not_repeated_to_a_key_that_may_see_less_since(
    northwind_client: HubClient, edited: dict[str, Any]
) -> None:
    rule = {"entity": "Customer", "verbs": ["READ", "UPDATE"], "fields": ["name", "country"]}
    role = {"name": "replays", "unbounded": True, "rules": [rule]}
    await northwind_client.query(UPSERT_ROLE, {"input": role})
    key = await create_api_key(northwind_client.dsn, "replays")
    update = """mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input, idempotencyKey: "once") {
        customer { name country } } }"""
    value = {"input": {"id": edited["id"], "name": "Once"}}
    first = await northwind_client.query(update, value, key=key)
    assert await northwind_client.query(update, value, key=key) == first
    await northwind_client.query(
        UPSERT_ROLE, {"input": {**role, "rules": [{**rule, "rowFilter": {"country": {"eq": "DE"}}}]}}
    )

    async def is_refused() -> bool:
        errors = (await northwind_client.execute(update, value, key=key)).get("errors", [])
        return [error["extensions"]["code"] for error in errors] == ["IDEMPOTENCY_RIGHTS_CHANGED"]

    await wait_until(is_refused)
    assert (
        await northwind_client.query("query ($id: ID!) { customer(id: $id) { version } }", {"id": edited["id"]})
    ) == {"customer": {"version": 4}}
