"""The calendars that clocks count by: compiled once per version and process, with the versions that they replaced.

A change keeps what was spent: a clock is counted by the former version until the moment of the change, and by the new one
from then on, however late that is done."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import ClockState, Counting
from hub.model.columns import foreign_key, metadata, timestamp
from hub.model.working_time import compiled_working_time

MAX_CACHED = 256  # versions of calendars per process
DEFINITION = ("timezone", "weekly", "exceptions", "covers_from", "covers_until")
ALL_TIME = Counting()

CalendarEdition = sa.Table(
    "calendar_editions",
    metadata,
    foreign_key("calendar_id", "calendars.id", "The calendar.", ondelete="CASCADE"),
    sa.Column(
        "calendar_version", sa.Integer, nullable=False, comment="The version of the calendar that had this definition."
    ),
    sa.Column("replaced_at", timestamp(), nullable=False, comment="When another definition took its place."),
    sa.Column("timezone", sa.Text, nullable=False, comment="IANA time zone of the opening hours."),
    sa.Column("weekly", JSONB, nullable=False, comment="Opening hours by day of the week."),
    sa.Column("exceptions", JSONB, nullable=False, comment="Opening hours of the days that differ, by date."),
    sa.Column("covers_from", timestamp(), nullable=False, comment="First moment that it covered."),
    sa.Column("covers_until", timestamp(), nullable=False, comment="Moment at which it ended."),
    sa.PrimaryKeyConstraint("calendar_id", "calendar_version"),
    comment="Former definitions of calendars by which open clocks were counted.",
)
# No calendar changes between the look at its version and the end of the transaction that counts by it.
_VERSIONS = "select id, version from calendars where id = any($1) order by id for share"
_LOAD = "select id, version, timezone, weekly, exceptions, covers_from, covers_until from calendars where id = any($1)"
_EDITIONS = """
select replaced_at, timezone, weekly, exceptions, covers_from, covers_until from calendar_editions
where calendar_id = $1 and calendar_version >= $2 order by calendar_version
"""
_STORE = """
insert into calendar_editions (calendar_id, calendar_version, replaced_at, timezone, weekly, exceptions, covers_from,
    covers_until)
select $1, $2, $3, $4, $5, $6, $7, $8
where exists (select from clocks where calendar_id = $1 and stopped_at is null)
on conflict do nothing
"""
_MOVE_CLOCKS = """
update calendars set clocks_move_at = $2
where id = $1 and exists (select from clocks where calendar_id = $1 and stopped_at is null)
"""

_compiled: OrderedDict[tuple[UUID, int], Counting] = OrderedDict()


class CurrentCalendars:
    """The current versions of some calendars, and how they count."""

    def __init__(self, countings: Mapping[UUID, tuple[int, Counting]]) -> None:
        self._countings = countings

    def version(self, calendar: UUID | None) -> int:
        """The version of a calendar; 0 for none."""
        return 0 if calendar is None else self._countings[calendar][0]

    def counting(self, calendar: UUID | None) -> Counting:
        """How a calendar counts; without one, all time counts."""
        return ALL_TIME if calendar is None else self._countings[calendar][1]


async def current_calendars(tx: Connection, calendars: Iterable[UUID | None]) -> CurrentCalendars:
    """The current versions of calendars; of those that do not exist there are none."""
    keys = list({calendar for calendar in calendars if calendar is not None})
    if not keys:
        return CurrentCalendars({})
    versions = {row["id"]: row["version"] for row in await tx.fetch(_VERSIONS, keys)}
    missing = [key for key, version in versions.items() if (key, version) not in _compiled]
    for row in await tx.fetch(_LOAD, missing) if missing else ():
        versions[row["id"]] = row["version"]
        _compiled[row["id"], row["version"]] = _counting(row)
    countings = {key: (version, _compiled[key, version]) for key, version in versions.items()}
    while len(_compiled) > MAX_CACHED:
        _compiled.popitem(last=False)
    return CurrentCalendars(countings)


def _counting(row: asyncpg.Record) -> Counting:
    weekly, exceptions = orjson.loads(row["weekly"]), orjson.loads(row["exceptions"])
    return Counting(compiled_working_time(row["timezone"], weekly, exceptions, row["covers_from"], row["covers_until"]))


async def count_former_versions(tx: Connection, calendar: UUID, version: int, state: ClockState) -> ClockState:
    """The clock with what it spent by former versions of its calendar, as from the moment of the last change on."""
    for row in await tx.fetch(_EDITIONS, calendar, version):
        if state.since is not None and state.since < row["replaced_at"]:
            spent = state.spent + _counting(row).between(state.since, row["replaced_at"])
            state = replace(state, spent=spent, since=row["replaced_at"])
    return state


async def replace_definition(tx: Connection, stored: Mapping[str, Any], now: datetime) -> None:
    """Notes that a calendar has another definition from `now` on, so that its open clocks are counted on by that one.

    `stored` is the calendar's row as it was, with its JSON decoded."""
    values = [stored["timezone"], _json(stored["weekly"]), _json(stored["exceptions"])]
    await tx.execute(
        _STORE, stored["id"], stored["version"], now, *values, stored["covers_from"], stored["covers_until"]
    )
    await tx.execute(_MOVE_CLOCKS, stored["id"], now)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
