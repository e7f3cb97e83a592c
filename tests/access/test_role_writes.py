"""Writes by roles: every verb, the row before and after, columns that may not be written, commands, nested rows and links."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import ADMIN

UPSERT_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id name } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created } }"
DELETE = "mutation ($id: ID!) { customerDelete(input: {id: $id}) { deletedId } }"
ASSIGN = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
ABSENT = f"cus_{'0' * 32}"


@dataclass(frozen=True)
class Agent:
    """A member of staff who looks after customers, the person's key, and ids as the API shows them."""

    key: str
    staff: str
    own: str
    foreign: str
    other_staff: str


async def create_staff_key(dsn: str, role: str | None, staff_id: UUID | None) -> str:
    """A new key of a member of staff that is bound to nothing."""
    connection = await asyncpg.connect(dsn)
    try:
        new_key = api_keys.NewKey(name="test", role=role, staff_id=staff_id)
        return await api_keys.create(connection, ADMIN, new_key, datetime.now(UTC))
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def agent(northwind_client: HubClient, connection: asyncpg.Connection) -> Agent:
    """An agent of Northwind."""
    own = await connection.fetchval("select id from customers where owner_id is not null order by id limit 1")
    staff = await connection.fetchval("select owner_id from customers where id = $1", own)
    foreign = await connection.fetchval("select id from customers where owner_id <> $1 order by id limit 1", staff)
    other = await connection.fetchval("select owner_id from customers where id = $1", foreign)
    key = await create_staff_key(northwind_client.dsn, "agent", staff)
    return Agent(key, f"stf_{staff.hex}", f"cus_{own.hex}", f"cus_{foreign.hex}", f"stf_{other.hex}")


async def role_key(client: HubClient, name: str, *rules: dict[str, Any], **role: Any) -> str:
    """A key with a new role."""
    await client.query(UPSERT_ROLE, {"input": {"name": name, "rules": list(rules), **role}})
    return await create_staff_key(client.dsn, name, None)


STAFF = 'mutation ($u: ID!) { staffCreate(input: {number: "S-1", name: "Ana", unitId: $u}) { staff { id } } }'


async def code(client: HubClient, key: str, document: str, **variables: Any) -> str:
    """The code of the only error."""
    error = await client.error(document, variables, key=key)
    return str(error["code"])


async def test_an_agent_writes_own_customers_only(northwind_client: HubClient, agent: Agent) -> None:
    created = await northwind_client.query(CREATE, {"input": {"name": "New"}}, key=agent.key)
    new = created["customerCreate"]["customer"]["id"]  # whose it is follows from who creates it
    await northwind_client.query(UPDATE, {"input": {"id": new, "name": "Newer"}}, key=agent.key)
    for hidden in (agent.foreign, ABSENT):
        error = await northwind_client.error(UPDATE, {"input": {"id": hidden, "name": "x"}}, key=agent.key)
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.id")
    assert await code(northwind_client, agent.key, DELETE, id=new) == "FORBIDDEN"


async def test_a_row_does_not_leave_the_rows_of_its_writer(northwind_client: HubClient, agent: Agent) -> None:
    foreign_owner = {"name": "x", "ownerId": agent.other_staff}
    assert await code(northwind_client, agent.key, CREATE, input=foreign_owner) == "FORBIDDEN"
    handed_over = {"id": agent.own, "ownerId": agent.other_staff}
    error = await northwind_client.error(ASSIGN, {"input": handed_over}, key=agent.key)
    assert (error["code"], error["entity"]) == ("FORBIDDEN", "Customer")
    owner = await northwind_client.query("query ($id: ID!) { customer(id: $id) { owner { id } } }", {"id": agent.own})
    assert owner["customer"]["owner"]["id"] == agent.staff


async def test_a_link_to_a_hidden_row_is_a_link_to_no_row(northwind_client: HubClient, agent: Agent) -> None:
    for customer in (agent.foreign, ABSENT):
        order = {"customerId": customer, "number": "A-1", "currency": "EUR"}
        error = await northwind_client.error(ORDER, {"input": order}, key=agent.key)
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.customerId")
    await northwind_client.query(ORDER, {"input": {**order, "customerId": agent.own}}, key=agent.key)


async def test_an_upsert_follows_the_rules_of_both_its_halves(northwind_client: HubClient, agent: Agent) -> None:
    hidden = {"by": {"id": agent.foreign}, "name": "x"}
    assert await code(northwind_client, agent.key, UPSERT, input=hidden) == "NOT_FOUND"
    creator = await role_key(northwind_client, "creator", {"entity": "Customer", "verbs": ["READ", "CREATE"]})
    assert await code(northwind_client, creator, UPSERT, input={"by": {"id": agent.own}, "name": "x"}) == "FORBIDDEN"


async def test_reading_alone_writes_nothing(northwind_client: HubClient, agent: Agent) -> None:
    key = await role_key(northwind_client, "looker", {"entity": "Customer", "verbs": ["READ"]})
    for document, value in ((CREATE, {"name": "x"}), (UPDATE, {"id": agent.own, "name": "x"})):
        assert await code(northwind_client, key, document, input=value) == "FORBIDDEN"
    assert await code(northwind_client, key, DELETE, id=agent.own) == "FORBIDDEN"
    assert await code(northwind_client, key, ASSIGN, input={"id": agent.own, "ownerId": agent.staff}) in (
        "FORBIDDEN",
        "FIELD_UNKNOWN",
    )


async def test_a_visible_row_that_another_rule_may_not_change_is_forbidden(
    northwind_client: HubClient, agent: Agent
) -> None:
    """Two roles: one reads all customers, the other updates those of one country."""
    await role_key(northwind_client, "all-readers", {"entity": "Customer", "verbs": ["READ"]})
    german = {"entity": "Customer", "verbs": ["READ", "UPDATE"], "rowFilter": {"country": {"eq": "DE"}}}
    key = await role_key(northwind_client, "german-writers", german)
    await northwind_client.query(
        "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }",
        {"input": {"role": "all-readers", "keyId": await key_id(northwind_client, key)}},
    )
    customers = await northwind_client.query(
        '{ de: customers(first: 1, filter: {country: {eq: "DE"}}) { nodes { id } }'
        ' fr: customers(first: 1, filter: {country: {eq: "FR"}}) { nodes { id } } }',
        key=key,
    )
    german_id, french_id = (customers[country]["nodes"][0]["id"] for country in ("de", "fr"))
    await northwind_client.query(UPDATE, {"input": {"id": german_id, "language": "de"}}, key=key)
    error = await northwind_client.error(UPDATE, {"input": {"id": french_id, "language": "de"}}, key=key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.id")
    error = await northwind_client.error(UPDATE, {"input": {"id": german_id, "country": "FR"}}, key=key)
    assert (error["code"], error["entity"]) == ("FORBIDDEN", "Customer")


async def key_id(client: HubClient, key: str) -> str:
    """The id of a key, as the API shows it."""
    connection = await asyncpg.connect(client.dsn)
    try:
        own_id = await connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
        return f"key_{own_id.hex}"
    finally:
        await connection.close()


@pytest.mark.parametrize("field", ["attributes", "absent"])
async def test_a_column_that_may_not_be_written_is_an_unknown_name(
    northwind_client: HubClient, agent: Agent, field: str
) -> None:
    rule = {"entity": "Customer", "verbs": ["READ", "CREATE", "UPDATE"], "fields": ["name", "country"]}
    key = await role_key(northwind_client, f"names-{field}", rule)
    await northwind_client.query(UPDATE, {"input": {"id": agent.own, "country": "DE"}}, key=key)
    value = {"id": agent.own, field: {}}
    error = await northwind_client.error(UPDATE, {"input": value}, key=key)
    assert (error["code"], error["argument"]) == ("VARIABLE_INVALID", "$input")
    assert f"unknown field '{field}'" in error["message"]
    literal = f'mutation {{ customerUpdate(input: {{id: "{agent.own}", {field}: {{}}}}) {{ customer {{ id }} }} }}'
    error = await northwind_client.error(literal, key=key)
    assert (error["code"], error["argument"]) == ("ARGUMENT_UNKNOWN", f"input.{field}")


async def test_who_sees_aggregates_alone_refers_to_no_row(
    northwind_client: HubClient, connection: asyncpg.Connection, agent: Agent
) -> None:
    counted = {"entity": "OrgUnit", "verbs": ["READ"], "aggregateOnly": True}
    rules = ({"entity": "Customer", "verbs": ["READ", "UPDATE"]}, counted)
    key = await role_key(northwind_client, "counts-units", *rules)
    unit = await connection.fetchval("select unit_id from customers where id = $1", UUID(agent.own[4:]))
    errors = [
        await northwind_client.error(ASSIGN, {"input": {"id": agent.own, "unitId": unit_id}}, key=key)
        for unit_id in (f"unt_{unit.hex}", f"unt_{'0' * 32}")
    ]
    assert errors[0] == errors[1]
    assert (errors[0]["code"], errors[0]["argument"]) == ("NOT_FOUND", "input.unitId")


async def test_what_cannot_be_said_in_full_cannot_be_created(northwind_client: HubClient) -> None:
    rule = {"entity": "OrgUnit", "verbs": ["READ", "CREATE"], "writable": ["code"]}
    key = await role_key(northwind_client, "nameless", rule)
    document = 'mutation { orgUnitCreate(input: {code: "north-9"}) { orgUnit { id } } }'
    error = await northwind_client.error(document, key=key)
    assert (error["code"], error["message"][:41]) == ("FIELD_UNKNOWN", "Cannot query field 'orgUnitCreate' on typ")


async def test_a_rule_may_say_what_is_written_unread(northwind_client: HubClient, agent: Agent) -> None:
    rule = {"entity": "Customer", "verbs": ["READ", "UPDATE"], "fields": ["country"], "writable": ["name"]}
    key = await role_key(northwind_client, "blind-writers", rule)
    await northwind_client.query(UPDATE, {"input": {"id": agent.own, "name": "Renamed"}}, key=key)
    error = await northwind_client.error(UPDATE, {"input": {"id": agent.own, "country": "DE"}}, key=key)
    assert "unknown field 'country'" in error["message"]


async def test_inputs_name_no_hidden_fields(northwind_client: HubClient, agent: Agent) -> None:
    rules = [
        {"entity": "Customer", "verbs": ["READ"], "fields": ["name", "interactions"]},
        {"entity": "Interaction", "verbs": ["READ", "CREATE"], "fields": ["customer", "channel", "direction", "kind"]},
    ]
    key = await role_key(northwind_client, "readers-of-names", *rules)
    error = await northwind_client.error(UPDATE, {"input": {"id": agent.own, "tier": "GOLD"}}, key=key)
    assert "unknown field 'tier'" in error["message"]
    assert await code(northwind_client, key, UPDATE, input={"id": agent.own, "name": "Renamed"}) == "FORBIDDEN"
    assign = f'mutation {{ customerAssign(input: {{id: "{agent.own}", unitId: null}}) {{ customer {{ id }} }} }}'
    assert "unknown field 'unitId'" in (await northwind_client.error(assign, key=key))["message"]
    delete = f'mutation {{ productDelete(input: {{id: "prd_{"0" * 32}"}}) {{ deletedId }} }}'
    assert await code(northwind_client, key, delete) == "FIELD_UNKNOWN"


async def test_rows_that_are_only_counted_cannot_be_referred_to(northwind_client: HubClient, agent: Agent) -> None:
    rules: list[dict[str, Any]] = [
        {"entity": "OrgUnit", "verbs": ["READ"], "aggregateOnly": True},
        {"entity": "Staff", "verbs": ["READ", "CREATE"]},
    ]
    key = await role_key(northwind_client, "counters-of-units", *rules)
    units = await northwind_client.query("{ orgUnits(first: 1) { nodes { id } } }")
    answers = []
    for unit in (units["orgUnits"]["nodes"][0]["id"], f"unt_{'0' * 32}"):
        error = await northwind_client.error(STAFF, {"u": unit}, key=key)
        answers.append((error["code"], error["argument"], error["message"]))
    assert answers[0] == answers[1]
    assert answers[0][:2] == ("NOT_FOUND", "input.unitId")


async def test_nested_rows_need_a_rule_of_their_own(northwind_client: HubClient, agent: Agent) -> None:
    rules = [{"entity": "Customer", "verbs": ["READ"]}, {"entity": "Order", "verbs": ["READ", "CREATE"]}]
    key = await role_key(northwind_client, "order-takers", *rules)
    order = {"customerId": agent.own, "number": "N-1", "currency": "EUR"}
    error = await northwind_client.error(ORDER, {"input": {**order, "items": []}}, key=key)
    assert "unknown field 'items'" in error["message"]
    await northwind_client.query(ORDER, {"input": order}, key=key)


async def test_a_command_is_run_by_name_without_the_right_to_write(northwind_client: HubClient, agent: Agent) -> None:
    rules = [{"entity": "Customer", "verbs": ["READ"]}, {"entity": "Staff", "verbs": ["READ"]}]
    key = await role_key(northwind_client, "assigners", *rules, run=["customerAssign"])
    await northwind_client.query(ASSIGN, {"input": {"id": agent.foreign, "ownerId": agent.other_staff}}, key=key)
    assert await code(northwind_client, key, UPDATE, input={"id": agent.foreign, "name": "x"}) == "FORBIDDEN"
    writers = {"entity": "Customer", "verbs": ["READ", "UPDATE"]}
    none = await role_key(northwind_client, "no-commands", writers, {"entity": "Staff", "verbs": ["READ"]}, run=[])
    assigned = {"id": agent.foreign, "ownerId": agent.other_staff}
    assert await code(northwind_client, none, ASSIGN, input=assigned) == "FORBIDDEN"


async def test_a_hidden_identifier_leads_to_no_customer(northwind_client: HubClient, agent: Agent) -> None:
    add = """mutation ($c: ID!) { identifierCreate(input: {customerId: $c, kind: EMAIL, value: "anna@firma.de", source: "crm"}) {
        identifier { id }
    } }"""
    await northwind_client.query(add, {"c": agent.own})
    by_address = {"kind": "EMAIL", "value": "anna@firma.de"}
    orders = {"entity": "Order", "verbs": ["READ", "CREATE"]}
    customers = {"entity": "Customer", "verbs": ["READ", "UPDATE"]}
    order = {"identifier": by_address, "number": "I-1", "currency": "EUR"}
    blind = await role_key(northwind_client, "blind", orders, customers)
    error = await northwind_client.error(ORDER, {"input": order}, key=blind)
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.identifier")
    seeing = await role_key(northwind_client, "seeing", orders, customers, {"entity": "Identifier", "verbs": ["READ"]})
    await northwind_client.query(ORDER, {"input": order}, key=seeing)


async def test_no_role_means_no_rows_and_no_names(northwind_client: HubClient) -> None:
    key = await create_staff_key(northwind_client.dsn, None, None)
    assert await code(northwind_client, key, "{ customers { totalCount } }") == "FIELD_UNKNOWN"
