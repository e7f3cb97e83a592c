"""Which subscriptions a webhook may have, and trying them on the past: what hub/domain's commands are handed.

Only streams of changes are; and a webhook is told of nothing that webhooks themselves change, for it would never end."""

import asyncio
from collections import deque
from datetime import datetime
from time import monotonic
from typing import Any

import orjson

from hub import graph
from hub.changefeed.feed import RENDER_BATCH, ChangeFeed, ChangeHeader, may_concern
from hub.db import change_positions
from hub.domain.webhooks.commands import DryRunResult
from hub.domain.webhooks.webhooks import WEBHOOK_TABLE_NAMES
from hub.engine.document.documents import InvalidDocument
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.engine.request import GraphQLRequest, formatted_errors
from hub.errors import BadInput, Unavailable
from hub.subscriptions.change_streams import response_payload
from hub.subscriptions.registry import SubscriptionCompiler
from hub.viewer import Viewer

SAMPLES = 3
TIME_LIMIT = 3.0  # seconds that a trial may take, in which a transaction waits
MAX_CONCURRENT = 2  # trials per process; each has one of the connections that everybody is answered with
MAX_DOCUMENT_LENGTH = 65_536


def concerns_webhook(source: SubscriptionSource, header: ChangeHeader) -> bool:
    """Whether a webhook with this subscription may have to be told of a change."""
    return header.table not in WEBHOOK_TABLE_NAMES and may_concern(source, header)


class WebhookDocuments:
    """Makes subscriptions of documents, for webhooks."""

    def __init__(self, engine: SubscriptionCompiler) -> None:
        self._engine = engine
        self._all_tables = frozenset(declaration.table.name for declaration in graph.declarations())

    async def subscription_source(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> SubscriptionSource:
        """The subscription of a document with these rights; raises BadInput when there is none, or it is no webhook's."""
        if len(query) > MAX_DOCUMENT_LENGTH:
            raise BadInput(f"query: give at most {MAX_DOCUMENT_LENGTH} characters.", argument="query")
        if not isinstance(variables, dict | None):
            raise BadInput(
                "variables: give an object, with a value for each variable of the query.", argument="variables"
            )
        try:
            source = await self._engine.subscription_source(GraphQLRequest(query, variables, operation_name), viewer)
        except InvalidDocument as error:
            first_error = formatted_errors(error, viewer)[0]
            raise BadInput(
                f"query: {first_error['message']}", code=first_error["extensions"]["code"], argument="query"
            ) from None
        except BadInput as error:
            raise BadInput(f"query: {error.message}", code=error.code, argument="query") from None
        if source.is_live:
            message = "query: a webhook sends changes, and no live answers; subscribe to `changes`."
            raise BadInput(message, code="WEBHOOK_INVALID", argument="query")
        tables = source.dependencies.any_row
        if tables & WEBHOOK_TABLE_NAMES and tables != self._all_tables:
            message = "query: a webhook is not told of webhooks, their deliveries or attempts; leave these types out."
            raise BadInput(message, code="WEBHOOK_LOOP", argument="query")
        return source


class DryRuns:
    """What commands must know of subscriptions."""

    def __init__(self, documents: WebhookDocuments, feed: ChangeFeed) -> None:
        self._documents = documents
        self._feed = feed
        self._running = 0

    async def check(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> str | None:
        """The cursor that the document itself begins behind; raises BadInput for one that is no webhook's."""
        return (await self._documents.subscription_source(query, variables, operation_name, viewer)).after

    async def webhook_position(self, cursor: str | None) -> int:
        """The position of a cursor; without one, of the last change."""
        return (
            await self._feed.position_at_cursor(cursor)
            if cursor is not None
            else (await self._feed.refresh()).last_position
        )

    async def position_at(self, moment: datetime) -> int:
        """The position behind which the changes since a moment lie."""
        async with self._feed.pool.client_connection() as connection:
            return await change_positions.position_at(connection, moment)

    async def preview(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        viewer: Viewer,
        since: datetime,
    ) -> DryRunResult:
        """What it would have told since then; the latest are kept as samples. Raises Unavailable beside others."""
        source = await self._documents.subscription_source(query, variables, operation_name, viewer)
        if self._running >= MAX_CONCURRENT:
            raise Unavailable("Others try their subscriptions now; try again in a few seconds.")
        self._running += 1
        try:
            return await self._preview(source, since)
        finally:
            self._running -= 1

    async def _preview(self, source: SubscriptionSource, since: datetime) -> DryRunResult:
        await self._feed.refresh()
        position, deadline = await self.position_at(since), monotonic() + TIME_LIMIT
        count, latest = 0, deque[tuple[int, bytes]](maxlen=SAMPLES)
        while headers := await self._feed.headers_after(position):
            matching_positions = [header.position for header in headers if concerns_webhook(source, header)]
            for offset in range(0, len(matching_positions), RENDER_BATCH):
                rendered = await self._feed.render(source, matching_positions[offset : offset + RENDER_BATCH])
                count += len(rendered)
                latest.extend(rendered)
            position = headers[-1].position
            if monotonic() > deadline:
                break
            await asyncio.sleep(0)
        return DryRunResult(count, [self._render_sample(source, *sample) for sample in latest], not headers, since)

    def _render_sample(self, source: SubscriptionSource, position: int, message: bytes) -> Any:
        return orjson.loads(
            response_payload(source, self._feed.with_previous_cursor(message, self._feed.cursor(position - 1)))
        )
