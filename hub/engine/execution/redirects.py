"""Follows former ids of rows: an operation that names one runs for the row that has taken its place.

The hot path is untouched: redirects are looked up where a root finds no row, where a mutation misses one, and where a filter
names rows and the hub has redirects at all."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import orjson

from hub.db.pool import Connection
from hub.engine.catalog import scalars
from hub.engine.execution.queries import CompiledQuery
from hub.engine.plan.parameters import NO_REDIRECTS, ExecutionContext
from hub.engine.request import GraphQLResponse
from hub.engine.sql.compiler import CompiledStatement
from hub.errors import HubError
from hub.observability import InternalFailure, emit
from hub.viewer import Viewer

REFRESH_INTERVAL = 0.5  # seconds after which a filter follows a merge of another process
REDIRECTED_FROM = "redirectedFrom"  # in what an operation or a job answers
PUBLIC_ID = re.compile(r"[a-z]{2,5}_[0-9a-f]{32}")


class Redirects(Protocol):
    """Knows which keys are former ones; the domain has the one that there is."""

    prefix: str  # of the ids of the rows
    tables: frozenset[str]  # a change of one of them may change redirects

    async def find(
        self, keys: Collection[UUID], viewer: Viewer, connection: "Connection | None" = None
    ) -> Mapping[UUID, UUID]:
        """The keys that former ones among these lead to, as stored now, of rows that the viewer sees."""

    async def find_known(self, keys: Collection[UUID], viewer: Viewer) -> Mapping[UUID, UUID]:
        """The same, as they were at the last refresh."""

    async def refresh(self) -> None:
        """Reads which keys are former ones."""

    def close(self) -> None:
        """Forgets what was read."""


class RedirectFollower:
    """Follows the redirects of one hub; without any, it changes nothing."""

    def __init__(self, redirects: Redirects | None) -> None:
        self.redirects = redirects

    @asynccontextmanager
    async def refreshing(self) -> AsyncIterator[None]:
        """Keeps what is in memory current while the body runs."""

        async def repeat() -> None:
            while self.redirects is not None:
                try:
                    await self.redirects.refresh()
                except Exception as error:
                    emit(InternalFailure("", "reading redirects", error))
                await asyncio.sleep(REFRESH_INTERVAL)

        task = asyncio.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self.redirects is not None:
                self.redirects.close()

    async def of_filters(self, query: CompiledQuery, context: ExecutionContext) -> ExecutionContext:
        """The context of a query whose filters, of rows or of changes, name rows, with the redirects that are known."""
        if self.redirects is None or not query.filters_by_id:
            return context
        statements = [query.statement, *(changes_root.statement for changes_root in query.changes_roots)]
        keys = {key for statement in statements if statement for key in statement.named_keys(context)}
        known = await self.redirects.find_known(keys, context.viewer)
        return context._replace(redirects=known) if known else context

    async def of_roots(
        self, query: CompiledQuery, context: ExecutionContext, body: bytes
    ) -> tuple[ExecutionContext, list[Any]] | None:
        """The context and the arguments with which a query runs again, because a root found no row.

        None where no redirect leads further."""
        if self.redirects is None or b"null" not in body or query.statement is None:
            return None
        data = orjson.loads(body).get("data") or {}
        if not any(_misses(data.get(key)) for key in query.row_roots):
            return None
        keys = query.statement.named_keys(context._replace(redirects=NO_REDIRECTS))
        redirects = {**context.redirects, **await self.redirects.find(keys, context.viewer)}
        if redirects == dict(context.redirects):
            return None
        context = context._replace(redirects=redirects)
        return context, query.statement.bind(context)

    async def of_arguments(
        self, arguments: Any, error: HubError, viewer: Viewer, connection: "Connection | None" = None
    ) -> Mapping[UUID, UUID]:
        """The redirects of ids in the arguments of a mutation that missed a row; none for another error."""
        if self.redirects is None or not is_missing_row(error):
            return NO_REDIRECTS
        keys: set[UUID] = set()
        substituted(arguments, self.redirects.prefix, keys, NO_REDIRECTS)
        return await self.redirects.find(keys, viewer, connection) if keys else NO_REDIRECTS

    def replaced(self, arguments: Any, redirects: Mapping[UUID, UUID]) -> Any:
        """The arguments with the ids that former ones lead to."""
        assert self.redirects is not None
        return substituted(arguments, self.redirects.prefix, set(), redirects)

    async def of_statement(self, statement: CompiledStatement | None, context: ExecutionContext) -> ExecutionContext:
        """The context of a statement that runs more than once, or long, with the redirects of the rows that it names."""
        if self.redirects is None or statement is None:
            return context
        keys = statement.named_keys(context._replace(redirects=NO_REDIRECTS))
        return context._replace(redirects=await self.redirects.find(keys, context.viewer)) if keys else context

    def described(self, response: GraphQLResponse, redirects: Mapping[UUID, UUID]) -> GraphQLResponse:
        """The response with the redirects that it followed: by current id, the former one that was named."""
        ids = self.public_ids(redirects)
        return response.with_extension(REDIRECTED_FROM, ids) if ids else response

    def public_ids(self, redirects: Mapping[UUID, UUID]) -> dict[str, str]:
        """By current id, the former one."""
        if self.redirects is None:
            return {}
        prefix = self.redirects.prefix
        return {scalars.encode_id(prefix, key): scalars.encode_id(prefix, former) for former, key in redirects.items()}


def is_missing_row(error: HubError) -> bool:
    """Whether an operation failed because a row that it names is absent or hidden."""
    rows = error.extensions.get("rows") if error.code == "BULK_REJECTED" else None
    return error.code == "NOT_FOUND" or (isinstance(rows, list) and any(row["code"] == "NOT_FOUND" for row in rows))


def _misses(value: Any) -> bool:
    return value is None or (isinstance(value, list) and None in value)


def substituted(value: Any, prefix: str, keys: set[UUID], redirects: Mapping[UUID, UUID]) -> Any:
    """Arguments with ids of current rows in place of former ones; collects the keys of all ids of the type."""
    if isinstance(value, str):
        if not value.startswith(f"{prefix}_") or PUBLIC_ID.fullmatch(value) is None:
            return value
        key = UUID(value[len(prefix) + 1 :])
        keys.add(key)
        return scalars.encode_id(prefix, redirects[key]) if key in redirects else value
    if isinstance(value, dict):
        return {name: substituted(part, prefix, keys, redirects) for name, part in value.items()}
    if isinstance(value, list):
        return [substituted(part, prefix, keys, redirects) for part in value]
    return value
