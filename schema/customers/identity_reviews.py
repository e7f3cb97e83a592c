"""Possible duplicates among customers, awaiting a person's decision."""

from hub.model import (
    WITHIN_CUSTOMER,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    field,
    inside,
    pairs,
    resolver,
    to_one,
    unique,
)
from hub.schema.customers.customers import Customer


class ReviewStatus(DescribedEnum):
    OPEN = "OPEN", "Nobody has decided yet."
    SAME = "SAME", "They are one customer, and are merged."
    NOT_SAME = "NOT_SAME", "They are two customers."


EFFECTS = {
    ReviewStatus.OPEN: "None: the two customers await a decision.",
    ReviewStatus.SAME: "The two customers are merged by a job, or were decided to be one before customers could be merged.",
    ReviewStatus.NOT_SAME: "The decision is stored. The two customers stay two.",
}


class IdentityReview(
    Entity,
    prefix="rvw",
    owned_by=inside(
        "The customer who may be another one.",
        inverse=("reviews", "Possible duplicates awaiting review."),
    ),
    second_customer="other",
    merge=pairs(decided="t.status = 'NOT_SAME'"),
    permission="customers",
    writable_by=("unit",),
    operations=(),
    order="created_at",
    sortable=("updated_at",),
    unique=(unique("customer_id", "other_id", among=WITHIN_CUSTOMER),),
    checks={"other_id_is_another": "customer_id <> other_id"},
):
    """Two customers who may be the same."""

    other = to_one(Customer, "The customer who may be the same.", on_delete="cascade", index=True, writable="command")
    reason: Column[str] = field("Evidence that they are the same.", writable="command", personal=PersonalData.FREE_TEXT)
    status: Column[ReviewStatus] = field(
        "Whether a person has decided, and how.", server_default=ReviewStatus.OPEN, personal=PersonalData.BEHAVIOUR
    )

    @resolver(status)
    def effect(self, status: str) -> str:
        """Effect of the status on the two customers, as text."""
        return EFFECTS[ReviewStatus(status)]
