"""What a filter would do to a segment: who would enter, who would leave, and what looking at one customer costs."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model.segment_filters import SegmentFilter

BATCH = 5_000
MAX_CUSTOMERS = 100_000  # who are looked at
MAX_NAMED = 20
MAX_ENTRIES = 2_000  # of tables and indexes that one customer may cost

_CUSTOMERS = "select id from customers where id > $1 order by id limit $2"
_MEMBERS = (
    "select customer_id from segment_memberships where segment_id = $1 and until is null and customer_id = any($2)"
)


class Preview(NamedTuple):
    """What would happen."""

    customers: int
    complete: bool
    matching: int
    enter_count: int
    leave_count: int
    entering: Sequence[UUID]
    leaving: Sequence[UUID]


async def count_entries(tx: Connection, planned: SegmentFilter, now: datetime) -> int:
    """What the filter reads for one customer; raises BadInput where that is no small number."""
    entries = await planned.count_entries(tx, now)
    if entries > MAX_ENTRIES:
        message = (
            f"filter: it would read {entries:,} entries for each customer, more than {MAX_ENTRIES:,};"
            " ask for the customer's own rows, by fields that have an index."
        )
        raise BadInput(message, argument="filter", code="SEGMENT_UNBOUNDED", extensions={"entries": entries})
    return entries


async def preview(tx: Connection, segment: UUID, planned: SegmentFilter, now: datetime) -> Preview:
    """Compares who matches with who is in the segment, for all customers or the first 100,000."""
    entering: list[UUID] = []
    leaving: list[UUID] = []
    seen = matching = enter_count = leave_count = 0
    last = UUID(int=0)
    while seen < MAX_CUSTOMERS:
        customers = [row["id"] for row in await tx.fetch(_CUSTOMERS, last, BATCH)]
        members = {row["customer_id"] for row in await tx.fetch(_MEMBERS, segment, customers)}
        matched = {row.customer_id for row in await planned.evaluate(tx, customers, now) if row.matches}
        seen, matching = seen + len(customers), matching + len(matched)
        enter_count, leave_count = enter_count + len(matched - members), leave_count + len(members - matched)
        entering = [*entering, *sorted(matched - members)][:MAX_NAMED]
        leaving = [*leaving, *sorted(members - matched)][:MAX_NAMED]
        if len(customers) < BATCH:
            return Preview(seen, True, matching, enter_count, leave_count, entering, leaving)
        last = customers[-1]
    return Preview(seen, False, matching, enter_count, leave_count, entering, leaving)
