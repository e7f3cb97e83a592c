"""Edge rows of segments: customers who are or were in one."""

import json
from uuid import UUID

from hub.schema.segments import segments
from oracle.edge_operations import TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder

CODES = ("edge.list", "edge.draft")


def add_segment_rows(builder: EdgeRowBuilder, customer: UUID) -> None:
    """Memberships of a customer; a LIST and a DRAFT, which the hub itself leaves alone, come with the first."""
    known = builder.rows_by_table.get(segments.Segment.table, [])
    keys = [row["id"] for row in known] or [_segment(builder, code) for code in CODES]
    for key, code in zip(keys, CODES, strict=True):
        for is_past in builder.rng.sample((True, False), builder.rng.randint(0, 2)):
            since, until = sorted((builder.pick(TIMESTAMPS), builder.pick(TIMESTAMPS)))
            builder.add(
                segments.SegmentMembership,
                customer_id=customer,
                segment_id=key,
                code=code,
                since=since,
                until=until if is_past else None,
                member_id=None if is_past else customer,
                because=json.dumps(builder.pick(([], [{"condition": {"country": {"eq": "CH"}}, "value": "CH"}]))),
            )


def _segment(builder: EdgeRowBuilder, code: str) -> UUID:
    is_list = code == "edge.list"
    segment: UUID = builder.add(
        segments.Segment,
        code=code,
        name=code,
        kind="LIST" if is_list else "FILTER",
        status="ACTIVE" if is_list else "DRAFT",
        filter=None if is_list else json.dumps({"country": {"eq": "CH"}}),
        fault=builder.maybe(("filter: unknown field.",)),
        activated_at=builder.maybe(TIMESTAMPS),
        archived_at=None,
        computed_at=builder.maybe(TIMESTAMPS),
        computes_at=None,
        computed_to=None,
    )["id"]
    return segment
