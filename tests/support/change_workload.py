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
from hub.db.pool import Connection

WRITERS, ROWS = 6, 5
LEADER = """
select pid from pg_locks where locktype = 'advisory'
and database = (select oid from pg_database where datname = current_database())
"""
UNPLACED = "select count(*) from change_log as l where not exists (select from change_order as o where o.id = l.id)"
PLACE = "select position from change_order where id = (select max(id) from change_log where row_id = $1)"
ADD = "insert into products (sku, name, category, unit_price, currency) values ($1, $1, 'c', 1, 'EUR') returning id"
# Locked in one order, so that writers wait for each other and never for ever.
EDIT = """
with locked as (select id from products where id = any($1::uuid[]) order by id for update)
update products set name = $2 from locked where products.id = locked.id
"""

BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Written(NamedTuple):
    """A change as its writer knows it."""

    row: UUID
    token: str
    known: int  # how many changes had been acknowledged to anybody when its statement was sent


class Read(NamedTuple):
    """A change as the one who reads along was given it."""

    position: int
    row: UUID
    version: int
    token: str


@dataclass
class Ledger:
    """What writers were told, and what came out."""

    acknowledged: list[Written] = field(default_factory=list)
    unanswered: list[Written] = field(default_factory=list)  # whose writers were not told whether they are committed
    read: list[Read] = field(default_factory=list)

    def faults(self) -> set[str]:
        """The promises that were broken."""
        places = {(each.row, each.token): each.position for each in self.read}
        written = {(each.row, each.token) for each in self.acknowledged}
        found = {
            "lost": not written <= places.keys(),
            "invented": not places.keys() <= written | {(each.row, each.token) for each in self.unanswered},
            "twice": len(places) != len(self.read),
            "not dense": [each.position for each in self.read] != list(range(1, len(self.read) + 1)),
        }
        versions: dict[UUID, int] = {}
        for each in self.read:
            found["row out of order"] = found.get("row out of order", False) or each.version <= versions.get(
                each.row, 0
            )
            versions[each.row] = each.version
        return {name for name, is_so in found.items() if is_so} | self._overtaken(places)

    def _overtaken(self, places: dict[tuple[UUID, str], int]) -> set[str]:
        greatest = [0]
        for each in self.acknowledged:
            greatest.append(max(greatest[-1], places.get((each.row, each.token), 0)))
        late = [w for w in self.acknowledged if places.get((w.row, w.token), greatest[-1] + 1) <= greatest[w.known]]
        return {"overtaken"} if late else set()


Step = Callable[[Connection, int], Awaitable[list[Any]]]


async def by_position(connection: Connection, after: int) -> list[Any]:
    """The next changes, as any reader gets them."""
    return await change_positions.read(connection, after, 50)


@asynccontextmanager
async def connected(dsn: str, number: int) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        made = [await asyncpg.connect(dsn) for _ in range(number)]
        for each in made:
            stack.push_async_callback(each.close)
        yield made


async def until(is_so: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
    """What a condition gives once it is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = await is_so()
            if found:
                return found
            await asyncio.sleep(0.005)


async def placed(connection: Connection, seconds: float = 5.0) -> None:
    """Waits until every change that is committed has its position."""

    async def all_are() -> bool:
        left: int = await connection.fetchval(UNPLACED)
        return left == 0

    await until(all_are, seconds)


async def place_of(connection: Connection, row: object, seconds: float = 5.0) -> int:
    """The position of a row's last change, once it has one."""

    async def it_has_one() -> int | None:
        found: int | None = await connection.fetchval(PLACE, row)
        return found

    found: int = await until(it_has_one, seconds)
    return found


class Line:
    """A connection that is made anew when it is broken."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._made: Connection | None = None

    async def connection(self) -> Connection:
        if self._made is None or self._made.is_closed():
            self._made = await until(self._connected, 30)
        return self._made

    async def _connected(self) -> Any:
        with suppress(*BROKEN):
            return await asyncpg.connect(self._dsn)

    def broken(self) -> None:
        if self._made is not None:
            self._made.terminate()

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()


@dataclass
class Match:
    """Writers and one who reads along, in one database."""

    dsn: str
    seed: int
    step: Step
    transactions: int  # of each writer that nothing broke, and more until `meanwhile` is done
    early: bool  # acknowledge before the commit, as nobody should
    meanwhile: asyncio.Future[None] | None
    ledger: Ledger = field(default_factory=Ledger)
    rows: list[UUID] = field(default_factory=list)
    pause: float = 0.0  # seconds between two transactions of a writer

    async def read(self, line: Line) -> int:
        """How many more there were to read."""
        ledger = self.ledger
        try:
            found = await self.step(await line.connection(), ledger.read[-1].position if ledger.read else 0)
        except BROKEN:
            line.broken()
            return 1  # who knows?
        for each in found:
            name = each["after"].partition('"name": "')[2].partition('"')[0]
            ledger.read.append(Read(each["position"], each["row_id"], each["version"], name))
        return len(found)

    async def write(self, who: int) -> None:
        line, draw, ended = Line(self.dsn), random.Random(f"{self.seed} {who}"), 0
        for turn in count():
            if ended >= self.transactions and (self.meanwhile is None or self.meanwhile.done()):
                break
            try:
                await self._transaction(await line.connection(), draw, f"{self.seed}-{who}-{turn}")
                ended += 1
            except BROKEN:
                line.broken()
            await asyncio.sleep(self.pause)
        await line.close()

    async def _transaction(self, connection: Connection, draw: random.Random, name: str) -> None:
        kept: list[Written] = []
        whole = connection.transaction()
        await whole.start()
        # Rows are locked in one order across the statements too.
        chosen = sorted(draw.sample(self.rows, draw.randint(1, 3)))
        cut = draw.randint(0, len(chosen))
        for part, some in enumerate((chosen[:cut], chosen[cut:])):
            token, known = f"{name}-{part}", len(self.ledger.acknowledged)
            inner = connection.transaction()
            await inner.start()
            if draw.random() < 0.3:
                some = [*some, await connection.fetchval(ADD, f"new {token}")]
            await connection.execute(EDIT, some, token)
            await asyncio.sleep(draw.random() * 0.004)
            if draw.random() < 0.25:
                await inner.rollback()
                continue
            await inner.commit()
            kept += [Written(row, token, known) for row in some]
            kept += [Written(row, f"new {token}", known) for row in some if row not in self.rows]
        if self.early:
            self.ledger.acknowledged += kept
        if draw.random() < 0.2:
            await whole.rollback()
            return
        try:
            await whole.commit()
        except BROKEN:
            self.ledger.unanswered += kept
            raise
        if not self.early:
            self.ledger.acknowledged += kept


async def wrestle(
    dsn: str,
    seed: int,
    step: Step,
    *,
    transactions: int = 40,
    early: bool = False,
    patience: float = 3.0,
    meanwhile: asyncio.Future[None] | None = None,
) -> Ledger:
    """Writers write and one reads along, until all that was written is read or nothing more comes."""
    match, reader = Match(dsn, seed, step, transactions, early, meanwhile), Line(dsn)
    ledger = match.ledger
    async with connected(dsn, 1) as (first,):
        match.rows += [await first.fetchval(ADD, f"row {n}") for n in range(ROWS)]
    ledger.acknowledged += [Written(row, f"row {n}", n) for n, row in enumerate(match.rows)]
    writing = asyncio.gather(*(match.write(n) for n in range(WRITERS)))
    while not writing.done():
        await match.read(reader)
        await asyncio.sleep(0.001)
    await writing
    end = monotonic() + patience  # a leader may have been killed meanwhile
    while True:
        if not await match.read(reader) and ("lost" not in ledger.faults() or monotonic() > end):
            break
        await asyncio.sleep(0.01)
    await reader.close()
    return ledger
