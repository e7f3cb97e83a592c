"""Decisions about possible duplicates: a confirmed one joins the two customers."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.identity.joining import join_customers
from hub.domain.identity.merge_commands import MergeLimits
from hub.model import rows
from hub.model.commands import Injected, command
from hub.model.versions import require_version
from hub.schema.customers.customers import Customer
from hub.schema.customers.identity_reviews import IdentityReview, ReviewStatus
from hub.schema.identity.merges import Merge
from hub.schema.jobs.jobs import Job
from hub.viewer import Viewer


class IdentityReviewUpdatePayload(NamedTuple):
    """The payload of identityReviewUpdate."""

    identity_review: Annotated[
        UUID | None, IdentityReview, "The review as it is now; empty once the two customers are one."
    ]
    customer: Annotated[UUID | None, Customer, "The customer who stays; empty for another decision than SAME."] = None
    merge: Annotated[UUID | None, Merge, "The merge of the two, which `mergeUndo` takes back."] = None
    job: Annotated[UUID | None, Job, "The job that merges customers with many rows."] = None


@command("identityReviewUpdate", bulk_name="identityReviewsUpdate")
async def update_review(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, IdentityReview, "The row."],
    status: Annotated[ReviewStatus, "Whether the two are one customer."],
    expected_version: Annotated[int | None, "Version of the row that the edit is based on."] = None,
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> IdentityReviewUpdatePayload:
    """Decides whether two customers are one. SAME merges them: the older customer stays, and the other's id leads there.

    What speaks against a merge refuses it with MERGE_BLOCKED; then `customersMerge` says more."""
    IdentityReview.require(viewer, "update")
    if expected_version is not None:
        await require_version(tx, viewer, IdentityReview, id, {"status": status}, expected_version)
    review = await rows.lock_row(tx, viewer, IdentityReview, id, "id")
    await rows.update_row(tx, viewer, IdentityReview, id, {"status": status}, now, fields=("status",))
    if status is not ReviewStatus.SAME:
        return IdentityReviewUpdatePayload(id)
    joined = await join_customers(tx, viewer, review["customer_id"], review["other_id"], merge_limits, now)
    return IdentityReviewUpdatePayload(id if joined.job else None, joined.customer, joined.merge, joined.job)
