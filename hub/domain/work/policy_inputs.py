"""Inputs of slaPolicyUpsert: terms and levels as people write them become rows, or an error that names the fault."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import MAX_LEVEL
from hub.domain.work.clock_calendars import current_calendars
from hub.errors import BadInput, NotFound
from hub.model import rows, validators
from hub.model.clock_names import CLOCK_NAME
from hub.model.entity import Entity, declared_entities
from hub.model.subjects import subjects_of
from hub.schema.work.calendars import Calendar
from hub.schema.work.clocks import Clock
from hub.schema.work.processes import Process
from hub.schema.work.sla_policies import EscalationAct, EscalationUnit
from hub.viewer import Viewer

MAX_TERMS, MAX_RULES = 50, 200
MAX_SECONDS = 2_000_000_000  # 63 years
MAX_SHARE = Decimal(100)
PRECISION = Decimal("0.0001")


class SlaTermInput(NamedTuple):
    """A promise: how much working time a clock may use."""

    clock: Annotated[str, "Name of the clock, like STEP or HANDLING: capital letters, digits and underscores."]
    goal_seconds: Annotated[int, "Working time until it is due, in seconds."]
    calendar: Annotated[str | None, "Code of the calendar that counts; all time counts if left out."] = None


class EscalationRuleInput(NamedTuple):
    """A level of escalation: when it is reached, and what happens then. A clock without a term takes its goal elsewhere."""

    clock: Annotated[str, "Name of the clock."]
    level: Annotated[int, f"Number of the level, 1 to {MAX_LEVEL}."]
    at_share: Annotated[Decimal | None, 'Share of the goal at which it is reached: "0.8" for 80 percent.'] = None
    at_offset_seconds: Annotated[
        int | None, "In place of that: working time after the due time, in seconds; negative for before."
    ] = None
    act: Annotated[EscalationAct, "What happens."] = EscalationAct.NOTIFY
    role: Annotated[
        str | None, "Job role whose holders are notified; STAFF for the person whom the row is about, or who does it."
    ] = None
    unit: Annotated[
        EscalationUnit, "In which unit the holders are looked for; without one there, in the units above it."
    ] = EscalationUnit.OWN
    copy_role: Annotated[str | None, "Job role whose holders are notified too, for their information."] = None
    process: Annotated[str | None, "Code of the process that an ORDER opens."] = None
    move_to: Annotated[str | None, "State that a MOVE leads to."] = None
    text: Annotated[str | None, "Text of the notification or task; the hub writes one if it is left out."] = None


def check_subject(name: str) -> type[Entity]:
    """The entity of this name; raises BadInput for one whose rows have no clocks."""
    entities = declared_entities()
    subjects = {entity.__name__: entity for entity in subjects_of(Clock, entities)}
    if name not in subjects:
        message = f"entity: rows of {name[:63]!r} have no clocks; give {', '.join(sorted(subjects))}."
        raise BadInput(message, argument="entity")
    return subjects[name]


async def check_terms(
    tx: Connection, viewer: Viewer, terms: Sequence[SlaTermInput], now: datetime
) -> list[dict[str, Any]]:
    """The rows of terms; raises BadInput, and CALENDAR_HORIZON for a goal that no row could meet any more."""
    if len(terms) > MAX_TERMS:
        raise BadInput(f"terms: give at most {MAX_TERMS}.", argument="terms")
    codes = {term.calendar for term in terms if term.calendar is not None}
    calendars = await rows.visible_keys(tx, viewer, Calendar, "code", codes)
    countings = await current_calendars(tx, calendars.values())
    term_rows: dict[str, dict[str, Any]] = {}
    for index, term in enumerate(terms):
        argument = f"terms[{index}]"
        _check_name(term.clock, f"{argument}.clock")
        if term.clock in term_rows:
            _refuse(f"{argument}.clock", "there is a term of this clock already; give one for each")
        if not 0 < term.goal_seconds <= MAX_SECONDS:
            _refuse(f"{argument}.goal_seconds", f"give 1 to {MAX_SECONDS:,}")
        if term.calendar is not None and term.calendar not in calendars:
            message = f"{argument}.calendar: there is no calendar {term.calendar[:63]!r}; `calendars` lists them."
            raise NotFound(message, argument=f"{argument}.calendar")
        calendar = None if term.calendar is None else calendars[term.calendar]
        if countings.counting(calendar).after(now, timedelta(seconds=term.goal_seconds)) is None:
            message = f"{argument}.goal_seconds: the calendar ends before so much working time has passed; extend it."
            raise BadInput(message, code="CALENDAR_HORIZON", argument=f"{argument}.goal_seconds")
        term_rows[term.clock] = {"clock": term.clock, "goal_seconds": term.goal_seconds, "calendar_id": calendar}
    return list(term_rows.values())


async def check_rules(
    tx: Connection, viewer: Viewer, rules: Sequence[EscalationRuleInput], subject: type[Entity]
) -> list[dict[str, Any]]:
    """The rows of levels; raises BadInput for one that could not act."""
    if len(rules) > MAX_RULES:
        raise BadInput(f"escalation_rules: give at most {MAX_RULES}.", argument="escalation_rules")
    named = [rule.process for rule in rules if rule.process is not None]
    processes = await rows.visible_keys(tx, viewer, Process, "code", named) if named else {}
    rule_rows: dict[tuple[str, int], dict[str, Any]] = {}
    for index, rule in enumerate(rules):
        argument = f"escalation_rules[{index}]"
        _check_moment(rule, argument)
        if (rule.clock, rule.level) in rule_rows:
            _refuse(f"{argument}.level", "the clock has a rule of this level already; number them apart")
        _check_act(rule, argument, subject)
        if rule.process is not None and rule.process not in processes:
            message = f"{argument}.process: there is no process {rule.process[:63]!r}; `processes` lists them."
            raise NotFound(message, argument=f"{argument}.process")
        texts = validators.check_values({f"{argument}.text": rule.text}, {f"{argument}.text": validators.single_line})
        values = rule._asdict() | {"text": texts[f"{argument}.text"], "act": rule.act.value, "unit": rule.unit.value}
        rule_rows[rule.clock, rule.level] = values
    return list(rule_rows.values())


def _check_moment(rule: EscalationRuleInput, argument: str) -> None:
    _check_name(rule.clock, f"{argument}.clock")
    if not 1 <= rule.level <= MAX_LEVEL:
        _refuse(f"{argument}.level", f"give 1 to {MAX_LEVEL}")
    if (rule.at_share is None) is (rule.at_offset_seconds is None):
        _refuse(f"{argument}.at_share", "give a share of the goal or an offset from the due time, one of them")
    if rule.at_share is not None and not (
        Decimal(0) < rule.at_share <= MAX_SHARE and rule.at_share == rule.at_share.quantize(PRECISION)
    ):
        _refuse(f"{argument}.at_share", f"give more than 0, up to {MAX_SHARE}, with at most four decimals")
    if rule.at_offset_seconds is not None and abs(rule.at_offset_seconds) > MAX_SECONDS:
        _refuse(f"{argument}.at_offset_seconds", f"give at most {MAX_SECONDS:,}")


def _check_act(rule: EscalationRuleInput, argument: str, subject: type[Entity]) -> None:
    for name, role in (("role", rule.role), ("copy_role", rule.copy_role)):
        if role is not None:
            _check_name(role, f"{argument}.{name}")
    if rule.role is None and rule.act in (EscalationAct.NOTIFY, EscalationAct.TASK):
        _refuse(f"{argument}.role", f"{rule.act} needs the job role that it is for; give it")
    if (rule.process is None) is (rule.act is EscalationAct.ORDER):
        _refuse(f"{argument}.process", "an ORDER needs the code of a process, and nothing else takes one")
    if (rule.move_to is None) is (rule.act is EscalationAct.MOVE):
        _refuse(f"{argument}.move_to", "a MOVE needs the state that it leads to, and nothing else takes one")
    if rule.move_to is not None and rule.move_to not in states_of(subject):
        listed = ", ".join(states_of(subject)) or "no row of the type moves"
        _refuse(f"{argument}.move_to", f"{rule.move_to[:63]!r} is no state of the type; there are: {listed}")


def states_of(entity: type[Entity]) -> dict[str, str]:
    """The states that moves of an entity's rows lead to, each with its column; the first column counts."""
    states: dict[str, str] = {}
    for column, workflow in entity.definition.workflow_columns.items():
        for state in workflow:
            states.setdefault(state.value, column)
    return states


def _check_name(value: str, argument: str) -> None:
    if not CLOCK_NAME.fullmatch(value):
        _refuse(argument, f"{value[:63]!r} is no such name; write capital letters, digits and underscores")


def _refuse(argument: str, fault: str) -> None:
    raise BadInput(f"{argument}: {fault}.", argument=argument)
