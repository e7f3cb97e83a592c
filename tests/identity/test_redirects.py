"""The id of a merged customer leads to the survivor, at every place of the API that takes an id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import redirect_slots
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key, execute_sql
from graphql import GraphQLField
from imports_client import run_import
from merges import MERGE, UNDO, merge, public_id
from oracle.engine import SETTINGS
from people import ActingPerson, person_of
from redirect_slots import InputSlot
from socket_hub import SocketHub, run_socket_hub
from writer_client import HubClient

from hub import graph
from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.viewer import ADMIN, Role

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
READ = "query ($id: ID!) { customer(id: $id) { id formerIds redirectedFrom } }"
IDENTIFIER = {"kind": "EMAIL", "source": "shop"}
PROCESS = """mutation { processUpsert(input: {code: "trial", name: "Trial", type: APPROVAL, about: "Customer", steps: [
    {code: "begin", name: "Begin", addressee: OPENER, decisions: [DONE], allowsOpener: true}
]}) { created } }"""
KNOWN = (
    """{ orgUnits(first: 1) { nodes { id } } customers(first: 1) { nodes { id } } matchCandidates { nodes { id } } }"""
)
TASK = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
CANDIDATE = """insert into match_candidates (customer_id, other_id, score, model_version)
    select $1, id, 9, 0 from customers where id <> $1 limit 1"""


async def create(client: HubClient, name: str, **fields: Any) -> str:
    created = await client.query(CREATE, {"input": {"name": name, **fields}})
    return str(created["customerCreate"]["customer"]["id"])


@pytest.fixture(scope="module")
async def merged(northwind_client: HubClient) -> dict[str, str]:
    """A survivor, the customer who was merged into it, and the id of the merge; both had a contact."""
    survivor, former = [
        await create(
            northwind_client,
            name,
            identifiers=[{**IDENTIFIER, "value": f"{name}@who.example.org"}],
        )
        for name in ("survivor", "former")
    ]
    contact = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
    for key in (survivor, former):
        await northwind_client.query(contact, {"input": {"customerId": key, "name": "Person"}})
    done = await merge(northwind_client, survivor, former)
    filtered = f'{{ customers(filter: {{id: {{eq: "{former}"}}}}) {{ totalCount }} }}'
    async with asyncio.timeout(20):  # filters follow within a second
        while True:
            if (await northwind_client.query(filtered))["customers"]["totalCount"]:
                break
            await asyncio.sleep(0.05)
    return {"survivor": survivor, "former": former, "merge": done["merge"]["id"]}


async def test_roots_by_id_answer_and_say_by_whom(northwind_client: HubClient, merged: dict[str, str]) -> None:
    survivor, former = merged["survivor"], merged["former"]
    answer = await northwind_client.execute(READ, {"id": former})
    assert answer == {
        "data": {"customer": {"id": survivor, "formerIds": [former], "redirectedFrom": former}},
        "extensions": {"redirectedFrom": {survivor: former}},
    }
    assert await northwind_client.execute(READ, {"id": survivor}) == {
        "data": {"customer": {"id": survivor, "formerIds": [former], "redirectedFrom": None}}
    }
    document = f"""{{ one: node(id: "{former}") {{ id }}
        nodes(ids: ["{former}", "{survivor}"]) {{ id ... on Customer {{ name }} }}
        customer(id: "{former}") {{ contacts {{ totalCount }} merges {{ nodes {{ mergedId survivorId }} }} }} }}"""
    data = await northwind_client.query(document)
    assert data == {
        "one": {"id": survivor},
        "nodes": [{"id": survivor, "name": "survivor"}] * 2,
        "customer": {
            "contacts": {"totalCount": 2},
            "merges": {"nodes": [{"mergedId": former, "survivorId": survivor}]},
        },
    }


def query_roots() -> dict[str, GraphQLField]:
    """The roots of queries, without the one that checks all of the audit log."""
    return {n: root for n, root in redirect_slots.roots(graph.build(), "query").items() if n != "auditVerification"}


async def test_every_argument_that_is_an_id_of_a_customer_follows(
    northwind_client: HubClient, merged: dict[str, str]
) -> None:
    followed = set()
    for name, root, argument in redirect_slots.id_arguments(query_roots()):
        document = redirect_slots.document("query", name, root, argument)
        answers = []
        for key in (redirect_slots.ABSENT, merged["former"], merged["survivor"]):
            variables = redirect_slots.others(root, argument) | {"value": [key] if name == "nodes" else key}
            answers.append(await northwind_client.execute(document, variables))
        absent, former, survivor = answers
        if "ID_WRONG_TYPE" not in str(absent):
            assert (former["data"], "errors" in former) == (survivor["data"], False), name
            followed.add(name)
    assert followed >= {"customer", "node", "nodes", "nodeAsOf"}


async def test_every_filter_that_names_a_customer_follows(northwind_client: HubClient, merged: dict[str, str]) -> None:
    slots = list(redirect_slots.filter_slots("query", query_roots()))
    assert len(slots) > 100
    for slot in slots:
        for operator in redirect_slots.OPERATORS[: 2 if slot.root == "customers" else 1]:
            variables = [slot.variables(operator, merged[side]) for side in ("former", "survivor")]
            former, survivor = [await northwind_client.execute(slot.document, values) for values in variables]
            followed = {"redirectedFrom": {merged["survivor"]: merged["former"]}}
            assert former.get("extensions") == followed, (slot, former)
            assert former["data"] == survivor["data"], slot
    listed = "query ($ids: [ID!]!) { customers(filter: {id: {in: $ids}}) { nodes { id redirectedFrom } } }"
    data = await northwind_client.query(listed, {"ids": [merged["former"]]})
    assert data["customers"]["nodes"] == [{"id": merged["survivor"], "redirectedFrom": merged["former"]}]


async def needed_inputs(client: HubClient, survivor: str, person: ActingPerson) -> dict[str, dict[str, Any]]:
    """What mutations need beside the id of a customer, so that they come as far as to look for it."""
    await execute_sql(client.dsn, CANDIDATE.replace("$1", f"'{UUID(survivor[4:])}'"))
    await client.query(PROCESS)
    known = {name: root["nodes"][0]["id"] for name, root in (await client.query(KNOWN)).items()}
    task = {"type": "CALL", "title": "Call", "dueAt": "2026-12-01T00:00:00Z", "staffId": person.id}
    task_id = (await client.query(TASK, {"input": task}, key=person.key))["taskCreate"]["task"]["id"]
    gift = {"type": "GIFT_GIVEN", "counterparty": "X", "matter": "x", "value": "1", "currency": "EUR"}
    order = {"number": "N-77", "currency": "EUR"}
    merge_input = {"survivorId": known["customers"], "mergedId": known["customers"], "dryRun": True}
    return {
        "orderCreate": order,
        "orderUpsert": {**order, "by": {"number": "N-77"}},
        "taskCreate": task,
        "taskUpdate": {"id": task_id},
        "taskDone": {"type": "CALL", "title": "Call", "result": "reached", "channel": "PHONE"},
        "customerAssign": {"unitId": known["orgUnits"]},
        "apiKeyCreate": {"name": "x", "role": "customer"},
        "assignmentSucceed": {"staffId": person.id},
        "disclosureDeclare": {**gift, "occurredOn": "2026-11-01"},
        "workItemOpen": {"process": "trial", "title": "x"},
        "customersMerge": merge_input,
        "customerSplit": {"sources": ["shop"], "dryRun": True},
        "matchCandidateDecide": {"id": known["matchCandidates"], "decision": "SAME"},
    }


async def test_every_input_that_names_a_customer_follows(northwind_client: HubClient, merged: dict[str, str]) -> None:
    schema, faults = graph.build(), []
    person = await person_of(northwind_client, "1", "admin", bound=False)
    needed = await needed_inputs(northwind_client, merged["survivor"], person)
    slots = list(redirect_slots.input_slots(schema))
    assert len(slots) > 20
    for slot in slots:
        # A second mutation that is refused takes the first one back; its error says that the first one went through.
        document = f"""mutation ($input: {slot.root[0].upper()}{slot.root[1:]}Input!) {{
            {slot.root}(input: $input) {{ __typename }} last: customerCreate(input: {{name: ""}}) {{ __typename }} }}"""

        async def outcome(public_id: str, slot: InputSlot = slot, document: str = document) -> tuple[str, str, str]:
            values = redirect_slots.minimal_input(schema, slot, public_id, needed.get(slot.root, {}))
            (error,) = (await northwind_client.execute(document, {"input": values}, key=person.key))["errors"]
            return error["path"][0], error["extensions"]["code"], error["extensions"].get("argument")

        former, survivor = [await outcome(merged[side]) for side in ("former", "survivor")]
        absent = await outcome(redirect_slots.ABSENT)
        missed = (slot.root, "NOT_FOUND", ".".join(("input", *slot.path)))
        if former != survivor or absent != missed or survivor == missed:
            faults.append((slot, former, survivor, absent))
    assert faults == []


async def test_every_live_query_and_stream_that_names_a_customer_follows(
    northwind_client: HubClient, merged: dict[str, str]
) -> None:
    pool = await Pool.open(northwind_client.dsn, SETTINGS)
    try:
        engine, _, _ = await build_graphql_engine(SETTINGS, pool, pool)
        await follow_everywhere(engine, merged)
    finally:
        await pool.close()


async def follow_everywhere(engine: Engine, merged: dict[str, str]) -> None:
    """Opens all subscriptions, and an export, with the former id."""
    roots, former = redirect_slots.roots(graph.build(), "subscription"), merged["former"]
    key, current = [UUID(merged[side].partition("_")[2]) for side in ("former", "survivor")]

    async def follows(document: str, value: Any) -> bool:
        source = await engine.subscription_source(GraphQLRequest(document, {"value": value}, None), ADMIN)
        return source.redirects == {key: current}

    for slot in redirect_slots.filter_slots("subscription", roots):
        assert await follows(slot.document, slot.variables("eq", former)["value"]), slot
    for name, argument, value in (
        ("changes", "filter", {"customerId": former}),
        ("changes", "filter", {"ids": [former]}),
        ("customerLive", "id", former),
    ):
        assert await follows(redirect_slots.document("subscription", name, roots[name], argument), value), value
    export = "query ($value: ID!) { customers(filter: {id: {eq: $value}}) { nodes { id } } }"
    source = await engine.export_source(GraphQLRequest(export, {"value": former}, None), ADMIN)
    assert source.context.redirects == {key: current}


async def test_stored_filters_follow(northwind_client: HubClient, merged: dict[str, str]) -> None:
    filters = {"in": {"id": {"in": [merged["former"]]}}, "eq": {"id": {"eq": merged["former"]}}}
    for name, row_filter in filters.items():
        rules = [{"entity": "Customer", "verbs": ["READ"], "rowFilter": row_filter}]
        role = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
        await northwind_client.query(role, {"input": {"name": f"follower_{name}", "rules": rules}})
        key = await create_api_key(northwind_client.dsn, f"follower_{name}")
        data = await northwind_client.query("{ customers { nodes { id } } }", key=key)
        assert data["customers"]["nodes"] == [{"id": merged["survivor"]}]
        assert (await northwind_client.query(READ, {"id": merged["former"]}, key=key))["customer"]["id"] == merged[
            "survivor"
        ]


async def test_mutations_follow_also_in_rows_and_with_an_idempotency_key(
    northwind_client: HubClient, merged: dict[str, str]
) -> None:
    update = """mutation ($input: CustomerUpdateInput!, $key: String) {
        customerUpdate(input: $input, idempotencyKey: $key) { customer { id language redirectedFrom } } }"""
    variables = {"input": {"id": merged["former"], "language": "fr"}, "key": uuid4().hex}
    answer = await northwind_client.execute(update, variables)
    expected = {"id": merged["survivor"], "language": "fr", "redirectedFrom": merged["former"]}
    assert answer["data"]["customerUpdate"]["customer"] == expected
    assert answer["extensions"] == {"redirectedFrom": {merged["survivor"]: merged["former"]}}
    assert (await northwind_client.execute(update, variables))["data"] == answer["data"]
    bulk = """mutation ($input: ContactsCreateInput!) { contactsCreate(input: $input) {
        succeeded results { contact { customer { id } } error { code } } } }"""
    for policy in ("REJECT_ALL", "REJECT_FAILED_ROWS"):
        rows = [{"customerId": merged[side], "name": "New"} for side in ("former", "survivor")]
        data = await northwind_client.query(bulk, {"input": {"rows": rows, "errorPolicy": policy}})
        assert [row["contact"]["customer"]["id"] for row in data["contactsCreate"]["results"]] == [
            merged["survivor"]
        ] * 2


async def test_an_import_that_names_a_customer_by_its_id_follows(
    northwind_client: HubClient, merged: dict[str, str]
) -> None:
    mapping = """
[[rows]]
entity = "Contact"
match = ["customer", "name"]
fields.customer = { find = "id", column = "customer" }
fields.name = "name"
"""
    lines = [merged["former"], merged["survivor"], redirect_slots.ABSENT, "cus_1"]
    content = "customer,name\n" + "".join(f"{key},Imported {n}\n" for n, key in enumerate(lines))
    job = await run_import(northwind_client, mapping, content)
    assert job["counts"] == {"Contact.created": 2, "rejected": 2}
    assert job["result"]["redirectedFrom"] == {merged["survivor"]: merged["former"]}
    assert [(reject["line"], reject["code"]) for reject in job["rejects"]] == [(4, "NOT_FOUND"), (5, "VALUE_INVALID")]
    contacts = '{ contacts(filter: {name: {startsWith: "Imported"}}) { nodes { customer { id } } } }'
    nodes = (await northwind_client.query(contacts))["contacts"]["nodes"]
    assert [node["customer"]["id"] for node in nodes] == [merged["survivor"]] * 2


async def test_a_hidden_survivor_stays_hidden(
    northwind_client: HubClient, connection: asyncpg.Connection, merged: dict[str, str]
) -> None:
    unit = await connection.fetchval(
        "insert into org_units (code, name, kind, path, parent_id) select 'far', 'far', 'BRANCH', path || 'far', id"
        " from org_units where parent_id is null order by path limit 1 returning id"
    )
    key = await create_api_key(northwind_client.dsn, Role.WRITER, unit_id=unit)
    assert await northwind_client.execute(READ, {"id": merged["former"]}, key=key) == {"data": {"customer": None}}
    update = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
    errors = [
        await northwind_client.error(update, {"input": {"id": former, "language": "de"}}, key=key)
        for former in (merged["former"], public_id("cus", uuid4()))
    ]
    assert errors[0] == errors[1]
    assert errors[0]["code"] == "NOT_FOUND"


async def test_the_past_of_both_stays_readable(
    northwind_client: HubClient, connection: asyncpg.Connection, merged: dict[str, str]
) -> None:
    moment = await connection.fetchval("select max(created_at) from contacts where name = 'Person'")
    document = "query ($id: ID!, $at: DateTime!) { customer(id: $id, asOf: $at) { id name } }"
    for side in ("former", "survivor"):
        data = await northwind_client.query(document, {"id": merged[side], "at": moment.isoformat()})
        assert data["customer"] == {"id": merged[side], "name": side}


# -- streams ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def socket_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("northwind")) as hub:
        yield hub


async def merge_over_http(hub: SocketHub, survivor: str, former: str) -> str:
    variables: dict[str, Any] = {"survivorId": survivor, "mergedId": former}
    plan = (await hub.query(MERGE, {"input": variables | {"dryRun": True}}))["customersMerge"]
    done = await hub.query(MERGE, {"input": variables | {"fingerprint": plan["fingerprint"]}})
    return str(done["customersMerge"]["merge"]["id"])


async def test_streams_follow_a_merge_and_its_undo(socket_hub: SocketHub) -> None:
    survivor, former = [
        (await socket_hub.query(CREATE, {"input": {"name": name}}))["customerCreate"]["customer"]["id"]
        for name in ("stays", "goes")
    ]
    live = "subscription ($id: ID!) { customerLive(id: $id) { customer { id name redirectedFrom } } }"
    changes = """subscription ($id: ID!, $after: Cursor) { changes(after: $after, filter: {customerId: $id}) { ... on Change {
        operation entity entityId customerId redirectedTo node { ... on Merge { survivorId mergedId status } } } } }"""
    await wait_until_sequenced(socket_hub.connection)
    ready = "query ($id: ID!) { changes(first: 100, filter: {ids: [$id]}) { ... on StreamReady { cursor } } }"
    after = (await socket_hub.query(ready, {"id": former}))["changes"][-1]["cursor"]
    variables = {"id": former, "after": after}
    async with socket_hub.subscribe(live, {"id": former}) as one, socket_hub.subscribe(changes, variables) as other:
        assert (await one.next_root())["customer"] == {"id": former, "name": "goes", "redirectedFrom": None}
        merge_id = await merge_over_http(socket_hub, survivor, former)
        row = await one.next_root()
        while row["customer"] is None:
            row = await one.next_root()
        assert row["customer"] == {"id": survivor, "name": "stays", "redirectedFrom": former}
        assert await other.next_root() == {
            "operation": "CREATE",
            "entity": "MERGE",
            "entityId": merge_id,
            "customerId": survivor,
            "redirectedTo": None,
            "node": {"survivorId": survivor, "mergedId": former, "status": "DONE"},
        }
        update = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
        await socket_hub.query(update, {"input": {"id": survivor, "name": "renamed"}})
        assert (await one.next_root())["customer"]["name"] == "renamed"
        await socket_hub.query(UNDO, {"input": {"id": merge_id}})
        row = await one.next_root()
        while row["customer"]["id"] != former:
            row = await one.next_root()
        assert row["customer"] == {"id": former, "name": "goes", "redirectedFrom": None}
    async with socket_hub.subscribe(live, {"id": former}) as again:
        assert (await again.next_root())["customer"]["id"] == former


async def test_a_deletion_by_a_merge_says_where_the_id_leads(socket_hub: SocketHub) -> None:
    survivor, former = [
        (await socket_hub.query(CREATE, {"input": {"name": name}}))["customerCreate"]["customer"]["id"]
        for name in ("kept alive", "deleted")
    ]
    document = """query ($id: ID!, $after: Cursor) { changes(after: $after, first: 100, filter: {ids: [$id], types: [CUSTOMER]}) {
        ... on Change { operation entityId redirectedTo } } }"""
    await merge_over_http(socket_hub, survivor, former)
    await wait_until_sequenced(socket_hub.connection)
    messages = (await socket_hub.query(document, {"id": survivor}))["changes"]
    assert [message["operation"] for message in messages if message] == ["CREATE", "UPDATE"]
    stream = """query { changes(first: 100, filter: {types: [CUSTOMER], operations: [DELETE]}) {
        ... on Change { entityId redirectedTo } } }"""
    messages = (await socket_hub.query(stream))["changes"]
    assert {"entityId": former, "redirectedTo": survivor} in messages


async def test_a_webhook_learns_of_a_merge_by_one_event_with_both_ids(socket_hub: SocketHub) -> None:
    survivor, former = [
        (await socket_hub.query(CREATE, {"input": {"name": name}}))["customerCreate"]["customer"]["id"]
        for name in ("stays", "goes")
    ]
    document = """subscription ($former: ID!) { changes(filter: {types: [MERGE, CUSTOMER], customerId: $former}) {
        ... on Change { operation entity entityId redirectedTo node { ... on Merge { survivorId mergedId } } } } }"""
    dry_run = """mutation ($input: WebhookDryRunInput!) { webhookDryRun(input: $input) { deliveries samples } }"""

    async def seen(customer: str) -> list[Any]:
        await wait_until_sequenced(socket_hub.connection)
        variables = {"query": document, "variables": {"former": customer}, "days": 1}
        samples = (await socket_hub.query(dry_run, {"input": variables}))["webhookDryRun"]["samples"]
        return [sample["data"]["changes"] for sample in samples]

    await merge_over_http(socket_hub, survivor, former)
    merged = {"entity": "MERGE", "operation": "CREATE", "redirectedTo": None}
    for customer in (former, survivor):  # a webhook that names the former id follows
        (event,) = [message for message in await seen(customer) if message["entity"] == "MERGE"]
        assert event.items() >= merged.items()
        assert event["node"] == {"survivorId": survivor, "mergedId": former}
