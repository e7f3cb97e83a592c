"""Mutations through the front door: rows made, changed, found or made, deleted, alone and many at once."""

import asyncio
from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub.viewer import Role

CREATE = """mutation ($input: CustomerCreateInput!, $key: String) {
    customerCreate(input: $input, idempotencyKey: $key) {
        customer { name version status stage tier unit { code } identifiers { nodes { kind value normalized source } } }
    }
}"""
CREATE_MINIMAL = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id version } } }"
UPDATE = """mutation ($input: CustomerUpdateInput!) {
    customerUpdate(input: $input) { customer { name country version } }
}"""
UPSERT = """mutation ($input: CustomerUpsertInput!) {
    customerUpsert(input: $input) { created customer { id name country } }
}"""
ORDER = """mutation ($input: OrderCreateInput!) { orderCreate(input: $input) {
    order { version net total currency status items { nodes { line net currency } } customer { name } }
} }"""
BULK = """mutation ($input: ProductsCreateInput!) { productsCreate(input: $input) {
    succeeded failed results { product { sku } error { code argument message } }
} }"""


@pytest.fixture(scope="module")
async def unit(connection: asyncpg.Connection) -> str:
    """The id of an outlet."""
    key = await connection.fetchval("select id from org_units where code = '20852'")
    return f"unt_{key.hex}"


async def create_customer(northwind_client: HubClient, unit: str, **more: Any) -> str:
    """The id of a new customer."""
    input_values = {"kind": "PERSON", "name": "Ada", "unitId": unit, **more}
    answer = await northwind_client.query(CREATE_MINIMAL, {"input": input_values})
    return str(answer["customerCreate"]["customer"]["id"])


async def test_a_new_customer_has_the_defaults_and_its_identifiers(northwind_client: HubClient, unit: str) -> None:
    identifiers = [{"kind": "EMAIL", "value": "Ada@Lovelace.org", "source": "shop"}]
    input_values = {"kind": "PERSON", "name": " Ada ", "unitId": unit, "identifiers": identifiers}
    customer = (await northwind_client.query(CREATE, {"input": input_values}))["customerCreate"]["customer"]
    known = {"kind": "EMAIL", "value": "Ada@Lovelace.org", "normalized": "ada@lovelace.org", "source": "shop"}
    assert customer == {
        "name": "Ada",
        "version": 1,
        "status": "ACTIVE",
        "stage": "PROSPECT",
        "tier": "STANDARD",
        "unit": {"code": "20852"},
        "identifiers": {"nodes": [known]},
    }


async def test_what_is_absent_stays_and_what_is_null_is_cleared(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit, country="de")
    updated = await northwind_client.query(UPDATE, {"input": {"id": key, "name": "Bea"}})
    assert updated["customerUpdate"]["customer"] == {"name": "Bea", "country": "DE", "version": 2}
    cleared = await northwind_client.query(UPDATE, {"input": {"id": key, "country": None}})
    assert cleared["customerUpdate"]["customer"] == {"name": "Bea", "country": None, "version": 3}


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"name": " "}, "VALUE_INVALID", "input.name"),
        ({"name": None}, "VALUE_INVALID", "input.name"),
        ({"country": "ZZ"}, "VALUE_INVALID", "input.country"),
        ({"currency": "EURO"}, "VALUE_INVALID", "input.currency"),
        ({"language": "xx"}, "VALUE_INVALID", "input.language"),
        ({"attributes": [1]}, "VALUE_INVALID", "input.attributes"),
        ({"attributes": {"a": "x" * 20_000}}, "VALUE_INVALID", "input.attributes"),
        ({"id": "ord_" + "0" * 32}, "ID_WRONG_TYPE", "input.id"),
        ({"id": "cus_" + "0" * 32}, "NOT_FOUND", "input.id"),
        ({"id": "Ada"}, "ID_MALFORMED", "input.id"),
        ({"expectedVersion": 0, "name": "Bea"}, "VERSION_CONFLICT", "input.expectedVersion"),
    ],
)
async def test_a_bad_value_is_named(
    northwind_client: HubClient, unit: str, values: dict[str, Any], code: str, argument: str
) -> None:
    key = await create_customer(northwind_client, unit)
    error = await northwind_client.error(UPDATE, {"input": {"id": key, **values}})
    assert (error["code"], error["argument"], error["path"]) == (code, argument, ["customerUpdate"])
    assert error["message"].startswith(f"{argument}: ")


async def test_edits_of_different_fields_merge(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    await northwind_client.query(UPDATE, {"input": {"id": key, "name": "Bea"}})
    merged = await northwind_client.query(UPDATE, {"input": {"id": key, "country": "FR", "expectedVersion": 1}})
    assert merged["customerUpdate"]["customer"] == {"name": "Bea", "country": "FR", "version": 3}


async def test_a_conflict_names_the_fields_and_shows_the_current_state(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    await northwind_client.query(UPDATE, {"input": {"id": key, "name": "Bea"}})
    error = await northwind_client.error(
        UPDATE, {"input": {"id": key, "name": "Cid", "country": "FR", "expectedVersion": 1}}
    )
    assert error["code"] == "VERSION_CONFLICT"
    assert (error["currentVersion"], error["current"]) == (2, {"name": "Bea"})


async def test_a_delete_clashes_with_any_later_edit(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    move = 'mutation ($id: ID!) { customerStageMove(input: {id: $id, stage: LOST, reason: "gone"}) { customer { version } } }'
    await northwind_client.query(move, {"id": key})
    error = await northwind_client.error(
        "mutation ($id: ID!) { customerDelete(input: {id: $id, expectedVersion: 1}) { deletedId } }", {"id": key}
    )
    assert (error["code"], error["message"].split(" after")[0]) == (
        "VERSION_CONFLICT",
        "input.expectedVersion: stage changed",
    )


async def test_an_edit_by_another_writer_counts_too(
    northwind_client: HubClient, unit: str, connection: asyncpg.Connection
) -> None:
    key = await create_customer(northwind_client, unit)
    await connection.execute("update customers set name = 'Psql' where id = $1", key.removeprefix("cus_"))
    error = await northwind_client.error(UPDATE, {"input": {"id": key, "name": "Cid", "expectedVersion": 1}})
    assert error["current"] == {"name": "Psql"}


async def test_the_log_says_who_wrote_and_in_which_request(
    northwind_client: HubClient, unit: str, connection: asyncpg.Connection
) -> None:
    key = await create_customer(northwind_client, unit)
    change = await connection.fetchrow(
        "select actor, request from change_log where row_id = $1", key.removeprefix("cus_")
    )
    assert change is not None
    actor, request = change
    assert actor == f"key:{northwind_client.key.split('_')[1]}"
    assert request


async def test_an_order_is_created_with_its_items(
    northwind_client: HubClient, unit: str, connection: asyncpg.Connection
) -> None:
    key = await create_customer(northwind_client, unit)
    product = "prd_" + (await connection.fetchval("select id from products limit 1")).hex
    items = [
        {"productId": product, "quantity": 3, "unitPrice": "1.1111"},
        {"productId": product, "quantity": 1, "unitPrice": "2", "discount": "0.5"},
    ]
    input_values = {"customerId": key, "number": "N-1", "currency": "eur", "freight": "1", "items": items}
    order = (await northwind_client.query(ORDER, {"input": input_values}))["orderCreate"]["order"]
    assert order == {
        "version": 1,
        "net": "4.3333",
        "total": "5.3333",
        "currency": "EUR",
        "status": "PLACED",
        "items": {
            "nodes": [
                {"line": 1, "net": "3.3333", "currency": "EUR"},
                {"line": 2, "net": "1.0000", "currency": "EUR"},
            ]
        },
        "customer": {"name": "Ada"},
    }
    again = await northwind_client.error(ORDER, {"input": input_values})
    assert (again["code"], again["argument"]) == ("ALREADY_EXISTS", "input.number")


async def test_an_order_may_name_its_customer_by_an_identifier(northwind_client: HubClient, unit: str) -> None:
    known = {"kind": "EMAIL", "value": "orders@home.org", "source": "shop"}
    await create_customer(northwind_client, unit, identifiers=[known])
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { customer { name } } } }"
    input_values = {"identifier": {"kind": "EMAIL", "value": "Orders@home.org"}, "number": "N-3", "currency": "EUR"}
    assert (await northwind_client.query(document, {"input": input_values}))["orderCreate"]["order"] == {
        "customer": {"name": "Ada"}
    }
    nobody = {**input_values, "identifier": {"kind": "EMAIL", "value": "nobody@home.org"}}
    error = await northwind_client.error(document, {"input": nobody})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.identifier")


async def test_a_customer_without_a_unit_belongs_to_the_root(northwind_client: HubClient) -> None:
    document = (
        "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { unit { code } } } }"
    )
    data = await northwind_client.query(document, {"input": {"kind": "PERSON", "name": "Rootless"}})
    assert data["customerCreate"]["customer"]["unit"] == {"code": "northwind"}


async def test_an_order_s_net_follows_its_items(
    northwind_client: HubClient, unit: str, connection: asyncpg.Connection
) -> None:
    key = await create_customer(northwind_client, unit)
    product = "prd_" + (await connection.fetchval("select id from products limit 1")).hex
    created = await northwind_client.query(
        "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }",
        {"input": {"customerId": key, "number": "N-2", "currency": "EUR"}},
    )
    add = """mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) {
        orderItem { id currency order { net } }
    } }"""
    item_values = {"orderId": created["orderCreate"]["order"]["id"], "line": 1, "productId": product}
    item = (await northwind_client.query(add, {"input": {**item_values, "quantity": 2, "unitPrice": "3"}}))[
        "orderItemCreate"
    ]["orderItem"]
    assert item == {"id": item["id"], "currency": "EUR", "order": {"net": "6.0000"}}
    none = "mutation ($id: ID!) { orderItemUpdate(input: {id: $id, quantity: null}) { orderItem { id } } }"
    assert (await northwind_client.error(none, {"id": item["id"]}))["code"] == "VALUE_INVALID"
    await northwind_client.query(
        "mutation ($id: ID!) { orderItemDelete(input: {id: $id}) { deletedId } }", {"id": item["id"]}
    )
    net = await northwind_client.query("query ($id: ID!) { order(id: $id) { net } }", {"id": item_values["orderId"]})
    assert net == {"order": {"net": "0.0000"}}


@pytest.mark.parametrize(
    "by",
    [
        {"identifier": {"kind": "EMAIL", "value": "Eve@Nowhere.org"}},
        {"external": {"source": "erp", "externalId": "E-7"}},
    ],
    ids=["by identifier", "by source and key"],
)
async def test_an_upsert_makes_the_customer_once(northwind_client: HubClient, unit: str, by: dict[str, Any]) -> None:
    input_values = {"by": by, "kind": "PERSON", "name": "Eve", "unitId": unit}
    answers = await asyncio.gather(*(northwind_client.query(UPSERT, {"input": input_values}) for _ in range(16)))
    results = [result["customerUpsert"] for result in answers]
    assert sum(result["created"] for result in results) == 1
    assert len({result["customer"]["id"] for result in results}) == 1
    changed = await northwind_client.query(UPSERT, {"input": {"by": by, "country": "IT"}})
    assert changed["customerUpsert"]["customer"]["country"] == "IT"


async def test_an_upsert_by_a_natural_key_makes_the_row_once(northwind_client: HubClient) -> None:
    document = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created product { name } } }"
    input_values = {"by": {"sku": "S-1"}, "name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    answers = await asyncio.gather(*(northwind_client.query(document, {"input": input_values}) for _ in range(16)))
    assert sum(answer["productUpsert"]["created"] for answer in answers) == 1


async def test_many_rows_are_written_or_none(northwind_client: HubClient) -> None:
    good = {"name": "Bolt", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    rows = [{"sku": "B-1", **good}, {"sku": "B-1", **good}, {"sku": "B-2", **good, "currency": "???"}]
    error = await northwind_client.error(BULK, {"input": {"rows": rows}})
    assert (error["code"], error["argument"]) == ("BULK_REJECTED", "input.rows[1].sku")
    assert [(row["row"], row["code"]) for row in error["rows"]] == [(1, "ALREADY_EXISTS"), (2, "VALUE_INVALID")]
    data = await northwind_client.query('{ products(filter: {sku: {startsWith: "B-"}}) { totalCount } }')
    assert data["products"]["totalCount"] == 0


async def test_rows_that_are_refused_leave_the_others_alone(northwind_client: HubClient) -> None:
    good = {"name": "Nut", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    rows = [{"sku": "C-1", **good}, {"sku": "C-1", **good}, {"sku": "C-2", **good}]
    answer = await northwind_client.query(BULK, {"input": {"rows": rows, "errorPolicy": "REJECT_FAILED_ROWS"}})
    payload = answer["productsCreate"]
    assert (payload["succeeded"], payload["failed"]) == (2, 1)
    assert [result["product"] and result["product"]["sku"] for result in payload["results"]] == ["C-1", None, "C-2"]
    assert payload["results"][1]["error"]["argument"] == "input.rows[1].sku"


async def test_rows_are_counted_over_all_roots(northwind_client: HubClient) -> None:
    rows = [
        {"sku": f"S{number}", "name": "S", "category": "S", "unitPrice": "1", "currency": "EUR"}
        for number in range(251)
    ]
    document = """mutation ($rows: [ProductCreateInput!]!) {
        a: productsCreate(input: {rows: $rows}) { succeeded } b: productsCreate(input: {rows: $rows}) { succeeded }
    }"""
    error = await northwind_client.error(document, {"rows": rows})
    assert (error["code"], error["path"], error["argument"]) == ("BULK_LIMIT", ["b"], "input.rows")


async def test_an_old_answer_that_comes_late_does_not_count(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    document = "mutation ($input: ConsentSetInput!) { consentSet(input: $input) { consent { current supersededAt } } }"
    input_values = {"customerId": key, "purpose": "a.late", "source": "shop"}
    times = ("2020-01-01T00:00:00+00:00", "2024-01-01T00:00:00+00:00", "2022-01-01T00:00:00+00:00")
    for status, moment in zip(("GRANTED", "WITHDRAWN", "GRANTED"), times, strict=True):
        last = await northwind_client.query(document, {"input": {**input_values, "status": status, "givenAt": moment}})
    assert last["consentSet"]["consent"] == {"current": False, "supersededAt": times[1]}
    read = "query ($id: ID!) { customer(id: $id) { consents(last: 9) { nodes { status current supersededAt } } } }"
    consents = (await northwind_client.query(read, {"id": key}))["customer"]["consents"]["nodes"]
    assert sorted((consent["status"], consent["current"], str(consent["supersededAt"])) for consent in consents) == [
        ("GRANTED", False, times[2]),
        ("GRANTED", False, times[1]),
        ("WITHDRAWN", True, "None"),
    ]


async def test_too_many_rows_are_refused(northwind_client: HubClient) -> None:
    good = {"name": "Nut", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    error = await northwind_client.error(BULK, {"input": {"rows": [{"sku": f"D-{n}", **good} for n in range(501)]}})
    assert (error["code"], error["argument"]) == ("BULK_LIMIT", "input.rows")


async def test_an_operation_is_written_as_one(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    document = """mutation ($id: ID!) {
        first: customerUpdate(input: {id: $id, name: "One"}) { customer { name } }
        second: customerUpdate(input: {id: $id, country: "ZZ"}) { customer { name } }
    }"""
    error = await northwind_client.error(document, {"id": key})
    assert error["path"] == ["second"]
    data = await northwind_client.query("query ($id: ID!) { customer(id: $id) { name version } }", {"id": key})
    assert data == {"customer": {"name": "Ada", "version": 1}}


async def test_a_later_root_sees_what_an_earlier_one_did(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    document = """mutation ($id: ID!) {
        first: customerUpdate(input: {id: $id, name: "One"}) { customer { name } }
        record: interactionRecord(input: {customerId: $id, channel: WEB, direction: INBOUND, kind: "page.seen"}) {
            interaction { customer { name interactions { totalCount } } excerpt }
        }
    }"""
    data = await northwind_client.query(document, {"id": key})
    customer = {"name": "One", "interactions": {"totalCount": 1}}
    assert data == {
        "first": {"customer": {"name": "One"}},
        "record": {"interaction": {"customer": customer, "excerpt": None}},
    }


async def test_a_row_that_others_name_is_not_deleted(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    product = "prd_" + (await connection.fetchval("select product_id from order_items limit 1")).hex
    error = await northwind_client.error(
        "mutation ($id: ID!) { productDelete(input: {id: $id}) { deletedId } }", {"id": product}
    )
    assert (error["code"], error["argument"]) == ("IN_USE", "input.id")


async def test_a_reader_may_not_write(northwind_client: HubClient, unit: str) -> None:
    reader = await create_api_key(northwind_client.dsn, Role.READER)
    error = await northwind_client.error(
        CREATE_MINIMAL, {"input": {"kind": "PERSON", "name": "Ada", "unitId": unit}}, key=reader
    )
    assert error["code"] == "FORBIDDEN"


async def test_what_a_key_does_not_see_it_cannot_touch(
    northwind_client: HubClient, unit: str, connection: asyncpg.Connection
) -> None:
    key = await create_customer(northwind_client, unit)
    other = await connection.fetchval("select id from org_units where code = 'northern'")
    writer = await create_api_key(northwind_client.dsn, Role.WRITER, unit_id=other)
    absent = await northwind_client.error(UPDATE, {"input": {"id": "cus_" + "0" * 32, "name": "Bea"}}, key=writer)
    hidden = await northwind_client.error(UPDATE, {"input": {"id": key, "name": "Bea"}}, key=writer)
    assert hidden == absent
    for document, input_values, argument in (
        (CREATE_MINIMAL, {"kind": "PERSON", "name": "Ada", "unitId": unit}, "input.unitId"),
        (ORDER, {"customerId": key, "number": "H-1", "currency": "EUR"}, "input.customerId"),
    ):
        error = await northwind_client.error(document, {"input": input_values}, key=writer)
        assert (error["code"], error["argument"]) == ("NOT_FOUND", argument)


async def test_a_customer_s_own_key_writes_little(northwind_client: HubClient, unit: str) -> None:
    key = await create_customer(northwind_client, unit)
    mint = """mutation ($id: ID!) { customerKeyMint(input: {customerId: $id, role: "writer"}) { key expiresAt } }"""
    minted = (await northwind_client.query(mint, {"id": key}))["customerKeyMint"]["key"]
    record = """mutation ($id: ID!) {
        interactionRecord(input: {customerId: $id, channel: APP, direction: INBOUND, kind: "a.b"}) { interaction { kind } }
    }"""
    assert await northwind_client.query(record, {"id": key}, key=minted) == {
        "interactionRecord": {"interaction": {"kind": "a.b"}}
    }
    assert (await northwind_client.error(UPDATE, {"input": {"id": key, "name": "Bea"}}, key=minted))[
        "code"
    ] == "FORBIDDEN"
    outbound = await northwind_client.error(record.replace("INBOUND", "OUTBOUND"), {"id": key}, key=minted)
    assert (outbound["code"], outbound["argument"]) == ("FORBIDDEN", "input.direction")
    (note,) = (
        await northwind_client.query(
            "query ($id: ID!) { customer(id: $id) { interactions { nodes { id } } } }", {"id": key}
        )
    )["customer"]["interactions"]["nodes"]
    forget = "mutation ($id: ID!) { interactionDelete(input: {id: $id}) { deletedId } }"
    assert (await northwind_client.error(forget, note, key=minted))["code"] == "FORBIDDEN"
    other = await create_customer(northwind_client, unit)
    assert (await northwind_client.error(record, {"id": other}, key=minted))["code"] == "NOT_FOUND"
    assert (await northwind_client.error(mint, {"id": key}, key=minted))["code"] == "FORBIDDEN"
