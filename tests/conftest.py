"""A Postgres of the suite's own, databases in it, and a hub on the sample data to ask through its front door."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from starlette.types import ASGIApp

from hub.app import running
from hub.db import migrate
from hub.demo.load import load
from hub.domain.access import api_keys
from hub.postgres import Server, ensure
from hub.settings import Settings
from hub.viewer import ADMIN, Role

pytest_plugins = ("own_northwind",)

Ask = Callable[..., Awaitable[Any]]
NewDatabase = Callable[[str], Awaitable[str]]
_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A throwaway server."""
    with tempfile.TemporaryDirectory(prefix="hub-tests-") as folder, ensure(Path(folder), durable=False) as started:
        yield started


@pytest.fixture(scope="session")
async def new_database(server: Server) -> NewDatabase:
    """Makes a database, a copy of the named one, and gives its address."""

    async def make(template: str) -> str:
        return await _made(server, f"{template}_{next(_numbers)}", template)

    return make


def in_database(dsn: str, name: str) -> str:
    """The address of another database on the same server."""
    return dsn.rpartition("/")[0] + "/" + name


async def _made(server: Server, name: str, template: str) -> str:
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        await connection.execute(f'create database "{name}" owner hub template "{template}"')
    finally:
        await connection.close()
    return in_database(server.dsn, name)


@pytest.fixture(scope="session")
async def empty_dsn(server: Server) -> str:
    """A migrated database without a row; to be copied, not written to."""
    dsn = await _made(server, "migrated", "template0")
    await migrate.upgrade(dsn)
    return dsn


@pytest.fixture(scope="session")
async def demo_dsn(server: Server, empty_dsn: str) -> str:
    """Northwind; to be read, not written to. Copies are made of `northwind`, to which nobody stays connected."""
    await load(await _made(server, "northwind", "migrated"))
    return await _made(server, "demo", "northwind")


@pytest.fixture
async def database(new_database: NewDatabase, empty_dsn: str) -> str:
    """A migrated database of the test's own."""
    return await new_database("migrated")


@pytest.fixture
async def northwind(new_database: NewDatabase, demo_dsn: str) -> str:
    """Northwind of the test's own, to be written to."""
    return await new_database("northwind")


async def execute(dsn: str, statements: str) -> None:
    """Runs statements in a database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def key_for(
    dsn: str, role: Role = Role.ADMIN, *, unit_id: UUID | None = None, customer_id: UUID | None = None
) -> str:
    """A new API key."""
    connection = await asyncpg.connect(dsn)
    try:
        wanted = api_keys.NewKey(name="test", role=role, unit_id=unit_id, customer_id=customer_id)
        return await api_keys.create(connection, ADMIN, wanted, at=datetime.now(UTC))
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def hub(demo_dsn: str) -> AsyncIterator[ASGIApp]:
    """A whole hub on Northwind, without a socket."""
    async with running(Settings(), demo_dsn) as app:
        yield app


@pytest.fixture(scope="session")
async def admin_key(demo_dsn: str) -> str:
    """A key that sees all of Northwind."""
    return await key_for(demo_dsn)


@pytest.fixture(scope="session")
async def client(hub: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the hub on Northwind, without a key."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hub), base_url="http://hub") as made:
        yield made


@pytest.fixture(scope="session")
async def ask(client: httpx2.AsyncClient, admin_key: str) -> Ask:
    """Asks the hub on Northwind, as admin unless a key is given; gives the data, or fails with the errors."""

    async def asked(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
        answer = await posted(client, query, variables, key)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    return asked


@pytest.fixture(scope="session")
async def refused(client: httpx2.AsyncClient, admin_key: str) -> Ask:
    """Asks for what must be refused; gives the one error."""

    async def asked(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
        answer = await posted(client, query, variables, key)
        (error,) = answer["errors"]
        return error

    return asked


@asynccontextmanager
async def asking(dsn: str) -> AsyncIterator[Ask]:
    """Asks a hub on any database, as admin unless a key is given; gives the data, or fails with the errors."""
    admin_key = await key_for(dsn)
    async with running(Settings(), dsn) as app:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:

            async def asked(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
                answer = await posted(client, query, variables, key)
                assert "errors" not in answer, answer["errors"]
                return answer["data"]

            yield asked


async def posted(client: httpx2.AsyncClient, query: str, variables: dict[str, Any] | None, key: str) -> Any:
    """The JSON answer to a query."""
    sent = {"query": query, "variables": variables}
    response = await client.post("/graphql", json=sent, headers={"authorization": f"Bearer {key}"})
    return response.json()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long runs only when they are asked for."""
    if "soak" not in (config.getoption("-m") or ""):
        skip = pytest.mark.skip(reason="a long run; `make soak`")
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(skip)
