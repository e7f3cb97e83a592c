"""Erasing a customer: nothing of it stays, in rows or in the log, and those who follow changes are told that it is gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from change_reader import Reader
from change_workload import until
from conftest import key_for
from webhook_client import customer, hooked, hub_on, receiving
from writer_client import writing

from hub.settings import Settings
from hub.viewer import Role

HERE = "Around the Horn"
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"


@pytest.fixture
async def reader(northwind: str) -> AsyncIterator[Reader]:
    connection = await asyncpg.connect(northwind)
    async with writing(northwind) as writer:
        yield Reader(writer, connection)
    await connection.close()


async def edited(reader: Reader) -> str:
    """The id of a customer whose edits the log remembers."""
    await reader.write(
        f"update customers set stage = 'LOST', attributes = '{{\"secret\": \"canary\"}}' where name = '{HERE}'",
        f"update contacts set name = 'Canary' where customer_id = (select id from customers where name = '{HERE}')",
    )
    return f"cus_{(await reader.rows.fetchval('select id from customers where name = $1', HERE)).hex}"


async def test_nothing_of_an_erased_customer_stays_in_the_log(reader: Reader) -> None:
    key = await edited(reader)
    assert await reader.rows.fetchval("select count(*) from change_log where after::text ~ '[cC]anary'") == 2
    given = await reader.writer.do(ERASE, {"id": key})
    held = await reader.rows.fetch("select after, before, customer_id from change_log")
    assert given["customerErase"]["entries"] == len(held)
    assert all(each["after"] is None for each in held)
    assert await reader.rows.fetchval("select count(*) from change_log where before::text ~ '[cC]anary|Around'") == 0
    assert await reader.rows.fetchval("select count(*) from customers where name = $1", HERE) == 0


async def test_who_follows_is_told_that_it_is_gone_and_no_more(reader: Reader) -> None:
    await reader.writer.do(ERASE, {"id": await edited(reader)})
    filtered = "{types: [CUSTOMER], customer: {stage: {eq: LOST}}}"
    told = await reader.told("operation node { id ... on Customer { name } }", filter=filtered)
    assert told == [{"operation": "DELETE", "node": None}]


async def test_it_is_told_to_who_saw_it_and_to_nobody_else(reader: Reader) -> None:
    units = {each["code"]: each["id"] for each in await reader.rows.fetch("select code, id from org_units")}
    near = await key_for(reader.writer.dsn, Role.READER, unit_id=units["eastern"])
    far = await key_for(reader.writer.dsn, Role.READER, unit_id=units["northern"])
    await reader.writer.do(ERASE, {"id": await edited(reader)})
    entities = {each["entity"] for each in await reader.told("operation entity", key=near)}
    assert {"CUSTOMER", "CONTACT", "ORDER", "ORDER_ITEM", "INTERACTION"} <= entities
    assert await reader.told("entity", key=far) == []


async def test_who_lost_sight_of_it_before_is_told_so_still(reader: Reader) -> None:
    eastern = await reader.rows.fetchval("select id from org_units where code = 'eastern'")
    near = await key_for(reader.writer.dsn, Role.READER, unit_id=eastern)
    key = await edited(reader)
    await reader.write(
        f"update customers set unit_id = (select id from org_units where code = 'northern') where name = '{HERE}'"
    )
    await reader.writer.do(ERASE, {"id": key})
    told = await reader.told("operation node { id }", filter="{types: [CUSTOMER]}", key=near)
    assert told == [{"operation": "LEAVE", "node": None}]


TAKEN = """
update interactions set customer_id = (select id from customers where name = 'Folk och fä HB'), order_id = null,
    contact_id = null
where id = (select id from interactions where customer_id = $1 order by id limit 1) returning id
"""


async def test_what_became_another_ones_before_stays_so(reader: Reader) -> None:
    key = await edited(reader)
    taken = await reader.rows.fetchval(TAKEN, UUID(key[4:]))
    given = {"id": f"int_{taken.hex}", "at": datetime.now(UTC).isoformat()}
    query = """query ($id: ID!, $at: DateTime!) {
        interaction(id: $id, asOf: $at) { kind } now: interaction(id: $id) { history { nodes { operation before { kind } } } }
    }"""
    before = await reader.writer.do(query, given)
    await reader.writer.do(ERASE, {"id": key})
    after = await reader.writer.do(query, given)
    assert after["interaction"] == before["interaction"]
    assert after["now"]["history"]["nodes"] == [{"operation": "UPDATE", "before": None}]


async def test_nothing_of_what_was_taken_from_it_waits_to_be_sent(reader: Reader) -> None:
    key = await edited(reader)
    await reader.write(f"update interactions set subject = 'Canary' where customer_id = '{UUID(key[4:])}'")
    query = f"""subscription {{ changes(filter: {{types: [INTERACTION], customerId: "{key}"}}) {{
        ... on Change {{ operation node {{ ... on Interaction {{ subject }} }} }}
    }} }}"""
    given = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.writer.do(create, {"input": given})
    await reader.rows.fetchval(TAKEN, UUID(key[4:]))
    held = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%Canary%'"
    await until(lambda: reader.rows.fetchval(held))
    await reader.writer.do(ERASE, {"id": key})
    assert await reader.rows.fetchval(held) == 0
    other = "(select id from customers where name = 'Folk och fä HB')"
    told = f"select convert_from(body, 'UTF8') from webhook_queue where body is not null and lane = {other}"
    await until(lambda: reader.rows.fetchval(told))
    assert json.loads(await reader.rows.fetchval(told))["data"]["changes"] == {"operation": "LEAVE", "node": None}


async def test_nothing_of_it_waits_to_be_sent(reader: Reader) -> None:
    query = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { attributes } } } } }"
    given = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.writer.do(create, {"input": given})
    key = await edited(reader)
    held = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%canary%'"
    await until(lambda: reader.rows.fetchval(held))
    await reader.writer.do(ERASE, {"id": key})
    assert await reader.rows.fetchval(held) == 0


async def test_who_erases_waits_for_webhooks_that_are_being_read(reader: Reader) -> None:
    key = await edited(reader)
    waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    async with reader.rows.transaction():
        await reader.rows.execute("select pg_advisory_xact_lock_shared(hashtextextended('webhook turns', 0))")
        erasing = asyncio.create_task(reader.writer.do(ERASE, {"id": key}))
        await until(lambda: reader.rows.fetchval(waiting))
        assert not erasing.done()
    assert (await erasing)["customerErase"]["entries"] > 0


async def test_nothing_that_a_receiver_answered_stays_in_the_log(northwind: str) -> None:
    connection = await asyncpg.connect(northwind)
    async with receiving() as receiver, hub_on(northwind) as ask:
        await receiver.script(hook=[[500, {}, "I do not know a Canary."]])
        hook, _ = await hooked(ask, receiver.url())
        key = await customer(ask, "Canary")
        held = "select count(*) from change_log where concat(before, after) ~ 'Canary'"
        answers = f"{held} and table_name = 'webhook_attempts'"
        await until(lambda: connection.fetchval(answers))
        await ask("mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }", {"id": hook})
        await ask(ERASE, {"id": key})
    assert await connection.fetchval(held) == 0
    await connection.close()


SLOW = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return null; end $$;
create trigger slow after delete on interactions for each statement execute function slow()
"""
DELETE = "mutation ($id: ID!) { customerDelete(input: {id: $id}) { deletedId } }"


@pytest.mark.parametrize("document", [DELETE, ERASE])
async def test_a_customer_who_has_much_is_deleted_however_long_it_takes(northwind: str, document: str) -> None:
    connection = await asyncpg.connect(northwind)
    await connection.execute(SLOW)
    key = await connection.fetchval("select id from customers where name = $1", HERE)
    async with writing(northwind, Settings(statement_timeout=0.5)) as writer:
        await writer.do(document, {"id": f"cus_{key.hex}"})
    assert await connection.fetchval("select count(*) from interactions where customer_id = $1", key) == 0
    await connection.close()


IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } review { id } } }"""
SECRET = "canary@home.org"


async def doubted(reader: Reader) -> tuple[str, str, str]:
    """The ids of two customers who may be one, and of the doubt, which belongs to the second."""
    unit = await reader.rows.fetchval("select id from org_units where parent_id is null")
    given = {
        "identifiers": [{"kind": "EMAIL", "value": SECRET}],
        "traits": {"unitId": f"unt_{unit.hex}", "name": "Gil"},
    }
    first, second = [
        (await reader.writer.do(IDENTIFY, {"input": {**given, "source": source}}))["identify"] for source in ("a", "b")
    ]
    return first["customer"]["id"], second["customer"]["id"], second["review"]["id"]


async def test_no_doubt_about_another_customer_tells_of_it(reader: Reader) -> None:
    first, second, review = await doubted(reader)
    other = UUID(second[4:])
    settle = (
        "mutation ($id: ID!) { identityReviewUpdate(input: {id: $id, status: NOT_SAME}) { identityReview { id } } }"
    )
    await reader.writer.do(settle, {"id": review})
    await reader.writer.do(ERASE, {"id": first})
    log = "select operation, before, after from change_log where row_id = $1 order by id"
    told = [tuple(each) for each in await reader.rows.fetch(log, UUID(review[4:]))]
    gone = {"id": str(UUID(review[4:])), "erased": True, "customer_id": str(other)}
    assert [(operation, before and json.loads(before), after) for operation, before, after in told] == [
        ("CREATE", None, None),
        ("UPDATE", None, None),
        ("DELETE", gone, None),
    ]
    named = "select count(*) from change_log where concat(before, after) ~ $1"
    assert await reader.rows.fetchval(f"{named} and table_name = 'identity_reviews'", SECRET) == 0
    assert await reader.rows.fetchval(f"{named} and customer_id = $2", SECRET, other) == 1  # its own address
    seen = await reader.told("operation node { id }", filter="{types: [IDENTITY_REVIEW]}")
    assert seen == [{"operation": "DELETE", "node": None}]


async def test_no_doubt_that_names_it_waits_to_be_sent(reader: Reader) -> None:
    query = """subscription { changes(filter: {types: [IDENTITY_REVIEW]}) {
        ... on Change { operation node { ... on IdentityReview { reason } } }
    } }"""
    given = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.writer.do(create, {"input": given})
    first, *_ = await doubted(reader)
    held = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%canary%'"
    await until(lambda: reader.rows.fetchval(held))
    await reader.writer.do(ERASE, {"id": first})
    assert await reader.rows.fetchval(held) == 0


async def test_only_admins_erase(reader: Reader) -> None:
    key = await key_for(reader.writer.dsn, Role.WRITER)
    refused = await reader.writer.refused(ERASE, {"id": await edited(reader)}, key=key)
    assert (refused["code"], refused["scope"]) == ("FORBIDDEN", "customers:admin")


async def test_what_is_absent_cannot_be_erased(reader: Reader) -> None:
    refused = await reader.writer.refused(ERASE, {"id": "cus_" + "0" * 32})
    assert (refused["code"], refused["argument"]) == ("NOT_FOUND", "input.id")
