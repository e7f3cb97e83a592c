"""Verifying the audit log: every way to change it is found and the first bad entry is named, unless only its end is missing."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from audit_reader import open_log, rolled_back, verify, wait_until_chained
from command_line import RunCommand
from conftest import CreateDatabase

from hub.changefeed import audit_chain
from hub.changefeed.audit_verification import ChainVerification
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection, Pool
from hub.settings import Settings

ENTRIES = 12
RENAME = "update products set name = name || '.' where id = (select id from products order by id limit 1)"
CHANGE = """insert into change_log (table_name, row_id, version, operation, changed, at)
values ('products', gen_random_uuid(), 1, 'UPDATE', '{name}', $1)"""
UUID_OF = "lpad(to_hex({}), 32, '0')::uuid"


def id_of(number: int) -> str:
    """The SQL of the id of an entry."""
    return UUID_OF.format(number)


async def write_entries(dsn: str, statements: int) -> None:
    """Makes so many entries, of one change each."""
    async with open_log(dsn) as connection, Sequencer(dsn, Settings()).running():
        for _ in range(statements):
            await connection.execute(RENAME)
        await wait_until_chained(connection)


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    """A database with a log of twelve entries, which no hub serves any more."""
    dsn = await create_database("northwind")
    await write_entries(dsn, ENTRIES)
    return dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    """A connection whose changes are rolled back."""
    async with rolled_back(dsn) as connection:
        yield connection


async def test_an_untouched_log_verifies(connection: Connection) -> None:
    digest = await connection.fetchval("select digest from audit_head")
    assert await verify(connection) == ChainVerification(1, ENTRIES, digest, 0)
    assert (await verify(connection, start=5)).first == 6


TAMPERED = {
    "the actor": (f"update audit_entries set actor = 'key:1' where id = {id_of(5)}", 5, "its contents were changed"),
    "the salt": (f"update audit_entries set salt = 'x' where id = {id_of(5)}", 5, "its contents were changed"),
    "the time": (
        f"update audit_entries set created_at = created_at - interval '1 microsecond' where id = {id_of(5)}",
        5,
        "its digest does not follow from the entry and the digest before it",
    ),
    "the kind": (
        f"update audit_entries set kind = 'READ' where id = {id_of(5)}",
        5,
        "its digest does not follow from the entry and the digest before it",
    ),
    "a row's id": (
        f"update audit_targets set row_ids = '{{prd_1}}' where entry_id = {id_of(7)}",
        7,
        "its target 1 was changed",
    ),
    "a target": (f"delete from audit_targets where entry_id = {id_of(7)}", 7, "a target was added or removed"),
    "an entry's contents": (f"delete from audit_entries where id = {id_of(6)}", 6, "its contents were removed"),
    "an entry": (
        f"delete from audit_chain where number = 6; delete from audit_entries where id = {id_of(6)}",
        6,
        "the entry was removed",
    ),
    "the first entry": ("delete from audit_chain where number = 1", 1, "the entry was removed"),
    "a byte of a digest": (
        "update audit_chain set digest = set_byte(digest, 3, get_byte(digest, 3) # 1) where number = 4",
        4,
        "its digest does not follow from the entry and the digest before it",
    ),
    "a byte of the contents' digest": (
        "update audit_chain set header = set_byte(header, 0, get_byte(header, 0) # 128) where number = 12",
        12,
        "its contents were changed",
    ),
    "a byte of the last digest": (
        "update audit_chain set digest = set_byte(digest, 31, get_byte(digest, 31) # 1) where number = 12",
        12,
        "its digest does not follow from the entry and the digest before it",
    ),
    "the end": ("delete from audit_chain where number > 10", 11, "the end of the log was cut off"),
    "what is erased": (
        f"update audit_entries set actor = null, salt = null where id = {id_of(8)}",
        8,
        "its contents are erased, but no later entry records an erasure",
    ),
    "a checkpoint": (
        "insert into audit_checkpoints (number, digest, seal) select number, digest, digest from audit_chain where number = 3",
        3,
        "the checkpoint before the first entry has a wrong seal",
    ),
}


@pytest.mark.parametrize("change", TAMPERED)
async def test_the_first_bad_entry_is_named(connection: Connection, change: str) -> None:
    statements, number, fault = TAMPERED[change]
    await connection.execute(statements)
    result = await verify(connection)
    assert (result.number, result.fault) == (number, fault)


async def test_two_entries_that_changed_places_are_noticed(connection: Connection) -> None:
    pairs = f"(({id_of(3)}, {id_of(9)}), ({id_of(9)}, {id_of(3)}))"
    await connection.execute(f"""
        update audit_chain as a set header = b.header, targets = b.targets from audit_chain as b
        where (a.number, b.number) in ((3, 9), (9, 3));
        update audit_entries as a set salt = b.salt, requests = b.requests, last_at = b.last_at, created_at = b.created_at
        from audit_entries as b where (a.id, b.id) in {pairs};
        update audit_targets as a set salt = b.salt from audit_targets as b where (a.entry_id, b.entry_id) in {pairs}
        """)
    result = await verify(connection)
    assert (result.number, result.fault) == (3, "its digest does not follow from the entry and the digest before it")


async def test_an_appended_forgery_is_noticed(connection: Connection) -> None:
    copy = f"""insert into audit_entries (id, kind, actor, root_fields, requests, times, last_at, salt)
        select {id_of(13)}, kind, actor, root_fields, requests, times, last_at, salt from audit_entries where id = {id_of(12)}"""
    await connection.execute(copy)
    result = await verify(connection)
    assert (result.number, result.fault) == (13, "the entry was appended without a digest")
    previous = await connection.fetchval("select digest from audit_head")
    forged = hashlib.sha256(previous + b"forged").digest()
    await connection.execute("insert into audit_chain values (13, $1, '', $1)", forged)
    await connection.execute("update audit_head set number = 13, digest = $1", forged)
    assert (await verify(connection)).number == 13


async def test_an_end_that_was_cut_with_the_head_is_noticed_by_its_digest_alone(connection: Connection) -> None:
    digest = (await verify(connection)).digest
    await connection.execute("delete from audit_chain where number > 10")
    await connection.execute(f"delete from audit_entries where id > {id_of(10)}")
    await connection.execute(f"delete from audit_targets where entry_id > {id_of(10)}")
    await connection.execute(
        "update audit_head set (number, digest) = (select number, digest from audit_chain where number = 10)"
    )
    assert (await verify(connection)).fault == ""
    result = await verify(connection, expected=digest)
    assert result.fault == "the expected digest does not occur: entries are missing, or it is another log's"


async def test_the_command_prints_the_last_digest_and_fails_on_a_bad_entry(
    create_database: CreateDatabase, demo_dsn: str, run_command: RunCommand
) -> None:
    dsn = await create_database("northwind")
    await write_entries(dsn, 3)
    async with open_log(dsn) as connection:
        digest = (await connection.fetchval("select digest from audit_head")).hex()
        done = await run_command("audit", "verify", HUB_DATABASE_URL=dsn)
        assert done == (0, f"3 entries are as written\nnumber 3\ndigest {digest}\n", "")
        assert (await run_command("audit", "verify", "--expect", digest, "--from", "2"))[0] == 0
        code, output, _ = await run_command("audit", "verify", "--expect", "0" * 63 + "1")
        assert (code, output) == (
            1,
            "entry 3: the expected digest does not occur: entries are missing, or it is another log's\n",
        )
        code, _, errors = await run_command("audit", "verify", "--expect", "12")
        assert (code, "is not a digest; give the 64 digits" in errors) == (2, True)
        await connection.execute("delete from audit_chain where number = 2")
        assert (await run_command("audit", "verify"))[:2] == (1, "entry 2: the entry was removed\n")
        code, output, _ = await run_command("audit", "verify", "--json")
        assert (code, json.loads(output)[0]["number"]) == (1, 2)


async def test_entries_beyond_the_retention_are_deleted_behind_a_checkpoint(
    create_database: CreateDatabase, demo_dsn: str
) -> None:
    dsn, now = await create_database("northwind"), datetime.now(UTC)
    async with open_log(dsn) as connection, Sequencer(dsn, Settings()).running():
        for days in (900, 800, 400, 1):
            await connection.execute(CHANGE, now - timedelta(days=days))
            await wait_until_chained(connection)
    pool = await Pool.open(dsn, Settings())
    try:
        assert await audit_chain.prune(pool, Settings(), now - timedelta(days=730)) is False
        assert await audit_chain.prune(pool, Settings(), now - timedelta(days=730)) is False
    finally:
        await pool.close()
    async with open_log(dsn) as connection:
        result = await verify(connection)
        assert (result.first, result.last, result.fault) == (3, 4, "")
        assert await connection.fetchval("select count(*) from audit_entries") == 2
        assert await connection.fetchval("select count(*) from audit_targets") == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="thirty days"):
            await connection.execute(
                "select hub_audit_prune(number, digest, digest, 10) from audit_chain where number = 4"
            )


async def test_a_key_of_another_hub_is_refused(dsn: str, run_command: RunCommand) -> None:
    await run_command("audit", "verify", HUB_DATABASE_URL=dsn)
    async with open_log(dsn) as connection:
        await connection.execute(
            "update secrets set value = set_byte(value, 0, get_byte(value, 0) # 1) where name = 'audit'"
        )
        code, _, errors = await run_command("audit", "verify")
        await connection.execute(
            "update secrets set value = set_byte(value, 0, get_byte(value, 0) # 1) where name = 'audit'"
        )
    assert (code, "HUB_ENCRYPTION_KEY" in errors) == (2, True)
