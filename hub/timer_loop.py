"""Runs timers in a serving process: sleeps until the next moment, fires what is due, and goes on after failures.

All processes of a hub run them side by side; a row's lock decides which of them fires it. A hub that was down fires, when
it starts, the moments that came meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from hub import graph
from hub.db.pool import Pool
from hub.errors import BadInput
from hub.model.test_clock import TestClock
from hub.model.timer_runs import fire_due, next_moments
from hub.model.timers import Timer, registered_timers
from hub.observability import Event, InternalFailure, RequestDone, add_handler, emit
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource

MAX_PAUSE = 1.0  # seconds until it looks again: other processes and SQL may have written an earlier moment
MIN_PAUSE = 0.2  # seconds between two looks, however often something is written
CONTENDED_PAUSE = 0.05  # seconds when other processes hold everything that is due
RETRY_PAUSE = 1.0  # seconds after a look that failed


async def no_heartbeat() -> None:
    """Nothing: for callers without a transaction that waits."""


class ClockTools:
    """The time of this process, and what moves a test clock on; commands get it as `clock`."""

    def __init__(self, time_source: TimeSource, timers: Sequence[Timer] = (), pool: Pool | None = None) -> None:
        self.time_source = time_source
        self.timers = tuple(timers)
        self.injected: dict[str, object] = {}  # what commands of timers need, by name; the engine's builder adds it
        self._pool = pool

    async def advance(self, moment: datetime, heartbeat: Callable[[], Awaitable[object]] = no_heartbeat) -> int:
        """Advances the test clock from one moment to the next and fires the timers of each; returns how many fired here.

        It returns once all that came by then has fired, here or in another process. Killed in between, it goes on when it
        is called again. `heartbeat` is awaited after each batch. Raises BadInput CLOCK_NOT_TEST, and VALUE_INVALID for a
        moment in the clock's past."""
        clock, pool = self.time_source, self._pool
        if not isinstance(clock, TestClock) or pool is None:
            message = "The hub runs with the real time; only a test clock (HUB_CLOCK=test) can be advanced."
            raise BadInput(message, code="CLOCK_NOT_TEST")
        now = await clock.read()
        if moment < now:
            message = f"to: a clock only moves forward, and it is {now.isoformat()}; give that time or a later one."
            raise BadInput(message, argument="to")
        fired = 0
        while True:
            moments = await next_moments(pool, self.timers)
            upcoming = next(iter(moments.values()), None)
            if upcoming is None or upcoming > moment:
                await clock.advance(moment)
                return fired
            await clock.advance(upcoming)
            batch = await fire_due(pool, moments, upcoming, self.injected)
            fired += batch.fired
            await heartbeat()
            if not batch.fired and not batch.failed:
                await asyncio.sleep(CONTENDED_PAUSE)


REAL_CLOCK = ClockTools(REAL_TIME)


async def open_clock(settings: Settings, pool: Pool) -> ClockTools:
    """The clock that the settings ask for, with all timers; raises InvalidDeclaration for a timer that cannot work."""
    graph.declarations()  # which registers the timers
    timers = registered_timers()
    if settings.clock == "real":
        return ClockTools(REAL_TIME, timers, pool)
    return ClockTools(await TestClock.open(pool, settings.clock_start), timers, pool)


class TimerLoop:
    """The timers of one process."""

    def __init__(self, clock: ClockTools, pool: Pool) -> None:
        self._pool = pool
        self._timers = clock.timers
        self._injected = clock.injected
        self._time_source = clock.time_source
        self._wake_event = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["TimerLoop"]:
        """Fires timers in the background while the body runs; the batch that runs at its end is rolled back or done."""
        remove_handler = add_handler(self._on_event)
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            remove_handler()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, RequestDone) and event.operation == "mutation":
            self._wake_event.set()

    async def _run(self) -> None:
        while self._timers:
            try:
                pause = await self._fire_all()
            except Exception as error:
                emit(InternalFailure("", "firing timers", error))
                pause = RETRY_PAUSE
            await self._sleep(pause)

    async def _fire_all(self) -> float:
        """Fires what is due; returns the seconds until the next look."""
        while True:
            moments = await next_moments(self._pool, self._timers)
            now = await self._time_source.read()
            upcoming = next(iter(moments.values()), None)
            if upcoming is None or upcoming > now:
                is_near = upcoming is not None and not self._time_source.is_test
                return min(MAX_PAUSE, (upcoming - now).total_seconds()) if is_near and upcoming else MAX_PAUSE
            batch = await fire_due(self._pool, moments, now, self._injected)
            if not batch.fired and not batch.failed:
                return CONTENDED_PAUSE

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, MIN_PAUSE))
        if seconds > MIN_PAUSE:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds - MIN_PAUSE):
                    await self._wake_event.wait()
        self._wake_event.clear()
