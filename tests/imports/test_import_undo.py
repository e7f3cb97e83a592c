"""Imports that are taken back: the tables are as they were, but for rows that others have touched, hold on to or protect."""

import asyncpg
from conftest import create_api_key
from imports_client import UNDO, run_import, undo_import, wait_for_end
from shop_import import FILE, HEADER, MAPPING, digests
from writer_client import HubClient


async def test_an_undone_import_leaves_the_tables_as_they_were(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    await run_import(northwind_client, MAPPING, FILE)
    before = await digests(connection)
    content = HEADER + (
        'A1,ada@shop-online.net,Ada Lovelace,France,Eve,Chief,O-1,"1.234,50",31.12.2025\n'
        "C1,cleo@shop-online.net,Cleo,Germany,Fay,Boss,O-7,7,01.02.2026\n"
    )
    job = await run_import(northwind_client, MAPPING, content)
    assert job["counts"] == {
        "Customer.created": 1,
        "Customer.updated": 1,
        "Identifier.created": 2,
        "Contact.created": 1,
        "Contact.updated": 1,
        "Order.created": 1,
        "Order.unchanged": 1,
    }
    undone = await undo_import(northwind_client, job["id"])
    assert (undone["status"], undone["rejects"], await digests(connection)) == ("SUCCEEDED", [], before)
    assert undone["counts"] == {"deleted": 5, "restored": 2}
    again = await northwind_client.error(UNDO, {"id": job["id"]})
    assert again["code"] == "UNDO_IMPOSSIBLE"


async def test_an_undo_that_was_cancelled_is_gone_on_with(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    before = await digests(connection)
    lines = (f"U{n},u{n}@shop-online.net,U {n},Germany,,,,,\n" for n in range(200))
    job = await run_import(northwind_client, MAPPING, HEADER + "".join(lines))
    transaction = connection.transaction()
    await transaction.start()  # the first 500 changes wait for one of their rows
    await connection.execute("select from customers where name = 'U 199' for update")
    started = (await northwind_client.query(UNDO, {"id": job["id"]}))["importUndo"]["job"]["id"]
    await northwind_client.query(CANCEL, {"id": started})
    await transaction.rollback()
    cancelled = await wait_for_end(northwind_client, started)
    undone = await undo_import(northwind_client, job["id"])
    assert (cancelled["status"], undone["status"], undone["rejects"]) == ("CANCELLED", "SUCCEEDED", [])
    deleted = cancelled["counts"].get("deleted", 0) + undone["counts"].get("deleted", 0)
    assert (deleted, await digests(connection)) == (600, before)
    again = await northwind_client.error(UNDO, {"id": job["id"]})
    assert again["code"] == "UNDO_IMPOSSIBLE"


async def test_an_undo_needs_the_rights_that_the_mutations_need(
    northwind_client: HubClient,
) -> None:
    integration = HubClient(
        northwind_client.dsn, northwind_client.app, await create_api_key(northwind_client.dsn, "integration")
    )
    job = await run_import(integration, MAPPING, HEADER + "V1,vera@shop-online.net,Vera,Germany,,,,,\n")
    refused = await integration.error(UNDO, {"id": job["id"]})
    undone = await undo_import(northwind_client, job["id"])
    assert (refused["code"], undone["status"], undone["counts"]) == ("FORBIDDEN", "SUCCEEDED", {"deleted": 3})


async def test_an_undo_ends_where_the_right_is_gone_when_it_runs(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await create_api_key(northwind_client.dsn, "integration")
    key_id = await connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
    role = {"input": {"role": "manager", "keyId": f"key_{key_id.hex}"}}
    await northwind_client.query(ASSIGN, role)
    client = HubClient(northwind_client.dsn, northwind_client.app, key)
    job = await run_import(client, MAPPING, HEADER + "W1,wim@shop-online.net,Wim,Germany,,,,,\n")
    before = await digests(connection)
    transaction = connection.transaction()
    await transaction.start()  # the undo waits for the row
    await connection.execute("select from customers where name = 'Wim' for update")
    undo = (await client.query(UNDO, {"id": job["id"]}))["importUndo"]["job"]["id"]
    await wait_for_end(client, undo, lambda row: row["status"] == "RUNNING")
    await northwind_client.query(UNASSIGN, role)
    await connection.execute("update job_queue set lease = null, leased_until = null")  # as if its process had died
    await transaction.commit()
    ended = await wait_for_end(client, undo)
    assert (ended["status"], ended["errorCode"], ended["counts"]) == ("FAILED", "FORBIDDEN", {})
    assert await digests(connection) == before


ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
UNASSIGN = "mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }"


async def test_an_undo_deletes_no_row_that_the_roles_only_show(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    """One role imports customers anywhere, another one deletes those of one country."""
    writing = ("Customer", "Identifier", "Contact", "Order", "Job")
    rules = [{"entity": name, "verbs": ["READ", "CREATE", "UPDATE"]} for name in (*writing, "ImportReject")]
    rules.append({"entity": "OrgUnit", "verbs": ["READ"]})
    german = {"entity": "Customer", "verbs": ["READ", "DELETE"], "rowFilter": {"country": {"eq": "DE"}}}
    for role in ({"name": "importers", "rules": rules}, {"name": "german-deleters", "rules": [german]}):
        await northwind_client.query(ADD_ROLE, {"input": role})
    key = await create_api_key(northwind_client.dsn, "importers")
    key_id = await connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
    await northwind_client.query(ASSIGN, {"input": {"role": "german-deleters", "keyId": f"key_{key_id.hex}"}})
    client = HubClient(northwind_client.dsn, northwind_client.app, key)
    lines = "X1,xan@shop-online.net,Xan,Germany,,,,,\nX2,xia@shop-online.net,Xia,France,,,,,\n"
    job = await run_import(client, MAPPING, HEADER + lines)
    assert job["counts"] == {"Customer.created": 2, "Identifier.created": 4}, job
    undone = await undo_import(client, job["id"])
    assert (undone["status"], undone["counts"]) == ("SUCCEEDED", {"deleted": 3, "forbidden": 1}), undone
    left = await connection.fetch("select id, name from customers where name in ('Xan', 'Xia')")
    assert [row["name"] for row in left] == ["Xia"]
    assert [(r["code"], r["record"]["id"]) for r in undone["rejects"]] == [("FORBIDDEN", f"cus_{left[0]['id'].hex}")]


ADD_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"


async def test_undoing_keeps_and_names_what_was_changed_since(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    content = HEADER + (
        "D1,dan@shop-online.net,Dan,Germany,,,,,\nD2,dot@shop-online.net,Dot,Germany,,,,,\nD3,deb@shop-online.net,Deb,Germany,,,,,\n"
    )
    job = await run_import(northwind_client, MAPPING, content)
    ids = [
        f"cus_{row['id'].hex}"
        for row in await connection.fetch("select id from customers where name ~ '^D[aoe][ntb]$' order by name")
    ]
    await northwind_client.query(RENAME, {"id": ids[0]})
    await northwind_client.query(ADD_CONTACT, {"id": ids[2]})
    undone = await undo_import(northwind_client, job["id"])
    stayed = [(r["code"], r["record"]["id"]) for r in undone["rejects"]]
    assert [row for row in stayed if row[1].startswith("cus")] == [("IN_USE", ids[2]), ("EDITED_SINCE", ids[0])]
    assert [row[0] for row in stayed if row[1].startswith("idn")] == ["IN_USE"] * 4
    assert undone["counts"] == {"deleted": 3, "edited": 1, "in_use": 1, "part": 4}
    stored = await connection.fetch(
        "select normalized from identifiers where normalized ~ '^(D[123]|d[aoe][ntb]@.*)$' order by normalized"
    )
    assert [row["normalized"] for row in stored] == ["D1", "D2", "dan@shop-online.net", "dot@shop-online.net"]
    names = await connection.fetch(
        "select name from customers where id = any($1::uuid[]) order by name", [id[4:] for id in ids]
    )
    assert [row["name"] for row in names] == ["Dot", "Renamed"]


CANCEL = "mutation ($id: ID!) { jobCancel(input: {id: $id}) { job { id } } }"
RENAME = 'mutation ($id: ID!) { customerUpdate(input: {id: $id, name: "Renamed"}) { customer { id } } }'
ADD_CONTACT = 'mutation ($id: ID!) { contactCreate(input: {customerId: $id, name: "Since"}) { contact { id } } }'
