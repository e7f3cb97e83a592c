"""Checks whether a PostgreSQL server, embedded or not, meets the hub's requirements.

Each check is a pure function of values that `run_checks` reads from the server.
"""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from hub.postgres.binaries import MIN_MAJOR

EXTENSIONS = ("pg_trgm", "unaccent", "ltree", "btree_gin", "btree_gist")
UTC_NAMES = ("utc", "etc/utc", "universal", "zulu", "gmt", "etc/gmt")


class Check(NamedTuple):
    """The result of one check. `problem` and `fix` are empty if it passed; if it passed with a warning, they say of what."""

    name: str
    ok: bool
    problem: str = ""
    fix: str = ""


class Extension(NamedTuple):
    """The state of an extension on the server."""

    available: bool
    installed: bool
    creatable: bool


async def run_checks(connection: asyncpg.Connection, extensions: Sequence[str] = EXTENSIONS) -> tuple[Check, ...]:
    """Runs all checks on a database, without changing it."""
    server = await connection.fetchrow(SERVER_SQL)
    assert server is not None
    version = check_version(server["version"])
    if not version.ok:
        return (version,)
    by_name = {
        row["name"]: Extension(True, row["installed"], row["creatable"])
        for row in await connection.fetch(EXTENSIONS_SQL, list(extensions))
    }
    return (
        version,
        check_encoding(server["encoding"]),
        check_timezone(server["timezone"]),
        check_rights(server["role"], server["database"], server["schema"], may_create=server["may_create"]),
        check_extensions({name: by_name.get(name, Extension(False, False, False)) for name in extensions}),
        check_trigrams(await _trigrams(connection)),
    )


def check_version(number: int) -> Check:
    return _check(
        "version",
        number >= MIN_MAJOR * 10_000,
        f"the server is PostgreSQL {number // 10_000}",
        f"use PostgreSQL {MIN_MAJOR} or newer, or unset HUB_DATABASE_URL to use the embedded server",
    )


def check_encoding(encoding: str) -> Check:
    return _check(
        "encoding",
        encoding == "UTF8",
        f"the database stores text as {encoding}",
        "create it again: CREATE DATABASE hub TEMPLATE template0 ENCODING 'UTF8'",
    )


def check_timezone(timezone: str) -> Check:
    return _check(
        "time zone",
        timezone.lower() in UTC_NAMES,
        f"sessions begin in {timezone}",
        "ALTER DATABASE hub SET timezone = 'UTC', with the name of your database",
    )


def check_rights(role: str, database: str, schema: str | None, *, may_create: bool) -> Check:
    return _check(
        "rights",
        may_create and schema is not None,
        f"{role} may not create tables in the schema {schema or 'that its search_path names'} of {database}",
        f'make it the owner, as a superuser: ALTER DATABASE "{database}" OWNER TO "{role}"',
    )


def check_extensions(extensions: dict[str, Extension]) -> Check:
    unavailable = [name for name, extension in extensions.items() if not extension.available]
    forbidden = [
        name
        for name, extension in extensions.items()
        if extension.available and not (extension.installed or extension.creatable)
    ]
    problems = [f"the server does not have {', '.join(unavailable)}"] * bool(unavailable)
    problems += [f"this role may not create {', '.join(forbidden)}"] * bool(forbidden)
    fixes = ["install the server's contrib package (Debian: postgresql-contrib)"] * bool(unavailable)
    fixes += ["as a superuser: " + " ".join(f"CREATE EXTENSION {name};" for name in forbidden)] * bool(forbidden)
    return _check("extensions", not problems, "; ".join(problems), "; ".join(fixes))


def check_trigrams(trigrams: Sequence[str] | None) -> Check:
    """Checks the result of show_trgm for three Chinese characters: it is empty if lc_ctype does not know them as letters."""
    if trigrams is None:
        return Check(
            "trigrams", False, "show_trgm cannot be called", "CREATE EXTENSION pg_trgm in a schema of the search_path"
        )
    return _check(
        "trigrams",
        len(trigrams) > 0,
        "search would find no Chinese, Japanese or Korean: lc_ctype is C",
        "create the database again: CREATE DATABASE hub TEMPLATE template0 ENCODING 'UTF8' "
        "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
    )


def _check(name: str, ok: bool, problem: str, fix: str) -> Check:
    return Check(name, True) if ok else Check(name, False, problem, fix)


async def _trigrams(connection: asyncpg.Connection) -> list[str] | None:
    """Returns the trigrams of a Chinese text. Before the first migration, creates the extension and rolls it back."""
    installed = await connection.fetchval("select exists (select from pg_extension where extname = 'pg_trgm')")
    transaction = connection.transaction()
    await transaction.start()
    try:
        if not installed:
            await connection.execute("create extension pg_trgm")
        trigrams: list[str] = await connection.fetchval("select show_trgm('王小明')")
    except asyncpg.PostgresError:
        return None
    finally:
        await transaction.rollback()
    return trigrams


SERVER_SQL = """
select current_setting('server_version_num')::int as version, pg_encoding_to_char(encoding) as encoding,
       current_setting('timezone') as timezone, current_user::text as role, datname::text as database,
       current_schema()::text as schema,
       coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create
from pg_database where datname = current_database()
"""

# A role with CREATE on the database may create trusted extensions; all others need a superuser.
EXTENSIONS_SQL = """
select e.name, e.installed_version is not null as installed,
       r.rolsuper or v.trusted and has_database_privilege(current_database(), 'create') as creatable
from pg_available_extensions e
join pg_available_extension_versions v on v.name = e.name and v.version = e.default_version
join pg_roles r on r.rolname = current_user
where e.name = any($1::text[])
"""
