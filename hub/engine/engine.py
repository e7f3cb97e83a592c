"""One request from text to bytes: document → plan → statement → JSON, the stages in order, each timed.

What a client did wrong becomes an answer; only a fault of ours is raised. Rights are the viewer's binding, which is part of
every plan's key."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
)

from hub.db.pool import Pool
from hub.engine.cache import ByteBudgetCache
from hub.engine.document.documents import DocumentStore, InvalidDocument, Operation, OperationType
from hub.engine.document.limits import Limits
from hub.engine.document.variables import coerce_variables, recoercible_definitions
from hub.engine.execution import subscriptions
from hub.engine.execution.mutation_plans import MutationCompiler
from hub.engine.execution.mutations import MutationExecutor
from hub.engine.execution.resolvers import ResolverMerger
from hub.engine.execution.subscriptions import ChangesReader, SubscriptionSource
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.cache_key import plan_cache_key
from hub.engine.plan.nodes import Constant, Plan, ResolvedInPython
from hub.engine.plan.operations import OperationPlanner, QueryPlan
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.sql.compiler import CompiledStatement, compile_plan
from hub.errors import BadInput, Forbidden, HubError
from hub.model.idempotency import IdempotencyStore
from hub.observability import PlanCompiled, emit
from hub.settings import Settings
from hub.viewer import Viewer

PLAN_CACHE_BYTES = 64 * 1024 * 1024
PLAN_BASE_BYTES, PLAN_BYTES_PER_CHARACTER = (
    8_192,
    12,
)  # about what a plan takes, by the length of its statement (measured with tracemalloc)
DOCUMENT_CACHE_BYTES = 64 * 1024 * 1024


class GraphQLRequest(NamedTuple):
    """What a client sent; `at` is the moment that counts as now, `read_only` refuses everything but queries.

    `request_id` is what the log of changes remembers it by; `resume` is where a stream goes on, instead of its `after`."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool = False
    now: datetime | None = None
    request_id: str = "-"
    resume: str | None = None


class GraphQLResponse(NamedTuple):
    """What goes back: the whole JSON response, and what is worth telling of it."""

    body: bytes
    executed: bool
    operation_type: str
    timings: tuple[tuple[str, float], ...]
    statements: int
    code: str
    name: str


@dataclass(slots=True)
class CompiledQuery:
    """An operation planned for one shape of variables and one binding, with its statements."""

    query_plan: QueryPlan
    statement: CompiledStatement | None
    changes_roots: tuple[subscriptions.CompiledSubscription, ...]
    rows_statements: dict[int, CompiledStatement] = field(default_factory=dict)

    @property
    def text_length(self) -> int:
        """How long the statements' texts are."""
        return (len(self.statement.text) if self.statement else 0) + sum(
            changes_root.text_length for changes_root in self.changes_roots
        )


@dataclass(slots=True)
class StageTimer:
    """The stages of one request and the time each took, in milliseconds."""

    started: float
    stages: list[tuple[str, float]] = field(default_factory=list)
    statements: int = 0

    def finish_stage(self, name: str) -> None:
        """Ends a stage."""
        finished = perf_counter()
        self.stages.append((name, (finished - self.started) * 1000))
        self.started = finished


class Engine:
    """Answers requests over one schema and one pool."""

    def __init__(
        self,
        schema: Schema,
        pool: Pool,
        settings: Settings,
        secret: bytes,
        idempotency: IdempotencyStore,
        changes_reader: ChangesReader,
        injected: "Callable[[Engine], Mapping[str, object]]" = lambda engine: MappingProxyType({}),
    ) -> None:
        limits = Limits(
            depth=settings.depth_limit,
            aliases=settings.alias_limit,
            fields=settings.field_limit,
            tokens=settings.token_limit,
            root_fields=settings.root_field_limit,
            directives=settings.directive_limit,
            errors=settings.error_limit,
            cost=settings.cost_limit,
            page=settings.page_limit,
        )
        self._schema = schema
        self._pool = pool
        self._limits = limits
        self._secret = secret
        self._documents = DocumentStore(schema.core, limits, DOCUMENT_CACHE_BYTES)
        self._compiled_queries: ByteBudgetCache[CompiledQuery] = ByteBudgetCache(PLAN_CACHE_BYTES)
        self._changes_reader = changes_reader
        self._compiled_subscriptions: ByteBudgetCache[subscriptions.CompiledSubscription] = ByteBudgetCache(
            PLAN_CACHE_BYTES // 4
        )
        self._mutation_compiler = MutationCompiler(
            schema, limits, MutationExecutor(schema, pool, idempotency, limits.errors, injected(self))
        )
        self._introspection_lock = asyncio.Lock()

    def operation_type(self, request: GraphQLRequest) -> OperationType:
        """What kind of operation is asked for; raises HubError or DocumentError when none can be run."""
        return self._documents.get(request.query).operation(request.operation_name).operation_type

    async def execute(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLResponse:
        """The answer to a request, as this viewer may see it."""
        timer = StageTimer(perf_counter())
        operation: Operation | None = None
        try:
            operation = self._documents.get(request.query).operation(request.operation_name)
            if operation.operation_type == "subscription":
                raise BadInput("A subscription has many answers; open it as a stream.", code="STREAM_TRANSPORT")
            self._authorize(operation, request, viewer)
            variables = self._coerce_variables(operation, request.variables or {})
            operation.cost(variables)
            timer.finish_stage("parse")
            if operation.introspection_only:
                # In a thread, one at a time: a large schema takes a while to describe, and others wait for the loop.
                async with self._introspection_lock:
                    body = await asyncio.to_thread(self._introspection_body, operation, variables)
                return _response(body, operation, timer)
            if operation.operation_type == "mutation":
                return await self._execute_mutation(operation, variables, request, viewer, timer)
            query = await self._compiled_query(operation, variables, viewer)
            context = ExecutionContext(variables, request.now or datetime.now(UTC), viewer, self._secret)
            arguments = query.statement.bind(context) if query.statement else []
            timer.finish_stage("plan")
        except InvalidDocument as invalid:
            return _rejected_response(formatted_errors(invalid, viewer), operation, timer)
        except HubError as error:
            return _rejected_response([error.to_graphql()], operation, timer)
        try:
            return await self._execute_query(operation, query, arguments, context, timer)
        except HubError as error:
            return _failed_response(error, operation, timer)

    def explain(self, request: GraphQLRequest, viewer: Viewer) -> tuple[str, list[Any]]:
        """The statement that a request becomes, and its arguments; raises HubError or DocumentError."""
        operation = self._documents.get(request.query).operation(request.operation_name)
        variables = self._coerce_variables(operation, request.variables or {})
        query = self._compile_query(operation, variables, viewer)
        assert query.statement is not None
        return query.statement.text, query.statement.bind(
            ExecutionContext(variables, request.now or datetime.now(UTC), viewer, self._secret)
        )

    def _authorize(self, operation: Operation, request: GraphQLRequest, viewer: Viewer) -> None:
        if operation.operation_type == "mutation" and request.read_only:
            raise BadInput("A mutation cannot run in a read-only request.", code="METHOD_NOT_ALLOWED")
        if operation.has_introspection and not viewer.can_introspect:
            raise Forbidden(
                "This key may not read the schema; use a key that is not bound to a customer.",
                code="INTROSPECTION_FORBIDDEN",
            )
        viewer.require("graph:read")

    def _coerce_variables(self, operation: Operation, supplied: Mapping[str, Any]) -> Mapping[str, Any]:
        return coerce_variables(self._schema.core, operation, supplied, self._limits.errors)

    async def _compiled_query(
        self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer
    ) -> CompiledQuery:
        """The operation's plan for this shape: kept, or made now, in a thread, since a large one takes its time."""
        key = (operation, viewer.binding, *plan_cache_key(operation, variables, self._schema.plan_relevant_enums))

        async def create() -> tuple[CompiledQuery, int]:
            started = perf_counter()
            query = await asyncio.to_thread(self._compile_query, operation, variables, viewer)
            emit(PlanCompiled(operation.name, perf_counter() - started))
            return query, PLAN_BASE_BYTES + PLAN_BYTES_PER_CHARACTER * query.text_length

        return self._compiled_queries.get(key) or await self._compiled_queries.get_or_create(key, create)

    def _compile_query(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> CompiledQuery:
        planner = OperationPlanner(self._schema, variables, operation.fragments, self._limits.page)
        query_plan = planner.plan_query(operation.node.selection_set, viewer.binding)
        reads_rows = any(not isinstance(node, Constant | ResolvedInPython) for _, node in query_plan.plan.roots)
        customer_type = self._schema.catalog.customer_type
        changes_roots = tuple(
            subscriptions.compile_subscription(changes_root, viewer.binding, customer_type)
            for changes_root in query_plan.changes_roots
        )
        return CompiledQuery(
            query_plan, compile_plan(query_plan.plan, viewer.binding) if reads_rows else None, changes_roots
        )

    async def subscription_source(self, request: GraphQLRequest, viewer: Viewer) -> SubscriptionSource:
        """What a subscription is to be told with; raises DocumentError or HubError when it cannot be."""
        operation = self._documents.get(request.query).operation(request.operation_name)
        if operation.operation_type != "subscription":
            raise BadInput(
                f"A {operation.operation_type} has one answer and is no stream; give a subscription.",
                code="OPERATION_UNKNOWN",
            )
        self._authorize(operation, request, viewer)
        variables = self._coerce_variables(operation, request.variables or {})
        operation.cost(variables)
        key = (operation, viewer.binding, *plan_cache_key(operation, variables, self._schema.plan_relevant_enums))

        async def create() -> tuple[subscriptions.CompiledSubscription, int]:
            subscription = await asyncio.to_thread(self._compile_subscription, operation, variables, viewer)
            return subscription, PLAN_BASE_BYTES + PLAN_BYTES_PER_CHARACTER * subscription.text_length

        compiled = self._compiled_subscriptions.get(key) or await self._compiled_subscriptions.get_or_create(
            key, create
        )
        return SubscriptionSource(
            compiled, ExecutionContext(variables, request.now or datetime.now(UTC), viewer, self._secret)
        )

    def _compile_subscription(
        self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer
    ) -> subscriptions.CompiledSubscription:
        planner = OperationPlanner(self._schema, variables, operation.fragments, self._limits.page)
        root = planner.plan_subscription(operation.node.selection_set, viewer.binding)
        return subscriptions.compile_subscription(root, viewer.binding, self._schema.catalog.customer_type)

    async def _execute_mutation(
        self,
        operation: Operation,
        variables: Mapping[str, Any],
        request: GraphQLRequest,
        viewer: Viewer,
        timer: StageTimer,
    ) -> GraphQLResponse:
        """The answer to a mutation; what a command refuses is an answer without data."""
        mutation = await self._mutation_compiler.compile(operation, variables, viewer)
        timer.finish_stage("plan")
        context = ExecutionContext(variables, request.now or datetime.now(UTC), viewer, self._secret)
        fingerprint_parts = (request.query, request.operation_name, request.variables)
        try:
            body = await self._mutation_compiler.execute(mutation, context, request.request_id, fingerprint_parts)
        except HubError as error:
            return _failed_response(error, operation, timer)
        timer.finish_stage("sql")
        return _response(body, operation, timer)

    async def _execute_query(
        self,
        operation: Operation,
        query: CompiledQuery,
        arguments: list[Any],
        context: ExecutionContext,
        timer: StageTimer,
    ) -> GraphQLResponse:
        statement = query.statement
        if statement is None:
            body = orjson.dumps({key: getattr(node, "text", None) for key, node in query.query_plan.plan.roots})
        else:
            timer.statements += 1
            body = await self._pool.fetch_json(statement.text, arguments, custom_plan=statement.custom_plan)
        timer.finish_stage("sql")
        resolver_tree = query.query_plan.plan.resolver_tree
        changes_pages = {
            changes_root.root.key: await self._changes_page(changes_root, context)
            for changes_root in query.changes_roots
        }
        if resolver_tree is None and changes_pages:
            body = orjson.dumps({**_root_fragments(body), **changes_pages})
        if resolver_tree is None:
            return _response(b'{"data":' + body + b"}", operation, timer)
        data = orjson.loads(body)
        merger = ResolverMerger(
            context, lambda plan, inner_context: self._load_by_keys(query, plan, inner_context, timer)
        )
        await merger.merge(data, resolver_tree)
        data.update(changes_pages)
        response: dict[str, Any] = {"data": data}
        errors = [error.to_graphql() for error in merger.errors[: self._limits.errors]]
        if query.query_plan.python_roots:
            core_result = self._introspection_fields(operation, context.variables, query.query_plan.python_roots)
            data.update({key: (core_result.data or {}).get(key) for key in query.query_plan.python_roots})
            errors += [dict(error.formatted) for error in core_result.errors or ()]
        if errors:
            response["errors"] = errors
        timer.finish_stage("splice")
        return _response(orjson.dumps(response), operation, timer)

    async def _changes_page(
        self, changes_root: subscriptions.CompiledSubscription, context: ExecutionContext
    ) -> orjson.Fragment:
        """A page of changes, as it stands."""
        try:
            messages = await self._changes_reader.page(SubscriptionSource(changes_root, context))
        except HubError as error:
            error.path = error.path or (changes_root.root.key,)
            raise
        return orjson.Fragment(b"[" + b",".join(messages) + b"]")

    async def _load_by_keys(
        self, query: CompiledQuery, plan: Plan, context: ExecutionContext, timer: StageTimer
    ) -> dict[str, Any]:
        """The rows behind keys that a resolver gave, by key."""
        statement = query.rows_statements.get(id(plan))
        if statement is None:
            statement = query.rows_statements[id(plan)] = compile_plan(plan, context.viewer.binding)
        timer.statements += 1
        data = orjson.loads(await self._pool.fetch_json(statement.text, statement.bind(context)))
        return data["rows"] or {}

    # -- what graphql-core answers --------------------------------------------------------------------------------------

    def _introspection_body(self, operation: Operation, variables: Mapping[str, Any]) -> bytes:
        """The answer about the schema; kept with the document when no variable can change it."""
        cached = operation.cache.get("introspection")
        if isinstance(cached, bytes):
            return cached
        result = self._graphql_core(operation, operation.node, variables)
        body = orjson.dumps(result.formatted)
        if not operation.variables:
            operation.cache["introspection"] = body
        return body

    def _introspection_fields(
        self, operation: Operation, variables: Mapping[str, Any], response_keys: tuple[str, ...]
    ) -> ExecutionResult:
        """The roots that read nothing stored, in an operation that asks for stored ones too."""
        requested_fields = [
            node
            for node in _root_fields(operation.node.selection_set, operation)
            if (node.alias or node.name).value in response_keys
        ]
        node = OperationDefinitionNode(
            operation=operation.node.operation,
            name=operation.node.name,
            variable_definitions=recoercible_definitions(operation),  # of no others can these roots make use
            directives=operation.node.directives,
            selection_set=SelectionSetNode(selections=tuple(requested_fields)),
        )
        return self._graphql_core(operation, node, variables)

    def _graphql_core(
        self, operation: Operation, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> ExecutionResult:
        document = DocumentNode(definitions=(node, *operation.fragments.values()))
        result = execute(self._schema.core, document, variable_values=dict(variables))
        assert isinstance(result, ExecutionResult)
        return result


def _root_fragments(body: bytes) -> dict[str, orjson.Fragment]:
    """An answer's roots by key, each of which may be left as it stands."""
    return {key: orjson.Fragment(orjson.dumps(value)) for key, value in orjson.loads(body).items()}


def _root_fields(selection_set: SelectionSetNode, operation: Operation) -> Iterable[FieldNode]:
    """All root fields of an operation, those inside fragments too."""
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _root_fields(operation.fragments[node.name.value].selection_set, operation)
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(node.selection_set, operation)


def formatted_errors(invalid: InvalidDocument, viewer: Viewer) -> list[dict[str, Any]]:
    """What is wrong with a document, as it stands in a response."""
    return [_formatted_error(error, viewer) for error in invalid.errors]


def _formatted_error(error: GraphQLError, viewer: Viewer) -> dict[str, Any]:
    """An error as it is told: whoever may not read the schema is not told what its names are like either."""
    formatted = dict(error.formatted)
    if not viewer.can_introspect:
        formatted["message"] = error.message.partition(" Did you mean ")[0]
    return formatted


def _response(body: bytes, operation: Operation, timer: StageTimer) -> GraphQLResponse:
    return GraphQLResponse(
        body, True, operation.operation_type, tuple(timer.stages), timer.statements, "", operation.name
    )


def _failed_response(error: HubError, operation: Operation, timer: StageTimer) -> GraphQLResponse:
    """The answer of an operation that was run and came to nothing; unless it could not be run at all now."""
    body = orjson.dumps({"data": None, "errors": [error.to_graphql()]})
    executed = error.code != "UNAVAILABLE"
    return GraphQLResponse(
        body, executed, operation.operation_type, tuple(timer.stages), timer.statements, error.code, operation.name
    )


def _rejected_response(errors: list[Any], operation: Operation | None, timer: StageTimer) -> GraphQLResponse:
    operation_type, name = (operation.operation_type, operation.name) if operation else ("", "")
    code = str(errors[0]["extensions"]["code"])
    return GraphQLResponse(
        orjson.dumps({"errors": errors}), False, operation_type, tuple(timer.stages), timer.statements, code, name
    )
