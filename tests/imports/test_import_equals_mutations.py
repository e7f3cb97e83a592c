"""An import writes what the mutations would write one by one, and refuses what they refuse, with the same code and argument.

Random lines and mappings are imported, read, undone, and written again by mutations. Undoing leaves nothing behind."""

import csv
import io
import json
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg
import pytest
import random_runs
from conftest import create_api_key
from imports_client import START, run_import, undo_import
from writer_client import HubClient

BATCH = 40
ANY = [
    "",
    "x",
    "-1",
    "0",
    "1.5",
    "99999999999999999",
    "0x1",
    " a  b ",
    "\u200b",
    "DE",
    "de",
    "é" * 5_000,
    "null",
    '"',
    "1e3",
]
NUMBERS = ["0", "1", "12.50", "-3", "1.23456", "1e20", "", "n", "7"]
CODES = ["EUR", "eur", "USD", "XXX", "", "€", "DE", "DEM"]
SOURCE = "property"


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity, its upsert, and the values that its fields are drawn from; the first one finds existing rows."""

    entity: str
    root: str
    fields: Mapping[str, list[str]]
    constant: Mapping[str, Any]
    table: str

    @property
    def key(self) -> str:
        return next(iter(self.fields))


SUBJECTS = (
    Subject(
        "Product",
        "productUpsert",
        {
            "sku": ["P1", "P2", " P3", "p3", *ANY[1:6]],
            "name": ["Nail", "Screw", *ANY],
            "category": ["Iron", "Wood", ""],
            "unitPrice": NUMBERS,
            "currency": CODES,
            "packaging": ["", "box", "\t"],
            "discontinued": ["true", "false", ""],
        },
        {},
        "products",
    ),
    Subject(
        "Customer",
        "customerUpsert",
        {
            "number": ["1", "2", "3", " 4", "null", "anonymous", "e\u0301", "é"],
            "name": ["Ada", "Bob", *ANY],
            "country": CODES,
            "language": ["de", "xx-yy-zz", "", "zh-Hant", "german"],
            "currency": CODES,
            "kind": ["PERSON", "ORGANISATION", "", "ROBOT"],
        },
        {},
        "customers",
    ),
    Subject(
        "Order",
        "orderUpsert",
        {
            "number": ["O1", "O2", "O3", *ANY[1:5]],
            "currency": CODES,
            "net": NUMBERS,
            "freight": NUMBERS,
            "status": ["", "DRAFT", "PLACED", "SHIPPED", "LOST"],
            "shipCity": ["", "Rome", *ANY],
            "shipCountry": CODES,
            "reason": ["", "broken", "late"],
        },
        {},
        "orders",
    ),
)


def draw(subject: Subject, rng: random.Random) -> tuple[list[str], list[dict[str, str]]]:
    """Random columns, with the key, and random lines."""
    others = [name for name in subject.fields if name != subject.key]
    names = [subject.key, *rng.sample(others, rng.randint(2, len(others)))]
    lines = [{name: rng.choice(subject.fields[name]) for name in names} for _ in range(BATCH)]
    return names, [line for line in lines if line[subject.key].strip()]  # without a key, no row can be found


def mapping_of(subject: Subject, names: list[str]) -> str:
    """The mapping that gives each field the column of its name."""
    lines = ["[[rows]]", f'entity = "{subject.entity}"']
    if subject.entity == "Customer":
        lines += [
            'match = "identifiers"',
            f'identifiers = [{{ kind = "EXTERNAL_ID", column = "number", source = "{SOURCE}" }}]',
        ]
    else:
        lines.append(f'match = "{subject.key}"')
    if subject.entity == "Order":
        lines.append('fields.customer = { identifier = "EXTERNAL_ID", source = "northwind", value = "ALFKI" }')
    lines += [
        f'fields.{n} = {{ column = "{n}", decimal = "." }}'
        for n in names
        if (subject.entity, n) != ("Customer", "number")
    ]
    return "\n".join(lines)


class Refusal(NamedTuple):
    """Why a line is refused: without what the two ways name differently, the input and the place of the key."""

    code: str
    argument: str
    message: str


def refusal(subject: Subject, code: str, argument: str | None, message: str) -> Refusal:
    """A refusal with the places of the file's columns, as both ways would name it."""
    for path in (
        f"by.{subject.key}",
        "by.external.externalId",
        "by.external.value",
        "external.value",
        "identifiers[0].value",
    ):
        message, argument = message.replace(path, subject.key), (argument or "").replace(path, subject.key)
    return Refusal(code, (argument or "").removeprefix("$").removeprefix("input."), message.replace("input.", ""))


def untyped(refusals: Mapping[int, Refusal], lines: Collection[int]) -> dict[int, Refusal]:
    """Refusals without the texts of those that GraphQL's types refuse before a rule sees the value."""
    return {n: Refusal("VALUE_INVALID", r.argument, "") if n in lines else r for n, r in refusals.items()}


async def write(client: HubClient, subject: Subject, line: Mapping[str, str]) -> Refusal | None:
    """Writes a line by the upsert; returns why it is refused, if it is."""
    values: dict[str, Any] = {name: cell for name, cell in line.items() if cell.strip()}
    sought = values.pop(subject.key, "")
    by: dict[str, Any] = {subject.key: sought}
    if subject.entity == "Customer":
        by = {"external": {"source": SOURCE, "externalId": sought}}
    if subject.entity == "Order":
        values["identifier"] = {"kind": "EXTERNAL_ID", "source": "northwind", "value": "ALFKI"}
    if "discontinued" in values:
        values["discontinued"] = values["discontinued"] == "true"
    name = subject.root[0].upper() + subject.root[1:]
    document = f"mutation ($input: {name}Input!) {{ {subject.root}(input: $input) {{ __typename }} }}"
    response = await client.execute(document, {"input": {"by": by, **values}})
    if not response.get("errors"):
        return None
    (error,) = response["errors"]
    return refusal(subject, error["extensions"]["code"], error["extensions"].get("argument"), error["message"])


async def rows(connection: asyncpg.Connection, table: str) -> list[str]:
    """The rows of a table without what no two runs share."""
    ignored = "'id' - 'version' - 'created_at' - 'updated_at' - 'search_text' - 'placed_at'"
    records = await connection.fetch(f"select (to_jsonb(t) - {ignored})::text as r from {table} as t order by 1")
    return [record["r"] for record in records]


def in_csv(names: list[str], lines: list[dict[str, str]]) -> tuple[str, list[int]]:
    """The lines as CSV, and the number of the first line of each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    numbers = []
    for line in lines:
        numbers.append(text.getvalue().count("\n") + 1)
        writer.writerow([line[name] for name in names])
    return text.getvalue(), numbers


async def test_an_import_writes_and_refuses_what_mutations_do(
    northwind_client: HubClient, connection: asyncpg.Connection, seed: int, pytestconfig: pytest.Config
) -> None:
    rng = random.Random(seed)
    for round_number in range(random_runs.size("lines that are imported and written", pytestconfig) // BATCH):
        subject = SUBJECTS[round_number % len(SUBJECTS)]
        names, lines = draw(subject, rng)
        content, numbers = in_csv(names, lines)
        before = await rows(connection, subject.table)
        job = await run_import(northwind_client, mapping_of(subject, names), content)
        assert job["status"] == "SUCCEEDED", (job["reason"], mapping_of(subject, names))
        imported = await rows(connection, subject.table)
        refused = {r["line"]: refusal(subject, r["code"], r["argument"], r["message"]) for r in job["rejects"]}
        if imported != before:
            undone = await undo_import(northwind_client, job["id"])
            assert (undone["status"], undone["rejects"]) == ("SUCCEEDED", [])
        assert await rows(connection, subject.table) == before
        written = {
            number: await write(northwind_client, subject, line) for number, line in zip(numbers, lines, strict=True)
        }
        expected = {number: error for number, error in written.items() if error is not None}
        shown = json.dumps(dict(zip(numbers, lines, strict=True)), ensure_ascii=False)[:3_000]
        by_type = {number for number, error in expected.items() if error.code == "VARIABLE_INVALID"}
        refused, expected = untyped(refused, by_type), untyped(expected, by_type)
        assert refused == expected, (
            subject.entity,
            {k: (refused.get(k), written.get(k)) for k in {*refused, *expected} if refused.get(k) != expected.get(k)},
            shown,
        )
        assert await rows(connection, subject.table) == imported, (mapping_of(subject, names), shown)


BY_IDENTIFIERS = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [{ kind = "EXTERNAL_ID", column = "id", SOURCE }, { kind = "EMAIL", column = "mail", SOURCE }]
fields.name = "name"
"""
UPDATER = [
    {"entity": "Customer", "verbs": ["READ", "UPDATE"]},
    {"entity": "Identifier", "verbs": ["READ"]},
    {"entity": "Job", "verbs": ["READ", "CREATE"]},
    {"entity": "ImportReject", "verbs": ["READ"]},
]
ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"


async def test_updates_ask_for_the_rights_that_their_lines_need(northwind_client: HubClient) -> None:
    await northwind_client.query(ROLE, {"input": {"name": "updater", "rules": UPDATER}})
    key = await create_api_key(northwind_client.dsn, "updater")
    client = HubClient(northwind_client.dsn, northwind_client.app, key)
    mapping = BY_IDENTIFIERS.replace("SOURCE", 'source = "northwind"')
    content = "id,mail,name\nALFKI,,Alfred\nANATR,ana@trujillo.mx,Ana\nALFKI,,Alfred\n"
    job = await run_import(client, mapping, content, mode="UPDATE")
    assert job["counts"] == {"Customer.updated": 1, "Customer.unchanged": 1, "rejected": 1}
    assert [(reject["line"], reject["code"]) for reject in job["rejects"]] == [(3, "FORBIDDEN")]
    assert (await client.error(START, {"input": {"mapping": mapping, "content": content}}))["code"] == "FORBIDDEN"


async def test_identifiers_that_find_nobody_are_refused_with_the_remedy(northwind_client: HubClient) -> None:
    refused = {
        "verified = false": "rows[0].identifiers[0].source: say which system it is of, such as source",
        'source = "nortwind"': "customer: no customer has such identifiers of the source 'nortwind', so UPDATE finds nobody",
    }
    for words, message in refused.items():
        variables = {"mapping": BY_IDENTIFIERS.replace("SOURCE", words), "content": "id,mail,name\n", "mode": "UPDATE"}
        error = await northwind_client.error(START, {"input": variables})
        assert (error["code"], message in error["message"]) == ("MAPPING_INVALID", True), error["message"]


LINK = """
[[rows]]
entity = "Order"
match = "number"
fields.number = "order"
fields.customer = { identifier = "PHONE", column = "phone", country = { value = "DE" } }
fields.currency = { value = "EUR" }
"""


async def test_a_link_without_a_source_finds_the_customer_of_any_system(northwind_client: HubClient) -> None:
    job = await run_import(northwind_client, LINK, "order,phone\nL-1,030 / 007 43 21\nL-2,030 111 22 33\n")
    assert [(reject["line"], reject["code"]) for reject in job["rejects"]] == [(3, "NOT_FOUND")]
    identifiers = 'customer { identifiers(filter: {value: {eq: "ALFKI"}}) { totalCount } }'
    query = f'{{ orders(filter: {{number: {{eq: "L-1"}}}}) {{ nodes {{ {identifiers} }} }} }}'
    assert (await northwind_client.query(query))["orders"]["nodes"] == [
        {"customer": {"identifiers": {"totalCount": 1}}}
    ]


NAMED = """
[[rows]]
entity = "Product"
match = "sku"
fields.sku = "sku"
fields.name = "name"
fields.category = { value = "Order" }
fields.unitPrice = { value = "1" }
fields.currency = { value = "EUR" }
"""


async def test_lines_of_one_row_are_written_in_their_order(northwind_client: HubClient) -> None:
    job = await run_import(northwind_client, NAMED, "sku,name\nS-1,A\nS-1,B\nS-1,A\nS-1,A\n")
    assert job["counts"] == {"Product.created": 1, "Product.updated": 2}
    names = await northwind_client.query('{ products(filter: {category: {eq: "Order"}}) { nodes { name } } }')
    assert names["products"]["nodes"] == [{"name": "A"}]
