"""Reads changes in their order: pages of them for queries, and what streams go on from. Who gives positions is sequencer.py's.

A cursor is opened, checked and written here; what is told of a change is the engine's."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from hub.changefeed import control_messages
from hub.changefeed.cursors import ChangeCursors, resume_position
from hub.db import change_positions
from hub.db.change_positions import FeedState
from hub.db.pool import Pool
from hub.engine.execution.subscriptions import SubscriptionSource

SCAN_BATCH = 2_000  # changes looked at at once, to find those that concern a stream
RENDER_BATCH = 200  # and told at once
MAX_SCANNED = 100_000  # per page, if the page can say how far it came


class ChangeHeader(NamedTuple):
    """A change without its images: what it takes to know whom it concerns."""

    position: int
    table: str
    row_id: UUID
    customer_id: UUID | None
    former_customer_id: UUID | None  # whose the row was, if this change made it another's


def may_concern(source: SubscriptionSource, header: ChangeHeader) -> bool:
    """Whether a change may have to be told; the statement decides."""
    dependencies, row_ids, customer_id = source.dependencies, source.row_ids, source.customer_id
    if header.table not in dependencies.any_row:
        return False
    if row_ids is not None and header.row_id not in row_ids:
        return False
    return customer_id in (None, header.customer_id, header.former_customer_id) or (
        header.customer_id is None and source.bound
    )


def ignore(_: int, __: int) -> None:
    """Nobody has to know."""


class ChangeFeed:
    """The order of changes, as one process reads it.

    `previous_cursor_placeholder` stands for a cursor that is not known yet; nobody is told it.

    Who looks again and again does so through a `log_pool`, whose session is `change_positions.CHANGEFEED_SESSION`,
    and tells of what there is through a `render_pool`, whose session is `change_positions.MESSAGE_SESSION`."""

    def __init__(
        self, pool: Pool, cursors: ChangeCursors, log_pool: Pool | None = None, render_pool: Pool | None = None
    ) -> None:
        self.pool = pool
        self._log_pool = log_pool or pool
        self._render_pool = render_pool or pool
        self.previous_cursor_placeholder = secrets.token_hex(16)
        self._cursors = cursors
        self._state = FeedState(0, 0, 1, {})
        self._refresh_lock = asyncio.Lock()
        self._next_refresh: asyncio.Task[FeedState] | None = None
        # Told behind which position changes are lost that were known here, and the first that can still be read.
        self.on_fork: Callable[[int, int], None] = ignore

    async def refresh(self) -> FeedState:
        """Where the order stands now."""
        async with self._log_pool.client_connection() as connection:
            state = await change_positions.feed_state(connection)
        previous = self._state
        if state.epoch in previous.epoch_ends:
            return state  # it was read before the newest epoch began, and came late
        same_epoch = state.epoch == previous.epoch
        self._state = (
            state._replace(last_position=max(state.last_position, previous.last_position)) if same_epoch else state
        )
        if not same_epoch and previous.last_position > (epoch_end := state.epoch_ends.get(previous.epoch, -1)):
            self.on_fork(epoch_end, state.least_position)
        return state

    async def position_at_cursor(self, cursor: str) -> int:
        """The position that a cursor stands for. Raises BadInput for one that is no good."""
        epoch, position = self._cursors.decode(cursor, "after")
        return resume_position(await self._shared_refresh(), epoch, position)

    async def _shared_refresh(self) -> FeedState:
        """Where the order stands after this was asked for: a crowd that asks at once waits for the same look."""
        if self._next_refresh is None:
            self._next_refresh = asyncio.create_task(self._exclusive_refresh())
            self._next_refresh.add_done_callback(
                lambda refresh: refresh.cancelled() or refresh.exception()
            )  # nobody may be left to be told
        return await asyncio.shield(self._next_refresh)

    async def _exclusive_refresh(self) -> FeedState:
        async with self._refresh_lock:  # the look before has ended
            self._next_refresh = None  # whoever asks from now on waits for the next one
            return await self.refresh()

    def cursor(self, position: int) -> str:
        """The cursor of a position that was read here; always the same."""
        return self._cursors.encode(self._state.epoch_of(position), position)

    async def cursor_at(self, position: int) -> str:
        """The same for a position that was read elsewhere: it may be of an epoch that began since."""
        if position > self._state.last_position:
            await self.refresh()
        return self.cursor(position)

    async def headers_after(
        self, position: int, limit: int = SCAN_BATCH, *, sequenced: bool = False
    ) -> list[ChangeHeader]:
        """The changes behind a position, told quicker if some are sure to be; raises Forgotten when they are no longer kept."""
        async with self._log_pool.client_connection() as connection:
            rows = await change_positions.read_headers(connection, position, limit, assigned=sequenced)
        if rows is None:  # the database was put back
            await self.refresh()
            return []
        if rows:
            await self._note_last_position(rows[-1]["epoch"], rows[-1]["position"])
        return [
            ChangeHeader(*(row[name] for name in ("position", "table_name", "row_id", "customer_id", "former")))
            for row in rows
        ]

    async def _note_last_position(self, epoch: int, last_position: int) -> None:
        """A server that was started again has begun another epoch, in which the positions since then are given."""
        if epoch != self._state.epoch:
            await self.refresh()
        elif last_position > self._state.last_position:
            self._state = self._state._replace(last_position=last_position)

    async def render(self, source: SubscriptionSource, log_positions: Sequence[int]) -> list[tuple[int, bytes]]:
        """The messages of the changes at some positions, with placeholders in them."""
        cursors = [self.cursor(position) for position in log_positions]
        return await source.change_messages(
            self._render_pool, log_positions, cursors, self.previous_cursor_placeholder, datetime.now(UTC)
        )

    def with_previous_cursor(self, message: bytes, cursor: str) -> bytes:
        """The message with the cursor that was not known."""
        return message.replace(self.previous_cursor_placeholder.encode(), cursor.encode())

    async def page(self, source: SubscriptionSource) -> list[bytes]:
        """A page of messages; of all changes that are kept when it begins behind no cursor."""
        after = source.after
        position = (await self.refresh()).least_position - 1 if after is None else await self.position_at_cursor(after)
        previous, page, scanned = self.cursor(position), list[bytes](), 0
        while len(page) < source.page_size:
            headers = await self.headers_after(position)
            if not headers:
                return [*page, *control_messages.ready(source.message_fields, self.cursor(position))]
            relevant_positions = [header.position for header in headers if may_concern(source, header)]
            for start in range(0, len(relevant_positions), RENDER_BATCH):
                for position, message in await self.render(source, relevant_positions[start : start + RENDER_BATCH]):
                    page.append(self.with_previous_cursor(message, previous))
                    previous = self.cursor(position)
                    if len(page) == source.page_size:
                        return page
            position = headers[-1].position
            scanned += len(headers)
            if scanned >= MAX_SCANNED and (
                progress := control_messages.progress(source.message_fields, self.cursor(position))
            ):
                return [*page, *progress]
        return page
