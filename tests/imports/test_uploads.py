"""Files are sent in parts, go on after a break, and are those of their key alone; refused lines come back as files."""

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from command_line import RunCommand
from conftest import create_api_key
from imports_client import START, run_import, wait_for_end
from writer_client import HubClient

from hub.db.pool import Pool
from hub.domain.exchange.mapping_types import FileFormat
from hub.jobs.import_files import FileSurvey
from hub.jobs.reject_files import write_rejects
from hub.settings import Settings
from hub.viewer import Role

MAPPING = """
[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = "name"
fields.category = { value = "Sent" }
fields.unitPrice = { value = "1" }
fields.currency = { value = "EUR" }
"""
FILE = gzip.compress(b"sku,name\n" + b"".join(b"U%d,Sent %d\n" % (n, n) for n in range(1_200)))


def client_of(hub: HubClient, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {key or hub.key}"}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(hub.app), base_url="http://hub", headers=headers)


def code(response: httpx2.Response) -> Any:
    return response.json()["errors"][0]["extensions"]["code"]


async def test_a_file_comes_in_parts_and_is_imported(northwind_client: HubClient) -> None:
    half = len(FILE) // 2
    async with client_of(northwind_client) as client:
        begun = await client.post(
            "/imports?name=sent.csv.gz", content=FILE[:half], headers={"upload-length": str(len(FILE))}
        )
        assert (begun.status_code, begun.json()["received"]) == (201, half)
        id = begun.json()["uploadId"]
        variables = {"input": {"mapping": MAPPING, "uploadId": id}}
        early = await northwind_client.error(START, variables)
        wrong = await client.patch(f"/imports/{id}", content=b"x", headers={"upload-offset": "1"})
        state = await client.head(f"/imports/{id}")
        rest = await client.patch(
            f"/imports/{id}", content=FILE[half:], headers={"upload-offset": state.headers["upload-offset"]}
        )
    assert (early["code"], early["argument"]) == ("VALUE_INVALID", "input.uploadId")
    assert (wrong.status_code, code(wrong)) == (409, "UPLOAD_OFFSET")
    assert rest.json() == {"uploadId": id, "name": "sent.csv.gz", "received": len(FILE), "size": len(FILE)}
    started = await northwind_client.query(START, variables)
    job = await wait_for_end(northwind_client, started["importCreate"]["job"]["id"])
    assert (job["status"], job["counts"]) == ("SUCCEEDED", {"Product.created": 1_200})
    assert job["result"]["file"]["compression"] == "gzip"
    again = await northwind_client.error(START, variables)
    assert again["code"] == "NOT_FOUND"


async def test_a_file_is_its_keys_alone_and_bounded(northwind_client: HubClient) -> None:
    other = await create_api_key(northwind_client.dsn, Role.WRITER)
    reader = await create_api_key(northwind_client.dsn, Role.READER)
    async with client_of(northwind_client) as own, client_of(northwind_client, other) as foreign:
        id = (await own.post("/imports", content=b"a,b\n")).json()["uploadId"]
        hidden = await foreign.get(f"/imports/{id}")
        large = await own.post("/imports", headers={"upload-length": "999999999999"})
        absent = await own.get("/imports/1")
    error = await northwind_client.error(START, {"input": {"mapping": MAPPING, "uploadId": id}}, key=other)
    async with client_of(northwind_client, reader) as client:
        refused = await client.post("/imports", content=b"a")
    assert [hidden.status_code, large.status_code, absent.status_code, refused.status_code] == [404, 413, 404, 403]
    assert (code(large), error["code"]) == ("BODY_TOO_LARGE", "NOT_FOUND")


async def test_a_key_has_a_bounded_number_of_files_and_drops_those_it_does_not_need(
    northwind_client: HubClient,
) -> None:
    key, other = [await create_api_key(northwind_client.dsn, Role.WRITER) for _ in range(2)]
    async with client_of(northwind_client, key) as own, client_of(northwind_client, other) as foreign:
        ids = [(await own.post(f"/imports?name={n}.csv", content=b"a\n")).json()["uploadId"] for n in range(20)]
        full = await own.post("/imports", content=b"a\n")
        pasted = await northwind_client.error(START, {"input": {"mapping": MAPPING, "content": "sku\n"}}, key=key)
        listed = (await own.get("/imports")).json()
        hidden = [await foreign.delete(f"/imports/{ids[0]}"), await foreign.get("/imports")]
        dropped = await own.delete(f"/imports/{ids[0]}")
        gone = [await own.delete(f"/imports/{ids[0]}"), await own.head(f"/imports/{ids[0]}")]
        again = await own.post("/imports", content=b"a\n")
    assert (full.status_code, code(full), pasted["code"], pasted["limit"]) == (429, "UPLOAD_LIMIT", "UPLOAD_LIMIT", 20)
    assert listed == [{"uploadId": id, "name": f"{n}.csv", "received": 2, "size": None} for n, id in enumerate(ids)]
    assert (hidden[0].status_code, hidden[1].json()) == (404, [])
    assert (dropped.status_code, [response.status_code for response in gone]) == (204, [404, 404])
    assert again.status_code == 201


SHOP = """
[file]
encoding = "cp1252"
delimiter = ";"
decimal = ","

[[rows]]
entity = "Product"
match = "sku"
fields.sku = "code"
fields.name = "name"
fields.category = { value = "Refused" }
fields.unitPrice = "price"
fields.currency = { value = "EUR" }
fields.packaging = "line"
"""
SHOP_FILE = "code;name;price;line\nR1;Käse;2,50;a\nR2;=Öl;x;b\nR3;Brot;1\n"


async def test_refused_lines_come_back_as_they_were_and_go_in_once_they_are_repaired(
    northwind_client: HubClient, run_command: RunCommand, tmp_path: Path
) -> None:
    file, mapping, rejects = (tmp_path / name for name in ("shop.csv", "map.toml", "shop.csv.rejected.csv"))
    file.write_bytes(SHOP_FILE.encode("cp1252"))
    mapping.write_text(SHOP)
    run = partial(run_command, "import", HUB_DATABASE_URL=northwind_client.dsn)
    assert (await run(str(file), "--map", str(mapping)))[0] == 0
    heading, *lines = rejects.read_bytes().decode("cp1252").splitlines()
    assert heading == "$reject.line;$reject.code;$reject.message;$reject.text;code;name;price;line"
    assert [lines[0].endswith(";;R2;'=Öl;x;b"), lines[1].endswith(';"R3;Brot;1";;;;')] == [True, True], lines
    rejects.write_bytes("\n".join([heading, lines[0].replace(";x;", ";3,10;"), lines[1]]).encode("cp1252"))
    exit_code, output, errors = await run(str(rejects), "--map", str(mapping))
    assert (exit_code, "Product.created      1\n" in output, "rejected             1\n" in output) == (0, True, True)
    assert errors.startswith("line 3: it was refused as a text without columns; put its values"), errors
    stored = await northwind_client.query(
        '{ products(filter: {category: {eq: "Refused"}}, orderBy: [{field: UNIT_PRICE}]) { nodes { name unitPrice packaging } } }'
    )
    assert [tuple(node.values()) for node in stored["products"]["nodes"]] == [
        ("Käse", "2.5000", "a"),
        ("=Öl", "3.1000", "b"),
    ]


async def test_broken_lines_of_json_keep_their_text(northwind_client: HubClient, tmp_path: Path) -> None:
    content = '{"sku": "J1", "name": ["x"], "more": {"b": 1}}\n{"sku": "J2", "name"\n'
    job = await run_import(northwind_client, MAPPING.replace('"sku"\nfields.name', '"more.c"\nfields.name'), content)
    assert [(r["line"], r["record"], r["text"]) for r in job["rejects"]] == [
        (1, {"sku": "J1", "name": ["x"], "more.b": 1}, None),
        (2, {}, '{"sku": "J2", "name"'),
    ]
    pool = await Pool.open(northwind_client.dsn, Settings())
    layout = FileSurvey("jsonl", None, FileFormat(), ("sku", "name", "more.b"))
    await write_rejects(pool, UUID(job["id"].removeprefix("job_")), layout, tmp_path / "rejected.jsonl")
    await pool.close()
    first, second = (json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines())
    assert (list(first)[1:], first["$reject"]["line"]) == (["sku", "name", "more.b"], 1)
    assert second == {"$reject": {**second["$reject"], "line": 2, "text": '{"sku": "J2", "name"'}}
