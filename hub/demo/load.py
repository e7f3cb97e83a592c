"""Loads the sample data, each set in one transaction, so that a load that was killed leaves nothing behind.

What is there is seen by its keys: Northwind by its root unit, the synthetic set by its customers' numbers. Whoever
loads holds an advisory lock; a second loader waits, and then finds the work done."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

import asyncpg
import sqlalchemy as sa

from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.demo.northwind.customers import NorthwindCustomers
from hub.demo.northwind.orders import NorthwindOrders
from hub.demo.northwind.organisation import ROOT, NorthwindOrganisation
from hub.demo.northwind.source import NorthwindSource, read_source
from hub.demo.rows import LoadStep, to_postgres_timestamp
from hub.demo.synthetic.batches import MAX_CUSTOMERS, load_steps
from hub.demo.synthetic.people import SOURCE
from hub.errors import BadInput, Misconfigured
from hub.schema.customers.contacts import Contact
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.schema.organisation.units import OrgUnit
from hub.schema.sales.orders import Order

LoadProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """How many rows a load added, by table; nothing when all was there."""

    rows: Mapping[str, int]


def _literal_sql(statement: sa.ClauseElement) -> str:
    return str(statement.compile(compile_kwargs={"literal_binds": True}))


_FIND_NORTHWIND = _literal_sql(sa.select(OrgUnit.c.id).where(OrgUnit.c.code == ROOT))
_FIND_SYNTHETIC = _literal_sql(
    sa.select(Identifier.c.normalized)
    .where(Identifier.c.kind == IdentifierKind.EXTERNAL_ID, Identifier.c.source == SOURCE)
    .order_by(Identifier.c.normalized.desc())
    .limit(1)
)

# Foreign keys are checked by plans that are made once, and for a table of unknown size by whichever index comes first: that
# of the customers of a unit, for one, thousands of rows long. Each time the load has doubled, new statistics renew the plans.
_ANALYZE = f"analyze {', '.join(entity.table.name for entity in (Customer, Contact, Order))}"


async def load(dsn: str, customers: int = 0, progress: LoadProgress | None = None) -> LoadedRows:
    """Northwind, and `customers` synthetic ones beside it, into a migrated database. Loading again changes nothing."""
    if not 0 <= customers <= MAX_CUSTOMERS:
        raise BadInput(
            f"--customers {customers}: a synthetic set has 0 to {MAX_CUSTOMERS:,} customers.", argument="customers"
        )
    report = progress or (lambda stage, done, total: None)
    connection: Connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval(f"select pg_try_advisory_lock({AdvisoryLock.DEMO_LOAD})"):
            report("waiting for another load", 0, 1)
            await connection.execute(f"select pg_advisory_lock({AdvisoryLock.DEMO_LOAD})")
            report("waiting for another load", 1, 1)
        return await _load(connection, customers, report)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Misconfigured(
            f"The sample data does not fit what the database holds already: it breaks {error.constraint_name}. Sample "
            "rows were changed, or others bear their numbers. Load it into a new database.",
            code="DATABASE_UNFIT",
        ) from error
    finally:
        await connection.close()


async def _load(connection: Connection, customers: int, progress: LoadProgress) -> LoadedRows:
    await _register_codecs(connection)
    existing = await connection.fetchval(_FIND_SYNTHETIC)
    if customers and existing is not None and int(existing) != customers:
        raise BadInput(
            f"--customers {customers}: this database holds a synthetic set of {int(existing):,} customers already, and "
            f"a set does not grow. Ask for --customers {int(existing)}, or load into a new database.",
            argument="customers",
        )
    added: Counter[str] = Counter()
    source = read_source()
    if await connection.fetchval(_FIND_NORTHWIND) is None:
        await _copy(connection, iter([_northwind(source)]), added, progress)
    if customers and existing is None:
        await _copy(connection, load_steps(customers, source), added, progress)
    if added:
        progress("statistics", 0, 1)
        # Also sets the visibility map, without which no scan is index-only.
        await connection.execute(f"vacuum (analyze) {', '.join(added)}")
        progress("statistics", 1, 1)
    return LoadedRows(dict(added))


async def _register_codecs(connection: Connection) -> None:
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
        encoder=to_postgres_timestamp,
        decoder=lambda microseconds: microseconds,
        format="tuple",
    )


def _northwind(source: NorthwindSource) -> LoadStep:
    organisation = NorthwindOrganisation(source)
    customers = NorthwindCustomers(source, organisation)
    orders = NorthwindOrders(source, organisation, customers)
    batches = [*organisation.batches(), *customers.batches(), *orders.batches()]
    return LoadStep("Northwind", 1, 1, batches)


async def _copy(connection: Connection, steps: Iterator[LoadStep], added: Counter[str], progress: LoadProgress) -> None:
    async with connection.transaction():
        await connection.execute("set local default_statistics_target = 10")  # for planning, until the load is done
        await connection.execute("set local hub.capture = 'off'")  # sample data have no history to tell
        step_count = 0
        async for step in _prefetched(steps):
            for entity, columns, rows in step.batches:
                if rows:
                    await connection.copy_records_to_table(entity.table.name, records=rows, columns=columns)
                    added[entity.table.name] += len(rows)
            if step.batches:
                step_count += 1
                if step_count.bit_count() == 1:
                    await connection.execute(_ANALYZE)
            progress(step.stage, step.done, step.total)


async def _prefetched(steps: Iterator[LoadStep]) -> AsyncIterator[LoadStep]:
    """The steps, each made in a thread while the database is busy with the one before."""
    upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
    while (step := await upcoming) is not None:
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
        yield step
