"""Working time: its laws for random calendars in all IANA zones, minute by minute, and in SQL as in Python."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, available_timezones

import asyncpg
import pytest
from conftest import CreateDatabase

from hub.domain.work import working_intervals
from hub.errors import BadInput
from hub.model.working_time import OpeningHours, WorkingTime, compile_working_time

T = TypeVar("T")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = sorted(available_timezones() - {"localtime"})
FIRST_YEAR, LAST_YEAR = 1995, 2030
NEW_CALENDAR = """
insert into calendars (id, code, name, timezone, weekly, exceptions, covers_from, covers_until)
values ($1, $2, 'random', 'UTC', '{}', '{}', $3, $4)
"""


def _spans(draw: random.Random) -> tuple[tuple[int, int], ...]:
    ends = sorted(draw.sample(range(0, 1441, draw.choice((1, 15, 30))), 2 * draw.randint(0, 3)))
    return tuple(zip(ends[::2], ends[1::2], strict=True))


def _hours(draw: random.Random, zone: str, first: date, days: int) -> OpeningHours:
    if draw.random() < 0.1:
        return OpeningHours(zone, (((0, 1440),),) * 7, {})
    exceptions = {first + draw.randrange(days) * DAY: _spans(draw) for _ in range(draw.randint(0, 5))}
    return OpeningHours(zone, tuple(_spans(draw) for _ in range(7)), exceptions)


def _working_time(draw: random.Random, zone: str, days: int) -> WorkingTime:
    first = date(draw.randint(FIRST_YEAR, LAST_YEAR), draw.randint(1, 12), draw.randint(1, 28))
    hours = _hours(draw, zone, first, days)
    return compile_working_time(hours, hours.midnight(first), hours.midnight(first + days * DAY))


def _moments(draw: random.Random, working_time: WorkingTime, count: int) -> list[datetime]:
    """Random moments that are covered, among them edges of intervals."""
    period = working_time.covers_until - working_time.covers_from
    moments = [working_time.covers_from + period * draw.random() for _ in range(count)]
    edges = [edge for start, end, _ in working_time.intervals for edge in (start, end)]
    return sorted([*moments, *draw.sample(edges, min(len(edges), count)), working_time.covers_until])


def _check_laws(draw: random.Random, working_time: WorkingTime) -> None:
    start = working_time.covers_from
    moments = _moments(draw, working_time, 20)
    sums = [working_time.between(start, moment) for moment in moments]
    assert sums == sorted(sums), "working time never runs backwards"
    for (left, before), (right, after) in pairwise(zip(moments, sums, strict=True)):
        assert working_time.between(left, right) == after - before == -working_time.between(right, left)
        assert timedelta() <= after - before <= right - left
        due = working_time.after(left, after - before)
        assert due <= right or due == left
        assert working_time.between(left, due) == after - before
        assert due == left or working_time.between(left, due - MINUTE / 60) < after - before, "the first moment"


def _open_minutes(hours: OpeningHours, start: datetime, minutes: int) -> Iterator[bool]:
    """Whether each minute is open, by its local time."""
    zone = ZoneInfo(hours.timezone)
    for number in range(minutes):
        local = (start + number * MINUTE).astimezone(zone)
        minute = local.hour * 60 + local.minute
        yield any(opens <= minute < closes for opens, closes in hours.spans_on(local.date()))


def _offset_changes(zone: str, year: int) -> list[datetime]:
    """The hours of a year within which the zone's offset from UTC changes."""
    hours = [datetime(year, 1, 1, tzinfo=UTC) + number * HOUR for number in range(365 * 24)]
    offsets = [hour.astimezone(ZoneInfo(zone)).utcoffset() for hour in hours]
    return [hour for hour, offset, later in zip(hours, offsets, offsets[1:], strict=False) if offset != later]


def _check_minutes(draw: random.Random, zone: str) -> None:
    """Compares with counting minutes, around a change of the offset if the year has one."""
    changes = _offset_changes(zone, year := draw.randint(FIRST_YEAR, LAST_YEAR))
    change = draw.choice(changes or [datetime(year, 7, 1, tzinfo=UTC)])
    hours = _hours(draw, zone, change.date() - DAY, 3)
    start = change - 30 * HOUR
    working_time = compile_working_time(hours, start, start + 60 * HOUR)
    is_open = list(_open_minutes(hours, start, 60 * 60))
    for number in sorted(draw.sample(range(60 * 60), 40)):
        moment = start + number * MINUTE
        assert working_time.is_open(moment) == is_open[number], (zone, moment)
        assert working_time.between(start, moment) == sum(is_open[:number]) * MINUTE, (zone, moment)


def _check_zones(seed: int, zones: list[str]) -> None:
    for zone in zones:
        draw = random.Random(f"{seed} {zone}")
        _check_laws(draw, _working_time(draw, zone, 60))
        _check_minutes(draw, zone)


def test_working_time_is_additive_monotone_and_has_an_inverse(seed: int) -> None:
    _check_zones(seed, random.Random(seed).sample(ZONES, len(ZONES) // 10))


@pytest.mark.soak
def test_working_time_keeps_its_laws_in_all_zones(seed: int) -> None:
    for run in range(10):
        _check_zones(seed + run, ZONES)


@pytest.mark.parametrize(
    ("zone", "day", "spans", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), [(0, 1440)], 23),  # the clock jumps from 2:00 to 3:00
        ("Europe/Berlin", date(2026, 3, 29), [(60, 240)], 2),
        ("Europe/Berlin", date(2026, 3, 29), [(120, 180)], 0),
        ("Europe/Berlin", date(2026, 10, 25), [(0, 1440)], 25),  # the hour from 2:00 happens twice
        ("Europe/Berlin", date(2026, 10, 25), [(120, 180)], 2),
        ("Europe/Berlin", date(2026, 10, 25), [(150, 180)], 1),
        ("Australia/Lord_Howe", date(2026, 10, 4), [(0, 1440)], 23.5),  # by half an hour
        ("Africa/Cairo", date(2026, 4, 24), [(0, 1440)], 23),  # there is no midnight
        ("Pacific/Apia", date(2011, 12, 29), [(0, 1440)], 24),  # the next day does not exist
        ("Asia/Shanghai", date(2026, 2, 24), [(540, 720), (810, 1080)], 7.5),
    ],
)
def test_a_day_has_the_hours_that_pass_on_it(zone: str, day: date, spans: list[tuple[int, int]], hours: float) -> None:
    opening = OpeningHours(zone, (tuple(spans),) * 7, {})
    start, end = opening.midnight(day), opening.midnight(day + DAY)
    assert compile_working_time(opening, start, end).between(start, end) == hours * HOUR


def test_a_day_whose_opening_hours_the_clock_skips_is_no_workday() -> None:
    hours = OpeningHours("America/New_York", (((120, 180),),) * 7, {})  # 02:00 to 03:00, which March 8 does not have
    first = date(2026, 3, 7)
    working_time = compile_working_time(hours, hours.midnight(first), hours.midnight(first + 3 * DAY))
    assert [working_time.is_workday(first + n * DAY) for n in range(3)] == [True, False, True]
    with pytest.raises(BadInput, match="covers"):
        working_time.is_workday(first + 4 * DAY)


def test_around_the_clock_working_time_is_time() -> None:
    for zone in ZONES[::25]:
        opening = OpeningHours(zone, (((0, 1440),),) * 7, {})
        start, end = opening.midnight(date(2025, 1, 1)), opening.midnight(date(2028, 1, 1))
        working_time = compile_working_time(opening, start, end)
        assert (working_time.count, working_time.between(start, end)) == (1, end - start)


def test_a_goal_that_ends_at_closing_time_is_due_then() -> None:
    opening = OpeningHours("UTC", (((540, 1020),),) * 5 + ((),) * 2, {})
    working_time = compile_working_time(opening, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    friday, night = datetime(2026, 1, 9, 9, tzinfo=UTC), datetime(2026, 1, 10, 3, tzinfo=UTC)
    assert working_time.after(friday, 8 * HOUR) == friday + 8 * HOUR
    assert working_time.after(friday, 8 * HOUR + MINUTE) == datetime(2026, 1, 12, 9, 1, tzinfo=UTC)
    assert (working_time.after(night, timedelta()), working_time.after(night, MINUTE)) == (
        night, datetime(2026, 1, 12, 9, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.fixture(scope="module")
async def connection(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a migrated database."""
    connection = await asyncpg.connect(await create_database("migrated"))
    try:
        yield connection
    finally:
        await connection.close()


async def _check_sql(connection: asyncpg.Connection, seed: int, count: int) -> None:
    draw = random.Random(seed)
    for _ in range(count):
        working_time = _working_time(draw, draw.choice(ZONES), 120)
        if working_time.count:
            await _check_sql_of(connection, draw, working_time)


async def _check_sql_of(connection: asyncpg.Connection, draw: random.Random, working_time: WorkingTime) -> None:
    key: UUID = uuid4()
    await connection.execute(NEW_CALENDAR, key, key.hex, working_time.covers_from, working_time.covers_until)
    await working_intervals.store(connection, key, working_time)
    moments = [*_moments(draw, working_time, 15), working_time.covers_from - DAY, working_time.covers_until + DAY]
    starts, ends = draw.choices(moments, k=40), draw.choices(moments, k=40)
    amounts = [draw.choice((timedelta(), MINUTE, HOUR, DAY, 9 * DAY)) * draw.random() for _ in starts]
    compared = await connection.fetch(
        "select hub_working_time($1, since, until) as worked, hub_due_at($1, since, amount) as due"
        " from unnest($2::timestamptz[], $3::timestamptz[], $4::interval[]) with ordinality as r (since, until, amount, n)"
        " order by n",
        key, starts, ends, amounts,
    )  # fmt: skip
    for row, start, end, amount in zip(compared, starts, ends, amounts, strict=True):
        assert row["worked"] == _unless_beyond(partial(working_time.between, start, end))
        assert row["due"] == _unless_beyond(partial(working_time.after, start, amount))


def _unless_beyond(count: Callable[[], T]) -> T | None:
    """What Python counts; None for what the calendar does not cover."""
    try:
        return count()
    except BadInput as error:
        if error.code != "CALENDAR_HORIZON":
            raise
        return None


async def test_sql_counts_as_python_does(connection: asyncpg.Connection, seed: int) -> None:
    await _check_sql(connection, seed, 25)


@pytest.mark.soak
async def test_sql_counts_as_python_does_for_many_calendars(connection: asyncpg.Connection, seed: int) -> None:
    await _check_sql(connection, seed, 1_000)
