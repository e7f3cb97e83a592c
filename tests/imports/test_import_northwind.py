"""Northwind comes through its shipped mappings: row for row what it was when the demo copied rows of its own.

The numbers that no telephone has by today's rules are left out, and the others are in the normal form of their country."""

from importlib import resources

import asyncpg
import pytest
import random_runs
from imports_client import run_import
from writer_client import HubClient

FILES = ("products", "customers", "orders", "order_details")
# Number of rows, and a digest of all columns that they had then: ids, times and versions too.
COPIED = {
    "products": (77, "e77f1b2fda02943f382bdc342f6137f3"),
    "customers": (91, "9f0a84c7bde85b6fab2bc09ae066b005"),
    "identifiers": (206, "9873476ab714428177153bc0569af6fd"),
    "contacts": (91, "b5f3e5e5d38562be4618d5ec2ce83c69"),
    "contact_points": (115, "f4fc1668d3f21c3f7a63382211d3f5ef"),
    "addresses": (91, "924396f73020dc5e41e112f250093bb7"),
    "orders": (830, "f91d8527dae1ad9ab88f9a7c1947f136"),
    "order_items": (2155, "0784440e3e1a143bbe48df60e93d3ed6"),
}
DIGEST = """
select count(*), md5(string_agg((to_jsonb(t) - array['born_on', 'former_ids'])::text, '|' order by id)) from {} as t
"""
LOGGED = "select count(*) from change_log where table_name <> 'jobs'"


async def test_the_demo_is_what_was_copied(demo_dsn: str) -> None:
    connection = await asyncpg.connect(demo_dsn)
    imported = {table: tuple(await connection.fetchrow(DIGEST.format(table)) or ()) for table in COPIED}
    await connection.close()
    assert imported == COPIED


def first_orders(text: str, count: int) -> str:
    """The lines of the first so many orders of a file."""
    header, *lines = text.splitlines()
    numbers = sorted({line.split(",")[0] for line in lines})[:count]
    return "\n".join([header, *(line for line in lines if line.split(",")[0] in numbers)])


async def test_the_files_again_change_nothing(
    northwind_client: HubClient, connection: asyncpg.Connection, pytestconfig: pytest.Config
) -> None:
    count = random_runs.size("orders of Northwind", pytestconfig)
    folder = resources.files("hub.demo").joinpath("northwind")
    before = await connection.fetchval(LOGGED)
    for name in FILES:
        mapping, content = (folder.joinpath(f"{name}.{suffix}").read_text("utf-8") for suffix in ("toml", "csv"))
        content = first_orders(content, count) if name.startswith("order") else content
        job = await run_import(northwind_client, mapping, content)
        assert (job["status"], job["rejects"]) == ("SUCCEEDED", []), job
        assert not any(count.endswith((".created", ".updated")) for count in job["counts"])
    assert await connection.fetchval(LOGGED) == before
