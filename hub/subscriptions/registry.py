"""Who is subscribed: opens streams for the transports of web/, follows the order of changes, and tells groups what concerns them.

Subscribers of the same document, values and rights are a group, for which everything is run once. How changes are told is
change_streams.py's, how live answers are, live_queries.py's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from hub.changefeed.feed import SCAN_BATCH, ChangeFeed
from hub.db.change_positions import CursorExpired
from hub.db.semaphore import FifoSemaphore
from hub.engine.document.documents import InvalidDocument
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.engine.request import GraphQLRequest, formatted_errors
from hub.errors import HubError, LimitExceeded
from hub.observability import ChangesSequenced, Event, InternalFailure, add_handler, emit
from hub.subscriptions.change_streams import RETRY_DELAY, StreamGroup
from hub.subscriptions.interfaces import MessageSink, OpenSubscription, SubscriptionRejected
from hub.subscriptions.live_queries import LiveQueryGroup
from hub.subscriptions.routing import SubscriberGroup, SubscriptionIndex
from hub.viewer import Viewer

POLL = 0.01  # seconds between looks for new changes; what is sequenced by this very process is looked at at once
# Seconds between looks at who has been quiet, and at whether the order is still the one that was followed.
KEEPALIVE_INTERVAL = 5.0


class SubscriptionCompiler(Protocol):
    """The engine, as far as this package knows it."""

    async def subscription_source(self, request: GraphQLRequest, viewer: Viewer) -> SubscriptionSource: ...


class SubscriptionRegistry:
    """All subscriptions of one process; `max_unselective` bounds the groups that are run for any change of a table."""

    def __init__(self, engine: SubscriptionCompiler, feed: ChangeFeed, max_unselective: int) -> None:
        self.feed = feed
        self.last_position = 0
        self.catch_up_lock = FifoSemaphore(1)
        self._engine = engine
        self._max_unselective = max_unselective
        self._groups: dict[tuple[str, ...], SubscriberGroup] = {}
        self._unselective: set[tuple[str, ...]] = set()
        self._index = SubscriptionIndex()
        self._wakeup = asyncio.Event()
        self._has_subscribers = asyncio.Event()
        feed.on_fork = self._on_fork

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        """Begins a subscription; raises SubscriptionRejected when it cannot be run."""
        try:
            source = await self._engine.subscription_source(request, viewer)
            if source.is_live:
                return await self._open_live(source, sink)
            return await self._open_changes(source, sink, request.resume or source.after)
        except InvalidDocument as document_error:
            raise SubscriptionRejected(formatted_errors(document_error, viewer)) from None
        except HubError as error:
            raise SubscriptionRejected([error.to_graphql()]) from None

    async def _open_changes(self, source: SubscriptionSource, sink: MessageSink, after: str | None) -> OpenSubscription:
        position = None if after is None else await self.feed.position_at_cursor(after)
        await self._ensure_following()  # at last: who leaves while something else is awaited may have been the only one
        group = self._groups.get(source.group_key)
        if not isinstance(group, StreamGroup):
            group = StreamGroup(source, self)
            self._add_group(group, unselective=source.is_unselective)
        return group.subscribe(source, sink, self.last_position if position is None else position)

    async def _open_live(self, source: SubscriptionSource, sink: MessageSink) -> OpenSubscription:
        await self._ensure_following()
        group = self._groups.get(source.group_key)
        if not isinstance(group, LiveQueryGroup):
            group = LiveQueryGroup(source, self)
            self._add_group(group, unselective=True)
        return group.subscribe(sink)

    def _add_group(self, group: SubscriberGroup, *, unselective: bool) -> None:
        """A new group; raises LIVE_LIMIT for one too many of those for which every change of a table costs a statement."""
        if unselective:
            if len(self._unselective) >= self._max_unselective:
                message = (
                    f"{self._max_unselective} different live answers and streams of whole tables are told here already;"
                    " name a customer or ids, or share one's document and variables."
                )
                raise LimitExceeded(message, code="LIVE_LIMIT", extensions={"limit": self._max_unselective})
            self._unselective.add(group.source.group_key)
        self._groups[group.source.group_key] = group
        self._index.add(group)

    def remove_group(self, group: SubscriberGroup) -> None:
        """The group is empty; said again later, it must not take along another one that was made since."""
        if self._groups.get(group.source.group_key) is group:
            del self._groups[group.source.group_key]
            self._unselective.discard(group.source.group_key)
            self._index.remove(group)
        if not self._groups:
            self._has_subscribers.clear()

    async def _ensure_following(self) -> None:
        """Follows from now on, if it does not yet: the last position is known before anybody joins a group."""
        if not self._has_subscribers.is_set():
            last_position = (await self.feed.refresh()).last_position
            if not self._has_subscribers.is_set():
                self.last_position = last_position
                self._has_subscribers.set()

    # -- following ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SubscriptionRegistry"]:
        """Follows the order of changes while the body runs and somebody is subscribed."""
        tasks = [asyncio.create_task(self._follow_loop()), asyncio.create_task(self._keepalive_loop())]
        remove_handler = add_handler(self._on_event)
        try:
            yield self
        finally:
            remove_handler()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ChangesSequenced):
            self._wakeup.set()

    async def _follow_loop(self) -> None:
        while True:
            await self._has_subscribers.wait()
            sequenced = self._wakeup.is_set()
            self._wakeup.clear()
            try:
                more = await self._dispatch_new(sequenced=sequenced)
            except HubError:
                more = False
                await asyncio.sleep(RETRY_DELAY)
            except Exception as error:
                # The database is away, or we are at fault: either way whoever is subscribed waits, and loses nothing.
                emit(InternalFailure("", "following the order of changes", error))
                more = False
                await asyncio.sleep(RETRY_DELAY)
            if not more:
                with suppress(TimeoutError):  # not wait_for, which may swallow that the task is cancelled
                    async with asyncio.timeout(POLL):
                        await self._wakeup.wait()

    async def _dispatch_new(self, *, sequenced: bool) -> bool:
        """Tells the groups of what is new; whether there may be more."""
        start_position = self.last_position
        try:
            headers = await self.feed.headers_after(start_position, sequenced=sequenced)
        except CursorExpired:
            await self._on_retention_gap()
            return True
        if self.last_position != start_position:
            return True  # it was set back meanwhile
        notified: set[SubscriberGroup] = set()
        for header in headers:
            for group in self._index.matching_groups(header):
                group.enqueue(header)
                notified.add(group)
        if headers:
            self.last_position = headers[-1].position
        for group in notified:
            group.flush()
        return len(headers) == SCAN_BATCH

    def _on_fork(self, last_valid_position: int, first_available_position: int) -> None:
        """The database was put back under this hub: whoever was told more is told so, the others go on from there."""
        self.last_position = min(self.last_position, max(last_valid_position, first_available_position - 1))
        for group in tuple(self._groups.values()):
            group.on_fork(last_valid_position)

    async def _on_retention_gap(self) -> None:
        """This hub slept for longer than changes are kept: everybody reads on from the log, and is told of the gap."""
        self.last_position = (await self.feed.refresh()).least_position - 1
        for group in tuple(self._groups.values()):
            group.on_retention_gap()

    async def _keepalive_loop(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_INTERVAL)
            try:
                await self.feed.refresh()  # a database that was put back may have come just as far again
            except Exception as error:
                if not isinstance(error, HubError):
                    emit(InternalFailure("", "looking after streams", error))
            for group in tuple(self._groups.values()):
                group.keep_alive(self.last_position)
