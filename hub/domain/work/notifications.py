"""Notifications: the hub writes them for members of staff, who mark them as seen.

A level of a clock notifies a person once, however often it is reached again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.pool import Connection
from hub.errors import BadInput, Forbidden
from hub.model import rows, scopes, statements
from hub.model.commands import command
from hub.rights import Rights, Verb
from hub.schema.work.notifications import Notification, NotificationType
from hub.viewer import Viewer

MAX_SEEN = 1_000  # notifications of one mutation
MAX_TEXT = 500  # characters

# People who have left by that day get none. Rows are stored in the order of the drafts.
_NOTIFY = """
insert into notifications (staff_id, type, text, notified_at, role, clock_id, level, entity, row_id, customer_id, unit_id,
    created_at, updated_at)
select s.id, d.type, d.text, d.notified_at, d.role, d.clock_id, d.level, d.entity, d.row_id, d.customer_id, d.unit_id,
    d.notified_at, d.notified_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], $7::int[], $8::text[], $9::uuid[],
    $10::uuid[], $11::uuid[]) with ordinality
    as d (staff_id, type, text, notified_at, role, clock_id, level, entity, row_id, customer_id, unit_id, number)
join staff as s on s.id = d.staff_id and (s.left_on is null or s.left_on >= (d.notified_at at time zone 'UTC')::date)
order by d.number
on conflict (clock_id, level, staff_id) do nothing
returning id
"""
_SEE = """
update notifications set seen_at = $2, version = version + 1, updated_at = $2 where id = any($1) and seen_at is null
"""
_PERSON = sa.bindparam("person", type_=sa.Uuid)
_UNSEEN = Notification.c.seen_at.is_(None)
# Which of a person's notifications a statement is about, by its name.
_CONDITIONS: Mapping[str, tuple[sa.ColumnElement[bool], ...]] = {
    "ids": (Notification.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))),),
    "until": (_UNSEEN, Notification.c.notified_at <= sa.bindparam("until", type_=sa.DateTime(timezone=True))),
    "unseen": (_UNSEEN,),
}


class NotificationsSeenPayload(NamedTuple):
    """The payload of notificationsSeen."""

    seen: Annotated[int, "How many became seen."]
    unseen: Annotated[int, "How many of the person's notifications nobody has seen yet."]


class NotificationDraft(NamedTuple):
    """A notification that is to be written; `subject` holds the columns of the row that it is about, or nothing."""

    staff: UUID
    type: NotificationType
    text: str
    now: datetime
    subject: Mapping[str, Any]
    role: str | None = None
    clock: UUID | None = None
    level: int | None = None


async def notify(
    tx: Connection,
    subject_values: Mapping[str, Any],
    *,
    staff_ids: Collection[UUID],
    type: NotificationType,
    text: str,
    now: datetime,
    role: str | None = None,
    clock_id: UUID | None = None,
    level: int | None = None,
) -> list[UUID]:
    """Notifies people of the row that `subject_values` name, one row each; returns the keys of those that are new.

    Whoever has left gets none, nor who had one for this level of the clock. Without a subject, `subject_values` is empty."""
    staff = sorted(set(staff_ids))
    return await notify_all(
        tx, [NotificationDraft(person, type, text, now, subject_values, role, clock_id, level) for person in staff]
    )


async def notify_all(tx: Connection, drafts: Sequence[NotificationDraft]) -> list[UUID]:
    """Writes notifications in this order and in one statement; returns the keys of those that are new."""
    if not drafts:
        return []
    columns = zip(*(_values(draft) for draft in drafts), strict=True)
    inserted = await tx.fetch(_NOTIFY, *(list(column) for column in columns))
    return [row["id"] for row in inserted]


def _values(draft: NotificationDraft) -> tuple[Any, ...]:
    """The columns of a notification in the order of `_NOTIFY`."""
    subject = (draft.subject.get(name) for name in ("entity", "row_id", "customer_id", "unit_id"))
    text = " ".join(draft.text.split())[:MAX_TEXT]
    return (draft.staff, draft.type.value, text, draft.now, draft.role, draft.clock, draft.level, *subject)


@command("notificationsSeen")
async def see_notifications(
    tx: Connection,
    viewer: Viewer,
    *,
    ids: Annotated[
        list[Annotated[UUID, Notification]] | None, "Notifications of the person who asks, at most 1,000."
    ] = None,
    until: Annotated[
        datetime | None, "All that came by this moment, at most 1,000 at once; either this or `ids`."
    ] = None,
    now: datetime,
) -> NotificationsSeenPayload:
    """Marks the caller's notifications as seen. Those that were seen already stay as they are."""
    Notification.require(viewer, "update")
    if viewer.staff_id is None:
        message = "A person sees notifications, and no member of staff is behind this key; use a key of one."
        raise Forbidden(message, code="PERSON_NEEDED")
    if (ids is None) is (until is None):
        raise BadInput("ids: name notifications, or a moment in `until`, but not both.", argument="ids")
    named = {"person": viewer.staff_id, "ids": ids, "until": until}
    if ids is None:
        keys = await _lock_own(tx, viewer, "until", named)
    else:
        if len(ids) > MAX_SEEN:
            message = f"ids: {len(ids)} notifications are too many; send at most {MAX_SEEN} at once."
            raise BadInput(message, code="BULK_LIMIT", argument="ids")
        if await _count_own(tx, viewer, "ids", named) != len(set(ids)):
            raise rows.not_visible("ids")
        keys = await _lock_own(tx, viewer, "ids", named)
        for key in set(ids).difference(keys):
            raise await rows.refused_row(tx, viewer, Notification, key, Verb.UPDATE)
    marked = await tx.execute(_SEE, keys, now)
    return NotificationsSeenPayload(int(marked.split()[-1]), await _count_own(tx, viewer, "unseen", named))


async def _lock_own(tx: Connection, viewer: Viewer, which: str, named: Mapping[str, Any]) -> list[UUID]:
    """The keys of the person's notifications that its key may change, locked in their order."""
    statement = _lock_statement(viewer.rights, viewer.rows_for(Verb.UPDATE), which)
    return [row["id"] for row in await tx.fetch(statement.text, *statement.bind(named, viewer))]


async def _count_own(tx: Connection, viewer: Viewer, which: str, named: Mapping[str, Any]) -> int:
    """How many of the person's notifications its key shows."""
    statement = _count_statement(viewer.rights, which)
    count: int = await tx.fetchval(statement.text, *statement.bind(named, viewer))
    return count


def _own_conditions(rights: Rights, verb: Verb, which: str) -> list[sa.ColumnElement[bool]]:
    visibility = scopes.shown(Notification.table, Notification.table, rights, verb)
    own = [Notification.c.staff_id == _PERSON, *_CONDITIONS[which]]
    return own if visibility is None else [*own, visibility]


@lru_cache(maxsize=statements.STATEMENTS)
def _lock_statement(rights: Rights, verb: Verb, which: str) -> statements.SqlStatement:
    query = sa.select(Notification.c.id).where(*_own_conditions(rights, verb, which)).order_by(Notification.c.id)
    query = query.limit(sa.literal_column(str(MAX_SEEN))).with_for_update(of=Notification.table)
    return statements.compile_statement(query, Notification.table)


@lru_cache(maxsize=statements.STATEMENTS)
def _count_statement(rights: Rights, which: str) -> statements.SqlStatement:
    count = sa.select(sa.func.count(Notification.c.id)).where(*_own_conditions(rights, Verb.READ, which))
    return statements.compile_statement(count, Notification.table)
