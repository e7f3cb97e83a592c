"""Brings a database to the newest schema, and tells where it stands. The scripts themselves are in migrations/."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

import migrations

LOCK = 7_269_401_113  # one advisory lock for all who migrate, so that two nodes started at once take turns


def alchemy_url(dsn: str) -> str:
    """A `postgresql://` address as SQLAlchemy names the driver."""
    scheme, rest = dsn.split("://", 1)
    return f"postgresql+asyncpg://{rest}" if scheme in ("postgresql", "postgres") else dsn


def config() -> Config:
    """Alembic's configuration without a file, so that an installed wheel can migrate too."""
    found = Config()
    found.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return found


def head() -> str:
    """The revision that this code expects."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None, "migrations/versions holds no script"
    return revision


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: sa.Connection) -> None:
    connection.execute(sa.text(f"select pg_advisory_xact_lock({LOCK})"))
    found = config()
    found.attributes["connection"] = connection
    command.upgrade(found, "head")


def _check(connection: sa.Connection) -> None:
    found = config()
    found.attributes["connection"] = connection
    command.check(found)


async def current(dsn: str) -> str | None:
    """The revision that the database is at; None before the first migration."""
    engine = create_async_engine(alchemy_url(dsn))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_current)
    finally:
        await engine.dispose()


async def upgrade(dsn: str) -> None:
    """Runs every script that the database has not seen, in one transaction."""
    engine = create_async_engine(alchemy_url(dsn))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def check(dsn: str) -> None:
    """Raises alembic's CommandError when the tables in the code and in the database differ."""
    engine = create_async_engine(alchemy_url(dsn))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_check)
    finally:
        await engine.dispose()
