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
from bench.database import Place, empty
from bench.measure import MICRO, Runner, Sample, Turn, Turns, rounds
from bench.runs import SINGLE, Plan
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Connection
from hub.postgres.binaries import find
from hub.settings import Settings

Found = TypeVar("Found")

LOGGED, BARE = "with the log", "without"
ROWS = 100_000
OFTEN = 3  # turns of a write that is one of many, for each of one that is a whole turn: they are short, and vary most
REAPED = 0.1  # seconds after which the CPU time of processes that have ended is their parent's

# Ids that can be made from a number, so that finding one costs neither side anything.
ID = "lpad(to_hex({}::bigint), 32, '0')::uuid"
EMPTIED = "set hub.capture = 'off'; delete from interactions; truncate change_log, change_order"
FILLED = f"""
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
UNPLACED = "select max(l.id) > coalesce((select max(id) from change_order), 0) from change_log as l"


@dataclass(frozen=True, slots=True)
class Write:
    """A write, and whether it is one of many by pgbench or a whole turn by itself."""

    name: str
    title: str
    table: str
    sql: str
    alone: bool = False


ANY = f"\\set n random(1, {ROWS})\n"
TIER = "update customers set tier = case tier when 'GOLD' then 'SILVER' else 'GOLD' end"
WRITES = (
    Write(
        "C1",
        "insert an interaction",
        "interactions",
        f"{ANY}insert into interactions (customer_id, channel, direction, kind, subject, body, occurred_at) values "
        f"({ID.format(':n')}, 'EMAIL', 'INBOUND', 'bench.seen', 'Where is my parcel?', repeat('Where is it? ', 15), now());",
    ),
    Write("C2", "update a customer", "customers", f"{ANY}{TIER} where id = {ID.format(':n')};"),
    Write("C3", f"update {ROWS:,} customers at once", "customers", TIER, alone=True),
    Write("C4", f"update {ROWS:,} products at once", "products", "update products set currency = 'USD'", alone=True),
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who does one write, with the log's triggers or without them."""

    name: str
    write: Write
    program: Path
    dsn: str
    work: Path

    def take(self, turn: Turn) -> Sample:
        _on(self.dsn, self._prepared)
        before = usage.cpu_seconds(turn.postmaster)
        if self.write.alone:
            count, rate = ROWS, ROWS / _on(self.dsn, self._timed)
        else:
            ran = ceiling.run_script(
                self.program, self.dsn, self.write.sql, max(SINGLE, round(turn.seconds)), self.work
            )
            count, rate = ran.transactions, ran.rate
        time.sleep(REAPED)
        used = usage.cpu_seconds(turn.postmaster) - before
        return Sample(rate, None, None, None, used / count * MICRO if turn.postmaster else None, None)

    async def _prepared(self, connection: Connection) -> None:
        """Triggers as they are to be, no dead rows, and nobody who still works for the turn before."""
        state = "enable" if self.name == LOGGED else "disable"
        for event in ("insert", "update", "delete"):
            await connection.execute(f"alter table {self.write.table} {state} trigger capture_{event}")
        if self.write.table == "products":
            await connection.execute("set hub.capture = 'off'; update products set currency = 'EUR'")
        while True:
            if not await connection.fetchval(UNPLACED):
                break
            await asyncio.sleep(REAPED)
        await connection.execute(f"vacuum (analyze) {self.write.table}, change_log, change_order")

    async def _timed(self, connection: Connection) -> float:
        begun = perf_counter()
        await connection.execute(self.write.sql)
        return perf_counter() - begun


def _on(dsn: str, do: Callable[[Connection], Awaitable[Found]]) -> Found:
    async def done() -> Found:
        connection = await asyncpg.connect(dsn)
        try:
            return await do(connection)
        finally:
            await connection.close()

    return asyncio.run(done())


async def _ready(connection: Connection) -> None:
    if not await connection.fetchval("select exists(select from customers)"):
        await connection.execute(FILLED)
    await connection.execute(EMPTIED)
    await connection.execute("vacuum (analyze)")


@contextmanager
def _led(dsn: str) -> Iterator[None]:
    """A leader gives positions meanwhile, in a thread of its own."""
    loop, stop = uvloop.new_event_loop(), asyncio.Event()

    async def lead() -> None:
        async with Sequencer(dsn, Settings()).running():
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(lead(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def run(where: Place, plan: Plan) -> Mapping[str, Turns]:
    """Every write with the log and without, in turns: first those of one row, which vacuum after 100,000 would disturb."""
    dsn, program = empty(where, "capture"), Path(find().path("pgbench"))
    _on(dsn, _ready)
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as work, _led(dsn):
        turn = Turn(plan.seconds, plan.connections, asyncio.run(usage.postmaster(dsn)))
        taken: Turns = {}
        for alone, count in ((False, OFTEN * plan.rounds), (True, plan.rounds)):
            runners: dict[str, list[Runner]] = {
                write.name: [Writer(name, write, program, dsn, Path(work)) for name in (LOGGED, BARE)]
                for write in WRITES
                if write.alone is alone
            }
            with report.progress("capture", 2 * len(runners) * (count + 1)) as tell:
                taken |= rounds(runners, count, turn, tell)
    report.show(report.costs(taken, {write.name: write.title for write in WRITES}, LOGGED, BARE))
    return {"capture": taken}
