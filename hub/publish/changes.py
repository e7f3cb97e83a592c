"""Tells changes to those who subscribed to them: each once, in order, from the cursor that was named.

The log is the queue. Who keeps up is told what the group's statement gives, as it comes; who does not is left alone until there
is room again, and then reads on from the log by himself."""

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol

import orjson

from hub.db.positions import Forgotten
from hub.engine.watching import Watch
from hub.errors import HubError, Internal, Unavailable
from hub.observe import Failed, tell
from hub.publish import messages
from hub.publish.cursors import forked
from hub.publish.feed import RUN, Feed, Head, concerns
from hub.publish.streams import Sink

LEAST = 10  # changes that are told at once to who has room for few
AWAY = 0.5  # seconds until it is tried again, when the database is away
QUIET = 15.0  # seconds after which a stream gives a sign of life


class Desk(Protocol):
    """What a group needs of the whole."""

    feed: Feed

    @property
    def head(self) -> int:
        """The last position that all groups were told of."""

    def leave(self, group: "ChangeGroup") -> None:
        """Nobody is in the group any more."""


class Subscriber:
    """One stream of changes: how far it was told."""

    def __init__(self, group: "ChangeGroup", watch: Watch, sink: Sink, position: int) -> None:
        self._group = group
        self._watch = watch
        self.sink = sink
        self.position = position  # everything up to here is told, or does not concern it
        self.previous = group.desk.feed.cursor(position)
        self.told_at = monotonic()
        self._run = RUN
        self._ready = False
        self._task: asyncio.Task[None] | None = None

    def read_on(self) -> None:
        """Reads on from the log until it has caught up with the group."""
        self._task = asyncio.create_task(self._catch_up())

    def stop(self) -> None:
        """Ends it without a word."""
        if self._task is not None:
            self._task.cancel()
        self._group.leave(self)

    def cut(self, reason: str) -> None:
        """Ends it with what the client can go on from."""
        self.stop()
        self._say(messages.gap(self._watch.messages, self.previous, self.previous, reason), self.previous)
        self.sink.end()

    def fail(self, error: HubError) -> None:
        """Ends it with an error."""
        self.stop()
        self.sink.end([error.to_graphql()])

    def tell(self, frame: bytes, position: int, cursor: str) -> None:
        """One message, which must be the next that concerns it."""
        self.sink.send(frame, cursor.encode())
        self.position, self.previous, self.told_at = position, cursor, monotonic()

    def alive(self, position: int) -> None:
        """A sign of life, with how far nothing concerned it."""
        self.position, self.told_at = position, monotonic()
        cursor = self._group.desk.feed.cursor(position)
        self._say(messages.progress(self._watch.messages, cursor), cursor)

    def _say(self, said: list[bytes], cursor: str) -> None:
        """What tells no change; whoever was told it can go on from its cursor."""
        for each in said:
            self.sink.send(framed(self._watch, each), cursor.encode())
            self.previous = cursor

    async def _catch_up(self) -> None:
        while True:
            try:
                if self.sink.full:
                    await self.sink.room()
                if await self._step():
                    return
            except Unavailable:
                await asyncio.sleep(AWAY)
            except HubError as error:
                self.fail(error)
                return
            except Exception as error:
                tell(Failed("", "reading changes for a stream", error))
                self.fail(Internal("The hub failed; its log says why."))
                return

    async def _step(self) -> bool:
        """A page, or a word that there is none; whether that was the last."""
        try:
            return await self._page()
        except Forgotten:
            await self._skip()
            return False

    async def _page(self) -> bool:
        """One page of the log; whether that was the last, and the group tells the rest."""
        desk = self._group.desk
        if self.position >= desk.head:  # what comes after it, the group will hear
            self._join()
            return True
        heads = await desk.feed.since(self.position)
        wanted = [head.position for head in heads if concerns(self._watch, head)]
        while wanted:
            some, wanted = wanted[: self._run], wanted[self._run :]
            told = await desk.feed.told(self._watch, some)
            for number, (position, message) in enumerate(told):
                if self.sink.full:
                    # What there is no room for is not kept, however long it takes: it is read again then, a little at a time.
                    self._run = max(LEAST, number)
                    return False
                frame = framed(self._watch, desk.feed.marked(message, self.previous))
                self.tell(frame, position, desk.feed.cursor(position))
            self._run = min(RUN, 2 * self._run)
        if heads:
            self.position = heads[-1].position
        return False

    def _join(self) -> None:
        self._task = None
        if not self._ready:
            self._ready = True
            cursor = self._group.desk.feed.cursor(self.position)
            self._say(messages.ready(self._watch.messages, cursor), cursor)
        self._group.keeping_up.add(self)

    async def _skip(self) -> None:
        """What it should read next is no longer kept: say so, and go on with what is."""
        standing = await self._group.desk.feed.refresh()
        self.position = standing.least_position - 1
        cursor = self._group.desk.feed.cursor(self.position)
        self._say(messages.gap(self._watch.messages, self.previous, cursor, "RETENTION"), cursor)
        self.previous = cursor


class ChangeGroup:
    """Those who are told the same changes: the statement is run once for all who keep up."""

    def __init__(self, watch: Watch, desk: Desk) -> None:
        self.watch = watch
        self.desk = desk
        self.keeping_up: set[Subscriber] = set()
        self._subscribers: set[Subscriber] = set()
        self._heard: deque[int] = deque()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, watch: Watch, sink: Sink, position: int) -> Subscriber:
        """A new stream behind a position."""
        made = Subscriber(self, watch, sink, position)
        self._subscribers.add(made)
        made.read_on()
        return made

    def leave(self, subscriber: Subscriber) -> None:
        """One less."""
        self.keeping_up.discard(subscriber)
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            self.desk.leave(self)

    def hear(self, head: Head) -> None:
        if self.keeping_up:
            self._heard.append(head.position)

    def run(self) -> None:
        if self._heard and self._task is None:
            self._task = asyncio.create_task(self._run())

    def forked(self, end: int) -> None:
        for each in [one for one in self._subscribers if one.position > end]:
            each.fail(forked())

    def quiet(self, head: int) -> None:
        if self._task is None:
            late = monotonic() - QUIET
            for each in [one for one in self.keeping_up if one.told_at < late]:
                each.alive(head)

    async def _run(self) -> None:
        try:
            while self._heard and self.keeping_up:
                wanted = [self._heard[at] for at in range(min(RUN, len(self._heard)))]
                try:
                    told = await self.desk.feed.told(self.watch, wanted)
                except Unavailable:
                    await asyncio.sleep(AWAY)
                    continue
                for position, message in told:
                    self._deliver(position, message)
                for _ in wanted:
                    self._heard.popleft()
            self._heard.clear()
        except Exception as error:
            if not isinstance(error, HubError):
                tell(Failed("", "telling changes to subscribers", error))
                error = Internal("The hub failed; its log says why.")
            self._heard.clear()
            for each in tuple(self._subscribers):
                each.fail(error)
        finally:
            self._task = None

    def _deliver(self, position: int, message: bytes) -> None:
        feed = self.desk.feed
        cursor = feed.cursor(position)
        frames: dict[str, bytes] = {}
        for each in tuple(self.keeping_up):
            if position <= each.position:
                continue
            if each.sink.full:
                self.keeping_up.discard(each)
                each.read_on()
                continue
            frame = frames.get(each.previous)
            if frame is None:
                frame = frames[each.previous] = framed(self.watch, feed.marked(message, each.previous))
            each.tell(frame, position, cursor)


def framed(watch: Watch, message: bytes) -> bytes:
    """A message as a whole response."""
    return b'{"data":{' + orjson.dumps(watch.key) + b":" + message + b"}}"
