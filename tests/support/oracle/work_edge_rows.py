"""Edge rows of the work module: calendars, code rules, notifications, processes."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from hub.schema.customers import customers
from hub.schema.work import calendars, code_rules, notifications, processes
from oracle.dual_control_rows import add_dual_control_rows
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder
from oracle.sla_rows import add_sla_rows
from oracle.task_rows import add_task_rows
from oracle.work_item_rows import add_work_items
from oracle.work_rows import add_subject_rows


def add_work_rows(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Rows of every entity of the module, about the customers that the builder has."""
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
    add_subject_rows(builder, units, staff)
    _notifications(builder, units, staff)
    add_dual_control_rows(builder, units, staff)
    add_sla_rows(builder, units, staff)
    add_task_rows(builder, units, staff)
    _processes(builder, units)
    add_work_items(builder, units, staff)


def _notifications(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    customer_rows = builder.rows_by_table[customers.Customer.table]
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


def _processes(builder: EdgeRowBuilder, units: Sequence[UUID]) -> None:
    for number in range(6):
        process = builder.add(
            processes.Process,
            code=f"edge{number // 2}",
            revision=number % 2 + 1,
            name=builder.pick(NAMES),
            type=builder.member(processes.ProcessType),
            about="Customer",
            status=builder.member(processes.ProcessStatus),
            max_rounds=builder.pick((1, 10)),
            code_rule_id=builder.maybe([row["id"] for row in builder.rows_by_table[code_rules.CodeRule.table]]),
        )
        for position in range(1, number + 1):
            _process_step(builder, process["id"], position, builder.maybe(units))


def _process_step(builder: EdgeRowBuilder, process_id: UUID, position: int, unit_id: UUID | None) -> None:
    builder.add(
        processes.ProcessStep,
        process_id=process_id,
        position=position,
        code=f"step{position}",
        name=builder.pick(NAMES),
        public_name=builder.text(),
        group_name=builder.maybe(("a", "b")),
        addressee="ROLE",
        role=builder.maybe(("RISK", "SEAL")),
        unit_type=builder.member(processes.StepUnit),
        unit_id=unit_id,
        decisions=builder.pick((["DONE"], ["APPROVE", "REJECT"])),
        returns_to=None,
        quorum=builder.pick((1, 5)),
        majority=builder.maybe(("2/3",)),
        distinct_from=builder.pick(([], ["step1"])),
        allows_opener=builder.pick((True, False)),
        authority=builder.maybe(("credit",)),
        verified=[],
        about="Customer",
        exit_criteria=builder.maybe((json.dumps({"country": {"eq": "DE"}}),)),
        goal_seconds=builder.maybe((3_600, 54_000)),
        calendar_id=builder.maybe([row["id"] for row in builder.rows_by_table[calendars.Calendar.table]]),
        probability=builder.maybe((Decimal("0.5"), Decimal(1))),
        forecast=builder.maybe([member.value for member in processes.ForecastCategory]),
        buyer_step=builder.text(),
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
        covers_from=datetime(1998, 4, 20, tzinfo=UTC),  # after some clocks were started
        covers_until=datetime(2030, 1, 1, tzinfo=UTC),
        extends_at=None,
    )
    for day, spans in days.items():
        source, reason = builder.member(calendars.CalendarDaySource), builder.pick(NAMES)
        builder.add(
            calendars.CalendarDay, calendar_id=calendar["id"], day=day, spans=spans, source=source, reason=reason
        )
