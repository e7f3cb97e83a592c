"""Exports beside writes, and what goes wrong: cuts, cancellation, a full disk, roles that hide, and files of others."""

import errno
import os
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import random_runs
from change_workload import wait_until
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key, execute_sql
from export_hub import CREATE, READ, ExportHub, open_export_hub
from limited_keys import limit_key
from snapshot_export import SnapshotWitness, create_products, random_writes

from hub.client_limits import CostBudget
from hub.db.pool import Pool
from hub.domain.access.key_limits import LimitChanges
from hub.engine.execution.exports import ExportSource
from hub.errors import BadInput
from hub.jobs.export_job import delete_old_files
from hub.jobs.file_check import check_file
from hub.settings import Settings
from hub.viewer import Role

PRODUCTS = "{ products(orderBy: [{field: NAME}]) { nodes { sku name unitPrice } } }"
CUSTOMERS = "{ customers { nodes { id name } } }"
WITNESS = 'select sku, name, unit_price from products order by name collate "C", id'
MEMORY = 64 * 1024  # KiB that the process may grow by while it exports, whatever the number of rows
CANCEL = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { status } } }"
UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { role { name } } }"
ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"


@pytest.fixture(scope="module")
async def hub(
    create_database: CreateDatabase, demo_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ExportHub]:
    async with open_export_hub(await create_database("northwind"), tmp_path_factory.mktemp("exports")) as export_hub:
        yield export_hub


@random_runs.draws("rows of an export")
async def test_an_export_beside_writes_is_the_list_as_of_its_snapshot(
    hub: ExportHub, monkeypatch: pytest.MonkeyPatch, draws: int, seed: int, tmp_path: Path
) -> None:
    await create_products(hub.client.dsn, draws)
    SnapshotWitness(hub.client.dsn, WITNESS, tmp_path / "witness", monkeypatch)
    async with random_writes(hub.client.dsn, seed, draws) as written:
        await wait_until(lambda: _is_positive(written))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        job = await hub.finish(await hub.start(PRODUCTS, format="JSONL", compression="ZSTD"), seconds=1_800)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert job["status"] == "SUCCEEDED", job
    (file,) = (path for path in hub.folder.iterdir() if path.name.startswith(job["result"]["path"][-32:]))
    assert check_file(file).rows == job["done"] == job["result"]["rows"]
    hub.unpack(file, tmp_path / "rows")
    with (tmp_path / "rows").open("rb") as lines, (tmp_path / "witness").open() as witnessed:
        count = 0
        for expected, line in zip(witnessed, lines, strict=False):
            count += 1
            exported = orjson.loads(line)
            assert [exported["sku"], exported["name"], exported["unitPrice"]] == expected.rstrip("\n").split("\t")
    assert count == job["done"] >= draws * 0.9
    assert grown < MEMORY


async def _is_positive(written: list[int]) -> bool:
    return written[0] > 0


async def test_a_cancelled_export_leaves_no_file(hub: ExportHub, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    original = ExportSource.batches

    async def endless(self: Any, connection: Any) -> AsyncIterator[list[bytes]]:
        async for rows in original(self, connection):
            while True:
                started.append("row")
                yield rows

    monkeypatch.setattr(ExportSource, "batches", endless)
    files = set(hub.folder.iterdir())
    job = await hub.start(CUSTOMERS)
    await wait_until(lambda: _has(started))
    assert {path.suffix for path in set(hub.folder.iterdir()) - files} == {".part"}
    await hub.client.query(CANCEL, {"id": job})
    ended = await hub.finish(job)
    assert (ended["status"], ended["result"]) == ("CANCELLED", {})
    assert set(hub.folder.iterdir()) == files
    response = await hub.get(f"/exports/{job}")
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (409, "EXPORT_NOT_READY")


async def _has(items: list[str]) -> bool:
    return bool(items)


async def test_an_export_is_paid_from_the_budget_of_its_key(hub: ExportHub) -> None:
    key = await create_api_key(hub.client.dsn)
    await limit_key(hub.client.dsn, key, LimitChanges(CostBudget(90, 0.001)))
    job = await hub.start(CUSTOMERS, key=key)

    async def is_in_debt() -> bool:
        errors = (await hub.client.execute("{ __typename }", key=key)).get("errors")
        return bool(errors and errors[0]["extensions"]["code"] == "THROTTLED")

    await wait_until(is_in_debt)
    state = (await hub.client.query(READ, {"id": job}))["job"]
    assert (state["status"], state["total"]) == ("RUNNING", 91)
    await hub.client.query(CANCEL, {"id": job})
    assert (await hub.finish(job))["status"] == "CANCELLED"


async def test_a_full_disk_fails_the_job_and_leaves_nothing(hub: ExportHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = set(hub.folder.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    job = await hub.finish(await hub.start(CUSTOMERS))
    assert (job["status"], job["errorCode"]) == ("FAILED", "DISK_FULL")
    assert "HUB_EXPORT_DIR" in job["reason"]
    assert set(hub.folder.iterdir()) == files


async def test_a_run_that_was_stopped_begins_anew(hub: ExportHub, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    original = ExportSource.batches

    async def lost_once(self: Any, connection: Any) -> AsyncIterator[list[bytes]]:
        runs.append(1)
        async for rows in original(self, connection):
            yield rows
            if len(runs) == 1:
                connection.terminate()
                await connection.fetchval("select 1")

    monkeypatch.setattr(ExportSource, "batches", lost_once)
    job = await hub.finish(await hub.start(CUSTOMERS, format="JSONL"))
    assert (job["status"], len(runs)) == ("SUCCEEDED", 2)
    content = (await hub.get(job["result"]["path"])).content
    assert len(content.splitlines()) == 1 + job["result"]["rows"] == 1 + job["counts"]["rows"]


async def test_a_key_that_loses_rights_meanwhile_gets_nothing(hub: ExportHub, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await create_api_key(hub.client.dsn, Role.WRITER)
    unit = "(select id from org_units where code = 'eastern')"
    narrow = f"update api_keys set unit_id = {unit} where public_id = '{key.split('_')[1]}'"
    original = ExportSource.batches

    async def narrowed(self: Any, connection: Any) -> AsyncIterator[list[bytes]]:
        async for rows in original(self, connection):
            await execute_sql(hub.client.dsn, narrow)
            yield rows

    whole = (await hub.client.query("{ customers { totalCount } }", key=key))["customers"]["totalCount"]
    monkeypatch.setattr(ExportSource, "batches", narrowed)
    job = await hub.finish(await hub.start(CUSTOMERS, key=key))
    assert (job["status"], job["counts"]) == ("SUCCEEDED", {"rows": whole})  # what it saw at the start

    async def is_refused() -> bool:
        return (await hub.get(job["result"]["path"], key=key)).status_code != 200

    await wait_until(is_refused)  # the key is cached for a second
    response = await hub.get(job["result"]["path"], key=key)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "EXPORT_RIGHTS_CHANGED")


async def limited_key(hub: ExportHub, **rule: Any) -> str:
    """A key of a new role with one rule for customers, which may start jobs."""
    name = f"limited-{uuid4().hex[:8]}"
    rules = [{"entity": "Customer", **rule}, {"entity": "Job", "verbs": ["READ", "CREATE", "UPDATE"]}]
    await hub.client.query(UPSERT, {"input": {"name": name, "rules": rules, "run": ["exportCreate"]}})
    key = await create_api_key(hub.client.dsn, Role.READER)
    connection = await asyncpg.connect(hub.client.dsn)
    row = await connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
    await connection.close()
    await hub.client.query(ASSIGN, {"input": {"keyId": f"key_{row.hex}", "role": name, "replace": True}})
    return key


async def test_roles_hide_and_mask_in_files_as_in_answers(hub: ExportHub) -> None:
    key = await limited_key(hub, verbs=["READ"], fields=["name"], masks=[{"field": "name", "mask": "INITIAL"}])
    answer = await hub.client.query("{ customers(first: 100) { nodes { name } } }", key=key)
    *lines, _ = (await hub.export("{ customers { nodes { name } } }", key=key, format="JSONL")).splitlines()
    assert [orjson.loads(line) for line in lines] == answer["customers"]["nodes"]
    error = await hub.client.error(CREATE, {"query": "{ customers { nodes { tier } } }"}, key=key)
    assert (error["code"], error["argument"]) == ("FIELD_UNKNOWN", "input.query")


async def test_a_role_of_aggregates_exports_no_row(hub: ExportHub) -> None:
    key = await limited_key(hub, verbs=["READ"], aggregateOnly=True)
    error = await hub.client.error(CREATE, {"query": CUSTOMERS}, key=key)
    assert (error["code"], error["argument"]) == ("FIELD_UNKNOWN", "input.query")


async def test_files_without_a_record_and_expired_ones_are_deleted(hub: ExportHub) -> None:
    fresh_job, expired_job = await hub.start(CUSTOMERS), await hub.start(CUSTOMERS)
    for job in (fresh_job, expired_job):
        await hub.finish(job)
    names = [f"{job.removeprefix('job_')}.csv" for job in (fresh_job, expired_job)]
    orphan, partial, foreign = (
        hub.folder / name for name in (f"{uuid4().hex}.jsonl.gz", f".{uuid4().hex}.csv.0123.part", "notes.txt")
    )
    for path in (orphan, partial, foreign):
        path.write_bytes(b"old")
        os.utime(path, (0, 0))
    past = f"update export_files set expires_at = now() where job_id = '{UUID(expired_job[4:])}'"
    await execute_sql(hub.client.dsn, past)
    pool = Pool(hub.client.dsn, Settings())
    await delete_old_files(pool, Settings(export_dir=hub.folder), datetime.now(UTC))
    await pool.close()
    remaining = {path.name for path in hub.folder.iterdir()}
    assert names[0] in remaining
    assert not remaining & {names[1], orphan.name, partial.name}
    assert foreign.name in remaining  # not the hub's


async def test_the_command_writes_checks_and_refuses(hub: ExportHub, run_command: RunCommand, tmp_path: Path) -> None:
    dsn, file = {"HUB_DATABASE_URL": hub.client.dsn}, tmp_path / "customers.csv.gz"
    code, output, errors = await run_command("export", CUSTOMERS, "-o", str(file), "--json", **dsn)
    assert (code, errors) == (0, "")
    rows = orjson.loads(output)[0]["rows"]
    code, output, _ = await run_command("export", "--check", str(file), "--json")
    assert (code, orjson.loads(output)[0]["rows"]) == (0, rows)
    file.write_bytes(file.read_bytes()[:-1])
    code, _, errors = await run_command("export", "--check", str(file))
    assert (code, "incomplete" in errors) == (1, True)
    refused = {
        ("export", CUSTOMERS, "-o", str(tmp_path / "customers.xlsx")): "-o",
        ("export", CUSTOMERS, "-o", str(tmp_path / "none" / "x.csv")): "-o",
        ("export", CUSTOMERS, "-o", str(tmp_path) + "/.csv/"): "-o",
        ("export", CUSTOMERS): "-o",
        ("export", "-o", str(tmp_path / "x.csv")): "query",
        ("export", CUSTOMERS, "-o", str(tmp_path / "x.csv"), "--variables", "[1]"): "--variables",
        ("export", "{ customers { totalCount } }", "-o", str(tmp_path / "x.csv")): "query",
        ("export", str(tmp_path / "none.graphql"), "-o", str(tmp_path / "x.csv")): "query",
        ("export", "--changes", "-o", str(tmp_path / "c"), "--format", "CSV"): "--format",
        ("export", "--check", str(tmp_path)): str(tmp_path),
    }
    for arguments, argument in refused.items():
        code, output, errors = await run_command(*arguments, **dsn)
        assert (code in (1, 2), output) == (True, ""), arguments
        assert errors.startswith(f"hub: {argument}"), (arguments, errors)
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("format", ["JSONL", "CSV", "PARQUET"])
@pytest.mark.parametrize("compression", ["NONE", "GZIP", "ZSTD"])
async def test_a_file_that_is_cut_at_any_byte_is_incomplete(
    hub: ExportHub, tmp_path: Path, format: str, compression: str
) -> None:
    query = '{ customers(filter: {country: {eq: "NO"}}) { nodes { id name attributes orders(first: 3) { nodes { number } } } } }'
    content = await hub.export(query, format=format, compression=compression)
    file = tmp_path / "file"
    file.write_bytes(content)
    assert check_file(file).rows == 1
    wrong = [content[:length] for length in range(len(content))] + [content + b"x", content + content, b"x" + content]
    for bad in wrong:
        file.write_bytes(bad)
        with pytest.raises(BadInput) as raised:
            check_file(file)
        assert raised.value.code == "EXPORT_INCOMPLETE"
