"""Edge rows of promises: policies with their parts, and clocks in every state."""

import json
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from hub.schema.customers.customers import Customer
from hub.schema.work import calendars, clocks, sla_policies
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder
from oracle.work_rows import about

CLOCKS = ("CONTACT", "REPORT", "STEP")
MATCHES = (None, json.dumps({"tier": {"eq": "GOLD"}}))


def add_sla_rows(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Three policies, and clocks about customers."""
    policies = [_policy(builder, number) for number in range(3)]
    for customer in builder.rows_by_table[Customer.table][:40]:
        _clock(builder, customer["id"], builder.maybe(policies), units, staff)


def _calendar_key(builder: EdgeRowBuilder) -> UUID | None:
    key: UUID | None = builder.maybe([row["id"] for row in builder.rows_by_table[calendars.Calendar.table]])
    return key


def _policy(builder: EdgeRowBuilder, number: int) -> UUID:
    policy = builder.add(
        sla_policies.SlaPolicy,
        code=f"edge{number}",
        name=builder.pick(NAMES),
        entity="Customer",
        match=builder.pick(MATCHES),
        position=builder.pick((1, 1, 2)),
        valid_from=builder.maybe(TIMESTAMPS[:1]),
        valid_until=None,
        revision=1,
        clocks_change_at=None,
    )
    key: UUID = policy["id"]
    for clock in CLOCKS[:2]:
        calendar, goal = _calendar_key(builder), builder.pick((60, 3_600))
        builder.add(sla_policies.SlaTerm, policy_id=key, clock=clock, goal_seconds=goal, calendar_id=calendar)
        for level in (1, 2):
            builder.add(
                sla_policies.EscalationRule,
                policy_id=key,
                clock=clock,
                level=level,
                at_share=Decimal("0.8") if level == 1 else None,
                at_offset_seconds=None if level == 1 else 60,
                act="NOTIFY",
                role="HEAD",
                unit=builder.member(sla_policies.EscalationUnit),
                copy_role=builder.maybe(("RISK",)),
                process=None,
                move_to=None,
                text=builder.text(),
            )
    return key


def _clock(
    builder: EdgeRowBuilder, customer: UUID, policy: UUID | None, units: Sequence[UUID], staff: Sequence[UUID]
) -> None:
    status = clocks.ClockStatus(builder.member(clocks.ClockStatus))
    ended = status in (clocks.ClockStatus.MET, clocks.ClockStatus.VOID) or bool(builder.maybe((True,)))
    runs = status is clocks.ClockStatus.RUNNING
    started = builder.pick(TIMESTAMPS)
    stopped = ended and not runs and status is not clocks.ClockStatus.PAUSED
    builder.add(
        clocks.Clock,
        **about(builder, "Customer", customer, units, staff),
        name=builder.pick(CLOCKS),
        status=status.value,
        policy_id=policy,
        calendar_id=_calendar_key(builder),
        calendar_version=1,
        policy_revision=1,
        own_goal=builder.pick((True, False)),
        goal_seconds=builder.pick((60, 3_600)),
        spent=Decimal(builder.pick((0, 60, 90))),
        started_at=started,
        running_since=started if runs else None,
        due_at=builder.maybe(TIMESTAMPS),
        next_at=None,
        reached=0,
        level=builder.pick((0, 1, 2)),
        stopped_at=started if stopped else None,
        overdue_seconds=builder.maybe((0, 30)) if stopped else None,
    )
