"""Status workflows: an enum whose members say which states may follow. The move mutation is derived from it.

`class OrderStatus(Workflow): DRAFT = "DRAFT", state("Being put together.", to=("PLACED", "CANCELLED"))`"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, Self

from hub.model.columns import DescribedEnum


class AnyState(Enum):
    """Stands for every other state as the target of a move."""

    ANY = "any"


ANY: Final = AnyState.ANY


@dataclass(frozen=True, slots=True)
class MoveRule:
    """A move to a state, and what it needs."""

    target: str | AnyState
    reason: bool = False
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    counts: str | None = None
    guarded: bool = False
    by_hub: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The meaning of a state, the moves from it, and the column that gets the time of entering it."""

    description: str
    moves: tuple[MoveRule, ...]
    stamps: str | None


def move(
    target: str | AnyState,
    *,
    reason: bool = False,
    takes: Sequence[str] = (),
    needs: Sequence[str] = (),
    counts: str | None = None,
    guarded: bool = False,
    by_hub: bool = False,
    name: str | None = None,
) -> MoveRule:
    """A move to a state, with what it asks for.

    It may ask for a `reason`, for columns that it `takes` as arguments, and for columns that must be set (`needs`). It
    adds one to the column `counts`. A `guarded` move asks a rule of the domain; no client makes one `by_hub`. Its history
    names it `name`, else by the target."""
    return MoveRule(target, reason, tuple(takes), tuple(needs), counts, guarded, by_hub, name)


def state(
    description: str, *, to: "Sequence[str | MoveRule] | AnyState | MoveRule" = (), stamps: str | None = None
) -> State:
    """A state; `to` names the states that may follow, `stamps` the column that gets the time of entering it first."""
    targets = (to,) if isinstance(to, AnyState | MoveRule) else to
    return State(description, tuple(m if isinstance(m, MoveRule) else MoveRule(m) for m in targets), stamps)


class Workflow(DescribedEnum):
    """An enum that is a status workflow. `initial` names the states that a new row may have: all when left out.

    With `history`, each move is stored: as a row of the entity that declares `moves_of` this column, else as a `MoveRule`."""

    state: State
    initial_names: ClassVar[tuple[str, ...]]
    has_history: ClassVar[bool]

    def __new__(cls, value: str, state: "State | None" = None) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        if state is not None:
            member.state = state
            member.description = state.description
        return member

    def __init_subclass__(cls, *, initial: Sequence[str] = (), history: bool = False) -> None:
        super().__init_subclass__()
        cls.initial_names = tuple(initial)
        cls.has_history = history

    def moves(self) -> dict[Self, MoveRule]:
        """The moves from this state by their target, in the order of the declaration."""
        allowed: dict[Self, MoveRule] = {}
        for step in self.state.moves:
            targets = [other for other in type(self) if other is not self] if step.target is ANY else []
            if isinstance(step.target, str):
                targets = [type(self)(step.target)]
            allowed |= dict.fromkeys(targets, step)
        return allowed

    @classmethod
    def initial(cls) -> "tuple[Self, ...]":
        """The states that a new row may have."""
        return tuple(cls(name) for name in cls.initial_names) or tuple(cls)


def faults_of(workflow: type[Workflow]) -> list[str]:
    """Why a workflow cannot stand: targets that are no state, and states that no new row or move reaches."""
    names = {member.value for member in workflow}
    faults = [
        f"{workflow.__name__}.{member.value}: a move leads to {step.target}, which is no state"
        for member in workflow
        for step in member.state.moves
        if isinstance(step.target, str) and step.target not in names
    ]
    if faults:
        return faults
    reached = set(workflow.initial())
    queue = list(reached)
    while queue:
        following = [target for target in queue.pop().moves() if target not in reached]
        reached.update(following)
        queue += following
    return [f"{workflow.__name__}.{member.value}: no move leads to it" for member in workflow if member not in reached]
