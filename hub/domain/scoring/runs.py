"""Full runs: after its activation a model scores all customers, some thousand in a transaction."""

from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.model.customer_derivations import derive
from hub.model.timers import timer
from hub.model.working_time import MICROSECOND
from hub.schema.scoring.score_models import ScoreModel

BATCH = 5_000
FIRST_KEY = UUID(int=0)

_PROGRESS = "select status, computed_to from score_models where id = $1"
_CUSTOMERS = "select id from customers where id > $1 order by id limit $2"
_GO_ON = "update score_models set computes_at = $2, computed_to = $3 where id = $1"
_DONE = """
update score_models set computes_at = null, computed_to = null, computed_at = $2, updated_at = $2, version = version + 1
where id = $1
"""


@timer("score_model.run", ScoreModel.c.computes_at)
async def continue_run(tx: Connection, key: UUID, now: datetime) -> None:
    """Scores the next customers by a model that has been activated."""
    progress = await tx.fetchrow(_PROGRESS, key)
    assert progress is not None  # the timer has locked it
    customers = [row["id"] for row in await tx.fetch(_CUSTOMERS, progress["computed_to"] or FIRST_KEY, BATCH)]
    if customers:
        await derive(tx, "scores", customers, now, key)
    if len(customers) == BATCH:
        await tx.execute(_GO_ON, key, now + MICROSECOND, customers[-1])
    else:
        await tx.execute(_DONE, key, now)
