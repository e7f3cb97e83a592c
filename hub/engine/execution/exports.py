"""Reads an export: all rows of a list, batch by batch, from a server-side cursor of the caller's snapshot."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from hub.db.pool import Connection
from hub.engine.execution.compiled_operation import CompiledOperation, compile_rows_statements
from hub.engine.execution.read_audit import ReadAudit
from hub.engine.plan.exports import COUNT_FIELD, ExportColumn, ExportPlan
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.sql.compiler import CompiledStatement, compile_plan, compile_rows
from hub.errors import BadInput, HubError
from hub.model import exact_json
from hub.rights import Rights

BATCH_BYTES = 1_048_576  # of JSON, about; what one batch of rows takes in memory
MIN_BATCH, MAX_BATCH = 10, 1_000  # rows


@dataclass(frozen=True, slots=True)
class CompiledExport(CompiledOperation):
    """An export for one shape of variables and for certain rights."""

    export_plan: ExportPlan
    count: CompiledStatement


def compile_export(export_plan: ExportPlan, rights: Rights) -> CompiledExport:
    """An export with its statements."""
    plan = export_plan.plan
    rows_statements = compile_rows_statements(plan.resolver_tree, rights)
    count = compile_plan(export_plan.count, rights)
    return CompiledExport(compile_rows(plan, rights), rows_statements, export_plan, count)


@dataclass(frozen=True, slots=True)
class ExportSource:
    """An export with the values of its variables and the rights of its viewer."""

    compiled: CompiledExport
    context: ExecutionContext
    arguments: Sequence[Any]
    audit: ReadAudit | None

    @property
    def columns(self) -> Sequence[ExportColumn]:
        """The columns of flat formats."""
        return self.compiled.export_plan.columns

    async def count(self, connection: Connection) -> int:
        """The number of rows that there are in the connection's snapshot."""
        counted = await connection.fetchval(self.compiled.count.text, *self.compiled.count.bind(self.context))
        count: int = orjson.loads(counted)[self.compiled.export_plan.key][COUNT_FIELD]
        return count

    async def batches(self, connection: Connection) -> AsyncIterator[list[bytes]]:
        """Yields the rows as JSON objects, in the order of the list; a batch has about a megabyte.

        `connection` is in a transaction with the isolation that the caller wants. Raises HubError for a row that a
        resolver refuses, since a file has no place for errors."""
        assert self.compiled.statement is not None
        statement = await connection.prepare(self.compiled.statement.text)
        cursor = await statement.cursor(*self.arguments)
        size = MIN_BATCH * 10
        while True:
            fetched = [row[0] for row in await cursor.fetch(size)]
            if not fetched:
                return
            row_bytes = sum(map(len, fetched)) / len(fetched)
            size = max(MIN_BATCH, min(MAX_BATCH, round(BATCH_BYTES / row_bytes)))
            yield await self._resolved(connection, fetched)

    async def _resolved(self, connection: Connection, fetched: list[bytes]) -> list[bytes]:
        """The rows with the values that Python adds."""
        plan, key, nodes_key = (
            self.compiled.export_plan.plan,
            self.compiled.export_plan.key,
            self.compiled.export_plan.nodes_key,
        )
        if plan.resolver_tree is None:
            return fetched
        turn = asyncio.Lock()  # a connection runs one statement at a time

        async def fetch_json(text: str, arguments: list[Any]) -> bytes:
            async with turn:
                value: bytes = await connection.fetchval(text, *arguments)
                return value

        rows = [exact_json.loads_rows(row) for row in fetched]
        merger = self.compiled.resolver_merger(self.context, fetch_json)
        await merger.merge({key: {nodes_key: rows}}, plan.resolver_tree)
        if merger.errors:
            raise _first_error(merger.errors)
        return [exact_json.dumps_rows(row) for row in rows]


def _first_error(errors: Sequence[HubError]) -> BadInput:
    path = ".".join(str(part) for part in errors[0].path or ())
    return query_error(f"{path}: {errors[0].message}", errors[0].code)


def query_error(message: str, code: str, extensions: Mapping[str, object] = MappingProxyType({})) -> BadInput:
    """The error of an export whose query is at fault: its location in the query is none in the caller's document."""
    return BadInput(f"query: {message}", code=code, argument="query", extensions=extensions)


def value_at(row: Mapping[str, Any], path: Sequence[str]) -> Any:
    """The value of a column in a row; null where an object on the way is null."""
    value: Any = row
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def json_text(value: Any) -> str:
    """A value as JSON text, numbers exactly as they are."""
    return orjson.dumps(value).decode() if isinstance(value, str) else exact_json.dumps(value)
