"""Writers that get in each other's way, one who reads along, and an oracle that compares what both were told."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db import positions
from hub.db.pool import Connection

WRITERS, ROWS = 6, 5
ADD = "insert into products (sku, name, category, unit_price, currency) values ($1, $1, 'c', 1, 'EUR') returning id"
# Locked in one order, so that writers wait for each other and never for ever.
EDIT = """
with locked as (select id from products where id = any($1::uuid[]) order by id for update)
update products set name = $2 from locked where products.id = locked.id
"""


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
    read: list[Read] = field(default_factory=list)

    def faults(self) -> set[str]:
        """The promises that were broken."""
        places = {(each.row, each.token): each.position for each in self.read}
        written = {(each.row, each.token) for each in self.acknowledged}
        found = {
            "lost": not written <= places.keys(),
            "invented": not places.keys() <= written,
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
    return await positions.read(connection, after, 50)


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


async def wrestle(
    dsn: str, seed: int, step: Step, *, transactions: int = 40, early: bool = False, patience: float = 3.0
) -> Ledger:
    """Writers write and one reads along, until all that was written is read or nothing more comes."""
    ledger = Ledger()
    async with connected(dsn, WRITERS + 2) as (reader, first, *others):
        rows = [await first.fetchval(ADD, f"row {n}") for n in range(ROWS)]
        ledger.acknowledged += [Written(row, f"row {n}", n) for n, row in enumerate(rows)]
        jobs = [
            _write(each, ledger, random.Random(f"{seed} {n}"), rows, transactions, early, n)
            for n, each in enumerate(others)
        ]
        writing = asyncio.gather(*jobs)
        while not writing.done():
            await _read(reader, ledger, step)
            await asyncio.sleep(0.001)
        await writing
        end = monotonic() + patience  # a leader may have been killed meanwhile
        while True:
            if not await _read(reader, ledger, step) and ("lost" not in ledger.faults() or monotonic() > end):
                break
            await asyncio.sleep(0.01)
    return ledger


async def _read(connection: Connection, ledger: Ledger, step: Step) -> int:
    found = await step(connection, ledger.read[-1].position if ledger.read else 0)
    for each in found:
        name = each["after"].partition('"name": "')[2].partition('"')[0]
        ledger.read.append(Read(each["position"], each["row_id"], each["version"], name))
    return len(found)


async def _write(
    connection: Connection, ledger: Ledger, draw: random.Random, rows: list[UUID], times: int, early: bool, who: int
) -> None:
    for turn in range(times):
        kept: list[Written] = []
        whole = connection.transaction()
        await whole.start()
        # Rows are locked in one order across the statements too.
        chosen = sorted(draw.sample(rows, draw.randint(1, 3)))
        cut = draw.randint(0, len(chosen))
        for part, some in enumerate((chosen[:cut], chosen[cut:])):
            token, known = f"{who}-{turn}-{part}", len(ledger.acknowledged)
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
            kept += [Written(row, f"new {token}", known) for row in some if row not in rows]
        if early:
            ledger.acknowledged += kept
        if draw.random() < 0.2:
            await whole.rollback()
            continue
        await whole.commit()
        if not early:
            ledger.acknowledged += kept
