"""Writers that get in each other's way, one who reads along, and an oracle that compares what both were told.

Both go on when their connection breaks."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db import change_positions
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection

WRITER_COUNT, ROW_COUNT = 6, 5
# Long, because it measures nothing of the product: a slow machine has time.
WAIT_TIMEOUT = 30.0  # seconds
LEADER_PID_SQL = f"""
select pid from pg_locks where locktype = 'advisory' and classid::bigint << 32 | objid::bigint = {AdvisoryLock.LEADER}
and database = (select oid from pg_database where datname = current_database())
"""
UNASSIGNED_COUNT_SQL = (
    "select count(*) from change_log as l where not exists (select from change_order as o where o.id = l.id)"
)
LAST_POSITION_SQL = "select position from change_order where id = (select max(id) from change_log where row_id = $1)"
INSERT_PRODUCT = (
    "insert into products (sku, name, category, unit_price, currency) values ($1, $1, 'c', 1, 'EUR') returning id"
)
CREATE_PRODUCT = """mutation { productCreate(input: {sku: "A", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}) {
    product { sku }
} }"""
# Locked in one order, so that writers wait for each other and never for ever.
RENAME_PRODUCTS = """
with locked as (select id from products where id = any($1::uuid[]) order by id for update)
update products set name = $2 from locked where products.id = locked.id
"""

CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class WrittenChange(NamedTuple):
    """A change as its writer knows it."""

    row: UUID
    token: str
    acknowledged_before: int  # how many changes had been acknowledged to anybody when its statement was sent


class ReadChange(NamedTuple):
    """A change as the one who reads along was given it."""

    position: int
    row: UUID
    version: int
    token: str


@dataclass
class ChangeLedger:
    """What writers were told, and what came out."""

    acknowledged: list[WrittenChange] = field(default_factory=list)
    unanswered: list[WrittenChange] = field(
        default_factory=list
    )  # whose writers were not told whether they are committed
    read: list[ReadChange] = field(default_factory=list)

    def broken_promises(self) -> set[str]:
        """The promises that were broken."""
        position_of = {(change.row, change.token): change.position for change in self.read}
        written = {(change.row, change.token) for change in self.acknowledged}
        checks = {
            "lost": not written <= position_of.keys(),
            "invented": not position_of.keys() <= written | {(change.row, change.token) for change in self.unanswered},
            "twice": len(position_of) != len(self.read),
            "not dense": [change.position for change in self.read] != list(range(1, len(self.read) + 1)),
        }
        versions: dict[UUID, int] = {}
        for change in self.read:
            checks["row out of order"] = checks.get("row out of order", False) or change.version <= versions.get(
                change.row, 0
            )
            versions[change.row] = change.version
        return {name for name, is_broken in checks.items() if is_broken} | self._overtaken(position_of)

    def _overtaken(self, position_of: dict[tuple[UUID, str], int]) -> set[str]:
        greatest = [0]
        for change in self.acknowledged:
            greatest.append(max(greatest[-1], position_of.get((change.row, change.token), 0)))
        late = [
            late_change
            for late_change in self.acknowledged
            if position_of.get((late_change.row, late_change.token), greatest[-1] + 1)
            <= greatest[late_change.acknowledged_before]
        ]
        return {"overtaken"} if late else set()


ReadNextChanges = Callable[[Connection, int], Awaitable[list[Any]]]


async def read_by_position(connection: Connection, after: int) -> list[Any]:
    """The next changes, as any reader gets them."""
    return await change_positions.read_changes(connection, after, 50)


@asynccontextmanager
async def open_connections(dsn: str, number: int) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        connections = [await asyncpg.connect(dsn) for _ in range(number)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        yield connections


async def wait_until(condition: Callable[[], Awaitable[Any]], seconds: float = WAIT_TIMEOUT) -> Any:
    """What a condition gives once it is true."""
    async with asyncio.timeout(seconds):
        while True:
            result = await condition()
            if result:
                return result
            await asyncio.sleep(0.005)


async def wait_until_sequenced(connection: Connection, seconds: float = WAIT_TIMEOUT) -> None:
    """Waits until every change that is committed has its position."""

    async def all_assigned() -> bool:
        unassigned: int = await connection.fetchval(UNASSIGNED_COUNT_SQL)
        return unassigned == 0

    await wait_until(all_assigned, seconds)


async def wait_for_position(connection: Connection, row: object, seconds: float = WAIT_TIMEOUT) -> int:
    """The position of a row's last change, once it has one."""

    async def read_position() -> int | None:
        position: int | None = await connection.fetchval(LAST_POSITION_SQL, row)
        return position

    position: int = await wait_until(read_position, seconds)
    return position


class ReconnectingConnection:
    """A connection that is made anew when it is broken."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None

    async def get(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await wait_until(self._connect, 30)
        return self._connection

    async def _connect(self) -> Any:
        with suppress(*CONNECTION_ERRORS):
            return await asyncpg.connect(self._dsn)

    def discard(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


@dataclass
class ChangeWorkload:
    """Writers and one who reads along, in one database."""

    dsn: str
    seed: int
    read_next: ReadNextChanges
    transactions: int  # of each writer that nothing broke, and more until `meanwhile` is done
    acknowledge_early: bool  # acknowledge before the commit, as nobody should
    meanwhile: asyncio.Future[None] | None
    ledger: ChangeLedger = field(default_factory=ChangeLedger)
    rows: list[UUID] = field(default_factory=list)
    pause: float = 0.0  # seconds between two transactions of a writer

    async def read_more(self, connection: ReconnectingConnection) -> int:
        """How many more there were to read."""
        ledger = self.ledger
        try:
            changes = await self.read_next(await connection.get(), ledger.read[-1].position if ledger.read else 0)
        except CONNECTION_ERRORS:
            connection.discard()
            return 1  # who knows?
        for change in changes:
            name = change["after"].partition('"name": "')[2].partition('"')[0]
            ledger.read.append(ReadChange(change["position"], change["row_id"], change["version"], name))
        return len(changes)

    async def write(self, number: int) -> None:
        connection, draw, committed = ReconnectingConnection(self.dsn), random.Random(f"{self.seed} {number}"), 0
        for turn in count():
            if committed >= self.transactions and (self.meanwhile is None or self.meanwhile.done()):
                break
            try:
                await self._transaction(await connection.get(), draw, f"{self.seed}-{number}-{turn}")
                committed += 1
            except CONNECTION_ERRORS:
                connection.discard()
            await asyncio.sleep(self.pause)
        await connection.close()

    async def _transaction(self, connection: Connection, draw: random.Random, name: str) -> None:
        written: list[WrittenChange] = []
        outer = connection.transaction()
        await outer.start()
        # Rows are locked in one order across the statements too.
        row_ids = sorted(draw.sample(self.rows, draw.randint(1, 3)))
        cut = draw.randint(0, len(row_ids))
        for part, part_rows in enumerate((row_ids[:cut], row_ids[cut:])):
            token, acknowledged_before = f"{name}-{part}", len(self.ledger.acknowledged)
            inner = connection.transaction()
            await inner.start()
            if draw.random() < 0.3:
                part_rows = [*part_rows, await connection.fetchval(INSERT_PRODUCT, f"new {token}")]
            await connection.execute(RENAME_PRODUCTS, part_rows, token)
            await asyncio.sleep(draw.random() * 0.004)
            if draw.random() < 0.25:
                await inner.rollback()
                continue
            await inner.commit()
            written += [WrittenChange(row, token, acknowledged_before) for row in part_rows]
            written += [
                WrittenChange(row, f"new {token}", acknowledged_before) for row in part_rows if row not in self.rows
            ]
        if self.acknowledge_early:
            self.ledger.acknowledged += written
        if draw.random() < 0.2:
            await outer.rollback()
            return
        try:
            await outer.commit()
        except CONNECTION_ERRORS:
            self.ledger.unanswered += written
            raise
        if not self.acknowledge_early:
            self.ledger.acknowledged += written


async def run_change_workload(
    dsn: str,
    seed: int,
    read_next: ReadNextChanges,
    *,
    transactions: int = 40,
    acknowledge_early: bool = False,
    drain_timeout: float = WAIT_TIMEOUT,
    meanwhile: asyncio.Future[None] | None = None,
) -> ChangeLedger:
    """Writers write and one reads along, until all that was written is read or nothing more comes."""
    workload, reader = (
        ChangeWorkload(dsn, seed, read_next, transactions, acknowledge_early, meanwhile),
        ReconnectingConnection(dsn),
    )
    ledger = workload.ledger
    async with open_connections(dsn, 1) as (first,):
        workload.rows += [await first.fetchval(INSERT_PRODUCT, f"row {n}") for n in range(ROW_COUNT)]
    ledger.acknowledged += [WrittenChange(row, f"row {n}", n) for n, row in enumerate(workload.rows)]
    writers = asyncio.gather(*(workload.write(n) for n in range(WRITER_COUNT)))
    while not writers.done():
        await workload.read_more(reader)
        await asyncio.sleep(0.001)
    await writers
    end = monotonic() + drain_timeout  # a leader may have been killed meanwhile
    while True:
        if not await workload.read_more(reader) and ("lost" not in ledger.broken_promises() or monotonic() > end):
            break
        await asyncio.sleep(0.01)
    await reader.close()
    return ledger


async def wait_until_projected(connection: Connection, seconds: float = WAIT_TIMEOUT) -> None:
    """Waits until all that is derived from customers and their parts follows from the last change of one."""
    behind = """
        select count(*) from projections where rebuilding or position < (
            select max(o.position) from change_order as o join change_log as l on l.id = o.id
            where l.table_name in ('customers', 'identifiers', 'contacts', 'contact_points', 'addresses'))
    """

    async def is_current() -> bool:
        return bool(await connection.fetchval(behind) == 0)

    await wait_until_sequenced(connection, seconds)
    await wait_until(is_current, seconds)
