"""Identifiers across units: no answer tells a hidden customer from an absent one; no unit takes another one's identifier."""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.model import collisions
from hub.viewer import Role

ADD_UNITS = (
    "mutation ($rows: [OrgUnitCreateInput!]!) { orgUnitsCreate(input: {rows: $rows}) { results { orgUnit { id } } } }"
)
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
ADD = """mutation ($input: IdentifierCreateInput!) { identifierCreate(input: $input) {
    identifier { kind value source customer { id } } } }"""
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { id name } } }"
IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    outcome reasons review { id } customer { name identifiers { nodes { kind value } } } } }"""
RECORD = """mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) {
    interaction { customer { id } } } }"""
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { number } } }"
FIND = "query ($id: CustomerByIdentifier!) { customerBy(identifier: $id) { id } }"
REVIEWS = "{ identityReviews { totalCount nodes { reason customer { id } other { id } } } }"


class World(NamedTuple):
    """A hub with two units, a writer of each, and a writer that sees both."""

    client: HubClient
    units: dict[str, str]
    keys: dict[str, str]

    async def customer(self, unit: str, name: str, *identifiers: tuple[str, str], source: str = "shop") -> str:
        """The id of a new customer of a unit, who is known by these."""
        parts = [{"kind": part, "value": value, "source": source} for part, value in identifiers]
        values = {"kind": "PERSON", "name": name, "unitId": self.units[unit], "identifiers": parts}
        created = await self.client.query(CREATE, {"input": values})
        return str(created["customerCreate"]["customer"]["id"])

    async def reviews(self, key: str) -> Any:
        """The reviews that a key sees."""
        return (await self.client.query(REVIEWS, key=self.keys[key]))["identityReviews"]


@pytest.fixture(scope="module")
async def world(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[World]:
    async with open_hub_client(await create_database("migrated")) as client:
        rows = [{"code": code, "name": code, "kind": "GROUP"} for code in ("east", "west")]
        results = (await client.query(ADD_UNITS, {"rows": rows}))["orgUnitsCreate"]["results"]
        units = dict(zip(("east", "west"), (result["orgUnit"]["id"] for result in results), strict=True))
        connection = await asyncpg.connect(client.dsn)
        keys = {"all": await create_api_key(client.dsn, Role.WRITER)}
        for code in units:
            unit_id = await connection.fetchval("select id from org_units where code = $1", code)
            keys[code] = await create_api_key(client.dsn, Role.WRITER, unit_id=unit_id)
        await connection.close()
        yield World(client, units, keys)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the statements that mutations run, in their order."""
    texts: list[str] = []
    writing: list[Any] = []  # the connection of the mutation that runs

    def recording(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Any, query: str, *args: Any, **options: Any) -> Any:
            if "hub.actor" in query:
                writing[:] = [self]
            elif self in writing:
                texts.append(query)
            return method(self, query, *args, **options)

        return run

    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        monkeypatch.setattr(asyncpg.Connection, name, recording(getattr(asyncpg.Connection, name)))
    return texts


def without_values(answer: Any, *values: str) -> str:
    """An answer in which each of these values is the same word."""
    text = repr(answer)
    for value in values:
        text = text.replace(value, "VALUE")
    return text


def identify_input(unit: str, *values: str) -> dict[str, Any]:
    kinds = ("EMAIL", "LOYALTY_ID")
    parts = [{"kind": part, "value": value, "verified": True} for part, value in zip(kinds, values, strict=False)]
    return {"input": {"identifiers": parts, "source": "shop", "traits": {"unitId": unit, "name": "New"}}}


async def test_x4_identify_answers_the_same_for_a_hidden_and_an_absent_customer(
    world: World, statements: list[str]
) -> None:
    await world.customer("east", "Hidden", ("EMAIL", "hid@home.org"), ("LOYALTY_ID", "H-100"))
    for values in (("abs@home.org",), ("abt@home.org", "A-101"), ("abu@home.org", "A-102")):  # the third is warm
        statements.clear()
        absent = await world.client.query(
            IDENTIFY, identify_input(world.units["west"], *values), key=world.keys["west"]
        )
        absent_statements = list(statements)
    statements.clear()
    hidden_values = ("hid@home.org", "H-100")
    hidden = await world.client.query(
        IDENTIFY, identify_input(world.units["west"], *hidden_values), key=world.keys["west"]
    )
    assert statements == absent_statements
    assert len(statements) >= 3
    assert hidden["identify"]["outcome"] == "CREATED"
    assert (hidden["identify"]["reasons"], hidden["identify"]["review"]) == ([], None)
    assert without_values(hidden, *hidden_values) == without_values(absent, "abu@home.org", "A-102")


@pytest.mark.parametrize("part", ["EMAIL", "EXTERNAL_ID", "PHONE"])
async def test_x4_an_identifier_is_created_whether_or_not_a_hidden_customer_has_it(
    world: World, statements: list[str], part: str
) -> None:
    values = {"EMAIL": "a{}@b.org", "EXTERNAL_ID": "x-{}", "PHONE": "+49301234{}"}[part]
    hidden_value, absent_value, warm_value = (values.format(number) for number in (501, 502, 503))
    await world.customer("east", "Hidden", (part, hidden_value))
    mine = await world.customer("west", "Mine")
    answers, texts = [], []
    for value in (warm_value, absent_value, hidden_value):
        statements.clear()
        new = {"customerId": mine, "kind": part, "value": value, "source": "shop"}
        answers.append(await world.client.query(ADD, {"input": new}, key=world.keys["west"]))
        texts.append(list(statements))
    assert texts[1] == texts[2]
    assert len(texts[1]) >= 3
    assert without_values(answers[1], absent_value) == without_values(answers[2], hidden_value)
    # What the key sees is taken.
    for other in (mine, await world.customer("west", "Mine too")):
        again = {"customerId": other, "kind": part, "value": hidden_value, "source": "shop"}
        error = await world.client.error(ADD, {"input": again}, key=world.keys["west"])
        assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", "input.kind")


@pytest.mark.parametrize("by", ["external", "identifier"])
async def test_x4_an_upsert_makes_its_own_customer_where_a_hidden_one_has_the_key(
    world: World, statements: list[str], by: str
) -> None:
    key_values = [f"u-{by}-{number}" for number in range(3)]
    await world.customer("east", "Hidden", ("EXTERNAL_ID", key_values[2]), source="erp")
    answers, texts = [], []
    for value in key_values:
        known = {"source": "erp", "externalId": value}
        named = known if by == "external" else {"kind": "EXTERNAL_ID", "value": value, "source": "erp"}
        new = {"by": {by: named}, "kind": "PERSON", "name": "Near"}
        statements.clear()
        answers.append((await world.client.query(UPSERT, {"input": new}, key=world.keys["west"]))["customerUpsert"])
        texts.append(list(statements))
    assert texts[1] == texts[2]
    assert len(texts[1]) >= 3
    assert [answer["created"] for answer in answers] == [True, True, True]
    again = {"by": {by: named}, "kind": "PERSON", "name": "Near"}
    assert (await world.client.query(UPSERT, {"input": again}, key=world.keys["west"]))["customerUpsert"] == {
        "created": False,
        "customer": answers[2]["customer"],
    }


async def test_x4_a_unit_cannot_take_an_identifier_from_another(world: World) -> None:
    taken = await world.client.query(
        IDENTIFY, identify_input(world.units["west"], "grab@home.org"), key=world.keys["west"]
    )
    assert taken["identify"]["outcome"] == "CREATED"
    mine = await world.customer("east", "Rightful")
    new = {"customerId": mine, "kind": "EMAIL", "value": "grab@home.org", "source": "shop"}
    created = await world.client.query(ADD, {"input": new}, key=world.keys["east"])
    assert created["identifierCreate"]["identifier"]["customer"] == {"id": mine}


async def test_x4_a_key_that_sees_all_finds_the_verified_one_then_the_oldest_and_a_review_is_open(world: World) -> None:
    first = await world.customer("east", "First", ("TAX_ID", "DE811111111"))
    second = await world.customer("west", "Second")
    new = {"customerId": second, "kind": "TAX_ID", "value": "DE811111111", "source": "shop"}
    await world.client.query(ADD, {"input": new}, key=world.keys["west"])
    named = {"kind": "TAX_ID", "value": "DE811111111"}
    assert (await world.client.query(FIND, {"id": named}, key=world.keys["all"]))["customerBy"] == {"id": first}
    assert (await world.client.query(FIND, {"id": named}, key=world.keys["west"]))["customerBy"] == {"id": second}
    record = {"identifier": named, "channel": "WEB", "direction": "INBOUND", "kind": "page.viewed"}
    recorded = await world.client.query(RECORD, {"input": record}, key=world.keys["all"])
    assert recorded["interactionRecord"]["interaction"]["customer"] == {"id": first}
    connection = await asyncpg.connect(world.client.dsn)
    verify = "update identifiers set verified = true where normalized = 'DE811111111' and customer_id = $1"
    await connection.execute(verify, await connection.fetchval("select $1::uuid", second.removeprefix("cus_")))
    await connection.close()
    assert (await world.client.query(FIND, {"id": named}, key=world.keys["all"]))["customerBy"] == {"id": second}
    # The review names both customers, so only a key that sees both sees it.
    about = [row for row in (await world.reviews("all"))["nodes"] if row["customer"]["id"] == second]
    assert about == [
        {
            "reason": "TAX_ID DE811111111 of shop: both customers have it",
            "customer": {"id": second},
            "other": {"id": first},
        }
    ]
    assert [(await world.reviews(key))["totalCount"] for key in ("west", "east")] == [0, 0]


async def test_x4_two_that_a_key_sees_are_reviewed_when_it_looks_one_up(world: World) -> None:
    one = await world.customer("east", "One", ("EMAIL", "pair@home.org"))
    two = await world.customer("west", "Two", ("EMAIL", "pair@home.org"), source="crm")
    named = {"kind": "EMAIL", "value": "pair@home.org"}
    record = {"identifier": named, "channel": "WEB", "direction": "INBOUND", "kind": "page.viewed"}
    for _ in range(2):
        await world.client.query(RECORD, {"input": record}, key=world.keys["all"])
    pairs = [{row["customer"]["id"], row["other"]["id"]} for row in (await world.reviews("all"))["nodes"]]
    assert pairs.count({one, two}) == 1


async def test_x4_a_moved_customer_brings_its_identifiers_along(world: World) -> None:
    one = await world.customer("west", "One", ("LOYALTY_ID", "M-7"))
    two = await world.customer("east", "Two")
    new = {"customerId": two, "kind": "LOYALTY_ID", "value": "M-7", "source": "shop"}
    await world.client.query(ADD, {"input": new}, key=world.keys["east"])
    move = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { id } } }"
    await world.client.query(move, {"input": {"id": two, "unitId": world.units["west"]}})
    matched = await world.client.query(
        IDENTIFY,
        {"input": {"identifiers": [{"kind": "LOYALTY_ID", "value": "M-7"}], "source": "shop"}},
        key=world.keys["west"],
    )
    assert (matched["identify"]["outcome"], matched["identify"]["customer"]["name"]) == ("MATCHED", "One")
    pairs = [{row["customer"]["id"], row["other"]["id"]} for row in (await world.reviews("west"))["nodes"]]
    assert {one, two} in pairs  # the key sees both now


async def test_x4_order_numbers_are_unique_across_units_and_probing_them_is_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collisions, "MAX_COLLISIONS", 3)
    far, mine = await world.customer("east", "Far"), await world.customer("west", "Near")
    order = {"currency": "EUR", "net": 1, "number": "N-1"}
    await world.client.query(ORDER, {"input": {**order, "customerId": far}})
    near = {**order, "customerId": mine}
    for _ in range(3):
        error = await world.client.error(ORDER, {"input": near}, key=world.keys["west"])
        assert (error["code"], error["argument"]) == ("ALREADY_EXISTS", "input.number")
    # From here on a number that is free is refused too, so that a refusal tells nothing.
    for number in ("N-1", "N-2"):
        error = await world.client.error(ORDER, {"input": {**near, "number": number}}, key=world.keys["west"])
        assert (error["code"], 0 < error["retryAfter"] <= 3600) == ("COLLISION_LIMIT", True)
    # Another key, and one that sees everything, write on.
    assert await world.client.query(
        ORDER, {"input": {**order, "customerId": far, "number": "N-3"}}, key=world.keys["east"]
    )
    for _ in range(5):
        error = await world.client.error(ORDER, {"input": near}, key=world.keys["all"])
        assert error["code"] == "ALREADY_EXISTS"
