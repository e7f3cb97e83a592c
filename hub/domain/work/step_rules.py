"""The rules of steps: which are open together, what follows a decision, who may decide, and who votes. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from hub.domain.work.quorums import approvals_needed, outcome
from hub.errors import BadInput, Forbidden
from hub.schema.work.processes import StepAddressee, StepDecision, StepUnit

FORWARD = frozenset((StepDecision.APPROVE, StepDecision.DONE))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """A step of a process, as its items go by it."""

    id: UUID
    position: int
    code: str
    name: str
    public_name: str | None
    group_name: str | None
    addressee: StepAddressee
    role: str | None
    unit_type: StepUnit
    unit_id: UUID | None
    decisions: tuple[StepDecision, ...]
    returns_to: str | None
    quorum: int
    majority: str | None
    distinct_from: frozenset[str]
    allows_opener: bool
    authority: str | None
    verified: tuple[str, ...]
    about: str
    exit_criteria: Any
    goal: timedelta | None
    calendar_id: UUID | None

    def outcome(self, votes: Iterable[StepDecision]) -> StepDecision | None:
        """How the votes so far decide the step; None while they do not."""
        return outcome(self.quorum, approvals_needed(self.quorum, self.majority), votes)

    def require_decision(self, decision: StepDecision) -> None:
        """Raises BadInput MOVE_INVALID, naming the possible ones, for a decision that the step does not take."""
        if decision not in self.decisions:
            message = f"decision: the step {self.code} takes {' or '.join(self.decisions)}; give one of them."
            raise BadInput(message, code="MOVE_INVALID", argument="decision", extensions={"allowed": [*self.decisions]})


@dataclass(frozen=True)
class ProcessRules:
    """The steps of one revision of a process, in their order."""

    code: str
    max_rounds: int
    steps: tuple[StepRule, ...]

    @cached_property
    def by_id(self) -> Mapping[UUID, StepRule]:
        """The steps by key."""
        return {step.id: step for step in self.steps}

    @cached_property
    def blocks(self) -> tuple[tuple[StepRule, ...], ...]:
        """The steps in the order in which they open: those of one group side by side."""
        blocks: list[tuple[StepRule, ...]] = []
        for step in self.steps:
            if blocks and step.group_name is not None and blocks[-1][0].group_name == step.group_name:
                blocks[-1] = (*blocks[-1], step)
            else:
                blocks.append((step,))
        return tuple(blocks)

    def block_with(self, code: str) -> tuple[StepRule, ...]:
        """The steps that are open together with the step of a code, this one included."""
        return next(block for block in self.blocks if any(step.code == code for step in block))

    def block_after(self, step: StepRule) -> tuple[StepRule, ...] | None:
        """The steps that open when those of the step's block are decided; None at the end."""
        index = self.blocks.index(self.block_with(step.code)) + 1
        return self.blocks[index] if index < len(self.blocks) else None

    def milestone_from(self, code: str) -> str | None:
        """The first step from this one on that customers see as a milestone."""
        index = next(index for index, step in enumerate(self.steps) if step.code == code)
        return next((step.code for step in self.steps[index:] if step.public_name is not None), None)


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A step of an item that somebody has decided, in whatever round."""

    code: str
    round: int
    staff_id: UUID | None


def barred(step: StepRule, opener: UUID | None, past: Collection[PastDecision], round: int) -> dict[UUID, str]:
    """The people who cannot decide a step, each with the reason: the opener, and those who decided what it must differ from."""
    reasons: dict[UUID, str] = {}
    for decision in past:
        if decision.staff_id is None:
            continue
        if decision.code == step.code and decision.round == round:
            reasons[decision.staff_id] = "has voted on this step already"
        elif decision.code in step.distinct_from:
            reasons[decision.staff_id] = f"decided the step {decision.code}"
    if opener is not None and not step.allows_opener:
        reasons[opener] = "opened the item"
    return reasons


def require_not_barred(step: StepRule, staff_id: UUID, reasons: Mapping[UUID, str]) -> None:
    """Raises Forbidden DUAL_CONTROL for a person who is barred, with whichever key."""
    if staff_id in reasons:
        message = f"id: the person behind this key {reasons[staff_id]}; somebody else decides the step {step.code}."
        raise Forbidden(message, code="DUAL_CONTROL", argument="id")


def voters(quorum: int, addressees: Sequence[UUID]) -> list[UUID | None]:
    """Whose votes a step waits for; None stands for anybody to whom it is addressed.

    If more are addressed than vote, the first of them to come do; if fewer, the other votes wait for somebody."""
    if len(addressees) > quorum:
        return [None] * quorum
    return [*addressees, *[None] * (quorum - len(addressees))]


def require_round(rules: ProcessRules, round: int) -> None:
    """Raises BadInput RETURN_LIMIT for a round in which nothing goes back any more."""
    if round >= rules.max_rounds:
        message = f"decision: the item is in round {round}, the last of process {rules.code}; decide otherwise."
        raise BadInput(message, code="RETURN_LIMIT", argument="decision", extensions={"rounds": rules.max_rounds})
