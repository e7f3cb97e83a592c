"""Which policy applies to a row: the first by position that is valid, has the clock, and whose filter matches."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.model import exact_json, stored_filters

_CANDIDATES = """
select p.id, p.match, p.revision, t.goal_seconds, t.calendar_id from sla_policies as p
left join sla_terms as t on t.policy_id = p.id and t.clock = $2
where p.entity = $1 and (p.valid_from is null or p.valid_from <= $3) and (p.valid_until is null or p.valid_until > $3)
    and (t.id is not null or exists (select from escalation_rules as r where r.policy_id = p.id and r.clock = $2))
order by p.position, p.code
"""


class MatchingPolicy(NamedTuple):
    """A policy that applies to a row, with its goal for a clock; without a goal it only escalates."""

    key: UUID
    revision: int
    goal: timedelta | None
    calendar: UUID | None


async def find_policy(tx: Connection, entity: str, row_id: UUID, clock: str, now: datetime) -> MatchingPolicy | None:
    """The policy that applies to a clock of a row that starts now; None if none matches."""
    for row in await tx.fetch(_CANDIDATES, entity, clock, now):
        match = None if row["match"] is None else exact_json.loads(row["match"])
        if match is None or await stored_filters.matches(tx, entity, match, row_id):
            return _policy(row)
    return None


async def find_policies(
    tx: Connection, entity: str, row_ids: Sequence[UUID], clock: str, now: datetime
) -> dict[UUID, MatchingPolicy]:
    """The same for many rows, by key; those that no policy matches are left out."""
    policies: dict[UUID, MatchingPolicy] = {}
    waiting = row_ids
    for row in await tx.fetch(_CANDIDATES, entity, clock, now):
        match = None if row["match"] is None else exact_json.loads(row["match"])
        matching = waiting if match is None else await stored_filters.matching(tx, entity, match, waiting)
        policies |= dict.fromkeys(matching, _policy(row))
        waiting = [key for key in waiting if key not in policies]
    return policies


def _policy(row: asyncpg.Record) -> MatchingPolicy:
    goal = None if row["goal_seconds"] is None else timedelta(seconds=row["goal_seconds"])
    return MatchingPolicy(row["id"], row["revision"], goal, row["calendar_id"])
