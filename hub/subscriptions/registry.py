"""The registry of subscriptions: opens them for the transports, follows the change feed and dispatches changes to groups.

Subscribers with the same document, variables and rights form a group, which runs each statement once. change_streams.py
sends changes; live_queries.py sends query results."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from hub.changefeed.feed import SCAN_BATCH, ChangeFeed
from hub.db.change_positions import CursorExpired
from hub.db.database_errors import report_failure
from hub.db.fair_queue import FairQueue, Flow
from hub.engine.document.documents import InvalidDocument
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.engine.request import GraphQLRequest, formatted_errors
from hub.errors import HubError
from hub.observability import ChangesSequenced, Event, InternalFailure, add_handler, emit
from hub.subscriptions.change_streams import RETRY_DELAY, StreamGroup
from hub.subscriptions.interfaces import MessageSink, OpenSubscription, SubscriptionRejected
from hub.subscriptions.live_queries import LiveQueryGroup
from hub.subscriptions.live_shares import LiveShares
from hub.subscriptions.routing import SubscriberGroup, SubscriptionIndex
from hub.viewer import Viewer

POLL = 0.01  # seconds between polls for new changes; changes that this process sequences wake the loop at once
# Seconds between checks for idle streams and for a restored database.
KEEPALIVE_INTERVAL = 5.0


class SubscriptionCompiler(Protocol):
    """The part of the engine that this package uses."""

    async def subscription_source(
        self, request: GraphQLRequest, viewer: Viewer, *, by_hub: bool = False, charged: bool = True
    ) -> SubscriptionSource: ...


class SubscriptionRegistry:
    """All subscriptions of one process. `live_shares` limits the groups that run for every change of a table."""

    def __init__(self, engine: SubscriptionCompiler, feed: ChangeFeed, live_shares: LiveShares) -> None:
        self.feed = feed
        self.last_position = 0
        self.catch_up_lock = FairQueue(1)
        self._engine = engine
        self._live_shares = live_shares
        self._groups: dict[tuple[str, ...], SubscriberGroup] = {}
        self._index = SubscriptionIndex()
        self._wakeup = asyncio.Event()
        self._has_subscribers = asyncio.Event()
        feed.on_fork = self._on_fork

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        """Opens a subscription; raises SubscriptionRejected if it cannot run."""
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
        # The last await before the group exists: during an earlier one, the only other subscriber could leave.
        await self._ensure_following()
        group = self._groups.get(source.group_key)
        if not isinstance(group, StreamGroup):
            group = StreamGroup(source, self)
        self._live_shares.join(source.group_key, source.flow, limited=source.is_unselective)
        self._add_group(group)
        return group.subscribe(source, sink, self.last_position if position is None else position)

    async def _open_live(self, source: SubscriptionSource, sink: MessageSink) -> OpenSubscription:
        await self._ensure_following()
        group = self._groups.get(source.group_key)
        if not isinstance(group, LiveQueryGroup):
            group = LiveQueryGroup(source, self)
        self._live_shares.join(source.group_key, source.flow, limited=True)
        self._add_group(group)
        return group.subscribe(sink, source.flow, source.account)

    def _add_group(self, group: SubscriberGroup) -> None:
        """Adds a group unless it was added before."""
        if group.source.group_key not in self._groups:
            self._groups[group.source.group_key] = group
            self._index.add(group)

    def on_leave(self, group: SubscriberGroup, flow: Flow) -> None:
        """Called when a subscriber has left a group."""
        self._live_shares.leave(group.source.group_key, flow)

    def flow(self, group: SubscriberGroup) -> Flow:
        """The flow whose turns the group's statements take."""
        return self._live_shares.flow(group.source.group_key)

    def remove_group(self, group: SubscriberGroup) -> None:
        """Removes an empty group. A repeated call does not remove a newer group with the same key."""
        if self._groups.get(group.source.group_key) is group:
            del self._groups[group.source.group_key]
            self._index.remove(group)
        if not self._groups:
            self._has_subscribers.clear()

    async def _ensure_following(self) -> None:
        """Starts following the feed if needed. The last position is read before a subscriber joins a group."""
        if not self._has_subscribers.is_set():
            last_position = (await self.feed.refresh()).last_position
            if not self._has_subscribers.is_set():
                self.last_position = last_position
                self._has_subscribers.set()

    # -- following ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SubscriptionRegistry"]:
        """Follows the change feed while the body runs and there are subscribers."""
        tasks = [asyncio.create_task(self._follow_loop()), asyncio.create_task(self._keepalive_loop())]
        remove_handler = add_handler(self._on_event, ChangesSequenced)
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
                # A database outage or a defect delays the subscribers, but loses no change.
                report_failure("following the change feed", error)
                more = False
                await asyncio.sleep(RETRY_DELAY)
            if not more:
                with suppress(TimeoutError):  # not wait_for, which may swallow a cancellation
                    async with asyncio.timeout(POLL):
                        await self._wakeup.wait()

    async def _dispatch_new(self, *, sequenced: bool) -> bool:
        """Dispatches new changes to the groups; returns whether there may be more."""
        start_position = self.last_position
        try:
            headers = await self.feed.headers_after(start_position, sequenced=sequenced)
        except CursorExpired:
            await self._on_retention_gap()
            return True
        if self.last_position != start_position:
            return True  # a fork has set the position back meanwhile
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
        """Handles a restored database: streams beyond the last valid position fail, the others continue."""
        self.last_position = min(self.last_position, max(last_valid_position, first_available_position - 1))
        for group in tuple(self._groups.values()):
            group.on_fork(last_valid_position)

    async def _on_retention_gap(self) -> None:
        """Handles a gap: this process paused for longer than the log's retention. All streams catch up and report it."""
        self.last_position = (await self.feed.refresh()).least_position - 1
        for group in tuple(self._groups.values()):
            group.on_retention_gap()

    async def _keepalive_loop(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_INTERVAL)
            try:
                await self.feed.refresh()  # a restored database may have reached the same position again
            except Exception as error:
                if not isinstance(error, HubError):
                    emit(InternalFailure("", "keeping streams alive", error))
            for group in tuple(self._groups.values()):
                group.keep_alive(self.last_position)
