"""Who is subscribed: opens streams for the transports of web/, follows the order of changes, and tells groups what concerns them.

Subscribers of the same document, values and rights are a group, for which everything is run once. How changes are told is
changes.py's, how live answers are, live.py's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from hub.changefeed.feed import SCAN, Feed
from hub.db.change_positions import Forgotten
from hub.db.semaphore import Turns
from hub.engine.document.documents import DocumentError
from hub.engine.engine import Request, errors_of
from hub.engine.execution.subscriptions import Watch
from hub.errors import HubError, LimitExceeded
from hub.observability import Failed, Placed, Record, listen, tell
from hub.subscriptions.change_streams import AWAY, ChangeGroup
from hub.subscriptions.interfaces import Refused, Sink, Stream
from hub.subscriptions.live_queries import LiveGroup
from hub.subscriptions.routing import Group, Routes
from hub.viewer import Viewer

POLL = 0.01  # seconds between looks for new changes; what is placed by this very process is looked at at once
LIFE = 5.0  # seconds between looks at who has been quiet, and at whether the order is still the one that was followed


class Watches(Protocol):
    """The engine, as far as this room knows it."""

    async def watch(self, request: Request, viewer: Viewer) -> Watch: ...


class Subscriptions:
    """All subscriptions of one process; `most_live` bounds the groups that are run for any change of a table."""

    def __init__(self, engine: Watches, feed: Feed, most_live: int) -> None:
        self.feed = feed
        self.head = 0
        self.line = Turns(1)
        self._engine = engine
        self._most_live = most_live
        self._groups: dict[tuple[str, ...], Group] = {}
        self._wide: set[tuple[str, ...]] = set()
        self._routes = Routes()
        self._woken = asyncio.Event()
        self._anybody = asyncio.Event()
        feed.forked = self._forked

    async def open(self, request: Request, viewer: Viewer, sink: Sink) -> Stream:
        """Begins a subscription; raises Refused when it cannot be run."""
        try:
            watch = await self._engine.watch(request, viewer)
            if watch.live:
                return await self._live(watch, sink)
            return await self._changes(watch, sink, request.resume or watch.after)
        except DocumentError as refused:
            raise Refused(errors_of(refused, viewer)) from None
        except HubError as error:
            raise Refused([error.to_graphql()]) from None

    async def _changes(self, watch: Watch, sink: Sink, after: str | None) -> Stream:
        position = None if after is None else await self.feed.behind(after)
        await self._follow()  # at last: who leaves while something else is awaited may have been the only one
        group = self._groups.get(watch.same)
        if not isinstance(group, ChangeGroup):
            group = ChangeGroup(watch, self)
            self._enter(group, wide=watch.wide)
        return group.subscribe(watch, sink, self.head if position is None else position)

    async def _live(self, watch: Watch, sink: Sink) -> Stream:
        await self._follow()
        group = self._groups.get(watch.same)
        if not isinstance(group, LiveGroup):
            group = LiveGroup(watch, self)
            self._enter(group, wide=True)
        return group.subscribe(sink)

    def _enter(self, group: Group, *, wide: bool) -> None:
        """A new group; raises LIVE_LIMIT for one too many of those for which every change of a table costs a statement."""
        if wide:
            if len(self._wide) >= self._most_live:
                message = (
                    f"{self._most_live} different live answers and streams of whole tables are told here already;"
                    " name a customer or ids, or share one's document and variables."
                )
                raise LimitExceeded(message, code="LIVE_LIMIT", extensions={"limit": self._most_live})
            self._wide.add(group.watch.same)
        self._groups[group.watch.same] = group
        self._routes.add(group)

    def leave(self, group: Group) -> None:
        """The group is empty; said again later, it must not take along another one that was made since."""
        if self._groups.get(group.watch.same) is group:
            del self._groups[group.watch.same]
            self._wide.discard(group.watch.same)
            self._routes.remove(group)
        if not self._groups:
            self._anybody.clear()

    async def _follow(self) -> None:
        """Follows from now on, if it does not yet: the head is known before anybody joins a group."""
        if not self._anybody.is_set():
            head = (await self.feed.refresh()).head
            if not self._anybody.is_set():
                self.head = head
                self._anybody.set()

    # -- following ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Subscriptions"]:
        """Follows the order of changes while the body runs and somebody is subscribed."""
        tasks = [asyncio.create_task(self._followed()), asyncio.create_task(self._look_after())]
        unlisten = listen(self._hear)
        try:
            yield self
        finally:
            unlisten()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self, record: Record) -> None:
        if isinstance(record, Placed):
            self._woken.set()

    async def _followed(self) -> None:
        while True:
            await self._anybody.wait()
            placed = self._woken.is_set()
            self._woken.clear()
            try:
                more = await self._look(placed=placed)
            except HubError:
                more = False
                await asyncio.sleep(AWAY)
            except Exception as error:
                # The database is away, or we are at fault: either way whoever is subscribed waits, and loses nothing.
                tell(Failed("", "following the order of changes", error))
                more = False
                await asyncio.sleep(AWAY)
            if not more:
                with suppress(TimeoutError):  # not wait_for, which may swallow that the task is cancelled
                    async with asyncio.timeout(POLL):
                        await self._woken.wait()

    async def _look(self, *, placed: bool) -> bool:
        """Tells the groups of what is new; whether there may be more."""
        asked = self.head
        try:
            heads = await self.feed.since(asked, placed=placed)
        except Forgotten:
            await self._forgotten()
            return True
        if self.head != asked:
            return True  # it was set back meanwhile
        hearing: set[Group] = set()
        for head in heads:
            for group in self._routes.concerned(head):
                group.hear(head)
                hearing.add(group)
        if heads:
            self.head = heads[-1].position
        for group in hearing:
            group.run()
        return len(heads) == SCAN

    def _forked(self, end: int, least: int) -> None:
        """The database was put back under this hub: whoever was told more is told so, the others go on from there."""
        self.head = min(self.head, max(end, least - 1))
        for group in tuple(self._groups.values()):
            group.forked(end)

    async def _forgotten(self) -> None:
        """This hub slept for longer than changes are kept: everybody reads on from the log, and is told of the gap."""
        self.head = (await self.feed.refresh()).least_position - 1
        for group in tuple(self._groups.values()):
            group.forgotten()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LIFE)
            try:
                await self.feed.refresh()  # a database that was put back may have come just as far again
            except Exception as error:
                if not isinstance(error, HubError):
                    tell(Failed("", "looking after streams", error))
            for group in tuple(self._groups.values()):
                group.quiet(self.head)
