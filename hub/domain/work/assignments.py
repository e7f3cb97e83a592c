"""Assignments of customers: who looks after them, locks, and the owner of a customer, which follows its PRIMARY assignment.

An assignment that begins or ends later changes the owner at its moment, by a timer."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from hub.db.pool import Connection
from hub.domain.work.notifications import notify
from hub.errors import BadInput, Forbidden
from hub.model import rows
from hub.model.commands import command
from hub.model.exact_json import timestamp_text
from hub.model.rules import Write, permits_update
from hub.model.subjects import subject_values
from hub.model.succession import end_holding
from hub.model.timers import timer
from hub.model.validators import check_values, json_object_value, single_line
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.work.assignments import Assignment, AssignmentOrigin, AssignmentRole
from hub.schema.work.notifications import NotificationType
from hub.viewer import ADMIN, Viewer

# The PRIMARY assignments of a customer that still hold or begin later, at or after a moment.
_PRIMARY = """
select id, staff_id, from_at, to_at, locked_until, origin from assignments
where customer_id = $1 and role = 'PRIMARY' and (to_at is null or to_at > $2) order by from_at
"""
# When each of them changes the owner next; a moment that has passed is none.
_SCHEDULE = """
update assignments as a set owner_changes_at = moments.next from (
    select id, case when from_at > $2 then from_at when to_at > $2 then to_at end as next
    from assignments where customer_id = $1 and role = 'PRIMARY'
) as moments where moments.id = a.id and a.owner_changes_at is distinct from moments.next
"""
_BASELINE = """
select jsonb_build_object(
    'asOf', to_char($2 at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'orders', (select count(*) from orders where customer_id = $1),
    'products', (select count(distinct product_id) from order_items where customer_id = $1),
    'total', (select coalesce(jsonb_object_agg(currency, total::text), '{}') from (
        select currency, sum(total) as total from orders where customer_id = $1 group by currency
    ) as totals)
)
"""


class AssignmentPayload(NamedTuple):
    """The payload of the commands of assignments."""

    assignment: Annotated[UUID | None, Assignment, "The assignment as it is now; null when the key no longer sees it."]


@command("assignmentSucceed", bulk_name="assignmentsSucceed")
async def succeed_assignment(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer."],
    staff_id: Annotated[UUID, Staff, "Who looks after the customer from then on."],
    role: Annotated[AssignmentRole, "As what."] = AssignmentRole.PRIMARY,
    origin: Annotated[AssignmentOrigin, "How the person came to the customer."] = AssignmentOrigin.REFERRED,
    from_at: Annotated[datetime | None, "When it begins; now when left out."] = None,
    to_at: Annotated[datetime | None, "When it ends; empty for no end."] = None,
    locked_until: Annotated[datetime | None, "Until when the customer is locked to the person."] = None,
    baseline: Annotated[
        dict[str, Any] | None, "The customer as it is then; the hub counts orders when left out."
    ] = None,
    reason: Annotated[str | None, "Reason, in one line; needed where the customer is locked to somebody else."] = None,
    now: datetime,
) -> AssignmentPayload:
    """Assigns a customer to a member of staff. A PRIMARY assignment ends the one before it and changes the owner.

    Where the customer is locked to somebody else, it is refused with LOCKED but for an administrator with a reason."""
    Assignment.require(viewer, "create")
    checked = check_values(
        {"reason": reason, "baseline": baseline}, {"reason": single_line, "baseline": json_object_value}
    )
    await rows.lock_row(tx, viewer, Customer, customer_id, "customer_id")
    await rows.require_visible(tx, viewer, Staff, staff_id, "staff_id")
    begins = from_at or now
    _require_future(viewer, begins, now)
    values = {
        "customer_id": customer_id, "staff_id": staff_id, "role": role, "from_at": begins, "to_at": to_at,
        "origin": origin, "locked_until": locked_until, "reason": checked["reason"],
        "baseline": checked["baseline"] or await _baseline(tx, customer_id, now),
    }  # fmt: skip
    same = {"customer_id": customer_id, "role": role}
    if role is AssignmentRole.PRIMARY:
        await require_unlocked(tx, viewer, customer_id, staff_id, begins, reason)
    else:
        same["staff_id"] = staff_id
    await end_holding(tx, Assignment.table, same, begins, now)
    key = await rows.insert_row(tx, viewer, Assignment, values, now, fields=values)
    if role is AssignmentRole.PRIMARY:
        await _follow(tx, viewer, customer_id, now)
    if begins <= now and staff_id != viewer.staff_id:
        await _tell(tx, customer_id, staff_id, role, now)
    return AssignmentPayload(key)


@command("assignmentEnd")
async def end_assignment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Assignment, "The assignment."],
    to_at: Annotated[datetime | None, "When it ends; now when left out."] = None,
    reason: Annotated[str | None, "Reason, in one line; needed where the customer is locked to the person."] = None,
    now: datetime,
) -> AssignmentPayload:
    """Ends an assignment without a successor; a customer whose PRIMARY one ends has no owner then."""
    Assignment.require(viewer, "update")
    reason = check_values({"reason": reason}, {"reason": single_line})["reason"]
    row = await _locked(tx, viewer, id)
    ends = to_at or now
    if ends < now:
        raise BadInput("toAt: it would have ended before now; give a later time, or none.", argument="to_at")
    if row["to_at"] is not None and row["to_at"] <= now:
        raise BadInput("id: the assignment has ended already; name one that holds.", argument="id")
    _require_key_of_lock(viewer, row, ends, reason)
    changes = {"to_at": ends, "reason": reason or row["reason"]}
    await rows.update_row(tx, viewer, Assignment, id, changes, now, fields=("to_at", "reason"))
    if row["role"] == AssignmentRole.PRIMARY:
        await _follow(tx, viewer, row["customer_id"], now)
    return AssignmentPayload(id)


@command("assignmentLock")
async def lock_assignment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Assignment, "The assignment, which must be PRIMARY and hold."],
    locked_until: Annotated[datetime | None, "Until when the customer stays with the person; null unlocks it."],
    reason: Annotated[str | None, "Reason, in one line; needed to shorten or to lift a lock."] = None,
    now: datetime,
) -> AssignmentPayload:
    """Locks a customer to the person who looks after it. Only an administrator, with a reason, shortens or lifts a lock."""
    Assignment.require(viewer, "update")
    reason = check_values({"reason": reason}, {"reason": single_line})["reason"]
    row = await _locked(tx, viewer, id)
    ended = row["to_at"] is not None and row["to_at"] <= now
    if row["role"] != AssignmentRole.PRIMARY or ended:
        message = "id: only a PRIMARY assignment that has not ended is locked; name that of the customer."
        raise BadInput(message, argument="id")
    if row["locked_until"] is not None and (locked_until is None or locked_until < row["locked_until"]):
        _require_key_of_lock(viewer, row, now, reason)
    changes = {"locked_until": locked_until, "reason": reason or row["reason"]}
    await rows.update_row(tx, viewer, Assignment, id, changes, now, fields=("locked_until", "reason"))
    return AssignmentPayload(id)


async def require_unlocked(
    tx: Connection, viewer: Viewer, customer_id: UUID, staff_id: UUID, moment: datetime, reason: str | None
) -> None:
    """Raises LOCKED if the customer is locked to somebody else at the moment, unless an administrator gives a reason."""
    for row in await tx.fetch(_PRIMARY, customer_id, moment):
        if row["staff_id"] != staff_id and row["from_at"] <= moment:
            _require_key_of_lock(viewer, row, moment, reason)


@permits_update(Customer)
async def follow_new_owner(tx: Connection, key: UUID, write: Write) -> None:
    """Where a command gives a customer another owner, the assignment that holds is succeeded; LOCKED if it is locked."""
    staff_id = write.values.get("owner_id")
    if staff_id is None:
        return
    await rows.lock_row(tx, write.viewer, Customer, key, "id")
    running = [row for row in await tx.fetch(_PRIMARY, key, write.now) if row["from_at"] <= write.now]
    if not running or running[0]["staff_id"] == staff_id:
        return
    await require_unlocked(tx, write.viewer, key, staff_id, write.now, None)
    await succeed_assignment(
        tx, write.viewer, customer_id=key, staff_id=staff_id, origin=AssignmentOrigin(running[0]["origin"]),
        to_at=running[0]["to_at"], now=write.now,
    )  # fmt: skip


@timer("assignment.change", Assignment.c.owner_changes_at)
async def change_owner(tx: Connection, key: UUID, now: datetime) -> None:
    """The owner of the customer changes, because the assignment begins or ends now."""
    row = await rows.lock_row(tx, ADMIN, Assignment, key, "id")
    await rows.lock_row(tx, ADMIN, Customer, row["customer_id"], "id")
    await _follow(tx, ADMIN, row["customer_id"], now)
    if row["from_at"] == now:
        await _tell(tx, row["customer_id"], row["staff_id"], AssignmentRole(row["role"]), now)


async def _follow(tx: Connection, viewer: Viewer, customer_id: UUID, now: datetime) -> None:
    """Gives the customer the owner that its assignments say, and sets the moments at which that changes."""
    await tx.execute(_SCHEDULE, customer_id, now)
    holding = [row for row in await tx.fetch(_PRIMARY, customer_id, now) if row["from_at"] <= now]
    owner = holding[0]["staff_id"] if holding else None
    await rows.update_row(tx, viewer, Customer, customer_id, {"owner_id": owner}, now, fields=("owner_id",))


async def _locked(tx: Connection, viewer: Viewer, key: UUID) -> asyncpg.Record:
    """The assignment, with its customer locked before it: as in the other commands."""
    await rows.require_visible(tx, viewer, Assignment, key, "id")
    customer_id = await tx.fetchval("select customer_id from assignments where id = $1", key)
    if customer_id is not None and await rows.can_see(tx, viewer, Customer.table, customer_id):
        await rows.lock_row(tx, viewer, Customer, customer_id, "id")
    return await rows.lock_row(tx, viewer, Assignment, key, "id")


def _require_future(viewer: Viewer, begins: datetime, now: datetime) -> None:
    """Refuses what a key could not do at once: roles that show some customers alone say nothing of later."""
    if begins < now:
        raise BadInput("fromAt: it would have begun before now; give a later time, or none.", argument="from_at")
    if begins > now and viewer.rights.filters_rows(Customer.__name__):
        message = (
            "fromAt: this key's roles let it write some customers alone, which may change until then; give no time."
        )
        raise Forbidden(message, argument="from_at")


def _require_key_of_lock(viewer: Viewer, row: asyncpg.Record, moment: datetime, reason: str | None) -> None:
    if row["locked_until"] is None or row["locked_until"] <= moment:
        return
    if not viewer.may("people:admin"):
        remedy = "wait, or let an administrator do it"
    elif reason is None:
        remedy = "give a reason"
    else:
        return
    until = timestamp_text(row["locked_until"])
    message = f"id: the customer is locked to a member of staff until {until}; {remedy}."
    raise Forbidden(message, code="LOCKED", argument="id", extensions={"lockedUntil": until})


async def _baseline(tx: Connection, customer_id: UUID, now: datetime) -> Any:
    return orjson.loads(await tx.fetchval(_BASELINE, customer_id, now))


async def _tell(tx: Connection, customer_id: UUID, staff_id: UUID, role: AssignmentRole, now: datetime) -> None:
    values = await subject_values(tx, Customer, customer_id)
    text = f"You look after a customer now, as {role.value.lower()}."
    await notify(tx, values, staff_ids=[staff_id], type=NotificationType.ASSIGNED, text=text, now=now)
