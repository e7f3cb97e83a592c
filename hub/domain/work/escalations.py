"""What happens when clocks reach levels: the holders of roles are notified, all of a batch in one statement."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.work.clock_arithmetic import ClockEvent
from hub.domain.work.clock_rows import StoredClock
from hub.domain.work.notifications import NotificationDraft, notify_all
from hub.schema.work.notifications import NotificationType

# The role of the person whom the row is about, or who does it: not a job role, but whoever is named in the row.
PERSON_OF_ROW = "STAFF"
MAX_RECIPIENTS = 100  # of one level

_RULES = """
select policy_id, clock, level, at_share, at_offset_seconds, act, role, unit, copy_role, process, move_to, text
from escalation_rules where policy_id = any($1)
"""


async def escalate(tx: Connection, reached: Sequence[tuple[StoredClock, ClockEvent]]) -> None:
    """Lets the levels that clocks have reached act, in this order. Rules that are gone by then do nothing."""
    if not reached:
        return
    policies = list({clock.policy for clock, _ in reached if clock.policy is not None})
    rules = {(row["policy_id"], row["clock"], row["level"]): row for row in await tx.fetch(_RULES, policies)}
    drafts: list[NotificationDraft] = []
    for clock, event in reached:
        rule = rules.get((clock.policy, clock.name, event.level))
        if rule is not None:
            drafts += await _drafts(tx, clock, event.moment, rule)
    await notify_all(tx, drafts)


async def _drafts(
    tx: Connection, clock: StoredClock, moment: datetime, rule: asyncpg.Record
) -> list[NotificationDraft]:
    """The notifications of a level: to the holders of its role, and of the copied one."""
    text = rule["text"] or _text(clock, rule)
    drafts = []
    for role, type in ((rule["role"], NotificationType.ESCALATION), (rule["copy_role"], NotificationType.COPY)):
        for person in await _holders(tx, clock, role, moment) if role is not None else ():
            drafts.append(NotificationDraft(person, type, text, moment, clock.subject, role, clock.key, rule["level"]))
    return drafts


async def _holders(tx: Connection, clock: StoredClock, role: str, moment: datetime) -> list[UUID]:
    """The people who hold a role when the level is reached."""
    if role == PERSON_OF_ROW:
        person = clock.subject["staff_id"]
        return [] if person is None else [person]
    return []


def _text(clock: StoredClock, rule: asyncpg.Record) -> str:
    """What a notification says that has no text of its own."""
    due = "" if clock.due_at is None else f", due {clock.due_at:%Y-%m-%d %H:%M} UTC"
    if rule["at_share"] is not None:
        share = f"{Decimal(rule['at_share']) * 100:f}".rstrip("0").rstrip(".")
        return f"{clock.name} of {clock.subject['entity']}: {share} % of its time is spent{due}."
    minutes = abs(rule["at_offset_seconds"]) // 60
    relation = "before" if rule["at_offset_seconds"] < 0 else "after"
    return f"{clock.name} of {clock.subject['entity']}: {minutes} working minutes {relation} it is due{due}."
