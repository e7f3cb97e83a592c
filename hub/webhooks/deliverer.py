"""Delivers webhooks: leases due deliveries, posts them signed and stores the results. Any number of processes may run it.

The leases of a process that dies expire. Then another process sends the same bytes again with the same id."""

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

from hub.db.database_errors import report_failure
from hub.db.pool import Connection, Pool
from hub.domain.access.secrets import Encryptor
from hub.domain.webhooks import blocking, queue
from hub.domain.webhooks.queue import AttemptResult, Capacity, StoredResult
from hub.engine.catalog.scalars import encode_id
from hub.errors import HubError
from hub.observability import InternalFailure, emit
from hub.subscriptions.change_streams import RETRY_DELAY
from hub.webhooks import retry_schedule, signing
from hub.webhooks.backpressure import INITIAL_WINDOW, CircuitBreaker, ConcurrencyWindow
from hub.webhooks.expander import UtcClock, utc_now
from hub.webhooks.http_client import HttpClient, HttpResponse

MAX_IN_FLIGHT = 256  # concurrent requests of one process
POLL = 0.2  # seconds between polls for due deliveries; deliveries that this process queues wake the loop at once
RECHECK_BLOCKED = 30.0  # seconds between checks whether forbidden addresses are permitted now
RESULT_BATCH_WINDOW = 0.004  # seconds that results wait for others, to be stored in one transaction
SHUTDOWN_TIMEOUT = 5.0  # seconds that requests in flight have to end when the process stops
DELIVERY_ID_PREFIX = "dlv"
PAUSE_REASONS = {
    "GONE": "The receiver answered 410.",
    "FAILING": "No delivery succeeded for five days; repair the receiver, then resume the webhook.",
}


class Deliverer:
    """Sends the deliveries that are due."""

    def __init__(
        self,
        pool: Pool,
        http_client: HttpClient,
        encryptor: Encryptor,
        clock: UtcClock = utc_now,
        random_fraction: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._http_client = http_client
        self._clock = clock
        self._random_fraction = random_fraction
        self._windows: defaultdict[UUID, ConcurrencyWindow] = defaultdict(ConcurrencyWindow)
        self._breakers: defaultdict[str, CircuitBreaker] = defaultdict(CircuitBreaker)
        self._urls: dict[UUID, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: list[AttemptResult] = []
        self._gone_urls: set[tuple[UUID, str]] = set()
        self._decrypt = lru_cache(1_000)(encryptor.decrypt)
        self._wakeup = asyncio.Event()
        self._results_ready = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Polls at once, because deliveries were queued."""
        self._wakeup.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Deliverer"]:
        """Delivers while the body runs, then waits for the requests in flight."""
        send_task, write_task = asyncio.create_task(self._send_loop()), asyncio.create_task(self._write_loop())
        recheck_task = asyncio.create_task(self._recheck_loop())
        try:
            yield self
        finally:
            recheck_task.cancel()
            self._stopping = True  # not cancelled at once: the database may have granted a lease that would stay unused
            self._wakeup.set()
            await asyncio.wait((send_task,), timeout=SHUTDOWN_TIMEOUT)
            send_task.cancel()
            await asyncio.gather(send_task, recheck_task, return_exceptions=True)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=SHUTDOWN_TIMEOUT)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            write_task.cancel()
            await asyncio.gather(write_task, return_exceptions=True)
            with suppress(Exception):
                await self._flush_results()
            self._http_client.close()

    async def _send_loop(self) -> None:
        while not self._stopping:
            try:
                sent = await self._lease_due()
            except Exception as error:
                # After a database outage or a defect, the deliveries are still due.
                if not isinstance(error, HubError):
                    report_failure("leasing deliveries", error)
                sent = 0
                await asyncio.sleep(RETRY_DELAY)
            if not sent:
                with suppress(TimeoutError):  # not wait_for, which may swallow a cancellation
                    async with asyncio.timeout(POLL):
                        await self._wakeup.wait()
            self._wakeup.clear()

    async def _recheck_loop(self) -> None:
        """Retries deliveries of blocked webhooks once the settings or the host's address permit them."""
        while True:
            try:
                await self._retry_permitted()
            except Exception as error:
                if not isinstance(error, HubError):
                    report_failure("rechecking blocked webhooks", error)
            await asyncio.sleep(RECHECK_BLOCKED)

    async def _retry_permitted(self) -> None:
        async with self._pool.connection() as connection:
            blocked = await blocking.blocked_webhooks(connection, self._clock())
        for webhook, url in blocked.items():
            if await self._http_client.is_permitted(url):
                async with self._pool.connection() as connection:
                    await blocking.retry_now(connection, webhook, self._clock())
                self.wake()

    async def _lease_due(self) -> int:
        """Leases due deliveries up to the capacity and starts sending them; returns their number."""
        capacity = MAX_IN_FLIGHT - len(self._tasks)
        if capacity <= 0:
            return 0
        now, lease = self._clock(), uuid4()
        async with self._pool.connection() as connection:
            rows = await queue.lease(connection, now, self._capacities(now), INITIAL_WINDOW, capacity, lease)
        postponed = []
        for row in rows:
            webhook = row["webhook_id"]
            self._urls[webhook] = row["url"]
            host = _host(row["url"])
            if self._breakers[host].is_open(now):
                postponed.append(row["delivery_id"])
                continue
            self._windows[webhook].in_flight += 1
            task = asyncio.create_task(self._attempt(row, host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if postponed:
            async with self._pool.connection() as connection:
                await queue.release_lease(connection, lease, postponed, now + retry_schedule.BACKOFF[0])
        return len(rows) - len(postponed)

    def _capacities(self, now: datetime) -> list[Capacity]:
        """Returns the capacity of each webhook that this process has sent to, with its URL."""
        capacities = []
        for webhook, window in self._windows.items():
            url = self._urls[webhook]
            breaker = self._breakers[_host(url)]
            available = 0 if breaker.is_open(now) else window.available
            if not breaker.is_closed(now):
                available = min(available, 1 - min(1, window.in_flight))
            capacities.append(Capacity(webhook, url, available))
        return capacities

    async def _attempt(self, row: Any, host: str) -> None:
        webhook, message_id, body = row["webhook_id"], encode_id(DELIVERY_ID_PREFIX, row["delivery_id"]), row["body"]
        now = self._clock()
        try:
            secrets = [self._decrypt(encrypted_secret, webhook.bytes) for encrypted_secret in row["boxes"]]
            signature_headers = signing.headers(secrets, message_id, int(now.timestamp()), body)
            response = await self._http_client.post(row["url"], {**REQUEST_HEADERS, **signature_headers}, body)
        except Exception as error:
            emit(InternalFailure("", "posting a delivery", error))
            response = HttpResponse(None, "the hub failed; its log says why", b"", None, 0.0)
        finally:
            window = self._windows[webhook]
            window.in_flight -= 1
        result = self._to_result(row, response, now)
        window.record(delivered=result.status == "DELIVERED")
        self._breakers[host].record(
            now, success=response.status is not None and response.status < 500 and response.status != 429
        )
        self._results.append(result)
        self._results_ready.set()

    def _to_result(self, row: Any, response: HttpResponse, now: datetime) -> AttemptResult:
        delivered = response.status is not None and 200 <= response.status < 300
        due = None
        if response.status == retry_schedule.HTTP_GONE:
            self._gone_urls.add((row["webhook_id"], row["url"]))
        elif not delivered:
            due = retry_schedule.next_attempt(row["attempts"], now, self._random_fraction(), response.retry_after)
        status = "DELIVERED" if delivered else "DEAD" if due is None else "RETRYING"
        body_excerpt = (
            response.body.decode("utf-8", "replace").replace("\0", "") if response.status is not None else None
        )
        milliseconds = round(response.seconds * 1000)
        return AttemptResult(
            row["delivery_id"],
            status,
            due,
            now,
            response.status,
            milliseconds,
            response.error,
            body_excerpt,
            row["lease"],
        )

    # -- results --------------------------------------------------------------------------------------------------------

    async def _write_loop(self) -> None:
        while True:
            await self._results_ready.wait()
            self._results_ready.clear()
            await asyncio.sleep(RESULT_BATCH_WINDOW)
            try:
                await self._flush_results()
            except Exception as error:
                if not isinstance(error, HubError):
                    report_failure("recording deliveries", error)
                await asyncio.sleep(RETRY_DELAY)
            if self._results:
                self._results_ready.set()
            self._wakeup.set()

    async def _flush_results(self) -> None:
        """Stores the results so far. If that fails, they are retried until their leases expire."""
        if not self._results:
            return
        # A delivery that was leased twice may have two results. One transaction stores at most one of them.
        first_results: dict[UUID, AttemptResult] = {}
        remaining = [
            result for result in self._results if first_results.setdefault(result.delivery, result) is not result
        ]
        results, gone_urls = list(first_results.values()), self._gone_urls
        self._results, self._gone_urls = remaining, set()
        try:
            async with self._pool.transaction() as tx:
                await self._apply_consequences(tx, await queue.store_results(tx, results), gone_urls)
        except BaseException:
            oldest_lease = self._clock() - queue.LEASE_DURATION
            self._results[:0] = [result for result in results if result.attempted_at > oldest_lease]
            self._gone_urls |= gone_urls
            raise

    async def _apply_consequences(
        self, tx: Connection, results: Sequence[StoredResult], gone_urls: set[tuple[UUID, str]]
    ) -> None:
        """Delays later deliveries of the same ordering key, and pauses webhooks that are gone or keep failing."""
        now = self._clock()
        retrying = [result for result in results if result.status == "RETRYING"]
        if retrying:
            await queue.delay_ordering_key(tx, retrying)
        delivered = {result.webhook for result in results if result.status == "DELIVERED"}
        failing = await queue.mark_failing(tx, sorted({result.webhook for result in results} - delivered), now)
        for webhook, url in gone_urls:
            await queue.pause(tx, webhook, "GONE", PAUSE_REASONS["GONE"], now, url)
        for webhook, failing_since in failing.items():
            if retry_schedule.should_pause(failing_since, now):
                await queue.pause(tx, webhook, "FAILING", PAUSE_REASONS["FAILING"], now)


REQUEST_HEADERS = {"content-type": "application/json; charset=utf-8", "user-agent": "hub-webhooks/1"}


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()
