"""Consents: a customer's answers for a purpose and a channel. Every answer is stored; the latest one counts."""

from datetime import datetime

from hub.model import (
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    current_by,
    customer_owned,
    field,
    generated,
    validators,
)
from hub.schema.engagement.interactions import Channel


class ConsentStatus(DescribedEnum):
    GRANTED = "GRANTED", "The customer allows it."
    DENIED = "DENIED", "The customer was asked, and said no."
    WITHDRAWN = "WITHDRAWN", "The customer allowed it once, and takes that back."


class Consent(
    Entity,
    prefix="cns",
    owned_by=customer_owned("The customer who was asked.", inverse=("consents", "The customer's consents.")),
    writable_by=("unit", "customer"),
    operations=(),
    order="-given_at",
    timeline="given_at",
    superseding=current_by("purpose", "channel", moment="given_at"),
    checks={
        "evidence_is_an_object": "jsonb_typeof(evidence) = 'object'",
        "expires_at_comes_later": "expires_at > given_at",
    },
):
    """A customer's answer to the question whether data may be used."""

    purpose: Column[str] = field(
        "Purpose, in small words joined by dots: `marketing.newsletter`.",
        check=validators.dotted_name,
        personal=PersonalData.BEHAVIOUR,
    )
    channel: Column[Channel | None] = field(
        "Channel that the answer is for; empty for every one.", personal=PersonalData.BEHAVIOUR
    )
    status: Column[ConsentStatus] = field("The customer's answer.", personal=PersonalData.BEHAVIOUR)
    evidence: Column[Json] = field(
        "Proof of the answer: the wording shown, the form, the call.",
        check=validators.json_object_value,
        server_default={},
        personal=PersonalData.FREE_TEXT,
    )
    source: Column[str] = field(
        "The system that the customer answered in.", check=validators.single_line, personal=PersonalData.TECHNICAL
    )
    given_at: Column[datetime] = field(
        "Time when the customer answered.", sortable=True, personal=PersonalData.BEHAVIOUR
    )
    expires_at: Column[datetime | None] = field(
        "Time when the answer expires; empty for never.", personal=PersonalData.BEHAVIOUR
    )
    superseded_at: Column[datetime | None] = field(
        "Time when a newer answer replaced it.", personal=PersonalData.BEHAVIOUR
    )
    current: Column[bool] = generated(
        "Whether it is the latest answer for its purpose and channel.",
        "superseded_at is null",
        personal=PersonalData.BEHAVIOUR,
    )
