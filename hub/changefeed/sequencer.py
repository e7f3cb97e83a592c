"""The sequencer: assigns each change its position. One process leads at a time, elected by an advisory lock.

A leader that loses its connection loses the lock, and another process takes over. watermark.py decides where a batch
looks; docs/decisions/0010-positions.md explains the guarantees. The leader also chains the audit log (audit_chain.py)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

from hub.changefeed.audit_chain import AuditChain, load_audit_key
from hub.changefeed.watermark import Watermark
from hub.db import audit_log, change_positions
from hub.db.backend_priority import lower_priority, runs_here
from hub.db.database_errors import is_connection_lost
from hub.db.pool import Connection, connect_dedicated
from hub.observability import (
    ChangesSequenced,
    Event,
    InternalFailure,
    LeadershipAcquired,
    LeadershipLost,
    RequestDone,
    add_handler,
    emit,
)
from hub.settings import Settings

BATCH_LIMIT = 5_000  # changes per batch, so that each transaction stays short
MIN_INTERVAL, MAX_INTERVAL = 0.01, 0.05  # seconds between batches
BACKOFF_FACTOR = 1.5  # growth of the interval while there are no changes
# Changes per second for each second of pause: under load, longer pauses let more changes share the cost of a batch.
CHANGES_PER_PAUSE = 50_000
LEADER_RETRY_INTERVAL = 0.5  # seconds between attempts of a standby to become the leader
# Seconds between saves of the watermark: each save leaves a dead row for as long as an old snapshot is open.
WATERMARK_SAVE_INTERVAL = 5.0
AUDIT_INTERVAL = 0.5  # seconds between looks whether something waits to be chained to the audit log
AUDIT_RETRY_INTERVAL = 5.0  # seconds after a failure to chain: what waits stays
SHUTDOWN_TIMEOUT = 2.0  # seconds that the running batch has to end
# Seconds for a new leader's first batch, which scans the log from the saved watermark; later batches are short.
FIRST_BATCH_TIMEOUT = 61.0


def poll_interval(changes: int, seconds: float) -> float:
    """Returns the seconds to wait after a batch of `changes` that arrived within `seconds`."""
    return min(MAX_INTERVAL, max(MIN_INTERVAL, changes / max(seconds, MIN_INTERVAL) / CHANGES_PER_PAUSE))


class Sequencer:
    """Leads, or waits as a standby."""

    def __init__(self, dsn: str, settings: Settings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._wake_event = asyncio.Event()
        self._stopping = False
        self.is_leader = False

    def wake(self) -> None:
        """Starts the next batch soon, because something was committed. Without it, the next poll finds the change."""
        if self.is_leader:
            self._wake_event.set()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, RequestDone) and event.operation == "mutation":
            self.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Sequencer"]:
        """Competes for leadership and leads in the background while the body runs."""
        task = asyncio.create_task(self._run())
        remove_handler = add_handler(self._on_event, RequestDone)
        try:
            yield self
        finally:
            remove_handler()
            self._stopping = True
            self._wake_event.set()
            await asyncio.wait((task,), timeout=SHUTDOWN_TIMEOUT)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                connection = await connect_dedicated(self._dsn, self._settings, change_positions.SEQUENCER_SESSION)
            except Exception:
                # The database is unavailable. Requests report that; the sequencer only retries.
                await self._pause(LEADER_RETRY_INTERVAL)
                continue
            try:
                await self._wait_for_leadership(connection)
                await connection.close(timeout=1)
            except Exception as error:
                # The connection's state is unknown after any error. Closing it also releases the lock.
                if self.is_leader:
                    emit(LeadershipLost(str(error) or type(error).__name__))
                elif not is_connection_lost(error):  # else the server ended the session: the next one competes again
                    emit(InternalFailure("", "competing for leadership", error))
                self.is_leader = False
                connection.terminate()
                await self._pause(LEADER_RETRY_INTERVAL)
            except BaseException:
                connection.terminate()
                raise

    async def _wait_for_leadership(self, connection: Connection) -> None:
        """Tries to acquire leadership, then leads; returns when the sequencer stops."""
        while not self._stopping:
            if await change_positions.try_lead(connection):
                await change_positions.begin_epoch(connection)
                watermark = Watermark(await change_positions.read_watermark(connection))
                self.is_leader = True
                emit(LeadershipAcquired(watermark.settled))
                audit_task = asyncio.create_task(self._chain_audit_log())
                try:
                    await self._run_as_leader(connection, watermark)
                finally:
                    audit_task.cancel()
                    await asyncio.gather(audit_task, return_exceptions=True)
                self.is_leader = False
                return
            await self._pause(LEADER_RETRY_INTERVAL)

    async def _run_as_leader(self, connection: Connection, watermark: Watermark) -> None:
        saved_at = started = monotonic()
        saved_id, pause = watermark.settled, MIN_INTERVAL
        seconds: float | None = FIRST_BATCH_TIMEOUT
        draw_xid = False
        while not self._stopping:
            started, previous_start = monotonic(), started
            batch = await change_positions.assign_positions(
                connection, watermark, BATCH_LIMIT, draw_xid=draw_xid, timeout_seconds=seconds
            )
            seconds = None
            watermark.update(batch, BATCH_LIMIT)
            if batch.age is not None:
                emit(ChangesSequenced(batch.changes, batch.age))
            draw_xid = batch.drawn > watermark.last_covered_id
            if watermark.settled > saved_id and monotonic() - saved_at >= WATERMARK_SAVE_INTERVAL:
                await change_positions.save_watermark(connection, watermark.settled)
                saved_id, saved_at = watermark.settled, monotonic()
            min_pause = poll_interval(batch.changes, started - previous_start)
            pause = min_pause if batch.changes else min(MAX_INTERVAL, pause * BACKOFF_FACTOR)
            if batch.changes < BATCH_LIMIT:
                await self._pause(pause, min_pause)
        await change_positions.save_watermark(connection, watermark.settled)

    async def _chain_audit_log(self) -> None:
        """Chains the audit log until it is cancelled. A former leader may still chain: the head's row lock orders the two."""
        while True:
            try:
                connection = await connect_dedicated(self._dsn, self._settings, change_positions.AUDIT_SESSION)
            except Exception:
                await asyncio.sleep(LEADER_RETRY_INTERVAL)
                continue
            try:
                if runs_here(self._dsn):
                    lower_priority(connection.get_server_pid())  # what waits is in the log already; clients go first
                chain = AuditChain(await self._read_audit_key())
                while True:
                    while await audit_log.has_waiting(connection) and await chain.run_batch(connection):
                        pass
                    await asyncio.sleep(AUDIT_INTERVAL)
            except Exception as error:
                if not connection.is_closed():  # else the database is away, which the requests report
                    emit(InternalFailure("", "chaining the audit log", error))
                await asyncio.sleep(AUDIT_RETRY_INTERVAL if not connection.is_closed() else LEADER_RETRY_INTERVAL)
            finally:
                connection.terminate()

    async def _read_audit_key(self) -> bytes:
        connection = await connect_dedicated(self._dsn, self._settings, change_positions.AUDIT_SESSION, as_owner=True)
        try:
            return await load_audit_key(connection, self._settings)
        finally:
            connection.terminate()

    async def _pause(self, seconds: float, min_seconds: float = MIN_INTERVAL) -> None:
        """Waits `seconds` or until wake(), but at least `min_seconds`, so that frequent wake-ups do not cause a busy loop."""
        await asyncio.sleep(min_seconds)
        if seconds > min_seconds and not self._stopping:
            with suppress(TimeoutError):  # not wait_for, which may swallow a cancellation
                async with asyncio.timeout(seconds - min_seconds):
                    await self._wake_event.wait()
        self._wake_event.clear()
