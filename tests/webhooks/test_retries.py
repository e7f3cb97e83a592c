"""What is not taken is tried again: when, in which order, and when no more. The sender's clock is moved on by the tests."""

import asyncio
import json
from asyncio import Future
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import placed, until
from conftest import Ask, NewDatabase, execute
from webhook_client import LOCAL, QUIET, SILENT, UNIT, Clock, Receiver, customer, hooked, hub_on, receiving, renamed

from hub import app
from hub.webhooks import deliverer, retry_schedule
from hub.webhooks.backpressure import LEAST_FAILURES, REST, Breaker, Window
from hub.webhooks.http_client import Answer, Poster

AT = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = "from webhook_queue as q join webhooks as w on w.id = q.webhook_id and w.status = 'ACTIVE'"
NEXT = f"select min(q.due_at) {QUEUED} where q.lease is null"
FLYING = f"select exists (select {QUEUED} where q.lease is not null or q.due_at <= $1)"
TRIED = "select array_agg(created_at order by created_at) from webhook_attempts where delivery_id = any($1) group by delivery_id"
STATUSES = "select status, count(*)::int from webhook_deliveries where webhook_id = any($1) group by status"
OWN = "select array_agg(id) from webhooks where status_reason is distinct from 'The test is over.'"
OF = "select array_agg(id) from webhook_deliveries where webhook_id = any($1)"
SINCE = "select failing_since from webhook_progress where webhook_id = $1"
RESUME = "mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }"
RESEND = "mutation ($id: ID!) { webhookDeliveryResend(input: {id: $id}) { webhookDelivery { id } } }"
STATE = "query ($id: ID!) { webhook(id: $id) { status statusReason } }"


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


class Sender:
    """A hub whose sender has a clock of its own."""

    def __init__(self, ask: Ask, rows: asyncpg.Connection, clock: Clock) -> None:
        self.ask = ask
        self.rows = rows
        self.clock = clock

    async def calm(self) -> datetime | None:
        """Once nothing is under way or due: when something is."""

        async def nothing() -> bool:
            return not await self.rows.fetchval(FLYING, self.clock())

        await until(nothing, 15)
        due: datetime | None = await self.rows.fetchval(NEXT)
        return due

    async def pass_by(self, time: timedelta) -> None:
        """Lets time pass: whatever becomes due is tried when it does."""
        end = self.clock() + time
        while (due := await self.calm()) is not None and due < end:
            self.clock.reach(due)
        self.clock.reach(end)

    async def statuses(self) -> dict[str, int]:
        return {row[0]: row[1] for row in await self.rows.fetch(STATUSES, await self.rows.fetchval(OWN))}

    async def tried(self) -> list[list[datetime]]:
        """When each delivery was tried."""
        deliveries = await self.rows.fetchval(OF, await self.rows.fetchval(OWN))
        return [times for (times,) in await self.rows.fetch(TRIED, deliveries)]

    async def state(self, webhook: str) -> tuple[str, str | None]:
        found = (await self.ask(STATE, {"id": webhook}))["webhook"]
        return found["status"], found["statusReason"]


@pytest.fixture(scope="module")
async def shared(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Sender]:
    """For all tests of this module; each leaves its webhooks paused."""
    dsn, clock = await new_database("migrated"), Clock()
    await execute(dsn, UNIT)
    rows = await asyncpg.connect(dsn)
    try:
        async with hub_on(dsn, SILENT) as ask, app.sending(LOCAL, dsn, clock):
            yield Sender(ask, rows, clock)
    finally:
        await rows.close()


@pytest.fixture
async def sender(shared: Sender, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sender]:
    monkeypatch.setattr(deliverer, "POLL", 0.01)
    yield shared
    await placed(shared.rows)  # so that the next test's webhooks begin behind what this one wrote
    await shared.rows.execute(QUIET)


def names(posted: list[Any]) -> list[str]:
    return [json.loads(each.body)["data"]["changes"]["node"]["name"] for each in posted]


# -- pure rules -----------------------------------------------------------------------------------------------------------


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    dues = [retry_schedule.next_attempt(number, AT, 0.5) for number in range(1, 11)]
    waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert dues == [*(AT + timedelta(seconds=each) for each in waits), None]


@pytest.mark.parametrize(("drawn", "factor"), [(0.0, 0.8), (1.0, 1.2)])
def test_a_wait_is_drawn_from_a_fifth_less_to_a_fifth_more(drawn: float, factor: float) -> None:
    assert retry_schedule.next_attempt(2, AT, drawn) == AT + timedelta(seconds=300) * factor


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("1", 5),
        ("86400", 3_600),
        ("Thu, 01 Jan 2026 00:10:00 GMT", 600),
        ("Thu, 01 Jan 2025 00:10:00 GMT", 5),
        ("soon", 5),
        ("Thu, 01 Jan 3000000000 00:00:00 GMT", 5),
        ("-7", 5),
    ],
)
def test_retry_after_puts_an_attempt_off_for_an_hour_at_most(header: str, seconds: int) -> None:
    assert retry_schedule.next_attempt(1, AT, 0.5, header) == AT + timedelta(seconds=seconds)


def test_a_window_grows_with_what_is_taken_and_shrinks_with_what_is_not() -> None:
    window = Window()
    rooms = [window.room]
    for taken in (True, True, False, False, False, False, False, True):
        window.learn(taken=taken)
        rooms.append(window.room)
    assert rooms == [8, 9, 10, 5, 2, 1, 1, 1, 2]


def test_a_breaker_rests_then_tries_once() -> None:
    breaker = Breaker()
    for _ in range(LEAST_FAILURES):
        assert not breaker.resting(AT)
        breaker.learn(AT, well=False)
    assert (breaker.resting(AT), breaker.resting(AT + REST), breaker.closed(AT + REST)) == (True, False, False)
    breaker.learn(AT + REST, well=False)
    assert breaker.resting(AT + REST)
    breaker.learn(AT + 2 * REST, well=True)
    assert breaker.closed(AT + 2 * REST)


def test_a_breaker_forgets_failures_that_are_long_past() -> None:
    breaker = Breaker()
    for minute in range(0, 3 * LEAST_FAILURES, 1):
        breaker.learn(AT + timedelta(minutes=minute), well=False)
    assert breaker.closed(AT)


# -- through the front door -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [500, 302, 404, "reset", "cut", "junk"])
async def test_what_is_not_taken_comes_again_with_the_same_id_and_bytes(
    sender: Sender, receiver: Receiver, fault: Any
) -> None:
    await receiver.script(hook=[fault, 200])
    _, secret = await hooked(sender.ask, receiver.url())
    await customer(sender.ask)
    await receiver.until(1)
    await sender.pass_by(timedelta(seconds=10))
    first, second = await receiver.until(2)
    assert (first.id, first.body, second.verified(secret, sender.clock)) == (second.id, second.body, True)
    assert await sender.statuses() == {"DELIVERED": 1}


async def test_a_customer_waits_for_its_first_and_others_do_not(sender: Sender, receiver: Receiver) -> None:
    await receiver.script(hook=[500, 200])
    await hooked(sender.ask, receiver.url())
    ada = await customer(sender.ask, "Ada")
    await receiver.until(1)
    await renamed(sender.ask, ada, "Ada II")
    await customer(sender.ask, "Bob")
    assert names(await receiver.until(2)) == ["Ada", "Bob"]
    await sender.pass_by(timedelta(seconds=10))
    assert names(await receiver.until(4)) == ["Ada", "Bob", "Ada", "Ada II"]


async def test_a_receiver_that_is_gone_is_left_alone(sender: Sender, receiver: Receiver) -> None:
    await receiver.script(hook=[410])
    webhook, _ = await hooked(sender.ask, receiver.url())
    await customer(sender.ask)

    async def gone() -> bool:
        return (await sender.state(webhook))[0] == "GONE"

    await until(gone)
    await customer(sender.ask, "Bob")
    await sender.pass_by(timedelta(hours=1))
    assert (len(await receiver.captured()), await sender.statuses()) == (1, {"DEAD": 1})
    assert await sender.state(webhook) == ("GONE", "The receiver answered 410.")


async def test_an_endpoint_that_is_dead_for_a_day_is_tried_by_the_schedule(sender: Sender, receiver: Receiver) -> None:
    await receiver.script(hook=[503], other=[200])
    await hooked(sender.ask, receiver.url())
    await hooked(sender.ask, receiver.url("/other"))
    for n in range(4):
        await customer(sender.ask, f"Customer {n}")
    await receiver.until(4, "/other")
    await sender.pass_by(timedelta(days=1))
    for times in await sender.tried():
        waits = [later - earlier for earlier, later in pairwise(times)]
        for wait, planned in zip(waits, retry_schedule.WAITS, strict=False):
            assert planned * 0.8 <= wait <= planned * 1.2 + timedelta(seconds=2)
    assert await sender.statuses() == {"DELIVERED": 4, "RETRYING": 4}


async def test_dead_letters_are_kept_and_sent_again_by_hand(sender: Sender, receiver: Receiver) -> None:
    await receiver.script(hook=[503])
    await hooked(sender.ask, receiver.url())
    for n in range(3):
        await customer(sender.ask, f"Customer {n}")
    ids = {each.id for each in await receiver.until(3)}
    await sender.pass_by(timedelta(hours=100))
    assert await sender.statuses() == {"DEAD": 3}
    listed = "{ webhookDeliveries(filter: {status: {eq: DEAD}}) { nodes { id attempts reason } } }"
    dead = [each for each in (await sender.ask(listed))["webhookDeliveries"]["nodes"] if each["id"] in ids]
    assert {(each["attempts"], each["reason"]) for each in dead} == {(10, "The receiver answered 503.")}
    await receiver.script(hook=[200])
    again = (
        "mutation ($rows: [WebhookDeliveryResendInput!]!) { webhookDeliveriesResend(input: {rows: $rows}) { failed } }"
    )
    await sender.ask(again, {"rows": [{"id": each["id"]} for each in dead]})
    assert {each.id for each in await receiver.until(3)} == {each["id"] for each in dead}


async def test_after_five_days_of_failure_it_is_paused_and_goes_on_when_it_is_resumed(
    sender: Sender, receiver: Receiver
) -> None:
    await receiver.script(hook=[500])
    webhook, _ = await hooked(sender.ask, receiver.url())
    ada = await customer(sender.ask)
    await receiver.until(1)
    await sender.pass_by(timedelta(days=4))
    await renamed(sender.ask, ada, "Ada II")
    await receiver.until(11)
    await sender.pass_by(timedelta(days=2))
    assert (await sender.state(webhook))[0] == "FAILING"
    await renamed(sender.ask, ada, "Ada III")
    await receiver.script(hook=[200])
    await sender.ask("mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }", {"id": webhook})
    assert names(await receiver.until(2)) == ["Ada II", "Ada III"]
    assert await sender.state(webhook) == ("ACTIVE", None)


async def test_a_delivery_that_is_taken_ends_a_failure_that_another_process_saw(
    sender: Sender, receiver: Receiver
) -> None:
    await receiver.script(hook=[200])
    webhook, _ = await hooked(sender.ask, receiver.url())
    ada = await customer(sender.ask, "Ada")
    await receiver.until(1)
    await sender.calm()
    await sender.rows.execute(
        "update webhook_progress set failing_since = $2 where webhook_id = $1", UUID(webhook[4:]), AT
    )
    await renamed(sender.ask, ada, "Ada II")
    await receiver.until(2)
    await sender.calm()
    assert await sender.rows.fetchval(SINCE, UUID(webhook[4:])) is None


async def test_another_address_does_not_wait_for_the_former_ones_rest(sender: Sender) -> None:
    update = "mutation ($id: ID!, $url: String!) { webhookUpdate(input: {id: $id, url: $url}) { webhook { id } } }"
    async with receiving() as ill, receiving() as well:
        await ill.script(hook=[500])
        webhook, _ = await hooked(sender.ask, ill.url())
        for n in range(LEAST_FAILURES):
            await customer(sender.ask, f"Customer {n}")
        await ill.until(LEAST_FAILURES)
        await sender.ask(update, {"id": webhook, "url": well.url()})
        await sender.ask(RESUME, {"id": webhook})
        assert len(await well.until(LEAST_FAILURES)) == LEAST_FAILURES


async def test_what_comes_of_an_attempt_that_was_overtaken_does_not_count(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, posted = [Future[int](), Future[int]()], 0

    async def post(*_: Any) -> Answer:
        nonlocal posted
        posted += 1
        return Answer(await answers[posted - 1], None, b"", None, 0.0)

    monkeypatch.setattr(Poster, "post", post)
    await hooked(sender.ask, "http://127.0.0.1:9/hook")
    await customer(sender.ask)
    await until(lambda: asyncio.sleep(0, posted == 1))
    (delivery,) = await sender.rows.fetchval(OF, await sender.rows.fetchval(OWN))
    await sender.ask(RESEND, {"id": f"dlv_{delivery.hex}"})
    await until(lambda: asyncio.sleep(0, posted == 2))
    for answer, status in zip(answers, (500, 200), strict=True):
        answer.set_result(status)
    assert await sender.calm() is None
    assert (posted, await sender.statuses()) == (2, {"DELIVERED": 1})


async def test_what_waited_behind_one_that_is_sent_again_waits_no_longer(sender: Sender) -> None:
    async with receiving() as own:
        await own.script(hook=[500])
        await hooked(sender.ask, own.url())
        ada = await customer(sender.ask, "Ada")
        await own.until(1)
        await renamed(sender.ask, ada, "Ada II")
        await sender.pass_by(timedelta(hours=12))
        await own.script(hook=[200])
        first = min(await sender.rows.fetchval(OF, await sender.rows.fetchval(OWN)))
        await sender.ask(RESEND, {"id": f"dlv_{first.hex}"})
        assert names(await own.until(2)) == ["Ada", "Ada II"]
