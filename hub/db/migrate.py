"""Migrates a database, reports its revision, and generates the next script of migrations/."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from hub import migrations
from hub.db.locks import AdvisoryLock
from hub.db.runtime_role import create_login
from hub.errors import Misconfigured

MigrationResult = TypeVar("MigrationResult")

# Linting and formatting of a generated script.
POST_WRITE_HOOKS = {
    "hooks": "lint, format",
    "lint.type": "module",
    "lint.module": "ruff",
    "lint.options": "check --select I,F401 --fix --quiet REVISION_SCRIPT_FILENAME",
    "format.type": "module",
    "format.module": "ruff",
    "format.options": "format --quiet REVISION_SCRIPT_FILENAME",
}


def alchemy_url(dsn: str) -> str:
    """Converts a `postgresql://` URL to the one with SQLAlchemy's driver name."""
    scheme, rest = dsn.split("://", 1)
    return f"postgresql+asyncpg://{rest}" if scheme in ("postgresql", "postgres") else dsn


def config() -> Config:
    """Returns Alembic's configuration, without a file, so that an installed wheel can migrate too."""
    alembic_config = Config()
    alembic_config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return alembic_config


@cache
def head_revision() -> str:
    """Returns the revision that this code expects."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None, "migrations/versions holds no script"
    return revision


def _current_revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: sa.Connection) -> None:
    connection.execute(sa.text(f"select pg_advisory_xact_lock({AdvisoryLock.MIGRATE})"))
    alembic_config = config()
    alembic_config.attributes["connection"] = connection
    command.upgrade(alembic_config, "head")
    connection.execute(sa.text("select hub_grant_runtime()"))


def _check(connection: sa.Connection) -> None:
    alembic_config = config()
    alembic_config.attributes["connection"] = connection
    command.check(alembic_config)


def _skip_if_empty(_: object, __: object, scripts: list[MigrationScript]) -> None:
    if all(script.upgrade_ops is None or script.upgrade_ops.is_empty() for script in scripts):
        scripts.clear()


def _write_revision(connection: sa.Connection, message: str) -> Path | None:
    alembic_config = config()
    alembic_config.attributes["connection"] = connection
    alembic_config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    for name, value in POST_WRITE_HOOKS.items():
        alembic_config.set_section_option("post_write_hooks", name, value)
    number = f"{int(head_revision()) + 1:04}"
    with redirect_stdout(sys.stderr):
        script = command.revision(
            alembic_config, message, autogenerate=True, rev_id=number, process_revision_directives=_skip_if_empty
        )
    return Path(script.path) if isinstance(script, Script) else None


async def _run_sync(dsn: str, function: Callable[[sa.Connection], MigrationResult]) -> MigrationResult:
    """Runs `function` on a connection, in one transaction, and returns its result."""
    engine = create_async_engine(alchemy_url(dsn))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(function)
    finally:
        await engine.dispose()


async def current_revision(dsn: str) -> str | None:
    """Returns the database's revision; None before the first migration."""
    return await _run_sync(dsn, _current_revision)


async def upgrade(dsn: str) -> None:
    """Runs all pending migrations in one transaction. Nodes that start at once take turns. Creates the role that serves."""
    await _run_sync(dsn, _upgrade)
    await create_login(dsn)


async def check(dsn: str) -> None:
    """Raises alembic's CommandError when the tables in the code and in the database differ."""
    await _run_sync(dsn, _check)


async def write_revision(dsn: str, message: str) -> Path | None:
    """Generates a migration for the difference between the code's tables and the database; None if there is none.

    For developers: it writes into the checkout. The database must be at the newest revision."""
    if find_spec("ruff") is None:
        raise Misconfigured(
            "Migrations are generated in a checkout with its development tools; `make test` sets one up."
        )
    return await _run_sync(dsn, lambda connection: _write_revision(connection, message))
