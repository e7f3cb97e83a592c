"""Keeps answers alive: run again when something they read has changed, told when their bytes are others than before."""

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from hub.changefeed.feed import Feed, Head
from hub.engine.execution.subscriptions import Watch
from hub.errors import HubError, Internal, Unavailable
from hub.observability import Failed, tell
from hub.subscriptions.change_streams import AWAY, framed
from hub.subscriptions.interfaces import Sink

EVERY = 0.25  # seconds between two runs of the same statement, at least
TIMED = 10.0  # and at most, where time alone may change the answer
ENDED = "The hub ended this stream ({}); subscribe again."


class Desk(Protocol):
    """What a group needs of the whole."""

    feed: Feed

    def leave(self, group: "LiveGroup") -> None:
        """Nobody is in the group any more."""


class Listener:
    """One subscriber of a live answer: which frame it was told last."""

    def __init__(self, group: "LiveGroup", sink: Sink) -> None:
        self._group = group
        self.sink = sink
        self.told = 0  # the number of the frame; 0 for none
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Ends it without a word."""
        if self._task is not None:
            self._task.cancel()
        self._group.leave(self)

    def cut(self, reason: str) -> None:
        """Ends it with an error: whoever subscribes again is told the answer anew, so that nothing is lost."""
        error = Unavailable(ENDED.format(reason), code="STREAM_ENDED", extensions={"reason": reason})
        self.fail(error)

    def fail(self, error: HubError) -> None:
        """Ends it with an error."""
        self.stop()
        self.sink.end([error.to_graphql()])

    def tell(self, frame: bytes, number: int) -> None:
        """The newest frame; left out while the client does not keep up, who is told the newest when there is room."""
        if not self.sink.full:
            self.sink.send(frame, None)
            self.told = number
        elif self._task is None:
            self._task = asyncio.create_task(self._later())

    async def _later(self) -> None:
        await self.sink.room()
        self._task = None
        self._group.show(self)


class LiveGroup:
    """Those who are told the same answer: one run, the same bytes for all."""

    def __init__(self, watch: Watch, desk: Desk) -> None:
        self.watch = watch
        self._desk = desk
        self._listeners: set[Listener] = set()
        self._body = b""
        self._frame = b""
        self._number = 0
        self._due = False
        self._ran = -EVERY
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def subscribe(self, sink: Sink) -> Listener:
        """A new listener, who is told the answer as it is now."""
        made = Listener(self, sink)
        self._listeners.add(made)
        self._refresh()
        return made

    def leave(self, listener: Listener) -> None:
        """One less."""
        self._listeners.discard(listener)
        if not self._listeners:
            if self._timer is not None:
                self._timer.cancel()
            self._desk.leave(self)

    def show(self, listener: Listener) -> None:
        """The newest frame, unless it has it."""
        if listener.told < self._number:
            listener.tell(self._frame, self._number)

    def hear(self, head: Head) -> None:
        self._due = True

    def run(self) -> None:
        if self._due and self._task is None:
            self._task = asyncio.create_task(self._run())

    def forked(self, end: int) -> None:
        self._refresh()

    def forgotten(self) -> None:
        self._refresh()

    def quiet(self, head: int) -> None:
        """A live answer needs no sign of life: it is whole whenever it comes."""

    def _refresh(self) -> None:
        self._due = True
        self.run()

    async def _run(self) -> None:
        try:
            while self._due and self._listeners:
                await asyncio.sleep(max(0.0, self._ran + EVERY - monotonic()))
                self._due, self._ran = False, monotonic()
                feed = self._desk.feed
                try:
                    position, body = await self.watch.frame(feed.pool, feed.mark, datetime.now(UTC))
                    cursor = await feed.cursor_at(position)
                except Unavailable:
                    self._due = True
                    await asyncio.sleep(AWAY)
                    continue
                if body != self._body:
                    self._body, self._number = body, self._number + 1
                self._frame = framed(self.watch, feed.marked(body, cursor))
                for each in tuple(self._listeners):
                    self.show(each)
                if self.watch.timed:
                    self._wait()
        except Exception as error:
            if not isinstance(error, HubError):
                tell(Failed("", "running a live answer", error))
                error = Internal("The hub failed; its log says why.")
            for each in tuple(self._listeners):
                each.fail(error)
        finally:
            self._task = None

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(TIMED, self._refresh)
