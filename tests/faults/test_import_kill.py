"""Imports whose hub and whose Postgres are killed go on: no line is lost, none is written twice, and readers hardly notice."""

import asyncio
import csv
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
import random_runs
from conftest import create_api_key
from hub_process import HubProcesses, children, resident_mib, run_hubs
from imports_client import READ, START
from postgres_process import postmaster_pid
from reader_latencies import latencies

from bench.latency import percentile
from hub.db import migrate
from hub.db.pool import Pool
from hub.domain.exchange.mapping_types import FileFormat
from hub.jobs.import_files import FileSurvey
from hub.jobs.reject_files import write_rejects
from hub.postgres import ensure
from hub.settings import Settings

MAPPING = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [
    { kind = "EXTERNAL_ID", column = "number", source = "shop" },
    { kind = "EMAIL", column = "mail", source = "shop" },
]
fields.name = "name"
fields.country = "country"

[[rows]]
entity = "Contact"
match = "name"
fields.name = "person"
"""
HEADER = "number,mail,name,country,person\n"
EVERY = 100  # lines of which one is bad
BAD = (
    "{n},{n}@shop-online.net,,DE,P",
    "{n},nobody,N,DE,P",
    "{n},{n}@shop-online.net,N,Nowhere,P",
    "{n},N",
    '"{n}"x,m,N,DE,P',
)
CODES = ("ARGUMENT_MISSING", "VALUE_INVALID", "VALUE_INVALID", "FILE_UNREADABLE", "FILE_UNREADABLE")
SECONDS = 120
MEMORY_MIB = 60  # that a hub may grow while it imports, whatever the file has
QUIET_SECONDS, CANCEL_SECONDS = 15, 2.0
UNIT = "insert into org_units (name, code, kind, path) values ('Root', 'root', 'GROUP', 'root')"
CANCEL = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { id } } }"
W1 = "query ($id: ID!) { customer(id: $id) { id name kind status stage tier country language currency createdAt } }"
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


async def progress(port: int, key: str, job: str, least: int) -> dict[str, Any]:
    """The job, once it has so many lines behind it or has ended."""
    while True:
        row = (await ask(port, key, READ, {"id": job}))["job"]
        assert isinstance(row, dict)
        if row["done"] >= least or row["status"] not in ("QUEUED", "RUNNING"):
            return row
        await asyncio.sleep(0.05)


def content(count: int, prefix: str = "n") -> str:
    """A file of so many lines, one in a hundred of which is bad in one of five ways."""
    lines = []
    for number in range(count):
        form = BAD[number // EVERY % len(BAD)] if number % EVERY == 0 else "{n},{n}@shop-online.net,N,DE,P"
        lines.append(form.format(n=f"{prefix}{number}"))
    return HEADER + "\n".join(lines) + "\n"


@asynccontextmanager
async def own_cluster(folder: Path) -> AsyncIterator[str]:
    """The address of a Postgres of the test's own, whose owner starts it again when it is killed."""
    server = await asyncio.to_thread(ensure, folder, durable=False)
    with server:
        await migrate.upgrade(server.dsn)
        yield server.dsn


async def start(port: int, key: str, text: str) -> str:
    started: Any = await ask(port, key, START, {"input": {"mapping": MAPPING, "content": text}})
    return str(started["importCreate"]["job"]["id"])


async def require_complete(dsn: str, row: Mapping[str, Any], job: str, count: int, folder: Path) -> None:
    """The counts add up, nothing is there twice, and the file of refused lines has all of them and no other."""
    bad = range(0, count, EVERY)
    written = count - len(bad)
    assert (row["status"], row["done"], row["total"]) == ("SUCCEEDED", count, count), row
    assert row["counts"] == {
        "Customer.created": written,
        "Identifier.created": 2 * written,
        "Contact.created": written,
        "rejected": len(bad),
    }
    connection = await asyncpg.connect(dsn)
    record = await connection.fetchrow(FACTS)
    await connection.close()
    assert record is not None
    assert dict(record) == {
        **dict.fromkeys(("customers", "contacts"), written),
        **dict.fromkeys(("numbers", "identifiers"), 2 * written),
        **dict.fromkeys(("rejects", "refused"), len(bad)),
        "files": 0,
    }
    pool = Pool(dsn, Settings())
    layout = FileSurvey("csv", None, FileFormat("utf-8", ","), tuple(HEADER.strip().split(",")))
    await write_rejects(pool, UUID(job.removeprefix("job_")), layout, folder / "rejected.csv")
    await pool.close()
    with (folder / "rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
        rejected = [(int(line["$reject.line"]), line["$reject.code"]) for line in csv.DictReader(stream)]
    assert rejected == [(number + 2, CODES[number // EVERY % len(CODES)]) for number in bad]


async def test_an_import_survives_its_hub_and_its_connections(
    database_dsn: str, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    count = random_runs.SIZES["lines of an import that is killed"].part
    key = await create_api_key(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(UNIT)
    async with run_hubs(database_dsn, 1, body_limit=100_000_000) as hubs:
        port = hubs.ports[0]
        job = await start(port, key, content(count))
        await progress(port, key, job, count // 4)
        await hubs.restart(port)
        await progress(port, key, job, count // 2)
        await connection.fetchval(TERMINATE)
        row = await progress(port, key, job, count + 1)
    await require_complete(database_dsn, row, job, count, tmp_path)
    await connection.close()


@pytest.mark.soak
async def test_a_large_import_survives_kills_of_its_hub_and_of_postgres(tmp_path: Path) -> None:
    count = random_runs.SIZES["lines of an import that is killed"].whole
    async with own_cluster(tmp_path) as dsn:
        key = await prepare(dsn)
        async with run_hubs(dsn, 1, body_limit=100_000_000) as hubs:
            port = hubs.ports[0]
            job = await start(port, key, content(count))
            await progress(port, key, job, count // 4)
            await hubs.restart(port)
            await progress(port, key, job, count // 2)
            os.kill(postmaster_pid(tmp_path), signal.SIGKILL)
            await progress(port, key, job, count * 6 // 10)
            memory = [await memory_at(hubs, key, job, count * tenths // 10) for tenths in (6, 7, 8, 9)]
            row = await progress(port, key, job, count + 1)
        print("MiB of the hub at 6, 7, 8 and 9 tenths:", [round(mib) for mib in memory])
        await require_complete(dsn, row, job, count, tmp_path)
        assert max(memory) - memory[0] < MEMORY_MIB, memory


async def prepare(dsn: str) -> str:
    """A unit and a key."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(UNIT)
    await connection.close()
    return await create_api_key(dsn)


async def memory_at(hubs: HubProcesses, key: str, job: str, least: int) -> float:
    """MiB of the hub and its worker once the import has so many lines behind it."""
    await progress(hubs.ports[0], key, job, least)
    pid = hubs.processes[hubs.ports[0]].pid
    return sum(map(resident_mib, (pid, *children(pid))))


@pytest.mark.soak
async def test_imports_leave_readers_quick_and_stop_at_once(tmp_path: Path) -> None:
    async with own_cluster(tmp_path) as dsn:
        key = await prepare(dsn)
        async with run_hubs(dsn, 1, body_limit=100_000_000) as hubs:
            port = hubs.ports[0]
            first = await start(port, key, content(1_000, "f"))
            await progress(port, key, first, 1_001)
            customers: Any = await ask(port, key, "{ customers(first: 1) { nodes { id } } }", {})
            customer = customers["customers"]["nodes"][0]["id"]
            await latencies(port, key, W1, customer, 2)
            idle = await latencies(port, key, W1, customer, QUIET_SECONDS)
            jobs = [await start(port, key, content(100_000, "a"))]
            await progress(port, key, jobs[0], 1)
            busy = await latencies(port, key, W1, customer, QUIET_SECONDS)
            jobs.append(await start(port, key, content(100_000, "b")))
            await progress(port, key, jobs[1], 1)
            before = [(await progress(port, key, job, 1))["done"] for job in jobs]
            crowded = await latencies(port, key, W1, customer, QUIET_SECONDS / 3)
            moved = [(await progress(port, key, job, 1))["done"] for job in jobs]
            seconds = []
            for job in jobs:
                begun = time.perf_counter()
                await ask(port, key, CANCEL, {"id": job})
                row = await progress(port, key, job, 100_001)
                seconds.append(time.perf_counter() - begun)
                assert row["status"] == "CANCELLED"
                counts = await written(dsn, job)
                assert counts == {name: row["counts"][name] for name in counts}
    p99 = [percentile(values, 0.99) * 1e3 for values in (idle, busy, crowded)]
    print(f"p99 of W1 in ms: {p99[0]:.2f} idle, {p99[1]:.2f} beside an import, {p99[2]:.2f} beside two")
    print(f"lines that two imports moved: {before} to {moved}; both stopped within {seconds} s")
    assert all(after > start for start, after in zip(before, moved, strict=True))
    assert max(seconds) < CANCEL_SECONDS
    assert p99[1] < 3 * p99[0]


async def written(dsn: str, job: str) -> dict[str, int]:
    """What the change log says that a job created, as the job counts it."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "select table_name, count(*) from change_log where request = $1 and operation = 'CREATE' group by 1",
        f"job:{job.removeprefix('job_')}",
    )
    await connection.close()
    names = {"customers": "Customer", "identifiers": "Identifier", "contacts": "Contact"}
    return {f"{names[row['table_name']]}.created": row["count"] for row in rows if row["table_name"] in names}
