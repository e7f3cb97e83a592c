"""Joins two customers whom somebody, or something, knows to be one: the older one stays."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.identity import merging
from hub.domain.identity.merge_commands import MergeLimits, require_unblocked, start_job
from hub.domain.identity.merge_plan import blocking_reasons, count_all, lock_pair
from hub.model import rows
from hub.schema.customers.customers import Customer
from hub.viewer import Viewer

_OLDER = "select id from customers where id in ($1, $2) order by created_at, id limit 1"


class JoinedCustomers(NamedTuple):
    """Two customers who are one, or will be once a job is done."""

    customer: UUID
    merge: UUID | None
    job: UUID | None


async def join_customers(
    tx: Connection, viewer: Viewer, one: UUID, other: UUID, limits: MergeLimits, now: datetime
) -> JoinedCustomers:
    """Merges two customers without a dry run; raises MERGE_BLOCKED, Forbidden, and NotFound for one that is gone."""
    Customer.require(viewer, "update")
    Customer.require(viewer, "delete")
    survivor: UUID | None = await tx.fetchval(_OLDER, one, other)
    if survivor is None:
        raise rows.not_visible("id")
    merged = other if survivor == one else one
    pair = await lock_pair(tx, viewer, survivor, merged, {})
    require_unblocked(await blocking_reasons(tx, viewer, pair, now))
    count = sum((await count_all(tx, merged)).values())
    if count > limits.rows_at_once:
        return JoinedCustomers(survivor, None, await start_job(tx, viewer, pair, count, now))
    merge = await merging.merge_customers(tx, viewer, pair, count, limits.undo_period, now)
    return JoinedCustomers(survivor, merge, None)
