"""Fair queueing: flows take turns, and one flow never takes all of them. Knows no database and no viewer."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TypeAlias

# Whose work it is: work of one flow shares its turns. None is the hub's own work, which has no share.
Flow: TypeAlias = Hashable | None

CONTENTION_SECONDS = 1.0


class Turn:
    """One admission to a queue, as an asynchronous context manager."""

    __slots__ = ("_flow", "_queue")

    def __init__(self, queue: "FairQueue", flow: Flow) -> None:
        self._queue = queue
        self._flow = flow

    async def __aenter__(self) -> None:
        if not self._queue.try_enter(self._flow):
            await self._queue.wait(self._flow)

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._queue.leave(self._flow)


class FairQueue:
    """Admits at most `limit` turns at a time, and at most `share` of one flow. Flows that wait take turns (round robin).

    The turns of one flow are admitted in order."""

    def __init__(self, limit: int, share: int | None = None, *, background: bool = False) -> None:
        self.background = background  # whether its turns can wait for the work of others
        self._limit = self._free = limit
        self._share = limit if share is None else share
        self._active: dict[Flow, int] = {}
        self._waiting: OrderedDict[Flow, deque[asyncio.Future[None]]] = OrderedDict()  # the next flow first

    @property
    def active(self) -> int:
        """How many turns are taken."""
        return self._limit - self._free

    def turn(self, flow: Flow) -> Turn:
        """A turn for one flow: `async with queue.turn(flow)` waits until it is admitted."""
        return Turn(self, flow)

    def try_enter(self, flow: Flow) -> bool:
        """Admits a turn if that needs no waiting; the caller must call `leave`."""
        # While turns are free, every flow that waits has its whole share: nobody is overtaken.
        active = self._active.get(flow, 0)
        if not self._free or (active >= self._share and flow is not None):
            return False
        self._free -= 1
        self._active[flow] = active + 1
        return True

    async def wait(self, flow: Flow) -> None:
        """Waits for a turn; the caller must call `leave`."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave(flow)  # admitted and cancelled at the same time: pass it on
            raise

    def leave(self, flow: Flow) -> None:
        """Ends a turn and admits the next ones."""
        self._free += 1
        remaining = self._active[flow] - 1
        if remaining:
            self._active[flow] = remaining
        else:
            del self._active[flow]
        if self._waiting:
            self._admit()

    def reject_waiters(self, create_error: Callable[[], Exception]) -> None:
        """Raises a new error in every waiter."""
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(create_error())
        self._waiting.clear()

    def _admit(self) -> None:
        for flow in tuple(self._waiting):
            if not self._free:
                return
            waiters = self._waiting[flow]
            while waiters and waiters[0].done():  # cancelled
                waiters.popleft()
            if waiters and self.try_enter(flow):
                waiters.popleft().set_result(None)
                self._waiting.move_to_end(flow)
            if not waiters:
                del self._waiting[flow]


class Contention:
    """Whether several flows are at work. A flow is alone when no other one was seen for CONTENTION_SECONDS.

    `last_flow` is the one seen last, `until` the end of the contention or 0. While that flow is at work beside no other one,
    nothing needs to be noted."""

    def __init__(self) -> None:
        self.last_flow: Flow = None
        self.until = 0.0

    def note(self, flow: Flow, now: float) -> bool:
        """Notes that a flow is at work, at a monotonic time; returns whether others are, too. The hub's own work is ignored."""
        if flow != self.last_flow and flow is not None:
            if self.last_flow is not None:
                self.until = now + CONTENTION_SECONDS
            self.last_flow = flow
        if now < self.until:
            return True
        self.until = 0.0
        return False
