"""Stored clocks: loads and locks them, and writes what became of many of them in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import ClockState, Counting, Level, due_at, next_event
from hub.domain.work.clock_calendars import CurrentCalendars, count_former_versions, current_calendars
from hub.domain.work.due_times import show_due_times
from hub.model.working_time import MICROSECOND
from hub.schema.work.clocks import ClockStatus
from hub.schema.work.sla_policies import EscalationAct

SUBJECT_COLUMNS = ("entity", "row_id", "customer_id", "unit_id", "staff_id", "audience")

_LOAD = "select * from clocks where id = any($1) and stopped_at is null order by id for update"
_LOAD_OPEN = "select * from clocks where row_id = $1 and name = $2 and stopped_at is null for update"
_LEVELS = """
select policy_id, clock, level, at_share, at_offset_seconds, act from escalation_rules where policy_id = any($1) order by level
"""
_WRITE = """
update clocks as c set status = n.status, policy_id = n.policy_id, calendar_id = n.calendar_id,
    calendar_version = n.calendar_version, policy_revision = n.policy_revision, goal_seconds = n.goal_seconds,
    spent = n.spent, running_since = n.running_since,
    due_at = n.due_at, next_at = n.next_at, reached = n.reached, level = n.level, stopped_at = n.stopped_at,
    overdue_seconds = n.overdue_seconds, version = c.version + 1, updated_at = $1
from unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::numeric[], $9::timestamptz[],
    $10::timestamptz[], $11::timestamptz[], $12::int[], $13::int[], $14::timestamptz[], $15::int[], $16::int[])
    as n (id, status, policy_id, calendar_id, calendar_version, goal_seconds, spent, running_since, due_at, next_at, reached,
        level, stopped_at, overdue_seconds, policy_revision)
where c.id = n.id
"""

Levels = Mapping[tuple[UUID | None, str], Sequence[Level]]


@dataclass(frozen=True, slots=True)
class StoredClock:
    """An open or ended clock, with its calendar as it is now and the levels of its policy."""

    key: UUID
    name: str
    subject: Mapping[str, Any]
    policy: UUID | None
    calendar: UUID | None
    calendar_version: int
    counting: Counting
    levels: Sequence[Level]
    state: ClockState
    due_at: datetime | None
    next_at: datetime | None = None
    stopped_at: datetime | None = None
    is_void: bool = False
    overdue: timedelta | None = None
    policy_revision: int = 0
    has_own_goal: bool = False

    @property
    def status(self) -> ClockStatus:
        """The status that follows from the rest."""
        if self.is_void:
            return ClockStatus.VOID
        if self.state.missed:
            return ClockStatus.MISSED
        if self.stopped_at is not None:
            return ClockStatus.MET
        return ClockStatus.PAUSED if self.state.since is None else ClockStatus.RUNNING

    @property
    def due_time(self) -> tuple[str, str, UUID, datetime | None]:
        """The entity and the key of its row, between them its name, and when it is due."""
        return self.subject["entity"], self.name, self.subject["row_id"], self.due_at

    def scheduled(self, state: ClockState, now: datetime) -> "StoredClock":
        """The clock in another state, with its due time, and the moment at which something happens to it next."""
        due = self.due_at if state == self.state else due_at(state, self.counting)
        event = next_event(state, self.levels, self.counting, now)
        return replace(self, state=state, due_at=due, next_at=None if event is None else event.moment)


async def load_clocks(tx: Connection, keys: Sequence[UUID]) -> list[StoredClock]:
    """Loads and locks clocks, as counted by the current versions of their calendars."""
    return await _to_clocks(tx, await tx.fetch(_LOAD, keys))


async def load_open(tx: Connection, row_id: UUID, name: str) -> StoredClock | None:
    """Loads and locks the open clock of this name of a row; None if there is none."""
    clocks = await _to_clocks(tx, await tx.fetch(_LOAD_OPEN, row_id, name))
    return clocks[0] if clocks else None


async def load_levels(tx: Connection, policies: Sequence[UUID]) -> Levels:
    """The levels of policies by policy and clock."""
    levels: dict[tuple[UUID | None, str], list[Level]] = {}
    for row in await tx.fetch(_LEVELS, policies) if policies else ():
        offset = None if row["at_offset_seconds"] is None else timedelta(seconds=row["at_offset_seconds"])
        levels.setdefault((row["policy_id"], row["clock"]), []).append(
            Level(row["level"], row["at_share"], offset, row["act"] == EscalationAct.NOTIFY.value)
        )
    return levels


async def _to_clocks(tx: Connection, rows: Sequence[asyncpg.Record]) -> list[StoredClock]:
    calendars = await current_calendars(tx, (row["calendar_id"] for row in rows))
    levels = await load_levels(tx, list({row["policy_id"] for row in rows if row["policy_id"] is not None}))
    return [await _to_clock(tx, row, calendars, levels) for row in rows]


async def _to_clock(tx: Connection, row: asyncpg.Record, calendars: CurrentCalendars, levels: Levels) -> StoredClock:
    status, calendar = ClockStatus(row["status"]), row["calendar_id"]
    state = ClockState(
        timedelta(seconds=row["goal_seconds"]),
        _to_timedelta(row["spent"]),
        row["running_since"],
        row["reached"],
        status is ClockStatus.MISSED,
    )
    version = calendars.version(calendar)
    due = row["due_at"]
    if calendar is not None and row["calendar_version"] < version and row["stopped_at"] is None:
        state = await count_former_versions(tx, calendar, row["calendar_version"], state)
        state = replace(state, missed=state.missed and state.spent >= state.goal)
        due = due_at(state, calendars.counting(calendar))
    overdue = row["overdue_seconds"]
    return StoredClock(
        row["id"],
        row["name"],
        {name: row[name] for name in SUBJECT_COLUMNS},
        row["policy_id"],
        calendar,
        version,
        calendars.counting(calendar),
        levels.get((row["policy_id"], row["name"]), ()),
        state,
        due,
        row["next_at"],
        row["stopped_at"],
        status is ClockStatus.VOID,
        None if overdue is None else timedelta(seconds=overdue),
        row["policy_revision"],
        row["own_goal"],
    )


async def write_clocks(tx: Connection, clocks: Sequence[StoredClock], now: datetime) -> None:
    """Writes what became of clocks, all in one statement."""
    if not clocks:
        return
    columns = zip(*(_values(clock) for clock in clocks), strict=True)
    await tx.execute(_WRITE, now, *(list(column) for column in columns))
    await show_due_times(tx, [clock.due_time for clock in clocks if clock.stopped_at is None], now)


def _values(clock: StoredClock) -> tuple[Any, ...]:
    """The columns of a clock in the order of `_WRITE`."""
    state = clock.state
    return (
        clock.key,
        clock.status.value,
        clock.policy,
        clock.calendar,
        clock.calendar_version,
        state.goal // timedelta(seconds=1),
        to_seconds(state.spent),
        state.since,
        clock.due_at,
        clock.next_at,
        state.reached,
        state.highest_level,
        clock.stopped_at,
        None if clock.overdue is None else -(-clock.overdue // timedelta(seconds=1)),
        clock.policy_revision,
    )


def to_seconds(amount: timedelta) -> Decimal:
    """An amount of time in seconds, exactly."""
    return Decimal(amount // MICROSECOND).scaleb(-6)


def _to_timedelta(seconds: Decimal) -> timedelta:
    return int(seconds.scaleb(6)) * MICROSECOND
