"""The changes of a row: which are told, what of each, in which order, how far back, and beside what."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from conftest import execute_sql
from golden_documents import open_golden_engine
from socket_hub import run_socket_hub
from writer_client import HubClient

from hub import graph
from hub.engine.catalog.build import build_catalog
from hub.engine.request import GraphQLRequest
from hub.model.declarations import InvalidDeclaration, ToOne
from hub.viewer import ADMIN, Role, Viewer

ADD = """
insert into products (sku, name, category, unit_price, currency) values ($1, 'Nail', 'Iron', 1.5, 'EUR') returning id
"""
WRITTEN_FIELDS = ["sku", "name", "category", "packaging", "unitPrice", "currency", "discontinued"]
CHANGE_FIELDS = "operation version changedFields before { name category } after { name category }"


async def product(connection: asyncpg.Connection, sku: str, *edits: str) -> str:
    """The id of a new product with some edits behind it."""
    key = await connection.fetchval(ADD, sku)
    for edit in edits:
        await connection.execute(f"update products set {edit} where id = $1", key)
    return f"prd_{key.hex}"


async def history(
    northwind_client: HubClient, id: str, arguments: str = "", shown: str = f"nodes {{ {CHANGE_FIELDS} }}"
) -> Any:
    """The history of a product."""
    data = await northwind_client.query(f'{{ product(id: "{id}") {{ history{arguments} {{ {shown} }} }} }}')
    return data["product"]["history"]


async def versions(northwind_client: HubClient, id: str, arguments: str) -> list[int]:
    """The versions in a history."""
    return [
        change["version"] for change in (await history(northwind_client, id, arguments, "nodes { version }"))["nodes"]
    ]


# -- what is told -------------------------------------------------------------------------------------------------------


async def test_changes_come_newest_first_with_what_was_before_and_after(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    id = await product(connection, "image", "name = 'Hook', category = 'Steel'", "name = 'Eye'")
    assert (await history(northwind_client, id))["nodes"] == [
        {
            "operation": "UPDATE",
            "version": 3,
            "changedFields": ["name"],
            "before": {"name": "Hook", "category": "Steel"},
            "after": {"name": "Eye", "category": "Steel"},
        },
        {
            "operation": "UPDATE",
            "version": 2,
            "changedFields": ["name", "category"],
            "before": {"name": "Nail", "category": "Iron"},
            "after": {"name": "Hook", "category": "Steel"},
        },
        {
            "operation": "CREATE",
            "version": 1,
            "changedFields": [*WRITTEN_FIELDS, "createdAt"],
            "before": None,
            "after": {"name": "Nail", "category": "Iron"},
        },
    ]


async def test_a_change_names_its_actor_time_and_transaction(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    id = await product(connection, "who")
    rename = """mutation ($input: ProductUpdateInput!) { productUpdate(input: $input) {
        product { history(first: 1) { nodes { actor requestId transactionId at after { name } } } }
    } }"""
    data = await northwind_client.query(rename, {"input": {"id": id, "name": "Hook"}})
    (own,) = data["productUpdate"]["product"]["history"]["nodes"]
    logged = "select * from change_log where row_id = $1 and version = 2"
    (row,) = await connection.fetch(logged, await connection.fetchval("select id from products where sku = 'who'"))
    assert datetime.fromisoformat(own["at"]) == row["at"]
    assert (own["actor"], own["requestId"]) == (row["actor"], row["request"])
    assert own["actor"].startswith("key:")
    assert (own["transactionId"], own["after"]) == (str(row["transaction_id"]), {"name": "Hook"})


async def test_a_created_row_has_its_history_in_the_payload(northwind_client: HubClient) -> None:
    document = """mutation { productCreate(input: {
        sku: "created", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"
    }) { product { history { totalCount nodes { operation before { id } after { name } } } } } }"""
    created = {"operation": "CREATE", "before": None, "after": {"name": "Nail"}}
    data = await northwind_client.query(document)
    assert data["productCreate"]["product"]["history"] == {"totalCount": 1, "nodes": [created]}


async def test_rows_of_a_list_have_their_own_histories(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    for sku, edits in (("list 1", ["name = 'Hook'"]), ("list 2", []), ("list 3", ["name = 'Eye'", "name = 'Pin'"])):
        await product(connection, sku, *edits)
    query = """{ products(filter: {sku: {startsWith: "list"}}, orderBy: {field: SKU}) { nodes {
        history(first: 2) { totalCount nodes { after { name } } }
    } } }"""
    nodes = (await northwind_client.query(query.replace("orderBy: {field: SKU}", "orderBy: {field: NAME}")))[
        "products"
    ]["nodes"]
    assert [
        (node["history"]["totalCount"], [n["after"]["name"] for n in node["history"]["nodes"]]) for node in nodes
    ] == [(2, ["Hook", "Nail"]), (1, ["Nail"]), (3, ["Pin", "Eye"])]


async def test_resolver_fields_of_an_image_use_the_image(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    key = await connection.fetchval("select id from interactions where body is not null limit 1")
    for body in ("one two three", "four five six"):
        await connection.execute("update interactions set body = $2 where id = $1", key, body)
    query = """query ($id: ID!) { interaction(id: $id) { history(first: 1) {
        edges { node { was: before { excerpt(words: 1) } after { excerpt(words: 2) body } } }
    } } }"""
    data = await northwind_client.query(query, {"id": f"int_{key.hex}"})
    (edge,) = data["interaction"]["history"]["edges"]
    assert edge == {"node": {"was": {"excerpt": "one…"}, "after": {"excerpt": "four five…", "body": "four five six"}}}


async def test_a_recreated_row_continues_its_history(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    id = await product(connection, "again")
    key = await connection.fetchval("delete from products where sku = 'again' returning id")
    await connection.execute(ADD.replace("(sku", "(id, sku").replace("values (", f"values ('{key}', "), "again")
    data = await history(northwind_client, id, shown="nodes { operation before { name } after { name } }")
    nail = {"name": "Nail"}
    assert data["nodes"] == [
        {"operation": "CREATE", "before": None, "after": nail},
        {"operation": "DELETE", "before": nail, "after": None},
        {"operation": "CREATE", "before": None, "after": nail},
    ]


async def test_a_recreated_row_does_not_show_erased_images(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    ids = "select id, to_jsonb(c) - 'search_text' from customers c where name = 'QUICK-Stop'"
    ((key, was),) = await connection.fetch(ids)
    await connection.execute("update customers set name = 'Quick' where id = $1", key)
    await northwind_client.query(f'mutation {{ customerErase(input: {{ id: "cus_{key.hex}" }}) {{ entries }} }}')
    columns = "id, kind, name, status, stage, tier, unit_id, attributes"
    record = "jsonb_populate_record(null::customers, $1) as was"
    await connection.execute(f"insert into customers ({columns}) select {columns} from {record}", was)
    query = (
        f'{{ customer(id: "cus_{key.hex}") {{ history {{ totalCount nodes {{ operation before {{ name }} }} }} }} }}'
    )
    nodes = [{"operation": "CREATE", "before": None}, {"operation": "DELETE", "before": None}]
    assert (await northwind_client.query(query))["customer"] == {"history": {"totalCount": 2, "nodes": nodes}}


async def test_below_the_message_of_a_change_the_row_must_be_there_today(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    existing, deleted = (
        await product(connection, "existing", "name = 'Hook'"),
        await product(connection, "gone", "name = 'Hook'"),
    )
    await connection.execute("delete from products where sku = 'gone'")
    query = """query ($ids: [ID!]) { changes(first: 9, filter: {ids: $ids, operations: [CREATE]}) {
        ... on Change { node { ... on Product { sku history { totalCount } } } }
    } }"""
    while True:  # until both have their positions
        changes = [
            change
            for change in (await northwind_client.query(query, {"ids": [existing, deleted]}))["changes"]
            if change
        ]
        if len(changes) == 2:
            break
    assert [change["node"] for change in changes] == [
        {"sku": "existing", "history": {"totalCount": 2}},
        {"sku": "gone", "history": {"totalCount": 0}},
    ]


# -- which are told -----------------------------------------------------------------------------------------------------


async def test_the_fields_argument_selects_changes(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    id = await product(connection, "fields", "name = 'Hook'", "category = 'Steel'", "unit_price = 2", "name = 'Eye'")
    assert await versions(northwind_client, id, '(fields: ["name"])') == [5, 2, 1]
    assert await versions(northwind_client, id, '(fields: ["category", "unitPrice"])') == [4, 3, 1]
    assert await versions(northwind_client, id, "(fields: [])") == []
    assert await versions(northwind_client, id, "(fields: null)") == [5, 4, 3, 2, 1]
    assert (await history(northwind_client, id, '(fields: "name")', "totalCount"))["totalCount"] == 3


async def test_a_link_is_named_by_its_field(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    key = await connection.fetchval("select id from customers where name = 'Around the Horn'")
    await connection.execute(
        "update customers set unit_id = (select id from org_units where code = '10019') where id = $1", key
    )
    query = '{ customer(id: "%s") { history(fields: ["unit"]) { nodes { changedFields } } } }'
    data = await northwind_client.query(query % f"cus_{key.hex}")
    assert data == {"customer": {"history": {"nodes": [{"changedFields": ["unit"]}]}}}


async def test_since_and_until_bound_a_history(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    id = await product(connection, "span", "name = 'Hook'", "name = 'Eye'")
    moments: list[datetime] = [
        record["at"]
        for record in await connection.fetch("select at from change_log where row_id = $1 order by id", _key(id))
    ]
    first, second, third = (moment.isoformat() for moment in moments)
    assert await versions(northwind_client, id, f'(since: "{second}")') == [3, 2]
    assert await versions(northwind_client, id, f'(until: "{third}")') == [2, 1]
    assert await versions(northwind_client, id, f'(since: "{first}", until: "{second}")') == [1]


def _key(id: str) -> str:
    return id.partition("_")[2]


async def test_pages_of_a_history_go_on_where_the_last_ended(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    id = await product(connection, "pages", *(f"name = '{number}'" for number in range(6)))
    shown = (
        "totalCount edges { cursor node { version } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    )
    pages, after = [], "null"
    for _ in range(3):
        page = await history(northwind_client, id, f"(first: 3, after: {after})", shown)
        edges, info = page["edges"], page["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (edges[0]["cursor"], edges[-1]["cursor"])
        has = (info["hasPreviousPage"], info["hasNextPage"])
        pages.append((page["totalCount"], [edge["node"]["version"] for edge in edges], *has))
        after = f'"{info["endCursor"]}"'
    assert pages == [(7, [7, 6, 5], False, True), (7, [4, 3, 2], True, True), (7, [1], True, False)]


async def test_an_expired_change_is_not_listed(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    id = await product(connection, "old", "name = 'Hook'", "name = 'Eye'")
    await connection.execute("delete from change_log where row_id = $1 and version < 3", _key(id))
    assert await versions(northwind_client, id, "") == [3]


async def test_a_live_query_of_the_history_shows_new_changes(northwind_dsn: str) -> None:
    async with run_socket_hub(northwind_dsn) as hub:
        id = await product(hub.connection, "live")
        watch = "subscription ($id: ID!) { productLive(id: $id) { product { history { nodes { version } } } } }"
        async with hub.subscribe(watch, {"id": id}) as subscription:
            assert (await subscription.next_root())["product"]["history"]["nodes"] == [{"version": 1}]
            await hub.connection.execute("update products set name = 'Hook' where sku = 'live'")
            assert (await subscription.next_root())["product"]["history"]["nodes"] == [{"version": 2}, {"version": 1}]


async def test_the_past_of_a_row_is_read_by_the_index_of_the_log(northwind_dsn: str) -> None:
    await execute_sql(
        northwind_dsn, "update order_items set created_at = created_at + interval '1 us';" * 10 + "analyze"
    )
    async with open_golden_engine(northwind_dsn) as harness, harness.pool.connection() as connection:
        id = f"itm_{(await connection.fetchval('select id from order_items limit 1')).hex}"
        as_of = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        parts = f'nodeAsOf(id: "{id}", at: "{as_of}") {{ id }} then: orderItem(id: "{id}", asOf: "{as_of}") {{ id }}'
        parts += f' orderItem(id: "{id}") {{ history(first: 2) {{ totalCount nodes {{ version }} }} }}'
        operation = GraphQLRequest(f"{{ {parts} }}", None, None)
        for viewer in (ADMIN, Viewer(None, Role.READER, unit_path="group", unit_ids=(uuid4(), uuid4()))):
            text, arguments = harness.engine.explain(operation, viewer)
            plan = [line for (line,) in await connection.fetch(f"explain {text}", *arguments)]
            assert [line for line in plan if "Index" in line and "row_id_id_idx" in line]
            today = f"change_log_{await connection.fetchval('select max(day) from change_log'):%Y%m%d}"
            assert not [line for line in plan if f"Seq Scan on {today}" in line], "\n".join(plan)


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "field", "selection"),
    [
        ("AS_OF_LINK", "items", "nodes { before { name items { totalCount } } }"),
        ("AS_OF_LINK", "items", "edges { node { after { items { totalCount } } } }"),
        ("AS_OF_LINK", "history", "nodes { after { history { totalCount } } }"),
    ],
)
async def test_an_image_has_no_links(northwind_client: HubClient, code: str, field: str, selection: str) -> None:
    error = await northwind_client.error(f'{{ product(id: "prd_{"0" * 32}") {{ history {{ {selection} }} }} }}')
    assert (error["code"], error["path"][-1]) == (code, field)
    assert (
        error["message"] == f"{field}: a link cannot be read as it was in the past; select the present row beside it."
    )


@pytest.mark.parametrize(
    ("code", "argument", "arguments"),
    [
        ("FIELD_UNKNOWN", "fields", 'fields: ["name", "nme"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["version"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["items"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["unit_price"]'),
        ("PAGE_LIMIT", "first", "first: 101"),
        ("CURSOR_MALFORMED", "after", 'after: "x"'),
    ],
)
async def test_a_bad_argument_is_refused(northwind_client: HubClient, code: str, argument: str, arguments: str) -> None:
    error = await northwind_client.error(
        f'{{ product(id: "prd_{"0" * 32}") {{ history({arguments}) {{ totalCount }} }} }}'
    )
    assert (error["code"], error["argument"], error["path"]) == (code, argument, ["product", "history"])


async def test_a_cursor_of_another_history_type_is_refused(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    id = await product(connection, "cursor")
    after = (await history(northwind_client, id, "", "pageInfo { endCursor }"))["pageInfo"]["endCursor"]
    query = '{ customer(id: "cus_%s") { history(after: "%s") { totalCount } } }'
    error = await northwind_client.error(query % ("0" * 32, after))
    assert error["code"] == "CURSOR_WRONG_LIST"


async def test_a_history_costs_its_page_and_one_lookup_per_partition(northwind_client: HubClient) -> None:
    page = "history(first: 40) { nodes { before { id } after { id } } }"
    query = "{ products(first: 50) { nodes { %s } } }"
    error = await northwind_client.error(query % page)
    assert (error["code"], "6,550 rows" in error["message"]) == ("COST_LIMIT", True), error["message"]


def test_no_type_has_a_field_of_this_name_of_its_own() -> None:
    first, *_ = graph.declarations()
    declared = dataclasses.replace(first, links={"history": ToOne(first.entity, "id", "…")})
    with pytest.raises(
        InvalidDeclaration, match=r"history: the name is reserved for the list of a row.s changes; rename the field"
    ):
        build_catalog([declared])
