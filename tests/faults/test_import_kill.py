"""An import whose hub is killed and whose database drops every connection goes on: no line is lost, none is written twice."""

import asyncio
from collections.abc import Mapping

import asyncpg
import httpx2
import pytest
import random_runs
from conftest import create_api_key
from hub_process import run_hubs
from imports_client import READ, START

MAPPING = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [{ kind = "EXTERNAL_ID", column = "number", source = "shop" }]
fields.name = "name"

[[rows]]
entity = "Contact"
match = "name"
fields.name = "person"
"""
# The text of a request is bounded, so the file comes in the shortest lines.
HEADER = "number,name,person\n"
SECONDS = 120
TERMINATE = """
select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""
FACTS = """
select (select count(*) from customers) as customers, (select count(*) from contacts) as contacts,
    (select count(distinct normalized) from identifiers) as numbers, (select count(*) from identifiers) as identifiers,
    (select count(*) from import_rejects) as rejects, (select count(distinct line) from import_rejects) as refused,
    (select count(*) from import_files) as files
"""


async def ask(port: int, key: str, query: str, variables: Mapping[str, object]) -> dict[str, object]:
    """The data of a query; asked again while the hub or its database is away."""
    headers = {"authorization": f"Bearer {key}"}
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                    response = await client.post("/graphql", json={"query": query, "variables": variables})
                    body: dict[str, dict[str, object]] = response.json()
                    if not body.get("errors"):
                        return body["data"]
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


async def progress(port: int, key: str, job: str, least: int) -> dict[str, object]:
    """The job, once it has so many lines behind it or has ended."""
    while True:
        row = (await ask(port, key, READ, {"id": job}))["job"]
        assert isinstance(row, dict)
        if row["done"] >= least or row["status"] not in ("QUEUED", "RUNNING"):
            return row
        await asyncio.sleep(0.05)


async def test_an_import_survives_its_hub_and_its_connections(database_dsn: str, pytestconfig: pytest.Config) -> None:
    count = random_runs.size("lines of an import that is killed", pytestconfig)
    bad = range(0, count, 100)
    lines = (f"{n},{'' if n in bad else 'N'},P\n" for n in range(count))
    variables = {"input": {"mapping": MAPPING, "content": HEADER + "".join(lines)}}
    key = await create_api_key(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("insert into org_units (name, code, kind, path) values ('Root', 'root', 'GROUP', 'root')")
    async with run_hubs(database_dsn, 1, body_limit=100_000_000) as hubs:
        port = hubs.ports[0]
        started = await ask(port, key, START, variables)
        job = started["importCreate"]["job"]["id"]  # type: ignore[index]
        await progress(port, key, job, count // 4)
        await hubs.restart(port)
        await progress(port, key, job, count // 2)
        await connection.fetchval(TERMINATE)
        row = await progress(port, key, job, count + 1)
    written = count - len(bad)
    assert (row["status"], row["done"], row["total"]) == ("SUCCEEDED", count, count), row
    assert row["counts"] == {
        "Customer.created": written,
        "Identifier.created": written,
        "Contact.created": written,
        "rejected": len(bad),
    }
    record = await connection.fetchrow(FACTS)
    assert record is not None
    facts = dict(record)
    assert facts == {
        **dict.fromkeys(("customers", "contacts", "numbers", "identifiers"), written),
        **dict.fromkeys(("rejects", "refused"), len(bad)),
        "files": 0,
    }
    await connection.close()
