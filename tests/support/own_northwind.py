"""Fixtures for test modules that write: a hub on a Northwind of the module's own, and its database. conftest.py loads them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import CreateDatabase
from writer_client import HubClient, open_hub_client


@pytest.fixture(scope="module")
async def northwind_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A client of a hub on a Northwind of the module's own, for tests that write."""
    async with open_hub_client(await create_database("northwind")) as hub_client:
        yield hub_client


@pytest.fixture(scope="module")
async def connection(northwind_client: HubClient) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the same database."""
    connection = await asyncpg.connect(northwind_client.dsn)
    yield connection
    await connection.close()
