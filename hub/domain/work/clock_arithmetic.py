"""The arithmetic of clocks: when they are due, when levels are reached, what was spent. Pure; time is an argument.

Everything is a point on the working time of a calendar, so that pauses, holidays and changed goals need no case of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from hub.errors import BadInput
from hub.model.working_time import MICROSECOND, WorkingTime

MAX_LEVEL = 30  # the reached levels are bits of an integer


class Counting:
    """Counts the working time of a calendar, or all time without one. What the calendar does not cover is no working time."""

    def __init__(self, working_time: WorkingTime | None = None) -> None:
        self._working_time = working_time

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from one moment to a later one."""
        working_time = self._working_time
        if working_time is None:
            return max(end - start, timedelta())
        start = min(max(start, working_time.covers_from), working_time.covers_until)
        return working_time.between(start, max(start, min(end, working_time.covers_until)))

    def after(self, start: datetime, working: timedelta) -> datetime | None:
        """The first moment by which so much working time has passed, closing time included; None beyond the horizon."""
        try:
            if self._working_time is None:
                return start + working
            return self._working_time.after(max(start, self._working_time.covers_from), working)
        except (BadInput, OverflowError):  # the second: after the year 9999
            return None


class Level(NamedTuple):
    """A level of escalation: its number, and the working time at which a clock with a goal reaches it."""

    number: int
    at_share: Decimal | None
    at_offset: timedelta | None
    only_notifies: bool = True  # whether nothing but notifications follows, so that the clock goes on as it is

    def threshold(self, goal: timedelta) -> timedelta:
        """The working time at which it is reached; never negative."""
        if self.at_offset is not None:
            return max(goal + self.at_offset, timedelta())
        assert self.at_share is not None
        return int(goal // MICROSECOND * self.at_share) * MICROSECOND


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a clock has spent and reached. `since`: when it began to run last; None while it stands still."""

    goal: timedelta
    spent: timedelta
    since: datetime | None
    reached: int = 0
    missed: bool = False

    def has_reached(self, level: int) -> bool:
        """Whether the level was reached."""
        return bool(self.reached >> level & 1)

    @property
    def highest_level(self) -> int:
        """The highest level that was reached; 0 for none."""
        return max(self.reached.bit_length() - 1, 0)


class ClockEvent(NamedTuple):
    """Something that happens to a running clock at a moment: it reaches a level, or is missed (`level` is None)."""

    moment: datetime
    level: int | None


def due_at(state: ClockState, counting: Counting) -> datetime | None:
    """When a running clock is due: its start if nothing is left; None beyond the horizon, and while it stands still."""
    return None if state.since is None else _reached_at(state, state.goal, counting)


def _reached_at(state: ClockState, threshold: timedelta, counting: Counting) -> datetime | None:
    assert state.since is not None
    return counting.after(state.since, max(threshold - state.spent, timedelta()))


def next_event(state: ClockState, levels: Sequence[Level], counting: Counting, now: datetime) -> ClockEvent | None:
    """What happens next to a clock, at `now` the earliest; None if nothing does as far as the calendar goes.

    It is missed right after it is due: who stops it at the due time is in time."""
    if state.since is None:
        return None
    thresholds = sorted((level.threshold(state.goal), level.number) for level in levels)
    first = next((entry for entry in thresholds if not state.has_reached(entry[1])), None)
    reached_at = None if first is None else _reached_at(state, first[0], counting)
    due = None if state.missed else due_at(state, counting)
    missed_at = None if due is None else due + MICROSECOND
    if first is not None and reached_at is not None and (missed_at is None or reached_at <= missed_at):
        return ClockEvent(max(reached_at, now), first[1])
    return None if missed_at is None else ClockEvent(max(missed_at, now), None)


def apply_event(state: ClockState, event: ClockEvent) -> ClockState:
    """The clock after an event."""
    if event.level is None:
        return replace(state, missed=True)
    return replace(state, reached=state.reached | 1 << event.level)


def events_until(
    state: ClockState, levels: Sequence[Level], counting: Counting, since: datetime, until: datetime
) -> Iterator[tuple[ClockEvent, ClockState]]:
    """What happens to a clock from one moment to another, in order, each with the clock after it."""
    event = next_event(state, levels, counting, since)
    while event is not None and event.moment <= until:
        state = apply_event(state, event)
        yield event, state
        event = next_event(state, levels, counting, event.moment)


def pause(state: ClockState, counting: Counting, now: datetime) -> ClockState:
    """The clock standing still, with what it has spent by now."""
    if state.since is None:
        return state
    return replace(state, spent=state.spent + counting.between(state.since, now), since=None)


def change_goal(state: ClockState, goal: timedelta, counting: Counting, now: datetime) -> ClockState:
    """The clock with another goal. What was spent stays; one with time left is no longer missed."""
    elapsed = pause(state, counting, now).spent
    return replace(state, goal=goal, missed=state.missed and elapsed >= goal)


def overdue(state: ClockState) -> timedelta:
    """The working time by which a missed clock that stands still exceeds its goal."""
    return max(state.spent - state.goal, timedelta()) if state.missed else timedelta()
