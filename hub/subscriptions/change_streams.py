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
from hub.changefeed.cursors import forked
from hub.changefeed.feed import RUN, Feed, Head, concerns
from hub.db.change_positions import Forgotten
from hub.db.semaphore import Turns
from hub.engine.execution.subscriptions import Watch
from hub.errors import HubError, Internal, Unavailable
from hub.observability import Failed, tell
from hub.subscriptions.interfaces import Sink

LEAST = 10  # changes that are read at once for who has room for few
NEAR = 500  # changes that whoever joins others waits for at most
CROWD = 200  # who are told a change before others in the process have their turn
AWAY = 0.5  # seconds until it is tried again, when the database is away
QUIET = 15.0  # seconds after which a stream gives a sign of life


class Desk(Protocol):
    """What a group needs of the whole."""

    feed: Feed
    line: Turns  # of those who read on from the log, so that whoever keeps up never waits for all of them

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
        self.reader: Reader | None = None
        self._ready = False
        self._waiting: asyncio.Task[None] | None = None

    def read_on(self) -> None:
        """Is told what is in the log, as soon as there is room for it, until it has caught up with the group."""
        self.reader = None
        if self.sink.full:
            self._waiting = asyncio.create_task(self._wait())
        else:
            self._group.read(self, RUN)

    async def _wait(self) -> None:
        with suppress(ConnectionError):  # it is gone, and will be stopped
            await self.sink.room()
            # What there is no room for is not kept, however long it takes: it is read again then, a little at a time.
            self._group.read(self, LEAST)

    def stop(self) -> None:
        """Ends it without a word."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._group.leave(self)

    def cut(self, reason: str) -> None:
        """Ends it with what the client can go on from."""
        self.stop()
        self._say(control_messages.gap(self._watch.messages, self.previous, self.previous, reason), self.previous)
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
        self.position, self.told_at = max(self.position, position), monotonic()
        cursor = self._group.desk.feed.cursor(self.position)
        self._say(control_messages.progress(self._watch.messages, cursor), cursor)

    def _say(self, said: list[bytes], cursor: str) -> None:
        """What tells no change; whoever was told it can go on from its cursor."""
        for each in said:
            self.sink.send(framed(self._watch, each), cursor.encode())
            self.previous = cursor

    def join(self) -> None:
        """It has caught up: the group tells it the rest."""
        self.reader = None
        if not self._ready:
            self._ready = True
            cursor = self._group.desk.feed.cursor(self.position)
            self._say(control_messages.ready(self._watch.messages, cursor), cursor)
        self._group.keeping_up.add(self)

    def skip(self, position: int, cursor: str) -> None:
        """What it should be told next is no longer kept: say so, and go on with what is."""
        self._say(control_messages.gap(self._watch.messages, self.previous, cursor, "RETENTION"), cursor)
        self.position, self.previous = position, cursor


class Reader:
    """Reads on from the log, once for all of a group who are behind and stand near each other, until they have caught up."""

    def __init__(self, group: "ChangeGroup", position: int, run: int) -> None:
        self.members: set[Subscriber] = set()
        self._group = group
        self._position = position  # everybody here was told all that there is up to it
        self._run = run
        self._task = asyncio.create_task(self._read())

    def takes(self, position: int) -> bool:
        """Whether whoever stands there misses nothing here, and need not wait for long."""
        return self._position <= position < self._position + NEAR

    def leave(self, subscriber: Subscriber) -> None:
        """One less."""
        self.members.discard(subscriber)
        if not self.members:
            self._group.readers.discard(self)
            self._task.cancel()

    def begin_anew(self) -> None:
        """What it is reading may be of a time that the database has lost."""
        self._task.cancel()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self.members:
            try:
                await self._step()
            except Unavailable:
                self._run = max(1, self._run // 2)  # it may be too much at once
                await asyncio.sleep(AWAY)
            except Exception as error:
                self._fail(error)
        self._group.readers.discard(self)

    async def _step(self) -> None:
        """A page, or a word that there is none."""
        try:
            await self._page()
        except Forgotten:
            await self._skip()

    async def _page(self) -> None:
        """One page of the log; where it ends, the group tells the rest."""
        desk = self._group.desk
        if self._position >= desk.head:  # what comes after it, the group will hear
            while self.members:
                self.members.pop().join()
            return
        async with desk.line:
            heads = await desk.feed.since(self._position)
        if not heads:  # the database was put back, and nobody gives positions yet
            await asyncio.sleep(AWAY)
            return
        wanted = [head.position for head in heads if concerns(self._group.watch, head)]
        while wanted and self.members:
            some, wanted = wanted[: self._run], wanted[self._run :]
            for position, message in await desk.feed.told(self._group.watch, some):
                self._position = position  # who has no room for it does not come back here
                self._group.deliver(self.members, position, message)
                if len(self.members) > CROWD:
                    await asyncio.sleep(0)
            self._come_to(some[-1])
            self._run = min(RUN, 2 * self._run)
        self._come_to(heads[-1].position)

    def _come_to(self, position: int) -> None:
        self._position = position
        for each in self.members:
            each.position = max(each.position, position)

    async def _skip(self) -> None:
        standing = await self._group.desk.feed.refresh()
        self._position = standing.least_position - 1
        cursor = self._group.desk.feed.cursor(self._position)
        for each in tuple(self.members):
            if each.position < self._position:
                each.skip(self._position, cursor)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, HubError):
            tell(Failed("", "reading changes for streams", error))
            error = Internal("The hub failed; its log says why.")
        for each in tuple(self.members):
            each.fail(error)


class ChangeGroup:
    """Those who are told the same changes: the statement is run once for all who keep up, and for those who catch up together."""

    def __init__(self, watch: Watch, desk: Desk) -> None:
        self.watch = watch
        self.desk = desk
        self.keeping_up: set[Subscriber] = set()
        self.readers: set[Reader] = set()
        self._subscribers: set[Subscriber] = set()
        self._heard: deque[int] = deque()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, watch: Watch, sink: Sink, position: int) -> Subscriber:
        """A new stream behind a position."""
        made = Subscriber(self, watch, sink, position)
        self._subscribers.add(made)
        made.read_on()
        return made

    def read(self, subscriber: Subscriber, run: int) -> None:
        """Who is behind is told what is in the log, along with others who are; so many changes at once, at first."""
        near = (each for each in self.readers if each.takes(subscriber.position))
        reader = next(near, None) if subscriber.position < self.desk.head else None  # there is nothing to wait for
        if reader is None:
            reader = Reader(self, subscriber.position, run)
            self.readers.add(reader)
        reader.members.add(subscriber)
        subscriber.reader = reader

    def leave(self, subscriber: Subscriber) -> None:
        """One less."""
        self.keeping_up.discard(subscriber)
        if subscriber.reader is not None:
            subscriber.reader.leave(subscriber)
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
        for reader in tuple(self.readers):
            reader.begin_anew()
        self._heard = deque(position for position in self._heard if position <= end)
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.run()

    def forgotten(self) -> None:
        for each in tuple(self.keeping_up):
            self.keeping_up.discard(each)
            each.read_on()

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
                    self.deliver(self.keeping_up, position, message)
                    if len(self.keeping_up) > CROWD:
                        await asyncio.sleep(0)
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
            if self._task is asyncio.current_task():
                self._task = None

    def deliver(self, those: set[Subscriber], position: int, message: bytes) -> None:
        """One change to those of them who were not told it yet; who has no room for it is left to read on by itself."""
        feed = self.desk.feed
        cursor = feed.cursor(position)
        frames: dict[str, bytes] = {}
        for each in tuple(those):
            if position <= each.position:
                continue
            if each.sink.full:
                those.discard(each)
                each.read_on()
                continue
            frame = frames.get(each.previous)
            if frame is None:
                frame = frames[each.previous] = framed(self.watch, feed.marked(message, each.previous))
            each.tell(frame, position, cursor)


def framed(watch: Watch, message: bytes) -> bytes:
    """A message as a whole response."""
    return b'{"data":{' + orjson.dumps(watch.key) + b":" + message + b"}}"
