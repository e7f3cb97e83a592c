"""Expands webhooks: queues the messages of a webhook's subscription in the transaction that advances its position.

So no message is lost or queued twice, even if several processes run this or one of them dies. deliverer.py sends them."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from hub.changefeed.feed import RENDER_BATCH, ChangeFeed, ChangeHeader
from hub.db.change_positions import CursorExpired
from hub.db.database_errors import report_failure
from hub.db.pool import Connection, Pool
from hub.domain.webhooks import bodies, queue
from hub.domain.webhooks.queue import QueuedDelivery
from hub.domain.webhooks.webhooks import WEBHOOK_TABLE_NAMES
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.errors import HubError, Unavailable
from hub.model import exact_json
from hub.observability import ChangesSequenced, Event, RequestDone, WokenUp, add_handler
from hub.schema.identity.merges import Merge
from hub.subscriptions.change_streams import RETRY_DELAY, response_payload
from hub.viewer import Viewer
from hub.webhooks.documents import WebhookDocuments, concerns_webhook
from hub.webhooks.owners import OwnerViewers

POLL = 0.025  # seconds between polls for new changes; changes that this process sequences wake the loop at once
MIN_INTERVAL = 0.005  # seconds between two batches
# Seconds between scans for webhooks that are behind for other reasons: resumed, rewound, or at the queue limit.
FULL_SCAN_INTERVAL = 1.0
AFTER_MUTATION = 0.1  # seconds until the scan after a mutation, which may have created a webhook
CHANGES_PER_BATCH = 500  # changes per webhook and batch
WEBHOOKS_PER_BATCH = 20  # webhooks per batch, so that its transaction stays short
MAX_QUEUED = 10_000  # queued deliveries per webhook; further changes wait in the log
MAX_QUEUED_PER_KEY = 50_000  # the same for all webhooks of a key together, in equal parts
RETENTION_GAP_MESSAGE = "Some changes were not sent: they are no longer kept."
MAX_BODY_BYTES = 262_144  # a larger body is replaced by the cursors to read it with

UtcClock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class ChangeBatch(NamedTuple):
    """Changes to expand for some webhooks, and the position that the webhooks reach with them."""

    headers: Sequence[ChangeHeader]
    end_position: int
    retention_gap: bool = False  # the changes before `end_position` are no longer stored


def delivery_id(webhook: UUID, position: int, position_name: str) -> UUID:
    """Returns the deterministic id of a webhook's delivery; the name holds the epoch and position. Ids sort by position."""
    digest = hashlib.sha256(webhook.bytes + position_name.encode()).digest()
    uuid_bytes = bytearray((position % 2**48).to_bytes(6) + digest[:10])
    uuid_bytes[6] = uuid_bytes[6] & 0x0F | 0x80  # version 8: custom
    uuid_bytes[8] = uuid_bytes[8] & 0x3F | 0x80
    return UUID(bytes=bytes(uuid_bytes))


def oversized_body(cursor: str, after: str, size: int) -> bytes:
    """Returns the replacement for a body over the limit: the cursors to read the change with."""
    extensions = {"code": "PAYLOAD_TOO_LARGE", "bytes": size, "cursor": cursor, "after": after}
    return orjson.dumps({"data": None, "extensions": extensions})


class WebhookExpander:
    """Advances webhooks along the change feed. `on_queued` is called when deliveries were queued."""

    def __init__(
        self,
        pool: Pool,
        feed: ChangeFeed,
        documents: WebhookDocuments,
        on_queued: Callable[[], None],
        clock: UtcClock = utc_now,
    ) -> None:
        self._pool = pool
        self._feed = feed
        self._documents = documents
        self._on_queued = on_queued
        self._clock = clock
        self._owners = OwnerViewers()
        self._sources: dict[UUID, tuple[object, SubscriptionSource]] = {}
        self._wakeup = asyncio.Event()
        self._next_full_scan = 0.0
        self._any_active = True  # whether an active webhook exists
        self._lagging = False  # whether a webhook is behind `_scanned_to`
        self._unrendered = False  # whether bodies must be rendered again
        # This process has scanned up to `_scanned_to`; all changes after `_webhook_changes_after` are of webhook tables.
        self._webhook_changes_after = self._scanned_to = -1

    @asynccontextmanager
    async def running(self) -> AsyncIterator["WebhookExpander"]:
        """Expands while the body runs."""
        task = asyncio.create_task(self._run())
        remove_handler = add_handler(self._on_event, RequestDone, ChangesSequenced, WokenUp)
        try:
            yield self
        finally:
            remove_handler()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        woken = event if isinstance(event, WokenUp) else WokenUp(mutation=False, changes=False)
        if woken.mutation or (isinstance(event, RequestDone) and event.operation == "mutation"):
            due = monotonic() + AFTER_MUTATION
            if due < self._next_full_scan:  # one scan serves all mutations of a burst
                self._next_full_scan = due
                self._wakeup.set()
        if (woken.changes or isinstance(event, ChangesSequenced)) and self._any_active:
            self._wakeup.set()

    async def _run(self) -> None:
        while True:
            pause = POLL
            try:
                if await self.run_once():
                    continue
                pause = POLL if self._any_active else max(0.0, self._next_full_scan - monotonic())
            except Exception as error:
                # After a database outage or a defect, the positions are unchanged, so nothing is lost.
                if not isinstance(error, Unavailable):
                    report_failure("expanding webhooks", error)
                pause = RETRY_DELAY
            await asyncio.sleep(MIN_INTERVAL)  # frequent wake-ups must not cause a busy loop
            with suppress(TimeoutError):  # not wait_for, which may swallow a cancellation
                async with asyncio.timeout(pause):
                    await self._wakeup.wait()
            self._wakeup.clear()

    async def run_once(self) -> bool:
        """Expands one batch; returns whether there may be more."""
        full_scan = monotonic() >= self._next_full_scan
        if full_scan:
            self._next_full_scan = monotonic() + FULL_SCAN_INTERVAL
            async with self._pool.connection() as connection:
                self._any_active = await queue.any_active(connection)
            if self._any_active:
                await self._check_owners()
        if not self._any_active:
            return False
        new_changes, batch_full = await self._new_changes()
        if full_scan or self._lagging or new_changes.headers:
            self._lagging = await self._expand_batch(new_changes)
        rerendered = self._unrendered and await self._rerender_resent()
        return self._lagging or batch_full or rerendered

    async def _new_changes(self) -> tuple[ChangeBatch, bool]:
        """Returns the changes since the last scan without those of webhook tables, and whether there may be more."""
        state = await self._feed.refresh()
        last_position = state.last_position
        # True at the start, after a long pause, and after a restore.
        if not state.least_position - 1 <= self._scanned_to <= last_position:
            self._webhook_changes_after = self._scanned_to = last_position
        headers: list[ChangeHeader] = []
        if last_position > self._scanned_to:
            headers = await self._feed.headers_after(self._scanned_to, CHANGES_PER_BATCH)
        if any(header.table == Merge.table.name for header in headers):
            self._sources.clear()  # documents that name a merged customer follow it from here on
        external = [header for header in headers if header.table not in WEBHOOK_TABLE_NAMES]
        if headers and not external:
            self._scanned_to = headers[-1].position
        end_position = headers[-1].position if headers else self._scanned_to
        return ChangeBatch(external, end_position), len(headers) == CHANGES_PER_BATCH

    async def _expand_batch(self, new_changes: ChangeBatch) -> bool:
        """Advances the webhooks that are furthest behind; returns whether there may be more."""
        now = self._clock()
        async with self._pool.transaction() as tx:
            rows = await queue.lock_behind(
                tx, new_changes.end_position, MAX_QUEUED, MAX_QUEUED_PER_KEY, WEBHOOKS_PER_BATCH
            )
            self._unrendered = await bodies.any_without_body(tx, now)
            if not rows:
                self._mark_scanned(new_changes)
                return False
            viewers = await self._owners.resolve(tx, [row["owner"] for row in rows], now)
            groups = defaultdict[tuple[int, tuple[str, ...]], list[tuple[queue.QueueRow, SubscriptionSource]]](list)
            for row in rows:
                source = await self._source(tx, row, viewers[row["owner"]], now)
                if source is not None:
                    groups[self._batch_start(row["position"]), source.group_key].append((row, source))
            batches: dict[int, ChangeBatch] = {self._scanned_to: new_changes}
            deliveries: list[QueuedDelivery] = []
            progress: dict[UUID, tuple[int, int]] = {}
            for (start, _), members in groups.items():
                batch = batches[start] = batches.get(start) or await self._read_batch(start)
                for row, _ in members if batch.retention_gap else ():
                    await queue.set_status_reason(tx, row["id"], RETENTION_GAP_MESSAGE, now)
                try:
                    deliveries += await self._render(batch, members, progress)
                except HubError as error:
                    await self._pause(tx, [row["id"] for row, _ in members], error, now)
            if deliveries:
                await queue.enqueue(tx, deliveries, now)
            if progress:
                await queue.save_progress(tx, progress)
        if deliveries:
            self._on_queued()
        behind = any(position < new_changes.end_position for position, _ in progress.values())
        self._mark_scanned(new_changes)
        return behind or len(rows) == WEBHOOKS_PER_BATCH

    def _mark_scanned(self, new_changes: ChangeBatch) -> None:
        if new_changes.headers:
            self._webhook_changes_after = new_changes.headers[-1].position
        self._scanned_to = new_changes.end_position

    def _batch_start(self, position: int) -> int:
        return self._scanned_to if self._webhook_changes_after <= position <= self._scanned_to else position

    async def _read_batch(self, start: int) -> ChangeBatch:
        try:
            headers = await self._feed.headers_after(start, CHANGES_PER_BATCH)
        except CursorExpired:
            return ChangeBatch((), (await self._feed.refresh()).least_position - 1, retention_gap=True)
        return ChangeBatch(headers, headers[-1].position if headers else start)

    async def _render(
        self,
        batch: ChangeBatch,
        members: Sequence[tuple[queue.QueueRow, SubscriptionSource]],
        progress: dict[UUID, tuple[int, int]],
    ) -> list[QueuedDelivery]:
        """Returns the deliveries of a group's webhooks, rendered once for all, and records their progress."""
        source = members[0][1]
        headers = {header.position: header for header in batch.headers if concerns_webhook(source, header)}
        positions, messages = list(headers), list[tuple[int, bytes]]()
        for offset in range(0, len(positions), RENDER_BATCH):
            messages += await self._feed.render(source, positions[offset : offset + RENDER_BATCH])
        deliveries = []
        for row, _ in members:
            previous_position = row["last_sent_position"]
            for position, message in messages:
                header, cursor = headers[position], self._feed.cursor(position)
                body = self._body(source, position, message, self._feed.cursor(previous_position))
                ordering_key = header.customer_id or header.row_id
                key = delivery_id(row["id"], position, self._feed.stable_name(position))
                coalesce_seconds = row["coalesce_seconds"]
                deliveries.append(
                    QueuedDelivery(
                        key,
                        row["id"],
                        row["owner"],
                        ordering_key,
                        header.row_id,
                        position,
                        cursor,
                        body,
                        coalesce_seconds,
                    )
                )
                previous_position = position
            progress[row["id"]] = (batch.end_position, previous_position)
        return deliveries

    def _body(self, source: SubscriptionSource, position: int, message: bytes, previous_cursor: str) -> bytes:
        body = response_payload(source, self._feed.with_previous_cursor(message, previous_cursor))
        if len(body) <= MAX_BODY_BYTES:
            return body
        return oversized_body(self._feed.cursor(position), self._feed.cursor(position - 1), len(body))

    async def _rerender_resent(self) -> bool:
        """Renders the bodies of deliveries that are resent; returns whether it stored some, so that there may be more.

        No row is locked meanwhile: the results of other deliveries of the webhook are recorded as they come."""
        now = self._clock()
        async with self._pool.transaction() as tx:
            rows = await bodies.without_body(tx, now, RENDER_BATCH)
            viewers = await self._owners.resolve(tx, [row["owner"] for row in rows], now)
            groups = defaultdict[tuple[str, ...], list[tuple[queue.QueueRow, SubscriptionSource]]](list)
            for row in rows:
                source = await self._source(tx, row, viewers[row["owner"]], now)
                if source is not None:
                    groups[source.group_key].append((row, source))
            rendered: dict[UUID, tuple[UUID, bytes | None]] = {}
            for members in groups.values():
                try:
                    rendered |= await self._rerender(members)
                except HubError as error:
                    await self._pause(tx, sorted({row["id"] for row, _ in members}), error, now)
            digests = {
                row["id"]: viewer.rights_digest() for row in rows if isinstance(viewer := viewers[row["owner"]], Viewer)
            }
            current = await bodies.webhooks_with_rights(tx, digests)
            stored = {delivery: body for delivery, (webhook, body) in rendered.items() if webhook in current}
            await bodies.set_bodies(tx, {delivery: body for delivery, body in stored.items() if body is not None})
            await bodies.drop(tx, [delivery for delivery, body in stored.items() if body is None], now)
        self._unrendered = len(rows) == RENDER_BATCH
        if stored:
            self._on_queued()
        return self._unrendered and bool(stored)

    async def _rerender(
        self, members: Sequence[tuple[queue.QueueRow, SubscriptionSource]]
    ) -> dict[UUID, tuple[UUID, bytes | None]]:
        """The webhook and the body of each delivery of a group; no body where the subscription no longer matches."""
        source = members[0][1]
        messages = dict(await self._feed.render(source, sorted({row["position"] for row, _ in members})))
        rendered: dict[UUID, tuple[UUID, bytes | None]] = {}
        for row, _ in members:
            position, body = row["position"], None
            if position in messages:
                previous_cursor = row["previous"] or self._feed.cursor(position - 1)
                body = self._body(source, position, messages[position], previous_cursor)
            rendered[row["delivery_id"]] = row["id"], body
        return rendered

    async def _pause(self, tx: Connection, webhooks: Sequence[UUID], error: HubError, now: datetime) -> None:
        """Pauses webhooks whose document fails, so that the others continue. Re-raises if the database is unavailable."""
        if error.code == "UNAVAILABLE":
            raise error
        for webhook in webhooks:
            await queue.pause(tx, webhook, "PAUSED", error.message, now)

    # -- the owners' rights ---------------------------------------------------------------------------------------------

    async def _source(
        self, tx: Connection, row: queue.QueueRow, viewer: Any, now: datetime
    ) -> SubscriptionSource | None:
        """Returns a webhook's subscription with its owner's current rights; pauses the webhook if there is none."""
        cache_key = (row["version"], viewer)
        cached = self._sources.get(row["id"])
        if cached is not None and cached[0] == cache_key:
            return cached[1]
        reason = viewer if isinstance(viewer, str) else None
        if reason is None:
            try:
                variables = exact_json.loads(row["variables"])
                source = await self._documents.subscription_source(
                    row["query"], variables, row["operation_name"], viewer, by_hub=True
                )
            except Unavailable:
                raise
            except HubError as error:
                reason = error.message
            else:
                self._sources[row["id"]] = cache_key, source
                return source
        self._sources.pop(row["id"], None)
        await queue.pause(tx, row["id"], "PAUSED", reason, now)
        return None

    async def _check_owners(self) -> None:
        """Pauses the webhooks whose owners have lost their rights, even if no change occurs.

        What is queued for an owner whose rights have changed is rendered again: a retry sends nothing that is hidden now."""
        now = self._clock()
        async with self._pool.transaction() as tx:
            owners = await queue.active_owners(tx)
            viewers = await self._owners.resolve(tx, owners.values(), now)
            for webhook, owner in owners.items():
                viewer = viewers[owner]
                if isinstance(viewer, str):
                    await queue.pause(tx, webhook, "PAUSED", viewer, now)
            digests = {owner: viewer.rights_digest() for owner, viewer in viewers.items() if isinstance(viewer, Viewer)}
            rights = {webhook: digests[owner] for webhook, owner in owners.items() if owner in digests}
            await queue.follow_rights(tx, rights)
        self._sources = {webhook_id: cached for webhook_id, cached in self._sources.items() if webhook_id in owners}
