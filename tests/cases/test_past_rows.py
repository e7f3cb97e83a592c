"""The past of a row has a root of its own, and ends where the change log ends."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from graphql import GraphQLNonNull, GraphQLObjectType
from graphql.type import GraphQLInterfaceType
from writer_client import HubClient

from hub import graph

SCHEMA = graph.build()
ENTITIES = list(SCHEMA.catalog.entities.values())


def test_d2_node_takes_an_id_alone_as_relay_asks() -> None:
    """relay-compiler asks for `node(id: ID!): Node` and for types that implement Node with `id: ID!`."""
    query, node_type = SCHEMA.core.query_type, SCHEMA.core.type_map["Node"]
    assert query is not None
    node = query.fields["node"]
    assert (node.type, {name: str(argument.type) for name, argument in node.args.items()}) == (node_type, {"id": "ID!"})
    assert isinstance(node_type, GraphQLInterfaceType)
    members = SCHEMA.core.get_possible_types(node_type)
    assert {member.name for member in members} == {entity.name for entity in ENTITIES}
    for member in members:
        assert isinstance(member, GraphQLObjectType)
        assert isinstance(member.fields["id"].type, GraphQLNonNull)


async def test_d2_a_row_is_refetched_by_node_and_its_past_read_by_node_as_of(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval("select id from customers where name = 'Around the Horn'")
    moment = await connection.fetchval("select clock_timestamp()")
    await connection.execute("update customers set name = 'Horn' where id = $1", key)
    query = """query ($id: ID!, $at: DateTime!) {
        node(id: $id) { ...F }
        nodeAsOf(id: $id, at: $at) { ...F }
    }
    fragment F on Customer { name }"""
    data = await northwind_client.query(query, {"id": f"cus_{key.hex}", "at": moment.isoformat()})
    assert data == {"node": {"name": "Horn"}, "nodeAsOf": {"name": "Around the Horn"}}


async def test_d2_node_as_of_needs_a_time(northwind_client: HubClient) -> None:
    for argument in ("", ", at: null"):
        query = f'{{ nodeAsOf(id: "cus_{"0" * 32}"{argument}) {{ id }} }}'
        error = await northwind_client.error(query)
        assert error["code"] in ("ARGUMENT_MISSING", "VALUE_INVALID")


async def test_t2_an_order_before_the_retention_of_the_log_is_expired(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval("select id from orders order by placed_at limit 1")
    query = f'{{ order(id: "ord_{key.hex}", asOf: "1996-07-10T00:00:00Z") {{ status }} }}'
    error = await northwind_client.error(query)
    assert (error["code"], error["argument"], error["path"]) == ("AS_OF_EXPIRED", "asOf", ["order"])
    assert error["message"].startswith("asOf: the change log keeps 7 days; give a time from ")


@pytest.mark.parametrize("entity", SCHEMA.catalog.with_past_rows, ids=lambda entity: entity.name)
async def test_t2_every_type_is_expired_by_its_root_and_by_node_as_of(
    northwind_client: HubClient, connection: asyncpg.Connection, entity: object
) -> None:
    declaration, table = entity.declaration, entity.table.name  # type: ignore[attr-defined]
    singular, prefix = declaration.singular, declaration.prefix
    key = await connection.fetchval(f"select id from {table} limit 1")
    public_id = f"{prefix}_{key.hex if key else '0' * 32}"
    moment = (datetime.now(UTC) - timedelta(days=7, minutes=1)).isoformat()
    for field, argument in ((singular, "asOf"), ("nodeAsOf", "at")):
        error = await northwind_client.error(f'{{ {field}(id: "{public_id}", {argument}: "{moment}") {{ id }} }}')
        assert (error["code"], error["argument"], error["path"]) == ("AS_OF_EXPIRED", argument, [field])


async def test_t2_within_the_retention_the_past_is_read(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval("select id from products limit 1")
    await connection.execute("set hub.capture = off")
    await connection.execute("update products set created_at = now() - interval '9 days' where id = $1", key)
    await connection.execute("set hub.capture = on")
    query = "query ($id: ID!, $at: DateTime!) { nodeAsOf(id: $id, at: $at) { id } }"
    variables = {
        "id": f"prd_{key.hex}",
        "at": (datetime.now(UTC) - timedelta(days=7) + timedelta(minutes=1)).isoformat(),
    }
    assert await northwind_client.query(query, variables) == {"nodeAsOf": {"id": variables["id"]}}


async def test_t2_one_expired_time_among_several_is_named_by_its_root(northwind_client: HubClient) -> None:
    now, old, product = datetime.now(UTC).isoformat(), "2001-01-01T00:00:00Z", f"prd_{'0' * 32}"
    query = f"""{{
        present: product(id: "{product}", asOf: "{now}") {{ id }}
        past: nodeAsOf(id: "{product}", at: "{old}") {{ id }}
    }}"""
    error = await northwind_client.error(query)
    assert (error["code"], error["argument"], error["path"]) == ("AS_OF_EXPIRED", "at", ["past"])


async def test_t2_the_first_time_that_anybody_can_write_is_expired_and_no_fault(northwind_client: HubClient) -> None:
    for moment in ("0001-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "1996-07-10T00:00:00+14:00"):
        error = await northwind_client.error(f'{{ order(id: "ord_{"0" * 32}", asOf: "{moment}") {{ id }} }}')
        assert error["code"] == "AS_OF_EXPIRED", moment
