"""Automatic merging, which is off by default: pairs above a threshold whose fields do not contradict it are merged one by one."""

from datetime import datetime, timedelta
from decimal import Decimal

from hub.db.pool import Connection
from hub.domain.identity.merge_commands import MergeLimits
from hub.domain.matching.decisions import MatchDecision, decide
from hub.errors import BadInput, Forbidden
from hub.viewer import ADMIN

RETRY = timedelta(days=1)  # after which a pair that cannot be merged is looked at again

# The one with the highest score. A field in which the two differ, and a merge that was undone, leave it to a person.
_NEXT = """
select id from match_candidates as c where status = 'OPEN' and score >= $1 and (decided_at is null or decided_at < $2)
    and not reasons @> '[{"field": "FIRST_NAME", "level": "DIFFERENT"}]'
    and not reasons @> '[{"field": "FAMILY_NAME", "level": "DIFFERENT"}]'
    and not reasons @> '[{"field": "ORGANISATION_NAME", "level": "DIFFERENT"}]'
    and not reasons @> '[{"field": "BORN_ON", "level": "DIFFERENT"}]'
    and not reasons @> '[{"field": "TAX_ID", "level": "DIFFERENT"}]'
    and not reasons @> '[{"field": "CUSTOMER_KIND", "level": "DIFFERENT"}]'
    and not exists (
        select from merges as m where m.status = 'UNDONE'
            and (m.survivor_key, m.merged_key) in ((c.customer_id, c.other_id), (c.other_id, c.customer_id))
    )
order by score desc, id limit 1 for update skip locked
"""


async def merge_next(tx: Connection, least_score: Decimal, merge_limits: MergeLimits, now: datetime) -> bool:
    """Merges the pair with the highest score of at least `least_score`; returns whether there may be more.

    A pair that something speaks against is put off: people see it meanwhile."""
    key = await tx.fetchval(_NEXT, least_score, now - RETRY)
    if key is None:
        return False
    await tx.execute("savepoint automatic_merge")
    try:
        await decide(tx, ADMIN, id=key, decision=MatchDecision.SAME, now=now, merge_limits=merge_limits)
    except (BadInput, Forbidden):
        await tx.execute("rollback to savepoint automatic_merge")
        later = now + RETRY
        await decide(
            tx, ADMIN, id=key, decision=MatchDecision.LATER, reminds_at=later, now=now, merge_limits=merge_limits
        )
    return True
