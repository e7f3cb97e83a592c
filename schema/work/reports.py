"""Reports of a period, and what was issued of them. Only commands and timers write both: hub/domain/work/reports.py."""

from datetime import date, datetime
from uuid import UUID

from hub.model import (
    GLOBAL,
    SELF,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    Workflow,
    field,
    index,
    issued_report,
    key_owned,
    move,
    state,
    stored_filter,
    to_one,
    unique,
    validators,
)
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.calendars import Calendar
from hub.schema.work.teams import Team


class ReportPeriod(DescribedEnum):
    DAY = "DAY", "A day."
    WEEK = "WEEK", "A week, from Monday."
    MONTH = "MONTH", "A month."
    QUARTER = "QUARTER", "A quarter of a year."
    YEAR = "YEAR", "A year."


class ReportPer(DescribedEnum):
    NONE = "NONE", "One for the whole organisation."
    STAFF = "STAFF", "One for each member of staff."
    TEAM = "TEAM", "One for each team."
    UNIT = "UNIT", "One for each unit."


class ReportStatus(DescribedEnum):
    ACTIVE = "ACTIVE", "It is issued at the end of each period."
    PAUSED = "PAUSED", "Paused by hand or because its key lost its rights; resumed, it makes up for missed periods."


class ReportIssueStatus(Workflow, initial=("OPEN",), history=True):
    OPEN = (
        "OPEN",
        state(
            "Its facts or its sections are missing.", to=(move("SUBMITTED", by_hub=True), move("ISSUED", by_hub=True))
        ),
    )
    SUBMITTED = (
        "SUBMITTED",
        state(
            "Its sections are written; it waits for its check.",
            to=(move("CHECKED", by_hub=True), move("OPEN", by_hub=True), move("ISSUED", by_hub=True)),
            stamps="submitted_at",
        ),
    )
    CHECKED = "CHECKED", state("Another person has checked it.", to=(move("ISSUED", by_hub=True),), stamps="checked_at")
    ISSUED = "ISSUED", state("It never changes again; a correction replaces it.", stamps="issued_at")


class Report(
    Entity,
    prefix="rpt",
    owned_by=key_owned,
    writable_by=("unit",),
    operations=("delete",),
    order="name",
    sortable=("updated_at",),
    checks={
        "has_content": "document is not null or cardinality(sections) > 0",
        "due_after_seconds_is_bounded": "due_after_seconds between 0 and 31622400",
    },
    indexes=(index("closes_at", where="status = 'ACTIVE'", name="closes_at"),),
):
    """A report that is issued for each period: facts that a stored query answers, and sections that people write."""

    name: Column[str] = field(
        "Short unique name: letters, digits and underscores.",
        unique=GLOBAL,
        check=validators.slug,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    title: Column[str] = field(
        "Title, in plain words.", check=validators.single_line, writable="command", personal=PersonalData.NOT_PERSONAL
    )
    status: Column[ReportStatus] = field("Whether it is issued.", default=ReportStatus.ACTIVE, writable="command")
    status_reason: Column[str | None] = field(
        "Why it is not issued.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    period: Column[ReportPeriod] = field("The period that one issue is about.", writable="command")
    timezone: Column[str] = field(
        "IANA time zone in which its periods begin and end.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    document: Column[str | None] = field(
        "The query that gives its facts; `$from`, `$to` and `$subject` are filled in. Empty for a form.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    operation_name: Column[str | None] = field(
        "The operation of the document, if it has several.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    variables: Column[Json] = field(
        "Other variables of the document.",
        server_default={},
        filterable=False,
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    sections: Column[list[str]] = field(
        "Names of the sections that people write.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    per: Column[ReportPer] = field("What there is one issue for.", default=ReportPer.NONE, writable="command")
    subject_type: Column[str | None] = field(
        "The type that `per` stands for.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    subjects: Column[Json | None] = stored_filter(
        "The members of staff, teams or units that it is issued for; all that its key sees when empty.",
        entity_in="subject_type",
    )
    due_after_seconds: Column[int | None] = field(
        "Seconds of working time after the end of the period within which people must have submitted it.",
        writable="command",
    )
    checked_by: Column[str | None] = field(
        "The job role whose holder checks it; empty if nobody does.",
        check=validators.slug,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    starts_on: Column[date] = field("First day of the period that runs now.", writable="command")
    closes_at: Column[datetime] = field("End of that period: the moment at which it is issued.", writable="command")
    calendar = to_one(Calendar, "The calendar by which `dueAfterSeconds` counts.", optional=True, writable="command")


class ReportIssue(
    Entity,
    prefix="rpi",
    owned_by=issued_report,
    writable_by=("unit",),
    subject_of=("Clock", "Notification", "Task"),
    operations=(),
    order="-starts_on",
    unique=(unique("report_id", "starts_on", "subject_id", "revision", among=GLOBAL),),
    checks={"issued_with_digest": "(status = 'ISSUED') = (digest is not null)"},
    indexes=(
        index("facts_at", where="facts_at is not null", name="facts_at"),
        index("staff_id", "starts_on", where="status = 'OPEN'", name="open"),
    ),
):
    """A report of one period, about one member of staff, team or unit. Once issued it never changes."""

    # Copies: who writes and reads an issue may not see the report, which is its key's.
    name: Column[str] = field("Short name of the report.", personal=PersonalData.NOT_PERSONAL)
    title: Column[str] = field("Title of the report, in plain words.", personal=PersonalData.NOT_PERSONAL)
    section_names: Column[list[str]] = field(
        "Names of the sections that people write.", personal=PersonalData.NOT_PERSONAL
    )
    starts_on: Column[date] = field("First day of the period.", sortable=True, personal=PersonalData.NOT_PERSONAL)
    ends_on: Column[date] = field("Last day of the period.", personal=PersonalData.NOT_PERSONAL)
    revision: Column[int] = field(
        "1, and one more for each correction.", server_default=1, personal=PersonalData.NOT_PERSONAL
    )
    status: Column[ReportIssueStatus] = field(
        "How far it is.", default=ReportIssueStatus.OPEN, personal=PersonalData.BEHAVIOUR
    )
    facts: Column[Json | None] = field(
        "The answer of the report's query; empty without one.", filterable=False, personal=PersonalData.COPY
    )
    facts_read_at: Column[datetime | None] = field(
        "Time as of which the facts were read.", personal=PersonalData.NOT_PERSONAL
    )
    fault: Column[str | None] = field("Why its facts could not be read.", personal=PersonalData.NOT_PERSONAL)
    sections: Column[Json] = field(
        "What people wrote, by the name of the section.",
        server_default={},
        filterable=False,
        personal=PersonalData.FREE_TEXT,
    )
    note: Column[str | None] = field(
        "What its checker said, or why it corrects another one.", personal=PersonalData.FREE_TEXT
    )
    digest: Column[str | None] = field(
        "SHA-256 of what was issued, in hexadecimal; see docs/work.md.", personal=PersonalData.NOT_PERSONAL
    )
    submitted_at: Column[datetime | None] = field("Time when it was submitted first.", personal=PersonalData.BEHAVIOUR)
    checked_at: Column[datetime | None] = field("Time when it was checked.", personal=PersonalData.BEHAVIOUR)
    issued_at: Column[datetime | None] = field(
        "Time when it was issued.", sortable=True, null_as="infinity", personal=PersonalData.BEHAVIOUR
    )
    # The key of the member of staff, team, unit or report: what makes one issue of a period.
    subject_id: Column[UUID] = field("Key of what it is about.", hidden=True, personal=PersonalData.NOT_PERSONAL)
    facts_at: Column[datetime | None] = field(
        "Time at which its facts are read.", hidden=True, unlogged=True, personal=PersonalData.NOT_PERSONAL
    )
    report = to_one(Report, "The report.", inverse=("issues", "What was issued of it, and what is still open."))
    staff = to_one(
        Staff,
        "The member of staff whom it is about.",
        optional=True,
        inverse=("report_issues", "Reports about the person's work."),
        index="not null",
    )
    unit = to_one(
        OrgUnit,
        "The unit that it is about, or in which its person or team works.",
        optional=True,
        inverse=("report_issues", "Reports about the unit."),
        index="not null",
    )
    team = to_one(
        Team,
        "The team that it is about.",
        optional=True,
        inverse=("report_issues", "Reports about the team."),
        index="not null",
    )
    submitter = to_one(Staff, "The person who submitted it.", optional=True)
    checker = to_one(Staff, "The person who checks it.", optional=True)
    replaces = to_one(
        SELF,
        "The issued one that it corrects.",
        optional=True,
        inverse=("corrections", "The one that corrects it."),
        index="not null",
    )
