"""What declarations can say beyond today's entities: beehives, declared for the length of a test."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import asyncpg
import pytest
import sqlalchemy as sa
import strawberry
from conftest import execute_sql
from socket_hub import run_socket_hub
from sqlalchemy.schema import CreateTable
from writer_client import open_hub_client

from hub import graph, schema
from hub.db.sql_text import DIALECT
from hub.engine.catalog.build import build_catalog
from hub.engine.graphql_types.schema_builder import build_schema
from hub.errors import BadInput
from hub.model import (
    NOW,
    WITHIN_CUSTOMER,
    Column,
    DescribedEnum,
    Entity,
    any_key,
    customer_owned,
    field,
    filtered,
    group,
    resolver,
    to_one,
    unit_owned,
    unite,
)
from hub.model.declarations import InvalidDeclaration
from hub.model.declare import declare
from hub.model.rules import Write, computes, validates
from hub.model.writer import writer_of
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.subscriptions import live_queries
from hub.viewer import ADMIN

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

UnitLength = Annotated[int, strawberry.argument(description="Length of the unit in microseconds.")]


class Temper(DescribedEnum):
    CALM = "CALM", "It may be opened at any time."
    WILD = "WILD", "It is left alone for a week."


pytestmark = pytest.mark.usefixtures("declared_entities")


def _hive() -> type[Any]:
    class Hive(
        Entity,
        prefix="hiv",
        merge=unite("number", number="t.number || ' ' || left(t.id::text, 8)"),
        owned_by=customer_owned("The beekeeper.", inverse=("hives", "The beekeeper's hives.")),
        order="number",
        exactly_one=("unit", "keeper"),
        frozen_when={"temper": ("WILD",)},
    ):
        """A beehive."""

        number: Column[str] = field("Number of the hive.", unique=WITHIN_CUSTOMER, sortable=True)
        temper: Column[Temper] = field("Temper of the bees.", default=Temper.CALM)
        opened_at: Column[datetime] = field("When it was opened.", sortable=True, by=("customer",))
        rests_until: Column[datetime] = field("When it may be opened again.", computed=True)
        weight: Column[Decimal | None] = field("Weight in kilograms.", precision=(6, 2))
        notes: Column[list[str] | None] = field("Notes.", hidden=True)
        unit = to_one(OrgUnit, "The unit that looks after it.", optional=True)
        keeper = to_one(Staff, "The person who looks after it.", optional=True)

    return Hive


async def _add_to_graph(dsn: str, monkeypatch: pytest.MonkeyPatch, *entities: type[Any]) -> None:
    """Makes hubs of this test serve more entities, and creates their tables in the caller's database."""
    hub_schema = build_schema(build_catalog(declare([*schema.entities(), *entities])), graph.commands())
    monkeypatch.setattr(graph, "build", lambda: hub_schema)
    for entity in entities:
        create_table = str(CreateTable(entity.table).compile(dialect=DIALECT))
        await execute_sql(dsn, f"{create_table}; select hub_capture('{entity.table.name}')")


def _constraints(entity: type[Any]) -> set[str]:
    text = str(CreateTable(entity.table).compile(dialect=DIALECT))
    return {line.strip().rstrip(",") for line in text.splitlines() if "CONSTRAINT" in line}


def test_uniqueness_checks_and_indexes_follow_from_the_declaration() -> None:
    hive = _hive()
    constraints = _constraints(hive)
    assert "CONSTRAINT uq_hives_customer_id_number UNIQUE (customer_id, number)" in constraints
    exactly_one = "CONSTRAINT ck_hives_exactly_one_of_unit_id_or_keeper_id CHECK (num_nonnulls(unit_id, keeper_id) = 1)"
    assert exactly_one in constraints
    assert {index.name for index in hive.table.indexes} == {
        "ix_hives_number_id",
        "ix_hives_opened_at_id",
        "ix_hives_customer_id_number_id",
        "ix_hives_customer_id_opened_at_id",
    }
    assert isinstance(hive.table.c.notes.type, sa.ARRAY)


def test_a_part_belongs_to_the_customer_of_its_parent() -> None:
    hive = _hive()

    class HiveFrame(Entity, prefix="hvf", part_of=hive, inverse=("frames", "The frames of the hive."), order="line"):
        """A frame of a hive."""

        line: Column[int] = field("Position in the hive.", sortable=True)

    composite = "FOREIGN KEY(hive_id, customer_id) REFERENCES hives (id, customer_id) ON DELETE CASCADE"
    assert any(composite in constraint for constraint in _constraints(HiveFrame))
    assert "CONSTRAINT uq_hives_id_customer_id UNIQUE (id, customer_id)" in _constraints(hive)
    assert HiveFrame.definition.creatable() == ["hive_id", "line"]
    assert HiveFrame.definition.permission("create") == "hive_frames"


def test_a_hidden_column_is_no_field() -> None:
    hive = _hive()
    computes(hive.rests_until, hive.opened_at)(lambda opened_at: opened_at)
    (*_, declaration) = declare([*schema.entities(), hive])
    assert {*declaration.annotations} == {"number", "temper", "opened_at", "rests_until", "weight"}


def test_a_secret_column_is_no_field() -> None:
    class Lock(Entity, prefix="lck", owned_by=customer_owned, order="created_at"):
        """A lock."""

        code: Column[str] = field("Code of the lock.", secret=True)

    (*_, declaration) = declare([*schema.entities(), Lock])
    assert ({*declaration.annotations}, Lock.table.c.code.info["secret"]) == (set(), True)
    assert Lock.definition.creatable() == ["customer_id"]
    Lock.table.metadata.remove(Lock.table)


def test_a_computed_field_needs_a_rule() -> None:
    with pytest.raises(InvalidDeclaration, match=r"Hive\.rests_until is computed, but no rule computes it"):
        declare([*schema.entities(), _hive()])


def test_a_body_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Bare\.name: declare its type as Column"):

        class Bare(Entity, prefix="bar", owned_by=unit_owned, order="name"):
            """A field without a type."""

            name = field("A name.")

    with pytest.raises(TypeError, match="a Decimal needs its precision"):

        class Vague(Entity, prefix="vag", owned_by=unit_owned, order="share"):
            """A number without a precision."""

            share: Column[Decimal] = field("A share.")

    with pytest.raises(TypeError, match=r"Ownerless: say whose rows they are"):

        class Ownerless(Entity, prefix="own", order="created_at"):
            """Nobody's rows."""


async def test_rules_see_the_operation_and_the_stored_row(northwind_dsn: str) -> None:
    hive, seen = _hive(), []

    @computes(hive.rests_until, hive.temper, hive.opened_at)
    def rests_until(temper: Temper, opened_at: datetime) -> datetime:
        return opened_at + timedelta(days=7 if temper is Temper.WILD else 0)

    @validates(hive)
    def number_is_short(write: Write) -> None:
        seen.append((write.operation, write.stored is not None))
        if len(write.value("number") or "") > 3:
            raise BadInput("number: it is too long; give three digits.", argument="number")

    writer, connection = writer_of(hive), await asyncpg.connect(northwind_dsn)
    try:
        await connection.execute(str(CreateTable(hive.table).compile(dialect=DIALECT)))
        (customer,) = await connection.fetch("select id, unit_id from customers limit 1")
        owner = {"customer_id": customer["id"], "unit_id": customer["unit_id"]}
        values = {**owner, "number": "7", "opened_at": NOON}
        key = await writer.create(connection, ADMIN, values, NOON)
        await writer.update(connection, ADMIN, key, {"temper": "WILD"}, None, NOON)
        rests = await connection.fetchval("select rests_until from hives where id = $1", key)
        with pytest.raises(BadInput) as frozen:
            await writer.update(connection, ADMIN, key, {"number": "8"}, None, NOON)
        with pytest.raises(BadInput) as null:
            await writer.create(connection, ADMIN, {**values, "number": "9", "temper": None}, NOON)
    finally:
        await connection.close()
    assert rests == NOON + timedelta(days=7)
    assert seen == [("create", False), ("update", True)]
    assert frozen.value.message == "id: a row whose temper is WILD takes no edits; move it first."
    assert (null.value.code, null.value.argument) == ("ARGUMENT_MISSING", "temper")


def test_the_stored_row_is_read_where_a_rule_needs_it_and_only_there() -> None:
    class Jar(Entity, prefix="jar", owned_by=customer_owned, order="created_at"):
        """A jar of honey."""

        grams: Column[int] = field("Weight.")
        price: Column[int] = field("Price of a gram.")
        total: Column[int] = field("Price of the jar.", computed=True)
        label: Column[str | None] = field("Label.")

    computes(Jar.total, Jar.grams, Jar.price)(lambda grams, price: grams * price)
    needs_stored = writer_of(Jar).needs_stored
    assert needs_stored({"grams": 500})
    assert not needs_stored({"grams": 500, "price": 2})
    assert not needs_stored({"label": "Acacia"})


CREATE_COLONY = "mutation ($input: ColonyCreateInput!) { colonyCreate(input: $input) { colony { id places names } } }"
UPDATE_COLONY = "mutation ($input: ColonyUpdateInput!) { colonyUpdate(input: $input) { colony { id places names } } }"
COLONY_HISTORY = (
    "query ($id: ID!) { colony(id: $id) { history { nodes { at changedFields after { places names } } } } }"
)
COLONY_THEN = "query ($id: ID!, $then: DateTime!) { colony(id: $id, asOf: $then) { places names } }"


async def test_a_list_of_texts_is_written_and_keeps_its_past(
    northwind_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Colony(Entity, prefix="cln", owned_by=any_key, order="created_at", sortable=("created_at",)):
        """A colony of bees."""

        places: Column[list[str]] = field("Where it was.", check=lambda places: [*map(str.strip, places)])
        names: Column[list[str] | None] = field("What people call it.")

    first = {"places": ["Elm", "Oak, old"], "names": None}
    second = {"places": [], "names": ["Äpis"]}
    await _add_to_graph(northwind_dsn, monkeypatch, Colony)
    async with open_hub_client(northwind_dsn) as hub_client:
        created = await hub_client.query(CREATE_COLONY, {"input": {"places": [" Elm", "Oak, old"]}})
        colony = created["colonyCreate"]["colony"]
        updated = await hub_client.query(UPDATE_COLONY, {"input": {"id": colony["id"], **second}})
        history = (await hub_client.query(COLONY_HISTORY, {"id": colony["id"]}))["colony"]["history"]["nodes"]
        then = await hub_client.query(COLONY_THEN, {"id": colony["id"], "then": history[1].pop("at")})
        null = await hub_client.error(CREATE_COLONY, {"input": {"places": [None]}})
        nul = await hub_client.error(CREATE_COLONY, {"input": {"places": ["Elm", "\0"]}})
        filter_type = await hub_client.query('{ __type(name: "ColonyFilter") { inputFields { name } } }')
    assert colony == {"id": colony["id"], **first}
    assert updated["colonyUpdate"]["colony"] == {"id": colony["id"], **second}
    assert history[0]["changedFields"] == ["places", "names"]
    assert [change["after"] for change in history] == [second, first]
    assert then["colony"] == first
    assert null["code"] == "VARIABLE_INVALID"
    assert (nul["code"], nul["argument"]) == ("VALUE_INVALID", "input.places[1]")
    assert {"places", "names"}.isdisjoint(item["name"] for item in filter_type["__type"]["inputFields"])


def test_no_list_is_sorted_by_lists() -> None:
    class BeeTree(Entity, prefix="btr", owned_by=any_key, order="places"):
        """A tree with bees."""

        places: Column[list[str]] = field("Where it has been.", sortable=True)

    with pytest.raises(InvalidDeclaration, match="BeeTree is sortable by places, which is a list"):
        build_catalog(declare([*schema.entities(), BeeTree]))


async def test_a_resolver_receives_the_time_of_the_request(northwind_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Smoker(Entity, prefix="smk", owned_by=any_key, order="created_at", sortable=("created_at",)):
        """A device that calms bees with smoke."""

        lit_at: Column[datetime] = field("Time of lighting.", default=NOW)

        @resolver(lit_at)
        def smokes_for(self, lit_at: datetime, now: datetime, unit: UnitLength) -> int:
            """How long it has been lit."""
            return (now - lit_at) // timedelta(microseconds=unit)

    monkeypatch.setattr(live_queries, "TIME_DEPENDENT_INTERVAL", 0.1)
    await _add_to_graph(northwind_dsn, monkeypatch, Smoker)
    create = "mutation { smokerCreate(input: {}) { smoker { id smokesFor(unit: 1) } } }"
    live = "subscription ($id: ID!) { smokerLive(id: $id) { smoker { micros: smokesFor(unit: 1) } } }"
    type_query = '{ __type(name: "Smoker") { fields { name args { name } } } }'
    async with run_socket_hub(northwind_dsn) as socket_hub:
        smoker = (await socket_hub.query(create))["smokerCreate"]["smoker"]
        async with socket_hub.subscribe(live, {"id": smoker["id"]}) as subscription:
            answers = [(await subscription.next_root())["smoker"]["micros"] for _ in range(2)]
        fields = (await socket_hub.query(type_query))["__type"]["fields"]
    assert smoker["smokesFor"] == 0  # the row is stamped with the time of the same request
    assert 0 < answers[0] < answers[1]
    assert {"name": "smokesFor", "args": [{"name": "unit"}]} in fields


def _shelf(full_filter: str, link: str = "jars") -> tuple[type[Any], type[Any]]:
    """Shelves of jars, and a group of lists of their jars."""

    class Shelf(Entity, prefix="shf", owned_by=any_key, plural="shelves", order="created_at", sortable=("created_at",)):
        """A shelf for jars."""

        label: Column[str] = field("Label of the shelf.")
        stock = group(
            "ShelfStock",
            "The jars by what is in them.",
            full_jars=filtered(link, "The jars that are full.", full_filter),
            empty_jars=filtered("jars", "The jars that are empty.", "{grams: {eq: 0}}"),
        )

    class HoneyJar(Entity, prefix="hnj", owned_by=any_key, order="grams"):
        """A jar of honey."""

        grams: Column[int] = field("Weight of the honey.", sortable=True)
        shelf = to_one(Shelf, "The shelf.", inverse=("jars", "The jars on the shelf."))

    return Shelf, HoneyJar


async def test_a_group_holds_filtered_lists(northwind_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await _add_to_graph(northwind_dsn, monkeypatch, *_shelf("{grams: {gte: 500}}"))
    stock_query = """query ($after: Cursor) { shelves { nodes { stock {
        __typename
        page: fullJars(first: 1, after: $after) { nodes { grams } pageInfo { endCursor hasNextPage } }
        heavy: fullJars(filter: {grams: {gt: 500}}) { totalCount stats { sum { grams } } }
        emptyJars { nodes { grams shelf { label } } }
    } } } }"""
    async with open_hub_client(northwind_dsn) as hub_client:
        created = await hub_client.query('mutation { shelfCreate(input: {label: "Top"}) { shelf { id } } }')
        rows = [{"grams": grams, "shelfId": created["shelfCreate"]["shelf"]["id"]} for grams in (0, 100, 500, 750)]
        create = "mutation ($rows: [HoneyJarCreateInput!]!) { honeyJarsCreate(input: {rows: $rows}) { failed } }"
        await hub_client.query(create, {"rows": rows})
        (first,) = (await hub_client.query(stock_query))["shelves"]["nodes"]
        after = first["stock"]["page"]["pageInfo"].pop("endCursor")
        past = 'query { nodeAsOf(id: "%s", at: "2026-01-01T00:00:00Z") { ... on Shelf { stock { __typename } } } }'
        past_error = await hub_client.error(past % rows[0]["shelfId"])
        (second,) = (await hub_client.query(stock_query, {"after": after}))["shelves"]["nodes"]
    assert first["stock"] == {
        "__typename": "ShelfStock",
        "page": {"nodes": [{"grams": 500}], "pageInfo": {"hasNextPage": True}},
        "heavy": {"totalCount": 1, "stats": {"sum": {"grams": "750"}}},
        "emptyJars": {"nodes": [{"grams": 0, "shelf": {"label": "Top"}}]},
    }
    assert second["stock"]["page"]["nodes"] == [{"grams": 750}]
    assert past_error["code"] == "AS_OF_LINK"


@pytest.mark.parametrize(
    ("link", "filter", "fault"),
    [
        ("jars", "{weight: {gte: 500}}", r"ShelfStock\.full_jars: {weight: {gte: 500}} is no HoneyJarFilter"),
        ("label", "{}", r"ShelfStock\.full_jars filters label, which is no list of Shelf"),
    ],
)
def test_the_lists_of_a_group_are_checked(link: str, filter: str, fault: str) -> None:
    with pytest.raises(InvalidDeclaration, match=fault):
        build_schema(build_catalog(declare([*schema.entities(), *_shelf(filter, link)])))
