"""Checks a webhook's document and previews it on past changes; the commands of hub/domain/webhooks use both.

Only change streams are allowed. Changes of the webhook tables are left out, because each delivery would cause others."""

import asyncio
from collections import deque
from datetime import datetime
from time import monotonic
from typing import Any

import orjson

from hub.changefeed.feed import RENDER_BATCH, ChangeFeed, ChangeHeader, may_concern
from hub.db import change_positions
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.domain.webhooks.commands import DryRunResult
from hub.domain.webhooks.webhooks import WEBHOOK_TABLE_NAMES
from hub.engine.document.documents import InvalidDocument
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.engine.request import GraphQLRequest, formatted_errors
from hub.errors import BadInput, Unavailable
from hub.subscriptions.change_streams import response_payload
from hub.subscriptions.registry import SubscriptionCompiler
from hub.viewer import Viewer

MAX_SAMPLES = 3  # messages that a dry run returns
DRY_RUN_TIMEOUT = 3.0  # seconds for a dry run, during which a transaction waits
MAX_CONCURRENT_DRY_RUNS = 2  # dry runs per process; each takes a connection of the request pool
MAX_DOCUMENT_LENGTH = 65_536  # characters


def concerns_webhook(source: SubscriptionSource, header: ChangeHeader) -> bool:
    """Whether a change may match a webhook with this subscription."""
    return header.table not in WEBHOOK_TABLE_NAMES and may_concern(source, header)


class WebhookDocuments:
    """Compiles the documents of webhooks to subscriptions."""

    def __init__(self, engine: SubscriptionCompiler, trusted_documents: TrustedDocuments | None = None) -> None:
        self._engine = engine
        self._trusted_documents = trusted_documents or TrustedDocuments()

    async def subscription_source(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        viewer: Viewer,
        *,
        by_hub: bool = False,
    ) -> SubscriptionSource:
        """Returns the subscription of a document with the viewer's rights; raises BadInput if a webhook cannot use it.

        `by_hub`: the hub needs it to send, and waits for no budget of the key. Nor does a command: its mutation is charged
        for the time of its transaction, and so for dry runs."""
        if len(query) > MAX_DOCUMENT_LENGTH:
            raise BadInput(f"query: give at most {MAX_DOCUMENT_LENGTH} characters.", argument="query")
        if not by_hub:
            self._trusted_documents.require(viewer, query)
        try:
            request = GraphQLRequest(query, variables, operation_name)
            source = await self._engine.subscription_source(request, viewer, by_hub=by_hub, charged=False)
        except InvalidDocument as error:
            first_error = formatted_errors(error, viewer)[0]
            raise BadInput(
                f"query: {first_error['message']}", code=first_error["extensions"]["code"], argument="query"
            ) from None
        except BadInput as error:
            raise BadInput(f"query: {error.message}", code=error.code, argument="query") from None
        if source.is_live:
            message = "query: a webhook sends changes, not live query results; subscribe to `changes`."
            raise BadInput(message, code="WEBHOOK_INVALID", argument="query")
        if source.dependencies.any_row & WEBHOOK_TABLE_NAMES and not source.sends_all_types:
            message = "query: a webhook cannot send changes of webhooks, deliveries or attempts; leave these types out."
            raise BadInput(message, code="WEBHOOK_LOOP", argument="query")
        return source


class DryRuns:
    """The tools that the webhook commands use: document checks, positions and dry runs."""

    def __init__(self, documents: WebhookDocuments, feed: ChangeFeed) -> None:
        self._documents = documents
        self._feed = feed
        self._running = 0

    async def check(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> str | None:
        """Returns the document's own `after` cursor, if any; raises BadInput if a webhook cannot use the document."""
        return (await self._documents.subscription_source(query, variables, operation_name, viewer)).after

    async def webhook_position(self, cursor: str | None) -> int:
        """Returns the position of the cursor, or the position of the last change if there is none."""
        return (
            await self._feed.position_at_cursor(cursor)
            if cursor is not None
            else (await self._feed.refresh()).last_position
        )

    async def position_at(self, moment: datetime) -> int:
        """Returns the position after which the changes since `moment` begin."""
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
        """Counts the messages since `since`, with the latest as samples; raises Unavailable if too many dry runs are open."""
        source = await self._documents.subscription_source(query, variables, operation_name, viewer)
        if self._running >= MAX_CONCURRENT_DRY_RUNS:
            raise Unavailable("Too many dry runs are in progress; try again in a few seconds.")
        self._running += 1
        try:
            return await self._preview(source, since)
        finally:
            self._running -= 1

    async def _preview(self, source: SubscriptionSource, since: datetime) -> DryRunResult:
        await self._feed.refresh()
        position, deadline = await self.position_at(since), monotonic() + DRY_RUN_TIMEOUT
        count, latest = 0, deque[tuple[int, bytes]](maxlen=MAX_SAMPLES)
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
