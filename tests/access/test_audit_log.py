"""The audit log: what is recorded of reads, writes and keys, who sees it, and what an erasure leaves of it."""

import hashlib
import re
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from audit_reader import ENTRIES, verify, wait_for_entry, wait_until_chained
from conftest import CreateDatabase, create_api_key
from socket_hub import run_socket_hub
from writer_client import HubClient

from hub.db.audit_buffer import AuditBuffer, AuditedRead
from hub.db.pool import Pool
from hub.observability import AuditReadsDropped, Event, add_handler
from hub.settings import Settings
from hub.viewer import ADMIN, Role

CREATE = """mutation Enrol($unit: ID!) { customerCreate(input: {name: "Ada", kind: PERSON, unitId: $unit,
    identifiers: [{kind: EMAIL, value: "%s", source: "web"}]}) { customer { id identifiers { nodes { id } } } } }"""
ADDRESSES = (f"ada{number}@lovelace.org" for number in count())
LOOK = "query Look($id: ID!) { customer(id: $id) { name identifiers { nodes { value } } } }"


async def create_customer(hub_client: HubClient) -> tuple[str, str]:
    """The ids of a new customer and of its e-mail address."""
    unit = await hub_client.query("{ orgUnits(first: 1) { nodes { id } } }")
    variables = {"unit": unit["orgUnits"]["nodes"][0]["id"]}
    customer = (await hub_client.query(CREATE % next(ADDRESSES), variables))["customerCreate"]["customer"]
    return customer["id"], customer["identifiers"]["nodes"][0]["id"]


async def test_a_write_is_recorded_with_its_caller_and_its_rows(northwind_client: HubClient) -> None:
    customer, address = await create_customer(northwind_client)
    entry = await wait_for_entry(
        northwind_client, kind={"eq": "WRITE"}, targets={"some": {"rowIds": {"has": customer}}}
    )
    targets = [target[:3] for target in entry.pop("targets")]
    requests, document = entry.pop("requests"), entry.pop("document")
    assert re.fullmatch("[0-9a-f]{64}", document)
    created = [("Customer", [customer], "CREATE"), ("Identifier", [address], "CREATE")]
    assert (targets, len(requests)) == (created, 1)
    assert entry == {
        "kind": "WRITE",
        "actor": f"key:{northwind_client.key.split('_')[1]}",
        "operation": "Enrol",
        "rootFields": ["customerCreate"],
        "network": "127.0.0.1",
        "times": 1,
    }


async def test_an_update_names_the_fields_and_no_value(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    customer, _ = await create_customer(northwind_client)
    mutation = 'mutation($id: ID!) { customerUpdate(input: {id: $id, name: "Canary Doe"}) { customer { id } } }'
    await northwind_client.query(mutation, {"id": customer})
    of_update = {"operation": {"eq": "UPDATE"}, "rowIds": {"has": customer}}
    entry = await wait_for_entry(northwind_client, targets={"some": of_update})
    assert entry["targets"] == [("Customer", [customer], "UPDATE", ["name"], 1)]
    for table in ("audit_entries", "audit_targets", "audit_pending"):
        assert not await connection.fetchval(f"select count(*) from {table} as t where t::text like '%Canary%'")


async def test_a_read_by_id_names_the_row_and_the_fields(northwind_client: HubClient) -> None:
    customer, _ = await create_customer(northwind_client)
    await northwind_client.query(LOOK, {"id": customer})
    document = hashlib.sha256(LOOK.encode()).hexdigest()
    entry = await wait_for_entry(
        northwind_client, operation={"eq": "Look"}, targets={"some": {"rowIds": {"has": customer}}}
    )
    assert (entry["kind"], entry["rootFields"], entry["times"]) == ("READ", ["customer"], 1)
    assert entry["document"] == document
    assert entry["targets"] == [
        ("Customer", [customer], "READ", ["name"], 1),
        ("Identifier", [], "READ", ["value"], 1),
    ]


async def test_a_read_by_ids_of_any_type_names_all_rows_with_their_types(northwind_client: HubClient) -> None:
    customer, address = await create_customer(northwind_client)
    query = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id ... on Customer { name } ... on Order { number } } }"
    await northwind_client.query(query, {"ids": [customer, address]})
    entry = await wait_for_entry(northwind_client, operation={"eq": "Nodes"})
    assert [target[:3] for target in entry["targets"]] == [
        ("Customer", [customer], "READ"),
        ("Identifier", [address], "READ"),
    ]


async def test_a_list_names_its_type_and_the_columns_of_its_filter(northwind_client: HubClient) -> None:
    query = 'query Filtered { customers(filter: {orders: {some: {number: {eq: "1"}}}, country: {eq: "CH"}}) { totalCount } }'
    for _ in range(3):
        await northwind_client.query(query)
    entry = await wait_for_entry(northwind_client, operation={"eq": "Filtered"})
    assert [target[:4] for target in entry["targets"]] == [
        ("Customer", [], "READ", ["country"]),
        ("Order", [], "READ", ["number"]),
    ]


async def test_what_is_not_about_persons_is_not_recorded(northwind_client: HubClient) -> None:
    await northwind_client.query("query Goods { products(first: 3) { nodes { name } } }")
    await northwind_client.query("query After { customers(first: 1) { totalCount } }")
    await wait_for_entry(northwind_client, operation={"eq": "After"})
    entries = await northwind_client.query(ENTRIES, {"filter": {"operation": {"eq": "Goods"}}})
    assert entries == {"auditLog": {"nodes": []}}


async def test_the_log_is_newest_first_and_filtered_by_time_and_actor(northwind_client: HubClient) -> None:
    key = await create_api_key(northwind_client.dsn)
    await northwind_client.query("query Mine { customers { totalCount } }", key=key)
    await wait_for_entry(northwind_client, actor={"eq": f"key:{key.split('_')[1]}"})
    query = "query($filter: AuditEntryFilter) { auditLog(filter: $filter) { nodes { createdAt } } }"
    times = [node["createdAt"] for node in (await northwind_client.query(query))["auditLog"]["nodes"]]
    assert times == sorted(times, reverse=True)
    earlier = {"filter": {"createdAt": {"lt": times[0]}}}
    assert (await northwind_client.query(query, earlier))["auditLog"]["nodes"][0]["createdAt"] < times[0]


@pytest.mark.parametrize("column", ["unit_id", "customer_id", None])
async def test_only_unbound_administrators_see_the_log(
    northwind_client: HubClient, connection: asyncpg.Connection, column: str | None
) -> None:
    await northwind_client.query("query Seen { customers { totalCount } }")
    await wait_for_entry(northwind_client, operation={"eq": "Seen"})
    if column is None:
        key = await create_api_key(northwind_client.dsn, Role.WRITER)
    else:
        table = {"unit_id": "org_units", "customer_id": "customers"}[column]
        bound_to: UUID = await connection.fetchval(f"select id from {table} limit 1")
        role = Role.READER if column == "customer_id" else Role.ADMIN
        key = await create_api_key(northwind_client.dsn, role, **{column: bound_to})
    entry_id = await northwind_client.query("{ auditLog(first: 1) { nodes { id } } }")
    query = "query($id: ID!) { auditLog { totalCount } auditTargets { totalCount } node(id: $id) { id } }"
    seen = await northwind_client.query(query, {"id": entry_id["auditLog"]["nodes"][0]["id"]}, key=key)
    assert seen == {"auditLog": {"totalCount": 0}, "auditTargets": {"totalCount": 0}, "node": None}


async def test_an_issued_key_is_a_key_event_without_its_hash(northwind_client: HubClient) -> None:
    customer, _ = await create_customer(northwind_client)
    mint = "mutation Issue($id: ID!) { customerKeyMint(input: {customerId: $id}) { key } }"
    key = (await northwind_client.query(mint, {"id": customer}))["customerKeyMint"]["key"]
    entry = await wait_for_entry(northwind_client, kind={"eq": "KEY"}, operation={"eq": "Issue"})
    (target,) = entry["targets"]
    assert (entry["rootFields"], target[0], target[2]) == (["customerKeyMint"], "ApiKey", "CREATE")
    assert ("publicId" in target[3], "hash" in target[3]) == (True, False)
    assert key.split("_", 2)[2] not in str(entry)


async def test_nobody_writes_the_log_through_the_graph(northwind_client: HubClient) -> None:
    error = await northwind_client.error('mutation { auditEntryDelete(input: {id: "aud_1"}) { id } }')
    assert error["code"] == "FIELD_UNKNOWN"


async def test_an_open_stream_is_recorded_once(create_database: CreateDatabase, demo_dsn: str) -> None:
    async with run_socket_hub(await create_database("northwind")) as hub:
        customer = await hub.customer_id("Alfreds Futterkiste")
        subscription = "subscription Watch($id: ID!) { customerLive(id: $id) { customer { name } } }"
        async with hub.subscribe(subscription, {"id": customer}) as watching:
            await watching.next_root()
            client = HubClient(hub.dsn, hub.http_server.config.app, hub.key)  # type: ignore[arg-type]
            entry = await wait_for_entry(client, operation={"eq": "Watch"})
    assert (entry["kind"], entry["times"], entry["network"]) == ("READ", 1, "127.0.0.1")
    assert ("Customer", [customer], "READ", ["name"], 1) in entry["targets"]


async def test_a_context_that_somebody_set_by_hand_stops_nothing(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    for context in (
        "no json",
        "[1]",
        '{"staff": "x", "roots": 3, "kind": "BAD", "customer": 1}',
        '{"network": "\\u0000"}',
    ):
        async with connection.transaction():
            await connection.execute("select set_config('hub.context', $1, true)", context)
            await connection.execute(
                "update products set name = name || '.' where id = (select min(id::text)::uuid from products)"
            )
    await wait_until_chained(connection)
    entries = await connection.fetch(
        "select kind, actor from audit_entries where actor like 'db:%' order by id desc limit 4"
    )
    assert [tuple(entry) for entry in entries] == [("WRITE", "db:hub")] * 4


async def test_an_erasure_takes_out_what_names_the_customer_and_the_log_still_verifies(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    customer, address = await create_customer(northwind_client)
    key = await create_api_key(northwind_client.dsn, Role.READER, customer_id=UUID(customer.partition("_")[2]))
    await northwind_client.query("query OfAddress($id: ID!) { identifier(id: $id) { value } }", {"id": address})
    await northwind_client.query("query Own($id: ID!) { customer(id: $id) { name } }", {"id": customer}, key=key)
    await wait_for_entry(northwind_client, operation={"eq": "OfAddress"})
    await wait_for_entry(northwind_client, operation={"eq": "Own"})
    await northwind_client.query("mutation($id: ID!) { customerErase(input: {id: $id}) { entries } }", {"id": customer})
    erasure = await wait_for_entry(northwind_client, kind={"eq": "ERASURE"})
    assert ("Customer", [customer], "DELETE") in [target[:3] for target in erasure["targets"]]
    for ids in (customer, address):
        about = "select e.kind from audit_targets t join audit_entries e on e.id = t.entry_id where $1 = any(row_ids)"
        assert {row["kind"] for row in await connection.fetch(about, ids)} == {"ERASURE"}
    public_id = key.split("_")[1]
    assert not await connection.fetchval("select count(*) from audit_entries where actor = $1", f"key:{public_id}")
    result = await verify(connection)
    assert (result.fault, result.erased) == ("", 3)


async def test_reads_beyond_the_buffer_are_counted_and_said(northwind_client: HubClient, connection: Any) -> None:
    buffer, events = AuditBuffer(limit=2), list[Event]()
    read = AuditedRead("Full", "00", ["customers"], {"Customer": ["name"]}, {}, frozenset())
    now = await connection.fetchval("select now()")
    for number in range(5):
        buffer.add(ADMIN, "", f"r{number}", now, read)
    remove_handler = add_handler(events.append)
    pool = await Pool.open(northwind_client.dsn, Settings())
    try:
        assert await buffer.flush(pool) is False
        buffer.add(ADMIN, "", "r5", now, read)
        assert await buffer.flush(pool) is False
    finally:
        remove_handler()
        await pool.close()
    assert AuditReadsDropped(3) in events
    assert (await wait_for_entry(northwind_client, kind={"eq": "LOSS"}))["times"] == 3
    await wait_until_chained(connection)
    requests = await connection.fetch("select requests from audit_entries where operation = 'Full' order by id")
    assert [row["requests"] for row in requests] == [["r0", "r1"], ["r5"]]
