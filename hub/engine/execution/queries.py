"""Runs queries: one statement, a page of changes for each `changes` root, then the values that Python adds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.db.pool import Pool
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.document.documents import Operation
from hub.engine.execution.compiled_operation import CompiledOperation, compile_rows_statements, estimated_size
from hub.engine.execution.introspection import Introspection
from hub.engine.execution.read_audit import ReadAudit
from hub.engine.execution.subscriptions import (
    ChangesReader,
    CompiledSubscription,
    SubscriptionSource,
    compile_subscription,
)
from hub.engine.plan.codecs import PastTimestampCodec
from hub.engine.plan.nodes import Constant, Plan, ResolvedInPython, RowById, RowByLookup, RowsByIds
from hub.engine.plan.operations import QueryPlan
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.request import StageTimer
from hub.engine.sql.compiler import compile_plan
from hub.errors import HubError
from hub.model import exact_json
from hub.rights import Rights


@dataclass(frozen=True, slots=True)
class CompiledQuery(CompiledOperation):
    """A query for one shape of variables and for certain rights."""

    query_plan: QueryPlan
    changes_roots: tuple[CompiledSubscription, ...]
    audit: ReadAudit | None = None
    row_roots: tuple[str, ...] = ()  # the roots that read customers, or rows of any type, by their ids
    filters_by_id: bool = False  # whether other arguments name rows

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return estimated_size(self.text_length + sum(changes_root.text_length for changes_root in self.changes_roots))


def compile_query(query_plan: QueryPlan, rights: Rights, customer_type: CatalogEntity) -> CompiledQuery:
    """A query with its statements; `customer_type` is the entity that owns the rows of the others."""
    plan = query_plan.plan
    reads_rows = any(not isinstance(node, Constant | ResolvedInPython) for _, node in plan.roots)
    statement = compile_plan(plan, rights) if reads_rows else None
    by_id = {key: node for key, node in plan.roots if isinstance(node, RowById | RowsByIds)}
    root_keys = {(node.key if isinstance(node, RowById) else node.keys).name for node in by_id.values()}
    named = {parameter.name for parameter in (statement.parameters if statement else ()) if parameter.names_rows}
    changes_roots = tuple(compile_subscription(root, rights, customer_type) for root in query_plan.changes_roots)
    changes_name_rows = any(p.names_rows for root in changes_roots if root.statement for p in root.statement.parameters)
    return CompiledQuery(
        statement,
        compile_rows_statements(plan.resolver_tree, rights),
        query_plan,
        changes_roots,
        row_roots=tuple(
            key
            for key, node in by_id.items()
            if isinstance(node, RowsByIds) or node.entity.table is customer_type.table
        ),
        filters_by_id=bool(named - root_keys) or changes_name_rows,
    )


class QueryExecutor:
    """Runs compiled queries on one pool."""

    def __init__(
        self, pool: Pool, introspection: Introspection, changes_reader: ChangesReader, error_limit: int
    ) -> None:
        self._pool = pool
        self._introspection = introspection
        self._changes_reader = changes_reader
        self._error_limit = error_limit

    async def execute(
        self,
        operation: Operation,
        query: CompiledQuery,
        arguments: list[Any],
        context: ExecutionContext,
        timer: StageTimer,
    ) -> bytes:
        """The response; `arguments` are those of the query's statement. Raises HubError."""
        plan, flow = query.query_plan.plan, context.viewer.flow
        pool = self._pool.for_flow(flow, context.meter)
        if query.statement is None:
            body = orjson.dumps({key: getattr(node, "text", None) for key, node in plan.roots})
        else:
            timer.statements += 1
            try:
                body = await pool.fetch_json(query.statement.text, arguments, custom_plan=query.statement.custom_plan)
            except HubError as error:
                _locate_expired(error, plan, context)
                _locate_ambiguous(error, plan)
                raise
        timer.finish_stage("sql")
        changes_pages = {
            changes_root.root.key: await self._changes_page(changes_root, context)
            for changes_root in query.changes_roots
        }
        if plan.resolver_tree is None:
            if changes_pages:
                body = orjson.dumps({**_root_fragments(body), **changes_pages})
            return b'{"data":' + body + b"}"

        async def fetch_json(text: str, statement_arguments: list[Any]) -> bytes:
            timer.statements += 1
            return await pool.fetch_json(text, statement_arguments)

        data = exact_json.loads_rows(body)
        merger = query.resolver_merger(context, fetch_json)
        await merger.merge(data, plan.resolver_tree)
        data.update(changes_pages)
        errors = [error.to_graphql() for error in merger.errors[: self._error_limit]]
        python_roots = query.query_plan.python_roots
        if python_roots:
            result = await self._introspection.root_values(operation, context.variables, python_roots, flow)
            data.update({key: (result.data or {}).get(key) for key in python_roots})
            errors += [dict(error.formatted) for error in result.errors or ()]
        response = exact_json.dumps_rows({"data": data, "errors": errors} if errors else {"data": data})
        timer.finish_stage("splice")
        return response

    async def _changes_page(self, changes_root: CompiledSubscription, context: ExecutionContext) -> orjson.Fragment:
        """A page of changes, as JSON."""
        try:
            messages = await self._changes_reader.page(SubscriptionSource(changes_root, context))
        except HubError as error:
            error.path = error.path or (changes_root.root.key,)
            raise
        return orjson.Fragment(b"[" + b",".join(messages) + b"]")


def _locate_expired(error: HubError, plan: Plan, context: ExecutionContext) -> None:
    """Adds the argument and the place of the plan's earliest time, if the log no longer reaches that time."""
    times = [node.as_of for _, node in plan.roots if isinstance(node, RowById | RowsByIds) and node.as_of is not None]
    if error.code != "AS_OF_EXPIRED" or not times:
        return
    earliest = min(times, key=lambda parameter: parameter.evaluate(context))
    assert isinstance(earliest.codec, PastTimestampCodec)
    error.argument = earliest.codec.argument
    error.message = error.message.replace("asOf", error.argument, 1)
    if earliest.location is not None:
        error.path, error.locations = earliest.location


def _locate_ambiguous(error: HubError, plan: Plan) -> None:
    """Adds the place of the plan's lookup whose value needs its scope; of several such lookups, all their places."""
    nodes = [node for _, node in plan.roots if isinstance(node, RowByLookup) and node.unscoped is not None]
    if error.code != "ARGUMENT_MISSING" or error.locations:
        return
    places = [
        parameter.location for node in nodes for _, parameter in node.arguments[:1] if parameter.location is not None
    ]
    error.locations = tuple(location for _, locations in places for location in locations)
    if len(places) == 1:
        error.path = places[0][0]


def _root_fragments(body: bytes) -> Mapping[str, orjson.Fragment]:
    """The root values of a response by key, each as JSON."""
    return {key: orjson.Fragment(exact_json.dumps_rows(value)) for key, value in exact_json.loads_rows(body).items()}
