"""The life of a webhook: what it may be, whose rights it has, its secrets, what is sent again, tried out, folded or too large."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until, wait_until_sequenced
from conftest import CreateDatabase, RunQuery, create_api_key, execute_sql
from webhook_client import (
    CHANGES,
    CREATE_WEBHOOK,
    INSERT_UNIT,
    RESEND,
    RESUME,
    WEBHOOK_STATE,
    QueryFailed,
    ReceiverProcess,
    change,
    create_customer,
    create_webhook,
    in_feed_order,
    names,
    open_webhook_hub,
    refused,
    rename_customer,
    run_receiver,
    stop_webhooks,
    wait_until_webhooks_idle,
)

from hub.db.pool import Connection
from hub.viewer import Role

NAMES = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { cursor node { ... on Customer { name } } } } }"
REWIND = """mutation ($id: ID!, $after: String, $since: DateTime) {
    webhookRewind(input: {id: $id, after: $after, since: $since}) { webhook { id } }
}"""
ROTATE = "mutation ($id: ID!, $hours: Int) { webhookSecretRotate(input: {id: $id, overlapHours: $hours}) { secret } }"
DRY_RUN = "mutation ($query: String!) { webhookDryRun(input: {query: $query}) { deliveries samples complete } }"


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    new_dsn = await create_database("migrated")
    await execute_sql(new_dsn, INSERT_UNIT)
    return new_dsn


@pytest.fixture(scope="module")
async def shared_run_query(dsn: str) -> AsyncIterator[RunQuery]:
    """For all tests of this module; each leaves its webhooks paused."""
    async with open_webhook_hub(dsn) as run_query:
        yield run_query


@pytest.fixture(scope="module")
async def connection(dsn: str) -> AsyncIterator[Connection]:
    """The tables themselves."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def run_query(shared_run_query: RunQuery, dsn: str, receiver: ReceiverProcess) -> AsyncIterator[RunQuery]:
    await receiver.set_actions()
    yield shared_run_query
    await stop_webhooks(dsn)


# -- what it may be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"query": "subscription { nothing }"}, "FIELD_UNKNOWN input.query: "),
        ({"query": "{ customers { nodes { id } } }"}, "OPERATION_UNKNOWN input.query: A query has one answer"),
        ({"query": "subscription {"}, "GRAPHQL_SYNTAX input.query: "),
        ({"query": "subscription { customersLive { cursor } }"}, "WEBHOOK_INVALID input.query: a webhook sends "),
        (
            {"query": "subscription { changes(filter: {types: [WEBHOOK_DELIVERY]}) { ... on Change { cursor } } }"},
            "WEBHOOK_LOOP input.query: a webhook cannot send changes of webhooks",
        ),
        ({"variables": ["DE"]}, "VALUE_INVALID input.variables: it is no JSON object"),
        ({"variables": "DE"}, "VALUE_INVALID input.variables: it is no JSON object"),
        ({"url": "ftp://example.net/"}, "VALUE_INVALID input.url: 'ftp://example.net/' is no URL of the web"),
        ({"url": "https://name:word@example.net/"}, "VALUE_INVALID input.url: a URL must not hold a name or "),
        ({"url": "https://example.net:99999/"}, "VALUE_INVALID input.url: 'https://example.net:99999/' is no URL"),
        ({"wait": 3_601}, "VALUE_INVALID input.coalesceSeconds: give 0 to 3600 seconds"),
        ({"after": "yesterday"}, "CURSOR_MALFORMED input.after: "),
    ],
)
async def test_what_is_no_webhook_is_refused(run_query: RunQuery, values: dict[str, Any], expected: str) -> None:
    message = await refused(run_query, CREATE_WEBHOOK, **{"url": "https://example.net/", "query": CHANGES, **values})
    assert message.startswith(expected)


async def test_an_unfiltered_webhook_gets_all_changes_but_those_of_webhooks(
    run_query: RunQuery, receiver: ReceiverProcess, connection: Connection
) -> None:
    await create_webhook(run_query, receiver.url(), "subscription { changes { ... on Change { cursor entity } } }")
    await create_customer(run_query, "Ada")
    await receiver.wait_for_requests(1)
    await create_customer(run_query, "Bob")
    await receiver.wait_for_requests(2)
    await wait_until_webhooks_idle(connection)
    assert [change(delivery)["entity"] for delivery in await receiver.captured()] == ["CUSTOMER", "CUSTOMER"]


async def test_a_field_that_is_not_selected_is_silent(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    await create_webhook(run_query, receiver.url(), NAMES)
    ada = await create_customer(run_query, "Ada")
    silent = 'mutation ($id: ID!) { customerUpdate(input: {id: $id, country: "DE"}) { customer { id } } }'
    await run_query(silent, {"id": ada})
    await rename_customer(run_query, ada, "Ada II")
    assert names(await receiver.wait_for_requests(2)) == ["Ada", "Ada II"]


# -- whose rights it has --------------------------------------------------------------------------------------------------

BRANCHES = """
insert into org_units (code, name, kind, path, parent_id)
select unit_code, unit_code, 'BRANCH', ('all.' || unit_code)::ltree, id
from org_units, unnest(array['north', 'south']) as unit_code
where code = 'all' on conflict do nothing
"""
ADD = """mutation ($name: String!, $unit: ID!) {
    customerCreate(input: {kind: PERSON, name: $name, unitId: $unit}) { customer { id } }
}"""


async def test_a_webhook_gets_what_its_owner_sees_until_the_owner_is_revoked(
    run_query: RunQuery, receiver: ReceiverProcess, dsn: str, connection: Connection
) -> None:
    await execute_sql(dsn, BRANCHES)
    units = await connection.fetch("select id from org_units where code in ('north', 'south') order by code")
    key = await create_api_key(dsn, Role.WRITER, unit_id=units[0]["id"])
    north, south = [f"unt_{unit['id'].hex}" for unit in units]
    data = await run_query(CREATE_WEBHOOK, {"url": receiver.url(), "query": NAMES}, key=key)
    webhook = data["webhookCreate"]["webhook"]["id"]
    await run_query(ADD, {"name": "of the south", "unit": south})
    await run_query(ADD, {"name": "of the north", "unit": north})
    assert names(await receiver.wait_for_requests(1)) == ["of the north"]
    await connection.execute("update api_keys set revoked_at = now() where public_id = $1", key.split("_")[1])

    async def paused() -> bool:
        return bool((await run_query(WEBHOOK_STATE, {"id": webhook}))["webhook"]["status"] == "PAUSED")

    await wait_until(paused)
    reason = f"The webhook's API key {key.split('_')[1]} was revoked."
    assert (await run_query(WEBHOOK_STATE, {"id": webhook}))["webhook"]["statusReason"] == reason
    await run_query(ADD, {"name": "later", "unit": north})
    await wait_until_webhooks_idle(connection)
    assert len(await receiver.captured()) == 1


async def test_a_bound_key_sees_its_own_webhooks_alone(
    run_query: RunQuery, receiver: ReceiverProcess, dsn: str, connection: Connection
) -> None:
    await execute_sql(dsn, BRANCHES)
    units = await connection.fetch("select id from org_units where code in ('north', 'south') order by code")
    north, south = [await create_api_key(dsn, Role.WRITER, unit_id=unit["id"]) for unit in units]
    data = await run_query(CREATE_WEBHOOK, {"url": receiver.url(), "query": NAMES}, key=north)
    id = data["webhookCreate"]["webhook"]["id"]
    counts = [await run_query("{ webhooks { totalCount } }", key=key) for key in (north, south)]
    assert [count["webhooks"]["totalCount"] for count in counts] == [1, 0]
    assert (await run_query(WEBHOOK_STATE, {"id": id}))["webhook"]["status"] == "ACTIVE"
    delete = "mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }"
    with pytest.raises(QueryFailed, match="NOT_FOUND"):
        await run_query(delete, {"id": id}, key=south)


# -- secrets --------------------------------------------------------------------------------------------------------------


async def test_both_secrets_sign_until_the_old_one_ends(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    webhook, old = await create_webhook(run_query, receiver.url())
    new = (await run_query(ROTATE, {"id": webhook, "hours": 1}))["webhookSecretRotate"]["secret"]
    await create_customer(run_query)
    (both,) = await receiver.wait_for_requests(1)
    newest = (await run_query(ROTATE, {"id": webhook, "hours": 0}))["webhookSecretRotate"]["secret"]
    await create_customer(run_query)
    _, last = await receiver.wait_for_requests(2)
    assert [both.has_valid_signature(secret) for secret in (old, new, newest)] == [True, True, False]
    assert [last.has_valid_signature(secret) for secret in (old, new, newest)] == [True, False, True]


async def test_a_secret_is_not_stored_in_the_clear(
    run_query: RunQuery, receiver: ReceiverProcess, dsn: str, connection: Connection
) -> None:
    _, secret = await create_webhook(run_query, receiver.url())
    stored = await connection.fetchval("select string_agg(encode(box, 'base64'), '') from webhook_secrets")
    logged = await connection.fetchval("select string_agg(l::text, '') from change_log as l")
    assert secret.removeprefix("whsec_")[:20] not in stored + logged


# -- again ----------------------------------------------------------------------------------------------------------------


async def test_rewinding_sends_again_with_the_same_ids_and_columns(
    run_query: RunQuery, receiver: ReceiverProcess
) -> None:
    webhook, secret = await create_webhook(run_query, receiver.url())
    ada = await create_customer(run_query, "Ada")
    await rename_customer(run_query, ada, "Ada II")
    first = await receiver.wait_for_requests(2)
    await rename_customer(run_query, ada, "Ada III")
    await receiver.wait_for_requests(3)
    await run_query(REWIND, {"id": webhook, "after": change(first[0])["previousCursor"]})
    again = (await receiver.wait_for_requests(6))[3:]
    assert [delivery.id for delivery in again[:2]] == [delivery.id for delivery in first]
    assert [delivery.body for delivery in again[:2]] == [delivery.body for delivery in first]
    assert all(delivery.has_valid_signature(secret) for delivery in again)


async def test_rewinding_to_a_moment_sends_what_came_since(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    webhook, _ = await create_webhook(run_query, receiver.url())
    await create_customer(run_query, "Ada")
    await receiver.wait_for_requests(1)
    since = datetime.now(UTC).isoformat()
    for name in ("Bob", "Cyd"):
        await create_customer(run_query, name)
    await receiver.wait_for_requests(3)
    await run_query(REWIND, {"id": webhook, "since": since})
    assert names(in_feed_order((await receiver.wait_for_requests(5))[3:])) == ["Bob", "Cyd"]


async def test_a_delivery_is_sent_once_more(
    run_query: RunQuery, receiver: ReceiverProcess, connection: Connection
) -> None:
    await create_webhook(run_query, receiver.url())
    await create_customer(run_query, "Ada")
    await create_customer(run_query, "Bob")
    _, bob = in_feed_order(await receiver.wait_for_requests(2))
    await wait_until_webhooks_idle(connection)
    await run_query(RESEND, {"id": bob.id})
    *_, again = await receiver.wait_for_requests(3)
    assert (again.id, again.body) == (bob.id, bob.body)


async def test_a_delivery_that_is_being_sent_is_sent_once_more_at_once(
    run_query: RunQuery, receiver: ReceiverProcess
) -> None:
    await receiver.set_actions(hook=["hang", 200])
    await create_webhook(run_query, receiver.url())
    await create_customer(run_query, "Ada")
    (ada,) = await receiver.wait_for_requests(1)
    await run_query(RESEND, {"id": ada.id})
    _, again = await receiver.wait_for_requests(2)
    assert (again.id, again.body) == (ada.id, ada.body)


async def test_a_delivery_in_flight_is_not_coalesced(
    run_query: RunQuery, receiver: ReceiverProcess, dsn: str, connection: Connection
) -> None:
    await create_webhook(run_query, receiver.url(), wait=3_600)
    ada = await create_customer(run_query, "Ada")
    key, queued = UUID(ada[4:]), "select count(*) from webhook_queue where ordering_key = $1"
    await wait_until(lambda: connection.fetchval(queued, key))
    sender = await asyncpg.connect(dsn)
    async with sender.transaction():
        await sender.execute("update webhook_queue set lease = uuidv7(), attempts = 1 where ordering_key = $1", key)
        await rename_customer(run_query, ada, "Ada II")
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%folded%'"
        await wait_until(lambda: connection.fetchval(waiting))
    await sender.close()
    await wait_until(lambda: _is(connection, queued, key, 2))
    await connection.execute("update webhook_queue set lease = null where ordering_key = $1", key)


async def test_a_dead_letter_is_resent_even_if_its_change_has_expired(
    run_query: RunQuery, receiver: ReceiverProcess, connection: Connection
) -> None:
    await receiver.set_actions(hook=[200, 410, 200])
    webhook, _ = await create_webhook(run_query, receiver.url())
    await create_customer(run_query, "Ada")
    (ada,) = await receiver.wait_for_requests(1)
    await create_customer(run_query, "Bob")
    _, bob = await receiver.wait_for_requests(2)
    status = "select status from webhook_deliveries where id = $1"
    await wait_until(lambda: _is(connection, status, UUID(bob.id[4:]), "DEAD"))
    await connection.execute("update change_feed set least_position = (select max(position) + 1 from change_order)")
    await run_query(RESUME, {"id": webhook})
    await run_query(RESEND, {"id": bob.id})
    *_, again = await receiver.wait_for_requests(3)
    assert (again.id, again.body) == (bob.id, bob.body)
    assert await refused(run_query, RESEND, id=ada.id) == (
        "CURSOR_EXPIRED input.id: the change that it tells of is no longer kept, so it cannot be written anew;"
        " read the row itself."
    )


async def test_every_webhook_reports_expired_changes(
    run_query: RunQuery, receiver: ReceiverProcess, connection: Connection
) -> None:
    other = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { operation } } }"
    webhooks = [(await create_webhook(run_query, receiver.url(), query))[0] for query in (CHANGES, other)]
    ids = [UUID(webhook[4:]) for webhook in webhooks]
    await connection.execute("update webhooks set status = 'PAUSED' where id = any($1)", ids)
    for name in ("Ada", "Bob"):
        await create_customer(run_query, name)
        await wait_until_sequenced(connection)
    await connection.execute("update webhook_progress set position = 1 where webhook_id = any($1)", ids)
    await connection.execute("update change_feed set least_position = (select max(position) from change_order)")
    await connection.execute("update webhooks set status = 'ACTIVE' where id = any($1)", ids)
    expired_count = "select count(*) from webhooks where id = any($1) and status_reason ~ 'no longer kept'"

    async def both_report() -> bool:
        return bool(await connection.fetchval(expired_count, ids) == 2)

    await wait_until(both_report)


async def _is(connection: Connection, query: str, key: UUID, value: object) -> bool:
    return bool(await connection.fetchval(query, key) == value)


async def test_what_is_paused_goes_on_where_it_stood(run_query: RunQuery, receiver: ReceiverProcess) -> None:
    webhook, _ = await create_webhook(run_query, receiver.url())
    pause = 'mutation ($id: ID!) { webhookPause(input: {id: $id, reason: "Tea."}) { webhook { id } } }'
    await run_query(pause, {"id": webhook})
    await create_customer(run_query, "Ada")
    assert (await run_query(WEBHOOK_STATE, {"id": webhook}))["webhook"] == {"status": "PAUSED", "statusReason": "Tea."}
    await run_query(RESUME, {"id": webhook})
    await create_customer(run_query, "Bob")
    assert names(in_feed_order(await receiver.wait_for_requests(2))) == ["Ada", "Bob"]


# -- trying out, folding -------------------------------------------------------------------------------------------------


async def test_a_dry_run_counts_and_shows_what_would_have_been_sent(
    run_query: RunQuery, receiver: ReceiverProcess
) -> None:
    query = CHANGES.replace("types: [CUSTOMER]", 'customer: {name: {startsWith: "Tried"}}')
    await create_webhook(run_query, receiver.url(), query)
    for n in range(4):
        await create_customer(run_query, f"Tried {n}")
    sent = in_feed_order(await receiver.wait_for_requests(4))
    tried = (await run_query(DRY_RUN, {"query": query}))["webhookDryRun"]
    assert (tried["deliveries"], tried["complete"]) == (4, True)
    samples = [sample["data"]["changes"] for sample in tried["samples"]]
    assert [sample["node"]["name"] for sample in samples] == ["Tried 1", "Tried 2", "Tried 3"]
    assert samples[0]["cursor"] == change(sent[1])["cursor"]


async def test_few_try_at_once_so_that_others_are_answered(run_query: RunQuery, connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("lock table change_order")
        tries = [asyncio.ensure_future(run_query(DRY_RUN, {"query": CHANGES})) for _ in range(3)]
        (first,), waiting = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(QueryFailed) as failure:
        await first
    assert [error["extensions"]["code"] for error in failure.value.errors] == ["UNAVAILABLE"]
    assert [answer["webhookDryRun"]["complete"] for answer in await asyncio.gather(*waiting)] == [True, True]


async def test_changes_of_a_row_coalesce_within_the_window(
    run_query: RunQuery, receiver: ReceiverProcess, connection: Connection
) -> None:
    await create_webhook(run_query, receiver.url(), wait=3_600)
    ada = await create_customer(run_query, "Ada")
    for n in range(3):
        await rename_customer(run_query, ada, f"Ada {n}")
    await create_customer(run_query, "Bob")
    due = await wait_until_webhooks_idle(connection)
    assert due is not None
    assert timedelta(minutes=59) < due - datetime.now(UTC) < timedelta(hours=1)
    await connection.execute("update webhook_queue set due_at = now()")
    assert sorted(names(await receiver.wait_for_requests(2))) == ["Ada 2", "Bob"]
