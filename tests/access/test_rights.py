"""What roles let a viewer read: rows by filters, fields, masks, aggregates alone, and unions of several roles.

The roles are built here; test_roles*.py store them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase
from oracle.compare import ExecuteStep
from oracle.engine import open_engine
from oracle.script import Step

from hub.graph import build
from hub.model import scopes
from hub.rights import AccessRule, Mask, RoleVersion
from hub.schema.sales.orders import Order
from hub.viewer import Role, Viewer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = '{"owner": {"id": {"eq": "$staff"}}}'
OF_MY_CUSTOMERS = '{"customer": {"owner": {"id": {"eq": "$staff"}}}}'
Answer = Callable[..., Awaitable[dict[str, Any]]]


def role(*rules: AccessRule, name: str = "agent") -> RoleVersion:
    return RoleVersion(name, 1, {rule.entity: rule for rule in rules})


def viewer(*roles: RoleVersion, staff: UUID | None = None) -> Viewer:
    return Viewer(None, Role.READER, staff_id=staff, roles=roles)


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    return await create_database("northwind")


@pytest.fixture(scope="module")
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def execute_step(dsn: str) -> AsyncIterator[ExecuteStep]:
    async with open_engine(dsn, build()) as execute:
        yield execute


@pytest.fixture(scope="module")
def answer(execute_step: ExecuteStep) -> Answer:
    async def answered(query: str, who: Viewer, **variables: Any) -> dict[str, Any]:
        response = await execute_step(Step(query, variables, None), who, datetime.now(UTC))
        assert "errors" not in response, response
        data: dict[str, Any] = response["data"]
        return data

    return answered


@pytest.fixture(scope="module")
def errors(execute_step: ExecuteStep) -> Answer:
    """The errors of a refused document, without the places in it."""

    async def refused(query: str, who: Viewer, **variables: Any) -> dict[str, Any]:
        response = await execute_step(Step(query, variables, None), who, NOW)
        assert response.get("data") is None, response
        error = response["errors"][0]
        return {"message": error["message"], **error["extensions"]}

    return refused


@pytest.fixture(scope="module")
async def agents(connection: asyncpg.Connection) -> tuple[UUID, UUID]:
    """The two members of staff who look after most customers."""
    rows = await connection.fetch(
        "select owner_id from customers where owner_id is not null group by 1 order by count(*) desc, 1 limit 2"
    )
    return rows[0][0], rows[1][0]


AGENT = role(
    AccessRule("Customer", row_filter=MINE),
    AccessRule("Order", row_filter=OF_MY_CUSTOMERS),
    AccessRule("Product"),
)


async def test_a_filter_cuts_roots_links_counts_groups_and_node(
    answer: Answer, connection: asyncpg.Connection, agents: tuple[UUID, UUID]
) -> None:
    mine = await connection.fetchval("select count(*) from customers where owner_id = $1", agents[0])
    orders = await connection.fetchval(
        "select count(*) from orders o join customers c on c.id = o.customer_id where c.owner_id = $1", agents[0]
    )
    foreign = await connection.fetchval("select id from customers where owner_id = $1 limit 1", agents[1])
    query = """query ($id: ID!) {
        customers(first: 100) { totalCount nodes { orders { totalCount } } }
        orders { totalCount stats { count } }
        ordersGrouped(by: {link: {customer: {field: ID}}}) { totalCount }
        withOrders: customersGrouped(by: {field: KIND}) { nodes { stats { count } } }
        node(id: $id) { id }
        customer(id: $id) { id }
    }"""
    data = await answer(query, viewer(AGENT, staff=agents[0]), id=f"cus_{foreign.hex}")
    assert data["customers"]["totalCount"] == mine
    assert data["orders"] == {"totalCount": orders, "stats": {"count": orders}}
    assert sum(node["orders"]["totalCount"] for node in data["customers"]["nodes"]) == orders
    assert sum(node["stats"]["count"] for node in data["withOrders"]["nodes"]) == mine
    assert data["node"] is None
    assert data["customer"] is None


async def test_a_filter_that_names_what_the_viewer_has_not_grants_nothing(answer: Answer) -> None:
    data = await answer("{ customers { totalCount } orders { totalCount } products { totalCount } }", viewer(AGENT))
    assert data == {"customers": {"totalCount": 0}, "orders": {"totalCount": 0}, "products": {"totalCount": 77}}


async def test_a_filter_reads_what_is_about_people_whoever_asks(
    answer: Answer, connection: asyncpg.Connection, agents: tuple[UUID, UUID]
) -> None:
    await connection.execute(
        """insert into claims (staff_id, unit_id, metric, amount, occurred_on)
        select id, unit_id, 'deposits.new', 1, '1998-05-06' from staff where id = $1""",
        agents[1],
    )
    claimants = '{"claims": {"some": {"metric": {"eq": "deposits.new"}}}}'
    who = viewer(role(AccessRule("Staff", row_filter=claimants), AccessRule("Claim")), staff=agents[0])
    data = await answer("{ staffMembers { nodes { id } } claims { totalCount } }", who)
    assert data == {"staffMembers": {"nodes": [{"id": f"stf_{agents[1].hex}"}]}, "claims": {"totalCount": 0}}


async def test_a_link_to_a_hidden_row_is_null_and_may_be(answer: Answer, agents: tuple[UUID, UUID]) -> None:
    everything = role(AccessRule("Customer", row_filter=MINE), AccessRule("Order"))
    query = """{
        orders(first: 100, orderBy: {field: PLACED_AT}) { nodes { customer { owner: id } } }
        __type(name: "Order") { fields { name type { kind } } }
    }"""
    data = await answer(query, viewer(everything, staff=agents[0]))
    seen = [node["customer"] is not None for node in data["orders"]["nodes"]]
    assert True in seen
    assert False in seen
    kinds = {field["name"]: field["type"]["kind"] for field in data["__type"]["fields"]}
    assert kinds["customer"] == "OBJECT"
    assert kinds["number"] == "NON_NULL"


FEW_FIELDS = role(
    AccessRule("Customer", fields=frozenset(["name", "country", "orders"])),
    AccessRule("Order", fields=frozenset(["number", "status", "customer"])),
)
# A document with a hidden name, and the same with a name that nobody has.
HIDDEN_NAMES = [
    ("{ customers { nodes { tier } } }", "tier", "tuer"),
    ("{ customers { nodes { contacts { totalCount } } } }", "contacts", "kontakts"),
    ("{ customers { nodes { history { totalCount } } } }", "history", "hystory"),
    ("{ customers(filter: {tier: {eq: GOLD}}) { totalCount } }", "tier", "tuer"),
    ("{ customers(filter: {orders: {some: {net: {gt: 1}}}}) { totalCount } }", "net", "nzt"),
    ("{ customers(filter: {contacts: {count: {gt: 1}}}) { totalCount } }", "contacts", "kontakts"),
    ("{ customersGrouped(by: {field: TIER}) { totalCount } }", "TIER", "TUER"),
    ("{ customersGrouped(by: {field: COUNTRY}) { nodes { key { tier } } } }", "tier", "tuer"),
    ("{ orders(orderBy: {field: PLACED_AT}) { totalCount } }", "PLACED_AT", "PLXCED_AT"),
    ("{ orders { stats { min { placedAt } } } }", "placedAt", "plxcedAt"),
    ("{ contacts { totalCount } }", "contacts", "kontakts"),
    ('{ contact(id: "con_1") { id } }', "contact", "kontact"),
    ('{ node(id: "cus_1") { ... on Contact { id } } }', "Contact", "Kontact"),
    ("{ changes(filter: {types: [CONTACT]}) { __typename } }", "CONTACT", "KONTACT"),
    ('{ changes(filter: {contact: {id: {eq: "x"}}}) { __typename } }', "contact", "kontact"),
    ("query ($f: ContactFilter) { customers(filter: $f) { totalCount } }", "ContactFilter", "KontactFilter"),
]


@pytest.mark.parametrize(("query", "hidden", "unknown"), HIDDEN_NAMES)
async def test_a_hidden_name_is_refused_as_an_unknown_one(
    errors: Answer, query: str, hidden: str, unknown: str
) -> None:
    who = viewer(FEW_FIELDS)
    expected = await errors(query.replace(hidden, unknown), who)
    actual = json.loads(json.dumps(await errors(query, who)).replace(hidden, unknown))
    assert actual == expected


async def test_variables_with_hidden_names_are_refused_as_unknown_ones(errors: Answer) -> None:
    query = "query ($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
    hidden = await errors(query, viewer(FEW_FIELDS), f={"tier": {"eq": "GOLD"}})
    unknown = await errors(query, viewer(FEW_FIELDS), f={"tuer": {"eq": "GOLD"}})
    assert json.loads(json.dumps(hidden).replace("tier", "tuer")) == unknown


async def test_suggestions_and_introspection_name_nothing_hidden(answer: Answer, errors: Answer) -> None:
    assert "tier" not in (await errors("{ customers { nodes { tiier } } }", viewer(FEW_FIELDS)))["message"]
    query = '{ __schema { types { name } } __type(name: "Customer") { fields { name } } }'
    data = await answer(query, viewer(FEW_FIELDS))
    assert {field["name"] for field in data["__type"]["fields"]} == {"id", "name", "country", "orders"}
    names = {type_["name"] for type_ in data["__schema"]["types"]}
    assert "Order" in names
    assert not {name for name in names if name.startswith("Contact") and "Input" not in name} & {
        "Contact",
        "ContactFilter",
        "ContactConnection",
        "ContactGroupKey",
    }


async def test_masks_show_a_part_of_the_value(answer: Answer) -> None:
    masks = [("name", Mask.INITIAL), ("country", Mask.NULL), ("createdAt", Mask.YEAR), ("language", Mask.REDACTED)]
    masked = role(AccessRule("Customer", masks=frozenset(masks)))
    query = "{ customers(first: 1, filter: {tier: {eq: GOLD}}) { nodes { name country createdAt language currency } } }"
    ((row,),) = [(await answer(query, viewer(masked)))["customers"]["nodes"]]
    assert row["name"][1:] == "***"
    assert row["country"] is None
    assert row["createdAt"][4:] == "-01-01T00:00:00+00:00"
    assert row["language"] == "***"
    assert row["currency"]


async def test_a_field_of_one_role_alone_shows_in_its_rows(
    answer: Answer, connection: asyncpg.Connection, agents: tuple[UUID, UUID]
) -> None:
    names = role(AccessRule("Customer", fields=frozenset(["name"])), name="names")
    own = role(AccessRule("Customer", row_filter=MINE, fields=frozenset(["name", "status"])), name="own")
    data = await answer("{ customers(first: 100) { nodes { id name status } } }", viewer(names, own, staff=agents[0]))
    nodes = data["customers"]["nodes"]
    owned = await connection.fetch("select id from customers where owner_id = $1", agents[0])
    assert all(node["name"] for node in nodes)
    assert {node["id"] for node in nodes if node["status"]} == {f"cus_{row['id'].hex}" for row in owned}
    assert len(nodes) > len(owned)


async def test_aggregate_only_refuses_rows_and_hides_small_groups(
    answer: Answer, errors: Answer, connection: asyncpg.Connection
) -> None:
    analyst = viewer(role(AccessRule("Order", aggregate_only=True), name="analyst"))
    assert (await errors("{ orders { nodes { id } } }", analyst))["code"] == "FIELD_UNKNOWN"
    assert (await errors('{ orders(filter: {number: {eq: "10248"}}) { totalCount } }', analyst))[
        "code"
    ] == "ARGUMENT_UNKNOWN"
    few = (
        '{ orders(filter: {placedAt: {lt: "1996-07-08T00:00:00Z"}}) { totalCount stats { sum { total { amount } } } } }'
    )
    assert (await answer(few, analyst))["orders"] == {"totalCount": 0, "stats": {"sum": {"total": []}}}
    days = "{ ordersGrouped(by: {field: PLACED_AT, bucket: DAY}) { totalCount nodes { stats { count } } } }"
    groups = (await answer(days, analyst))["ordersGrouped"]
    sizes = await connection.fetch("select count(*) from orders group by placed_at having count(*) >= 5")
    assert groups["totalCount"] == len(sizes)
    assert sorted(node["stats"]["count"] for node in groups["nodes"]) == sorted(row[0] for row in sizes)


async def test_a_small_currency_counts_among_all_rows_and_shows_no_amount(
    answer: Answer, connection: asyncpg.Connection
) -> None:
    analyst = viewer(role(AccessRule("Order", aggregate_only=True), name="analyst"))
    few = "number in ('10248', '10249', '10250')"
    await connection.execute(f"update orders set currency = 'CHF' where {few}")
    try:
        query = "{ orders { totalCount stats { count max { placedAt total { currency } } } } }"
        orders = (await answer(query, analyst))["orders"]
        whole = (await answer("{ orders { totalCount stats { max { placedAt } } } }", analyst))["orders"]
        assert orders["totalCount"] == orders["stats"]["count"] == whole["totalCount"] == 830
        assert orders["stats"]["max"] == {**whole["stats"]["max"], "total": [{"currency": "USD"}]}
    finally:
        await connection.execute("update orders set currency = 'USD' where currency = 'CHF'")


async def test_a_history_begins_with_the_hand_over_for_the_new_agent(
    answer: Answer, connection: asyncpg.Connection, agents: tuple[UUID, UUID]
) -> None:
    customer = await connection.fetchval("select id from customers where owner_id = $1 order by id limit 1", agents[0])
    await connection.execute("update customers set owner_id = $2 where id = $1", customer, agents[1])
    try:
        history = (
            "query ($c: ID!) { customer(id: $c) { history { nodes { operation before { name } after { name } } } } }"
        )
        data = await answer(history, viewer(AGENT, staff=agents[1]), c=f"cus_{customer.hex}")
        (revision,) = data["customer"]["history"]["nodes"]
        assert (revision["operation"], revision["before"]) == ("ENTER", None)
        assert revision["after"]["name"]
        owners = await connection.fetch("select distinct owner_id from orders where customer_id = $1", customer)
        assert [row[0] for row in owners] == [agents[1]]
    finally:
        await connection.execute("update customers set owner_id = $2 where id = $1", customer, agents[0])


async def test_an_agents_newest_orders_come_from_the_index_of_owners(
    dsn: str, connection: asyncpg.Connection, agents: tuple[UUID, UUID]
) -> None:
    statement = scopes.visible(Order.table, Order.table, viewer(AGENT, staff=agents[0]).rights)
    assert str(statement).startswith("orders.owner_id = :right$")
    plan = await connection.fetch(
        f"explain select id from orders where owner_id = '{agents[0]}' order by placed_at desc, id desc limit 50"
    )
    assert "ix_orders_owner_id_placed_at_id" in plan[1][0] + plan[0][0]


async def test_what_sql_computes_from_a_masked_column_is_unknown(answer: Answer, errors: Answer) -> None:
    plain, masked = (role(AccessRule("Clock", masks=frozenset(m))) for m in ((), [("runningSince", Mask.NULL)]))
    for name in ("spentSeconds", "remainingSeconds", "share"):
        query = f"{{ clocks {{ nodes {{ {name} }} }} }}"
        assert await answer(query, viewer(plain)) == {"clocks": {"nodes": []}}
        assert (await errors(query, viewer(masked)))["code"] == "FIELD_UNKNOWN"
