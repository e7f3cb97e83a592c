"""Working intervals of calendars, for SQL: what hub/model/working_time.py counts in Python, these tables count in queries.

`hub_working_time(calendar, from, to)` and `hub_due_at(calendar, from, working)` are null for what is not covered."""

from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model.columns import foreign_key, metadata, timestamp
from hub.model.working_time import WorkingTime

WorkingInterval = sa.Table(
    "working_intervals",
    metadata,
    foreign_key("calendar_id", "calendars.id", "The calendar.", ondelete="CASCADE"),
    sa.Column("starts_at", timestamp(), nullable=False, comment="When it opens."),
    sa.Column("ends_at", timestamp(), nullable=False, comment="When it closes."),
    sa.Column("before", sa.BigInteger, nullable=False, comment="Working time before it, in microseconds."),
    sa.PrimaryKeyConstraint("calendar_id", "starts_at"),
    sa.Index("ix_working_intervals_before", "calendar_id", "before"),
    comment="When calendars are open, without gaps in between; made from their definitions.",
)
_REMOVE = to_sql(
    sa.delete(WorkingInterval).where(WorkingInterval.c.calendar_id == sa.bindparam("calendar", type_=sa.Uuid))
)
_INSERT = """
insert into working_intervals (calendar_id, starts_at, ends_at, before)
select $1, * from unnest($2::timestamptz[], $3::timestamptz[], $4::bigint[])
"""


async def store(tx: Connection, calendar: UUID, working_time: WorkingTime) -> None:
    """Stores the working intervals of a calendar in place of those that it had."""
    starts, ends, before = zip(*working_time.intervals, strict=True)
    await tx.execute(_REMOVE, calendar)
    await tx.execute(_INSERT, calendar, list(starts), list(ends), list(before))
