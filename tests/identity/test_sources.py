"""Who says what of a customer, which source is believed, and parting by sources what does not belong together."""

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from merges import MERGE, UNDO, merge, rows_of, without_stamps
from writer_client import HubClient

KEY = """mutation ($source: String) { apiKeyCreate(input: {name: "k", role: "writer", source: $source}) {
    key apiKey { source } } }"""
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPDATE = """mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) {
    customer { id name country language version } } }"""
SOURCES = "query ($id: ID!) { customer(id: $id) { name country fieldSources } }"
IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id name country } } }"""
POLICY = """mutation ($input: SurvivorshipPolicyUpsertInput!) { survivorshipPolicyUpsert(input: $input) {
    survivorshipPolicy { id field criteria trustedSources version } customers changes fingerprint job { id } } }"""
DROP = "mutation ($id: ID!) { survivorshipPolicyDelete(input: {id: $id}) { field } }"
SPLIT = """mutation ($input: CustomerSplitInput!) { customerSplit(input: $input) {
    customer { id name country formerIds } parted { id name country formerIds } merge { id type status survivorId mergedId }
    job { id } fingerprint tables fields reasons } }"""
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"


@pytest.fixture(scope="module")
async def keys(northwind_client: HubClient) -> dict[str, str]:
    """Keys of two systems, and of none."""
    created = {name: (await northwind_client.query(KEY, {"source": name}))["apiKeyCreate"] for name in ("erp", "shop")}
    assert {name: key["apiKey"]["source"] for name, key in created.items()} == {"erp": "erp", "shop": "shop"}
    return {name: key["key"] for name, key in created.items()} | {"api": northwind_client.key}


async def create(client: HubClient, key: str, **values: Any) -> str:
    created = await client.execute(CREATE, {"input": values}, key=key)
    return str(created["data"]["customerCreate"]["customer"]["id"])


async def update(client: HubClient, key: str, customer: str, **values: Any) -> Any:
    answer = await client.execute(UPDATE, {"input": {"id": customer, **values}}, key=key)
    return answer["data"]["customerUpdate"]["customer"]


async def said(client: HubClient, customer: str) -> list[tuple[str, str, Any, bool]]:
    """What the sources say: field, source, value, and whether the customer has it."""
    facts = (await client.query(SOURCES, {"id": customer}))["customer"]["fieldSources"]
    assert all(fact["observedAt"].endswith("+00:00") for fact in facts)
    return [(fact["field"], fact["source"], fact["value"], fact["current"]) for fact in facts]


async def policy(client: HubClient, field: str, **values: Any) -> Any:
    """Sets a policy after its dry run, which says the same."""
    plan = (await client.query(POLICY, {"input": {"field": field, "dryRun": True, **values}}))[
        "survivorshipPolicyUpsert"
    ]
    variables = {"field": field, "fingerprint": plan["fingerprint"], **values}
    done = (await client.query(POLICY, {"input": variables}))["survivorshipPolicyUpsert"]
    assert {name: done[name] for name in ("customers", "changes")} == {n: plan[n] for n in ("customers", "changes")}
    return done


async def test_a_write_is_what_its_source_says(northwind_client: HubClient, keys: dict[str, str]) -> None:
    customer = await create(
        northwind_client, keys["erp"], name="Ana", country="DE", bornOn="1990-02-03", attributes={"vip": True}
    )
    await update(northwind_client, keys["shop"], customer, country="FR", attributes={"vip": None, "size": "M"})
    await update(northwind_client, keys["api"], customer, country="FR")  # what it is already is a word too
    assert await said(northwind_client, customer) == [
        ("name", "erp", "Ana", True),
        ("bornOn", "erp", "1990-02-03", True),
        ("country", "api", "FR", True),
        ("country", "shop", "FR", True),
        ("country", "erp", "DE", False),
        ("attributes.size", "shop", "M", True),
        ("attributes.vip", "shop", None, False),
        ("attributes.vip", "erp", True, False),
    ]


async def test_identify_and_imports_name_their_source(
    northwind_client: HubClient, connection: asyncpg.Connection, keys: dict[str, str]
) -> None:
    values = {"identifiers": [{"kind": "EMAIL", "value": "s@who.example.org"}], "source": "web"}
    traits = {"name": "Sue", "country": "DE"}
    customer = (await northwind_client.query(IDENTIFY, {"input": values | {"traits": traits}}))["identify"]["customer"]
    await northwind_client.query(IDENTIFY, {"input": values | {"traits": {"name": "Susan", "country": "AT"}}})
    assert await said(northwind_client, customer["id"]) == [
        ("name", "web", "Susan", False),
        ("country", "web", "AT", False),
    ]


async def test_a_policy_previews_exactly_what_it_changes_and_keeps_it_so(
    northwind_client: HubClient, connection: asyncpg.Connection, keys: dict[str, str]
) -> None:
    trusting = await create(northwind_client, keys["erp"], name="One", currency="EUR")
    await update(northwind_client, keys["shop"], trusting, currency="USD")
    other = await create(northwind_client, keys["shop"], name="Two", currency="CHF")
    await update(northwind_client, keys["erp"], other, currency="SEK")
    before = {row["id"]: row["currency"] for row in await connection.fetch("select id, currency from customers")}
    trust = {"criteria": ["SOURCE_TRUST"], "trustedSources": ["erp", "shop"]}
    done = await policy(northwind_client, "currency", **trust)
    assert done["changes"] == [{"customerId": trusting, "before": "USD", "after": "EUR", "source": "erp"}]
    after = {row["id"]: row["currency"] for row in await connection.fetch("select id, currency from customers")}
    assert {key: after[key] for key in after if after[key] != before[key]} == {UUID(trusting[4:]): "EUR"}
    written = await update(northwind_client, keys["shop"], trusting, currency="JPY", name="Won")
    assert (written["name"], written["version"]) == ("Won", 4)
    assert [fact for fact in await said(northwind_client, trusting) if fact[0] == "currency"] == [
        ("currency", "shop", "JPY", False),
        ("currency", "erp", "EUR", True),
    ]
    stale = {"field": "currency", "fingerprint": done["fingerprint"], "criteria": ["RECENCY"]}
    assert (await northwind_client.error(POLICY, {"input": stale}))["code"] == "MERGE_CHANGED"
    recent = await policy(northwind_client, "currency", criteria=["RECENCY"])
    assert recent["changes"] == [{"customerId": trusting, "before": "EUR", "after": "JPY", "source": "shop"}]
    dropped = {"id": recent["survivorshipPolicy"]["id"]}
    assert await northwind_client.query(DROP, dropped) == {"survivorshipPolicyDelete": {"field": "currency"}}


@pytest.mark.parametrize(
    ("criteria", "winner"), [(["MANUAL"], "Ann"), (["COMPLETENESS"], "Annabelle"), (["RECENCY"], "An")]
)
async def test_criteria_choose_among_sources(
    northwind_client: HubClient, connection: asyncpg.Connection, keys: dict[str, str], criteria: list[str], winner: str
) -> None:
    customer = await create(northwind_client, keys["erp"], name="Annabelle")
    manual = (await northwind_client.query(KEY, {"source": "manual"}))["apiKeyCreate"]["key"]
    await update(northwind_client, manual, customer, name="Ann")
    await update(northwind_client, keys["shop"], customer, name="An")
    done = await policy(northwind_client, "name", criteria=criteria)
    try:
        row = await connection.fetchval("select name from customers where id = $1", UUID(customer[4:]))
        assert row == winner
        assert len(done["changes"]) == min(done["customers"], 100)
    finally:
        await northwind_client.query(DROP, {"id": done["survivorshipPolicy"]["id"]})


async def test_a_policy_of_attributes_chooses_for_each_key(
    northwind_client: HubClient, connection: asyncpg.Connection, keys: dict[str, str]
) -> None:
    customer = await create(northwind_client, keys["erp"], name="Attrib", attributes={"size": "M", "vip": True})
    await update(northwind_client, keys["shop"], customer, attributes={"size": "L", "vip": None, "color": "red"})
    key = UUID(customer[4:])
    await connection.execute(
        """update customers set attributes = attributes || '{"sql": {"a": null}}' where id = $1""", key
    )

    async def attributes(of: str = customer) -> Any:
        answer = await northwind_client.query("query ($id: ID!) { customer(id: $id) { attributes } }", {"id": of})
        return answer["customer"]["attributes"]

    assert await attributes() == {"size": "L", "color": "red", "sql": {"a": None}}
    trust = {"criteria": ["SOURCE_TRUST"], "trustedSources": ["erp", "shop"]}
    done = await policy(northwind_client, "attributes", **trust)
    try:
        (change,) = [change for change in done["changes"] if change["customerId"] == customer]
        assert change["source"] == "erp, shop"
        believed = {"size": "M", "vip": True, "color": "red", "sql": {"a": None}}
        assert json.loads(change["after"]) == await attributes() == believed
        await update(
            northwind_client, keys["shop"], customer, name="Attribute", attributes={"size": "XL", "color": None}
        )
        assert await attributes() == {name: believed[name] for name in ("size", "vip", "sql")}
        await update(northwind_client, keys["erp"], customer, attributes={"vip": None})
        assert await attributes() == {"size": "M", "sql": {"a": None}}
        survivor = await create(northwind_client, keys["shop"], name="Keeps", attributes={"size": "S", "own": 1})
        await merge(northwind_client, survivor, customer)
        assert await attributes(survivor) == {"size": "M", "own": 1, "sql": {"a": None}}
    finally:
        await northwind_client.query(DROP, {"id": done["survivorshipPolicy"]["id"]})


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"field": "version", "criteria": ["RECENCY"]}, "input.field"),
        ({"field": "name", "criteria": []}, "input.criteria"),
        ({"field": "name", "criteria": ["SOURCE_TRUST"]}, "input.trustedSources"),
        ({"field": "name", "criteria": ["SOURCE_TRUST"], "trustedSources": ["a", "a"]}, "input.trustedSources"),
        ({"field": "name", "criteria": ["RECENCY"]}, "input.fingerprint"),
    ],
)
async def test_a_wrong_policy_is_refused(northwind_client: HubClient, wrong: dict[str, Any], argument: str) -> None:
    assert (await northwind_client.error(POLICY, {"input": wrong}))["argument"] == argument


async def three(client: HubClient, keys: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Three customers of three systems, each with an identifier and a contact; the identifiers by customer."""
    customers, identifiers = [], {}
    for number, source in enumerate(("api", "erp", "shop")):
        values = {"kind": "EMAIL", "value": f"{source}-{uuid4().hex}@who.example.org", "source": source}
        customer = await create(
            client, keys[source], name=f"Person {source}", country=("DE", None, "FR")[number], identifiers=[values]
        )
        await client.query(CONTACT, {"input": {"customerId": customer, "name": source}})
        answer = await client.query(
            "query ($id: ID!) { customer(id: $id) { identifiers { nodes { id } } } }", {"id": customer}
        )
        identifiers[customer] = answer["customer"]["identifiers"]["nodes"][0]["id"]
        customers.append(customer)
    return customers, identifiers


async def split(client: HubClient, customer: str, **values: Any) -> Any:
    """Splits a customer after a dry run, which writes nothing and says the same."""
    plan = (await client.query(SPLIT, {"input": {"id": customer, "dryRun": True, **values}}))["customerSplit"]
    assert (plan["parted"], plan["merge"], plan["reasons"]) == (None, None, []), plan
    variables = {"id": customer, "fingerprint": plan["fingerprint"], **values}
    done = (await client.query(SPLIT, {"input": variables}))["customerSplit"]
    assert {name: done[name] for name in ("tables", "fields")} == {name: plan[name] for name in ("tables", "fields")}
    return done


@pytest.mark.parametrize("by", ["identifiers", "source"])
async def test_one_of_three_is_parted_again_and_joined_again(
    northwind_client: HubClient, connection: asyncpg.Connection, keys: dict[str, str], by: str
) -> None:
    (first, second, third), identifiers = await three(northwind_client, keys)
    merges = [(await merge(northwind_client, first, other))["merge"]["id"] for other in (second, third)]
    customers = [UUID(key[4:]) for key in (first, second, third)]
    before = await rows_of(connection, *customers)
    chosen = {"identifierIds": [identifiers[second]]} if by == "identifiers" else {"sources": ["erp"]}
    done = await split(northwind_client, first, **chosen)
    parted = done["parted"]
    assert done["merge"] | {"id": ""} == {
        "id": "",
        "type": "SPLIT",
        "status": "DONE",
        "survivorId": first,
        "mergedId": parted["id"],
    }
    assert parted == {"id": parted["id"], "name": "Person erp", "country": None, "formerIds": [second]}
    assert done["customer"] == {"id": first, "name": "Person api", "country": "DE", "formerIds": [third]}
    names = "select name from contacts where customer_id = $1 order by name"
    assert [row["name"] for row in await connection.fetch(names, UUID(parted["id"][4:]))] == ["erp"]
    assert [row["name"] for row in await connection.fetch(names, customers[0])] == ["api", "shop"]
    answer = await northwind_client.query("query ($id: ID!) { customer(id: $id) { id } }", {"id": second})
    assert answer["customer"]["id"] == parted["id"]
    for merge_id in merges:
        assert (await northwind_client.error(UNDO, {"input": {"id": merge_id}}))["code"] == "MERGE_SUPERSEDED"
    again = {"survivorId": first, "mergedId": parted["id"], "dryRun": True}
    reasons = (await northwind_client.query(MERGE, {"input": again}))["customersMerge"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["DECIDED_NOT_SAME"]
    undone = (await northwind_client.query(UNDO, {"input": {"id": done["merge"]["id"]}}))["mergeUndo"]
    assert (undone["customer"], undone["merge"]["status"]) == ({"id": first}, "UNDONE")
    after = without_stamps(await rows_of(connection, *customers))
    expected = without_stamps(before)
    joined = after["customers", customers[0]]["former_ids"]
    assert joined == [*expected["customers", customers[0]]["former_ids"], parted["id"]]
    expected["customers", customers[0]]["former_ids"] = joined
    assert after == expected
    for merge_id in reversed(merges):
        await northwind_client.query(UNDO, {"input": {"id": merge_id}})
    answer = await northwind_client.query("query ($id: ID!) { customer(id: $id) { id formerIds } }", {"id": second})
    assert answer["customer"] == {"id": second, "formerIds": []}


async def test_a_source_takes_what_only_it_said(northwind_client: HubClient, keys: dict[str, str]) -> None:
    customer = await create(northwind_client, keys["erp"], name="Mary", country="DE", language="de")
    await update(northwind_client, keys["shop"], customer, name="Marie", country="FR", language="de", currency="EUR")
    done = await split(northwind_client, customer, sources=["shop"])
    assert done["fields"] == ["name", "country", "currency"]
    assert (done["customer"]["name"], done["customer"]["country"]) == ("Mary", "DE")
    assert (done["parted"]["name"], done["parted"]["country"]) == ("Marie", "FR")
    assert await said(northwind_client, done["parted"]["id"]) == [
        ("name", "shop", "Marie", True),
        ("country", "shop", "FR", True),
        ("language", "shop", "de", True),
        ("currency", "shop", "EUR", True),
    ]
    everything = {"id": customer, "sources": ["erp"], "dryRun": True}
    plan = (await northwind_client.query(SPLIT, {"input": everything}))["customerSplit"]
    assert [reason["code"] for reason in plan["reasons"]] == ["NOTHING_STAYS"]


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({}, "input.identifierIds"),
        ({"sources": ["nowhere"]}, "input.sources[0]"),
        ({"sources": ["erp"]}, "input.fingerprint"),
    ],
)
async def test_a_wrong_split_is_refused(
    northwind_client: HubClient, keys: dict[str, str], wrong: dict[str, Any], argument: str
) -> None:
    customer = await create(northwind_client, keys["erp"], name="Whole")
    await update(northwind_client, keys["shop"], customer, country="FR")
    assert (await northwind_client.error(SPLIT, {"input": {"id": customer, **wrong}}))["argument"] == argument
    stale = {"input": {"id": customer, "sources": ["erp"], "expectedVersion": 1}}
    assert (await northwind_client.error(SPLIT, stale))["code"] == "VERSION_CONFLICT"
