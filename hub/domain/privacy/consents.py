"""What customers allow, for which purpose and through which channel. Every answer is kept; the latest one counts."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.customers.customers import Customer
from hub.domain.engagement.interactions import Channel
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import DescribedEnum, customer_fk, entity_table, enum_column, timestamp
from hub.model.writer import EntityWriter
from hub.viewer import Viewer


class ConsentStatus(DescribedEnum):
    GRANTED = "GRANTED", "The customer allows it."
    DENIED = "DENIED", "The customer was asked, and said no."
    WITHDRAWN = "WITHDRAWN", "The customer allowed it once, and takes that back."


Consent = entity_table(
    "consents",
    customer_fk("The customer who was asked."),
    sa.Column("purpose", sa.Text, nullable=False, comment="What for, in words joined by dots: `marketing.newsletter`."),
    sa.Column("channel", enum_column(Channel), comment="Through which channel; empty for every one."),
    sa.Column("status", enum_column(ConsentStatus), nullable=False, comment="What the customer answered."),
    sa.Column(
        "evidence",
        JSONB,
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="What proves it: the wording shown, the form, the call.",
    ),
    sa.Column("source", sa.Text, nullable=False, comment="The system that the customer answered in."),
    sa.Column("given_at", timestamp(), nullable=False, comment="When the customer answered."),
    sa.Column("expires_at", timestamp(), comment="When the answer ceases to count; empty for never."),
    sa.Column("superseded_at", timestamp(), comment="When a newer answer took its place."),
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

CONSENT_WRITER = EntityWriter(Consent, subject="consents", scope=scopes.customer_owned, deletable=False)

_same_question = (
    Consent.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
    Consent.c.purpose == sa.bindparam("what_for", type_=sa.Text),
    Consent.c.channel.is_not_distinct_from(sa.bindparam("through", type_=sa.Text)),
)
_answered_at = sa.bindparam("answered_at", type_=timestamp())
# An answer counts from when it was given until the next one was, in whatever order the two are reported.
_SUPERSEDE = to_sql(
    sa.update(Consent)
    .where(
        *_same_question,
        Consent.c.given_at <= _answered_at,
        sa.or_(Consent.c.superseded_at.is_(None), Consent.c.superseded_at > _answered_at),
    )
    .values(
        superseded_at=_answered_at,
        version=Consent.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("now", type_=timestamp()),
    )
)
_NEXT_ANSWER_AT = to_sql(
    sa.select(sa.func.min(Consent.c.given_at)).where(*_same_question, Consent.c.given_at > _answered_at)
)


class ConsentSetPayload(NamedTuple):
    """What an answer gives."""

    consent: Annotated[UUID, Consent, "The answer; it counts unless a later one is known already."]


async def consent_set(
    tx: Connection,
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
    now: datetime,
) -> ConsentSetPayload:
    """Keeps what a customer answered for a purpose and a channel; the answer before it is superseded, not lost."""
    viewer.require("consents:write")
    checked = validators.check_values(
        {"purpose": purpose, "source": source, "evidence": evidence},
        {"purpose": validators.dotted_name, "source": validators.single_line, "evidence": validators.json_object_value},
    )
    answered_at = given_at or now
    if answered_at > now:
        raise BadInput("given_at: it has not been given yet; give a moment that is past.", argument="given_at")
    if expires_at is not None and expires_at <= answered_at:
        raise BadInput("expires_at: it would have expired when it was given; give a later one.", argument="expires_at")
    await writer.lock_row(tx, viewer, Customer, customer_id, "customer_id")
    await tx.execute(_SUPERSEDE, answered_at, now, customer_id, checked["purpose"], channel)
    row = checked | {
        "customer_id": customer_id,
        "channel": channel,
        "status": status,
        "evidence": evidence or {},
        "given_at": answered_at,
        "expires_at": expires_at,
        "superseded_at": await tx.fetchval(_NEXT_ANSWER_AT, customer_id, checked["purpose"], channel, answered_at),
    }
    key = await writer.insert_row(tx, viewer, Consent, row | {"created_at": now, "updated_at": now})
    return ConsentSetPayload(key)
