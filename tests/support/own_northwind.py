"""Fixtures of test modules that write: a hub on a Northwind of the module's own, and its database. conftest.py lets them in."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import NewDatabase
from writer_client import Writer, writing


@pytest.fixture(scope="module")
async def hub_(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[Writer]:
    """A hub on Northwind of this module's own, to be written to."""
    async with writing(await new_database("northwind")) as writer:
        yield writer


@pytest.fixture(scope="module")
async def rows(hub_: Writer) -> AsyncIterator[asyncpg.Connection]:
    """The same database by itself."""
    connection = await asyncpg.connect(hub_.dsn)
    yield connection
    await connection.close()
