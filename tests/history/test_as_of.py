"""A row as it was at a moment: what the log knows of it, what is refused, and what anybody's random edits leave behind."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from change_workload import connected, until
from writer_client import Writer, writing

from hub import schema
from hub.changefeed import sequencer
from hub.db import log_partitions
from hub.db.pool import Pool
from hub.settings import Settings

CATALOG = schema.build().catalog
ADD = """
insert into products (sku, name, category, unit_price, currency) values ($1, $2, 'Iron', 1.5, 'EUR') returning id
"""
RENAME = "update products set name = $2 where id = $1"
THEN = "query ($id: ID!, $at: DateTime) { product(id: $id, asOf: $at) { name version } }"
NODE = "query ($id: ID!, $at: DateTime) { node(id: $id, asOf: $at) { ... on Product { name version } } }"


async def moment(rows: asyncpg.Connection) -> datetime:
    """Now, by the clock that the log goes by."""
    found: datetime = await rows.fetchval("select clock_timestamp()")
    return found


async def then(hub_: Writer, key: Any, at: datetime | None, query: str = THEN) -> Any:
    """A product's name and version at a moment."""
    found = await hub_.do(query, {"id": f"prd_{key.hex}", "at": at and at.isoformat()})
    (row,) = found.values()
    return row and (row["name"], row["version"])


# -- what is told -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [THEN, NODE], ids=["product", "node"])
async def test_a_row_is_told_as_it_was_after_each_of_its_changes(
    hub_: Writer, rows: asyncpg.Connection, query: str
) -> None:
    moments = [await moment(rows)]
    key = await rows.fetchval(ADD, f"told {query[:40]}", "Nail")
    moments.append(await moment(rows))
    await rows.execute(RENAME, key, "Hook")
    moments.append(await moment(rows))
    await rows.execute("delete from products where id = $1", key)
    moments.append(await moment(rows))
    assert [await then(hub_, key, at, query) for at in moments] == [None, ("Nail", 1), ("Hook", 2), None]
    assert await then(hub_, key, None, query) is None


async def test_a_row_of_before_the_log_is_told_by_its_first_change(hub_: Writer, rows: asyncpg.Connection) -> None:
    (found,) = await rows.fetch("select id, created_at from products where name = 'Chai'")
    key, born = found
    before = await moment(rows)
    assert [await then(hub_, key, at) for at in (before, born, born - timedelta(days=1))] == [
        ("Chai", 1),
        ("Chai", 1),
        None,
    ]
    await rows.execute(RENAME, key, "Tea")
    assert [await then(hub_, key, at) for at in (await moment(rows), before, born, born - timedelta(days=1))] == [
        ("Tea", 2),
        ("Chai", 1),
        ("Chai", 1),
        None,
    ]


async def test_the_last_change_up_to_the_moment_counts_whatever_the_clock_did(
    hub_: Writer, rows: asyncpg.Connection
) -> None:
    key = await rows.fetchval(ADD, "clock", "Nail")
    await rows.execute(RENAME, key, "Hook")
    set_back = "update change_log set at = at - interval '1 hour' where row_id = $1 and version = 2"
    await rows.execute("update products set created_at = created_at - interval '1 day' where id = $1", key)
    await rows.execute(set_back, key)
    made = await rows.fetchval("select at from change_log where row_id = $1 and version = 1", key)
    assert await then(hub_, key, made) == ("Hook", 2)


async def test_every_kind_of_value_is_told_as_it_is_told_today(hub_: Writer, rows: asyncpg.Connection) -> None:
    now = (await moment(rows)).isoformat()
    for row in CATALOG.rows.values():
        key = await rows.fetchval(f"select id from {row.table.name} order by id limit 1")
        if key is None:
            continue
        fields = " ".join(["id", *row.columns])
        one = f'{row.name[0].lower()}{row.name[1:]}(id: "{row.declaration.prefix}_{key.hex}"'
        found = await hub_.do(f'{{ now: {one}) {{ {fields} }} then: {one}, asOf: "{now}") {{ {fields} }} }}')
        assert found["now"] == found["then"] != None, row.name  # noqa: E711
        await rows.execute(f"update {row.table.name} set created_at = created_at + interval '1 us' where id = $1", key)
        late = (await moment(rows)).isoformat()
        found = await hub_.do(f'{{ now: {one}) {{ {fields} }} then: {one}, asOf: "{late}") {{ {fields} }} }}')
        assert found["now"] == found["then"], row.name
        before = await hub_.do(f'{{ then: {one}, asOf: "{now}") {{ {fields} }} }}')
        changed = {name for name in row.columns if before["then"][name] != found["now"][name]}
        assert changed == {"createdAt", "updatedAt", "version"}, row.name


async def test_what_python_makes_of_a_row_is_made_of_what_it_was(hub_: Writer, rows: asyncpg.Connection) -> None:
    key = await rows.fetchval("select id from interactions limit 1")
    await rows.execute("update interactions set body = 'one two three' where id = $1", key)
    at = await moment(rows)
    await rows.execute("update interactions set body = 'four five six' where id = $1", key)
    query = "query ($id: ID!, $at: DateTime) { interaction(id: $id, asOf: $at) { excerpt(words: 2) occurredAt at } }"
    found = await hub_.do(query.replace("occurredAt at", "body"), {"id": f"int_{key.hex}", "at": at.isoformat()})
    assert found == {"interaction": {"excerpt": "one two…", "body": "one two three"}}


async def test_of_who_was_erased_there_is_no_past(hub_: Writer, rows: asyncpg.Connection) -> None:
    ids = "select c.id, s.id from customers c join scores s on s.customer_id = c.id where c.name = 'QUICK-Stop' limit 1"
    ((key, score),) = await rows.fetch(ids)
    await rows.execute("update customers set name = 'Quick' where id = $1", key)
    at = (await moment(rows)).isoformat()
    query = f"""{{
        customer(id: "cus_{key.hex}", asOf: "{at}") {{ name }}
        score(id: "sco_{score.hex}", asOf: "{at}") {{ model }}
        node(id: "sco_{score.hex}", asOf: "{at}") {{ id }}
    }}"""
    assert None not in (await hub_.do(query)).values()
    await hub_.do(f'mutation {{ customerErase(input: {{ id: "cus_{key.hex}" }}) {{ entries }} }}')
    assert set((await hub_.do(query)).values()) == {None}


async def test_an_id_of_no_row_was_none_either(hub_: Writer, rows: asyncpg.Connection) -> None:
    for query in (THEN, NODE):
        variables = {"id": f"prd_{'0' * 32}", "at": (await moment(rows)).isoformat()}
        assert list((await hub_.do(query, variables)).values()) == [None]


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "selection"),
    [
        ("unit", "customer(asOf) { name unit { id } }"),
        ("orders", "customer(asOf) { orders { totalCount } }"),
        ("timeline", "customer(asOf) { timeline { nodes { id } } }"),
        ("about", "interaction(asOf) { about { __typename } }"),
        ("mentions", "interaction(asOf) { mentions { id } }"),
        ("orders", "node(asOf) { id ... on Customer { many: orders { totalCount } } }"),
    ],
)
async def test_a_link_cannot_be_read_as_it_was(hub_: Writer, field: str, selection: str) -> None:
    prefix = "int" if selection.startswith("interaction") else "cus"
    given = f'(id: "{prefix}_{"0" * 32}", asOf: "2020-01-01T00:00:00Z")'
    error = await hub_.refused("{ " + selection.replace("(asOf)", given) + " }")
    assert (error["code"], error["path"][1]) == ("AS_OF_LINK", field if "many" not in selection else "many")
    assert error["message"] == f"{field}: a link cannot be read as it was; ask for the row as it is beside it."


async def test_a_link_is_read_beside_the_past(hub_: Writer, rows: asyncpg.Connection) -> None:
    key = await rows.fetchval("select id from customers where name = 'Around the Horn'")
    at = await moment(rows)
    await rows.execute("update customers set name = 'Horn' where id = $1", key)
    one = f'customer(id: "cus_{key.hex}"'
    query = f'{{ then: {one}, asOf: "{at.isoformat()}") {{ name }} now: {one}) {{ name orders {{ totalCount }} }} }}'
    now = {"name": "Horn", "orders": {"totalCount": 13}}
    assert await hub_.do(query) == {"then": {"name": "Around the Horn"}, "now": now}


async def test_a_moment_that_has_not_come_is_refused(hub_: Writer) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    error = await hub_.refused(THEN, {"id": f"prd_{'0' * 32}", "at": later})
    assert (error["code"], error["argument"], error["path"]) == ("VALUE_INVALID", "asOf", ["product"])
    assert error["message"] == f"asOf: {later} has not come yet; name a moment that has passed."


def test_what_is_kept_alive_is_not_of_the_past() -> None:
    roots = schema.build().core.subscription_type
    assert roots is not None
    assert not [name for name, field in roots.fields.items() if "asOf" in field.args]


async def forgotten(dsn: str, rows: asyncpg.Connection) -> None:
    """Waits until the changes of more than a week ago are settled and dropped."""
    await until(lambda: rows.fetchval("select settled = (select last_value from change_log_id) from change_feed"))
    pool = await Pool.open(dsn, Settings())
    await log_partitions.forget(pool, datetime.now(UTC).date() - timedelta(days=7))
    await pool.close()
    assert await rows.fetchval("select array_agg(operation) from change_log") == ["UPDATE"]


async def test_a_moment_that_the_log_no_longer_reaches_is_refused_whatever_the_id(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "WRITING", 0.0)
    old = datetime.now(UTC) - timedelta(days=9)
    told = f"{old:%Y-%m-%dT%H:%M:%S.%f}Z"
    async with writing(database) as hub_, connected(database, 1) as (rows,):
        key = await rows.fetchval(ADD, "old", "Nail")
        await rows.execute("set hub.capture = off")
        await rows.execute("update products set created_at = $1", old)
        await rows.execute("set hub.capture = on")
        await rows.execute(RENAME, key, "Hook")
        await rows.execute("update change_log set day = current_date - 9, at = $1 where operation = 'CREATE'", old)
        await forgotten(database, rows)
        for query, digits in ((THEN, key.hex), (NODE, key.hex), (THEN, "0" * 32), (NODE, "0" * 32)):
            just = {"id": f"prd_{digits}", "at": (old - timedelta(microseconds=1)).isoformat()}
            error = await hub_.refused(query, just)
            assert (error["code"], error["argument"]) == ("AS_OF_EXPIRED", "asOf")
            assert error["message"] == f"asOf: what rows were before {told} is no longer kept; name a later moment."
        assert await then(hub_, key, old) == ("Nail", 2)


# -- any edits ----------------------------------------------------------------------------------------------------------

States = list[tuple[datetime, dict[Any, tuple[str, int]]]]


async def edited(rows: asyncpg.Connection, draw: random.Random, turns: int) -> States:
    """Random edits of a few rows, some in transactions, some undone, rows deleted and made again; moments and states."""
    keys = [await rows.fetchval(ADD, f"any {number}", "0") for number in range(3)]
    states: States = []
    for turn in range(turns):
        whole = rows.transaction()
        await whole.start()
        for key in draw.sample(keys, draw.randint(1, 2)):
            if draw.random() < 0.25:
                await rows.execute("delete from products where id = $1", key)
            again = """insert into products (id, sku, name, category, unit_price, currency)
                values ($1, $2, $3, 'Iron', 1, 'EUR') on conflict (id) do update set name = excluded.name"""
            if draw.random() < 0.8:
                await rows.execute(again, key, f"any {key}", f"{turn}")
        await (whole.rollback() if draw.random() < 0.2 else whole.commit())
        found = await rows.fetch("select id, name, version from products where id = any($1)", keys)
        state = {each["id"]: (each["name"], each["version"]) for each in found}
        states.append((await moment(rows), {key: state.get(key) for key in keys}))  # type: ignore[misc]
    return states


async def test_any_moment_gives_the_state_that_was_seen_then(database: str) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    async with writing(database) as hub_, connected(database, 1) as (rows,):
        states = await edited(rows, random.Random(seed), 40)
        for at, state in states:
            for key, was in state.items():
                assert await then(hub_, key, at) == was, (seed, at, key)
