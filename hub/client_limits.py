"""What limits a client beside its rights: a budget of cost points, trusted documents alone, no introspection. Data only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CostBudget:
    """A token bucket of cost points: it holds at most `capacity`, and `refill_per_second` flow back."""

    capacity: int
    refill_per_second: float


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of one key. Without a budget of its own, the hub's default budget applies.

    `trusted_only`: it runs only documents of a manifest. `introspects`: it may read the schema and gets suggestions."""

    budget: CostBudget | None = None
    trusted_only: bool = False
    introspects: bool = True


class LimitedRole(Protocol):
    """The part of a role that limits its clients."""

    @property
    def budget(self) -> CostBudget | None:
        """The budget of each key with the role; None if the role sets none."""

    @property
    def trusted_only(self) -> bool:
        """Whether its keys run only documents of a manifest."""

    @property
    def introspects(self) -> bool:
        """Whether its keys may read the schema."""


NO_LIMITS = ClientLimits()


def combine(own: ClientLimits, roles: Iterable[LimitedRole]) -> ClientLimits:
    """The limits of a key with these roles, `own` being those of the key itself.

    The key's own budget takes precedence. Of several roles' budgets it has the largest capacity and the largest refill;
    a role without a budget lifts no other's. One role suffices to demand trusted documents, and to allow introspection."""
    roles = tuple(roles)
    if not roles:
        return own
    budgets = [role.budget for role in roles if role.budget is not None]
    budget = own.budget
    if budget is None and budgets:
        budget = CostBudget(max(b.capacity for b in budgets), max(b.refill_per_second for b in budgets))
    limits = ClientLimits(
        budget,
        own.trusted_only or any(role.trusted_only for role in roles),
        own.introspects and any(role.introspects for role in roles),
    )
    return NO_LIMITS if limits == NO_LIMITS else limits


def excess(own: ClientLimits, other: ClientLimits) -> str | None:
    """What limits allow beyond one's own, in words; None for nothing. Introspection is a matter of roles."""
    if own.trusted_only and not other.trusted_only:
        return "documents of no manifest"
    if own.budget is None:
        return None
    if other.budget is None:
        return "an unlimited budget"
    larger = (
        other.budget.capacity > own.budget.capacity or other.budget.refill_per_second > own.budget.refill_per_second
    )
    return "a larger budget" if larger else None


def inherited(own: ClientLimits, roles: ClientLimits) -> ClientLimits:
    """The limits of its own that a key needs which a limited key issues: those that its roles do not set already."""
    budget = own.budget
    if budget is not None and excess(ClientLimits(budget), roles) is None:
        budget = None
    return ClientLimits(budget, trusted_only=own.trusted_only and not roles.trusted_only)
