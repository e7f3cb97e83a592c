"""Loads the sample data, each set in one transaction, so that a load that was killed leaves nothing behind.

What is there is seen by its keys: Northwind by its root unit, the synthetic set by its customers' numbers. Whoever
loads holds an advisory lock; a second loader waits, and then finds the work done."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import sqlalchemy as sa

from hub.demo.northwind.customers import Customers
from hub.demo.northwind.orders import Trade
from hub.demo.northwind.organisation import ROOT, Organisation
from hub.demo.northwind.source import Facts, facts
from hub.demo.rows import Chunk, postgres_moment
from hub.demo.synthetic.batches import MOST, chunks
from hub.demo.synthetic.people import SOURCE
from hub.domain.customers.contacts import Contact
from hub.domain.customers.customers import Customer, Identifier, IdentifierKind
from hub.domain.organisation.organisation import OrgUnit
from hub.domain.sales.orders import Order
from hub.errors import BadInput, Misconfigured

Progress = Callable[[str, int, int], None]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOCK = 7_269_401_114


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows a load added, by table; nothing when all was there."""

    rows: Mapping[str, int]


def _text(statement: sa.ClauseElement) -> str:
    return str(statement.compile(compile_kwargs={"literal_binds": True}))


_NORTHWIND = _text(sa.select(OrgUnit.c.id).where(OrgUnit.c.code == ROOT))
_SYNTHETIC = _text(
    sa.select(Identifier.c.normalized)
    .where(Identifier.c.kind == IdentifierKind.EXTERNAL_ID, Identifier.c.source == SOURCE)
    .order_by(Identifier.c.normalized.desc())
    .limit(1)
)

# Foreign keys are checked by plans that are made once, and for a table of unknown size by whichever index comes first: that
# of the customers of a unit, for one, thousands of rows long. Each time the load has doubled, new statistics renew the plans.
_ANALYZE = f"analyze {', '.join(table.name for table in (Customer, Contact, Order))}"


async def load(dsn: str, customers: int = 0, progress: Progress | None = None) -> Loaded:
    """Northwind, and `customers` synthetic ones beside it, into a migrated database. Loading again changes nothing."""
    if not 0 <= customers <= MOST:
        raise BadInput(f"--customers {customers}: a synthetic set has 0 to {MOST:,} customers.", argument="customers")
    tell = progress or (lambda stage, done, total: None)
    connection: Connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval(f"select pg_try_advisory_lock({LOCK})"):
            tell("waiting for another load", 0, 1)
            await connection.execute(f"select pg_advisory_lock({LOCK})")
            tell("waiting for another load", 1, 1)
        return await _load(connection, customers, tell)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Misconfigured(
            f"The sample data does not fit what the database holds already: it breaks {error.constraint_name}. Sample "
            "rows were changed, or others bear their numbers. Load it into a new database.",
            code="DATABASE_UNFIT",
        ) from error
    finally:
        await connection.close()


async def _load(connection: Connection, customers: int, progress: Progress) -> Loaded:
    await _teach(connection)
    held = await connection.fetchval(_SYNTHETIC)
    if customers and held is not None and int(held) != customers:
        raise BadInput(
            f"--customers {customers}: this database holds a synthetic set of {int(held):,} customers already, and "
            f"a set does not grow. Ask for --customers {int(held)}, or load into a new database.",
            argument="customers",
        )
    added: Counter[str] = Counter()
    known = facts()
    if await connection.fetchval(_NORTHWIND) is None:
        await _copy(connection, iter([_northwind(known)]), added, progress)
    if customers and held is None:
        await _copy(connection, chunks(customers, known), added, progress)
    if added:
        progress("statistics", 0, 1)
        # Also sets the visibility map, without which no scan is index-only.
        await connection.execute(f"vacuum (analyze) {', '.join(added)}")
        progress("statistics", 1, 1)
    return Loaded(dict(added))


async def _teach(connection: Connection) -> None:
    """How COPY is to write the types that asyncpg does not know, or knows too slowly for millions of rows."""
    await connection.set_type_codec(
        "ltree",
        schema="public",
        encoder=lambda path: b"\x01" + path.encode(),  # a version, then the text
        decoder=lambda data: data[1:].decode(),
        format="binary",
    )
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=postgres_moment,
        decoder=lambda microseconds: microseconds,
        format="tuple",
    )


def _northwind(known: Facts) -> Chunk:
    organisation = Organisation(known)
    customers = Customers(known, organisation)
    trade = Trade(known, organisation, customers)
    batches = [*organisation.batches(), *customers.batches(), *trade.batches()]
    return Chunk("Northwind", 1, 1, batches)


async def _copy(connection: Connection, steps: Iterator[Chunk], added: Counter[str], progress: Progress) -> None:
    async with connection.transaction():
        await connection.execute("set local default_statistics_target = 10")  # for planning, until the load is done
        await connection.execute("set local hub.capture = 'off'")  # sample data have no history to tell
        number = 0
        async for chunk in _ahead(steps):
            for table, columns, rows in chunk.batches:
                if rows:
                    await connection.copy_records_to_table(table.name, records=rows, columns=columns)
                    added[table.name] += len(rows)
            if chunk.batches:
                number += 1
                if number.bit_count() == 1:
                    await connection.execute(_ANALYZE)
            progress(chunk.stage, chunk.done, chunk.total)


async def _ahead(steps: Iterator[Chunk]) -> AsyncIterator[Chunk]:
    """The steps, each made in a thread while the database is busy with the one before."""
    upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
    while (chunk := await upcoming) is not None:
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
        yield chunk
