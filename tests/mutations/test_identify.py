"""Who is it: customers found or made behind identifiers, whoever asks and however many at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.viewer import Role

IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    customer { id name country identifiers { nodes { kind normalized source verified } } } outcome reasons review { id status }
} }"""
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id } } }"
COUNT = """query ($value: String!) {
    customers(filter: {identifiers: {some: {normalized: {eq: $value}}}}) { totalCount }
}"""
AT_ONCE = 64


@pytest.fixture(scope="module")
async def hub_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    async with open_hub_client(await create_database("migrated")) as hub_writer:
        yield hub_writer


@pytest.fixture(scope="module")
async def units(hub_client: HubClient) -> tuple[str, str]:
    """Two units of the organisation."""
    document = (
        "mutation ($input: OrgUnitsCreateInput!) { orgUnitsCreate(input: $input) { results { orgUnit { id } } } }"
    )
    inputs = [{"code": code, "name": code, "kind": "GROUP"} for code in ("east", "west")]
    results = (await hub_client.query(document, {"input": {"rows": inputs}}))["orgUnitsCreate"]["results"]
    east, west = (result["orgUnit"]["id"] for result in results)
    return east, west


def identify_variables(
    unit: str | None, source: str, *identifiers: tuple[str, str, bool], **traits: Any
) -> dict[str, Any]:
    """The variables of a question."""
    inputs = [
        {"kind": identifier_kind, "value": value, "verified": verified}
        for identifier_kind, value, verified in identifiers
    ]
    return {"input": {"identifiers": inputs, "source": source, "traits": {"unitId": unit, **traits}}}


async def identified(hub_client: HubClient, *args: Any, key: str | None = None, **traits: Any) -> Any:
    return (await hub_client.query(IDENTIFY, identify_variables(*args, **traits), key=key))["identify"]


async def test_a_customer_is_created_and_then_matched(hub_client: HubClient, units: tuple[str, str]) -> None:
    email = ("EMAIL", "Ann@Home.org", False)
    created = await identified(hub_client, units[0], "shop", email, name="Ann")
    again = await identified(hub_client, units[0], "shop", ("EMAIL", "ann@home.org", True), name="Anna", country="de")
    known = {"kind": "EMAIL", "normalized": "ann@home.org", "source": "shop", "verified": True}
    assert (created["outcome"], again["outcome"]) == ("CREATED", "MATCHED")
    customer = {"id": created["customer"]["id"], "name": "Ann", "country": "DE", "identifiers": {"nodes": [known]}}
    assert again["customer"] == customer
    assert again["reasons"] == ["EMAIL ann@home.org is known to be the customer's"]


async def test_an_address_that_was_only_typed_joins_no_two_sources(
    hub_client: HubClient, units: tuple[str, str]
) -> None:
    email = ("EMAIL", "bob@home.org", False)
    first = await identified(hub_client, units[0], "shop", email, name="Bob")
    second = await identified(hub_client, units[0], "helpdesk", email, name="Mallory")
    assert second["outcome"] == "QUEUED_FOR_REVIEW"
    assert second["customer"]["id"] != first["customer"]["id"]
    assert second["review"]["status"] == "OPEN"
    third = await identified(hub_client, units[0], "helpdesk", email)
    assert (third["outcome"], third["customer"]["id"]) == ("MATCHED", second["customer"]["id"])
    assert third["review"] == second["review"]


async def test_an_address_verified_on_both_sides_joins_them(hub_client: HubClient, units: tuple[str, str]) -> None:
    email = ("EMAIL", "cyd@home.org", True)
    first = await identified(hub_client, units[0], "shop", email)
    second = await identified(hub_client, units[0], "helpdesk", email)
    assert (second["outcome"], second["customer"]["id"]) == ("MATCHED", first["customer"]["id"])


async def test_the_key_of_another_system_goes_before_an_address(hub_client: HubClient, units: tuple[str, str]) -> None:
    one = await identified(hub_client, units[0], "erp", ("EXTERNAL_ID", "E-1", True), ("EMAIL", "dee@home.org", True))
    two = await identified(hub_client, units[0], "erp", ("EXTERNAL_ID", "E-2", True), ("EMAIL", "dee@home.org", True))
    assert (one["outcome"], two["outcome"]) == ("CREATED", "QUEUED_FOR_REVIEW")
    assert one["customer"]["id"] != two["customer"]["id"]


async def test_a_customer_keeps_no_more_than_so_many_addresses(hub_client: HubClient, units: tuple[str, str]) -> None:
    loyalty = ("LOYALTY_ID", "L-77", True)
    for number in range(7):
        result = await identified(hub_client, units[0], "shop", loyalty, ("EMAIL", f"m{number}@home.org", False))
    assert (
        len([identifier for identifier in result["customer"]["identifiers"]["nodes"] if identifier["kind"] == "EMAIL"])
        == 5
    )
    assert result["reasons"][-1] == "EMAIL m6@home.org was not kept: the customer has 5 of the kind"


async def test_one_address_of_many_systems_is_one(hub_client: HubClient, units: tuple[str, str]) -> None:
    email = ("EMAIL", "ida@home.org", True)
    for number in range(7):
        result = await identified(hub_client, units[0], f"system {number}", email)
    assert [identifier["source"] for identifier in result["customer"]["identifiers"]["nodes"]] == [
        f"system {n}" for n in range(7)
    ]
    assert result["reasons"] == ["EMAIL ida@home.org is known to be the customer's"]
    for number in range(5):
        result = await identified(hub_client, units[0], "shop", email, ("EMAIL", f"ida{number}@home.org", False))
    assert result["reasons"][1:] == ["EMAIL ida4@home.org was not kept: the customer has 5 of the kind"]


STATE = "query ($id: ID!) { customer(id: $id) { name kind country attributes version } }"


async def test_a_matched_customer_gets_missing_traits_only(hub_client: HubClient, units: tuple[str, str]) -> None:
    email = ("EMAIL", "tee@home.org", False)
    key = (await identified(hub_client, None, "shop", email, unitId=units[0]))["customer"]["id"]

    async def state(**traits: Any) -> Any:
        assert (await identified(hub_client, None, "shop", email, **traits))["outcome"] == "MATCHED"
        return (await hub_client.query(STATE, {"id": key}))["customer"]

    rest = {"kind": "PERSON", "country": None}
    assert await state() == {"name": "tee@home.org", "attributes": {}, "version": 1, **rest}
    taken = {"name": "Tee Two", "attributes": {"floor": 3}, **rest}
    assert await state(name=" Tee Two", kind="ORGANISATION", attributes={"floor": 3}) == {**taken, "version": 2}
    assert await state(name="Tee Three", attributes={"floor": 4}) == {**taken, "version": 2}
    more = {**taken, "attributes": {"floor": 3, "door": 1}, "country": "DE", "version": 3}
    assert await state(attributes={"floor": 4, "lift": None, "door": 1}, country="de") == more
    assert await state(attributes={"door": 2}, country="FR") == more
    for traits, argument in (
        ({"country": "QQ"}, "country"),
        ({"name": " "}, "name"),
        ({"language": "x"}, "language"),
        ({"attributes": {"floor": "x" * 17_000}}, "attributes"),
    ):
        result = await identified(hub_client, None, "shop", email, **traits)
        assert result["reasons"][1].startswith(f"traits.{argument} was not taken: ")
    assert (await hub_client.query(STATE, {"id": key}))["customer"] == more


@pytest.mark.parametrize("identifier_kind", ["EXTERNAL_ID", "LOYALTY_ID", "DEVICE_ID", "TAX_ID"])
async def test_the_first_row_of_a_source_is_somebody(
    hub_client: HubClient, units: tuple[str, str], identifier_kind: str
) -> None:
    assert (await identified(hub_client, units[0], "serial", (identifier_kind, "1", False), name="One"))[
        "outcome"
    ] == "CREATED"


@pytest.mark.parametrize("identifier_kind", ["PHONE", "FAX"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("+1 212 555 0123 ext. 5", "has an extension, which is not kept; give a number that reaches without one."),
        ("+1 212 555 0123;ext=6", "has an extension, which is not kept; give a number that reaches without one."),
        ("+1 000 000 0000", "is no telephone number; give it with its country, like +49 30 123456."),
        ("+49 0000000", "is no telephone number; give it with its country, like +49 30 123456."),
        ("+1 555 0100", "is no telephone number; give it with its country, like +49 30 123456."),
    ],
)
async def test_a_shared_or_invalid_number_is_refused(
    hub_client: HubClient, units: tuple[str, str], identifier_kind: str, value: str, problem: str
) -> None:
    error = await hub_client.error(IDENTIFY, identify_variables(units[0], "shop", (identifier_kind, value, False)))
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].value")
    assert error["message"] == f"input.identifiers[0].value: {value!r} {problem}"


@pytest.mark.parametrize(
    ("name", "value"), [("country", "ß"), ("country", "ﬁ"), ("currency", "uſd"), ("language", "\N{KELVIN SIGN}o")]
)
async def test_a_code_is_of_plain_letters(hub_client: HubClient, units: tuple[str, str], name: str, value: str) -> None:
    loyalty = ("LOYALTY_ID", f"L-{ord(value[0])}", False)
    result = await identified(hub_client, units[0], "shop", loyalty, **{name: value})
    (reason,) = result["reasons"]
    assert reason.startswith(f"traits.{name} was not taken: ")
    assert result["customer"]["country"] is None


@pytest.mark.parametrize(
    ("identifier_kind", "value"),
    [
        ("EMAIL", "test@test.com"),
        ("EMAIL", "someone@example.com"),
        ("EXTERNAL_ID", "null"),
        ("EXTERNAL_ID", "000-000"),
        ("EXTERNAL_ID", "-1"),
        ("DEVICE_ID", "undefined"),
        ("DEVICE_ID", "[object Object]"),
        ("ANONYMOUS_ID", "anonymous"),
        ("PHONE", "+0000000000"),
    ],
)
async def test_a_placeholder_identifies_nobody(
    hub_client: HubClient, units: tuple[str, str], identifier_kind: str, value: str
) -> None:
    placeholder = (identifier_kind, value, False)
    error = await hub_client.error(IDENTIFY, identify_variables(units[0], "shop", placeholder))
    assert error["code"] in ("IDENTIFIER_JUNK", "VALUE_INVALID")
    assert error["argument"] == "input.identifiers[0].value"
    result = await identified(hub_client, units[0], "shop", ("EMAIL", "ok@home.org", False), placeholder)
    assert result["reasons"][-1].startswith(f"{identifier_kind} {value} was not taken: ")
    assert [node["kind"] for node in result["customer"]["identifiers"]["nodes"]] == ["EMAIL"]


async def test_one_address_in_two_forms_is_one(hub_client: HubClient, units: tuple[str, str]) -> None:
    first = await identified(hub_client, units[0], "shop", ("EMAIL", "u@bücher.de", False))
    second = await identified(hub_client, units[0], "shop", ("EMAIL", "u@xn--bcher-kva.de", False))
    assert (second["outcome"], second["customer"]["id"]) == ("MATCHED", first["customer"]["id"])


async def test_a_source_is_one_line(hub_client: HubClient) -> None:
    by = {"external": {"source": "x" * 20_000, "externalId": "E-1"}}
    error = await hub_client.error(UPSERT, {"input": {"by": by, "kind": "PERSON", "name": "x"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.by.external.source")


RECORD = "mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) { interaction { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"


@pytest.mark.parametrize("identifier_kind", ["EXTERNAL_ID", "DEVICE_ID", "ANONYMOUS_ID"])
async def test_source_scoped_identifiers_are_looked_up_in_their_source(
    hub_client: HubClient, units: tuple[str, str], identifier_kind: str
) -> None:
    for source in ("erp", "shop"):
        await identified(hub_client, units[0], source, (identifier_kind, f"{identifier_kind}-42", False), name=source)
    identifier: dict[str, Any] = {"kind": identifier_kind, "value": f"{identifier_kind}-42"}
    said = f"source: {identifier_kind} means something within one system alone; give the system that it is of."
    recorded = {"channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}
    for document, path, input_values in (
        (RECORD, "input.identifier", {"identifier": identifier, **recorded}),
        (ORDER, "input.identifier", {"identifier": identifier, "number": identifier_kind, "currency": "EUR"}),
        (UPSERT, "input.by.identifier", {"by": {"identifier": identifier}, "name": "Nobody"}),
    ):
        error = await hub_client.error(document, {"input": input_values})
        assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", f"{path}.source")
        assert error["message"] == f"{path}.{said}"
    input_values = {"by": {"identifier": {**identifier, "source": "shop"}}, "tier": "GOLD"}
    assert (await hub_client.query(UPSERT, {"input": input_values}))["customerUpsert"]["created"] is False
    gold = "{ customers(filter: {tier: {eq: GOLD}}) { nodes { name } } }"
    assert {node["name"] for node in (await hub_client.query(gold))["customers"]["nodes"]} == {"shop"}


CONTACT = """mutation ($input: ContactCreateInput!) { contactCreate(input: $input) {
    contact { id points { nodes { id verified } } }
} }"""
POINT = (
    "mutation ($input: ContactPointCreateInput!) { contactPointCreate(input: $input) { contactPoint { id verified } } }"
)
EDIT = "mutation ($input: ContactPointUpdateInput!) { contactPointUpdate(input: $input) { contactPoint { verified preferred } } }"
MANY = """mutation ($input: ContactPointsCreateInput!) { contactPointsCreate(input: $input) {
    results { contactPoint { id } }
} }"""


async def test_a_customer_does_not_prove_its_own_addresses(hub_client: HubClient, units: tuple[str, str]) -> None:
    customer = (await identified(hub_client, units[0], "shop", ("EMAIL", "hal@home.org", False), name="Hal"))[
        "customer"
    ]
    key = await create_api_key(hub_client.dsn, Role.WRITER, customer_id=UUID(customer["id"][4:]))
    point = {"kind": "EMAIL", "value": "ceo@bank.org"}
    contact = {"customerId": customer["id"], "name": "Hal", "points": [point]}
    created = (await hub_client.query(CONTACT, {"input": contact}, key=key))["contactCreate"]["contact"]
    (stored_point,) = created["points"]["nodes"]
    assert stored_point["verified"] is False
    proven = {**point, "verified": True}
    refusals = [
        (CONTACT, {**contact, "points": [point, proven]}, "input.points[1].verified"),
        (POINT, {**proven, "contactId": created["id"]}, "input.verified"),
        (EDIT, {"id": stored_point["id"], "verified": True}, "input.verified"),
    ]
    for document, input_values, argument in refusals:
        error = await hub_client.error(document, {"input": input_values}, key=key)
        assert (error["code"], error["argument"]) == ("FORBIDDEN", argument)
        assert (
            error["message"] == f"{argument}: a key bound to a customer proves nothing of the customer; leave it out."
        )
    rows = [{**point, "contactId": created["id"]}, {**proven, "contactId": created["id"]}]
    error = await hub_client.error(MANY, {"input": {"rows": rows}}, key=key)
    assert (error["code"], error["argument"]) == ("BULK_REJECTED", "input.rows[1].verified")
    assert [(row["row"], row["code"]) for row in error["rows"]] == [(1, "FORBIDDEN")]
    edited = {"id": stored_point["id"], "verified": False, "preferred": True}
    answer = await hub_client.query(EDIT, {"input": edited}, key=key)
    assert answer["contactPointUpdate"]["contactPoint"] == {"verified": False, "preferred": True}
    answer = await hub_client.query(EDIT, {"input": {"id": stored_point["id"], "verified": True}})
    assert answer["contactPointUpdate"]["contactPoint"]["verified"] is True


async def test_a_hidden_customer_is_neither_matched_nor_revealed(
    hub_client: HubClient, units: tuple[str, str], create_database: CreateDatabase
) -> None:
    connection = await asyncpg.connect(hub_client.dsn)
    west = await connection.fetchval("select id from org_units where code = 'west'")
    await connection.close()
    key = await create_api_key(hub_client.dsn, Role.WRITER, unit_id=west)
    await identified(hub_client, units[0], "shop", ("EMAIL", "eli@home.org", True), ("LOYALTY_ID", "L-1", True))
    beside = await identified(
        hub_client, None, "shop", ("EMAIL", "eli@home.org", True), ("PHONE", "+4930123456", True), key=key
    )
    assert beside["outcome"] == "CREATED"
    assert (beside["reasons"], beside["review"]) == ([], None)
    assert [identifier["kind"] for identifier in beside["customer"]["identifiers"]["nodes"]] == ["EMAIL", "PHONE"]
    other = await identified(hub_client, None, "shop", ("LOYALTY_ID", "L-1", True), key=key)
    assert (other["outcome"], other["reasons"], other["review"]) == ("CREATED", [], None)


async def _while_deleting(hub_client: HubClient, table: str, row: str, document: str, variables: dict[str, Any]) -> Any:
    """The answer to a mutation that finds a row and then waits for it while it is deleted by somebody else."""
    deleting, watching = await asyncpg.connect(hub_client.dsn), await asyncpg.connect(hub_client.dsn)
    waiting = "select count(*) from pg_locks where not granted"
    async with deleting.transaction():
        await deleting.execute(f"delete from {table} where id = $1", UUID(row[4:]))
        answer = asyncio.create_task(hub_client.query(document, variables))
        while not await watching.fetchval(waiting):
            assert not answer.done(), await answer
            await asyncio.sleep(0.01)
    await deleting.close()
    await watching.close()
    return await answer


async def test_a_customer_being_deleted_is_created_again(hub_client: HubClient, units: tuple[str, str]) -> None:
    question = identify_variables(units[0], "shop", ("EMAIL", "fay@home.org", True), name="Fay")
    first = (await hub_client.query(IDENTIFY, question))["identify"]["customer"]["id"]
    second = (await _while_deleting(hub_client, "customers", first, IDENTIFY, question))["identify"]
    assert second["outcome"] == "CREATED"
    by = {"identifier": {"kind": "EMAIL", "value": "fay@home.org"}}
    upsert = {"input": {"by": by, "kind": "PERSON", "name": "Fay", "unitId": units[0]}}
    second_id = second["customer"]["id"]
    third = (await _while_deleting(hub_client, "customers", second_id, UPSERT, upsert))["customerUpsert"]
    assert third["created"]
    assert len({first, second_id, third["customer"]["id"]}) == 3


async def test_nobody_is_matched_with_a_customer_being_deleted(hub_client: HubClient, units: tuple[str, str]) -> None:
    known = identify_variables(units[0], "shop", ("EMAIL", "gus@home.org", False), name="Gus")
    doubtful = identify_variables(units[0], "helpdesk", ("EMAIL", "gus@home.org", False), name="Gus")
    first = (await hub_client.query(IDENTIFY, known))["identify"]["customer"]["id"]
    assert (await _while_deleting(hub_client, "customers", first, IDENTIFY, doubtful))["identify"][
        "outcome"
    ] == "CREATED"


async def test_a_product_being_deleted_is_created_again(hub_client: HubClient) -> None:
    upsert = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created product { id } } }"
    variables = {"input": {"by": {"sku": "D-1"}, "name": "D", "category": "D", "unitPrice": "1", "currency": "EUR"}}
    first = (await hub_client.query(upsert, variables))["productUpsert"]
    second = (await _while_deleting(hub_client, "products", first["product"]["id"], upsert, variables))["productUpsert"]
    assert (first["created"], second["created"]) == (True, True)
    assert first["product"]["id"] != second["product"]["id"]


@random_runs.draws("rounds of identify at once")
async def test_many_who_ask_at_once_get_one_customer(
    hub_client: HubClient, units: tuple[str, str], seed: int, draws: int
) -> None:
    """64 questions for one person beside 64 upserts of another, round by round."""
    rng = random.Random(seed)
    for _ in range(draws):
        name = f"{rng.getrandbits(64):x}"
        question = identify_variables(
            units[0], "shop", ("EMAIL", f"{name}@one.org", False), ("LOYALTY_ID", name, False), name="One"
        )
        by = {"identifier": {"kind": "EMAIL", "value": f"{name}@two.org"}}
        upsert = {"input": {"by": by, "kind": "PERSON", "name": "Two", "unitId": units[0]}}
        calls = [(IDENTIFY, question)] * AT_ONCE + [(UPSERT, upsert)] * AT_ONCE
        rng.shuffle(calls)
        answers = await asyncio.gather(*(hub_client.query(document, variables) for document, variables in calls))
        for root in ("identify", "customerUpsert"):
            assert len({answer[root]["customer"]["id"] for answer in answers if root in answer}) == 1
        for address in (f"{name}@one.org", f"{name}@two.org"):
            assert await hub_client.query(COUNT, {"value": address}) == {"customers": {"totalCount": 1}}
