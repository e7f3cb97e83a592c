"""The databases that the bench runs on: in its own embedded Postgres, or the one it is told of; filled when empty."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from hub import postgres
from hub.db import migrate
from hub.demo.load import load

SHARED_BUFFERS = "1GB"


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A server, and the address from which a database's own is made by putting its name in."""

    pattern: str
    admin: str
    fixed: bool  # the address names the very database to use for the first set

    def address(self, customers: int, standard: int) -> str:
        return self.pattern if self.fixed and customers == standard else self.database_address(str(customers))

    def database_address(self, name: str) -> str:
        """The address of a database beside the first."""
        parts = urlsplit(self.pattern)
        stem = parts.path.strip("/") if self.fixed else "bench"
        return urlunsplit(parts._replace(path=f"/{stem}_{name}"))


@contextmanager
def bench_server(url: str | None, data_dir: Path) -> Iterator[BenchServer]:
    """The server at `url`, or an embedded one in `data_dir` for the duration of the block."""
    if url is not None:
        yield BenchServer(url, url, fixed=True)
        return
    with postgres.ensure(data_dir, shared_buffers=SHARED_BUFFERS) as server:
        yield BenchServer(server.socket_dsn, server.admin_dsn, fixed=False)


def loaded_database(server: BenchServer, customers: int, standard: int) -> str:
    """The address of a database with that many customers, made and loaded if need be."""
    address = server.address(customers, standard)
    asyncio.run(_create(server, address))
    asyncio.run(migrate.upgrade(address))
    if asyncio.run(_count(address)) < customers:
        asyncio.run(_load(address, customers))
    return address


def empty_database(server: BenchServer, name: str) -> str:
    """The address of a migrated database beside the others, made if need be."""
    address = server.database_address(name)
    asyncio.run(_create(server, address))
    asyncio.run(migrate.upgrade(address))
    return address


async def _create(server: BenchServer, address: str) -> None:
    name, owner = urlsplit(address).path.strip("/"), urlsplit(address).username
    connection = await asyncpg.connect(server.admin)
    try:
        if not await connection.fetchval("select exists(select from pg_database where datname = $1)", name):
            await connection.execute(f'create database "{name}" owner "{owner}" template template0')
    finally:
        await connection.close()


async def _count(address: str) -> int:
    connection = await asyncpg.connect(address)
    try:
        exists = await connection.fetchval("select to_regclass('customers') is not null")
        count: int = await connection.fetchval("select count(*) from customers") if exists else 0
        return count
    finally:
        await connection.close()


async def _load(address: str, customers: int) -> None:
    await load(address, customers=customers)
    connection = await asyncpg.connect(address)
    try:
        # Index-only scans need the visibility map, and plans the statistics: as they are a while after a load.
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()
