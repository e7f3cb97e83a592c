"""Who a customer is, as clients ask it, and the doubts that people decide."""

from hub.domain.customers import identify
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_one


@graphql_type(
    identify.Review,
    scope=scopes.customer_owned,
    prefix="rvw",
    plural="identityReviews",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writer=identify.IDENTITY_REVIEW_WRITER,
)
class IdentityReview:
    """A doubt whether two customers are one."""

    reason: str
    status: identify.ReviewStatus
    customer = to_one("customers.Customer", by="customer_id", description="The customer who may be another one.")
    other = to_one("customers.Customer", by="other_id", description="The customer who it may be.")


identify_command = command("identify", identify.identify)
