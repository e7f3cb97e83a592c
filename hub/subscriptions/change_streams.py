"""Change streams: send each change once, in order, from the requested cursor on.

The log is the queue. Live subscribers get each message as the group's statement returns it. A subscriber under
backpressure is detached. After the drain it catches up from the log, sharing a reader with others at a similar position."""

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
from hub.db.fair_queue import FairQueue, Flow
from hub.engine.budgets import CostAccount, payer
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.errors import HubError, Internal, Unavailable
from hub.observability import InternalFailure, emit
from hub.subscriptions.interfaces import MessageSink

SLOW_BATCH = 10  # changes in the first batch of a subscriber that was under backpressure
SHARED_READER_RANGE = 500  # a subscriber joins a reader that is at most this many changes behind it
YIELD_ABOVE = 200  # with more recipients per change, the event loop runs other tasks between two changes
RETRY_DELAY = 0.5  # seconds before a retry while the database is unavailable
PROGRESS_INTERVAL = 15.0  # seconds without a message, after which a stream sends its progress


class GroupContext(Protocol):
    """The part of the registry that a stream group uses."""

    feed: ChangeFeed
    # Held by one catch-up reader at a time, so that live subscribers never wait for all readers.
    catch_up_lock: FairQueue

    @property
    def last_position(self) -> int:
        """The last position that was dispatched to all groups."""

    def flow(self, group: "StreamGroup") -> Flow:
        """The flow whose turns the group's statements take."""

    def remove_group(self, group: "StreamGroup") -> None:
        """Removes a group that has no subscribers left."""

    def on_leave(self, group: "StreamGroup", flow: Flow) -> None:
        """Called when a subscriber has left the group."""


class StreamSubscriber:
    """One change stream and its position."""

    def __init__(self, group: "StreamGroup", source: SubscriptionSource, sink: MessageSink, position: int) -> None:
        self._group = group
        self._source = source
        self.flow = source.flow
        self.account: CostAccount | None = source.account
        self.sink = sink
        self.position = position  # every matching change up to here was sent
        self.previous_cursor = group.context.feed.cursor(position)
        self.last_sent_at = monotonic()
        self.reader: CatchUpReader | None = None
        self._ready_sent = False
        self._drain_task: asyncio.Task[None] | None = None

    def catch_up(self) -> None:
        """Catches up from the log, after the drain if the sink is under backpressure, until it is live again."""
        self.reader = None
        if self.sink.is_backpressured:
            self._drain_task = asyncio.create_task(self._catch_up_when_drained())
        else:
            self._group.catch_up(self, RENDER_BATCH)

    async def _catch_up_when_drained(self) -> None:
        with suppress(ConnectionError):  # the client has disconnected; the transport will cancel this stream
            await self.sink.drained()
            # Messages that did not fit were not buffered. They are read again from the log, in small batches at first.
            self._group.catch_up(self, SLOW_BATCH)

    def cancel(self) -> None:
        """Ends the stream without a message."""
        if self._drain_task is not None:
            self._drain_task.cancel()
        self._group.remove(self)

    def close_with_reason(self, reason: str) -> None:
        """Ends the stream with a StreamGap, whose cursor the client can resume from; with an error if none is selected."""
        self.cancel()
        cursor = self.previous_cursor
        messages = control_messages.gap(self._source.message_fields, cursor, cursor, reason)
        self._send_control(messages, cursor)
        self.sink.end(() if messages else [stream_ended(reason).to_graphql()])

    def fail(self, error: HubError) -> None:
        """Ends the stream with an error."""
        self.cancel()
        self.sink.end([error.to_graphql()])

    def send(self, payload: bytes, position: int, cursor: str) -> None:
        """Sends one change, which must be the next matching one."""
        self.sink.send(payload, cursor.encode())
        self.position, self.previous_cursor, self.last_sent_at = position, cursor, monotonic()

    def send_progress(self, position: int) -> None:
        """Sends StreamProgress: no change up to `position` matches."""
        self.position, self.last_sent_at = max(self.position, position), monotonic()
        cursor = self._group.context.feed.cursor(self.position)
        self._send_control(control_messages.progress(self._source.message_fields, cursor), cursor)

    def _send_control(self, messages: list[bytes], cursor: str) -> None:
        """Sends control messages. A client can resume from their cursor."""
        for message in messages:
            self.sink.send(response_payload(self._source, message), cursor.encode())
            self.previous_cursor = cursor

    def switch_to_live(self) -> None:
        """Ends the catch-up: sends StreamReady once and joins the group's live subscribers."""
        self.reader = None
        if not self._ready_sent:
            self._ready_sent = True
            cursor = self._group.context.feed.cursor(self.position)
            self._send_control(control_messages.ready(self._source.message_fields, cursor), cursor)
        self._group.live_subscribers.add(self)

    def skip_expired(self, position: int, cursor: str) -> None:
        """Sends a StreamGap for the changes that are no longer stored, and continues after them."""
        messages = control_messages.gap(self._source.message_fields, self.previous_cursor, cursor, "RETENTION")
        self._send_control(messages, cursor)
        self.position, self.previous_cursor = position, cursor


class CatchUpReader:
    """Reads the log once for all subscribers of a group that are behind at similar positions, until they are live."""

    def __init__(self, group: "StreamGroup", position: int, batch_size: int) -> None:
        self.members: set[StreamSubscriber] = set()
        self._group = group
        self._position = position  # every member has all matching changes up to here
        self._batch_size = batch_size
        self._task = asyncio.create_task(self._read())

    def covers(self, position: int) -> bool:
        """Whether a subscriber at `position` can join: it misses nothing, and the reader reaches it soon."""
        return self._position <= position < self._position + SHARED_READER_RANGE

    def remove(self, subscriber: StreamSubscriber) -> None:
        """Removes a member, and stops with the last one."""
        self.members.discard(subscriber)
        if not self.members:
            self._group.readers.discard(self)
            self._task.cancel()

    def restart(self) -> None:
        """Discards the batch in progress, because the database may have lost its changes."""
        self._task.cancel()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self.members:
            try:
                await self._read_step()
            except Unavailable:
                self._batch_size = max(
                    1, self._batch_size // 2
                )  # a smaller batch may stay within the statement timeout
                await asyncio.sleep(RETRY_DELAY)
            except Exception as error:
                self._fail(error)
        self._group.readers.discard(self)

    async def _read_step(self) -> None:
        """Reads one page, or skips the changes that are no longer stored."""
        try:
            await self._read_page()
        except CursorExpired:
            await self._skip_expired()

    async def _read_page(self) -> None:
        """Reads one page of the log; at its end, the members become live."""
        context = self._group.context
        if self._position >= context.last_position:  # the group dispatches later changes
            while self.members:
                self.members.pop().switch_to_live()
            return
        self._group.choose_payer()
        async with context.catch_up_lock.turn(self._group.source.flow):
            headers = await context.feed.headers_after(self._position)
        if not headers:  # the database was restored, and no sequencer leads yet
            await asyncio.sleep(RETRY_DELAY)
            return
        positions = [header.position for header in headers if may_concern(self._group.source, header)]
        while positions and self.members:
            batch, positions = positions[: self._batch_size], positions[self._batch_size :]
            for position, message in await context.feed.render(self._group.source, batch):
                self._position = position  # set before the fan-out, so that a detached member cannot rejoin this reader
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
        client_error = error_for_client(error, "catching up change streams")
        for member in tuple(self.members):
            member.fail(client_error)


class StreamGroup:
    """The subscribers of one change stream. One statement serves all live ones, and one serves each shared reader."""

    def __init__(self, source: SubscriptionSource, context: GroupContext) -> None:
        self.source = source
        self.context = context
        self.live_subscribers: set[StreamSubscriber] = set()
        self.readers: set[CatchUpReader] = set()
        self._subscribers: set[StreamSubscriber] = set()
        self._pending: deque[int] = deque()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, source: SubscriptionSource, sink: MessageSink, position: int) -> StreamSubscriber:
        """Opens a stream of the changes after `position`."""
        subscriber = StreamSubscriber(self, source, sink, position)
        self._subscribers.add(subscriber)
        subscriber.catch_up()
        return subscriber

    def catch_up(self, subscriber: StreamSubscriber, batch_size: int) -> None:
        """Adds a subscriber to a reader that covers its position, or to a new one with this first batch size."""
        reader = None
        if subscriber.position < self.context.last_position:  # else it needs no catch-up
            reader = next((other for other in self.readers if other.covers(subscriber.position)), None)
        if reader is None:
            reader = CatchUpReader(self, subscriber.position, batch_size)
            self.readers.add(reader)
        reader.members.add(subscriber)
        subscriber.reader = reader

    def remove(self, subscriber: StreamSubscriber) -> None:
        """Removes a subscriber, and the group itself with the last one."""
        self.live_subscribers.discard(subscriber)
        if subscriber.reader is not None:
            subscriber.reader.remove(subscriber)
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self.context.on_leave(self, subscriber.flow)
        if not self._subscribers:
            self.context.remove_group(self)

    def choose_payer(self) -> None:
        """Chooses whose turns the next statement takes, and who pays for it."""
        self.source.flow = self.context.flow(self)
        self.source.account = payer(subscriber.account for subscriber in self._subscribers)

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

    def on_redirect(self) -> None:
        """Does nothing: the changes that come next are those of the other row."""

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
                self.choose_payer()
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
            client_error = error_for_client(error, "sending changes to subscribers")
            self._pending.clear()
            for subscriber in tuple(self._subscribers):
                subscriber.fail(client_error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    def fan_out(self, recipients: set[StreamSubscriber], position: int, message: bytes) -> None:
        """Sends a change to each recipient that does not have it yet; one under backpressure is detached to catch up."""
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


def stream_ended(reason: str) -> HubError:
    """The error of a stream that the hub ends for a reason: STOPPING, SLOW_CONSUMER or PERMISSIONS_CHANGED."""
    message = f"The hub ended this stream ({reason}); subscribe again."
    return Unavailable(message, code="STREAM_ENDED", extensions={"reason": reason})


def error_for_client(error: Exception, activity: str) -> HubError:
    """Returns the error that subscribers receive. An internal failure is logged and not disclosed."""
    if isinstance(error, HubError):
        return error
    emit(InternalFailure("", activity, error))
    return Internal("The hub failed; its log says why.")


def response_payload(source: SubscriptionSource, message: bytes) -> bytes:
    """Wraps a message as a whole GraphQL response."""
    return b'{"data":{' + orjson.dumps(source.response_key) + b":" + message + b"}}"
