"""Domains for tests, and rows that SQL inserts beside the API."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import CreateDatabase
from writer_client import HubClient, open_hub_client

from hub.settings import Settings

IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { outcome customer { id } } }"
BY = "query ($by: CustomerByIdentifier!) { customerBy(identifier: $by) { id } }"
ROOT = "insert into org_units (code, name, kind, path) values ('root', 'Root', 'GROUP', 'root')"
DEFAULTS = "select kind, status, stage, tier, unit_id = (select id from org_units where code = 'root') from customers"


def identify_variables(address: str) -> dict[str, object]:
    return {"input": {"identifiers": [{"kind": "EMAIL", "value": address}], "source": "shop"}}


@pytest.fixture(scope="module")
async def staging_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    async with open_hub_client(await create_database("northwind"), Settings(email_test_domains=True)) as client:
        yield client


@pytest.mark.parametrize("address", ["nora@shop.test", "Nora@mail.SHOP.test", "nóra@bücher.test"])
async def test_s9_test_domains_are_accepted_where_the_setting_says_so(staging_client: HubClient, address: str) -> None:
    customer = (await staging_client.query(IDENTIFY, identify_variables(address)))["identify"]["customer"]
    by = {"kind": "EMAIL", "value": address.upper()}
    assert (await staging_client.query(BY, {"by": by}))["customerBy"] == customer


@pytest.mark.parametrize("address", ["nora@localhost", "nora@mail.invalid", "nora@printer.local", "nora@test"])
async def test_s9_other_special_domains_stay_refused(staging_client: HubClient, address: str) -> None:
    error = await staging_client.error(IDENTIFY, identify_variables(address))
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].value")


async def test_s10_sql_inserts_rows_with_the_api_s_defaults(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    try:
        await connection.execute(ROOT)
        await connection.execute("insert into customers (name) values ('Ann')")
        await connection.copy_records_to_table("customers", records=[("Ben",), ("Cem",)], columns=["name"])
        rows = [tuple(row) for row in await connection.fetch(DEFAULTS)]
        assert rows == [("PERSON", "ACTIVE", "PROSPECT", "STANDARD", True)] * 3
        order = """insert into orders (customer_id, unit_id, number, currency, net)
            select id, unit_id, 'R-1', 'EUR', 1 from customers where name = 'Ann'
            returning status, freight, placed_at = now()"""
        assert [tuple(row) for row in await connection.fetch(order)] == [("PLACED", 0, True)]
        assert await connection.fetchval("select count(*) from change_log where table_name = 'customers'") == 3
        # Two roots: no unit follows, so that the row must name one.
        await connection.execute(ROOT.replace("root", "other"))
        with pytest.raises(asyncpg.NotNullViolationError, match="unit_id"):
            await connection.execute("insert into customers (name) values ('Dan')")
    finally:
        await connection.close()


async def test_s10_the_api_asks_for_what_has_no_default_alone(staging_client: HubClient) -> None:
    document = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { kind stage } } }"
    created = await staging_client.query(document, {"input": {"name": "Ann"}})
    assert created["customerCreate"]["customer"] == {"kind": "PERSON", "stage": "PROSPECT"}
    error = await staging_client.error(document, {"input": {"name": "Ann", "kind": None}})
    assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", "input.kind")
