"""What customers allow, for which purpose and through which channel. Every answer is kept; the latest one counts."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.sql_text import text
from hub.domain.customers.customers import Customer
from hub.domain.engagement.interactions import Channel
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import Choice, choice, entity, moment, owner
from hub.model.writer import Kind, Tx
from hub.viewer import Viewer


class ConsentStatus(Choice):
    GRANTED = "GRANTED", "The customer allows it."
    DENIED = "DENIED", "The customer was asked, and said no."
    WITHDRAWN = "WITHDRAWN", "The customer allowed it once, and takes that back."


Consent = entity(
    "consents",
    owner("The customer who was asked."),
    sa.Column("purpose", sa.Text, nullable=False, comment="What for, in words joined by dots: `marketing.newsletter`."),
    sa.Column("channel", choice(Channel), comment="Through which channel; empty for every one."),
    sa.Column("status", choice(ConsentStatus), nullable=False, comment="What the customer answered."),
    sa.Column(
        "evidence",
        JSONB,
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="What proves it: the wording shown, the form, the call.",
    ),
    sa.Column("source", sa.Text, nullable=False, comment="The system that the customer answered in."),
    sa.Column("given_at", moment(), nullable=False, comment="When the customer answered."),
    sa.Column("expires_at", moment(), comment="When the answer ceases to count; empty for never."),
    sa.Column("superseded_at", moment(), comment="When a newer answer took its place."),
    sa.Column(
        "current",
        sa.Boolean,
        sa.Computed("superseded_at is null", persisted=True),
        nullable=False,
        comment="Whether it is the latest answer for its purpose and channel.",
    ),
    sa.CheckConstraint("jsonb_typeof(evidence) = 'object'", name="evidence_is_an_object"),
    sa.CheckConstraint("expires_at > given_at", name="expires_at_comes_later"),
    comment="What a customer answered when asked whether data may be used.",
)
sa.Index(
    "uq_consents_customer_id_purpose_channel_current",
    Consent.c.customer_id,
    Consent.c.purpose,
    sa.func.coalesce(Consent.c.channel, ""),
    unique=True,
    postgresql_where=Consent.c.superseded_at.is_(None),
)
sa.Index("ix_consents_customer_id_given_at_id", Consent.c.customer_id, Consent.c.given_at, Consent.c.id)
sa.Index("ix_consents_given_at_id", Consent.c.given_at, Consent.c.id)

CONSENTS = Kind(Consent, subject="consents", scope=scopes.customer, deletes=False)

_same = (
    Consent.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
    Consent.c.purpose == sa.bindparam("what_for", type_=sa.Text),
    Consent.c.channel.is_not_distinct_from(sa.bindparam("through", type_=sa.Text)),
)
_given = sa.bindparam("given", type_=moment())
# An answer counts from when it was given until the next one was, in whatever order the two are reported.
_SUPERSEDE = text(
    sa.update(Consent)
    .where(
        *_same,
        Consent.c.given_at <= _given,
        sa.or_(Consent.c.superseded_at.is_(None), Consent.c.superseded_at > _given),
    )
    .values(
        superseded_at=_given,
        version=Consent.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("at", type_=moment()),
    )
)
_NEXT = text(sa.select(sa.func.min(Consent.c.given_at)).where(*_same, Consent.c.given_at > _given))


class ConsentGiven(NamedTuple):
    """What an answer gives."""

    consent: Annotated[UUID, Consent, "The answer; it counts unless a later one is known already."]


async def consent_set(
    tx: Tx,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer who was asked."],
    purpose: Annotated[str, "What for, in small words joined by dots: `marketing.newsletter`."],
    status: Annotated[ConsentStatus, "What the customer answered."],
    source: Annotated[str, "The system that the customer answered in."],
    channel: Annotated[Channel | None, "Through which channel; every one when left out."] = None,
    evidence: Annotated[dict[str, object] | None, "What proves it."] = None,
    given_at: Annotated[datetime | None, "When the customer answered; now when left out."] = None,
    expires_at: Annotated[datetime | None, "When the answer ceases to count; never when left out."] = None,
    at: datetime,
) -> ConsentGiven:
    """Keeps what a customer answered for a purpose and a channel; the answer before it is superseded, not lost."""
    viewer.require("consents:write")
    found = validators.checked(
        {"purpose": purpose, "source": source, "evidence": evidence},
        {"purpose": validators.words, "source": validators.line, "evidence": validators.facts},
    )
    moment_given = given_at or at
    if moment_given > at:
        raise BadInput("given_at: it has not been given yet; give a moment that is past.", argument="given_at")
    if expires_at is not None and expires_at <= moment_given:
        raise BadInput("expires_at: it would have expired when it was given; give a later one.", argument="expires_at")
    await writer.lock(tx, viewer, Customer, customer_id, "customer_id")
    await tx.execute(_SUPERSEDE, moment_given, at, customer_id, found["purpose"], channel)
    row = found | {
        "customer_id": customer_id,
        "channel": channel,
        "status": status,
        "evidence": evidence or {},
        "given_at": moment_given,
        "expires_at": expires_at,
        "superseded_at": await tx.fetchval(_NEXT, customer_id, found["purpose"], channel, moment_given),
    }
    key = await writer.insert(tx, viewer, Consent, row | {"created_at": at, "updated_at": at})
    return ConsentGiven(key)
