"""Operations with an idempotency key happen once: the same answer for the same body, a refusal for another."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.model import idempotency
from hub.postgres import PostgresServer
from hub.settings import Settings

CREATE_PRODUCT = """mutation ($sku: String!, $key: String) {
    productCreate(input: {sku: $sku, name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}, idempotencyKey: $key) {
        product { id sku }
    }
}"""


@pytest.fixture(scope="module")
async def hub_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    async with open_hub_client(await create_database("migrated")) as hub_writer:
        yield hub_writer


async def test_the_same_operation_is_answered_and_not_done_again(hub_client: HubClient) -> None:
    first = await hub_client.execute(CREATE_PRODUCT, {"sku": "A", "key": "a"})
    assert await hub_client.execute(CREATE_PRODUCT, {"sku": "A", "key": "a"}) == first
    assert (await hub_client.query('{ products(filter: {sku: {eq: "A"}}) { totalCount } }'))["products"][
        "totalCount"
    ] == 1


async def test_twins_wait_and_get_the_same_answer(hub_client: HubClient) -> None:
    responses = await asyncio.gather(*(hub_client.execute(CREATE_PRODUCT, {"sku": "B", "key": "b"}) for _ in range(32)))
    assert responses == [responses[0]] * 32
    assert responses[0]["data"]["productCreate"]["product"]["sku"] == "B"


async def test_another_body_under_the_same_key_is_refused(hub_client: HubClient) -> None:
    await hub_client.query(CREATE_PRODUCT, {"sku": "C", "key": "c"})
    for variables in ({"sku": "D", "key": "c"}, {"key": "c", "sku": "C", "more": 1}):
        error = await hub_client.error(CREATE_PRODUCT, variables)
        assert (error["code"], error["argument"]) == ("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")
        assert error["path"] == ["productCreate"]


async def test_a_refused_operation_stores_no_record(hub_client: HubClient) -> None:
    refused = await hub_client.error(CREATE_PRODUCT, {"sku": " ", "key": "e"})
    assert refused["code"] == "VALUE_INVALID"
    assert (await hub_client.query(CREATE_PRODUCT, {"sku": "E", "key": "e"}))["productCreate"]["product"]["sku"] == "E"


async def test_a_key_is_its_holder_s_own(hub_client: HubClient) -> None:
    other = await create_api_key(hub_client.dsn)
    await hub_client.query(CREATE_PRODUCT, {"sku": "F", "key": "f"})
    data = await hub_client.query(CREATE_PRODUCT, {"sku": "G", "key": "f"}, key=other)
    assert data["productCreate"]["product"]["sku"] == "G"


async def test_what_is_answered_again_stands_in_no_log(hub_client: HubClient, postgres_server: PostgresServer) -> None:
    document = """mutation ($sku: String!) { productUpsert(
        input: {by: {sku: $sku}, name: "Canary", category: "Bird", unitPrice: "1", currency: "EUR"}, idempotencyKey: "log"
    ) { product { name } } }"""
    first = await hub_client.execute(document, {"sku": "log"})
    assert await hub_client.execute(document, {"sku": "log"}) == first
    log = (postgres_server.data_dir / "postgres.log").read_text()
    assert [word for word in ("Canary", b"Canary".hex()) if word in log] == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\u200b"])
async def test_a_key_is_a_short_text_that_can_be_seen(hub_client: HubClient, key: str) -> None:
    error = await hub_client.error(CREATE_PRODUCT, {"sku": "H", "key": key})
    assert (error["code"], error["argument"]) == ("IDEMPOTENCY_KEY_INVALID", "idempotencyKey")


async def test_any_text_of_a_key_is_a_key_and_nothing_else(hub_client: HubClient) -> None:
    key = "'); drop table idempotency_records; -- \\ é"
    first = await hub_client.execute(CREATE_PRODUCT, {"sku": "I'); --", "key": key})
    assert await hub_client.execute(CREATE_PRODUCT, {"sku": "I'); --", "key": key}) == first


async def test_one_key_covers_an_operation_of_several_roots(hub_client: HubClient) -> None:
    document = """mutation {
        a: productCreate(input: {sku: "J", name: "J", category: "J", unitPrice: 1, currency: "EUR"}, idempotencyKey: "j") {
            product { sku }
        }
        b: productUpdate(input: {id: "prd_00000000000000000000000000000000", name: "K"}, idempotencyKey: "%s") { product { sku } }
    }"""
    error = await hub_client.error(document % "k")
    assert error["code"] == "IDEMPOTENCY_KEY_INVALID"
    assert (await hub_client.error(document % "j"))["path"] == ["b"]
    assert (await hub_client.query('{ products(filter: {sku: {eq: "J"}}) { totalCount } }'))["products"][
        "totalCount"
    ] == 0


async def test_an_idempotency_record_is_purged_after_two_days(hub_client: HubClient) -> None:
    await hub_client.query(CREATE_PRODUCT, {"sku": "L", "key": "l"})
    connection: Any = await asyncpg.connect(hub_client.dsn)
    count = "select count(*) from idempotency_records"
    before = await connection.fetchval(count)
    await idempotency.purge(connection, datetime.now(UTC) + timedelta(hours=47), 10)
    assert await connection.fetchval(count) == before > 0
    await idempotency.purge(connection, datetime.now(UTC) + timedelta(hours=49), 10)
    assert await connection.fetchval(count) == 0
    await connection.close()


async def test_a_payload_that_cannot_be_read_rolls_everything_back(hub_client: HubClient) -> None:
    unit = 'mutation { orgUnitCreate(input: {code: "q", name: "Q", kind: GROUP}) { orgUnit { id } } }'
    unit_id = (await hub_client.query(unit))["orgUnitCreate"]["orgUnit"]["id"]
    document = 'mutation ($u: ID!) { customerCreate(input: {kind: PERSON, name: "Q", unitId: $u}) { customer { id } } }'
    customer = (await hub_client.query(document, {"u": unit_id}))["customerCreate"]["customer"]["id"]
    record = """mutation ($c: ID!, $subject: String) { interactionRecord(
        input: {customerId: $c, channel: WEB, direction: INBOUND, kind: "a.b", subject: $subject}, idempotencyKey: "unread"
    ) { interaction { mentions { items { nodes { line } } } } } }"""
    variables = {"c": customer, "subject": "ord_" + "1" * 32}
    connection: Any = await asyncpg.connect(hub_client.dsn)
    async with open_hub_client(hub_client.dsn, Settings(lock_timeout=0.1)) as impatient:
        async with connection.transaction():
            await connection.execute("lock table order_items")
            error = await impatient.error(record, variables)
        assert error["code"] == "UNAVAILABLE"
        assert (
            await connection.fetchval("select count(*) from interactions where customer_id = $1", UUID(customer[4:]))
            == 0
        )
        assert await impatient.query(record, variables) == {"interactionRecord": {"interaction": {"mentions": []}}}
    await connection.close()


async def test_a_minted_key_is_replayed_but_not_stored_in_the_clear(hub_client: HubClient) -> None:
    unit = 'mutation { orgUnitCreate(input: {code: "m", name: "M", kind: GROUP}) { orgUnit { id } } }'
    unit_id = (await hub_client.query(unit))["orgUnitCreate"]["orgUnit"]["id"]
    document = 'mutation ($u: ID!) { customerCreate(input: {kind: PERSON, name: "M", unitId: $u}) { customer { id } } }'
    customer = (await hub_client.query(document, {"u": unit_id}))["customerCreate"]["customer"]["id"]
    mint = 'mutation ($c: ID!) { customerKeyMint(input: {customerId: $c}, idempotencyKey: "mint") { key } }'
    key = (await hub_client.query(mint, {"c": customer}))["customerKeyMint"]["key"]
    assert (await hub_client.query(mint, {"c": customer}))["customerKeyMint"]["key"] == key
    connection: Any = await asyncpg.connect(hub_client.dsn)
    records = await connection.fetch("select key, answer from idempotency_records")
    await connection.close()
    assert records
    assert [row for row in records if key.encode() in row["answer"] or b"mint" in row["key"]] == []
