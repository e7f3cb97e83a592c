"""Live queries: a query runs again when rows that it reads change, and the result is sent if its bytes differ."""

import asyncio
from time import monotonic
from typing import Protocol

from hub.changefeed.feed import ChangeFeed, ChangeHeader
from hub.db.fair_queue import Flow
from hub.engine.budgets import MAX_PAUSE, CostAccount, OperationCharge, payer
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.errors import HubError, Unavailable
from hub.subscriptions.change_streams import RETRY_DELAY, error_for_client, response_payload, stream_ended
from hub.subscriptions.interfaces import MessageSink

MIN_RERUN_INTERVAL = 0.25  # seconds, at least, between two runs of a statement
TIME_DEPENDENT_INTERVAL = 10.0  # seconds, at most, between two runs if the result depends on the current time


class LiveGroupContext(Protocol):
    """The part of the registry that a live query group uses."""

    feed: ChangeFeed

    def flow(self, group: "LiveQueryGroup") -> Flow:
        """The flow whose turns the group's statements take."""

    def remove_group(self, group: "LiveQueryGroup") -> None:
        """Removes a group that has no subscribers left."""

    def on_leave(self, group: "LiveQueryGroup", flow: Flow) -> None:
        """Called when a subscriber has left the group."""


class LiveQuerySubscriber:
    """One subscriber of a live query, with the version of the result that it received last."""

    def __init__(self, group: "LiveQueryGroup", sink: MessageSink, flow: Flow, account: CostAccount | None) -> None:
        self._group = group
        self.flow = flow
        self.account = account
        self.sink = sink
        self.last_sent_version = 0  # 0: nothing sent yet
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Ends the stream without a message."""
        if self._task is not None:
            self._task.cancel()
        self._group.remove(self)

    def close_with_reason(self, reason: str) -> None:
        """Ends the stream with an error. A new subscription receives the whole result, so nothing is lost."""
        self.fail(stream_ended(reason))

    def fail(self, error: HubError) -> None:
        """Ends the stream with an error."""
        self.cancel()
        self.sink.end([error.to_graphql()])

    def send(self, payload: bytes, version: int) -> None:
        """Sends a version of the result. Under backpressure it is skipped; the newest version follows after the drain."""
        if not self.sink.is_backpressured:
            self.sink.send(payload, None)
            self.last_sent_version = version
        elif self._task is None:
            self._task = asyncio.create_task(self._send_when_drained())

    async def _send_when_drained(self) -> None:
        await self.sink.drained()
        self._task = None
        self._group.send_latest(self)


class LiveQueryGroup:
    """The subscribers of one live query: one execution, and the same bytes for all."""

    def __init__(self, source: SubscriptionSource, context: LiveGroupContext) -> None:
        self.source = source
        self._context = context
        self._subscribers: set[LiveQuerySubscriber] = set()
        self._body = b""
        self._payload = b""
        self._version = 0
        self._due = False
        self._last_run = -MIN_RERUN_INTERVAL
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def subscribe(self, sink: MessageSink, flow: Flow, account: CostAccount | None = None) -> LiveQuerySubscriber:
        """Adds a subscriber and schedules a run, which sends it the current result."""
        subscriber = LiveQuerySubscriber(self, sink, flow, account)
        self._subscribers.add(subscriber)
        self._refresh()
        return subscriber

    def remove(self, subscriber: LiveQuerySubscriber) -> None:
        """Removes a subscriber, and the group itself with the last one."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._context.on_leave(self, subscriber.flow)
        if not self._subscribers:
            if self._timer is not None:
                self._timer.cancel()
            self._context.remove_group(self)

    def send_latest(self, subscriber: LiveQuerySubscriber) -> None:
        """Sends the newest version, unless the subscriber has it."""
        if subscriber.last_sent_version < self._version:
            subscriber.send(self._payload, self._version)

    def enqueue(self, header: ChangeHeader) -> None:
        self._due = True

    def flush(self) -> None:
        if self._due and self._task is None:
            self._task = asyncio.create_task(self._rerun())

    def on_fork(self, last_valid_position: int) -> None:
        self._refresh()

    def on_redirect(self) -> None:
        self._refresh()

    def on_retention_gap(self) -> None:
        self._refresh()

    def keep_alive(self, last_position: int) -> None:
        """Does nothing: a live query has no progress messages, because each message is the whole result."""

    def _refresh(self) -> None:
        self._due = True
        self.flush()

    async def _rerun(self) -> None:
        try:
            while self._due and self._subscribers:
                await asyncio.sleep(max(0.0, self._last_run + MIN_RERUN_INTERVAL - monotonic()))
                charge = await self._charged()
                if not self._subscribers:
                    return
                self._due, self._last_run = False, monotonic()
                feed = self._context.feed
                self.source.flow = self._context.flow(self)
                try:
                    position, body = await self._answer(charge)
                    cursor = await feed.cursor_at(position)
                except Unavailable:
                    self._due = True
                    await asyncio.sleep(RETRY_DELAY)
                    continue
                if body != self._body:
                    self._body, self._version = body, self._version + 1
                self._payload = response_payload(self.source, feed.with_previous_cursor(body, cursor))
                for subscriber in tuple(self._subscribers):
                    self.send_latest(subscriber)
                if self.source.time_dependent:
                    self._schedule_rerun()
        except Exception as error:
            client_error = error_for_client(error, "running a live query")
            for subscriber in tuple(self._subscribers):
                subscriber.fail(client_error)
        finally:
            self._task = None

    async def _charged(self) -> OperationCharge | None:
        """The charge of a run, once somebody can pay for it; None if nobody has to.

        Changes meanwhile cost nothing more: the run is late, and its result is that of all changes."""
        while account := payer(subscriber.account for subscriber in self._subscribers):
            charge = OperationCharge(account, account.accounts.clock, may_refuse=False)
            if charge.try_open(self.source.cost):
                return charge
            await asyncio.sleep(min(account.seconds_until(self.source.cost), MAX_PAUSE))
        return None

    async def _answer(self, charge: OperationCharge | None) -> tuple[int, bytes]:
        """Runs the statement and settles the charge; returns the position and the answer."""
        feed = self._context.feed
        placeholder, now = feed.previous_cursor_placeholder, feed.time_source.now()
        if charge is None:
            return await self.source.answer(feed.pool, placeholder, now)
        try:
            return await self.source.answer(feed.pool, placeholder, now, charge.meter)
        finally:
            charge.settle()

    def _schedule_rerun(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(TIME_DEPENDENT_INTERVAL, self._refresh)
