"""Loads the sample data, each data set in one transaction, so that a killed load leaves nothing behind.

A data set that is loaded already is recognised by its keys: Northwind by its root unit, the synthetic set by its customers'
numbers. A load holds an advisory lock; a second loader waits and finds the work done."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import sqlalchemy as sa

from hub import graph
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.demo.northwind.customers import NorthwindCustomers
from hub.demo.northwind.imports import STAGE, import_northwind
from hub.demo.northwind.orders import NorthwindOrders
from hub.demo.northwind.organisation import ROOT, NorthwindOrganisation
from hub.demo.northwind.source import NorthwindSource, read_source
from hub.demo.rows import Batch, LoadProgress, LoadStep, to_postgres_timestamp
from hub.demo.synthetic.batches import MAX_CUSTOMERS, load_steps
from hub.demo.synthetic.people import SOURCE
from hub.errors import BadInput, Misconfigured
from hub.schema.customers.contacts import Contact
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.schema.organisation.units import OrgUnit
from hub.schema.sales.orders import Order


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """The number of rows that a load added, by table; empty if everything was loaded already."""

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

# Postgres plans foreign key checks once; without statistics it takes the first index, for example that of customers by unit, with
# thousands of rows per key. New statistics, each time the load has doubled, invalidate these plans.
_ANALYZE = f"analyze {', '.join(entity.table.name for entity in (Customer, Contact, Order))}"


async def load(dsn: str, customers: int = 0, progress: LoadProgress | None = None) -> LoadedRows:
    """Loads Northwind and `customers` synthetic customers into a migrated database. A second load changes nothing.

    Calls `progress` with stage, steps done and total steps. Raises BadInput or Misconfigured."""
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
            f"The sample data conflicts with existing rows: it violates {error.constraint_name}. Sample rows were changed, or "
            "other rows have their numbers. Load it into a new database.",
            code="DATABASE_UNFIT",
        ) from error
    finally:
        await connection.close()


async def _load(connection: Connection, customers: int, progress: LoadProgress) -> LoadedRows:
    graph.declarations()  # the rules of all entities are known then
    existing = await connection.fetchval(_FIND_SYNTHETIC)
    if customers and existing is not None and int(existing) != customers:
        raise BadInput(
            f"--customers {customers}: this database already holds a synthetic set of {int(existing):,} customers, and "
            f"a set does not grow. Use --customers {int(existing)}, or load into a new database.",
            argument="customers",
        )
    added: Counter[str] = Counter()
    source = read_source()
    if await connection.fetchval(_FIND_NORTHWIND) is None:
        await _load_northwind(connection, source, added, progress)
    if customers and existing is None:
        await _register_codecs(connection)
        await _copy(connection, load_steps(customers, source), added, progress)
    if added:
        progress("statistics", 0, 1)
        # Vacuum also sets the visibility map, which index-only scans need.
        await connection.execute(f"vacuum (analyze) {', '.join(added)}")
        progress("statistics", 1, 1)
    return LoadedRows(dict(added))


async def _register_codecs(connection: Connection) -> None:
    """Registers a COPY codec for a type that asyncpg encodes too slowly for millions of rows."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=to_postgres_timestamp,
        decoder=lambda microseconds: microseconds,
        format="tuple",
    )


@asynccontextmanager
async def _loading(connection: Connection) -> AsyncIterator[None]:
    """The transaction of a data set."""
    async with connection.transaction():
        await connection.execute("set local default_statistics_target = 10")  # enough for planning during the load
        await connection.execute("set local hub.capture = 'off'")  # sample data has no history
        yield


async def _load_northwind(
    connection: Connection, source: NorthwindSource, added: Counter[str], progress: LoadProgress
) -> None:
    await connection.set_type_codec(
        "ltree",
        schema="public",
        encoder=lambda path: b"\x01" + path.encode(),  # a version, then the text
        decoder=lambda data: data[1:].decode(),
        format="binary",
    )
    organisation = NorthwindOrganisation(source)
    customers = NorthwindCustomers(source, organisation)
    orders = NorthwindOrders(source, organisation, customers)
    async with _loading(connection):
        await _write(connection, organisation.batches(), added)
        added += await import_northwind(connection, customers, orders, progress)
        await _write(connection, [*customers.batches(), *orders.batches()], added)
        await connection.execute(_ANALYZE)
    progress(STAGE, 1, 1)


async def _write(connection: Connection, batches: Sequence[Batch], added: Counter[str]) -> None:
    for entity, columns, rows in batches:
        if rows:
            await connection.copy_records_to_table(entity.table.name, records=rows, columns=columns)
            added[entity.table.name] += len(rows)


async def _copy(connection: Connection, steps: Iterator[LoadStep], added: Counter[str], progress: LoadProgress) -> None:
    async with _loading(connection):
        step_count = 0
        async for step in _prefetched(steps):
            await _write(connection, step.batches, added)
            if step.batches:
                step_count += 1
                if step_count.bit_count() == 1:
                    await connection.execute(_ANALYZE)
            progress(step.stage, step.done, step.total)


async def _prefetched(steps: Iterator[LoadStep]) -> AsyncIterator[LoadStep]:
    """Yields the steps; a thread computes each one while the database writes the previous one."""
    upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
    while (step := await upcoming) is not None:
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
        yield step
