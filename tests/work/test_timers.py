"""Timers: each moment fires once, in order, by several processes, also after a stop or a kill; failures wait apart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from conftest import execute_sql

from hub import timer_loop
from hub.db.pool import Connection, Pool
from hub.errors import Unavailable
from hub.model import timer_runs, timers
from hub.model.commands import Injected
from hub.model.declarations import InvalidDeclaration
from hub.model.test_clock import TestClock
from hub.model.timer_runs import fire_due, next_moments
from hub.model.timers import Timer
from hub.settings import Settings
from hub.time_source import REAL_TIME
from hub.timer_loop import ClockTools, TimerLoop

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TABLES = """
create table eggs (id uuid primary key default uuidv7(), ring_at timestamptz, level integer not null default 0, kind text);
create index ix_eggs_ring_at on eggs (ring_at) where ring_at is not null;
create table rings (position bigint generated always as identity, egg uuid, level integer, moment timestamptz, actor text,
    unique (egg, level));
"""
_metadata = sa.MetaData()
Egg = sa.Table(
    "eggs", _metadata, sa.Column("id", sa.Uuid), sa.Column("ring_at", sa.DateTime(timezone=True)),
    sa.Column("level", sa.Integer), sa.Column("kind", sa.Text),
)  # fmt: skip
sa.Index("ix_eggs_ring_at", Egg.c.ring_at)
_RING = """
with ringing as (
    update eggs set level = level + 1, ring_at = case
        when kind = 'stuck' then ring_at when level < 2 then ring_at + interval '10 minutes' end
    where id = $1 returning id, level, kind
)
insert into rings (egg, level, moment, actor) select id, level, $2, current_setting('hub.actor') from ringing
where case kind when 'broken' then 1 / (level - level) = 1 else true end
"""


async def ring(tx: Connection, key: UUID, now: datetime) -> None:
    """Rings three times, ten minutes apart."""
    await tx.execute(_RING, key, now)


EGGS = Timer("egg", Egg.c.ring_at, Egg.c.ring_at.is_not(None), timedelta(), ring)


@pytest.fixture
async def dsn(database_dsn: str) -> str:
    """A database with eggs."""
    await execute_sql(database_dsn, TABLES + "grant all on all tables in schema public to hub_runtime")
    return database_dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _opened_pool(dsn: str) -> AsyncIterator[Pool]:
    pool = Pool(dsn, Settings(pool_size=2))
    try:
        yield pool
    finally:
        await pool.close()


async def _lay(connection: asyncpg.Connection, count: int, mode: str | None = None, start: datetime = START) -> None:
    await connection.execute(
        "insert into eggs (ring_at, kind) select $1::timestamptz + n * interval '1 second', $3 from generate_series(1, $2) as n",
        start, count, mode,
    )  # fmt: skip


async def _until(connection: asyncpg.Connection, query: str, expected: object) -> None:
    async with asyncio.timeout(60):
        while True:
            if await connection.fetchval(query) == expected:
                return
            await asyncio.sleep(0.02)


async def _fire_all(pool: Pool, now: datetime) -> int:
    fired = 0
    while (batch := await fire_due(pool, await next_moments(pool, [EGGS]), now)).fired or batch.failed:
        fired += batch.fired
    return fired


async def test_every_moment_fires_once_in_order_and_as_of_its_own_time(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await _lay(connection, 120)
    async with _opened_pool(dsn) as pool:
        assert await _fire_all(pool, START) == 0
        assert await _fire_all(pool, START + 10 * MINUTE) == 120
        assert await _fire_all(pool, START + 60 * MINUTE) == 240
    rings = await connection.fetch("select egg, level, moment, actor from rings order by position")
    first = [row for row in rings if row["level"] == 1]
    assert [row["moment"] for row in first] == [START + n * timedelta(seconds=1) for n in range(1, 121)]
    by_egg = [[row["moment"] for row in rings if row["egg"] == egg] for egg in {row["egg"] for row in rings}]
    assert all(moments == [moments[0] + n * 10 * MINUTE for n in range(3)] for moments in by_egg)
    assert {row["actor"] for row in rings} == {"timer:egg"}


async def test_several_processes_fire_every_moment_once(dsn: str, connection: asyncpg.Connection) -> None:
    await _lay(connection, 1_000)
    async with AsyncExitStack() as stack:
        for _ in range(3):  # the hub was down when the moments came
            pool = await stack.enter_async_context(_opened_pool(dsn))
            await stack.enter_async_context(TimerLoop(ClockTools(REAL_TIME, [EGGS], pool), pool).running())
        await _until(connection, "select count(*) from rings", 3_000)
    assert await connection.fetchval("select count(*) from eggs where ring_at is not null or level <> 3") == 0


async def test_a_killed_batch_is_still_due(dsn: str, connection: asyncpg.Connection) -> None:
    await _lay(connection, 30)
    is_killed = False

    async def ring_or_die(tx: Connection, key: UUID, now: datetime) -> None:
        nonlocal is_killed
        await ring(tx, key, now)
        if not is_killed and await tx.fetchval("select count(*) from rings") == 20:
            is_killed = True
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hub'"
                " and datname = current_database()"
            )

    dying = Timer("egg", Egg.c.ring_at, None, timedelta(), ring_or_die)
    async with _opened_pool(dsn) as pool:
        with pytest.raises(Exception, match=r"connection|terminating"):
            await fire_due(pool, await next_moments(pool, [dying]), START + MINUTE)
        assert await connection.fetchval("select count(*) from rings") == 0
        assert await _fire_all(pool, START + MINUTE) == 30
    assert await connection.fetchval("select count(*) from timer_failures") == 0


async def test_a_failure_waits_apart_and_is_tried_again(dsn: str, connection: asyncpg.Connection) -> None:
    await _lay(connection, 1, "broken")
    await _lay(connection, 5, start=START + MINUTE)
    async with _opened_pool(dsn) as pool:
        assert await _fire_all(pool, START + 5 * MINUTE) == 5
        failure = await connection.fetchrow(
            "select timer, attempts, error, retry_at > now() as waits from timer_failures"
        )
        assert failure is not None
        assert dict(failure) == {
            "timer": "egg", "attempts": 1, "waits": True, "error": "INTERNAL: DivisionByZeroError: division by zero",
        }  # fmt: skip
        await connection.execute("update eggs set kind = null; update timer_failures set retry_at = now()")
        assert await _fire_all(pool, START + 5 * MINUTE) == 1
    assert await connection.fetchval("select count(*) from timer_failures") == 0


async def test_a_command_that_leaves_its_row_due_is_set_aside(dsn: str, connection: asyncpg.Connection) -> None:
    await _lay(connection, 1, "stuck")
    async with _opened_pool(dsn) as pool:
        assert await _fire_all(pool, START + MINUTE) == 0
        assert await next_moments(pool, [EGGS]) == {}
    failure = await connection.fetchrow(
        "select retry_at = 'infinity' as aside, split_part(error, ':', 1) as code from timer_failures"
    )
    assert failure is not None
    assert (dict(failure), await connection.fetchval("select count(*) from rings")) == (
        {"aside": True, "code": "TIMER_STUCK"},
        0,
    )


async def test_a_moment_that_is_written_later_wakes_the_loop(dsn: str, connection: asyncpg.Connection) -> None:
    async with _opened_pool(dsn) as pool, TimerLoop(ClockTools(REAL_TIME, [EGGS], pool), pool).running():
        await connection.execute("insert into eggs (ring_at, level) values (now() + interval '1 second', 2)")
        await _until(connection, "select count(*) from rings", 1)


async def test_a_step_of_the_test_clock_fires_every_moment_in_order(dsn: str, connection: asyncpg.Connection) -> None:
    await connection.execute("insert into eggs (ring_at) values ($1), ($2)", START + MINUTE, START + 5 * MINUTE)
    async with _opened_pool(dsn) as pool:
        clock = await TestClock.open(pool, START)
        assert await ClockTools(clock, [EGGS], pool).advance(START + 16 * MINUTE) == (4, 0)
        assert (clock.now(), await TestClock(pool, START).read()) == (START + 16 * MINUTE,) * 2
    moments = await connection.fetch("select moment from rings order by position")
    assert [(row["moment"] - START) / MINUTE for row in moments] == [1, 5, 11, 15]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda: Timer("egg", Egg.c.level, None, timedelta(), ring), "no column of moments"),
        (lambda: Timer("egg", Egg.c.level, None, timedelta(), ring), "no index begins"),
        (lambda: Timer("egg", Egg.c.ring_at, None, -MINUTE, ring), "negative"),
        (lambda: Timer("Egg's", Egg.c.ring_at, None, MINUTE, ring), "name"),
    ],
)
def test_a_timer_that_cannot_work_stops_the_start(
    change: Callable[[], Timer], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "_registered", {"egg": change()})
    with pytest.raises(InvalidDeclaration, match=fault):
        timers.registered_timers()


async def test_a_failure_on_a_test_clock_is_tried_again_before_later_moments(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await connection.execute("insert into eggs (ring_at, level) values ($1, 2), ($2, 2)", START + MINUTE, START + HOUR)
    attempts: list[datetime] = []

    async def ring_at_the_third_attempt(tx: Connection, key: UUID, now: datetime) -> None:
        attempts.append(now)
        if len(attempts) in (1, 2):
            raise ValueError("not yet")
        await ring(tx, key, now)

    flaky = Timer("egg", Egg.c.ring_at, None, timedelta(), ring_at_the_third_attempt)
    async with _opened_pool(dsn) as pool:
        tools = ClockTools(await TestClock.open(pool, START), [flaky], pool)
        assert await tools.advance(START + 2 * HOUR) == (2, 0)
    assert attempts == [START + MINUTE] * 3 + [START + HOUR]


async def test_what_fails_on_a_test_clock_again_and_again_is_set_aside_and_counted(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await _lay(connection, 1, "broken")
    await connection.execute("insert into eggs (ring_at, level) values ($1, 2)", START + HOUR)
    async with _opened_pool(dsn) as pool:
        tools = ClockTools(await TestClock.open(pool, START), [EGGS], pool)
        assert await tools.advance(START + 2 * HOUR) == (1, 1)
    assert await connection.fetchval("select attempts from timer_failures") == 3


async def test_a_clock_that_cannot_move_on_names_the_timer_that_holds_it(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer_loop, "STALL_SECONDS", 0.2)
    await connection.execute("insert into eggs (ring_at, level) values ($1, 2)", START + MINUTE)

    async def boil(tx: Connection, key: UUID, now: datetime, pan: Injected[object]) -> None:
        await ring(tx, key, now)

    boiling = Timer("egg", Egg.c.ring_at, None, timedelta(), boil)
    async with _opened_pool(dsn) as pool:
        tools = ClockTools(await TestClock.open(pool, START), [boiling], pool)
        with pytest.raises(Unavailable, match="timer egg of eggs holds it") as refusal:
            await tools.advance(START + HOUR)
        assert (refusal.value.code, refusal.value.extensions) == ("CLOCK_NOT_REACHED", {
            "now": "2026-03-02T01:01:00+00:00", "fired": 0, "timer": "egg", "dueAt": "2026-03-02T01:01:00+00:00",
        })  # fmt: skip
        assert await connection.fetchval("select count(*) from timer_failures") == 0  # nobody has tried it
        tools.injected["pan"] = object()
        async with connection.transaction():
            await connection.execute("select from eggs for update")
            with pytest.raises(Unavailable, match="its rows are locked"):
                await tools.advance(START + HOUR)
        assert await tools.advance(START + HOUR) == (1, 0)


async def test_an_advance_that_runs_out_of_time_goes_on_where_it_stopped(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer_runs, "BATCH_SECONDS", 0.0)  # rows that take long
    await connection.execute(
        "insert into eggs (ring_at, level) select $1, 2 from generate_series(1, 3)", START + MINUTE
    )
    fired = []
    async with _opened_pool(dsn) as pool:
        tools = ClockTools(await TestClock.open(pool, START), [EGGS], pool)
        for left in (2, 1):
            with pytest.raises(Unavailable, match="send the same again") as refusal:
                await tools.advance(START + HOUR, seconds=0.0)
            fired.append(refusal.value.extensions["fired"])
            assert await connection.fetchval("select count(*) from eggs where ring_at is not null") == left
        assert await tools.advance(START + HOUR, seconds=0.0) == (1, 0)
        assert (fired, tools.time_source.now()) == ([1, 1], START + HOUR)
