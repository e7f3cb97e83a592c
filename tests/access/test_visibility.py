"""Who may see what, told by cases: what is hidden is as good as absent, through whichever door it is asked for.

That this holds for every field of the schema is shown by test_oracle.py."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from asgi_client import AsgiResponse, post
from conftest import CreateDatabase, create_api_key

from hub.app import lifespan
from hub.settings import Settings
from hub.viewer import Role

PostQuery = Callable[..., Awaitable[AsgiResponse]]
ReadData = Callable[..., Awaitable[Any]]

# Three customers: one of an outlet in Eastern, one of another outlet there, one of Northern.
OUTLET_CUSTOMER, REGION_CUSTOMER, OTHER_CUSTOMER = "Around the Horn", "QUICK-Stop", "Folk och fä HB"
BOUND = pytest.mark.parametrize("bound", ["region", "outlet", "customer"])


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    """Northwind, to be changed."""
    return await create_database("northwind")


@pytest.fixture(scope="module")
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The tables themselves."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def post_query(dsn: str) -> AsyncIterator[PostQuery]:
    """Asks with a key; changes of rights are seen at once."""
    async with lifespan(Settings(key_cache_ttl=0), dsn) as app:

        async def posted(query: str, key: str) -> AsgiResponse:
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            return await post(app, json.dumps({"query": query}).encode(), headers)

        yield posted


@pytest.fixture(scope="module")
async def read_data(post_query: PostQuery) -> ReadData:
    """What a key sees."""

    async def seen(query: str, key: str) -> Any:
        answer = (await post_query(query, key)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    return seen


async def unit_key(dsn: str, connection: asyncpg.Connection, code: str) -> str:
    return await create_api_key(
        dsn, Role.READER, unit_id=await connection.fetchval("select id from org_units where code = $1", code)
    )


async def customer_key(dsn: str, connection: asyncpg.Connection, name: str) -> str:
    return await create_api_key(
        dsn, Role.READER, customer_id=await connection.fetchval("select id from customers where name = $1", name)
    )


@pytest.fixture(scope="module")
async def keys_by_binding(dsn: str, connection: asyncpg.Connection) -> dict[str, str]:
    """A key for everything, for a region, for an outlet in it, and for one customer there."""
    return {
        "all": await create_api_key(dsn),
        "region": await unit_key(dsn, connection, "eastern"),
        "outlet": await unit_key(dsn, connection, "20852"),
        "customer": await customer_key(dsn, connection, OUTLET_CUSTOMER),
    }


# -- hidden is absent ---------------------------------------------------------------------------------------------------


def id_of_other_customer(table: str) -> str:
    owner = f"join customers c on c.id = t.customer_id where c.name = '{OTHER_CUSTOMER}'"
    return f"select t.id from {table} t {owner} order by t.id limit 1"


HIDDEN = [
    ("cus", "customer", "customers", f"select id from customers where name = '{OTHER_CUSTOMER}'"),
    ("idn", "identifier", "identifiers", id_of_other_customer("identifiers")),
    ("con", "contact", "contacts", id_of_other_customer("contacts")),
    ("cpt", "contactPoint", "contactPoints", id_of_other_customer("contact_points")),
    ("adr", "address", "addresses", id_of_other_customer("addresses")),
    ("ord", "order", "orders", id_of_other_customer("orders")),
    ("itm", "orderItem", "orderItems", id_of_other_customer("order_items")),
    ("int", "interaction", "interactions", id_of_other_customer("interactions")),
    ("sco", "score", "scores", id_of_other_customer("scores")),
    ("unt", "orgUnit", "orgUnits", "select id from org_units where code = 'northern'"),
    ("stf", "staff", "staffMembers", "select id from staff where name = 'Anne Dodsworth'"),
]
LOOKUPS = (
    ('{ node(id: "%s") { __typename id } }', '{"data":{"node":null}}'),
    ('{ nodes(ids: ["%s"]) { __typename id } }', '{"data":{"nodes":[null]}}'),
    ('{ ONE(id: "%s") { id createdAt } }', '{"data":{"ONE":null}}'),
    (
        '{ MANY(filter: { id: { eq: "%s" } }) { totalCount nodes { id } } }',
        '{"data":{"MANY":{"totalCount":0,"nodes":[]}}}',
    ),
    ('{ MANY(filter: { id: { in: ["%s"] } }) { stats { count } } }', '{"data":{"MANY":{"stats":{"count":0}}}}'),
    (
        '{ MANYGrouped(by: { field: CREATED_AT }, filter: { id: { in: ["%s"] } }) { totalCount nodes { stats { count } } } }',
        '{"data":{"MANYGrouped":{"totalCount":0,"nodes":[]}}}',
    ),
)


@BOUND
@pytest.mark.parametrize(("prefix", "one", "many", "chosen"), HIDDEN, ids=[one for _, one, _, _ in HIDDEN])
async def test_a_hidden_id_is_answered_as_one_that_never_was(
    post_query: PostQuery,
    connection: asyncpg.Connection,
    keys_by_binding: dict[str, str],
    bound: str,
    prefix: str,
    one: str,
    many: str,
    chosen: str,
) -> None:
    hidden, never = f"{prefix}_{(await connection.fetchval(chosen)).hex}", f"{prefix}_{uuid4().hex}"
    for template, nothing in LOOKUPS:
        query, nothing = (text.replace("ONE", one).replace("MANY", many) for text in (template, nothing))
        assert (await post_query(query % hidden, keys_by_binding[bound])).text == nothing
        assert (await post_query(query % never, keys_by_binding[bound])).text == nothing
        assert (await post_query(query % hidden, keys_by_binding["all"])).text != nothing


@BOUND
async def test_a_hidden_identifier_is_answered_as_one_that_never_was(
    post_query: PostQuery, keys_by_binding: dict[str, str], bound: str
) -> None:
    query = '{ customerBy(identifier: { kind: EXTERNAL_ID, value: "%s" }) { name } }'
    for code in ("FOLKO", "NOONE"):
        assert (await post_query(query % code, keys_by_binding[bound])).text == '{"data":{"customerBy":null}}'
    assert (await post_query(query % "AROUT", keys_by_binding[bound])).json() == {
        "data": {"customerBy": {"name": OUTLET_CUSTOMER}}
    }


# -- links, filters, figures --------------------------------------------------------------------------------------------

ORDER = """{
  orders(filter: { staff: %s, customer: { name: { eq: "Around the Horn" } } }, first: 1) {
    totalCount nodes { staff { name } customer { name unit { name parent { name } } owner { name } } }
  }
}"""


async def test_a_link_to_a_hidden_row_is_empty(read_data: ReadData, keys_by_binding: dict[str, str]) -> None:
    async def order(bound: str, staff: str = "null") -> tuple[int, Any]:
        query = ORDER % staff if bound != "customer" else ORDER.replace("owner { name }", "") % staff
        orders = (await read_data(query, keys_by_binding[bound]))["orders"]
        return orders["totalCount"], orders["nodes"]

    anne = '{ name: { eq: "Anne Dodsworth" } }'
    unit = {"name": "Rockville", "parent": {"name": "Eastern"}}
    customer: dict[str, Any] = {"name": OUTLET_CUSTOMER, "unit": unit, "owner": {"name": "Margaret Peacock"}}
    assert await order("all", anne) == (2, [{"staff": {"name": "Anne Dodsworth"}, "customer": customer}])
    assert await order("region", anne) == (0, [])
    assert await order("region") == (13, [{"staff": None, "customer": customer}])
    customer = {"name": OUTLET_CUSTOMER, "unit": {"name": "Rockville", "parent": None}, "owner": None}
    assert await order("outlet") == (13, [{"staff": None, "customer": customer}])
    assert await order("customer") == (13, [{"staff": None, "customer": {"name": OUTLET_CUSTOMER, "unit": None}}])


@pytest.mark.parametrize(
    ("bound", "counts"),
    [("all", (830, 0, 51)), ("region", (217, 263, 51)), ("outlet", (0, 78, 0)), ("customer", (0, 13, 0))],
)
async def test_a_filter_does_not_see_through_a_hidden_link(
    read_data: ReadData, keys_by_binding: dict[str, str], bound: str, counts: tuple[int, ...]
) -> None:
    query = """{
      taken: orders(filter: { staff: {} }) { totalCount }
      untaken: orders(filter: { not: { staff: {} } }) { totalCount }
      above: customers(filter: { unit: { parent: { code: { eq: "eastern" } } } }) { totalCount }
    }"""
    seen = await read_data(query, keys_by_binding[bound])
    assert tuple(connection["totalCount"] for connection in seen.values()) == counts


@pytest.mark.parametrize(
    ("bound", "same"),
    [
        ("region", '{ unit: { parent: { code: { eq: "eastern" } } } }'),
        ("outlet", '{ unit: { code: { eq: "20852" } } }'),
        ("customer", '{ name: { eq: "Around the Horn" } }'),
    ],
)
async def test_counts_figures_and_groups_are_those_of_the_visible_rows(
    read_data: ReadData, keys_by_binding: dict[str, str], bound: str, same: str
) -> None:
    query = """{
      customers(filter: %s) { totalCount nodes { name } stats { count min { createdAt } } }
      orders(first: 100, filter: %s) { totalCount nodes { number } stats { sum { net { amount } } avg { total { amount } } } }
      orderItems(filter: %s) { stats { count sum { quantity } max { createdAt } } }
      customersGrouped(by: { field: COUNTRY }, orderBy: { by: COUNT }, filter: %s) { totalCount nodes { key { country } } }
      interactionsGrouped(by: { field: KIND }, filter: %s) { nodes { key { kind } stats { count } } }
    }"""
    theirs = f"{{ customer: {same} }}"
    admin = await read_data(query % (same, theirs, f"{{ order: {theirs} }}", same, theirs), keys_by_binding["all"])
    assert await read_data(query % (("{}",) * 5), keys_by_binding[bound]) == admin


async def test_what_all_may_see_is_sorted_and_counted_by_visible_rows_only(
    read_data: ReadData, connection: asyncpg.Connection, keys_by_binding: dict[str, str]
) -> None:
    query = """{
      products(first: 3, orderBy: { items: { by: SUM, field: QUANTITY }, direction: DESC }) {
        nodes { name items { totalCount nodes { id } stats { sum { quantity } } } }
      }
      sold: products(filter: { items: { some: {} } }) { totalCount }
      much: products(filter: { items: { sum: { quantity: { gte: 50 } } } }) { totalCount }
    }"""
    bought = await connection.fetch(
        "select p.name, count(*), sum(quantity) from order_items i join customers c on c.id = i.customer_id"
        " join products p on p.id = i.product_id where c.name = $1 group by p.id order by 3 desc, p.id desc",
        OUTLET_CUSTOMER,
    )
    seen = await read_data(query, keys_by_binding["customer"])
    figures = [
        (product["name"], product["items"]["totalCount"], int(product["items"]["stats"]["sum"]["quantity"]))
        for product in seen["products"]["nodes"]
    ]
    assert figures == [tuple(product) for product in bought[:3]]
    assert all(
        len(product["items"]["nodes"]) == product["items"]["totalCount"] for product in seen["products"]["nodes"]
    )
    assert seen["sold"]["totalCount"] == len(bought)
    assert seen["much"]["totalCount"] == sum(product["sum"] >= 50 for product in bought)


# -- searches, what resolvers name, cursors -----------------------------------------------------------------------------


@BOUND
async def test_a_search_finds_visible_rows_only(
    read_data: ReadData, keys_by_binding: dict[str, str], bound: str
) -> None:
    query = '{ customers(search: "folk") { totalCount } contactsGrouped(by: { field: NAME }, search: "larsson") { totalCount } }'
    nothing = {"customers": {"totalCount": 0}, "contactsGrouped": {"totalCount": 0}}
    assert await read_data(query.replace("folk", "folk och fa"), keys_by_binding[bound]) == nothing
    assert (await read_data(query, keys_by_binding["all"]))["contactsGrouped"]["totalCount"] > 0


async def test_mentions_name_visible_orders_only(
    read_data: ReadData, connection: asyncpg.Connection, keys_by_binding: dict[str, str]
) -> None:
    order = "select o.id, o.number from orders o join customers c on c.id = o.customer_id where c.name = $1 limit 1"
    here, near, far = [
        (await connection.fetch(order, name))[0] for name in (OUTLET_CUSTOMER, REGION_CUSTOMER, OTHER_CUSTOMER)
    ]
    body = " and ".join(f"ord_{row['id'].hex}" for row in (far, here, near))
    await connection.execute(
        "update interactions set body = $1, subject = 'gossip' where order_id = $2", body, here["id"]
    )
    query = """{
      interactions(first: 1, filter: { subject: { eq: "gossip" } }) { nodes { mentions { number customer { name } } } }
    }"""

    async def mentioned(bound: str) -> list[tuple[str, str]]:
        (node,) = (await read_data(query, keys_by_binding[bound]))["interactions"]["nodes"]
        return [(mention["number"], mention["customer"]["name"]) for mention in node["mentions"]]

    assert await mentioned("all") == [
        (far["number"], OTHER_CUSTOMER),
        (here["number"], OUTLET_CUSTOMER),
        (near["number"], REGION_CUSTOMER),
    ]
    assert await mentioned("region") == [(here["number"], OUTLET_CUSTOMER), (near["number"], REGION_CUSTOMER)]
    assert await mentioned("outlet") == await mentioned("customer") == [(here["number"], OUTLET_CUSTOMER)]


async def test_a_cursor_of_another_viewer_is_a_position_and_grants_nothing(
    read_data: ReadData, keys_by_binding: dict[str, str]
) -> None:
    page = "{ customers(first: %d%s) { nodes { name } pageInfo { endCursor hasPreviousPage } } }"
    mine = [
        customer["name"]
        for customer in (await read_data(page % (100, ""), keys_by_binding["region"]))["customers"]["nodes"]
    ]
    for size in (1, 40, 90):
        admin = (await read_data(page % (size, ""), keys_by_binding["all"]))["customers"]
        after = f', after: "{admin["pageInfo"]["endCursor"]}"'
        behind = (await read_data(page % (100, after), keys_by_binding["region"]))["customers"]
        names = [customer["name"] for customer in behind["nodes"]]
        assert names == [name for name in mine if name > admin["nodes"][-1]["name"]]
        assert behind["pageInfo"]["hasPreviousPage"] is (len(names) < len(mine))


# -- what changes rights ------------------------------------------------------------------------------------------------

VISIBLE_COUNTS = (
    "{ customers { totalCount } orders { totalCount } orgUnits { totalCount } staffMembers { totalCount } }"
)


async def counts(read_data: ReadData, key: str) -> tuple[int, ...]:
    return tuple(connection["totalCount"] for connection in (await read_data(VISIBLE_COUNTS, key)).values())


async def test_a_unit_that_moves_takes_its_customers_along(
    read_data: ReadData, dsn: str, connection: asyncpg.Connection
) -> None:
    northern, eastern = await unit_key(dsn, connection, "northern"), await unit_key(dsn, connection, "eastern")
    outlet = await unit_key(dsn, connection, "20852")
    before = [await counts(read_data, key) for key in (northern, eastern, outlet)]
    move = """
        update org_units u set parent_id = p.id, path = p.path || u.code::ltree
        from org_units p where u.code = '20852' and p.code = $1
    """
    await connection.execute(move, "northern")
    moved = [await counts(read_data, key) for key in (northern, eastern, outlet)]
    await connection.execute(move, "eastern")
    customers, orders, *_ = before[2]
    (n_customers, n_orders, n_units, n_staff), (e_customers, e_orders, e_units, e_staff), _ = before
    assert moved == [
        (n_customers + customers, n_orders + orders, n_units + 1, n_staff),
        (e_customers - customers, e_orders - orders, e_units - 1, e_staff),
        before[2],
    ]
    assert [await counts(read_data, key) for key in (northern, eastern, outlet)] == before


async def test_a_customer_who_moves_takes_all_that_is_theirs_along(
    read_data: ReadData, dsn: str, connection: asyncpg.Connection
) -> None:
    outlet, empty = await unit_key(dsn, connection, "20852"), await unit_key(dsn, connection, "10019")
    before = await counts(read_data, outlet)
    assert await counts(read_data, empty) == (0, 0, 1, 0)
    move = "update customers set unit_id = (select id from org_units where code = $2) where name = $1"
    await connection.execute(move, OUTLET_CUSTOMER, "10019")
    assert await counts(read_data, empty) == (1, 13, 1, 0)
    assert await counts(read_data, outlet) == (before[0] - 1, before[1] - 13, 1, 0)
    await connection.execute(move, OUTLET_CUSTOMER, "20852")
    assert await counts(read_data, outlet) == before


async def test_a_unit_that_is_founded_below_is_seen_at_once(
    read_data: ReadData, dsn: str, connection: asyncpg.Connection
) -> None:
    outlet = await unit_key(dsn, connection, "01581")
    customers, orders, *_ = await counts(read_data, outlet)
    insert_unit = """
        insert into org_units (code, name, kind, parent_id, path)
        select 'annex', 'Annex', 'OUTLET', id, path || 'annex' from org_units where code = '01581' returning id
    """
    annex = await connection.fetchval(insert_unit)
    assert await counts(read_data, outlet) == (customers, orders, 2, 0)
    move = "update customers set unit_id = $2 where name = $1"
    home = await connection.fetchval("select unit_id from customers where name = $1", OTHER_CUSTOMER)
    await connection.execute(move, OTHER_CUSTOMER, annex)
    assert await counts(read_data, outlet) == (customers + 1, orders + 19, 2, 0)
    await connection.execute(move, OTHER_CUSTOMER, home)
    await connection.execute("delete from org_units where code = 'annex'")
    assert await counts(read_data, outlet) == (customers, orders, 1, 0)


async def test_a_key_bound_to_one_customer_sees_that_one_and_the_price_list(
    read_data: ReadData, keys_by_binding: dict[str, str]
) -> None:
    assert await counts(read_data, keys_by_binding["customer"]) == (1, 13, 0, 0)
    query = """{
      products { totalCount }
      interactions { totalCount nodes { customer { name } } }
      customers { nodes { timeline { totalCount } } }
    }"""
    seen = await read_data(query, keys_by_binding["customer"])
    assert seen["products"]["totalCount"] == 77
    interactions = seen["interactions"]
    assert {row["customer"]["name"] for row in interactions["nodes"]} == {OUTLET_CUSTOMER}
    assert seen["customers"]["nodes"] == [{"timeline": {"totalCount": 13 + interactions["totalCount"]}}]


async def test_a_key_whose_customer_is_deleted_opens_nothing(
    post_query: PostQuery, dsn: str, connection: asyncpg.Connection
) -> None:
    key = await customer_key(dsn, connection, "Paris spécialités")
    assert (await post_query("{ customers { totalCount } }", key)).json() == {"data": {"customers": {"totalCount": 1}}}
    await connection.execute("delete from customers where name = 'Paris spécialités'")
    response = await post_query("{ customers { totalCount } }", key)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "KEY_UNKNOWN")
