"""Bodies of deliveries that are rendered again: of those that are resent, and of webhooks whose rights changed.

Nothing is locked while they are rendered, so that results of other deliveries are recorded meanwhile."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.webhooks.queue import LOCK_ENQUEUING_SHARED, QueueRows

# A leased delivery is rendered once its attempt has ended, or its lease. Delivery ids are in the order of changes, so the
# previous delivery has the next lower id.
_ANY_WITHOUT = """
select exists (
    select from webhook_queue as q join webhooks as w on w.id = q.webhook_id
    where q.body is null and q.due_at is not null and (q.lease is null or q.due_at <= $1) and w.status = 'ACTIVE'
)
"""
_WITHOUT_BODY = """
select q.delivery_id, q.position, w.id, w.version, w.owner, w.query, w.variables, w.operation_name, (
    select recent.cursor from (
        select d.webhook_id, d.cursor from webhook_deliveries as d where d.id < q.delivery_id order by d.id desc limit 1000
    ) as recent where recent.webhook_id = q.webhook_id limit 1
) as previous
from webhook_queue as q join webhooks as w on w.id = q.webhook_id
where q.body is null and q.due_at is not null and (q.lease is null or q.due_at <= $1) and w.status = 'ACTIVE' limit $2
"""
# The lock makes a change of rights wait until the bodies are stored; it clears them then.
_UNCHANGED = """
select p.webhook_id from webhook_progress as p join unnest($1::uuid[], $2::bytea[]) as g (webhook_id, rights)
    on g.webhook_id = p.webhook_id
where p.rights is null or p.rights = g.rights for share of p skip locked
"""
_SET_BODIES = """
update webhook_queue as q set body = ($2::bytea[])[array_position($1::uuid[], q.delivery_id)]
where q.delivery_id = any($1) and q.body is null and q.due_at is not null
"""
_DROP = """
with dropped as (
    delete from webhook_queue where delivery_id = any($1) and body is null and due_at is not null returning delivery_id
)
update webhook_deliveries set status = 'DEAD', next_attempt_at = null, reason = $2, version = version + 1, updated_at = $3
where id = any(array(select delivery_id from dropped))
"""
NO_MATCH = "The subscription no longer matches this change."


async def any_without_body(tx: Connection, now: datetime) -> bool:
    """Whether the body of any delivery must be rendered again now."""
    is_any: bool = await tx.fetchval(_ANY_WITHOUT, now)
    return is_any


async def without_body(tx: Connection, now: datetime, limit: int) -> QueueRows:
    """Returns deliveries whose bodies must be rendered again; customers are not erased until the transaction ends."""
    await tx.execute(LOCK_ENQUEUING_SHARED)
    return await tx.fetch(_WITHOUT_BODY, now, limit)


async def webhooks_with_rights(tx: Connection, rights: Mapping[UUID, bytes]) -> frozenset[UUID]:
    """Returns the webhooks that still have these rights, and keep them until the transaction ends.

    Those that another process works on are left out."""
    rows = await tx.fetch(_UNCHANGED, list(rights), list(rights.values()))
    return frozenset(row["webhook_id"] for row in rows)


async def set_bodies(tx: Connection, bodies: Mapping[UUID, bytes]) -> None:
    """Sets the bodies of deliveries that have none."""
    await tx.execute(_SET_BODIES, list(bodies), list(bodies.values()))


async def drop(tx: Connection, deliveries: list[UUID], now: datetime) -> None:
    """Removes deliveries from the queue as DEAD, because nothing is left to send."""
    await tx.execute(_DROP, deliveries, NO_MATCH, now)
