"""What a search finds, in which order, and that nothing in a searched text means anything but itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from asgi_client import post_query
from conftest import CreateDatabase, create_api_key

from hub.app import lifespan
from hub.settings import Settings

SearchNames = Callable[..., Awaitable[list[str]]]

NAMES = (
    *("王小明", "明小王", "王明", "小王", "李雷", "東京タワー", "김철수"),
    *("José Álvarez", "Jose Martí Ltd", "Josephine", "Straße 7", "Smørrebrød"),
    *("Johnson", "Johnson & Sons", "Big Johnson Ltd", "Jonson og co", "John Smith"),
    *("ＡＢＣ Trading", "Eﬃcient Oﬀice", "№ 5", "ⅷ legions"),
    *("100% Natural", "under_score", "underXscore", "back\\slash"),
    "one two three four five six seven eight nine",
    "  Much   white\tspace  ",
)


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    """A database of customers with these names."""
    new_dsn = await create_database("migrated")
    connection = await asyncpg.connect(new_dsn)
    unit = "insert into org_units (code, name, kind, path) values ('all', 'All', 'GROUP', 'all') returning id"
    customer = """
        insert into customers (name, unit_id, kind, status, stage, tier)
        values ($1, $2, 'PERSON', 'ACTIVE', 'ACTIVE', 'STANDARD') returning id
    """
    unit_id = await connection.fetchval(unit)
    for name in NAMES:
        customer_id = await connection.fetchval(customer, name, unit_id)
    await connection.execute(
        "insert into contacts (customer_id, name, title) values ($1, 'Zoë', 'Head Baker'), ($1, 'Baker, Max', null)",
        customer_id,
    )
    await connection.close()
    return new_dsn


@pytest.fixture(scope="module")
async def execute(dsn: str) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    key = await create_api_key(dsn)
    async with lifespan(Settings(), dsn) as app:

        async def answered(query: str, **variables: Any) -> Any:
            return await post_query(app, query, variables, key)

        yield answered


@pytest.fixture(scope="module")
async def search_names(execute: Callable[..., Awaitable[Any]]) -> SearchNames:
    """The names of the customers whom a search finds, best first."""
    query = "query($text: String!) { customers(search: $text) { totalCount nodes { name } } }"

    async def names(text: str) -> list[str]:
        connection = (await execute(query, text=text))["data"]["customers"]
        assert connection["totalCount"] == len(connection["nodes"])
        return [node["name"] for node in connection["nodes"]]

    return names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("小明", ["王小明", "明小王"]),
        ("王小明", ["王小明", "明小王"]),
        ("明", ["明小王", "王小明", "王明"]),
        ("李", ["李雷"]),
        ("京タ", ["東京タワー"]),
        ("タ", ["東京タワー"]),
        ("김철수", ["김철수"]),
        ("雷王", []),
    ],
)
async def test_scripts_without_spaces_are_searched_by_character(
    search_names: SearchNames, text: str, names: list[str]
) -> None:
    assert await search_names(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("jose alvarez", ["José Álvarez"]),
        ("JOSÉ ÁLVAREZ", ["José Álvarez"]),
        ("Jose\u0301 A\u0301lvarez", ["José Álvarez"]),
        ("strasse", ["Straße 7"]),
        ("smorrebrod", ["Smørrebrød"]),
        ("abc", ["ＡＢＣ Trading"]),
        ("ｔｒａｄｉｎｇ", ["ＡＢＣ Trading"]),
        ("efficient office", ["Eﬃcient Oﬀice"]),
        ("viii", ["ⅷ legions"]),
        ("no 5", ["№ 5"]),
        ("white space", ["  Much   white\tspace  "]),
    ],
)
async def test_case_accents_width_and_ligatures_do_not_matter(
    search_names: SearchNames, text: str, names: list[str]
) -> None:
    assert await search_names(text) == names


async def test_the_exact_comes_first_then_prefix_then_contained_then_similar(search_names: SearchNames) -> None:
    johnsons = ["Johnson", "Johnson & Sons", "Big Johnson Ltd", "Jonson og co", "John Smith"]
    assert await search_names("johnson") == johnsons
    assert (await search_names("jonson"))[:2] == ["Jonson og co", "Johnson"]
    assert (await search_names("jose"))[:3] == ["José Álvarez", "Jose Martí Ltd", "Josephine"]


async def test_a_slip_is_forgiven_and_another_word_is_not(search_names: SearchNames) -> None:
    assert "Johnson" in await search_names("jonson")
    assert "José Álvarez" in await search_names("alvares")
    assert await search_names("zebra") == []


async def test_every_word_must_match_in_any_order(search_names: SearchNames) -> None:
    assert await search_names("smith john") == ["John Smith"]
    assert await search_names("smith zebra") == []


@pytest.mark.parametrize(
    ("text", "names"),
    [("%", ["100% Natural"]), ("_", ["under_score"]), ("\\", ["back\\slash"]), ("\\%", []), ("%_", [])],
)
async def test_wildcards_stand_for_themselves(
    search_names: SearchNames, execute: Callable[..., Awaitable[Any]], text: str, names: list[str]
) -> None:
    assert await search_names(text) == names
    filtered = "query($text: String!) { customers(filter: { name: { contains: $text } }) { nodes { name } } }"
    assert [node["name"] for node in (await execute(filtered, text=text))["data"]["customers"]["nodes"]] == names


async def test_filters_of_text_mind_wildcards_and_word_starts(execute: Callable[..., Awaitable[Any]]) -> None:
    async def names(operator: str, text: str) -> list[str]:
        query = (
            f"query($text: String!) {{ customers(filter: {{ name: {{ {operator}: $text }} }}) {{ nodes {{ name }} }} }}"
        )
        return [node["name"] for node in (await execute(query, text=text))["data"]["customers"]["nodes"]]

    assert await names("contains", "r_s") == ["under_score"]
    assert await names("contains", "小明") == ["王小明"]
    assert await names("startsWith", "JOSÉ") == ["Jose Martí Ltd", "Josephine", "José Álvarez"]
    assert await names("startsWith", "100%") == ["100% Natural"]
    assert await names("startsWith", "0%") == []
    assert await names("startsWith", "小") == ["小王"]


async def test_eight_words_are_searched_and_nine_are_too_many(
    search_names: SearchNames, execute: Callable[..., Awaitable[Any]]
) -> None:
    words = NAMES[-2].split()
    assert await search_names(" ".join(words[:8])) == [NAMES[-2]]
    assert await search_names("\u3000".join(words[:8])) == [NAMES[-2]]
    refused = await execute("query($text: String) { customers(search: $text) { totalCount } }", text=" ".join(words))
    assert refused["errors"][0]["extensions"]["code"] == "SEARCH_TOO_LONG"
    assert await search_names("王小明王小明王小") == ["王小明", "明小王"]


async def test_pages_of_a_search_follow_its_order(execute: Callable[..., Awaitable[Any]]) -> None:
    query = """
        query($at: Cursor) {
          customers(search: "johnson", first: 2, after: $at) { nodes { name } pageInfo { endCursor hasNextPage } }
        }
    """
    names: list[str] = []
    page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        page = (await execute(query, at=page["pageInfo"]["endCursor"]))["data"]["customers"]
        names += [node["name"] for node in page["nodes"]]
    assert names == ["Johnson", "Johnson & Sons", "Big Johnson Ltd", "Jonson og co", "John Smith"]


async def test_with_an_order_of_its_own_a_search_only_narrows(execute: Callable[..., Awaitable[Any]]) -> None:
    query = '{ customers(search: "johnson", orderBy: { field: NAME, direction: DESC }, first: 2) { nodes { name } } }'
    assert (await execute(query))["data"]["customers"]["nodes"] == [
        {"name": "Jonson og co"},
        {"name": "Johnson & Sons"},
    ]


async def test_all_columns_that_are_searched_count(execute: Callable[..., Awaitable[Any]]) -> None:
    query = '{ contacts(search: "baker") { nodes { name } } one: contacts(search: "zoe baker") { nodes { name } } }'
    assert await execute(query) == {
        "data": {"contacts": {"nodes": [{"name": "Baker, Max"}, {"name": "Zoë"}]}, "one": {"nodes": [{"name": "Zoë"}]}}
    }
