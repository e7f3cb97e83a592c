"""Claims: what members of staff say that they achieved. They count once another person confirms them."""

from datetime import date
from decimal import Decimal

from hub.model import Column, Entity, PersonalData, field, generated, person, to_one, validators
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit


class Claim(
    Entity,
    prefix="clm",
    owned_by=person,
    writable_by=("unit",),
    operations=(),
    order="-occurred_on",
    sortable=("created_at", "updated_at"),
    subject_of=("Verification",),
    checks={"amount_is_not_zero": "amount <> 0"},
):
    """An achievement that a member of staff claims: it counts once another person confirms it."""

    staff = to_one(
        Staff,
        "The person who claims it.",
        on_delete="cascade",
        writable="command",
        inverse=("claims", "What the person claims to have achieved."),
    )
    unit = to_one(
        OrgUnit,
        "The person's unit at that time.",
        writable="command",
        inverse=("claims", "What the unit's people claimed to have achieved."),
    )
    metric: Column[str] = field(
        "What is measured, in small words joined by dots: `deposits.new`.",
        check=validators.dotted_name,
        writable="command",
        verified_by="claims:verify",
        personal=PersonalData.BEHAVIOUR,
    )
    amount: Column[Decimal] = field(
        "How much of it; its unit is the metric's.",
        precision=(18, 4),
        check=validators.amount,
        writable="command",
        verified_by="claims:verify",
        personal=PersonalData.BEHAVIOUR,
    )
    occurred_on: Column[date] = field(
        "Day on which it was achieved.",
        sortable=True,
        writable="command",
        verified_by="claims:verify",
        personal=PersonalData.BEHAVIOUR,
    )
    note: Column[str | None] = field(
        "Remark, in one line.", check=validators.single_line, writable="command", personal=PersonalData.FREE_TEXT
    )
    counts: Column[bool] = generated(
        "Whether another person has confirmed it.", "unverified = '{}'", personal=PersonalData.BEHAVIOUR
    )
