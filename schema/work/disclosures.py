"""Disclosures: gifts, hospitality and outside interests that members of staff declare, and the limits of what is given."""

from datetime import date, datetime

from hub.model import (
    GLOBAL,
    MOVE,
    Column,
    DescribedEnum,
    Entity,
    MoneyAmount,
    PersonalData,
    Workflow,
    every_unit,
    field,
    generated,
    index,
    move,
    person,
    state,
    to_one,
    unique,
    validators,
)
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit


class DisclosureType(DescribedEnum):
    GIFT_RECEIVED = "GIFT_RECEIVED", "Somebody gave the person something; above the limit, it must be handed in."
    GIFT_OUTGOING = "GIFT_GIVEN", "The person gave somebody something."
    HOSPITALITY = "HOSPITALITY", "The person entertained guests, so many, for so much."
    OUTSIDE_INTEREST = "OUTSIDE_INTEREST", "The person has an interest outside that touches the work."


class DisclosureStatus(Workflow, initial=("DECLARED",), history=True):
    DECLARED = (
        "DECLARED",
        state(
            "The person declared it.",
            to=(
                move("HANDED_IN", by_hub=True),
                move("ORDERED", by_hub=True, reason=True),
                move("VIOLATION", by_hub=True, reason=True),
                move("CLEARED", by_hub=True, reason=True),
            ),
        ),
    )
    ORDERED = (
        "ORDERED",
        state(
            "Somebody else ordered the person to hand it in.",
            to=(
                move("HANDED_IN", by_hub=True),
                move("VIOLATION", by_hub=True, reason=True),
                move("CLEARED", by_hub=True, reason=True),
            ),
        ),
    )
    HANDED_IN = (
        "HANDED_IN",
        state("The person handed it in.", to=(move("CLEARED", by_hub=True, reason=True),), stamps="handed_in_at"),
    )
    VIOLATION = (
        "VIOLATION",
        state(
            "It was not handed in by the time when it was due.",
            to=(move("HANDED_IN", by_hub=True), move("CLEARED", by_hub=True, reason=True)),
        ),
    )
    CLEARED = "CLEARED", state("Somebody else looked at it, and nothing is left to do.")


class Disclosure(
    Entity,
    prefix="dsc",
    owned_by=person,
    writable_by=("unit",),
    operations=(),
    order="-declared_at",
    sortable=("updated_at",),
    subject_of=("Clock", "Notification"),
    merge=MOVE,
    checks={
        "persons_are_counted": "persons > 0",
        "value_is_not_negative": "value >= 0",
        "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    },
    indexes=(
        index("lapses_at", where="status in ('DECLARED', 'ORDERED') and lapses_at is not null", name="lapses_at"),
    ),
):
    """Something that a member of staff received, gave or has, and must declare."""

    staff = to_one(
        Staff,
        "The person who declares it.",
        on_delete="cascade",
        writable="command",
        inverse=("disclosures", "What the person declared."),
    )
    unit = to_one(
        OrgUnit,
        "The person's unit at that time.",
        writable="command",
        inverse=("disclosures", "What the unit's people declared."),
    )
    customer = to_one(
        Customer, "The customer whom it has to do with.", optional=True, on_delete="set null", writable="command"
    )
    type: Column[DisclosureType] = field("Type of the disclosure.", writable="command", personal=PersonalData.BEHAVIOUR)
    status: Column[DisclosureStatus] = field(
        "What became of it.", default=DisclosureStatus.DECLARED, writable="command", personal=PersonalData.BEHAVIOUR
    )
    counterparty: Column[str] = field(
        "Who gave it, received it or was entertained, in one line.",
        check=validators.single_line,
        writable="command",
        personal=PersonalData.NAME,
    )
    matter: Column[str] = field(
        "The gift, the occasion or the interest, in one line.",
        check=validators.single_line,
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    value: Column[MoneyAmount] = field(
        "Its value, for all persons together.",
        check=validators.non_negative_amount,
        writable="command",
        personal=PersonalData.FINANCIAL,
    )
    currency: Column[str] = field(
        "ISO 4217 code of the value's currency.",
        check=validators.currency,
        writable="command",
        personal=PersonalData.FINANCIAL,
    )
    persons: Column[int | None] = field(
        "How many persons shared it; hospitality says so.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    per_person: Column[MoneyAmount | None] = generated(
        "The value for each person, rounded to four decimals.",
        "round(value / persons, 4)",
        personal=PersonalData.FINANCIAL,
    )
    occurred_on: Column[date] = field("Day on which it happened.", writable="command", personal=PersonalData.BEHAVIOUR)
    declared_at: Column[datetime] = field(
        "Time of the declaration.", sortable=True, writable="command", personal=PersonalData.BEHAVIOUR
    )
    hand_in_due_at: Column[datetime | None] = field(
        "Time until which it must be handed in; empty if it need not be, or no policy says by when.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    lapses_at: Column[datetime | None] = field(
        "First moment after that time.", hidden=True, personal=PersonalData.BEHAVIOUR
    )
    handed_in_at: Column[datetime | None] = field(
        "Time when the person handed it in.", writable="command", personal=PersonalData.BEHAVIOUR
    )


class DisclosureLimit(
    Entity,
    prefix="dsl",
    owned_by=every_unit,
    permission="disclosures",
    operations=("delete",),
    order="-valid_from",
    sortable=("updated_at",),
    unique=(unique("type", "currency", "valid_from", among=GLOBAL),),
    checks={"per_person_is_not_negative": "per_person >= 0", "currency_is_a_code": "currency ~ '^[A-Z]{3}$'"},
):
    """Greatest value for each person that may be given, or received without being handed in, from a day on."""

    type: Column[DisclosureType] = field(
        "The disclosures that it is about.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    per_person: Column[MoneyAmount] = field(
        "Greatest value for each person.",
        check=validators.non_negative_amount,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    currency: Column[str] = field(
        "ISO 4217 code of its currency.",
        check=validators.currency,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    valid_from: Column[date] = field(
        "First day on which it holds, until the next one does.",
        sortable=True,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
