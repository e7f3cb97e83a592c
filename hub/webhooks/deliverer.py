"""Delivers: leases what is due, posts it signed, writes down what came of it. Any number of processes do so at once.

A process that dies gives its leases back by their end, and the same bytes are sent again with the same id."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from hub.db.pool import Connection, Pool
from hub.domain.webhooks import queue as queue
from hub.domain.webhooks import signing_secrets
from hub.domain.webhooks.queue import Recorded, Result, Room
from hub.engine.catalog.scalars import public_id
from hub.errors import HubError
from hub.observability import Failed, tell
from hub.webhooks import retry_schedule, signing
from hub.webhooks.backpressure import USUAL, Breaker, Window
from hub.webhooks.expander import Clock, now
from hub.webhooks.http_client import Answer, Poster

SLOTS = 256  # requests of one process under way at once
POLL = 0.2  # seconds between looks for what has become due; what is queued here is looked for at once
GATHER = 0.004  # seconds that results wait for others, to be written down together
AWAY = 0.5
FAREWELL = 5.0  # seconds for what is under way, when the process is to end
PREFIX = "dlv"
STOPS = {
    "GONE": "The receiver answered 410.",
    "FAILING": "Nothing was taken for five days; mend the receiver, then resume.",
}


class Deliverer:
    """Sends what is due."""

    def __init__(
        self,
        pool: Pool,
        poster: Poster,
        boxes: signing_secrets.Boxes,
        clock: Clock = now,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._poster = poster
        self._clock = clock
        self._draw = draw
        self._windows: defaultdict[UUID, Window] = defaultdict(Window)
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._urls: dict[UUID, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._gone: set[tuple[UUID, str]] = set()
        self._opened = lru_cache(1_000)(boxes.opened)
        self._woken = asyncio.Event()
        self._heard = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Something was queued."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Deliverer"]:
        """Works while the body runs; what is under way at its end may come to its own."""
        sending, writing = asyncio.create_task(self._send()), asyncio.create_task(self._write())
        try:
            yield self
        finally:
            self._stopping = True  # a claim that was cancelled may have been made, and nobody would send what it leased
            self._woken.set()
            await asyncio.wait((sending,), timeout=FAREWELL)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=FAREWELL)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            with suppress(Exception):
                await self._recorded()
            self._poster.close()

    async def _send(self) -> None:
        while not self._stopping:
            try:
                sent = await self._claim()
            except Exception as error:
                # The database is away, or we are at fault: what is due stays so.
                if not isinstance(error, HubError):
                    tell(Failed("", "claiming deliveries", error))
                sent = 0
                await asyncio.sleep(AWAY)
            if not sent:
                with suppress(TimeoutError):  # not wait_for, which may swallow that the task is cancelled
                    async with asyncio.timeout(POLL):
                        await self._woken.wait()
            self._woken.clear()

    async def _claim(self) -> int:
        """Begins to send what is due, as far as there is room; how many that is."""
        room = SLOTS - len(self._tasks)
        if room <= 0:
            return 0
        at, lease = self._clock(), uuid4()
        async with self._pool.connection() as connection:
            rows = await queue.claim(connection, at, self._rooms(at), USUAL, room, lease)
        held = []
        for row in rows:
            webhook = row["webhook_id"]
            self._urls[webhook] = row["url"]
            host = _host(row["url"])
            if self._breakers[host].resting(at):
                held.append(row["delivery_id"])
                continue
            self._windows[webhook].flying += 1
            task = asyncio.create_task(self._attempt(row, host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if held:
            async with self._pool.connection() as connection:
                await queue.release(connection, lease, held, at + retry_schedule.WAITS[0])
        return len(rows) - len(held)

    def _rooms(self, at: datetime) -> list[Room]:
        """How many may be sent for each webhook that was sent something before, where that was."""
        rooms = []
        for webhook, window in self._windows.items():
            url = self._urls[webhook]
            breaker = self._breakers[_host(url)]
            free = 0 if breaker.resting(at) else window.room
            rooms.append(Room(webhook, url, free if breaker.closed(at) else min(free, 1 - min(1, window.flying))))
        return rooms

    async def _attempt(self, row: Any, host: str) -> None:
        webhook, id, body = row["webhook_id"], public_id(PREFIX, row["delivery_id"]), row["body"]
        at = self._clock()
        try:
            secrets = [self._opened(box, webhook.bytes) for box in row["boxes"]]
            signed = signing.headers(secrets, id, int(at.timestamp()), body)
            answer = await self._poster.post(row["url"], {**HEADERS, **signed}, body)
        except Exception as error:
            tell(Failed("", "posting a delivery", error))
            answer = Answer(None, "the hub failed; its log says why", b"", None, 0.0)
        finally:
            window = self._windows[webhook]
            window.flying -= 1
        result = self._judged(row, answer, at)
        window.learn(taken=result.status == "DELIVERED")
        self._breakers[host].learn(at, well=answer.status is not None and answer.status < 500 and answer.status != 429)
        self._results.append(result)
        self._heard.set()

    def _judged(self, row: Any, answer: Answer, at: datetime) -> Result:
        taken = answer.status is not None and 200 <= answer.status < 300
        due = None
        if answer.status == retry_schedule.GONE:
            self._gone.add((row["webhook_id"], row["url"]))
        elif not taken:
            due = retry_schedule.next_attempt(row["attempts"], at, self._draw(), answer.retry_after)
        status = "DELIVERED" if taken else "DEAD" if due is None else "RETRYING"
        shown = answer.body.decode("utf-8", "replace").replace("\0", "") if answer.status is not None else None
        spent = round(answer.seconds * 1000)
        return Result(row["delivery_id"], status, due, at, answer.status, spent, answer.error, shown, row["lease"])

    # -- what came of it ------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            await asyncio.sleep(GATHER)
            try:
                await self._recorded()
            except Exception as error:
                if not isinstance(error, HubError):
                    tell(Failed("", "recording deliveries", error))
                await asyncio.sleep(AWAY)
            if self._results:
                self._heard.set()
            self._woken.set()

    async def _recorded(self) -> None:
        """Writes down what has come in; it is tried again when that fails, until the leases end."""
        if not self._results:
            return
        # One that was sent again meanwhile may have come to two results, of which one still counts: each has its turn.
        first: dict[UUID, Result] = {}
        rest = [each for each in self._results if first.setdefault(each.delivery, each) is not each]
        results, gone = list(first.values()), self._gone
        self._results, self._gone = rest, set()
        try:
            async with self._pool.transaction() as tx:
                await self._concluded(tx, await queue.record(tx, results), gone)
        except BaseException:
            least = self._clock() - queue.LEASE
            self._results[:0] = [each for each in results if each.at > least]
            self._gone |= gone
            raise

    async def _concluded(self, tx: Connection, found: Sequence[Recorded], gone: set[tuple[UUID, str]]) -> None:
        """What results mean for what waits behind them, and for the webhook as a whole."""
        at = self._clock()
        later = [each for each in found if each.status == "RETRYING"]
        if later:
            await queue.wait(tx, later)
        well = {each.webhook for each in found if each.status == "DELIVERED"}
        failing = await queue.ill(tx, sorted({each.webhook for each in found} - well), at)
        for webhook, url in gone:
            await queue.stop(tx, webhook, "GONE", STOPS["GONE"], at, url)
        for webhook, since in failing.items():
            if retry_schedule.given_up(since, at):
                await queue.stop(tx, webhook, "FAILING", STOPS["FAILING"], at)


HEADERS = {"content-type": "application/json; charset=utf-8", "user-agent": "hub-webhooks/1"}


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()
