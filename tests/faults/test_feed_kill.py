"""The hub that gives positions, and its Postgres, killed under writers: all that was acknowledged comes, once and in order."""

import asyncio
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from change_workload import LEADER, by_position, connected, until, wrestle
from hub_process import free_port, served

from hub import observability
from hub.changefeed.cursors import resumed
from hub.changefeed.sequencer import Sequencer
from hub.db import change_positions, migrate
from hub.db.change_positions import Standing
from hub.db.pool import Connection
from hub.postgres import ensure, pidfile
from hub.settings import Settings

KILLS = 3


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A cluster is 40 MB: too much to leave it behind."""
    yield tmp_path
    shutil.rmtree(tmp_path)


async def standing(dsn: str) -> Standing:
    async with connected(dsn, 1) as (connection,):
        return await change_positions.standing(connection)


# -- the hub ----------------------------------------------------------------------------------------------------------------


async def leads(connection: Connection, besides: int | None = None) -> int:
    """The server's process for the one that leads, once there is one besides the one that did."""

    async def another() -> int | None:
        found: int | None = await connection.fetchval(LEADER)
        return None if found == besides else found

    found: int = await until(another, 3)
    return found


async def test_when_the_hub_that_leads_is_killed_the_other_one_goes_on(database: str, seed: int) -> None:
    async with connected(database, 1) as (connection,):
        hubs = [await served(database, free_port())]
        first = await leads(connection)
        hubs.append(await served(database, free_port()))

        async def kill() -> None:
            await asyncio.sleep(0.5)
            hubs[0].send_signal(signal.SIGKILL)
            await hubs[0].wait()
            second = await leads(connection, besides=first)
            hubs.append(await served(database, free_port()))
            hubs[1].send_signal(signal.SIGKILL)
            await leads(connection, besides=second)

        try:
            killing = asyncio.create_task(kill())
            ledger = await wrestle(database, seed, by_position, transactions=30, patience=10, meanwhile=killing)
            await killing
        finally:
            for hub in hubs:
                if hub.returncode is None:
                    hub.kill()
                    await hub.wait()
    assert (ledger.faults(), len(ledger.read) > 200) == (set(), True)


# -- Postgres ---------------------------------------------------------------------------------------------------------------


async def test_when_postgres_is_killed_all_that_was_acknowledged_comes(folder: Path, seed: int) -> None:
    told: list[type[observability.Record]] = []

    async def led(times: int) -> bool:
        return Counter(told)[observability.LeadTaken] == times

    async def kill() -> None:
        for times in range(KILLS):
            await until(partial(led, times + 1), 10)
            await asyncio.sleep(random.uniform(0.1, 0.5))
            running = pidfile.read(folder / "pg")
            assert running is not None
            os.kill(running.pid, signal.SIGKILL)
        await until(partial(led, KILLS + 1), 10)

    with ensure(folder, durable=False) as server:
        await migrate.upgrade(server.dsn)
        first = await standing(server.dsn)
        unlisten = observability.listen(lambda record: told.append(type(record)))
        try:
            async with Sequencer(server.dsn, Settings()).running():
                killing = asyncio.create_task(kill())
                ledger = await wrestle(server.dsn, seed, by_position, transactions=30, patience=10, meanwhile=killing)
                await killing
        finally:
            unlisten()
        last = await standing(server.dsn)
    assert (ledger.faults(), len(ledger.read) > 200) == (set(), True)
    # Each start of the server began an epoch, and cursors of all of them are good.
    assert (len(last.ended), next(iter(last.ended))) == (KILLS, first.epoch)
    assert all(resumed(last, last.epoch_of(each.position), each.position) == each.position for each in ledger.read)
