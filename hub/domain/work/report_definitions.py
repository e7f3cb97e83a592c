"""Checks what a report is: its period, its query, its sections and its subjects. reports.py stores it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.access import api_keys
from hub.domain.work.calendar_definitions import check_timezone
from hub.errors import BadInput, HubError
from hub.model import exact_json, rows, stored_filters, validators
from hub.schema.work.calendars import Calendar
from hub.schema.work.reports import Report, ReportPer, ReportStatus
from hub.viewer import Viewer

MAX_SECTIONS = 20
MAX_DUE_AFTER = 366 * 86_400  # seconds
FILLED_IN = ("from", "to", "subject")  # the variables that each run fills in
SUBJECT_TYPES = {ReportPer.STAFF: "Staff", ReportPer.TEAM: "Team", ReportPer.UNIT: "OrgUnit"}
ID_PREFIXES = {ReportPer.STAFF: "stf", ReportPer.TEAM: "tea", ReportPer.UNIT: "unt"}
NOBODY = UUID(int=0)  # stands for the subject where a document is checked

_KEY_STATE_TEXT = {"revoked": "was revoked", "expired": "has expired", "left": "belongs to a person who has left"}


class ReportTools(Protocol):
    """Runs documents; ReportRunner in hub/report_runner.py implements it."""

    async def check(
        self, viewer: Viewer, document: str, operation_name: str | None, variables: Mapping[str, Any], now: datetime
    ) -> None:
        """Raises BadInput for a document that no report can use."""

    async def run(
        self, viewer: Viewer, document: str, operation_name: str | None, variables: Mapping[str, Any], now: datetime
    ) -> Any:
        """The data of a query; raises BadInput for one that fails, Unavailable if it may succeed later."""

    async def subjects(
        self, viewer: Viewer, per: ReportPer, row_filter: Any, first_day: date, last_day: date, now: datetime
    ) -> Sequence[UUID]:
        """The keys of the rows that a report is issued for in a period."""


def check_texts(supplied: Mapping[str, str | None]) -> dict[str, Any]:
    """The texts among the changes of a report in normal form; an empty one clears its column where that may be null."""
    changes: dict[str, Any] = {}
    for name in ("document", "operation_name", "checked_by"):
        if (text := supplied.get(name)) is not None:
            changes[name] = text.strip() or None
    if changes.get("checked_by") is not None:
        changes |= validators.check_values({"checked_by": changes["checked_by"]}, {"checked_by": validators.slug})
    if (title := supplied.get("title")) is not None:
        changes |= validators.check_values({"title": title}, {"title": validators.single_line})
    if (timezone := supplied.get("timezone")) is not None:
        changes["timezone"] = check_timezone(timezone)
    return changes


def check_sections(sections: Sequence[str]) -> list[str]:
    """Names of sections; raises BadInput for bad ones, repeated ones and too many."""
    names = [
        validators.check_values({f"sections[{index}]": name}, {f"sections[{index}]": validators.slug})[
            f"sections[{index}]"
        ]
        for index, name in enumerate(sections)
    ]
    if len(names) > MAX_SECTIONS or len(set(names)) < len(names):
        message = f"sections: give at most {MAX_SECTIONS} different names."
        raise BadInput(message, argument="sections")
    return names


def check_variables(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Other variables of a report's document; raises BadInput for one that each run fills in."""
    for name in FILLED_IN:
        if name in variables:
            raise BadInput(f"variables.{name}: the hub fills it in; leave it out.", argument=f"variables.{name}")
    return variables


def check_due_after(seconds: int) -> int:
    """Seconds of working time; raises BadInput for too many."""
    if not 0 <= seconds <= MAX_DUE_AFTER:
        raise BadInput(f"due_after_seconds: give 0 to {MAX_DUE_AFTER:,}.", argument="due_after_seconds")
    return seconds


def check_changes(supplied: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The other changes of a report in normal form: what is None is left out. A calendar that goes takes the due time along."""
    checks: dict[str, Callable[[Any], Any]] = {
        "variables": check_variables,
        "sections": check_sections,
        "subjects": lambda row_filter: row_filter or None,
        "due_after_seconds": check_due_after,
    }
    active = supplied["active"]
    checked = {
        name: checks[name](value) if name in checks else value
        for name, value in supplied.items()
        if value is not None and name != "active"
    }
    if changes.get("calendar_id", NOBODY) is None:
        checked["due_after_seconds"] = None
    if active is not None:
        checked["status"] = ReportStatus.ACTIVE if active else ReportStatus.PAUSED
        checked["status_reason"] = None if active else "Paused by hand."
    return checked


def check_whole(report: Mapping[str, Any]) -> None:
    """Raises BadInput for a report whose parts do not go together."""
    if report["document"] is None and not report["sections"]:
        message = "document: a report has a query, sections, or both; give one."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="document")
    if report["subjects"] is not None:
        subject_type = SUBJECT_TYPES.get(ReportPer(report["per"]))
        if subject_type is None:
            raise BadInput(
                "subjects: a report that is issued once has no subjects; give `per` too.", argument="subjects"
            )
        stored_filters.check(subject_type, report["subjects"], "subjects")
    if report["due_after_seconds"] is not None:
        if report["calendar_id"] is None:
            message = "calendar: working time counts by a calendar; give its code."
            raise BadInput(message, code="ARGUMENT_MISSING", argument="calendar")
        if not report["sections"]:
            message = "due_after_seconds: nobody submits a report without sections; leave it out."
            raise BadInput(message, argument="due_after_seconds")
    if report["checked_by"] is not None and not report["sections"]:
        message = "checked_by: nobody submits a report without sections, so nobody checks it; leave it out."
        raise BadInput(message, argument="checked_by")


async def find_calendar(tx: Connection, viewer: Viewer, code: str) -> UUID | None:
    """The key of the calendar with a code, None for an empty one; raises BadInput for one that the viewer does not see."""
    if not code.strip():
        return None
    key = (await rows.visible_keys(tx, viewer, Calendar, "code", [code.strip()])).get(code.strip())
    if key is None:
        raise BadInput(f"calendar: there is no calendar {code[:63]!r}; calendarUpsert makes one.", argument="calendar")
    return key


def document_variables(
    stored: Mapping[str, Any], per: ReportPer, start: datetime, end: datetime, subject: UUID | None
) -> dict[str, Any]:
    """The variables of one run: what the report stores, the period, and the id of the subject."""
    prefix = ID_PREFIXES.get(per)
    public_id = None if prefix is None or subject is None else f"{prefix}_{subject.hex}"
    return {**stored, "from": start.isoformat(), "to": end.isoformat(), "subject": public_id}


async def owner_viewer(tx: Connection, owner: str, now: datetime) -> Viewer | str:
    """The viewer of the key that owns a report, or the reason why it is not issued."""
    stored_key = await api_keys.find_key(tx, owner)
    if stored_key is None:
        return f"The report's API key {owner} no longer exists."
    state = stored_key.state(now)
    if state != "living":
        return f"The report's API key {owner} {_KEY_STATE_TEXT[state]}."
    try:
        Report.require(stored_key.viewer, "update")
    except HubError as error:
        return error.message
    return stored_key.viewer


def decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored report with its JSON columns read."""
    return {
        **row,
        "variables": exact_json.loads(row["variables"]),
        "subjects": None if row["subjects"] is None else exact_json.loads(row["subjects"]),
    }


async def fetch_row(tx: Connection, query: str, key: UUID) -> dict[str, Any]:
    """The row that a query finds by its key; raises NotFound without one."""
    row = await tx.fetchrow(query, key)
    if row is None:
        raise rows.not_visible("id")
    return dict(row)
