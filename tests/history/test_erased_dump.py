"""After an erasure no table of a dump names the customer, however its name came into the database."""

import gzip
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from change_workload import wait_until
from conftest import create_api_key
from imports_client import run_import, wait_for_end
from writer_client import HubClient, open_hub_client

from hub.postgres.binaries import find_programs
from hub.settings import Settings

ERASE = 'mutation ($id: ID!) { customerErase(input: {id: $id}, idempotencyKey: "erase") { entries } }'
CREATE = """mutation ($unit: ID!) {
    customerCreate(input: {kind: PERSON, name: "Zq Canary", unitId: $unit, attributes: {nick: "Canary"}, identifiers: [
        {kind: EMAIL, value: "canary@home.org", source: "web"}
        {kind: EXTERNAL_ID, value: "CANARY", source: "web"}
        {kind: PHONE, value: "+49 30 7654321", source: "web"}
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
MAPPING = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [{ kind = "EMAIL", column = "mail", source = "web" }]
fields.name = "name"
fields.country = "country"
"""
FILE = "mail,name,country\ncanary@home.org,Zq Canary,Nowhere\nother@home.org,Other,Nowhere\n"
# As people write names and numbers, and a line that has no columns.
SPELLINGS = (
    "mail,name,country\nx@home.org,ZQ \u00a0CANÁRY,Nowhere\ny@home.org,Tel. (030) 765-43 21,Nowhere\nzq  canary,\n"
)
EXPORT = """mutation ($query: String!) { exportCreate(input: {query: $query, format: JSONL}) { job { id } } }"""
QUEUED = """
with job as (
    insert into jobs (owner, type, name, status) values ('hub', 'EXPORT', 'late', 'QUEUED') returning id
)
insert into job_queue (job_id, arguments, queued_at, due_at)
select id, $1::jsonb, now(), now() + interval '1 hour' from job returning job_id
"""
TRACES = ("canary", b"canary".hex(), b"Canary".hex(), b"CANARY".hex(), "canáry", "765-43 21", "7654321")


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


def parquet_file(name: str) -> bytes:
    """A Parquet file with a name."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    stream = BytesIO()
    parquet.write_table(pyarrow.table({"number": [1, 2], "name": ["Other", name]}), stream)
    return stream.getvalue()


async def exchange_the_name(hub_client: HubClient, connection: Any) -> tuple[str, list[str]]:
    """Leaves the name where imports and exports leave one; returns the export, and files that wait; two do not have it."""
    refused = await run_import(hub_client, MAPPING, FILE, name="Zq Canary.csv")
    assert [reject["line"] for reject in refused["rejects"]] == [2, 3]
    spelled = await run_import(hub_client, MAPPING, SPELLINGS)
    assert [reject["line"] for reject in spelled["rejects"]] == [2, 3, 4]
    failed = await run_import(hub_client, MAPPING, "name\nZq Canary\n")
    assert failed["status"] == "FAILED"
    await connection.execute(QUEUED, '{"variables": {"name": "Zq Canary"}}')
    headers = {"authorization": f"Bearer {hub_client.key}"}
    named = [FILE.encode(), FILE.encode("utf-16"), gzip.compress(FILE.encode())]
    spelled_files = [b"mail\nx@home.org\nZq \xc2\xa0 Canary\n", b"phone\n030/765 43 21\n"]
    others = [b"mail\nother@home.org\nBirdland\n", parquet_file("Birdland")]
    files = [*named, parquet_file("Zq Canary"), *spelled_files, *others]
    transport = httpx2.ASGITransport(hub_client.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers) as client:
        uploads = [
            (await client.post("/imports?name=Zq%20Canary.csv", content=content)).json()["uploadId"]
            for content in files
        ]
    query = "{ customers { nodes { name } } }"
    export: str = (await hub_client.query(EXPORT, {"query": query}))["exportCreate"]["job"]["id"]
    assert (await wait_for_end(hub_client, export))["status"] == "SUCCEEDED"
    return export, uploads


async def test_no_table_of_a_dump_names_an_erased_customer(northwind_dsn: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(northwind_dsn)
    settings = Settings(webhook_allow=("receiver.invalid",), export_dir=tmp_path)
    async with open_hub_client(northwind_dsn, settings) as hub_client:
        customer = await name_everywhere(hub_client, connection)
        reader = await create_api_key(northwind_dsn)
        await hub_client.query('{ customers(search: "Canary", first: 5) { nodes { name } } }', key=reader)
        export, uploads = await exchange_the_name(hub_client, connection)
        before = {line.partition(":")[0].removeprefix("public.") for line in traces(dump(northwind_dsn))}
        await hub_client.query(ERASE, {"id": customer})
        headers = {"authorization": f"Bearer {hub_client.key}"}
        transport = httpx2.ASGITransport(hub_client.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers) as client:
            expired = await client.get(f"/exports/{export}")
            states = [(await client.get(f"/imports/{upload}")).status_code for upload in uploads]
    assert before >= {"customers", "contacts", "addresses", "interactions", "orders", "tasks", "webhook_queue"}
    assert before >= {"import_rejects", "import_chunks", "jobs", "job_queue"}
    assert traces(dump(northwind_dsn)) == []
    assert expired.json()["errors"][0]["extensions"]["code"] == "EXPORT_EXPIRED"
    assert states == [404, 404, 404, 404, 404, 404, 200, 200]
    failed = await connection.fetch("select error_code from jobs where name = 'late'")
    blank = await connection.fetch("select line, message, record from import_rejects order by job_id, line")
    assert [row["error_code"] for row in failed] == ["CUSTOMER_ERASED"]
    assert [(row["line"], row["message"] == "[erased]", row["record"] == "{}") for row in blank] == [
        (2, True, True),
        (3, False, False),
        (2, True, True),
        (3, True, True),
        (4, True, True),
    ]
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
