"""Deadlines of many short pieces of work that all have the same time: one timer for the oldest, instead of one for each.

A timer of the event loop costs more than the work of some stages of a request, and nearly all of them are cancelled."""

import asyncio
from time import perf_counter
from typing import Protocol


class LimitedWork(Protocol):
    """Work that must end in time; compared by identity."""

    def on_timeout(self) -> None:
        """Ends the work: its time is over."""


class Deadlines:
    """The open pieces of work of one event loop, the oldest first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started: dict[LimitedWork, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, work: LimitedWork, started_at: float) -> None:
        """Limits work that has just started; `started_at` is of perf_counter."""
        self._started[work] = started_at
        if self._timer is None:
            self._arm(self._seconds)

    def remove(self, work: LimitedWork) -> None:
        """The work has ended, in time or not."""
        self._started.pop(work, None)

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = perf_counter()
        while self._started:
            oldest = next(iter(self._started))
            remaining = self._started[oldest] + self._seconds - now
            if remaining > 0:
                self._arm(remaining)
                return
            del self._started[oldest]
            oldest.on_timeout()
