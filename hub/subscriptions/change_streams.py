"""Tells changes to those who subscribed to them: each once, in order, from the cursor that was named.

The log is the queue. Who keeps up is told what the group's statement gives, as it comes; who does not is left alone until there
is room again, and then reads on from the log, along with others who stand near."""

import asyncio
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Protocol

import orjson

from hub.changefeed import control_messages
from hub.changefeed.cursors import cursor_forked
from hub.changefeed.feed import RENDER_BATCH, ChangeFeed, ChangeHeader, may_concern
from hub.db.change_positions import CursorExpired
from hub.db.semaphore import FifoSemaphore
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.errors import HubError, Internal, Unavailable
from hub.observability import InternalFailure, emit
from hub.subscriptions.interfaces import MessageSink

SLOW_BATCH = 10  # changes that are read at once for who has room for few
SHARED_READER_RANGE = 500  # changes that whoever joins others waits for at most
YIELD_ABOVE = 200  # who are told a change before others in the process have their turn
RETRY_DELAY = 0.5  # seconds until it is tried again, when the database is away
PROGRESS_INTERVAL = 15.0  # seconds after which a stream gives a sign of life


class GroupContext(Protocol):
    """What a group needs of the whole."""

    feed: ChangeFeed
    # Of those who read on from the log, so that whoever keeps up never waits for all of them.
    catch_up_lock: FifoSemaphore

    @property
    def last_position(self) -> int:
        """The last position that all groups were told of."""

    def remove_group(self, group: "StreamGroup") -> None:
        """Nobody is in the group any more."""


class StreamSubscriber:
    """One stream of changes: how far it was told."""

    def __init__(self, group: "StreamGroup", source: SubscriptionSource, sink: MessageSink, position: int) -> None:
        self._group = group
        self._source = source
        self.sink = sink
        self.position = position  # everything up to here is told, or does not concern it
        self.previous_cursor = group.context.feed.cursor(position)
        self.last_sent_at = monotonic()
        self.reader: CatchUpReader | None = None
        self._ready_sent = False
        self._drain_task: asyncio.Task[None] | None = None

    def catch_up(self) -> None:
        """Is told what is in the log, as soon as there is room for it, until it has caught up with the group."""
        self.reader = None
        if self.sink.is_backpressured:
            self._drain_task = asyncio.create_task(self._catch_up_when_drained())
        else:
            self._group.catch_up(self, RENDER_BATCH)

    async def _catch_up_when_drained(self) -> None:
        with suppress(ConnectionError):  # it is gone, and will be stopped
            await self.sink.drained()
            # What there is no room for is not kept, however long it takes: it is read again then, a little at a time.
            self._group.catch_up(self, SLOW_BATCH)

    def cancel(self) -> None:
        """Ends it without a word."""
        if self._drain_task is not None:
            self._drain_task.cancel()
        self._group.remove(self)

    def close_with_reason(self, reason: str) -> None:
        """Ends it with what the client can go on from."""
        self.cancel()
        cursor = self.previous_cursor
        self._send_control(control_messages.gap(self._source.message_fields, cursor, cursor, reason), cursor)
        self.sink.end()

    def fail(self, error: HubError) -> None:
        """Ends it with an error."""
        self.cancel()
        self.sink.end([error.to_graphql()])

    def send(self, payload: bytes, position: int, cursor: str) -> None:
        """One message, which must be the next that concerns it."""
        self.sink.send(payload, cursor.encode())
        self.position, self.previous_cursor, self.last_sent_at = position, cursor, monotonic()

    def send_progress(self, position: int) -> None:
        """A sign of life, with how far nothing concerned it."""
        self.position, self.last_sent_at = max(self.position, position), monotonic()
        cursor = self._group.context.feed.cursor(self.position)
        self._send_control(control_messages.progress(self._source.message_fields, cursor), cursor)

    def _send_control(self, messages: list[bytes], cursor: str) -> None:
        """What tells no change; whoever was told it can go on from its cursor."""
        for message in messages:
            self.sink.send(response_payload(self._source, message), cursor.encode())
            self.previous_cursor = cursor

    def switch_to_live(self) -> None:
        """It has caught up: the group tells it the rest."""
        self.reader = None
        if not self._ready_sent:
            self._ready_sent = True
            cursor = self._group.context.feed.cursor(self.position)
            self._send_control(control_messages.ready(self._source.message_fields, cursor), cursor)
        self._group.live_subscribers.add(self)

    def skip_expired(self, position: int, cursor: str) -> None:
        """What it should be told next is no longer kept: say so, and go on with what is."""
        messages = control_messages.gap(self._source.message_fields, self.previous_cursor, cursor, "RETENTION")
        self._send_control(messages, cursor)
        self.position, self.previous_cursor = position, cursor


class CatchUpReader:
    """Reads on from the log, once for all of a group who are behind and stand near each other, until they have caught up."""

    def __init__(self, group: "StreamGroup", position: int, batch_size: int) -> None:
        self.members: set[StreamSubscriber] = set()
        self._group = group
        self._position = position  # everybody here was told all that there is up to it
        self._batch_size = batch_size
        self._task = asyncio.create_task(self._read())

    def covers(self, position: int) -> bool:
        """Whether whoever stands there misses nothing here, and need not wait for long."""
        return self._position <= position < self._position + SHARED_READER_RANGE

    def remove(self, subscriber: StreamSubscriber) -> None:
        """One less."""
        self.members.discard(subscriber)
        if not self.members:
            self._group.readers.discard(self)
            self._task.cancel()

    def restart(self) -> None:
        """What it is reading may be of a time that the database has lost."""
        self._task.cancel()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self.members:
            try:
                await self._read_step()
            except Unavailable:
                self._batch_size = max(1, self._batch_size // 2)  # it may be too much at once
                await asyncio.sleep(RETRY_DELAY)
            except Exception as error:
                self._fail(error)
        self._group.readers.discard(self)

    async def _read_step(self) -> None:
        """A page, or a word that there is none."""
        try:
            await self._read_page()
        except CursorExpired:
            await self._skip_expired()

    async def _read_page(self) -> None:
        """One page of the log; where it ends, the group tells the rest."""
        context = self._group.context
        if self._position >= context.last_position:  # what comes after it, the group will hear
            while self.members:
                self.members.pop().switch_to_live()
            return
        async with context.catch_up_lock:
            headers = await context.feed.headers_after(self._position)
        if not headers:  # the database was put back, and nobody gives positions yet
            await asyncio.sleep(RETRY_DELAY)
            return
        positions = [header.position for header in headers if may_concern(self._group.source, header)]
        while positions and self.members:
            batch, positions = positions[: self._batch_size], positions[self._batch_size :]
            for position, message in await context.feed.render(self._group.source, batch):
                self._position = position  # who has no room for it does not come back here
                self._group.fan_out(self.members, position, message)
                if len(self.members) > YIELD_ABOVE:
                    await asyncio.sleep(0)
            self._advance_to(batch[-1])
            self._batch_size = min(RENDER_BATCH, 2 * self._batch_size)
        self._advance_to(headers[-1].position)

    def _advance_to(self, position: int) -> None:
        self._position = position
        for member in self.members:
            member.position = max(member.position, position)

    async def _skip_expired(self) -> None:
        state = await self._group.context.feed.refresh()
        self._position = state.least_position - 1
        cursor = self._group.context.feed.cursor(self._position)
        for member in tuple(self.members):
            if member.position < self._position:
                member.skip_expired(self._position, cursor)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, HubError):
            emit(InternalFailure("", "reading changes for streams", error))
            error = Internal("The hub failed; its log says why.")
        for member in tuple(self.members):
            member.fail(error)


class StreamGroup:
    """Those who are told the same changes: the statement is run once for all who keep up, and for those who catch up together."""

    def __init__(self, source: SubscriptionSource, context: GroupContext) -> None:
        self.source = source
        self.context = context
        self.live_subscribers: set[StreamSubscriber] = set()
        self.readers: set[CatchUpReader] = set()
        self._subscribers: set[StreamSubscriber] = set()
        self._pending: deque[int] = deque()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, source: SubscriptionSource, sink: MessageSink, position: int) -> StreamSubscriber:
        """A new stream behind a position."""
        subscriber = StreamSubscriber(self, source, sink, position)
        self._subscribers.add(subscriber)
        subscriber.catch_up()
        return subscriber

    def catch_up(self, subscriber: StreamSubscriber, batch_size: int) -> None:
        """Who is behind is told what is in the log, along with others who are; so many changes at once, at first."""
        reader = None
        if subscriber.position < self.context.last_position:  # else there is nothing to wait for
            reader = next((other for other in self.readers if other.covers(subscriber.position)), None)
        if reader is None:
            reader = CatchUpReader(self, subscriber.position, batch_size)
            self.readers.add(reader)
        reader.members.add(subscriber)
        subscriber.reader = reader

    def remove(self, subscriber: StreamSubscriber) -> None:
        """One less."""
        self.live_subscribers.discard(subscriber)
        if subscriber.reader is not None:
            subscriber.reader.remove(subscriber)
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            self.context.remove_group(self)

    def enqueue(self, header: ChangeHeader) -> None:
        if self.live_subscribers:
            self._pending.append(header.position)

    def flush(self) -> None:
        if self._pending and self._task is None:
            self._task = asyncio.create_task(self._flush_pending())

    def on_fork(self, last_valid_position: int) -> None:
        for subscriber in [candidate for candidate in self._subscribers if candidate.position > last_valid_position]:
            subscriber.fail(cursor_forked())
        for reader in tuple(self.readers):
            reader.restart()
        self._pending = deque(position for position in self._pending if position <= last_valid_position)
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.flush()

    def on_retention_gap(self) -> None:
        for subscriber in tuple(self.live_subscribers):
            self.live_subscribers.discard(subscriber)
            subscriber.catch_up()

    def keep_alive(self, last_position: int) -> None:
        if self._task is None:
            deadline = monotonic() - PROGRESS_INTERVAL
            for subscriber in [candidate for candidate in self.live_subscribers if candidate.last_sent_at < deadline]:
                subscriber.send_progress(last_position)

    async def _flush_pending(self) -> None:
        try:
            while self._pending and self.live_subscribers:
                positions = [self._pending[index] for index in range(min(RENDER_BATCH, len(self._pending)))]
                try:
                    rendered = await self.context.feed.render(self.source, positions)
                except Unavailable:
                    await asyncio.sleep(RETRY_DELAY)
                    continue
                for position, message in rendered:
                    self.fan_out(self.live_subscribers, position, message)
                    if len(self.live_subscribers) > YIELD_ABOVE:
                        await asyncio.sleep(0)
                for _ in positions:
                    self._pending.popleft()
            self._pending.clear()
        except Exception as error:
            if not isinstance(error, HubError):
                emit(InternalFailure("", "telling changes to subscribers", error))
                error = Internal("The hub failed; its log says why.")
            self._pending.clear()
            for subscriber in tuple(self._subscribers):
                subscriber.fail(error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    def fan_out(self, recipients: set[StreamSubscriber], position: int, message: bytes) -> None:
        """One change to those of them who were not told it yet; who has no room for it is left to read on by itself."""
        feed = self.context.feed
        cursor = feed.cursor(position)
        payloads: dict[str, bytes] = {}
        for subscriber in tuple(recipients):
            if position <= subscriber.position:
                continue
            if subscriber.sink.is_backpressured:
                recipients.discard(subscriber)
                subscriber.catch_up()
                continue
            payload = payloads.get(subscriber.previous_cursor)
            if payload is None:
                payload = payloads[subscriber.previous_cursor] = response_payload(
                    self.source, feed.with_previous_cursor(message, subscriber.previous_cursor)
                )
            subscriber.send(payload, position, cursor)


def response_payload(source: SubscriptionSource, message: bytes) -> bytes:
    """A message as a whole response."""
    return b'{"data":{' + orjson.dumps(source.response_key) + b":" + message + b"}}"
