"""What happens when clocks reach levels: holders of roles are notified, all of a batch at once; other acts run one by one.

Acts beyond notifications register themselves, so that what they do may itself start and stop clocks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import ClockEvent
from hub.domain.work.clock_rows import StoredClock
from hub.domain.work.notifications import NotificationDraft, notify_all
from hub.errors import HubError
from hub.schema.work.notifications import NotificationType
from hub.schema.work.sla_policies import EscalationAct

# The role of the person whom the row is about, or who does it: not a job role, but whoever the row names.
PERSON_OF_ROW = "STAFF"
MAX_RECIPIENTS = 100  # of one level

_RULES = """
select policy_id, clock, level, at_share, at_offset_seconds, act, role, unit, copy_role, process, move_to, text
from escalation_rules where policy_id = any($1)
"""
# Of each request, the holders of the role in the nearest unit that has any: the row's own, its parent or the top, or above.
_HOLDERS = """
select q.number, r.staff_id from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[]) with ordinality
    as q (role, unit_id, staff_id, choice, moment, number)
cross join lateral (
    select above.id from org_units as own join org_units as above on own.path <@ above.path
    where own.id = coalesce(q.unit_id, (select unit_id from staff where id = q.staff_id))
        and nlevel(above.path) <= case q.choice
            when 'OWN' then nlevel(own.path) when 'PARENT' then greatest(nlevel(own.path) - 1, 1) else 1 end
        and exists (
            select from job_roles as h join staff as s on s.id = h.staff_id
            where h.unit_id = above.id and h.role = q.role and h.from_at <= q.moment and (h.to_at is null or h.to_at > q.moment)
                and (s.left_on is null or s.left_on >= (q.moment at time zone 'UTC')::date)
        )
    order by nlevel(above.path) desc limit 1
) as nearest
join job_roles as r on r.unit_id = nearest.id and r.role = q.role and r.from_at <= q.moment
    and (r.to_at is null or r.to_at > q.moment)
order by q.number, r.from_at, r.staff_id
"""


class ReachedLevel(NamedTuple):
    """A level that a clock has reached at a moment, its rule, and the people who hold the rule's roles then."""

    clock: StoredClock
    moment: datetime
    rule: asyncpg.Record
    holders: Sequence[UUID]
    copied: Sequence[UUID]

    @property
    def text(self) -> str:
        """What is said of it: the rule's own text, else one that names the clock and its due time."""
        return self.rule["text"] or _text(self.clock, self.rule)


ActFunction: TypeAlias = Callable[[Connection, ReachedLevel], Awaitable[None]]
_acts: dict[EscalationAct, ActFunction] = {}


def escalation_act(act: EscalationAct) -> Callable[[ActFunction], ActFunction]:
    """Registers what an act does beside the notifications: `async def act(tx, reached)`; its HubErrors undo it alone."""

    def register(function: ActFunction) -> ActFunction:
        _acts[act] = function
        return function

    return register


async def escalate(tx: Connection, events: Sequence[tuple[StoredClock, ClockEvent]]) -> None:
    """Lets the levels that clocks have reached act, in this order. Rules that are gone by then do nothing."""
    if not events:
        return
    policies = list({clock.policy for clock, _ in events if clock.policy is not None})
    rules = {(row["policy_id"], row["clock"], row["level"]): row for row in await tx.fetch(_RULES, policies)}
    ruled = [
        (clock, event.moment, rule)
        for clock, event in events
        if (rule := rules.get((clock.policy, clock.name, event.level))) is not None
    ]
    levels = await _with_holders(tx, ruled)
    for reached in levels:
        function = _acts.get(EscalationAct(reached.rule["act"]))
        if function is not None:
            async with _undone_by_errors(tx):
                await function(tx, reached)
    await notify_all(tx, [draft for reached in levels for draft in _drafts(reached)])


@asynccontextmanager
async def _undone_by_errors(tx: Connection) -> AsyncIterator[None]:
    """In the block, an act that cannot be done is undone alone: the level counts as reached, and its people are told."""
    await tx.execute("savepoint escalation_act")
    try:
        yield
    except HubError:
        await tx.execute("rollback to savepoint escalation_act")
    await tx.execute("release savepoint escalation_act")


async def _with_holders(
    tx: Connection, ruled: Sequence[tuple[StoredClock, datetime, asyncpg.Record]]
) -> list[ReachedLevel]:
    """The reached levels with the holders of their roles, which one statement finds."""
    requests = []
    for index, (clock, moment, rule) in enumerate(ruled):
        for column in ("role", "copy_role"):
            if rule[column] not in (None, PERSON_OF_ROW):
                subject = clock.subject
                asked = (rule[column], subject["unit_id"], subject["staff_id"], rule["unit"], moment)
                requests.append(((index, column), asked))
    holder_rows = (
        await tx.fetch(_HOLDERS, *map(list, zip(*(asked for _, asked in requests), strict=True))) if requests else ()
    )
    holders: dict[tuple[int, str], list[UUID]] = {}
    for row in holder_rows:
        holders.setdefault(requests[row["number"] - 1][0], []).append(row["staff_id"])
    return [
        ReachedLevel(
            clock, moment, rule, *(_people(clock, rule, holders, index, name) for name in ("role", "copy_role"))
        )
        for index, (clock, moment, rule) in enumerate(ruled)
    ]


def _people(
    clock: StoredClock, rule: asyncpg.Record, holders: Mapping[tuple[int, str], list[UUID]], index: int, column: str
) -> list[UUID]:
    if rule[column] == PERSON_OF_ROW:
        person = clock.subject["staff_id"]
        return [] if person is None else [person]
    return holders.get((index, column), [])[:MAX_RECIPIENTS]


def _drafts(reached: ReachedLevel) -> list[NotificationDraft]:
    """The notifications of a level. Who holds both roles gets one."""
    clock, rule = reached.clock, reached.rule
    groups = (
        (reached.holders, rule["role"], NotificationType.ESCALATION),
        (reached.copied, rule["copy_role"], NotificationType.COPY),
    )
    return [
        NotificationDraft(person, type, reached.text, reached.moment, clock.subject, role, clock.key, rule["level"])
        for people, role, type in groups
        for person in people
    ]


def _text(clock: StoredClock, rule: asyncpg.Record) -> str:
    """What a notification says that has no text of its own."""
    due = "" if clock.due_at is None else f"; due {clock.due_at:%Y-%m-%d %H:%M} UTC"
    if rule["at_share"] is not None:
        share = f"{Decimal(rule['at_share']) * 100:f}".rstrip("0").rstrip(".")
        return f"{clock.name} of {clock.subject['entity']}: {share} % of its time is spent{due}."
    minutes = abs(rule["at_offset_seconds"]) // 60
    relation = "before" if rule["at_offset_seconds"] < 0 else "after"
    return f"{clock.name} of {clock.subject['entity']}: {minutes} working minutes {relation} it is due{due}."
