"""Clock rules: in which states of a workflow a clock of the row runs, stands still, and ends. Declared with the entity.

`clocks=(ClockRule("HANDLING", runs=("OPEN",), stops=("DONE",), voids=("DROPPED",)),)`; hub/domain/work/clock_rules.py acts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.clock_names import CLOCK_NAME


@dataclass(frozen=True, slots=True)
class ClockRule:
    """A clock of the rows of an entity, driven by the workflow in `column`. In states that it does not name, it goes on.

    The policy that matches the row gives the goal; without one there is no clock. A customer sees it if it is `public`."""

    name: str
    column: str = "status"
    runs: Sequence[str] = ()
    pauses: Sequence[str] = ()
    stops: Sequence[str] = ()
    voids: Sequence[str] = ()
    public: bool = False


def clock_rule_faults(entity: type[Any]) -> Iterator[str]:
    """Why the clock rules of an entity cannot stand."""
    definition = entity.definition
    names = [rule.name for rule in definition.options.get("clocks", ())]
    for rule in definition.options.get("clocks", ()):
        label = f"{entity.__name__}: the clock {rule.name}"
        if not CLOCK_NAME.fullmatch(rule.name):
            yield f"{label} is not written in capital letters, digits and underscores"
        if names.count(rule.name) > 1:
            yield f"{label} has several rules"
        if "Clock" not in definition.options.get("subject_of", ()):
            yield f'{label} needs an entity that says subject_of=("Clock", …)'
        workflow = definition.workflow_columns.get(rule.column)
        if workflow is None:
            yield f"{label} follows {rule.column}, which is no workflow"
            continue
        states = [*rule.runs, *rule.pauses, *rule.stops, *rule.voids]
        for state in sorted(set(states) - {member.value for member in workflow}):
            yield f"{label} names {state}, which is no state of {workflow.__name__}"
        for state in sorted({state for state in states if states.count(state) > 1}):
            yield f"{label} names {state} twice"
        if not rule.runs or not (*rule.stops, *rule.voids):
            yield f"{label} never runs, or never ends"
