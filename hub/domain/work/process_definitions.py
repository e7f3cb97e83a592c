"""What people say of a process, checked: its steps, and whether they can lead to an end. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, NoReturn

from hub.domain.work.quorums import parse_majority
from hub.errors import BadInput
from hub.model import validators
from hub.schema.work.processes import ForecastCategory, ProcessType, StepAddressee, StepDecision, StepUnit

MAX_STEPS = 100
MAX_QUORUM = 99
MAX_GOAL = 10 * 365 * 86_400
FORWARD = (StepDecision.APPROVE, StepDecision.DONE)
IN_A_UNIT = (StepAddressee.ROLE, StepAddressee.UNIT_HEAD)  # of which a unit can be said


class ProcessStepInput(NamedTuple):
    """A step of a process. Its place in the list is its position."""

    code: Annotated[str, "Short name within the process: letters, digits and underscores."]
    name: Annotated[str, "Name of the step, for staff."]
    addressee: Annotated[StepAddressee, "Whose work it is."]
    decisions: Annotated[
        list[StepDecision] | None, "How it may be decided; of an AUTO step it follows from its criteria."
    ] = None
    public_name: Annotated[str | None, "Name for the customer, who sees the step as a milestone then."] = None
    group_name: Annotated[str | None, "Steps in a row with one group are open at the same time."] = None
    role: Annotated[str | None, "The role of a step that is addressed to a ROLE."] = None
    unit_type: Annotated[StepUnit, "In which unit it is done, of a ROLE or a UNIT_HEAD."] = StepUnit.OWN
    unit: Annotated[str | None, "Code of the unit of a NAMED one."] = None
    returns_to: Annotated[str | None, "Code of the earlier step to which RETURN leads."] = None
    quorum: Annotated[int, "Voters, each of whom decides once."] = 1
    majority: Annotated[
        str | None, 'Share of the voters who must approve, "2/3" or "0.75"; more than half without.'
    ] = None
    distinct_from: Annotated[
        list[str] | None, "Codes of earlier steps: whoever decided one of them does not decide this one."
    ] = None
    allows_opener: Annotated[bool, "Whether the person who opened the item may decide it."] = False
    authority: Annotated[str | None, "Code of the authority that whoever decides needs, up to the item's amount."] = (
        None
    )
    verified: Annotated[list[str] | None, "Fields of the subject that must be verified before the item goes on."] = None
    exit_criteria: Annotated[
        dict[str, object] | None, "Filter that the subject must match before the item goes on."
    ] = None
    goal_seconds: Annotated[int | None, "Working time in seconds in which it should be decided."] = None
    calendar: Annotated[str | None, "Code of the calendar by which the goal is counted; the process's without."] = None
    probability: Annotated[Decimal | None, "Of a PIPELINE: share of the items in this stage that are won, 0 to 1."] = (
        None
    )
    forecast: Annotated[ForecastCategory | None, "Of a PIPELINE: how items in this stage count in a forecast."] = None
    buyer_step: Annotated[str | None, "Of a PIPELINE: what the buyer does in this stage."] = None


TEXTS: Mapping[str, Callable[[Any], Any]] = {
    "code": validators.slug,
    "name": validators.single_line,
    "public_name": validators.single_line,
    "group_name": validators.slug,
    "role": validators.code,
    "authority": validators.slug,
    "majority": parse_majority,
    "buyer_step": validators.single_line,
}


def check_steps(steps: Sequence[ProcessStepInput], type: ProcessType, calendar: str | None) -> list[ProcessStepInput]:
    """The steps in normal form; raises BadInput PROCESS_INVALID or another code, naming the step's argument.

    `calendar` counts the goals of steps that name none."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise BadInput(f"steps: give 1 to {MAX_STEPS} steps.", code="PROCESS_INVALID", argument="steps")
    checked: list[ProcessStepInput] = []
    for index, step in enumerate(steps):
        argument = f"steps[{index}]"
        normal = _normal_form(step, calendar, argument)
        _check_addressee(normal, argument)
        _check_decisions(normal, argument)
        _check_references(normal, checked, argument)
        _check_quorum(normal, argument)
        _check_terms(normal, type, argument)
        checked.append(normal)
    return checked


def _refuse(argument: str, fault_and_remedy: str) -> NoReturn:
    raise BadInput(f"{argument}: {fault_and_remedy}.", code="PROCESS_INVALID", argument=argument)


def _normal_form(step: ProcessStepInput, calendar: str | None, argument: str) -> ProcessStepInput:
    """The step with texts in normal form, and with what follows from others of its values."""
    texts = {}
    for name, check in TEXTS.items():
        value = getattr(step, name)
        if value is not None:
            try:
                texts[name] = value if name == "majority" and check(value) else check(value)
            except ValueError as fault:
                _refuse(f"{argument}.{name}", str(fault))
    step = step._replace(**texts)
    if step.addressee is StepAddressee.AUTO:
        if step.decisions is not None:
            _refuse(f"{argument}.decisions", "what an AUTO step decides follows from its criteria; leave it out")
        step = step._replace(decisions=list(_automatic_decisions(step)))
    return step._replace(
        allows_opener=step.allows_opener or step.addressee is StepAddressee.OPENER,
        calendar=None if step.goal_seconds is None else step.calendar or calendar,
        distinct_from=list(dict.fromkeys(step.distinct_from or ())),
        verified=list(dict.fromkeys(step.verified or ())),
    )


def _automatic_decisions(step: ProcessStepInput) -> Iterator[StepDecision]:
    """How a step decides itself: on, or back or to an end where its criteria do not hold."""
    yield StepDecision.DONE
    if step.exit_criteria is not None:
        yield StepDecision.REJECT if step.returns_to is None else StepDecision.RETURN


def _check_addressee(step: ProcessStepInput, argument: str) -> None:
    if (step.role is None) is (step.addressee is StepAddressee.ROLE):
        remedy = "name the role" if step.role is None else "leave it out, or address the step to a ROLE"
        _refuse(f"{argument}.role", f"a step that is addressed to {step.addressee} does not go with it; {remedy}")
    if step.unit_type is not StepUnit.OWN and step.addressee not in IN_A_UNIT:
        _refuse(f"{argument}.unit_type", "only a step of a ROLE or a UNIT_HEAD is done in another unit; leave it out")
    if (step.unit is None) is (step.unit_type is StepUnit.NAMED):
        remedy = "give the unit's code" if step.unit is None else "leave it out, or make it NAMED"
        _refuse(f"{argument}.unit", f"a step whose unit is {step.unit_type} does not go with it; {remedy}")
    if step.addressee is StepAddressee.AUTO:
        for name in ("authority", "goal_seconds", "distinct_from", "verified"):
            if getattr(step, name):
                _refuse(f"{argument}.{name}", "nobody decides an AUTO step; leave it out")


def _check_decisions(step: ProcessStepInput, argument: str) -> None:
    decisions = step.decisions or []
    if len(set(decisions)) != len(decisions):
        _refuse(f"{argument}.decisions", "one is there twice; name it once")
    if not any(decision in FORWARD for decision in decisions):
        _refuse(f"{argument}.decisions", "no item could ever leave the step; add APPROVE or DONE")
    if (step.returns_to is None) is (StepDecision.RETURN in decisions):
        remedy = "say where RETURN leads" if step.returns_to is None else "add RETURN to the decisions, or leave it out"
        _refuse(f"{argument}.returns_to", f"it goes with the decision RETURN; {remedy}")


def _check_references(step: ProcessStepInput, earlier: Sequence[ProcessStepInput], argument: str) -> None:
    """Refuses codes that are taken or unknown, steps ahead, groups that are torn apart, and returns without end."""
    positions = {other.code: index for index, other in enumerate(earlier)}
    if step.code in positions:
        _refuse(f"{argument}.code", f"{step.code!r} is the code of an earlier step; give each step its own")
    in_group = [index for index, other in enumerate(earlier) if step.group_name and other.group_name == step.group_name]
    if in_group and in_group[-1] != len(earlier) - 1:
        _refuse(f"{argument}.group_name", "the steps of a group follow one another; put them side by side")
    for index, code in enumerate(step.distinct_from or ()):
        if code not in positions:
            _refuse(f"{argument}.distinct_from[{index}]", f"{code[:63]!r} is no earlier step; name one that is")
    if step.returns_to is None:
        return
    target = positions.get(step.returns_to)
    if target is None:
        remedy = "name one, so that the item comes back here"
        _refuse(f"{argument}.returns_to", f"{step.returns_to[:63]!r} is no earlier step; {remedy}")
    if target in in_group:
        _refuse(f"{argument}.returns_to", "it is a step of the same group; name one before the group")
    if step.addressee is StepAddressee.AUTO and all(s.addressee is StepAddressee.AUTO for s in earlier[target:]):
        _refuse(
            f"{argument}.returns_to", "only AUTO steps lie between, which would return for ever; name an earlier step"
        )


def _check_quorum(step: ProcessStepInput, argument: str) -> None:
    """Refuses a quorum that cannot decide."""
    if not 1 <= step.quorum <= MAX_QUORUM:
        _refuse(f"{argument}.quorum", f"give 1 to {MAX_QUORUM} voters")
    if step.quorum > 1 and step.addressee is not StepAddressee.ROLE:
        _refuse(f"{argument}.quorum", "several people vote only where the step is addressed to a ROLE; leave it out")
    if step.majority is not None and step.quorum == 1:
        _refuse(f"{argument}.majority", "one person alone decides; leave it out, or give a quorum")


def _check_terms(step: ProcessStepInput, type: ProcessType, argument: str) -> None:
    """Refuses goals without a calendar, and values of a pipeline that is none."""
    if step.goal_seconds is not None and not 1 <= step.goal_seconds <= MAX_GOAL:
        _refuse(f"{argument}.goal_seconds", f"give 1 to {MAX_GOAL} seconds")
    if step.goal_seconds is not None and step.calendar is None:
        _refuse(
            f"{argument}.calendar", "a goal needs a calendar by which it is counted; name one here or of the process"
        )
    if type is not ProcessType.PIPELINE:
        for name in ("probability", "forecast", "buyer_step"):
            if getattr(step, name) is not None:
                _refuse(f"{argument}.{name}", "only stages of a PIPELINE have it; leave it out")
    elif step.probability is not None and not (
        0 <= step.probability <= 1 and step.probability == round(step.probability, 4)
    ):
        _refuse(f"{argument}.probability", "give a share from 0 to 1, with at most four decimals")
