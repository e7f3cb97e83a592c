"""Exports beside random writes, with what the snapshot of each export held: read by plain SQL from that very snapshot."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from hub.db.pool import Connection, Pool

INSERT_PRODUCTS = """
insert into products (sku, name, category, unit_price, currency)
select 'S' || number, 'Product ' || number, 'Many', number % 1000, 'EUR' from generate_series(1, {}) as number
"""
WRITES = (
    "update products set unit_price = unit_price + 1 where sku = 'S' || {}",
    "update products set name = name || '!' where sku between 'S' || {0} and 'S' || ({0} + 3)",
    "delete from products where sku = 'S' || {}",
    "insert into products (sku, name, category, unit_price, currency) values ('N' || {}, 'New', 'Many', 1, 'EUR')"
    " on conflict do nothing",
)


async def create_products(dsn: str, count: int) -> None:
    """Adds products that the change log does not know."""
    connection = await asyncpg.connect(dsn, server_settings={"hub.capture": "off"})
    try:
        await connection.execute(INSERT_PRODUCTS.format(count), timeout=300)
        await connection.execute("analyze products")
    finally:
        await connection.close()


@asynccontextmanager
async def random_writes(dsn: str, seed: int, count: int) -> AsyncIterator[list[int]]:
    """Writes at random while the body runs; yields a list with the number of writes."""
    chosen, written = random.Random(seed), [0]
    connection = await asyncpg.connect(dsn)

    async def write() -> None:
        while True:
            await connection.execute(chosen.choice(WRITES).format(chosen.randrange(1, count)))
            written[0] += 1

    task = asyncio.create_task(write())
    try:
        yield written
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


class SnapshotWitness:
    """Writes the rows of every snapshot that the hub opens to a file, read in that snapshot: a line each, with tabs."""

    def __init__(self, dsn: str, query: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        original = Pool.snapshot

        @asynccontextmanager
        async def witnessed(pool: Pool) -> AsyncIterator[Connection]:
            async with original(pool) as connection:
                snapshot = await connection.fetchval("select pg_export_snapshot()")
                witness = await asyncpg.connect(dsn)
                try:
                    async with witness.transaction(isolation="repeatable_read", readonly=True):
                        await witness.execute(f"set transaction snapshot '{snapshot}'")
                        await witness.copy_from_query(query, output=file, timeout=600)
                finally:
                    await witness.close()
                yield connection

        monkeypatch.setattr(Pool, "snapshot", witnessed)
