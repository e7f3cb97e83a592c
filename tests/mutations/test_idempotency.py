"""Operations with an idempotency key happen once: the same answer for the same body, a refusal for another."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import NewDatabase, key_for
from writer_client import Writer, writing

from hub.model import idempotency
from hub.postgres import Server
from hub.settings import Settings

MAKE = """mutation ($sku: String!, $key: String) {
    productCreate(input: {sku: $sku, name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}, idempotencyKey: $key) {
        product { id sku }
    }
}"""


@pytest.fixture(scope="module")
async def writer(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Writer]:
    async with writing(await new_database("migrated")) as made:
        yield made


async def test_the_same_operation_is_answered_and_not_done_again(writer: Writer) -> None:
    first = await writer.answer(MAKE, {"sku": "A", "key": "a"})
    assert await writer.answer(MAKE, {"sku": "A", "key": "a"}) == first
    assert (await writer.do('{ products(filter: {sku: {eq: "A"}}) { totalCount } }'))["products"]["totalCount"] == 1


async def test_twins_wait_and_get_the_same_answer(writer: Writer) -> None:
    found = await asyncio.gather(*(writer.answer(MAKE, {"sku": "B", "key": "b"}) for _ in range(32)))
    assert found == [found[0]] * 32
    assert found[0]["data"]["productCreate"]["product"]["sku"] == "B"


async def test_another_body_under_the_same_key_is_refused(writer: Writer) -> None:
    await writer.do(MAKE, {"sku": "C", "key": "c"})
    for variables in ({"sku": "D", "key": "c"}, {"key": "c", "sku": "C", "more": 1}):
        error = await writer.refused(MAKE, variables)
        assert (error["code"], error["argument"]) == ("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")
        assert error["path"] == ["productCreate"]


async def test_a_refused_operation_keeps_no_answer(writer: Writer) -> None:
    refused = await writer.refused(MAKE, {"sku": " ", "key": "e"})
    assert refused["code"] == "VALUE_INVALID"
    assert (await writer.do(MAKE, {"sku": "E", "key": "e"}))["productCreate"]["product"]["sku"] == "E"


async def test_a_key_is_its_holder_s_own(writer: Writer) -> None:
    other = await key_for(writer.dsn)
    await writer.do(MAKE, {"sku": "F", "key": "f"})
    made = await writer.do(MAKE, {"sku": "G", "key": "f"}, key=other)
    assert made["productCreate"]["product"]["sku"] == "G"


async def test_what_is_answered_again_stands_in_no_log(writer: Writer, server: Server) -> None:
    document = """mutation ($sku: String!) { productUpsert(
        input: {by: {sku: $sku}, name: "Canary", category: "Bird", unitPrice: "1", currency: "EUR"}, idempotencyKey: "log"
    ) { product { name } } }"""
    first = await writer.answer(document, {"sku": "log"})
    assert await writer.answer(document, {"sku": "log"}) == first
    log = (server.data_dir / "postgres.log").read_text()
    assert [word for word in ("Canary", b"Canary".hex()) if word in log] == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\u200b"])
async def test_a_key_is_a_short_text_that_can_be_seen(writer: Writer, key: str) -> None:
    error = await writer.refused(MAKE, {"sku": "H", "key": key})
    assert (error["code"], error["argument"]) == ("IDEMPOTENCY_KEY_INVALID", "idempotencyKey")


async def test_any_text_of_a_key_is_a_key_and_nothing_else(writer: Writer) -> None:
    key = "'); drop table kept_answers; -- \\ é"
    first = await writer.answer(MAKE, {"sku": "I'); --", "key": key})
    assert await writer.answer(MAKE, {"sku": "I'); --", "key": key}) == first


async def test_one_key_covers_an_operation_of_several_roots(writer: Writer) -> None:
    document = """mutation {
        a: productCreate(input: {sku: "J", name: "J", category: "J", unitPrice: 1, currency: "EUR"}, idempotencyKey: "j") {
            product { sku }
        }
        b: productUpdate(input: {id: "prd_00000000000000000000000000000000", name: "K"}, idempotencyKey: "%s") { product { sku } }
    }"""
    error = await writer.refused(document % "k")
    assert error["code"] == "IDEMPOTENCY_KEY_INVALID"
    assert (await writer.refused(document % "j"))["path"] == ["b"]
    assert (await writer.do('{ products(filter: {sku: {eq: "J"}}) { totalCount } }'))["products"]["totalCount"] == 0


async def test_an_answer_is_forgotten_after_two_days(writer: Writer) -> None:
    await writer.do(MAKE, {"sku": "L", "key": "l"})
    connection: Any = await asyncpg.connect(writer.dsn)
    count = "select count(*) from kept_answers"
    before = await connection.fetchval(count)
    await idempotency.forget(connection, datetime.now(UTC) + timedelta(hours=47), 10)
    assert await connection.fetchval(count) == before > 0
    await idempotency.forget(connection, datetime.now(UTC) + timedelta(hours=49), 10)
    assert await connection.fetchval(count) == 0
    await connection.close()


async def test_what_could_not_be_read_for_the_answer_keeps_nothing(writer: Writer) -> None:
    unit = 'mutation { orgUnitCreate(input: {code: "q", name: "Q", kind: GROUP}) { orgUnit { id } } }'
    made = (await writer.do(unit))["orgUnitCreate"]["orgUnit"]["id"]
    document = 'mutation ($u: ID!) { customerCreate(input: {kind: PERSON, name: "Q", unitId: $u}) { customer { id } } }'
    customer = (await writer.do(document, {"u": made}))["customerCreate"]["customer"]["id"]
    record = """mutation ($c: ID!, $subject: String) { interactionRecord(
        input: {customerId: $c, channel: WEB, direction: INBOUND, kind: "a.b", subject: $subject}, idempotencyKey: "unread"
    ) { interaction { mentions { items { nodes { line } } } } } }"""
    given = {"c": customer, "subject": "ord_" + "1" * 32}
    connection: Any = await asyncpg.connect(writer.dsn)
    async with writing(writer.dsn, Settings(lock_timeout=0.1)) as impatient:
        async with connection.transaction():
            await connection.execute("lock table order_items")
            error = await impatient.refused(record, given)
        assert error["code"] == "UNAVAILABLE"
        assert (
            await connection.fetchval("select count(*) from interactions where customer_id = $1", UUID(customer[4:]))
            == 0
        )
        assert await impatient.do(record, given) == {"interactionRecord": {"interaction": {"mentions": []}}}
    await connection.close()


async def test_a_minted_key_is_told_again_but_stands_nowhere(writer: Writer) -> None:
    unit = 'mutation { orgUnitCreate(input: {code: "m", name: "M", kind: GROUP}) { orgUnit { id } } }'
    made = (await writer.do(unit))["orgUnitCreate"]["orgUnit"]["id"]
    document = 'mutation ($u: ID!) { customerCreate(input: {kind: PERSON, name: "M", unitId: $u}) { customer { id } } }'
    customer = (await writer.do(document, {"u": made}))["customerCreate"]["customer"]["id"]
    mint = 'mutation ($c: ID!) { customerKeyMint(input: {customerId: $c}, idempotencyKey: "mint") { key } }'
    key = (await writer.do(mint, {"c": customer}))["customerKeyMint"]["key"]
    assert (await writer.do(mint, {"c": customer}))["customerKeyMint"]["key"] == key
    connection: Any = await asyncpg.connect(writer.dsn)
    kept = await connection.fetch("select key, answer from kept_answers")
    await connection.close()
    assert kept
    assert [row for row in kept if key.encode() in row["answer"] or b"mint" in row["key"]] == []
