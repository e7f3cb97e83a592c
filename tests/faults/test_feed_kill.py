"""The sequencer's hub and its Postgres are killed under writers: every acknowledged change is delivered once and in order."""

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
from change_workload import LEADER_PID_SQL, open_connections, read_by_position, run_change_workload, wait_until
from hub_process import free_port, start_hub
from migrated_folders import migrated_server

from hub import observability
from hub.changefeed.cursors import resume_position
from hub.changefeed.sequencer import Sequencer
from hub.db import change_positions
from hub.db.change_positions import FeedState
from hub.db.pool import Connection
from hub.postgres import pidfile
from hub.settings import Settings

KILLS = 3


@pytest.fixture
def cluster_folder(tmp_path: Path) -> Iterator[Path]:
    """Removes the cluster, because it takes 40 MB."""
    yield tmp_path
    shutil.rmtree(tmp_path)


async def read_feed_state(dsn: str) -> FeedState:
    async with open_connections(dsn, 1) as (connection,):
        return await change_positions.feed_state(connection)


# -- the hub ----------------------------------------------------------------------------------------------------------------


async def wait_for_leader(connection: Connection, other_than: int | None = None) -> int:
    """Waits for a leader other than the previous one; returns its server process."""

    async def find_leader() -> int | None:
        pid: int | None = await connection.fetchval(LEADER_PID_SQL)
        return None if pid == other_than else pid

    pid: int = await wait_until(find_leader, 3)
    return pid


async def test_when_the_leader_is_killed_another_hub_takes_over(database_dsn: str, seed: int) -> None:
    async with open_connections(database_dsn, 1) as (connection,):
        hubs = [await start_hub(database_dsn, free_port())]
        first = await wait_for_leader(connection)
        hubs.append(await start_hub(database_dsn, free_port()))

        async def kill() -> None:
            await asyncio.sleep(0.5)
            hubs[0].send_signal(signal.SIGKILL)
            await hubs[0].wait()
            second = await wait_for_leader(connection, other_than=first)
            hubs.append(await start_hub(database_dsn, free_port()))
            hubs[1].send_signal(signal.SIGKILL)
            await wait_for_leader(connection, other_than=second)

        try:
            killing = asyncio.create_task(kill())
            ledger = await run_change_workload(
                database_dsn, seed, read_by_position, transactions=30, drain_timeout=10, meanwhile=killing
            )
            await killing
        finally:
            for hub in hubs:
                if hub.returncode is None:
                    hub.kill()
                    await hub.wait()
    assert (ledger.broken_promises(), len(ledger.read) > 200) == (set(), True)


# -- Postgres ---------------------------------------------------------------------------------------------------------------


async def test_when_postgres_is_killed_no_acknowledged_change_is_lost(
    cluster_folder: Path, migrated_folder: Path, seed: int
) -> None:
    event_types: list[type[observability.Event]] = []

    async def leadership_acquired(times: int) -> bool:
        return Counter(event_types)[observability.LeadershipAcquired] == times

    async def kill() -> None:
        for times in range(KILLS):
            await wait_until(partial(leadership_acquired, times + 1), 10)
            await asyncio.sleep(random.uniform(0.1, 0.5))
            running = pidfile.read(cluster_folder / "pg")
            assert running is not None
            os.kill(running.pid, signal.SIGKILL)
        await wait_until(partial(leadership_acquired, KILLS + 1), 10)

    with migrated_server(cluster_folder, migrated_folder) as server:
        first = await read_feed_state(server.dsn)
        remove_handler = observability.add_handler(lambda event: event_types.append(type(event)))
        try:
            async with Sequencer(server.dsn, Settings()).running():
                killing = asyncio.create_task(kill())
                ledger = await run_change_workload(
                    server.dsn, seed, read_by_position, transactions=30, drain_timeout=10, meanwhile=killing
                )
                await killing
        finally:
            remove_handler()
        last = await read_feed_state(server.dsn)
    assert (ledger.broken_promises(), len(ledger.read) > 200) == (set(), True)
    # Each start of the server began an epoch, and cursors of all epochs are valid.
    assert (len(last.epoch_ends), next(iter(last.epoch_ends))) == (KILLS, first.epoch)
    assert all(
        resume_position(last, last.epoch_of(change.position), change.position) == change.position
        for change in ledger.read
    )
