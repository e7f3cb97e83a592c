"""After an erasure no table of a dump names the customer, however its name came into the database."""

import subprocess
from typing import Any

import asyncpg
import pytest
from change_workload import wait_until
from conftest import create_api_key
from writer_client import HubClient, open_hub_client

from hub.postgres.binaries import find_programs
from hub.settings import Settings

ERASE = 'mutation ($id: ID!) { customerErase(input: {id: $id}, idempotencyKey: "erase") { entries } }'
CREATE = """mutation ($unit: ID!) {
    customerCreate(input: {kind: PERSON, name: "Zq Canary", unitId: $unit, attributes: {nick: "Canary"}, identifiers: [
        {kind: EMAIL, value: "canary@home.org", source: "web"}
        {kind: EXTERNAL_ID, value: "CANARY", source: "web"}
    ]}, idempotencyKey: "create") { customer { id name attributes identifiers { nodes { value } } } }
}"""
IDENTIFY = """mutation { identify(
    input: {identifiers: [{kind: EMAIL, value: "canary@home.org"}], source: "web", traits: {name: "Canary again"}}
    idempotencyKey: "identify"
) { customer { name } } }"""
CONTACT = """mutation ($c: ID!) {
    contactCreate(input: {customerId: $c, name: "Canary Junior", title: "Canary", points: [
        {kind: EMAIL, value: "junior@canary.org"}
    ]}, idempotencyKey: "contact") { contact { name customer { name } } }
}"""
ADDRESS = """mutation ($c: ID!) {
    addressCreate(input: {customerId: $c, kind: BILLING, street: "1 Canary Street", city: "Canary"}, idempotencyKey: "address") {
        address { street customer { name } }
    }
}"""
RECORD = """mutation ($c: ID!, $body: String = "Dear Canary") {
    interactionRecord(input: {
        customerId: $c, channel: EMAIL, direction: INBOUND, kind: "a.b", subject: "From Canary", body: $body
    }, idempotencyKey: "record") { interaction { subject body customer { name } } }
}"""
ORDER = """mutation ($c: ID!) {
    orderCreate(input: {customerId: $c, number: "1", currency: "EUR", shipTo: "Canary"}, idempotencyKey: "order") {
        order { shipTo customer { name } }
    }
}"""
TASK = """mutation ($c: ID!, $s: ID!) {
    taskCreate(input: {customerId: $c, staffId: $s, title: "Call Canary"}, idempotencyKey: "task") { task { title } }
}"""
MINT = """mutation ($c: ID!) { customerKeyMint(input: {customerId: $c}, idempotencyKey: "mint") { key } }"""
STEPS = (CONTACT, ADDRESS, RECORD, ORDER, MINT)
HOOK = """mutation { webhookCreate(input: {name: "all", url: "https://receiver.invalid/", query:
    "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { name } } } } }"
}) { webhook { id } } }"""
TRACES = ("canary", b"canary".hex(), b"Canary".hex(), b"CANARY".hex())


def dump(dsn: str) -> str:
    """The content of all tables, as pg_dump writes it."""
    program = find_programs().path("pg_dump")
    return subprocess.run([program, "--data-only", dsn], capture_output=True, text=True, check=True).stdout


def traces(dumped: str) -> list[str]:
    """The lines of a dump that name the customer, and the table of each."""
    table, lines = "", []
    for line in dumped.splitlines():
        if line.startswith("COPY "):
            table = line.split()[1]
        if any(trace in line.lower() for trace in TRACES):
            lines.append(f"{table}: {line}")
    return lines


async def name_everywhere(hub_client: HubClient, connection: Any) -> str:
    """Writes the name in as many ways as clients can; returns the customer's id."""
    unit = await connection.fetchval("select id from org_units where parent_id is null")
    await hub_client.query(HOOK)
    created = await hub_client.query(CREATE, {"unit": f"unt_{unit.hex}"})
    customer: str = created["customerCreate"]["customer"]["id"]
    await hub_client.query(IDENTIFY)
    for document in STEPS:
        await hub_client.query(document, {"c": customer})
    staff = await connection.fetchval("select id from staff limit 1")
    await hub_client.query(TASK, {"c": customer, "s": f"stf_{staff.hex}"})
    queued = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%anary%'"
    await wait_until(lambda: connection.fetchval(queued))
    return customer


async def test_no_table_of_a_dump_names_an_erased_customer(northwind_dsn: str) -> None:
    connection = await asyncpg.connect(northwind_dsn)
    settings = Settings(webhook_allow=("receiver.invalid",))
    async with open_hub_client(northwind_dsn, settings) as hub_client:
        customer = await name_everywhere(hub_client, connection)
        reader = await create_api_key(northwind_dsn)
        await hub_client.query('{ customers(search: "Canary", first: 5) { nodes { name } } }', key=reader)
        before = {line.partition(":")[0].removeprefix("public.") for line in traces(dump(northwind_dsn))}
        await hub_client.query(ERASE, {"id": customer})
    assert before >= {"customers", "contacts", "addresses", "interactions", "orders", "tasks", "webhook_queue"}
    assert traces(dump(northwind_dsn)) == []
    await connection.close()


@pytest.mark.parametrize("body", ["Dear Canary", "Canary" * 1000])
async def test_an_answer_is_replayed_and_nobody_else_reads_it(northwind_client: HubClient, body: str) -> None:
    connection = await asyncpg.connect(northwind_client.dsn)
    customer = f"cus_{(await connection.fetchval('select id from customers limit 1')).hex}"
    document = RECORD.replace('"record"', f'"record {len(body)}"')
    first = await northwind_client.execute(document, {"c": customer, "body": body})
    assert first["data"]["interactionRecord"]["interaction"]["body"] == body
    assert await northwind_client.execute(document, {"c": customer, "body": body}) == first
    answers = await connection.fetch("select answer from idempotency_records")
    await connection.close()
    assert answers
    assert [row for row in answers if b"Canary" in row["answer"] or b"data" in row["answer"]] == []
