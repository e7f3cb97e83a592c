"""The oracle before it judges: its folding, similarity, averages and spans are Postgres's, its answers Northwind's, its
operations valid."""

import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from conftest import NewDatabase
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
from oracle.compare import differs
from oracle.data import load
from oracle.enumerate_operations import walk
from oracle.executor import Oracle, Told
from oracle.figures import start_of
from oracle.generate_operation import Generator
from oracle.shrink import smaller
from oracle.values import average

from hub import schema
from hub.engine.catalog.catalog import HISTORY
from hub.engine.document.documents import Documents
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.inputs import BUCKETS
from hub.engine.graphql_types.subscription_types import MESSAGES
from hub.viewer import ADMIN

AT = datetime(1998, 5, 6, tzinfo=UTC)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
WORDS = re.findall(
    r"[^|]+",
    "Johnson|jonson|José|García|王小明|小明|Müller|Straße|ｆｕｌｌ|ﬁne|Łódź|ΑΘΗΝΑΣ|Σίσυφος|Москва|ёлка|Ǆ|İstanbul|ıssız|½|№|™|café|œuvre|"
    "株式会社|ラーメン|ｱｲｳ|한국어|عربي|a-b|c_d|x%y|100|12.5|O'Neil|& Co.|\u3000|\u0085|\u200b|ﷺ|㎏|Ⅳ|e\u0301|q\u0307|ÞÐ|đ|😀",
)
LETTERS = "abcdeéèêüßøłñçžšțǎ王小明カなαβγΩЖжйё0129 -_.,&'\"\t\u3000ﬁ½Å\u030a한"


@pytest.fixture(scope="module")
async def connection(demo_dsn: str) -> AsyncIterator[Connection]:
    made: Connection = await asyncpg.connect(demo_dsn)
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def northwind(demo_dsn: str) -> Oracle:
    graph = schema.build()
    return Oracle(graph, await load(demo_dsn, graph.catalog))


@pytest.fixture(scope="module")
async def every_type(new_database: NewDatabase, demo_dsn: str) -> Oracle:
    """Rows of every type there is."""
    dsn = await new_database("northwind")
    await edge_rows.add(dsn)
    await webhook_rows.add(dsn)
    graph = schema.build()
    return Oracle(graph, await load(dsn, graph.catalog))


def texts(count: int) -> list[str]:
    chance = random.Random(7)

    def one() -> str:
        if chance.random() < 0.5:
            return " ".join(chance.choices(WORDS, k=chance.randint(1, 5)))
        word: str = chance.choice(WORDS)
        at = chance.randint(0, len(word))
        return word[:at] + "".join(chance.choices(LETTERS, k=chance.randint(0, 9))) + word[at:]

    return list(dict.fromkeys(one() for _ in range(count)))


async def test_folding_is_the_databases(connection: Connection) -> None:
    found = await connection.fetch("select t, hub_fold(t) as folded from unnest($1::text[]) t", texts(6_000))
    assert {each["t"]: each["folded"] for each in found if text.fold(each["t"]) != each["folded"]} == {}


async def test_word_similarity_is_the_databases(connection: Connection) -> None:
    chance = random.Random(8)
    folded = [text.fold(each) for each in texts(3_000)]
    needles, among = [each.strip() for each in chance.choices(folded, k=6_000)], chance.choices(folded, k=6_000)
    query = "select a, b, word_similarity(a, b) as s from unnest($1::text[], $2::text[]) u(a, b)"
    found = await connection.fetch(query, needles, among)
    assert sum(each["s"] > 0 for each in found) > 1_000
    assert [tuple(each) for each in found if text.word_similarity(each["a"], each["b"]) != each["s"]] == []


async def test_averages_are_the_databases_to_the_last_decimal(connection: Connection) -> None:
    chance = random.Random(9)
    for _ in range(300):
        size = chance.choice((1, 10, 10_000, 10**12))
        values = [Decimal(chance.randint(-size, size) * 1250).scaleb(-4) for _ in range(chance.randint(1, 12))]
        found = await connection.fetchval("select avg(v::numeric(18,4)) from unnest($1::numeric[]) v", values)
        assert average(values) == found, values


async def test_spans_begin_where_the_databases_do(connection: Connection) -> None:
    chance = random.Random(10)
    for zone in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"):
        for bucket in BUCKETS:
            moments = [
                datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 10**9)) for _ in range(60)
            ]
            query = "select m, date_trunc($2, m, $3) as s from unnest($1::timestamptz[]) m"
            found = await connection.fetch(query, moments, bucket, zone)
            assert [tuple(each) for each in found if start_of(bucket, each["m"], ZoneInfo(zone)) != each["s"]] == []


def asked(oracle: Oracle, query: str) -> Any:
    told = oracle.answer(query, None, ADMIN, AT)
    assert told.errors == ()
    return told.data


async def test_the_oracle_knows_northwind(northwind: Oracle) -> None:
    quick = asked(
        northwind,
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


async def test_a_number_is_the_nth_of_its_seed_and_valid_and_within_the_limits(northwind: Oracle) -> None:
    documents = Documents(northwind.graph.core, Limits(), 10**7)
    for number in range(100):
        one, other = (
            Generator(northwind.graph, northwind.schema, northwind.data, AT, "valid").operation(number)
            for _ in range(2)
        )
        assert one == other
        if "mistake" not in one.features:
            for step in one.steps:
                documents.get(step.filled([None] * 9).query).operation(step.name).cost({})


async def test_smaller_documents_are_valid_and_differ(northwind: Oracle) -> None:
    made = Generator(northwind.graph, northwind.schema, northwind.data, AT, "smaller")
    [step] = next(
        op.steps for op in map(made.operation, range(50)) if len(op.steps) == 1 and not op.features & {"mistake"}
    )
    texts_ = [each.query for each in smaller(step)]
    assert len(set(texts_)) > 5
    assert step.query not in texts_


class _Asked(Visitor):
    """The fields that documents ask for, as (type, field)."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[tuple[str, str]] = set()

    def enter_field(self, node: FieldNode, *_: Node) -> None:
        parent = self.types.get_parent_type()
        assert parent is not None
        self.found.add((parent.name, node.name.value))


def read_types(schema: GraphQLSchema) -> set[GraphQLObjectType]:
    """The object types that a query can meet: all but what mutations alone give."""
    found: set[GraphQLObjectType] = set()
    waiting: list[Any] = [schema.query_type]
    while waiting:
        kind = get_named_type(waiting.pop())
        if isinstance(kind, GraphQLAbstractType):
            waiting += schema.get_possible_types(kind)
        elif isinstance(kind, GraphQLObjectType) and kind not in found:
            found.add(kind)
            waiting += [field.type for field in kind.fields.values()]
    return found


async def test_the_walk_over_the_schema_asks_for_every_field_of_every_type(every_type: Oracle) -> None:
    types = TypeInfo(every_type.schema)
    asked_ = _Asked(types)
    for operation in walk(every_type, ADMIN, AT, "walk"):
        for step in operation.steps:
            visit(parse(step.query), TypeInfoVisitor(types, asked_))
    rows = every_type.graph.catalog.rows
    kinds = {
        kind for kind in read_types(every_type.schema) if kind.name not in MESSAGES and "Revision" not in kind.name
    }
    fields = {(kind.name, name) for kind in kinds for name in kind.fields}
    # What is told of changes is asked for elsewhere: by test_changes.py and test_past_rights.py.
    assert fields - asked_.found == {("Query", "changes"), *((row, HISTORY) for row in rows)}


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
    assert differs(Told(right, (), True), {"data": right}) is None
    assert str(differs(Told(right, (), True), {"data": wrong})).startswith(reason)
