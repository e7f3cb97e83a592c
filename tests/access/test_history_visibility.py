"""What was is cut as what is: `asOf` and `history` of every type, asked as each kind of viewer, against plain rules over the log.

Rows are edited, moved to other customers and units, deleted and made again, all from a seed: HUB_ORACLE_SEED."""

import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from conftest import NewDatabase, key_for
from oracle import edge_rows
from oracle.data import Data, load
from writer_client import Writer, writing

from hub import schema
from hub.domain.access import api_keys
from hub.engine.catalog.catalog import Row
from hub.engine.catalog.scalars import public_id
from hub.viewer import Role, Viewer

CATALOG = schema.build().catalog
CUSTOMERS = CATALOG.owner.table.name
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Image: TypeAlias = dict[str, Any] | None
ROUNDS, ROWS = 10, 4
SEED = os.environ.get("HUB_ORACLE_SEED", "1998")
STRAY = "Stray"  # a customer whom no random edit touches
LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """A change as the log has it."""

    operation: str
    version: int
    at: datetime
    before: Image
    after: Image


@dataclass
class World:
    """A database with a past: who asks there, which rows are asked for, at which moments, and all that is known of them."""

    hub: Writer
    rows: Connection
    draw: random.Random
    owner: UUID  # the customer whom a key is bound to
    leaf: UUID  # the unit without others below that a key is bound to
    touched: dict[str, list[UUID]] = field(default_factory=dict)
    moments: list[datetime] = field(default_factory=list)
    log: dict[UUID, list[Change]] = field(default_factory=lambda: defaultdict(list))
    data: Data | None = None


# -- the past is made ---------------------------------------------------------------------------------------------------


async def chosen(world: World, row: Row) -> list[UUID]:
    """Rows of the customer whom a key is bound to, of its region, and of anywhere."""
    table, column = row.table.name, row.declaration.scope.key
    mine = f"{column} = '{world.owner}'" if column else "true"
    here = (
        f"{column} in (select c.id from customers c join org_units u on u.id = c.unit_id where u.path ~ '*.eastern.*')"
    )
    found: dict[UUID, None] = {}
    for where in (mine, here if column else "true", "true"):
        drawn = await world.rows.fetch(f"select id from {table} where {where} order by md5(id::text) limit {ROWS}")
        found |= dict.fromkeys(each["id"] for each in drawn)
    return list(found)


async def edit(world: World, row: Row, key: UUID) -> None:
    """One random edit of a row, and sometimes it is made again; what the rules of the database refuse is not done."""
    table, draw, way = row.table.name, world.draw, world.draw.random()
    # Half of the moves lead to what keys are bound to, so that they see something come and go.
    customer, unit = (
        near if draw.random() < 0.5 else draw.choice(world.touched[name])
        for near, name in ((world.owner, CATALOG.owner.name), (world.leaf, "OrgUnit"))
    )
    edit = f"update {table} set created_at = created_at + interval '1 us'"
    if way < 0.1 and key != world.owner:
        edit = f"delete from {table}"
    elif way < 0.6 and "customer_id" in row.table.c:
        placed = f", unit_id = (select unit_id from customers where id = '{customer}')"
        edit = f"update {table} set customer_id = '{customer}'" + (placed if "unit_id" in row.table.c else "")
    elif way < 0.6 and "unit_id" in row.table.c:
        edit = f"update {table} set unit_id = '{unit}'"
    columns = ", ".join(column.name for column in row.table.c if column.computed is None)
    again = f"""insert into {table} ({columns}) select {columns} from (
        select (jsonb_populate_record(null::{table}, before)).* from change_log
        where row_id = '{key}' and operation = 'DELETE' order by id desc limit 1
    ) as last"""
    for each in (f"{edit} where id = '{key}'", again)[: 1 + draw.getrandbits(1)]:
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await world.rows.execute(each)


async def made(world: World) -> None:
    """Gives the database a past."""
    for row in CATALOG.rows.values():
        world.touched[row.name] = await chosen(world, row)
    world.moments = [LONG_AGO]
    every = [(CATALOG.rows[name], key) for name, found in world.touched.items() for key in found]
    for _ in range(ROUNDS):
        for row, key in world.draw.sample(every, len(every) // 2):
            await edit(world, row, key)
        world.moments.append(await world.rows.fetchval("select clock_timestamp()"))
    await world.rows.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    for each in await world.rows.fetch("select * from change_log order by id"):
        told = Change(each["operation"], each["version"], each["at"], each["before"], each["after"])
        world.log[each["row_id"]].append(told)
    world.data = await load(world.hub.dsn, CATALOG)


@pytest.fixture(scope="module")
async def world(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[World]:
    dsn = await new_database("northwind")
    await edge_rows.add(dsn)
    rows = await asyncpg.connect(dsn)
    owner = await rows.fetchval("select id from customers where name = 'Around the Horn'")
    async with writing(dsn) as hub:
        leaf = await rows.fetchval("select id from org_units where code = '20852'")
        found = World(hub, rows, random.Random(f"{SEED} past"), owner, leaf)
        await made(found)
        add = "insert into customers (kind, status, stage, tier, name, unit_id)"
        add += " values ('PERSON', 'ACTIVE', 'PROSPECT', 'GOLD', $1, $2)"
        await rows.execute(add, STRAY, leaf)
        yield found
    await rows.close()


# -- the rules, plainly -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """What a viewer may see of the past."""

    world: World
    viewer: Viewer

    def among(self, unit: Any) -> bool:
        """Whether a unit is among the viewer's."""
        return UUID(str(unit)) in self.viewer.unit_ids

    def sees_customer(self, key: Any) -> bool:
        """Whether the viewer sees a customer, or saw it when it was deleted."""
        assert self.world.data is not None
        found = self.world.data.get(CATALOG.owner.name, UUID(str(key)))
        gone = [each.before for each in self.world.log[UUID(str(key))] if each.operation == "DELETE"]
        return (found is not None and self.among(found["unit_id"])) or any(
            self.among(each["unit_id"]) for each in gone if each
        )

    def sees(self, row: Row, image: Image) -> bool:
        """Whether the viewer may see a row that was like this."""
        if image is None:
            return False
        scope = row.declaration.scope
        if self.viewer.binding == "none" or scope.name == "everyone":
            return True
        if self.viewer.binding == "customer":
            return scope.key is not None and str(image[scope.key]) == str(self.viewer.customer_id)
        if "unit_id" in image:
            return self.among(image["unit_id"])
        return self.among(image["id"]) if scope.name == "unit" else self.sees_customer(image["customer_id"])

    def today(self, row: Row, key: UUID) -> bool:
        """Whether the viewer sees the row; one that is gone, by what it was at last."""
        assert self.world.data is not None
        if self.world.data.get(row.name, key) is not None:
            return self.world.data.seen_by(self.viewer).get(row.name, key) is not None
        return self.viewer.binding == "none" or self.sees(row, self.world.log[key][-1].before)

    def then(self, row: Row, key: UUID, moment: datetime) -> Image:
        """The row as the viewer may see it at a moment."""
        assert self.world.data is not None
        changes = self.world.log[key]
        past = [each.after for each in changes if each.at <= moment]
        future = [each.before for each in changes if each.at > moment]
        found = past[-1] if past else future[0] if future else self.world.data.get(row.name, key)
        if found is None or datetime.fromisoformat(str(found["created_at"])) > moment:
            return None
        return found if self.today(row, key) and self.sees(row, found) else None

    def history(self, row: Row, key: UUID) -> Iterator[dict[str, Any]]:
        """What the viewer is told of the row's changes."""
        for each in reversed(self.world.log[key]):
            before, after = (image if self.sees(row, image) else None for image in (each.before, each.after))
            if before is None and after is None:
                continue
            moved = "ENTER" if before is None else "LEAVE"
            operation = "UPDATE" if before and after else moved if each.operation == "UPDATE" else each.operation
            yield {
                "operation": operation,
                "version": each.version,
                "before": before and {"version": before["version"]},
                "after": after and {"version": after["version"]},
            }


# -- the two compared ---------------------------------------------------------------------------------------------------

CHANGES = "totalCount nodes { operation version before { version } after { version } }"
VERSIONS = " ".join(f"... on {name} {{ version }}" for name in CATALOG.rows)
NODE = f"query ($id: ID!, $at: DateTime) {{ node(id: $id, asOf: $at) {{ {VERSIONS} }} }}"


def asked(row: Row, moments: int) -> str:
    """A document that asks for a row at some moments, and for its history."""
    one = f"{row.name[0].lower()}{row.name[1:]}(id: $id"
    then = " ".join(f"at{n}: {one}, asOf: $at{n}) {{ version }}" for n in range(moments))
    declared = " ".join(f"$at{n}: DateTime" for n in range(moments))
    return f"query ($id: ID!, {declared}) {{ {then} now: {one}) {{ history(first: 100) {{ {CHANGES} }} }} }}"


async def compared(world: World, rules: Rules, key: str, row: Row, of: UUID) -> Counter[str]:
    """Asks for one row's past, and compares; counts what was met."""
    moments, id = [world.moments[0], *world.draw.sample(world.moments[1:], 4)], public_id(row.declaration.prefix, of)
    then = [rules.then(row, of, each) for each in moments]
    sent = {f"at{n}": each.isoformat() for n, each in enumerate(moments)}
    told = await world.hub.do(asked(row, len(moments)), {"id": id, **sent}, key=key)
    expected: dict[str, Any] = {f"at{n}": each and {"version": each["version"]} for n, each in enumerate(then)}
    assert world.data is not None
    here = world.data.get(row.name, of) is not None
    history = list(rules.history(row, of))
    seen = here and rules.today(row, of)
    expected["now"] = {"history": {"totalCount": len(history), "nodes": history}} if seen else None
    assert told == expected, (row.name, id, sent)
    (node,) = (await world.hub.do(NODE, {"id": id, "at": sent["at2"]}, key=key)).values()
    assert node == expected["at2"], (row.name, id, sent["at2"])
    changes = len(world.log[of])
    return Counter(
        told=sum(each is not None for each in then),
        gone=sum(each is not None for each in then if not here),
        cut=seen and len(history) < changes,
        hidden=not seen and changes > 0,
    )


async def unit_key(world: World, code: str) -> str:
    """A key that is bound to a unit."""
    unit = await world.rows.fetchval("select id from org_units where code = $1", code)
    return await key_for(world.hub.dsn, Role.READER, unit_id=unit)


async def bound(world: World, binding: str) -> tuple[str, Viewer]:
    """A key of a binding, and its viewer."""
    code = {"unit": "eastern", "leaf": "20852"}.get(binding)
    customer = world.owner if binding == "customer" else None
    key = await unit_key(world, code) if code else await key_for(world.hub.dsn, Role.READER, customer_id=customer)
    found = await api_keys.find(world.rows, str(api_keys.public_id(key)))
    assert found is not None
    assert found.viewer.binding == binding
    return key, found.viewer


@pytest.mark.parametrize("binding", ["none", "unit", "leaf", "customer"])
async def test_nobody_is_told_of_the_past_what_is_hidden(world: World, binding: str) -> None:
    key, viewer = await bound(world, binding)
    rules, met = Rules(world, viewer), Counter[str]()
    for row in CATALOG.rows.values():
        for of in world.touched[row.name]:
            met += await compared(world, rules, key, row, of)
    assert met["told"] > 20, met
    if binding != "none":
        assert min(met["hidden"], met["cut"]) > 0, met
    if binding == "none":
        assert met["gone"] > 0, met


# -- told by cases ------------------------------------------------------------------------------------------------------

PAST = "query ($id: ID!, $at: DateTime) { %s(id: $id, asOf: $at) { %s } }"


async def moved(world: World, name: str, code: str) -> tuple[UUID, datetime]:
    """Moves a customer to a unit; gives the customer, and the moment before."""
    at = await world.rows.fetchval("select clock_timestamp()")
    unit = "(select id from org_units where code = $2)"
    move = f"update customers set unit_id = {unit} where name = $1 returning id"
    return await world.rows.fetchval(move, name, code), at


async def test_who_gets_a_customer_sees_its_past_from_then_on(world: World) -> None:
    here, there = [await unit_key(world, code) for code in ("20852", "northern")]
    await moved(world, STRAY, "20852")
    key, at = await moved(world, STRAY, "northern")
    query = """query ($id: ID!, $at: DateTime) {
        then: customer(id: $id, asOf: $at) { name }
        now: customer(id: $id) { history(first: 1) { nodes { operation before { name } after { name } } } }
    }"""
    sent = {"id": public_id("cus", key), "at": at.isoformat()}
    entered = {"operation": "ENTER", "before": None, "after": {"name": STRAY}}
    assert await world.hub.do(query, sent, key=here) == {"then": None, "now": None}
    assert await world.hub.do(query, sent, key=there) == {"then": None, "now": {"history": {"nodes": [entered]}}}
    updated = entered | {"operation": "UPDATE", "before": {"name": STRAY}}
    assert await world.hub.do(query, sent) == {"then": {"name": STRAY}, "now": {"history": {"nodes": [updated]}}}


async def test_the_past_of_a_deleted_row_goes_with_its_customer(world: World) -> None:
    here, there = [await unit_key(world, code) for code in ("20852", "northern")]
    customer, _ = await moved(world, STRAY, "20852")
    add = "insert into consents (customer_id, purpose, status, source, given_at) values ($1, 'past', 'GRANTED', 'shop', now())"
    row = await world.rows.fetchval(f"{add} returning id", customer)
    at = await world.rows.fetchval("select clock_timestamp()")
    await world.rows.execute("delete from consents where id = $1", row)
    sent = {"id": public_id("cns", row), "at": at.isoformat()}

    async def seen() -> list[bool]:
        query = PAST % ("consent", "purpose")
        told = [await world.hub.do(query, sent, key=each) for each in (here, there, world.hub.key)]
        return [each == {"consent": {"purpose": "past"}} for each in told]

    assert await seen() == [True, False, True]
    await moved(world, STRAY, "northern")
    assert await seen() == [False, True, True]
    await world.rows.execute("delete from customers where id = $1", customer)
    assert await seen() == [False, True, True]
