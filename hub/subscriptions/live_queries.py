"""Keeps answers alive: run again when something they read has changed, told when their bytes are others than before."""

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from hub.changefeed.feed import ChangeFeed, ChangeHeader
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.errors import HubError, Internal, Unavailable
from hub.observability import InternalFailure, emit
from hub.subscriptions.change_streams import RETRY_DELAY, response_payload
from hub.subscriptions.interfaces import MessageSink

MIN_RERUN_INTERVAL = 0.25  # seconds between two runs of the same statement, at least
TIME_DEPENDENT_INTERVAL = 10.0  # and at most, where time alone may change the answer
STREAM_ENDED_MESSAGE = "The hub ended this stream ({}); subscribe again."


class LiveGroupContext(Protocol):
    """What a group needs of the whole."""

    feed: ChangeFeed

    def remove_group(self, group: "LiveQueryGroup") -> None:
        """Nobody is in the group any more."""


class LiveQuerySubscriber:
    """One subscriber of a live answer: which frame it was told last."""

    def __init__(self, group: "LiveQueryGroup", sink: MessageSink) -> None:
        self._group = group
        self.sink = sink
        self.last_sent_version = 0  # the number of the frame; 0 for none
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Ends it without a word."""
        if self._task is not None:
            self._task.cancel()
        self._group.remove(self)

    def close_with_reason(self, reason: str) -> None:
        """Ends it with an error: whoever subscribes again is told the answer anew, so that nothing is lost."""
        error = Unavailable(STREAM_ENDED_MESSAGE.format(reason), code="STREAM_ENDED", extensions={"reason": reason})
        self.fail(error)

    def fail(self, error: HubError) -> None:
        """Ends it with an error."""
        self.cancel()
        self.sink.end([error.to_graphql()])

    def send(self, payload: bytes, version: int) -> None:
        """The newest frame; left out while the client does not keep up, who is told the newest when there is room."""
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
    """Those who are told the same answer: one run, the same bytes for all."""

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

    def subscribe(self, sink: MessageSink) -> LiveQuerySubscriber:
        """A new subscriber, who is told the answer as it is now."""
        subscriber = LiveQuerySubscriber(self, sink)
        self._subscribers.add(subscriber)
        self._refresh()
        return subscriber

    def remove(self, subscriber: LiveQuerySubscriber) -> None:
        """One less."""
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            if self._timer is not None:
                self._timer.cancel()
            self._context.remove_group(self)

    def send_latest(self, subscriber: LiveQuerySubscriber) -> None:
        """The newest frame, unless it has it."""
        if subscriber.last_sent_version < self._version:
            subscriber.send(self._payload, self._version)

    def enqueue(self, header: ChangeHeader) -> None:
        self._due = True

    def flush(self) -> None:
        if self._due and self._task is None:
            self._task = asyncio.create_task(self._rerun())

    def on_fork(self, last_valid_position: int) -> None:
        self._refresh()

    def on_retention_gap(self) -> None:
        self._refresh()

    def keep_alive(self, last_position: int) -> None:
        """A live answer needs no sign of life: it is whole whenever it comes."""

    def _refresh(self) -> None:
        self._due = True
        self.flush()

    async def _rerun(self) -> None:
        try:
            while self._due and self._subscribers:
                await asyncio.sleep(max(0.0, self._last_run + MIN_RERUN_INTERVAL - monotonic()))
                self._due, self._last_run = False, monotonic()
                feed = self._context.feed
                try:
                    position, body = await self.source.answer(
                        feed.pool, feed.previous_cursor_placeholder, datetime.now(UTC)
                    )
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
            if not isinstance(error, HubError):
                emit(InternalFailure("", "running a live answer", error))
                error = Internal("The hub failed; its log says why.")
            for subscriber in tuple(self._subscribers):
                subscriber.fail(error)
        finally:
            self._task = None

    def _schedule_rerun(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(TIME_DEPENDENT_INTERVAL, self._refresh)
