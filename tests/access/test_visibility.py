"""Who may see what, told by cases: what is hidden is as good as absent, through whichever door it is asked for.

That this holds for every field of the schema is shown by test_oracle.py."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from conftest import NewDatabase, key_for

from hub.app import running
from hub.settings import Settings
from hub.viewer import Role

Post = Callable[..., Awaitable[httpx2.Response]]
See = Callable[..., Awaitable[Any]]

# Three customers: one of an outlet in Eastern, one of another outlet there, one of Northern.
HERE, NEAR, FAR = "Around the Horn", "QUICK-Stop", "Folk och fä HB"
BOUND = pytest.mark.parametrize("bound", ["region", "outlet", "customer"])


@pytest.fixture(scope="module")
async def dsn(new_database: NewDatabase, demo_dsn: str) -> str:
    """Northwind, to be changed."""
    return await new_database("northwind")


@pytest.fixture(scope="module")
async def rows(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The tables themselves."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def post(dsn: str) -> AsyncIterator[Post]:
    """Asks with a key; changes of rights are seen at once."""
    async with (
        running(Settings(key_cache_ttl=0), dsn) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client,
    ):

        async def posted(query: str, key: str) -> httpx2.Response:
            return await client.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {key}"})

        yield posted


@pytest.fixture(scope="module")
async def see(post: Post) -> See:
    """What a key sees."""

    async def seen(query: str, key: str) -> Any:
        answer = (await post(query, key)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    return seen


async def unit_key(dsn: str, rows: asyncpg.Connection, code: str) -> str:
    return await key_for(
        dsn, Role.READER, unit_id=await rows.fetchval("select id from org_units where code = $1", code)
    )


async def customer_key(dsn: str, rows: asyncpg.Connection, name: str) -> str:
    return await key_for(
        dsn, Role.READER, customer_id=await rows.fetchval("select id from customers where name = $1", name)
    )


@pytest.fixture(scope="module")
async def keys(dsn: str, rows: asyncpg.Connection) -> dict[str, str]:
    """A key for everything, for a region, for an outlet in it, and for one customer there."""
    return {
        "all": await key_for(dsn),
        "region": await unit_key(dsn, rows, "eastern"),
        "outlet": await unit_key(dsn, rows, "20852"),
        "customer": await customer_key(dsn, rows, HERE),
    }


# -- hidden is absent ---------------------------------------------------------------------------------------------------


def of_far(table: str) -> str:
    return f"select t.id from {table} t join customers c on c.id = t.customer_id where c.name = '{FAR}' order by t.id limit 1"


HIDDEN = [
    ("cus", "customer", "customers", f"select id from customers where name = '{FAR}'"),
    ("idn", "identifier", "identifiers", of_far("identifiers")),
    ("con", "contact", "contacts", of_far("contacts")),
    ("cpt", "contactPoint", "contactPoints", of_far("contact_points")),
    ("adr", "address", "addresses", of_far("addresses")),
    ("ord", "order", "orders", of_far("orders")),
    ("itm", "orderItem", "orderItems", of_far("order_items")),
    ("int", "interaction", "interactions", of_far("interactions")),
    ("sco", "score", "scores", of_far("scores")),
    ("unt", "orgUnit", "orgUnits", "select id from org_units where code = 'northern'"),
    ("stf", "staff", "staffMembers", "select id from staff where name = 'Anne Dodsworth'"),
]
DOORS = (
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
    post: Post,
    rows: asyncpg.Connection,
    keys: dict[str, str],
    bound: str,
    prefix: str,
    one: str,
    many: str,
    chosen: str,
) -> None:
    hidden, never = f"{prefix}_{(await rows.fetchval(chosen)).hex}", f"{prefix}_{uuid4().hex}"
    for door, nothing in DOORS:
        query, nothing = (each.replace("ONE", one).replace("MANY", many) for each in (door, nothing))
        assert (await post(query % hidden, keys[bound])).text == nothing
        assert (await post(query % never, keys[bound])).text == nothing
        assert (await post(query % hidden, keys["all"])).text != nothing


@BOUND
async def test_a_hidden_identifier_is_answered_as_one_that_never_was(
    post: Post, keys: dict[str, str], bound: str
) -> None:
    query = '{ customerBy(identifier: { kind: EXTERNAL_ID, value: "%s" }) { name } }'
    for code in ("FOLKO", "NOONE"):
        assert (await post(query % code, keys[bound])).text == '{"data":{"customerBy":null}}'
    assert (await post(query % "AROUT", keys[bound])).json() == {"data": {"customerBy": {"name": HERE}}}


# -- links, filters, figures --------------------------------------------------------------------------------------------

ORDER = """{
  orders(filter: { staff: %s, customer: { name: { eq: "Around the Horn" } } }, first: 1) {
    totalCount nodes { staff { name } customer { name unit { name parent { name } } owner { name } } }
  }
}"""


async def test_a_link_to_a_hidden_row_is_empty(see: See, keys: dict[str, str]) -> None:
    async def order(bound: str, staff: str = "null") -> tuple[int, Any]:
        found = (await see(ORDER % staff, keys[bound]))["orders"]
        return found["totalCount"], found["nodes"]

    anne = '{ name: { eq: "Anne Dodsworth" } }'
    unit = {"name": "Rockville", "parent": {"name": "Eastern"}}
    customer: dict[str, Any] = {"name": HERE, "unit": unit, "owner": {"name": "Margaret Peacock"}}
    assert await order("all", anne) == (2, [{"staff": {"name": "Anne Dodsworth"}, "customer": customer}])
    assert await order("region", anne) == (0, [])
    assert await order("region") == (13, [{"staff": None, "customer": customer}])
    customer = {"name": HERE, "unit": {"name": "Rockville", "parent": None}, "owner": None}
    assert await order("outlet") == (13, [{"staff": None, "customer": customer}])
    customer = {"name": HERE, "unit": None, "owner": None}
    assert await order("customer") == (13, [{"staff": None, "customer": customer}])


@pytest.mark.parametrize(
    ("bound", "counts"),
    [("all", (830, 0, 51)), ("region", (217, 263, 51)), ("outlet", (0, 78, 0)), ("customer", (0, 13, 0))],
)
async def test_a_filter_does_not_see_through_a_hidden_link(
    see: See, keys: dict[str, str], bound: str, counts: tuple[int, ...]
) -> None:
    query = """{
      taken: orders(filter: { staff: {} }) { totalCount }
      untaken: orders(filter: { not: { staff: {} } }) { totalCount }
      above: customers(filter: { unit: { parent: { code: { eq: "eastern" } } } }) { totalCount }
    }"""
    seen = await see(query, keys[bound])
    assert tuple(each["totalCount"] for each in seen.values()) == counts


@pytest.mark.parametrize(
    ("bound", "same"),
    [
        ("region", '{ unit: { parent: { code: { eq: "eastern" } } } }'),
        ("outlet", '{ unit: { code: { eq: "20852" } } }'),
        ("customer", '{ name: { eq: "Around the Horn" } }'),
    ],
)
async def test_counts_figures_and_groups_are_those_of_the_visible_rows(
    see: See, keys: dict[str, str], bound: str, same: str
) -> None:
    query = """{
      customers(filter: %s) { totalCount nodes { name } stats { count min { createdAt } } }
      orders(first: 100, filter: %s) { totalCount nodes { number } stats { sum { net { amount } } avg { total { amount } } } }
      orderItems(filter: %s) { stats { count sum { quantity } max { createdAt } } }
      customersGrouped(by: { field: COUNTRY }, orderBy: COUNT, filter: %s) { totalCount nodes { key { country } } }
      interactionsGrouped(by: { field: KIND }, filter: %s) { nodes { key { kind } stats { count } } }
    }"""
    theirs = f"{{ customer: {same} }}"
    admin = await see(query % (same, theirs, f"{{ order: {theirs} }}", same, theirs), keys["all"])
    assert await see(query % (("{}",) * 5), keys[bound]) == admin


async def test_what_all_may_see_is_sorted_and_counted_by_visible_rows_only(
    see: See, rows: asyncpg.Connection, keys: dict[str, str]
) -> None:
    query = """{
      products(first: 3, orderBy: { items: { by: SUM, field: QUANTITY }, direction: DESC }) {
        nodes { name items { totalCount nodes { id } stats { sum { quantity } } } }
      }
      sold: products(filter: { items: { some: {} } }) { totalCount }
      much: products(filter: { items: { sum: { quantity: { gte: 50 } } } }) { totalCount }
    }"""
    bought = await rows.fetch(
        "select p.name, count(*), sum(quantity) from order_items i join customers c on c.id = i.customer_id"
        " join products p on p.id = i.product_id where c.name = $1 group by p.id order by 3 desc, p.id desc",
        HERE,
    )
    seen = await see(query, keys["customer"])
    figures = [
        (each["name"], each["items"]["totalCount"], int(each["items"]["stats"]["sum"]["quantity"]))
        for each in seen["products"]["nodes"]
    ]
    assert figures == [tuple(each) for each in bought[:3]]
    assert all(len(each["items"]["nodes"]) == each["items"]["totalCount"] for each in seen["products"]["nodes"])
    assert seen["sold"]["totalCount"] == len(bought)
    assert seen["much"]["totalCount"] == sum(each["sum"] >= 50 for each in bought)


# -- searches, what resolvers name, cursors -----------------------------------------------------------------------------


@BOUND
async def test_a_search_finds_visible_rows_only(see: See, keys: dict[str, str], bound: str) -> None:
    query = '{ customers(search: "folk") { totalCount } contactsGrouped(by: { field: NAME }, search: "larsson") { totalCount } }'
    nothing = {"customers": {"totalCount": 0}, "contactsGrouped": {"totalCount": 0}}
    assert await see(query.replace("folk", "folk och fa"), keys[bound]) == nothing
    assert (await see(query, keys["all"]))["contactsGrouped"]["totalCount"] > 0


async def test_mentions_name_visible_orders_only(see: See, rows: asyncpg.Connection, keys: dict[str, str]) -> None:
    order = "select o.id, o.number from orders o join customers c on c.id = o.customer_id where c.name = $1 limit 1"
    here, near, far = [(await rows.fetch(order, name))[0] for name in (HERE, NEAR, FAR)]
    body = " and ".join(f"ord_{each['id'].hex}" for each in (far, here, near))
    await rows.execute("update interactions set body = $1, subject = 'gossip' where order_id = $2", body, here["id"])
    query = """{
      interactions(first: 1, filter: { subject: { eq: "gossip" } }) { nodes { mentions { number customer { name } } } }
    }"""

    async def mentioned(bound: str) -> list[tuple[str, str]]:
        (node,) = (await see(query, keys[bound]))["interactions"]["nodes"]
        return [(each["number"], each["customer"]["name"]) for each in node["mentions"]]

    assert await mentioned("all") == [(far["number"], FAR), (here["number"], HERE), (near["number"], NEAR)]
    assert await mentioned("region") == [(here["number"], HERE), (near["number"], NEAR)]
    assert await mentioned("outlet") == await mentioned("customer") == [(here["number"], HERE)]


async def test_a_cursor_of_another_viewer_is_a_place_and_opens_nothing(see: See, keys: dict[str, str]) -> None:
    page = "{ customers(first: %d%s) { nodes { name } pageInfo { endCursor hasPreviousPage } } }"
    mine = [each["name"] for each in (await see(page % (100, ""), keys["region"]))["customers"]["nodes"]]
    for size in (1, 40, 90):
        admin = (await see(page % (size, ""), keys["all"]))["customers"]
        after = f', after: "{admin["pageInfo"]["endCursor"]}"'
        behind = (await see(page % (100, after), keys["region"]))["customers"]
        names = [each["name"] for each in behind["nodes"]]
        assert names == [name for name in mine if name > admin["nodes"][-1]["name"]]
        assert behind["pageInfo"]["hasPreviousPage"] is (len(names) < len(mine))


# -- what changes rights ------------------------------------------------------------------------------------------------

MINE = "{ customers { totalCount } orders { totalCount } orgUnits { totalCount } staffMembers { totalCount } }"


async def counts(see: See, key: str) -> tuple[int, ...]:
    return tuple(each["totalCount"] for each in (await see(MINE, key)).values())


async def test_a_unit_that_moves_takes_its_customers_along(see: See, dsn: str, rows: asyncpg.Connection) -> None:
    northern, eastern = await unit_key(dsn, rows, "northern"), await unit_key(dsn, rows, "eastern")
    outlet = await unit_key(dsn, rows, "20852")
    before = [await counts(see, key) for key in (northern, eastern, outlet)]
    move = """
        update org_units u set parent_id = p.id, path = p.path || u.code::ltree
        from org_units p where u.code = '20852' and p.code = $1
    """
    await rows.execute(move, "northern")
    moved = [await counts(see, key) for key in (northern, eastern, outlet)]
    await rows.execute(move, "eastern")
    customers, orders, *_ = before[2]
    (n_customers, n_orders, n_units, n_staff), (e_customers, e_orders, e_units, e_staff), _ = before
    assert moved == [
        (n_customers + customers, n_orders + orders, n_units + 1, n_staff),
        (e_customers - customers, e_orders - orders, e_units - 1, e_staff),
        before[2],
    ]
    assert [await counts(see, key) for key in (northern, eastern, outlet)] == before


async def test_a_customer_who_moves_takes_all_that_is_theirs_along(
    see: See, dsn: str, rows: asyncpg.Connection
) -> None:
    outlet, empty = await unit_key(dsn, rows, "20852"), await unit_key(dsn, rows, "10019")
    before = await counts(see, outlet)
    assert await counts(see, empty) == (0, 0, 1, 0)
    move = "update customers set unit_id = (select id from org_units where code = $2) where name = $1"
    await rows.execute(move, HERE, "10019")
    assert await counts(see, empty) == (1, 13, 1, 0)
    assert await counts(see, outlet) == (before[0] - 1, before[1] - 13, 1, 0)
    await rows.execute(move, HERE, "20852")
    assert await counts(see, outlet) == before


async def test_a_unit_that_is_founded_below_is_seen_at_once(see: See, dsn: str, rows: asyncpg.Connection) -> None:
    outlet = await unit_key(dsn, rows, "01581")
    customers, orders, *_ = await counts(see, outlet)
    found = """
        insert into org_units (code, name, kind, parent_id, path)
        select 'annex', 'Annex', 'OUTLET', id, path || 'annex' from org_units where code = '01581' returning id
    """
    annex = await rows.fetchval(found)
    assert await counts(see, outlet) == (customers, orders, 2, 0)
    move = "update customers set unit_id = $2 where name = $1"
    home = await rows.fetchval("select unit_id from customers where name = $1", FAR)
    await rows.execute(move, FAR, annex)
    assert await counts(see, outlet) == (customers + 1, orders + 19, 2, 0)
    await rows.execute(move, FAR, home)
    await rows.execute("delete from org_units where code = 'annex'")
    assert await counts(see, outlet) == (customers, orders, 1, 0)


async def test_a_key_bound_to_one_customer_sees_that_one_and_the_price_list(see: See, keys: dict[str, str]) -> None:
    assert await counts(see, keys["customer"]) == (1, 13, 0, 0)
    query = """{
      products { totalCount }
      scores { nodes { customer { name } } }
      customers { nodes { timeline { totalCount } } }
    }"""
    seen = await see(query, keys["customer"])
    assert seen["products"]["totalCount"] == 77
    assert {each["customer"]["name"] for each in seen["scores"]["nodes"]} == {HERE}
    assert seen["customers"]["nodes"] == [{"timeline": {"totalCount": 13 + 26 + len(seen["scores"]["nodes"])}}]


async def test_a_key_whose_customer_is_deleted_opens_nothing(post: Post, dsn: str, rows: asyncpg.Connection) -> None:
    key = await customer_key(dsn, rows, "Paris spécialités")
    assert (await post("{ customers { totalCount } }", key)).json() == {"data": {"customers": {"totalCount": 1}}}
    await rows.execute("delete from customers where name = 'Paris spécialités'")
    response = await post("{ customers { totalCount } }", key)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "KEY_UNKNOWN")
