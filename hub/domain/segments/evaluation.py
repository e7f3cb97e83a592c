"""Brings memberships up to date: looks which segments customers match, and writes who enters and who leaves.

Segments are looked at in the order of their nesting, so that one which names another sees its members as they are then."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.segments.definitions import FilterSegment, filter_segments
from hub.errors import BadInput
from hub.model.customer_derivations import NextMoment, derived_from_customers
from hub.model.segment_filters import SegmentFilter

DERIVATION = "segments"
# All segments of a customer are looked at together, so that there is one moment for all of them.
ALL_SEGMENTS = UUID("00000000-0000-7000-8000-5e63e7750000")

_MEMBERS = """
select segment_id, customer_id from segment_memberships where customer_id = any($1) and until is null
"""
_ENTER = """
insert into segment_memberships (segment_id, code, customer_id, member_id, since, because, created_at, updated_at)
select $1, $2, customers.id, customers.id, $3, entering.because::jsonb, $3, $3
from unnest($4::uuid[], $5::text[]) as entering (customer_id, because) join customers on customers.id = entering.customer_id
"""
_LEAVE = """
update segment_memberships set until = greatest($3, since), member_id = null, updated_at = $3, version = version + 1
where segment_id = $1 and customer_id = any($2) and until is null
"""
_FAULT = """
update segments set fault = $2, computes_at = null, computed_to = null, updated_at = $3, version = version + 1 where id = $1
"""


@derived_from_customers(DERIVATION)
async def refresh_segments(
    tx: Connection, customers: Sequence[UUID], now: datetime, subject: UUID | None = None
) -> list[NextMoment]:
    """Brings the memberships of customers up to date; returns when time alone changes one of each customer's next."""
    segments = await filter_segments(tx)
    if not segments:
        return []
    members: dict[UUID, set[UUID]] = {segment.id: set() for segment in segments}
    for row in await tx.fetch(_MEMBERS, customers):
        if row["segment_id"] in members:
            members[row["segment_id"]].add(row["customer_id"])
    moments: dict[UUID, datetime] = {}
    for segment in segments:
        try:
            planned = segment.planned()
        except BadInput as error:
            await _note_fault(tx, segment, error.message, now)
            continue
        await _refresh(tx, segment, planned, customers, members[segment.id], moments, now)
    return [NextMoment(ALL_SEGMENTS, customer, moment) for customer, moment in moments.items()]


async def _refresh(
    tx: Connection,
    segment: FilterSegment,
    planned: SegmentFilter | None,
    customers: Sequence[UUID],
    members: set[UUID],
    moments: dict[UUID, datetime],
    now: datetime,
) -> None:
    """Writes who enters and who leaves one segment, and adds the moments at which that changes to `moments`."""
    matching: set[UUID] = set()
    if planned is not None:
        for customer, matches, changes_at in await planned.evaluate(tx, customers, now):
            if matches:
                matching.add(customer)
            if changes_at is not None:
                moments[customer] = min(changes_at, moments.get(customer, changes_at))
    entering, leaving = sorted(matching - members), sorted(members - matching)
    if leaving:
        await leave(tx, segment.id, leaving, now)
    if entering and planned is not None:
        await enter(tx, segment.id, segment.code, await planned.reasons(tx, entering, now), now)


async def enter(tx: Connection, segment: UUID, code: str, because: Mapping[UUID, str], now: datetime) -> None:
    """Writes that customers enter a segment, each with the conditions that hold, as JSON."""
    await tx.execute(_ENTER, segment, code, now, list(because), list(because.values()))


async def leave(tx: Connection, segment: UUID, customers: Sequence[UUID], now: datetime) -> None:
    """Writes that customers leave a segment."""
    await tx.execute(_LEAVE, segment, customers, now)


async def _note_fault(tx: Connection, segment: FilterSegment, fault: str, now: datetime) -> None:
    """Says at the segment why nobody enters or leaves it any more."""
    if segment.fault != fault:
        await tx.execute(_FAULT, segment.id, fault, now)
