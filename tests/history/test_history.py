"""The changes of a row: which are told, what of each, in which order, how far back, and beside what."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from conftest import execute
from golden_documents import asked
from socket_hub import streaming
from writer_client import Writer

from hub import schema
from hub.engine.catalog.catalog import DeclarationFault, build
from hub.engine.engine import Request
from hub.model.declarations import one
from hub.viewer import ADMIN, Role, Viewer

ADD = """
insert into products (sku, name, category, unit_price, currency) values ($1, 'Nail', 'Iron', 1.5, 'EUR') returning id
"""
WRITTEN = ["sku", "name", "category", "packaging", "unitPrice", "currency", "discontinued"]
SHOWN = "operation version changedFields before { name category } after { name category }"


async def product(rows: asyncpg.Connection, sku: str, *edits: str) -> str:
    """The id of a new product with some edits behind it."""
    key = await rows.fetchval(ADD, sku)
    for edit in edits:
        await rows.execute(f"update products set {edit} where id = $1", key)
    return f"prd_{key.hex}"


async def history(hub_: Writer, id: str, arguments: str = "", shown: str = f"nodes {{ {SHOWN} }}") -> Any:
    """The history of a product."""
    found = await hub_.do(f'{{ product(id: "{id}") {{ history{arguments} {{ {shown} }} }} }}')
    return found["product"]["history"]


async def versions(hub_: Writer, id: str, arguments: str) -> list[int]:
    """The versions in a history."""
    return [each["version"] for each in (await history(hub_, id, arguments, "nodes { version }"))["nodes"]]


# -- what is told -------------------------------------------------------------------------------------------------------


async def test_changes_come_newest_first_with_what_was_before_and_after(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "told", "name = 'Hook', category = 'Steel'", "name = 'Eye'")
    assert (await history(hub_, id))["nodes"] == [
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
            "changedFields": [*WRITTEN, "createdAt"],
            "before": None,
            "after": {"name": "Nail", "category": "Iron"},
        },
    ]


async def test_a_change_says_who_made_it_when_and_together_with_what(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "who")
    rename = """mutation ($input: ProductUpdateInput!) { productUpdate(input: $input) {
        product { history(first: 1) { nodes { actor requestId transactionId at after { name } } } }
    } }"""
    found = await hub_.do(rename, {"input": {"id": id, "name": "Hook"}})
    (own,) = found["productUpdate"]["product"]["history"]["nodes"]
    logged = "select * from change_log where row_id = $1 and version = 2"
    (row,) = await rows.fetch(logged, await rows.fetchval("select id from products where sku = 'who'"))
    assert datetime.fromisoformat(own["at"]) == row["at"]
    assert (own["actor"], own["requestId"]) == (row["actor"], row["request"])
    assert own["actor"].startswith("key:")
    assert (own["transactionId"], own["after"]) == (str(row["transaction_id"]), {"name": "Hook"})


async def test_what_a_mutation_makes_has_its_history_at_once(hub_: Writer) -> None:
    make = """mutation { productCreate(input: {
        sku: "made", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"
    }) { product { history { totalCount nodes { operation before { id } after { name } } } } } }"""
    created = {"operation": "CREATE", "before": None, "after": {"name": "Nail"}}
    found = await hub_.do(make)
    assert found["productCreate"]["product"]["history"] == {"totalCount": 1, "nodes": [created]}


async def test_rows_of_a_list_have_their_own_histories(hub_: Writer, rows: asyncpg.Connection) -> None:
    for sku, edits in (("list 1", ["name = 'Hook'"]), ("list 2", []), ("list 3", ["name = 'Eye'", "name = 'Pin'"])):
        await product(rows, sku, *edits)
    query = """{ products(filter: {sku: {startsWith: "list"}}, orderBy: {field: SKU}) { nodes {
        history(first: 2) { totalCount nodes { after { name } } }
    } } }"""
    found = (await hub_.do(query.replace("orderBy: {field: SKU}", "orderBy: {field: NAME}")))["products"]["nodes"]
    assert [
        (each["history"]["totalCount"], [n["after"]["name"] for n in each["history"]["nodes"]]) for each in found
    ] == [(2, ["Hook", "Nail"]), (1, ["Nail"]), (3, ["Pin", "Eye"])]


async def test_what_python_makes_of_a_row_is_made_of_its_images(hub_: Writer, rows: asyncpg.Connection) -> None:
    key = await rows.fetchval("select id from interactions where body is not null limit 1")
    for body in ("one two three", "four five six"):
        await rows.execute("update interactions set body = $2 where id = $1", key, body)
    query = """query ($id: ID!) { interaction(id: $id) { history(first: 1) {
        edges { node { was: before { excerpt(words: 1) } after { excerpt(words: 2) body } } }
    } } }"""
    found = await hub_.do(query, {"id": f"int_{key.hex}"})
    (edge,) = found["interaction"]["history"]["edges"]
    assert edge == {"node": {"was": {"excerpt": "one…"}, "after": {"excerpt": "four five…", "body": "four five six"}}}


async def test_a_row_that_is_made_again_goes_on_with_its_history(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "again")
    key = await rows.fetchval("delete from products where sku = 'again' returning id")
    await rows.execute(ADD.replace("(sku", "(id, sku").replace("values (", f"values ('{key}', "), "again")
    found = await history(hub_, id, shown="nodes { operation before { name } after { name } }")
    nail = {"name": "Nail"}
    assert found["nodes"] == [
        {"operation": "CREATE", "before": None, "after": nail},
        {"operation": "DELETE", "before": nail, "after": None},
        {"operation": "CREATE", "before": None, "after": nail},
    ]


async def test_what_was_erased_is_not_told_of_a_row_that_is_made_again(hub_: Writer, rows: asyncpg.Connection) -> None:
    ids = "select id, to_jsonb(c) - 'search_text' from customers c where name = 'QUICK-Stop'"
    ((key, was),) = await rows.fetch(ids)
    await rows.execute("update customers set name = 'Quick' where id = $1", key)
    await hub_.do(f'mutation {{ customerErase(input: {{ id: "cus_{key.hex}" }}) {{ entries }} }}')
    columns = "id, kind, name, status, stage, tier, unit_id, attributes"
    record = "jsonb_populate_record(null::customers, $1) as was"
    await rows.execute(f"insert into customers ({columns}) select {columns} from {record}", was)
    query = (
        f'{{ customer(id: "cus_{key.hex}") {{ history {{ totalCount nodes {{ operation before {{ name }} }} }} }} }}'
    )
    nodes = [{"operation": "CREATE", "before": None}, {"operation": "DELETE", "before": None}]
    assert (await hub_.do(query))["customer"] == {"history": {"totalCount": 2, "nodes": nodes}}


async def test_below_the_message_of_a_change_the_row_must_be_there_today(
    hub_: Writer, rows: asyncpg.Connection
) -> None:
    kept, gone = await product(rows, "kept", "name = 'Hook'"), await product(rows, "gone", "name = 'Hook'")
    await rows.execute("delete from products where sku = 'gone'")
    query = """query ($ids: [ID!]) { changes(first: 9, filter: {ids: $ids, operations: [CREATE]}) {
        ... on Change { node { ... on Product { sku history { totalCount } } } }
    } }"""
    while True:  # until both have their positions
        found = [each for each in (await hub_.do(query, {"ids": [kept, gone]}))["changes"] if each]
        if len(found) == 2:
            break
    assert [each["node"] for each in found] == [
        {"sku": "kept", "history": {"totalCount": 2}},
        {"sku": "gone", "history": {"totalCount": 0}},
    ]


# -- which are told -----------------------------------------------------------------------------------------------------


async def test_only_changes_of_the_fields_that_are_named_are_told(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "fields", "name = 'Hook'", "category = 'Steel'", "unit_price = 2", "name = 'Eye'")
    assert await versions(hub_, id, '(fields: ["name"])') == [5, 2, 1]
    assert await versions(hub_, id, '(fields: ["category", "unitPrice"])') == [4, 3, 1]
    assert await versions(hub_, id, "(fields: [])") == []
    assert await versions(hub_, id, "(fields: null)") == [5, 4, 3, 2, 1]
    assert (await history(hub_, id, '(fields: "name")', "totalCount"))["totalCount"] == 3


async def test_a_link_is_named_by_its_field(hub_: Writer, rows: asyncpg.Connection) -> None:
    key = await rows.fetchval("select id from customers where name = 'Around the Horn'")
    await rows.execute(
        "update customers set unit_id = (select id from org_units where code = '10019') where id = $1", key
    )
    query = '{ customer(id: "%s") { history(fields: ["unit"]) { nodes { changedFields } } } }'
    found = await hub_.do(query % f"cus_{key.hex}")
    assert found == {"customer": {"history": {"nodes": [{"changedFields": ["unit"]}]}}}


async def test_since_and_until_bound_a_history(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "span", "name = 'Hook'", "name = 'Eye'")
    made: list[datetime] = [
        each["at"] for each in await rows.fetch("select at from change_log where row_id = $1 order by id", _key(id))
    ]
    first, second, third = (each.isoformat() for each in made)
    assert await versions(hub_, id, f'(since: "{second}")') == [3, 2]
    assert await versions(hub_, id, f'(until: "{third}")') == [2, 1]
    assert await versions(hub_, id, f'(since: "{first}", until: "{second}")') == [1]


def _key(id: str) -> str:
    return id.partition("_")[2]


async def test_pages_of_a_history_go_on_where_the_last_ended(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "pages", *(f"name = '{number}'" for number in range(6)))
    shown = (
        "totalCount edges { cursor node { version } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    )
    pages, after = [], "null"
    for _ in range(3):
        found = await history(hub_, id, f"(first: 3, after: {after})", shown)
        edges, info = found["edges"], found["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (edges[0]["cursor"], edges[-1]["cursor"])
        has = (info["hasPreviousPage"], info["hasNextPage"])
        pages.append((found["totalCount"], [each["node"]["version"] for each in edges], *has))
        after = f'"{info["endCursor"]}"'
    assert pages == [(7, [7, 6, 5], False, True), (7, [4, 3, 2], True, True), (7, [1], True, False)]


async def test_a_change_that_is_no_longer_kept_is_not_told(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "old", "name = 'Hook'", "name = 'Eye'")
    await rows.execute("delete from change_log where row_id = $1 and version < 3", _key(id))
    assert await versions(hub_, id, "") == [3]


async def test_what_is_kept_alive_tells_new_changes(northwind: str) -> None:
    async with streaming(northwind) as hub:
        id = await product(hub.rows, "live")
        watch = "subscription ($id: ID!) { productLive(id: $id) { product { history { nodes { version } } } } }"
        async with hub.subscribed(watch, {"id": id}) as subscription:
            assert (await subscription.next())["product"]["history"]["nodes"] == [{"version": 1}]
            await hub.rows.execute("update products set name = 'Hook' where sku = 'live'")
            assert (await subscription.next())["product"]["history"]["nodes"] == [{"version": 2}, {"version": 1}]


async def test_the_past_of_a_row_is_found_by_the_index_of_the_log(northwind: str) -> None:
    await execute(northwind, "update order_items set created_at = created_at + interval '1 us';" * 10 + "analyze")
    async with asked(northwind) as made, made.pool.connection() as rows:
        id = f"itm_{(await rows.fetchval('select id from order_items limit 1')).hex}"
        at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        parts = f'node(id: "{id}", asOf: "{at}") {{ id }} then: orderItem(id: "{id}", asOf: "{at}") {{ id }}'
        parts += f' orderItem(id: "{id}") {{ history(first: 2) {{ totalCount nodes {{ version }} }} }}'
        operation = Request(f"{{ {parts} }}", None, None)
        for viewer in (ADMIN, Viewer(None, Role.READER, unit_path="group", unit_ids=(uuid4(), uuid4()))):
            text, arguments = made.engine.explain(operation, viewer)
            plan = [each for (each,) in await rows.fetch(f"explain {text}", *arguments)]
            assert [each for each in plan if "Index" in each and "row_id_id_idx" in each]
            today = f"change_log_{await rows.fetchval('select max(day) from change_log'):%Y%m%d}"
            assert not [each for each in plan if f"Seq Scan on {today}" in each], "\n".join(plan)


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "field", "selection"),
    [
        ("AS_OF_LINK", "items", "nodes { before { name items { totalCount } } }"),
        ("AS_OF_LINK", "items", "edges { node { after { items { totalCount } } } }"),
        ("AS_OF_LINK", "history", "nodes { after { history { totalCount } } }"),
    ],
)
async def test_an_image_has_no_links(hub_: Writer, code: str, field: str, selection: str) -> None:
    error = await hub_.refused(f'{{ product(id: "prd_{"0" * 32}") {{ history {{ {selection} }} }} }}')
    assert (error["code"], error["path"][-1]) == (code, field)
    assert error["message"].startswith(f"{field}: a link cannot be read as it was;")


@pytest.mark.parametrize(
    ("code", "argument", "given"),
    [
        ("FIELD_UNKNOWN", "fields", 'fields: ["name", "nme"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["version"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["items"]'),
        ("FIELD_UNKNOWN", "fields", 'fields: ["unit_price"]'),
        ("PAGE_LIMIT", "first", "first: 101"),
        ("CURSOR_MALFORMED", "after", 'after: "x"'),
    ],
)
async def test_a_bad_argument_is_told_what_is_wrong(hub_: Writer, code: str, argument: str, given: str) -> None:
    error = await hub_.refused(f'{{ product(id: "prd_{"0" * 32}") {{ history({given}) {{ totalCount }} }} }}')
    assert (error["code"], error["argument"], error["path"]) == (code, argument, ["product", "history"])


async def test_a_cursor_of_another_history_type_is_refused(hub_: Writer, rows: asyncpg.Connection) -> None:
    id = await product(rows, "cursor")
    after = (await history(hub_, id, "", "pageInfo { endCursor }"))["pageInfo"]["endCursor"]
    query = '{ customer(id: "cus_%s") { history(after: "%s") { totalCount } } }'
    error = await hub_.refused(query % ("0" * 32, after))
    assert error["code"] == "CURSOR_WRONG_LIST"


async def test_a_history_costs_its_page_and_a_look_into_each_day(hub_: Writer) -> None:
    page = "history(first: 40) { nodes { before { id } after { id } } }"
    query = "{ products(first: 50) { nodes { %s } } }"
    error = await hub_.refused(query % page)
    assert (error["code"], "6,550 rows" in error["message"]) == ("COST_LIMIT", True), error["message"]


def test_no_type_has_a_field_of_this_name_of_its_own() -> None:
    first, *_ = schema.declarations()
    declared = dataclasses.replace(first, links={"history": one(first.address, by="id", description="…")})
    with pytest.raises(DeclarationFault, match="history: every type has a field of this name"):
        build([declared])
