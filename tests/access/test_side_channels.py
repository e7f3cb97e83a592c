"""Answers that could tell what a key does not see: matches by hidden values, values that are taken, references, differences."""

from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from test_role_writes import role_key
from writer_client import HubClient

from hub.model.collisions import MAX_COLLISIONS
from hub.viewer import Role

IDENTIFY = """mutation ($value: String!) {
  identify(input: {identifiers: [{kind: EXTERNAL_ID, value: $value}], source: "northwind"}) {
    outcome reasons customer { id } } }"""
UPSERT = (
    """mutation ($by: CustomerUpsertBy!) { customerUpsert(input: {by: $by, name: "x"}) { created customer { id } } }"""
)
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
DELETE_CONTACT = "mutation ($id: ID!) { contactDelete(input: {id: $id}) { deletedId } }"
RECORD = "mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) { interaction { id } } }"
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
EXTERNAL_ID = {"kind": "EXTERNAL_ID", "value": "FRANK", "source": "northwind"}
CUSTOMERS = {"entity": "Customer", "verbs": ["READ", "CREATE", "UPDATE"]}
MASKED = {"entity": "Identifier", "verbs": ["READ", "CREATE"], "masks": [{"field": "value", "mask": "LAST_FOUR"}]}


@pytest.fixture(scope="module")
async def masking_key(northwind_client: HubClient) -> str:
    """A key whose role masks what identifiers are, and yet may create them."""
    return await role_key(northwind_client, "masking", CUSTOMERS, {**MASKED, "writable": ["kind", "value", "source"]})


@pytest.mark.parametrize("value", ["FRANK", "NOBODY"])
async def test_nobody_is_identified_by_a_value_that_the_role_masks(
    northwind_client: HubClient, masking_key: str, value: str
) -> None:
    error = await northwind_client.error(IDENTIFY, {"value": value}, key=masking_key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.identifiers")


async def test_identifiers_that_a_role_may_not_write_are_not_written_by_a_command(northwind_client: HubClient) -> None:
    readable = {"entity": "Identifier", "verbs": ["READ", "CREATE"], "writable": ["verified"]}
    units = {"entity": "OrgUnit", "verbs": ["READ"]}
    key = await role_key(northwind_client, "naming", CUSTOMERS, readable, units)
    error = await northwind_client.error(IDENTIFY, {"value": "UNSEEN"}, key=key)
    assert (error["code"], error["entity"]) == ("FORBIDDEN", "Identifier")
    by = {"external": {"source": "northwind", "externalId": "UNSEEN"}}
    error = await northwind_client.error(UPSERT, {"by": by}, key=key)
    assert (error["code"], error.get("entity")) == ("FORBIDDEN", "Identifier"), error


@pytest.mark.parametrize(
    "by", [{"identifier": EXTERNAL_ID}, {"external": {"source": "northwind", "externalId": "FRANK"}}]
)
async def test_an_upsert_knows_no_key_that_compares_a_masked_value(
    northwind_client: HubClient, masking_key: str, by: dict[str, Any]
) -> None:
    error = await northwind_client.error(UPSERT, {"by": by}, key=masking_key)
    (name,) = by
    assert error["code"] == "VARIABLE_INVALID"
    assert f"not to include unknown field '{name}'" in error["message"]


async def test_a_value_finds_only_rows_that_show_it(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    mine = await connection.fetchval("select customer_id from identifiers where value = 'ALFKI'")
    shown = {"entity": "Identifier", "verbs": ["READ"], "rowFilter": {"value": {"eq": "ALFKI"}}}
    masked = {**MASKED, "verbs": ["READ"]}
    orders = {"entity": "Order", "verbs": ["READ", "CREATE"]}
    await role_key(northwind_client, "one-value", CUSTOMERS, shown)
    both = await role_key(northwind_client, "no-value", CUSTOMERS, masked, orders)
    await connection.execute(
        """insert into role_assignments (role_id, key_id) select r.id, k.id from roles r, api_keys k
        where r.name = 'one-value' and k.public_id = $1""",
        both.split("_")[1],
    )
    order = {"currency": "EUR", "identifier": {**EXTERNAL_ID, "value": "ALFKI"}, "number": "S-1"}
    created = await northwind_client.query(ORDER, {"input": order}, key=both)
    owner = await connection.fetchval(
        "select customer_id from orders where 'ord_' || replace(id::text, '-', '') = $1",
        created["orderCreate"]["order"]["id"],
    )
    assert owner == mine
    hidden = {**order, "identifier": EXTERNAL_ID, "number": "S-2"}
    error = await northwind_client.error(ORDER, {"input": hidden}, key=both)
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.identifier")


async def test_a_role_that_hides_rows_learns_of_few_values_that_they_have(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    own = {"entity": "Order", "verbs": ["READ", "CREATE"], "rowFilter": {"currency": {"eq": "EUR"}}}
    key = await role_key(northwind_client, "prober", CUSTOMERS, own)
    customer = await connection.fetchval("select id from customers limit 1")
    order = {"customerId": f"cus_{customer.hex}", "number": "10248", "currency": "EUR"}
    codes = [
        (await northwind_client.error(ORDER, {"input": order}, key=key))["code"] for _ in range(MAX_COLLISIONS + 1)
    ]
    assert codes == ["ALREADY_EXISTS"] * MAX_COLLISIONS + ["COLLISION_LIMIT"]


async def test_a_refused_delete_does_not_say_which_hidden_rows_refer_to_the_row(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    customer = await connection.fetchval("select id from customers where name = 'Around the Horn'")
    minted = await northwind_client.query(
        'mutation ($id: ID!) { customerKeyMint(input: {customerId: $id, role: "writer"}) { key } }',
        {"id": f"cus_{customer.hex}"},
    )
    key = minted["customerKeyMint"]["key"]
    created = await northwind_client.query(CONTACT, {"input": {"name": "Aunt"}}, key=key)
    contact = created["contactCreate"]["contact"]["id"]
    note = {"customerId": f"cus_{customer.hex}", "channel": "PHONE", "direction": "INTERNAL", "kind": "note.made"}
    await northwind_client.query(RECORD, {"input": {**note, "contactId": contact}})
    error = await northwind_client.error(DELETE_CONTACT, {"id": contact}, key=key)
    assert (error["code"], error["message"]) == (
        "IN_USE",
        "input.id: other rows still refer to it; change or delete them first.",
    )
    error = await northwind_client.error(DELETE_CONTACT, {"id": contact})
    assert error["message"] == "input.id: rows of interactions still refer to it; change or delete them first."


@pytest.fixture(scope="module")
async def counting_key(northwind_client: HubClient) -> str:
    """A key whose role sees aggregates of customers and staff alone."""
    return await role_key(northwind_client, "counting", copyOf="analyst")


@pytest.mark.parametrize(
    ("root", "condition"),
    [
        ("customers", '{name: {eq: "QUICK-Stop"}}'),
        ("customers", '{attributes: {path: ["vip"], eq: true}}'),
        ("identifiers", '{value: {eq: "QUICK"}}'),
        ("contactPoints", '{value: {startsWith: "0"}}'),
        ("interactions", '{body: {startsWith: "S"}}'),
        ("orders", '{shipTo: {eq: "QUICK-Stop"}}'),
        ("staffMembers", '{name: {eq: "Nancy Davolio"}}'),
    ],
)
async def test_who_sees_aggregates_alone_asks_for_nobody_by_name_or_text(
    northwind_client: HubClient, counting_key: str, root: str, condition: str
) -> None:
    difference = f"{{ {root}(filter: {{not: {condition}}}) {{ totalCount }} }}"
    error = await northwind_client.error(difference, key=counting_key)
    field = condition[1:].partition(":")[0]
    assert (error["code"], error["argument"]) == ("ARGUMENT_UNKNOWN", f"filter.not.{field}")
    by = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in field)
    error = await northwind_client.error(f"{{ {root}Grouped(by: {{field: {by}}}) {{ totalCount }} }}", key=counting_key)
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "by.field")


CHANGES = """query ($id: ID!, $after: Cursor) { changes(filter: {ids: [$id]}, after: $after) {
  ... on Change { operation changedFields } ... on StreamReady { cursor } } }"""
HISTORY = "query ($id: ID!) { customer(id: $id) { history { totalCount nodes { operation changedFields } } } }"


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        (["name", "history"], [["name"]]),
        (["name", "history", "version"], [[], ["name"]]),  # the version says that something changed
    ],
)
async def test_changes_of_hidden_columns_alone_are_no_changes(
    northwind_client: HubClient, fields: list[str], operations: list[list[str]]
) -> None:
    name = f"seeing-{len(fields)}"
    key = await role_key(northwind_client, name, {"entity": "Customer", "verbs": ["READ"], "fields": fields})
    created = await northwind_client.query(
        'mutation { customerCreate(input: {name: "Before"}) { customer { id } } changes: __typename }'
    )
    customer = created["customerCreate"]["customer"]["id"]
    update = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
    await northwind_client.query(update, {"input": {"id": customer, "tier": "GOLD"}})
    await northwind_client.query(update, {"input": {"id": customer, "name": "After"}})
    data = await northwind_client.query(HISTORY, {"id": customer}, key=key)
    entries = list(reversed(data["customer"]["history"]["nodes"]))
    assert [entry["changedFields"] for entry in entries[1:]] == operations
    assert data["customer"]["history"]["totalCount"] == len(operations) + 1
    data = await northwind_client.query(CHANGES, {"id": customer}, key=key)
    updates = [message["changedFields"] for message in data["changes"] if message.get("operation") == "UPDATE"]
    assert updates == operations


SET_EMAIL = "mutation ($input: StaffUpdateInput!) { staffUpdate(input: $input) { staff { email } } }"
ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { __typename } }"


async def test_nobody_takes_over_the_address_of_a_person_with_roles(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    boss, clerk = [
        f"stf_{key.hex}"
        for key in await connection.fetch("select id from staff order by number limit 2")
        for key in key
    ]
    await northwind_client.query(ASSIGN, {"input": {"role": "admin", "staffId": boss}})
    writer = await create_api_key(northwind_client.dsn, Role.WRITER)
    address = {"id": boss, "email": "mine@firma.de"}
    error = await northwind_client.error(SET_EMAIL, {"input": address}, key=writer)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.email")
    error = await northwind_client.error(
        """mutation ($by: StaffUpsertBy!) { staffUpsert(input: {by: $by, email: "mine@firma.de"}) { created } }""",
        {"by": {"id": boss}},
        key=writer,
    )
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.email")
    await northwind_client.query(SET_EMAIL, {"input": {"id": boss, "title": "Boss"}}, key=writer)
    await northwind_client.query(SET_EMAIL, {"input": {**address, "id": clerk}}, key=writer)
    await northwind_client.query(SET_EMAIL, {"input": {**address, "email": "boss@firma.de"}})
