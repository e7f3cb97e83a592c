"""Whatever Schemathesis makes up, fitting the schema or breaking it, is answered or refused, and never a fault of the hub.

What answers are right is test_oracle.py's to say, and what refusals say test_errors.py's."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx2
import orjson
import pytest
import schemathesis
from conftest import key_for
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.graphql import nodes

from hub.viewer import Role

SDL = Path(__file__).parent.parent / "schema" / "schema.graphql"
FAULTS = {"INTERNAL", "RESOLVER_FAILED", "STATEMENT_TIMEOUT", "UNAVAILABLE"}
IDS = (
    "cus_00c364689c007d7d8745b0e028f79e31",
    "ord_00d03f2840007c19b627248d7d19e02b",
    "prd_00c2b02a0800709eb8fab9c86fd73afa",
    "unt_00a3779c48007a0e8d875b9d8f5d43cb",
    "cus_00000000000000000000000000000000",
)

Send = Callable[[str], Awaitable[httpx2.Response]]


def mostly(usual: st.SearchStrategy[object], odd: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.sampled_from([usual] * 9 + [odd]).flatmap(lambda chosen: chosen)


def texts(*usual: str) -> st.SearchStrategy[object]:
    """Telling texts, and now and then any."""
    return mostly(st.sampled_from(usual), st.text(max_size=30)).map(nodes.String)


def numbers() -> st.SearchStrategy[object]:
    return mostly(st.integers(0, 30), st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers())).map(nodes.Int)


@pytest.fixture(scope="module")
def cases() -> st.SearchStrategy[Case]:
    """Calls of every root, a third of them wrong on purpose; with values that lead further than random ones."""
    json = st.recursive(
        st.one_of(
            numbers(), texts("QUICK", "\0", ""), st.floats(allow_nan=False, allow_infinity=False).map(nodes.Float)
        ),
        lambda inner: st.lists(inner, max_size=3).map(nodes.List),
        max_leaves=5,
    )
    scalars = {
        "ID": texts(*IDS),
        "Int": numbers(),
        "String": texts("EUR", "USD", "Europe/Berlin", "northwind", "a", "小明", "%"),
        "Decimal": st.one_of(numbers(), texts("12.50", "-0", "1e9", "1e-9", "1000.0001")),
        "Date": st.one_of(st.dates().map(str).map(nodes.String), texts("1993-10-17", "9999-12-31")),
        "DateTime": texts("1998-05-06T00:00:00Z", "1996-07-04T00:00:00.000001-08:00", "9999-12-31T23:59:59Z"),
        "Duration": texts("P30D", "PT12H", "P99999W", "P9W"),
        "Cursor": st.one_of(st.just(nodes.Null), st.just(nodes.Null), texts("AAAA")),
        "JSON": json,
    }
    for name, strategy in scalars.items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_file(SDL.read_text())
    operations = [found.ok() for found in schema.get_all_operations()]
    modes = (GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    return st.one_of(*(each.as_strategy(generation_mode=mode) for each in operations for mode in modes))


COUNT = "\n    totalCount\n"
PAGE = " edges { cursor node { __typename id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }\n"


def richer(query: str) -> str:
    """A query that seldom asks a list for more than its count, asking for the rest of it too."""
    return query.replace(COUNT, COUNT + (" nodes { stats { count } }\n" if "Grouped(" in query else PAGE))


@pytest.fixture(scope="module")
async def loop(client: httpx2.AsyncClient) -> asyncio.AbstractEventLoop:
    """The loop that the hub runs in; it stands still while a test that is not async runs."""
    return asyncio.get_running_loop()


@pytest.fixture(scope="module", params=["admin", "region"])
async def key(request: pytest.FixtureRequest, demo_dsn: str, admin_key: str) -> str:
    if request.param == "admin":
        return admin_key
    connection = await asyncpg.connect(demo_dsn)
    unit = await connection.fetchval("select id from org_units where code = 'eastern'")
    await connection.close()
    return await key_for(demo_dsn, Role.READER, unit_id=unit)


@pytest.fixture
def examine(
    client: httpx2.AsyncClient, cases: st.SearchStrategy[Case], loop: asyncio.AbstractEventLoop, key: str
) -> Iterator[Callable[[settings], None]]:
    """Sends as many cases as the settings say; some of them must have found something to answer."""
    codes: list[str] = []

    def sent(case: Case) -> None:
        query = richer(case.body)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        posted = client.post("/graphql", content=orjson.dumps({"query": query}), headers=headers)
        response = loop.run_until_complete(posted)
        answer = response.json()
        found = [str(error["extensions"]["code"]) for error in answer.get("errors", ())]
        assert response.status_code < 500, query
        assert not FAULTS.intersection(found), query
        assert found or answer["data"], query
        codes.extend(found or ["answered"])

    def examined(how: settings) -> None:
        given(cases)(how(lambda case: sent(case)))()

    yield examined
    assert codes.count("answered") > len(codes) / 50, codes


COMMON = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_some_hundred_cases_find_no_fault(examine: Callable[[settings], None]) -> None:
    examine(settings(COMMON, max_examples=150, derandomize=True))


@pytest.mark.soak
def test_five_thousand_cases_find_no_fault(examine: Callable[[settings], None]) -> None:
    examine(settings(COMMON, max_examples=2_500))
