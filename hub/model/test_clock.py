"""A test clock: the time stands still until somebody advances it. Its one row is the same for all processes.

A database whose clock was advanced beyond the real time has rows of the future; hub/doctor.py warns of it."""

from datetime import UTC, datetime

import sqlalchemy as sa

from hub.db.pool import Connection, Pool
from hub.model.columns import metadata, timestamp
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource

TestClockRow = sa.Table(
    "test_clock",
    metadata,
    sa.Column("id", sa.Boolean, primary_key=True, server_default=sa.true(), comment="True: there is one row."),
    sa.Column("now", timestamp(), nullable=False, comment="The time that requests and timers have."),
    sa.CheckConstraint("id", name="one_row"),
    comment="The test clock of a hub that runs with HUB_CLOCK=test.",
)
_START = "insert into test_clock (now) values ($1) on conflict do nothing"
_READ = "select now from test_clock"
_ADVANCE = "insert into test_clock (now) values ($1) on conflict (id) do update set now = greatest(test_clock.now, $1)"


class TestClock(TimeSource):
    """The time of the database's test clock, which begins at `start` the first time."""

    __test__ = False  # no test, whatever its name
    is_test = True

    def __init__(self, pool: Pool, now: datetime) -> None:
        self._pool = pool
        self._now = now

    @classmethod
    async def open(cls, pool: Pool, start: datetime | None) -> "TestClock":
        """The clock of a database; a new one begins at `start`, or now."""
        async with pool.connection() as connection:
            await connection.execute(_START, start or datetime.now(UTC))
            return cls(pool, await connection.fetchval(_READ))

    def now(self) -> datetime:
        """The time that this process read last."""
        return self._now

    def timestamp(self) -> float:
        """The same in seconds since the Unix epoch."""
        return self._now.timestamp()

    async def read(self) -> datetime:
        """The time, read from the database."""
        async with self._pool.connection() as connection:
            self._now = await connection.fetchval(_READ) or self._now
        return self._now

    async def advance(self, moment: datetime) -> None:
        """Moves the clock forward; a moment in its past leaves it where it is."""
        async with self._pool.connection() as connection:
            await connection.execute(_ADVANCE, moment)
        await self.read()


async def open_time_source(settings: Settings, pool: Pool) -> TimeSource:
    """The time of a hub with these settings: the machine's, or that of its database's test clock."""
    return REAL_TIME if settings.clock == "real" else await TestClock.open(pool, settings.clock_start)


async def stored_time(connection: Connection) -> datetime | None:
    """The time of a database's test clock; None if it never had one."""
    moment: datetime | None = await connection.fetchval(_READ)
    return moment
