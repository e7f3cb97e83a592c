"""Filters of segments: which customers match, when time alone changes that, and why.

The planner is the engine's (hub/engine/roles/segment_filters.py). These filters, unlike those of roles, may compare with the
time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from hub.db.pool import Connection


class Evaluated(NamedTuple):
    """Whether a filter matches a customer, and when time alone changes that, or may: never later than it does."""

    customer_id: UUID
    matches: bool
    changes_at: datetime | None


class SegmentFilter(Protocol):
    """A planned filter of customers."""

    @property
    def tables(self) -> frozenset[str]:
        """The tables that it reads beside that of customers."""

    @property
    def shared_tables(self) -> frozenset[str]:
        """Those of them whose rows need not belong to the customer."""

    async def evaluate(self, tx: Connection, keys: Sequence[UUID], now: datetime) -> Sequence[Evaluated]:
        """What the filter says at a moment of those customers who exist."""

    async def reasons(self, tx: Connection, keys: Sequence[UUID], now: datetime) -> Mapping[UUID, str]:
        """The conditions that hold for customers, with their values, as JSON."""

    async def count_entries(self, tx: Connection, now: datetime) -> int:
        """How many entries of tables and indexes Postgres expects to read for one customer."""


class SegmentFilters:
    """The planner of this process."""

    planner: ClassVar["SegmentPlanner | None"] = None


class SegmentPlanner(Protocol):
    """Plans filters of customers."""

    def plan(self, value: Any, argument: str) -> SegmentFilter:
        """The planned filter; raises BadInput, with the path in the filter, for one that cannot be planned."""


def plan(value: Any, argument: str = "filter") -> SegmentFilter:
    """Plans a filter of customers; raises BadInput, in whose argument `argument` stands for the filter."""
    planner = SegmentFilters.planner
    assert planner is not None, "a process that keeps segments plans filters"
    return planner.plan(value, argument)
