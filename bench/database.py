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
class Place:
    """A server, and the address from which a database's own is made by putting its name in."""

    pattern: str
    admin: str
    fixed: bool  # the address names the very database to use for the first set

    def address(self, customers: int, standard: int) -> str:
        if self.fixed and customers == standard:
            return self.pattern
        parts = urlsplit(self.pattern)
        name = f"{parts.path.strip('/')}_{customers}" if self.fixed else f"bench_{customers}"
        return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def place(url: str | None, data_dir: Path) -> Iterator[Place]:
    """The server at `url`, or an embedded one in `data_dir` for the duration of the block."""
    if url is not None:
        yield Place(url, url, fixed=True)
        return
    with postgres.ensure(data_dir, shared_buffers=SHARED_BUFFERS) as server:
        yield Place(server.dsn, server.admin_dsn, fixed=False)


def filled(where: Place, customers: int, standard: int) -> str:
    """The address of a database with that many customers, made and loaded if need be."""
    address = where.address(customers, standard)
    asyncio.run(_create(where, address))
    asyncio.run(migrate.upgrade(address))
    if asyncio.run(_count(address)) < customers:
        asyncio.run(_load(address, customers))
    return address


async def _create(where: Place, address: str) -> None:
    name, owner = urlsplit(address).path.strip("/"), urlsplit(address).username
    connection = await asyncpg.connect(where.admin)
    try:
        if not await connection.fetchval("select exists(select from pg_database where datname = $1)", name):
            await connection.execute(f'create database "{name}" owner "{owner}" template template0')
    finally:
        await connection.close()


async def _count(address: str) -> int:
    connection = await asyncpg.connect(address)
    try:
        known = await connection.fetchval("select to_regclass('customers') is not null")
        count: int = await connection.fetchval("select count(*) from customers") if known else 0
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
