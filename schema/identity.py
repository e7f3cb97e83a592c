"""Who a customer is, as clients ask it, and the doubts that people decide."""

from hub.domain import identity, scope
from hub.engine.links import one, row
from hub.engine.writes import verb


@row(
    identity.Review,
    scope=scope.customer,
    prefix="rvw",
    plural="identityReviews",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writes=identity.REVIEWS,
)
class IdentityReview:
    """A doubt whether two customers are one."""

    reason: str
    status: identity.ReviewStatus
    customer = one("customers.Customer", by="customer_id", description="The customer who may be another one.")
    other = one("customers.Customer", by="other_id", description="The customer who it may be.")


identify = verb("identify", identity.identify)
