"""Deletes what webhooks no longer need: old deliveries, and what a deleted webhook leaves behind.

Each call deletes one batch; hub/scheduler.py repeats it until nothing is left."""

from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection

_PURGE_DELIVERIES = """
delete from webhook_deliveries where id = any(array(
    select id from webhook_deliveries where created_at < $1 and status in ('DELIVERED', 'FOLDED', 'DEAD') limit $2
)) and status in ('DELIVERED', 'FOLDED', 'DEAD')
"""
# The progress row of a deleted webhook is deleted last. Its lock keeps out transactions that still enqueue for the webhook.
_FIND_DELETED_WEBHOOK = """
select p.webhook_id from webhook_progress as p where not exists (select from webhooks as w where w.id = p.webhook_id)
order by p.webhook_id limit 1 for update of p skip locked
"""
_FIND_DELIVERIES = "select array(select id from webhook_deliveries where webhook_id = $1 limit $2)"
_DELETE_ATTEMPTS = "delete from webhook_attempts where delivery_id = any($1)"
_DELETE_DELIVERIES = "delete from webhook_deliveries where id = any($1)"
_DELETE_PROGRESS = "delete from webhook_progress where webhook_id = $1"


async def purge_deliveries(tx: Connection, before: datetime, limit: int) -> bool:
    """Deletes up to `limit` finished deliveries created before a time, without change capture. Returns whether more may exist."""
    await tx.execute("set local hub.capture = off")
    status: str = await tx.execute(_PURGE_DELIVERIES, before, limit)
    return status == f"DELETE {limit}"


async def purge_deleted_webhooks(tx: Connection, limit: int) -> bool:
    """Deletes up to `limit` deliveries of one deleted webhook, with their attempts. Returns whether more work may exist."""
    webhook: UUID | None = await tx.fetchval(_FIND_DELETED_WEBHOOK)
    if webhook is None:
        return False
    deliveries: list[UUID] = await tx.fetchval(_FIND_DELIVERIES, webhook, limit)
    # ON DELETE CASCADE would look up the attempts of each delivery separately.
    await tx.execute(_DELETE_ATTEMPTS, deliveries)
    await tx.execute(_DELETE_DELIVERIES, deliveries)
    if len(deliveries) < limit:
        await tx.execute(_DELETE_PROGRESS, webhook)
    return True
