"""Every read of personal data is recorded, however it comes about: by staff's rows, payloads, replays, conflicts, searches."""

from typing import Any

import pytest
from audit_reader import ENTRIES, wait_for_entry
from change_workload import wait_until
from writer_client import HubClient

UPDATE = """mutation {name}($id: ID!, $name: String!, $version: Int, $key: String) {{
    customerUpdate(input: {{id: $id, name: $name, expectedVersion: $version}}, idempotencyKey: $key) {{
        customer {{ {selection} }} }} }}"""


async def first_customer(hub_client: HubClient) -> dict[str, Any]:
    nodes = (await hub_client.query("{ customers(first: 1) { nodes { id name version } } }"))["customers"]["nodes"]
    customer: dict[str, Any] = nodes[0]
    return customer


async def targets_of(hub_client: HubClient, operation: str, entry_kind: str = "READ") -> Any:
    """The targets of the newest entry of an operation."""
    return (await wait_for_entry(hub_client, operation={"eq": operation}, kind={"eq": entry_kind}))["targets"]


@pytest.mark.parametrize(
    ("name", "body", "targets"),
    [
        ("People", "staffMembers(first: 2) { nodes { name } }", [("Staff", [], "READ", ["name"], 1)]),
        ("Count", "staffMembers { totalCount }", [("Staff", [], "READ", [], 1)]),
        (
            "Owners",
            'orgUnits(filter: {staff: {some: {name: {eq: "x"}}}}) { totalCount }',
            [("OrgUnit", [], "READ", [], 1), ("Staff", [], "READ", ["name"], 1)],
        ),
        ("Urls", "webhooks { nodes { url } }", [("Webhook", [], "READ", ["url"], 1)]),
        (
            "Grouped",
            "ordersGrouped(by: {link: {customer: {field: NAME}}}, first: 1) { nodes { key { customer { name } } } }",
            [("Customer", [], "READ", ["name"], 1), ("Order", [], "READ", [], 1)],
        ),
        (
            "Found",
            'customers(search: "alfreds") { totalCount }',
            [
                ("ContactPoint", [], "READ", ["value"], 1),
                ("Customer", [], "READ", ["name"], 1),
                ("Identifier", [], "READ", ["normalized", "value"], 1),
                ("Order", [], "READ", ["number"], 1),
            ],
        ),
    ],
)
async def test_rows_about_persons_are_recorded(northwind_client: HubClient, name: str, body: str, targets: Any) -> None:
    await northwind_client.query(f"query {name} {{ {body} }}")
    assert await targets_of(northwind_client, name) == targets


@pytest.mark.parametrize(
    "body", ["products { nodes { name } }", "webhooks { nodes { status } }", "roles { totalCount }"]
)
async def test_what_holds_no_personal_data_is_not_recorded(northwind_client: HubClient, body: str) -> None:
    name = f"Nothing{body[:4].title()}"
    await northwind_client.query(f"query {name} {{ {body} }}")
    await northwind_client.query("query AfterNothing { customers { totalCount } }")
    await wait_for_entry(northwind_client, operation={"eq": "AfterNothing"})
    assert await northwind_client.query(ENTRIES, {"filter": {"operation": {"eq": name}}}) == {"auditLog": {"nodes": []}}


async def test_a_payload_is_a_read_even_if_nothing_changes(northwind_client: HubClient) -> None:
    customer = await first_customer(northwind_client)
    mutation = UPDATE.format(name="Unchanged", selection="name tier")
    await northwind_client.query(mutation, {"id": customer["id"], "name": customer["name"]})
    assert await targets_of(northwind_client, "Unchanged") == [
        ("Customer", [customer["id"]], "READ", ["name", "tier"], 1),
    ]


async def test_a_replayed_response_is_a_read(northwind_client: HubClient) -> None:
    customer = await first_customer(northwind_client)
    mutation = UPDATE.format(name="Replayed", selection="name")
    variables = {"id": customer["id"], "name": customer["name"], "key": "replayed"}
    for _ in range(2):
        await northwind_client.query(mutation, variables)

    async def count_reads() -> int:  # two batches may write them, one after the other
        answer = await northwind_client.query(
            ENTRIES, {"filter": {"operation": {"eq": "Replayed"}, "kind": {"eq": "READ"}}}
        )
        return sum(entry["times"] for entry in answer["auditLog"]["nodes"])

    async def are_both_there() -> bool:
        return await count_reads() >= 2

    await wait_until(are_both_there)
    assert await count_reads() == 2


async def test_ids_of_what_a_mutation_wrote_are_no_read(northwind_client: HubClient) -> None:
    customer = await first_customer(northwind_client)
    mutation = UPDATE.format(name="Ids", selection="id")
    await northwind_client.query(mutation, {"id": customer["id"], "name": customer["name"] + "."})
    await targets_of(northwind_client, "Ids", "WRITE")
    filter = {"filter": {"operation": {"eq": "Ids"}, "kind": {"eq": "READ"}}}
    assert await northwind_client.query(ENTRIES, filter) == {"auditLog": {"nodes": []}}


async def test_the_state_that_a_conflict_shows_is_a_read(northwind_client: HubClient) -> None:
    customer = await first_customer(northwind_client)
    mutation = UPDATE.format(name="Conflicting", selection="id")
    error = await northwind_client.error(mutation, {"id": customer["id"], "name": "x", "version": 99})
    assert (error["code"], error["current"]["name"]) == ("VERSION_CONFLICT", customer["name"])
    targets = await targets_of(northwind_client, "Conflicting")
    assert targets == [("Customer", [customer["id"]], "READ", sorted(error["current"]), 1)]


async def test_me_names_the_row_of_the_caller(northwind_client: HubClient) -> None:
    staff = (await northwind_client.query("{ staffMembers(first: 1) { nodes { id } } }"))["staffMembers"]["nodes"][0][
        "id"
    ]
    mint = 'mutation($id: ID!) { staffKeyMint(input: {staffId: $id, role: "reader"}) { key } }'
    key = (await northwind_client.query(mint, {"id": staff}))["staffKeyMint"]["key"]
    await northwind_client.query("query Myself { me { staff { name } } }", key=key)
    assert await targets_of(northwind_client, "Myself") == [
        ("Staff", [staff], "READ", ["name"], 1),
    ]
