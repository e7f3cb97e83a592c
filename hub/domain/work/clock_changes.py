"""Open clocks change with their calendar and their row. What they have spent stays; their due time moves.

A timer changes the clocks of a calendar some at a time, right after its change; policy_changes.py those of a policy."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import Level, change_goal, pause
from hub.domain.work.clock_calendars import CurrentCalendars, current_calendars
from hub.domain.work.clock_rows import StoredClock, load_clocks, load_levels, write_clocks
from hub.domain.work.policy_matching import MatchingPolicy, find_policy
from hub.model.entity import Entity
from hub.model.timers import timer
from hub.model.working_time import MICROSECOND
from hub.schema.work.calendars import Calendar

CHANGED = 500  # clocks that one transaction changes

_OUTDATED_BY_CALENDAR = """
select c.id from clocks as c join calendars as k on k.id = c.calendar_id
where c.calendar_id = $1 and c.calendar_version < k.version and c.stopped_at is null limit $2
"""
_COUNT_ON = "update calendars set clocks_move_at = $2 where id = $1"
_OPEN_OF_ROW = "select id, name from clocks where row_id = $1 and stopped_at is null"


@timer("calendar.clocks", Calendar.c.clocks_move_at)
async def count_on_by_new_calendar(tx: Connection, key: UUID, now: datetime) -> None:
    """Counts the open clocks of a changed calendar on by its new definition."""
    outdated = [row["id"] for row in await tx.fetch(_OUTDATED_BY_CALENDAR, key, CHANGED)]
    clocks = await load_clocks(tx, outdated)
    await write_clocks(tx, [clock.scheduled(clock.state, now) for clock in clocks], now)
    await tx.execute(_COUNT_ON, key, now + MICROSECOND if len(outdated) == CHANGED else None)


async def rematch_clocks(tx: Connection, entity: type[Entity], row_id: UUID, now: datetime) -> None:
    """Lets the open clocks of a changed row follow the policies that match it now. Without one, they go on as they are.

    Goals that were set by hand stay; such clocks take the levels alone."""
    names = {row["id"]: row["name"] for row in await tx.fetch(_OPEN_OF_ROW, row_id)}
    if not names:
        return
    policies = {
        key: policy
        for key, name in names.items()
        if (policy := await find_policy(tx, entity.__name__, row_id, name, now)) is not None
    }
    clocks = [clock for clock in await load_clocks(tx, list(policies)) if clock.policy != policies[clock.key].key]
    await follow_policies(tx, [(clock, policies[clock.key]) for clock in clocks], now)


async def follow_policies(
    tx: Connection, followed: Sequence[tuple[StoredClock, MatchingPolicy]], now: datetime
) -> None:
    """Lets clocks follow policies from now on, in one statement."""
    calendars = await current_calendars(
        tx, [key for clock, policy in followed for key in (clock.calendar, policy.calendar)]
    )
    levels = await load_levels(tx, list({policy.key for _, policy in followed}))
    changed = [
        _changed(clock, policy, calendars, levels.get((policy.key, clock.name), ()), now) for clock, policy in followed
    ]
    await write_clocks(tx, changed, now)


def _changed(
    clock: StoredClock, policy: MatchingPolicy, calendars: CurrentCalendars, levels: Sequence[Level], now: datetime
) -> StoredClock:
    """A clock that follows another policy, or another revision, from now on."""
    goal = None if clock.has_own_goal else policy.goal
    calendar = clock.calendar if goal is None else policy.calendar
    state, counting = clock.state, calendars.counting(calendar)
    if calendar != clock.calendar and state.since is not None:
        state = replace(pause(state, clock.counting, now), since=now)
    if goal is not None:
        state = change_goal(state, goal, counting, now)
    following = replace(
        clock,
        policy=policy.key,
        policy_revision=policy.revision,
        calendar=calendar,
        calendar_version=calendars.version(calendar),
        counting=counting,
        levels=levels,
    )
    return following.scheduled(state, now)
