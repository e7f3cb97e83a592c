"""A Postgres of the suite's own, databases in it, and a hub on the sample data to ask through its front door."""

import asyncio
import random
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
import random_runs
from asgi_client import post_query
from migrated_folders import make_migrated, migrated_server
from starlette.types import ASGIApp

from hub.app import lifespan
from hub.demo.load import load
from hub.domain.access import api_keys
from hub.postgres import PostgresServer
from hub.settings import Settings
from hub.viewer import ADMIN, Role

pytest_plugins = ("command_line", "own_northwind", "declared_entities", "left_out_clients")

RunQuery = Callable[..., Awaitable[Any]]
CreateDatabase = Callable[[str], Awaitable[str]]
_numbers = count()


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A data directory whose database is migrated, at rest; to be copied."""
    base = tmp_path_factory.getbasetemp()
    return make_migrated(base.parent if hasattr(pytestconfig, "workerinput") else base)


@pytest.fixture(scope="session")
def postgres_server(migrated_folder: Path) -> Iterator[PostgresServer]:
    """A throwaway server."""
    with (
        tempfile.TemporaryDirectory(prefix="hub-tests-") as folder,
        migrated_server(Path(folder), migrated_folder) as started,
    ):
        asyncio.run(_make_copies_cheap(started))
        yield started


async def _make_copies_cheap(server: PostgresServer) -> None:
    """Hundreds of databases are copied file by file, and no autovacuum walks over all of them."""
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        for setting in ("file_copy_method = clone", "autovacuum = off"):
            await connection.execute(f"alter system set {setting}")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def create_database(postgres_server: PostgresServer) -> CreateDatabase:
    """Makes a database, a copy of the named one, and gives its address."""

    async def create(template: str) -> str:
        return await _create_database(postgres_server, f"{template}_{next(_numbers)}", template)

    return create


def with_database(dsn: str, name: str) -> str:
    """The address of another database on the same server."""
    return dsn.rpartition("/")[0] + "/" + name


async def _create_database(postgres_server: PostgresServer, name: str, template: str) -> str:
    connection = await asyncpg.connect(postgres_server.admin_dsn)
    try:
        await connection.execute(f'create database "{name}" owner hub template "{template}" strategy file_copy')
    finally:
        await connection.close()
    return with_database(postgres_server.dsn, name)


@pytest.fixture(scope="session")
async def empty_dsn(postgres_server: PostgresServer) -> str:
    """A migrated database without a row; to be copied, not written to."""
    return await _create_database(postgres_server, "migrated", postgres_server.dsn.rpartition("/")[2])


@pytest.fixture(scope="session")
async def demo_dsn(postgres_server: PostgresServer, empty_dsn: str) -> str:
    """Northwind; to be read, not written to. Copies are made of `northwind`, to which nobody stays connected."""
    await load(await _create_database(postgres_server, "northwind", "migrated"))
    return await _create_database(postgres_server, "demo", "northwind")


@pytest.fixture
async def database_dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    """A migrated database of the test's own."""
    return await create_database("migrated")


@pytest.fixture
async def northwind_dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    """Northwind of the test's own, to be written to."""
    return await create_database("northwind")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own, made from that of the run."""
    return random.Random(f"{random_runs.seed()} {request.node.nodeid}").randrange(10**6)


async def execute_sql(dsn: str, statements: str) -> None:
    """Runs statements in a database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def create_api_key(
    dsn: str, role: Role | str = Role.ADMIN, *, unit_id: UUID | None = None, customer_id: UUID | None = None
) -> str:
    """A new API key, which leaves no entry in the change log."""
    connection = await asyncpg.connect(dsn, server_settings={"hub.capture": "off"})
    try:
        new_key = api_keys.NewKey(name="test", role=role, unit_id=unit_id, customer_id=customer_id)
        return await api_keys.create(connection, ADMIN, new_key, now=datetime.now(UTC))
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def app(demo_dsn: str) -> AsyncIterator[ASGIApp]:
    """A whole hub on Northwind, without a socket."""
    async with lifespan(Settings(), demo_dsn) as app:
        yield app


@pytest.fixture(scope="session")
async def admin_key(demo_dsn: str) -> str:
    """A key that sees all of Northwind."""
    return await create_api_key(demo_dsn)


@pytest.fixture(scope="session")
async def http_client(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the hub on Northwind, without a key."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as http_client:
        yield http_client


@pytest.fixture(scope="session")
async def run_query(app: ASGIApp, admin_key: str) -> RunQuery:
    """Asks the hub on Northwind, as admin unless a key is given; gives the data, or fails with the errors."""

    async def query_data(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
        response = await post_query(app, query, variables, key)
        assert "errors" not in response, response["errors"]
        return response["data"]

    return query_data


@pytest.fixture(scope="session")
async def expect_error(app: ASGIApp, admin_key: str) -> RunQuery:
    """Asks for what must be refused; gives the one error."""

    async def query_error(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
        response = await post_query(app, query, variables, key)
        (error,) = response["errors"]
        return error

    return query_error


@asynccontextmanager
async def open_query_client(dsn: str) -> AsyncIterator[RunQuery]:
    """Asks a hub on any database, as admin unless a key is given; gives the data, or fails with the errors."""
    admin_key = await create_api_key(dsn)
    async with lifespan(Settings(), dsn) as app:

        async def query_data(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
            response = await post_query(app, query, variables, key)
            assert "errors" not in response, response["errors"]
            return response["data"]

        yield query_data


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the seed of all random tests before any is imported."""
    random_runs.choose_seed(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the seed: a failure of a random test is seen again with it."""
    terminalreporter.write_line(f"{random_runs.SEED_VARIABLE}={random_runs.seed()}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long runs only when they are asked for."""
    if not random_runs.whole_runs(config):
        skip = pytest.mark.skip(reason="a long run; `make soak`")
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(skip)
