"""Clocks that are a little ahead, late scores, the end of time, and the size of JSON in bytes of UTF-8."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from writer_client import HubClient

CONSENT = """mutation ($input: ConsentSetInput!) { consentSet(input: $input) {
    consent { givenAt expiresAt current evidence createdAt }
} }"""
SCORE = """mutation ($input: ScoreRecordInput!) { scoreRecord(input: $input) {
    score { value computedAt current supersededAt reasons createdAt }
} }"""
INTERACTION = """mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) {
    interaction { occurredAt createdAt }
} }"""
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { attributes } } }"
ANSWER = {"purpose": "news", "status": "GRANTED", "source": "shop"}
SEEN = {"channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}
ROOTS = {
    "givenAt": (CONSENT, ANSWER),
    "computedAt": (SCORE, {"model": "churn.risk", "value": "1"}),
    "occurredAt": (INTERACTION, SEEN),
}


@pytest.fixture(scope="module")
async def customer(northwind_client: HubClient) -> str:
    data = await northwind_client.query("{ customers(first: 1) { nodes { id } } }")
    return str(data["customers"]["nodes"][0]["id"])


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("argument", ROOTS)
@pytest.mark.parametrize("seconds", [3, 60, 270])
async def test_v11_a_clock_a_little_ahead_is_now(
    northwind_client: HubClient, customer: str, argument: str, seconds: float
) -> None:
    document, values = ROOTS[argument]
    answer = await northwind_client.query(
        document, {"input": {"customerId": customer, **values, argument: ahead(seconds)}}
    )
    ((row,),) = (root.values() for root in answer.values())
    assert row[argument] == row["createdAt"]
    assert datetime.fromisoformat(row[argument]) <= datetime.now(UTC)


@pytest.mark.parametrize("argument", ROOTS)
async def test_v11_a_moment_far_ahead_is_refused(northwind_client: HubClient, customer: str, argument: str) -> None:
    document, values = ROOTS[argument]
    far = ahead(timedelta(days=1, minutes=1).total_seconds())
    error = await northwind_client.error(document, {"input": {"customerId": customer, **values, argument: far}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.{argument}")


async def test_v11_scores_are_backfilled(northwind_client: HubClient, customer: str) -> None:
    times = ("2020-01-01T00:00:00+00:00", "2024-01-01T00:00:00+00:00", "2022-01-01T00:00:00+00:00")
    for value, moment in enumerate(times):
        values = {"customerId": customer, "model": "late.score", "value": value, "computedAt": moment}
        last = (await northwind_client.query(SCORE, {"input": values}))["scoreRecord"]["score"]
    assert (last["current"], last["supersededAt"]) == (False, times[1])
    read = """query ($id: ID!) { customer(id: $id) { scores(filter: {model: {eq: "late.score"}}) {
        nodes { computedAt supersededAt current }
    } } }"""
    scores = (await northwind_client.query(read, {"id": customer}))["customer"]["scores"]["nodes"]
    assert [(score["computedAt"], score["supersededAt"], score["current"]) for score in scores] == [
        (times[1], None, True),
        (times[2], times[1], False),
        (times[0], times[2], False),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        "9999-12-31T23:59:59Z",
        "9999-12-31T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999998Z",
        "9999-12-31T23:59:59+14:00",
    ],
)
async def test_v11_the_end_of_time_is_a_time(northwind_client: HubClient, customer: str, moment: str) -> None:
    values = {"customerId": customer, **ANSWER, "purpose": "for.ever", "expiresAt": moment}
    consent = (await northwind_client.query(CONSENT, {"input": values}))["consentSet"]["consent"]
    assert datetime.fromisoformat(consent["expiresAt"]) == datetime.fromisoformat(moment)
    read = "query ($t: DateTime!) { consents(filter: {expiresAt: {eq: $t}}) { totalCount } }"
    assert (await northwind_client.query(read, {"t": moment}))["consents"]["totalCount"] > 0


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-08:00", "0001-01-01T00:00:00Z"])
async def test_v11_what_the_database_calls_infinity_is_refused(
    northwind_client: HubClient, customer: str, moment: str
) -> None:
    values = {"customerId": customer, **ANSWER, "expiresAt": moment}
    error = await northwind_client.error(CONSENT, {"input": values})
    assert error["code"] == "VARIABLE_INVALID"


TEXTS = ["漢" * 2_800, "😀" * 1_500, "é" * 8_000, "x" * 16_000, "Привет " * 1_200]


@pytest.mark.parametrize("text", TEXTS)
async def test_v12_json_is_counted_in_bytes_of_utf_8(northwind_client: HubClient, customer: str, text: str) -> None:
    facts: Any = {"t": text}
    answer = await northwind_client.query(UPDATE, {"input": {"id": customer, "attributes": facts}})
    assert answer["customerUpdate"]["customer"]["attributes"]["t"] == text
    answer = await northwind_client.query(CONSENT, {"input": {"customerId": customer, **ANSWER, "evidence": facts}})
    assert answer["consentSet"]["consent"]["evidence"] == facts
    values = {"customerId": customer, "model": "size.score", "value": "1", "reasons": [facts]}
    answer = await northwind_client.query(SCORE, {"input": values})
    assert answer["scoreRecord"]["score"]["reasons"] == [facts]
    await northwind_client.query(UPDATE, {"input": {"id": customer, "attributes": {"t": None}}})


@pytest.mark.parametrize("text", ["漢" * 5_500, "😀" * 4_100, "é" * 8_200, "x" * 16_400])
async def test_v12_too_many_bytes_are_refused(northwind_client: HubClient, customer: str, text: str) -> None:
    facts = {"t": text}
    score = {"model": "size.score", "value": "1", "reasons": [facts]}
    for document, values, argument in (
        (UPDATE, {"id": customer, "attributes": facts}, "attributes"),
        (CONSENT, {"customerId": customer, **ANSWER, "evidence": facts}, "evidence"),
        (SCORE, {"customerId": customer, **score}, "reasons[0]"),
    ):
        error = await northwind_client.error(document, {"input": values})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.{argument}")


async def test_v12_merged_attributes_are_counted_together(northwind_client: HubClient, customer: str) -> None:
    await northwind_client.query(UPDATE, {"input": {"id": customer, "attributes": {"one": "漢" * 3_000}}})
    error = await northwind_client.error(UPDATE, {"input": {"id": customer, "attributes": {"two": "漢" * 3_000}}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.attributes")
    await northwind_client.query(UPDATE, {"input": {"id": customer, "attributes": {"one": None, "two": "漢" * 3_000}}})
