"""Clocks of rows: start, pause, resume, stop, void. A row has one open clock of a name; ended ones stay as its history.

All functions take the row's entity and key, and the time at which it happens. Levels that came before that are reached first,
so that none is lost while no hub runs. A row without the clock is left alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import ClockEvent, ClockState, due_at, events_until, next_event, overdue, pause
from hub.domain.work.clock_calendars import current_calendars
from hub.domain.work.clock_rows import SUBJECT_COLUMNS, StoredClock, load_clocks, load_levels, load_open, write_clocks
from hub.domain.work.escalations import escalate
from hub.domain.work.policy_matching import find_policy
from hub.errors import BadInput
from hub.model.entity import Entity
from hub.model.subjects import inside_values
from hub.model.timers import DueRow, batch_timer
from hub.schema.work.clocks import Clock, ClockStatus

MAX_GOAL = timedelta(days=36_500)

_INSERT = """
insert into clocks (entity, row_id, customer_id, unit_id, staff_id, audience, name, status, policy_id, calendar_id,
    calendar_version, goal_seconds, started_at, running_since, due_at, next_at, policy_revision, own_goal, created_at,
    updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16, $17, $13, $13)
on conflict (row_id, name) where stopped_at is null do nothing
returning id
"""
_FIND_OPEN = "select id from clocks where row_id = $1 and name = $2 and stopped_at is null"


async def start_clock(
    tx: Connection,
    subject_values: Mapping[str, Any],
    name: str,
    *,
    now: datetime,
    goal: timedelta | None = None,
    calendar_id: UUID | None = None,
    public: bool = False,
) -> UUID | None:
    """Starts a clock about a row, by the goal and calendar of the policy that matches it unless they are given.

    Returns its key; that of the open clock of this name if there is one, which goes on as it is; None if no policy matches
    and no goal is given. A goal beyond the calendar's horizon leaves it without a due time until the horizon moves on. Raises
    BadInput for a goal that is no amount of time. A customer sees it if it is `public` and its row is the customer's."""
    policy = await find_policy(tx, subject_values["entity"], subject_values["row_id"], name, now)
    has_own_goal = goal is not None
    if goal is None:
        if policy is None or policy.goal is None:
            return None
        goal, calendar_id = policy.goal, policy.calendar
    elif calendar_id is None and policy is not None:
        calendar_id = policy.calendar
    values = subject_values if public else inside_values(subject_values)
    goal = timedelta(seconds=-(-goal // timedelta(seconds=1)))
    if not timedelta() < goal <= MAX_GOAL:
        message = "goal: a clock has a positive goal of at most 100 years; give another."
        raise BadInput(message, argument="goal")
    calendars = await current_calendars(tx, [calendar_id])
    key = None if policy is None else policy.key
    levels = await load_levels(tx, [] if key is None else [key])
    state, counting = ClockState(goal, timedelta(), now), calendars.counting(calendar_id)
    event = next_event(state, levels.get((key, name), ()), counting, now)
    clock: UUID | None = await tx.fetchval(
        _INSERT,
        *(values.get(column) for column in SUBJECT_COLUMNS),
        name,
        ClockStatus.RUNNING.value,
        key,
        calendar_id,
        calendars.version(calendar_id),
        goal // timedelta(seconds=1),
        now,
        due_at(state, counting),
        None if event is None else event.moment,
        0 if policy is None else policy.revision,
        has_own_goal,
    )
    return clock or await tx.fetchval(_FIND_OPEN, subject_values["row_id"], name)


async def pause_clock(tx: Connection, entity: type[Entity], row_id: UUID, name: str, now: datetime) -> bool:
    """Lets the open clock stand still; what it has spent stays. Returns whether it ran."""
    clock = await _open_clock(tx, row_id, name, now)
    if clock is None or clock.state.since is None:
        return False
    await write_clocks(tx, [clock.scheduled(pause(clock.state, clock.counting, now), now)], now)
    return True


async def resume_clock(tx: Connection, entity: type[Entity], row_id: UUID, name: str, now: datetime) -> bool:
    """Lets the open clock run on with what it has spent. Returns whether it stood still."""
    clock = await _open_clock(tx, row_id, name, now)
    if clock is None or clock.state.since is not None:
        return False
    await write_clocks(tx, [clock.scheduled(replace(clock.state, since=now), now)], now)
    return True


async def stop_clock(tx: Connection, entity: type[Entity], row_id: UUID, name: str, now: datetime) -> bool:
    """Ends the open clock: it is MET until its due time, else MISSED, and its overdue time stays as it is then.

    Returns whether there was one."""
    clock = await _open_clock(tx, row_id, name, now)
    if clock is None:
        return False
    state = pause(clock.state, clock.counting, now)
    ended = replace(clock, state=state, next_at=None, stopped_at=now, overdue=overdue(state))
    await write_clocks(tx, [ended], now)
    return True


async def void_clock(tx: Connection, entity: type[Entity], row_id: UUID, name: str, now: datetime) -> bool:
    """Calls the open clock off: it counts neither as met nor as missed. Returns whether there was one."""
    clock = await _open_clock(tx, row_id, name, now)
    if clock is None:
        return False
    state = pause(clock.state, clock.counting, now)
    await write_clocks(tx, [replace(clock, state=state, next_at=None, stopped_at=now, is_void=True)], now)
    return True


async def restart_clock(
    tx: Connection, entity: type[Entity], subject_values: Mapping[str, Any], name: str, now: datetime
) -> UUID | None:
    """Ends the open clock and starts the next one by the policy that matches now; returns its key, None without one."""
    await stop_clock(tx, entity, subject_values["row_id"], name, now)
    return await start_clock(tx, subject_values, name, now=now)


# -- levels -------------------------------------------------------------------------------------------------------------


@batch_timer("clock.escalation", Clock.c.next_at)
async def reach_levels(tx: Connection, due: Sequence[DueRow], until: datetime) -> None:
    """Reaches the levels of clocks whose moment came, in the order of the moments, up to `until`."""
    await _advance(tx, await load_clocks(tx, [row.key for row in due]), until)


async def _open_clock(tx: Connection, row_id: UUID, name: str, now: datetime) -> StoredClock | None:
    """The open clock of a row, locked, after the levels that came before `now`."""
    clock = await load_open(tx, row_id, name)
    while clock is not None and clock.next_at is not None and clock.next_at <= now:
        await _advance(tx, [clock], now)
        clock = await load_open(tx, row_id, name)
    return clock


async def _advance(tx: Connection, clocks: Sequence[StoredClock], until: datetime) -> None:
    """Writes what happens to clocks by a moment, then lets the levels that they reach act, in the order of the moments.

    After an act that may stop the clock, the rest of its levels comes in the next round."""
    reached: list[tuple[StoredClock, ClockEvent]] = []
    advanced = []
    for clock in clocks:
        events = list(_events(clock, until))
        state = events[-1][1] if events else clock.state
        moment = events[-1][0].moment if events else until
        advanced.append(clock.scheduled(state, moment))
        reached += [(clock, event) for event, _ in events if event.level is not None]
    await write_clocks(tx, advanced, until)
    await escalate(tx, sorted(reached, key=lambda entry: entry[1].moment))


def _events(clock: StoredClock, until: datetime) -> Iterator[tuple[ClockEvent, ClockState]]:
    if clock.next_at is None:
        return
    acting = {level.number for level in clock.levels if not level.only_notifies}
    for event, state in events_until(clock.state, clock.levels, clock.counting, clock.next_at, until):
        yield event, state
        if event.level in acting:
            return
