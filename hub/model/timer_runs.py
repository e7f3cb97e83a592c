"""Fires timers: looks which moment is next, claims due rows, and runs their commands in one transaction per batch.

A command that fails is rolled back alone and tried again later; the moments of other rows do not wait for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from types import MappingProxyType
from typing import NamedTuple

import asyncpg

from hub.db.database_errors import is_connection_fatal
from hub.db.pool import Connection, Pool
from hub.errors import HubError
from hub.model.timers import BatchCommand, DueRow, Timer
from hub.observability import TimerFailed, TimersFired, emit

BATCH = 50  # rows in one transaction: more subtransactions than Postgres keeps at hand would slow it down
LARGE_BATCH = 500  # rows in one transaction of a command that takes them together
BATCH_SECONDS = 1.0  # after which a batch ends before its next row, so that slow rows are committed one by one
BACKOFF = timedelta(seconds=1)  # after the first failure; four times as long after each further one
MAX_BACKOFF = timedelta(hours=1)
MAX_EXPONENT = 6  # of the factor four: with it the backoff is at its maximum
MAX_ERROR_LENGTH = 500
NOTHING_INJECTED: Mapping[str, object] = MappingProxyType({})

SAVEPOINT, RELEASE, ROLLBACK_TO = "savepoint timer", "release savepoint timer", "rollback to savepoint timer"
_FAILED = """
insert into timer_failures as f (timer, row_id, attempts, retry_at, error, failed_at)
values ($1, $2, $3, case when $4::interval is null then 'infinity' else now() + $4 end, $5, now())
on conflict (timer, row_id) do update set attempts = $3, retry_at = excluded.retry_at, error = $5, failed_at = now()
"""
_PURGE = """
delete from timer_failures where ctid = any(array(
    select ctid from timer_failures where failed_at < now() - interval '30 days' limit $1
))
"""
_COUNT = "select count(*) from timer_failures"
_FORGET = "delete from timer_failures where timer = $1 and row_id = $2"


class TimerStuck(Exception):
    """A command ran, and its row is still due at the same moment: it would run for ever."""


class FiredBatch(NamedTuple):
    """What one batch did: rows that fired, rows that failed, and whether others may be due."""

    fired: int
    failed: int
    more: bool


async def next_moments(pool: Pool, timers: Sequence[Timer]) -> dict[Timer, datetime]:
    """The next moment of each timer that has one, in the order of the moments."""
    async with pool.connection() as connection:
        rows = await connection.fetch(_peek_sql(tuple(timer.next_sql for timer in timers)))
    moments = {timers[row["number"]]: row["moment"] - timers[row["number"]].early for row in rows}
    return dict(sorted(moments.items(), key=lambda item: item[1]))


@lru_cache
def _peek_sql(queries: Sequence[str]) -> str:
    parts = (f"select {number} as number, ({sql}) as moment" for number, sql in enumerate(queries))
    return f"select * from ({' union all '.join(parts)}) as next where moment is not null"


async def fire_due(
    pool: Pool,
    moments: Mapping[Timer, datetime],
    now: datetime,
    injected: Mapping[str, object] = NOTHING_INJECTED,
    *,
    instant_retries: int = 0,
) -> FiredBatch:
    """Fires a batch of the timer whose moment is next, up to the next moment of another one.

    If other processes hold all its rows, the next timer has its turn. `injected` has what commands need, by name; timers that
    need something else are left to other processes. A row is tried again at once after its first `instant_retries` failures."""
    due = [(timer, moment) for timer, moment in moments.items() if moment <= now]
    for index, (timer, _) in enumerate(due):
        if not injected.keys() >= set(timer.needs):
            continue
        until = due[index + 1][1] if index + 1 < len(due) else now
        batch = await _fire(pool, timer, until, injected, instant_retries)
        if batch.fired or batch.failed:
            return batch
    return FiredBatch(0, 0, False)


async def _fire(
    pool: Pool, timer: Timer, until: datetime, injected: Mapping[str, object], instant_retries: int
) -> FiredBatch:
    limit = BATCH if timer.batch is None else LARGE_BATCH
    async with pool.transaction() as tx:
        await tx.execute(f"set local hub.actor = 'timer:{timer.name}'")
        rows = await tx.fetch(timer.claim_sql, until + timer.early, limit)
        more, fired, failed = len(rows) == limit, len(rows), 0
        if (
            timer.batch is None
            or len(rows) < 2
            or not await _run_together(tx, timer, timer.batch, rows, until, more=more)
        ):
            fired, failed = await _run_one_by_one(tx, timer, rows, injected, instant_retries)
    if fired:
        emit(TimersFired(timer.name, fired, max(0.0, (until - rows[0]["moment"]).total_seconds())))
    return FiredBatch(fired, failed, more or fired + failed < len(rows))


async def _run_one_by_one(
    tx: Connection,
    timer: Timer,
    rows: Sequence[asyncpg.Record],
    injected: Mapping[str, object],
    instant_retries: int,
) -> tuple[int, int]:
    """Runs the command for single rows as long as the time for a batch lasts; returns how many fired and failed."""
    fired, failed, ends_at = 0, 0, monotonic() + BATCH_SECONDS
    for row in rows:
        if await _run(tx, timer, row, injected, instant_retries):
            fired += 1
        else:
            failed += 1
        if monotonic() >= ends_at:
            break
    return fired, failed


async def _run_together(
    tx: Connection, timer: Timer, command: BatchCommand, rows: Sequence[asyncpg.Record], until: datetime, *, more: bool
) -> bool:
    """Runs the command of several rows in a savepoint; returns False, with nothing done, if it fails for one of them."""
    due = [DueRow(row["id"], row["moment"]) for row in rows]
    retried = [row["id"] for row in rows if row["attempts"]]
    await tx.execute(SAVEPOINT)
    try:
        await command(tx, due, rows[-1]["moment"] if more else until)
        if await tx.fetchval(timer.stuck_sql, [row.key for row in due], [row.moment for row in due]) is not None:
            raise TimerStuck("the command left a row due at its moment")
        await tx.execute(RELEASE)
    except Exception as error:
        if tx.is_closed() or (isinstance(error, asyncpg.PostgresError) and is_connection_fatal(error)):
            raise
        await tx.execute(ROLLBACK_TO)
        return False
    for key in retried:
        await tx.execute(_FORGET, timer.name, key)
    return True


async def _run(
    tx: Connection, timer: Timer, row: asyncpg.Record, injected: Mapping[str, object], instant_retries: int
) -> bool:
    """Runs the command of one row in a savepoint; returns whether it succeeded."""
    key, moment = row["id"], row["moment"]
    await tx.execute(SAVEPOINT)
    try:
        if timer.batch is not None:
            await timer.batch(tx, [DueRow(key, moment)], moment)
        elif timer.command is not None:
            await timer.command(tx, key, moment - timer.early, **{name: injected[name] for name in timer.needs})
        if await tx.fetchval(timer.stuck_sql, [key], [moment]) is not None:
            raise TimerStuck(f"the command left the row due at {moment.isoformat()}")
        await tx.execute(RELEASE)
    except Exception as error:
        if tx.is_closed() or (isinstance(error, asyncpg.PostgresError) and is_connection_fatal(error)):
            raise
        await tx.execute(ROLLBACK_TO)
        await _note_failure(tx, timer, row, error, instant_retries)
        return False
    if row["attempts"]:
        await tx.execute(_FORGET, timer.name, key)
    return True


async def _note_failure(
    tx: Connection, timer: Timer, row: asyncpg.Record, error: Exception, instant_retries: int
) -> None:
    attempts = row["attempts"] + 1
    backoff = None if isinstance(error, TimerStuck) else _backoff(attempts, instant_retries)
    code = error.code if isinstance(error, HubError) else "TIMER_STUCK" if isinstance(error, TimerStuck) else "INTERNAL"
    text = " ".join(f"{code}: {type(error).__name__}: {error}".split())[:MAX_ERROR_LENGTH]
    await tx.execute(_FAILED, timer.name, row["id"], attempts, backoff, text)
    emit(TimerFailed(timer.name, str(row["id"]), attempts, text))


def _backoff(attempts: int, instant_retries: int) -> timedelta:
    if attempts <= instant_retries:
        return timedelta()
    factor: int = 4 ** min(attempts - 1, MAX_EXPONENT)
    return min(MAX_BACKOFF, BACKOFF * factor)


async def count_failures(pool: Pool) -> int:
    """How many moments came whose command has failed so far."""
    async with pool.connection() as connection:
        count: int = await connection.fetchval(_COUNT)
        return count


async def purge_failures(tx: Connection, limit: int) -> bool:
    """Forgets failures of a month ago: their rows are gone, or are tried once more. Returns whether there may be others."""
    return await tx.execute(_PURGE, limit) == f"DELETE {limit}"
