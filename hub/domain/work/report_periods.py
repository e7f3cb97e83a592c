"""Periods of reports: days, weeks, months, quarters and years, which begin at midnight of a time zone. Pure functions."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.schema.work.reports import ReportPeriod

MONTHS = {ReportPeriod.MONTH: 1, ReportPeriod.QUARTER: 3, ReportPeriod.YEAR: 12}


def first_day(period: ReportPeriod, day: date) -> date:
    """The first day of the period in which a day lies."""
    if period is ReportPeriod.DAY:
        return day
    if period is ReportPeriod.WEEK:
        return day - timedelta(days=day.weekday())
    months = MONTHS[period]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def next_first_day(period: ReportPeriod, starts_on: date) -> date:
    """The first day of the period that follows the one which begins on a day."""
    if period in MONTHS:
        month = starts_on.month - 1 + MONTHS[period]
        return starts_on.replace(year=starts_on.year + month // 12, month=month % 12 + 1)
    return starts_on + timedelta(days=1 if period is ReportPeriod.DAY else 7)


def midnight(timezone: str, day: date) -> datetime:
    """The moment in UTC at which a day begins; where clocks skip midnight, the moment at which they do."""
    return datetime.combine(day, time.min, ZoneInfo(timezone)).astimezone(UTC)


def running_period(period: ReportPeriod, timezone: str, now: datetime) -> tuple[date, datetime]:
    """The period that runs at a moment: its first day, and the moment at which it ends."""
    starts_on = first_day(period, now.astimezone(ZoneInfo(timezone)).date())
    return starts_on, midnight(timezone, next_first_day(period, starts_on))
