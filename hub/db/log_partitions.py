"""Daily partitions of the change log: created ahead of time and dropped after retention. hub/scheduler.py calls this.

SQL functions from migrations/ create and drop the tables; they give up rather than wait long for a lock."""

from datetime import date, timedelta

from hub.db.audit_log import last_audited
from hub.db.change_positions import read_watermark
from hub.db.pool import Connection, Pool

DAYS_AHEAD = 3  # today and the next two
DELETE_BATCH = 10_000  # rows deleted at once

_RAISE_STATEMENT_TIMEOUT, MAINTENANCE_SECONDS = "set local statement_timeout = '60s'", 61.0  # a day may hold millions
_CREATE_PARTITION = "select hub_make_day($1)"
_DROP_PARTITION = "select hub_drop_day($1, $2)"
_OLD_PARTITIONS = r"""
select to_date(right(relname, 8), 'YYYYMMDD') as day from pg_inherits join pg_class on pg_class.oid = inhrelid
where inhparent = 'change_log'::regclass and relname ~ '^change_log_\d{8}$'
    and to_date(right(relname, 8), 'YYYYMMDD') < $1
order by day
"""
_LAST_DROPPED = """
select max(o.position) as position, max(l.at) as at
from change_log as l join change_order as o on o.id = l.id where l.day < $1 and l.id <= $2
"""
_RAISE_LEAST_POSITION = """
update change_feed set least_position = greatest(least_position, $1), forgotten = greatest(forgotten, $2)
"""
_DELETE_OLD_CHANGES = f"""
delete from change_log_default where ctid = any(array(
    select ctid from change_log_default where day < $1 and id <= $2 limit {DELETE_BATCH}
))
"""
_DELETE_OLD_POSITIONS = f"""
delete from change_order where position in (
    select o.position from change_order as o, change_feed as feed
    where o.position < feed.least_position and o.id <= $1 order by o.position limit {DELETE_BATCH}
)
"""


async def create_partitions(pool: Pool, today: date) -> None:
    """Creates the partitions of today and the days ahead, unless the default partition already holds rows of that day."""
    async with pool.owner_connection() as connection:
        for offset in range(DAYS_AHEAD):
            await connection.fetchval(_CREATE_PARTITION, today + timedelta(days=offset))


async def drop_partitions(pool: Pool, before: date) -> None:
    """Drops changes of days before a date. First raises the least readable position, so that readers get CURSOR_EXPIRED.

    Every step is limited to ids below the watermark read first, so no change is dropped before it has a position
    and an entry in the audit log."""
    async with pool.transaction() as tx:
        await tx.execute(_RAISE_STATEMENT_TIMEOUT)
        watermark = min(await read_watermark(tx), await last_audited(tx))
        last_dropped = await tx.fetchrow(_LAST_DROPPED, before, watermark, timeout=MAINTENANCE_SECONDS)
        if last_dropped is not None and last_dropped["position"] is not None:
            await tx.execute(_RAISE_LEAST_POSITION, last_dropped["position"] + 1, last_dropped["at"])
    async with pool.owner_connection() as connection:
        for partition in await connection.fetch(_OLD_PARTITIONS, before):
            await connection.fetchval(_DROP_PARTITION, partition["day"], watermark)
        await _delete_in_batches(connection, _DELETE_OLD_CHANGES, before, watermark)
        await _delete_in_batches(connection, _DELETE_OLD_POSITIONS, watermark)


async def _delete_in_batches(connection: Connection, delete_sql: str, *arguments: object) -> None:
    while await connection.execute(delete_sql, *arguments) == f"DELETE {DELETE_BATCH}":
        pass
