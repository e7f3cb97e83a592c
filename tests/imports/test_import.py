"""Imports through the front door: several rows from one line, matching, modes, refused lines and dry runs."""

import csv
import json
from pathlib import Path

import asyncpg
from command_line import RunCommand
from imports_client import START, has_begun, run_import, start_import, wait_for_end
from shop_import import FILE, HEADER, MAPPING
from writer_client import HubClient

CUSTOMERS = """query { customers(filter: {identifiers: {some: {source: {eq: "shop"}}}}, orderBy: [{field: NAME}]) { nodes {
    name country kind contacts { nodes { name title } } orders(orderBy: [{field: PLACED_AT}]) { nodes { number net placedAt } }
    identifiers { nodes { kind value verified } } } } }"""


async def test_a_line_makes_several_rows_and_is_refused_as_a_whole(northwind_client: HubClient) -> None:
    job = await run_import(northwind_client, MAPPING, FILE, name="shop.csv")
    assert (job["status"], job["done"], job["total"]) == ("SUCCEEDED", 6, 6), job
    assert job["counts"] == {
        "Customer.created": 2,
        "Identifier.created": 4,
        "Contact.created": 1,
        "Order.created": 2,
        "rejected": 3,
    }
    assert [(r["line"], r["code"], r["row"], r["argument"], r["columns"]) for r in job["rejects"]] == [
        (5, "ARGUMENT_MISSING", "customer", "name", ["name"]),
        (6, "VALUE_INVALID", "customer", "country", ["country"]),
        (7, "VALUE_INVALID", "customer", "identifiers[1].value", ["mail"]),
    ]
    nodes = (await northwind_client.query(CUSTOMERS))["customers"]["nodes"]
    assert [node["name"] for node in nodes] == ["Ada", "Bob"]
    ada = nodes[0]
    assert (ada["country"], ada["kind"]) == ("DE", "ORGANISATION")
    assert ada["contacts"]["nodes"] == [{"name": "Eve", "title": "Boss"}]
    assert [(order["number"], order["net"], order["placedAt"]) for order in ada["orders"]["nodes"]] == [
        ("O-1", "1234.5000", "2025-12-31T00:00:00+00:00"),
        ("O-2", "5.0000", "2026-01-01T00:00:00+00:00"),
    ]


LOGGED = "select count(*) from change_log where table_name <> 'jobs'"


ODD_PRODUCTS = """
[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = "name"
fields.category = { value = "odd" }
fields.unitPrice = "price"
fields.currency = { value = "EUR" }
"""
ODD_LINES = [
    r'{"sku": "ODD-1", "name": "good", "price": "1"}',
    r'{"sku": "ODD-2", "name": "x \\u0000 \u0000 y", "price": "none"}',
    r'{"sku": "ODD-3", "price": "none", "\ud800": ["\ud800", {"a\u0000": 1e999}]}',
    r'{"sku": "ODD-4", "price": NaN}',
    r'{"sku": "ODD-5", "name": "good", "price": "2"}',
]


async def test_refused_lines_may_hold_what_json_and_the_database_do_not(northwind_client: HubClient) -> None:
    job = await run_import(northwind_client, ODD_PRODUCTS, "\n".join(ODD_LINES))
    assert (job["status"], job["counts"]) == ("SUCCEEDED", {"Product.created": 2, "rejected": 3}), job
    assert [reject["line"] for reject in job["rejects"]] == [2, 3, 4]
    assert job["rejects"][0]["record"]["name"] == "x \\u0000  y"


NUMBERS = """
[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = { value = "N" }
fields.category = { value = "numbers" }
fields.unitPrice = "price"
fields.currency = { value = "EUR" }
"""
PRICES = """query { products(filter: {category: {eq: "%s"}}) { nodes { sku unitPrice } } }"""


async def prices_of(client: HubClient, category: str) -> list[str]:
    """The prices of the products of a category, by SKU."""
    nodes = (await client.query(PRICES % category))["products"]["nodes"]
    return [node["unitPrice"] for node in sorted(nodes, key=lambda node: str(node["sku"]))]


async def test_a_decimal_comma_that_is_likely_decides_only_what_is_ambiguous(northwind_client: HubClient) -> None:
    cells = ("12,50", "12.50", "1,250", "1.234,56", "1.250")
    lines = "".join(f"N-{number};{price}\n" for number, price in enumerate(cells))
    job = await run_import(northwind_client, NUMBERS, f"sku;price\n{lines}")
    assert job["result"]["file"]["decimal"] == ","
    assert [(reject["line"], reject["argument"]) for reject in job["rejects"]] == [(6, "unitPrice")]
    stated = '[file]\ndecimal = ","\n' + NUMBERS
    job = await run_import(northwind_client, stated, "sku;price\nN-7;12.50\nN-8;1.250\n")
    assert [(reject["line"], reject["argument"]) for reject in job["rejects"]] == [(2, "unitPrice")]
    prices = await prices_of(northwind_client, "numbers")
    assert prices == ["12.5000", "12.5000", "1.2500", "1234.5600", "1250.0000"]


ORDERED = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [{ kind = "EXTERNAL_ID", column = "number", source = "order" }]
fields.name = "name"

[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = { value = "N" }
fields.category = { value = "ordered" }
fields.unitPrice = "price"
fields.currency = { value = "EUR" }
"""


async def test_the_last_line_of_a_row_counts_though_an_earlier_one_waits_for_another_row(
    northwind_client: HubClient,
) -> None:
    lines = ("A,Ann,S-1,1", "A,Anna,S-2,5", "B,Bea,S-2,7")  # the second waits for the first, the third for the second
    job = await run_import(northwind_client, ORDERED, "number,name,sku,price\n" + "\n".join(lines))
    assert (job["status"], job["counts"].get("rejected", 0)) == ("SUCCEEDED", 0), job
    assert await prices_of(northwind_client, "ordered") == ["1.0000", "7.0000"]


async def test_the_same_file_again_writes_nothing(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    before = await connection.fetchval(LOGGED)
    job = await run_import(northwind_client, MAPPING, FILE)
    assert job["counts"] == {"Customer.unchanged": 2, "Contact.unchanged": 1, "Order.unchanged": 2, "rejected": 3}
    assert await connection.fetchval(LOGGED) == before


async def test_a_dry_run_writes_nothing_and_says_what_would_be(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    before = await connection.fetchval(LOGGED)
    content = (
        HEADER
        + "A1,ada@shop-online.net,Ada Lovelace,Germany,,,,,\nA9,zoe@shop-online.net,Zoe,France,,,,,\nA0,x,Y,France,,,,,\n"
    )
    job = await run_import(northwind_client, MAPPING, content, dryRun=True)
    assert job["counts"] == {"Customer.created": 1, "Customer.updated": 1, "Identifier.created": 2, "rejected": 1}
    assert [reject["line"] for reject in job["rejects"]] == [4]
    assert await connection.fetchval(LOGGED) == before


LINE = "Q{n},q{m}@shop-online.net,{name},Germany,Eve,Boss,Q-{n},1,01.01.2026"


async def test_a_dry_run_says_of_distant_lines_what_the_import_does(northwind_client: HubClient) -> None:
    lines = [LINE.format(n=n, m=n, name=f"Q {n}") for n in range(510)]
    again = [LINE.format(n=n, m=n, name=f"Q {n}") for n in range(5)]  # nothing new
    renamed = [LINE.format(n=n, m=n, name="Renamed") for n in range(5, 10)]
    with_address = [LINE.format(n=n, m=f"{n}b", name=f"Q {n}") for n in range(10, 15)]
    known = "A2,bob@shop-online.net,{},France,,,,,"
    content = (
        HEADER + "\n".join([known.format("Bo"), *lines, *again, *renamed, *with_address, known.format("Bo")]) + "\n"
    )
    created = await run_import(northwind_client, MAPPING, content, mode="CREATE", dryRun=True)
    assert [(r["line"], r["code"]) for r in created["rejects"][:2]] == [(2, "ALREADY_EXISTS"), (513, "ALREADY_EXISTS")]
    assert created["counts"]["rejected"] == 17
    dry = await run_import(northwind_client, MAPPING, content, dryRun=True)
    real = await run_import(northwind_client, MAPPING, content)
    assert (dry["counts"], dry["rejects"]) == (real["counts"], [])
    assert real["counts"] == {
        "Customer.created": 510,
        "Customer.updated": 6,
        "Customer.unchanged": 11,
        "Identifier.created": 1_025,
        "Contact.created": 510,
        "Contact.unchanged": 15,
        "Order.created": 510,
        "Order.unchanged": 15,
    }


async def test_modes_refuse_what_they_do_not_do(northwind_client: HubClient) -> None:
    content = HEADER + "A1,ada@shop-online.net,Ada,Germany,,,,,\nB1,new@shop-online.net,New,France,,,,,\n"
    create = await run_import(northwind_client, MAPPING, content, mode="CREATE", dryRun=True)
    update = await run_import(northwind_client, MAPPING, content, mode="UPDATE", dryRun=True)
    assert [(r["line"], r["code"]) for r in create["rejects"]] == [(2, "ALREADY_EXISTS")]
    assert [(r["line"], r["code"]) for r in update["rejects"]] == [(3, "NOT_FOUND")]


async def test_a_faulty_mapping_is_refused_with_its_place(northwind_client: HubClient) -> None:
    faults = {
        "rows = 1": "rows: give",
        '[[rows]]\nentity = "Custmer"': "rows[0].entity: 'Custmer' is not a type whose rows an import writes; did you mean",
        '[[rows]]\nentity = "Product"\nfields.nam = "x"': "rows[0].fields.nam: 'nam' is not a field of Product",
        '[[rows]]\nentity = "Product"\nfields.sku = "sku"': "product: UPSERT needs `match`",
        MAPPING + "[[rows]]\n": "rows[3].entity",
        "[[rows]": "it is no TOML",
    }
    for mapping, message in faults.items():
        error = await northwind_client.error(START, {"input": {"mapping": mapping, "content": FILE}})
        assert (error["code"], error["argument"]) == ("MAPPING_INVALID", "input.mapping")
        assert message in error["message"], error["message"]


async def test_a_file_without_a_column_of_the_mapping_fails(northwind_client: HubClient) -> None:
    job = await run_import(northwind_client, MAPPING, "number,name\nA1,Ada\n")
    assert (job["status"], job["errorCode"]) == ("FAILED", "MAPPING_INVALID")
    assert "has no column 'country'; it has number, name" in job["reason"]


async def test_the_command_line_imports_a_file_and_stores_refused_lines(
    northwind_client: HubClient, run_command: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "shop.csv").write_bytes(
        FILE.replace("@shop", "@other")
        .replace("O-", "P-")
        .replace("\nA", "\nZ")
        .replace("Dora", "=Dora")
        .encode("utf-16")
    )
    (tmp_path / "map.toml").write_text(MAPPING)
    arguments = ("import", str(tmp_path / "shop.csv"), "--map", str(tmp_path / "map.toml"), "--json")
    code, output, errors = await run_command(*arguments, HUB_DATABASE_URL=northwind_client.dsn)
    assert code == 0, errors
    (report,) = json.loads(output)
    assert (report["status"], report["Customer.created"], report["rejected"]) == ("SUCCEEDED", 2, 3)
    assert report["file"]["encoding"] == "utf-16"
    with (tmp_path / "shop.csv.rejected.csv").open(encoding="utf-16") as stream:
        rejected = list(csv.DictReader(stream))
    assert [rejected[0][name] for name in ("$reject.line", "$reject.code", "number")] == ["5", "ARGUMENT_MISSING", "Z3"]
    assert list(rejected[0])[4:] == HEADER.strip().split(",")
    assert rejected[1]["name"] == "'=Dora"
    code, output, _ = await run_command("import", str(tmp_path / "shop.csv"), "--suggest", "Customer")
    assert (code, 'fields.name = "name"' in output, 'source = "shop"' in output) == (0, True, True)
    code, output, _ = await run_command("jobs", "undo", report["job"], "--json", HUB_DATABASE_URL=northwind_client.dsn)
    assert (code, json.loads(output)[0]["deleted"]) == (0, 9)
    (tmp_path / "shop.csv").write_text(HEADER + "Z1,zoe@other-online.net,Zoe,Germany,,,,,\n")
    code, output, _ = await run_command(*arguments, HUB_DATABASE_URL=northwind_client.dsn)
    assert (code, json.loads(output)[0]["rejects"], (tmp_path / "shop.csv.rejected.csv").exists()) == (0, None, False)


ITEMS = """
[[rows]]
entity = "Order"
match = "number"
fields.number = "order"
fields.customer = { identifier = "EXTERNAL_ID", source = "northwind", value = "ALFKI" }
fields.currency = { value = "EUR" }

[[rows]]
entity = "OrderItem"
match = ["order", "product"]
fields.product = { find = "sku", column = "sku" }
fields.quantity = "quantity"
fields.unitPrice = { value = "1.50" }
"""
ORDERS = """{ orders(filter: {number: {startsWith: "IT-"}}, orderBy: [{field: PLACED_AT}]) { nodes {
    number net items(orderBy: [{field: LINE}]) { nodes { line product { sku } } } } } }"""


async def test_items_of_new_and_of_stored_orders_are_numbered_as_they_come(northwind_client: HubClient) -> None:
    for content in (
        "order,sku,quantity\nIT-1,NW-001,2\nIT-2,NW-001,1\nIT-1,NW-002,x\nIT-1,NW-003,2\n",
        "order,sku,quantity\nIT-1,NW-004,1\nIT-1,NW-002,1\n",
    ):
        job = await run_import(northwind_client, ITEMS, content)
        assert job["status"] == "SUCCEEDED", job
    nodes = (await northwind_client.query(ORDERS))["orders"]["nodes"]
    assert {node["number"]: (node["net"], [i["product"]["sku"] for i in node["items"]["nodes"]]) for node in nodes} == {
        "IT-1": ("9.0000", ["NW-001", "NW-003", "NW-004", "NW-002"]),
        "IT-2": ("1.5000", ["NW-001"]),
    }
    assert [[item["line"] for item in node["items"]["nodes"]] for node in nodes if node["number"] == "IT-1"] == [
        [1, 2, 3, 4]
    ]


PRODUCTS = """
[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = "sku"
fields.category = { value = "Many" }
fields.unitPrice = { value = "1" }
fields.currency = { value = "EUR" }
"""
CANCEL = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { id } } }"


def many_products(prefix: str) -> str:
    """A file of so many products that it takes a while, within the limit of a request."""
    return "sku\n" + "".join(f"{prefix}{number}\n" for number in range(20_000))


async def test_two_imports_move_at_once_and_a_cancelled_one_says_what_it_wrote(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    jobs = [await start_import(northwind_client, PRODUCTS, many_products(prefix)) for prefix in ("M", "N")]
    for job in jobs:
        await wait_for_end(northwind_client, job, has_begun)
    for job in jobs:
        await northwind_client.query(CANCEL, {"id": job})
    for job, prefix in zip(jobs, ("M", "N"), strict=True):
        row = await wait_for_end(northwind_client, job)
        written = await connection.fetchval("select count(*) from products where sku ~ $1", f"^{prefix}[0-9]+$")
        assert (row["status"], row["counts"]) == ("CANCELLED", {"Product.created": written})
        assert 0 < row["done"] == written < 20_000
