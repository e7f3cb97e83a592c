"""Cost budgets: each key with a budget has an account, a token bucket of cost points that its operations draw from.

A point is a row that an operation could read, or a millisecond of database time that it took: the rows are charged before
it runs, and the difference to the time is settled afterwards. Decision 0024 has the reasons."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic
from typing import Protocol

from hub.client_limits import CostBudget
from hub.db.fair_queue import Flow
from hub.db.meter import WorkMeter
from hub.engine.request import GraphQLResponse
from hub.errors import Throttled
from hub.viewer import Viewer

POINTS_PER_SECOND = 1_000.0  # of database time
MIN_POINTS = 1  # that any operation costs
EARLY_DELAY = 0.5  # seconds for which an operation that came back too early is held back
MAX_PAUSE = 1.0  # seconds between two looks at an account that work waits for
MAX_FLOWS = 10_000  # flows that are remembered
ROUNDING = 1e-6  # points; sums of times are not exact

MonotonicTime = Callable[[], float]


class Buckets(Protocol):
    """The balances of flows. A flow without a balance has a full bucket."""

    def take(self, flow: Flow, budget: CostBudget, points: float, required: float, now: float) -> float:
        """Takes points (negative ones are given back) if the balance is at least `required`; returns the balance before."""


class ProcessBuckets:
    """Balances in the memory of one process."""

    def __init__(self, max_flows: int = MAX_FLOWS) -> None:
        self._max_flows = max_flows
        self._balances: OrderedDict[Flow, tuple[float, float]] = OrderedDict()  # points, and since when

    def take(self, flow: Flow, budget: CostBudget, points: float, required: float, now: float) -> float:
        """See Buckets."""
        balance = refilled(self._balances.get(flow), budget, now)
        if balance + ROUNDING < required:
            return balance
        self._balances[flow] = min(balance - points, budget.capacity), now
        self._balances.move_to_end(flow)
        if len(self._balances) > self._max_flows:
            self._balances.popitem(last=False)
        return balance


def refilled(stored: tuple[float, float] | None, budget: CostBudget, now: float) -> float:
    """The balance of a bucket now, from its balance at an earlier time; None stands for a full bucket."""
    if stored is None:
        return budget.capacity
    points, since = stored
    return min(budget.capacity, points + max(0.0, now - since) * budget.refill_per_second)


class CostAccounts:
    """The accounts of all keys with a budget. `default` is the budget of keys without one; None for no budget."""

    def __init__(
        self,
        default: CostBudget | None,
        buckets: Buckets,
        clock: MonotonicTime = monotonic,
        *,
        reports_all: bool = False,
    ) -> None:
        self.clock = clock
        self.buckets = buckets
        self._default = default
        # Whether operations of every key are charged or measured; else only those of keys with a budget.
        self.concern_all = default is not None or reports_all
        self.due_at: OrderedDict[Flow, float] = OrderedDict()  # the times that throttled flows were told to wait for

    def account(self, viewer: Viewer) -> "CostAccount | None":
        """The viewer's account; None if it has no budget, as the hub itself."""
        budget = viewer.limits.budget or self._default
        flow = viewer.flow
        return None if budget is None or flow is None else CostAccount(flow, budget, self)

    def open_charge(self, viewer: Viewer) -> "OperationCharge":
        """The charge of an operation that begins; without a budget it only measures."""
        return OperationCharge(self.account(viewer), self.clock)


@dataclass(frozen=True, slots=True)
class CostAccount:
    """One flow's bucket with its present budget. The keys of one customer or person share it, as they share turns."""

    flow: Flow
    budget: CostBudget
    accounts: CostAccounts

    def balance(self) -> float:
        """The points that are left; negative after an operation that took longer than it was charged for."""
        return self._take(0.0, inf)

    def seconds_until(self, points: float) -> float:
        """The seconds until the balance is enough, if nothing else is charged meanwhile."""
        return max(0.0, (points - self.balance()) / self.budget.refill_per_second)

    def try_charge(self, points: float) -> bool:
        """Takes points if the balance is enough; returns whether it was."""
        return self._take(points, points) + ROUNDING >= points

    def settle(self, charged: float, actual: float) -> None:
        """Replaces a charge by what the work did cost; the balance may become negative."""
        self._take(actual - charged, -inf)

    async def charge(self, points: float) -> None:
        """Takes points; raises Throttled while the balance is too low.

        A client that comes back before the time that it was told waits a moment for its refusal, so that a loop without
        pauses occupies nobody."""
        if self.try_charge(points):
            return
        accounts = self.accounts
        if accounts.clock() + ROUNDING < accounts.due_at.get(self.flow, 0.0):
            await asyncio.sleep(EARLY_DELAY)
            if self.try_charge(points):
                return
        raise self.refusal(points)

    def refusal(self, points: float) -> Throttled:
        """The refusal of an operation that needs these points. Until the time that it names, the flow is early."""
        accounts, seconds = self.accounts, self.seconds_until(points)
        accounts.due_at[self.flow] = accounts.clock() + seconds
        accounts.due_at.move_to_end(self.flow)
        if len(accounts.due_at) > MAX_FLOWS:
            accounts.due_at.popitem(last=False)
        return self._throttled(points, seconds)

    def meter(self) -> "PointMeter":
        """A meter for work that this account pays for afterwards."""
        return PointMeter(self.accounts.clock)

    async def until_solvent(self) -> None:
        """Waits while the balance is negative: work that goes on by itself is late then, but never lost."""
        seconds = self.seconds_until(0.0)
        while seconds > 0:
            await asyncio.sleep(min(seconds, MAX_PAUSE))
            seconds = self.seconds_until(0.0)

    def numbers(self, balance: float) -> dict[str, float]:
        """The bucket as clients see it."""
        capacity, refill = self.budget.capacity, self.budget.refill_per_second
        return {"balance": int(balance // 1), "capacity": capacity, "refillPerSecond": refill}

    def _take(self, points: float, required: float) -> float:
        accounts = self.accounts
        return accounts.buckets.take(self.flow, self.budget, points, required, accounts.clock())

    def _throttled(self, points: float, seconds: float) -> Throttled:
        retry_after = max(0.001, ceil(seconds * 1_000 - ROUNDING) / 1_000)
        cost = {"requested": ceil(points), **self.numbers(self.balance())}
        message = (
            f"The operation costs {cost['requested']:,} points and this key has {cost['balance']:,} left; try again in"
            f" {retry_after:g} s. The budget refills by {self.budget.refill_per_second:g} points per second."
        )
        return Throttled(message, extensions={"retryAfter": retry_after, "cost": cost})


def payer(accounts: Iterable[CostAccount | None]) -> CostAccount | None:
    """Who pays for work that several share: nobody if one of them has no budget, else the account with the most points.

    So work for a group is never late because one of its members is in debt."""
    distinct: dict[CostAccount, None] = {}
    for account in accounts:
        if account is None:
            return None
        distinct[account] = None
    return max(distinct, key=CostAccount.balance, default=None)


class PointMeter(WorkMeter):
    """A meter that reads points. With an account, it takes them as soon as they exceed what was charged before."""

    __slots__ = ("_account", "_may_refuse", "charged")

    def __init__(self, clock: MonotonicTime, account: CostAccount | None = None, *, may_refuse: bool = False) -> None:
        super().__init__(clock)
        self.charged = 0  # points that the account has paid; 0 before and after the operation
        self._account = account
        self._may_refuse = may_refuse

    @property
    def points(self) -> int:
        """A point for each begun millisecond of database time, at least one."""
        return max(MIN_POINTS, ceil(self.seconds * POINTS_PER_SECOND - ROUNDING))

    def admit(self) -> None:
        """Raises Throttled if the account fell into debt while the operation waited for its first statement.

        Operations that arrive at once are all charged before any of them has cost its time."""
        account, charged = self._account, self.charged
        if account is None or not self._may_refuse or not charged or self.seconds or account.balance() + ROUNDING >= 0:
            return
        self.settle(0)
        raise account.refusal(charged)

    def add_since(self, started_at: float) -> None:
        """Adds the seconds since a time of the clock, and charges them."""
        super().add_since(started_at)
        if self._account is not None and 0 < self.charged < self.points:
            self._account.settle(self.charged, self.points)
            self.charged = self.points

    def settle(self, points: int) -> None:
        """Replaces what was charged by these points, once."""
        if self._account is not None and self.charged:
            self._account.settle(self.charged, points)
        self.charged = 0


class OperationCharge:
    """What one operation costs: its requested points, then the actual ones that its meter counts.

    `may_refuse` says that the operation may still be refused when it has waited for its turn."""

    __slots__ = ("account", "meter", "requested")

    def __init__(self, account: CostAccount | None, clock: MonotonicTime, *, may_refuse: bool = True) -> None:
        self.account = account
        self.meter = PointMeter(clock, account, may_refuse=may_refuse)
        self.requested = 0

    async def require_points(self) -> None:
        """Raises Throttled if the balance is not enough for any operation."""
        if self.account is not None:
            await self.account.charge(MIN_POINTS)
            self.account.settle(MIN_POINTS, 0)

    async def open(self, rows: int) -> None:
        """Charges the rows that the operation could read; raises Throttled."""
        requested = max(MIN_POINTS, rows)
        if self.account is not None:
            await self.account.charge(requested)
        self.requested = self.meter.charged = requested

    def try_open(self, rows: int) -> bool:
        """Charges the rows if the balance is enough; returns whether it was."""
        requested = max(MIN_POINTS, rows)
        if self.account is not None and not self.account.try_charge(requested):
            return False
        self.requested = self.meter.charged = requested
        return True

    def settle(self) -> None:
        """Replaces the requested points by the actual ones, once."""
        self.meter.settle(self.meter.points)

    def reported(self, response: GraphQLResponse) -> GraphQLResponse:
        """The response with `extensions.cost`, if the operation ran."""
        if not self.requested or not response.executed:
            return response
        cost: dict[str, float] = {"requested": self.requested, "actual": self.meter.points}
        if self.account is not None:
            cost |= self.account.numbers(self.account.balance())
        return response.with_extension("cost", cost)
