"""Pairs of customers that the hub takes for one, with the weights that say why, and what a person decided."""

from datetime import datetime
from decimal import Decimal

from hub.model import (
    WITHIN_CUSTOMER,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    field,
    index,
    inside,
    pairs,
    to_one,
    unique,
)
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff


class MatchStatus(DescribedEnum):
    OPEN = "OPEN", "Nobody has decided yet."
    LATER = "LATER", "Somebody put the decision off; it is OPEN again at `remindsAt`."
    SAME = "SAME", "They are one customer, and a job merges the two."
    NOT_SAME = "NOT_SAME", "They are two customers. The hub never asks about the two again."


# What the weights tell of: hidden from those who do not read all of it.
COMPARED_COLUMNS = (
    "Customer.name",
    "Customer.bornOn",
    "Identifier.value",
    "ContactPoint.value",
    "Address.street",
    "Address.city",
    "Address.postalCode",
)


class MatchCandidate(
    Entity,
    prefix="mtc",
    owned_by=inside(
        "One of the two customers, as a rule the one that was created first.",
        inverse=("match_candidates", "Customers who may be this one, as a rule created later."),
    ),
    second_customer="other",
    derived=True,
    merge=pairs(decided="t.status = 'NOT_SAME'"),
    permission="customers",
    writable_by=("unit",),
    operations=(),
    order="-created_at",
    sortable=("updated_at",),
    unique=(unique("customer_id", "other_id", among=WITHIN_CUSTOMER),),
    checks={
        "other_id_is_another": "customer_id <> other_id",
        "reasons_are_a_list": "jsonb_typeof(reasons) = 'array'",
        "later_has_a_time": "(status = 'LATER') = (reminds_at is not null)",
    },
    indexes=(
        index("status", "score", "id"),
        index("reminds_at", where="reminds_at is not null", name="reminds_at"),
    ),
):
    """Two customers who may be one. A candidate whose score falls goes away, unless it is decided."""

    other = to_one(
        Customer,
        "The other customer, as a rule created later.",
        inverse=("earlier_match_candidates", "Customers who may be this one, as a rule created earlier."),
        on_delete="cascade",
        writable="command",
    )
    score: Column[Decimal] = field(
        "Logarithm to base 2 of the odds that they are one, the sum of the weights: 0 is even, 10 a thousand to one.",
        precision=(8, 2),
        sortable=True,
        writable="command",
        reveals=COMPARED_COLUMNS,
        personal=PersonalData.PROFILE,
    )
    reasons: Column[Json] = field(
        "Why: fields, each with the level of agreement and its weight in bits. The weights add up to the score.",
        server_default=[],
        writable="command",
        reveals=COMPARED_COLUMNS,
        personal=PersonalData.PROFILE,
    )
    model_version: Column[int] = field(
        "Version of the parameters that the weights come from; 0 stands for the defaults.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    status: Column[MatchStatus] = field(
        "Whether a person has decided, and how.",
        server_default=MatchStatus.OPEN,
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    reminds_at: Column[datetime | None] = field(
        "Time at which a decision that was put off is open again.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    decided_at: Column[datetime | None] = field(
        "Time of the last decision.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    decided_by = to_one(Staff, "The person who decided, if the key is a person's.", optional=True, writable="command")
