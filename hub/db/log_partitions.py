"""The days that the log of changes is cut into: made ahead, dropped when they are old. When is hub/clock.py's.

The tables themselves are made and dropped by functions of migrations/, which wait for no lock for long."""

from datetime import date, timedelta

from hub.db.pool import Connection, Pool

AHEAD = 3  # today and the next two
SWEEP = 10_000  # rows deleted at once

_PATIENCE, LONGEST = "set local statement_timeout = '60s'", 61.0  # a day may hold millions
_MAKE = "select hub_make_day($1)"
_DROP = "select hub_drop_day($1, $2)"
_SETTLED = "select settled from change_feed"
_OLD = r"""
select to_date(right(relname, 8), 'YYYYMMDD') as day from pg_inherits join pg_class on pg_class.oid = inhrelid
where inhparent = 'change_log'::regclass and relname ~ '^change_log_\d{8}$'
    and to_date(right(relname, 8), 'YYYYMMDD') < $1
order by day
"""
_LATEST = """
select max(o.position) as position, max(l.at) as at
from change_log as l join change_order as o on o.id = l.id where l.day < $1 and l.id <= $2
"""
_RAISE = """
update change_feed set least_position = greatest(least_position, $1), forgotten = greatest(forgotten, $2)
"""
_SWEEP_LOG = f"""
delete from change_log_default where ctid = any(array(
    select ctid from change_log_default where day < $1 and id <= $2 limit {SWEEP}
))
"""
_SWEEP_ORDER = f"""
delete from change_order where position in (
    select o.position from change_order as o, change_feed as feed
    where o.position < feed.least_position and o.id <= $1 order by o.position limit {SWEEP}
)
"""


async def make(pool: Pool, today: date) -> None:
    """Makes today and the days ahead, as far as no row of theirs lies in the default partition already."""
    async with pool.connection() as connection:
        for ahead in range(AHEAD):
            await connection.fetchval(_MAKE, today + timedelta(days=ahead))


async def forget(pool: Pool, before: date) -> None:
    """Drops the changes of older days, as far as they have their positions; who reads is told so first.

    Every step looks only at ids up to what was settled at the beginning, so that nothing goes that has no position."""
    async with pool.transaction() as tx:
        await tx.execute(_PATIENCE)
        settled: int = await tx.fetchval(_SETTLED)
        latest = await tx.fetchrow(_LATEST, before, settled, timeout=LONGEST)
        if latest is not None and latest["position"] is not None:
            await tx.execute(_RAISE, latest["position"] + 1, latest["at"])
    async with pool.connection() as connection:
        for old in await connection.fetch(_OLD, before):
            await connection.fetchval(_DROP, old["day"], settled)
        await _swept(connection, _SWEEP_LOG, before, settled)
        await _swept(connection, _SWEEP_ORDER, settled)


async def _swept(connection: Connection, delete: str, *arguments: object) -> None:
    while await connection.execute(delete, *arguments) == f"DELETE {SWEEP}":
        pass
