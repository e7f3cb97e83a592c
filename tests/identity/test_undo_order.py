"""Merges and splits are undone in the order that undoes them whole, and ids lead where the redirects do."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from change_workload import wait_until
from merge_faults import faults
from merges import UNDO, merge, undo
from writer_client import HubClient

CREATE = """mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) {
    customer { id identifiers(first: 1) { nodes { id } } } } }"""
SPLIT = """mutation ($input: CustomerSplitInput!) { customerSplit(input: $input) {
    parted { id formerIds } merge { id } fingerprint reasons } }"""
ERASE = "mutation ($input: CustomerEraseInput!) { customerErase(input: $input) { entries } }"
IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } } }"
REVIEW = """query ($id: ID!) { identityReviews(
    filter: {or: [{customer: {id: {eq: $id}}}, {other: {id: {eq: $id}}}]}, first: 2) {
    nodes { id customer { id } other { id } } } }"""
SAME = """mutation ($input: IdentityReviewUpdateInput!) { identityReviewUpdate(input: $input) {
    customer { id } merge { id } } }"""
FORMER = "query ($id: ID!) { customer(id: $id) { id formerIds } }"


async def create(client: HubClient, name: str) -> tuple[str, str]:
    """A customer, and its identifier."""
    identifier = {"kind": "EMAIL", "value": f"{name}@order.example.org", "source": "crm"}
    created = await client.query(CREATE, {"input": {"name": name, "identifiers": [identifier]}})
    customer = created["customerCreate"]["customer"]
    return customer["id"], customer["identifiers"]["nodes"][0]["id"]


async def split(client: HubClient, customer: str, identifier: str) -> tuple[str, str]:
    """Parts an identifier of a customer; gives the new customer and the split."""
    values: dict[str, Any] = {"id": customer, "identifierIds": [identifier]}
    plan = (await client.query(SPLIT, {"input": values | {"dryRun": True}}))["customerSplit"]
    done = (await client.query(SPLIT, {"input": values | {"fingerprint": plan["fingerprint"]}}))["customerSplit"]
    return done["parted"]["id"], done["merge"]["id"]


async def refusal(client: HubClient, merge_id: str) -> tuple[str, str]:
    """The code of an undo that is refused, and the merge that it names."""
    (error,) = (await client.execute(UNDO, {"input": {"id": merge_id}}))["errors"]
    return error["extensions"]["code"], error["extensions"]["merge"]


async def former_ids(client: HubClient, customer: str) -> list[str]:
    row = (await client.query(FORMER, {"id": customer}))["customer"]
    assert row["id"] == customer
    ids: list[str] = row["formerIds"]
    return ids


async def test_a_merge_waits_for_a_split_whose_customer_was_merged_on(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    first, identifier = await create(northwind_client, "first")
    second, _ = await create(northwind_client, "second")
    third, _ = await create(northwind_client, "third")
    joined = (await merge(northwind_client, second, first))["merge"]["id"]
    parted, split_id = await split(northwind_client, second, identifier)
    onwards = (await merge(northwind_client, third, parted))["merge"]["id"]
    assert await former_ids(northwind_client, third) == [first, parted]
    assert await refusal(northwind_client, joined) == ("MERGE_SUPERSEDED", split_id)
    assert await refusal(northwind_client, split_id) == ("MERGE_SUPERSEDED", onwards)
    for merge_id in (onwards, split_id, joined):
        await undo(northwind_client, merge_id)
    assert await former_ids(northwind_client, first) == []
    assert await former_ids(northwind_client, second) == [parted]
    assert await faults(connection) == []


async def test_a_customer_who_comes_back_has_no_former_ids_of_an_erased_one(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    first, identifier = await create(northwind_client, "one")
    second, _ = await create(northwind_client, "two")
    third, _ = await create(northwind_client, "three")
    await merge(northwind_client, second, first)
    onwards = (await merge(northwind_client, third, second))["merge"]["id"]
    parted, _ = await split(northwind_client, third, identifier)
    assert await former_ids(northwind_client, parted) == [first]
    await northwind_client.query(ERASE, {"input": {"id": parted}})
    await undo(northwind_client, onwards)
    assert await former_ids(northwind_client, second) == []
    assert await faults(connection) == []


async def test_a_merge_that_began_first_and_got_the_locks_last_is_the_later_one(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    first, _ = await create(northwind_client, "early")
    await create(northwind_client, "late")
    third, _ = await create(northwind_client, "other")
    names = ("early", "late")
    emails = [{"kind": "EMAIL", "value": f"{name}@order.example.org", "verified": True} for name in names]
    await northwind_client.query(IDENTIFY, {"input": {"identifiers": emails, "source": "shop"}})
    (review,) = (await northwind_client.query(REVIEW, {"id": first}))["identityReviews"]["nodes"]
    (second,) = {review["customer"]["id"], review["other"]["id"]} - {first}
    same = {"input": {"id": review["id"], "status": "SAME"}}
    async with connection.transaction():
        await connection.fetchval("select id from customers where id = $1 for update", UUID(first[4:]))
        joining = asyncio.create_task(northwind_client.query(SAME, same))
        await wait_until_it_waits(connection)
        before = (await merge(northwind_client, second, third))["merge"]["id"]
    joined = (await joining)["identityReviewUpdate"]
    assert joined["customer"]["id"] == first
    assert await refusal(northwind_client, before) == ("MERGE_SUPERSEDED", joined["merge"]["id"])
    for merge_id in (joined["merge"]["id"], before):
        await undo(northwind_client, merge_id)
    assert await faults(connection) == []


async def wait_until_it_waits(connection: asyncpg.Connection) -> None:
    """Waits until another connection waits for a lock of this one."""

    async def is_waiting() -> bool:
        blocked = "select count(*) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
        return bool(await connection.fetchval(blocked))

    await wait_until(is_waiting, 30)
