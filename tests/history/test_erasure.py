"""Erasing a customer: nothing of it stays, in rows or in the log, and those who follow changes are told that it is gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_reader import ChangeReader
from change_workload import wait_until
from conftest import create_api_key
from webhook_client import create_customer, create_webhook, open_webhook_hub, run_receiver
from writer_client import open_hub_client

from hub.settings import Settings
from hub.viewer import Role

CUSTOMER_NAME = "Around the Horn"
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"


@pytest.fixture
async def reader(northwind_dsn: str) -> AsyncIterator[ChangeReader]:
    connection = await asyncpg.connect(northwind_dsn)
    async with open_hub_client(northwind_dsn, Settings(webhook_allow=("receiver.invalid",))) as hub_client:
        yield ChangeReader(hub_client, connection)
    await connection.close()


async def edit_customer(reader: ChangeReader) -> str:
    """The id of a customer whose edits the log remembers."""
    await reader.write(
        f"update customers set stage = 'LOST', attributes = '{{\"secret\": \"canary\"}}' where name = '{CUSTOMER_NAME}'",
        f"update contacts set name = 'Canary' where customer_id = (select id from customers where name = '{CUSTOMER_NAME}')",
    )
    return f"cus_{(await reader.connection.fetchval('select id from customers where name = $1', CUSTOMER_NAME)).hex}"


async def test_nothing_of_an_erased_customer_stays_in_the_log(reader: ChangeReader) -> None:
    key = await edit_customer(reader)
    assert await reader.connection.fetchval("select count(*) from change_log where after::text ~ '[cC]anary'") == 2
    data = await reader.client.query(ERASE, {"id": key})
    log = await reader.connection.fetch("select after, before, customer_id from change_log")
    assert data["customerErase"]["entries"] == len(log)
    assert all(entry["after"] is None for entry in log)
    assert (
        await reader.connection.fetchval("select count(*) from change_log where before::text ~ '[cC]anary|Around'") == 0
    )
    assert await reader.connection.fetchval("select count(*) from customers where name = $1", CUSTOMER_NAME) == 0


async def test_subscribers_get_a_delete_without_a_node(reader: ChangeReader) -> None:
    await reader.client.query(ERASE, {"id": await edit_customer(reader)})
    filtered = "{types: [CUSTOMER], customer: {stage: {eq: LOST}}}"
    changes = await reader.changes("operation node { id ... on Customer { name } }", filter=filtered)
    assert changes == [{"operation": "DELETE", "node": None}]


async def test_an_erasure_reaches_only_keys_that_saw_the_customer(reader: ChangeReader) -> None:
    units = {unit["code"]: unit["id"] for unit in await reader.connection.fetch("select code, id from org_units")}
    near = await create_api_key(reader.client.dsn, Role.READER, unit_id=units["eastern"])
    far = await create_api_key(reader.client.dsn, Role.READER, unit_id=units["northern"])
    await reader.client.query(ERASE, {"id": await edit_customer(reader)})
    entities = {change["entity"] for change in await reader.changes("operation entity", key=near)}
    assert {"CUSTOMER", "CONTACT", "ORDER", "ORDER_ITEM", "INTERACTION"} <= entities
    assert await reader.changes("entity", key=far) == []


async def test_a_key_that_lost_sight_before_the_erasure_still_gets_its_leave(reader: ChangeReader) -> None:
    eastern = await reader.connection.fetchval("select id from org_units where code = 'eastern'")
    near = await create_api_key(reader.client.dsn, Role.READER, unit_id=eastern)
    key = await edit_customer(reader)
    await reader.write(
        f"update customers set unit_id = (select id from org_units where code = 'northern') where name = '{CUSTOMER_NAME}'"
    )
    await reader.client.query(ERASE, {"id": key})
    changes = await reader.changes("operation node { id }", filter="{types: [CUSTOMER]}", key=near)
    assert changes == [{"operation": "LEAVE", "node": None}]


REASSIGN = """
update interactions set customer_id = (select id from customers where name = 'Folk och fä HB'), order_id = null,
    contact_id = null
where id = (select id from interactions where customer_id = $1 order by id limit 1) returning id
"""


async def test_rows_reassigned_before_the_erasure_stay(reader: ChangeReader) -> None:
    key = await edit_customer(reader)
    row_id = await reader.connection.fetchval(REASSIGN, UUID(key[4:]))
    variables = {"id": f"int_{row_id.hex}", "at": datetime.now(UTC).isoformat()}
    query = """query ($id: ID!, $at: DateTime!) {
        interaction(id: $id, asOf: $at) { kind } now: interaction(id: $id) { history { nodes { operation before { kind } } } }
    }"""
    before = await reader.client.query(query, variables)
    await reader.client.query(ERASE, {"id": key})
    after = await reader.client.query(query, variables)
    assert after["interaction"] == before["interaction"]
    assert after["now"]["history"]["nodes"] == [{"operation": "UPDATE", "before": None}]


async def test_queued_deliveries_of_reassigned_rows_are_redacted(reader: ChangeReader) -> None:
    key = await edit_customer(reader)
    await reader.write(f"update interactions set subject = 'Canary' where customer_id = '{UUID(key[4:])}'")
    query = f"""subscription {{ changes(filter: {{types: [INTERACTION], customerId: "{key}"}}) {{
        ... on Change {{ operation node {{ ... on Interaction {{ subject }} }} }}
    }} }}"""
    input_values = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.client.query(create, {"input": input_values})
    await reader.connection.fetchval(REASSIGN, UUID(key[4:]))
    queued = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%Canary%'"
    await wait_until(lambda: reader.connection.fetchval(queued))
    await reader.client.query(ERASE, {"id": key})
    assert await reader.connection.fetchval(queued) == 0
    other = "(select id from customers where name = 'Folk och fä HB')"
    other_body = (
        f"select convert_from(body, 'UTF8') from webhook_queue where body is not null and ordering_key = {other}"
    )
    await wait_until(lambda: reader.connection.fetchval(other_body))
    assert json.loads(await reader.connection.fetchval(other_body))["data"]["changes"] == {
        "operation": "LEAVE",
        "node": None,
    }


async def test_queued_deliveries_of_the_customer_are_redacted(reader: ChangeReader) -> None:
    query = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { attributes } } } } }"
    input_values = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.client.query(create, {"input": input_values})
    key = await edit_customer(reader)
    queued = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%canary%'"
    await wait_until(lambda: reader.connection.fetchval(queued))
    await reader.client.query(ERASE, {"id": key})
    assert await reader.connection.fetchval(queued) == 0


async def test_who_erases_waits_for_webhooks_that_are_being_read(reader: ChangeReader) -> None:
    key = await edit_customer(reader)
    waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    async with reader.connection.transaction():
        await reader.connection.execute("select pg_advisory_xact_lock_shared(hashtextextended('webhook enqueuing', 0))")
        erasing = asyncio.create_task(reader.client.query(ERASE, {"id": key}))
        await wait_until(lambda: reader.connection.fetchval(waiting))
        assert not erasing.done()
    assert (await erasing)["customerErase"]["entries"] > 0


async def test_nothing_that_a_receiver_answered_stays_in_the_log(northwind_dsn: str) -> None:
    connection = await asyncpg.connect(northwind_dsn)
    async with run_receiver() as receiver, open_webhook_hub(northwind_dsn) as run_query:
        await receiver.set_actions(hook=[[500, {}, "I do not know a Canary."]])
        hook, _ = await create_webhook(run_query, receiver.url())
        key = await create_customer(run_query, "Canary")
        logged = "select count(*) from change_log where concat(before, after) ~ 'Canary'"
        answers = f"{logged} and table_name = 'webhook_attempts'"
        await wait_until(lambda: connection.fetchval(answers))
        await run_query("mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }", {"id": hook})
        await run_query(ERASE, {"id": key})
    assert await connection.fetchval(logged) == 0
    await connection.close()


SLOW = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return null; end $$;
create trigger slow after delete on interactions for each statement execute function slow()
"""
DELETE = "mutation ($id: ID!) { customerDelete(input: {id: $id}) { deletedId } }"


@pytest.mark.parametrize("document", [DELETE, ERASE])
async def test_a_customer_who_has_much_is_deleted_however_long_it_takes(northwind_dsn: str, document: str) -> None:
    connection = await asyncpg.connect(northwind_dsn)
    await connection.execute(SLOW)
    key = await connection.fetchval("select id from customers where name = $1", CUSTOMER_NAME)
    async with open_hub_client(northwind_dsn, Settings(statement_timeout=0.5)) as hub_client:
        await hub_client.query(document, {"id": f"cus_{key.hex}"})
    assert await connection.fetchval("select count(*) from interactions where customer_id = $1", key) == 0
    await connection.close()


IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } review { id } } }"""
SECRET = "canary@home.org"


async def create_possible_duplicate(reader: ChangeReader) -> tuple[str, str, str]:
    """The ids of two customers who may be one, and of the doubt, which belongs to the second."""
    unit = await reader.connection.fetchval("select id from org_units where parent_id is null")
    input_values = {
        "identifiers": [{"kind": "EMAIL", "value": SECRET}],
        "traits": {"unitId": f"unt_{unit.hex}", "name": "Gil"},
    }
    first, second = [
        (await reader.client.query(IDENTIFY, {"input": {**input_values, "source": source}}))["identify"]
        for source in ("a", "b")
    ]
    return first["customer"]["id"], second["customer"]["id"], second["review"]["id"]


async def test_no_doubt_about_another_customer_tells_of_it(reader: ChangeReader) -> None:
    first, second, review = await create_possible_duplicate(reader)
    other = UUID(second[4:])
    settle = (
        "mutation ($id: ID!) { identityReviewUpdate(input: {id: $id, status: NOT_SAME}) { identityReview { id } } }"
    )
    await reader.client.query(settle, {"id": review})
    await reader.client.query(ERASE, {"id": first})
    log = "select operation, before, after from change_log where row_id = $1 order by id"
    logged = [tuple(entry) for entry in await reader.connection.fetch(log, UUID(review[4:]))]
    gone = {"id": str(UUID(review[4:])), "erased": True, "customer_id": str(other)}
    assert [(operation, before and json.loads(before), after) for operation, before, after in logged] == [
        ("CREATE", None, None),
        ("UPDATE", None, None),
        ("DELETE", gone, None),
    ]
    named = "select count(*) from change_log where concat(before, after) ~ $1"
    assert await reader.connection.fetchval(f"{named} and table_name = 'identity_reviews'", SECRET) == 0
    assert await reader.connection.fetchval(f"{named} and customer_id = $2", SECRET, other) == 1  # its own address
    seen = await reader.changes("operation node { id }", filter="{types: [IDENTITY_REVIEW]}")
    assert seen == [{"operation": "DELETE", "node": None}]


async def test_no_doubt_that_names_it_waits_to_be_sent(reader: ChangeReader) -> None:
    query = """subscription { changes(filter: {types: [IDENTITY_REVIEW]}) {
        ... on Change { operation node { ... on IdentityReview { reason } } }
    } }"""
    input_values = {"name": "all", "url": "https://receiver.invalid/", "query": query}
    create = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id } } }"
    await reader.client.query(create, {"input": input_values})
    first, *_ = await create_possible_duplicate(reader)
    queued = "select count(*) from webhook_queue where convert_from(body, 'UTF8') like '%canary%'"
    await wait_until(lambda: reader.connection.fetchval(queued))
    await reader.client.query(ERASE, {"id": first})
    assert await reader.connection.fetchval(queued) == 0


async def test_only_admins_erase(reader: ChangeReader) -> None:
    key = await create_api_key(reader.client.dsn, Role.WRITER)
    refused = await reader.client.error(ERASE, {"id": await edit_customer(reader)}, key=key)
    assert (refused["code"], refused["scope"]) == ("FORBIDDEN", "customers:admin")


async def test_what_is_absent_cannot_be_erased(reader: ChangeReader) -> None:
    refused = await reader.client.error(ERASE, {"id": "cus_" + "0" * 32})
    assert (refused["code"], refused["argument"]) == ("NOT_FOUND", "input.id")


ISSUE = """
with report as (
    insert into reports (owner, name, title, period, timezone, per, sections, starts_on, closes_at)
    values ('0011223344556677', 'day', 'Day', 'DAY', 'UTC', 'NONE', '{results}', '2026-03-02', '2026-03-03Z') returning id
)
insert into report_issues (report_id, name, title, section_names, starts_on, ends_on, subject_id, status, digest, note,
    facts, sections)
select id, 'day', 'Day', '{results}', '2026-03-02', '2026-03-02', id, 'ISSUED', repeat('0', 64), $1, $2, $3 from report
"""
DISCLOSURE = """
insert into disclosures (staff_id, unit_id, customer_id, type, counterparty, matter, value, currency, occurred_on, declared_at)
select id, unit_id, $1, 'GIFT_RECEIVED', $2, 'A watch of ' || $2, 500, 'CNY', '2026-03-02', now() from staff limit 1
"""
MOVE = """
insert into moves (entity, row_id, unit_id, staff_id, audience, "column", from_value, to_value, name, reason, moved_at, actor,
    stayed)
select 'Disclosure', id, unit_id, staff_id, 'PERSON', 'status', 'DECLARED', 'ORDERED', 'ORDERED', $1, now(), 'hub', 0
from disclosures
"""
REPORTS = """{ reportIssues { nodes { facts sections note digest version } }
    disclosures { nodes { counterparty matter value moves { nodes { reason } } } } }"""


async def test_reports_and_disclosures_forget_an_erased_customer(reader: ChangeReader) -> None:
    key, other = await edit_customer(reader), f"cus_{'1' * 32}"
    order = await reader.connection.fetchrow("select id, number from orders where customer_id = $1", UUID(key[4:]))
    assert order is not None
    facts: dict[str, Any] = {
        "customers": [
            {"id": key, "tier": "GOLD", "orders": [{"total": 12.5}]},
            {"id": other, "name": "Aroundthe Horns", "tier": "GOLD"},
        ],
        "best": {"order": {"id": f"ord_{order['id'].hex}", "total": 7}, "days": 3},
        "said": "AROUND THE HORN, not Around the Hornby",
    }
    written = {"results": f"Saw Canary about {order['number']} and {key}; no canarybird."}
    texts = [json.dumps(value) for value in (facts, written)]
    await reader.connection.execute(ISSUE, f"Was {CUSTOMER_NAME}", *texts)
    await reader.connection.execute(DISCLOSURE, UUID(key[4:]), CUSTOMER_NAME)
    await reader.connection.execute(MOVE, CUSTOMER_NAME)
    await reader.client.query(ERASE, {"id": key})
    data = await reader.client.query(REPORTS)
    (issue,) = data["reportIssues"]["nodes"]
    assert issue == {
        "facts": {
            "customers": [{"id": None, "tier": None, "orders": [{"total": None}]}, facts["customers"][1]],
            "best": {"order": {"id": None, "total": None}, "days": 3},
            "said": "[erased], not Around the Hornby",
        },
        "sections": {"results": "Saw [erased] about [erased] and [erased]; no canarybird."},
        "note": "Was [erased]",
        "digest": "0" * 64,
        "version": 2,
    }
    (disclosure,) = data["disclosures"]["nodes"]
    moves = {"nodes": [{"reason": "[erased]"}]}
    assert disclosure == {"counterparty": "[erased]", "matter": "[erased]", "value": "500.0000", "moves": moves}
    named = "select count(*) from change_log where concat(before, after) ~ 'Around the Horn\\M|Canary|AROUND'"
    assert await reader.connection.fetchval(named) == 0
    with pytest.raises(asyncpg.RestrictViolationError):
        await reader.connection.execute("set hub.erasing = 'on'; update report_issues set title = 'Night'")
