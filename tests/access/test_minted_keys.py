"""Short-lived keys of customers and of members of staff have any role that exists, and nothing beyond their binding."""

import pytest
from conftest import create_api_key
from test_role_writes import UPSERT_ROLE
from writer_client import HubClient

from hub.domain.access.shipped_roles import SHIPPED_ROLES

MINT = """mutation ($id: ID!, $role: String) { customerKeyMint(input: {customerId: $id, role: $role}) { key } }"""
MINT_FOR_STAFF = """mutation ($id: ID!, $role: String) { staffKeyMint(input: {staffId: $id, role: $role}) { key } }"""
ME = "{ me { viewer { roles binding } } }"
PEOPLE = "{ customers(first: 1) { nodes { id } } staffMembers(first: 1) { nodes { id } } }"


@pytest.fixture(scope="module")
async def ids(northwind_client: HubClient) -> tuple[str, str]:
    """A customer and a member of staff."""
    people = await northwind_client.query(PEOPLE)
    return people["customers"]["nodes"][0]["id"], people["staffMembers"]["nodes"][0]["id"]


@pytest.mark.parametrize("role", SHIPPED_ROLES)
async def test_every_shipped_role_is_minted(northwind_client: HubClient, ids: tuple[str, str], role: str) -> None:
    customer, staff = ids
    key = (await northwind_client.query(MINT, {"id": customer, "role": role.upper()}))["customerKeyMint"]["key"]
    me = (await northwind_client.query(ME, key=key))["me"]["viewer"]
    assert me == {"roles": [role], "binding": "CUSTOMER"}
    response = await northwind_client.execute("{ customers { nodes { id } } }", key=key)
    seen = [row["id"] for row in ((response.get("data") or {}).get("customers") or {"nodes": []})["nodes"]]
    assert seen == ([] if role in ("agent", "analyst") else [customer])
    key = (await northwind_client.query(MINT_FOR_STAFF, {"id": staff, "role": role}))["staffKeyMint"]["key"]
    me = (await northwind_client.query(ME, key=key))["me"]["viewer"]
    assert me == {"roles": [role], "binding": "UNIT"}


async def test_a_role_of_the_organisation_is_minted_and_an_unknown_one_is_named(
    northwind_client: HubClient, ids: tuple[str, str]
) -> None:
    customer, staff = ids
    rule = {"entity": "Customer", "verbs": ["READ"], "fields": ["name"]}
    await northwind_client.query(UPSERT_ROLE, {"input": {"name": "names-only", "rules": [rule]}})
    minted = await northwind_client.query(MINT, {"id": customer, "role": "names-only"})
    key = minted["customerKeyMint"]["key"]
    assert (await northwind_client.query(ME, key=key))["me"]["viewer"]["roles"] == ["names-only"]
    assert "errors" in await northwind_client.execute("{ customers { nodes { country } } }", key=key)
    for document, id in ((MINT, customer), (MINT_FOR_STAFF, staff)):
        error = await northwind_client.error(document, {"id": id, "role": "namesonly"})
        assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.role")
        assert "there is no role 'namesonly'" in error["message"]


async def test_without_a_role_a_customer_s_key_reads(northwind_client: HubClient, ids: tuple[str, str]) -> None:
    key = (await northwind_client.query(MINT, {"id": ids[0]}))["customerKeyMint"]["key"]
    assert (await northwind_client.query(ME, key=key))["me"]["viewer"]["roles"] == ["reader"]


async def test_who_does_not_administer_mints_nothing(northwind_client: HubClient, ids: tuple[str, str]) -> None:
    for role in ("writer", "integration"):
        key = await create_api_key(northwind_client.dsn, role)
        error = await northwind_client.error(MINT, {"id": ids[0], "role": "reader"}, key=key)
        assert error["code"] in ("FORBIDDEN", "FIELD_UNKNOWN")


@pytest.mark.parametrize("minutes", [0, 1441])
async def test_a_lifetime_out_of_range_is_named(
    northwind_client: HubClient, ids: tuple[str, str], minutes: int
) -> None:
    mint = "mutation ($id: ID!, $minutes: Int) { customerKeyMint(input: {customerId: $id, minutes: $minutes}) { key } }"
    error = await northwind_client.error(mint, {"id": ids[0], "minutes": minutes})
    message = f"input.minutes: {minutes} is out of range; give 1 to 1440 minutes."
    assert (error["code"], error["argument"], error["message"]) == ("KEY_INVALID", "input.minutes", message)
