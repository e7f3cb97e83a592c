"""Edge rows of tasks, milestones and reports."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Interaction
from hub.schema.work import milestones, reports, tasks
from hub.schema.work.calendars import Calendar
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder
from oracle.work_rows import about

DAYS = (date(2025, 12, 31), date(2026, 2, 28), date(2026, 3, 1))


def add_task_rows(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Adds the rows; `units` and `staff` are keys that they may refer to."""
    task_ids = [_task(builder, units, staff) for _ in range(60)]
    for number in range(40):
        builder.add(
            milestones.Milestone,
            **about(builder, "Task", builder.pick(task_ids), units, staff),
            position=builder.rng.randint(1, 5),
            code=f"edge{number}",
            name=builder.pick(NAMES),
            state=builder.member(milestones.MilestoneState),
            planned_at=builder.maybe(TIMESTAMPS),
            reached_at=builder.maybe(TIMESTAMPS),
        )
    for number in range(6):
        report = _report(builder, number)
        for _ in range(8):
            _issue(builder, report, units, staff)


def _task(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> UUID:
    customer = builder.maybe(builder.rows_by_table[Customer.table])
    interactions = [row["id"] for row in builder.rows_by_table[Interaction.table]]
    person = builder.pick(staff)
    task = builder.add(
        tasks.Task,
        type=builder.member(tasks.TaskType),
        category=builder.member(tasks.TaskCategory),
        title=builder.pick(NAMES),
        due_at=builder.maybe(TIMESTAMPS),
        minutes=builder.maybe((0, 90)),
        status=builder.member(tasks.TaskStatus),
        result=builder.text(),
        done_at=builder.maybe(TIMESTAMPS),
        origin=builder.member(tasks.TaskOrigin),
        entity=None,
        row_id=None,
        clock_id=None,
        reminds_at=None,
        customer_id=customer and customer["id"],
        staff_id=person,
        unit_id=customer["unit_id"] if customer else builder.pick(units),
        interaction_id=builder.maybe(interactions),
    )
    key: UUID = task["id"]
    return key


def _report(builder: EdgeRowBuilder, number: int) -> UUID:
    calendars = [row["id"] for row in builder.rows_by_table[Calendar.table]]
    report = builder.add(
        reports.Report,
        owner=builder.pick(("0011223344556677", "8899aabbccddeeff")),
        name=f"edge{number}",
        title=builder.pick(NAMES),
        status=builder.member(reports.ReportStatus),
        status_reason=builder.text(),
        period=builder.member(reports.ReportPeriod),
        timezone=builder.pick(("UTC", "Asia/Shanghai")),
        document=builder.maybe(("{ customers { totalCount } }",)),
        operation_name=None,
        variables="{}",
        sections=["results"],
        per=builder.member(reports.ReportPer),
        subject_type=None,
        subjects=None,
        due_after_seconds=builder.maybe((0, 3600)),
        checked_by=builder.maybe(("HEAD",)),
        starts_on=builder.pick(DAYS),
        closes_at=builder.pick(TIMESTAMPS),
        calendar_id=builder.maybe(calendars),
    )
    key: UUID = report["id"]
    return key


def _issue(builder: EdgeRowBuilder, report: UUID, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    status = builder.member(reports.ReportIssueStatus)
    builder.add(
        reports.ReportIssue,
        report_id=report,
        name=builder.pick(("edge0", "edge1")),
        title=builder.pick(NAMES),
        section_names=["results"],
        starts_on=builder.pick(DAYS),
        ends_on=builder.pick(DAYS),
        revision=builder.rng.randint(1, 2),
        status=status,
        facts=builder.maybe((json.dumps({"customers": {"totalCount": 3}}),)),
        facts_read_at=builder.maybe(TIMESTAMPS),
        fault=builder.text(),
        sections=json.dumps({"results": "Good."}),
        note=builder.text(),
        digest="0" * 64 if status == "ISSUED" else None,
        submitted_at=builder.maybe(TIMESTAMPS),
        checked_at=builder.maybe(TIMESTAMPS),
        issued_at=datetime(2026, 3, 1, tzinfo=UTC) if status == "ISSUED" else None,
        subject_id=builder.key(),
        facts_at=None,
        staff_id=builder.maybe(staff),
        team_id=None,
        unit_id=builder.maybe(units),
        submitter_id=builder.maybe(staff),
        checker_id=builder.maybe(staff),
        replaces_id=None,
    )
