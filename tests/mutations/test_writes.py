"""Mutations through the front door: rows made, changed, found or made, deleted, alone and many at once."""

import asyncio
from typing import Any

import asyncpg
import pytest
from conftest import key_for
from writer_client import Writer

from hub.viewer import Role

CREATE = """mutation ($input: CustomerCreateInput!, $key: String) {
    customerCreate(input: $input, idempotencyKey: $key) {
        customer { name version status stage tier unit { code } identifiers { nodes { kind value normalized source } } }
    }
}"""
MADE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id version } } }"
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
async def unit(rows: asyncpg.Connection) -> str:
    """The id of an outlet."""
    key = await rows.fetchval("select id from org_units where code = '20852'")
    return f"unt_{key.hex}"


async def made(hub_: Writer, unit: str, **more: Any) -> str:
    """The id of a new customer."""
    given = {"kind": "PERSON", "name": "Ada", "unitId": unit, **more}
    answer = await hub_.do(MADE, {"input": given})
    return str(answer["customerCreate"]["customer"]["id"])


async def test_a_new_customer_has_the_defaults_and_its_identifiers(hub_: Writer, unit: str) -> None:
    identifiers = [{"kind": "EMAIL", "value": "Ada@Lovelace.org", "source": "shop"}]
    given = {"kind": "PERSON", "name": " Ada ", "unitId": unit, "identifiers": identifiers}
    found = (await hub_.do(CREATE, {"input": given}))["customerCreate"]["customer"]
    known = {"kind": "EMAIL", "value": "Ada@Lovelace.org", "normalized": "ada@lovelace.org", "source": "shop"}
    assert found == {
        "name": "Ada",
        "version": 1,
        "status": "ACTIVE",
        "stage": "PROSPECT",
        "tier": "STANDARD",
        "unit": {"code": "20852"},
        "identifiers": {"nodes": [known]},
    }


async def test_what_is_absent_stays_and_what_is_null_is_cleared(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit, country="de")
    kept = await hub_.do(UPDATE, {"input": {"id": key, "name": "Bea"}})
    assert kept["customerUpdate"]["customer"] == {"name": "Bea", "country": "DE", "version": 2}
    cleared = await hub_.do(UPDATE, {"input": {"id": key, "country": None}})
    assert cleared["customerUpdate"]["customer"] == {"name": "Bea", "country": None, "version": 3}


@pytest.mark.parametrize(
    ("given", "code", "argument"),
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
async def test_a_bad_value_is_named(hub_: Writer, unit: str, given: dict[str, Any], code: str, argument: str) -> None:
    key = await made(hub_, unit)
    error = await hub_.refused(UPDATE, {"input": {"id": key, **given}})
    assert (error["code"], error["argument"], error["path"]) == (code, argument, ["customerUpdate"])
    assert error["message"].startswith(f"{argument}: ")


async def test_edits_of_different_fields_merge(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    await hub_.do(UPDATE, {"input": {"id": key, "name": "Bea"}})
    merged = await hub_.do(UPDATE, {"input": {"id": key, "country": "FR", "expectedVersion": 1}})
    assert merged["customerUpdate"]["customer"] == {"name": "Bea", "country": "FR", "version": 3}


async def test_a_conflict_names_the_fields_and_shows_the_current_state(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    await hub_.do(UPDATE, {"input": {"id": key, "name": "Bea"}})
    error = await hub_.refused(UPDATE, {"input": {"id": key, "name": "Cid", "country": "FR", "expectedVersion": 1}})
    assert error["code"] == "VERSION_CONFLICT"
    assert (error["currentVersion"], error["current"]) == (2, {"name": "Bea"})


async def test_a_delete_clashes_with_any_later_edit(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    move = 'mutation ($id: ID!) { customerStageMove(input: {id: $id, stage: LOST, reason: "gone"}) { customer { version } } }'
    await hub_.do(move, {"id": key})
    error = await hub_.refused(
        "mutation ($id: ID!) { customerDelete(input: {id: $id, expectedVersion: 1}) { deletedId } }", {"id": key}
    )
    assert (error["code"], error["message"].split(" after")[0]) == (
        "VERSION_CONFLICT",
        "input.expectedVersion: stage changed",
    )


async def test_an_edit_by_another_writer_counts_too(hub_: Writer, unit: str, rows: asyncpg.Connection) -> None:
    key = await made(hub_, unit)
    await rows.execute("update customers set name = 'Psql' where id = $1", key.removeprefix("cus_"))
    error = await hub_.refused(UPDATE, {"input": {"id": key, "name": "Cid", "expectedVersion": 1}})
    assert error["current"] == {"name": "Psql"}


async def test_the_log_says_who_wrote_and_in_which_request(hub_: Writer, unit: str, rows: asyncpg.Connection) -> None:
    key = await made(hub_, unit)
    found = await rows.fetchrow("select actor, request from change_log where row_id = $1", key.removeprefix("cus_"))
    assert found is not None
    actor, request = found
    assert actor == f"key:{hub_.key.split('_')[1]}"
    assert request


async def test_an_order_is_made_with_its_items(hub_: Writer, unit: str, rows: asyncpg.Connection) -> None:
    key = await made(hub_, unit)
    product = "prd_" + (await rows.fetchval("select id from products limit 1")).hex
    items = [
        {"productId": product, "quantity": 3, "unitPrice": "1.1111"},
        {"productId": product, "quantity": 1, "unitPrice": "2", "discount": "0.5"},
    ]
    given = {"customerId": key, "number": "N-1", "currency": "eur", "freight": "1", "items": items}
    found = (await hub_.do(ORDER, {"input": given}))["orderCreate"]["order"]
    assert found == {
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
    again = await hub_.refused(ORDER, {"input": given})
    assert (again["code"], again["argument"]) == ("ALREADY_EXISTS", "input.number")


async def test_an_order_may_name_its_customer_by_an_identifier(hub_: Writer, unit: str) -> None:
    known = {"kind": "EMAIL", "value": "orders@home.org", "source": "shop"}
    await made(hub_, unit, identifiers=[known])
    document = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { customer { name } } } }"
    given = {"identifier": {"kind": "EMAIL", "value": "Orders@home.org"}, "number": "N-3", "currency": "EUR"}
    assert (await hub_.do(document, {"input": given}))["orderCreate"]["order"] == {"customer": {"name": "Ada"}}
    nobody = {**given, "identifier": {"kind": "EMAIL", "value": "nobody@home.org"}}
    error = await hub_.refused(document, {"input": nobody})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.identifier")


async def test_a_customer_that_is_given_no_unit_belongs_to_the_root(hub_: Writer) -> None:
    document = (
        "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { unit { code } } } }"
    )
    found = await hub_.do(document, {"input": {"kind": "PERSON", "name": "Rootless"}})
    assert found["customerCreate"]["customer"]["unit"] == {"code": "northwind"}


async def test_an_order_s_net_follows_its_items(hub_: Writer, unit: str, rows: asyncpg.Connection) -> None:
    key = await made(hub_, unit)
    product = "prd_" + (await rows.fetchval("select id from products limit 1")).hex
    made_ = await hub_.do(
        "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }",
        {"input": {"customerId": key, "number": "N-2", "currency": "EUR"}},
    )
    add = """mutation ($input: OrderItemCreateInput!) { orderItemCreate(input: $input) {
        orderItem { id currency order { net } }
    } }"""
    given = {"orderId": made_["orderCreate"]["order"]["id"], "line": 1, "productId": product}
    item = (await hub_.do(add, {"input": {**given, "quantity": 2, "unitPrice": "3"}}))["orderItemCreate"]["orderItem"]
    assert item == {"id": item["id"], "currency": "EUR", "order": {"net": "6.0000"}}
    none = "mutation ($id: ID!) { orderItemUpdate(input: {id: $id, quantity: null}) { orderItem { id } } }"
    assert (await hub_.refused(none, {"id": item["id"]}))["code"] == "VALUE_INVALID"
    await hub_.do("mutation ($id: ID!) { orderItemDelete(input: {id: $id}) { deletedId } }", {"id": item["id"]})
    net = await hub_.do("query ($id: ID!) { order(id: $id) { net } }", {"id": given["orderId"]})
    assert net == {"order": {"net": "0.0000"}}


@pytest.mark.parametrize(
    "by",
    [
        {"identifier": {"kind": "EMAIL", "value": "Eve@Nowhere.org"}},
        {"external": {"source": "erp", "externalId": "E-7"}},
    ],
    ids=["by identifier", "by source and key"],
)
async def test_an_upsert_makes_the_customer_once(hub_: Writer, unit: str, by: dict[str, Any]) -> None:
    given = {"by": by, "kind": "PERSON", "name": "Eve", "unitId": unit}
    answers = await asyncio.gather(*(hub_.do(UPSERT, {"input": given}) for _ in range(16)))
    found = [each["customerUpsert"] for each in answers]
    assert sum(each["created"] for each in found) == 1
    assert len({each["customer"]["id"] for each in found}) == 1
    changed = await hub_.do(UPSERT, {"input": {"by": by, "country": "IT"}})
    assert changed["customerUpsert"]["customer"]["country"] == "IT"


async def test_an_upsert_by_a_natural_key_makes_the_row_once(hub_: Writer) -> None:
    document = "mutation ($input: ProductUpsertInput!) { productUpsert(input: $input) { created product { name } } }"
    given = {"by": {"sku": "S-1"}, "name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    answers = await asyncio.gather(*(hub_.do(document, {"input": given}) for _ in range(16)))
    assert sum(each["productUpsert"]["created"] for each in answers) == 1


async def test_many_rows_are_written_or_none(hub_: Writer) -> None:
    good = {"name": "Bolt", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    given = [{"sku": "B-1", **good}, {"sku": "B-1", **good}, {"sku": "B-2", **good, "currency": "???"}]
    error = await hub_.refused(BULK, {"input": {"rows": given}})
    assert (error["code"], error["argument"]) == ("BULK_REJECTED", "input.rows[1].sku")
    assert [(each["row"], each["code"]) for each in error["rows"]] == [(1, "ALREADY_EXISTS"), (2, "VALUE_INVALID")]
    found = await hub_.do('{ products(filter: {sku: {startsWith: "B-"}}) { totalCount } }')
    assert found["products"]["totalCount"] == 0


async def test_rows_that_are_refused_leave_the_others_alone(hub_: Writer) -> None:
    good = {"name": "Nut", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    given = [{"sku": "C-1", **good}, {"sku": "C-1", **good}, {"sku": "C-2", **good}]
    answer = await hub_.do(BULK, {"input": {"rows": given, "errorPolicy": "REJECT_FAILED_ROWS"}})
    found = answer["productsCreate"]
    assert (found["succeeded"], found["failed"]) == (2, 1)
    assert [each["product"] and each["product"]["sku"] for each in found["results"]] == ["C-1", None, "C-2"]
    assert found["results"][1]["error"]["argument"] == "input.rows[1].sku"


async def test_rows_are_counted_over_all_roots(hub_: Writer) -> None:
    rows = [
        {"sku": f"S{number}", "name": "S", "category": "S", "unitPrice": "1", "currency": "EUR"}
        for number in range(251)
    ]
    document = """mutation ($rows: [ProductCreateInput!]!) {
        a: productsCreate(input: {rows: $rows}) { succeeded } b: productsCreate(input: {rows: $rows}) { succeeded }
    }"""
    error = await hub_.refused(document, {"rows": rows})
    assert (error["code"], error["path"], error["argument"]) == ("BULK_LIMIT", ["b"], "input.rows")


async def test_an_old_answer_that_comes_late_does_not_count(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    document = "mutation ($input: ConsentSetInput!) { consentSet(input: $input) { consent { current supersededAt } } }"
    given = {"customerId": key, "purpose": "a.late", "source": "shop"}
    times = ("2020-01-01T00:00:00+00:00", "2024-01-01T00:00:00+00:00", "2022-01-01T00:00:00+00:00")
    for status, at in zip(("GRANTED", "WITHDRAWN", "GRANTED"), times, strict=True):
        last = await hub_.do(document, {"input": {**given, "status": status, "givenAt": at}})
    assert last["consentSet"]["consent"] == {"current": False, "supersededAt": times[1]}
    read = "query ($id: ID!) { customer(id: $id) { consents(last: 9) { nodes { status current supersededAt } } } }"
    found = (await hub_.do(read, {"id": key}))["customer"]["consents"]["nodes"]
    assert sorted((each["status"], each["current"], str(each["supersededAt"])) for each in found) == [
        ("GRANTED", False, times[2]),
        ("GRANTED", False, times[1]),
        ("WITHDRAWN", True, "None"),
    ]


async def test_too_many_rows_are_refused(hub_: Writer) -> None:
    good = {"name": "Nut", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
    error = await hub_.refused(BULK, {"input": {"rows": [{"sku": f"D-{n}", **good} for n in range(501)]}})
    assert (error["code"], error["argument"]) == ("BULK_LIMIT", "input.rows")


async def test_an_operation_is_written_as_one(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    document = """mutation ($id: ID!) {
        first: customerUpdate(input: {id: $id, name: "One"}) { customer { name } }
        second: customerUpdate(input: {id: $id, country: "ZZ"}) { customer { name } }
    }"""
    error = await hub_.refused(document, {"id": key})
    assert error["path"] == ["second"]
    found = await hub_.do("query ($id: ID!) { customer(id: $id) { name version } }", {"id": key})
    assert found == {"customer": {"name": "Ada", "version": 1}}


async def test_a_later_root_sees_what_an_earlier_one_did(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    document = """mutation ($id: ID!) {
        first: customerUpdate(input: {id: $id, name: "One"}) { customer { name } }
        record: interactionRecord(input: {customerId: $id, channel: WEB, direction: INBOUND, kind: "page.seen"}) {
            interaction { customer { name interactions { totalCount } } excerpt }
        }
    }"""
    found = await hub_.do(document, {"id": key})
    customer = {"name": "One", "interactions": {"totalCount": 1}}
    assert found == {
        "first": {"customer": {"name": "One"}},
        "record": {"interaction": {"customer": customer, "excerpt": None}},
    }


async def test_a_row_that_others_name_is_not_deleted(hub_: Writer, rows: asyncpg.Connection) -> None:
    product = "prd_" + (await rows.fetchval("select product_id from order_items limit 1")).hex
    error = await hub_.refused("mutation ($id: ID!) { productDelete(input: {id: $id}) { deletedId } }", {"id": product})
    assert (error["code"], error["argument"]) == ("IN_USE", "input.id")


async def test_a_reader_may_not_write(hub_: Writer, unit: str) -> None:
    reader = await key_for(hub_.dsn, Role.READER)
    error = await hub_.refused(MADE, {"input": {"kind": "PERSON", "name": "Ada", "unitId": unit}}, key=reader)
    assert error["code"] == "FORBIDDEN"


async def test_what_a_key_does_not_see_it_cannot_touch(hub_: Writer, unit: str, rows: asyncpg.Connection) -> None:
    key = await made(hub_, unit)
    other = await rows.fetchval("select id from org_units where code = 'northern'")
    writer = await key_for(hub_.dsn, Role.WRITER, unit_id=other)
    absent = await hub_.refused(UPDATE, {"input": {"id": "cus_" + "0" * 32, "name": "Bea"}}, key=writer)
    hidden = await hub_.refused(UPDATE, {"input": {"id": key, "name": "Bea"}}, key=writer)
    assert hidden == absent
    for document, given, argument in (
        (MADE, {"kind": "PERSON", "name": "Ada", "unitId": unit}, "input.unitId"),
        (ORDER, {"customerId": key, "number": "H-1", "currency": "EUR"}, "input.customerId"),
    ):
        error = await hub_.refused(document, {"input": given}, key=writer)
        assert (error["code"], error["argument"]) == ("NOT_FOUND", argument)


async def test_a_customer_s_own_key_writes_little(hub_: Writer, unit: str) -> None:
    key = await made(hub_, unit)
    mint = """mutation ($id: ID!) { customerKeyMint(input: {customerId: $id, role: WRITER}) { key expiresAt } }"""
    minted = (await hub_.do(mint, {"id": key}))["customerKeyMint"]["key"]
    record = """mutation ($id: ID!) {
        interactionRecord(input: {customerId: $id, channel: APP, direction: INBOUND, kind: "a.b"}) { interaction { kind } }
    }"""
    assert await hub_.do(record, {"id": key}, key=minted) == {"interactionRecord": {"interaction": {"kind": "a.b"}}}
    assert (await hub_.refused(UPDATE, {"input": {"id": key, "name": "Bea"}}, key=minted))["code"] == "FORBIDDEN"
    outbound = await hub_.refused(record.replace("INBOUND", "OUTBOUND"), {"id": key}, key=minted)
    assert (outbound["code"], outbound["argument"]) == ("FORBIDDEN", "input.direction")
    (note,) = (await hub_.do("query ($id: ID!) { customer(id: $id) { interactions { nodes { id } } } }", {"id": key}))[
        "customer"
    ]["interactions"]["nodes"]
    forget = "mutation ($id: ID!) { interactionDelete(input: {id: $id}) { deletedId } }"
    assert (await hub_.refused(forget, note, key=minted))["code"] == "FORBIDDEN"
    other = await made(hub_, unit)
    assert (await hub_.refused(record, {"id": other}, key=minted))["code"] == "NOT_FOUND"
    assert (await hub_.refused(mint, {"id": key}, key=minted))["code"] == "FORBIDDEN"
