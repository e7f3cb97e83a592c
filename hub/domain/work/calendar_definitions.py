"""What people say of a calendar, checked, and what follows from it: the days that differ, and its working time. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from hub.domain.work.public_holidays import RELEASE, country_days, require_known
from hub.errors import BadInput
from hub.model import validators
from hub.model.working_time import (
    WEEKDAYS,
    OpeningHours,
    Span,
    WorkingTime,
    compile_working_time,
    format_spans,
    parse_spans,
)
from hub.schema.work.calendars import CalendarDaySource

YEARS_BACK, YEARS_AHEAD = 2, 3  # that a calendar covers unless it says otherwise
FIRST_YEAR, LAST_YEAR = 1970, 2099
MAX_YEARS = 60
MAX_OWN_DAYS = 2_000
MAX_INTERVALS = 200_000
DAY = timedelta(days=1)


class CalendarDayInput(NamedTuple):
    """A day whose opening hours differ from those of the week."""

    day: Annotated[date, "The day."]
    spans: Annotated[list[str], 'Opening hours like "09:00-12:00"; none when it is closed.']
    reason: Annotated[str, "Why it differs."]


class ExceptionalDay(NamedTuple):
    """A day that differs from the week, as its row says."""

    spans: tuple[str, ...]
    source: CalendarDaySource
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDefinition:
    """What people say of a calendar. Without `ends_on`, the horizon moves on by itself."""

    name: str
    timezone: str
    weekly: Mapping[str, Sequence[str]]
    country: str | None
    subdivision: str | None
    own_days: Mapping[date, ExceptionalDay]
    starts_on: date
    ends_on: date | None


class DerivedCalendar(NamedTuple):
    """What follows from a definition: the columns of its row, its days, and its working time."""

    columns: dict[str, Any]
    days: dict[date, ExceptionalDay]
    working_time: WorkingTime


def first_day(now: datetime) -> date:
    """The first day that a calendar covers unless it says otherwise."""
    return date(now.year - YEARS_BACK, 1, 1)


# -- checks -------------------------------------------------------------------------------------------------------------


def check_changes(
    name: str | None,
    timezone: str | None,
    weekly: Mapping[str, object] | None,
    country: str | None,
    subdivision: str | None,
    days: Sequence[CalendarDayInput] | None,
) -> dict[str, Any]:
    """What is given, checked, as parts of a definition; raises BadInput. An empty text is None."""
    texts = {"name": name, "country": country or None, "subdivision": subdivision or None}
    checks = {"name": validators.single_line, "country": validators.country, "subdivision": validators.single_line}
    checked = validators.check_values(texts, checks)
    changes: dict[str, Any] = {name: value for name, value in checked.items() if value is not None}
    changes |= {name: None for name, value in (("country", country), ("subdivision", subdivision)) if value == ""}
    if timezone is not None:
        changes["timezone"] = check_timezone(timezone)
    if weekly is not None:
        changes["weekly"] = check_week(weekly)
    if days is not None:
        changes["own_days"] = check_own_days(days)
    return changes


def check_horizon(starts_on: date | None, ends_on: date | None, *, rolling: bool) -> dict[str, Any]:
    """What is given of a period, as parts of a definition; raises BadInput for a last day of a horizon that moves on."""
    if rolling and ends_on is not None:
        message = "rolling: a horizon that moves on has no last day; leave one of the two out."
        raise BadInput(message, argument="rolling")
    changes: dict[str, Any] = {"ends_on": ends_on} if rolling or ends_on is not None else {}
    return changes if starts_on is None else {**changes, "starts_on": starts_on}


def check_timezone(name: str) -> str:
    """The name of an IANA time zone; raises BadInput TIMEZONE_UNKNOWN."""
    if name not in available_timezones() or name == "localtime":
        message = f"timezone: {name[:60]!r} is no IANA time zone; give a name like Europe/Berlin."
        raise BadInput(message, code="TIMEZONE_UNKNOWN", argument="timezone")
    return name


def check_week(weekly: Mapping[str, object]) -> dict[str, list[str]]:
    """The opening hours of a week, by day; raises BadInput. Closed days are left out."""
    week = {}
    for name, spans in weekly.items():
        if name not in WEEKDAYS:
            message = f"weekly: {name[:20]!r} is no day of the week; give {', '.join(WEEKDAYS)}."
            raise BadInput(message, argument="weekly")
        if not isinstance(spans, list):
            raise BadInput(f'weekly.{name}: give a list of spans like ["09:00-12:00"].', argument=f"weekly.{name}")
        week[name] = _checked_spans(spans, f"weekly.{name}")
    return {name: week[name] for name in WEEKDAYS if week.get(name)}


def check_own_days(days: Sequence[CalendarDayInput]) -> dict[date, ExceptionalDay]:
    """The exceptions by date; raises BadInput for two of one day, and for too many."""
    if len(days) > MAX_OWN_DAYS:
        raise BadInput(f"days: {len(days)} are too many; give at most {MAX_OWN_DAYS}.", argument="days")
    checked: dict[date, ExceptionalDay] = {}
    for index, entry in enumerate(days):
        if entry.day in checked:
            argument = f"days[{index}].day"
            raise BadInput(f"{argument}: {entry.day} is there twice; join the two.", argument=argument)
        spans = _checked_spans(entry.spans, f"days[{index}].spans")
        try:
            reason = validators.single_line(entry.reason)
        except ValueError as fault:
            argument = f"days[{index}].reason"
            raise BadInput(f"{argument}: {fault}.", argument=argument) from None
        checked[entry.day] = ExceptionalDay(tuple(spans), CalendarDaySource.MANUAL, reason)
    return checked


def _checked_spans(spans: Sequence[str], argument: str) -> list[str]:
    try:
        return format_spans(parse_spans(spans))
    except ValueError as fault:
        raise BadInput(f"{argument}: {fault}.", argument=argument) from None


def _check_period(starts_on: date, ends_on: date | None) -> None:
    """Raises BadInput for a period that is empty, too long, or beyond the years that are known."""
    last = ends_on or date(starts_on.year + YEARS_AHEAD, 12, 31)
    if not FIRST_YEAR <= starts_on.year <= LAST_YEAR:
        message = f"starts_on: give a day from {FIRST_YEAR} to {LAST_YEAR}."
        raise BadInput(message, argument="starts_on")
    if not starts_on <= last or last.year > LAST_YEAR or last.year - starts_on.year >= MAX_YEARS:
        message = (
            f"ends_on: give a day from {starts_on} on, less than {MAX_YEARS} years later and before {LAST_YEAR + 1}."
        )
        raise BadInput(message, argument="ends_on")


# -- what follows -------------------------------------------------------------------------------------------------------


def derive(definition: CalendarDefinition, now: datetime) -> DerivedCalendar:
    """What follows from a definition at a time; raises BadInput CALENDAR_EMPTY where it has no working time."""
    _check_period(definition.starts_on, definition.ends_on)
    last_day, extends_on = definition.ends_on, None
    if last_day is None:
        local_year = now.astimezone(ZoneInfo(definition.timezone)).year
        last_day, extends_on = date(local_year + YEARS_AHEAD, 12, 31), date(local_year + 1, 1, 1)
        if definition.starts_on > last_day:
            message = f"starts_on: the horizon that moves on is {last_day}; give an earlier day, or a last one too."
            raise BadInput(message, argument="starts_on")
    if definition.country is not None:
        require_known(definition.country, definition.subdivision)
    elif definition.subdivision is not None:
        message = "subdivision: it belongs to a country; give that too, or leave it out."
        raise BadInput(message, argument="subdivision")
    years = range(definition.starts_on.year, last_day.year + 1)
    country = country_days(definition.country, definition.subdivision, years)
    week = tuple(tuple(parse_spans(definition.weekly.get(name, ()))) for name in WEEKDAYS)
    days = {**dict(_country_exceptions(country.holidays, country.workdays, week)), **definition.own_days}
    days = {day: days[day] for day in sorted(days) if definition.starts_on <= day <= last_day}
    hours = OpeningHours(
        definition.timezone, week, {day: tuple(parse_spans(entry.spans)) for day, entry in days.items()}
    )
    covers_from, covers_until = hours.midnight(definition.starts_on), hours.midnight(last_day + DAY)
    working_time = compile_working_time(hours, covers_from, covers_until)
    if not working_time.total:
        message = "weekly: no day of the calendar has working time; give the opening hours of one."
        raise BadInput(message, code="CALENDAR_EMPTY", argument="weekly")
    if working_time.count > MAX_INTERVALS:
        message = f"ends_on: the calendar would have {working_time.count:,} spans; at most {MAX_INTERVALS:,} fit."
        raise BadInput(message, argument="ends_on")
    columns = {
        "name": definition.name,
        "timezone": definition.timezone,
        "weekly": {name: list(spans) for name, spans in definition.weekly.items()},
        "exceptions": {day.isoformat(): list(entry.spans) for day, entry in days.items()},
        "country": definition.country,
        "subdivision": definition.subdivision,
        "published_until": country.published_until,
        "holidays_release": None if definition.country is None else RELEASE,
        "covers_from": covers_from,
        "covers_until": covers_until,
        "extends_at": None if extends_on is None else hours.midnight(extends_on),
    }
    return DerivedCalendar(columns, days, working_time)


def require_covered(own_days: Mapping[date, ExceptionalDay], derived: DerivedCalendar) -> None:
    """Raises BadInput CALENDAR_HORIZON for an exception on a day that the calendar does not cover: it would be forgotten."""
    for day in own_days:
        if day not in derived.days:
            covers = derived.columns["covers_from"], derived.columns["covers_until"]
            message = (
                f"days: {day} is not covered; the calendar covers {covers[0]:%Y-%m-%dT%H:%M:%SZ} to"
                f" {covers[1]:%Y-%m-%dT%H:%M:%SZ}. Leave the day out, or extend the horizon."
            )
            raise BadInput(message, code="CALENDAR_HORIZON", argument="days")


def _country_exceptions(
    holidays: Mapping[date, str], workdays: frozenset[date], week: Sequence[tuple[Span, ...]]
) -> Iterator[tuple[date, ExceptionalDay]]:
    """The days of a country that change something. A make-up day has the hours of the week's first working day."""
    usual = next((spans for spans in week if spans), ())
    for day, name in holidays.items():
        if week[day.weekday()]:
            yield day, ExceptionalDay((), CalendarDaySource.HOLIDAY, name)
    for day in workdays:
        if not week[day.weekday()] and usual:
            spans = tuple(format_spans(usual))
            yield day, ExceptionalDay(spans, CalendarDaySource.WORKDAY, "Make-up working day")


def stored_definition(row: Mapping[str, Any], own_days: Mapping[date, ExceptionalDay]) -> CalendarDefinition:
    """The definition that a stored calendar was made from."""
    zone = ZoneInfo(row["timezone"])
    last_day = row["covers_until"].astimezone(zone).date() - DAY
    return CalendarDefinition(
        name=row["name"],
        timezone=row["timezone"],
        weekly=row["weekly"],
        country=row["country"],
        subdivision=row["subdivision"],
        own_days=own_days,
        starts_on=row["covers_from"].astimezone(zone).date(),
        ends_on=None if row["extends_at"] is not None else last_day,
    )


def new_definition(changes: Mapping[str, Any], now: datetime) -> CalendarDefinition:
    """The definition of a new calendar; `changes` have at least what it needs."""
    usual: dict[str, Any] = {
        "country": None,
        "subdivision": None,
        "own_days": {},
        "ends_on": None,
        "starts_on": first_day(now),
    }
    return CalendarDefinition(**{**usual, **changes})
