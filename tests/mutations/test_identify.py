"""Who is it: customers found or made behind identifiers, whoever asks and however many at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import NewDatabase, key_for
from writer_client import Writer, writing

from hub.viewer import Role

IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    customer { id name country identifiers { nodes { kind normalized source verified } } } outcome reasons review { id status }
} }"""
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id } } }"
COUNT = """query ($value: String!) {
    customers(filter: {identifiers: {some: {normalized: {eq: $value}}}}) { totalCount }
}"""
ROUNDS, AT_ONCE = 100, 64


@pytest.fixture(scope="module")
async def writer(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Writer]:
    async with writing(await new_database("migrated")) as made:
        yield made


@pytest.fixture(scope="module")
async def units(writer: Writer) -> tuple[str, str]:
    """Two units of the organisation."""
    document = (
        "mutation ($input: OrgUnitsCreateInput!) { orgUnitsCreate(input: $input) { results { orgUnit { id } } } }"
    )
    given = [{"code": code, "name": code, "kind": "GROUP"} for code in ("east", "west")]
    results = (await writer.do(document, {"input": {"rows": given}}))["orgUnitsCreate"]["results"]
    east, west = (each["orgUnit"]["id"] for each in results)
    return east, west


def asked(unit: str | None, source: str, *identifiers: tuple[str, str, bool], **traits: Any) -> dict[str, Any]:
    """The variables of a question."""
    given = [{"kind": kind, "value": value, "verified": verified} for kind, value, verified in identifiers]
    return {"input": {"identifiers": given, "source": source, "traits": {"unitId": unit, **traits}}}


async def identified(writer: Writer, *args: Any, key: str | None = None, **traits: Any) -> Any:
    return (await writer.do(IDENTIFY, asked(*args, **traits), key=key))["identify"]


async def test_a_customer_is_made_and_then_matched(writer: Writer, units: tuple[str, str]) -> None:
    email = ("EMAIL", "Ann@Home.org", False)
    made = await identified(writer, units[0], "shop", email, name="Ann")
    again = await identified(writer, units[0], "shop", ("EMAIL", "ann@home.org", True), name="Anna", country="de")
    known = {"kind": "EMAIL", "normalized": "ann@home.org", "source": "shop", "verified": True}
    assert (made["outcome"], again["outcome"]) == ("CREATED", "MATCHED")
    customer = {"id": made["customer"]["id"], "name": "Ann", "country": "DE", "identifiers": {"nodes": [known]}}
    assert again["customer"] == customer
    assert again["reasons"] == ["EMAIL ann@home.org is known to be the customer's"]


async def test_an_address_that_was_only_typed_joins_no_two_sources(writer: Writer, units: tuple[str, str]) -> None:
    email = ("EMAIL", "bob@home.org", False)
    first = await identified(writer, units[0], "shop", email, name="Bob")
    second = await identified(writer, units[0], "helpdesk", email, name="Mallory")
    assert second["outcome"] == "QUEUED_FOR_REVIEW"
    assert second["customer"]["id"] != first["customer"]["id"]
    assert second["review"]["status"] == "OPEN"
    third = await identified(writer, units[0], "helpdesk", email)
    assert (third["outcome"], third["customer"]["id"]) == ("MATCHED", second["customer"]["id"])
    assert third["review"] == second["review"]


async def test_an_address_verified_on_both_sides_joins_them(writer: Writer, units: tuple[str, str]) -> None:
    email = ("EMAIL", "cyd@home.org", True)
    first = await identified(writer, units[0], "shop", email)
    second = await identified(writer, units[0], "helpdesk", email)
    assert (second["outcome"], second["customer"]["id"]) == ("MATCHED", first["customer"]["id"])


async def test_the_key_of_another_system_goes_before_an_address(writer: Writer, units: tuple[str, str]) -> None:
    one = await identified(writer, units[0], "erp", ("EXTERNAL_ID", "E-1", True), ("EMAIL", "dee@home.org", True))
    two = await identified(writer, units[0], "erp", ("EXTERNAL_ID", "E-2", True), ("EMAIL", "dee@home.org", True))
    assert (one["outcome"], two["outcome"]) == ("CREATED", "QUEUED_FOR_REVIEW")
    assert one["customer"]["id"] != two["customer"]["id"]


async def test_a_customer_keeps_no_more_than_so_many_addresses(writer: Writer, units: tuple[str, str]) -> None:
    loyalty = ("LOYALTY_ID", "L-77", True)
    for number in range(7):
        found = await identified(writer, units[0], "shop", loyalty, ("EMAIL", f"m{number}@home.org", False))
    assert len([each for each in found["customer"]["identifiers"]["nodes"] if each["kind"] == "EMAIL"]) == 5
    assert found["reasons"][-1] == "EMAIL m6@home.org was not kept: the customer has 5 of the kind"


async def test_one_address_of_many_systems_is_one(writer: Writer, units: tuple[str, str]) -> None:
    email = ("EMAIL", "ida@home.org", True)
    for number in range(7):
        found = await identified(writer, units[0], f"system {number}", email)
    assert [each["source"] for each in found["customer"]["identifiers"]["nodes"]] == [f"system {n}" for n in range(7)]
    assert found["reasons"] == ["EMAIL ida@home.org is known to be the customer's"]
    for number in range(5):
        found = await identified(writer, units[0], "shop", email, ("EMAIL", f"ida{number}@home.org", False))
    assert found["reasons"][1:] == ["EMAIL ida4@home.org was not kept: the customer has 5 of the kind"]


STATE = "query ($id: ID!) { customer(id: $id) { name kind country attributes version } }"


async def test_who_is_found_gets_what_is_lacking_and_keeps_the_rest(writer: Writer, units: tuple[str, str]) -> None:
    email = ("EMAIL", "tee@home.org", False)
    key = (await identified(writer, None, "shop", email, unitId=units[0]))["customer"]["id"]

    async def state(**traits: Any) -> Any:
        assert (await identified(writer, None, "shop", email, **traits))["outcome"] == "MATCHED"
        return (await writer.do(STATE, {"id": key}))["customer"]

    rest = {"kind": "PERSON", "country": None}
    assert await state() == {"name": "tee@home.org", "attributes": {}, "version": 1, **rest}
    taken = {"name": "Tee Two", "attributes": {"floor": 3}, **rest}
    assert await state(name=" Tee Two", kind="ORGANISATION", attributes={"floor": 3}) == {**taken, "version": 2}
    assert await state(name="Tee Three", attributes={"floor": 4}) == {**taken, "version": 2}
    more = {**taken, "attributes": {"floor": 3, "door": None}, "country": "DE", "version": 3}
    assert await state(attributes={"floor": 4, "door": None}, country="de") == more
    assert await state(attributes={"door": 1}, country="FR") == more
    for traits, argument in (
        ({"country": "QQ"}, "country"),
        ({"name": " "}, "name"),
        ({"language": "x"}, "language"),
        ({"attributes": {"floor": "x" * 17_000}}, "attributes"),
    ):
        error = await writer.refused(IDENTIFY, asked(None, "shop", email, **traits))
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.traits.{argument}")
    assert (await writer.do(STATE, {"id": key}))["customer"] == more


@pytest.mark.parametrize("kind", ["EXTERNAL_ID", "LOYALTY_ID", "DEVICE_ID", "TAX_ID"])
async def test_the_first_row_of_a_source_is_somebody(writer: Writer, units: tuple[str, str], kind: str) -> None:
    assert (await identified(writer, units[0], "serial", (kind, "1", False), name="One"))["outcome"] == "CREATED"


@pytest.mark.parametrize("kind", ["PHONE", "FAX"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("+1 212 555 0123 ext. 5", "has an extension, which is not kept; give a number that reaches without one."),
        ("+1 212 555 0123;ext=6", "has an extension, which is not kept; give a number that reaches without one."),
        ("+1 000 000 0000", "is no telephone number; give it with its country, like +49 30 123456."),
        ("+49 0000000", "is no telephone number; give it with its country, like +49 30 123456."),
        ("+1 555 0100", "is no telephone number; give it with its country, like +49 30 123456."),
    ],
)
async def test_a_number_that_may_be_many_peoples_is_nobodys(
    writer: Writer, units: tuple[str, str], kind: str, value: str, told: str
) -> None:
    error = await writer.refused(IDENTIFY, asked(units[0], "shop", (kind, value, False)))
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].value")
    assert error["message"] == f"input.identifiers[0].value: {value!r} {told}"


@pytest.mark.parametrize(
    ("name", "value"), [("country", "ß"), ("country", "ﬁ"), ("currency", "uſd"), ("language", "\N{KELVIN SIGN}o")]
)
async def test_a_code_is_of_plain_letters(writer: Writer, units: tuple[str, str], name: str, value: str) -> None:
    error = await writer.refused(IDENTIFY, asked(units[0], "shop", ("LOYALTY_ID", "L-9", False), **{name: value}))
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", f"input.traits.{name}")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "test@gmail.com"),
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
async def test_a_placeholder_identifies_nobody(writer: Writer, units: tuple[str, str], kind: str, value: str) -> None:
    error = await writer.refused(
        IDENTIFY, asked(units[0], "shop", ("EMAIL", "ok@home.org", False), (kind, value, False))
    )
    assert error["code"] in ("IDENTIFIER_JUNK", "VALUE_INVALID")
    assert error["argument"] == "input.identifiers[1].value"


async def test_one_address_in_two_forms_is_one(writer: Writer, units: tuple[str, str]) -> None:
    first = await identified(writer, units[0], "shop", ("EMAIL", "u@bücher.de", False))
    second = await identified(writer, units[0], "shop", ("EMAIL", "u@xn--bcher-kva.de", False))
    assert (second["outcome"], second["customer"]["id"]) == ("MATCHED", first["customer"]["id"])


async def test_a_source_is_one_line(writer: Writer) -> None:
    by = {"external": {"source": "x" * 20_000, "externalId": "E-1"}}
    error = await writer.refused(UPSERT, {"input": {"by": by, "kind": "PERSON", "name": "x"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.by.external.source")


RECORD = "mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) { interaction { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"


@pytest.mark.parametrize("kind", ["EXTERNAL_ID", "DEVICE_ID", "ANONYMOUS_ID"])
async def test_what_means_something_in_its_source_alone_is_looked_for_there_alone(
    writer: Writer, units: tuple[str, str], kind: str
) -> None:
    for source in ("erp", "shop"):
        await identified(writer, units[0], source, (kind, f"{kind}-42", False), name=source)
    identifier: dict[str, Any] = {"kind": kind, "value": f"{kind}-42"}
    said = f"source: {kind} means something within one system alone; give the system that it is of."
    recorded = {"channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}
    for document, path, given in (
        (RECORD, "input.identifier", {"identifier": identifier, **recorded}),
        (ORDER, "input.identifier", {"identifier": identifier, "number": kind, "currency": "EUR"}),
        (UPSERT, "input.by.identifier", {"by": {"identifier": identifier}, "name": "Nobody"}),
    ):
        error = await writer.refused(document, {"input": given})
        assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", f"{path}.source")
        assert error["message"] == f"{path}.{said}"
    given = {"by": {"identifier": {**identifier, "source": "shop"}}, "tier": "GOLD"}
    assert (await writer.do(UPSERT, {"input": given}))["customerUpsert"]["created"] is False
    gold = "{ customers(filter: {tier: {eq: GOLD}}) { nodes { name } } }"
    assert {each["name"] for each in (await writer.do(gold))["customers"]["nodes"]} == {"shop"}


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


async def test_a_customer_does_not_prove_its_own_addresses(writer: Writer, units: tuple[str, str]) -> None:
    customer = (await identified(writer, units[0], "shop", ("EMAIL", "hal@home.org", False), name="Hal"))["customer"]
    key = await key_for(writer.dsn, Role.WRITER, customer_id=UUID(customer["id"][4:]))
    point = {"kind": "EMAIL", "value": "ceo@bank.org"}
    contact = {"customerId": customer["id"], "name": "Hal", "points": [point]}
    made = (await writer.do(CONTACT, {"input": contact}, key=key))["contactCreate"]["contact"]
    (kept,) = made["points"]["nodes"]
    assert kept["verified"] is False
    proven = {**point, "verified": True}
    refusals = [
        (CONTACT, {**contact, "points": [point, proven]}, "input.points[1].verified"),
        (POINT, {**proven, "contactId": made["id"]}, "input.verified"),
        (EDIT, {"id": kept["id"], "verified": True}, "input.verified"),
    ]
    for document, given, argument in refusals:
        error = await writer.refused(document, {"input": given}, key=key)
        assert (error["code"], error["argument"]) == ("FORBIDDEN", argument)
        assert (
            error["message"] == f"{argument}: a key bound to a customer proves nothing of the customer; leave it out."
        )
    rows = [{**point, "contactId": made["id"]}, {**proven, "contactId": made["id"]}]
    error = await writer.refused(MANY, {"input": {"rows": rows}}, key=key)
    assert (error["code"], error["argument"]) == ("BULK_REJECTED", "input.rows[1].verified")
    assert [(each["row"], each["code"]) for each in error["rows"]] == [(1, "FORBIDDEN")]
    edited = {"id": kept["id"], "verified": False, "preferred": True}
    answer = await writer.do(EDIT, {"input": edited}, key=key)
    assert answer["contactPointUpdate"]["contactPoint"] == {"verified": False, "preferred": True}
    answer = await writer.do(EDIT, {"input": {"id": kept["id"], "verified": True}})
    assert answer["contactPointUpdate"]["contactPoint"]["verified"] is True


async def test_a_hidden_customer_is_neither_matched_nor_told(
    writer: Writer, units: tuple[str, str], new_database: NewDatabase
) -> None:
    connection = await asyncpg.connect(writer.dsn)
    west = await connection.fetchval("select id from org_units where code = 'west'")
    await connection.close()
    key = await key_for(writer.dsn, Role.WRITER, unit_id=west)
    await identified(writer, units[0], "shop", ("EMAIL", "eli@home.org", True), ("LOYALTY_ID", "L-1", True))
    beside = await identified(
        writer, None, "shop", ("EMAIL", "eli@home.org", True), ("PHONE", "+4930123456", True), key=key
    )
    assert beside["outcome"] == "CREATED"
    assert [each["kind"] for each in beside["customer"]["identifiers"]["nodes"]] == ["PHONE"]
    error = await writer.refused(IDENTIFY, asked(None, "shop", ("LOYALTY_ID", "L-1", True)), key=key)
    assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", "input.identifiers")


async def _while_deleting(writer: Writer, table: str, row: str, document: str, variables: dict[str, Any]) -> Any:
    """The answer to a mutation that finds a row and then waits for it while it is deleted by somebody else."""
    deleting, watching = await asyncpg.connect(writer.dsn), await asyncpg.connect(writer.dsn)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with deleting.transaction():
        await deleting.execute(f"delete from {table} where id = $1", UUID(row[4:]))
        answer = asyncio.create_task(writer.do(document, variables))
        while not await watching.fetchval(waiting):
            assert not answer.done(), await answer
            await asyncio.sleep(0.01)
    await deleting.close()
    await watching.close()
    return await answer


async def test_a_customer_who_is_being_deleted_is_made_anew(writer: Writer, units: tuple[str, str]) -> None:
    question = asked(units[0], "shop", ("EMAIL", "fay@home.org", True), name="Fay")
    first = (await writer.do(IDENTIFY, question))["identify"]["customer"]["id"]
    second = (await _while_deleting(writer, "customers", first, IDENTIFY, question))["identify"]
    assert second["outcome"] == "CREATED"
    by = {"identifier": {"kind": "EMAIL", "value": "fay@home.org"}}
    upsert = {"input": {"by": by, "kind": "PERSON", "name": "Fay", "unitId": units[0]}}
    found = second["customer"]["id"]
    third = (await _while_deleting(writer, "customers", found, UPSERT, upsert))["customerUpsert"]
    assert third["created"]
    assert len({first, found, third["customer"]["id"]}) == 3


async def test_nobody_is_taken_for_a_customer_who_is_being_deleted(writer: Writer, units: tuple[str, str]) -> None:
    known = asked(units[0], "shop", ("EMAIL", "gus@home.org", False), name="Gus")
    doubtful = asked(units[0], "helpdesk", ("EMAIL", "gus@home.org", False), name="Gus")
    first = (await writer.do(IDENTIFY, known))["identify"]["customer"]["id"]
    assert (await _while_deleting(writer, "customers", first, IDENTIFY, doubtful))["identify"]["outcome"] == "CREATED"


async def test_a_product_that_is_being_deleted_is_made_anew(writer: Writer) -> None:
    upsert = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created product { id } } }"
    given = {"input": {"by": {"sku": "D-1"}, "name": "D", "category": "D", "unitPrice": "1", "currency": "EUR"}}
    first = (await writer.do(upsert, given))["productUpsert"]
    second = (await _while_deleting(writer, "products", first["product"]["id"], upsert, given))["productUpsert"]
    assert (first["created"], second["created"]) == (True, True)
    assert first["product"]["id"] != second["product"]["id"]


async def test_many_who_ask_at_once_get_one_customer(writer: Writer, units: tuple[str, str]) -> None:
    """64 questions for one person beside 64 upserts of another, 100 rounds; the seed is printed."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(ROUNDS):
        name = f"{draw.getrandbits(64):x}"
        question = asked(units[0], "shop", ("EMAIL", f"{name}@one.org", False), ("LOYALTY_ID", name, False), name="One")
        by = {"identifier": {"kind": "EMAIL", "value": f"{name}@two.org"}}
        upsert = {"input": {"by": by, "kind": "PERSON", "name": "Two", "unitId": units[0]}}
        doing = [(IDENTIFY, question)] * AT_ONCE + [(UPSERT, upsert)] * AT_ONCE
        draw.shuffle(doing)
        answers = await asyncio.gather(*(writer.do(document, variables) for document, variables in doing))
        for root in ("identify", "customerUpsert"):
            assert len({answer[root]["customer"]["id"] for answer in answers if root in answer}) == 1
        for address in (f"{name}@one.org", f"{name}@two.org"):
            assert await writer.do(COUNT, {"value": address}) == {"customers": {"totalCount": 1}}
