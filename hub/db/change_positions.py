"""The positions of changes: giving them, reading by them, and in which epoch they mean what.

Who gives them is hub/changefeed/sequencer.py's.
Statements here need no transaction of their own: each is one, on a connection that is handed over."""

from datetime import datetime
from typing import NamedTuple, Protocol

import asyncpg

from hub.db.pool import Connection
from hub.errors import BadInput

LEADER = 7_269_401_115  # the advisory lock whose holder gives positions

# The connection of one who tells of changes. Statistics of a log that grows by the second mislead: its tables are only ever
# walked along their indexes. Planning for all the days that the log is kept in costs more than most pages, and four times what
# telling of a change does: it is done once.
MESSAGE_SESSION = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
# The same for one who only reads along.
CHANGEFEED_SESSION = {**MESSAGE_SESSION, "enable_bitmapscan": "off"}

# The leader's. If its process hangs, it says nothing for five seconds, and its lock goes to another one.
SEQUENCER_SESSION = {
    **CHANGEFEED_SESSION,
    "enable_hashjoin": "off",
    "enable_nestloop": "off",
    "statement_timeout": "60000",  # the first look after a takeover walks along all that is not settled
    "idle_session_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

_TRY_LEAD = f"select pg_try_advisory_lock({LEADER})"
_READ_WATERMARK = "select settled from change_feed"
_SAVE_WATERMARK = "update change_feed set settled = $1 where settled < $1"

_NEWEST_EPOCH = "select epoch from change_epochs order by began desc, at desc limit 1"
_LAST_POSITION = "greatest((select max(position) from change_order), feed.least_position - 1)"

# A clock that was set back must not make an older epoch the newest.
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

# All in one statement, and so in one snapshot: where something may have appeared, what has, and its positions. The number is
# drawn after the sequence is read, so that it is greater than that of any transaction which drew an id up to then: hence both
# places where nothing happens before `drawn` is there. (A snapshot's xmax is only one more than the last that has ended.)
# Read as a table, a sequence may show for a moment what it logs ahead, 32 too many: the function waits for its page.
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
    (select extract(epoch from clock_timestamp() - min(at))::float from unassigned) as age
from assigned
"""

# Each partition is looked into once for the whole page, not once for each change. The epoch is of the same snapshot: one that
# shows a position shows the epoch that it was given in.
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
# The log's ids and times are drawn together, so that one can be looked for by the other.
_CHANGE_FROM_ID = "select id, at from change_log where id >= $1 order by id limit 1"
_ID_RANGE = "select min(id) as first, max(id) as last from change_log"
_POSITION_FROM_ID = (
    "select min(position) from (select position from change_order where id >= $1 order by id limit 10000) as candidates"
)
_FORMER_CUSTOMER = (
    "case when l.operation = 'UPDATE' and 'customer_id' = any(l.changed) then (l.before ->> 'customer_id')::uuid end"
)
_READ_HEADERS = _PAGE.format(
    f"l.table_name, l.row_id, l.customer_id, {_FORMER_CUSTOMER} as former, l.operation, l.changed"
)


class XidWatermark(NamedTuple):
    """Transactions numbered below `xid` drew all ids up to `id`; those above it draw greater ones."""

    id: int
    xid: int


class AssignedBatch(NamedTuple):
    """What became of one move: how many got their position, and what was seen meanwhile."""

    changes: int
    last: int | None  # the greatest id among them
    snapshot: str
    drawn: int  # the last id that was given out to anybody
    xid: int | None  # drawn after that, if it was
    age: float | None  # seconds since the oldest of them was made


class KnownLog(Protocol):
    """What is known of the log before a move."""

    settled: int  # ids up to this one have a position, or will never appear
    fully_assigned_to: int  # what the snapshot shows up to this id has a position
    xid_watermarks: list[XidWatermark]
    snapshot: str | None  # of the move before


class FeedState(NamedTuple):
    """What a reader must know of the whole, to go on from a position that somebody remembers."""

    epoch: int
    last_position: int  # the greatest position
    least_position: int  # the first that can still be read
    epoch_ends: dict[int, int]  # older epochs, oldest first: the greatest position at which each still holds

    def epoch_of(self, position: int) -> int:
        """The epoch in which it was given; so whoever tells of a position tells of it alike, whenever it is."""
        containing_epoch = self.epoch
        for epoch, last_valid in reversed(self.epoch_ends.items()):
            if position > last_valid:
                break
            containing_epoch = epoch
        return containing_epoch


class CursorExpired(BadInput):
    """The changes after a position are no longer kept."""

    code = "CURSOR_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "after: the changes after this cursor are no longer kept; read the rows again, then continue from a new cursor.",
            argument="after",
        )


async def try_lead(connection: Connection) -> bool:
    """Whether this connection leads from now on, until it is closed."""
    acquired: bool = await connection.fetchval(_TRY_LEAD)
    return acquired


async def begin_epoch(connection: Connection) -> None:
    """Begins an epoch, unless this server, as it was started, has begun one already: before any position is given."""
    await connection.execute(_BEGIN_EPOCH)


async def read_watermark(connection: Connection) -> int:
    """The id up to which, as was last written down, every change has its position."""
    watermark: int = await connection.fetchval(_READ_WATERMARK)
    return watermark


async def save_watermark(connection: Connection, watermark: int) -> None:
    """Writes down up to which id the log is settled."""
    await connection.execute(_SAVE_WATERMARK, watermark)


async def assign_positions(
    connection: Connection,
    known_log: KnownLog,
    limit: int,
    *,
    draw_xid: bool = False,
    timeout_seconds: float | None = None,
) -> AssignedBatch:
    """Gives the next positions to the lowest ids that are committed and have none; what is known tells where to look.

    It tells where the log stands by a number of its own, if it gives any or is asked to. It may take longer than other
    statements if it is said how long."""
    ids, xids = (
        [xid_watermark.id for xid_watermark in known_log.xid_watermarks],
        [str(xid_watermark.xid) for xid_watermark in known_log.xid_watermarks],
    )
    arguments = known_log.settled, known_log.fully_assigned_to, ids, xids, known_log.snapshot, limit, draw_xid
    row = await connection.fetchrow(_ASSIGN_POSITIONS, *arguments, timeout=timeout_seconds)
    assert row is not None
    return AssignedBatch(*row.values())


async def feed_state(connection: Connection) -> FeedState:
    """Where the order of changes stands now."""
    row = await connection.fetchrow(_FEED_STATE)
    assert row is not None
    *older_epochs, epoch = row["epochs"]
    return FeedState(
        epoch, row["last_position"], row["least_position"], dict(zip(older_epochs, row["begins"][1:], strict=True))
    )


async def read_changes(connection: Connection, after: int, limit: int) -> list[asyncpg.Record]:
    """The changes at the positions that follow, with all that the log knows of them, and the newest epoch.

    Raises CursorExpired when the first of them is no longer kept."""
    return await _page(connection, _READ_CHANGES, after, limit)


async def read_headers(
    connection: Connection, after: int, limit: int, *, assigned: bool = False
) -> list[asyncpg.Record] | None:
    """The same changes, as far as it takes to know whom they concern: without their images. None when there is no such
    position any more: the database was put back.

    For who asks again and again: the days of the log are opened only when there is something in them, or when it is
    known that something was assigned."""
    if not assigned:
        bounds = await connection.fetchrow(_POSITION_BOUNDS)
        assert bounds is not None
        if bounds["last_position"] < after:
            return None
        if bounds["last_position"] <= after and after + 1 >= bounds["least_position"]:
            return []
    return await _page(connection, _READ_HEADERS, after, limit)


async def position_at(connection: Connection, timestamp: datetime) -> int:
    """The position behind which the changes lie that were made since a moment, as far as they are kept."""
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
