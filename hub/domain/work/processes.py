"""Commands of processes: a changed definition becomes a new revision; equal input changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.process_definitions import ProcessStepInput, check_steps
from hub.errors import BadInput, NotFound
from hub.model import exact_json, rows, stored_filters, validators
from hub.model.code_patterns import parse_pattern
from hub.model.commands import command
from hub.model.entity import Entity, declared_entities
from hub.model.versions import require_version
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.calendars import Calendar
from hub.schema.work.code_rules import CodeRule
from hub.schema.work.processes import Process, ProcessStatus, ProcessStep, ProcessType
from hub.schema.work.work_items import WorkItem
from hub.text_case import camel_case
from hub.viewer import Viewer

MAX_ROUNDS = 1_000
USUAL_ROUNDS = 10

_LOCK_CODE = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_LATEST = "select * from processes where code = $1 order by revision desc limit 1"
_ACTIVE = "select id from processes where code = $1 and status = 'ACTIVE' and id <> $2"
_STEPS = "select * from process_steps where process_id = $1 order by position"
_REMOVE_STEPS = "delete from process_steps where process_id = $1"
_CODE_RULE = "select id, pattern, check_digit from code_rules where id = $1"
STEP_COLUMNS = (
    "position", "code", "name", "public_name", "group_name", "addressee", "role", "unit_type", "unit_id", "decisions",
    "returns_to", "quorum", "majority", "distinct_from", "allows_opener", "authority", "verified", "about",
    "exit_criteria", "goal_seconds", "calendar_id", "probability", "forecast", "buyer_step",
)  # fmt: skip
_COLUMNS = ("name", "type", "about", "max_rounds", "code_rule_id")


class ProcessUpsertPayload(NamedTuple):
    """The payload of processUpsert."""

    process: Annotated[UUID, Process, "The revision that the input describes."]
    created: Annotated[bool, "Whether it is a new revision."]


@command("processUpsert")
async def upsert_process(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short name: letters, digits and underscores."],
    name: Annotated[str, "Name of the process."],
    type: Annotated[ProcessType, "What it is for."],
    about: Annotated[str, "Name of the type of the rows that its items are about, like Customer."],
    steps: Annotated[list[ProcessStepInput], "Its steps, in their order."],
    calendar: Annotated[str | None, "Code of the calendar of goals whose steps name none."] = None,
    code_rule: Annotated[str | None, "Name of the rule that numbers its items."] = None,
    max_rounds: Annotated[int, "Rounds that an item takes at most: a RETURN beyond them is refused."] = USUAL_ROUNDS,
    status: Annotated[
        ProcessStatus | None,
        "What the revision becomes; a new one is ACTIVE. The active one before it is RETIRED then.",
    ] = None,
    expected_version: Annotated[int | None, "The version of the latest revision that the edit is based on."] = None,
    now: datetime,
) -> ProcessUpsertPayload:
    """Describes a process. A changed definition is a new revision, but a DRAFT is changed as it stands.

    Open items go on by the revision that they were opened by."""
    texts = {"code": code, "name": name}
    texts = validators.check_values(texts, {"code": validators.slug, "name": validators.single_line})
    await tx.execute(_LOCK_CODE, f"processes.code={texts['code']}")
    latest = await tx.fetchrow(_LATEST, texts["code"])
    await rows.require_nameable(tx, viewer, Process, None if latest is None else latest["id"], "code")
    Process.require(viewer, "create" if latest is None else "update")
    if not 1 <= max_rounds <= MAX_ROUNDS:
        raise BadInput(f"max_rounds: give 1 to {MAX_ROUNDS}.", code="PROCESS_INVALID", argument="max_rounds")
    columns = {
        "name": texts["name"],
        "type": type.value,
        "about": _subject_type(about).__name__,
        "max_rounds": max_rounds,
        "code_rule_id": await _code_rule(tx, viewer, code_rule),
    }
    step_rows = await _step_rows(tx, viewer, check_steps(steps, type, calendar), about)
    if latest is None:
        if expected_version is not None:
            message = "expected_version: there is no process of this code; leave it out to describe a new one."
            raise NotFound(message, argument="expected_version")
        return await _new_revision(tx, viewer, texts["code"], 1, columns, step_rows, status, now)
    if expected_version is not None:
        await require_version(tx, viewer, Process, latest["id"], columns, expected_version)
    async with rows.updating(tx, viewer, Process, latest["id"]):
        return await _revise(tx, viewer, dict(latest), columns, step_rows, status, now)


async def _revise(
    tx: Connection,
    viewer: Viewer,
    latest: Mapping[str, Any],
    columns: Mapping[str, Any],
    step_rows: Sequence[Mapping[str, Any]],
    status: ProcessStatus | None,
    now: datetime,
) -> ProcessUpsertPayload:
    """Changes a draft, makes a new revision of another process, or leaves an equal one."""
    key, current = latest["id"], ProcessStatus(latest["status"])
    stored = [_comparable(dict(row)) for row in await tx.fetch(_STEPS, key)]
    same_steps = stored == [_comparable(row) for row in step_rows]
    changed = {name: value for name, value in columns.items() if latest[name] != value}
    if (changed or not same_steps) and current is not ProcessStatus.DRAFT:
        return await _new_revision(tx, viewer, latest["code"], latest["revision"] + 1, columns, step_rows, status, now)
    if status is ProcessStatus.DRAFT and current is not ProcessStatus.DRAFT:
        message = (
            f"status: the revision is {current} and does not become a DRAFT again; change the steps for a new one."
        )
        raise BadInput(message, code="MOVE_INVALID", argument="status")
    if status is not None and status is not current:
        changed["status"] = status.value
    if changed:
        await rows.update_row(tx, viewer, Process, key, changed, now)
    if not same_steps:
        await tx.execute(_REMOVE_STEPS, key)
        await _store_steps(tx, viewer, key, step_rows, now)
    if status is ProcessStatus.ACTIVE:
        await _retire_others(tx, viewer, latest["code"], key, now)
    return ProcessUpsertPayload(key, False)


async def _new_revision(
    tx: Connection,
    viewer: Viewer,
    code: str,
    revision: int,
    columns: Mapping[str, Any],
    step_rows: Sequence[Mapping[str, Any]],
    status: ProcessStatus | None,
    now: datetime,
) -> ProcessUpsertPayload:
    status = status or ProcessStatus.ACTIVE
    values = {"code": code, "revision": revision, "status": status.value, **columns}
    key = await rows.insert_row(tx, viewer, Process, values, now)
    await _store_steps(tx, viewer, key, step_rows, now)
    if status is ProcessStatus.ACTIVE:
        await _retire_others(tx, viewer, code, key, now)
    return ProcessUpsertPayload(key, True)


async def _store_steps(
    tx: Connection, viewer: Viewer, key: UUID, step_rows: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    for row in step_rows:
        await rows.insert_row(tx, viewer, ProcessStep, {"process_id": key, **row}, now)


async def _retire_others(tx: Connection, viewer: Viewer, code: str, key: UUID, now: datetime) -> None:
    """Retires the revision that was active before this one."""
    for other in await tx.fetch(_ACTIVE, code, key):
        await rows.update_row(tx, viewer, Process, other["id"], {"status": ProcessStatus.RETIRED.value}, now)


def _comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A step's columns, so that a stored row equals one that would be stored."""
    values = {name: row[name] for name in STEP_COLUMNS}
    if isinstance(values["exit_criteria"], str):
        values["exit_criteria"] = exact_json.loads(values["exit_criteria"])
    return values


def _subject_type(about: str) -> type[Entity]:
    """The entity that items may be about; raises BadInput."""
    subjects = [e for e in declared_entities() if WorkItem.__name__ in e.definition.options.get("subject_of", ())]
    for entity in subjects:
        if entity.__name__ == about:
            return entity
    names = ", ".join(entity.__name__ for entity in subjects)
    raise BadInput(f"about: no work item is about a {about[:63]!r}; name one of {names}.", argument="about")


async def _code_rule(tx: Connection, viewer: Viewer, name: str | None) -> UUID | None:
    """The rule of a name, whose pattern needs no values of its own; raises NotFound or BadInput."""
    if name is None:
        return None
    row = await tx.fetchrow(_CODE_RULE, (await rows.visible_keys(tx, viewer, CodeRule, "name", [name])).get(name))
    if row is None:
        message = f"code_rule: there is no code rule {name[:63]!r}; `codeRules` lists them."
        raise NotFound(message, argument="code_rule")
    names = parse_pattern(row["pattern"], row["check_digit"]).names
    if names:
        message = f"code_rule: its pattern asks for {', '.join(names)}, which an item has not; name another rule."
        raise BadInput(message, code="CODE_INVALID", argument="code_rule")
    key: UUID = row["id"]
    return key


async def _step_rows(
    tx: Connection, viewer: Viewer, steps: Sequence[ProcessStepInput], about: str
) -> list[dict[str, Any]]:
    """The columns of the steps' rows; raises NotFound or BadInput for calendars, units, filters and fields."""
    calendar_codes = [step.calendar for step in steps if step.calendar]
    calendars = await rows.visible_keys(tx, viewer, Calendar, "code", calendar_codes)
    units = await rows.visible_keys(tx, viewer, OrgUnit, "code", [step.unit for step in steps if step.unit])
    under_dual_control = {camel_case(name) for name in _subject_type(about).definition.verified_columns}
    step_rows = []
    for index, step in enumerate(steps):
        argument = f"steps[{index}]"
        if step.exit_criteria is not None:
            stored_filters.check(about, step.exit_criteria, f"{argument}.exit_criteria")
        for position, name in enumerate(step.verified or ()):
            if name not in under_dual_control:
                path = f"{argument}.verified[{position}]"
                names = ", ".join(sorted(under_dual_control)) or "no field"
                message = f"{path}: {name[:63]!r} is no field of {about} under dual control; {names} is."
                raise BadInput(message, code="FIELD_UNKNOWN", argument=path)
        values = step._asdict() | {
            "position": index + 1,
            "about": about,
            "decisions": [decision.value for decision in step.decisions or ()],
            "unit_id": _key_of(units, step.unit, f"{argument}.unit"),
            "calendar_id": _key_of(calendars, step.calendar, f"{argument}.calendar"),
        }
        for name in ("addressee", "unit_type", "forecast"):
            values[name] = None if values[name] is None else values[name].value
        step_rows.append({name: values[name] for name in STEP_COLUMNS})
    return step_rows


def _key_of(keys: Mapping[str, UUID], code: str | None, argument: str) -> UUID | None:
    """The key of the row with a code; raises NotFound."""
    if code is None:
        return None
    if code not in keys:
        raise NotFound(
            f"{argument}: there is none with the code {code[:63]!r}; give one that exists.", argument=argument
        )
    return keys[code]
