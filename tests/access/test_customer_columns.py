"""Columns that are about the customer and not for it: the customer's own key meets them as names that do not exist.

HUB_CUSTOMER_COLUMNS opens some of them; the hub does not start with a name that is none of them."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from asgi_client import post_query
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub import graph
from hub.errors import Misconfigured
from hub.settings import Settings
from hub.viewer import Role

CUSTOMER = "Around the Horn"
# A field that a customer's own key does not know, its sub-selection, and the same as a column in capitals.
FIELDS = (("tier", "", "TIER"), ("attributes", "", "ATTRIBUTES"), ("owner", "{ name }", "OWNER"))
# Every place of the API that can name a field, with NAME, SUB and UPPER put in; a filter of any form is refused by its name.
PLACES = (
    "{ customers { nodes { NAME SUB } } }",
    "{ customers { edges { node { ...more } } } } fragment more on Customer { NAME SUB }",
    '{ customer(id: "ID") { id NAME SUB } }',
    '{ node(id: "ID") { ... on Customer { NAME SUB } } }',
    '{ nodeAsOf(id: "ID", at: "2026-11-30T00:00:00Z") { ... on Customer { NAME SUB } } }',
    '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "AROUT", source: "northwind"}) { NAME SUB } }',
    "{ orders { nodes { customer { NAME SUB } } } }",
    "{ customers { nodes { timeline { nodes { ... on Order { customer { NAME SUB } } } } } } }",
    "{ customers { nodes { history { nodes { after { NAME SUB } } } } } }",
    "{ customers(filter: {NAME: {isNull: false}}) { totalCount } }",
    "{ customers(filter: {and: [{not: {NAME: {}}}]}) { totalCount } }",
    "{ orders(filter: {customer: {NAME: {}}}) { totalCount } }",
    "{ products(filter: {items: {some: {order: {customer: {NAME: {}}}}}}) { totalCount } }",
    "{ customers(filter: {compare: {NAME: {eq: NAME}}}) { totalCount } }",
    "{ customers(filter: {compare: {name: {eq: UPPER}}}) { totalCount } }",
    "{ customers(orderBy: [{field: UPPER}]) { totalCount } }",
    "{ products(orderBy: [{items: {by: COUNT, where: {order: {customer: {NAME: {}}}}}}]) { totalCount } }",
    "{ customersGrouped(by: [{field: UPPER}]) { totalCount } }",
    "{ customersGrouped(by: [{link: {NAME: {field: NAME}}}]) { totalCount } }",
    "{ ordersGrouped(by: [{link: {customer: {field: UPPER}}}]) { nodes { key { customer { NAME } } } } }",
    "{ customersGrouped(by: [{field: NAME}]) { nodes { key { NAME } } } }",
    "{ customers { stats { max { NAME } } } }",
    "{ changes(filter: {customer: {NAME: {}}}) { __typename } }",
    "subscription { customersLive(filter: {NAME: {}}) { customers { totalCount } } }",
    "subscription { changes { ... on Change { node { ... on Customer { NAME SUB } } } } }",
    'mutation { customerCreate(input: {name: "New", NAMEId: null, NAME: null}) { customer { id } } }',
    'mutation { customerUpdate(input: {id: "ID", NAME: null}) { customer { id } } }',
    'mutation { customerUpsert(input: {by: {id: "ID"}, NAMEId: null, NAME: null}) { customer { id } } }',
    'mutation { customerAssign(input: {id: "ID", NAMEId: null}) { customer { id } } }',
)


@pytest.fixture(scope="module")
async def customer_key(northwind_client: HubClient, connection: asyncpg.Connection) -> str:
    """A key of one customer."""
    customer_id = await connection.fetchval("select id from customers where name = $1", CUSTOMER)
    return await create_api_key(northwind_client.dsn, Role.WRITER, customer_id=customer_id)


async def errors_of(client: HubClient, document: str, key: str) -> Any:
    """The errors of a document that is refused."""
    response = await post_query(client.app, document, None, key)
    assert response.get("data") is None, response
    return response["errors"]


@pytest.mark.parametrize("template", PLACES)
async def test_every_place_refuses_the_column_as_an_unknown_name(
    northwind_client: HubClient, connection: asyncpg.Connection, customer_key: str, template: str
) -> None:
    customer_id = await connection.fetchval("select id from customers where name = $1", CUSTOMER)
    template = template.replace("ID)", f"cus_{customer_id.hex})").replace('"ID"', f'"cus_{customer_id.hex}"')
    for name, selection, upper in FIELDS:
        # A name of the same length that nothing has, so that positions in the document agree too.
        unknown = "zq" + "x" * (len(name) - 2)
        document = re.sub(r"\bNAME(?=(Id)?\b)", name, re.sub(r"\bUPPER\b", upper, template)).replace("SUB", selection)
        twin = re.sub(r"\bNAME(?=(Id)?\b)", unknown, re.sub(r"\bUPPER\b", unknown.upper(), template)).replace(
            "SUB", selection
        )
        refused = repr(await errors_of(northwind_client, document, customer_key))
        expected = repr(await errors_of(northwind_client, twin, customer_key))
        assert refused.replace(name, unknown).replace(upper, unknown.upper()) == expected


async def test_the_list_on_the_other_side_of_a_hidden_link_is_unknown_too(
    northwind_client: HubClient, customer_key: str
) -> None:
    for document in (
        "{ staffMembers { nodes { customers { totalCount } } } }",
        "{ staffMembers(filter: {customers: {some: {}}}) { totalCount } }",
        "{ staffMembers(orderBy: [{customers: {by: COUNT}}]) { totalCount } }",
    ):
        (error,) = await errors_of(northwind_client, document, customer_key)
        assert error["extensions"]["code"] in ("FIELD_UNKNOWN", "ARGUMENT_UNKNOWN")


async def test_a_change_of_a_hidden_column_names_no_field(
    northwind_client: HubClient, connection: asyncpg.Connection, customer_key: str
) -> None:
    await connection.execute("update customers set tier = 'GOLD', language = 'fi' where name = $1", CUSTOMER)
    document = "{ customers { nodes { history(first: 1) { nodes { changedFields } } } } }"
    (customer,) = (await northwind_client.query(document, key=customer_key))["customers"]["nodes"]
    assert customer["history"]["nodes"] == [{"changedFields": ["language"]}]
    for name in ("tier", "attributes", "owner", "zqxx"):
        document = f'{{ customers {{ nodes {{ history(fields: ["{name}"]) {{ totalCount }} }} }} }}'
        (error,) = await errors_of(northwind_client, document, customer_key)
        assert (error["extensions"]["code"], repr(name) in error["message"]) == ("FIELD_UNKNOWN", True)


async def test_a_key_of_the_unit_reads_them(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    unit = await connection.fetchval("select unit_id from customers where name = $1", CUSTOMER)
    key = await create_api_key(northwind_client.dsn, Role.READER, unit_id=unit)
    document = (
        "{ customers(filter: {tier: {in: [GOLD, STANDARD]}}, first: 1) { nodes { tier attributes owner { id } } } }"
    )
    assert (await northwind_client.query(document, key=key))["customers"]["nodes"]


# -- the setting --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def opened(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[tuple[HubClient, str]]:
    """A hub that opens two columns to customers, and the key of one."""
    settings = Settings(customer_columns=("Customer.tier", "Customer.attributes"))
    async with open_hub_client(await create_database("northwind"), settings) as client:
        connection = await asyncpg.connect(client.dsn)
        customer_id: UUID = await connection.fetchval("select id from customers where name = $1", CUSTOMER)
        await connection.close()
        yield client, await create_api_key(client.dsn, Role.READER, customer_id=customer_id)


async def test_the_setting_opens_columns(opened: tuple[HubClient, str]) -> None:
    client, key = opened
    document = '{ customers(filter: {tier: {ne: GOLD}, attributes: [{path: ["x"], isNull: true}]}) { nodes { tier } } }'
    assert (await client.query(document, key=key))["customers"]["nodes"] == [{"tier": "SILVER"}]
    (error,) = await errors_of(client, "{ customers { nodes { owner { id } } } }", key)
    assert error["extensions"]["code"] == "FIELD_UNKNOWN"


@pytest.mark.parametrize(
    "name", ["Customer.name", "Customer", "Staff.customers", "Nobody.tier", "customer.tier", "Customer.x"]
)
def test_the_hub_does_not_start_with_a_column_that_is_not_closed(name: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        graph.build_with((name,))
    assert str(refusal.value) == (
        f"HUB_CUSTOMER_COLUMNS: {name!r} is none of Customer.annualRevenue, Customer.annualRevenueCurrency, "
        "Customer.attributes, Customer.owner, Customer.tier, Customer.unverified."
    )


def test_opening_the_owner_opens_the_list_on_the_other_side() -> None:
    revenue = {"annualRevenue", "annualRevenueCurrency", "unverified"}
    opened = graph.build_with(("Customer.owner",)).catalog.inside
    assert opened == {"Customer": frozenset({"tier", "attributes"} | revenue)}
