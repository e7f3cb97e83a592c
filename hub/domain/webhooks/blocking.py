"""Webhooks whose address the egress policy forbids: their deliveries wait, and are retried soon after it is permitted.

The reason of such a delivery begins with BLOCKED_PREFIX, so that a process with other settings recognises it."""

from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection

BLOCKED_PREFIX = "Blocked: "

_BLOCKED = """
select w.id, w.url from webhooks as w where w.status = 'ACTIVE' and exists (
    select from webhook_queue as q join webhook_deliveries as d on d.id = q.delivery_id
    where q.webhook_id = w.id and q.due_at > $1 and q.attempts > 0 and q.lease is null and starts_with(d.reason, $2)
)
"""
_RETRY_NOW = """
update webhook_queue set due_at = $2, attempts = 0 where webhook_id = $1 and due_at > $2 and lease is null
"""


async def blocked_webhooks(tx: Connection, now: datetime) -> dict[UUID, str]:
    """Returns the URLs of active webhooks with deliveries that wait because the policy forbade the address."""
    return {row["id"]: row["url"] for row in await tx.fetch(_BLOCKED, now, BLOCKED_PREFIX)}


async def retry_now(tx: Connection, webhook: UUID, now: datetime) -> None:
    """Makes all waiting deliveries of a webhook due, and begins their schedule anew."""
    await tx.execute(_RETRY_NOW, webhook, now)
