"""Runs timers in a serving process: sleeps until the next moment, fires what is due, and goes on after failures.

All processes of a hub run them side by side; a row's lock decides which of them fires it. A hub that was down fires, when
it starts, the moments that came meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from hub import graph
from hub.db.database_errors import report_failure
from hub.db.pool import Pool
from hub.errors import BadInput, Unavailable
from hub.model.exact_json import timestamp_text
from hub.model.test_clock import TestClock, open_time_source
from hub.model.timer_runs import count_failures, fire_due, next_moments
from hub.model.timers import Timer, registered_timers
from hub.observability import Event, RequestDone, add_handler
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource

MAX_PAUSE = 1.0  # seconds until it looks again: other processes and SQL may have written an earlier moment
MIN_PAUSE = 0.2  # seconds between two looks, however often something is written
CONTENDED_PAUSE = 0.05  # seconds when other processes hold everything that is due
RETRY_PAUSE = 1.0  # seconds after a look that failed
INSTANT_RETRIES = 2  # of a row by a test clock: the moments of the others wait for it, so that they stay in order
STALL_SECONDS = 30.0  # without a moment that fires, after which an advance says which timer holds the clock
ADVANCE_SHARE = 0.8  # of a request's time, after which an advance says how far it came


async def no_heartbeat() -> None:
    """Nothing: for callers without a transaction that waits."""


class AdvancedClock(NamedTuple):
    """What an advance of a test clock did: moments that fired in this process, and those whose timers have failed."""

    fired: int
    failed: int


class ClockTools:
    """The time of this process, and what moves a test clock on; commands get it as `clock`."""

    def __init__(
        self,
        time_source: TimeSource,
        timers: Sequence[Timer] = (),
        pool: Pool | None = None,
        request_timeout: float | None = None,
    ) -> None:
        self.time_source = time_source
        self.timers = tuple(timers)
        self.injected: dict[str, object] = {}  # what commands of timers need, by name; the engine's builder adds it
        self.advancing = 0  # advances that run in this process, which fires nothing beside them: moments stay in order
        self.request_seconds = None if request_timeout is None else request_timeout * ADVANCE_SHARE
        self._pool = pool

    async def advance(
        self,
        moment: datetime,
        heartbeat: Callable[[], Awaitable[object]] = no_heartbeat,
        seconds: float | None = None,
    ) -> AdvancedClock:
        """Advances the test clock from one moment to the next and fires the timers of each.

        It returns once all that came by then has fired, here or in another process; a timer that fails several times is set
        aside. Killed in between, it goes on when it is called again. `heartbeat` is awaited after each batch. Raises BadInput
        CLOCK_NOT_TEST, VALUE_INVALID for a moment in the clock's past, and Unavailable CLOCK_NOT_REACHED, which names the timer
        that is next: after so many `seconds`, or when nothing fires for long."""
        clock, pool = await self._require_test_clock(moment)
        self.advancing += 1
        try:
            return await self._advance(clock, pool, moment, heartbeat, seconds)
        finally:
            self.advancing -= 1

    async def _advance(
        self,
        clock: TestClock,
        pool: Pool,
        moment: datetime,
        heartbeat: Callable[[], Awaitable[object]],
        seconds: float | None,
    ) -> AdvancedClock:
        fired, batches, started_at = 0, 0, monotonic()
        fired_at, last_upcoming = started_at, clock.now()
        while True:
            moments = await next_moments(pool, self.timers)
            timer, upcoming = next(iter(moments.items()), (None, moment))
            if timer is None or upcoming > moment:
                await clock.advance(moment)
                return AdvancedClock(fired, await count_failures(pool))
            if upcoming != last_upcoming:
                fired_at, last_upcoming = monotonic(), upcoming
            if batches and monotonic() - fired_at >= STALL_SECONDS:
                remedy = "its rows are locked, or no process runs that can fire it"
                raise _not_reached(clock.now(), moment, timer, upcoming, fired, remedy)
            if seconds is not None and batches and monotonic() - started_at >= seconds:
                raise _not_reached(clock.now(), moment, timer, upcoming, fired, "send the same again to go on")
            await clock.advance(upcoming)
            batch = await fire_due(pool, moments, upcoming, self.injected, instant_retries=INSTANT_RETRIES)
            fired, batches = fired + batch.fired, batches + 1
            await heartbeat()
            if batch.fired or batch.failed:
                fired_at = monotonic()
            else:
                await asyncio.sleep(CONTENDED_PAUSE)

    async def _require_test_clock(self, moment: datetime) -> tuple[TestClock, Pool]:
        """The test clock and its pool; raises BadInput for the real time, and for a moment in the clock's past."""
        clock, pool = self.time_source, self._pool
        if not isinstance(clock, TestClock) or pool is None:
            message = "The hub runs with the real time; only a test clock (HUB_CLOCK=test) can be advanced."
            raise BadInput(message, code="CLOCK_NOT_TEST")
        now = await clock.read()
        if moment < now:
            message = f"to: a clock only moves forward, and it is {now.isoformat()}; give that time or a later one."
            raise BadInput(message, argument="to")
        return clock, pool


def _not_reached(
    now: datetime, moment: datetime, timer: Timer, upcoming: datetime, fired: int, remedy: str
) -> Unavailable:
    """The error of an advance that ends before its time: where the clock stands, and which timer is next."""
    message = (
        f"to: the clock is at {timestamp_text(now)}, on its way to {timestamp_text(moment)}; timer {timer.name} of"
        f" {timer.table.name} holds it, due {timestamp_text(upcoming)}; {remedy}."
    )
    extensions = {"now": timestamp_text(now), "fired": fired, "timer": timer.name, "dueAt": timestamp_text(upcoming)}
    return Unavailable(message, code="CLOCK_NOT_REACHED", argument="to", extensions=extensions)


REAL_CLOCK = ClockTools(REAL_TIME)


async def open_clock(settings: Settings, pool: Pool) -> ClockTools:
    """The clock that the settings ask for, with all timers; raises InvalidDeclaration for a timer that cannot work."""
    graph.declarations()  # which registers the timers
    timers = registered_timers()
    return ClockTools(await open_time_source(settings, pool), timers, pool, settings.request_timeout)


class TimerLoop:
    """The timers of one process."""

    def __init__(self, clock: ClockTools, pool: Pool) -> None:
        self._pool = pool
        self._clock = clock
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
                report_failure("firing timers", error)
                pause = RETRY_PAUSE
            await self._sleep(pause)

    async def _fire_all(self) -> float:
        """Fires what is due; returns the seconds until the next look."""
        while True:
            if self._clock.advancing:
                return CONTENDED_PAUSE
            moments = await next_moments(self._pool, self._timers)
            now = await self._time_source.read()
            upcoming = next(iter(moments.values()), None)
            if upcoming is None or upcoming > now:
                is_near = upcoming is not None and not self._time_source.is_test
                return min(MAX_PAUSE, (upcoming - now).total_seconds()) if is_near and upcoming else MAX_PAUSE
            retries = INSTANT_RETRIES if self._time_source.is_test else 0
            batch = await fire_due(self._pool, moments, now, self._injected, instant_retries=retries)
            if not batch.fired and not batch.failed:
                return CONTENDED_PAUSE

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, MIN_PAUSE))
        if seconds > MIN_PAUSE:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds - MIN_PAUSE):
                    await self._wake_event.wait()
        self._wake_event.clear()
