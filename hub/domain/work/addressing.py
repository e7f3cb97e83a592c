"""Whose work a step is: the people to whom it is addressed now, and the unit that it is done in."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.job_roles import head_of, holders
from hub.domain.work.step_rules import StepRule
from hub.schema.work.processes import StepAddressee, StepUnit

_PARENT = "select coalesce(parent_id, id) from org_units where id = $1"
_OWNER = "select owner_id from customers where id = $1"


class Addressing(NamedTuple):
    """To whom a step is addressed; `unit_id` is the unit that it is done in."""

    staff_ids: tuple[UUID, ...]
    unit_id: UUID | None


async def addressed(
    tx: Connection, rule: StepRule, item: Mapping[str, Any], barred: Collection[UUID], now: datetime
) -> Addressing:
    """To whom a step of an item is addressed at a moment; nobody for an AUTO step, or where nobody has the role.

    In the place of a person who is `barred` comes the head of the unit, or of the nearest one above."""
    unit_id = await _working_unit(tx, rule, item["unit_id"])
    person: UUID | None = None
    match rule.addressee:
        case StepAddressee.AUTO:
            return Addressing((), unit_id)
        case StepAddressee.ROLE:
            if unit_id is None or rule.role is None:
                return Addressing((), unit_id)
            return Addressing(tuple(await holders(tx, rule.role, unit_id=unit_id, now=now)), unit_id)
        case StepAddressee.OWNER:
            person = await tx.fetchval(_OWNER, item["customer_id"])
        case StepAddressee.OPENER:
            person = item["opened_by_id"]
    opener = item["opened_by_id"]
    if (person is None or person in barred) and unit_id is not None:
        person = await head_of(tx, unit_id, now=now, besides=opener if opener in barred else None)
    return Addressing(() if person is None else (person,), unit_id)


async def _working_unit(tx: Connection, rule: StepRule, own: UUID | None) -> UUID | None:
    if rule.unit_type is StepUnit.NAMED:
        return rule.unit_id
    unit_id: UUID | None = await tx.fetchval(_PARENT, own) if rule.unit_type is StepUnit.PARENT else own
    return unit_id
