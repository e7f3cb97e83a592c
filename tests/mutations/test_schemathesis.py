"""Whatever Schemathesis makes up, fitting the schema or breaking it, is answered or refused, and never a fault of the hub.

What answers are right is test_oracle.py's to say, and what refusals say test_errors.py's."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import asyncpg
import orjson
import pytest
import random_runs
import schemathesis
from asgi_client import post
from conftest import CreateDatabase, create_api_key
from graphql import ValueNode
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes
from writer_client import HubClient, open_hub_client

from hub.viewer import Role

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
FAULTS = {"INTERNAL", "RESOLVER_FAILED", "STATEMENT_TIMEOUT", "UNAVAILABLE"}
IDS = (
    "cus_00c364689c007d7d8745b0e028f79e31",
    "ord_00d03f2840007c19b627248d7d19e02b",
    "prd_00c2b02a0800709eb8fab9c86fd73afa",
    "unt_00a3779c48007a0e8d875b9d8f5d43cb",
    "cus_00000000000000000000000000000000",
)

T = TypeVar("T")
GeneratedCase: TypeAlias = "Case[Any]"


def mostly(usual: st.SearchStrategy[T], odd: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    return st.sampled_from([usual] * 9 + [odd]).flatmap(lambda chosen: chosen)


def texts(*usual: str) -> st.SearchStrategy[ValueNode]:
    """Telling texts, and now and then any."""
    return mostly(st.sampled_from(usual), st.text(max_size=30)).map(nodes.String)


def numbers() -> st.SearchStrategy[ValueNode]:
    return mostly(st.integers(0, 30), st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers())).map(nodes.Int)


@pytest.fixture(scope="module")
def cases(pytestconfig: pytest.Config) -> list[tuple[st.SearchStrategy[GeneratedCase], int]]:
    """Calls of every root, a quarter of them wrong on purpose, and their shares; with values that lead far."""
    json: st.SearchStrategy[ValueNode] = st.recursive(
        st.one_of(
            numbers(), texts("QUICK", "\0", ""), st.floats(allow_nan=False, allow_infinity=False).map(nodes.Float)
        ),
        lambda inner: st.lists(inner, max_size=3).map(nodes.List),
        max_leaves=5,
    )
    scalars: dict[str, st.SearchStrategy[ValueNode]] = {
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
    every = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    percent = random_runs.size("percent of the roots that schemathesis calls", pytestconfig)
    operations = random_runs.spread(every, percent, "roots")
    modes = ((GenerationMode.POSITIVE, 3), (GenerationMode.NEGATIVE, 1))
    return [(operation.as_strategy(generation_mode=mode), share) for operation in operations for mode, share in modes]


COUNT = "\n    totalCount\n"
LAST = re.compile(r"(\n    first: -?\d+(?:\n    after: .+)?)\n    last: -?\d+")
PAGE = " edges { cursor node { __typename id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }\n"


def richer(query: str) -> str:
    """A query that seldom asks a list for more than its count, asking for the rest of it too, and from one end only."""
    more = " edges { cursor node { stats { count } } } pageInfo { endCursor }\n" if "Grouped(" in query else PAGE
    return LAST.sub(r"\1", query.replace(COUNT, COUNT + more))


@pytest.fixture(scope="module")
async def hub_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub on a Northwind of its own, which mutations may change."""
    async with open_hub_client(await create_database("northwind")) as hub_writer:
        yield hub_writer


@pytest.fixture(scope="module")
async def loop(hub_client: HubClient) -> asyncio.AbstractEventLoop:
    """The loop that the hub runs in; it stands still while a test that is not async runs."""
    return asyncio.get_running_loop()


@pytest.fixture(scope="module", params=["admin", "region"])
async def key(request: pytest.FixtureRequest, hub_client: HubClient) -> str:
    if request.param == "admin":
        return hub_client.key
    connection = await asyncpg.connect(hub_client.dsn)
    unit = await connection.fetchval("select id from org_units where code = 'eastern'")
    await connection.close()
    return await create_api_key(hub_client.dsn, Role.WRITER, unit_id=unit)


@pytest.fixture(scope="module")
def generate_queries(cases: list[tuple[st.SearchStrategy[GeneratedCase], int]]) -> Callable[[int], list[str]]:
    """Draws cases from the seed, so many for each root and share. Every key gets the same ones."""

    @cache
    def generated(times: int) -> list[str]:
        queries: list[str] = []
        # A run by itself for each root: a long one dwells on variations of what it has drawn already.
        for number, (strategy, share) in enumerate(cases):

            @seed(random_runs.seed() + number)
            @settings(COMMON, max_examples=times * share)
            @given(case=strategy)
            def draw(case: GeneratedCase) -> None:
                queries.append(richer(str(case.body)))

            draw()
        return queries

    return generated


@pytest.fixture
def send_queries(
    hub_client: HubClient, loop: asyncio.AbstractEventLoop, key: str
) -> Iterator[Callable[[list[str]], None]]:
    """Sends queries; some of either kind must have been answered."""
    codes: dict[str, Counter[str]] = {"query": Counter(), "mutation": Counter()}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def send(query: str) -> None:
        response = loop.run_until_complete(post(hub_client.app, orjson.dumps({"query": query}), headers))
        answer = response.json()
        error_codes = [str(error["extensions"]["code"]) for error in answer.get("errors", ())]
        assert response.status_code < 500, query
        assert not FAULTS.intersection(error_codes), query
        assert error_codes or answer["data"], query
        codes["mutation" if query.startswith("mutation") else "query"].update(error_codes or ["answered"])

    def send_queries(queries: list[str]) -> None:
        for query in queries:
            send(query)

    yield send_queries
    for operation_type, share in ANSWERED.items():
        assert codes[operation_type]["answered"] > codes[operation_type].total() * share, codes


ANSWERED = {"query": 0.1, "mutation": 0.02}  # a made-up mutation seldom meets the rules of the trade
COMMON = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@random_runs.draws("schemathesis cases of each root")
def test_many_cases_find_no_fault(
    generate_queries: Callable[[int], list[str]], send_queries: Callable[[list[str]], None], draws: int
) -> None:
    send_queries(generate_queries(draws))
