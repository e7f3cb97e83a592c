"""What is not taken is tried again: when, in which order, and when no more. The sender's clock is moved on by the tests."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, RunQuery, execute_sql
from webhook_client import (
    ALLOW_LOCALHOST,
    INSERT_UNIT,
    RESEND,
    RESUME,
    WEBHOOK_STATE,
    WEBHOOKS_OFF,
    MovableClock,
    ReceiverProcess,
    create_customer,
    create_webhook,
    names,
    open_webhook_hub,
    rename_customer,
    run_receiver,
    stop_webhooks,
    wait_until_webhooks_idle,
)

from hub.changefeed.feed import ChangeFeed
from hub.observability import Event, InternalFailure, WorkPostponed, add_handler
from hub.webhooks import deliverer, retry_schedule
from hub.webhooks.backpressure import MIN_FAILURES
from hub.webhooks.http_client import HttpClient, HttpResponse
from hub.worker import worker_lifespan

START = datetime(2026, 1, 1, tzinfo=UTC)
ATTEMPT_TIMES = """
    select array_agg(created_at order by created_at) from webhook_attempts where delivery_id = any($1) group by delivery_id
"""
STATUSES = "select status, count(*)::int from webhook_deliveries where webhook_id = any($1) group by status"
WEBHOOK_IDS = "select array_agg(id) from webhooks where status_reason is distinct from 'The test is over.'"
DELIVERY_IDS = "select array_agg(id) from webhook_deliveries where webhook_id = any($1)"
SETTINGS = ALLOW_LOCALHOST.model_copy(update={"lock_timeout": 0.3})
CLEAR_BODIES = "update webhook_queue set body = null where webhook_id = $1"
WAITING = "select count(*) = {} from webhook_queue where webhook_id = $1 and due_at is not null"
FAILING_SINCE = "select failing_since from webhook_progress where webhook_id = $1"


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


class WebhookSender:
    """A hub whose sender has a clock of its own."""

    def __init__(self, run_query: RunQuery, dsn: str, connection: asyncpg.Connection, clock: MovableClock) -> None:
        self.run_query = run_query
        self.dsn = dsn
        self.connection = connection
        self.clock = clock

    async def wait_until_idle(self) -> datetime | None:
        """Waits until everything is read and sent; gives the next due time."""
        return await wait_until_webhooks_idle(self.connection, self.clock)

    async def advance(self, duration: timedelta) -> None:
        """Lets time pass: whatever becomes due is tried when it does."""
        end = self.clock() + duration
        while (due := await self.wait_until_idle()) is not None and due < end:
            self.clock.move_to(due)
        self.clock.move_to(end)

    async def statuses(self) -> dict[str, int]:
        return {
            row[0]: row[1] for row in await self.connection.fetch(STATUSES, await self.connection.fetchval(WEBHOOK_IDS))
        }

    async def attempt_times(self) -> list[list[datetime]]:
        """When each delivery was tried."""
        deliveries = await self.connection.fetchval(DELIVERY_IDS, await self.connection.fetchval(WEBHOOK_IDS))
        return [times for (times,) in await self.connection.fetch(ATTEMPT_TIMES, deliveries)]

    async def state(self, webhook: str) -> tuple[str, str | None]:
        data = (await self.run_query(WEBHOOK_STATE, {"id": webhook}))["webhook"]
        return data["status"], data["statusReason"]


@pytest.fixture(scope="module")
async def shared_sender(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[WebhookSender]:
    """For all tests of this module; each leaves its webhooks paused."""
    dsn, clock = await create_database("migrated"), MovableClock()
    await execute_sql(dsn, INSERT_UNIT)
    connection = await asyncpg.connect(dsn)
    try:
        async with (
            open_webhook_hub(dsn, WEBHOOKS_OFF) as run_query,
            worker_lifespan(SETTINGS, dsn, clock),
        ):
            yield WebhookSender(run_query, dsn, connection, clock)
    finally:
        await connection.close()


@pytest.fixture
async def sender(shared_sender: WebhookSender, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebhookSender]:
    monkeypatch.setattr(deliverer, "POLL", 0.01)
    yield shared_sender
    await stop_webhooks(shared_sender.dsn, shared_sender.clock)


# -- through the front door -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [500, 302, 404, "reset", "cut", "junk"])
async def test_what_is_not_taken_comes_again_with_the_same_id_and_bytes(
    sender: WebhookSender, receiver: ReceiverProcess, fault: Any
) -> None:
    await receiver.set_actions(hook=[fault, 200])
    _, secret = await create_webhook(sender.run_query, receiver.url())
    await create_customer(sender.run_query)
    await receiver.wait_for_requests(1)
    await sender.advance(timedelta(seconds=10))
    first, second = await receiver.wait_for_requests(2)
    assert (first.id, first.body, second.has_valid_signature(secret, sender.clock)) == (second.id, second.body, True)
    assert await sender.statuses() == {"DELIVERED": 1}


async def test_a_customer_waits_for_its_first_and_others_do_not(
    sender: WebhookSender, receiver: ReceiverProcess
) -> None:
    await receiver.set_actions(hook=[500, 200])
    await create_webhook(sender.run_query, receiver.url())
    ada = await create_customer(sender.run_query, "Ada")
    await receiver.wait_for_requests(1)
    await rename_customer(sender.run_query, ada, "Ada II")
    await create_customer(sender.run_query, "Bob")
    assert names(await receiver.wait_for_requests(2)) == ["Ada", "Bob"]
    await sender.advance(timedelta(seconds=10))
    assert names(await receiver.wait_for_requests(4)) == ["Ada", "Bob", "Ada", "Ada II"]


async def test_a_receiver_that_is_gone_is_left_alone(sender: WebhookSender, receiver: ReceiverProcess) -> None:
    await receiver.set_actions(hook=[410])
    webhook, _ = await create_webhook(sender.run_query, receiver.url())
    await create_customer(sender.run_query)

    async def gone() -> bool:
        return (await sender.state(webhook))[0] == "GONE"

    await wait_until(gone)
    await create_customer(sender.run_query, "Bob")
    await sender.advance(timedelta(hours=1))
    assert (len(await receiver.captured()), await sender.statuses()) == (1, {"DEAD": 1})
    assert await sender.state(webhook) == ("GONE", "The receiver answered 410.")


async def test_an_endpoint_that_is_dead_for_a_day_is_tried_by_the_schedule(
    sender: WebhookSender, receiver: ReceiverProcess
) -> None:
    await receiver.set_actions(hook=[503], other=[200])
    await create_webhook(sender.run_query, receiver.url())
    await create_webhook(sender.run_query, receiver.url("/other"))
    for n in range(4):
        await create_customer(sender.run_query, f"Customer {n}")
    await receiver.wait_for_requests(4, "/other")
    await sender.advance(timedelta(days=1))
    for times in await sender.attempt_times():
        waits = [later - earlier for earlier, later in pairwise(times)]
        for wait, planned in zip(waits, retry_schedule.BACKOFF, strict=False):
            assert planned * 0.8 <= wait <= planned * 1.2 + timedelta(seconds=2)
    assert await sender.statuses() == {"DELIVERED": 4, "RETRYING": 4}


async def test_dead_letters_are_listed_and_resent_by_hand(sender: WebhookSender, receiver: ReceiverProcess) -> None:
    await receiver.set_actions(hook=[503])
    await create_webhook(sender.run_query, receiver.url())
    for n in range(3):
        await create_customer(sender.run_query, f"Customer {n}")
    ids = {delivery.id for delivery in await receiver.wait_for_requests(3)}
    await sender.advance(timedelta(hours=100))
    assert await sender.statuses() == {"DEAD": 3}
    listed = "{ webhookDeliveries(filter: {status: {eq: DEAD}}) { nodes { id attempts reason } } }"
    dead = [
        delivery for delivery in (await sender.run_query(listed))["webhookDeliveries"]["nodes"] if delivery["id"] in ids
    ]
    assert {(delivery["attempts"], delivery["reason"]) for delivery in dead} == {(10, "The receiver answered 503.")}
    await receiver.set_actions(hook=[200])
    again = (
        "mutation ($rows: [WebhookDeliveryResendInput!]!) { webhookDeliveriesResend(input: {rows: $rows}) { failed } }"
    )
    await sender.run_query(again, {"rows": [{"id": delivery["id"]} for delivery in dead]})
    assert {delivery.id for delivery in await receiver.wait_for_requests(3)} == {delivery["id"] for delivery in dead}


async def test_after_five_days_of_failure_it_is_paused_and_goes_on_when_it_is_resumed(
    sender: WebhookSender, receiver: ReceiverProcess
) -> None:
    await receiver.set_actions(hook=[500])
    webhook, _ = await create_webhook(sender.run_query, receiver.url())
    ada = await create_customer(sender.run_query)
    await receiver.wait_for_requests(1)
    await sender.advance(timedelta(days=4))
    await rename_customer(sender.run_query, ada, "Ada II")
    await receiver.wait_for_requests(11)
    await sender.advance(timedelta(days=2))
    assert (await sender.state(webhook))[0] == "FAILING"
    await rename_customer(sender.run_query, ada, "Ada III")
    await receiver.set_actions(hook=[200])
    await sender.run_query(
        "mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }", {"id": webhook}
    )
    assert names(await receiver.wait_for_requests(2)) == ["Ada II", "Ada III"]
    assert await sender.state(webhook) == ("ACTIVE", None)


async def test_a_delivery_that_is_taken_ends_a_failure_that_another_process_saw(
    sender: WebhookSender, receiver: ReceiverProcess
) -> None:
    await receiver.set_actions(hook=[200])
    webhook, _ = await create_webhook(sender.run_query, receiver.url())
    ada = await create_customer(sender.run_query, "Ada")
    await receiver.wait_for_requests(1)
    await sender.wait_until_idle()
    await sender.connection.execute(
        "update webhook_progress set failing_since = $2 where webhook_id = $1", UUID(webhook[4:]), START
    )
    await rename_customer(sender.run_query, ada, "Ada II")
    await receiver.wait_for_requests(2)
    await sender.wait_until_idle()
    assert await sender.connection.fetchval(FAILING_SINCE, UUID(webhook[4:])) is None


async def test_another_address_does_not_wait_for_the_former_ones_rest(sender: WebhookSender) -> None:
    update = "mutation ($id: ID!, $url: String!) { webhookUpdate(input: {id: $id, url: $url}) { webhook { id } } }"
    async with run_receiver() as ill, run_receiver() as well:
        await ill.set_actions(hook=[500])
        webhook, _ = await create_webhook(sender.run_query, ill.url())
        for n in range(MIN_FAILURES):
            await create_customer(sender.run_query, f"Customer {n}")
        await ill.wait_for_requests(MIN_FAILURES)
        await sender.run_query(update, {"id": webhook, "url": well.url()})
        await sender.run_query(RESUME, {"id": webhook})
        assert len(await well.wait_for_requests(MIN_FAILURES)) == MIN_FAILURES


async def test_what_comes_of_an_attempt_that_was_overtaken_does_not_count(
    sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, posted = [Future[int](), Future[int]()], 0

    async def post(*_: Any) -> HttpResponse:
        nonlocal posted
        posted += 1
        return HttpResponse(await answers[posted - 1], None, b"", None, 0.0)

    monkeypatch.setattr(HttpClient, "post", post)
    await create_webhook(sender.run_query, "http://127.0.0.1:9/hook")
    await create_customer(sender.run_query)
    await wait_until(lambda: asyncio.sleep(0, posted == 1))
    (delivery,) = await sender.connection.fetchval(DELIVERY_IDS, await sender.connection.fetchval(WEBHOOK_IDS))
    await sender.run_query(RESEND, {"id": f"dlv_{delivery.hex}"})
    await wait_until(lambda: asyncio.sleep(0, posted == 2))
    for answer, status in zip(answers, (500, 200), strict=True):
        answer.set_result(status)
    assert await sender.wait_until_idle() is None
    assert (posted, await sender.statuses()) == (2, {"DELIVERED": 1})


async def test_resending_a_delivery_releases_those_queued_behind_it(sender: WebhookSender) -> None:
    async with run_receiver() as own:
        await own.set_actions(hook=[500])
        await create_webhook(sender.run_query, own.url())
        ada = await create_customer(sender.run_query, "Ada")
        await own.wait_for_requests(1)
        await rename_customer(sender.run_query, ada, "Ada II")
        await sender.advance(timedelta(hours=12))
        await own.set_actions(hook=[200])
        first = min(await sender.connection.fetchval(DELIVERY_IDS, await sender.connection.fetchval(WEBHOOK_IDS)))
        await sender.run_query(RESEND, {"id": f"dlv_{first.hex}"})
        assert names(await own.wait_for_requests(2)) == ["Ada", "Ada II"]


@pytest.fixture
def failures() -> Iterator[list[Event]]:
    """What the log tells of tasks that failed or had to wait."""
    events: list[Event] = []
    remove = add_handler(events.append, InternalFailure, WorkPostponed)
    yield events
    remove()


@pytest.fixture
async def answer(monkeypatch: pytest.MonkeyPatch) -> Future[int]:
    """The status of the first request, which waits for it; the receiver accepts all others."""
    first, posted = Future[int](), 0

    async def post(*_: Any) -> HttpResponse:
        nonlocal posted
        posted += 1
        return HttpResponse(await first if posted == 1 else 200, None, b"", None, 0.0)

    monkeypatch.setattr(HttpClient, "post", post)
    return first


async def test_results_whose_rows_others_hold_are_recorded_later_in_one_line(
    sender: WebhookSender, answer: Future[int], failures: list[Event]
) -> None:
    webhook, _ = await create_webhook(sender.run_query, "http://127.0.0.1:9/hook")
    await create_customer(sender.run_query)
    await wait_until(
        lambda: sender.connection.fetchval("select count(*) = 1 from webhook_queue where lease is not null")
    )
    async with sender.connection.transaction():
        await sender.connection.execute("select from webhook_queue where webhook_id = $1 for update", UUID(webhook[4:]))
        answer.set_result(200)
        await wait_until(lambda: asyncio.sleep(0, bool(failures)))
    assert await sender.wait_until_idle() is None
    assert await sender.statuses() == {"DELIVERED": 1}
    assert set(failures) == {WorkPostponed("recording deliveries")}


async def test_results_are_recorded_while_bodies_are_rendered_again(
    sender: WebhookSender, answer: Future[int], failures: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = await create_webhook(sender.run_query, "http://127.0.0.1:9/hook")
    key, ada = UUID(webhook[4:]), await create_customer(sender.run_query)
    await rename_customer(sender.run_query, ada, "Ada II")
    await wait_until(lambda: sender.connection.fetchval(f"{WAITING.format(2)} and body is not null", key))
    rendering, goes_on, render = asyncio.Event(), asyncio.Event(), ChangeFeed.render

    async def rerender(*arguments: Any) -> Any:
        rendering.set()
        await goes_on.wait()
        return await render(*arguments)

    monkeypatch.setattr(ChangeFeed, "render", rerender)
    await sender.connection.execute(CLEAR_BODIES, key)
    await rendering.wait()
    answer.set_result(500)  # which also puts off the one behind it
    await wait_until(lambda: sender.connection.fetchval(f"{WAITING.format(2)} and due_at > $2", key, sender.clock()))
    goes_on.set()
    await wait_until(lambda: sender.connection.fetchval(f"{WAITING.format(0)} and body is null", key))
    await sender.advance(timedelta(minutes=1))
    assert (await sender.statuses(), failures) == ({"DELIVERED": 2}, [])
