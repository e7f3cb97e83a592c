"""Assignments of customers: successions, locks, and the owner of the customer, which follows them at their moments."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.settings import Settings
from hub.viewer import Role

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { now fired } }"
SUCCEED = """mutation ($input: AssignmentSucceedInput!) { assignmentSucceed(input: $input) {
    assignment { id role origin fromAt toAt lockedUntil baseline customer { owner { number } } } } }"""
LOCK = """mutation ($input: AssignmentLockInput!) { assignmentLock(input: $input) { assignment { lockedUntil reason } } }"""
END = "mutation ($input: AssignmentEndInput!) { assignmentEnd(input: $input) { assignment { toAt } } }"
ASSIGN = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { owner { number } } } }"
HISTORY = """query ($id: ID!) { customer(id: $id) { owner { number }
    assignments(orderBy: {field: FROM_AT, direction: ASC}) { nodes { fromAt toAt staff { number } } }
    now: assignments(filter: {holds: {}}) { nodes { staff { number } } } } }"""


@pytest.fixture(scope="module")
async def work_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub on Northwind whose time is a test clock's."""
    settings = Settings(clock="test", clock_start=START, request_timeout=120)
    async with open_hub_client(await create_database("northwind"), settings) as client:
        yield client


async def _people(client: HubClient) -> list[dict[str, str]]:
    return list((await client.query("{ staffMembers(first: 3) { nodes { id number } } }"))["staffMembers"]["nodes"])


async def _customer(client: HubClient) -> tuple[str, datetime]:
    """A new customer, and the time on the test clock."""
    create = 'mutation { customerCreate(input: {name: "Ada"}) { customer { id createdAt } } }'
    customer = (await client.query(create))["customerCreate"]["customer"]
    return customer["id"], datetime.fromisoformat(customer["createdAt"])


async def _succeed(client: HubClient, customer: str, staff: dict[str, str], **values: Any) -> Any:
    answer = await client.query(SUCCEED, {"input": {"customerId": customer, "staffId": staff["id"], **values}})
    return answer["assignmentSucceed"]["assignment"]


async def _history(client: HubClient, customer: str) -> Any:
    return (await client.query(HISTORY, {"id": customer}))["customer"]


async def test_the_owner_of_a_customer_follows_its_assignment(work_client: HubClient) -> None:
    (first, second, _), (customer, now) = await _people(work_client), await _customer(work_client)
    assigned = await _succeed(work_client, customer, first, origin="SELF_SOURCED")
    assert assigned | {"id": "", "baseline": {}} == {
        "id": "",
        "role": "PRIMARY",
        "origin": "SELF_SOURCED",
        "fromAt": now.isoformat(),
        "toAt": None,
        "lockedUntil": None,
        "baseline": {},
        "customer": {"owner": {"number": first["number"]}},
    }
    assert (assigned["baseline"]["orders"], assigned["baseline"]["total"]) == (0, {})
    later = now + timedelta(days=2)
    await _succeed(work_client, customer, second, fromAt=later.isoformat())
    spells = [
        {"fromAt": now.isoformat(), "toAt": later.isoformat(), "staff": {"number": first["number"]}},
        {"fromAt": later.isoformat(), "toAt": None, "staff": {"number": second["number"]}},
    ]
    for moment, person in ((later - timedelta(seconds=1), first), (later, second)):
        await work_client.query(ADVANCE, {"to": moment.isoformat()})
        shown = {"number": person["number"]}
        assert await _history(work_client, customer) == {
            "owner": shown, "assignments": {"nodes": spells}, "now": {"nodes": [{"staff": shown}]},
        }  # fmt: skip


async def test_a_customer_without_a_successor_has_no_owner(work_client: HubClient) -> None:
    (first, *_), (customer, now) = await _people(work_client), await _customer(work_client)
    ends = (now + timedelta(hours=1)).isoformat()
    assignment = await _succeed(work_client, customer, first, toAt=ends)
    await work_client.query(ADVANCE, {"to": ends})
    assert (await _history(work_client, customer))["owner"] is None
    error = await work_client.error(END, {"input": {"id": assignment["id"]}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.id")


async def test_only_an_administrator_with_a_reason_breaks_a_lock(work_client: HubClient) -> None:
    (first, second, third), (customer, now) = await _people(work_client), await _customer(work_client)
    until = (now + timedelta(days=365)).isoformat()
    assignment = (await _succeed(work_client, customer, first, lockedUntil=until))["id"]
    writer = await create_api_key(work_client.dsn, Role.WRITER)
    values = {"customerId": customer, "staffId": second["id"], "reason": "holidays"}
    refused = [
        await work_client.error(SUCCEED, {"input": values}, key=writer),
        await work_client.error(SUCCEED, {"input": values | {"reason": None}}),
        await work_client.error(LOCK, {"input": {"id": assignment, "lockedUntil": now.isoformat()}}),
        await work_client.error(END, {"input": {"id": assignment, "reason": "holidays"}}, key=writer),
        await work_client.error(ASSIGN, {"input": {"id": customer, "ownerId": second["id"]}}),
    ]
    assert {(error["code"], error["lockedUntil"]) for error in refused} == {("LOCKED", until)}
    longer = (now + timedelta(days=400)).isoformat()
    locked = await work_client.query(LOCK, {"input": {"id": assignment, "lockedUntil": longer}}, key=writer)
    assert locked["assignmentLock"]["assignment"] == {"lockedUntil": longer, "reason": None}
    await work_client.query(ADVANCE, {"to": (now + timedelta(minutes=1)).isoformat()})
    moved = await _succeed(work_client, customer, third, reason="The person left for good.")
    assert moved["customer"]["owner"] == {"number": third["number"]}


async def test_assigning_a_customer_succeeds_its_assignment(work_client: HubClient) -> None:
    (first, second, _), (customer, now) = await _people(work_client), await _customer(work_client)
    await _succeed(work_client, customer, first, origin="MARKETING")
    await work_client.query(ADVANCE, {"to": (now + timedelta(minutes=1)).isoformat()})
    await work_client.query(ASSIGN, {"input": {"id": customer, "ownerId": second["id"]}})
    history = await _history(work_client, customer)
    assert history["owner"] == {"number": second["number"]}
    assert [node["staff"]["number"] for node in history["assignments"]["nodes"]] == [first["number"], second["number"]]


async def test_the_next_person_is_notified_and_the_customer_sees_nothing(work_client: HubClient) -> None:
    (first, *_), (customer, _) = await _people(work_client), await _customer(work_client)
    await _succeed(work_client, customer, first)
    notified = f'{{ notifications(filter: {{staff: {{id: {{eq: "{first["id"]}"}}}}, type: {{eq: ASSIGNED}}}}) {{ totalCount }} }}'
    assert (await work_client.query(notified))["notifications"]["totalCount"] >= 1
    own = await create_api_key(work_client.dsn, Role.READER, customer_id=UUID(customer.partition("_")[2]))
    assert (await work_client.query("{ assignments { totalCount } }", key=own))["assignments"] == {"totalCount": 0}
