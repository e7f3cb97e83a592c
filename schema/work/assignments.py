"""Assignments: who looks after a customer, as what, and from when until when. A lock ties a customer to a person."""

from datetime import datetime

from hub.model import (
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    field,
    index,
    inside,
    never_two,
    to_one,
    validators,
)
from hub.schema.organisation.staff import Staff


class AssignmentRole(DescribedEnum):
    PRIMARY = "PRIMARY", "Looks after the customer: its owner."
    DEPUTY = "DEPUTY", "Stands in."
    SPECIALIST = "SPECIALIST", "Helps with a field of work."


class AssignmentOrigin(DescribedEnum):
    LEGACY = "LEGACY", "The customer was there before."
    SELF_SOURCED = "SELF_SOURCED", "The person won the customer."
    REFERRED = "REFERRED", "Somebody recommended the person or handed the customer over."
    MARKETING = "MARKETING", "A campaign brought the customer."


class Assignment(
    Entity,
    prefix="asg",
    owned_by=inside(
        "The customer who is looked after.", inverse=("assignments", "Who looks after the customer, and did.")
    ),
    permission="customers",
    writable_by=("unit",),
    operations=(),
    order="-from_at",
    sortable=("updated_at",),
    lasting=(
        never_two("customer_id", where="role = 'PRIMARY'"),
        never_two("customer_id", "staff_id", "role"),
    ),
    indexes=(index("owner_changes_at", where="owner_changes_at is not null", name="owner_changes_at"),),
):
    """A member of staff who looks after a customer, for a time."""

    staff = to_one(
        Staff,
        "Who looks after the customer.",
        inverse=("assignments", "The customers whom the person looks after, and did."),
        writable="command",
    )
    role: Column[AssignmentRole] = field(
        "As what. A customer has one PRIMARY at a time, who is its owner.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    from_at: Column[datetime] = field(
        "When it begins.", sortable=True, writable="command", personal=PersonalData.BEHAVIOUR
    )
    to_at: Column[datetime | None] = field(
        "When it ends; empty for no end.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    origin: Column[AssignmentOrigin] = field(
        "How the person came to the customer.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    locked_until: Column[datetime | None] = field(
        "Until then, only an administrator with a reason gives the customer to somebody else.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    baseline: Column[Json] = field(
        "The customer when the assignment began, which later growth is measured against.",
        check=validators.json_object_value,
        server_default={},
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    reason: Column[str | None] = field(
        "Reason for the assignment, or for the last change of its lock.",
        check=validators.single_line,
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    owner_changes_at: Column[datetime | None] = field(
        "Next moment at which it begins or ends, and the customer's owner changes with it.",
        writable="command",
        hidden=True,
        personal=PersonalData.NOT_PERSONAL,
    )
