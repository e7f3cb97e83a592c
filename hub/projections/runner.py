"""Runs projections: applies the changes of the feed, in its order, each page in the transaction that moves the cursor.

Any number of processes may run them side by side: the lock on a projection's row decides which applies a page. A projection
that fails is tried again, later and later; the others go on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic

from hub import graph
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed, ProjectedChange
from hub.db.change_positions import CHANGEFEED_SESSION, CursorExpired
from hub.db.pool import Connection, Pool
from hub.errors import HubError, Unavailable
from hub.model import projection_state
from hub.model.projection_state import ProjectionCursor
from hub.model.projections import Projection, registered_projections
from hub.observability import ChangesSequenced, Event, ProjectionAdvanced, ProjectionFailed, WokenUp, add_handler, emit
from hub.settings import Settings

POLL = 1.0  # seconds between two looks at the feed; changes that this process sequences wake the loop at once
PAGE = 2_000  # changes per read, of which those that concern the projection are applied
SAVE_INTERVAL = 5.0  # seconds between two moves of a cursor past changes that do not concern its projection
RETRY_PAUSE, MAX_RETRY_PAUSE = 0.5, 60.0  # seconds after a first failure, doubled after each further one
# Seconds between two pages, unless one is full: changes that come one after the other are applied together, which costs
# a fraction. The first one after a pause is applied at once.
GATHERING_INTERVAL = 0.2
CONTENDED_PAUSE = 0.05  # seconds while another process applies changes
CONNECTIONS = 2  # for all projections of a process


@asynccontextmanager
async def running_projections(settings: Settings, dsn: str, cursors: ChangeCursors) -> AsyncIterator[None]:
    """Keeps all projections current while the body runs, on connections of their own and of a low priority."""
    graph.declarations()  # which registers the projections
    projections = registered_projections()
    if not projections:
        yield
        return
    own = {"pool_size": CONNECTIONS, "statement_timeout": settings.job_statement_timeout}
    session = {"application_name": "hub-projections", "idle_in_transaction_session_timeout": "60000"}
    pool = Pool(dsn, settings.model_copy(update=own), session, background=True)
    log_pool = Pool(dsn, settings.model_copy(update={"pool_size": 1}), CHANGEFEED_SESSION)
    try:
        async with ProjectionRunner(pool, ChangeFeed(pool, cursors, log_pool), projections).running():
            yield
    finally:
        await log_pool.close()
        await pool.close()


class ProjectionRunner:
    """All projections of one process."""

    def __init__(self, pool: Pool, feed: ChangeFeed, projections: Sequence[Projection]) -> None:
        self._loops = [ProjectionLoop(pool, feed, projection) for projection in projections]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ProjectionRunner"]:
        """Applies changes in the background while the body runs; the page that runs at its end is rolled back or done."""
        tasks = [asyncio.create_task(loop.run()) for loop in self._loops]
        remove_handler = add_handler(self._on_event, ChangesSequenced, WokenUp)
        try:
            yield self
        finally:
            remove_handler()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ChangesSequenced) or (isinstance(event, WokenUp) and event.changes):
            for loop in self._loops:
                loop.wakeup.set()


class ProjectionLoop:
    """One projection in one process."""

    def __init__(self, pool: Pool, feed: ChangeFeed, projection: Projection) -> None:
        self._pool = pool
        self._feed = feed
        self._projection = projection
        self.wakeup = asyncio.Event()
        self._epoch = -1
        self._cursor: ProjectionCursor | None = None  # as this process knows it
        self._scanned_to = -1  # no change between the cursor and this position concerns the projection
        self._saved_at = self._read_at = 0.0
        self._gathers_until = 0.0  # no page is applied before
        self._failures = 0

    async def run(self) -> None:
        """Applies changes until the task is cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self._gathers_until - monotonic()))
            try:
                pause = await self.run_once()
                self._failures = 0
            except Exception as error:
                pause = await self._note_failure(error)
            if pause:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self.wakeup.wait()
            self.wakeup.clear()

    async def run_once(self) -> float:
        """Applies the next page; returns the seconds to wait for another one, 0 if there is more."""
        state = await self._feed.refresh()
        if self._cursor is None or state.epoch != self._epoch:
            self._epoch = state.epoch
            if not await self._open(state.last_position):
                return CONTENDED_PAUSE
        if monotonic() - self._read_at > SAVE_INTERVAL:
            await self._notice_rebuild()
        assert self._cursor is not None
        if self._cursor.rebuilding or self._cursor.edition != self._projection.edition:
            return await self._rebuild(state.last_position)
        if state.last_position <= self._scanned_to:
            return POLL
        try:
            page = await self._feed.projected_changes(self._scanned_to, PAGE)
        except CursorExpired:
            return await self._restart(state.last_position)
        if not page:
            return POLL
        relevant = [change for change in page if self._projection.concerns(change.row)]
        if relevant:
            return await self._apply(page, relevant)
        self._scanned_to = page[-1].position
        if monotonic() - self._saved_at > SAVE_INTERVAL:
            self._saved_at = monotonic()
            async with self._pool.transaction() as tx:
                await projection_state.skip(tx, self._projection.name, self._scanned_to)
        return 0.0 if len(page) == PAGE else POLL

    async def _open(self, last_position: int) -> bool:
        """Reads where the projection is, and begins one that is new; returns False if it cannot be known yet."""
        name = self._projection.name
        async with self._pool.transaction() as tx:
            await projection_state.create(tx, self._projection, last_position)
            cursor = await projection_state.read(tx, name)
        if cursor is None:
            return False
        self._take(cursor)
        return True

    async def _notice_rebuild(self) -> None:
        """Takes the stored cursor if somebody has asked for a rebuild since; there may be no change that would show it."""
        async with self._pool.connection() as connection:
            cursor = await projection_state.read(connection, self._projection.name)
        self._read_at = monotonic()
        if cursor is not None and cursor.rebuilding:
            self._take(cursor)

    def _take(self, cursor: ProjectionCursor) -> None:
        self._cursor = cursor
        self._scanned_to = cursor.position

    async def _apply(self, page: Sequence[ProjectedChange], relevant: Sequence[ProjectedChange]) -> float:
        """Applies changes that no process has applied, and moves the cursor behind them."""
        chosen = relevant[: self._projection.batch]
        end = page[-1].position if len(chosen) == len(relevant) else chosen[-1].position
        async with self._pool.transaction() as tx:
            cursor = await projection_state.claim(tx, self._projection.name)
            if cursor is None:
                return CONTENDED_PAUSE
            if cursor.rebuilding or cursor.edition != self._projection.edition or cursor.position >= end:
                self._take(cursor)  # another process was faster
                return 0.0
            changes = [change for change in chosen if change.position > cursor.position]
            if changes:
                await self._projection.apply(tx, [change.row for change in changes])
            await projection_state.move(tx, self._projection.name, end)
        self._take(cursor._replace(position=end))
        if len(page) < PAGE and len(chosen) == len(relevant):
            self._gathers_until = monotonic() + GATHERING_INTERVAL
        if changes:
            age = (datetime.now(UTC) - changes[0].written_at).total_seconds()
            emit(ProjectionAdvanced(self._projection.name, len(changes), max(0.0, age)))
        return 0.0

    async def _restart(self, last_position: int) -> float:
        """Begins anew, because changes were dropped from the log before they were applied."""
        async with self._pool.transaction() as tx:
            cursor = await projection_state.claim(tx, self._projection.name)
            if cursor is None:
                return CONTENDED_PAUSE
            if self._cursor is not None and cursor.position == self._cursor.position:
                await projection_state.restart(tx, self._projection, last_position)
        self._cursor = None
        return CONTENDED_PAUSE

    async def _rebuild(self, last_position: int) -> float:
        """Derives the rows of the next keys from nothing."""
        projection = self._projection
        async with self._pool.transaction() as tx:
            cursor = await projection_state.claim(tx, projection.name)
            if cursor is None:
                return CONTENDED_PAUSE
            if cursor.edition > projection.edition:  # a newer hub runs beside this one, and keeps it current
                return POLL
            if cursor.edition < projection.edition:
                await projection_state.restart(tx, projection, last_position)
            elif cursor.rebuilding:
                await self._rebuild_batch(tx, cursor)
        self._cursor = None
        return 0.0

    async def _rebuild_batch(self, tx: Connection, cursor: ProjectionCursor) -> None:
        rebuild = self._projection.rebuild
        last = None if rebuild is None else await rebuild(tx, cursor.rebuilt_to)
        await projection_state.move(
            tx, self._projection.name, cursor.position, rebuilding=last is not None, rebuilt_to=last
        )

    async def _note_failure(self, error: Exception) -> float:
        """Records a failure; returns the seconds to wait. The page was rolled back, so that nothing is lost."""
        self._cursor = None
        self._failures += 1
        pause: float = min(MAX_RETRY_PAUSE, RETRY_PAUSE * 2 ** min(self._failures - 1, 10))
        if isinstance(error, Unavailable):
            return min(pause, 1.0)
        code = error.code if isinstance(error, HubError) else "INTERNAL"
        text = " ".join(f"{code}: {type(error).__name__}: {error}".split())[: projection_state.MAX_ERROR_LENGTH]
        emit(ProjectionFailed(self._projection.name, self._failures, text))
        with suppress(Exception):  # the database is away: the next attempt says so
            async with self._pool.transaction() as tx:
                await projection_state.record_failure(tx, self._projection.name, text)
        return pause
