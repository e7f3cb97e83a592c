"""What the triggers of every table of the graph write, and what they refuse: past the hub, as anybody with a client might."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from change_workload import connected

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
async def rows(database: str) -> AsyncIterator[Connection]:
    async with connected(database, 1) as (made,):
        yield made


async def changes(rows: Connection) -> list[tuple[Any, ...]]:
    return [tuple(each) for each in await rows.fetch(CHANGES)]


async def test_a_row_is_logged_from_its_first_day_to_its_last(rows: Connection) -> None:
    key = await rows.fetchval(ADD, "one")
    await rows.execute("update products set name = 'two', unit_price = 2 where id = $1", key)
    await rows.execute("delete from products where id = $1", key)
    (made, edited, gone) = await changes(rows)
    assert (made[0], made[1], made[3:]) == ("CREATE", 1, (None, "one"))
    assert edited == ("UPDATE", 2, ["name", "unit_price"], "one", "two")
    assert (gone[0], gone[1], gone[3:]) == ("DELETE", 2, ("two", None))
    assert (
        made[2]
        == gone[2]
        == await rows.fetchval(
            "select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'products'::regclass"
            " and attnum > 0 and attname not in ('version', 'updated_at', 'search_text')"
        )
    )


async def test_one_statement_logs_each_row_that_it_changes_and_no_other(rows: Connection) -> None:
    for name in ("one", "two", "three"):
        await rows.fetchval(ADD, name)
    await rows.execute("update products set name = 'two'")
    assert (await changes(rows))[3:] == [("UPDATE", 2, ["name"], name, "two") for name in ("one", "three")]
    assert sorted(each["version"] for each in await rows.fetch("select version from products")) == [1, 2, 2]


async def test_a_writer_who_counts_by_himself_is_left_alone(rows: Connection) -> None:
    await rows.fetchval(ADD, "one")
    await rows.execute("update products set name = 'two', version = 7, updated_at = '2020-01-01'")
    assert (await changes(rows))[1:] == [("UPDATE", 7, ["name"], "one", "two")]
    assert await rows.fetchval("select updated_at = '2020-01-01' from products")


@pytest.mark.parametrize("column", ["version = 7", "updated_at = '2020-01-01'", "name = name", "version = version"])
async def test_an_edit_of_nothing_is_not_logged(rows: Connection, column: str) -> None:
    await rows.fetchval(ADD, "one")
    await rows.execute(f"update products set {column}")
    assert len(await changes(rows)) == 1


async def test_when_a_row_was_edited_last_is_noted(rows: Connection) -> None:
    key = await rows.fetchval(MAKE_CUSTOMER)
    await rows.execute("update customers set updated_at = '2020-01-01'")
    await rows.execute("update customers set tier = 'SILVER' where id = $1", key)
    assert await rows.fetchval("select updated_at > now() - interval '1 minute' from customers")


async def test_the_text_that_is_searched_in_is_not_logged_and_follows_its_column(rows: Connection) -> None:
    key = await rows.fetchval(MAKE_CUSTOMER)
    await rows.execute("update customers set name = 'Bob' where id = $1", key)
    found = await rows.fetchrow(
        "select changed, before ? 'search_text' or after ? 'search_text' as shown, customer_id from change_log"
        " where row_id = $1 and operation = 'UPDATE'",
        key,
    )
    assert (found and tuple(found)) == (["name"], False, key)
    assert await rows.fetchval("select search_text = hub_fold(name) from customers")


async def test_a_writer_who_is_not_to_be_logged_says_so(rows: Connection) -> None:
    await rows.execute("set hub.capture = 'off'")
    await rows.fetchval(ADD, "one")
    await rows.execute("update products set name = 'two'")
    assert await changes(rows) == []
    assert await rows.fetchval("select version from products") == 2


@pytest.mark.parametrize("statement", ["update products set id = uuidv7()", "truncate products cascade"])
async def test_what_the_log_would_miss_is_refused(rows: Connection, statement: str) -> None:
    await rows.fetchval(ADD, "one")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await rows.execute(statement)
