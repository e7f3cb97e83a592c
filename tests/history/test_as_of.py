"""A row as it was at a moment: what the log knows of it, what is refused, and what anybody's random edits leave behind."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from audit_reader import wait_until_chained
from change_workload import open_connections, wait_until
from writer_client import HubClient, open_hub_client

from hub import graph
from hub.changefeed import sequencer
from hub.db import log_partitions
from hub.db.pool import Pool
from hub.settings import Settings

CATALOG = graph.build().catalog
ADD = """
insert into products (sku, name, category, unit_price, currency) values ($1, $2, 'Iron', 1.5, 'EUR') returning id
"""
RENAME = "update products set name = $2 where id = $1"
THEN = "query ($id: ID!, $at: DateTime) { product(id: $id, asOf: $at) { name version } }"
NODE = "query ($id: ID!, $at: DateTime!) { nodeAsOf(id: $id, at: $at) { ... on Product { name version } } }"


async def database_time(connection: asyncpg.Connection) -> datetime:
    """Now, by the clock that the log goes by."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    return now


async def product_as_of(northwind_client: HubClient, key: Any, as_of: datetime | None, query: str = THEN) -> Any:
    """A product's name and version at a moment."""
    data = await northwind_client.query(query, {"id": f"prd_{key.hex}", "at": as_of and as_of.isoformat()})
    (row,) = data.values()
    return row and (row["name"], row["version"])


# -- what is told -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [THEN, NODE], ids=["product", "node"])
async def test_as_of_reads_the_row_after_every_change(
    northwind_client: HubClient, connection: asyncpg.Connection, query: str
) -> None:
    moments = [await database_time(connection)]
    key = await connection.fetchval(ADD, f"told {query[:40]}", "Nail")
    moments.append(await database_time(connection))
    await connection.execute(RENAME, key, "Hook")
    moments.append(await database_time(connection))
    await connection.execute("delete from products where id = $1", key)
    moments.append(await database_time(connection))
    assert [await product_as_of(northwind_client, key, as_of, query) for as_of in moments] == [
        None,
        ("Nail", 1),
        ("Hook", 2),
        None,
    ]
    assert await product_as_of(northwind_client, key, None) is None


async def test_a_row_older_than_the_log_is_read_from_its_first_logged_change(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    await connection.execute("set hub.capture = off")
    create_earlier = (
        "update products set created_at = now() - interval '3 days' where name = 'Chai' returning id, created_at"
    )
    (product,) = await connection.fetch(create_earlier)
    await connection.execute("set hub.capture = on")
    key, born = product
    before = await database_time(connection)
    assert [
        await product_as_of(northwind_client, key, as_of) for as_of in (before, born, born - timedelta(days=1))
    ] == [
        ("Chai", 2),
        ("Chai", 2),
        None,
    ]
    await connection.execute(RENAME, key, "Tea")
    assert [
        await product_as_of(northwind_client, key, as_of)
        for as_of in (await database_time(connection), before, born, born - timedelta(days=1))
    ] == [
        ("Tea", 3),
        ("Chai", 2),
        ("Chai", 2),
        None,
    ]


async def test_the_last_change_up_to_the_moment_counts_whatever_the_clock_did(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval(ADD, "clock", "Nail")
    await connection.execute(RENAME, key, "Hook")
    set_back = "update change_log set at = at - interval '1 hour' where row_id = $1 and version = 2"
    await connection.execute("update products set created_at = created_at - interval '1 day' where id = $1", key)
    await connection.execute(set_back, key)
    created_at = await connection.fetchval("select at from change_log where row_id = $1 and version = 1", key)
    assert await product_as_of(northwind_client, key, created_at) == ("Hook", 2)


async def test_as_of_now_equals_the_current_row_for_every_type(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    now = (await database_time(connection)).isoformat()
    for entity in CATALOG.with_past_rows:
        key = await connection.fetchval(f"select id from {entity.table.name} order by id limit 1")
        if key is None:
            continue
        fields = " ".join(["id", *entity.columns])
        root = f'{entity.declaration.singular}(id: "{entity.declaration.prefix}_{key.hex}"'
        data = await northwind_client.query(
            f'{{ now: {root}) {{ {fields} }} then: {root}, asOf: "{now}") {{ {fields} }} }}'
        )
        assert data["now"] == data["then"] != None, entity.name  # noqa: E711
        await connection.execute(
            f"update {entity.table.name} set created_at = created_at + interval '1 us' where id = $1", key
        )
        late = (await database_time(connection)).isoformat()
        data = await northwind_client.query(
            f'{{ now: {root}) {{ {fields} }} then: {root}, asOf: "{late}") {{ {fields} }} }}'
        )
        assert data["now"] == data["then"], entity.name
        before = await northwind_client.query(f'{{ then: {root}, asOf: "{now}") {{ {fields} }} }}')
        changed = {name for name in entity.columns if before["then"][name] != data["now"][name]}
        assert changed == {"createdAt", "updatedAt", "version"}, entity.name


async def test_resolver_fields_are_computed_from_the_past_row(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval("select id from interactions limit 1")
    await connection.execute("update interactions set body = 'one two three' where id = $1", key)
    as_of = await database_time(connection)
    await connection.execute("update interactions set body = 'four five six' where id = $1", key)
    query = "query ($id: ID!, $at: DateTime) { interaction(id: $id, asOf: $at) { excerpt(words: 2) occurredAt at } }"
    data = await northwind_client.query(
        query.replace("occurredAt at", "body"), {"id": f"int_{key.hex}", "at": as_of.isoformat()}
    )
    assert data == {"interaction": {"excerpt": "one two…", "body": "one two three"}}


async def test_of_who_was_erased_there_is_no_past(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    ids = "select c.id, s.id from customers c join scores s on s.customer_id = c.id where c.name = 'QUICK-Stop' limit 1"
    ((key, score),) = await connection.fetch(ids)
    await connection.execute("update customers set name = 'Quick' where id = $1", key)
    as_of = (await database_time(connection)).isoformat()
    query = f"""{{
        customer(id: "cus_{key.hex}", asOf: "{as_of}") {{ name }}
        score(id: "sco_{score.hex}", asOf: "{as_of}") {{ model }}
        nodeAsOf(id: "sco_{score.hex}", at: "{as_of}") {{ id }}
    }}"""
    assert None not in (await northwind_client.query(query)).values()
    await northwind_client.query(f'mutation {{ customerErase(input: {{ id: "cus_{key.hex}" }}) {{ entries }} }}')
    assert set((await northwind_client.query(query)).values()) == {None}


async def test_an_id_of_no_row_was_none_either(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    for query in (THEN, NODE):
        variables = {"id": f"prd_{'0' * 32}", "at": (await database_time(connection)).isoformat()}
        assert list((await northwind_client.query(query, variables)).values()) == [None]


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "selection"),
    [
        ("unit", "customer(asOf) { name unit { id } }"),
        ("orders", "customer(asOf) { orders { totalCount } }"),
        ("timeline", "customer(asOf) { timeline { nodes { id } } }"),
        ("about", "interaction(asOf) { about { __typename } }"),
        ("mentions", "interaction(asOf) { mentions { id } }"),
        ("orders", "nodeAsOf(at) { id ... on Customer { many: orders { totalCount } } }"),
    ],
)
async def test_a_link_cannot_be_read_as_it_was(northwind_client: HubClient, field: str, selection: str) -> None:
    prefix = "int" if selection.startswith("interaction") else "cus"
    arguments = f'(id: "{prefix}_{"0" * 32}", asOf: "2020-01-01T00:00:00Z")'
    query = selection.replace("(asOf)", arguments).replace("(at)", arguments.replace("asOf", "at"))
    error = await northwind_client.error(f"{{ {query} }}")
    assert (error["code"], error["path"][1]) == ("AS_OF_LINK", field if "many" not in selection else "many")
    assert (
        error["message"] == f"{field}: a link cannot be read as it was in the past; select the present row beside it."
    )


async def test_a_link_is_read_beside_the_past(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    key = await connection.fetchval("select id from customers where name = 'Around the Horn'")
    as_of = await database_time(connection)
    await connection.execute("update customers set name = 'Horn' where id = $1", key)
    one = f'customer(id: "cus_{key.hex}"'
    query = f'{{ then: {one}, asOf: "{as_of.isoformat()}") {{ name }} now: {one}) {{ name orders {{ totalCount }} }} }}'
    now = {"name": "Horn", "orders": {"totalCount": 13}}
    assert await northwind_client.query(query) == {"then": {"name": "Around the Horn"}, "now": now}


async def test_a_moment_that_has_not_come_is_refused(northwind_client: HubClient) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    error = await northwind_client.error(THEN, {"id": f"prd_{'0' * 32}", "at": later})
    assert (error["code"], error["argument"], error["path"]) == ("VALUE_INVALID", "asOf", ["product"])
    assert error["message"] == f"asOf: {later} lies in the future; give a time in the past."


async def test_what_the_log_does_not_record_has_no_past(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    captured = await connection.fetch("""
        select tgrelid::regclass::text from pg_trigger where tgname like 'capture_%' group by 1 having count(*) = 3""")
    assert {name for (name,) in captured} == {entity.table.name for entity in CATALOG.with_past_rows}
    id, moment = f"aud_{'0' * 32}", (await database_time(connection)).isoformat()
    refused = [
        (f'{{ auditEntry(id: "{id}", asOf: "{moment}") {{ id }} }}', "ARGUMENT_UNKNOWN"),
        (f'{{ auditEntry(id: "{id}") {{ history {{ totalCount }} }} }}', "FIELD_UNKNOWN"),
        (f'subscription {{ auditEntryLive(id: "{id}") {{ auditEntry {{ id }} }} }}', "FIELD_UNKNOWN"),
        ("subscription { auditLogLive { auditLog { totalCount } } }", "FIELD_UNKNOWN"),
        ("{ changes(filter: {types: [AUDIT_ENTRY]}) { __typename } }", "VALUE_INVALID"),
        ("{ changes(filter: {auditTarget: {}}) { __typename } }", "ARGUMENT_UNKNOWN"),
        (f'{{ nodeAsOf(id: "{id}", at: "{moment}") {{ id }} }}', "ID_WRONG_TYPE"),
    ]
    errors = [await northwind_client.error(document) for document, _ in refused]
    assert [error["code"] for error in errors] == [code for _, code in refused]
    problem = "id: no type with a history has ids that begin with aud_; give an id that the hub returned."
    assert errors[-1]["message"] == problem


def test_subscriptions_have_no_as_of_argument() -> None:
    roots = graph.build().core.subscription_type
    assert roots is not None
    assert not [name for name, field in roots.fields.items() if "asOf" in field.args]


async def drop_old_partitions(dsn: str, connection: asyncpg.Connection) -> None:
    """Waits until the changes of more than a week ago are settled, in the audit log, and dropped."""
    await wait_until(
        lambda: connection.fetchval("select settled = (select last_value from change_log_id) from change_feed")
    )
    await wait_until_chained(connection)
    pool = await Pool.open(dsn, Settings())
    await log_partitions.drop_partitions(pool, datetime.now(UTC).date() - timedelta(days=7))
    await pool.close()
    assert await connection.fetchval("select array_agg(operation) from change_log") == ["UPDATE"]


async def test_a_moment_that_the_log_no_longer_reaches_is_refused_whatever_the_id(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "WATERMARK_SAVE_INTERVAL", 0.0)
    old = datetime.now(UTC) - timedelta(days=9)
    formatted = f"{old:%Y-%m-%dT%H:%M:%S.%f}Z"
    settings = Settings(change_retention=30)  # more days were kept once than are left
    async with (
        open_hub_client(database_dsn, settings) as hub_client,
        open_connections(database_dsn, 1) as (connection,),
    ):
        key = await connection.fetchval(ADD, "old", "Nail")
        await connection.execute("set hub.capture = off")
        await connection.execute("update products set created_at = $1", old)
        await connection.execute("set hub.capture = on")
        await connection.execute(RENAME, key, "Hook")
        await connection.execute("update change_log set day = $2, at = $1 where operation = 'CREATE'", old, old.date())
        await drop_old_partitions(database_dsn, connection)
        for query, digits in ((THEN, key.hex), (NODE, key.hex), (THEN, "0" * 32), (NODE, "0" * 32)):
            just = {"id": f"prd_{digits}", "at": (old - timedelta(microseconds=1)).isoformat()}
            error = await hub_client.error(query, just)
            argument, path = ("at", "nodeAsOf") if query == NODE else ("asOf", "product")
            assert (error["code"], error["argument"], error["path"]) == ("AS_OF_EXPIRED", argument, [path])
            message = f"{argument}: what rows were before {formatted} is no longer kept; name a later moment."
            assert error["message"] == message
        assert await product_as_of(hub_client, key, old) == ("Nail", 2)


# -- any edits ----------------------------------------------------------------------------------------------------------

ProductStates = list[tuple[datetime, dict[Any, tuple[str, int]]]]


async def make_random_edits(connection: asyncpg.Connection, rng: random.Random, steps: int) -> ProductStates:
    """Random edits of a few rows, some in transactions, some undone, rows deleted and made again; moments and states."""
    keys = [await connection.fetchval(ADD, f"any {number}", "0") for number in range(3)]
    states: ProductStates = []
    for step in range(steps):
        transaction = connection.transaction()
        await transaction.start()
        for key in rng.sample(keys, rng.randint(1, 2)):
            if rng.random() < 0.25:
                await connection.execute("delete from products where id = $1", key)
            again = """insert into products (id, sku, name, category, unit_price, currency)
                values ($1, $2, $3, 'Iron', 1, 'EUR') on conflict (id) do update set name = excluded.name"""
            if rng.random() < 0.8:
                await connection.execute(again, key, f"any {key}", f"{step}")
        await (transaction.rollback() if rng.random() < 0.2 else transaction.commit())
        records = await connection.fetch("select id, name, version from products where id = any($1)", keys)
        state = {record["id"]: (record["name"], record["version"]) for record in records}
        states.append((await database_time(connection), {key: state.get(key) for key in keys}))  # type: ignore[misc]
    return states


async def test_any_moment_gives_the_state_that_was_seen_then(database_dsn: str, seed: int) -> None:
    async with open_hub_client(database_dsn) as hub_client, open_connections(database_dsn, 1) as (connection,):
        states = await make_random_edits(connection, random.Random(seed), 40)
        for as_of, state in states:
            for key, was in state.items():
                assert await product_as_of(hub_client, key, as_of) == was, (seed, as_of, key)
