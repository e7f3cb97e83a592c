"""The life of a webhook: what it may be, whose rights it has, its secrets, what is sent again, tried out, folded or too large."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import placed, until
from conftest import Ask, NewDatabase, execute, key_for
from webhook_client import (
    CHANGES,
    CREATE,
    QUIET,
    UNIT,
    Posted,
    Receiver,
    Refused,
    customer,
    hooked,
    hub_on,
    receiving,
    renamed,
)

from hub.viewer import Role

Rows = asyncpg.Connection
NAMES = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { cursor node { ... on Customer { name } } } } }"
STATE = "query ($id: ID!) { webhook(id: $id) { status statusReason } }"
REWIND = """mutation ($id: ID!, $after: String, $since: DateTime) {
    webhookRewind(input: {id: $id, after: $after, since: $since}) { webhook { id } }
}"""
ROTATE = "mutation ($id: ID!, $hours: Int) { webhookSecretRotate(input: {id: $id, overlapHours: $hours}) { secret } }"
RESEND = "mutation ($id: ID!) { webhookDeliveryResend(input: {id: $id}) { webhookDelivery { id status } } }"
TRY = "mutation ($query: String!) { webhookDryRun(input: {query: $query}) { deliveries samples complete } }"


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture(scope="module")
async def dsn(new_database: NewDatabase, empty_dsn: str) -> str:
    made = await new_database("migrated")
    await execute(made, UNIT)
    return made


@pytest.fixture(scope="module")
async def shared(dsn: str) -> AsyncIterator[Ask]:
    """For all tests of this module; each leaves its webhooks paused."""
    async with hub_on(dsn) as made:
        yield made


@pytest.fixture(scope="module")
async def rows(dsn: str) -> AsyncIterator[Rows]:
    """The tables themselves."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def ask(shared: Ask, dsn: str, receiver: Receiver) -> AsyncIterator[Ask]:
    await receiver.script()
    yield shared
    await execute(dsn, QUIET)


def change(posted: Posted) -> Any:
    return json.loads(posted.body)["data"]["changes"]


def names(posted: list[Posted]) -> list[str]:
    return [change(each)["node"]["name"] for each in posted]


async def refused(ask: Ask, call: str, **variables: Any) -> str:
    """The code and the message of the one error."""
    with pytest.raises(Refused) as error:
        await ask(call, variables)
    (told,) = error.value.errors
    return f"{told['extensions']['code']} {told['message']}"


# -- what it may be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"query": "subscription { nothing }"}, "FIELD_UNKNOWN input.query: "),
        ({"query": "{ customers { nodes { id } } }"}, "OPERATION_UNKNOWN input.query: A query has one answer"),
        ({"query": "subscription {"}, "GRAPHQL_SYNTAX input.query: "),
        (
            {"query": "subscription { customersLive { cursor } }"},
            "WEBHOOK_INVALID input.query: a webhook sends changes",
        ),
        (
            {"query": "subscription { changes(filter: {types: [WEBHOOK_DELIVERY]}) { ... on Change { cursor } } }"},
            "WEBHOOK_LOOP input.query: a webhook is not told of webhooks",
        ),
        ({"variables": ["DE"]}, "VALUE_INVALID input.variables: give an object"),
        ({"variables": "DE"}, "VALUE_INVALID input.variables: give an object"),
        ({"url": "ftp://example.net/"}, "VALUE_INVALID input.url: 'ftp://example.net/' is no URL of the web"),
        (
            {"url": "https://name:word@example.net/"},
            "VALUE_INVALID input.url: a URL must not hold a name or a password",
        ),
        ({"url": "https://example.net:99999/"}, "VALUE_INVALID input.url: 'https://example.net:99999/' is no URL"),
        ({"wait": 3_601}, "VALUE_INVALID input.coalesceSeconds: give 0 to 3600 seconds"),
        ({"after": "yesterday"}, "CURSOR_MALFORMED input.after: "),
    ],
)
async def test_what_is_no_webhook_is_refused(ask: Ask, given: dict[str, Any], told: str) -> None:
    message = await refused(ask, CREATE, **{"url": "https://example.net/", "query": CHANGES, **given})
    assert message.startswith(told)


async def test_one_that_wants_everything_is_told_of_all_but_webhooks(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url(), "subscription { changes { ... on Change { cursor entity } } }")
    await customer(ask, "Ada")
    await receiver.until(1)
    await customer(ask, "Bob")
    await receiver.until(2)
    assert [change(each)["entity"] for each in await receiver.captured()] == ["CUSTOMER", "CUSTOMER"]


async def test_a_field_that_is_not_selected_is_silent(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url(), NAMES)
    ada = await customer(ask, "Ada")
    silent = 'mutation ($id: ID!) { customerUpdate(input: {id: $id, country: "DE"}) { customer { id } } }'
    await ask(silent, {"id": ada})
    await renamed(ask, ada, "Ada II")
    assert names(await receiver.until(2)) == ["Ada", "Ada II"]


# -- whose rights it has --------------------------------------------------------------------------------------------------

BRANCHES = """
insert into org_units (code, name, kind, path, parent_id)
select each, each, 'BRANCH', ('all.' || each)::ltree, id from org_units, unnest(array['north', 'south']) as each
where code = 'all' on conflict do nothing
"""
ADD = """mutation ($name: String!, $unit: ID!) {
    customerCreate(input: {kind: PERSON, name: $name, unitId: $unit}) { customer { id } }
}"""


async def test_it_is_told_what_its_owner_sees_until_the_owner_is_gone(
    ask: Ask, receiver: Receiver, dsn: str, rows: Rows
) -> None:
    await execute(dsn, BRANCHES)
    units = await rows.fetch("select id from org_units where code in ('north', 'south') order by code")
    key = await key_for(dsn, Role.WRITER, unit_id=units[0]["id"])
    north, south = [f"unt_{each['id'].hex}" for each in units]
    made = await ask(CREATE, {"url": receiver.url(), "query": NAMES}, key=key)
    webhook = made["webhookCreate"]["webhook"]["id"]
    await ask(ADD, {"name": "of the south", "unit": south})
    await ask(ADD, {"name": "of the north", "unit": north})
    assert names(await receiver.until(1)) == ["of the north"]
    await rows.execute("update api_keys set revoked_at = now() where public_id = $1", key.split("_")[1])

    async def paused() -> bool:
        return bool((await ask(STATE, {"id": webhook}))["webhook"]["status"] == "PAUSED")

    await until(paused)
    reason = f"The key {key.split('_')[1]}, with whose rights it was told, was revoked."
    assert (await ask(STATE, {"id": webhook}))["webhook"]["statusReason"] == reason
    await ask(ADD, {"name": "later", "unit": north})
    assert len(await receiver.captured()) == 1


async def test_a_bound_key_sees_its_own_webhooks_alone(ask: Ask, receiver: Receiver, dsn: str, rows: Rows) -> None:
    await execute(dsn, BRANCHES)
    units = await rows.fetch("select id from org_units where code in ('north', 'south') order by code")
    north, south = [await key_for(dsn, Role.WRITER, unit_id=each["id"]) for each in units]
    made = await ask(CREATE, {"url": receiver.url(), "query": NAMES}, key=north)
    id = made["webhookCreate"]["webhook"]["id"]
    counts = [(await ask("{ webhooks { totalCount } }", key=each))["webhooks"]["totalCount"] for each in (north, south)]
    assert (counts, (await ask(STATE, {"id": id}))["webhook"]["status"]) == ([1, 0], "ACTIVE")
    delete = "mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }"
    with pytest.raises(Refused, match="NOT_FOUND"):
        await ask(delete, {"id": id}, key=south)


# -- secrets --------------------------------------------------------------------------------------------------------------


async def test_both_secrets_sign_until_the_old_one_ends(ask: Ask, receiver: Receiver) -> None:
    webhook, old = await hooked(ask, receiver.url())
    new = (await ask(ROTATE, {"id": webhook, "hours": 1}))["webhookSecretRotate"]["secret"]
    await customer(ask)
    (both,) = await receiver.until(1)
    newest = (await ask(ROTATE, {"id": webhook, "hours": 0}))["webhookSecretRotate"]["secret"]
    await customer(ask)
    _, last = await receiver.until(2)
    assert [both.verified(each) for each in (old, new, newest)] == [True, True, False]
    assert [last.verified(each) for each in (old, new, newest)] == [True, False, True]


async def test_a_secret_is_not_kept_in_the_clear(ask: Ask, receiver: Receiver, dsn: str, rows: Rows) -> None:
    _, secret = await hooked(ask, receiver.url())
    kept = await rows.fetchval("select string_agg(encode(box, 'base64'), '') from webhook_secrets")
    told = await rows.fetchval("select string_agg(l::text, '') from change_log as l")
    assert secret.removeprefix("whsec_")[:20] not in kept + told


# -- again ----------------------------------------------------------------------------------------------------------------


async def test_rewinding_sends_again_with_the_same_ids_and_columns(ask: Ask, receiver: Receiver) -> None:
    webhook, secret = await hooked(ask, receiver.url())
    ada = await customer(ask, "Ada")
    await renamed(ask, ada, "Ada II")
    first = await receiver.until(2)
    await renamed(ask, ada, "Ada III")
    await receiver.until(3)
    await ask(REWIND, {"id": webhook, "after": change(first[0])["previousCursor"]})
    again = (await receiver.until(6))[3:]
    assert [each.id for each in again[:2]] == [each.id for each in first]
    assert [each.body for each in again[:2]] == [each.body for each in first]
    assert all(each.verified(secret) for each in again)


async def test_rewinding_to_a_moment_sends_what_came_since(ask: Ask, receiver: Receiver) -> None:
    webhook, _ = await hooked(ask, receiver.url())
    await customer(ask, "Ada")
    await receiver.until(1)
    since = datetime.now(UTC).isoformat()
    for name in ("Bob", "Cyd"):
        await customer(ask, name)
    await receiver.until(3)
    await ask(REWIND, {"id": webhook, "since": since})
    assert names(await receiver.until(5))[3:] == ["Bob", "Cyd"]


async def test_a_delivery_is_sent_once_more(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url())
    await customer(ask, "Ada")
    await customer(ask, "Bob")
    _, bob = await receiver.until(2)
    await ask(RESEND, {"id": bob.id})
    *_, again = await receiver.until(3)
    assert (again.id, again.body) == (bob.id, bob.body)


async def test_a_delivery_that_is_being_sent_is_sent_once_more_at_once(ask: Ask, receiver: Receiver) -> None:
    await receiver.script(hook=["hang", 200])
    await hooked(ask, receiver.url())
    await customer(ask, "Ada")
    (ada,) = await receiver.until(1)
    await ask(RESEND, {"id": ada.id})
    _, again = await receiver.until(2)
    assert (again.id, again.body) == (ada.id, ada.body)


async def test_what_is_being_sent_is_not_folded_any_more(ask: Ask, receiver: Receiver, dsn: str, rows: Rows) -> None:
    await hooked(ask, receiver.url(), wait=3_600)
    ada = await customer(ask, "Ada")
    lane, queued = UUID(ada[4:]), "select count(*) from webhook_queue where lane = $1"
    await until(lambda: rows.fetchval(queued, lane))
    sender = await asyncpg.connect(dsn)
    async with sender.transaction():
        await sender.execute("update webhook_queue set lease = gen_random_uuid(), attempts = 1 where lane = $1", lane)
        await renamed(ask, ada, "Ada II")
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%folded%'"
        await until(lambda: rows.fetchval(waiting))
    await sender.close()
    await until(lambda: _is(rows, queued, lane, 2))


async def test_a_dead_letter_is_sent_again_also_when_its_change_is_no_longer_kept(
    ask: Ask, receiver: Receiver, rows: Rows
) -> None:
    await receiver.script(hook=[200, 410, 200])
    webhook, _ = await hooked(ask, receiver.url())
    await customer(ask, "Ada")
    (ada,) = await receiver.until(1)
    await customer(ask, "Bob")
    _, bob = await receiver.until(2)
    status = "select status from webhook_deliveries where id = $1"
    await until(lambda: _is(rows, status, UUID(bob.id[4:]), "DEAD"))
    await rows.execute("update change_feed set least_position = (select max(position) + 1 from change_order)")
    await ask("mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }", {"id": webhook})
    await ask(RESEND, {"id": bob.id})
    *_, again = await receiver.until(3)
    assert (again.id, again.body) == (bob.id, bob.body)
    assert await refused(ask, RESEND, id=ada.id) == (
        "CURSOR_EXPIRED input.id: the change that it tells of is no longer kept, so it cannot be written anew;"
        " read the row itself."
    )


async def test_every_webhook_is_told_of_changes_that_are_no_longer_kept(
    ask: Ask, receiver: Receiver, rows: Rows
) -> None:
    other = "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { operation } } }"
    hooks = [(await hooked(ask, receiver.url(), query))[0] for query in (CHANGES, other)]
    ids = [UUID(each[4:]) for each in hooks]
    await rows.execute("update webhooks set status = 'PAUSED' where id = any($1)", ids)
    for name in ("Ada", "Bob"):
        await customer(ask, name)
        await placed(rows)
    await rows.execute("update webhook_progress set position = 1 where webhook_id = any($1)", ids)
    await rows.execute("update change_feed set least_position = (select max(position) from change_order)")
    await rows.execute("update webhooks set status = 'ACTIVE' where id = any($1)", ids)
    told = "select count(*) from webhooks where id = any($1) and status_reason ~ 'no longer kept'"

    async def both() -> bool:
        return bool(await rows.fetchval(told, ids) == 2)

    await until(both)


async def _is(rows: Rows, query: str, key: UUID, value: object) -> bool:
    return bool(await rows.fetchval(query, key) == value)


async def test_what_is_paused_goes_on_where_it_stood(ask: Ask, receiver: Receiver) -> None:
    webhook, _ = await hooked(ask, receiver.url())
    await ask(
        'mutation ($id: ID!) { webhookPause(input: {id: $id, reason: "Tea."}) { webhook { id } } }', {"id": webhook}
    )
    await customer(ask, "Ada")
    assert (await ask(STATE, {"id": webhook}))["webhook"] == {"status": "PAUSED", "statusReason": "Tea."}
    await ask("mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }", {"id": webhook})
    await customer(ask, "Bob")
    assert names(await receiver.until(2)) == ["Ada", "Bob"]


# -- trying out, folding, thin bodies -------------------------------------------------------------------------------------


async def test_a_dry_run_counts_and_shows_what_would_have_been_sent(ask: Ask, receiver: Receiver) -> None:
    query = CHANGES.replace("types: [CUSTOMER]", 'customer: {name: {startsWith: "Tried"}}')
    await hooked(ask, receiver.url(), query)
    for n in range(4):
        await customer(ask, f"Tried {n}")
    sent = await receiver.until(4)
    tried = (await ask(TRY, {"query": query}))["webhookDryRun"]
    assert (tried["deliveries"], tried["complete"]) == (4, True)
    assert [each["data"]["changes"]["node"]["name"] for each in tried["samples"]] == ["Tried 1", "Tried 2", "Tried 3"]
    assert tried["samples"][0]["data"]["changes"]["cursor"] == change(sent[1])["cursor"]


async def test_few_try_at_once_so_that_others_are_answered(ask: Ask, rows: Rows) -> None:
    async with rows.transaction():
        await rows.execute("lock table change_order")
        tries = [asyncio.ensure_future(ask(TRY, {"query": CHANGES})) for _ in range(3)]
        (first,), waiting = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Refused) as refused:
        await first
    assert [each["extensions"]["code"] for each in refused.value.errors] == ["UNAVAILABLE"]
    assert [answer["webhookDryRun"]["complete"] for answer in await asyncio.gather(*waiting)] == [True, True]


async def test_changes_of_a_row_fold_into_the_last_within_the_window(ask: Ask, receiver: Receiver) -> None:
    await hooked(ask, receiver.url(), wait=1)
    ada = await customer(ask, "Ada")
    for n in range(3):
        await renamed(ask, ada, f"Ada {n}")
    await customer(ask, "Bob")
    assert sorted(names(await receiver.until(2))) == ["Ada 2", "Bob"]


async def test_a_body_that_is_too_large_tells_where_to_read_it(ask: Ask, receiver: Receiver) -> None:
    fields = " ".join(f"f{n}: body" for n in range(5))
    shown = f"... on Change {{ node {{ ... on Interaction {{ {fields} }} }} }}"
    query = f"subscription {{ changes(filter: {{types: [INTERACTION]}}) {{ {shown} }} }}"
    await hooked(ask, receiver.url(), query)
    ada = await customer(ask)
    record = """mutation ($id: ID!, $body: String!) { interactionRecord(input: {
        customerId: $id, channel: EMAIL, direction: INBOUND, kind: "mail.received", body: $body
    }) { interaction { id } } }"""
    await ask(record, {"id": ada, "body": "x" * 60_000})
    (sent,) = await receiver.until(1)
    told = json.loads(sent.body)
    assert (told["data"], told["extensions"]["code"]) == (None, "PAYLOAD_TOO_LARGE")
    page = query.replace("subscription { changes(", f'{{ changes(after: "{told["extensions"]["after"]}", first: 1, ')
    (message,) = (await ask(page))["changes"]
    assert len(message["node"]["f4"]) == 60_000
