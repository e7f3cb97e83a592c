"""Every byte of the audit log counts: a changed column, a removed or exchanged row, and the first bad entry is named."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from audit_reader import open_log, rolled_back, verify, wait_until_chained
from conftest import CreateDatabase

from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.settings import Settings

ENTRIES = 6
MUTATE = (
    "update products set name = name || '.', packaging = 'x' where id = (select id from products order by id limit 1)"
)
READ = """insert into audit_pending (kind, at, last_at, actor, staff_id, subject, network, operation, document, root_fields,
    requests, times, customer_id, targets)
select 'READ', now(), now(), 'key:1', gen_random_uuid(), 'subject', '10.0.0.1', 'Look', 'abc', '{customer}', '{r1}', 2,
    gen_random_uuid(), jsonb_build_array(
        jsonb_build_array('Customer', '["cus_1", "cus_3"]'::jsonb, 'READ', '["name"]'::jsonb, 2, gen_random_uuid()),
        jsonb_build_array('Customer', '["cus_2"]'::jsonb, 'READ', '["name"]'::jsonb, 1, gen_random_uuid()))"""
# How to change one value a little, by the type of its column.
CHANGES = {
    "text": "overlay({c} placing case when right({c}, 1) = 'x' then 'y' else 'x' end from length({c}))",
    "bytea": "set_byte({c}, length({c}) / 2, get_byte({c}, length({c}) / 2) # 1)",
    "uuid": "overlay({c}::text placing case when right({c}::text, 1) = '0' then '1' else '0' end from 36)::uuid",
    "integer": "{c} + 1",
    "bigint": "{c} + 1",
    "timestamp with time zone": "{c} + interval '1 microsecond'",
    "text[]": "case when cardinality({c}) = 0 then '{{x}}' else array[{c}[1] || 'x'] || {c}[2:] end",
}
# Columns that take only certain values.
CODES = {
    ("audit_entries", "id"): "gen_random_uuid()",
    ("audit_entries", "kind"): "case when kind = 'READ' then 'WRITE' else 'READ' end",
    ("audit_targets", "operation"): "'ERASED'",
    ("audit_chain", "number"): "1000",
}
ROW_OF = {
    "audit_entries": "id = lpad(to_hex({n}), 32, '0')::uuid",
    "audit_targets": "entry_id = lpad(to_hex({n}), 32, '0')::uuid and ordinal = 2",
    "audit_chain": "number = {n}",
}
CONTENTS = """kind, actor, staff_id, subject, network, operation, document, root_fields, requests, times, last_at,
    viewer_customer_id, salt, created_at, updated_at"""
COLUMNS = """select attname, format_type(atttypid, null) from pg_attribute
where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum"""


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    """A database with a log of six entries, reads and writes in turn, which no hub serves any more."""
    dsn = await create_database("northwind")
    async with open_log(dsn) as connection, Sequencer(dsn, Settings()).running():
        for number in range(ENTRIES):
            await connection.execute(MUTATE if number % 2 else READ)
            await wait_until_chained(connection)
    return dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    """A connection whose changes are rolled back."""
    async with rolled_back(dsn) as connection:
        yield connection


async def faults_of(connection: Connection, statement: str) -> tuple[int | None, str]:
    """What the verification reports after a statement, which is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        assert not (await connection.execute(statement)).endswith(" 0"), statement
        result = await verify(connection)
        return result.number, result.fault
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("table", ROW_OF)
async def test_one_byte_of_any_column_names_the_entry(connection: Connection, table: str) -> None:
    reported: dict[str, Any] = {}
    columns = await connection.fetch(COLUMNS, table)
    for name, type_name in columns:
        value = CODES.get((table, name)) or CHANGES[type_name].format(c=name)
        for number in (1, 3, 5):
            statement = f"update {table} set {name} = {value} where {ROW_OF[table].format(n=number)}"
            reported[f"{name} {number}"] = (number, (await faults_of(connection, statement))[0])
    assert {key: pair for key, pair in reported.items() if pair[0] != pair[1]} == {}
    assert len(reported) == 3 * len(columns)


@pytest.mark.parametrize("table", ROW_OF)
@pytest.mark.parametrize("number", [1, 3, 5, ENTRIES])
async def test_a_removed_row_is_named(connection: Connection, table: str, number: int) -> None:
    if table == "audit_targets" and number == ENTRIES:
        statement = "delete from audit_targets where entry_id = lpad(to_hex(6), 32, '0')::uuid"
    else:
        statement = f"delete from {table} where {ROW_OF[table].format(n=number)}"
    assert (await faults_of(connection, statement))[0] == number


@pytest.mark.parametrize(("table", "bad"), [("audit_entries", 1), ("audit_targets", 1), ("audit_chain", 1)])
async def test_an_emptied_table_is_noticed_at_its_first_entry(connection: Connection, table: str, bad: int) -> None:
    assert (await faults_of(connection, f"delete from {table}"))[0] == bad


async def test_exchanged_rows_are_named(connection: Connection) -> None:
    first, other = (f"lpad(to_hex({number}), 32, '0')::uuid" for number in (3, 5))
    exchanged = {
        "targets of two entries": f"""update audit_targets set entry_id = case entry_id when {first} then {other} else {first} end
            where entry_id in ({first}, {other})""",
        "targets of one entry": f"""update audit_targets set ordinal = 3 - ordinal where entry_id = {first}""",
        "digests": """update audit_chain as a set digest = b.digest from audit_chain as b
            where (a.number, b.number) in ((3, 5), (5, 3))""",
        "whole contents": f"""update audit_entries as a set ({CONTENTS}) = (select {CONTENTS} from audit_entries as b
            where b.id = case a.id when {first} then {other} else {first} end) where a.id in ({first}, {other})""",
    }
    assert {name: (await faults_of(connection, sql))[0] for name, sql in exchanged.items()} == dict.fromkeys(
        exchanged, 3
    )


async def test_the_head_and_what_is_appended_count(connection: Connection) -> None:
    other = "(gen_random_uuid(), 'Customer', '{}', 'READ', '{}', 1, 1, 'x')"
    second = "(lpad(to_hex(2), 32, '0')::uuid, 'Customer', '{}', 'READ', '{}', 1, 9, 'x')"
    add_target = (
        "insert into audit_targets (entry_id, entity, row_ids, operation, fields, times, ordinal, salt) values "
    )
    changes = {
        "update audit_head set digest = set_byte(digest, 0, get_byte(digest, 0) # 1)": ENTRIES,
        "update audit_head set number = number + 1": ENTRIES + 1,
        "update audit_head set number = number - 1": ENTRIES,
        "update audit_head set position = position + 1": ENTRIES + 1,
        "delete from audit_head": ENTRIES,
        add_target + second: 2,
        add_target + other: ENTRIES + 1,
    }
    reported = {statement: (await faults_of(connection, statement))[0] for statement in changes}
    assert reported == changes


async def test_a_chain_that_somebody_computed_without_the_key_is_noticed(connection: Connection) -> None:
    rows = await connection.fetch("select number, header, targets from audit_chain where number >= 3 order by number")
    digest = await connection.fetchval("select digest from audit_chain where number = 2")
    for row in rows:
        digest = hashlib.sha256(digest + row["number"].to_bytes(8) + row["header"] + row["targets"]).digest()
        await connection.execute("update audit_chain set digest = $2 where number = $1", row["number"], digest)
    await connection.execute("update audit_head set digest = $1", digest)
    assert (await verify(connection)).number == 3


async def test_erased_contents_verify_and_the_rest_still_counts(connection: Connection, dsn: str) -> None:
    customer = await connection.fetchval("select customer_id from audit_targets where 'cus_1' = any(row_ids) limit 1")
    await connection.execute("select hub_audit_erase($1, array['cus_2'])", customer)
    await connection.execute(READ.replace("'READ', now()", "'ERASURE', now()", 1))
    unproven = await verify(connection)
    assert unproven.fault == "its contents are erased, but no later entry records an erasure"
    statement = f"update audit_entries set actor = 'x' where {ROW_OF['audit_entries'].format(n=2)}"
    assert (await faults_of(connection, statement))[0] == 2
