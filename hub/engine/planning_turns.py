"""Turns for checking and planning documents: one at a time in a thread, flows in turn, each with a budget of time.

A document costs at most what its limits allow; this module decides who waits for it. It knows no document."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, thread_time
from typing import TypeVar

from hub.db.fair_queue import Contention, FairQueue, Flow

# Seconds of planning that a flow may use at once, and per second after that. Only while other flows are at work.
BURST, RATE = 1.0, 0.04
MAX_FLOWS = 10_000  # budgets that are remembered
NO_LIMIT = 1 << 30

T = TypeVar("T")


@dataclass(slots=True)
class Budget:
    """The seconds that a flow may still use; below zero it waits."""

    seconds: float
    as_of: float  # monotonic time

    def refill(self, now: float) -> float:
        """Adds what has become available until now; returns the seconds to wait, 0 for none."""
        self.seconds = min(BURST, self.seconds + (now - self.as_of) * RATE)
        self.as_of = now
        return max(0.0, -self.seconds / RATE)


class PlanningTurns:
    """The thread of one process that checks and plans documents."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "planning")
        self._thread_queue = FairQueue(1)
        self._flow_queue = FairQueue(NO_LIMIT, share=1)  # so that a flow's budget is spent one document at a time
        self._budgets: OrderedDict[Flow, Budget] = OrderedDict()
        self._contention = Contention()

    def note(self, flow: Flow) -> None:
        """Notes that a flow is at work, with or without planning."""
        if flow != self._contention.last_flow:
            self._contention.note(flow, monotonic())

    async def create(
        self, flow: Flow, find: Callable[[], T | None], create: Callable[[], T], store: Callable[[T], None]
    ) -> T:
        """Returns the result of `find` when it is the flow's turn; if that is None, runs `create` in the thread and `store`.

        Raises their errors. If the caller is cancelled, the result is created and stored nevertheless."""
        async with self._flow_queue.turn(flow):
            existing = find()
            if existing is not None:
                return existing
            await self._wait_for_budget(flow)
            if not self._thread_queue.try_enter(flow):
                await self._thread_queue.wait(flow)
                existing = find()  # another flow may have needed it, too
                if existing is not None:
                    self._thread_queue.leave(flow)
                    return existing
            return await self._in_thread(flow, create, store)

    async def _wait_for_budget(self, flow: Flow) -> None:
        budget = self._budgets.get(flow)
        while budget is not None and (seconds := budget.refill(monotonic())) and flow is not None:
            if not self._contention.note(flow, monotonic()):
                return
            await asyncio.sleep(min(seconds, 0.1))

    async def _in_thread(self, flow: Flow, create: Callable[[], T], store: Callable[[T], None]) -> T:
        used = 0.0

        def measured() -> T:
            nonlocal used
            started_at = thread_time()
            try:
                return create()
            finally:
                used = thread_time() - started_at

        def finish(created: "asyncio.Future[T]") -> None:
            self._charge(flow, used)
            if not created.cancelled() and created.exception() is None:
                store(created.result())
            self._thread_queue.leave(flow)  # last, so that the next flow finds what was stored

        future = asyncio.get_running_loop().run_in_executor(self._thread, measured)
        future.add_done_callback(finish)
        return await asyncio.shield(future)

    def _charge(self, flow: Flow, seconds: float) -> None:
        now = monotonic()
        budget = self._budgets.setdefault(flow, Budget(BURST, now))
        budget.refill(now)
        budget.seconds -= seconds
        self._budgets.move_to_end(flow)
        if len(self._budgets) > MAX_FLOWS:
            self._budgets.popitem(last=False)
