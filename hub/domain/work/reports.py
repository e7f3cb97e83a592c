"""Reports: the command that stores one, and the timer that opens its issues at the end of each period.

report_issues.py reads their facts, and takes them from person to person until they are issued."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.work.report_definitions import (
    NOBODY,
    SUBJECT_TYPES,
    ReportTools,
    check_changes,
    check_texts,
    check_whole,
    decoded,
    document_variables,
    fetch_row,
    find_calendar,
    owner_viewer,
)
from hub.domain.work.report_issues import open_issue
from hub.domain.work.report_periods import first_day, midnight, next_first_day, running_period
from hub.errors import BadInput, Forbidden, LimitExceeded, NotFound
from hub.model import rows, validators
from hub.model.commands import Injected, command
from hub.model.timers import timer
from hub.model.versions import require_version
from hub.schema.access.api_keys import ApiKey
from hub.schema.work.reports import Report, ReportPer, ReportPeriod, ReportStatus
from hub.viewer import ADMIN, Viewer

MAX_REPORTS = 200  # of one key
NEW_REPORT: Mapping[str, Any] = {
    "document": None,
    "operation_name": None,
    "variables": {},
    "sections": [],
    "per": ReportPer.NONE,
    "subjects": None,
    "due_after_seconds": None,
    "calendar_id": None,
    "checked_by": None,
    "status": ReportStatus.ACTIVE,
    "status_reason": None,
}
OF_DOCUMENT = ("document", "operation_name", "variables", "per")  # with a change of these, the document is run once

_row_id = sa.bindparam("row_id", type_=sa.Uuid)
_OWNER = to_sql(sa.select(ApiKey.c.public_id).where(ApiKey.c.id == _row_id).with_for_update(key_share=True))
_LOCK_NAME = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = "select id from reports where name = $1"
_COUNT_OWN = "select count(*) from reports where owner = $1"
_READ = "select * from reports where id = $1"
# Keys are unique across tables: that of the subject says which of the links it is.
_OPEN_ISSUES = """
insert into report_issues (report_id, name, title, section_names, starts_on, ends_on, subject_id, staff_id, team_id, unit_id,
    facts_at, created_at, updated_at)
select r.id, r.name, r.title, r.sections, $2, $3, subject.id, s.id, t.id, coalesce(s.unit_id, t.unit_id, u.id, $5), $6, $7, $7
from reports as r cross join unnest($4::uuid[]) as subject(id)
left join staff as s on s.id = subject.id
left join teams as t on t.id = subject.id
left join org_units as u on u.id = subject.id
where r.id = $1
on conflict (report_id, starts_on, subject_id, revision) do nothing
returning id, starts_on, staff_id, team_id, unit_id
"""
_ADVANCE = "update reports set starts_on = $2, closes_at = $3, version = version + 1, updated_at = $4 where id = $1"


class ReportUpsertPayload(NamedTuple):
    """The payload of reportUpsert."""

    report: Annotated[UUID, Report, "The report as it is now."]
    created: Annotated[bool, "Whether it is new."]


@command("reportUpsert")
async def upsert_report(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Short unique name: letters, digits and underscores."],
    title: Annotated[str | None, "Title, in plain words; the name by default."] = None,
    period: Annotated[ReportPeriod | None, "The period that one issue is about; a new report needs it."] = None,
    timezone: Annotated[str | None, "IANA time zone in which periods begin and end; UTC by default."] = None,
    document: Annotated[
        str | None,
        "A query that gives the facts, with the rights of the calling key. It may use the variables `$from` and `$to`, the"
        ' period, and `$subject`, the id of what the issue is about. "" for a form, which has sections alone.',
    ] = None,
    operation_name: Annotated[str | None, 'The operation of the document, if it has several; "" for none.'] = None,
    variables: Annotated[dict[str, object] | None, "Other variables of the document."] = None,
    sections: Annotated[list[str] | None, "Names of the sections that people write, at most 20."] = None,
    per: Annotated[ReportPer | None, "What there is one issue for; once for all by default."] = None,
    subjects: Annotated[
        dict[str, object] | None,
        "A filter of the members of staff, teams or units that it is issued for: all that the calling key sees by default,"
        " which {} brings back.",
    ] = None,
    due_after_seconds: Annotated[
        int | None, "Seconds of working time after the end of the period within which people must have submitted it."
    ] = None,
    calendar: Annotated[str | None, 'Code of the calendar by which they count; "" for none, and no due time.'] = None,
    checked_by: Annotated[str | None, 'The job role whose holder checks it; "" for nobody.'] = None,
    active: Annotated[bool | None, "Whether it is issued; false pauses it, true resumes it where it stopped."] = None,
    expected_version: Annotated[int | None, "The version that the edit is based on."] = None,
    now: datetime,
    report_runner: Injected[ReportTools],
) -> ReportUpsertPayload:
    """Creates a report of the calling key, or changes the one with this name; what is left out stays. Equal input changes
    nothing. The query runs once, so that it cannot fail at the end of the period for what is known now."""
    name = validators.check_values({"name": name}, {"name": validators.slug})["name"]
    texts = {"title": title, "timezone": timezone, "document": document, "operation_name": operation_name}
    changes = check_texts(texts | {"checked_by": checked_by})
    changes |= {} if calendar is None else {"calendar_id": await find_calendar(tx, viewer, calendar)}
    supplied = {"period": period, "per": per, "variables": variables, "sections": sections, "subjects": subjects}
    changes |= check_changes({**supplied, "due_after_seconds": due_after_seconds, "active": active}, changes)
    await tx.execute(_LOCK_NAME, f"reports.name={name}")
    key = await tx.fetchval(_FIND, name)
    await rows.require_nameable(tx, viewer, Report, key, "name")
    Report.require(viewer, "create" if key is None else "update")
    if key is None:
        if expected_version is not None:
            message = "expected_version: there is no report with this name; leave it out to make a new one."
            raise NotFound(message, argument="expected_version")
        return ReportUpsertPayload(await _create(tx, viewer, name, changes, now, report_runner), True)
    await _update(tx, viewer, key, changes, now, expected_version, report_runner)
    return ReportUpsertPayload(key, False)


async def _create(
    tx: Connection,
    viewer: Viewer,
    name: str,
    changes: Mapping[str, Any],
    now: datetime,
    report_runner: ReportTools,
) -> UUID:
    if viewer.principal:
        message = "A report belongs to an API key and would end with this token; call reportUpsert with a key."
        raise Forbidden(message, code="KEY_REQUIRED")
    owner = await tx.fetchval(_OWNER, viewer.key_id)
    if owner is None:
        raise Forbidden("A report belongs to an API key; ask with one.", code="KEY_REQUIRED")
    if await tx.fetchval(_COUNT_OWN, owner) >= MAX_REPORTS:
        raise LimitExceeded(f"This key already has {MAX_REPORTS} reports; delete one.", code="REPORT_LIMIT")
    if "period" not in changes:
        raise BadInput("period: a new report needs one; give it.", code="ARGUMENT_MISSING", argument="period")
    row: dict[str, Any] = {**NEW_REPORT, "title": name, "timezone": "UTC", **changes, "name": name, "owner": owner}
    row["starts_on"], row["closes_at"] = running_period(row["period"], row["timezone"], now)
    row["subject_type"] = SUBJECT_TYPES.get(row["per"])
    check_whole(row)
    await _check_document(viewer, row, now, report_runner)
    return await rows.insert_row(tx, viewer, Report, row, now, fields=tuple(changes))


async def _update(
    tx: Connection,
    viewer: Viewer,
    key: UUID,
    changes: dict[str, Any],
    now: datetime,
    expected_version: int | None,
    report_runner: ReportTools,
) -> None:
    stored = decoded(dict(await rows.lock_row(tx, viewer, Report, key, "name")))
    changed = {name: value for name, value in changes.items() if stored[name] != value}
    if expected_version is not None:
        await require_version(tx, viewer, Report, key, changed, expected_version)
    if not changed:
        return
    row = stored | changed
    check_whole(row)
    if "per" in changed:
        changed["subject_type"] = SUBJECT_TYPES.get(ReportPer(row["per"]))
    if "period" in changed or "timezone" in changed:
        changed["starts_on"], changed["closes_at"] = running_period(ReportPeriod(row["period"]), row["timezone"], now)
    if not changed.keys().isdisjoint(OF_DOCUMENT) or changed.get("status") is ReportStatus.ACTIVE:
        owner = await owner_viewer(tx, stored["owner"], now)
        if isinstance(owner, str):
            raise BadInput(f"name: {owner}", argument="name")
        await _check_document(owner, row, now, report_runner)
    await rows.update_row(tx, viewer, Report, key, changed, now, fields=tuple(changed))


async def _check_document(viewer: Viewer, report: Mapping[str, Any], now: datetime, report_runner: ReportTools) -> None:
    """Runs a report's document for the period before the running one, and for nobody."""
    if report["document"] is None:
        return
    per, period = ReportPer(report["per"]), ReportPeriod(report["period"])
    starts_on, _ = running_period(period, report["timezone"], now)
    before = first_day(period, starts_on - timedelta(days=1))
    start, end = (midnight(report["timezone"], day) for day in (before, starts_on))
    variables = document_variables(report["variables"], per, start, end, NOBODY)
    await report_runner.check(viewer, report["document"], report["operation_name"], variables, now)


@timer("report.period", Report.c.closes_at, condition=Report.c.status == sa.literal_column("'ACTIVE'"))
async def close_period(tx: Connection, key: UUID, now: datetime, report_runner: Injected[ReportTools]) -> None:
    """Opens the issues of the period that ends, and begins the next one. Pauses a report that cannot be issued."""
    report = decoded(await fetch_row(tx, _READ, key))
    period, timezone, starts_on = ReportPeriod(report["period"]), report["timezone"], report["starts_on"]
    next_day = next_first_day(period, starts_on)
    owner = await owner_viewer(tx, report["owner"], now)
    try:
        if isinstance(owner, str):
            raise BadInput(owner)
        subjects = await _subjects(owner, report, starts_on, next_day - timedelta(days=1), now, report_runner)
    except BadInput as error:
        reason = {"status": ReportStatus.PAUSED, "status_reason": error.message[:500]}
        await rows.update_row(tx, ADMIN, Report, key, reason, now)
        return
    facts_at = None if report["document"] is None else now
    last_day = next_day - timedelta(days=1)
    opened = await tx.fetch(_OPEN_ISSUES, key, starts_on, last_day, list(subjects), owner.unit_id, facts_at, now)
    for issue in opened:
        await open_issue(tx, report, dict(issue), now)
    starts_on, closes_at = next_day, midnight(timezone, next_first_day(period, next_day))
    while closes_at <= now:  # the zone skipped a day
        starts_on = next_first_day(period, starts_on)
        closes_at = midnight(timezone, next_first_day(period, starts_on))
    await tx.execute(_ADVANCE, key, starts_on, closes_at, now)


async def _subjects(
    owner: Viewer, report: Mapping[str, Any], first: date, last: date, now: datetime, report_runner: ReportTools
) -> Sequence[UUID]:
    per = ReportPer(report["per"])
    if per is ReportPer.NONE:
        return [report["id"]]
    return await report_runner.subjects(owner, per, report["subjects"], first, last, now)
