"""Whether the database has disk space for writes: noticed when a write fails, and tried again until one succeeds."""

from hub.db.database_errors import disk_full
from hub.db.pool import Pool
from hub.errors import HubError
from hub.observability import DiskFull, Event

# Allocates new pages and writes to the log, as any insert may; nothing of it remains.
_TRY_WRITE = """
begin;
create temp table hub_space$ on commit drop as select repeat('x', 1000) as filler from generate_series(1, 1000);
rollback
"""


class DiskSpace:
    """The last known state of the database's disk. It is a handler of events."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._full = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, DiskFull):
            self._full = True

    async def check(self) -> None:
        """Raises Unavailable (DISK_FULL) while writes fail for lack of space; costs nothing while none has failed."""
        if not self._full:
            return
        try:
            async with self._pool.client_connection() as connection:
                try:
                    await connection.execute(_TRY_WRITE)
                except BaseException:
                    await connection.execute("rollback")
                    raise
        except HubError as error:
            raise disk_full() if error.code == "DISK_FULL" else error from None
        self._full = False
