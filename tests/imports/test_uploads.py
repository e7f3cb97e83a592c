"""Files are sent in parts, go on after a break, and are those of their key alone."""

import gzip
from typing import Any

import httpx2
from conftest import create_api_key
from imports_client import START, wait_for_end
from writer_client import HubClient

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
    assert rest.json() == {"uploadId": id, "received": len(FILE), "size": len(FILE)}
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
