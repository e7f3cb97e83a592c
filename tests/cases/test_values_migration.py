"""Rows as an earlier hub stored them, after the migration that gives stored values their normal forms."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from conftest import CreateDatabase
from old_database import run_alembic
from writer_client import HubClient, open_hub_client

from hub.cli import main
from hub.db import migrate

ROOT = UUID(int=1)
TWINS = (  # kind, source, what was stored: the oldest first
    ("TAX_ID", "crm", ("DE 136 695 976", "DE136695976", "de136695976", "DE-136695976")),
    ("LOYALTY_ID", "till", ("1234567", "123-4567")),
    ("EXTERNAL_ID", "shop", ("K-a\u03081", "K-ä1", "\ufeffK-ä1")),
    ("EMAIL", "shop", ("NORA@home.org", "nora@home.org")),
)
BY = "query ($by: CustomerByIdentifier!) { customerBy(identifier: $by) { name reviews { nodes { reason } } } }"
IDENTIFIERS = """query ($filter: IdentifierFilter) { customers(filter: {identifiers: {some: $filter}}) {
    nodes { name reviews { nodes { reason other { name } } } identifiers(filter: $filter) { nodes { value } } }
} }"""


def customer_key(kind: str, number: int) -> UUID:
    return UUID(int=(len(kind) * 100 + ord(kind[0])) * 1000 + number + 10)


async def insert_rows(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "insert into org_units (id, code, name, kind, path) values ($1, 'root', 'Root\u200b', 'GROUP', 'root')", ROOT
    )
    for kind, source, spellings in TWINS:
        for number, spelling in enumerate(spellings):
            key = customer_key(kind, number)
            await connection.execute(
                """insert into customers (id, kind, name, status, stage, tier, unit_id, country, language)
                values ($1, 'PERSON', $2, 'ACTIVE', 'PROSPECT', 'STANDARD', $3, 'DE', $4)""",
                key,
                f"{kind} {number}",
                ROOT,
                ("deu", "de")[number % 2],
            )
            await connection.execute(
                """insert into identifiers (id, customer_id, kind, value, normalized, source, verified)
                values ($1, $1, $2, $3, $4, $5, false)""",
                key,
                kind,
                f" {spelling}" if kind == "LOYALTY_ID" else spelling,
                spelling,
                source,
            )
    numbers = ("N-a\u03081", "N-ä1", "N-ä1\u200b", "P-e\u0301", "Q-1")
    for number, text in enumerate(numbers, 1):
        await connection.execute(
            """insert into orders (id, customer_id, unit_id, number, status, placed_at, currency, net)
            values ($1, $2, $3, $4, 'PLACED', now(), 'EUR', 1)""",
            UUID(int=number),
            customer_key("TAX_ID", 0),
            ROOT,
            text,
        )
    await connection.execute(
        "insert into contacts (id, customer_id, name) values ($1, $2, 'Zoe\u0308')", ROOT, customer_key("TAX_ID", 0)
    )
    await connection.execute(
        """insert into contact_points (id, customer_id, contact_id, kind, value, country) values
        ($1, $2, $3, 'PHONE', '030 123456', 'DE'), ($3, $2, $3, 'FAX', '030 123456 fax', 'DE')""",
        UUID(int=2),
        customer_key("TAX_ID", 0),
        ROOT,
    )


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def migrated_client(create_database: CreateDatabase) -> AsyncIterator[HubClient]:
    dsn = await create_database("template0")
    await run_alembic(dsn, command.upgrade, "0013")
    async with connected(dsn) as connection:
        await insert_rows(connection)
    await migrate.upgrade(dsn)
    async with open_hub_client(dsn) as client:
        yield client


@pytest.mark.parametrize(("kind", "source", "spellings"), TWINS, ids=[kind for kind, _, _ in TWINS])
async def test_v6_an_identifier_finds_the_oldest_twin_in_every_spelling(
    migrated_client: HubClient, kind: str, source: str, spellings: tuple[str, ...]
) -> None:
    for spelling in spellings:
        by = {"kind": kind, "value": spelling, "source": source}
        customer = (await migrated_client.query(BY, {"by": by}))["customerBy"]
        assert customer == {"name": f"{kind} 0", "reviews": {"nodes": []}}


@pytest.mark.parametrize(("kind", "source", "spellings"), TWINS, ids=[kind for kind, _, _ in TWINS])
async def test_v6_the_younger_twins_are_named_in_reviews_and_found_by_their_value(
    migrated_client: HubClient, kind: str, source: str, spellings: tuple[str, ...]
) -> None:
    found = {}
    for spelling in spellings:
        condition = {"kind": {"eq": kind}, "value": {"eq": spelling}}
        for node in (await migrated_client.query(IDENTIFIERS, {"filter": condition}))["customers"]["nodes"]:
            found[node["name"]] = node
    assert sorted(found) == [f"{kind} {number}" for number in range(len(spellings))]
    for name, node in found.items():
        others = [review["other"]["name"] for review in node["reviews"]["nodes"]]
        assert others == ([] if name == f"{kind} 0" else [f"{kind} 0"])
        assert all(review["reason"].startswith(f"{kind} ") for review in node["reviews"]["nodes"])


async def test_v5_of_two_numbers_the_oldest_gets_the_normal_form_and_both_stay(migrated_client: HubClient) -> None:
    async with connected(migrated_client.dsn) as connection:
        numbers = [row["number"] for row in await connection.fetch("select number from orders order by id")]
    assert numbers == ["N-ä1", "N-a\u03081", "N-ä1\u200b", "P-é", "Q-1"]
    by_number = "query ($f: StringFilter) { orders(filter: {number: $f}) { nodes { id } } }"
    found = await migrated_client.query(by_number, {"f": {"eq": "\ufeffN-a\u03081"}})
    assert found["orders"]["nodes"] == [{"id": f"ord_{UUID(int=1).hex}"}]


async def test_v8_languages_names_and_numbers_have_their_normal_forms(migrated_client: HubClient) -> None:
    async with connected(migrated_client.dsn) as connection:
        assert await connection.fetchval("select array_agg(distinct language) from customers") == ["de"]
        assert await connection.fetchval("select name from contacts") == "Zoë"
        assert await connection.fetchval("select name from org_units") == "Root"
        points = await connection.fetch("select kind, value from contact_points order by kind")
        assert [tuple(point) for point in points] == [("FAX", "030 123456 fax"), ("PHONE", "+4930123456")]


async def test_v6_nothing_is_lost_and_history_has_what_stood_there(migrated_client: HubClient) -> None:
    query = """query ($by: CustomerByIdentifier!) { customerBy(identifier: $by) {
        identifiers { nodes { value normalized version history { nodes { operation changedFields } } } }
    } }"""
    by = {"kind": "TAX_ID", "value": "DE136695976"}
    (oldest,) = (await migrated_client.query(query, {"by": by}))["customerBy"]["identifiers"]["nodes"]
    assert (oldest["value"], oldest["normalized"], oldest["version"]) == ("DE 136 695 976", "DE136695976", 2)
    assert oldest["history"]["nodes"][0] == {"operation": "UPDATE", "changedFields": ["normalized"]}
    async with connected(migrated_client.dsn) as connection:
        stored = {row["normalized"] for row in await connection.fetch("select normalized from identifiers")}
        count = await connection.fetchval("select count(*) from identifiers")
    assert count == sum(len(spellings) for _, _, spellings in TWINS) == len(stored)


async def test_v6_the_doctor_lists_what_is_not_in_its_normal_form(
    migrated_client: HubClient,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HUB_DATABASE_URL", migrated_client.dsn)
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HUB_PORT", "0")
    monkeypatch.setattr(sys, "argv", ["hub", "doctor"])
    with pytest.raises(SystemExit, match="1"):
        await asyncio.to_thread(main)
    report = "".join(capfd.readouterr().out.split())  # the table breaks lines anywhere
    assert report.count("problem") == 1
    assert report.count("Identifieridn_") == 3 + 1 + 2 + 1
    assert report.count("Orderord_") == 2
    assert f"Identifieridn_{customer_key('TAX_ID', 1).hex}TAX_ID'DE136695976'ofcrm" in report
    assert f"Orderord_{UUID(int=2).hex}number{'N-a' + chr(0x308) + '1'!r}" in report


async def test_v6_a_second_run_changes_nothing(migrated_client: HubClient) -> None:
    async with connected(migrated_client.dsn) as connection:
        rows = "select (select max(id) from change_log) as last, (select count(*) from identity_reviews) as reviews"
        before = await connection.fetchrow(rows)
        await run_alembic(migrated_client.dsn, command.downgrade, "0013")
        await migrate.upgrade(migrated_client.dsn)
        assert await connection.fetchrow(rows) == before
        assert before is not None
        assert before["reviews"] == 3 + 1 + 2 + 1
