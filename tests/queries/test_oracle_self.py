"""The oracle before it judges: its folding, similarity, averages and spans are Postgres's, its answers Northwind's, its
operations valid."""

import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from conftest import CreateDatabase
from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    visit,
)
from oracle import edge_rows, text, webhook_rows
from oracle.compare import response_difference
from oracle.data import load
from oracle.enumerate_operations import enumerate_operations
from oracle.executor import ExpectedResponse, Oracle
from oracle.figures import bucket_start
from oracle.generate_lists import ZONES
from oracle.generate_operation import OperationGenerator
from oracle.shrink import smaller_steps
from oracle.values import average

from hub.db.pool import Connection
from hub.engine.catalog.catalog import HISTORY
from hub.engine.document.documents import DocumentStore
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.inputs import TIME_BUCKETS
from hub.engine.graphql_types.subscription_types import MESSAGE_TYPES
from hub.graph import build as build_graph
from hub.viewer import ADMIN

NOW = datetime(1998, 5, 6, tzinfo=UTC)
WORDS = re.findall(
    r"[^|]+",
    "Johnson|jonson|José|García|王小明|小明|Müller|Straße|ｆｕｌｌ|ﬁne|Łódź|ΑΘΗΝΑΣ|Σίσυφος|Москва|ёлка|Ǆ|İstanbul|ıssız|½|№|™|café|œuvre|"
    "株式会社|ラーメン|ｱｲｳ|한국어|عربي|a-b|c_d|x%y|100|12.5|O'Neil|& Co.|\u3000|\u0085|\u200b|ﷺ|㎏|Ⅳ|e\u0301|q\u0307|ÞÐ|đ|😀|"
    "مُحَمَّد|أَحْمَد|کاظمي|آغا|فاطمة|رئيس|مـحـ|می‌خواهم|۱۲|٣٤|שָׁלוֹם|हिन्दी|কাজী|ไทย",
)
LETTERS = "abcdeéèêüßøłñçžšțǎ王小明カなαβγΩЖжйё0129 -_.,&'\"\t\u3000ﬁ½Å\u030a한"
LETTERS += "\u064e\u0651\u0654\u0640\u200c\u200d\u200f\ufe0f\u00adىئٱ\u05b8ि्"


@pytest.fixture(scope="module")
async def connection(demo_dsn: str) -> AsyncIterator[Connection]:
    opened: Connection = await asyncpg.connect(demo_dsn)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def northwind_oracle(demo_dsn: str) -> Oracle:
    graph = build_graph()
    return Oracle(graph, await load(demo_dsn, graph.catalog))


@pytest.fixture(scope="module")
async def every_type(create_database: CreateDatabase, demo_dsn: str) -> Oracle:
    """Rows of every type there is."""
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    await webhook_rows.add(dsn)
    graph = build_graph()
    return Oracle(graph, await load(dsn, graph.catalog))


def texts(count: int) -> list[str]:
    rng = random.Random(7)

    def one() -> str:
        if rng.random() < 0.5:
            return " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
        word: str = rng.choice(WORDS)
        index = rng.randint(0, len(word))
        return word[:index] + "".join(rng.choices(LETTERS, k=rng.randint(0, 9))) + word[index:]

    return list(dict.fromkeys(one() for _ in range(count)))


async def test_folding_is_the_databases(connection: Connection) -> None:
    rows = await connection.fetch("select t, hub_fold(t) as folded from unnest($1::text[]) t", texts(6_000))
    assert {row["t"]: row["folded"] for row in rows if text.fold(row["t"]) != row["folded"]} == {}


async def test_word_similarity_is_the_databases(connection: Connection) -> None:
    rng = random.Random(8)
    folded = [text.fold(sample) for sample in texts(3_000)]
    needles, among = [needle.strip() for needle in rng.choices(folded, k=6_000)], rng.choices(folded, k=6_000)
    query = "select a, b, strict_word_similarity(a, b) as s from unnest($1::text[], $2::text[]) u(a, b)"
    results = await connection.fetch(query, needles, among)
    assert sum(record["s"] > 0 for record in results) > 1_000
    assert [tuple(r) for r in results if text.word_similarity(r["a"], r["b"]) != r["s"]] == []


async def test_averages_are_the_databases_to_the_last_decimal(connection: Connection) -> None:
    rng = random.Random(9)
    for _ in range(300):
        size = rng.choice((1, 10, 10_000, 10**12))
        values = [Decimal(rng.randint(-size, size) * 1250).scaleb(-4) for _ in range(rng.randint(1, 12))]
        expected = await connection.fetchval("select avg(v::numeric(18,4)) from unnest($1::numeric[]) v", values)
        assert average(values) == expected, values


@cache
def clock_changes(zone: str) -> list[datetime]:
    """The hours of four years in which the clocks of the zone are changed."""
    begin, tz = datetime(2006, 1, 1, tzinfo=UTC), ZoneInfo(zone)

    def changed(moments: list[datetime]) -> list[datetime]:
        shifts = [moment.astimezone(tz).utcoffset() for moment in moments]
        return [moment for moment, shift, next_ in zip(moments, shifts, shifts[1:], strict=False) if shift != next_]

    days = [begin + timedelta(days=day) for day in range(4 * 365 + 2)]
    return [hour for day in changed(days) for hour in changed([day + timedelta(hours=hour) for hour in range(25)])]


async def test_spans_begin_where_the_databases_do(connection: Connection) -> None:
    rng = random.Random(10)
    days = "hub_interval_start(date_trunc($2, m at time zone $3), $3)"
    for zone in ZONES:
        for bucket in TIME_BUCKETS:
            moments = [datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randint(0, 10**9)) for _ in range(60)]
            moments += [
                change + timedelta(minutes=15 * quarter) for change in clock_changes(zone) for quarter in range(-6, 7)
            ]
            start = "hub_hour_start(m, $3)" if bucket == "HOUR" else days
            query = f"select m, {start} as s from unnest($1::timestamptz[]) m where $2 <> ''"
            rows = await connection.fetch(query, moments, bucket, zone)
            assert [tuple(row) for row in rows if bucket_start(bucket, row["m"], ZoneInfo(zone)) != row["s"]] == []


def oracle_data(oracle: Oracle, query: str) -> Any:
    answer = oracle.answer(query, None, ADMIN, NOW)
    assert answer.errors == ()
    return answer.data


async def test_the_oracle_knows_northwind(northwind_oracle: Oracle) -> None:
    quick = oracle_data(
        northwind_oracle,
        """{
          customers(filter: {identifiers: {some: {value: {eq: "QUICK"}}}}) {
            nodes { name orders { totalCount stats { sum { net { amount currency } } } } }
          }
          orderItems { stats { sum { net { amount } } } }
          customers0: customers(filter: {orders: {none: {}}}) { totalCount }
        }""",
    )
    assert quick == {
        "customers": {
            "nodes": [
                {
                    "name": "QUICK-Stop",
                    "orders": {
                        "totalCount": 28,
                        "stats": {"sum": {"net": [{"amount": "110277.3050", "currency": "USD"}]}},
                    },
                }
            ]
        },
        "orderItems": {"stats": {"sum": {"net": [{"amount": "1265793.0395"}]}}},
        "customers0": {"totalCount": 2},
    }


async def test_a_number_is_the_nth_of_its_seed_and_valid_and_within_the_limits(northwind_oracle: Oracle) -> None:
    documents = DocumentStore(northwind_oracle.graph.core, Limits(), 10**7)
    for number in range(100):
        one, other = (
            OperationGenerator(
                northwind_oracle.graph, northwind_oracle.schema, northwind_oracle.data, NOW, "valid"
            ).operation(number)
            for _ in range(2)
        )
        assert one == other
        if "mistake" not in one.features:
            for step in one.steps:
                documents.get(step.resolve([None] * 9).query).operation(step.name).cost(step.variables)


async def test_smaller_documents_are_valid_and_differ(northwind_oracle: Oracle) -> None:
    operation_generator = OperationGenerator(
        northwind_oracle.graph, northwind_oracle.schema, northwind_oracle.data, NOW, "smaller"
    )
    [step] = next(
        op.steps
        for op in map(operation_generator.operation, range(50))
        if len(op.steps) == 1 and not op.features & {"mistake"}
    )
    texts_ = [reduced.query for reduced in smaller_steps(step)]
    assert len(set(texts_)) > 5
    assert step.query not in texts_


class _RequestedFields(Visitor):
    """The fields that documents ask for, as (type, field)."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.requested: set[tuple[str, str]] = set()

    def enter_field(self, node: FieldNode, *_: Node) -> None:
        parent = self.types.get_parent_type()
        assert parent is not None
        self.requested.add((parent.name, node.name.value))


def read_types(schema: GraphQLSchema) -> set[GraphQLObjectType]:
    """The object types that a query can meet: all but what mutations alone give."""
    object_types: set[GraphQLObjectType] = set()
    pending: list[Any] = [schema.query_type]
    while pending:
        type_ = get_named_type(pending.pop())
        if isinstance(type_, GraphQLAbstractType):
            pending += schema.get_possible_types(type_)
        elif isinstance(type_, GraphQLObjectType) and type_ not in object_types:
            object_types.add(type_)
            pending += [field.type for field in type_.fields.values()]
    return object_types


async def test_the_walk_over_the_schema_asks_for_every_field_of_every_type(every_type: Oracle) -> None:
    types = TypeInfo(every_type.schema)
    collector = _RequestedFields(types)
    for operation in enumerate_operations(every_type, ADMIN, NOW, "walk"):
        for step in operation.steps:
            visit(parse(step.query), TypeInfoVisitor(types, collector))
    entities = every_type.graph.catalog.entities
    object_types = {
        type_
        for type_ in read_types(every_type.schema)
        if type_.name not in MESSAGE_TYPES and "Revision" not in type_.name
    }
    fields = {(type_.name, name) for type_ in object_types for name in type_.fields}
    # Changes and the past stand elsewhere: in test_changes_query.py and test_history_visibility.py.
    elsewhere = {("Query", name) for name in ("changes", "nodeAsOf")} | {
        (name, HISTORY) for name in entities if entities[name].captured
    }
    assert fields - collector.requested == elsewhere


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"a": 1, "b": "x"}, "keys"),
        ({"b": "x", "a": True}, "value"),
        ({"b": "y", "a": 1}, "value"),
        ({"b": ["x"], "a": 1}, "value"),
    ],
)
def test_a_difference_is_seen(wrong: dict[str, Any], reason: str) -> None:
    right = {"b": "x", "a": 1}
    assert response_difference(ExpectedResponse(right, (), True), {"data": right}) is None
    assert str(response_difference(ExpectedResponse(right, (), True), {"data": wrong})).startswith(reason)
