"""Setting consents: a new answer supersedes the one before it, in whatever order the two are reported."""

from datetime import datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.access.backdating import require_recent
from hub.errors import BadInput
from hub.model.clock_skew import past_moment
from hub.model.commands import Injected, command
from hub.model.history_rows import insert_current
from hub.model.rows import own_customer
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Channel
from hub.schema.privacy.consents import Consent, ConsentStatus
from hub.viewer import Viewer


class ConsentSetPayload(NamedTuple):
    """The payload of consentSet."""

    consent: Annotated[UUID, Consent, "The answer; it is current unless a later one is already stored."]


@command("consentSet", bulk_name="consentsSet")
async def consent_set(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID | None, Customer, "The customer who was asked; a key's own by default."] = None,
    purpose: Annotated[str, "Purpose, in small words joined by dots: `marketing.newsletter`."],
    status: Annotated[ConsentStatus, "The customer's answer."],
    source: Annotated[str, "The system that the customer answered in."],
    channel: Annotated[Channel | None, "Channel that the answer is for; all channels by default."] = None,
    evidence: Annotated[dict[str, object] | None, "Proof of the answer."] = None,
    given_at: Annotated[
        datetime | None, "Time when the customer answered; now by default, and where it is up to five minutes ahead."
    ] = None,
    expires_at: Annotated[datetime | None, "Time when the answer expires; never by default."] = None,
    now: datetime,
    backdating: Injected[timedelta],
) -> ConsentSetPayload:
    """Stores a customer's answer for a purpose and a channel; it supersedes the one before it."""
    Consent.require(viewer, "create")
    require_recent(viewer, "given_at", given_at, now, backdating)
    checked = writer_of(Consent).canonical({"purpose": purpose, "source": source, "evidence": evidence})
    answered_at = past_moment("given_at", given_at, now)
    if expires_at is not None and expires_at <= answered_at:
        raise BadInput("expires_at: it would have expired when it was given; give a later one.", argument="expires_at")
    row = checked | {
        "customer_id": own_customer(viewer, customer_id),
        "channel": channel,
        "status": status,
        "evidence": evidence or {},
        "given_at": answered_at,
        "expires_at": expires_at,
    }
    optional = {"channel": channel, "evidence": evidence, "given_at": given_at, "expires_at": expires_at}
    fields = ["purpose", "source", "status", *(name for name, value in optional.items() if value is not None)]
    return ConsentSetPayload(await insert_current(tx, viewer, Consent, row, now, fields=fields))
