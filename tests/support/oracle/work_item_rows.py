"""Edge rows of work items: about customers, units and people, with steps of several rounds, and items that wait."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.schema.customers.customers import Customer
from hub.schema.work import notifications, processes, work_items
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder
from oracle.work_rows import about


def add_work_items(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Adds the rows; `units` and `staff` are keys that they may refer to."""
    items: list[dict[str, Any]] = []
    for number in range(24):
        items.append(_item(builder, number, units, staff))
        for voter in range(1, number % 4 + 1):
            _step(builder, items[-1], voter, units, staff)
        if number % 3 == 0 and number:
            builder.add(
                work_items.WorkItemDependency, item_id=items[-1]["id"], predecessor_id=builder.pick(items[:-1])["id"]
            )
    for step in builder.rows_by_table[work_items.WorkStep.table]:
        if step["addressee_id"] is None:
            _assigned(builder, step, staff)


def _item(builder: EdgeRowBuilder, number: int, units: Sequence[UUID], staff: Sequence[UUID]) -> dict[str, Any]:
    process_id = builder.pick(builder.rows_by_table[processes.Process.table])["id"]
    steps = builder.rows_by_table[processes.ProcessStep.table]
    process_id = next((step for step in steps if step["process_id"] == process_id), steps[0])["process_id"]
    amount = builder.maybe((Decimal("100000.0000"), Decimal("0.0001")))
    if builder.maybe((True,)):
        subject = ("Customer", builder.pick(builder.rows_by_table[Customer.table])["id"])
    else:
        subject = ("Staff", builder.pick(staff))
    return builder.add(
        work_items.WorkItem,
        **about(builder, *subject, units, staff),
        number=builder.pick((None, f"W-{number:04}")),
        title=builder.pick(NAMES),
        amount=amount,
        currency=None if amount is None else builder.pick(("CNY", "EUR")),
        facts=json.dumps({"floor": number}),
        status=builder.member(work_items.WorkItemStatus),
        round=builder.pick((1, 2)),
        opened_at=builder.pick(TIMESTAMPS),
        closed_at=builder.maybe(TIMESTAMPS),
        cause_id=None,
        process_id=process_id,
        step_id=_of_process(builder, process_id, builder.maybe(steps)),
        opened_by_id=builder.maybe(staff),
    )


def _step(
    builder: EdgeRowBuilder, item: dict[str, Any], voter: int, units: Sequence[UUID], staff: Sequence[UUID]
) -> None:
    step_id = _of_process(builder, item["process_id"], builder.pick(builder.rows_by_table[processes.ProcessStep.table]))
    decision = builder.maybe([member.value for member in processes.StepDecision])
    builder.add(
        work_items.WorkStep,
        **{name: item[name] for name in ("customer_id", "unit_id", "staff_id", "audience")},
        item_id=item["id"],
        position=voter,
        round=builder.pick((1, 2)),
        voter=voter,
        role=builder.maybe(("RISK", "SEAL")),
        status=builder.member(work_items.WorkStepStatus),
        decision=decision,
        note=builder.text(),
        opened_at=builder.pick(TIMESTAMPS),
        due_at=builder.maybe(TIMESTAMPS),
        decided_at=builder.maybe(TIMESTAMPS),
        step_id=step_id,
        addressee_id=builder.maybe(staff),
        working_unit_id=builder.maybe(units),
        decided_by_id=builder.maybe(staff),
    )


def _of_process(builder: EdgeRowBuilder, process_id: UUID, step: dict[str, Any] | None) -> UUID | None:
    """A step of the process in place of a step of any."""
    own: list[UUID] = [
        row["id"] for row in builder.rows_by_table[processes.ProcessStep.table] if row["process_id"] == process_id
    ]
    return None if step is None else own[step["position"] % len(own)]


def _assigned(builder: EdgeRowBuilder, step: dict[str, Any], staff: Sequence[UUID]) -> None:
    """A notification to one of several people whose step it is."""
    builder.add(
        notifications.Notification,
        staff_id=builder.pick(staff),
        type="ASSIGNED",
        text="Yours",
        notified_at=builder.pick(TIMESTAMPS),
        seen_at=None,
        role=step["role"],
        clock_id=None,
        level=None,
        entity="WorkStep",
        row_id=step["id"],
        customer_id=step["customer_id"],
        unit_id=step["unit_id"],
    )
