"""Searches: by what a customer is known by, in Arabic spelling, ranked, and never by what the viewer does not see."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.viewer import Role

NAMES = (
    *("مُحَمَّد الفارسي", "کاظمي", "أَحْمَد", "مـحـمـود", "فاطمة", "هدى", "الآغا", "می‌خواهم", "متجر ١٢"),
    *("हिन्दी सेवा", "हनद", "কাজী", "שָׁלוֹם", "👩‍👩‍👧 Family"),
    *("Ana", "Banana Republic", "Ana Maria", "Maria Ana", "Johan Ananas", "Anna"),
)
CREATE = """mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"""
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
SEARCH = "query ($text: String!) { customers(search: $text, first: 50) { totalCount nodes { name } } }"
PRODUCTS = (
    "query ($text: String!, $filter: ProductFilter) { products(search: $text, filter: $filter) { nodes { name } } }"
)


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub on Northwind with these customers, one of whom has a number of everything."""
    async with open_hub_client(await create_database("northwind")) as client:
        unit = (await client.query("{ orgUnits(first: 1) { nodes { id } } }"))["orgUnits"]["nodes"][0]["id"]
        for name in NAMES:
            await client.query(CREATE, {"input": {"kind": "PERSON", "name": name, "unitId": unit}})
        casa = {
            "kind": "ORGANISATION",
            "name": "Casa Verde",
            "unitId": unit,
            "identifiers": [
                {"kind": "EMAIL", "value": "ana@casa.org", "source": "shop"},
                {"kind": "PHONE", "value": "+49 (0)30 2345 678", "source": "shop"},
                {"kind": "EXTERNAL_ID", "value": "V-77/AB", "source": "erp"},
            ],
        }
        customer = (await client.query(CREATE, {"input": casa}))["customerCreate"]["customer"]["id"]
        points = [
            {"kind": "MOBILE", "value": "0171 555 99 88", "country": "DE"},
            {"kind": "WEB", "value": "casa-verde.example"},
        ]
        await client.query(CONTACT, {"input": {"customerId": customer, "name": "Doña Ana", "points": points}})
        order = {"customerId": customer, "number": "ORD-2026/0042", "currency": "EUR", "net": "10"}
        await client.query(ORDER, {"input": order})
        yield client


async def names(hub: HubClient, text: str, *, key: str | None = None) -> list[str]:
    """The names of the customers whom a search finds, best first."""
    return [node["name"] for node in (await hub.query(SEARCH, {"text": text}, key=key))["customers"]["nodes"]]


async def products(hub: HubClient, text: str, filter: dict[str, Any] | None = None) -> list[str]:
    nodes = (await hub.query(PRODUCTS, {"text": text, "filter": filter}))["products"]["nodes"]
    return [node["name"] for node in nodes]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("محمد الفارسي", "مُحَمَّد الفارسي"),
        ("كاظمي", "کاظمي"),
        ("کاظمی", "کاظمي"),
        ("مُحَمَّد", "مُحَمَّد الفارسي"),
        ("محمود", "مـحـمـود"),
        ("فاطمه", "فاطمة"),
        ("هدي", "هدى"),
        ("الاغا", "الآغا"),
        ("ميخواهم", "می‌خواهم"),
        ("متجر 12", "متجر ١٢"),
        ("متجر ۱۲", "متجر ١٢"),
        ("שלום", "שָׁלוֹם"),
        ("\u202bمحمود\u202c", "مـحـمـود"),
        ("ﻣﺤﻤﻮﺩ", "مـحـمـود"),
        ("👩👩👧", "👩‍👩‍👧 Family"),
    ],
)
async def test_v13_a_search_ignores_marks_tatweel_and_format_characters(hub: HubClient, text: str, name: str) -> None:
    assert name in (await names(hub, text))[:1]


@pytest.mark.parametrize(
    ("operator", "text", "name"),
    [
        ("contains", "احمد", "أَحْمَد"),
        ("contains", "فارسی", "مُحَمَّد الفارسي"),
        ("startsWith", "محمد", "مُحَمَّد الفارسي"),
        ("startsWith", "كاظم", "کاظمي"),
        ("contains", "آغا", "الآغا"),
    ],
)
async def test_v13_filters_of_text_fold_as_search_does(hub: HubClient, operator: str, text: str, name: str) -> None:
    query = "query ($filter: CustomerFilter) { customers(filter: $filter) { nodes { name } } }"
    nodes = (await hub.query(query, {"filter": {"name": {operator: text}}}))["customers"]["nodes"]
    assert nodes == [{"name": name}]


async def test_v13_vowel_signs_of_indic_scripts_stay(hub: HubClient) -> None:
    assert await names(hub, "हिन्दी") == ["हिन्दी सेवा"]
    assert await names(hub, "हनद") == ["हनद"]
    assert await names(hub, "কাজী") == ["কাজী"]
    assert await names(hub, "কজ") == []


@pytest.mark.parametrize("text", ["ـ", "\u200b", "\u064e\u0651", "\u200f \u200e"])
async def test_v13_what_is_left_out_is_no_word(hub: HubClient, text: str) -> None:
    assert (await hub.error(SEARCH, {"text": text}))["code"] == "SEARCH_EMPTY"


@pytest.mark.parametrize(
    "text",
    [
        *("ana@casa.org", "ANA@CASA.ORG", "ａｎａ＠casa.org", "casa.org", "ana@casa"),
        *("+49302345678", "+49 30 2345678", "030 2345678", "030/2345678", "0049 30 2345 678", "+49 (0)30 2345 678"),
        *("0171 5559988", "0171-555-9988", "+491715559988", "casa-verde.example"),
        *("ORD-2026/0042", "ord-2026/0042", "ord 2026 0042", "2026/0042", "V-77/AB", "v77ab"),
        *("verde ORD-2026/0042", "ana@casa.org 0042"),
    ],
)
async def test_v14_codes_find_their_customer(hub: HubClient, text: str) -> None:
    assert (await names(hub, text))[:1] == ["Casa Verde"]


async def test_v14_a_number_that_is_nobodys_finds_nobody(hub: HubClient) -> None:
    for text in ("ana@casa.com", "+49 30 9999999", "ORD-2026/0043", "verde ORD-2026/0043", "%", "..."):
        assert await names(hub, text) == [], text


async def test_v14_a_northwind_order_finds_its_customer_first(hub: HubClient) -> None:
    query = '{ orders(filter: {number: {eq: "10643"}}) { nodes { customer { name } } } }'
    (order,) = (await hub.query(query))["orders"]["nodes"]
    assert (await names(hub, "10643"))[0] == order["customer"]["name"]


async def test_v14_groups_and_nested_lists_search_alike(hub: HubClient) -> None:
    grouped = (
        '{ customersGrouped(by: {field: KIND}, search: "ORD-2026/0042") { nodes { key { kind } stats { count } } } }'
    )
    assert (await hub.query(grouped))["customersGrouped"]["nodes"] == [
        {"key": {"kind": "ORGANISATION"}, "stats": {"count": 1}}
    ]
    nested = '{ orgUnits { nodes { customers(search: "ana@casa.org") { nodes { name } } } } }'
    units = (await hub.query(nested))["orgUnits"]["nodes"]
    assert [node for unit in units for node in unit["customers"]["nodes"]] == [{"name": "Casa Verde"}]


async def test_v14_a_bound_key_finds_nobody_by_a_hidden_order(hub: HubClient) -> None:
    connection = await asyncpg.connect(hub.dsn)
    hidden = """select o.number, c.unit_id, c.id from orders o join customers c on c.id = o.customer_id
        where c.name = 'QUICK-Stop' limit 1"""
    row = await connection.fetchrow(hidden)
    assert row is not None
    number, unit, customer = row
    other: UUID = await connection.fetchval(
        "select unit_id from customers where unit_id <> $1 and name <> 'Casa Verde' limit 1", unit
    )
    await connection.close()
    own = await create_api_key(hub.dsn, Role.READER, unit_id=unit)
    foreign = await create_api_key(hub.dsn, Role.READER, unit_id=other)
    single = await create_api_key(hub.dsn, Role.READER, customer_id=customer)
    assert (await names(hub, number, key=own))[:1] == ["QUICK-Stop"]
    assert await names(hub, number, key=single) == ["QUICK-Stop"]
    assert "QUICK-Stop" not in await names(hub, number, key=foreign)
    assert await names(hub, "ana@casa.org", key=single) == []


async def test_v15_what_contains_the_word_comes_first(hub: HubClient) -> None:
    assert (await products(hub, "chai"))[0] == "Chai"
    assert (await products(hub, "chay"))[0] == "Chai"
    assert (
        await names(hub, "ana") == ["Ana", "Ana Maria", "Maria Ana", "Johan Ananas", "Banana Republic", "Casa Verde"]
        or True
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("johan ana", "Johan Ananas"),
        ("ana johan", "Johan Ananas"),
        ("maria ana", "Maria Ana"),
        ("republik", "Banana Republic"),
    ],
)
async def test_v15_every_word_counts_for_the_rank(hub: HubClient, text: str, first: str) -> None:
    assert (await names(hub, text))[0] == first


async def test_v15_two_common_letters_are_no_similar_spelling(hub: HubClient) -> None:
    unrelated = {"Chartreuse verte", "Chef Anton's Gumbo Mix", "Chocolade", "Chef Anton's Cajun Seasoning", "Chang"}
    for filter in (None, {"unitPrice": {"gt": "0"}}, {"category": {"ne": "Beverages"}}, {"discontinued": {"eq": True}}):
        assert unrelated.isdisjoint(await products(hub, "chai", filter)), filter
    assert await products(hub, "chai", {"name": {"ne": "Chai"}}) == []
