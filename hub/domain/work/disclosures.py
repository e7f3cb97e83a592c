"""Disclosures: declaring, handing in, ordering to hand in, clearing; and the violation when the time for it has passed.

How long a person has is the goal of the clock HAND_IN in the policy that matches."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person, person_needed
from hub.domain.work.clock_starts import starts_clock
from hub.domain.work.clocks import start_clock, stop_clock, void_clock
from hub.domain.work.disclosure_limits import limit_on
from hub.domain.work.due_times import shows_due
from hub.domain.work.job_roles import head_of
from hub.domain.work.notifications import notify
from hub.errors import BadInput, Forbidden
from hub.model import rows
from hub.model.commands import command
from hub.model.moves import move_row
from hub.model.subjects import subject_values
from hub.model.timers import timer
from hub.model.validators import check_values, single_line
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.work.disclosures import Disclosure, DisclosureStatus, DisclosureType
from hub.schema.work.notifications import NotificationType
from hub.viewer import ADMIN, Viewer

CLOCK = "HAND_IN"
INSTANT = timedelta(microseconds=1)  # what is handed in at the due time itself is in time
FARTHEST_ZONE = timedelta(hours=14)  # ahead of UTC: the day may have begun there
LIMITED_TYPES = (DisclosureType.HOSPITALITY, DisclosureType.GIFT_OUTGOING)  # a value above the limit is refused
MAX_PERSONS = 10_000

# Nobody has closed it yet.
OPEN = Disclosure.c.status.in_([sa.literal_column("'DECLARED'"), sa.literal_column("'ORDERED'")])

_PERSON = "select name, unit_id from staff where id = $1"
_DUE = "select due_at from clocks where row_id = $1 and name = $2 and stopped_at is null"


class DisclosureDeclarePayload(NamedTuple):
    """The payload of disclosureDeclare."""

    disclosure: Annotated[UUID, Disclosure, "The disclosure, with the time until which a gift must be handed in."]


class DisclosureHandInPayload(NamedTuple):
    """The payload of disclosureHandIn."""

    disclosure: Annotated[UUID, Disclosure, "The disclosure as it is now."]


class DisclosureOrderPayload(NamedTuple):
    """The payload of disclosureOrder."""

    disclosure: Annotated[UUID, Disclosure, "The disclosure as it is now."]


class DisclosureClearPayload(NamedTuple):
    """The payload of disclosureClear."""

    disclosure: Annotated[UUID, Disclosure, "The disclosure as it is now."]


@command("disclosureDeclare")
async def declare_disclosure(
    tx: Connection,
    viewer: Viewer,
    *,
    type: Annotated[DisclosureType, "Type of the disclosure."],
    counterparty: Annotated[str, "Who gave it, received it or was entertained, in one line."],
    matter: Annotated[str, "The gift, the occasion or the interest, in one line."],
    value: Annotated[Decimal, "Its value, for all persons together."],
    currency: Annotated[str, "ISO 4217 code of the value's currency."],
    occurred_on: Annotated[date, "Day on which it happened; not a future one."],
    persons: Annotated[int | None, "How many persons shared it; hospitality needs it."] = None,
    customer_id: Annotated[UUID | None, Customer, "The customer whom it has to do with."] = None,
    now: datetime,
) -> DisclosureDeclarePayload:
    """Declares what the person who asks received, gave or has. The head of its unit is notified.

    A gift above the limit must be handed in: the clock HAND_IN runs. What is given above the limit is refused."""
    Disclosure.require(viewer, "create")
    person = acting_person(viewer)
    columns = {"counterparty": counterparty, "matter": matter, "value": value, "currency": currency, "persons": persons}
    row = writer_of(Disclosure).canonical(columns) | {"type": type, "occurred_on": occurred_on}
    _check_values(row, now)
    limit = await limit_on(tx, type, row["currency"], occurred_on)
    _require_within_limit(row, limit)
    stored = await tx.fetchrow(_PERSON, person)
    if stored is None:  # deleted since the key was looked up
        raise person_needed()
    row |= {"staff_id": person, "unit_id": stored["unit_id"], "customer_id": customer_id, "declared_at": now}
    row["status"] = DisclosureStatus.DECLARED
    key = await rows.insert_row(tx, viewer, Disclosure, row, now, fields=columns)
    if _must_be_handed_in(row, limit):
        await _await_hand_in(tx, key, now)
    text = f"{stored['name']} declared {type}: {row['value'].normalize():f} {row['currency']}, {row['counterparty']}."
    await _notify_head(tx, key, row, NotificationType.COPY, text, now)
    return DisclosureDeclarePayload(key)


@command("disclosureHandIn")
async def hand_in(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Disclosure, "A gift that the person who asks received and declared."],
    now: datetime,
) -> DisclosureHandInPayload:
    """Says that the person who asks has handed in the gift; its clock stops."""
    Disclosure.require(viewer, "update")
    person = acting_person(viewer)
    stored = await rows.lock_row(tx, viewer, Disclosure, id, "id")
    if stored["staff_id"] != person:
        raise Forbidden("id: another person declared it, and hands it in; name one of your own.", argument="id")
    _require_received(stored["type"])
    async with rows.updating(tx, viewer, Disclosure, id):
        await move_row(tx, viewer, Disclosure, id, "status", DisclosureStatus.HANDED_IN, now=now)
    await stop_clock(tx, Disclosure, id, CLOCK, now)
    return DisclosureHandInPayload(id)


@command("disclosureOrder")
async def order_hand_in(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Disclosure, "A gift that somebody else received and declared."],
    reason: Annotated[str, "Reason, in one line."],
    now: datetime,
) -> DisclosureOrderPayload:
    """Orders the person to hand a gift in; the clock HAND_IN runs from now on unless it does already."""
    stored = await _lock_of_other(tx, viewer, id)
    _require_received(stored["type"])
    checked = _reason(reason)
    async with rows.updating(tx, viewer, Disclosure, id):
        await move_row(tx, viewer, Disclosure, id, "status", DisclosureStatus.ORDERED, now=now, reason=checked)
        await _await_hand_in(tx, id, now)
    subject = await _subject(tx, id, stored)
    text = f"Hand in {stored['matter']} from {stored['counterparty']}: {checked}"
    await notify(tx, subject, staff_ids=[stored["staff_id"]], type=NotificationType.DUE, text=text, now=now)
    return DisclosureOrderPayload(id)


@command("disclosureClear")
async def clear_disclosure(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Disclosure, "A disclosure of somebody else."],
    reason: Annotated[str, "Reason, in one line."],
    now: datetime,
) -> DisclosureClearPayload:
    """Closes a disclosure that somebody else made: nothing is left to do."""
    await _lock_of_other(tx, viewer, id)
    async with rows.updating(tx, viewer, Disclosure, id):
        await move_row(tx, viewer, Disclosure, id, "status", DisclosureStatus.CLEARED, now=now, reason=_reason(reason))
    await void_clock(tx, Disclosure, id, CLOCK, now)
    return DisclosureClearPayload(id)


@timer("disclosure.lapse", Disclosure.c.lapses_at, condition=OPEN)
async def find_violation(tx: Connection, key: UUID, now: datetime) -> None:
    """A gift was not handed in by the time when it was due, unless its clock has more time by now."""
    stored = await rows.lock_row(tx, ADMIN, Disclosure, key, "id")
    due_at = await tx.fetchval(_DUE, key, CLOCK)
    if due_at is not None and due_at >= now:
        await rows.update_row(tx, ADMIN, Disclosure, key, _deadline(due_at), now)
        return
    reason = f"Not handed in by {stored['hand_in_due_at']:%Y-%m-%d %H:%M} UTC."
    await move_row(tx, ADMIN, Disclosure, key, "status", DisclosureStatus.VIOLATION, now=now, reason=reason)
    text = f"{stored['matter']} from {stored['counterparty']}: {reason}"
    subject = await _subject(tx, key, dict(stored))
    deviation = NotificationType.DEVIATION
    await notify(tx, subject, staff_ids=[stored["staff_id"]], type=deviation, text=text, now=now)
    await _notify_head(tx, key, dict(stored), deviation, text, now)


def _check_values(row: Mapping[str, Any], now: datetime) -> None:
    if row["occurred_on"] > (now + FARTHEST_ZONE).date():
        raise BadInput("occurred_on: the day is yet to come; give a past one.", argument="occurred_on")
    persons = row["persons"]
    if persons is None and row["type"] == DisclosureType.HOSPITALITY:
        message = "persons: hospitality is for so many persons; give the number."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="persons")
    if persons is not None and not 0 < persons <= MAX_PERSONS:
        raise BadInput(
            f"persons: {persons} lies outside 1 to {MAX_PERSONS:,}; give another number.", argument="persons"
        )


def _require_within_limit(row: Mapping[str, Any], limit: Decimal | None) -> None:
    """Raises BadInput HOSPITALITY_LIMIT for something given that is worth more for each person than the limit."""
    if limit is not None and row["type"] in LIMITED_TYPES and row["value"] > limit * (row["persons"] or 1):
        message = f"value: more than {limit.normalize():f} {row['currency']} for each person is not allowed."
        extensions = {"perPerson": str(limit), "currency": row["currency"]}
        raise BadInput(message, code="HOSPITALITY_LIMIT", argument="value", extensions=extensions)


def _require_received(type: str) -> None:
    if type != DisclosureType.GIFT_RECEIVED:
        message = "id: only a gift that somebody received is handed in; name one."
        raise BadInput(message, code="MOVE_INVALID", argument="id", extensions={"allowedMoves": []})


def _reason(reason: str) -> str:
    checked: str = check_values({"reason": reason}, {"reason": single_line})["reason"]
    return checked


async def _lock_of_other(tx: Connection, viewer: Viewer, key: UUID) -> Mapping[str, Any]:
    """Somebody else's disclosure, locked. Raises NotFound for one that the caller does not see, Forbidden for one's own."""
    Disclosure.require(viewer, "update")
    person = acting_person(viewer)
    stored = await rows.lock_row(tx, viewer, Disclosure, key, "id")
    if stored["staff_id"] == person:
        message = "id: nobody decides about their own disclosure; let somebody else do it."
        raise Forbidden(message, code="DUAL_CONTROL", argument="id")
    return dict(stored)


def _must_be_handed_in(row: Mapping[str, Any], limit: Decimal | None) -> bool:
    """Whether a disclosure is of a gift that is worth more than the limit; without one, every gift is."""
    is_gift: bool = row["type"] == DisclosureType.GIFT_RECEIVED
    return is_gift and (limit is None or row["value"] > limit * (row["persons"] or 1))


@starts_clock(Disclosure, CLOCK, OPEN & (Disclosure.c.type == sa.literal_column("'GIFT_RECEIVED'")))
async def _await_late_policy(tx: Connection, key: UUID, now: datetime) -> None:
    """Lets the clock of an open gift run that was declared before there was a policy."""
    stored = dict(await rows.lock_row(tx, ADMIN, Disclosure, key, "id"))
    if stored["status"] == DisclosureStatus.DECLARED:
        try:
            limit = await limit_on(tx, DisclosureType(stored["type"]), stored["currency"], stored["occurred_on"])
        except BadInput:  # limits in other currencies alone have come since: nothing tells whether it is above them
            return
        if not _must_be_handed_in(stored, limit):
            return
    await _await_hand_in(tx, key, now)


async def _await_hand_in(tx: Connection, key: UUID, now: datetime) -> None:
    """Starts the clock, unless it runs, and notes until when the gift must be handed in."""
    await start_clock(tx, await subject_values(tx, Disclosure, key), CLOCK, now=now)
    due_at = await tx.fetchval(_DUE, key, CLOCK)
    if due_at is not None:
        await rows.update_row(tx, ADMIN, Disclosure, key, _deadline(due_at), now)


@shows_due(Disclosure, "hand_in_due_at", CLOCK)
def _deadline(due_at: datetime | None) -> dict[str, datetime | None]:
    return {"hand_in_due_at": due_at, "lapses_at": None if due_at is None else due_at + INSTANT}


async def _notify_head(
    tx: Connection, key: UUID, row: Mapping[str, Any], type: NotificationType, text: str, now: datetime
) -> None:
    superior = await head_of(tx, row["unit_id"], now=now, besides=row["staff_id"])
    if superior is not None:
        subject = await _subject(tx, key, row)
        await notify(tx, subject, staff_ids=[superior], type=type, text=text, now=now)


async def _subject(tx: Connection, key: UUID, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a notification, which goes when the customer whom its text may name is erased."""
    return await subject_values(tx, Disclosure, key) | {"customer_id": row["customer_id"]}
