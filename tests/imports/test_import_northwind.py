"""Northwind through its shipped mappings is the Northwind of the demo, row for row, but for ids, times and versions.

What the demo decides itself is left out: units, owners, stages, tiers, and who ordered. So are the numbers that no telephone
has by today's rules: the demo stores them as they are."""

from contextlib import suppress
from importlib import resources

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase
from imports_client import run_import
from writer_client import open_hub_client

from hub.domain.customers.customers import canonical_identifier
from hub.errors import BadInput
from hub.model import validators
from hub.schema.customers.customers import IdentifierKind

FILES = ("products", "customers", "orders", "order_details")
OF_CUSTOMER = "(select i.value from identifiers as i where i.customer_id = t.{} and i.kind = 'EXTERNAL_ID') as customer"
COMPARED = {
    "products": "sku, name, category, packaging, unit_price, currency, discontinued",
    "customers": f"kind, name, status, country, language, currency, attributes, {OF_CUSTOMER.format('id')}",
    "identifiers": f"kind, value, normalized, verified, source, {OF_CUSTOMER.format('customer_id')}",
    "contacts": f"name, title, is_primary, language, {OF_CUSTOMER.format('customer_id')}",
    "contact_points": f"kind, value, country, verified, preferred, {OF_CUSTOMER.format('customer_id')}",
    "addresses": f"kind, street, city, region, postal_code, country, {OF_CUSTOMER.format('customer_id')}",
    "orders": "number, status, placed_at, required_at, shipped_at, currency, net, freight, total, ship_to, ship_city, "
    f"ship_country, (select number from staff where id = t.staff_id) as staff, {OF_CUSTOMER.format('customer_id')}",
    "order_items": "line, quantity, unit_price, discount, currency, net, (select sku from products where id = t.product_id), "
    f"(select number from orders where id = t.order_id) as number, {OF_CUSTOMER.format('customer_id')}",
}
# Everything but who works where.
FORGET = "delete from customers; delete from products"


async def rows(connection: asyncpg.Connection, table: str) -> list[str]:
    """The compared columns of a table's rows, as texts."""
    records = await connection.fetch(
        f"select r::text from (select {COMPARED[table]} from {table} as t) as r order by 1"
    )
    return [record[0] for record in records]


def is_of_today(value: str, country: str) -> bool:
    """Whether a number of Northwind is one of a telephone by today's rules."""
    with suppress(BadInput):
        return canonical_identifier(IdentifierKind.PHONE, value, country) != ""
    return False


async def with_numbers_of_today(connection: asyncpg.Connection) -> None:
    """Makes the demo's numbers what today's rules store: normal forms, and none that no telephone has."""
    for table in ("identifiers", "contact_points"):
        country = (
            "t.country" if table == "contact_points" else "(select country from customers where id = t.customer_id)"
        )
        records = await connection.fetch(
            f"select id, value, {country} from {table} as t where kind in ('PHONE', 'FAX')"
        )
        for key, value, region in records:
            if not is_of_today(value, region):
                await connection.execute(f"delete from {table} where id = $1", key)
            elif table == "contact_points":
                await connection.execute(
                    f"update {table} set value = $2 where id = $1", key, validators.phone(value, region)
                )


def first_orders(text: str, column: int, count: int) -> str:
    """The lines of the first so many orders of a file."""
    header, *lines = text.splitlines()
    numbers = sorted({line.split(",")[column] for line in lines})[:count]
    return "\n".join([header, *(line for line in lines if line.split(",")[column] in numbers)])


async def test_northwind_by_its_mappings_is_the_demos(
    create_database: CreateDatabase, demo_dsn: str, pytestconfig: pytest.Config
) -> None:
    count = random_runs.size("orders of Northwind", pytestconfig)
    dsn = await create_database("northwind")
    connection = await asyncpg.connect(dsn)
    await connection.execute("set hub.capture = 'off'")
    await with_numbers_of_today(connection)
    await connection.execute("delete from interactions")
    await connection.execute(
        "delete from orders where number not in (select number from orders order by 1 limit $1)", count
    )
    expected = {table: await rows(connection, table) for table in COMPARED}
    await connection.execute(FORGET)
    folder = resources.files("hub.demo").joinpath("northwind")
    async with open_hub_client(dsn) as client:
        for name in FILES:
            mapping, content = (folder.joinpath(f"{name}.{suffix}").read_text("utf-8") for suffix in ("toml", "csv"))
            content = first_orders(content, 0, count) if name.startswith("order") else content
            for turn in range(2):
                job = await run_import(client, mapping, content)
                assert (job["status"], job["rejects"]) == ("SUCCEEDED", []), job
                assert turn == 0 or not any(count.endswith((".created", ".updated")) for count in job["counts"])
    imported = {table: await rows(connection, table) for table in COMPARED}
    assert imported == expected
    await connection.close()
