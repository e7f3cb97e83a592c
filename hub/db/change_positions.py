"""Positions of changes: assigns them, reads changes by them, and records the epochs in which they are valid.

hub/changefeed/sequencer.py elects the leader that assigns them. Each function runs single statements on a connection of the
caller and needs no transaction."""

from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.change_log import CHANGE_FEED, CHANGE_LOG
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import BadInput

# Session settings for rendering messages. Statistics of a fast-growing log mislead the planner, so index scans are forced.
# Planning over all daily partitions costs more than most pages, and four times as much as rendering a change: generic plans
# are planned once.
MESSAGE_SESSION = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
# The same, for connections that only follow the feed.
CHANGEFEED_SESSION = {**MESSAGE_SESSION, "enable_bitmapscan": "off"}

# Session settings of the leader. If its process hangs, the server ends the session after five idle seconds, which frees the lock.
SEQUENCER_SESSION = {
    **CHANGEFEED_SESSION,
    "enable_hashjoin": "off",
    "enable_nestloop": "off",
    "statement_timeout": "60000",  # the first scan after a takeover covers every id above the watermark
    "idle_session_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

# The leader's second connection, which chains the audit log: a batch may wait for the batch of a former leader.
AUDIT_SESSION = {
    **CHANGEFEED_SESSION,
    "application_name": "hub-audit",
    "statement_timeout": "60000",
    "lock_timeout": "60000",
}

_TRY_LEAD = f"select pg_try_advisory_lock({AdvisoryLock.LEADER})"
_READ_WATERMARK = to_sql(sa.select(CHANGE_FEED.c.settled))
_SAVE_WATERMARK = "update change_feed set settled = $1 where settled < $1"

_NEWEST_EPOCH = "select epoch from change_epochs order by began desc, at desc limit 1"
_LAST_POSITION = "greatest((select max(position) from change_order), feed.least_position - 1)"

# If the clock was set back, the new epoch must still be the newest.
_BEGIN_EPOCH = f"""
with newest as (select * from change_epochs where epoch = ({_NEWEST_EPOCH}))
insert into change_epochs (epoch, origin, began, at)
select random(1, 281474976710655), hub_origin(), {_LAST_POSITION},
    greatest(clock_timestamp(), (select at + interval '1 microsecond' from newest))
from change_feed as feed where hub_origin() is distinct from (select origin from newest)
"""

_FEED_STATE = f"""
select {_LAST_POSITION} as last_position, feed.least_position, epochs.* from change_feed as feed, (
    select array_agg(epoch order by began, at) as epochs, array_agg(began order by began, at) as begins from change_epochs
) as epochs
"""

# One statement, and so one snapshot, finds where changes may have appeared, which have, and their positions. The transaction id
# is assigned after the sequence is read, so it is greater than that of any transaction that drew an id before: hence the two
# conditions on `drawn`. (A snapshot's xmax is only one more than the last transaction that ended.) Reading the sequence as a
# table could show a value up to 32 too high, which is logged ahead; pg_sequence_last_value waits for its page.
_ASSIGN_POSITIONS = """
with drawn as materialized (
    select coalesce(pg_sequence_last_value('change_log_id'), 0) as id
), low as materialized (
    select least($2::bigint, coalesce((
        select max(pending.id) from unnest($3::bigint[], $4::text[]) as pending (id, xid)
        where pending.xid::xid8 < (
            select least(pg_snapshot_xmax($5::text::pg_snapshot), min(running))
            from pg_snapshot_xip($5::text::pg_snapshot) as running
            where pg_visible_in_snapshot(running, pg_current_snapshot())
        )
    ), $1::bigint)) as id
), unassigned as materialized (
    select l.id, l.at from change_log as l
    where l.id > (select id from low) and not exists (
        select from change_order as o where o.id = l.id and o.id > (select id from low)
    )
    order by l.id limit $6
), assigned as (
    insert into change_order (position, id)
    select greatest((select max(position) from change_order), feed.least_position - 1)
        + row_number() over (order by unassigned.id), unassigned.id
    from unassigned cross join change_feed as feed cross join drawn
    returning id
)
select count(*) as changes, max(id) as last, pg_current_snapshot()::text as snapshot, (select id from drawn) as drawn,
    case when (select id from drawn) is not null and (count(*) > 0 or $7)
        then pg_current_xact_id()::text::bigint end as xid,
    (select case when current_setting('hub.clock', true) = 'test' then 0
        else extract(epoch from clock_timestamp() - min(at)) end::float from unassigned having count(*) > 0) as age
from assigned
"""

# Each partition is scanned once per page, not once per change. The epoch comes from the same snapshot: a snapshot that shows a
# position also shows the epoch in which it was assigned.
_PAGE = f"""
with page as materialized (
    select position, id from change_order where position > $1 order by position limit $2
)
select feed.least_position, ({_NEWEST_EPOCH}) as epoch, page.position, {{}}
from change_feed as feed left join (
    page join change_log as l on l.id = page.id and l.id = any(array(select id from page))
) on true
order by page.position
"""
_READ_CHANGES = _PAGE.format("l.*")
_POSITION_BOUNDS = f"select {_LAST_POSITION} as last_position, feed.least_position from change_feed as feed"
# A row's id and time are drawn together, so a binary search by id finds a time.
_CHANGE_FROM_ID = to_sql(
    sa.select(CHANGE_LOG.c.id, CHANGE_LOG.c.at)
    .where(CHANGE_LOG.c.id >= sa.bindparam("id", type_=sa.BigInteger))
    .order_by(CHANGE_LOG.c.id)
    .limit(sa.literal_column("1"))
)
_ID_RANGE = to_sql(sa.select(sa.func.min(CHANGE_LOG.c.id).label("first"), sa.func.max(CHANGE_LOG.c.id).label("last")))
_POSITION_FROM_ID = (
    "select min(position) from (select position from change_order where id >= $1 order by id limit 10000) as candidates"
)
_FORMER_CUSTOMER = (
    "case when l.operation = 'UPDATE' and 'customer_id' = any(l.changed) then (l.before ->> 'customer_id')::uuid end"
)
_READ_HEADERS = _PAGE.format(
    f"l.table_name, l.row_id, l.customer_id, {_FORMER_CUSTOMER} as former, l.operation, l.changed"
)

# The same page, of which only the positions of changes that may match are returned: a page without a match costs the reader
# nothing but the statement.
_READ_MATCHING = f"""
with page as materialized (
    select position, id from change_order where position > $1 order by position limit $2
)
select feed.least_position, ({_NEWEST_EPOCH}) as epoch, (select max(position) from page) as last,
    (select count(*) from page) as scanned, match.position
from change_feed as feed left join (
    select page.position from page join change_log as l on l.id = page.id and l.id = any(array(select id from page))
    where l.table_name = any($3) and ($4::uuid[] is null or l.row_id = any($4)) and (
        $5::uuid is null or l.customer_id = $5 or {_FORMER_CUSTOMER} = $5 or ($6 and l.customer_id is null)
    )
) as match on true
order by match.position
"""


class ScanFilter(NamedTuple):
    """The changes that may match: of these tables, of these rows if given, of this customer if given.

    `unowned` adds the rows of no customer."""

    tables: list[str]
    row_ids: list[UUID] | None
    customer_id: UUID | None
    unowned: bool


class MatchingChanges(NamedTuple):
    """The positions of the matching changes among those that were scanned, and the last position that was."""

    epoch: int
    last: int | None
    scanned: int
    positions: list[int]


class XidWatermark(NamedTuple):
    """Transactions numbered below `xid` drew all ids up to `id`; those above it draw greater ones."""

    id: int
    xid: int


class AssignedBatch(NamedTuple):
    """The result of one assignment: how many changes got a position, and the snapshot that it saw."""

    changes: int
    last: int | None  # the greatest id among them
    snapshot: str
    drawn: int  # the last id that any transaction drew
    xid: int | None  # assigned after `drawn` was read; None if no transaction id was assigned
    age: float | None  # seconds since the oldest of them was written


class KnownLog(Protocol):
    """What the caller knows of the log before an assignment."""

    settled: int  # ids up to this one have a position, or will never appear
    fully_assigned_to: int  # what the snapshot shows up to this id has a position
    xid_watermarks: list[XidWatermark]
    snapshot: str | None  # of the previous assignment


class FeedState(NamedTuple):
    """The state of the feed that a reader needs to resume from a stored position."""

    epoch: int
    last_position: int  # the greatest position
    least_position: int  # the first that can still be read
    epoch_ends: dict[int, int]  # older epochs, oldest first: the greatest position at which each still holds

    def epoch_of(self, position: int) -> int:
        """Returns the epoch in which a position was assigned, so that a cursor of a position is always the same."""
        containing_epoch = self.epoch
        for epoch, last_valid in reversed(self.epoch_ends.items()):
            if position > last_valid:
                break
            containing_epoch = epoch
        return containing_epoch


class CursorExpired(BadInput):
    """The changes after a position have expired."""

    code = "CURSOR_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "after: the changes after this cursor have expired; read the rows again, then continue from a new cursor.",
            argument="after",
        )


async def try_lead(connection: Connection) -> bool:
    """Tries to take the leader lock; if it returns True, the connection holds it until it closes."""
    acquired: bool = await connection.fetchval(_TRY_LEAD)
    return acquired


async def begin_epoch(connection: Connection) -> None:
    """Begins an epoch unless this start of the server has one already. Call it before positions are assigned."""
    await connection.execute(_BEGIN_EPOCH)


async def read_watermark(connection: Connection) -> int:
    """Returns the stored watermark: every change up to this id has a position or will never appear."""
    watermark: int = await connection.fetchval(_READ_WATERMARK)
    return watermark


async def save_watermark(connection: Connection, watermark: int) -> None:
    """Stores the watermark, unless a higher one is stored."""
    await connection.execute(_SAVE_WATERMARK, watermark)


async def assign_positions(
    connection: Connection,
    known_log: KnownLog,
    limit: int,
    *,
    draw_xid: bool = False,
    timeout_seconds: float | None = None,
) -> AssignedBatch:
    """Assigns the next positions to at most `limit` committed changes without one, lowest ids first.

    `known_log` limits the scan. The statement gets a transaction id if it assigns positions or if `draw_xid` is set.
    `timeout_seconds` replaces the usual timeout of a statement."""
    ids, xids = (
        [xid_watermark.id for xid_watermark in known_log.xid_watermarks],
        [str(xid_watermark.xid) for xid_watermark in known_log.xid_watermarks],
    )
    arguments = known_log.settled, known_log.fully_assigned_to, ids, xids, known_log.snapshot, limit, draw_xid
    row = await connection.fetchrow(_ASSIGN_POSITIONS, *arguments, timeout=timeout_seconds)
    assert row is not None
    return AssignedBatch(*row.values())


async def feed_state(connection: Connection) -> FeedState:
    """Returns the current state of the feed."""
    row = await connection.fetchrow(_FEED_STATE)
    assert row is not None
    *older_epochs, epoch = row["epochs"]
    return FeedState(
        epoch, row["last_position"], row["least_position"], dict(zip(older_epochs, row["begins"][1:], strict=True))
    )


async def read_changes(connection: Connection, after: int, limit: int) -> list[asyncpg.Record]:
    """Returns up to `limit` changes after a position, with all columns of the log, and the newest epoch.

    Raises CursorExpired when the first of them has expired."""
    return await _page(connection, _READ_CHANGES, after, limit)


async def read_headers(
    connection: Connection, after: int, limit: int, *, assigned: bool = False
) -> list[asyncpg.Record] | None:
    """Returns the same changes without their images: enough to route them. None if the position no longer exists, because
    the database was restored.

    Cheap to poll: unless `assigned` says that there are new changes, it reads the log only if the last position has moved.
    Raises CursorExpired like `read_changes`."""
    if not assigned:
        bounds = await connection.fetchrow(_POSITION_BOUNDS)
        assert bounds is not None
        if bounds["last_position"] < after:
            return None
        if bounds["last_position"] <= after and after + 1 >= bounds["least_position"]:
            return []
    return await _page(connection, _READ_HEADERS, after, limit)


async def read_matching(
    connection: Connection, after: int, limit: int, scan_filter: ScanFilter
) -> MatchingChanges | None:
    """Returns which of the next `limit` changes may match. None if the position no longer exists, because the database was
    restored. Raises CursorExpired like `read_changes`."""
    bounds = await connection.fetchrow(_POSITION_BOUNDS)
    assert bounds is not None
    if bounds["last_position"] < after:
        return None
    rows = await connection.fetch(_READ_MATCHING, after, limit, *scan_filter)
    if after + 1 < rows[0]["least_position"]:
        raise CursorExpired
    positions = [row["position"] for row in rows if row["position"] is not None]
    return MatchingChanges(rows[0]["epoch"], rows[0]["last"], rows[0]["scanned"], positions)


async def position_at(connection: Connection, timestamp: datetime) -> int:
    """Returns the position after which the changes since a time begin, or the first position that is still kept."""
    id_range = await connection.fetchrow(_ID_RANGE)
    assert id_range is not None
    low, high = id_range["first"] or 0, (id_range["last"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        change = await connection.fetchrow(_CHANGE_FROM_ID, middle)
        if change is None or change["at"] >= timestamp:
            high = middle
        else:
            low = change["id"] + 1
    position: int | None = await connection.fetchval(_POSITION_FROM_ID, low)
    bounds = await connection.fetchrow(_POSITION_BOUNDS)
    assert bounds is not None
    before_first: int = bounds["least_position"] - 1
    return max(bounds["last_position"] if position is None else position - 1, before_first)


async def _page(connection: Connection, statement: str, after: int, limit: int) -> list[asyncpg.Record]:
    rows = await connection.fetch(statement, after, limit)
    if after + 1 < rows[0]["least_position"]:
        raise CursorExpired
    return [row for row in rows if row["position"] is not None]
