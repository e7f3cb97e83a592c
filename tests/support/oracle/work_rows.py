"""Edge rows of work: calendars, rules of codes, and rows about other rows for every audience."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from hub.model.scopes import Audience
from hub.schema.customers.customers import Customer
from hub.schema.work import calendars, code_rules, moves, notifications, teams
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder


def add_work(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Adds the rows; `units` and `staff` are keys that they may refer to."""
    for number, zone in enumerate(("UTC", "Europe/Berlin", "Asia/Kathmandu")):
        _calendar(builder, number, zone)
    for number in range(2):
        builder.add(
            code_rules.CodeRule,
            name=f"edge{number}",
            pattern="A{serial:3}",
            check_digit="NONE",
            gapless=builder.pick((True, False)),
            reuse_after_days=builder.maybe((1, 30)),
            timezone="UTC",
        )
    _notifications(builder, units, staff)
    team_ids = [_team(builder, number, units, staff) for number in range(8)]
    for _ in range(60):
        _move(builder, builder.pick(team_ids), units, staff)


def about(
    builder: EdgeRowBuilder, entity: str, key: UUID, units: Sequence[UUID], staff: Sequence[UUID]
) -> dict[str, Any]:
    """The columns of a row about another one, for any audience; its owners need not be the subject's."""
    audience = builder.member(Audience)
    customer = builder.pick(builder.rows_by_table[Customer.table]) if audience in ("CUSTOMER", "INSIDE") else None
    if audience == "PERSON" and builder.maybe((True,)):
        customer = builder.pick(builder.rows_by_table[Customer.table])
    return {
        "entity": entity,
        "row_id": key,
        "customer_id": customer and customer["id"],
        "unit_id": customer["unit_id"] if customer else builder.maybe(units),
        "staff_id": builder.pick(staff) if audience == "PERSON" else builder.maybe(staff),
        "audience": audience,
    }


def _notifications(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    customer_rows = builder.rows_by_table[Customer.table]
    for _ in range(40):
        customer = builder.maybe([row["id"] for row in customer_rows])
        builder.add(
            notifications.Notification,
            staff_id=builder.pick(staff),
            type=builder.member(notifications.NotificationType),
            text=builder.pick(NAMES),
            notified_at=builder.pick(TIMESTAMPS),
            seen_at=builder.maybe(TIMESTAMPS),
            role=builder.maybe(("HEAD", "RISK")),
            clock_id=None,
            level=None,
            entity=None if customer is None else "Customer",
            row_id=customer,
            customer_id=customer,
            unit_id=builder.maybe(units),
        )


def _team(builder: EdgeRowBuilder, number: int, units: Sequence[UUID], staff: Sequence[UUID]) -> UUID:
    team = builder.add(
        teams.Team,
        code=f"edge{number}",
        name=builder.pick(NAMES),
        motto=builder.text(),
        type=builder.member(teams.TeamType),
        status=builder.member(teams.TeamStatus),
        ended_at=builder.maybe(TIMESTAMPS),
        unit_id=builder.pick(units),
        sponsor_id=builder.maybe(staff),
    )
    key: UUID = team["id"]
    return key


def _move(builder: EdgeRowBuilder, team: UUID, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    builder.add(
        moves.Move,
        **about(builder, "Team", team, units, staff),
        column="status",
        from_value=builder.member(teams.TeamStatus),
        to_value=builder.member(teams.TeamStatus),
        name=builder.pick(("ENDED", "ACTIVE")),
        reason=builder.text(),
        moved_at=builder.pick(TIMESTAMPS),
        actor=builder.pick(("hub", "staff:1", "timer:x")),
        moved_by_id=builder.maybe(staff),
        stayed=builder.pick((0, 1, 86400)),
        worked=builder.maybe((0, 3600)),
    )


def _calendar(builder: EdgeRowBuilder, number: int, zone: str) -> None:
    days = {
        date(2026, 3, 29): ["01:30-03:30"],
        date(2026, 12, 25): [],
        date(2026, 12, 28): ["09:00-12:00", "13:00-24:00"],
    }
    calendar = builder.add(
        calendars.Calendar,
        code=f"edge{number}",
        name=builder.pick(NAMES),
        timezone=zone,
        weekly=json.dumps({"mon": ["00:00-24:00"], "thu": ["09:00-12:00"], "sun": ["01:00-02:30", "23:00-24:00"]}),
        exceptions=json.dumps({day.isoformat(): spans for day, spans in days.items()}),
        country=builder.maybe(("CN", "DE")),
        subdivision=None,
        published_until=builder.maybe((date(2026, 12, 31),)),
        holidays_release=builder.maybe(("0.1",)),
        covers_from=datetime(2020, 1, 1, tzinfo=UTC),
        covers_until=datetime(2030, 1, 1, tzinfo=UTC),
        extends_at=None,
    )
    for day, spans in days.items():
        source, reason = builder.member(calendars.CalendarDaySource), builder.pick(NAMES)
        builder.add(
            calendars.CalendarDay, calendar_id=calendar["id"], day=day, spans=spans, source=source, reason=reason
        )
