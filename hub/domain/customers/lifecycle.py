"""Assignment: the unit that owns a customer and the person who looks after it."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import rows
from hub.model.commands import command
from hub.model.rules import Write
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.viewer import Viewer


class AssignPayload(NamedTuple):
    """The payload of customerAssign."""

    customer: Annotated[UUID | None, Customer, "The customer as it is now; null when the key may not see it any more."]


@command("customerAssign", bulk_name="customersAssign")
async def assign(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Customer, "The customer."],
    unit_id: Annotated[UUID | None, OrgUnit, "The unit that owns the customer; unchanged by default."] = None,
    owner_id: Annotated[UUID | None, Staff, "The person who looks after the customer; unchanged by default."] = None,
    now: datetime,
) -> AssignPayload:
    """Assigns a customer to another unit, another member of staff, or both. The customer's rows move along.

    A PRIMARY assignment that holds is succeeded by one of the new owner; while the customer is locked, it is refused."""
    Customer.require(viewer, "update")
    supplied = {"unit_id": unit_id, "owner_id": owner_id}
    changes = {name: key for name, key in supplied.items() if key is not None}
    if not changes:
        raise BadInput("unit_id: name a unit, a member of staff, or both.", code="ARGUMENT_MISSING", argument="unit_id")
    for name, key in changes.items():
        await rows.require_reference_visible(tx, viewer, Customer.table, name, key)
    await Customer.rules.require_permits(tx, id, Write("update", changes, None, viewer, now))
    await rows.update_row(tx, viewer, Customer, id, changes, now, fields=tuple(changes))
    return AssignPayload(id)
