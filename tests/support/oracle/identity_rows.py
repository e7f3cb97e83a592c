"""Merges, what sources say of customers, and policies that choose among them, for the rows that trip a planner up."""

import json
from uuid import UUID

from hub.schema.identity import merges, source_records, survivorship
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder

FORMER = UUID("0192f000-0000-7000-8000-0000000000ff")  # the key of a customer who was merged


def add_identity_rows(builder: EdgeRowBuilder, customer: UUID, number: int) -> None:
    """A merge of the customer, and what a system says of it."""
    if number % 3 == 0:
        status = builder.member(merges.MergeStatus)
        builder.add(
            merges.Merge,
            customer_id=customer,
            type=builder.member(merges.MergeType),
            survivor_key=customer,
            merged_key=UUID(int=FORMER.int + number),
            status=status,
            merged_at=builder.pick(TIMESTAMPS),
            undone_at=builder.pick(TIMESTAMPS) if status == merges.MergeStatus.UNDONE else None,
            undo_until=builder.pick(TIMESTAMPS),
            choices=json.dumps(builder.pick(({}, {"name": "MERGED"}))),
            rows=builder.rng.randint(0, 9),
            merged_by_id=None,
        )
    builder.add(
        source_records.SourceRecord,
        customer_id=customer,
        source=builder.pick(("erp", "Erp", "shop")),
        facts=json.dumps(
            {"name": [builder.pick(NAMES), "2026-01-02T03:04:05"], "country": [None, "2026-01-02T03:04:05.5"]}
        ),
        observed_at=builder.pick(TIMESTAMPS),
    )
    if number == 0:
        for field in ("language", "currency"):
            builder.add(survivorship.SurvivorshipPolicy, field=field, criteria=["RECENCY"], trusted_sources=[])
