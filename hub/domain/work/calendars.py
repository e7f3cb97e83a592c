"""Commands of calendars: they store the definition, and what follows from it: the days that differ, and working intervals.

A change takes effect at once. The working intervals are for SQL: its functions are `hub_working_time` and `hub_due_at`."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson

from hub.db.pool import Connection, Pool
from hub.domain.work import working_intervals
from hub.domain.work.calendar_definitions import (
    CalendarDayInput,
    CalendarDefinition,
    DerivedCalendar,
    ExceptionalDay,
    check_changes,
    check_horizon,
    derive,
    new_definition,
    require_covered,
    stored_definition,
)
from hub.domain.work.clock_calendars import DEFINITION, replace_definition
from hub.domain.work.public_holidays import RELEASE
from hub.errors import BadInput, NotFound
from hub.model import rows, validators
from hub.model.commands import command
from hub.model.timers import timer
from hub.model.versions import require_version
from hub.schema.work.calendars import Calendar, CalendarDaySource
from hub.viewer import ADMIN, Viewer

REQUIRED = ("name", "timezone", "weekly")  # of a new calendar

_LOCK_CODE = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = "select id from calendars where code = $1"
_FIND_OUTDATED = """
select id from calendars where country is not null and holidays_release is distinct from $1 order by id limit 1
"""
_DAYS = "select day, spans, source, reason from calendar_days where calendar_id = $1"
_REMOVE_DAYS = "delete from calendar_days where calendar_id = $1 and day = any($2)"
_STORE_DAY = """
insert into calendar_days as d (calendar_id, day, spans, source, reason, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $6)
on conflict (calendar_id, day) do update set spans = $3, source = $4, reason = $5, version = d.version + 1, updated_at = $6
"""


class CalendarUpsertPayload(NamedTuple):
    """The payload of calendarUpsert."""

    calendar: Annotated[UUID, Calendar, "The calendar as it is now."]
    created: Annotated[bool, "Whether it is new."]


@command("calendarUpsert")
async def upsert_calendar(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short unique name: letters, digits and underscores."],
    name: Annotated[str | None, "Name of the calendar; a new one needs it."] = None,
    timezone: Annotated[str | None, "IANA time zone of the opening hours; a new one needs it."] = None,
    weekly: Annotated[
        dict[str, object] | None,
        'Opening hours by day of the week, mon to sun: {"mon": ["09:00-12:00", "13:30-18:00"]}. Other days are closed.'
        " A new one needs it.",
    ] = None,
    country: Annotated[
        str | None, 'ISO 3166-1 code of the country whose holidays and make-up working days count; "" for none.'
    ] = None,
    subdivision: Annotated[str | None, 'Part of the country whose holidays count too; "" for none.'] = None,
    days: Annotated[
        list[CalendarDayInput] | None, "All exceptions of the organisation's own; they win over those of the country."
    ] = None,
    starts_on: Annotated[date | None, "First day to cover; of a new one, January 1 of two years ago."] = None,
    ends_on: Annotated[date | None, "Last day to cover: a fixed horizon."] = None,
    rolling: Annotated[
        bool, "Whether a fixed horizon moves on by itself again, three years ahead, like that of a new calendar."
    ] = False,
    expected_version: Annotated[int | None, "The version that the edit is based on."] = None,
    now: datetime,
) -> CalendarUpsertPayload:
    """Creates a calendar, or changes the one with this code; what is left out stays. Equal input changes nothing."""
    code = validators.check_values({"code": code}, {"code": validators.slug})["code"]
    await tx.execute(_LOCK_CODE, f"calendars.code={code}")
    key = await tx.fetchval(_FIND, code)
    await rows.require_nameable(tx, viewer, Calendar, key, "code")
    Calendar.require(viewer, "create" if key is None else "update")
    changes = check_changes(name, timezone, weekly, country, subdivision, days)
    changes |= check_horizon(starts_on, ends_on, rolling=rolling)
    if key is None:
        return await _create(tx, viewer, code, changes, now, expected_version)
    stored = await _stored_row(tx, viewer, key)
    derived = await _derive(replace(await _definition(tx, stored), **changes), now)
    require_covered(changes.get("own_days", {}), derived)
    await _update(tx, viewer, stored, derived, now, expected_version)
    return CalendarUpsertPayload(key, False)


@timer("calendar.horizon", Calendar.c.extends_at)
async def extend_calendar(tx: Connection, key: UUID, now: datetime) -> None:
    """Derives a stored calendar again: its horizon moves on, and its holidays are those of the library's release."""
    stored = await _stored_row(tx, ADMIN, key)
    await _update(tx, ADMIN, stored, await _derive(await _definition(tx, stored), now), now, None)


async def refresh_holidays(pool: Pool, now: datetime) -> None:
    """Derives again the calendars whose holidays are from another release of the library, each in its transaction."""
    while True:
        async with pool.transaction() as tx:
            key = await tx.fetchval(_FIND_OUTDATED, RELEASE)
            if key is None:
                return
            await extend_calendar(tx, key, now)


async def _stored_row(tx: Connection, viewer: Viewer, key: UUID) -> dict[str, Any]:
    row = dict(await rows.lock_row(tx, viewer, Calendar, key, "code"))
    return {**row, "weekly": orjson.loads(row["weekly"]), "exceptions": orjson.loads(row["exceptions"])}


async def _definition(tx: Connection, stored: Mapping[str, Any]) -> CalendarDefinition:
    days = await _stored_days(tx, stored["id"])
    own = {day: entry for day, entry in days.items() if entry.source is CalendarDaySource.MANUAL}
    return stored_definition(stored, own)


async def _stored_days(tx: Connection, key: UUID) -> dict[date, ExceptionalDay]:
    days = await tx.fetch(_DAYS, key)
    return {
        row["day"]: ExceptionalDay(tuple(row["spans"]), CalendarDaySource(row["source"]), row["reason"]) for row in days
    }


async def _derive(definition: CalendarDefinition, now: datetime) -> DerivedCalendar:
    """What follows from a definition; other requests go on meanwhile."""
    return await asyncio.to_thread(derive, definition, now)


async def _create(
    tx: Connection,
    viewer: Viewer,
    code: str,
    changes: Mapping[str, Any],
    now: datetime,
    expected_version: int | None,
) -> CalendarUpsertPayload:
    if expected_version is not None:
        message = "expected_version: there is no calendar with this code; leave it out to make a new one."
        raise NotFound(message, argument="expected_version")
    for name in REQUIRED:
        if name not in changes:
            raise BadInput(f"{name}: a new calendar needs it; give it.", code="ARGUMENT_MISSING", argument=name)
    derived = await _derive(new_definition(changes, now), now)
    require_covered(changes.get("own_days", {}), derived)
    key = await rows.insert_row(tx, viewer, Calendar, {"code": code, **derived.columns}, now)
    await _store_days(tx, key, {}, derived.days, now)
    await working_intervals.store(tx, key, derived.working_time)
    return CalendarUpsertPayload(key, True)


async def _update(
    tx: Connection,
    viewer: Viewer,
    stored: Mapping[str, Any],
    derived: DerivedCalendar,
    now: datetime,
    expected_version: int | None,
) -> None:
    key = stored["id"]
    changed = {name: value for name, value in derived.columns.items() if stored[name] != value}
    if expected_version is not None:
        await require_version(tx, viewer, Calendar, key, changed, expected_version)
    async with rows.updating(tx, viewer, Calendar, key):
        await _store_days(tx, key, await _stored_days(tx, key), derived.days, now)
    if not changed:
        return
    await rows.update_row(tx, viewer, Calendar, key, changed, now)
    await working_intervals.store(tx, key, derived.working_time)
    if not changed.keys().isdisjoint(DEFINITION):
        await replace_definition(tx, stored, now)


async def _store_days(
    tx: Connection,
    key: UUID,
    stored: Mapping[date, ExceptionalDay],
    days: Mapping[date, ExceptionalDay],
    now: datetime,
) -> None:
    """Stores the days that differ from the stored ones, and removes those that are no exceptions any more."""
    await tx.execute(_REMOVE_DAYS, key, [day for day in stored if day not in days])
    for day, entry in days.items():
        if stored.get(day) != entry:
            await tx.execute(_STORE_DAY, key, day, list(entry.spans), entry.source.value, entry.reason, now)
