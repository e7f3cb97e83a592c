"""Reads the change feed by position: pages for queries, batches for streams. sequencer.py assigns the positions.

This module verifies and creates cursors; the engine renders the messages."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from hub.changefeed import control_messages
from hub.changefeed.cursors import ChangeCursors, resume_position
from hub.db import change_positions
from hub.db.change_positions import FeedState, MatchingChanges, ScanFilter
from hub.db.fair_queue import FairQueue
from hub.db.pool import Pool
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.model.projections import ChangedRow
from hub.time_source import REAL_TIME, TimeSource

SCAN_BATCH = 2_000  # change headers per read, from which a stream picks the relevant ones
RENDER_BATCH = 200  # changes rendered by one statement
MAX_SCANNED = 100_000  # changes per page, if the page can report its progress
PROJECTED = ("table_name", "row_id", "operation", "customer_id", "former", "changed")
MAX_SCANS = 2  # pages of the log that are scanned for queries at the same time; one flow scans one


class ChangeHeader(NamedTuple):
    """A change without its row images: enough to route it."""

    position: int
    table: str
    row_id: UUID
    customer_id: UUID | None
    former_customer_id: UUID | None  # the previous owner, if this change moved the row to another customer


class ProjectedChange(NamedTuple):
    """A change as projections apply it, with its position and the time at which it was written."""

    position: int
    written_at: datetime
    row: ChangedRow


def may_concern(source: SubscriptionSource, header: ChangeHeader) -> bool:
    """Whether the change may match the source. The compiled statement makes the final decision."""
    dependencies, row_ids, customer_id = source.dependencies, source.row_ids, source.customer_id
    if header.table not in dependencies.any_row:
        return False
    if row_ids is not None and header.row_id not in row_ids:
        return False
    return customer_id in (None, header.customer_id, header.former_customer_id) or (
        header.customer_id is None and source.bound
    )


def ignore(_: int, __: int) -> None:
    """The default fork handler: does nothing."""


class ChangeFeed:
    """One process's view of the change feed.

    A rendered message contains `previous_cursor_placeholder`, which the sender replaces with the previous cursor.

    Processes that poll pass a `log_pool` with the session settings `change_positions.CHANGEFEED_SESSION`. They render
    through a `render_pool` with `change_positions.MESSAGE_SESSION`."""

    def __init__(
        self,
        pool: Pool,
        cursors: ChangeCursors,
        log_pool: Pool | None = None,
        render_pool: Pool | None = None,
        time_source: TimeSource = REAL_TIME,
    ) -> None:
        self.pool = pool
        self.time_source = time_source
        self._log_pool = log_pool or pool
        self._render_pool = render_pool or pool
        self.previous_cursor_placeholder = secrets.token_hex(16)
        self._cursors = cursors
        self._state = FeedState(0, 0, 1, {})
        self._refresh_lock = asyncio.Lock()
        self._scans = FairQueue(MAX_SCANS, share=1)
        self._next_refresh: asyncio.Task[FeedState] | None = None
        # Called after a restore, with the last position that is still valid and the first that can still be read.
        self.on_fork: Callable[[int, int], None] = ignore

    async def refresh(self) -> FeedState:
        """Reads the feed's current state."""
        async with self._log_pool.client_connection() as connection:
            state = await change_positions.feed_state(connection)
        previous = self._state
        if state.epoch in previous.epoch_ends:
            return state  # a late result, read before the newest epoch began
        same_epoch = state.epoch == previous.epoch
        self._state = (
            state._replace(last_position=max(state.last_position, previous.last_position)) if same_epoch else state
        )
        if not same_epoch and previous.last_position > (epoch_end := state.epoch_ends.get(previous.epoch, -1)):
            self.on_fork(epoch_end, state.least_position)
        return state

    async def position_at_cursor(self, cursor: str) -> int:
        """Returns the position of a cursor; raises BadInput if the feed cannot resume from it."""
        epoch, position = self._cursors.decode(cursor, "after")
        return resume_position(await self._shared_refresh(), epoch, position)

    async def _shared_refresh(self) -> FeedState:
        """Reads the feed's state after this call began. Concurrent callers share one read."""
        if self._next_refresh is None:
            self._next_refresh = asyncio.create_task(self._exclusive_refresh())
            self._next_refresh.add_done_callback(
                lambda refresh: refresh.cancelled() or refresh.exception()
            )  # retrieves the exception even if no caller awaits it any more
        return await asyncio.shield(self._next_refresh)

    async def _exclusive_refresh(self) -> FeedState:
        async with self._refresh_lock:  # the previous read has ended
            self._next_refresh = None  # later callers wait for the next read
            return await self.refresh()

    def cursor(self, position: int) -> str:
        """Returns the cursor of a position that this feed has read. The result is deterministic."""
        return self._cursors.encode(self._state.epoch_of(position), position)

    def stable_name(self, position: int) -> str:
        """Returns a name of a position that no upgrade changes, for ids of deliveries. Clients must not see it."""
        return self._cursors.signed_only(self._state.epoch_of(position), position)

    async def cursor_at(self, position: int) -> str:
        """Returns the cursor of a position that was read elsewhere, perhaps in an epoch that began since."""
        if position > self._state.last_position:
            await self.refresh()
        return self.cursor(position)

    async def headers_after(
        self, position: int, limit: int = SCAN_BATCH, *, sequenced: bool = False
    ) -> list[ChangeHeader]:
        """Returns the changes after a position; raises CursorExpired if they are no longer stored.

        `sequenced` says that new changes exist, which allows a faster read."""
        async with self._log_pool.client_connection() as connection:
            rows = await change_positions.read_headers(connection, position, limit, assigned=sequenced)
        if rows is None:  # the database was restored
            await self.refresh()
            return []
        if rows:
            await self._note_last_position(rows[-1]["epoch"], rows[-1]["position"])
        return [
            ChangeHeader(*(row[name] for name in ("position", "table_name", "row_id", "customer_id", "former")))
            for row in rows
        ]

    async def projected_changes(self, position: int, limit: int) -> list[ProjectedChange]:
        """Returns the changes after a position for projections; raises CursorExpired if they are no longer stored."""
        async with self._log_pool.client_connection() as connection:
            rows = await change_positions.read_projected(connection, position, limit)
        return [
            ProjectedChange(row["position"], row["at"], ChangedRow(*(row[name] for name in PROJECTED))) for row in rows
        ]

    async def _note_last_position(self, epoch: int, last_position: int) -> None:
        """Records the last position. A restarted sequencer begins a new epoch, which requires a refresh."""
        if epoch != self._state.epoch:
            await self.refresh()
        elif last_position > self._state.last_position:
            self._state = self._state._replace(last_position=last_position)

    async def render(self, source: SubscriptionSource, log_positions: Sequence[int]) -> list[tuple[int, bytes]]:
        """Renders the changes at the positions as messages, with a placeholder for the previous cursor.

        The source's account pays for the time. While it is in debt, the changes wait in the log."""
        cursors = [self.cursor(position) for position in log_positions]
        now = self.time_source.now()
        rendering = (self._render_pool, log_positions, cursors, self.previous_cursor_placeholder, now)
        account = source.account
        if account is None:
            return await source.change_messages(*rendering, source.meter)
        await account.until_solvent()
        meter = account.meter()
        try:
            return await source.change_messages(*rendering, meter)
        finally:
            account.settle(0, meter.points)

    def with_previous_cursor(self, message: bytes, cursor: str) -> bytes:
        """Returns the message with `cursor` in place of the placeholder."""
        return message.replace(self.previous_cursor_placeholder.encode(), cursor.encode())

    async def _matching_after(self, position: int, source: SubscriptionSource) -> MatchingChanges | None:
        dependencies, row_ids = source.dependencies, source.row_ids
        scan_filter = ScanFilter(
            list(dependencies.any_row),
            None if row_ids is None else list(row_ids),
            source.customer_id,
            source.bound,
        )
        async with self._log_pool.for_flow(source.flow, source.meter).client_connection() as connection:
            matching = await change_positions.read_matching(connection, position, SCAN_BATCH, scan_filter)
        if matching is None:  # the database was restored
            await self.refresh()
        elif matching.last is not None:
            await self._note_last_position(matching.epoch, matching.last)
        return matching

    async def page(self, source: SubscriptionSource) -> list[bytes]:
        """Returns one page of messages. Without an `after` cursor it starts at the oldest stored change."""
        after = source.after
        position = (await self.refresh()).least_position - 1 if after is None else await self.position_at_cursor(after)
        previous, page, scanned = self.cursor(position), list[bytes](), 0
        while len(page) < source.page_size:
            async with self._scans.turn(source.flow):
                matching = await self._matching_after(position, source)
            if matching is None or matching.last is None:
                return [*page, *control_messages.ready(source.message_fields, self.cursor(position))]
            relevant_positions = matching.positions
            for start in range(0, len(relevant_positions), RENDER_BATCH):
                for position, message in await self.render(source, relevant_positions[start : start + RENDER_BATCH]):
                    page.append(self.with_previous_cursor(message, previous))
                    previous = self.cursor(position)
                    if len(page) == source.page_size:
                        return page
            position = matching.last
            scanned += matching.scanned
            if scanned >= MAX_SCANNED and (
                progress := control_messages.progress(source.message_fields, self.cursor(position))
            ):
                return [*page, *progress]
        return page
