"""The process that chains the audit log is killed under eight writers: every change has one entry, and the chain verifies."""

import asyncio
import signal
from contextlib import suppress
from functools import partial

import asyncpg
from audit_reader import verify, wait_until_chained
from change_workload import LEADER_PID_SQL, open_connections, wait_until
from hub_process import run_hubs

from hub.db.pool import Connection

WRITERS, CHANGES = 8, 40
PAUSE = 0.2  # seconds between two changes of a writer that waits for the kills
INSERT = "insert into products (sku, name, category, unit_price, currency) values ($1, $1, 'x', 1, 'EUR')"
CHANGES_BY_TARGETS = """
select (select count(*) from change_log), count(*), count(distinct (row_ids, operation)), count(distinct t.entry_id)
from audit_targets as t where operation <> 'READ'
"""


async def test_a_killed_sequencer_leaves_a_chain_without_gaps_and_forks(database_dsn: str) -> None:
    async with open_connections(database_dsn, WRITERS + 1) as (watcher, *writers), run_hubs(database_dsn, 2) as hubs:
        stopped = asyncio.Event()

        async def write(number: int, connection: Connection) -> int:
            turn = 0
            while turn < CHANGES or not stopped.is_set():
                await connection.execute(INSERT, f"{number}-{turn}")
                turn += 1
                if turn > CHANGES:  # slowly enough for a sequencer that shares its processor
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PAUSE):
                            await stopped.wait()
            return turn

        async def kill() -> None:
            try:
                first = await wait_until(lambda: watcher.fetchval(LEADER_PID_SQL))
                for port in hubs.ports:  # one of them leads
                    before = await wait_until(lambda: chained(watcher))
                    await hubs.restart(port, signal.SIGKILL)
                    await wait_until(partial(has_more, watcher, before))
                await wait_until(partial(has_other_leader, watcher, first))
            finally:
                stopped.set()

        killing = asyncio.create_task(kill())
        written = sum(await asyncio.gather(*(write(*pair) for pair in enumerate(writers))))
        await killing
        await wait_until_chained(watcher)
        counts = await watcher.fetchrow(CHANGES_BY_TARGETS)
        assert counts is not None
        assert tuple(counts) == (written,) * 4
        async with watcher.transaction(isolation="repeatable_read"):
            result = await verify(watcher)
        assert (result.fault, result.last) == ("", written)


async def chained(connection: asyncpg.Connection) -> int:
    """The number of entries."""
    number: int = await connection.fetchval("select number from audit_head")
    return number


async def has_more(connection: asyncpg.Connection, number: int) -> bool:
    return await chained(connection) > number


async def has_other_leader(connection: asyncpg.Connection, leader: int) -> bool:
    return await connection.fetchval(LEADER_PID_SQL) not in (None, leader)
