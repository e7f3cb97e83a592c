"""Clocks: promises about rows, counted in working time. hub/domain/work/clocks.py starts, pauses and stops them."""

from datetime import datetime
from decimal import Decimal

from hub.model import Column, DescribedEnum, Entity, PersonalData, any_of, field, index, resolver, subject, to_one
from hub.model.clock_expressions import spent_by_clock
from hub.schema.work.calendars import Calendar
from hub.schema.work.sla_policies import SlaPolicy

BEHAVIOUR, NOT_PERSONAL = PersonalData.BEHAVIOUR, PersonalData.NOT_PERSONAL


class ClockStatus(DescribedEnum):
    RUNNING = "RUNNING", "It runs, and is not due yet."
    PAUSED = "PAUSED", "It stands still before it is due; what was spent stays."
    MET = "MET", "It was stopped in time, the due time included."
    MISSED = "MISSED", "The due time has passed. The clock may still run, until it is stopped."
    VOID = "VOID", "It was called off: neither met nor missed."


class Clock(
    Entity,
    prefix="clk",
    owned_by=subject,
    operations=(),
    order="-started_at",
    checks={
        "goal_is_positive": "goal_seconds > 0",
        "spent_is_not_negative": "spent >= 0",
        "stopped_clocks_stand_still": "stopped_at is null or (running_since is null and next_at is null)",
        "ended_clocks_are_stopped": "(status in ('MET', 'VOID')) <= (stopped_at is not null)",
    },
    indexes=(
        index("next_at", where="next_at is not null", name="next_at"),
        index("row_id", "name", where="stopped_at is null", name="open", unique=True),
        index("calendar_id", "calendar_version", where="stopped_at is null", name="calendar_of_open"),
        index("policy_id", "policy_revision", where="stopped_at is null", name="policy_of_open"),
        index("unit_id", "due_at", where="stopped_at is null", name="open_of_unit"),
    ),
):
    """A promise about a row: how much working time it may take, how much was spent, and when it is due."""

    subject = any_of("The row that it is about.", inverse=("clocks", "What is promised for the row, and until when."))
    name: Column[str] = field("Name of the clock, like STEP or HANDLING.", writable="command", personal=NOT_PERSONAL)
    status: Column[ClockStatus] = field("Whether it runs, and how it ended.", writable="command", personal=BEHAVIOUR)
    policy = to_one(
        SlaPolicy,
        "The policy that it follows; empty if its goal was set by hand and no policy escalates it.",
        optional=True,
        on_delete="set null",
        inverse=("clocks", "The clocks that follow the policy."),
        writable="command",
    )
    calendar = to_one(
        Calendar, "The calendar that counts; empty if all time counts.", optional=True, writable="command", index=False
    )
    calendar_version: Column[int] = field(
        "The version of the calendar that the due time was counted by.",
        server_default=0,
        hidden=True,
        personal=NOT_PERSONAL,
    )
    goal_seconds: Column[int] = field(
        "Working time that it may take, in seconds.", writable="command", personal=NOT_PERSONAL
    )
    policy_revision: Column[int] = field(
        "The revision of the policy that it follows.", server_default=0, hidden=True, personal=NOT_PERSONAL
    )
    own_goal: Column[bool] = field(
        "Whether its goal was set by hand, so that policies leave it alone.",
        server_default=False,
        writable="command",
        personal=NOT_PERSONAL,
    )
    spent: Column[Decimal] = field(
        "Working time in seconds that was spent before it began to run last.",
        server_default=0,
        hidden=True,
        precision=(18, 6),
        personal=BEHAVIOUR,
    )
    started_at: Column[datetime] = field("When it was started.", sortable=True, writable="command", personal=BEHAVIOUR)
    running_since: Column[datetime | None] = field(
        "Since when it runs; empty while it stands still.", writable="command", personal=BEHAVIOUR
    )
    due_at: Column[datetime | None] = field(
        "When it is due, closing time included. Empty while it stands still, and beyond the calendar's horizon.",
        sortable=True,
        null_as="infinity",
        writable="command",
        personal=BEHAVIOUR,
    )
    next_at: Column[datetime | None] = field(
        "When its next level is reached, or it is missed.", hidden=True, personal=BEHAVIOUR
    )
    reached: Column[int] = field(
        "The levels that were reached, a bit for each.", server_default=0, hidden=True, personal=NOT_PERSONAL
    )
    level: Column[int] = field(
        "The highest level of escalation that was reached; 0 for none.",
        server_default=0,
        writable="command",
        personal=BEHAVIOUR,
    )
    stopped_at: Column[datetime | None] = field(
        "When it was stopped or called off; empty until then.", writable="command", personal=BEHAVIOUR
    )
    overdue_seconds: Column[int | None] = field(
        "Working time by which it was too late when it was stopped, rounded up; empty until then.",
        writable="command",
        personal=BEHAVIOUR,
    )

    @resolver(spent_so_far=spent_by_clock)
    def spent_seconds(self, spent_so_far: float) -> float:
        """Working time that was spent so far, in seconds."""
        return round(spent_so_far, 6)

    @resolver(goal_seconds, stopped_at, spent_so_far=spent_by_clock)
    def remaining_seconds(self, goal_seconds: int, stopped_at: datetime | None, spent_so_far: float) -> float | None:
        """Working time that is left, in seconds, negative when it is overdue; null once it was stopped."""
        return None if stopped_at is not None else round(goal_seconds - spent_so_far, 6)

    @resolver(goal_seconds, spent_so_far=spent_by_clock)
    def share(self, goal_seconds: int, spent_so_far: float) -> float:
        """The part of the goal that was spent: 0.5 for half of it, more than 1 when it is overdue."""
        return round(spent_so_far / goal_seconds, 6)
