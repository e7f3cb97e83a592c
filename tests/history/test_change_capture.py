"""What the triggers of every table of the graph write, and what they refuse: past the hub, as anybody with a client might."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from change_workload import open_connections

from hub.db.pool import Connection

ADD = "insert into products (sku, name, category, unit_price, currency) values ($1, $1, 'c', 1, 'EUR') returning id"
MAKE_CUSTOMER = """
with unit as (insert into org_units (code, name, kind, path) values ('all', 'All', 'GROUP', 'all') returning id)
insert into customers (kind, name, status, stage, tier, unit_id)
select 'PERSON', 'Ada', 'ACTIVE', 'ACTIVE', 'GOLD', id from unit returning id
"""
CHANGES = """
select operation, version, changed, before->>'name' as before, after->>'name' as after
from change_log where table_name = 'products' order by id
"""


@pytest.fixture
async def connection(database_dsn: str) -> AsyncIterator[Connection]:
    async with open_connections(database_dsn, 1) as (opened,):
        yield opened


async def logged_changes(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(record) for record in await connection.fetch(CHANGES)]


async def test_a_row_is_logged_from_its_first_day_to_its_last(connection: Connection) -> None:
    key = await connection.fetchval(ADD, "one")
    await connection.execute("update products set name = 'two', unit_price = 2 where id = $1", key)
    await connection.execute("delete from products where id = $1", key)
    (created, edited, gone) = await logged_changes(connection)
    assert (created[0], created[1], created[3:]) == ("CREATE", 1, (None, "one"))
    assert edited == ("UPDATE", 2, ["name", "unit_price"], "one", "two")
    assert (gone[0], gone[1], gone[3:]) == ("DELETE", 2, ("two", None))
    assert (
        created[2]
        == gone[2]
        == await connection.fetchval(
            "select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'products'::regclass"
            " and attnum > 0 and attname not in ('version', 'updated_at', 'search_text')"
        )
    )


async def test_one_statement_logs_exactly_the_rows_that_it_changes(connection: Connection) -> None:
    for name in ("one", "two", "three"):
        await connection.fetchval(ADD, name)
    await connection.execute("update products set name = 'two'")
    assert (await logged_changes(connection))[3:] == [("UPDATE", 2, ["name"], name, "two") for name in ("one", "three")]
    assert sorted(product["version"] for product in await connection.fetch("select version from products")) == [1, 2, 2]


async def test_a_writer_who_counts_by_himself_is_left_alone(connection: Connection) -> None:
    await connection.fetchval(ADD, "one")
    await connection.execute("update products set name = 'two', version = 7, updated_at = '2020-01-01'")
    assert (await logged_changes(connection))[1:] == [("UPDATE", 7, ["name"], "one", "two")]
    assert await connection.fetchval("select updated_at = '2020-01-01' from products")


@pytest.mark.parametrize("column", ["version = 7", "updated_at = '2020-01-01'", "name = name", "version = version"])
async def test_an_edit_of_nothing_is_not_logged(connection: Connection, column: str) -> None:
    await connection.fetchval(ADD, "one")
    await connection.execute(f"update products set {column}")
    assert len(await logged_changes(connection)) == 1


async def test_when_a_row_was_edited_last_is_noted(connection: Connection) -> None:
    key = await connection.fetchval(MAKE_CUSTOMER)
    await connection.execute("update customers set updated_at = '2020-01-01'")
    await connection.execute("update customers set tier = 'SILVER' where id = $1", key)
    assert await connection.fetchval("select updated_at > now() - interval '1 minute' from customers")


async def test_the_text_that_is_searched_in_is_not_logged_and_follows_its_column(connection: Connection) -> None:
    key = await connection.fetchval(MAKE_CUSTOMER)
    await connection.execute("update customers set name = 'Bob' where id = $1", key)
    change = await connection.fetchrow(
        "select changed, before ? 'search_text' or after ? 'search_text' as shown, customer_id from change_log"
        " where row_id = $1 and operation = 'UPDATE'",
        key,
    )
    assert (change and tuple(change)) == (["name"], False, key)
    assert await connection.fetchval("select search_text = hub_fold(name) from customers")


async def test_a_writer_who_is_not_to_be_logged_says_so(connection: Connection) -> None:
    await connection.execute("set hub.capture = 'off'")
    await connection.fetchval(ADD, "one")
    await connection.execute("update products set name = 'two'")
    assert await logged_changes(connection) == []
    assert await connection.fetchval("select version from products") == 2


@pytest.mark.parametrize("statement", ["update products set id = uuidv7()", "truncate products cascade"])
async def test_what_the_log_would_miss_is_refused(connection: Connection, statement: str) -> None:
    await connection.fetchval(ADD, "one")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await connection.execute(statement)
