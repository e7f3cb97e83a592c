"""Projections apply each change exactly once, whichever process does it, and whatever dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg
import pytest
from command_line import RunCommand
from writer_client import HubClient

from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.pool import Connection, Pool
from hub.model import projections
from hub.model.declarations import InvalidDeclaration
from hub.model.projections import ChangedRow, Projection, registered_projections
from hub.projections import runner as projections_runner
from hub.projections.runner import ProjectionRunner
from hub.schema.customers.customers import Customer, Identifier
from hub.settings import Settings

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
SECONDS = 20


@dataclass
class Names:
    """A projection that notes each change that it applies, and fails where the test says so."""

    failures: int = 0
    changes: list[str] = field(default_factory=list)

    async def apply(self, tx: Connection, changes: Sequence[ChangedRow]) -> None:
        for change in changes:
            await tx.execute("insert into projected (row_id) values ($1)", change.row_id)
            self.changes.append(change.operation)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("it fails")

    async def rebuild(self, tx: Connection, after: UUID | None) -> UUID | None:
        if after is None:
            await tx.execute("delete from projected")
        sql = "select id from customers where id > $1 order by id limit 40"
        keys = [row["id"] for row in await tx.fetch(sql, after or UUID(int=0))]
        await tx.executemany("insert into projected (row_id) values ($1)", [(key,) for key in keys])
        return keys[-1] if keys else None


@pytest.fixture(scope="module")
async def pool(northwind_client: HubClient, connection: asyncpg.Connection) -> AsyncIterator[Pool]:
    await connection.execute("create table projected (id bigint generated always as identity, row_id uuid not null)")
    await connection.execute("grant all on projected to hub_runtime")
    pool = Pool(northwind_client.dsn, Settings())
    yield pool
    await pool.close()


@pytest.fixture
def names() -> Names:
    return Names()


def runner(pool: Pool, projection: Projection) -> ProjectionRunner:
    """What another process would run."""
    return ProjectionRunner(pool, ChangeFeed(pool, ChangeCursors(b"secret")), [projection])


async def create(client: HubClient, name: str) -> UUID:
    created = await client.query(CREATE, {"input": {"name": name}})
    return UUID(created["customerCreate"]["customer"]["id"].removeprefix("cus_"))


async def projected(connection: asyncpg.Connection, *keys: UUID, times: int = 1) -> None:
    """Waits until each row was applied so often; fails when one was applied more often."""
    sql = "select row_id, count(*) from projected where row_id = any($1) group by row_id"
    async with asyncio.timeout(SECONDS):
        while True:
            counts = {row["row_id"]: row["count"] for row in await connection.fetch(sql, list(keys))}
            assert all(count <= times for count in counts.values()), counts
            if len(counts) == len(keys) and all(count == times for count in counts.values()):
                return
            await asyncio.sleep(0.02)


async def until(connection: asyncpg.Connection, sql: str, *arguments: object) -> None:
    """Waits until a query has a row."""
    async with asyncio.timeout(SECONDS):
        while True:
            if await connection.fetchval(f"select exists ({sql})", *arguments):
                return
            await asyncio.sleep(0.02)


async def test_a_change_is_applied_once_by_several_processes(
    northwind_client: HubClient, pool: Pool, connection: asyncpg.Connection, names: Names
) -> None:
    projection = Projection("names", frozenset({"customers"}), names.apply, None, 1, 3, frozenset({"name"}))
    async with runner(pool, projection).running(), runner(pool, projection).running():
        first = await create(northwind_client, "before")
        await projected(connection, first)
        keys = [await create(northwind_client, f"c{n}") for n in range(20)]
        await northwind_client.query(UPDATE, {"input": {"id": f"cus_{first.hex}", "language": "fr"}})
        await northwind_client.query(UPDATE, {"input": {"id": f"cus_{keys[0].hex}", "name": "renamed"}})
        await projected(connection, *keys[1:])
        await projected(connection, keys[0], times=2)
        await projected(connection, first)
    assert sorted(names.changes) == ["CREATE"] * 21 + ["UPDATE"]


async def test_a_failure_is_tried_again_and_named_by_the_doctor(
    northwind_client: HubClient,
    pool: Pool,
    connection: asyncpg.Connection,
    names: Names,
    run_command: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    projection = Projection("fragile", frozenset({"customers"}), names.apply, None, 1, 500, frozenset())
    async with runner(pool, projection).running():
        await projected(connection, await create(northwind_client, "sound"))
        names.failures = 1
        await projected(connection, await create(northwind_client, "fails once"))
    assert names.changes == ["CREATE"] * 3  # the transaction of the second was rolled back
    monkeypatch.setitem(projections._registered, "fragile", projection)
    sql = "update projections set attempts = 2, error = 'INTERNAL: it fails' where name = 'fragile'"
    await connection.execute(sql)
    code, output, _ = await run_command("doctor", HUB_DATABASE_URL=northwind_client.dsn)
    assert code == 1
    assert "fragile failed 2 times (INTERNAL: it fails)" in output


async def test_a_process_that_loses_its_connection_leaves_the_change_to_others(
    northwind_client: HubClient, pool: Pool, connection: asyncpg.Connection, names: Names
) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def blocked(tx: Connection, changes: Sequence[ChangedRow]) -> None:
        await names.apply(tx, changes)
        entered.set()
        await release.wait()

    stuck = Projection("shared", frozenset({"customers"}), blocked, None, 1, 500, frozenset())
    other_pool = Pool(northwind_client.dsn, Settings(), {"application_name": "stuck"})
    async with runner(other_pool, stuck).running():
        await until(connection, "select from projections where name = 'shared'")
        key = await create(northwind_client, "shared")
        await entered.wait()
        async with runner(pool, replace(stuck, apply=names.apply)).running():
            assert await connection.fetchval("select count(*) from projected where row_id = $1", key) == 0
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stuck'"
                " and datname = current_database()"
            )
            release.set()
            await projected(connection, key)
            await projected(connection, await create(northwind_client, "after"))
    await other_pool.close()


async def built(connection: asyncpg.Connection, edition: int) -> None:
    """Waits until the edition is built."""
    await until(connection, "select from projections where name = 'built' and edition = $1 and not rebuilding", edition)


async def test_an_edition_is_built_from_nothing_and_goes_on_with_the_changes_since(
    northwind_client: HubClient, pool: Pool, connection: asyncpg.Connection, names: Names
) -> None:
    await connection.execute("truncate projected")
    projection = Projection("built", frozenset({"customers"}), names.apply, names.rebuild, 1, 500, frozenset())
    customers = [row["id"] for row in await connection.fetch("select id from customers")]
    async with runner(pool, projection).running():
        await built(connection, 1)
        await projected(connection, *customers, new := await create(northwind_client, "since"))
    async with runner(pool, replace(projection, edition=2)).running():
        await built(connection, 2)
        await projected(connection, *customers, new, await create(northwind_client, "again"))


async def test_a_rebuild_that_somebody_asks_for_begins_without_a_change(
    northwind_client: HubClient,
    pool: Pool,
    connection: asyncpg.Connection,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projections_runner, "SAVE_INTERVAL", 0.0)
    await connection.execute("truncate projected")
    projection = Projection("asked", frozenset({"customers"}), names.apply, names.rebuild, 1, 500, frozenset())
    customers = [row["id"] for row in await connection.fetch("select id from customers")]
    async with runner(pool, projection).running():
        await projected(connection, *customers)
        await connection.execute("delete from projected")
        await connection.execute("update projections set rebuilding = true, rebuilt_to = null where name = 'asked'")
        await projected(connection, *customers)


async def test_changes_that_were_dropped_before_they_were_applied_cause_a_rebuild(
    northwind_client: HubClient, pool: Pool, connection: asyncpg.Connection, names: Names
) -> None:
    await connection.execute("truncate projected")
    projection = Projection("late", frozenset({"customers"}), names.apply, names.rebuild, 1, 500, frozenset())
    customers = [row["id"] for row in await connection.fetch("select id from customers")]
    async with runner(pool, projection).running():
        await projected(connection, *customers)
    key = await create(northwind_client, "dropped")
    await until(
        connection, "select from change_order as o join change_log as l on l.id = o.id where l.row_id = $1", key
    )
    await connection.execute("update change_feed set least_position = (select max(position) + 1 from change_order)")
    async with runner(pool, projection).running():
        await projected(connection, *customers, key)


def test_a_projection_that_cannot_work_stops_the_hub(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    faulty = Projection("Names!", frozenset({"customers"}), names.apply, None, 1, 500, frozenset({"nose"}))
    monkeypatch.setitem(projections._registered, "Names!", faulty)
    with pytest.raises(InvalidDeclaration) as raised:
        registered_projections()
    assert "Names!: the name is not written in small words" in str(raised.value)
    assert "Names!: no entity that it follows has the column nose" in str(raised.value)


def test_a_declaration_names_what_it_follows() -> None:
    async def apply(tx: Connection, changes: Sequence[ChangedRow]) -> None: ...

    try:
        assert projections.projection("declared", Customer, Identifier, columns=("normalized",))(apply) is apply
        declared = projections._registered["declared"]
        assert declared.tables == {"customers", "identifiers"}
        row = ChangedRow("identifiers", UUID(int=1), "UPDATE", None, None, ["verified"])
        assert [declared.concerns(row), declared.concerns(row._replace(operation="DELETE"))] == [False, True]
    finally:
        del projections._registered["declared"]
