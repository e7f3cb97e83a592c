"""A customer's own key: it learns no positions and no authors, and writes nothing far back in time. A full disk is reported."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from change_workload import wait_until_sequenced
from conftest import create_api_key, with_database
from writer_client import HubClient

from hub import observability
from hub.changefeed.cursors import ChangeCursors
from hub.event_log import Log
from hub.observability import DiskFull
from hub.postgres import PostgresServer
from hub.viewer import Role
from hub.webhooks.egress import EgressDenied, EgressPolicy

CHANGES = "query ($after: Cursor) { changes(after: $after, first: 100) { __typename ... on Change { cursor } %s } }"
READY = "... on StreamReady { cursor }"
CONSENT = """mutation ($id: ID!, $at: DateTime) { consentSet(input: {
    customerId: $id, purpose: "marketing.newsletter", status: GRANTED, source: "app", givenAt: $at
}) { consent { givenAt } } }"""
INTERACTION = """mutation ($id: ID!, $at: DateTime) { interactionRecord(input: {
    customerId: $id, channel: WEB, direction: INBOUND, kind: "page.viewed", occurredAt: $at
}) { interaction { occurredAt } } }"""
NEW_PRODUCT = """mutation { productCreate(input: {
    sku: "%s", name: "Space", category: "Space", unitPrice: 1, currency: "EUR"
}) { product { id } } }"""


@pytest.fixture(scope="module")
async def customer(northwind_client: HubClient) -> str:
    """The id of a customer."""
    data = await northwind_client.query("{ customers(first: 1) { nodes { id } } }")
    return str(data["customers"]["nodes"][0]["id"])


@pytest.fixture(scope="module")
async def customer_key(northwind_client: HubClient, connection: asyncpg.Connection, customer: str) -> str:
    """A writing key of that customer."""
    customer_id = await connection.fetchval("select $1::uuid", customer.removeprefix("cus_"))
    return await create_api_key(northwind_client.dsn, Role.WRITER, customer_id=customer_id)


# -- X5 ---------------------------------------------------------------------------------------------------------------------


async def test_x5_cursors_do_not_hold_the_position(
    northwind_client: HubClient, connection: asyncpg.Connection, customer_key: str
) -> None:
    cursors = []
    for number in range(2):
        await connection.execute("update products set unit_price = unit_price + 1 where sku = '1'")
        await connection.execute("update customers set name = name || $1 where kind = 'ORGANISATION'", str(number))
        await wait_until_sequenced(connection)
        messages = (await northwind_client.query(CHANGES % READY, key=customer_key))["changes"]
        cursors.append(base64.urlsafe_b64decode(messages[-1]["cursor"] + "=="))
    position = await connection.fetchval("select max(position) from change_order")
    assert not any(position.to_bytes(8)[5:] in cursor for cursor in cursors)
    first, second = cursors
    assert (len(first), len(second), first[:6]) == (32, 32, second[:6])
    assert sum(one == two for one, two in zip(first[16:], second[16:], strict=True)) < 8


async def test_x5_cursors_of_earlier_versions_are_gone_on_from(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    await connection.execute("update products set unit_price = unit_price + 1 where sku = '2'")
    await wait_until_sequenced(connection)
    position = await connection.fetchval("select max(position) from change_order")
    epoch = await connection.fetchval("select epoch from change_epochs order by began desc, at desc limit 1")
    secret = await connection.fetchval("select value from secrets where name = 'cursors'")
    old, new = ChangeCursors(secret).signed_only(epoch, position - 1), ChangeCursors(secret).encode(epoch, position - 1)
    assert (len(old), len(new)) == (40, 43)
    pages = [(await northwind_client.query(CHANGES % READY, {"after": after}))["changes"] for after in (old, new)]
    assert pages[0] == pages[1]
    assert [message["__typename"] for message in pages[0]] == ["Change", "StreamReady"]


@pytest.mark.parametrize("field", ["actor", "requestId", "transactionId"])
@pytest.mark.parametrize(
    "document",
    [
        "{ changes { ... on Change { x: %s } } }",
        "{ customers { nodes { history { nodes { x: %s } } } } }",
        '{ node(id: "%s") { ... on Customer { history { edges { node { x: %s } } } } } }',
        'mutation { consentSet(input: {customerId: "%s", purpose: "a", status: GRANTED, source: "a"}) {'
        " consent { history { nodes { x: %s } } } } }",
    ],
)
async def test_x5_authors_and_requests_of_changes_are_not_for_a_customers_key(
    northwind_client: HubClient, customer: str, customer_key: str, document: str, field: str
) -> None:
    query = document % ((customer, field) if document.count("%s") == 2 else field)
    error = await northwind_client.error(query, key=customer_key)
    assert (error["code"], error["path"][-1]) == ("FORBIDDEN", "x")
    assert error["message"] == f"{field}: a key that is bound to a customer may not read it; leave it out."
    if not query.startswith("mutation"):
        await northwind_client.query(query)


# -- X9 ---------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def full_disk(admin_dsn: str) -> AsyncIterator[None]:
    """New rows and tables are refused as if the disk were full."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        await connection.execute("""
            create function no_space() returns trigger language plpgsql as
                $$ begin raise exception using errcode = '53100', message = 'could not extend file: no space'; end $$;
            create function no_space_for_tables() returns event_trigger language plpgsql as
                $$ begin raise exception using errcode = '53100', message = 'could not extend file: no space'; end $$;
            create trigger no_space before insert on products for each row execute function no_space();
            create event trigger no_space on ddl_command_start when tag in ('CREATE TABLE AS', 'SELECT INTO')
                execute function no_space_for_tables();
        """)
        yield
        await connection.execute("""
            drop event trigger no_space; drop function no_space_for_tables(); drop function no_space() cascade
        """)
    finally:
        await connection.close()


async def readiness(client: httpx2.AsyncClient) -> tuple[int, Any]:
    response = await client.get("/readyz")
    return response.status_code, response.json()


async def test_x9_a_full_disk_has_a_code_is_logged_and_is_not_ready_until_there_is_space(
    northwind_client: HubClient, postgres_server: PostgresServer
) -> None:
    events: list[DiskFull] = []
    remove = observability.add_handler(lambda event: events.append(event) if isinstance(event, DiskFull) else None)
    name = northwind_client.dsn.rpartition("/")[2]
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(northwind_client.app), base_url="http://hub")
    try:
        async with full_disk(with_database(postgres_server.admin_dsn, name)):
            body = {"query": NEW_PRODUCT % "Full"}
            headers = {"authorization": f"Bearer {northwind_client.key}"}
            response = await http.post("/graphql", json=body, headers=headers)
            (error,) = response.json()["errors"]
            assert (response.status_code, error["extensions"]["code"]) == (503, "DISK_FULL")
            assert error["message"] == "The database's disk is full, so nothing was written; try again later."
            reason = "The database's disk is full, so nothing was written; try again later."
            assert await northwind_client.query("{ customers(first: 1) { nodes { id } } }")
            status, answer = await readiness(http)
            assert (status, answer["reason"]) == (503, reason)
        assert {event.message for event in events} == {"could not extend file: no space"}
    finally:
        remove()
    while (await readiness(http))[0] != 200:  # asked again at most four times a second
        pass
    await northwind_client.query(NEW_PRODUCT % "Space")


def test_x9_a_full_disk_is_one_line_of_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log()
    for _ in range(3):
        log(DiskFull("could not extend file: no space"))
    (line,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert (line["event"], line["level"], line["message"]) == ("disk_full", "error", "could not extend file: no space")


# -- X11 --------------------------------------------------------------------------------------------------------------------


async def test_x11_reasons_do_not_tell_inside_addresses_from_unknown_names() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if host == "unknown.example.net":
            raise OSError("no such name")
        return ["10.0.0.5"]

    reasons = set()
    for scheme in ("http", "https"):
        for host in ("unknown.example.net", "printers.example.net"):
            for port in ("", ":22", ":8080"):
                with pytest.raises(EgressDenied) as refusal:
                    await EgressPolicy((), resolve).target(f"{scheme}://{host}{port}/")
                reasons.add(str(refusal.value).replace(host, "HOST"))
    assert reasons == {"HOST has no public address; correct the URL, or add the host to HUB_WEBHOOK_ALLOW."}


@pytest.mark.parametrize(("mutation", "argument"), [(CONSENT, "input.givenAt"), (INTERACTION, "input.occurredAt")])
async def test_x11_a_customers_key_dates_back_within_the_setting_and_others_at_will(
    northwind_client: HubClient, customer: str, customer_key: str, mutation: str, argument: str
) -> None:
    now = datetime.now(UTC)
    long_ago = {"id": customer, "at": (now - timedelta(hours=25)).isoformat()}
    error = await northwind_client.error(mutation, long_ago, key=customer_key)
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", argument)
    await northwind_client.query(mutation, long_ago)
    for recent in ((now - timedelta(hours=23)).isoformat(), None):
        await northwind_client.query(mutation, {"id": customer, "at": recent}, key=customer_key)
