"""Changes get their positions: nothing lost, dense, in order, whoever is slow and whoever is killed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from audit_reader import wait_until_chained
from change_workload import (
    CREATE_PRODUCT,
    INSERT_PRODUCT,
    LEADER_PID_SQL,
    ReadNextChanges,
    open_connections,
    read_by_position,
    run_change_workload,
    wait_for_position,
    wait_until,
    wait_until_sequenced,
)
from conftest import open_query_client

from hub import observability
from hub.changefeed import sequencer
from hub.changefeed.sequencer import Sequencer, poll_interval
from hub.changefeed.watermark import MAX_BIGINT, Watermark
from hub.db import change_positions, log_partitions
from hub.db.change_positions import AssignedBatch, CursorExpired, XidWatermark
from hub.db.pool import Connection, Pool, connect_dedicated
from hub.settings import Settings

XMAX = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
KILL_COUNT = 6
OLD = """
insert into change_log (day, table_name, row_id, version, operation, changed)
select $1::date, 'products', uuidv7(), 1, 'CREATE', '{}' from generate_series(1, $2)
"""
# Whoever gets a number draws an id with it.
RACE_SEQUENCE = """
create schema meanwhile;
create function meanwhile.pg_current_xact_id() returns xid8 language plpgsql as $$
begin perform nextval('public.change_log_id'); return pg_catalog.pg_current_xact_id(); end $$;
create function meanwhile.draw() returns trigger language plpgsql as $$
begin perform nextval('public.change_log_id'); return new; end $$;
create trigger draw before insert on change_order for each row execute function meanwhile.draw();
set search_path = meanwhile, pg_catalog, public
"""


@pytest.fixture
async def connection(database_dsn: str) -> AsyncIterator[Connection]:
    async with open_connections(database_dsn, 1) as (opened,):
        yield opened


# -- what is promised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5_000, 3])
async def test_nothing_is_lost_and_everything_is_in_order(
    database_dsn: str, seed: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "BATCH_LIMIT", limit)
    async with Sequencer(database_dsn, Settings()).running():
        ledger = await run_change_workload(database_dsn, seed, read_by_position)
    assert (ledger.broken_promises(), len(ledger.read) > 200) == (set(), True)


async def test_killing_leaders_changes_nothing(database_dsn: str, seed: int, connection: Connection) -> None:
    async def kill() -> None:
        for _ in range(KILL_COUNT):
            leader = await wait_until(lambda: connection.fetchval(LEADER_PID_SQL))
            await asyncio.sleep(random.uniform(0.0, 0.3))
            await connection.execute("select pg_terminate_backend($1)", leader)

    async with Sequencer(database_dsn, Settings()).running(), Sequencer(database_dsn, Settings()).running():
        killing = asyncio.create_task(kill())
        ledger = await run_change_workload(database_dsn, seed, read_by_position, transactions=60, meanwhile=killing)
        await killing
    assert ledger.broken_promises() == set()


# -- the oracle finds what it is there for ----------------------------------------------------------------------------------


def _by_sequence() -> ReadNextChanges:
    last = 0

    async def step(connection: Connection, after: int) -> list[Any]:
        nonlocal last
        rows = await connection.fetch("select * from change_log where id > $1 order by id", last)
        last = rows[-1]["id"] if rows else last
        return [{**row, "position": after + n} for n, row in enumerate(rows, 1)]

    return step


async def _by_transaction(connection: Connection, after: int) -> list[Any]:
    await connection.execute(
        "insert into change_order select $1 + row_number() over (order by transaction_id, id), id from change_log"
        " where transaction_id < pg_snapshot_xmin(pg_current_snapshot()) and id not in (select id from change_order)",
        await connection.fetchval("select coalesce(max(position), 0) from change_order"),
    )
    return await read_by_position(connection, after)


@pytest.mark.parametrize(
    ("step", "fault"), [(_by_sequence(), "lost"), (_by_transaction, "row out of order"), (_by_transaction, "overtaken")]
)
async def test_the_oracle_finds_a_wrong_order(database_dsn: str, seed: int, step: ReadNextChanges, fault: str) -> None:
    assert (
        fault
        in (await run_change_workload(database_dsn, seed, step, transactions=20, drain_timeout=0.1)).broken_promises()
    )


async def test_the_oracle_finds_an_acknowledgement_before_the_commit(database_dsn: str, seed: int) -> None:
    async with Sequencer(database_dsn, Settings()).running():
        ledger = await run_change_workload(
            database_dsn, seed, read_by_position, transactions=20, acknowledge_early=True, drain_timeout=0.3
        )
    assert "lost" in ledger.broken_promises()


# -- one who is slow --------------------------------------------------------------------------------------------------------


async def test_an_open_transaction_stalls_nobody_and_loses_nothing(database_dsn: str, connection: Connection) -> None:
    async with open_connections(database_dsn, 1) as (slow,), Sequencer(database_dsn, Settings()).running():
        await wait_for_position(connection, await connection.fetchval(INSERT_PRODUCT, "first"))
        transaction = slow.transaction()
        await transaction.start()
        late = await slow.fetchval(INSERT_PRODUCT, "slow")
        # The slow one has the newest number of all: no snapshot's xmax is beyond it until a mark is drawn.
        number = await slow.fetchval("select pg_current_xact_id()::text::bigint")
        await wait_until(lambda: _xmax_is_past(connection, number + 1))
        positions_after = [
            await wait_for_position(connection, await connection.fetchval(INSERT_PRODUCT, f"quick {n}"))
            for n in range(10)
        ]
        assert positions_after == list(range(2, 12))
        await transaction.commit()
        assert await wait_for_position(connection, late) == 12


async def _xmax_is_past(connection: Connection, number: int) -> bool:
    xmax: int = await connection.fetchval(XMAX)
    return xmax > number


async def test_a_new_leader_finds_what_the_old_one_left_open(database_dsn: str, connection: Connection) -> None:
    async with open_connections(database_dsn, 1) as (slow,):
        transaction = slow.transaction()
        async with Sequencer(database_dsn, Settings()).running():
            await transaction.start()
            late = await slow.fetchval(INSERT_PRODUCT, "slow")
            await wait_for_position(connection, await connection.fetchval(INSERT_PRODUCT, "quick"))
        await transaction.commit()
        async with Sequencer(database_dsn, Settings()).running():
            assert await wait_for_position(connection, late) == 2


async def leadership_acquired(events: list[observability.Event]) -> bool:
    return any(isinstance(event, observability.LeadershipAcquired) for event in events)


async def leadership_changes_match(events: list[observability.Event], expected: dict[type, int]) -> bool:
    """Whether the lead was taken and lost so often."""
    return (
        Counter(
            type(event)
            for event in events
            if isinstance(event, observability.LeadershipAcquired | observability.LeadershipLost)
        )
        == expected
    )


async def test_a_session_that_ends_before_it_leads_is_replaced_without_a_failure(
    database_dsn: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[observability.Event] = []
    unlisten = observability.add_handler(events.append)
    read_watermark = change_positions.read_watermark
    ended: list[int] = []

    async def read_after_the_end(leader: Connection) -> int:  # as after a long pause of the process
        if not ended:
            ended.append(leader.get_server_pid())
            await connection.execute(f"select pg_terminate_backend({ended[0]})")
        return await read_watermark(leader)

    monkeypatch.setattr(change_positions, "read_watermark", read_after_the_end)
    try:
        async with Sequencer(database_dsn, Settings()).running():
            await wait_until(partial(leadership_acquired, events))
    finally:
        unlisten()
    assert [event for event in events if isinstance(event, observability.InternalFailure)] == []


async def test_the_lead_goes_on_within_seconds(database_dsn: str, connection: Connection) -> None:
    events: list[observability.Event] = []
    unlisten = observability.add_handler(events.append)
    try:
        async with open_query_client(database_dsn) as run_query, Sequencer(database_dsn, Settings()).running():
            await wait_until(partial(leadership_acquired, events))
            leader = await connection.fetchval(LEADER_PID_SQL)
            await connection.execute(f"select pg_terminate_backend({leader})")
            await run_query(CREATE_PRODUCT)
            await wait_until_sequenced(connection)
            assert await connection.fetchval(LEADER_PID_SQL) != leader
            await wait_until(
                partial(
                    leadership_changes_match,
                    events,
                    {observability.LeadershipAcquired: 2, observability.LeadershipLost: 1},
                )
            )
    finally:
        unlisten()
    assert sum(event.changes for event in events if isinstance(event, observability.ChangesSequenced)) == 1
    (change,) = await change_positions.read_changes(connection, 0, 10)
    assert (change["position"], change["table_name"], change["operation"]) == (1, "products", "CREATE")


async def test_a_hanging_leader_is_replaced(
    database_dsn: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(change_positions.SEQUENCER_SESSION, "idle_session_timeout", "300")
    hanging = await connect_dedicated(database_dsn, Settings(), change_positions.SEQUENCER_SESSION)
    assert await change_positions.try_lead(hanging)
    async with Sequencer(database_dsn, Settings()).running():
        assert await wait_for_position(connection, await connection.fetchval(INSERT_PRODUCT, "one")) == 1
    hanging.terminate()


async def test_who_mutates_wakes_the_leader(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "MAX_INTERVAL", 60.0)
    monkeypatch.setattr(sequencer, "BACKOFF_FACTOR", 1e6)
    async with open_connections(database_dsn, 1) as (connection,), open_query_client(database_dsn) as run_query:
        await wait_until(lambda: connection.fetchval(LEADER_PID_SQL))
        await asyncio.sleep(0.05)  # now it would pause for a minute
        await run_query(CREATE_PRODUCT)
        await wait_until_sequenced(connection)


@pytest.mark.parametrize("finds", [True, False])
async def test_the_sequence_is_read_before_a_number_is_drawn(connection: Connection, finds: bool) -> None:
    if finds:
        await connection.fetchval(INSERT_PRODUCT, "one")
    else:
        await connection.fetchval("select nextval('change_log_id')")
    await connection.execute(RACE_SEQUENCE)
    moved = await change_positions.assign_positions(connection, Watermark(0), 10, draw_xid=not finds)
    assert (moved.changes, moved.drawn, moved.xid is not None) == (int(finds), 1, True)
    assert await connection.fetchval("select last_value from change_log_id") > 1  # the trap worked


def test_a_mark_settles_when_nobody_below_it_is_open() -> None:
    watermark, epoch_offset = Watermark(0), 2**32  # numbers go on beyond 32 bits
    watermark.update(
        AssignedBatch(1, 9, f"{epoch_offset + 3}:{epoch_offset + 6}:{epoch_offset + 3}", 10, epoch_offset + 6, 0.0), 5
    )
    assert (watermark.settled, watermark.xid_watermarks) == (0, [XidWatermark(10, epoch_offset + 6)])
    watermark.update(
        AssignedBatch(0, None, f"{epoch_offset + 7}:{epoch_offset + 9}:{epoch_offset + 7}", 20, epoch_offset + 9, None),
        5,
    )
    assert (watermark.settled, watermark.xid_watermarks) == (10, [XidWatermark(20, epoch_offset + 9)])


def test_a_full_move_settles_only_as_far_as_it_came() -> None:
    watermark = Watermark(0)
    watermark.update(AssignedBatch(1, 1, "5:5:", 10, 5, 0.0), 5)
    watermark.update(AssignedBatch(5, 7, "6:6:", 10, 6, 0.0), 5)
    assert (watermark.settled, watermark.fully_assigned_to) == (0, 7)
    watermark.update(AssignedBatch(3, 10, "7:7:", 10, 7, 0.0), 5)
    assert (watermark.settled, watermark.fully_assigned_to) == (10, MAX_BIGINT)


def test_marks_do_not_pile_up_behind_an_open_transaction() -> None:
    watermark = Watermark(0)
    for n in range(1, 100):
        watermark.update(AssignedBatch(0, None, f"50:{101 + n}:50", n * 10, 101 + n, None), 5)
    assert watermark.xid_watermarks == [XidWatermark(980, 199), XidWatermark(990, 200)]


@pytest.mark.parametrize(("changes", "seconds", "pause"), [(1, 0.05, 0.01), (20, 0.02, 0.02), (5_000, 0.01, 0.05)])
def test_the_leader_polls_less_often_when_there_is_more_to_assign(changes: int, seconds: float, pause: float) -> None:
    assert poll_interval(changes, seconds) == pytest.approx(pause)


# -- days -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    opened = await Pool.open(database_dsn, Settings())
    yield opened
    await opened.close()


async def wait_until_settled(connection: Connection) -> None:
    """Waits until all that was written is known to be settled."""

    async def is_settled() -> bool:
        settled: bool = await connection.fetchval(
            "select settled = (select last_value from change_log_id) from change_feed"
        )
        return settled

    await wait_until(is_settled)


async def test_old_partitions_are_dropped_and_reading_them_is_refused(
    database_dsn: str, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "WATERMARK_SAVE_INTERVAL", 0.0)
    today = datetime.now(UTC).date()  # read once: another day may begin during the test
    eight, nine = today - timedelta(days=8), today - timedelta(days=9)
    await connection.fetchval("select hub_make_day($1)", nine)
    await connection.execute(OLD, nine, 20)  # in a partition of its own
    await connection.execute(OLD, eight, 10)  # in the default one
    await log_partitions.drop_partitions(pool, today - timedelta(days=7))
    assert await connection.fetchval("select count(*) from change_log") == 30, "without a position nothing goes"
    async with Sequencer(database_dsn, Settings()).running():
        await wait_until_settled(connection)
        await wait_until_chained(connection)
        await log_partitions.drop_partitions(pool, today - timedelta(days=7))
        assert await connection.fetchval("select count(*) from change_log") == 0
        assert await connection.fetchval("select count(*) from change_order") == 0
        assert await connection.fetchval("select to_regclass($1)", f"change_log_{nine:%Y%m%d}") is None
        assert await wait_for_position(connection, await connection.fetchval(INSERT_PRODUCT, "new")) == 31
    with pytest.raises(CursorExpired):
        await change_positions.read_changes(connection, 29, 10)
    assert [change["position"] for change in await change_positions.read_changes(connection, 30, 10)] == [31]
    assert await change_positions.read_changes(connection, 31, 10) == []


async def test_partitions_are_created_ahead_unless_their_rows_lie_in_the_default_one(
    connection: Connection, pool: Pool
) -> None:
    today = datetime.now(UTC).date() + timedelta(days=5)
    await connection.execute(OLD, today + timedelta(days=1), 1)
    await log_partitions.create_partitions(pool, today)
    await log_partitions.create_partitions(pool, today)
    rows = await connection.fetch("select right(relname, 8) as day from pg_class where relname ~ '^change_log_\\d{8}$'")
    partitions = {row["day"] for row in rows}
    assert [f"{today + timedelta(days=n):%Y%m%d}" in partitions for n in range(3)] == [True, False, True]


async def test_nobody_gathers_statistics_of_images(connection: Connection, pool: Pool) -> None:
    await log_partitions.create_partitions(pool, datetime.now(UTC).date() + timedelta(days=5))
    columns = await connection.fetch("""
        select distinct attname, attstattarget from pg_inherits join pg_attribute on attrelid = inhrelid
        where inhparent = 'change_log'::regclass and attname in ('before', 'after') order by attname
    """)
    assert [tuple(column) for column in columns] == [("after", 0), ("before", 0)]


async def test_a_partition_in_use_is_dropped_later(database_dsn: str, connection: Connection, pool: Pool) -> None:
    today = datetime.now(UTC).date()
    old = today - timedelta(days=9)
    assert await connection.fetchval("select hub_make_day($1)", old)
    async with open_connections(database_dsn, 1) as (reader,), reader.transaction():
        await reader.fetchval("select count(*) from change_log")
        await log_partitions.drop_partitions(pool, today)
        await connection.fetchval(INSERT_PRODUCT, "nobody waits")
        assert await connection.fetchval("select to_regclass($1)", f"change_log_{old:%Y%m%d}") is not None
    await log_partitions.drop_partitions(pool, today)
    assert await connection.fetchval("select to_regclass($1)", f"change_log_{old:%Y%m%d}") is None
