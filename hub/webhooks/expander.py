"""Expands webhooks: what a webhook's subscription tells becomes rows of the queue, in the transaction that moves its cursor.

So nothing is lost and nothing queued twice, however many processes do this and whichever dies. Sending is deliver.py's."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from hub.changefeed.feed import RUN, Feed, Head
from hub.db.change_positions import Forgotten
from hub.db.pool import Connection, Pool
from hub.domain.webhooks import queue as queue
from hub.domain.webhooks.queue import Told
from hub.domain.webhooks.webhooks import OWN_NAMES
from hub.engine.execution.subscriptions import Watch
from hub.errors import HubError, Unavailable
from hub.observability import Failed, Placed, Record, RequestDone, listen, tell
from hub.subscriptions.change_streams import AWAY, framed
from hub.webhooks.documents import Documents, told
from hub.webhooks.owners import Owners

POLL = 0.025  # seconds between looks for new changes; what is placed by this very process is looked at at once
LEAST = 0.005
IDLE = 1.0  # seconds between looks for webhooks that are behind for other reasons: resumed, rewound, or held up
SOON = 0.1  # seconds after a mutation, which may have made one
PAGE = 500  # changes looked at for a webhook in one turn
TURNS = 20  # webhooks in one turn, so that its transaction stays short
MOST_WAITING = 10_000  # deliveries of one webhook in the queue; the log is the queue of the rest
LOST = "Some changes were not sent: they are no longer kept."
LARGEST = 262_144  # bytes of a body; of a larger one it is told how to read it

Clock = Callable[[], datetime]


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


class Page(NamedTuple):
    """Changes that some webhooks are told of, and the position that they come to with them."""

    heads: Sequence[Head]
    end: int
    lost: bool = False  # what comes before it is no longer kept


def delivery_id(webhook: UUID, position: int, cursor: str) -> UUID:
    """Always the same for a webhook and a change, whose epoch and position are in the cursor. Ids follow the order of changes."""
    drawn = bytearray((position % 2**48).to_bytes(6) + hashlib.sha256(webhook.bytes + cursor.encode()).digest()[:10])
    drawn[6], drawn[8] = drawn[6] & 0x0F | 0x80, drawn[8] & 0x3F | 0x80  # version 8: of our own making
    return UUID(bytes=bytes(drawn))


def thin(cursor: str, after: str, size: int) -> bytes:
    """What is sent in place of a body that is too large: where to read it."""
    extensions = {"code": "PAYLOAD_TOO_LARGE", "bytes": size, "cursor": cursor, "after": after}
    return orjson.dumps({"data": None, "extensions": extensions})


class Expander:
    """Moves webhooks along the order of changes. `queued` is called when there is something to send."""

    def __init__(
        self, pool: Pool, feed: Feed, documents: Documents, queued: Callable[[], None], clock: Clock = now
    ) -> None:
        self._pool = pool
        self._feed = feed
        self._documents = documents
        self._queued = queued
        self._clock = clock
        self._owners = Owners()
        self._watches: dict[UUID, tuple[object, Watch]] = {}
        self._woken = asyncio.Event()
        self._forced = 0.0
        self._awaited = True  # whether there is any webhook
        self._behind = False  # whether one has not come to the end of what was seen
        # Up to `_looked` all changes are known to this process; those behind `_base` are all of webhooks themselves.
        self._base = self._looked = -1

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Expander"]:
        """Works while the body runs."""
        task = asyncio.create_task(self._run())
        unlisten = listen(self._hear)
        try:
            yield self
        finally:
            unlisten()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _hear(self, record: Record) -> None:
        if isinstance(record, RequestDone) and record.operation == "mutation":
            soon = monotonic() + SOON
            if soon < self._forced:  # not for each of a crowd: one look sees what all of them have made
                self._forced = soon
                self._woken.set()
        elif isinstance(record, Placed) and self._awaited:
            self._woken.set()

    async def _run(self) -> None:
        while True:
            pause = POLL
            try:
                if await self.step():
                    continue
                pause = POLL if self._awaited else max(0.0, self._forced - monotonic())
            except Exception as error:
                # The database is away, or we are at fault: the cursors stand where they stood, and nothing is lost.
                if not isinstance(error, Unavailable):
                    tell(Failed("", "expanding webhooks", error))
                pause = AWAY
            await asyncio.sleep(LEAST)  # so that many who wake it do not keep it busy
            with suppress(TimeoutError):  # not wait_for, which may swallow that the task is cancelled
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()

    async def step(self) -> bool:
        """Queues what is new; whether there may be more."""
        forced = monotonic() >= self._forced
        if forced:
            self._forced = monotonic() + IDLE
            async with self._pool.connection() as connection:
                self._awaited = await queue.awaited(connection)
            if self._awaited:
                await self._check_owners()
        if not self._awaited:
            return False
        news, full = await self._news()
        if forced or self._behind or news.heads:
            self._behind = await self._turn(news)
        return self._behind or full

    async def _news(self) -> tuple[Page, bool]:
        """What came since the last look, without what webhooks changed; whether there may be more."""
        standing = await self._feed.refresh()
        head = standing.head
        # So it is at first, after a long sleep, and in a database that was restored.
        if not standing.least_position - 1 <= self._looked <= head:
            self._base = self._looked = head
        heads = await self._feed.since(self._looked, PAGE) if head > self._looked else []
        others = [each for each in heads if each.table not in OWN_NAMES]
        if heads and not others:
            self._looked = heads[-1].position
        return Page(others, heads[-1].position if heads else self._looked), len(heads) == PAGE

    async def _turn(self, news: Page) -> bool:
        """Moves the webhooks that are farthest behind along; whether there may be more."""
        at = self._clock()
        async with self._pool.transaction() as tx:
            rows = await queue.turns(tx, news.end, MOST_WAITING, TURNS)
            written = await self._written_anew(tx, at)
            if not rows:
                self._base, self._looked = self._seen(news), news.end
                return written
            viewers = await self._owners.look(tx, [row["owner"] for row in rows], at)
            groups: defaultdict[tuple[int, tuple[str, ...]], list[tuple[queue.Row, Watch]]] = defaultdict(list)
            for row in rows:
                watch = await self._watch(tx, row, viewers[row["owner"]], at)
                if watch is not None:
                    groups[self._start(row["position"]), watch.same].append((row, watch))
            pages: dict[int, Page] = {self._looked: news}
            found: list[Told] = []
            places: dict[UUID, tuple[int, int]] = {}
            for (start, _), members in groups.items():
                page = pages[start] = pages.get(start) or await self._page(start)
                for row, _ in members if page.lost else ():
                    await queue.note(tx, row["id"], LOST, at)
                try:
                    found += await self._told(page, members, places)
                except HubError as error:
                    await self._halt(tx, [row["id"] for row, _ in members], error, at)
            if found:
                await queue.add(tx, found, at)
            if places:
                await queue.advance(tx, places)
        if found or written:
            self._queued()
        behind = any(place < news.end for place, _ in places.values())
        self._base, self._looked = self._seen(news), news.end
        return behind or written or len(rows) == TURNS

    def _seen(self, news: Page) -> int:
        """Behind it, up to the end of the news, there are only changes of webhooks themselves."""
        return news.heads[-1].position if news.heads else self._base

    def _start(self, position: int) -> int:
        return self._looked if self._base <= position <= self._looked else position

    async def _page(self, start: int) -> Page:
        try:
            heads = await self._feed.since(start, PAGE)
        except Forgotten:
            return Page((), (await self._feed.refresh()).least_position - 1, lost=True)
        return Page(heads, heads[-1].position if heads else start)

    async def _told(
        self, page: Page, members: Sequence[tuple[queue.Row, Watch]], places: dict[UUID, tuple[int, int]]
    ) -> list[Told]:
        """What the webhooks of a group are told of a page, rendered once for all; notes how far they come."""
        watch = members[0][1]
        heads = {head.position: head for head in page.heads if told(watch, head)}
        wanted, messages = list(heads), list[tuple[int, bytes]]()
        for at in range(0, len(wanted), RUN):
            messages += await self._feed.told(watch, wanted[at : at + RUN])
        found = []
        for row, _ in members:
            before = row["told"]
            for position, message in messages:
                head, cursor = heads[position], self._feed.cursor(position)
                body = self._body(watch, position, message, self._feed.cursor(before))
                lane = head.customer or head.row
                key = delivery_id(row["id"], position, cursor)
                wait = row["coalesce_seconds"]
                found.append(Told(key, row["id"], row["owner"], lane, head.row, position, cursor, body, wait))
                before = position
            places[row["id"]] = (page.end, before)
        return found

    def _body(self, watch: Watch, position: int, message: bytes, before: str) -> bytes:
        body = framed(watch, self._feed.marked(message, before))
        if len(body) <= LARGEST:
            return body
        return thin(self._feed.cursor(position), self._feed.cursor(position - 1), len(body))

    async def _written_anew(self, tx: Connection, at: datetime) -> bool:
        """Gives the deliveries that are sent again their bytes; whether there were any."""
        rows = await queue.unwritten(tx, RUN)
        viewers = await self._owners.look(tx, [row["owner"] for row in rows], at) if rows else {}
        for row in rows:
            watch = await self._watch(tx, row, viewers[row["owner"]], at)
            if watch is None:
                continue
            try:
                messages = await self._feed.told(watch, [row["position"]])
            except HubError as error:
                await self._halt(tx, [row["id"]], error, at)
                continue
            if messages:
                ((position, message),) = messages
                before = row["previous"] or self._feed.cursor(position - 1)
                await queue.write(tx, row["delivery_id"], self._body(watch, position, message, before))
            else:
                await queue.forsake(tx, row["delivery_id"], "The subscription does not tell this change any more.", at)
        return bool(rows)

    async def _halt(self, tx: Connection, webhooks: Sequence[UUID], error: HubError, at: datetime) -> None:
        """Pauses webhooks whose document cannot be answered, so that the others go on; not when nothing can be."""
        if error.code == "UNAVAILABLE":
            raise error
        for each in webhooks:
            await queue.stop(tx, each, "PAUSED", error.message, at)

    # -- with whose rights ----------------------------------------------------------------------------------------------

    async def _watch(self, tx: Connection, row: queue.Row, viewer: Any, at: datetime) -> Watch | None:
        """A webhook's subscription with its owner's rights as they are now; it is paused when there is none."""
        key = (row["version"], viewer)
        kept = self._watches.get(row["id"])
        if kept is not None and kept[0] == key:
            return kept[1]
        reason = viewer if isinstance(viewer, str) else None
        if reason is None:
            try:
                variables = orjson.loads(row["variables"])
                watch = await self._documents.watch(row["query"], variables, row["operation_name"], viewer)
            except Unavailable:
                raise
            except HubError as error:
                reason = error.message
            else:
                self._watches[row["id"]] = key, watch
                return watch
        self._watches.pop(row["id"], None)
        await queue.stop(tx, row["id"], "PAUSED", reason, at)
        return None

    async def _check_owners(self) -> None:
        """Pauses the webhooks whose owners have lost their rights, also where nothing changes."""
        at = self._clock()
        async with self._pool.transaction() as tx:
            owners = await queue.owners(tx)
            viewers = await self._owners.look(tx, owners.values(), at)
            for webhook, owner in owners.items():
                viewer = viewers[owner]
                if isinstance(viewer, str):
                    await queue.stop(tx, webhook, "PAUSED", viewer, at)
        self._watches = {each: kept for each, kept in self._watches.items() if each in owners}
