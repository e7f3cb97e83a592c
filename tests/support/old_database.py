"""Databases at an earlier revision, for tests of migrations."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from hub.db import migrate


async def run_alembic(dsn: str, run: Callable[[Config, str], None], revision: str) -> None:
    """Runs alembic's upgrade or downgrade to a revision."""

    def run_on(connection: sa.Connection) -> None:
        config = migrate.config()
        config.attributes["connection"] = connection
        run(config, revision)

    engine = create_async_engine(migrate.alchemy_url(dsn))
    async with engine.begin() as connection:
        await connection.run_sync(run_on)
    await engine.dispose()
