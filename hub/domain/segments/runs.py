"""Looks at all customers after an activation, a change or an end of a segment, some thousand in a transaction."""

from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.segments.evaluation import DERIVATION
from hub.model.customer_derivations import derive
from hub.model.timers import timer
from hub.model.working_time import MICROSECOND
from hub.schema.segments.segments import Segment

BATCH = 2_000
FIRST_KEY = UUID(int=0)

_PROGRESS = "select computed_to from segments where id = $1"
_CUSTOMERS = "select id from customers where id > $1 order by id limit $2"
_GO_ON = "update segments set computes_at = $2, computed_to = $3 where id = $1 and computes_at is not null"
_DONE = """
update segments set computes_at = null, computed_to = null, computed_at = $2, updated_at = $2, version = version + 1
where id = $1 and computes_at is not null
"""


@timer("segment.run", Segment.c.computes_at)
async def continue_run(tx: Connection, key: UUID, now: datetime) -> None:
    """Looks at the next customers."""
    computed_to = await tx.fetchval(_PROGRESS, key)
    customers = [row["id"] for row in await tx.fetch(_CUSTOMERS, computed_to or FIRST_KEY, BATCH)]
    if customers:
        await derive(tx, DERIVATION, customers, now)
    if len(customers) == BATCH:
        await tx.execute(_GO_ON, key, now + MICROSECOND, customers[-1])
    else:
        await tx.execute(_DONE, key, now)
