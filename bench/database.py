"""The databases of the benchmarks: in an embedded Postgres of their own, or on the server of HUB_BENCH_URL."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from hub import postgres
from hub.db import migrate
from hub.db.pool import Connection
from hub.demo.load import load

SHARED_BUFFERS = "1GB"
DATABASE_PREFIX = "bench"
EXISTS_SQL = "select exists(select from pg_database where datname = $1)"
# Index-only scans need the visibility map, and plans need the statistics, as they are a while after a load.
VACUUM_SQL = "vacuum (analyze)"

QueryResult = TypeVar("QueryResult")


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A server, and a database address on it: other databases have the same address but for their name."""

    pattern: str
    admin: str
    fixed: bool  # `pattern` is the database of the standard data set

    def address(self, customers: int, standard: int) -> str:
        """The address of the database for a number of customers."""
        return self.pattern if self.fixed and customers == standard else self.database_address(str(customers))

    def database_address(self, name: str) -> str:
        """The address of a database beside the first."""
        parts = urlsplit(self.pattern)
        stem = database_name(self.pattern) if self.fixed else DATABASE_PREFIX
        return urlunsplit(parts._replace(path=f"/{stem}_{name}"))


@contextmanager
def bench_server(url: str | None, data_dir: Path) -> Iterator[BenchServer]:
    """The server at `url`, or an embedded one in `data_dir` for the duration of the block."""
    if url is not None:
        yield BenchServer(url, url, fixed=True)
        return
    with postgres.ensure(data_dir, shared_buffers=SHARED_BUFFERS) as server:
        yield BenchServer(server.socket_dsn, server.admin_dsn, fixed=False)


def database_name(address: str) -> str:
    """The name of the database at an address."""
    return urlsplit(address).path.strip("/")


def with_connection(dsn: str, function: Callable[[Connection], Awaitable[QueryResult]]) -> QueryResult:
    """The result of a function on a connection of its own."""

    async def run_connected() -> QueryResult:
        connection = await asyncpg.connect(dsn)
        try:
            return await function(connection)
        finally:
            await connection.close()

    return asyncio.run(run_connected())


def execute(dsn: str, *commands: str) -> None:
    """Run commands one by one, each in a transaction of its own."""

    async def run_commands(connection: Connection) -> None:
        for command in commands:
            await connection.execute(command)

    with_connection(dsn, run_commands)


def loaded_database(server: BenchServer, customers: int, standard: int) -> str:
    """The address of a database with that many customers, created and loaded if need be."""
    address = server.address(customers, standard)
    _create_migrated(server, address)
    if with_connection(address, _count_customers) < customers:
        asyncio.run(load(address, customers=customers))
        execute(address, VACUUM_SQL)
    return address


def empty_database(server: BenchServer, name: str) -> str:
    """The address of a migrated database beside the others, created if need be."""
    address = server.database_address(name)
    _create_migrated(server, address)
    return address


def cached_database(server: BenchServer, name: str, fill: Callable[[str], None]) -> str:
    """The address of a database that `fill` creates the content of; it is filled once and reused by later runs.

    It bears its name only when it is complete, so an interrupted `fill` starts again.
    """
    address, draft = server.database_address(name), server.database_address("incomplete")
    if not with_connection(server.admin, lambda connection: connection.fetchval(EXISTS_SQL, database_name(address))):
        _drop(server, draft)
        _create(server, draft)
        fill(draft)
        execute(draft, VACUUM_SQL)
        execute(server.admin, f'alter database "{database_name(draft)}" rename to "{database_name(address)}"')
    return address


@contextmanager
def copied_database(server: BenchServer, source: str, name: str) -> Iterator[str]:
    """The address of a copy of the database at `source`, which is dropped at the end of the block."""
    address = server.database_address(name)
    _drop(server, address)
    _create(server, address, f'template "{database_name(source)}" strategy file_copy')
    try:
        yield address
    finally:
        _drop(server, address)


def _create_migrated(server: BenchServer, address: str) -> None:
    name = database_name(address)
    if not with_connection(server.admin, lambda connection: connection.fetchval(EXISTS_SQL, name)):
        _create(server, address)
    asyncio.run(migrate.upgrade(address))


def _create(server: BenchServer, address: str, options: str = "template template0") -> None:
    name, owner = database_name(address), urlsplit(address).username
    execute(server.admin, f'create database "{name}" owner "{owner}" {options}')


def _drop(server: BenchServer, address: str) -> None:
    execute(server.admin, f'drop database if exists "{database_name(address)}" with (force)')


async def _count_customers(connection: Connection) -> int:
    exists = await connection.fetchval("select to_regclass('customers') is not null")
    count: int = await connection.fetchval("select count(*) from customers") if exists else 0
    return count
