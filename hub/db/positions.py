"""The positions of changes: giving them, and reading by them. Who gives them and when is publish/'s.

Statements here need no transaction of their own: each is one, on a connection that is handed over."""

from typing import NamedTuple, Protocol

import asyncpg

from hub.db.pool import Connection
from hub.errors import BadInput

LEAD = 7_269_401_115  # the advisory lock whose holder gives positions

# The leader's connection. Statistics of a log that grows by the second mislead: both tables are only ever walked along
# their indexes. A leader whose process hangs says nothing for five seconds, and its lock goes to another one.
SESSION = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_nestloop": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": "60000",  # the first look after a takeover walks along all that is not settled
    "idle_session_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

_TRY = f"select pg_try_advisory_lock({LEAD})"
_SETTLED = "select settled from change_feed"
_SETTLE = "update change_feed set settled = $1 where settled < $1"

# The number is drawn after the sequence is read, so that it is greater than that of any transaction which drew an id up
# to then: the next one that will be given out (a snapshot's xmax is only one more than the last that has ended).
_MARK = """
with drawn as materialized (select case when is_called then last_value else last_value - 1 end as id from change_log_id)
select id, pg_current_xact_id()::text::bigint as xid from drawn
"""

# All in one statement, and so in one snapshot: where something may have appeared, what has, and its positions.
_MOVE = """
with low as materialized (
    select least($2::bigint, coalesce((
        select max(mark.id) from unnest($3::bigint[], $4::text[]) as mark (id, xid)
        where mark.xid::xid8 < (
            select least(pg_snapshot_xmax($5::text::pg_snapshot), min(each))
            from pg_snapshot_xip($5::text::pg_snapshot) as each
            where pg_visible_in_snapshot(each, pg_current_snapshot())
        )
    ), $1::bigint)) as id
), found as materialized (
    select l.id, l.at from change_log as l
    where l.id > (select id from low) and not exists (
        select from change_order as o where o.id = l.id and o.id > (select id from low)
    )
    order by l.id limit $6
), placed as (
    insert into change_order (position, id)
    select greatest((select max(position) from change_order), feed.least_position - 1) + row_number() over (order by found.id),
        found.id
    from found cross join change_feed as feed
    returning id
)
select count(*) as changes, max(id) as last, pg_current_snapshot()::text as snapshot,
    (select case when is_called then last_value else last_value - 1 end from change_log_id) as drawn,
    (select extract(epoch from clock_timestamp() - min(at))::float from found) as age
from placed
"""

# Each partition is looked into once for the whole page, not once for each change.
_READ = """
with page as materialized (
    select position, id from change_order where position > $1 order by position limit $2
)
select feed.least_position, page.position, l.*
from change_feed as feed left join (
    page join change_log as l on l.id = page.id and l.id = any(array(select id from page))
) on true
order by page.position
"""


class Mark(NamedTuple):
    """Transactions numbered below `xid` drew all ids up to `id`; those above it draw greater ones."""

    id: int
    xid: int


class Moved(NamedTuple):
    """What became of one move: how many got their position, and what was seen meanwhile."""

    changes: int
    last: int | None  # the greatest id among them
    snapshot: str
    drawn: int  # the last id that was given out to anybody
    age: float | None  # seconds since the oldest of them was made


class Known(Protocol):
    """What is known of the log before a move."""

    settled: int  # ids up to this one have a position, or will never appear
    reached: int  # what the snapshot shows up to this id has a position
    marks: list[Mark]
    snapshot: str | None  # of the move before


class Forgotten(BadInput):
    """The changes after this position are no longer kept."""


async def led(connection: Connection) -> bool:
    """Whether this connection leads from now on, until it is closed."""
    won: bool = await connection.fetchval(_TRY)
    return won


async def settled(connection: Connection) -> int:
    """The id up to which, as was last written down, every change has its position."""
    found: int = await connection.fetchval(_SETTLED)
    return found


async def settle(connection: Connection, id: int) -> None:
    """Writes down up to which id the log is settled."""
    await connection.execute(_SETTLE, id)


async def mark(connection: Connection) -> Mark:
    """Where the log stands now."""
    found = await connection.fetchrow(_MARK)
    assert found is not None
    return Mark(found["id"], found["xid"])


async def move(connection: Connection, known: Known, limit: int) -> Moved:
    """Gives the next positions to the lowest ids that are committed and have none; what is known tells where to look."""
    ids, xids = [each.id for each in known.marks], [str(each.xid) for each in known.marks]
    found = await connection.fetchrow(_MOVE, known.settled, known.reached, ids, xids, known.snapshot, limit)
    assert found is not None
    return Moved(found["changes"], found["last"], found["snapshot"], found["drawn"], found["age"])


async def read(connection: Connection, after: int, limit: int) -> list[asyncpg.Record]:
    """The changes at the positions that follow, with all that the log knows of them.

    Raises Forgotten when the first of them is no longer kept."""
    found = await connection.fetch(_READ, after, limit)
    if after + 1 < found[0]["least_position"]:
        least = found[0]["least_position"]
        raise Forgotten(f"after: changes before position {least} are no longer kept; read the rows anew, then go on.")
    return [each for each in found if each["position"] is not None]
