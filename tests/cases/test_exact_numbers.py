"""Numbers are exact from the wire to the column: amounts and facts beyond a double, over HTTP and a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from conftest import CreateDatabase, create_api_key
from fake_engine_hub import serve_app
from websocket_client import open_websocket

from hub.app import lifespan
from hub.settings import Settings

ORDER = """mutation ($input: OrderCreateInput!, $key: String) { orderCreate(input: $input, idempotencyKey: $key) {
    order { net }
} }"""
CUSTOMER = """mutation ($attributes: JSON!) { customerCreate(input: {kind: PERSON, name: "Ada", attributes: $attributes}) {
    customer { id attributes allowedMoves }
} }"""
DIGITS = "123456789012345678901234567890"


@dataclass
class RawHub:
    """A hub on Northwind behind a port; bodies are sent as they are written."""

    port: int
    key: str
    http_client: httpx2.AsyncClient
    numbers: int = 0

    async def post(self, query: str, variables: str = "{}") -> Any:
        """The text of the response; `variables` is JSON."""
        body = f'{{"query":{json.dumps(query)},"variables":{variables}}}'
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        return (await self.http_client.post("/graphql", content=body, headers=headers)).text

    def order(self, customer: str, net: str) -> str:
        """The variables of a new order."""
        self.numbers += 1
        values = f'"customerId":"{customer}","number":"X-{self.numbers}","currency":"EUR","net":{net}'
        return f'{{"input":{{{values}}}}}'


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[RawHub]:
    dsn, settings = await create_database("northwind"), Settings()
    async with (
        lifespan(settings, dsn) as site,
        serve_app(site, settings) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield RawHub(port, await create_api_key(dsn), client)


@pytest.fixture(scope="module")
async def customer(hub: RawHub) -> str:
    answer = json.loads(await hub.post("{ customers(first: 1) { nodes { id } } }"))
    return str(answer["data"]["customers"]["nodes"][0]["id"])


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        ("12345678901234.5678", "12345678901234.5678"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("1.23456789012345678E13", "12345678901234.5678"),
        ("9007199254740993e-4", "900719925474.0993"),
        ("70368744177664.0001", "70368744177664.0001"),
        ("100.5", "100.5000"),
        ("7", "7.0000"),
        ("  12345678901234.5678 ", "12345678901234.5678"),
    ],
)
async def test_v7_an_amount_beyond_a_double_is_exact(hub: RawHub, customer: str, number: str, stored: str) -> None:
    assert await hub.post(ORDER, hub.order(customer, number)) == (
        f'{{"data":{{"orderCreate":{{"order":{{"net":"{stored}"}}}}}}}}'
    )


async def test_v7_a_socket_reads_amounts_exactly(hub: RawHub, customer: str) -> None:
    async with open_websocket(hub.port, init=False) as client:
        await client.init({"authorization": f"Bearer {hub.key}"})
        variables = hub.order(customer, "12345678901234.5678")
        payload = f'{{"query":{json.dumps(ORDER)},"variables":{variables}}}'
        await client.socket.send(f'{{"type":"subscribe","id":"a","payload":{payload}}}')
        answer = await client.receive()
    assert answer["payload"]["data"]["orderCreate"]["order"]["net"] == "12345678901234.5678"


async def test_v7_a_filter_compares_exactly(hub: RawHub, customer: str) -> None:
    await hub.post(ORDER, hub.order(customer, "22345678901234.5678"))
    query = "query ($net: Decimal!) { orders(filter: {net: {eq: $net}}) { totalCount } }"
    for number, count in (("22345678901234.5678", 1), ("22345678901234.5679", 0), ("22345678901234.567", 0)):
        answer = await hub.post(query, f'{{"net":{number}}}')
        assert json.loads(answer) == {"data": {"orders": {"totalCount": count}}}


@pytest.mark.parametrize(
    "facts",
    [
        f'{{"n":{DIGITS}}}',
        f'{{"n":-{DIGITS}}}',
        '{"n":9007199254740993}',
        '{"n":18446744073709551616}',
        '{"n":0.1234567890123456789}',
        '{"deep":[{"n":[12345678901234.5678,1]}]}',
        '{"n":1.5}',
    ],
)
@pytest.mark.parametrize("is_literal", [False, True])
async def test_v7_facts_keep_their_digits(hub: RawHub, facts: str, is_literal: bool) -> None:
    if is_literal:
        literal = facts.replace('"n"', "n").replace('"deep"', "deep")
        answer = await hub.post(CUSTOMER.replace("($attributes: JSON!)", "").replace("$attributes", literal))
    else:
        answer = await hub.post(CUSTOMER, f'{{"attributes":{facts}}}')
    assert facts in answer.replace(" ", ""), answer


async def test_v7_a_filter_of_facts_compares_exactly(hub: RawHub) -> None:
    await hub.post(CUSTOMER, '{"attributes":{"serial":31234567890123456789}}')
    query = 'query ($n: JSON!) { customers(filter: {attributes: {path: ["serial"], eq: $n}}) { totalCount } }'
    for number, count in (("31234567890123456789", 1), ("31234567890123456788", 0)):
        answer = await hub.post(query, f'{{"n":{number}}}')
        assert json.loads(answer) == {"data": {"customers": {"totalCount": count}}}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("1e-400", "VALUE_INVALID"),
        ("1" * 401, "BODY_MALFORMED"),
        ("1" * 5000, "BODY_MALFORMED"),
        ("0." + "1" * 401, "VALUE_INVALID"),
    ],
)
async def test_v7_a_number_out_of_all_range_is_refused(hub: RawHub, number: str, code: str) -> None:
    error = json.loads(await hub.post(CUSTOMER, f'{{"attributes":{{"n":{number}}}}}'))["errors"][0]
    assert error["extensions"]["code"] == code


@pytest.mark.parametrize("number", [DIGITS, "1.5", "12345678901234.5678"])
async def test_v7_an_int_stays_an_int(hub: RawHub, number: str) -> None:
    query = "query ($n: Int) { customers(first: $n) { totalCount } }"
    error = json.loads(await hub.post(query, f'{{"n":{number}}}'))["errors"][0]
    assert error["extensions"]["code"] == "VARIABLE_INVALID"


async def test_v7_an_idempotency_key_tells_exact_numbers_apart(hub: RawHub, customer: str) -> None:
    variables = hub.order(customer, "12345678901234.5678")[:-1] + ',"key":"exact"}'
    first, again = await asyncio.gather(hub.post(ORDER, variables), hub.post(ORDER, variables))
    assert first == again
    error = json.loads(await hub.post(ORDER, variables.replace("5678", "5679")))["errors"][0]
    assert error["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_v7_keys_are_unique_beside_long_numbers(hub: RawHub) -> None:
    error = json.loads(await hub.post(CUSTOMER, f'{{"attributes":{{"n":{DIGITS},"n":1}}}}'))["errors"][0]
    assert error["extensions"]["code"] == "BODY_MALFORMED"
