"""Changes as clients read them: what is told of each, of which rows, to whom, and from where on.

That nothing is lost and all see one order is test_sequencer.py's; streams are test_change_streams.py's."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_reader import ChangeReader
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.viewer import Role

NAME_AND_STAGE = "operation node { ... on Customer { name stage } }"
EASTERN_CUSTOMER, NORTHERN_CUSTOMER = "Around the Horn", "Folk och fä HB"


@pytest.fixture(scope="module")
async def shared_reader(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[ChangeReader]:
    """Who reads a Northwind of this module's own."""
    dsn = await create_database("northwind")
    connection = await asyncpg.connect(dsn)
    async with open_hub_client(dsn) as hub_client:
        yield ChangeReader(hub_client, connection)
    await connection.close()


@pytest.fixture
async def reader(shared_reader: ChangeReader) -> ChangeReader:
    """The same, with what tests change as it was, and nothing told yet."""
    await shared_reader.write(
        RESET,
        "delete from products where sku = 'N'",
        "update orders set freight = 9 where number = '10355'",
        MOVE % ("20852", EASTERN_CUSTOMER),
    )
    shared_reader.start = await shared_reader.current_cursor()
    return shared_reader


RESET = f"""
update customers set stage = 'ACTIVE', country = 'GB', name = coalesce(nullif(name, 'Y'), '{EASTERN_CUSTOMER}'),
    owner_id = (select id from staff where name like 'Nancy%') where name in ('{EASTERN_CUSTOMER}', '{NORTHERN_CUSTOMER}', 'Y')
"""
MOVE_TO_FRANCE = f"update customers set country = 'FR' where name = '{EASTERN_CUSTOMER}'"
MOVE = "update customers set unit_id = (select id from org_units where code = '%s') where name = '%s'"


def set_stage(name: str, stage: str) -> str:
    return f"update customers set stage = '{stage}' where name = '{name}'"


async def id_of(reader: ChangeReader, name: str) -> UUID:
    customer_id: UUID = await reader.connection.fetchval("select id from customers where name = $1", name)
    return customer_id


async def unit_key(reader: ChangeReader, code: str) -> str:
    unit = await reader.connection.fetchval("select id from org_units where code = $1", code)
    return await create_api_key(reader.client.dsn, Role.READER, unit_id=unit)


# -- what is told ---------------------------------------------------------------------------------------------------------


async def test_a_change_tells_what_became_of_which_row(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"))
    (change,) = await reader.changes("operation entity entityId customerId version changedFields actor requestId")
    key = f"cus_{(await id_of(reader, EASTERN_CUSTOMER)).hex}"
    assert change == {
        "operation": "UPDATE",
        "entity": "CUSTOMER",
        "entityId": key,
        "customerId": key,
        "version": await reader.connection.fetchval("select version from customers where name = $1", EASTERN_CUSTOMER),
        "changedFields": ["stage"],
        "actor": "db:hub",
        "requestId": None,
    }


async def test_a_change_names_the_key_and_the_request_that_caused_it(reader: ChangeReader) -> None:
    nail = 'sku: "N", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"'
    await reader.client.query(f"mutation {{ productCreate(input: {{{nail}}}) {{ product {{ sku }} }} }}")
    (change,) = await reader.changes("operation actor requestId node { ... on Product { sku name unitPrice } }")
    assert change["actor"] == f"key:{reader.client.key.split('_')[1]}"
    last_request = "select request from change_log order by id desc limit 1"
    assert change["requestId"] == await reader.connection.fetchval(last_request)
    assert change["node"] == {"sku": "N", "name": "Nail", "unitPrice": "1.0000"}


async def test_changes_of_one_transaction_have_its_number(reader: ChangeReader) -> None:
    await reader.write(
        f"begin; {set_stage(EASTERN_CUSTOMER, 'LOST')}; {set_stage(NORTHERN_CUSTOMER, 'LOST')}; commit",
        set_stage(NORTHERN_CUSTOMER, "LOYAL"),
    )
    first, second, third = [change["transactionId"] for change in await reader.changes("transactionId")]
    assert (first == second, second == third) == (True, False)


async def test_the_node_is_the_image_after_the_change_and_links_are_current(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), set_stage(EASTERN_CUSTOMER, "DORMANT"))
    await reader.write(*(f"update orders set freight = {n} where number = '10355'" for n in (1, 2)))
    changes = await reader.changes("node { ... on Customer { stage } ... on Order { freight customer { stage } } }")
    assert [change["node"] for change in changes] == [
        {"stage": "LOST"},
        {"stage": "DORMANT"},
        {"freight": "1.0000", "customer": {"stage": "DORMANT"}},
        {"freight": "2.0000", "customer": {"stage": "DORMANT"}},
    ]


async def test_the_node_of_a_delete_is_the_image_before(reader: ChangeReader) -> None:
    await reader.write(
        "insert into products (sku, name, category, unit_price, currency) values ('N', 'Nail', 'Iron', 1, 'EUR')",
        "delete from products where sku = 'N'",
    )
    created, gone = await reader.changes("operation version node { ... on Product { name } }")
    assert created == {"operation": "CREATE", "version": 1, "node": {"name": "Nail"}}
    assert gone == {"operation": "DELETE", "version": 1, "node": {"name": "Nail"}}


async def test_aliased_nodes_of_a_change_have_their_own_selections(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"))
    selection = "one: node { ... on Customer { stage } } other: node { id ... on Customer { name } }"
    (change,) = await reader.changes(selection)
    assert (change["one"], change["other"]["name"]) == ({"stage": "LOST"}, EASTERN_CUSTOMER)


# -- from where on ----------------------------------------------------------------------------------------------------------


async def test_pages_go_on_where_the_one_before_ended(reader: ChangeReader) -> None:
    stages = ["LOST", "LOYAL", "DORMANT", "ACTIVE", "PROSPECT"]
    await reader.write(*(set_stage(EASTERN_CUSTOMER, stage) for stage in stages))
    shown = "cursor previousCursor node { ... on Customer { stage } }"
    selection = f"... on Change {{ {shown} }} ... on StreamReady {{ cursor }}"
    pages: list[Any] = []
    after = reader.start
    while not pages or pages[-1][-1]["__typename"] == "Change":
        pages.append(await reader.page(selection, after=after, first=2))
        after = pages[-1][-1]["cursor"]
    changes = [change for page in pages for change in page][:-1]
    assert [change["node"]["stage"] for change in changes] == stages
    cursors = [reader.start, *(change["cursor"] for change in changes)]
    assert [change["previousCursor"] for change in changes] == cursors[:-1]
    assert [len(page) for page in pages] == [2, 2, 2]


async def test_nothing_new_is_one_message(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"))
    after = await reader.current_cursor()
    page = await reader.page("... on StreamReady { cursor }", after=after)
    assert page == [{"__typename": "StreamReady", "cursor": after}]


async def test_changes_stand_beside_other_roots(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"))
    await reader.page("__typename")
    document = "query ($a: Cursor) { a: customers { totalCount } changes(after: $a) { ... on Change { operation } } __typename }"
    data = await reader.client.query(document, {"a": reader.start})
    assert data == {"a": {"totalCount": 91}, "changes": [{"operation": "UPDATE"}], "__typename": "Query"}


@pytest.mark.parametrize(
    ("argument", "code", "named"),
    [
        ('after: "abc"', "CURSOR_MALFORMED", "after"),
        ("first: 101", "PAGE_LIMIT", "first"),
        ("first: -1", "PAGE_ARGUMENTS", "first"),
        ('filter: {changedFields: ["stagge"]}', "FILTER_INVALID", "filter.changedFields"),
        ('filter: {ids: ["x"]}', "ID_MALFORMED", "filter.ids"),
        ('filter: {customerId: "ord_00cb2318f800725f8414683a85fc3bbc"}', "ID_WRONG_TYPE", "filter.customerId"),
        ("filter: {operations: null, customer: {name: {eq: null}}}", "FILTER_INVALID", "filter.customer.name.eq"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(
    read_only_client: HubClient, argument: str, code: str, named: str
) -> None:
    error = await read_only_client.error(f"{{ changes({argument}) {{ ... on Change {{ cursor }} }} }}")
    assert (error["code"], error["argument"], error["path"]) == (code, named, ["changes"])


@pytest.fixture(scope="module")
async def read_only_client(demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub to be asked only."""
    async with open_hub_client(demo_dsn) as hub_client:
        yield hub_client


async def test_a_cursor_of_a_list_is_none_of_changes(read_only_client: HubClient) -> None:
    page = await read_only_client.query("{ customers(first: 1) { pageInfo { endCursor } } }")
    after = page["customers"]["pageInfo"]["endCursor"]
    error = await read_only_client.error("query($a: Cursor) { changes(after: $a) { __typename } }", {"a": after})
    assert error["code"] == "CURSOR_WRONG_LIST"


# -- which changes ----------------------------------------------------------------------------------------------------------


async def test_a_filter_sees_rows_come_and_go(reader: ChangeReader) -> None:
    await reader.write(*(set_stage(EASTERN_CUSTOMER, stage) for stage in ("LOST", "DORMANT", "LOST")))
    await reader.write(MOVE_TO_FRANCE, set_stage(EASTERN_CUSTOMER, "LOYAL"))
    changes = await reader.changes(
        "operation node { ... on Customer { stage country } }", filter="{customer: {stage: {eq: LOST}}}"
    )
    assert [(change["operation"], change["node"]["stage"], change["node"]["country"]) for change in changes] == [
        ("ENTER", "LOST", "GB"),
        ("LEAVE", "LOST", "GB"),
        ("ENTER", "LOST", "GB"),
        ("UPDATE", "LOST", "FR"),
        ("LEAVE", "LOST", "FR"),
    ]


async def test_a_filter_of_a_type_leaves_the_others_out(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), "update orders set freight = 1 where number = '10355'")
    assert await reader.changes("entity", filter='{order: {number: {eq: "10355"}}}') == [{"entity": "ORDER"}]


async def test_a_types_filter_selects_changes_by_type(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), "update orders set freight = 1 where number = '10355'")
    changes = await reader.changes("entity", filter='{types: [CUSTOMER, ORDER], order: {number: {eq: "1"}}}')
    assert changes == [{"entity": "CUSTOMER"}]


async def test_the_selection_of_the_node_selects_types(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), "update orders set freight = 1 where number = '10355'")
    changes = await reader.changes("entity node { ... on Order { freight } }")
    assert changes == [{"entity": "ORDER", "node": {"freight": "1.0000"}}]


async def test_quiet_while_what_is_selected_stays_the_same(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), MOVE_TO_FRANCE)
    assert await reader.changes("node { ... on Customer { country } }") == [{"node": {"country": "FR"}}]


@pytest.mark.parametrize("shown", ["id", "version", "updatedAt", "orders { totalCount }"])
async def test_every_change_counts_where_no_column_is_selected_or_all_are_meant(
    reader: ChangeReader, shown: str
) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), MOVE_TO_FRANCE)
    assert len(await reader.changes(f"node {{ ... on Customer {{ {shown} }} }}")) == 2


async def test_a_link_counts_as_the_column_behind_it(reader: ChangeReader) -> None:
    owner = "(select id from staff where name = 'Anne Dodsworth')"
    other = f"update customers set owner_id = {owner} where name = '{EASTERN_CUSTOMER}'"
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), other)
    assert await reader.changes("changedFields node { ... on Customer { owner { name } } }") == [
        {"changedFields": ["owner"], "node": {"owner": {"name": "Anne Dodsworth"}}}
    ]


async def test_changed_fields_pick_changes(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), MOVE_TO_FRANCE)
    changes = await reader.changes("changedFields", filter='{changedFields: ["country"]}')
    assert changes == [{"changedFields": ["country"]}]


async def test_operations_pick_changes_as_they_are_seen(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), set_stage(EASTERN_CUSTOMER, "LOYAL"))
    changes = await reader.changes(NAME_AND_STAGE, filter="{customer: {stage: {eq: LOST}}, operations: [LEAVE]}")
    assert changes == [{"operation": "LEAVE", "node": {"name": EASTERN_CUSTOMER, "stage": "LOST"}}]


async def test_ids_and_customers_pick_rows(reader: ChangeReader) -> None:
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), set_stage(NORTHERN_CUSTOMER, "LOST"))
    await reader.write("update orders set freight = 1 where number = '10355'")
    key = f"cus_{(await id_of(reader, EASTERN_CUSTOMER)).hex}"
    assert await reader.changes("entity", filter=f'{{ids: ["{key}"]}}') == [{"entity": "CUSTOMER"}]
    assert await reader.changes("entity", filter=f'{{customerId: "{key}"}}') == [
        {"entity": "CUSTOMER"},
        {"entity": "ORDER"},
    ]


async def test_own_changes_can_be_left_out(reader: ChangeReader) -> None:
    key = f"cus_{(await id_of(reader, EASTERN_CUSTOMER)).hex}"
    rename = f'mutation {{ customerUpdate(input: {{id: "{key}", name: "X"}}) {{ customer {{ id }} }} }}'
    await reader.client.query(rename)
    await reader.write("update customers set name = 'Y' where name = 'X'")
    changes = await reader.changes("node { ... on Customer { name } }", filter="{excludeOwn: true}")
    assert changes == [{"node": {"name": "Y"}}]


# -- to whom ----------------------------------------------------------------------------------------------------------------


async def test_a_row_that_moves_leaves_one_unit_and_enters_the_other(reader: ChangeReader) -> None:
    eastern, northern = await unit_key(reader, "eastern"), await unit_key(reader, "northern")
    await reader.write(
        set_stage(EASTERN_CUSTOMER, "LOST"), MOVE % ("northern", EASTERN_CUSTOMER), set_stage(EASTERN_CUSTOMER, "LOYAL")
    )
    assert await reader.changes(NAME_AND_STAGE, key=eastern) == [
        {"operation": "UPDATE", "node": {"name": EASTERN_CUSTOMER, "stage": "LOST"}},
        {"operation": "LEAVE", "node": {"name": EASTERN_CUSTOMER, "stage": "LOST"}},
    ]
    assert await reader.changes(NAME_AND_STAGE, key=northern) == [
        {"operation": "ENTER", "node": {"name": EASTERN_CUSTOMER, "stage": "LOST"}},
        {"operation": "UPDATE", "node": {"name": EASTERN_CUSTOMER, "stage": "LOYAL"}},
    ]


LINKED_SELECTION = """node { ... on Customer {
    stage unit { name } orders { totalCount nodes { number } } timeline { totalCount nodes { id } }
    contacts { nodes { name points { totalCount } } }
} }"""


async def test_what_hangs_on_a_row_of_old_is_shown_only_to_who_may_see_it_now(reader: ChangeReader) -> None:
    eastern = await unit_key(reader, "eastern")
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), MOVE % ("northern", EASTERN_CUSTOMER))
    before, *_ = await reader.page(f"... on Change {{ {LINKED_SELECTION} }}", first=5, key=eastern)
    assert before["node"] == {
        "stage": "LOST",
        "orders": {"totalCount": 0, "nodes": []},
        "timeline": {"totalCount": 0, "nodes": []},
        "contacts": {"nodes": []},
        "unit": {"name": "Rockville"},
    }


async def test_a_filter_through_a_link_sees_only_what_may_be_seen_now(reader: ChangeReader) -> None:
    eastern = await unit_key(reader, "eastern")
    await reader.write(set_stage(EASTERN_CUSTOMER, "LOST"), MOVE % ("northern", EASTERN_CUSTOMER))
    assert await reader.changes("operation", filter="{customer: {orders: {count: {gte: 1}}}}", key=eastern) == []


async def test_a_key_bound_to_a_customer_sees_changes_of_that_customer(reader: ChangeReader) -> None:
    key = await create_api_key(reader.client.dsn, Role.READER, customer_id=await id_of(reader, EASTERN_CUSTOMER))
    await reader.write(
        set_stage(EASTERN_CUSTOMER, "LOST"), set_stage(NORTHERN_CUSTOMER, "LOST"), "update staff set name = name || '!'"
    )
    await reader.write("update products set unit_price = 1 where name = 'Chai'")
    shown = "... on Customer { name stage } ... on Product { name unitPrice } ... on Staff { name }"
    assert await reader.changes(f"node {{ {shown} }}", key=key) == [
        {"node": {"name": EASTERN_CUSTOMER, "stage": "LOST"}},
        {"node": {"name": "Chai", "unitPrice": "1.0000"}},
    ]


async def test_deletes_cascading_from_a_customer_reach_keys_that_saw_the_customer(reader: ChangeReader) -> None:
    outlet = await reader.connection.fetchval("select unit_id from customers where name = $1", EASTERN_CUSTOMER)
    key = await create_api_key(reader.client.dsn, Role.READER, unit_id=outlet)
    far = await unit_key(reader, "northern")
    await reader.write(
        "insert into customers (kind, name, status, stage, tier, attributes, unit_id)"
        f" values ('PERSON', 'Ada', 'ACTIVE', 'ACTIVE', 'STANDARD', '{{}}', '{outlet}')",
        "insert into contacts (customer_id, name, is_primary) select id, 'Ada', false from customers where name = 'Ada'",
        "delete from contacts where name = 'Ada' and customer_id = (select id from customers where name = 'Ada');"
        " delete from customers where name = 'Ada'",
    )
    selection = "operation entity node { ... on Contact { name } ... on Customer { name } }"
    changes = await reader.changes(selection, key=key)
    assert [(change["operation"], change["entity"]) for change in changes] == [
        ("CREATE", "CUSTOMER"),
        ("CREATE", "CONTACT"),
        ("DELETE", "CONTACT"),
        ("DELETE", "CUSTOMER"),
    ]
    assert await reader.changes("entity", key=far) == []


# Every type, every kind of binding: a change of a row is told to whom the row is shown, and to nobody else.
CAPTURED = "select relname from pg_trigger join pg_class on pg_class.oid = tgrelid where tgname = 'capture_update'"
TOUCH_ROWS = """
update {table} set version = version + 1, created_at = created_at - interval '1 second' where id = any($1::uuid[])
"""


@pytest.mark.parametrize("binding", ["unrestricted", "unit_subtree", "single_unit", "customer"])
async def test_a_key_sees_exactly_the_changes_of_visible_rows(reader: ChangeReader, binding: str) -> None:
    key = await _key(reader, binding)
    tables = await reader.connection.fetch(CAPTURED)
    shown: set[str] = set()
    for (table,) in tables:
        rows = await reader.connection.fetch(f"select id from {table} order by id limit 25")
        await reader.connection.execute(TOUCH_ROWS.format(table=table), [row["id"] for row in rows])
    changes = (await reader.all_messages("entity entityId", key=key))[:-1]
    everything = [change["entityId"] for change in (await reader.all_messages("entityId"))[:-1]]
    for start in range(0, len(everything), 100):
        ids = everything[start : start + 100]
        data = await reader.client.query("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids}, key=key)
        shown |= {node["id"] for node in data["nodes"] if node}
    assert {change["entityId"] for change in changes} == shown
    assert len(shown) > 10


async def _key(reader: ChangeReader, binding: str) -> str | None:
    if binding == "customer":
        first = await reader.connection.fetchval("select min(id::text)::uuid from customers")
        return await create_api_key(reader.client.dsn, Role.READER, customer_id=first)
    if binding == "unrestricted":
        return None
    return await unit_key(reader, "eastern" if binding == "unit_subtree" else "20852")
