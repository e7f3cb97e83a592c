"""What the log of changes costs who writes: the same writes with its triggers and without, in turns, beside a leader."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import asyncpg
import uvloop

from bench import ceiling, report, usage
from bench.database import BenchServer, empty_database
from bench.measure import MICRO, Runner, Sample, SamplesByWorkload, TurnOptions, rounds
from bench.runs import SINGLE, BenchPlan
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.postgres.binaries import find_programs
from hub.settings import Settings

QueryResult = TypeVar("QueryResult")

WITH_LOG, WITHOUT_LOG = "with the log", "without"
ROWS = 100_000
TURNS_PER_ROUND = (
    3  # turns of a write that is one of many, for each of one that is a whole turn: they are short, and vary most
)
REAP_DELAY = 0.1  # seconds after which the CPU time of processes that have ended is their parent's

# Ids that can be made from a number, so that finding one costs neither side anything.
ID = "lpad(to_hex({}::bigint), 32, '0')::uuid"
CLEAR_SQL = "set hub.capture = 'off'; delete from interactions; truncate change_log, change_order"
FILL_SQL = f"""
set hub.capture = 'off';
insert into org_units (id, code, name, kind, path) values ({ID.format(1)}, 'all', 'All', 'GROUP', 'all');
insert into customers (id, kind, name, status, stage, tier, unit_id, country, language, currency, attributes)
select {ID.format("n")}, 'PERSON', initcap(translate(to_hex(n * 7919 % 1000003), '0123456789', 'ghijklmnop')) || ' '
    || initcap(translate(to_hex(n * 104729 % 15485863), '0123456789', 'qrstuvwxyz')),
    'ACTIVE', 'ACTIVE', 'STANDARD', {ID.format(1)}, 'DE', 'de', 'EUR',
    jsonb_build_object('source', 'web', 'since', 2001 + n % 25, 'newsletter', n % 2 = 0)
from generate_series(1::bigint, {ROWS}) as n;
insert into products (id, sku, name, category, unit_price, currency)
select {ID.format("n")}, 'sku ' || n, 'Product ' || n, 'Things', n % 1000, 'EUR' from generate_series(1::bigint, {ROWS}) as n;
"""
HAS_UNASSIGNED_SQL = "select max(l.id) > coalesce((select max(id) from change_order), 0) from change_log as l"


@dataclass(frozen=True, slots=True)
class WriteWorkload:
    """A write, and whether it is one of many by pgbench or a whole turn by itself."""

    name: str
    title: str
    table: str
    sql: str
    whole_turn: bool = False


RANDOM_ID_SCRIPT = f"\\set n random(1, {ROWS})\n"
TIER = "update customers set tier = case tier when 'GOLD' then 'SILVER' else 'GOLD' end"
WRITES = (
    WriteWorkload(
        "C1",
        "insert an interaction",
        "interactions",
        f"{RANDOM_ID_SCRIPT}insert into interactions (customer_id, channel, direction, kind, subject, body, occurred_at) values "
        f"({ID.format(':n')}, 'EMAIL', 'INBOUND', 'bench.seen', 'Where is my parcel?', repeat('Where is it? ', 15), now());",
    ),
    WriteWorkload("C2", "update a customer", "customers", f"{RANDOM_ID_SCRIPT}{TIER} where id = {ID.format(':n')};"),
    WriteWorkload("C3", f"update {ROWS:,} customers at once", "customers", TIER, whole_turn=True),
    WriteWorkload(
        "C4", f"update {ROWS:,} products at once", "products", "update products set currency = 'USD'", whole_turn=True
    ),
)


@dataclass(frozen=True, slots=True)
class WriteRunner:
    """Who does one write, with the log's triggers or without them."""

    name: str
    write: WriteWorkload
    program: Path
    dsn: str
    work: Path

    def measure(self, options: TurnOptions) -> Sample:
        _with_connection(self.dsn, self._prepare)
        before = usage.cpu_seconds(options.postmaster)
        if self.write.whole_turn:
            count, rate = ROWS, ROWS / _with_connection(self.dsn, self._time_statement)
        else:
            result = ceiling.run_script(
                self.program, self.dsn, self.write.sql, max(SINGLE, round(options.seconds)), self.work
            )
            count, rate = result.transactions, result.rate
        time.sleep(REAP_DELAY)
        used = usage.cpu_seconds(options.postmaster) - before
        return Sample(rate, None, None, None, used / count * MICRO if options.postmaster else None, None)

    async def _prepare(self, connection: Connection) -> None:
        """Triggers as they are to be, no dead rows, and nobody who still works for the turn before."""
        state = "enable" if self.name == WITH_LOG else "disable"
        for event in ("insert", "update", "delete"):
            await connection.execute(f"alter table {self.write.table} {state} trigger capture_{event}")
        if self.write.table == "products":
            await connection.execute("set hub.capture = 'off'; update products set currency = 'EUR'")
        while True:
            if not await connection.fetchval(HAS_UNASSIGNED_SQL):
                break
            await asyncio.sleep(REAP_DELAY)
        await connection.execute(f"vacuum (analyze) {self.write.table}, change_log, change_order")

    async def _time_statement(self, connection: Connection) -> float:
        started_at = perf_counter()
        await connection.execute(self.write.sql)
        return perf_counter() - started_at


def _with_connection(dsn: str, function: Callable[[Connection], Awaitable[QueryResult]]) -> QueryResult:
    async def run_connected() -> QueryResult:
        connection = await asyncpg.connect(dsn)
        try:
            return await function(connection)
        finally:
            await connection.close()

    return asyncio.run(run_connected())


async def _reset(connection: Connection) -> None:
    if not await connection.fetchval("select exists(select from customers)"):
        await connection.execute(FILL_SQL)
    await connection.execute(CLEAR_SQL)
    await connection.execute("vacuum (analyze)")


@contextmanager
def _leader_running(dsn: str) -> Iterator[None]:
    """A leader gives positions meanwhile, in a thread of its own."""
    loop, stopping = uvloop.new_event_loop(), asyncio.Event()

    async def run_sequencer() -> None:
        async with Sequencer(dsn, Settings()).running():
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run_sequencer(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def run(server: BenchServer, plan: BenchPlan) -> Mapping[str, SamplesByWorkload]:
    """Every write with the log and without, in turns: first those of one row, which vacuum after 100,000 would disturb."""
    dsn, program = empty_database(server, "capture"), Path(find_programs().path("pgbench"))
    _with_connection(dsn, _reset)
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, _leader_running(dsn):
        options = TurnOptions(plan.seconds, plan.connections, asyncio.run(usage.postmaster(dsn)))
        samples: SamplesByWorkload = {}
        for whole_turn, count in ((False, TURNS_PER_ROUND * plan.rounds), (True, plan.rounds)):
            runners: dict[str, list[Runner]] = {
                write.name: [WriteRunner(name, write, program, dsn, Path(folder)) for name in (WITH_LOG, WITHOUT_LOG)]
                for write in WRITES
                if write.whole_turn is whole_turn
            }
            with report.progress("capture", 2 * len(runners) * (count + 1)) as advance:
                samples |= rounds(runners, count, options, advance)
    report.show(report.cost_table(samples, {write.name: write.title for write in WRITES}, WITH_LOG, WITHOUT_LOG))
    return {"capture": samples}
