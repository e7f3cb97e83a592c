"""The cost of the change log: the same writes with its triggers and without, in turns, beside a sequencer."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import uvloop

from bench import ceiling, report, usage
from bench.children import SCRATCH_PREFIX
from bench.database import VACUUM_SQL, BenchServer, empty_database, with_connection
from bench.measure import MICRO, Runner, Sample, SamplesByWorkload, TurnOptions, rounds
from bench.runs import SINGLE, BenchPlan
from bench.workloads import INTERACTION_KIND
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.postgres.binaries import find_programs
from hub.settings import Settings

WITH_LOG, WITHOUT_LOG = "with the log", "without"
ROWS = 100_000
# Turns of a single-row write per turn of a write that fills a whole turn: the former are short and vary most.
TURNS_PER_ROUND = 3
REAP_DELAY = 0.1  # seconds until the CPU time of ended processes is counted for their parent

# Ids are computed from a number, so that selecting one costs neither side anything.
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
    """A write: one of many by pgbench, or one statement that fills a whole turn."""

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
        f"{RANDOM_ID_SCRIPT}insert into interactions "
        "(customer_id, channel, direction, kind, subject, body, occurred_at) values "
        f"({ID.format(':n')}, 'EMAIL', 'INBOUND', '{INTERACTION_KIND}', 'Where is my parcel?', "
        "repeat('Where is it? ', 15), now());",
    ),
    WriteWorkload("C2", "update a customer", "customers", f"{RANDOM_ID_SCRIPT}{TIER} where id = {ID.format(':n')};"),
    WriteWorkload("C3", f"update {ROWS:,} customers at once", "customers", TIER, whole_turn=True),
    WriteWorkload(
        "C4", f"update {ROWS:,} products at once", "products", "update products set currency = 'USD'", whole_turn=True
    ),
)


@dataclass(frozen=True, slots=True)
class WriteRunner:
    """One write, with the log's triggers or without them."""

    name: str
    write: WriteWorkload
    program: Path
    dsn: str
    work: Path

    def measure(self, options: TurnOptions) -> Sample:
        with_connection(self.dsn, self._prepare)
        before = usage.cpu_seconds(options.postmaster)
        if self.write.whole_turn:
            count, rate = ROWS, ROWS / with_connection(self.dsn, self._time_statement)
        else:
            result = ceiling.run_script(
                self.program, self.dsn, self.write.sql, max(SINGLE, round(options.seconds)), self.work
            )
            count, rate = result.transactions, result.rate
        time.sleep(REAP_DELAY)
        used = usage.cpu_seconds(options.postmaster) - before
        return Sample(rate, None, None, None, used / count * MICRO if options.postmaster else None, None)

    async def _prepare(self, connection: Connection) -> None:
        """Enable or disable the triggers, wait until every change has its position, and vacuum."""
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


async def _reset(connection: Connection) -> None:
    if not await connection.fetchval("select exists(select from customers)"):
        await connection.execute(FILL_SQL)
    await connection.execute(CLEAR_SQL)
    await connection.execute(VACUUM_SQL)


@contextmanager
def _sequencer_running(dsn: str) -> Iterator[None]:
    """A sequencer assigns positions during the block, in a thread of its own."""
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
    """Measure every write with the log and without, in turns.

    Single-row writes come first, because a vacuum after 100,000 rows would disturb them.
    """
    dsn, program = empty_database(server, "capture"), Path(find_programs().path("pgbench"))
    with_connection(dsn, _reset)
    with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as folder, _sequencer_running(dsn):
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
