"""Timers of clocks: a sweep of due escalations by several processes, and what the timers of an idle hub cost."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.children import BenchmarkError
from bench.database import execute
from hub import graph
from hub.db.pool import Pool
from hub.model.timer_runs import fire_due, next_moments
from hub.model.timers import registered_timers
from hub.settings import Settings
from hub.time_source import REAL_TIME
from hub.timer_loop import ClockTools, TimerLoop

CLOCKS, DUE, PROCESSES = 200_000, 10_000, 2
SWEEP_LIMIT = 60.0  # seconds
IDLE_SECONDS, IDLE_LIMIT = 30.0, 0.01  # of a core
TICKS = 100  # of the kernel's accounts per second

# A unit with a head, a calendar that is always open, and a policy with levels at half of the goal and at all of it. Clocks of
# two days: those that are due began 30 hours ago, one after the other; the others begin now.
FILL = """
set hub.capture = 'off';
delete from notifications;
delete from clocks;
delete from sla_policies;
delete from calendars;
delete from job_roles;
delete from staff;
delete from org_units;
insert into org_units (code, name, kind, path) values ('bench', 'Bench', 'GROUP', 'bench');
insert into staff (number, name, unit_id) select 'HEAD', 'Head', id from org_units;
insert into job_roles (staff_id, role, unit_id, from_at) select id, 'HEAD', unit_id, now() - interval '1 year' from staff;
insert into calendars (code, name, timezone, weekly, exceptions, covers_from, covers_until)
    select 'always', 'Always', 'UTC', jsonb_object_agg(day, '["00:00-24:00"]'::jsonb), '{{}}', now() - interval '1 year',
        now() + interval '1 year' from unnest('{{mon,tue,wed,thu,fri,sat,sun}}'::text[]) as day;
insert into sla_policies (code, name, entity, position) values ('bench', 'Bench', 'Customer', 1);
insert into sla_terms (policy_id, clock, goal_seconds, calendar_id)
    select p.id, 'STEP', 172800, c.id from sla_policies as p, calendars as c;
insert into escalation_rules (policy_id, clock, level, at_share, act, role, unit)
    select p.id, 'STEP', level, level * 0.5, 'NOTIFY', 'HEAD', 'OWN' from sla_policies as p, generate_series(1, 2) as level;
insert into clocks (entity, row_id, unit_id, audience, name, status, policy_id, policy_revision, calendar_id, calendar_version,
        goal_seconds, started_at, running_since, due_at, next_at)
    select 'Customer', uuidv7(), u.id, 'UNIT', 'STEP', 'RUNNING', p.id, 1, c.id, 1, 172800, n.start, n.start,
        n.start + interval '2 days', n.start + interval '1 day'
    from org_units as u, sla_policies as p, calendars as c, (
        select now() + case when number <= {due} then number * interval '1 ms' - interval '30 hours' else interval '0' end
        from generate_series(1, {clocks}) as number
    ) as n (start);
"""
ONCE = """
select count(*), count(distinct n.clock_id), count(*) filter (where c.level = 1) from notifications as n
join clocks as c on c.id = n.clock_id where n.level = 1
"""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A sweep: how many escalations, by how many processes, in how many seconds."""

    due: int
    processes: int
    seconds: float

    def __str__(self) -> str:
        verdict = "within" if self.seconds <= SWEEP_LIMIT else "beyond"
        rate = self.due / self.seconds
        return (
            f"sweep: {self.due:,} escalations by {self.processes} processes in {self.seconds:.1f} s, {rate:,.0f}/s"
            f" ({verdict} {SWEEP_LIMIT:.0f} s), each once"
        )


@dataclass(frozen=True, slots=True)
class IdleResult:
    """What timers without anything due cost: the shares of a core of the hub's process and of its connection to Postgres."""

    hub: float
    postgres: float

    def __str__(self) -> str:
        verdict = "within" if self.hub + self.postgres <= IDLE_LIMIT else "beyond"
        return (
            f"idle: {self.hub:.2%} of a core in the hub, {self.postgres:.2%} in Postgres ({verdict} {IDLE_LIMIT:.0%})"
        )


def run(dsn: str, clocks: int = CLOCKS, due: int = DUE) -> Iterator[SweepResult | IdleResult]:
    """Fills a migrated database, measures one sweep, then the idle timers."""
    fill(dsn, clocks, due)
    yield sweep(dsn, due, PROCESSES)
    yield asyncio.run(_idle(dsn))


def fill(dsn: str, clocks: int, due: int) -> None:
    """Replaces the content of a database by open clocks, of which some have reached a level."""
    execute(dsn, FILL.format(clocks=clocks, due=due), "vacuum (analyze) clocks")


def sweep(dsn: str, due: int, processes: int) -> SweepResult:
    """Lets processes sweep side by side; raises BenchmarkError unless each escalation is reached once."""
    with _sweepers(dsn, processes) as sweepers:
        for sweeper in sweepers:
            assert sweeper.stdout is not None
            sweeper.stdout.readline()  # it is ready
        start = time.perf_counter()
        for sweeper in sweepers:
            assert sweeper.stdin is not None
            sweeper.stdin.write(b"go\n")
            sweeper.stdin.flush()
        shares = [json.loads(sweeper.communicate()[0]) for sweeper in sweepers]
        seconds = time.perf_counter() - start
    reached = asyncio.run(_reached(dsn))
    if sum(shares) != due or reached != (due, due, due):
        raise BenchmarkError(f"The sweepers fired {shares}, and the database holds {reached} of {due} escalations.")
    return SweepResult(due, processes, seconds)


@contextmanager
def _sweepers(dsn: str, processes: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "bench.timers", dsn]
    sweepers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)]
    try:
        yield sweepers
    finally:
        for sweeper in sweepers:
            sweeper.kill()
            sweeper.wait()


async def _reached(dsn: str) -> tuple[int, int, int]:
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(ONCE)
        assert row is not None
        return row[0], row[1], row[2]
    finally:
        await connection.close()


async def fire_all(pool: Pool) -> int:
    """Fires what is due now, until nothing is; returns how many rows this process fired."""
    timers, fired = registered_timers(), 0
    now = await REAL_TIME.read()
    while True:
        batch = await fire_due(pool, await next_moments(pool, timers), now)
        if not batch.fired and not batch.failed:
            return fired
        fired += batch.fired


async def _sweep_alone(dsn: str) -> None:
    """One of the sweeping processes: says that it is ready, waits for its turn, and says how many rows it fired."""
    graph.declarations()  # which registers the timers
    pool = await Pool.open(dsn, Settings(pool_size=2))
    try:
        print(flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(await fire_all(pool)))
    finally:
        await pool.close()


async def _idle(dsn: str) -> IdleResult:
    graph.declarations()
    pool = await Pool.open(dsn, Settings(pool_size=1))
    try:
        async with pool.connection() as connection:
            backend = await connection.fetchval("select pg_backend_pid()")
        async with TimerLoop(ClockTools(REAL_TIME, registered_timers(), pool), pool).running():
            await asyncio.sleep(1)
            hub_start, postgres_start = time.process_time(), _backend_seconds(backend)
            await asyncio.sleep(IDLE_SECONDS)
            hub, backend_seconds = time.process_time() - hub_start, _backend_seconds(backend) - postgres_start
        return IdleResult(hub / IDLE_SECONDS, backend_seconds / IDLE_SECONDS)
    finally:
        await pool.close()


def _backend_seconds(process: int) -> float:
    """The processor time of a process in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    asyncio.run(_sweep_alone(sys.argv[1]))
