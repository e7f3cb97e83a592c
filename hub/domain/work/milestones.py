"""Milestones: commands of the domain write them as something proceeds. Its customer sees them, and nothing else of it.

A row that has none, and a code that is none of them, change nothing: not everything shows how far it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.model import rows
from hub.schema.work.milestones import Milestone, MilestoneState
from hub.viewer import ADMIN

_STORED = """
select id, code, name, position, state, planned_at, reached_at from milestones
where row_id = $1 order by position for update
"""
_REMOVE = "delete from milestones where row_id = $1 and code = any($2)"
_UPDATE = """
update milestones as m set state = $2, reached_at = $3, planned_at = $4, position = $5, name = $6,
    version = m.version + 1, updated_at = $7
where id = $1
"""


class PlannedMilestone(NamedTuple):
    """A milestone that lies ahead: its code, its name in plain words, and when it is expected."""

    code: str
    name: str
    planned_at: datetime | None = None


async def set_milestones(
    tx: Connection, subject_values: Mapping[str, Any], milestones: Sequence[PlannedMilestone], *, now: datetime
) -> None:
    """Sets the milestones of the row that `subject_values` name, in this order; the first of new ones is current.

    Codes that are there already keep their state, others of the row go. Without a customer there are none."""
    if subject_values.get("customer_id") is None:
        return
    stored = {row["code"]: row for row in await _stored(tx, subject_values["row_id"])}
    codes = {milestone.code for milestone in milestones}
    await tx.execute(_REMOVE, subject_values["row_id"], [code for code in stored if code not in codes])
    for position, milestone in enumerate(milestones, 1):
        known = stored.get(milestone.code)
        if known is not None:
            planned_at = milestone.planned_at or known["planned_at"]
            change = {"position": position, "name": milestone.name, "planned_at": planned_at}
            await _update(tx, known, change, now)
            continue
        is_first = position == 1 and not stored
        row = {
            **subject_values,
            "audience": "CUSTOMER",
            "position": position,
            "code": milestone.code,
            "name": milestone.name,
            "planned_at": milestone.planned_at,
            "state": MilestoneState.CURRENT if is_first else MilestoneState.TODO,
        }
        await rows.insert_row(tx, ADMIN, Milestone, row, now)


async def reach_milestone(tx: Connection, entity: str, row_id: UUID, code: str, now: datetime) -> None:
    """Says that a milestone is reached: those before it that were not are skipped, the next one is current."""
    stored = await _stored(tx, row_id)
    position = _position(stored, code)
    if position is None:
        return
    is_next = True
    for row in stored:
        if row["position"] < position and row["state"] in (MilestoneState.TODO, MilestoneState.CURRENT):
            await _update(tx, row, {"state": MilestoneState.SKIPPED}, now)
        elif row["position"] == position and row["state"] != MilestoneState.DONE:
            await _update(tx, row, {"state": MilestoneState.DONE, "reached_at": now}, now)
        elif row["position"] > position and row["state"] in (MilestoneState.TODO, MilestoneState.CURRENT):
            state = MilestoneState.CURRENT if is_next else MilestoneState.TODO
            await _update(tx, row, {"state": state}, now)
            is_next = False


async def return_to_milestone(tx: Connection, entity: str, row_id: UUID, code: str, now: datetime) -> None:
    """Says that a milestone is worked on again: it is current, and those after it are still to come."""
    stored = await _stored(tx, row_id)
    position = _position(stored, code)
    for row in stored:
        if position is not None and row["position"] >= position:
            state = MilestoneState.CURRENT if row["position"] == position else MilestoneState.TODO
            await _update(tx, row, {"state": state, "reached_at": None}, now)


async def skip_milestones(tx: Connection, entity: str, row_id: UUID, now: datetime) -> None:
    """Says that nothing follows any more: what was not reached is skipped."""
    for row in await _stored(tx, row_id):
        if row["state"] in (MilestoneState.TODO, MilestoneState.CURRENT):
            await _update(tx, row, {"state": MilestoneState.SKIPPED}, now)


async def _stored(tx: Connection, row_id: UUID) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(_STORED, row_id)]


def _position(stored: Sequence[Mapping[str, Any]], code: str) -> int | None:
    return next((row["position"] for row in stored if row["code"] == code), None)


async def _update(tx: Connection, row: Mapping[str, Any], change: Mapping[str, Any], now: datetime) -> None:
    """Updates a stored milestone, unless it is so already."""
    if all(row[name] == value for name, value in change.items()):
        return
    columns = ("state", "reached_at", "planned_at", "position", "name")
    await tx.execute(_UPDATE, row["id"], *({**row, **change}[name] for name in columns), now)
