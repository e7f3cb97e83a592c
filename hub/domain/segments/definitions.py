"""Segments as the rules read them, and the checks of their filters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.derivations import FOLLOWED
from hub.domain.segments.references import check_nesting, in_order, referenced_codes
from hub.errors import BadInput
from hub.model import exact_json, segment_filters
from hub.model.entity import declared_entities
from hub.model.segment_filters import SegmentFilter
from hub.schema.segments.segments import SegmentMembership, SegmentStatus

MAX_SEGMENTS = 500  # in force
_FILTERS = """
select id, code, filter, status, fault from segments
where kind = 'FILTER' and status = 'ACTIVE' or status = 'ARCHIVED' and computes_at is not null
"""
_EXISTS = "select exists (select from segments where code = $1)"
_ALL = "select code, filter from segments where filter is not null and status <> 'ARCHIVED'"


@dataclass(frozen=True, slots=True)
class FilterSegment:
    """A segment whose customers follow from a filter. An archived one, from which customers still leave, matches nobody."""

    id: UUID
    code: str
    filter: str | None
    status: SegmentStatus
    fault: str | None

    def planned(self) -> SegmentFilter | None:
        """Its filter; None for one that matches nobody. Raises BadInput if it cannot be planned any more."""
        return None if self.filter is None or self.status is SegmentStatus.ARCHIVED else _planned(self.filter)


@lru_cache(maxsize=1_000)
def _planned(text: str) -> SegmentFilter:
    return segment_filters.plan(exact_json.loads(text))


async def filter_segments(tx: Connection) -> list[FilterSegment]:
    """The segments to look after, each after those that its filter names."""
    rows = [dict(row) for row in await tx.fetch(_FILTERS)]
    by_code = {row["code"]: FilterSegment(**row | {"status": SegmentStatus(row["status"])}) for row in rows}
    references = {code: _references(segment.filter) for code, segment in by_code.items()}
    return [by_code[code] for code in in_order(references) if code in by_code]


@lru_cache(maxsize=1_000)
def _references(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else referenced_codes(exact_json.loads(text), "filter")


async def check_filter(tx: Connection, code: str, value: Any) -> SegmentFilter:
    """Plans the filter that a segment is to have; raises BadInput, whose argument begins with `filter`.

    It refuses what cannot be planned, what the hub does not follow, and segments that contain themselves."""
    planned = segment_filters.plan(value)
    _check_tables(planned)
    own = referenced_codes(value, "filter")
    stored = {row["code"]: _references(row["filter"]) for row in await tx.fetch(_ALL)}
    await _require_segments(tx, own - {code})
    check_nesting(code, stored | {code: own})
    return planned


def _check_tables(planned: SegmentFilter) -> None:
    """Raises BadInput for rows whose changes would not reach the segment."""
    own = {entity.table.name for entity in FOLLOWED}
    foreign = planned.tables - own
    if foreign:
        by_table: Mapping[str, str] = {entity.table.name: entity.__name__ for entity in declared_entities()}
        names = ", ".join(sorted(by_table.get(table, table) for table in foreign))
        message = f"filter: rows of {names} are not the customer's; compare ids, or a field of the customer."
        raise BadInput(message, argument="filter", code="SEGMENT_INVALID")
    others = planned.shared_tables - {SegmentMembership.table.name}
    if others:
        message = f"filter: {', '.join(sorted(others))} would be those of other customers; leave them out."
        raise BadInput(message, argument="filter", code="SEGMENT_INVALID")


async def is_known(tx: Connection, code: str) -> bool:
    """Whether there is a segment of this code."""
    known: bool = await tx.fetchval(_EXISTS, code)
    return known


async def _require_segments(tx: Connection, codes: frozenset[str]) -> None:
    known = await tx.fetch("select code from segments where code = any($1) and status <> 'ARCHIVED'", list(codes))
    missing = codes - {row["code"] for row in known}
    if missing:
        message = f"filter: there is no segment {min(missing)[:63]!r}; `segments` lists those that there are."
        raise BadInput(message, argument="filter", code="SEGMENT_INVALID")
