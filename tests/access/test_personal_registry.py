"""The registry of personal data: every stored column says what it holds of persons, whoever made its table."""

import json

import asyncpg
import pytest
import sqlalchemy as sa
from command_line import RunCommand
from sqlalchemy.dialects.postgresql import JSONB

from hub import graph
from hub.model import personal
from hub.model.personal import PersonalData, RegistryEntry, entry_of_other, personal_of_field

COLUMNS = """
    select c.relname as table, a.attname as column, format_type(a.atttypid, null) as type
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and a.attnum > 0 and not a.attisdropped
    order by 1, 2
"""


async def entries_of_database(dsn: str) -> list[RegistryEntry]:
    """What every column of every table holds; partitions have their table's columns."""
    declared = {declaration.table.name: declaration.table for declaration in graph.declarations()}
    kinds = {(entry.table, entry.column): entry for table in declared.values() for entry in personal.entries(table)}
    connection = await asyncpg.connect(dsn)
    try:
        columns = await connection.fetch(COLUMNS)
    finally:
        await connection.close()
    return [
        kinds.get((row["table"], row["column"]), RegistryEntry(row["table"], row["column"], None))
        if row["table"] in declared
        else entry_of_other(row["table"], row["column"], row["type"])
        for row in columns
    ]


async def test_every_column_says_what_it_holds_of_persons(empty_dsn: str) -> None:
    entries = await entries_of_database(empty_dsn)
    silent = [f"{entry.table}.{entry.column}" for entry in entries if entry.personal is None]
    assert not silent, "say personal= in the declaration, or list the column in hub/model/personal.py: " + ", ".join(
        silent
    )
    kinds = {(entry.table, entry.column): entry.personal for entry in entries}
    assert kinds["contacts", "name"] is PersonalData.NAME
    assert kinds["contacts", "search_text"] is kinds["change_log", "before"] is PersonalData.COPY
    assert kinds["idempotency_records", "answer"] is kinds["webhook_queue", "body"] is PersonalData.COPY
    assert kinds["identifiers", "normalized"] is PersonalData.IDENTIFIER  # as the value whose normal form it is
    assert kinds["order_items", "currency"] is PersonalData.FINANCIAL  # as the order's, which it repeats
    assert kinds["login_links", "hash"] is kinds["customers", "owner_id"] is PersonalData.NOT_PERSONAL


@pytest.mark.parametrize(
    ("sql_type", "about_people", "personal_data"),
    [
        (sa.Integer(), False, PersonalData.NOT_PERSONAL),
        (sa.Integer(), True, None),
        (sa.DateTime(), True, None),
        (sa.Enum("A", native_enum=False), False, PersonalData.NOT_PERSONAL),
        (sa.Text(), False, None),
        (JSONB(), False, None),
        (sa.ARRAY(sa.Text()), False, None),
        (sa.LargeBinary(), False, None),
    ],
)
def test_only_numbers_and_times_of_things_may_say_nothing(
    sql_type: sa.types.TypeEngine[object], about_people: bool, personal_data: PersonalData | None
) -> None:
    assert personal_of_field(None, sql_type, about_people=about_people) is personal_data
    assert personal_of_field(PersonalData.BIRTH, sql_type, about_people=about_people) is PersonalData.BIRTH


def test_a_column_of_an_unlisted_table_says_nothing() -> None:
    assert entry_of_other("no_such_table", "id", "uuid").personal is None
    assert entry_of_other("login_links", "no_such_column", "text").personal is None
    assert entry_of_other("login_links", "no_such_key", "uuid").personal is PersonalData.NOT_PERSONAL


async def test_the_command_prints_the_registry(run_command: RunCommand) -> None:
    code, output, errors = await run_command("personal", "--json")
    assert (code, errors) == (0, "")
    rows = json.loads(output)
    assert {"table": "customers", "column": "attributes", "personal": "FREE_TEXT"} in rows
    assert {"table": "change_log", "column": "after", "personal": "COPY"} in rows
    assert all(row["personal"] for row in rows)
