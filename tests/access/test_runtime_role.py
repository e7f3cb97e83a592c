"""The role that serves: it owns nothing, creates nothing, reads no secret and changes no entry of the audit log."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key, execute_sql, with_database
from writer_client import HubClient

from hub import graph
from hub.db import migrate
from hub.db.pool import Connection, Pool
from hub.domain.access import login_links, secrets
from hub.domain.webhooks import webhooks
from hub.model.columns import secret_columns
from hub.postgres import PostgresServer
from hub.runtime_login import RUNTIME_ROLE
from hub.settings import Settings

TABLES_OF_SECRETS = (login_links.LoginLink, secrets.HubSecret, webhooks.WebhookSecret)


@pytest.fixture
async def runtime(northwind_client: HubClient) -> AsyncIterator[Connection]:
    """A connection with the role that serves."""
    pool = await Pool.open(northwind_client.dsn, Settings())
    async with pool.connection() as connection:
        yield connection
    await pool.close()


async def test_clients_are_served_by_a_role_that_owns_nothing(runtime: Connection) -> None:
    assert await runtime.fetchval("select current_user") == RUNTIME_ROLE
    owned = await runtime.fetchval("select count(*) from pg_class where relowner = current_user::regrole")
    role = await runtime.fetchrow(
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
    )
    assert (owned, tuple(role or ())) == (0, (False, False, False, False))


@pytest.mark.parametrize(
    "statement",
    [
        "select hash from api_keys",
        "select previous_hash from api_keys",
        "select * from api_keys",
        "select box from webhook_secrets",
        "select hash from login_links",
        "select value from secrets",
        "update api_keys set name = 'x' returning hash",
        "update audit_entries set actor = 'x'",
        "delete from audit_targets",
        "delete from audit_chain",
        "update audit_head set number = 0",
        "insert into audit_entries (kind, root_fields, requests, times, last_at) values ('READ', '{}', '{}', 1, now())",
        "delete from audit_pending",
        "select actor from audit_pending",
        "select hub_audit_prune(1, '', '', 1)",
        "update alembic_version set version_num = '0001'",
        "create table mine (id int)",
        "alter table customers add column mine int",
        "drop table customers",
        "truncate products",
        "create function mine() returns int language sql as 'select 1'",
        "alter table customers disable trigger all",
    ],
)
async def test_what_it_may_not_do_is_refused(runtime: Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await runtime.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "reset role",
        "set role none",
        "set role hub",
        "set local role none",
        "set session authorization default",
        "set session authorization hub",
        "reset all",
        "discard all",
        "select set_config('role', 'none', false)",
        "select set_config('role', 'hub', false)",
        "select set_config('session_authorization', 'hub', false)",
    ],
)
async def test_no_statement_leads_back_to_the_owner(northwind_client: HubClient, statement: str) -> None:
    pool = await Pool.open(northwind_client.dsn, Settings())
    async with pool.connection() as connection:
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(statement)
        assert await connection.fetchval("select session_user") == f"{RUNTIME_ROLE}_hub"
        for secret in ("select hash from api_keys", "select value from secrets", "select box from webhook_secrets"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(secret)
    await pool.close()


async def test_the_login_role_is_a_member_of_the_runtime_role_alone(runtime: Connection) -> None:
    memberships = """select array_agg(r.rolname::text) from pg_auth_members as m join pg_roles as r on r.oid = m.roleid
        where m.member = session_user::regrole"""
    assert await runtime.fetchval(memberships) == [RUNTIME_ROLE]
    attributes = (
        "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication from pg_roles where oid = $1"
    )
    assert not await runtime.fetchval(attributes, await runtime.fetchval("select session_user::regrole::oid"))


async def test_the_password_of_the_login_role_follows_the_owners(
    postgres_server: PostgresServer, demo_dsn: str
) -> None:
    """A new password of the owner makes the old one of the login role void, at the next `hub migrate`."""
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    try:
        await admin.execute("create role maker login createrole password 'first'")
        await admin.execute(f"grant {RUNTIME_ROLE} to maker with admin option, inherit false, set true")
        await admin.execute("create database of_maker owner maker template template0")
        server = with_database(postgres_server.dsn, "of_maker").rpartition("@")[2]
        await migrate.upgrade(f"postgresql://maker:first@{server}")
        assert await _session_user(f"postgresql://maker:first@{server}") == f"{RUNTIME_ROLE}_maker"
        await admin.execute("alter role maker password 'second'")
        second = f"postgresql://maker:second@{server}"
        assert await _session_user(second) == "maker"
        await migrate.upgrade(second)
        assert await _session_user(second) == f"{RUNTIME_ROLE}_maker"
    finally:
        await admin.close()


async def test_without_a_login_role_the_owner_starts_in_the_runtime_role_and_doctor_says_so(
    postgres_server: PostgresServer, demo_dsn: str, run_command: RunCommand
) -> None:
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    try:
        await admin.execute("create role halfway login password 'halfway'")
        await admin.execute(f"grant {RUNTIME_ROLE} to halfway with inherit false, set true")
        await admin.execute("create database of_halfway owner halfway template template0")
        dsn = f"postgresql://halfway:halfway@{with_database(postgres_server.dsn, 'of_halfway').rpartition('@')[2]}"
        await migrate.upgrade(dsn)
        pool = await Pool.open(dsn, Settings())
        async with pool.connection() as connection:
            await connection.execute("reset role")
            users = await connection.fetchrow("select session_user::text, current_user::text")
            assert tuple(users or ()) == ("halfway", RUNTIME_ROLE)
        await pool.close()
        _, output, _ = await run_command("doctor", HUB_DATABASE_URL=dsn)
        (line,) = (line for line in output.splitlines() if "database role" in line)
        assert line.startswith("warning database role   the hub serves as hub_runtime, but with a session of halfway")
        assert "ALTER ROLE halfway CREATEROLE; GRANT hub_runtime TO halfway WITH ADMIN OPTION" in line
    finally:
        await admin.close()


async def _session_user(dsn: str) -> str:
    """The user of the sessions that serve."""
    pool = await Pool.open(dsn, Settings())
    async with pool.connection() as connection:
        user: str = await connection.fetchval("select session_user::text")
    await pool.close()
    return user


async def test_every_secret_column_is_refused_and_every_other_column_is_readable(
    northwind_client: HubClient, connection: Connection
) -> None:
    graph.build()
    privilege = "select has_column_privilege('hub_runtime', $1, $2, 'select')"
    secret = {(column.table.name, column.name) for column in secret_columns()}
    secret |= {
        (table.name, column) for table in TABLES_OF_SECRETS for column in ("hash", "value", "box") if column in table.c
    }
    for table_name, column_name in secret:
        assert not await connection.fetchval(privilege, table_name, column_name), (table_name, column_name)
    for entity in graph.declarations():
        for column in entity.table.c:
            expected = (entity.table.name, column.name) not in secret
            assert await connection.fetchval(privilege, entity.table.name, column.name) is expected, column


async def test_a_table_of_a_later_migration_is_readable_at_once(
    northwind_client: HubClient, runtime: Connection
) -> None:
    await execute_sql(northwind_client.dsn, "create table later (id int); insert into later values (1)")
    assert await runtime.fetchval("select id from later") == 1


async def test_without_the_role_the_hub_serves_as_the_owner_and_doctor_says_so(
    create_database: CreateDatabase, demo_dsn: str, postgres_server: PostgresServer, run_command: RunCommand
) -> None:
    dsn = await create_database("migrated")
    _, output, _ = await run_command("doctor", HUB_DATABASE_URL=dsn)
    assert "ok      database role" in output
    await execute_sql(dsn, "revoke insert on change_log from hub_runtime")
    pool = await Pool.open(dsn, Settings())
    async with pool.connection() as connection:
        assert await connection.fetchval("select current_user") == "hub"
    await pool.close()
    _, output, _ = await run_command("doctor", HUB_DATABASE_URL=dsn)
    (line,) = (line for line in output.splitlines() if "database role" in line)
    assert line.startswith("warning database role")
    assert "CREATE ROLE hub_runtime NOLOGIN; GRANT hub_runtime TO hub WITH INHERIT FALSE, SET TRUE" in line
    await migrate.upgrade(dsn)
    assert "ok      database role" in (await run_command("doctor", HUB_DATABASE_URL=dsn))[1]


async def test_a_user_who_may_not_create_roles_migrates_and_serves(
    postgres_server: PostgresServer, demo_dsn: str
) -> None:
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    try:
        await admin.execute("create role plain login password 'plain'")
        await admin.execute("create database of_plain owner plain template template0")
        server = with_database(postgres_server.dsn, "of_plain").rpartition("@")[2]
        dsn = f"postgresql://plain:plain@{server}"
        await migrate.upgrade(dsn)
        assert await create_api_key(dsn)
        pool = await Pool.open(dsn, Settings())
        async with pool.connection() as connection:
            assert await connection.fetchval("select current_user") == "plain"
        await pool.close()
    finally:
        await admin.close()
