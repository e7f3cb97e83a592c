"""Claims of achievements: a person makes them for itself, and another one confirms them (verifications.py)."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.verifications import set_pending_evidence
from hub.errors import BadInput
from hub.model import rows
from hub.model.commands import command
from hub.model.writer import writer_of
from hub.schema.work.claims import Claim
from hub.viewer import Viewer

FARTHEST_ZONE = timedelta(hours=14)  # ahead of UTC: the day may have begun there
_UNIT = "select unit_id from staff where id = $1"


class ClaimMakePayload(NamedTuple):
    """The payload of claimMake."""

    claim: Annotated[UUID, Claim, "The claim; it counts once another person confirms it."]


@command("claimMake", bulk_name="claimsMake")
async def make_claim(
    tx: Connection,
    viewer: Viewer,
    *,
    metric: Annotated[str, "What is measured, in small words joined by dots: `deposits.new`."],
    amount: Annotated[Decimal, "How much of it; its unit is the metric's."],
    occurred_on: Annotated[date, "Day on which it was achieved; not a future one."],
    note: Annotated[str | None, "Remark, in one line."] = None,
    evidence: Annotated[dict[str, Any] | None, "Proof, as a JSON object, for the person who confirms it."] = None,
    now: datetime,
) -> ClaimMakePayload:
    """Claims an achievement of the person who asks. It counts once another person confirms its verification."""
    Claim.require(viewer, "create")
    person = acting_person(viewer)
    columns = {"metric": metric, "amount": amount, "note": note}
    values = writer_of(Claim).canonical(columns) | {"occurred_on": occurred_on}
    if values["amount"] == 0:
        raise BadInput("amount: nothing is achieved; give how much.", argument="amount")
    if occurred_on > (now + FARTHEST_ZONE).date():
        raise BadInput("occurred_on: the day is yet to come; give a past one.", argument="occurred_on")
    values |= {"staff_id": person, "unit_id": await tx.fetchval(_UNIT, person)}
    key = await rows.insert_row(tx, viewer, Claim, values, now, fields=columns)
    await set_pending_evidence(tx, key, evidence, now)
    return ClaimMakePayload(key)
