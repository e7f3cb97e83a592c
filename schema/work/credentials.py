"""Credentials of members of staff: grades, certificates, and authority to decide up to an amount."""

from datetime import datetime

from hub.model import (
    Column,
    DescribedEnum,
    Entity,
    Json,
    MoneyAmount,
    PersonalData,
    field,
    index,
    person,
    to_one,
    validators,
)
from hub.schema.organisation.staff import Staff


class CredentialType(DescribedEnum):
    GRADE = "GRADE", "A grade, with its level and step. A person has one at a time."
    CERTIFICATE = "CERTIFICATE", "Proof that the person passed an examination or a training."
    AUTHORITY = "AUTHORITY", "Leave to decide what its code names, up to a limit."


class Credential(
    Entity,
    prefix="crd",
    owned_by=person,
    writable_by=("unit",),
    operations=(),
    order="-valid_from",
    sortable=("updated_at",),
    subject_of=("Notification",),
    checks={
        "valid_until_comes_later": "valid_until > valid_from",
        "ended_at_is_within_the_term": "ended_at >= valid_from and ended_at <= coalesce(valid_until, ended_at)",
        "limit_is_of_an_authority": "\"limit\" is null or type = 'AUTHORITY'",
        "limit_is_not_negative": '"limit" >= 0',
        "currency_stands_beside_a_limit": '(currency is null) = ("limit" is null)',
        "level_is_not_negative": "level >= 0",
        "step_is_not_negative": "step >= 0",
    },
    indexes=(
        index("valid_until", where="announced_at is null and ended_at is null", name="expiring"),
        index("staff_id", "code", where="type = 'AUTHORITY'", name="authority"),
    ),
):
    """What a member of staff is or may decide. It counts from `validFrom` to `validUntil`, or until it is ended."""

    staff = to_one(
        Staff,
        "The person who has it.",
        on_delete="cascade",
        writable="command",
        inverse=("credentials", "The person's grades, certificates and authority, past and present."),
    )
    type: Column[CredentialType] = field("Type of the credential.", writable="command", personal=PersonalData.PROFILE)
    code: Column[str] = field(
        "Code of the grade, the certificate, or of what may be decided: `LOAN`.",
        check=validators.slug,
        writable="command",
        personal=PersonalData.PROFILE,
    )
    level: Column[int | None] = field(
        "Level of the grade, 0 or more.", writable="command", personal=PersonalData.PROFILE
    )
    step: Column[int | None] = field(
        "Step within the level, 0 or more.", writable="command", personal=PersonalData.PROFILE
    )
    limit: Column[MoneyAmount | None] = field(
        "Greatest amount that may be decided; empty: only what has no amount.",
        check=validators.non_negative_amount,
        writable="command",
        personal=PersonalData.PROFILE,
    )
    currency: Column[str | None] = field(
        "ISO 4217 code of the limit's currency.",
        check=validators.currency,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    valid_from: Column[datetime] = field(
        "First moment at which it counts.", sortable=True, writable="command", personal=PersonalData.PROFILE
    )
    valid_until: Column[datetime | None] = field(
        "Moment from which it no longer counts; empty for no end.", writable="command", personal=PersonalData.PROFILE
    )
    ended_at: Column[datetime | None] = field(
        "Moment from which it no longer counts because it was ended.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    reason: Column[str | None] = field(
        "Reason of its end, in one line.",
        check=validators.single_line,
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    evidence: Column[Json] = field(
        "Proof as a JSON object: numbers of documents, results.",
        check=validators.json_object_value,
        server_default={},
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    announced_at: Column[datetime | None] = field(
        "Time when its end was announced to the person and the head of the unit, 30 days before.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    granted_by = to_one(
        Staff,
        "The person who granted it; empty for a system.",
        optional=True,
        on_delete="set null",
        writable="command",
    )
