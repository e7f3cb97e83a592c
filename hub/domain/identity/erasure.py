"""Erasing a customer who was merged from others: the past of these goes with it, and the ledgers that name it."""

from datetime import datetime
from uuid import UUID

from hub.db import audit_log, change_log
from hub.db.pool import Connection
from hub.domain.identity.redirects import former_keys
from hub.domain.privacy.erasure import FinishErasure, erases_customer, id_prefixes
from hub.domain.webhooks import queue

# Ledgers of the customer's own merges go with it. Those of others may have dropped rows about both.
_FORGET = "delete from merge_rows where before ->> 'other_id' = $1::text or before ->> 'customer_id' = $1::text"


@erases_customer
async def erase_former_customers(tx: Connection, customer_id: UUID, now: datetime) -> FinishErasure:
    """Erases what names the customer by its former ids, and ledgers of other customers' merges that name it."""
    former = await former_keys(tx, customer_id)
    for key in (customer_id, *former):
        await tx.execute(_FORGET, str(key), timeout=change_log.LONG_STATEMENT_SECONDS)

    async def finish() -> None:
        for key in former:
            await audit_log.erase_customer(tx, key, id_prefixes())
            await change_log.redact_customer(tx, key)
            await queue.redact_answers(tx, key, seconds=change_log.LONG_STATEMENT_SECONDS)

    return finish
