"""Which subscriptions a webhook may have, and trying them on the past: what hub/domain's commands are handed.

Only streams of changes are; and a webhook is told of nothing that webhooks themselves change, for it would never end."""

import asyncio
from collections import deque
from datetime import datetime
from time import monotonic
from typing import Any

import orjson

from hub import schema
from hub.changefeed.feed import RUN, Feed, Head, concerns
from hub.db import change_positions
from hub.domain.webhooks.commands import Rehearsed
from hub.domain.webhooks.webhooks import OWN_NAMES
from hub.engine.document.documents import DocumentError
from hub.engine.engine import Request, errors_of
from hub.engine.execution.subscriptions import Watch
from hub.errors import BadInput, Unavailable
from hub.subscriptions.change_streams import framed
from hub.subscriptions.registry import Watches
from hub.viewer import Viewer

SAMPLES = 3
PATIENCE = 3.0  # seconds that a trial may take, in which a transaction waits
AT_ONCE = 2  # trials per process; each has one of the connections that everybody is answered with
MOST_DOCUMENT = 65_536


def told(watch: Watch, head: Head) -> bool:
    """Whether a webhook with this subscription may have to be told of a change."""
    return head.table not in OWN_NAMES and concerns(watch, head)


class Documents:
    """Makes subscriptions of documents, for webhooks."""

    def __init__(self, engine: Watches) -> None:
        self._engine = engine
        self._everything = frozenset(each.table.name for each in schema.declarations())

    async def watch(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> Watch:
        """The subscription of a document with these rights; raises BadInput when there is none, or it is no webhook's."""
        if len(query) > MOST_DOCUMENT:
            raise BadInput(f"query: give at most {MOST_DOCUMENT} characters.", argument="query")
        if not isinstance(variables, dict | None):
            raise BadInput(
                "variables: give an object, with a value for each variable of the query.", argument="variables"
            )
        try:
            watch = await self._engine.watch(Request(query, variables, operation_name), viewer)
        except DocumentError as refused:
            first = errors_of(refused, viewer)[0]
            raise BadInput(f"query: {first['message']}", code=first["extensions"]["code"], argument="query") from None
        except BadInput as refused:
            raise BadInput(f"query: {refused.message}", code=refused.code, argument="query") from None
        if watch.live:
            message = "query: a webhook sends changes, and no live answers; subscribe to `changes`."
            raise BadInput(message, code="WEBHOOK_INVALID", argument="query")
        tables = watch.reach.anywhere
        if tables & OWN_NAMES and tables != self._everything:
            message = "query: a webhook is not told of webhooks, their deliveries or attempts; leave these types out."
            raise BadInput(message, code="WEBHOOK_LOOP", argument="query")
        return watch


class Trials:
    """What commands must know of subscriptions."""

    def __init__(self, documents: Documents, feed: Feed) -> None:
        self._documents = documents
        self._feed = feed
        self._trying = 0

    async def check(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> str | None:
        """The cursor that the document itself begins behind; raises BadInput for one that is no webhook's."""
        return (await self._documents.watch(query, variables, operation_name, viewer)).after

    async def behind(self, cursor: str | None) -> int:
        """The position of a cursor; without one, of the last change."""
        return await self._feed.behind(cursor) if cursor is not None else (await self._feed.refresh()).head

    async def since(self, moment: datetime) -> int:
        """The position behind which the changes since a moment lie."""
        async with self._feed.pool.reading() as connection:
            return await change_positions.since(connection, moment)

    async def rehearse(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        viewer: Viewer,
        since: datetime,
    ) -> Rehearsed:
        """What it would have told since then; the latest are kept as samples. Raises Unavailable beside others."""
        watch = await self._documents.watch(query, variables, operation_name, viewer)
        if self._trying >= AT_ONCE:
            raise Unavailable("Others try their subscriptions now; try again in a few seconds.")
        self._trying += 1
        try:
            return await self._rehearsed(watch, since)
        finally:
            self._trying -= 1

    async def _rehearsed(self, watch: Watch, since: datetime) -> Rehearsed:
        await self._feed.refresh()
        place, until = await self.since(since), monotonic() + PATIENCE
        count, latest = 0, deque[tuple[int, bytes]](maxlen=SAMPLES)
        while heads := await self._feed.since(place):
            wanted = [head.position for head in heads if told(watch, head)]
            for at in range(0, len(wanted), RUN):
                found = await self._feed.told(watch, wanted[at : at + RUN])
                count += len(found)
                latest.extend(found)
            place = heads[-1].position
            if monotonic() > until:
                break
            await asyncio.sleep(0)
        return Rehearsed(count, [self._sample(watch, *each) for each in latest], not heads, since)

    def _sample(self, watch: Watch, position: int, message: bytes) -> Any:
        return orjson.loads(framed(watch, self._feed.marked(message, self._feed.cursor(position - 1))))
