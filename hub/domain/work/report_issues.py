"""What is issued of reports: facts are read, people write sections and others check them, and a digest seals the whole.

An issued one never changes, which the database refuses too; a correction is a new one that replaces it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.clocks import start_clock, stop_clock
from hub.domain.work.job_roles import head_of, holders
from hub.domain.work.notifications import notify
from hub.domain.work.report_definitions import ReportTools, document_variables, fetch_row, owner_viewer
from hub.domain.work.report_periods import midnight
from hub.errors import BadInput, Forbidden
from hub.model import exact_json, rows, validators
from hub.model.commands import Injected, command
from hub.model.moves import move_row
from hub.model.subjects import subject_values
from hub.model.timers import timer
from hub.schema.work.notifications import NotificationType
from hub.schema.work.reports import ReportIssue, ReportIssueStatus, ReportPer
from hub.viewer import ADMIN, Viewer

MAX_SECTION = 20_000  # characters
MAX_FAULT = 500
CLOCK = "REPORT"
UNIT_HEAD = "HEAD"

_DUE_AT = "select due_at from clocks where id = $1"
_READ_REPORT = "select * from reports where id = $1"
_READ = "select * from report_issues where id = $1 for update"
_CHECK_OF = """
select i.staff_id, i.team_id, i.unit_id, i.submitter_id, r.checked_by
from report_issues as i join reports as r on r.id = i.report_id where i.id = $1
"""
_HAS_CORRECTION = "select exists (select from report_issues where replaces_id = $1)"
_DIGEST_OF = "select digest from report_issues where id = $1"


class ReportIssuePayload(NamedTuple):
    """The payload of commands that take a report on."""

    report_issue: Annotated[UUID, ReportIssue, "The report of the period as it is now."]


async def open_issue(tx: Connection, report: Mapping[str, Any], issue: Mapping[str, Any], now: datetime) -> None:
    """Notifies the person who has to write an open report, and starts the clock by which it is due."""
    if not report["sections"]:
        return
    about = await subject_values(tx, ReportIssue, issue["id"])
    due = await _start_clock(tx, report, about, now)
    author = await _author(tx, issue, now)
    if author is not None:
        text = f"To be written: {report['title']} of {issue['starts_on'].isoformat()}{due}"
        await notify(tx, about, staff_ids=[author], type=NotificationType.ASSIGNED, text=text, now=now)


async def _start_clock(tx: Connection, report: Mapping[str, Any], about: Mapping[str, Any], now: datetime) -> str:
    """Starts the clock by which an open report is due, if it is; returns that as the end of a sentence."""
    if report["due_after_seconds"] is None:
        return ""
    goal = timedelta(seconds=report["due_after_seconds"])
    clock = await start_clock(tx, about, CLOCK, now=now, goal=goal, calendar_id=report["calendar_id"])
    due_at = await tx.fetchval(_DUE_AT, clock)
    return "" if due_at is None else f", due {due_at:%Y-%m-%d %H:%M} UTC"


async def _author(tx: Connection, issue: Mapping[str, Any], now: datetime) -> UUID | None:
    """Who writes a report: the person whom it is about, else the captain of its team or the head of its unit."""
    if issue.get("staff_id") is not None:
        author: UUID = issue["staff_id"]
        return author
    if issue.get("team_id") is not None:
        captains = await holders(tx, "CAPTAIN", team_id=issue["team_id"], now=now)
        if captains:
            return captains[0]
    return None if issue.get("unit_id") is None else await head_of(tx, issue["unit_id"], now=now)


@timer("report.facts", ReportIssue.c.facts_at)
async def read_facts(tx: Connection, key: UUID, now: datetime, report_runner: Injected[ReportTools]) -> None:
    """Reads the facts of an open report with the rights of its report's key; one without sections is issued at once."""
    issue = await fetch_row(tx, _READ, key)
    report = await fetch_row(tx, _READ_REPORT, issue["report_id"])
    changes: dict[str, Any] = {"facts_at": None}
    owner = await owner_viewer(tx, report["owner"], now)
    try:
        if isinstance(owner, str):
            raise BadInput(owner)
        changes |= {
            "facts": await _facts(owner, report, issue, now, report_runner),
            "facts_read_at": now,
            "fault": None,
        }
    except BadInput as error:
        changes["fault"] = error.message[:MAX_FAULT]
    await rows.update_row(tx, ADMIN, ReportIssue, key, changes, now)
    if changes.get("fault") is None and not issue["section_names"]:
        await _issue(tx, ADMIN, key, now)


async def _facts(
    owner: Viewer,
    report: Mapping[str, Any],
    issue: Mapping[str, Any],
    now: datetime,
    report_runner: ReportTools,
) -> Any:
    days: tuple[date, date] = (issue["starts_on"], issue["ends_on"] + timedelta(days=1))
    start, end = (midnight(report["timezone"], day) for day in days)
    stored = exact_json.loads(report["variables"])
    variables = document_variables(stored, ReportPer(report["per"]), start, end, issue["subject_id"])
    return await report_runner.run(owner, report["document"], report["operation_name"], variables, now)


@command("reportSubmit")
async def submit_report(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ReportIssue, "The open report."],
    sections: Annotated[dict[str, object], "The text of every section, by its name."],
    now: datetime,
) -> ReportIssuePayload:
    """Submits a report that people write: the person whom it is about, or anybody of its unit. Without a check it is issued."""
    ReportIssue.require(viewer, "update")
    person = acting_person(viewer)
    issue = dict(await rows.lock_row(tx, viewer, ReportIssue, id, "id"))
    report = await fetch_row(tx, _READ_REPORT, issue["report_id"])
    if issue["staff_id"] not in (None, person):  # its checker sees it, too
        raise Forbidden("id: only the person whom the report is about submits it.", argument="id")
    _require_status(issue, ReportIssueStatus.OPEN, "submitted")
    if not issue["section_names"]:
        raise BadInput("id: the report has no sections; it is issued when its facts are read.", argument="id")
    changes = {"sections": _sections(issue["section_names"], sections), "submitter_id": person}
    if report["document"] is not None and issue["facts"] is None:
        reason = issue["fault"] or "they are read at the end of the period"
        message = f"id: the facts of the report are missing: {reason}; submit it later."
        raise BadInput(message, code="REPORT_FACTS_MISSING", argument="id")
    checkers = await _checkers(tx, report["checked_by"], {**issue, "submitter_id": person}, now)
    checker = next((other for other in checkers if other != person), None)
    if checker is not None:
        changes["checker_id"] = checker
    async with rows.updating(tx, viewer, ReportIssue, id, fields=("sections",)):
        await _move(tx, viewer, id, ReportIssueStatus.SUBMITTED, changes, now)
        if report["checked_by"] is None:
            await _issue(tx, viewer, id, now)
    await stop_clock(tx, ReportIssue, id, CLOCK, now)
    if report["checked_by"] is not None and checker is not None:
        text = f"To be checked: {issue['title']} of {issue['starts_on'].isoformat()}"
        about = await subject_values(tx, ReportIssue, id)
        await notify(tx, about, staff_ids=[checker], type=NotificationType.ASSIGNED, text=text, now=now)
    return ReportIssuePayload(id)


def _sections(names: list[str], sections: Mapping[str, object]) -> dict[str, str]:
    """The texts of all sections in normal form."""
    for name in sections:
        if name not in names:
            message = f"sections.{name[:63]}: the report has {' and '.join(names)}; leave it out."
            raise BadInput(message, argument=f"sections.{name[:63]}")
    texts = {}
    for name in names:
        argument, text = f"sections.{name}", sections.get(name)
        if text is None:
            raise BadInput(
                f"{argument}: the report has this section; write it.", code="ARGUMENT_MISSING", argument=argument
            )
        if not isinstance(text, str) or len(text) > MAX_SECTION:
            raise BadInput(f"{argument}: give a text of at most {MAX_SECTION:,} characters.", argument=argument)
        texts[name] = validators.check_values({argument: text}, {argument: validators.multi_line})[argument]
    return texts


@command("reportCheck")
async def check_report(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ReportIssue, "The submitted report."],
    accepted: Annotated[bool, "Whether it is right; false returns it to the person who wrote it."] = True,
    note: Annotated[str | None, "What is to be said about it; a returned one needs it."] = None,
    now: datetime,
) -> ReportIssuePayload:
    """Checks a submitted report, which is issued then. Another person than the one who submitted it does that."""
    ReportIssue.require(viewer, "update")
    person = acting_person(viewer)
    await _require_checker(tx, viewer, person, id, now)
    issue = await fetch_row(tx, _READ, id)
    _require_status(issue, ReportIssueStatus.SUBMITTED, "checked")
    if issue["submitter_id"] == person:
        raise Forbidden("id: who submitted a report does not check it.", code="DUAL_CONTROL", argument="id")
    note = validators.check_values({"note": note}, {"note": validators.multi_line})["note"]
    if not accepted and note is None:
        raise BadInput("note: say why the report is returned.", code="ARGUMENT_MISSING", argument="note")
    changes: dict[str, Any] = {"checker_id": person, "note": note}
    if not accepted:
        await _move(tx, viewer, id, ReportIssueStatus.OPEN, changes, now, reason=" ".join((note or "").split()))
        about = await subject_values(tx, ReportIssue, id)
        due = await _start_clock(tx, await fetch_row(tx, _READ_REPORT, issue["report_id"]), about, now)
        text = f"Returned: {issue['title']}{due}: {note}"
        author = [issue["submitter_id"]]
        await notify(tx, about, staff_ids=author, type=NotificationType.ASSIGNED, text=text, now=now)
        return ReportIssuePayload(id)
    await _move(tx, viewer, id, ReportIssueStatus.CHECKED, changes, now)
    await _issue(tx, viewer, id, now)
    return ReportIssuePayload(id)


async def _require_checker(tx: Connection, viewer: Viewer, person: UUID, key: UUID, now: datetime) -> None:
    """Raises NotFound or Forbidden unless the person holds the role that checks the report.

    Whoever holds it need not see the report before: it is handed to the person by the check. A hidden report takes as many
    statements as an absent one."""
    row = await tx.fetchrow(_CHECK_OF, key)
    issue = (
        dict.fromkeys(("staff_id", "team_id", "unit_id", "submitter_id", "checked_by")) if row is None else dict(row)
    )
    checkers = await _checkers(tx, issue["checked_by"], issue, now)
    visible = await rows.can_see(tx, viewer, ReportIssue.table, key)
    if person in checkers:
        return
    if not visible:
        raise rows.not_visible("id")
    message = f"id: a person with the role {issue['checked_by']} of its unit checks it; ask one of them."
    raise Forbidden(message, argument="id")


async def _checkers(tx: Connection, checked_by: str | None, issue: Mapping[str, Any], now: datetime) -> Sequence[UUID]:
    """Who may check a report now, never its author where the head of a unit does: then it is the head of one above.

    It takes as many statements whatever the report says."""
    role, unit_id = checked_by or "", issue["unit_id"]
    of_team = await holders(tx, role, team_id=issue["team_id"], now=now)
    of_unit = await holders(tx, role, unit_id, now=now)
    chief = await head_of(tx, unit_id, now=now, besides=issue["submitter_id"] or issue["staff_id"])
    if role != UNIT_HEAD or unit_id is None:
        return [*of_team, *of_unit]
    return [*of_team, *([] if chief is None else [chief])]


@command("reportCorrect")
async def correct_report(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ReportIssue, "The issued report."],
    reason: Annotated[str, "Why it is corrected, in one line."],
    now: datetime,
) -> ReportIssuePayload:
    """Opens a correction of an issued report, which stays as it is. Its facts are read anew, its sections are copied."""
    ReportIssue.require(viewer, "create")
    acting_person(viewer)
    issue = dict(await rows.lock_row(tx, viewer, ReportIssue, id, "id"))
    _require_status(issue, ReportIssueStatus.ISSUED, "corrected")
    if await tx.fetchval(_HAS_CORRECTION, id):
        message = "id: a correction of this report is there already; correct that one."
        raise BadInput(message, code="ALREADY_EXISTS", argument="id")
    report = await fetch_row(tx, _READ_REPORT, issue["report_id"])
    copied = (
        "report_id",
        "name",
        "title",
        "section_names",
        "starts_on",
        "ends_on",
        "subject_id",
        "staff_id",
        "team_id",
        "unit_id",
    )
    values = {name: issue[name] for name in copied if issue[name] is not None} | {
        "revision": issue["revision"] + 1,
        "status": ReportIssueStatus.OPEN,
        "sections": exact_json.loads(issue["sections"]),
        "note": validators.check_values({"reason": reason}, {"reason": validators.single_line})["reason"],
        "replaces_id": id,
    }
    if report["document"] is not None:
        values["facts_at"] = now
    key = await rows.insert_row(tx, ADMIN, ReportIssue, values, now)
    await rows.require_creatable(tx, viewer, ReportIssue, key)
    await open_issue(tx, report, {**values, "id": key}, now)
    return ReportIssuePayload(key)


@command("reportRefresh")
async def refresh_report(
    tx: Connection, viewer: Viewer, *, id: Annotated[UUID, ReportIssue, "The open report."], now: datetime
) -> ReportIssuePayload:
    """Reads the facts of an open report again, in a moment: after what kept them from being read was put right."""
    ReportIssue.require(viewer, "update")
    issue = dict(await rows.lock_row(tx, viewer, ReportIssue, id, "id"))
    _require_status(issue, ReportIssueStatus.OPEN, "refreshed")
    report = await fetch_row(tx, _READ_REPORT, issue["report_id"])
    if report["document"] is None:
        raise BadInput("id: the report has no query, and so no facts.", argument="id")
    await rows.update_row(tx, viewer, ReportIssue, id, {"facts_at": now}, now)
    return ReportIssuePayload(id)


def _require_status(issue: Mapping[str, Any], status: ReportIssueStatus, participle: str) -> None:
    if issue["status"] != status:
        message = f"id: the report is {issue['status']}, and one that is {status} can be {participle}."
        raise BadInput(message, code="MOVE_INVALID", argument="id")


async def _move(
    tx: Connection,
    viewer: Viewer,
    key: UUID,
    status: ReportIssueStatus,
    columns: Mapping[str, Any],
    now: datetime,
    reason: str | None = None,
) -> None:
    """Moves a report to another status for a viewer whose rights were checked."""
    move = move_row(tx, viewer, ReportIssue, key, "status", status, now=now, reason=reason, columns=columns)
    await rows.blaming_id("status", move)


async def _issue(tx: Connection, viewer: Viewer, key: UUID, now: datetime) -> None:
    """Issues a report: from then on nothing of it changes."""
    issue = await fetch_row(tx, _READ, key)
    replaced = await tx.fetchval(_DIGEST_OF, issue["replaces_id"])
    await _move(tx, viewer, key, ReportIssueStatus.ISSUED, {"digest": digest(issue, replaced)}, now)


def digest(issue: Mapping[str, Any], replaced: str | None) -> str:
    """SHA-256 of what is issued: JSON with sorted names and without spaces, in UTF-8."""
    content = {
        "report": issue["name"],
        "startsOn": issue["starts_on"].isoformat(),
        "endsOn": issue["ends_on"].isoformat(),
        "subject": issue["subject_id"].hex,
        "revision": issue["revision"],
        "replaces": replaced,
        "facts": None if issue["facts"] is None else exact_json.loads(issue["facts"]),
        "sections": exact_json.loads(issue["sections"]),
    }
    return hashlib.sha256(exact_json.dumps(_sorted(content)).encode()).hexdigest()


def _sorted(value: Any) -> Any:
    """A JSON value whose objects have their names in order."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
