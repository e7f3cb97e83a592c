"""The shipped roles on the mutations that matter, and that they follow from the declarations."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import create_api_key
from test_role_writes import create_staff_key
from writer_client import HubClient

from hub import schema
from hub.domain.access.shipped_roles import shipped_roles
from hub.rights import Verb

CREATE_CUSTOMER = 'mutation ($u: ID) { customerCreate(input: {name: "New", unitId: $u}) { customer { id } } }'
RENAME = 'mutation ($c: ID!) { customerUpdate(input: {id: $c, name: "Renamed"}) { customer { id } } }'
DELETE = "mutation ($c: ID!) { customerDelete(input: {id: $c}) { deletedId } }"
ORDER = 'mutation ($c: ID!, $n: String!) { orderCreate(input: {customerId: $c, number: $n, currency: "EUR"}) { order { id } } }'
STAFF = 'mutation ($u: ID!, $n: String!) { staffCreate(input: {number: $n, name: "Ana", unitId: $u}) { staff { id } } }'
PRODUCT = """mutation ($n: String!) { productCreate(input: {
    sku: $n, name: "P", category: "C", unitPrice: "1", currency: "EUR"
}) { product { id } } }"""
CONTACT = 'mutation ($c: ID!) { contactCreate(input: {customerId: $c, name: "Ana"}) { contact { id } } }'
ROLE = 'mutation { roleUpsert(input: {name: "x", rules: []}) { created } }'
KEY = "mutation ($c: ID!) { customerKeyMint(input: {customerId: $c}) { expiresAt } }"
ERASE = "mutation ($c: ID!) { customerErase(input: {id: $c}) { entries } }"
READ = "query ($c: ID!) { customer(id: $c) { name } }"
COUNT = "{ customers { totalCount } }"
DOCUMENTS = {
    "read": READ,
    "count": COUNT,
    "customer": CREATE_CUSTOMER,
    "rename": RENAME,
    "order": ORDER,
    "contact": CONTACT,
    "staff": STAFF,
    "product": PRODUCT,
    "role": ROLE,
    "key": KEY,
    "delete": DELETE,
}
NUMBERS = iter(range(10_000))

# What each role may do; everything else is refused.
ALLOWED = {
    "admin": set(DOCUMENTS),
    "writer": set(DOCUMENTS) - {"role", "key"},
    "reader": {"read", "count"},
    "manager": {"read", "count", "customer", "rename", "order", "contact", "staff", "delete"},
    "agent": {"read", "count", "customer", "rename", "order", "contact"},
    "analyst": {"count"},
    "integration": {"read", "count", "customer", "rename", "order", "contact"},
    "customer": {"read", "count", "contact"},
}


@dataclass(frozen=True)
class Workplace:
    """A unit, a person who works there, and a fresh customer of that person."""

    unit: UUID
    staff: UUID
    customer: UUID


@pytest.fixture
async def workplace(northwind_client: HubClient, connection: asyncpg.Connection) -> Workplace:
    unit = await connection.fetchval("select unit_id from customers where owner_id is not null order by id limit 1")
    staff = await connection.fetchval(
        "select owner_id from customers where unit_id = $1 and owner_id is not null", unit
    )
    customer = await connection.fetchval(
        "insert into customers (name, unit_id, owner_id) values ('Fresh', $1, $2) returning id", unit, staff
    )
    return Workplace(unit, staff, customer)


async def key_of(client: HubClient, role: str, workplace: Workplace) -> str:
    """A key with a role, as such keys are: managers are bound to a unit, customers to themselves, agents are people."""
    if role == "manager":
        return await create_api_key(client.dsn, role, unit_id=workplace.unit)
    if role == "customer":
        return await create_api_key(client.dsn, role, customer_id=workplace.customer)
    return await create_staff_key(client.dsn, role, workplace.staff if role == "agent" else None)


async def is_allowed(client: HubClient, key: str, document: str, workplace: Workplace) -> bool:
    """Whether a document is answered with data; what is refused is forbidden, or an unknown name."""
    values: dict[str, Any] = {
        "c": f"cus_{workplace.customer.hex}",
        "u": f"unt_{workplace.unit.hex}",
        "n": f"N{next(NUMBERS)}",
    }
    variables = {name: value for name, value in values.items() if f"${name}:" in document}
    response = await client.execute(document, variables, key=key)
    if "errors" not in response:
        return None not in response["data"].values()
    assert response["errors"][0]["extensions"]["code"] in ("FORBIDDEN", "FIELD_UNKNOWN"), response
    return False


@pytest.mark.parametrize("role", ALLOWED)
async def test_a_shipped_role_may_do_what_it_is_for(
    northwind_client: HubClient, workplace: Workplace, role: str
) -> None:
    key = await key_of(northwind_client, role, workplace)
    allowed = {name for name, text in DOCUMENTS.items() if await is_allowed(northwind_client, key, text, workplace)}
    assert allowed == ALLOWED[role]


@pytest.mark.parametrize("role", ["writer", "manager", "agent", "analyst", "integration", "customer"])
async def test_only_administrators_erase(northwind_client: HubClient, workplace: Workplace, role: str) -> None:
    key = await key_of(northwind_client, role, workplace)
    assert not await is_allowed(northwind_client, key, ERASE, workplace)


async def test_a_manager_writes_nothing_outside_the_unit(northwind_client: HubClient, workplace: Workplace) -> None:
    key = await key_of(northwind_client, "manager", workplace)
    units = (await northwind_client.query("{ orgUnits(first: 50) { nodes { id } } }"))["orgUnits"]["nodes"]
    own = (await northwind_client.query("{ orgUnits(first: 50) { nodes { id } } }", key=key))["orgUnits"]["nodes"]
    foreign = next(unit["id"] for unit in units if unit not in own)
    error = await northwind_client.error(STAFF, {"u": foreign, "n": "F1"}, key=key)
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.unitId")


def test_every_entity_of_customers_is_in_the_roles_that_work_with_them() -> None:
    of_customers = {e.__name__ for e in schema.entities() if e.definition.scope.customer_column is not None}
    for name in ("manager", "agent", "analyst", "integration"):
        rules = shipped_roles()[name].rules
        assert rules is not None
        assert of_customers <= set(rules), name
        filtered = {entity for entity in of_customers if rules[entity].row_filter is not None}
        assert filtered == (of_customers if name == "agent" else set())


def test_who_writes_also_reads() -> None:
    rules = [rule for role in shipped_roles().values() for rule in (role.rules or {}).values()]
    assert all(Verb.READ in rule.verbs for rule in rules)


@pytest.mark.parametrize(
    "plural", ["tasks", "notifications", "jobRoles", "teams", "credentials", "claims", "disclosures", "reportIssues"]
)
async def test_an_analyst_counts_the_rows_about_staff_and_reads_none(northwind_client: HubClient, plural: str) -> None:
    key = await create_api_key(northwind_client.dsn, "analyst")
    assert await northwind_client.query(f"{{ {plural} {{ totalCount }} }}", key=key) == {plural: {"totalCount": 0}}
    assert (await northwind_client.error(f"{{ {plural} {{ nodes {{ id }} }} }}", key=key))["code"] == "FIELD_UNKNOWN"
