"""Exports through the front door: whole lists as files, for the key that asked, with the rights of the beginning."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import zstandard
from audit_reader import wait_for_entry
from change_workload import wait_until
from conftest import CreateDatabase, create_api_key, execute_sql
from export_hub import CREATE, ExportHub, open_export_hub
from pyarrow import parquet

from hub.jobs import file_formats
from hub.jobs.file_check import check_file
from hub.viewer import Role

NODES = "nodes { id name tier owner { id name } orders { nodes { number } } }"
CUSTOMERS = f"{{ customers(orderBy: [{{field: NAME}}]) {{ {NODES} }} }}"
PAGE = f"""query ($after: Cursor) {{
    customers(orderBy: [{{field: NAME}}], first: 100, after: $after) {{ {NODES} pageInfo {{ endCursor hasNextPage }} }}
}}"""
ORDERS = """query ($min: Decimal) { orders(filter: {net: {gte: $min}}, orderBy: [{field: PLACED_AT}]) { nodes {
    number net currency placedAt status customer { name }
} } }"""


@pytest.fixture(scope="module")
async def hub(
    create_database: CreateDatabase, demo_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ExportHub]:
    async with open_export_hub(await create_database("northwind"), tmp_path_factory.mktemp("exports")) as export_hub:
        yield export_hub


async def every_page(hub: ExportHub, key: str | None = None) -> list[Any]:
    """The customers as pages of the API have them."""
    rows, after = [], None
    while True:
        page = (await hub.client.query(PAGE, {"after": after}, key=key))["customers"]
        rows += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return rows
        after = page["pageInfo"]["endCursor"]


async def test_json_lines_are_the_rows_of_all_pages(hub: ExportHub) -> None:
    *lines, footer = (await hub.export(CUSTOMERS, format="JSONL")).splitlines()
    rows = await every_page(hub)
    assert [orjson.loads(line) for line in lines] == rows
    assert len(rows) > 90
    assert orjson.loads(footer)["$export"]["rows"] == len(rows)


async def test_csv_has_a_column_for_every_field_and_a_footer(hub: ExportHub, tmp_path: Path) -> None:
    content = await hub.export(ORDERS, variables={"min": "10000"})
    heading, *lines, footer = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert heading == ["number", "net", "currency", "placedAt", "status", "customer.name"]
    answer = await hub.client.query(ORDERS.replace("orders(", "orders(first: 100, "), {"min": "10000"})
    assert lines == [
        [
            order["number"],
            order["net"],
            order["currency"],
            order["placedAt"],
            order["status"],
            order["customer"]["name"],
        ]
        for order in answer["orders"]["nodes"]
    ]
    assert footer[0].startswith(f"# rows={len(lines)} sha256=")
    (tmp_path / "orders.csv").write_bytes(content)
    assert check_file(tmp_path / "orders.csv").rows == len(lines) > 5


async def test_parquet_has_types(hub: ExportHub, tmp_path: Path) -> None:
    content = await hub.export(ORDERS, variables={"min": "10000"}, format="PARQUET", compression="ZSTD")
    (tmp_path / "orders.parquet").write_bytes(content)
    table = parquet.read_table(tmp_path / "orders.parquet")
    assert [str(field.type) for field in table.schema][:4] == [
        "string",
        "decimal128(38, 10)",
        "string",
        "timestamp[us, tz=UTC]",
    ]
    assert min(table["net"].to_pylist()) >= Decimal(10_000)
    assert check_file(tmp_path / "orders.parquet").rows == table.num_rows


async def test_a_compressed_file_holds_the_same(hub: ExportHub) -> None:
    plain = await hub.export(CUSTOMERS, format="JSONL")
    packed = await hub.export(CUSTOMERS, format="JSONL", compression="ZSTD")
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == plain


async def test_a_formula_is_no_formula_in_csv(hub: ExportHub) -> None:
    query = '{ customers(filter: {name: {contains: "cmd|"}}) { nodes { name } } }'
    connection = await asyncpg.connect(hub.client.dsn)
    await connection.execute("update customers set name = '=cmd|'' /C calc''!A0' where name = 'Alfreds Futterkiste'")
    await connection.close()
    assert (await hub.export(query)).splitlines()[1] == b"'=cmd|' /C calc'!A0"
    assert (await hub.export(query, raw=True)).splitlines()[1] == b"=cmd|' /C calc'!A0"
    assert orjson.loads((await hub.export(query, format="JSONL")).splitlines()[0]) == {"name": "=cmd|' /C calc'!A0"}


REFUSED = {
    'mutation { customerDelete(input: {id: "x"}) { deletedId } }': "EXPORT_INVALID",
    "{ customers(first: 10) { nodes { id } } }": "EXPORT_INVALID",
    "{ customers { totalCount } }": "EXPORT_INVALID",
    "{ customers { nodes { id } pageInfo { hasNextPage } } }": "EXPORT_INVALID",
    "{ customers { nodes { id } } orders { nodes { id } } }": "EXPORT_INVALID",
    "{ customersGrouped(by: {field: TIER}) { nodes { stats { count } } } }": "EXPORT_INVALID",
    "{ customers { nodes { salary } } }": "FIELD_UNKNOWN",
    "{ customers { nodes {": "GRAPHQL_SYNTAX",
    "{ customers { nodes { orders(first: 100) { nodes { items(first: 100) { nodes { id } } } } } } }": "COST_LIMIT",
}


@pytest.mark.parametrize("query", REFUSED)
async def test_what_is_no_list_is_refused_before_a_job_begins(hub: ExportHub, query: str) -> None:
    error = await hub.client.error(CREATE, {"query": query})
    assert (error["code"], error["argument"]) == (REFUSED[query], "input.query")


async def test_a_key_has_a_bounded_number_of_exports(hub: ExportHub) -> None:
    key = await create_api_key(hub.client.dsn)
    count = f"insert into jobs (owner, type, name, status) select '{key.split('_')[1]}', 'EXPORT', 'x', 'QUEUED'"
    await execute_sql(hub.client.dsn, f"{count} from generate_series(1, 1000)")
    error = await hub.client.error(CREATE, {"query": CUSTOMERS}, key=key)
    assert (error["code"], error["limit"]) == ("EXPORT_LIMIT", 1_000)


async def test_parquet_needs_its_library(hub: ExportHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_formats, "HAS_PARQUET", False)
    error = await hub.client.error(CREATE, {"query": CUSTOMERS, "format": "PARQUET"})
    assert (error["code"], error["argument"]) == ("EXPORT_FORMAT_UNAVAILABLE", "input.format")


async def test_only_the_key_that_asked_gets_the_file(hub: ExportHub) -> None:
    other, reader = await create_api_key(hub.client.dsn), await create_api_key(hub.client.dsn, Role.WRITER)
    job = await hub.start(CUSTOMERS, key=reader)
    path = (await hub.finish(job, key=reader))["result"]["path"]
    assert (await hub.get(path, key=reader)).status_code == 200
    for key in (other, hub.client.key):
        response = await hub.get(path, key=key)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    assert (await hub.http.get(path)).status_code == 401
    ranged = await hub.get(path, key=reader, Range="bytes=0-3")
    assert (ranged.status_code, ranged.content) == (206, b"id,n")


@pytest.mark.parametrize(
    ("id", "status"),
    [
        ("..%2f..%2fetc%2fpasswd", 404),
        ("job_" + "0" * 32, 404),
        ("cus_" + "0" * 32, 404),
        ("job_", 400),
        ("%00", 400),
        ("a/b", 404),
    ],
)
async def test_no_other_path_leads_to_a_file(hub: ExportHub, id: str, status: int) -> None:
    assert (await hub.get(f"/exports/{id}")).status_code == status


async def test_a_key_of_a_unit_exports_what_it_sees(hub: ExportHub) -> None:
    connection = await asyncpg.connect(hub.client.dsn)
    unit = await connection.fetchval("select id from org_units where code = 'eastern'")
    await connection.close()
    key = await create_api_key(hub.client.dsn, Role.WRITER, unit_id=unit)
    *lines, _ = (await hub.export(CUSTOMERS, key=key, format="JSONL")).splitlines()
    rows = await every_page(hub, key)
    assert [orjson.loads(line) for line in lines] == rows
    assert 0 < len(rows) < 60


async def test_a_file_is_refused_once_the_rights_are_others(hub: ExportHub) -> None:
    key = await create_api_key(hub.client.dsn, Role.WRITER)
    path = (await hub.finish(await hub.start(CUSTOMERS, key=key), key=key))["result"]["path"]
    public_id = key.split("_")[1]
    await execute_sql(
        hub.client.dsn,
        f"update api_keys set unit_id = (select id from org_units where code = 'eastern') where public_id = '{public_id}'",
    )

    async def refused() -> bool:
        return (await hub.get(path, key=key)).status_code != 200

    await wait_until(refused)
    response = await hub.get(path, key=key)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "EXPORT_RIGHTS_CHANGED")


async def test_what_was_read_is_in_the_audit_log(hub: ExportHub) -> None:
    job = await hub.start("query Names { customers { nodes { name } } }", format="JSONL")
    await hub.finish(job)
    entry = await wait_for_entry(hub.client, operation={"eq": "Names"})
    assert (entry["kind"], entry["requests"]) == ("READ", [f"job:{job.removeprefix('job_')}"])
    assert entry["targets"] == [("Customer", [], "READ", ["name"], 1)]
    started = await wait_for_entry(hub.client, kind={"eq": "EXPORT"}, targets={"some": {"rowIds": {"has": job}}})
    assert started["rootFields"] == ["exportCreate"]


async def test_an_expired_file_is_gone(hub: ExportHub) -> None:
    job = await hub.start(CUSTOMERS)
    path = (await hub.finish(job))["result"]["path"]
    name = f"{job.removeprefix('job_')}.csv"
    assert (hub.folder / name).is_file()
    await execute_sql(hub.client.dsn, "update export_files set expires_at = now() - interval '1 second'")
    response = await hub.get(path)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (410, "EXPORT_EXPIRED")
