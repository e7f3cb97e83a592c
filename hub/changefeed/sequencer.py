"""Gives every change its position, in one of all processes at a time: the one whose connection holds the lock.

Whoever loses the connection leads no longer, and another one takes over. Where a move looks is horizon.py's; why positions
are what they promise to be, docs/decisions/0010-positions.md."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

from hub.changefeed.watermark import Horizon
from hub.db import change_positions
from hub.db.pool import Connection, own
from hub.observability import Failed, LeadLost, LeadTaken, Placed, Record, RequestDone, listen, tell
from hub.settings import Settings

LIMIT = 5_000  # changes per move, so that each stays short
BUSY, IDLE, SLOWER = 0.01, 0.05, 1.5  # least and most seconds between moves; how fast they grow when nothing happens
PACE = 50_000  # changes a second for each second of pause: the more there are, the more of them share what a move costs
CANDIDATE = 0.5  # seconds after which one that does not lead tries again
WRITING = 5.0  # seconds between notes of what is settled: each is a dead row for as long as an old snapshot is open
FAREWELL = 2.0
FIRST = 61.0  # seconds that the first move of a lead may take, which looks through all that came since; later ones are short


def pace(changes: int, seconds: float) -> float:
    """Seconds to wait after a move that found so many changes of so long a time."""
    return min(IDLE, max(BUSY, changes / max(seconds, BUSY) / PACE))


class Sequencer:
    """Leads, or waits for its turn to."""

    def __init__(self, dsn: str, settings: Settings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._woken = asyncio.Event()
        self._stopping = False
        self.leads = False

    def wake(self) -> None:
        """Something was committed: look soon. Positions come without it too, a little later."""
        if self.leads:
            self._woken.set()

    def _hear(self, record: Record) -> None:
        if isinstance(record, RequestDone) and record.operation == "mutation":
            self.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Sequencer"]:
        """Leads or stands by while the body runs, which does not wait for it."""
        task = asyncio.create_task(self._run())
        unlisten = listen(self._hear)
        try:
            yield self
        finally:
            unlisten()
            self._stopping = True
            self._woken.set()
            await asyncio.wait((task,), timeout=FAREWELL)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                connection = await own(self._dsn, self._settings, change_positions.SESSION)
            except Exception:
                # The database is away, and everybody who asks it is told so; here it is enough to try again.
                await self._pause(CANDIDATE)
                continue
            try:
                await self._stand(connection)
                await connection.close(timeout=1)
            except Exception as error:
                # Whatever it was, this connection is not to be trusted any more, and with it goes the lock.
                tell(
                    LeadLost(str(error) or type(error).__name__) if self.leads else Failed("", "asking to lead", error)
                )
                self.leads = False
                connection.terminate()
                await self._pause(CANDIDATE)
            except BaseException:
                connection.terminate()
                raise

    async def _stand(self, connection: Connection) -> None:
        """Asks for the lead until it has it, then leads; returns when it is to stop."""
        while not self._stopping:
            if await change_positions.led(connection):
                await change_positions.begin_epoch(connection)
                horizon = Horizon(await change_positions.settled(connection))
                self.leads = True
                tell(LeadTaken(horizon.settled))
                await self._lead(connection, horizon)
                self.leads = False
                return
            await self._pause(CANDIDATE)

    async def _lead(self, connection: Connection, horizon: Horizon) -> None:
        written = looked = monotonic()
        noted, pause = horizon.settled, BUSY
        seconds: float | None = FIRST
        marking = False
        while not self._stopping:
            looked, before = monotonic(), looked
            moved = await change_positions.move(connection, horizon, LIMIT, marking=marking, seconds=seconds)
            seconds = None
            horizon.learn(moved, LIMIT)
            if moved.age is not None:
                tell(Placed(moved.changes, moved.age))
            marking = moved.drawn > horizon.marked
            if horizon.settled > noted and monotonic() - written >= WRITING:
                await change_positions.settle(connection, horizon.settled)
                noted, written = horizon.settled, monotonic()
            least = pace(moved.changes, looked - before)
            pause = least if moved.changes else min(IDLE, pause * SLOWER)
            if moved.changes < LIMIT:
                await self._pause(pause, least)
        await change_positions.settle(connection, horizon.settled)

    async def _pause(self, seconds: float, least: float = BUSY) -> None:
        """Waits that long, or until it is woken; some of it in any case, so that many who wake it do not keep it busy."""
        await asyncio.sleep(least)
        if seconds > least and not self._stopping:
            with suppress(TimeoutError):  # not wait_for, which may swallow that the task is cancelled
                async with asyncio.timeout(seconds - least):
                    await self._woken.wait()
        self._woken.clear()
