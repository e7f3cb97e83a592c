"""Working time: how much of it lies between two moments, and when an amount of it is over. Pure; time is an argument.

Working time is a monotone function of time, W. A calendar is open at a moment if the local time of its zone lies in the day's
opening hours, so that DST, lunch breaks, holidays and make-up days need no case of their own. SQL has the same functions."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hub.errors import BadInput

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SPANS = 24  # of one day
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, SECOND, DAY = timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=1)
# No zone changes its offset twice within this time.
OFFSET_STEP = timedelta(hours=6)

Span: TypeAlias = tuple[int, int]  # minutes after local midnight: from, to
StoredHours: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]  # spans as texts, by day


def parse_spans(texts: Sequence[str]) -> list[Span]:
    """The spans of a day from texts like "09:00-12:00", in their order; raises ValueError with the remedy."""
    if len(texts) > MAX_SPANS:
        raise ValueError(f"a day has at most {MAX_SPANS} spans; join those that meet")
    spans = sorted(_parse_span(text) for text in texts)
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise ValueError(f"two spans of a day overlap at {_clock_text(start)}; join them")
    return spans


def format_spans(spans: Iterable[Span]) -> list[str]:
    """The spans as texts; those that meet are joined."""
    joined: list[list[int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [f"{_clock_text(start)}-{_clock_text(end)}" for start, end in joined]


def _parse_span(text: object) -> Span:
    shown = str(text)[:20]
    start, _, end = str(text).partition("-")
    opens, closes = _minutes(start), _minutes(end)
    if not isinstance(text, str) or opens is None or closes is None:
        raise ValueError(f'{shown!r} is no span; write "09:00-12:00", and 24:00 for the end of the day')
    if opens >= closes:
        raise ValueError(f'{shown!r} ends before it begins; write "22:00-24:00", and "00:00-06:00" on the next day')
    return opens, closes


def _minutes(text: str) -> int | None:
    hours, _, minutes = text.strip().partition(":")
    if not (len(hours) == len(minutes) == 2 and f"{hours}{minutes}".isascii() and f"{hours}{minutes}".isdigit()):
        return None
    value = int(hours) * 60 + int(minutes)
    return value if int(minutes) < 60 and value <= 24 * 60 else None


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The opening hours of a week, Monday first, and of the days that differ from it, in an IANA time zone."""

    timezone: str
    week: tuple[tuple[Span, ...], ...]
    exceptions: Mapping[date, tuple[Span, ...]]

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans of a day; none when it is closed."""
        return self.exceptions[day] if day in self.exceptions else self.week[day.weekday()]

    def midnight(self, day: date) -> datetime:
        """The moment at which a day begins; where its midnight does not exist, the first moment after it."""
        local = datetime.combine(day, time())
        zone = ZoneInfo(self.timezone)
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local:
            return instant
        return _offset_change(zone, instant - DAY, instant + DAY) or instant


class WorkingTime:
    """W of one calendar: its working intervals between two moments, each with the working time before it.

    Intervals are whole seconds after the epoch in microseconds, sorted, and do not touch."""

    __slots__ = ("_before", "_ends", "_hours", "_starts", "covers_from", "covers_until", "total")

    def __init__(
        self, hours: OpeningHours, intervals: Sequence[tuple[int, int]], covers_from: datetime, covers_until: datetime
    ) -> None:
        self._hours = hours
        self._starts = [start for start, _ in intervals]
        self._ends = [end for _, end in intervals]
        self._before = list(accumulate((end - start for start, end in intervals), initial=0))
        self.total = self._before.pop()
        self.covers_from, self.covers_until = covers_from, covers_until

    @property
    def count(self) -> int:
        """The number of working intervals."""
        return len(self._starts)

    @property
    def intervals(self) -> Iterator[tuple[datetime, datetime, int]]:
        """Start, end, and the working time before it in microseconds."""
        for start, end, before in zip(self._starts, self._ends, self._before, strict=True):
            yield _from_micros(start), _from_micros(end), before

    def between(self, start: datetime, end: datetime, argument: str = "to") -> timedelta:
        """The working time from one moment to another, negative if the second comes first.

        Raises BadInput CALENDAR_HORIZON for a moment that the calendar does not cover."""
        return (self._until(end, argument) - self._until(start, "from")) * MICROSECOND

    def after(self, start: datetime, working: timedelta, argument: str = "from") -> datetime:
        """The first moment by which so much working time has passed; `start` itself for none.

        An amount that ends at closing time is over then, and not when the calendar opens again. Raises BadInput
        CALENDAR_HORIZON if that lies beyond what the calendar covers."""
        if working < timedelta():
            raise BadInput("seconds: working time only passes forwards; give 0 or more.", argument="seconds")
        amount = self._until(start, argument) + working // MICROSECOND
        if not working:
            return start
        if amount > self.total:
            message = (
                f"{argument}: the calendar ends at {self.covers_until:%Y-%m-%dT%H:%M:%SZ}, before so much working time has"
                " passed; extend its horizon, or take less."
            )
            raise BadInput(message, code="CALENDAR_HORIZON", argument=argument)
        index = bisect_left(self._before, amount) - 1
        return _from_micros(self._starts[index] + amount - self._before[index])

    def is_open(self, moment: datetime, argument: str = "moment") -> bool:
        """Whether the moment lies in working time; raises BadInput CALENDAR_HORIZON for one that is not covered."""
        self._until(moment, argument)
        index = bisect_right(self._starts, _to_micros(moment)) - 1
        return index >= 0 and _to_micros(moment) < self._ends[index]

    def is_workday(self, day: date, argument: str = "day") -> bool:
        """Whether the day has working time; raises BadInput CALENDAR_HORIZON for one that the calendar does not cover.

        Opening hours that a change of the clock skips are none."""
        before = self._until(self._hours.midnight(day), argument)
        return self._until(min(self._hours.midnight(day + DAY), self.covers_until), argument) > before

    def _until(self, moment: datetime, argument: str) -> int:
        if not self.covers_from <= moment <= self.covers_until:
            message = (
                f"{argument}: the calendar covers {self.covers_from:%Y-%m-%dT%H:%M:%SZ} to"
                f" {self.covers_until:%Y-%m-%dT%H:%M:%SZ}; extend its horizon, or give a moment in it."
            )
            raise BadInput(message, code="CALENDAR_HORIZON", argument=argument)
        micros = _to_micros(moment)
        index = bisect_right(self._starts, micros) - 1
        return 0 if index < 0 else self._before[index] + min(micros, self._ends[index]) - self._starts[index]


def compile_working_time(hours: OpeningHours, covers_from: datetime, covers_until: datetime) -> WorkingTime:
    """The working time between two moments."""
    joined: list[list[int]] = []
    for start, end in _open_intervals(hours, covers_from, covers_until):
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return WorkingTime(hours, [(start, end) for start, end in joined], covers_from, covers_until)


def compiled_working_time(
    timezone: str,
    weekly: Mapping[str, Sequence[str]],
    exceptions: Mapping[str, Sequence[str]],
    covers_from: datetime,
    covers_until: datetime,
) -> WorkingTime:
    """The working time of a stored calendar; the process keeps those that it used last."""
    return _compile_stored(timezone, _key(weekly), _key(exceptions), covers_from, covers_until)


def _key(hours: Mapping[str, Sequence[str]]) -> StoredHours:
    return tuple(sorted((name, tuple(spans)) for name, spans in hours.items()))


@lru_cache(maxsize=64)
def _compile_stored(
    timezone: str, weekly: StoredHours, exceptions: StoredHours, covers_from: datetime, covers_until: datetime
) -> WorkingTime:
    week = dict(weekly)
    hours = OpeningHours(
        timezone,
        tuple(tuple(parse_spans(week.get(name, ()))) for name in WEEKDAYS),
        {date.fromisoformat(day): tuple(parse_spans(spans)) for day, spans in exceptions},
    )
    return compile_working_time(hours, covers_from, covers_until)


def _open_intervals(hours: OpeningHours, start: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    """The open intervals, day by day within each stretch of time that has one offset from UTC."""
    for since, until, offset in _stretches(ZoneInfo(hours.timezone), start, end):
        low, high = _to_micros(since), _to_micros(until)
        day, last = (since + offset).date(), (until + offset).date()
        while day <= last:
            midnight = _to_micros(datetime.combine(day, time(), UTC) - offset)
            for opens, closes in hours.spans_on(day):
                first, final = max(low, midnight + opens * 60_000_000), min(high, midnight + closes * 60_000_000)
                if first < final:
                    yield first, final
            day += DAY


def _stretches(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The stretches of time with one offset from UTC: start, end, offset."""
    since = moment = start
    while moment < end:
        later = min(moment + OFFSET_STEP, end)
        change = _offset_change(zone, moment, later)
        if change is not None and change < end:
            yield since, change, _offset(zone, moment)
            since = change
        moment = later
    yield since, end, _offset(zone, since)


def _offset_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first moment with another offset than at `start`, to the second; None if `end` has the same."""
    offset = _offset(zone, start)
    if _offset(zone, end) == offset:
        return None
    low, high = 0, int((end - start) / SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, start + middle * SECOND) == offset else (low, middle)
    return start + high * SECOND


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _to_micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _from_micros(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND
