"""Changes as clients read them: what is told of each, of which rows, to whom, and from where on.

That nothing is lost and all see one order is test_feed.py's; streams are test_streams.py's."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_reader import Reader
from conftest import NewDatabase, key_for
from writer_client import Writer, writing

from hub.viewer import Role

NAMED = "operation node { ... on Customer { name stage } }"
HERE, FAR = "Around the Horn", "Folk och fä HB"


@pytest.fixture(scope="module")
async def shared(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[Reader]:
    """Who reads a Northwind of this module's own."""
    dsn = await new_database("northwind")
    connection = await asyncpg.connect(dsn)
    async with writing(dsn) as writer:
        yield Reader(writer, connection)
    await connection.close()


@pytest.fixture
async def reader(shared: Reader) -> Reader:
    """The same, with what tests change as it was, and nothing told yet."""
    await shared.write(
        AGAIN,
        "delete from products where sku = 'N'",
        "update orders set freight = 9 where number = '10355'",
        MOVE % ("20852", HERE),
    )
    shared.start = await shared.now()
    return shared


AGAIN = f"""
update customers set stage = 'ACTIVE', country = 'GB', name = coalesce(nullif(name, 'Y'), '{HERE}'),
    owner_id = (select id from staff where name like 'Nancy%') where name in ('{HERE}', '{FAR}', 'Y')
"""
MOVE = "update customers set unit_id = (select id from org_units where code = '%s') where name = '%s'"


def set_stage(name: str, stage: str) -> str:
    return f"update customers set stage = '{stage}' where name = '{name}'"


async def id_of(reader: Reader, name: str) -> UUID:
    found: UUID = await reader.rows.fetchval("select id from customers where name = $1", name)
    return found


async def unit_key(reader: Reader, code: str) -> str:
    unit = await reader.rows.fetchval("select id from org_units where code = $1", code)
    return await key_for(reader.writer.dsn, Role.READER, unit_id=unit)


# -- what is told ---------------------------------------------------------------------------------------------------------


async def test_a_change_tells_what_became_of_which_row(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"))
    (told,) = await reader.told("operation entity entityId customerId version changedFields actor requestId")
    key = f"cus_{(await id_of(reader, HERE)).hex}"
    assert told == {
        "operation": "UPDATE",
        "entity": "CUSTOMER",
        "entityId": key,
        "customerId": key,
        "version": await reader.rows.fetchval("select version from customers where name = $1", HERE),
        "changedFields": ["stage"],
        "actor": "db:hub",
        "requestId": None,
    }


async def test_what_a_key_changed_is_told_with_the_key_and_the_request(reader: Reader) -> None:
    nail = 'sku: "N", name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"'
    await reader.writer.do(f"mutation {{ productCreate(input: {{{nail}}}) {{ product {{ sku }} }} }}")
    (told,) = await reader.told("operation actor requestId node { ... on Product { sku name unitPrice } }")
    assert told["actor"] == f"key:{reader.writer.key.split('_')[1]}"
    assert told["requestId"] == await reader.rows.fetchval("select request from change_log order by id desc limit 1")
    assert told["node"] == {"sku": "N", "name": "Nail", "unitPrice": "1.0000"}


async def test_changes_of_one_transaction_have_its_number(reader: Reader) -> None:
    await reader.write(f"begin; {set_stage(HERE, 'LOST')}; {set_stage(FAR, 'LOST')}; commit", set_stage(FAR, "LOYAL"))
    first, second, third = [each["transactionId"] for each in await reader.told("transactionId")]
    assert (first == second, second == third) == (True, False)


async def test_the_node_is_what_each_change_left_and_links_are_as_they_are_now(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), set_stage(HERE, "DORMANT"))
    await reader.write(
        "update orders set freight = 1 where number = '10355'", "update orders set freight = 2 where number = '10355'"
    )
    told = await reader.told("node { ... on Customer { stage } ... on Order { freight customer { stage } } }")
    assert [each["node"] for each in told] == [
        {"stage": "LOST"},
        {"stage": "DORMANT"},
        {"freight": "1.0000", "customer": {"stage": "DORMANT"}},
        {"freight": "2.0000", "customer": {"stage": "DORMANT"}},
    ]


async def test_a_deleted_row_is_told_as_it_was(reader: Reader) -> None:
    await reader.write(
        "insert into products (sku, name, category, unit_price, currency) values ('N', 'Nail', 'Iron', 1, 'EUR')",
        "delete from products where sku = 'N'",
    )
    made, gone = await reader.told("operation version node { ... on Product { name } }")
    assert made == {"operation": "CREATE", "version": 1, "node": {"name": "Nail"}}
    assert gone == {"operation": "DELETE", "version": 1, "node": {"name": "Nail"}}


async def test_two_nodes_of_a_change_are_each_what_was_asked_for(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"))
    (told,) = await reader.told("one: node { ... on Customer { stage } } other: node { id ... on Customer { name } }")
    assert (told["one"], told["other"]["name"]) == ({"stage": "LOST"}, HERE)


# -- from where on ----------------------------------------------------------------------------------------------------------


async def test_pages_go_on_where_the_one_before_ended(reader: Reader) -> None:
    await reader.write(*(set_stage(HERE, stage) for stage in ("LOST", "LOYAL", "DORMANT", "ACTIVE", "PROSPECT")))
    selection = (
        "... on Change { cursor previousCursor node { ... on Customer { stage } } } ... on StreamReady { cursor }"
    )
    pages: list[Any] = []
    after = reader.start
    while not pages or pages[-1][-1]["__typename"] == "Change":
        pages.append(await reader.page(selection, after=after, first=2))
        after = pages[-1][-1]["cursor"]
    told = [each for page in pages for each in page][:-1]
    assert [each["node"]["stage"] for each in told] == ["LOST", "LOYAL", "DORMANT", "ACTIVE", "PROSPECT"]
    assert [each["previousCursor"] for each in told] == [reader.start, *(each["cursor"] for each in told[:-1])]
    assert [len(page) for page in pages] == [2, 2, 2]


async def test_nothing_new_is_one_message(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"))
    after = await reader.now()
    page = await reader.page("... on StreamReady { cursor }", after=after)
    assert page == [{"__typename": "StreamReady", "cursor": after}]


async def test_changes_stand_beside_other_roots(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"))
    await reader.page("__typename")
    asked = "query ($a: Cursor) { a: customers { totalCount } changes(after: $a) { ... on Change { operation } } __typename }"
    found = await reader.writer.do(asked, {"a": reader.start})
    assert found == {"a": {"totalCount": 91}, "changes": [{"operation": "UPDATE"}], "__typename": "Query"}


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
async def test_what_cannot_be_asked_is_refused_by_name(ask_hub: Writer, argument: str, code: str, named: str) -> None:
    error = await ask_hub.refused(f"{{ changes({argument}) {{ ... on Change {{ cursor }} }} }}")
    assert (error["code"], error["argument"], error["path"]) == (code, named, ["changes"])


@pytest.fixture(scope="module")
async def ask_hub(demo_dsn: str) -> AsyncIterator[Writer]:
    """A hub to be asked only."""
    async with writing(demo_dsn) as writer:
        yield writer


async def test_a_cursor_of_a_list_is_none_of_changes(ask_hub: Writer) -> None:
    page = await ask_hub.do("{ customers(first: 1) { pageInfo { endCursor } } }")
    after = page["customers"]["pageInfo"]["endCursor"]
    error = await ask_hub.refused("query($a: Cursor) { changes(after: $a) { __typename } }", {"a": after})
    assert error["code"] == "CURSOR_WRONG_LIST"


# -- which changes ----------------------------------------------------------------------------------------------------------


async def test_a_filter_sees_rows_come_and_go(reader: Reader) -> None:
    await reader.write(*(set_stage(HERE, stage) for stage in ("LOST", "DORMANT", "LOST")))
    await reader.write(f"update customers set country = 'FR' where name = '{HERE}'", set_stage(HERE, "LOYAL"))
    told = await reader.told(
        "operation node { ... on Customer { stage country } }", filter="{customer: {stage: {eq: LOST}}}"
    )
    assert [(each["operation"], each["node"]["stage"], each["node"]["country"]) for each in told] == [
        ("ENTER", "LOST", "GB"),
        ("LEAVE", "LOST", "GB"),
        ("ENTER", "LOST", "GB"),
        ("UPDATE", "LOST", "FR"),
        ("LEAVE", "LOST", "FR"),
    ]


async def test_a_filter_of_a_type_leaves_the_others_out(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), "update orders set freight = 1 where number = '10355'")
    assert await reader.told("entity", filter='{order: {number: {eq: "10355"}}}') == [{"entity": "ORDER"}]


async def test_types_that_are_named_are_told(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), "update orders set freight = 1 where number = '10355'")
    told = await reader.told("entity", filter='{types: [CUSTOMER, ORDER], order: {number: {eq: "1"}}}')
    assert told == [{"entity": "CUSTOMER"}]


async def test_only_types_that_the_node_shows_are_told(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), "update orders set freight = 1 where number = '10355'")
    assert await reader.told("entity node { ... on Order { freight } }") == [
        {"entity": "ORDER", "node": {"freight": "1.0000"}}
    ]


async def test_quiet_while_what_is_selected_stays_the_same(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), f"update customers set country = 'FR' where name = '{HERE}'")
    assert await reader.told("node { ... on Customer { country } }") == [{"node": {"country": "FR"}}]


@pytest.mark.parametrize("shown", ["id", "version", "updatedAt", "orders { totalCount }"])
async def test_every_change_counts_where_no_column_is_selected_or_all_are_meant(reader: Reader, shown: str) -> None:
    await reader.write(set_stage(HERE, "LOST"), f"update customers set country = 'FR' where name = '{HERE}'")
    assert len(await reader.told(f"node {{ ... on Customer {{ {shown} }} }}")) == 2


async def test_a_link_counts_as_the_column_behind_it(reader: Reader) -> None:
    other = (
        f"update customers set owner_id = (select id from staff where name = 'Anne Dodsworth') where name = '{HERE}'"
    )
    await reader.write(set_stage(HERE, "LOST"), other)
    assert await reader.told("changedFields node { ... on Customer { owner { name } } }") == [
        {"changedFields": ["owner"], "node": {"owner": {"name": "Anne Dodsworth"}}}
    ]


async def test_changed_fields_pick_changes(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), f"update customers set country = 'FR' where name = '{HERE}'")
    assert await reader.told("changedFields", filter='{changedFields: ["country"]}') == [{"changedFields": ["country"]}]


async def test_operations_pick_changes_as_they_are_seen(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), set_stage(HERE, "LOYAL"))
    told = await reader.told(NAMED, filter="{customer: {stage: {eq: LOST}}, operations: [LEAVE]}")
    assert told == [{"operation": "LEAVE", "node": {"name": HERE, "stage": "LOST"}}]


async def test_ids_and_customers_pick_rows(reader: Reader) -> None:
    await reader.write(set_stage(HERE, "LOST"), set_stage(FAR, "LOST"))
    await reader.write("update orders set freight = 1 where number = '10355'")
    key = f"cus_{(await id_of(reader, HERE)).hex}"
    assert await reader.told("entity", filter=f'{{ids: ["{key}"]}}') == [{"entity": "CUSTOMER"}]
    assert await reader.told("entity", filter=f'{{customerId: "{key}"}}') == [
        {"entity": "CUSTOMER"},
        {"entity": "ORDER"},
    ]


async def test_own_changes_can_be_left_out(reader: Reader) -> None:
    key = f"cus_{(await id_of(reader, HERE)).hex}"
    await reader.writer.do(f'mutation {{ customerUpdate(input: {{id: "{key}", name: "X"}}) {{ customer {{ id }} }} }}')
    await reader.write("update customers set name = 'Y' where name = 'X'")
    assert await reader.told("node { ... on Customer { name } }", filter="{excludeOwn: true}") == [
        {"node": {"name": "Y"}}
    ]


# -- to whom ----------------------------------------------------------------------------------------------------------------


async def test_a_row_that_moves_leaves_one_unit_and_enters_the_other(reader: Reader) -> None:
    eastern, northern = await unit_key(reader, "eastern"), await unit_key(reader, "northern")
    await reader.write(set_stage(HERE, "LOST"), MOVE % ("northern", HERE), set_stage(HERE, "LOYAL"))
    assert await reader.told(NAMED, key=eastern) == [
        {"operation": "UPDATE", "node": {"name": HERE, "stage": "LOST"}},
        {"operation": "LEAVE", "node": {"name": HERE, "stage": "LOST"}},
    ]
    assert await reader.told(NAMED, key=northern) == [
        {"operation": "ENTER", "node": {"name": HERE, "stage": "LOST"}},
        {"operation": "UPDATE", "node": {"name": HERE, "stage": "LOYAL"}},
    ]


BELOW = """node { ... on Customer {
    stage unit { name } orders { totalCount nodes { number } } timeline { totalCount nodes { id } }
    contacts { nodes { name points { totalCount } } }
} }"""


async def test_what_hangs_on_a_row_of_old_is_shown_only_to_who_may_see_it_now(reader: Reader) -> None:
    eastern = await unit_key(reader, "eastern")
    await reader.write(set_stage(HERE, "LOST"), MOVE % ("northern", HERE))
    before, *_ = await reader.page(f"... on Change {{ {BELOW} }}", first=5, key=eastern)
    assert before["node"] == {
        "stage": "LOST",
        "orders": {"totalCount": 0, "nodes": []},
        "timeline": {"totalCount": 0, "nodes": []},
        "contacts": {"nodes": []},
        "unit": {"name": "Rockville"},
    }


async def test_a_filter_through_a_link_sees_only_what_may_be_seen_now(reader: Reader) -> None:
    eastern = await unit_key(reader, "eastern")
    await reader.write(set_stage(HERE, "LOST"), MOVE % ("northern", HERE))
    assert await reader.told("operation", filter="{customer: {orders: {count: {gte: 1}}}}", key=eastern) == []


async def test_a_customers_key_is_told_of_that_customer(reader: Reader) -> None:
    key = await key_for(reader.writer.dsn, Role.READER, customer_id=await id_of(reader, HERE))
    await reader.write(set_stage(HERE, "LOST"), set_stage(FAR, "LOST"), "update staff set name = name || '!'")
    await reader.write("update products set unit_price = 1 where name = 'Chai'")
    shown = "... on Customer { name stage } ... on Product { name unitPrice } ... on Staff { name }"
    assert await reader.told(f"node {{ {shown} }}", key=key) == [
        {"node": {"name": HERE, "stage": "LOST"}},
        {"node": {"name": "Chai", "unitPrice": "1.0000"}},
    ]


async def test_what_goes_with_its_customer_is_told_to_who_saw_the_customer(reader: Reader) -> None:
    outlet = await reader.rows.fetchval("select unit_id from customers where name = $1", HERE)
    key = await key_for(reader.writer.dsn, Role.READER, unit_id=outlet)
    far = await unit_key(reader, "northern")
    await reader.write(
        "insert into customers (kind, name, status, stage, tier, attributes, unit_id)"
        f" values ('PERSON', 'Ada', 'ACTIVE', 'ACTIVE', 'STANDARD', '{{}}', '{outlet}')",
        "insert into contacts (customer_id, name, is_primary) select id, 'Ada', false from customers where name = 'Ada'",
        "delete from contacts where name = 'Ada' and customer_id = (select id from customers where name = 'Ada');"
        " delete from customers where name = 'Ada'",
    )
    told = await reader.told("operation entity node { ... on Contact { name } ... on Customer { name } }", key=key)
    assert [(each["operation"], each["entity"]) for each in told] == [
        ("CREATE", "CUSTOMER"),
        ("CREATE", "CONTACT"),
        ("DELETE", "CONTACT"),
        ("DELETE", "CUSTOMER"),
    ]
    assert await reader.told("entity", key=far) == []


# Every type, every kind of binding: a change of a row is told to whom the row is shown, and to nobody else.
CAPTURED = "select relname from pg_trigger join pg_class on pg_class.oid = tgrelid where tgname = 'capture_update'"
TOUCH = (
    "update {table} set version = version + 1, created_at = created_at - interval '1 second' where id = any($1::uuid[])"
)


@pytest.mark.parametrize("binding", ["none", "unit", "leaf", "customer"])
async def test_a_change_is_told_to_whom_the_row_is_shown(reader: Reader, binding: str) -> None:
    key = await _key(reader, binding)
    tables = await reader.rows.fetch(CAPTURED)
    shown: set[str] = set()
    for (table,) in tables:
        some = [each["id"] for each in await reader.rows.fetch(f"select id from {table} order by id limit 25")]
        await reader.rows.execute(TOUCH.format(table=table), some)
    told = (await reader.every("entity entityId", key=key))[:-1]
    everything = [each["entityId"] for each in (await reader.every("entityId"))[:-1]]
    for start in range(0, len(everything), 100):
        ids = everything[start : start + 100]
        found = await reader.writer.do("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids}, key=key)
        shown |= {each["id"] for each in found["nodes"] if each}
    assert {each["entityId"] for each in told} == shown
    assert len(shown) > 10


async def _key(reader: Reader, binding: str) -> str | None:
    if binding == "customer":
        first = await reader.rows.fetchval("select min(id::text)::uuid from customers")
        return await key_for(reader.writer.dsn, Role.READER, customer_id=first)
    if binding == "none":
        return None
    return await unit_key(reader, "eastern" if binding == "unit" else "20852")
