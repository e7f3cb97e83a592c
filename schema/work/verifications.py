"""Verifications: what one person wrote into columns under dual control, until another confirms or refutes it."""

from datetime import datetime

from hub.model import (
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    any_of,
    field,
    moved_with,
    subject,
    to_one,
    validators,
)
from hub.schema.organisation.staff import Staff


class VerificationStatus(DescribedEnum):
    PENDING = "PENDING", "Another person must still confirm the values."
    CONFIRMED = "CONFIRMED", "Another person confirmed the values."
    REFUTED = "REFUTED", "Another person found them wrong; they stand as unverified until somebody writes them anew."
    STALE = "STALE", "A value was changed before anybody confirmed it; what stands now is claimed anew."


class Verification(
    Entity,
    prefix="ver",
    owned_by=subject,
    writable_by=("unit",),
    operations=(),
    order="-claimed_at",
    sortable=("updated_at",),
    subject_of=("Clock", "Notification"),
    # What was claimed of the merged customer is no claim about the survivor's values.
    merge=moved_with(status="case when t.row_id = {merged} and t.status = 'PENDING' then 'STALE' else t.status end"),
    checks={
        "verified_at_stands_beside_the_person": "(verified_at is null) = (verified_by_id is null)",
        "status_has_a_person": "(status in ('CONFIRMED', 'REFUTED')) = (verified_by_id is not null)",
        "claimed_by_another_person": "claimed_by_id <> verified_by_id",
    },
):
    """Values of a row that a person wrote and another person must confirm."""

    subject = any_of(
        "The row whose values they are.", inverse=("verifications", "Who claimed and who confirmed values of it.")
    )
    columns: Column[list[str]] = field(
        "Names of the fields.", writable="command", reveals="subject", personal=PersonalData.NOT_PERSONAL
    )
    row_version: Column[int] = field(
        "Version of the row in which the values stand.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    status: Column[VerificationStatus] = field(
        "What became of it.", default=VerificationStatus.PENDING, writable="command", personal=PersonalData.BEHAVIOUR
    )
    claimed_by = to_one(Staff, "The person who wrote the values.", writable="command")
    claimed_at: Column[datetime] = field(
        "Time when the values were written.", sortable=True, writable="command", personal=PersonalData.BEHAVIOUR
    )
    claimed_with: Column[str] = field(
        "The key with which they were written.", hidden=True, personal=PersonalData.TECHNICAL
    )
    digest: Column[str] = field(
        "Hash of the values, by which a change beside the hub is seen.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    evidence: Column[Json] = field(
        "The claimant's proof, as a JSON object.",
        check=validators.json_object_value,
        server_default={},
        writable="command",
        reveals="subject",
        personal=PersonalData.FREE_TEXT,
    )
    verified_by = to_one(Staff, "The person who confirmed or refuted them.", optional=True, writable="command")
    verified_at: Column[datetime | None] = field(
        "Time when the person did.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    note: Column[str | None] = field(
        "The person's reason, in one line; a refutation has one.",
        check=validators.single_line,
        writable="command",
        reveals="subject",
        personal=PersonalData.FREE_TEXT,
    )
