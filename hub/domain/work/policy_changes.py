"""A new or changed policy reaches open rows: clocks that follow it change, others follow it, and rows get their clocks.

A timer does it some at a time, right after the change. A clock that a row gets so begins then: nothing is overdue from before
the promise was made."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.work.clock_changes import CHANGED, follow_policies
from hub.domain.work.clock_rows import load_clocks
from hub.domain.work.clock_rules import apply_clock_rules
from hub.domain.work.clock_starts import ClockStart, clock_starts
from hub.domain.work.policy_matching import MatchingPolicy, find_policies
from hub.model import exact_json, stored_filters
from hub.model.clock_rules import ClockRule
from hub.model.entity import Entity
from hub.model.registry import entity_named
from hub.model.timers import timer
from hub.model.working_time import MICROSECOND
from hub.schema.work.sla_policies import SlaPolicy

FIRST_KEY = UUID(int=0)

_OUTDATED = """
select c.id from clocks as c join sla_policies as p on p.id = c.policy_id
where c.policy_id = $1 and c.policy_revision < p.revision and c.stopped_at is null limit $2
"""
_POLICY = """
select entity, match, rows_after, clocks_after, valid_from, valid_until from sla_policies where id = $1 for update
"""
_GO_ON = "update sla_policies set clocks_change_at = $2, clocks_after = $3, rows_after = $4 where id = $1"
_TERMS = """
select p.revision, t.clock, t.goal_seconds, t.calendar_id from sla_policies as p
left join sla_terms as t on t.policy_id = p.id where p.id = $1
"""
_CLOCKS_OF_POLICY = """
select clock from sla_terms where policy_id = $1 union select clock from escalation_rules where policy_id = $1
"""
_OTHERS = """
select id, row_id, name from clocks where entity = $1 and name = any($2) and stopped_at is null
    and policy_id is distinct from $3 and id > $4 order by id limit $5
"""
_REACH = "update sla_policies set clocks_change_at = $2, clocks_after = $3, rows_after = $3 where id = $1"


async def reach_open_rows(tx: Connection, policy: UUID, now: datetime) -> None:
    """Lets a policy that has just been written reach the clocks that follow it, and the open rows that it matches."""
    await tx.execute(_REACH, policy, now, FIRST_KEY)


@timer("policy.clocks", SlaPolicy.c.clocks_change_at)
async def follow_new_revision(tx: Connection, key: UUID, now: datetime) -> None:
    """Gives the open clocks of a changed policy its new goals, calendars and levels, lets others follow it, and starts clocks.

    A clock whose goal the policy no longer has keeps it."""
    policy = await tx.fetchrow(_POLICY, key)
    assert policy is not None  # the timer has locked it
    soon, clocks_after, rows_after = now + MICROSECOND, policy["clocks_after"], policy["rows_after"]
    valid_from, valid_until = policy["valid_from"], policy["valid_until"]
    if await _change_clocks(tx, key, now):
        await tx.execute(_GO_ON, key, soon, clocks_after, rows_after)
    elif rows_after is None or (valid_until is not None and valid_until <= now):
        await tx.execute(_GO_ON, key, None, None, None)
    elif valid_from is not None and valid_from > now:
        await tx.execute(_GO_ON, key, valid_from, clocks_after, rows_after)
    elif clocks_after is not None:
        after = await _take_over_clocks(tx, key, policy["entity"], clocks_after, now)
        await tx.execute(_GO_ON, key, soon, after, rows_after)
    else:
        after = await _start_clocks(tx, key, policy, now)
        await tx.execute(_GO_ON, key, None if after is None else soon, None, after)


async def _change_clocks(tx: Connection, key: UUID, now: datetime) -> bool:
    """Changes some open clocks of an earlier revision; returns whether there may be more."""
    outdated = [row["id"] for row in await tx.fetch(_OUTDATED, key, CHANGED)]
    terms = await tx.fetch(_TERMS, key)
    by_clock = {
        row["clock"]: MatchingPolicy(key, row["revision"], timedelta(seconds=row["goal_seconds"]), row["calendar_id"])
        for row in terms
        if row["clock"] is not None
    }
    bare = MatchingPolicy(key, terms[0]["revision"], None, None)
    clocks = await load_clocks(tx, outdated)
    await follow_policies(tx, [(clock, by_clock.get(clock.name, bare)) for clock in clocks], now)
    return len(outdated) == CHANGED


async def _take_over_clocks(tx: Connection, key: UUID, entity: str, after: UUID, now: datetime) -> UUID | None:
    """Lets some open clocks follow the policy that is now the first to match their row; those without one get its levels.

    Returns the last key looked at, None at the end. Goals that were set by hand stay."""
    names = [row["clock"] for row in await tx.fetch(_CLOCKS_OF_POLICY, key)]
    others = await tx.fetch(_OTHERS, entity, names, key, after, CHANGED)
    policies: dict[UUID, MatchingPolicy] = {}
    for name in names:
        clock_by_row = {row["row_id"]: row["id"] for row in others if row["name"] == name}
        first = await find_policies(tx, entity, list(clock_by_row), name, now) if clock_by_row else {}
        policies |= {clock_by_row[row]: policy for row, policy in first.items() if policy.key == key}
    clocks = await load_clocks(tx, list(policies))
    await follow_policies(tx, [(clock, policies[clock.key]) for clock in clocks], now)
    return others[-1]["id"] if len(others) == CHANGED else None


async def _start_clocks(tx: Connection, key: UUID, policy: asyncpg.Record, now: datetime) -> UUID | None:
    """Starts clocks of some open rows that the policy matches; returns the last key looked at, None at the end."""
    entity = entity_named(policy["entity"])
    promised = {row["clock"] for row in await tx.fetch(_TERMS, key)}
    rules = [rule for rule in entity.definition.options.get("clocks", ()) if rule.name in promised]
    starts = [start for start in clock_starts(entity) if start.clock in promised]
    if not rules and not starts:
        return None
    statement = _open_rows(entity, rules, starts)
    keys = [row["id"] for row in await tx.fetch(statement, policy["rows_after"], CHANGED)]
    for row in await _matching(tx, entity, policy["match"], keys):
        if rules:
            await apply_clock_rules(tx, entity, row, now)
        for start in starts:
            await start.start(tx, row, now)
    return keys[-1] if len(keys) == CHANGED else None


def _open_rows(entity: type[Entity], rules: Sequence[ClockRule], starts: Sequence[ClockStart]) -> str:
    """Reads the keys of rows that may have one of the clocks, after $1, at most $2, and locks the rows."""
    table = entity.table
    runs = [table.c[rule.column].in_([sa.literal_column(f"'{state}'") for state in rule.runs]) for rule in rules]
    after = sa.bindparam("after", type_=sa.Uuid)
    conditions = sa.or_(*runs, *(start.waits for start in starts))
    select = sa.select(table.c.id).where(table.c.id > after, conditions).order_by(table.c.id)
    return to_sql(select.limit(sa.bindparam("rows", type_=sa.BigInteger)).with_for_update(key_share=True))


async def _matching(tx: Connection, entity: type[Entity], match: Any, keys: Sequence[UUID]) -> Sequence[UUID]:
    if match is None:
        return keys
    return await stored_filters.matching(tx, entity.__name__, exact_json.loads(match), keys)
