"""The id of a merged customer leads to the survivor, at every place of the API that takes an id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from merges import MERGE, UNDO, merge, public_id
from socket_hub import SocketHub, run_socket_hub
from writer_client import HubClient

from hub import graph
from hub.viewer import Role

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
READ = "query ($id: ID!) { customer(id: $id) { id formerIds redirectedFrom } }"
IDENTIFIER = {"kind": "EMAIL", "source": "shop"}


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


async def test_every_filter_that_names_a_customer_follows(northwind_client: HubClient, merged: dict[str, str]) -> None:
    entities = graph.build().catalog.entities.values()
    paths = {entity.declaration.plural: "customer: {id: {%s}}" for entity in entities if "customer" in entity.links}
    paths["customers"] = "id: {%s}"
    assert len(paths) > 15
    for condition in ('eq: "{}"', 'in: ["{}"]'):
        roots = [f"{root}(filter: {{{path % condition}}}) {{ totalCount }}" for root, path in paths.items()]
        for some in (roots[:15], roots[15:]):
            answers = [
                await northwind_client.query("{" + " ".join(some).replace("{}", merged[side]) + "}")
                for side in ("former", "survivor")
            ]
            assert answers[0] == answers[1]
        assert answers[0]["customers"] == {"totalCount": 1}
    variables = "query ($ids: [ID!]!) { customers(filter: {id: {in: $ids}}) { nodes { id redirectedFrom } } }"
    data = await northwind_client.query(variables, {"ids": [merged["former"]]})
    assert data["customers"]["nodes"] == [{"id": merged["survivor"], "redirectedFrom": merged["former"]}]


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
