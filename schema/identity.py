"""Who a customer is, as clients ask it, and the doubts that people decide."""

from hub.domain.customers import identify
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import one, row


@row(
    identify.Review,
    scope=scopes.customer,
    prefix="rvw",
    plural="identityReviews",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writes=identify.REVIEWS,
)
class IdentityReview:
    """A doubt whether two customers are one."""

    reason: str
    status: identify.ReviewStatus
    customer = one("customers.Customer", by="customer_id", description="The customer who may be another one.")
    other = one("customers.Customer", by="other_id", description="The customer who it may be.")


identify_command = verb("identify", identify.identify)
