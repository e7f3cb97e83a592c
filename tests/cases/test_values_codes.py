"""Codes and texts: canonical when written, and in every argument that names one."""

from decimal import Decimal
from typing import Any

import pytest
from writer_client import HubClient

CREATE = """mutation ($input: CustomerCreateInput!) {
    customerCreate(input: $input) { customer { id name country language currency } }
}"""
UPSERT = "mutation ($input: OrderUpsertInput!) { orderUpsert(input: $input) { created order { id number currency } } }"
PRODUCT = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created product { sku } } }"
QUICK = '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }'
SUM = """query ($currency: String) {
    customers(filter: {orders: {sum: {net: {gt: "100000"}, currency: $currency}}}) { nodes { id } }
}"""
SORTED = """query ($currency: String) {
    customers(first: 3, orderBy: [{orders: {by: SUM, field: NET, currency: $currency}, direction: DESC}]) { nodes { id } }
}"""


async def new_customer(northwind_client: HubClient, **values: Any) -> dict[str, Any]:
    answer = await northwind_client.query(CREATE, {"input": {"name": "Codes", **values}})
    customer: dict[str, Any] = answer["customerCreate"]["customer"]
    return customer


async def rejection(northwind_client: HubClient, query: str, variables: dict[str, Any]) -> tuple[str, str]:
    error = await northwind_client.error(query, variables)
    return error["code"], error["argument"]


@pytest.mark.parametrize("spelling", ["usd", " USD", "Usd\u200b"])
async def test_v4_a_currency_argument_is_read_as_a_code(northwind_client: HubClient, spelling: str) -> None:
    for query in (SUM, SORTED):
        expected = await northwind_client.query(query, {"currency": "USD"})
        assert expected["customers"]["nodes"]
        assert await northwind_client.query(query, {"currency": spelling}) == expected
        literal = query.replace("query ($currency: String) ", "").replace("$currency", f'"{spelling}"')
        assert await northwind_client.query(literal) == expected


@pytest.mark.parametrize("text", ["EURO", "", "E", "U$D", "\u20ac"])
async def test_v4_an_argument_that_is_no_currency_is_refused(northwind_client: HubClient, text: str) -> None:
    code, argument = await rejection(northwind_client, SUM, {"currency": text})
    assert (code, argument.rpartition(".")[2]) == ("VALUE_INVALID", "currency")
    code, argument = await rejection(northwind_client, SORTED, {"currency": text})
    assert (code, argument.rpartition(".")[2]) == ("VALUE_INVALID", "currency")


@pytest.mark.parametrize(
    ("entity", "name", "code", "spelling"),
    [
        ("customers", "country", "DE", "de"),
        ("customers", "language", "de", "DE"),
        ("customers", "currency", "EUR", "eur"),
        ("orders", "shipCountry", "DE", " de "),
        ("orders", "currency", "USD", "usd"),
        ("products", "currency", "USD", "Usd"),
    ],
)
@pytest.mark.parametrize("operator", ["eq", "ne", "in", "notIn", "lt", "gte"])
async def test_v4_a_filter_by_a_code_is_read_as_one(
    northwind_client: HubClient, entity: str, name: str, code: str, spelling: str, operator: str
) -> None:
    query = f"query ($f: StringFilter) {{ {entity}(filter: {{{name}: $f}}) {{ totalCount }} }}"
    operands = [[text] if operator in ("in", "notIn") else text for text in (code, spelling, "nowhere")]
    expected = await northwind_client.query(query, {"f": {operator: operands[0]}})
    assert await northwind_client.query(query, {"f": {operator: operands[1]}}) == expected
    literal = f'["{spelling}"]' if operator in ("in", "notIn") else f'"{spelling}"'
    text = f"{{ {entity}(filter: {{{name}: {{{operator}: {literal}}}}}) {{ totalCount }} }}"
    assert await northwind_client.query(text) == expected
    refused = await rejection(northwind_client, query, {"f": {operator: operands[2]}})
    assert refused == ("VALUE_INVALID", f"filter.{name}.{operator}")


async def test_v4_an_item_s_copied_currency_is_a_code_too(northwind_client: HubClient) -> None:
    query = "query ($f: StringFilter) { orders(filter: {items: {some: {currency: $f}}}) { totalCount } }"
    count = (await northwind_client.query(query, {"f": {"eq": "usd"}}))["orders"]["totalCount"]
    assert count == 830
    code, _ = await rejection(northwind_client, query, {"f": {"lt": "dollars"}})
    assert code == "VALUE_INVALID"


@pytest.mark.parametrize("currency", ["BGN", "HRK", "SLL", "DEM", "LTL", "dem", "FRF", "ZWL", "XEU", "ITL"])
async def test_v8_withdrawn_currencies_are_accepted(northwind_client: HubClient, currency: str) -> None:
    assert (await new_customer(northwind_client, currency=currency))["currency"] == currency.upper()


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("zh-Hans", "zh-Hans"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("sr-Latn-RS", "sr-Latn-RS"),
        ("es-419", "es-419"),
        ("en-001", "en-001"),
        ("de_CH", "de-CH"),
        ("ZH_hant_tw", "zh-Hant-TW"),
        ("deu", "de"),
        ("ger", "de"),
        ("iw", "he"),
        ("ca-valencia", "ca-valencia"),
        ("de-xk", "de-XK"),
        ("gsw", "gsw"),
        ("en-US-u-hc-h12", "en-US-u-hc-h12"),
    ],
)
async def test_v8_languages_are_tags_of_bcp_47(northwind_client: HubClient, language: str, tag: str) -> None:
    customer = await new_customer(northwind_client, language=language)
    assert customer["language"] == tag
    query = """query ($id: ID!, $language: String) {
        customers(filter: {id: {eq: $id}, language: {eq: $language}}) { nodes { language } }
    }"""
    found = await northwind_client.query(query, {"id": customer["id"], "language": language})
    assert found["customers"]["nodes"] == [{"language": tag}]


@pytest.mark.parametrize("language", ["", "xx", "deutsch", "de-ZZ", "zh-Xxxx", "de--CH", "de-", "x-own", "de-CH-999"])
async def test_v8_what_is_no_language_is_refused(northwind_client: HubClient, language: str) -> None:
    refused = await rejection(northwind_client, CREATE, {"input": {"name": "Codes", "language": language}})
    assert refused == ("VALUE_INVALID", "input.language")


@pytest.mark.parametrize(("country", "code"), [("XK", "XK"), ("xk", "XK"), (" De\u200b", "DE")])
async def test_v8_countries(northwind_client: HubClient, country: str, code: str) -> None:
    assert (await new_customer(northwind_client, country=country))["country"] == code


@pytest.mark.parametrize("country", ["ZZ", "UK", "DEU", "\u212aR", "", "Kosovo"])
async def test_v8_what_is_no_country_is_refused(northwind_client: HubClient, country: str) -> None:
    refused = await rejection(northwind_client, CREATE, {"input": {"name": "Codes", "country": country}})
    assert refused == ("VALUE_INVALID", "input.country")


async def test_v5_an_order_s_number_is_one_in_every_spelling(northwind_client: HubClient) -> None:
    customer = (await northwind_client.query(QUICK))["customerBy"]["id"]
    spellings = ["N-ä1", "N-a\u03081", "\ufeffN-ä1", "N-ä1\u200b", " N-\u00adä1\u2060", "N-ä\u200d1"]
    orders = []
    for spelling in spellings:
        order = {"by": {"number": spelling}, "customerId": customer, "currency": "EUR", "net": str(Decimal(1))}
        orders.append((await northwind_client.query(UPSERT, {"input": order}))["orderUpsert"])
        found = await northwind_client.query(
            "query ($f: StringFilter) { orders(filter: {number: $f}) { nodes { number } } }", {"f": {"eq": spelling}}
        )
        assert found["orders"]["nodes"] == [{"number": "N-ä1"}]
    assert [order["created"] for order in orders] == [True] + [False] * 5
    assert {order["order"]["id"] for order in orders} == {orders[0]["order"]["id"]}


async def test_v5_a_product_and_a_key_of_another_system_are_one_in_every_spelling(northwind_client: HubClient) -> None:
    values = {"name": "Spelt", "category": "Tests", "unitPrice": "1", "currency": "EUR"}
    created = [
        (await northwind_client.query(PRODUCT, {"input": {"by": {"sku": sku}, **values}}))["productUpsert"]["created"]
        for sku in ("Ö-1", "O\u0308-1", "\u200eÖ-1", "Ö-1\u200c")
    ]
    assert created == [True, False, False, False]
    document = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id } } }"
    by = [("Köln", "K-é"), ("Ko\u0308ln", "K-e\u0301"), ("\ufeffKöln\u200b", "K-é\u2063")]
    answers = [
        await northwind_client.query(
            document, {"input": {"by": {"external": {"source": source, "externalId": key}}, "name": "Spelt"}}
        )
        for source, key in by
    ]
    assert [answer["customerUpsert"]["created"] for answer in answers] == [True, False, False]


async def test_v5_groups_by_name_are_of_one_spelling(northwind_client: HubClient) -> None:
    names = ["Zoë Grüne", "Zoe\u0308 Gru\u0308ne", "Zoë\u00a0Grüne", "Zoë\u200b Grüne"]
    for name in names:
        assert (await new_customer(northwind_client, name=name))["name"] == names[0]
    query = """query ($names: [String!]) { customersGrouped(by: [{field: NAME}], filter: {name: {in: $names}}) {
        nodes { key { name } stats { count } }
    } }"""
    groups = (await northwind_client.query(query, {"names": names[1:2]}))["customersGrouped"]["nodes"]
    assert groups == [{"key": {"name": names[0]}, "stats": {"count": 4}}]


@pytest.mark.parametrize(
    "name",
    [
        "\u200b",
        "\ufeff\u2060",
        "ㅤ",
        "⠀",
        " \u200d ",
        "Anna\u2028Meier",
        "Anna\u2029",
        "An\x85na",
        "A\x9fb",
        "a\x07b",
        "a\nb",
        "a\ufdd0b",
        "",
    ],
)
async def test_v5_names_that_nobody_sees_or_of_two_lines_are_refused(northwind_client: HubClient, name: str) -> None:
    assert await rejection(northwind_client, CREATE, {"input": {"name": name}}) == ("VALUE_INVALID", "input.name")


@pytest.mark.parametrize(
    "name",
    [
        "می\u200cخواهم",
        "👩\u200d❤️\u200d👨",
        "ক\u09cd\u200dষ",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "1️⃣",
        "葛\U000e0100城",
        "山田\u3000太郎",
        "©️ Meier",
        "O’Neil",
    ],
)
async def test_v5_joiners_and_selectors_stay_where_they_are_seen(northwind_client: HubClient, name: str) -> None:
    assert (await new_customer(northwind_client, name=name))["name"] == name
