"""Possible duplicates among customers, awaiting a person's decision."""

from hub.model import WITHIN_CUSTOMER, Column, DescribedEnum, Entity, customer_owned, field, to_one, unique
from hub.schema.customers.customers import Customer


class ReviewStatus(DescribedEnum):
    OPEN = "OPEN", "Nobody has decided yet."
    SAME = "SAME", "They are one customer."
    NOT_SAME = "NOT_SAME", "They are two customers."


class IdentityReview(
    Entity,
    prefix="rvw",
    owned_by=customer_owned(
        "The customer who may be another one.",
        inverse=("reviews", "Possible duplicates awaiting review."),
    ),
    permission="customers",
    writable_by=("unit",),
    operations=("update",),
    order="created_at",
    sortable=("updated_at",),
    unique=(unique("customer_id", "other_id", among=WITHIN_CUSTOMER),),
    checks={"other_id_is_another": "customer_id <> other_id"},
):
    """Two customers who may be the same."""

    other = to_one(Customer, "The customer who may be the same.", on_delete="cascade", index=True, writable="command")
    reason: Column[str] = field("Evidence that they are the same.", writable="command")
    status: Column[ReviewStatus] = field("Whether a person has decided, and how.", server_default=ReviewStatus.OPEN)
