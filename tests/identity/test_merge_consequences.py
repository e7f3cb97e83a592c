"""What follows from a merge: erasure, identification, reviews, and jobs for customers with many rows."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until_sequenced
from merges import MERGE, UNDO, merge, planned, public_id, rows_of, without_stamps
from writer_client import HubClient

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"
IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    customer { id } outcome review { id status } } }"""
DECIDE = """mutation ($id: ID!, $status: ReviewStatus!) { identityReviewUpdate(input: {id: $id, status: $status}) {
    identityReview { id } customer { id formerIds } merge { id } } }"""
JOB = "query ($id: ID!) { job(id: $id) { status done total reason errorCode counts result } }"
SECONDS = 60


async def create(client: HubClient, name: str, **fields: Any) -> str:
    created = await client.query(CREATE, {"input": {"name": name, **fields}})
    return str(created["customerCreate"]["customer"]["id"])


def observed(*emails: str, source: str) -> dict[str, Any]:
    return {"input": {"identifiers": [{"kind": "EMAIL", "value": email} for email in emails], "source": source}}


async def ended(client: HubClient, job: str) -> Any:
    """The job, once it has ended."""
    async with asyncio.timeout(SECONDS):
        while True:
            row = (await client.query(JOB, {"id": job}))["job"]
            if row["status"] not in ("QUEUED", "RUNNING"):
                return row
            await asyncio.sleep(0.05)


async def test_a_former_id_erases_the_person_with_all_that_names_it(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    survivor, former = [await create(northwind_client, f"Secret {n} Person") for n in ("first", "second")]
    third = await create(northwind_client, "third")
    await merge(northwind_client, survivor, former)
    await merge(northwind_client, third, survivor)
    await northwind_client.query(ERASE, {"id": former})
    for key in (survivor, former, third):
        assert (await northwind_client.query(f'{{ customer(id: "{key}") {{ id }} }}'))["customer"] is None
    for table in ("merges", "merge_rows", "customer_redirects"):
        assert await connection.fetchval(f"select count(*) from {table}") == 0
    named = (
        "select count(*) from change_log where coalesce(before, after)::text || coalesce(after, before)::text like $1"
    )
    assert await connection.fetchval(named, "%Secret%") == 0
    tables = await connection.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    for row in tables:
        count = await connection.fetchval(
            f'select count(*) from "{row["relname"]}" as t where t::text like $1', "%Secret%"
        )
        assert count == 0, row["relname"]


async def test_a_confirmed_doubt_joins_the_two_and_identify_finds_the_one(northwind_client: HubClient) -> None:
    first = (await northwind_client.query(IDENTIFY, observed("join@home.org", source="a")))["identify"]
    second = (await northwind_client.query(IDENTIFY, observed("join@home.org", "own@home.org", source="b")))["identify"]
    assert second["outcome"] == "QUEUED_FOR_REVIEW"
    decided = await northwind_client.query(DECIDE, {"id": second["review"]["id"], "status": "SAME"})
    customer = decided["identityReviewUpdate"]["customer"]
    assert customer == {"id": first["customer"]["id"], "formerIds": [second["customer"]["id"]]}
    again = (await northwind_client.query(IDENTIFY, observed("own@home.org", source="b")))["identify"]
    assert (again["outcome"], again["customer"]["id"]) == ("MATCHED", first["customer"]["id"])
    undo = {"input": {"id": decided["identityReviewUpdate"]["merge"]["id"]}}
    await northwind_client.query(UNDO, undo)
    again = (await northwind_client.query(IDENTIFY, observed("own@home.org", source="b")))["identify"]
    assert again["customer"]["id"] == second["customer"]["id"]


async def test_a_decision_outlives_the_merge_of_one_of_the_two(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    survivor, former, third = [await create(northwind_client, name) for name in ("s", "f", "t")]
    keys = [UUID(key[4:]) for key in (survivor, former, third)]
    sql = "insert into identity_reviews (customer_id, other_id, reason, status) values ($1, $2, 'x', $3)"
    await connection.execute(sql, keys[0], keys[2], "OPEN")
    await connection.execute(sql, keys[2], keys[1], "NOT_SAME")
    before = await rows_of(connection, *keys)
    done = await merge(northwind_client, survivor, former)
    reviews = await connection.fetch(
        "select customer_id, other_id, status from identity_reviews where $1 in (customer_id, other_id)", keys[0]
    )
    assert [tuple(row) for row in reviews] == [(keys[2], keys[0], "NOT_SAME")]
    assert [r["code"] for r in (await planned(northwind_client, survivor, third))["reasons"]] == ["DECIDED_NOT_SAME"]
    await northwind_client.query(UNDO, {"input": {"id": done["merge"]["id"]}})
    assert without_stamps(await rows_of(connection, *keys)) == without_stamps(before)


async def test_a_customer_with_many_rows_is_merged_and_unmerged_by_jobs(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    survivor, former = [await create(northwind_client, name) for name in ("small", "large")]
    keys = [UUID(key[4:]) for key in (survivor, former)]
    await connection.execute(
        "insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at)"
        " select c.id, c.unit_id, 'EMAIL', 'INBOUND', 'message', 'm' || n, now()"
        " from customers as c, generate_series(1, 6000) as n where c.id = $1",
        keys[1],
    )
    before = await rows_of(connection, *keys)
    plan = await planned(northwind_client, survivor, former)
    assert plan["tables"] == [{"type": "SourceRecord", "moved": 1}, {"type": "Interaction", "moved": 6000}]
    variables = {"survivorId": survivor, "mergedId": former, "fingerprint": plan["fingerprint"]}
    started = (await northwind_client.query(MERGE, {"input": variables}))["customersMerge"]
    assert (started["merge"], started["job"] is not None) == (None, True)
    job = await ended(northwind_client, started["job"]["id"])
    assert (job["status"], job["done"], job["total"], job["counts"]) == ("SUCCEEDED", 6001, 6001, {"rows": 6001}), job
    moved = await connection.fetchval("select count(*) from interactions where customer_id = $1", keys[0])
    assert moved == 6000
    started = (await northwind_client.query(UNDO, {"input": {"id": job["result"]["merge"]}}))["mergeUndo"]
    job = await ended(northwind_client, started["job"]["id"])
    assert (job["status"], job["counts"]["restored"]) == ("SUCCEEDED", 6001), job
    assert without_stamps(await rows_of(connection, *keys)) == without_stamps(before)


async def test_a_job_that_fails_leaves_nothing_of_its_merge(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    survivor, former = [await create(northwind_client, name) for name in ("calm", "busy")]
    await connection.execute(
        "insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at)"
        " select c.id, c.unit_id, 'EMAIL', 'INBOUND', 'message', 'm', now()"
        " from customers as c, generate_series(1, 3000) as n where c.id = $1",
        UUID(former[4:]),
    )
    plan = await planned(northwind_client, survivor, former)
    blocker = await asyncpg.connect(northwind_client.dsn)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("select from interactions where customer_id = $1 for update", UUID(former[4:]))
    variables = {"survivorId": survivor, "mergedId": former, "fingerprint": plan["fingerprint"]}
    started = (await northwind_client.query(MERGE, {"input": variables}))["customersMerge"]
    cancel = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { status } } }"
    await northwind_client.query(cancel, {"id": started["job"]["id"]})
    assert (await ended(northwind_client, started["job"]["id"]))["status"] == "CANCELLED"
    await transaction.rollback()
    await blocker.close()
    count = "select count(*) from interactions where customer_id = $1"
    assert await connection.fetchval(count, UUID(former[4:])) == 3000
    assert await connection.fetchval("select count(*) from merges where merged_id = $1", former) == 0
    assert (await northwind_client.query(f'{{ customer(id: "{former}") {{ name }} }}'))["customer"] == {"name": "busy"}


@pytest.mark.parametrize("count", [8])
async def test_concurrent_merges_of_one_customer_make_one(
    northwind_client: HubClient, connection: asyncpg.Connection, count: int
) -> None:
    survivors = [await create(northwind_client, f"s{n}") for n in range(count)]
    former = await create(northwind_client, "contended")
    plans = [await planned(northwind_client, survivor, former) for survivor in survivors]
    requests = [
        northwind_client.execute(
            MERGE, {"input": {"survivorId": survivor, "mergedId": former, "fingerprint": plan["fingerprint"]}}
        )
        for survivor, plan in zip(survivors, plans, strict=True)
    ]
    answers = await asyncio.gather(*requests)
    done = [answer["data"]["customersMerge"] for answer in answers if "errors" not in answer]
    assert len(done) == 1
    leads_to = await connection.fetchval(
        "select customer_id from customer_redirects where merged_id = $1", UUID(former[4:])
    )
    assert public_id("cus", leads_to) == done[0]["customer"]["id"]
    codes = {answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer}
    assert codes <= {"MERGE_CHANGED", "VALUE_INVALID", "NOT_FOUND"}


async def test_a_webhook_of_customers_alone_gets_no_deletion_that_leads_nowhere(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    message = "... on Change { operation entityId redirectedTo node { ... on Customer { formerIds } } }"
    deletions = f"subscription {{ changes(filter: {{types: [CUSTOMER], operations: [DELETE]}}) {{ {message} }} }}"
    stream = f"query ($ids: [ID!]) {{ changes(filter: {{types: [CUSTOMER], ids: $ids}}, first: 100) {{ {message} }} }}"
    dry_run = """mutation ($input: WebhookDryRunInput!) { webhookDryRun(input: $input) { samples } }"""
    pairs = [[await create(northwind_client, name) for name in ("of customers", "alone")] for _ in range(2)]
    for survivor, former in pairs:
        await merge(northwind_client, survivor, former)
    await wait_until_sequenced(connection)
    answer = await northwind_client.query(dry_run, {"input": {"query": deletions, "days": 1}})
    led = {e["entityId"]: e["redirectedTo"] for e in (s["data"]["changes"] for s in answer["webhookDryRun"]["samples"])}
    assert led.items() >= {former: survivor for survivor, former in pairs}.items()
    answer = await northwind_client.query(stream, {"ids": [survivor for survivor, _ in pairs]})
    events = [event for event in answer["changes"] if event]
    for survivor, former in pairs:
        (update,) = [event for event in events if event["entityId"] == survivor and event["operation"] == "UPDATE"]
        assert (update["redirectedTo"], update["node"]) == (None, {"formerIds": [former]})
