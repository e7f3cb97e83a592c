"""Positions are assigned without delay while a snapshot or a transaction stays open, and after an idle period."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from time import monotonic

import pytest
import random_runs
from change_workload import (
    CREATE_PRODUCT,
    INSERT_PRODUCT,
    LEADER_PID_SQL,
    open_connections,
    wait_for_position,
    wait_until,
    wait_until_sequenced,
)
from conftest import open_query_client

from hub.changefeed import sequencer
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.settings import Settings

SAMPLES = 20
MEDIAN_SLACK, MAX_SLACK = (
    0.05,
    0.25,
)  # seconds by which the median and the maximum delay may grow on a busy machine
INSERT_MANY = """
insert into products (sku, name, category, unit_price, currency)
select $1 || ' ' || n, 'n', 'c', 1, 'EUR' from generate_series(1, 5000) as n
"""


async def sequencing_delays(connection: Connection, name: str) -> list[float]:
    """Returns the seconds from commits to their positions, sorted."""
    delays = []
    for n in range(SAMPLES):
        row = await connection.fetchval(INSERT_PRODUCT, f"{name} {n}")
        started_at = monotonic()
        await wait_for_position(connection, row)
        delays.append(monotonic() - started_at)
    return sorted(delays)


@asynccontextmanager
async def open_transaction(dsn: str, what: str) -> AsyncIterator[None]:
    """Holds a transaction open while the body runs."""
    async with open_connections(dsn, 1) as (slow,), slow.transaction(isolation="repeatable_read"):
        await slow.fetchval("select count(*) from products")
        if what == "transaction":
            await slow.fetchval(INSERT_PRODUCT, "slow")
        yield


@pytest.mark.parametrize("what", ["snapshot", "transaction"])
@pytest.mark.parametrize("changes", [10_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
async def test_open_snapshots_and_transactions_do_not_delay_sequencing(
    database_dsn: str, what: str, changes: int, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    # Each update of the watermark leaves a dead row: as many as in an hour or more.
    monkeypatch.setattr(sequencer, "WATERMARK_SAVE_INTERVAL", 0.0)
    async with open_connections(database_dsn, 1) as (connection,), Sequencer(database_dsn, Settings()).running():
        before = await sequencing_delays(connection, "before")
        async with open_transaction(database_dsn, what):
            for n in range(changes // 5_000):
                await connection.execute(INSERT_MANY, f"many {n}")
            await wait_until_sequenced(connection, 60)
            during = await sequencing_delays(connection, "during")
        after = await sequencing_delays(connection, "after")
    assert len(during) == SAMPLES  # all had their positions while it was open
    assert max(median(during), median(after)) < median(before) + random_runs.time_limit(MEDIAN_SLACK, pytestconfig)
    assert during[-2] < before[-2] + random_runs.time_limit(MAX_SLACK, pytestconfig)


async def test_a_lost_wake_up_does_not_stop_sequencing(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sequencer, "wake", lambda _: None)
    async with open_connections(database_dsn, 1) as (connection,), open_query_client(database_dsn) as run_query:
        await wait_until(lambda: connection.fetchval(LEADER_PID_SQL))
        await run_query(CREATE_PRODUCT)
        await wait_until_sequenced(connection)
