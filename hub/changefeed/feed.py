"""Reads changes in their order: pages of them for queries, and what streams go on from. Who gives positions is sequencer.py's.

A cursor is opened, checked and written here; what is told of a change is the engine's."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from hub.changefeed import control_messages
from hub.changefeed.cursors import Cursors, resumed
from hub.db import change_positions
from hub.db.change_positions import Standing
from hub.db.pool import Pool
from hub.engine.execution.subscriptions import Watch

SCAN = 2_000  # changes looked at at once, to find those that concern a stream
RUN = 200  # and told at once
MOST_SCANNED = 100_000  # per page, if the page can say how far it came


class Head(NamedTuple):
    """A change without its images: what it takes to know whom it concerns."""

    position: int
    table: str
    row: UUID
    customer: UUID | None
    former: UUID | None  # whose the row was, if this change made it another's


def concerns(watch: Watch, head: Head) -> bool:
    """Whether a change may have to be told; the statement decides."""
    reach, keys, customer = watch.reach, watch.keys, watch.customer
    if head.table not in reach.anywhere:
        return False
    if keys is not None and head.row not in keys:
        return False
    return customer in (None, head.customer, head.former) or (head.customer is None and watch.bound)


def nobody(_: int, __: int) -> None:
    """Nobody has to know."""


class Feed:
    """The order of changes, as one process reads it. `mark` stands for a cursor that is not known yet; nobody is told it.

    Who looks again and again does so through a `log` of its own, whose session is `positions.READING`, and tells of what
    there is through another pool, whose session is `positions.TELLING`."""

    def __init__(self, pool: Pool, cursors: Cursors, log: Pool | None = None, telling: Pool | None = None) -> None:
        self.pool = pool
        self._log = log or pool
        self._telling = telling or pool
        self.mark = secrets.token_hex(16)
        self._cursors = cursors
        self._standing = Standing(0, 0, 1, {})
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[Standing] | None = None
        # Told behind which position changes are lost that were known here, and the first that can still be read.
        self.forked: Callable[[int, int], None] = nobody

    async def refresh(self) -> Standing:
        """Where the order stands now."""
        async with self._log.reading() as connection:
            found = await change_positions.standing(connection)
        before = self._standing
        if found.epoch in before.ended:
            return found  # it was read before the newest epoch began, and came late
        same = found.epoch == before.epoch
        self._standing = found._replace(head=max(found.head, before.head)) if same else found
        if not same and before.head > (end := found.ended.get(before.epoch, -1)):
            self.forked(end, found.least_position)
        return found

    async def behind(self, cursor: str) -> int:
        """The position that a cursor stands for. Raises BadInput for one that is no good."""
        epoch, position = self._cursors.opened(cursor, "after")
        return resumed(await self._looked(), epoch, position)

    async def _looked(self) -> Standing:
        """Where the order stands after this was asked for: a crowd that asks at once waits for the same look."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
            self._next.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # nobody may be left to be told
        return await asyncio.shield(self._next)

    async def _look(self) -> Standing:
        async with self._looking:  # the look before has ended
            self._next = None  # whoever asks from now on waits for the next one
            return await self.refresh()

    def cursor(self, position: int) -> str:
        """The cursor of a position that was read here; always the same."""
        return self._cursors.sealed(self._standing.epoch_of(position), position)

    async def cursor_at(self, position: int) -> str:
        """The same for a position that was read elsewhere: it may be of an epoch that began since."""
        if position > self._standing.head:
            await self.refresh()
        return self.cursor(position)

    async def since(self, position: int, limit: int = SCAN, *, placed: bool = False) -> list[Head]:
        """The changes behind a position, told quicker if some are sure to be; raises Forgotten when they are no longer kept."""
        async with self._log.reading() as connection:
            rows = await change_positions.heads(connection, position, limit, placed=placed)
        if rows is None:  # the database was put back
            await self.refresh()
            return []
        if rows:
            await self._learn(rows[-1]["epoch"], rows[-1]["position"])
        return [
            Head(*(each[name] for name in ("position", "table_name", "row_id", "customer_id", "former")))
            for each in rows
        ]

    async def _learn(self, epoch: int, head: int) -> None:
        """A server that was started again has begun another epoch, in which the positions since then are given."""
        if epoch != self._standing.epoch:
            await self.refresh()
        elif head > self._standing.head:
            self._standing = self._standing._replace(head=head)

    async def told(self, watch: Watch, wanted: Sequence[int]) -> list[tuple[int, bytes]]:
        """The messages of the changes at some positions, with marks in them."""
        cursors = [self.cursor(each) for each in wanted]
        return await watch.told(self._telling, wanted, cursors, self.mark, datetime.now(UTC))

    def marked(self, message: bytes, cursor: str) -> bytes:
        """The message with the cursor that was not known."""
        return message.replace(self.mark.encode(), cursor.encode())

    async def page(self, watch: Watch) -> list[bytes]:
        """A page of messages; of all changes that are kept when it begins behind no cursor."""
        after = watch.after
        position = (await self.refresh()).least_position - 1 if after is None else await self.behind(after)
        previous, found, scanned = self.cursor(position), list[bytes](), 0
        while len(found) < watch.size:
            heads = await self.since(position)
            if not heads:
                return [*found, *control_messages.ready(watch.messages, self.cursor(position))]
            wanted = [head.position for head in heads if concerns(watch, head)]
            for at in range(0, len(wanted), RUN):
                for position, message in await self.told(watch, wanted[at : at + RUN]):
                    found.append(self.marked(message, previous))
                    previous = self.cursor(position)
                    if len(found) == watch.size:
                        return found
            position = heads[-1].position
            scanned += len(heads)
            if scanned >= MOST_SCANNED and (told := control_messages.progress(watch.messages, self.cursor(position))):
                return [*found, *told]
        return found
