"""The positions of changes: giving them, reading by them, and in which epoch they mean what. Who gives them is publish/'s.

Statements here need no transaction of their own: each is one, on a connection that is handed over."""

from datetime import datetime
from typing import NamedTuple, Protocol

import asyncpg

from hub.db.pool import Connection
from hub.errors import BadInput

LEAD = 7_269_401_115  # the advisory lock whose holder gives positions

# The connection of one who tells of changes. Statistics of a log that grows by the second mislead: its tables are only ever
# walked along their indexes. Planning for all the days that the log is kept in costs more than most pages, and four times what
# telling of a change does: it is done once.
TELLING = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
# The same for one who only reads along.
READING = {**TELLING, "enable_bitmapscan": "off"}

# The leader's. If its process hangs, it says nothing for five seconds, and its lock goes to another one.
SESSION = {
    **READING,
    "enable_hashjoin": "off",
    "enable_nestloop": "off",
    "statement_timeout": "60000",  # the first look after a takeover walks along all that is not settled
    "idle_session_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

_TRY = f"select pg_try_advisory_lock({LEAD})"
_SETTLED = "select settled from change_feed"
_SETTLE = "update change_feed set settled = $1 where settled < $1"

_NEWEST = "select epoch from change_epochs order by began desc, at desc limit 1"
_HEAD = "greatest((select max(position) from change_order), feed.least_position - 1)"

# A clock that was set back must not make an older epoch the newest.
_BEGIN = f"""
with newest as (select * from change_epochs where epoch = ({_NEWEST}))
insert into change_epochs (epoch, origin, began, at)
select random(1, 281474976710655), hub_origin(), {_HEAD},
    greatest(clock_timestamp(), (select at + interval '1 microsecond' from newest))
from change_feed as feed where hub_origin() is distinct from (select origin from newest)
"""

_STANDING = f"""
select {_HEAD} as head, feed.least_position, epochs.* from change_feed as feed, (
    select array_agg(epoch order by began, at) as epochs, array_agg(began order by began, at) as begins from change_epochs
) as epochs
"""

# All in one statement, and so in one snapshot: where something may have appeared, what has, and its positions. The number is
# drawn after the sequence is read, so that it is greater than that of any transaction which drew an id up to then: hence both
# places where nothing happens before `drawn` is there. (A snapshot's xmax is only one more than the last that has ended.)
# Read as a table, a sequence may show for a moment what it logs ahead, 32 too many: the function waits for its page.
_MOVE = """
with drawn as materialized (
    select coalesce(pg_sequence_last_value('change_log_id'), 0) as id
), low as materialized (
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
    from found cross join change_feed as feed cross join drawn
    returning id
)
select count(*) as changes, max(id) as last, pg_current_snapshot()::text as snapshot, (select id from drawn) as drawn,
    case when (select id from drawn) is not null and (count(*) > 0 or $7)
        then pg_current_xact_id()::text::bigint end as xid,
    (select extract(epoch from clock_timestamp() - min(at))::float from found) as age
from placed
"""

# Each partition is looked into once for the whole page, not once for each change. The epoch is of the same snapshot: one that
# shows a position shows the epoch that it was given in.
_PAGE = f"""
with page as materialized (
    select position, id from change_order where position > $1 order by position limit $2
)
select feed.least_position, ({_NEWEST}) as epoch, page.position, {{}}
from change_feed as feed left join (
    page join change_log as l on l.id = page.id and l.id = any(array(select id from page))
) on true
order by page.position
"""
_READ = _PAGE.format("l.*")
_NEWS = f"select {_HEAD} as head, feed.least_position from change_feed as feed"
# The log's ids and times are drawn together, so that one can be looked for by the other.
_NEAR = "select id, at from change_log where id >= $1 order by id limit 1"
_ENDS = "select min(id) as first, max(id) as last from change_log"
_PLACE = "select min(position) from (select position from change_order where id >= $1 order by id limit 10000) as near"
_FORMER = (
    "case when l.operation = 'UPDATE' and 'customer_id' = any(l.changed) then (l.before ->> 'customer_id')::uuid end"
)
_HEADS = _PAGE.format(f"l.table_name, l.row_id, l.customer_id, {_FORMER} as former, l.operation, l.changed")


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
    xid: int | None  # drawn after that, if it was
    age: float | None  # seconds since the oldest of them was made


class Known(Protocol):
    """What is known of the log before a move."""

    settled: int  # ids up to this one have a position, or will never appear
    reached: int  # what the snapshot shows up to this id has a position
    marks: list[Mark]
    snapshot: str | None  # of the move before


class Standing(NamedTuple):
    """What a reader must know of the whole, to go on from a position that somebody remembers."""

    epoch: int
    head: int  # the greatest position
    least_position: int  # the first that can still be read
    ended: dict[int, int]  # older epochs, oldest first: the greatest position at which each still holds

    def epoch_of(self, position: int) -> int:
        """The epoch in which it was given; so whoever tells of a position tells of it alike, whenever it is."""
        found = self.epoch
        for epoch, end in reversed(self.ended.items()):
            if position > end:
                break
            found = epoch
        return found


class Forgotten(BadInput):
    """The changes after a position are no longer kept."""

    code = "CURSOR_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "after: the changes after this cursor are no longer kept; read the rows anew, then go on from a new cursor.",
            argument="after",
        )


async def led(connection: Connection) -> bool:
    """Whether this connection leads from now on, until it is closed."""
    won: bool = await connection.fetchval(_TRY)
    return won


async def begin_epoch(connection: Connection) -> None:
    """Begins an epoch, unless this server, as it was started, has begun one already: before any position is given."""
    await connection.execute(_BEGIN)


async def settled(connection: Connection) -> int:
    """The id up to which, as was last written down, every change has its position."""
    found: int = await connection.fetchval(_SETTLED)
    return found


async def settle(connection: Connection, id: int) -> None:
    """Writes down up to which id the log is settled."""
    await connection.execute(_SETTLE, id)


async def move(
    connection: Connection, known: Known, limit: int, *, marking: bool = False, seconds: float | None = None
) -> Moved:
    """Gives the next positions to the lowest ids that are committed and have none; what is known tells where to look.

    It tells where the log stands by a number of its own, if it gives any or is asked to. It may take longer than other
    statements if it is said how long."""
    ids, xids = [each.id for each in known.marks], [str(each.xid) for each in known.marks]
    given = known.settled, known.reached, ids, xids, known.snapshot, limit, marking
    found = await connection.fetchrow(_MOVE, *given, timeout=seconds)
    assert found is not None
    return Moved(*found.values())


async def standing(connection: Connection) -> Standing:
    """Where the order of changes stands now."""
    found = await connection.fetchrow(_STANDING)
    assert found is not None
    *older, epoch = found["epochs"]
    return Standing(epoch, found["head"], found["least_position"], dict(zip(older, found["begins"][1:], strict=True)))


async def read(connection: Connection, after: int, limit: int) -> list[asyncpg.Record]:
    """The changes at the positions that follow, with all that the log knows of them, and the newest epoch.

    Raises Forgotten when the first of them is no longer kept."""
    return await _page(connection, _READ, after, limit)


async def heads(connection: Connection, after: int, limit: int, *, placed: bool = False) -> list[asyncpg.Record] | None:
    """The same changes, as far as it takes to know whom they concern: without their images. None when there is no such
    position any more: the database was put back.

    For who asks again and again: the days of the log are opened only when there is something in them, or when it is
    known that something was placed."""
    if not placed:
        news = await connection.fetchrow(_NEWS)
        assert news is not None
        if news["head"] < after:
            return None
        if news["head"] <= after and after + 1 >= news["least_position"]:
            return []
    return await _page(connection, _HEADS, after, limit)


async def since(connection: Connection, moment: datetime) -> int:
    """The position behind which the changes lie that were made since a moment, as far as they are kept."""
    ends = await connection.fetchrow(_ENDS)
    assert ends is not None
    low, high = ends["first"] or 0, (ends["last"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = await connection.fetchrow(_NEAR, middle)
        if found is None or found["at"] >= moment:
            high = middle
        else:
            low = found["id"] + 1
    place: int | None = await connection.fetchval(_PLACE, low)
    news = await connection.fetchrow(_NEWS)
    assert news is not None
    least: int = news["least_position"] - 1
    return max(news["head"] if place is None else place - 1, least)


async def _page(connection: Connection, statement: str, after: int, limit: int) -> list[asyncpg.Record]:
    found = await connection.fetch(statement, after, limit)
    if after + 1 < found[0]["least_position"]:
        raise Forgotten
    return [each for each in found if each["position"] is not None]
