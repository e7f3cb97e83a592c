"""Advisory locks: each use has a lock of its own, and no other use waits for it."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from hub.db.pool import Pool
from hub.db.transaction import transaction
from hub.demo import load
from hub.settings import Settings


async def test_a_retried_mutation_does_not_wait_for_a_load_of_sample_data(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, done = asyncio.Event(), asyncio.Event()

    async def paused(*_: Any) -> load.LoadedRows:
        loading.set()
        await done.wait()
        return load.LoadedRows({})

    monkeypatch.setattr(load, "_load", paused)
    loader = asyncio.create_task(load.load(database_dsn))
    await loading.wait()
    pool = await Pool.open(database_dsn, Settings())
    try:
        async with transaction(pool, sa.MetaData(), "test", "1", "{}", serialized=True) as tx:
            await tx.finish()
        assert not loader.done()
    finally:
        done.set()
        await loader
        await pool.close()
