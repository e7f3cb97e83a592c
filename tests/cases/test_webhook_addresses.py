"""Addresses of webhooks: refused at once where the settings forbid them, and sent to soon after they permit them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, RunQuery, create_api_key
from webhook_client import (
    CHANGES,
    CREATE_WEBHOOK,
    INSERT_UNIT,
    QueryFailed,
    create_customer,
    create_webhook,
    names,
    open_webhook_hub,
    rename_customer,
    run_receiver,
)

from hub.settings import Settings
from hub.viewer import Role
from hub.webhooks import deliverer
from hub.webhooks.egress import EgressPolicy, IpAddress

UPDATE = "mutation ($id: ID!, $url: String!) { webhookUpdate(input: {id: $id, url: $url}) { webhook { url } } }"
DELIVERIES = """query ($id: ID!) { webhook(id: $id) { deliveries(orderBy: {field: CREATED_AT, direction: ASC}) {
    nodes { status reason waitsFor }
} } }"""
ALLOWED = " It allows 10.1.0.0/16, receiver.internal now."
POSTPONE = """
set hub.capture = off;
update webhook_queue set due_at = due_at + interval '2 hours';
update webhook_deliveries set next_attempt_at = next_attempt_at + interval '2 hours'
"""


@dataclass
class AddressedHub:
    """A hub that allows two private destinations; `loopback` is a third that comes and goes."""

    run_query: RunQuery
    connection: asyncpg.Connection
    unit_key: str
    loopback: bool = False


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[AddressedHub]:
    dsn = await create_database("migrated")
    connection = await asyncpg.connect(dsn)
    await connection.execute(INSERT_UNIT)
    unit_key = await create_api_key(dsn, Role.ADMIN, unit_id=await connection.fetchval("select id from org_units"))
    settings = Settings(webhook_allow=("10.1.0.0/16", "receiver.internal"))
    is_allowed = EgressPolicy._is_allowed
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(deliverer, "RECHECK_BLOCKED", 0.05)
        async with open_webhook_hub(dsn, settings) as run_query:
            hub = AddressedHub(run_query, connection, unit_key)

            def is_allowed_now(policy: EgressPolicy, address: IpAddress) -> bool:
                return (hub.loopback and str(address) == "127.0.0.1") or is_allowed(policy, address)

            monkeypatch.setattr(EgressPolicy, "_is_allowed", is_allowed_now)
            yield hub
    await connection.close()


async def refusal(run_query: RunQuery, call: str, key: str | None = None, **variables: str) -> tuple[str, str, str]:
    """Code, argument and message of the one error."""
    with pytest.raises(QueryFailed) as caught:
        await run_query(call, variables, **({} if key is None else {"key": key}))
    (error,) = caught.value.errors
    return error["extensions"]["code"], error["extensions"]["argument"], error["message"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:8787/", "127.0.0.1 has "),
        ("https://localhost/", "localhost has "),
        ("https://2130706433/", "2130706433 has "),
        ("https://[::1]/", "::1 has "),
        ("https://[::ffff:10.2.0.1]/", "::ffff:10.2.0.1 has "),
        ("https://169.254.169.254/latest", "169.254.169.254 has "),
        ("https://does-not-exist.invalid/", "does-not-exist.invalid has "),
        ("http://1.1.1.1/", "http is not encrypted; use https"),
        ("https://1.1.1.1:25/", "port 25 is not allowed; use 443"),
    ],
)
async def test_s5_an_address_that_is_not_allowed_is_refused_at_once(hub: AddressedHub, url: str, said: str) -> None:
    code, argument, message = await refusal(hub.run_query, CREATE_WEBHOOK, url=url, query=CHANGES)
    assert (code, argument, message.startswith(f"input.url: {said}")) == ("WEBHOOK_INVALID", "input.url", True)
    assert message.endswith(ALLOWED)
    created, _ = await create_webhook(hub.run_query, "https://10.1.2.3/")
    assert await refusal(hub.run_query, UPDATE, id=created, url=url) == (code, argument, message)


async def test_s5_a_bound_key_does_not_learn_what_is_allowed(hub: AddressedHub) -> None:
    values = {"url": "https://127.0.0.1/", "query": CHANGES}
    _, _, message = await refusal(hub.run_query, CREATE_WEBHOOK, hub.unit_key, **values)
    assert (message.startswith("input.url: 127.0.0.1 has "), "10.1.0.0" in message) == (True, False)


@pytest.mark.parametrize(
    "url", ["https://10.1.2.3/", "http://receiver.internal:9000/hook", "http://[::ffff:10.1.0.9]:81/"]
)
async def test_s5_an_address_that_is_allowed_is_accepted(hub: AddressedHub, url: str) -> None:
    created, _ = await create_webhook(hub.run_query, url)
    assert (await hub.run_query(UPDATE, {"id": created, "url": url}))["webhookUpdate"]["webhook"]["url"] == url


async def test_s5_a_blocked_webhook_is_sent_soon_after_it_is_allowed(hub: AddressedHub) -> None:
    async with run_receiver() as receiver:
        await receiver.set_actions()
        hub.loopback = True
        webhook, _ = await create_webhook(hub.run_query, receiver.url())
        hub.loopback = False
        customer = await create_customer(hub.run_query)
        deliveries: list[dict[str, str | None]] = []

        async def are(*statuses: str) -> bool:
            data = await hub.run_query(DELIVERIES, {"id": webhook})
            deliveries[:] = data["webhook"]["deliveries"]["nodes"]
            return [delivery["status"] for delivery in deliveries] == list(statuses)

        await wait_until(lambda: are("RETRYING"))
        await hub.connection.execute(POSTPONE)
        await rename_customer(hub.run_query, customer, "Ada Lovelace")
        await wait_until(lambda: are("RETRYING", "PENDING"))
        first, second = deliveries
        assert (first["reason"] or "").startswith("Blocked: 127.0.0.1 has ")
        assert (first["waitsFor"] or "").startswith("The next attempt at 20")
        assert (first["waitsFor"] or "").endswith(f". The last one failed: {first['reason']}")
        assert (second["waitsFor"] or "").startswith("Its turn: earlier deliveries of the same customer ")
        hub.loopback = True
        assert names(await receiver.wait_for_requests(2)) == ["Ada", "Ada Lovelace"]
        await wait_until(lambda: are("DELIVERED", "DELIVERED"))
        assert [(delivery["reason"], delivery["waitsFor"]) for delivery in deliveries] == [(None, None)] * 2
        hub.loopback = False
