"""Changes get their positions: nothing lost, dense, in order, whoever is slow and whoever is killed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from change_workload import ADD, LEADER, Step, by_position, connected, place_of, placed, until, wrestle
from conftest import asking

from hub import observability
from hub.changefeed import sequencer
from hub.changefeed.sequencer import Sequencer, pace
from hub.changefeed.watermark import MOST, Horizon
from hub.db import change_positions, log_partitions
from hub.db.change_positions import Forgotten, Mark, Moved
from hub.db.pool import Connection, Pool, own
from hub.settings import Settings

XMAX = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
OLD = """
insert into change_log (day, table_name, row_id, version, operation, changed)
select current_date - $1::int, 'products', uuidv7(), 1, 'CREATE', '{}' from generate_series(1, $2)
"""
# Whoever gets a number draws an id with it.
MEANWHILE = """
create schema meanwhile;
create function meanwhile.pg_current_xact_id() returns xid8 language plpgsql as $$
begin perform nextval('public.change_log_id'); return pg_catalog.pg_current_xact_id(); end $$;
create function meanwhile.draw() returns trigger language plpgsql as $$
begin perform nextval('public.change_log_id'); return new; end $$;
create trigger draw before insert on change_order for each row execute function meanwhile.draw();
set search_path = meanwhile, pg_catalog, public
"""
MAKE = """mutation { productCreate(input: {sku: "A", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}) {
    product { sku }
} }"""


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with connected(database, 1) as (made,):
        yield made


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


# -- what is promised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5_000, 3])
async def test_nothing_is_lost_and_everything_is_in_order(
    database: str, seed: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "LIMIT", limit)
    async with Sequencer(database, Settings()).running():
        ledger = await wrestle(database, seed, by_position)
    assert (ledger.faults(), len(ledger.read) > 200) == (set(), True)


async def test_killing_leaders_changes_nothing(database: str, seed: int, connection: Connection) -> None:
    async def kill() -> None:
        while True:
            await asyncio.sleep(0.15)
            await connection.fetch(f"select pg_terminate_backend(pid) from ({LEADER}) as leader")

    async with Sequencer(database, Settings()).running(), Sequencer(database, Settings()).running():
        await until(lambda: connection.fetchval(LEADER))
        killing = asyncio.create_task(kill())
        try:
            ledger = await wrestle(database, seed, by_position, transactions=60)
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
    assert ledger.faults() == set()


# -- the oracle finds what it is there for ----------------------------------------------------------------------------------


def _by_sequence() -> Step:
    last = 0

    async def step(connection: Connection, after: int) -> list[Any]:
        nonlocal last
        found = await connection.fetch("select * from change_log where id > $1 order by id", last)
        last = found[-1]["id"] if found else last
        return [{**each, "position": after + n} for n, each in enumerate(found, 1)]

    return step


async def _by_transaction(connection: Connection, after: int) -> list[Any]:
    await connection.execute(
        "insert into change_order select $1 + row_number() over (order by transaction_id, id), id from change_log"
        " where transaction_id < pg_snapshot_xmin(pg_current_snapshot()) and id not in (select id from change_order)",
        await connection.fetchval("select coalesce(max(position), 0) from change_order"),
    )
    return await by_position(connection, after)


@pytest.mark.parametrize(
    ("step", "fault"), [(_by_sequence(), "lost"), (_by_transaction, "row out of order"), (_by_transaction, "overtaken")]
)
async def test_the_oracle_finds_a_wrong_order(database: str, seed: int, step: Step, fault: str) -> None:
    assert fault in (await wrestle(database, seed, step, transactions=20, patience=0.1)).faults()


async def test_the_oracle_finds_an_acknowledgement_before_the_commit(database: str, seed: int) -> None:
    async with Sequencer(database, Settings()).running():
        ledger = await wrestle(database, seed, by_position, transactions=20, early=True, patience=0.3)
    assert "lost" in ledger.faults()


# -- one who is slow --------------------------------------------------------------------------------------------------------


async def test_an_open_transaction_stalls_nobody_and_loses_nothing(database: str, connection: Connection) -> None:
    async with connected(database, 1) as (slow,), Sequencer(database, Settings()).running():
        await place_of(connection, await connection.fetchval(ADD, "first"))
        held = slow.transaction()
        await held.start()
        late = await slow.fetchval(ADD, "slow")
        # The slow one has the newest number of all: no snapshot's xmax is beyond it until a mark is drawn.
        number = await slow.fetchval("select pg_current_xact_id()::text::bigint")
        await until(lambda: _beyond(connection, number + 1))
        places = [await place_of(connection, await connection.fetchval(ADD, f"quick {n}")) for n in range(10)]
        assert places == list(range(2, 12))
        await held.commit()
        assert await place_of(connection, late) == 12


async def _beyond(connection: Connection, number: int) -> bool:
    found: int = await connection.fetchval(XMAX)
    return found > number


async def test_a_new_leader_finds_what_the_old_one_left_open(database: str, connection: Connection) -> None:
    async with connected(database, 1) as (slow,):
        held = slow.transaction()
        async with Sequencer(database, Settings()).running():
            await held.start()
            late = await slow.fetchval(ADD, "slow")
            await place_of(connection, await connection.fetchval(ADD, "quick"))
        await held.commit()
        async with Sequencer(database, Settings()).running():
            assert await place_of(connection, late) == 2


async def taken(told: list[observability.Record]) -> bool:
    return any(isinstance(each, observability.LeadTaken) for each in told)


async def led(told: list[observability.Record], wanted: dict[type, int]) -> bool:
    """Whether the lead was taken and lost so often."""
    return (
        Counter(type(each) for each in told if isinstance(each, observability.LeadTaken | observability.LeadLost))
        == wanted
    )


async def test_the_lead_goes_on_within_seconds(database: str, connection: Connection) -> None:
    told: list[observability.Record] = []
    unlisten = observability.listen(told.append)
    try:
        async with asking(database) as ask, Sequencer(database, Settings()).running():
            await until(partial(taken, told))
            leader = await connection.fetchval(LEADER)
            await connection.execute(f"select pg_terminate_backend({leader})")
            await ask(MAKE)
            await placed(connection)
            assert await connection.fetchval(LEADER) != leader
            await until(partial(led, told, {observability.LeadTaken: 2, observability.LeadLost: 1}))
    finally:
        unlisten()
    assert sum(each.changes for each in told if isinstance(each, observability.Placed)) == 1
    (change,) = await change_positions.read(connection, 0, 10)
    assert (change["position"], change["table_name"], change["operation"]) == (1, "products", "CREATE")


async def test_a_leader_that_hangs_is_put_off(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(change_positions.SESSION, "idle_session_timeout", "300")
    hanging = await own(database, Settings(), change_positions.SESSION)
    assert await change_positions.led(hanging)
    async with Sequencer(database, Settings()).running():
        assert await place_of(connection, await connection.fetchval(ADD, "one")) == 1
    hanging.terminate()


async def test_who_mutates_wakes_the_leader(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "IDLE", 60.0)
    monkeypatch.setattr(sequencer, "SLOWER", 1e6)
    async with connected(database, 1) as (connection,), asking(database) as ask:
        await until(lambda: connection.fetchval(LEADER))
        await asyncio.sleep(0.05)  # now it would pause for a minute
        await ask(MAKE)
        await placed(connection)


@pytest.mark.parametrize("finds", [True, False])
async def test_the_sequence_is_read_before_a_number_is_drawn(connection: Connection, finds: bool) -> None:
    if finds:
        await connection.fetchval(ADD, "one")
    else:
        await connection.fetchval("select nextval('change_log_id')")
    await connection.execute(MEANWHILE)
    moved = await change_positions.move(connection, Horizon(0), 10, marking=not finds)
    assert (moved.changes, moved.drawn, moved.xid is not None) == (int(finds), 1, True)
    assert await connection.fetchval("select last_value from change_log_id") > 1  # the trap worked


def test_a_mark_settles_when_nobody_below_it_is_open() -> None:
    horizon, big = Horizon(0), 2**32  # numbers go on beyond 32 bits
    horizon.learn(Moved(1, 9, f"{big + 3}:{big + 6}:{big + 3}", 10, big + 6, 0.0), 5)
    assert (horizon.settled, horizon.marks) == (0, [Mark(10, big + 6)])
    horizon.learn(Moved(0, None, f"{big + 7}:{big + 9}:{big + 7}", 20, big + 9, None), 5)
    assert (horizon.settled, horizon.marks) == (10, [Mark(20, big + 9)])


def test_a_full_move_settles_only_as_far_as_it_came() -> None:
    horizon = Horizon(0)
    horizon.learn(Moved(1, 1, "5:5:", 10, 5, 0.0), 5)
    horizon.learn(Moved(5, 7, "6:6:", 10, 6, 0.0), 5)
    assert (horizon.settled, horizon.reached) == (0, 7)
    horizon.learn(Moved(3, 10, "7:7:", 10, 7, 0.0), 5)
    assert (horizon.settled, horizon.reached) == (10, MOST)


def test_marks_do_not_pile_up_behind_an_open_transaction() -> None:
    horizon = Horizon(0)
    for n in range(1, 100):
        horizon.learn(Moved(0, None, f"50:{101 + n}:50", n * 10, 101 + n, None), 5)
    assert horizon.marks == [Mark(980, 199), Mark(990, 200)]


@pytest.mark.parametrize(("changes", "seconds", "pause"), [(1, 0.05, 0.01), (20, 0.02, 0.02), (5_000, 0.01, 0.05)])
def test_the_leader_looks_less_often_when_there_is_more_to_place(changes: int, seconds: float, pause: float) -> None:
    assert pace(changes, seconds) == pytest.approx(pause)


# -- days -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    made = await Pool.open(database, Settings())
    yield made
    await made.close()


async def settle(connection: Connection) -> None:
    """Waits until all that was written is known to be settled."""

    async def it_is() -> bool:
        found: bool = await connection.fetchval(
            "select settled = (select last_value from change_log_id) from change_feed"
        )
        return found

    await until(it_is)


async def test_old_days_go_and_who_reads_them_is_told(
    database: str, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "WRITING", 0.0)
    today = datetime.now(UTC).date()
    await connection.fetchval("select hub_make_day(current_date - 9)")
    await connection.execute(OLD, 9, 20)  # in a partition of its own
    await connection.execute(OLD, 8, 10)  # in the default one
    await log_partitions.forget(pool, today - timedelta(days=7))
    assert await connection.fetchval("select count(*) from change_log") == 30, "without a position nothing goes"
    async with Sequencer(database, Settings()).running():
        await settle(connection)
        await log_partitions.forget(pool, today - timedelta(days=7))
        assert await connection.fetchval("select count(*) from change_log") == 0
        assert await connection.fetchval("select count(*) from change_order") == 0
        assert (
            await connection.fetchval("select to_regclass('change_log_' || to_char(current_date - 9, 'YYYYMMDD'))")
            is None
        )
        assert await place_of(connection, await connection.fetchval(ADD, "new")) == 31
    with pytest.raises(Forgotten):
        await change_positions.read(connection, 29, 10)
    assert [each["position"] for each in await change_positions.read(connection, 30, 10)] == [31]
    assert await change_positions.read(connection, 31, 10) == []


async def test_days_are_made_ahead_unless_their_rows_lie_in_the_default_partition(
    connection: Connection, pool: Pool
) -> None:
    today = datetime.now(UTC).date() + timedelta(days=5)
    await connection.execute(OLD, -6, 1)
    await log_partitions.make(pool, today)
    await log_partitions.make(pool, today)
    found = await connection.fetch(
        "select right(relname, 8) as day from pg_class where relname ~ '^change_log_\\d{8}$'"
    )
    made = {each["day"] for each in found}
    assert [f"{today + timedelta(days=n):%Y%m%d}" in made for n in range(3)] == [True, False, True]


async def test_nobody_gathers_statistics_of_images(connection: Connection, pool: Pool) -> None:
    await log_partitions.make(pool, datetime.now(UTC).date() + timedelta(days=5))
    found = await connection.fetch("""
        select distinct attname, attstattarget from pg_inherits join pg_attribute on attrelid = inhrelid
        where inhparent = 'change_log'::regclass and attname in ('before', 'after') order by attname
    """)
    assert [tuple(each) for each in found] == [("after", 0), ("before", 0)]


async def test_a_day_that_is_in_use_is_left_for_later(database: str, connection: Connection, pool: Pool) -> None:
    await connection.fetchval("select hub_make_day(current_date - 9)")
    async with connected(database, 1) as (reader,), reader.transaction():
        await reader.fetchval("select count(*) from change_log")
        await log_partitions.forget(pool, datetime.now(UTC).date())
        await connection.fetchval(ADD, "nobody waits")
    await log_partitions.forget(pool, datetime.now(UTC).date())
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.execute(f"table change_log_{datetime.now(UTC) - timedelta(days=9):%Y%m%d}")
