"""Telephone numbers and addresses: one normal form in writes, look-ups and filters."""

from typing import Any

import pytest
from writer_client import HubClient

IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    outcome customer { id identifiers { nodes { value normalized } } }
} }"""
BY = "query ($by: CustomerByIdentifier!) { customerBy(identifier: $by) { id } }"
QUICK = '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }'
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
POINT = """mutation ($input: ContactPointCreateInput!) {
    contactPointCreate(input: $input) { contactPoint { id value } }
}"""
POINTS = "query ($filter: ContactPointFilter) { contacts(filter: {points: {some: $filter}}) { nodes { id } } }"


async def identify(northwind_client: HubClient, kind: str, value: str, source: str = "shop") -> Any:
    variables = {"input": {"identifiers": [{"kind": kind, "value": value}], "source": source}}
    return (await northwind_client.query(IDENTIFY, variables))["identify"]


async def find(northwind_client: HubClient, kind: str, value: str, **arguments: str) -> str | None:
    by = {"kind": kind, "value": value, **arguments}
    customer = (await northwind_client.query(BY, {"by": by}))["customerBy"]
    return None if customer is None else str(customer["id"])


async def new_contact(northwind_client: HubClient, name: str) -> str:
    customer = (await northwind_client.query(QUICK))["customerBy"]["id"]
    contact = await northwind_client.query(CONTACT, {"input": {"customerId": customer, "name": name}})
    return str(contact["contactCreate"]["contact"]["id"])


@pytest.mark.parametrize(
    "value",
    [
        "+49 171 1234567 Anna",
        "+49 30 123456 fax",
        "+43 1 CALLUS99",
        "Tel. +49 30 123456",
        "+49 30 123456 привет",
        "+91 22 12345678 (office)",
        "+1-800-FLOWERS",
    ],
)
async def test_v1_letters_in_a_phone_number_are_refused(northwind_client: HubClient, value: str) -> None:
    variables = {"input": {"identifiers": [{"kind": "PHONE", "value": value}], "source": "shop"}}
    error = await northwind_client.error(IDENTIFY, variables)
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].value")


@pytest.mark.parametrize(
    ("point_kind", "value", "country"),
    [
        ("PHONE", "030 123456 (privat)", "DE"),
        ("MOBILE", "0171 1234567 Anna", "DE"),
        ("FAX", "01 58858-0 Sekretariat", "AT"),
        ("PHONE", "06 1234567 casa", "IT"),
    ],
)
async def test_v1_letters_in_a_contact_point_are_refused(
    northwind_client: HubClient, point_kind: str, value: str, country: str
) -> None:
    point = {
        "contactId": await new_contact(northwind_client, "Letters"),
        "kind": point_kind,
        "value": value,
        "country": country,
    }
    error = await northwind_client.error(POINT, {"input": point})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.value")
    assert "has letters" in error["message"]


@pytest.mark.parametrize(
    ("number", "spellings"),
    [
        ("493023456781", ["+49 (0)30 2345 6781", "(0049) 30-23456781", "0049(0)30 23456781", "+49 30 2345 6781"]),
        ("4930234567", ["+٤٩ ٣٠ ٢٣٤٥٦٧", "٠٠٤٩ ٣٠ ٢٣٤٥٦٧", "＋４９ ３０ ２３４５６７", "\u202a+49 30 234567\u202c"]),
        (
            "441715550100",
            ["+44 (0)171 555 0100", "tel:+44-171-555-0100", "00 44 171 5550100", "+44\u00a0171\u00a05550100"],
        ),
        ("39061234567", ["+39 06 123 4567", "+39 (0)6 1234567", "(0039) 06 1234567"]),
    ],
)
async def test_v2_a_phone_number_is_found_by_every_spelling(
    northwind_client: HubClient, number: str, spellings: list[str]
) -> None:
    for source, spelling in enumerate(spellings):
        answer = await identify(northwind_client, "PHONE", spelling, f"phones{source}")
        assert [node["normalized"] for node in answer["customer"]["identifiers"]["nodes"]] == [number]
        for asked in spellings:
            assert await find(northwind_client, "PHONE", asked, source=f"phones{source}") == answer["customer"]["id"]


@pytest.mark.parametrize(
    "spellings",
    [
        ["Nora＠Mail.IE", "nora@mail.ie", " NORA@MAIL.IE\u200b", "\ufeffnora@mail.ie"],
        ["jo@bücher.de", "jo@bu\u0308cher.de", "jo@xn--bcher-kva.de", "JO@BÜCHER.DE"],
        ["zoë@home.org", "zoe\u0308@home.org", "ZOË@home.org"],
        ["li@例え.jp", "li@xn--r8jz45g.jp"],
    ],
)
async def test_v2_an_address_is_found_by_every_spelling(northwind_client: HubClient, spellings: list[str]) -> None:
    first = (await identify(northwind_client, "EMAIL", spellings[0]))["customer"]["id"]
    for spelling in spellings:
        assert await find(northwind_client, "EMAIL", spelling) == first
        again = await identify(northwind_client, "EMAIL", spelling)
        assert (again["outcome"], again["customer"]["id"]) == ("MATCHED", first)


async def test_v2_a_national_number_is_read_in_a_country(northwind_client: HubClient) -> None:
    customer = (await identify(northwind_client, "PHONE", "+49 30 7654321"))["customer"]["id"]
    assert await find(northwind_client, "PHONE", "030 765 4321", country="de") == customer
    assert await find(northwind_client, "PHONE", "030 765 4321", country="AT") is None
    error = await northwind_client.error(BY, {"by": {"kind": "PHONE", "value": "030 765 4321"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "identifier.value")
    error = await northwind_client.error(BY, {"by": {"kind": "PHONE", "value": "030 765 4321", "country": "Germany"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "identifier.country")


@pytest.mark.parametrize(
    ("point_kind", "country", "value", "stored"),
    [
        ("EMAIL", None, "Nora@Mail.IE", "Nora@mail.ie"),
        ("EMAIL", None, "ann＠bu\u0308cher.de", "ann@bücher.de"),
        ("PHONE", "DE", "030 / 998 877", "+4930998877"),
        ("MOBILE", None, "(0049) 171-9988776", "+491719988776"),
        ("FAX", "GB", "(0171) 555 0199", "+441715550199"),
        ("CHAT", None, "@no\u0308ra\u200b", "@nöra"),
        ("WEB", None, " https://nora.ie ", "https://nora.ie"),
    ],
)
async def test_v2_a_contact_point_is_found_by_what_was_written(
    northwind_client: HubClient, point_kind: str, country: str | None, value: str, stored: str
) -> None:
    contact = await new_contact(northwind_client, f"{point_kind} {stored}"[:40])
    point = {"contactId": contact, "kind": point_kind, "value": value, "country": country}
    written = await northwind_client.query(POINT, {"input": point})
    assert written["contactPointCreate"]["contactPoint"]["value"] == stored
    known = {} if country is None else {"country": {"eq": country.lower()}}
    for condition in ({"eq": value}, {"in": ["nobody", value]}, {"eq": stored}):
        for part in ({}, {"kind": {"eq": point_kind}}):
            found = await northwind_client.query(POINTS, {"filter": {"value": condition, **known, **part}})
            assert found["contacts"]["nodes"] == [{"id": contact}], condition
    other = {"value": {"ne": value}, "kind": {"eq": point_kind}, **known, "contact": {"id": {"eq": contact}}}
    assert (await northwind_client.query(POINTS, {"filter": other}))["contacts"]["nodes"] == []


async def test_v9_real_addresses_with_a_placeholder_s_local_part_are_accepted(northwind_client: HubClient) -> None:
    for address in ("na@firma.de", "test@firma.de", "null@firma.de", "info@test.com", "guest@hotel.example.org"):
        customer = (await identify(northwind_client, "EMAIL", address))["customer"]["id"]
        assert await find(northwind_client, "EMAIL", address.upper()) == customer


@pytest.mark.parametrize(
    "address", ["test@test.com", "TEST@Test.com", "a@a.com", "noemail@noemail.com", "x@example.com"]
)
async def test_v9_placeholder_addresses_are_junk(northwind_client: HubClient, address: str) -> None:
    variables = {"input": {"identifiers": [{"kind": "EMAIL", "value": address}], "source": "shop"}}
    assert (await northwind_client.error(IDENTIFY, variables))["code"] == "IDENTIFIER_JUNK"


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "true",
        '"null"',
        "(null)",
        "#N/A",
        "n.a.",
        "?",
        "{{user_id}}",
        "user_id",
        "distinct_id",
        "'undefined'",
        "${id}",
        "<empty>",
        "[object Object]",
        "００００",
        "00000000-0000-0000-0000-000000000000",
        "…",
        "Not Set",
    ],
)
async def test_v9_placeholders_identify_nobody(northwind_client: HubClient, value: str) -> None:
    variables = {"input": {"identifiers": [{"kind": "EXTERNAL_ID", "value": value}], "source": "shop"}}
    error = await northwind_client.error(IDENTIFY, variables)
    assert (error["code"], error["argument"]) == ("IDENTIFIER_JUNK", "input.identifiers[0].value")


@pytest.mark.parametrize(
    "value", ["nullable-1", "Guest-42", "TRUE NORTH", "{6F9619FF-8B86-D011-B42D-00C04FC964FF}", "O'Null"]
)
async def test_v9_a_value_that_contains_a_placeholder_is_none(northwind_client: HubClient, value: str) -> None:
    customer = (await identify(northwind_client, "EXTERNAL_ID", value))["customer"]["id"]
    assert await find(northwind_client, "EXTERNAL_ID", value, source="shop") == customer


@pytest.mark.parametrize(
    ("identifier_kind", "spellings"),
    [
        ("TAX_ID", ["DE 136 695 976", "DE136695976", "de136695976", "DE-136695976", "DE.136.695.976", "ＤＥ136695976"]),
        ("TAX_ID", ["12.345.678/0001-95", "12345678000195", "12 345 678 0001 95"]),
        ("LOYALTY_ID", ["1234 5678 90", "1234-5678-90", "1234567890", "1234\u00a05678–90"]),
    ],
)
async def test_v6_numbers_are_compact(northwind_client: HubClient, identifier_kind: str, spellings: list[str]) -> None:
    first = (await identify(northwind_client, identifier_kind, spellings[0]))["customer"]
    assert [node["value"] for node in first["identifiers"]["nodes"]] == [spellings[0]]
    for spelling in spellings:
        again = await identify(northwind_client, identifier_kind, spelling)
        assert (again["outcome"], again["customer"]["id"]) == ("MATCHED", first["id"])
        assert await find(northwind_client, identifier_kind, spelling) == first["id"]
        some = {"kind": {"eq": identifier_kind}, "normalized": {"eq": spelling}}
        query = "query ($some: IdentifierFilter) { customers(filter: {identifiers: {some: $some}}) { nodes { id } } }"
        assert (await northwind_client.query(query, {"some": some}))["customers"]["nodes"] == [{"id": first["id"]}]


async def test_v6_a_card_s_letters_keep_their_case(northwind_client: HubClient) -> None:
    upper = await identify(northwind_client, "LOYALTY_ID", "AB-77")
    lower = await identify(northwind_client, "LOYALTY_ID", "ab-77")
    assert upper["customer"]["id"] != lower["customer"]["id"]
