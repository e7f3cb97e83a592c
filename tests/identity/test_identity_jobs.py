"""Merges, splits, their undos and policies that concern many rows: jobs do what requests do with few. Exports follow merges."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase
from imports_client import wait_for_end
from merges import MERGE, UNDO, rows_of, without_stamps
from writer_client import HubClient, open_hub_client

from hub.settings import Settings

UNIT = """mutation { orgUnitCreate(input: {code: "root", name: "Root", kind: GROUP}) { orgUnit { id } } }"""
KEY = """mutation ($source: String) { apiKeyCreate(input: {name: "k", role: "writer", source: $source}) { key } }"""
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
IDENTIFIERS = "query ($id: ID!) { customer(id: $id) { identifiers(first: 9) { nodes { id } } } }"
CUSTOMER = "query ($id: ID!) { customer(id: $id) { name country formerIds } }"
SPLIT = """mutation ($input: CustomerSplitInput!) { customerSplit(input: $input) {
    parted { id } merge { id } job { id } fingerprint tables reasons } }"""
POLICY = """mutation ($input: SurvivorshipPolicyUpsertInput!) { survivorshipPolicyUpsert(input: $input) {
    customers changes fingerprint job { id } } }"""
EXPORT = """mutation ($query: String!, $variables: JSON) {
    exportCreate(input: {query: $query, variables: $variables, format: JSONL}) { job { id } } }"""
CONTACTS = "select name from contacts where customer_id = $1 order by name"


@pytest.fixture(scope="module")
async def client(
    create_database: CreateDatabase, empty_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[HubClient]:
    """A client of a hub that leaves all that concerns more than one row to jobs."""
    settings = Settings(merge_rows_at_once=1, export_dir=tmp_path_factory.mktemp("exports"))
    async with open_hub_client(await create_database("migrated"), settings) as hub_client:
        await hub_client.query(UNIT)
        yield hub_client


@pytest.fixture
async def connection(client: HubClient) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(client.dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def keys(client: HubClient) -> dict[str, str]:
    """Keys of two systems."""
    return {name: (await client.query(KEY, {"source": name}))["apiKeyCreate"]["key"] for name in ("erp", "shop")}


async def create(client: HubClient, key: str, **values: Any) -> str:
    created = await client.query(CREATE, {"input": values}, key=key)
    return str(created["customerCreate"]["customer"]["id"])


async def planned_and_done(client: HubClient, document: str, name: str, values: dict[str, Any]) -> Any:
    """The payload of a command after its dry run; a job does it."""
    plan = (await client.query(document, {"input": {**values, "dryRun": True}}))[name]
    assert plan["job"] is None
    return (await client.query(document, {"input": {**values, "fingerprint": plan["fingerprint"]}}))[name]


async def test_a_job_parts_a_customer_with_many_rows_and_another_one_joins_the_two(
    client: HubClient, connection: asyncpg.Connection, keys: dict[str, str]
) -> None:
    mails = [{"kind": "EMAIL", "value": f"{name}@who.example.org", "source": name} for name in ("erp", "shop")]
    customer = await create(client, keys["erp"], name="Mary", country="DE", identifiers=mails)
    await client.query(UPDATE, {"input": {"id": customer, "name": "Marie", "country": "FR"}}, key=keys["shop"])
    await client.query(CONTACT, {"input": {"customerId": customer, "name": "stays"}})
    before = await rows_of(connection, UUID(customer[4:]))
    done = await planned_and_done(client, SPLIT, "customerSplit", {"id": customer, "sources": ["shop"]})
    assert (done["parted"], done["merge"], done["reasons"]) == (None, None, [])
    job = await wait_for_end(client, done["job"]["id"])
    assert (job["status"], job["counts"]) == ("SUCCEEDED", {"rows": 2})
    parted = job["result"]["parted"]
    assert (await client.query(CUSTOMER, {"id": parted}))["customer"] == {
        "name": "Marie",
        "country": "FR",
        "formerIds": [],
    }
    assert (await client.query(CUSTOMER, {"id": customer}))["customer"]["name"] == "Mary"
    for key in (customer, parted):
        nodes = (await client.query(IDENTIFIERS, {"id": key}))["customer"]["identifiers"]["nodes"]
        assert len(nodes) == 1
    assert [row["name"] for row in await connection.fetch(CONTACTS, UUID(customer[4:]))] == ["stays"]
    undone = (await client.query(UNDO, {"input": {"id": job["result"]["merge"]}}))["mergeUndo"]
    job = await wait_for_end(client, undone["job"]["id"])
    assert job["status"] == "SUCCEEDED", job
    after = without_stamps(await rows_of(connection, UUID(customer[4:])))
    expected = without_stamps(before)
    expected["customers", UUID(customer[4:])]["former_ids"] = [parted]
    assert after == expected


async def test_an_export_that_names_a_merged_customer_says_so(client: HubClient, keys: dict[str, str]) -> None:
    survivor, former = [await create(client, keys["erp"], name=name) for name in ("Stays", "Goes")]
    done = await planned_and_done(client, MERGE, "customersMerge", {"survivorId": survivor, "mergedId": former})
    if done["job"] is not None:
        assert (await wait_for_end(client, done["job"]["id"]))["status"] == "SUCCEEDED"
    query = "query ($id: ID!) { customers(filter: {id: {eq: $id}}) { nodes { id name } } }"
    for key, followed in ((former, {survivor: former}), (survivor, None)):
        created = await client.query(EXPORT, {"query": query, "variables": {"id": key}})
        job = await wait_for_end(client, created["exportCreate"]["job"]["id"])
        assert (job["status"], job["result"]["rows"]) == ("SUCCEEDED", 1)
        assert job["result"].get("redirectedFrom") == followed


async def test_a_job_gives_many_customers_the_values_of_a_policy(
    client: HubClient, connection: asyncpg.Connection, keys: dict[str, str]
) -> None:
    customers = [await create(client, keys["erp"], name=f"Customer {number}", currency="EUR") for number in range(3)]
    for customer in customers[:2]:
        await client.query(UPDATE, {"input": {"id": customer, "currency": "USD"}}, key=keys["shop"])
    values = {"field": "currency", "criteria": ["SOURCE_TRUST"], "trustedSources": ["erp"]}
    done = await planned_and_done(client, POLICY, "survivorshipPolicyUpsert", values)
    assert [change["customerId"] for change in done["changes"]] == customers[:2]
    job = await wait_for_end(client, done["job"]["id"])
    count = await connection.fetchval("select count(*) from customers")
    assert (job["status"], job["done"], job["total"], job["counts"]) == ("SUCCEEDED", count, count, {"customers": 2})
    stored = "select currency from customers where id = any($1)"
    rows = await connection.fetch(stored, [UUID(customer[4:]) for customer in customers])
    assert [row["currency"] for row in rows] == ["EUR", "EUR", "EUR"]
    again = (await client.query(POLICY, {"input": {**values, "dryRun": True}}))["survivorshipPolicyUpsert"]
    assert (again["customers"], again["changes"]) == (0, [])
