"""Calendars of working time. Only commands write them: hub/domain/work/calendars.py. hub/model/working_time.py counts."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import strawberry

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    any_key,
    field,
    index,
    resolver,
    unique,
    validators,
)
from hub.model.working_time import compiled_working_time

Moment = Annotated[datetime, strawberry.argument(description="The moment.")]
Day = Annotated[date, strawberry.argument(description="The day.")]
Start = Annotated[datetime, strawberry.argument(name="from", description="The moment at which it begins.")]
End = Annotated[datetime, strawberry.argument(name="to", description="The moment at which it ends.")]
Seconds = Annotated[int, strawberry.argument(description="Seconds of working time, 0 or more.")]


class CalendarDaySource(DescribedEnum):
    HOLIDAY = "HOLIDAY", "A public holiday of the calendar's country: closed."
    WORKDAY = "WORKDAY", "A make-up working day of the country: open in place of another day."
    MANUAL = "MANUAL", "An exception of the organisation's own; it wins over the country's days."


class Calendar(
    Entity,
    prefix="cal",
    owned_by=any_key,
    operations=("delete",),
    order="code",
    sortable=("updated_at",),
    indexes=(
        index("extends_at", where="extends_at is not null", name="extends_at"),
        index("clocks_move_at", where="clocks_move_at is not null", name="clocks_move_at"),
    ),
):
    """Opening hours by which promises are counted: a week, holidays and exceptions, in one time zone."""

    code: Column[str] = field(
        "Short unique name: letters, digits and underscores.",
        unique=GLOBAL,
        check=validators.slug,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    name: Column[str] = field(
        "Name of the calendar.",
        check=validators.single_line,
        sortable=True,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    timezone: Column[str] = field(
        "IANA time zone of the opening hours.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    weekly: Column[Json] = field(
        'Opening hours by day, mon to sun: {"mon": ["09:00-12:00", "13:30-18:00"]}. Other days are closed.',
        filterable=False,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    exceptions: Column[Json] = field(
        "Opening hours of the days that differ from the week, by date; those of a closed day are empty.",
        filterable=False,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    country: Column[str | None] = field(
        "ISO 3166-1 code of the country whose public holidays and make-up working days count.",
        check=validators.country,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    subdivision: Column[str | None] = field(
        "Part of the country whose holidays count too, as in ISO 3166-2 behind the hyphen.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    published_until: Column[date | None] = field(
        "Last day for which the country's make-up days are known; later ones are estimates. Empty if it has none.",
        writable="command",
    )
    holidays_release: Column[str | None] = field(
        "Release of the table of holidays that the days are from.",
        filterable=False,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    covers_from: Column[datetime] = field("First moment that the calendar covers.", writable="command")
    covers_until: Column[datetime] = field(
        "Moment at which the calendar ends: its horizon. No promise can end later.", writable="command"
    )
    extends_at: Column[datetime | None] = field(
        "Moment at which the horizon moves on by a year; empty for a fixed one.", writable="command"
    )

    clocks_move_at: Column[datetime | None] = field(
        "When clocks that run by an earlier version are counted on by this one; empty if there are none.",
        hidden=True,
        unlogged=True,
    )

    @resolver(timezone, weekly, exceptions, covers_from, covers_until)
    def working_time(
        self,
        timezone: str,
        weekly: Any,
        exceptions: Any,
        covers_from: datetime,
        covers_until: datetime,
        from_: Start,
        to: End,
    ) -> float | None:
        """Working time between two moments in seconds, negative if `to` comes first; null beyond what is covered."""
        compiled = compiled_working_time(timezone, weekly, exceptions, covers_from, covers_until)
        return compiled.between(from_, to) / timedelta(seconds=1)

    @resolver(timezone, weekly, exceptions, covers_from, covers_until)
    def due_at(
        self,
        timezone: str,
        weekly: Any,
        exceptions: Any,
        covers_from: datetime,
        covers_until: datetime,
        from_: Start,
        seconds: Seconds,
    ) -> datetime | None:
        """First moment by which so much working time has passed, which may be closing time; null beyond the horizon."""
        compiled = compiled_working_time(timezone, weekly, exceptions, covers_from, covers_until)
        return compiled.after(from_, timedelta(seconds=seconds))

    @resolver(timezone, weekly, exceptions, covers_from, covers_until)
    def is_open(
        self,
        timezone: str,
        weekly: Any,
        exceptions: Any,
        covers_from: datetime,
        covers_until: datetime,
        moment: Moment,
    ) -> bool | None:
        """Whether the moment lies in working time."""
        return compiled_working_time(timezone, weekly, exceptions, covers_from, covers_until).is_open(moment)

    @resolver(timezone, weekly, exceptions, covers_from, covers_until)
    def is_workday(
        self,
        timezone: str,
        weekly: Any,
        exceptions: Any,
        covers_from: datetime,
        covers_until: datetime,
        day: Day,
    ) -> bool | None:
        """Whether the day has working time, in the calendar's time zone."""
        return compiled_working_time(timezone, weekly, exceptions, covers_from, covers_until).is_workday(day)


class CalendarDay(
    Entity,
    prefix="cld",
    owned_by=any_key,
    part_of=Calendar,
    inverse=("days", "The days that differ from the week."),
    permission="calendars",
    operations=(),
    order="day",
    unique=(unique("calendar_id", "day", among=GLOBAL),),
):
    """A day whose opening hours differ from those of the week: a holiday, a make-up working day or an own exception."""

    day: Column[date] = field("The day.", sortable=True)
    spans: Column[list[str]] = field(
        'Opening hours like "09:00-12:00"; none when it is closed.', personal=PersonalData.NOT_PERSONAL
    )
    source: Column[CalendarDaySource] = field("Where it comes from.")
    reason: Column[str] = field("Name of the holiday, or why it differs.", personal=PersonalData.NOT_PERSONAL)
