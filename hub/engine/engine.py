"""One request from text to bytes: document → plan → statement → JSON, the stages in order, each timed.

What a client did wrong becomes an answer; only a fault of ours is raised. Rights are the viewer's binding, which is part of
every plan's key."""

import asyncio
from collections.abc import Iterable, Mapping
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
from hub.engine.cache import Shelf
from hub.engine.document.documents import DocumentError, Documents, Kind, Operation
from hub.engine.document.limits import Limits
from hub.engine.document.variables import as_sent, coerced
from hub.engine.execution import subscriptions
from hub.engine.execution.mutation_plans import Mutator
from hub.engine.execution.mutations import Answers, Performer
from hub.engine.execution.resolvers import Splicer
from hub.engine.execution.subscriptions import Pages, Watch
from hub.engine.graphql_types.schema_builder import Graph
from hub.engine.plan.cache_key import shape
from hub.engine.plan.nodes import Constant, Null, Plan
from hub.engine.plan.operations import Planned, Planner
from hub.engine.plan.predicates import Run
from hub.engine.sql.compiler import Statement, written
from hub.errors import BadInput, Forbidden, HubError
from hub.observability import PlanMade, tell
from hub.settings import Settings
from hub.viewer import Viewer

PLAN_BYTES = 64 * 1024 * 1024
PLAN_BASE, PLAN_FACTOR = (
    8_192,
    12,
)  # about what a plan takes, by the length of its statement (measured with tracemalloc)
DOCUMENT_BYTES = 64 * 1024 * 1024


class Request(NamedTuple):
    """What a client sent; `at` is the moment that counts as now, `read_only` refuses everything but queries.

    `request_id` is what the log of changes remembers it by; `resume` is where a stream goes on, instead of its `after`."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool = False
    at: datetime | None = None
    request_id: str = "-"
    resume: str | None = None


class Answer(NamedTuple):
    """What goes back: the whole JSON response, and what is worth telling of it."""

    body: bytes
    executed: bool
    operation: str
    timings: tuple[tuple[str, float], ...]
    statements: int
    code: str
    name: str


@dataclass(slots=True)
class Ready:
    """An operation planned for one shape of variables and one binding, with its statements."""

    planned: Planned
    statement: Statement | None
    told: tuple[subscriptions.Ready, ...]
    keyed: dict[int, Statement] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How long the statements' texts are."""
        return (len(self.statement.text) if self.statement else 0) + sum(each.length for each in self.told)


@dataclass(slots=True)
class Trace:
    """The stages of one request and the time each took, in milliseconds."""

    began: float
    stages: list[tuple[str, float]] = field(default_factory=list)
    statements: int = 0

    def stage(self, name: str) -> None:
        """Ends a stage."""
        now = perf_counter()
        self.stages.append((name, (now - self.began) * 1000))
        self.began = now


class Engine:
    """Answers requests over one schema and one pool."""

    def __init__(
        self,
        graph: Graph,
        pool: Pool,
        settings: Settings,
        secret: bytes,
        answers: Answers,
        pages: Pages,
        tools: Mapping[str, object] = MappingProxyType({}),
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
        self._graph = graph
        self._pool = pool
        self._limits = limits
        self._secret = secret
        self._documents = Documents(graph.core, limits, DOCUMENT_BYTES)
        self._plans: Shelf[Ready] = Shelf(PLAN_BYTES)
        self._pages = pages
        self._watched: Shelf[subscriptions.Ready] = Shelf(PLAN_BYTES // 4)
        self._mutator = Mutator(graph, limits, Performer(graph, pool, answers, limits.errors, tools))
        self._describing = asyncio.Lock()

    def kind(self, request: Request) -> Kind:
        """What kind of operation is asked for; raises HubError or DocumentError when none can be run."""
        return self._documents.get(request.query).operation(request.operation_name).kind

    async def execute(self, request: Request, viewer: Viewer) -> Answer:
        """The answer to a request, as this viewer may see it."""
        trace = Trace(perf_counter())
        operation: Operation | None = None
        try:
            operation = self._documents.get(request.query).operation(request.operation_name)
            if operation.kind == "subscription":
                message = "A subscription has many answers; use a WebSocket, or send `Accept: text/event-stream`."
                raise BadInput(message, code="STREAM_TRANSPORT")
            self._allow(operation, request, viewer)
            variables = self._variables(operation, request.variables or {})
            operation.cost(variables)
            trace.stage("parse")
            if operation.introspection_only:
                # In a thread, one at a time: a large schema takes a while to describe, and others wait for the loop.
                async with self._describing:
                    described = await asyncio.to_thread(self._introspected, operation, variables)
                return _answer(described, operation, trace)
            if operation.kind == "mutation":
                return await self._mutated(operation, variables, request, viewer, trace)
            ready = await self._ready(operation, variables, viewer)
            run = Run(variables, request.at or datetime.now(UTC), viewer, self._secret)
            arguments = ready.statement.bind(run) if ready.statement else []
            trace.stage("plan")
        except DocumentError as refused:
            return _refused(errors_of(refused, viewer), operation, trace)
        except HubError as error:
            return _refused([error.to_graphql()], operation, trace)
        try:
            return await self._run(operation, ready, arguments, run, trace)
        except HubError as error:
            return _failed(error, operation, trace)

    def explain(self, request: Request, viewer: Viewer) -> tuple[str, list[Any]]:
        """The statement that a request becomes, and its arguments; raises HubError or DocumentError."""
        operation = self._documents.get(request.query).operation(request.operation_name)
        variables = self._variables(operation, request.variables or {})
        ready = self._planned(operation, variables, viewer)
        assert ready.statement is not None
        return ready.statement.text, ready.statement.bind(
            Run(variables, request.at or datetime.now(UTC), viewer, self._secret)
        )

    def _allow(self, operation: Operation, request: Request, viewer: Viewer) -> None:
        if operation.kind == "mutation" and request.read_only:
            raise BadInput("A mutation is not possible over GET; use POST.", code="METHOD_NOT_ALLOWED")
        if operation.has_introspection and not viewer.introspect:
            raise Forbidden(
                "This key may not read the schema; use a key that is not bound to a customer.",
                code="INTROSPECTION_FORBIDDEN",
            )
        viewer.require("graph:read")

    def _variables(self, operation: Operation, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return coerced(self._graph.core, operation, given, self._limits.errors)

    async def _ready(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> Ready:
        """The operation's plan for this shape: kept, or made now, in a thread, since a large one takes its time."""
        key = (operation, viewer.binding, *shape(operation, variables, self._graph.steering))

        async def make() -> tuple[Ready, int]:
            began = perf_counter()
            ready = await asyncio.to_thread(self._planned, operation, variables, viewer)
            tell(PlanMade(operation.name, perf_counter() - began))
            return ready, PLAN_BASE + PLAN_FACTOR * ready.length

        return self._plans.get(key) or await self._plans.made(key, make)

    def _planned(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> Ready:
        planner = Planner(self._graph, variables, operation.fragments, self._limits.page)
        planned = planner.plan(operation.node.selection_set, viewer.binding)
        planner.draft.read.forget()
        stored = any(not isinstance(node, Constant | Null) for _, node in planned.plan.roots)
        owner = self._graph.catalog.owner
        told = tuple(subscriptions.ready(each, viewer.binding, owner) for each in planned.told)
        return Ready(planned, written(planned.plan, viewer.binding) if stored else None, told)

    async def watch(self, request: Request, viewer: Viewer) -> Watch:
        """What a subscription is to be told with; raises DocumentError or HubError when it cannot be."""
        operation = self._documents.get(request.query).operation(request.operation_name)
        if operation.kind != "subscription":
            raise BadInput(
                f"A {operation.kind} has one answer and is no stream; give a subscription.", code="OPERATION_UNKNOWN"
            )
        self._allow(operation, request, viewer)
        variables = self._variables(operation, request.variables or {})
        operation.cost(variables)
        key = (operation, viewer.binding, *shape(operation, variables, self._graph.steering))

        async def make() -> tuple[subscriptions.Ready, int]:
            ready = await asyncio.to_thread(self._streamed, operation, variables, viewer)
            return ready, PLAN_BASE + PLAN_FACTOR * ready.length

        ready = self._watched.get(key) or await self._watched.made(key, make)
        return Watch(ready, Run(variables, request.at or datetime.now(UTC), viewer, self._secret))

    def _streamed(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> subscriptions.Ready:
        planner = Planner(self._graph, variables, operation.fragments, self._limits.page)
        root = planner.stream(operation.node.selection_set, viewer.binding)
        planner.draft.read.forget()
        return subscriptions.ready(root, viewer.binding, self._graph.catalog.owner)

    async def _mutated(
        self, operation: Operation, variables: Mapping[str, Any], request: Request, viewer: Viewer, trace: Trace
    ) -> Answer:
        """The answer to a mutation; what a command refuses is an answer without data."""
        acts = await self._mutator.planned(operation, variables, viewer)
        trace.stage("plan")
        run = Run(variables, request.at or datetime.now(UTC), viewer, self._secret)
        told = (request.query, request.operation_name, request.variables)
        try:
            body = await self._mutator.performed(acts, run, request.request_id, told)
        except HubError as error:
            return _failed(error, operation, trace)
        trace.stage("sql")
        return _answer(body, operation, trace)

    async def _run(self, operation: Operation, ready: Ready, arguments: list[Any], run: Run, trace: Trace) -> Answer:
        statement = ready.statement
        if statement is None:
            body = orjson.dumps({key: getattr(node, "text", None) for key, node in ready.planned.plan.roots})
        else:
            trace.statements += 1
            body = await self._pool.fetch_json(statement.text, arguments, fresh=statement.fresh)
        trace.stage("sql")
        splice = ready.planned.plan.splice
        told = {each.root.key: await self._page(each, run) for each in ready.told}
        if splice is None and told:
            body = orjson.dumps({**_raw(body), **told})
        if splice is None:
            return _answer(b'{"data":' + body + b"}", operation, trace)
        data = orjson.loads(body)
        splicer = Splicer(run, lambda plan, inner: self._keyed(ready, plan, inner, trace))
        await splicer.splice(data, splice)
        data.update(told)
        response: dict[str, Any] = {"data": data}
        errors = [error.to_graphql() for error in splicer.errors[: self._limits.errors]]
        if ready.planned.python:
            answered = self._python(operation, run.variables, ready.planned.python)
            data.update({key: (answered.data or {}).get(key) for key in ready.planned.python})
            errors += [dict(error.formatted) for error in answered.errors or ()]
        if errors:
            response["errors"] = errors
        trace.stage("splice")
        return _answer(orjson.dumps(response), operation, trace)

    async def _page(self, told: subscriptions.Ready, run: Run) -> orjson.Fragment:
        """A page of changes, as it stands."""
        try:
            messages = await self._pages.page(Watch(told, run))
        except HubError as error:
            error.path = error.path or (told.root.key,)
            raise
        return orjson.Fragment(b"[" + b",".join(messages) + b"]")

    async def _keyed(self, ready: Ready, plan: Plan, run: Run, trace: Trace) -> dict[str, Any]:
        """The rows behind keys that a resolver gave, by key."""
        statement = ready.keyed.get(id(plan))
        if statement is None:
            statement = ready.keyed[id(plan)] = written(plan, run.viewer.binding)
        trace.statements += 1
        found = orjson.loads(await self._pool.fetch_json(statement.text, statement.bind(run)))
        return found["rows"] or {}

    # -- what graphql-core answers --------------------------------------------------------------------------------------

    def _introspected(self, operation: Operation, variables: Mapping[str, Any]) -> bytes:
        """The answer about the schema; kept with the document when no variable can change it."""
        kept = operation.plans.get("introspection")
        if isinstance(kept, bytes):
            return kept
        result = self._core(operation, operation.node, variables)
        body = orjson.dumps(result.formatted)
        if not operation.variables:
            operation.plans["introspection"] = body
        return body

    def _python(self, operation: Operation, variables: Mapping[str, Any], keys: tuple[str, ...]) -> ExecutionResult:
        """The roots that read nothing stored, in an operation that asks for stored ones too."""
        wanted = [
            node
            for node in _root_fields(operation.node.selection_set, operation)
            if (node.alias or node.name).value in keys
        ]
        node = OperationDefinitionNode(
            operation=operation.node.operation,
            name=operation.node.name,
            variable_definitions=as_sent(operation),  # of no others can these roots make use
            directives=operation.node.directives,
            selection_set=SelectionSetNode(selections=tuple(wanted)),
        )
        return self._core(operation, node, variables)

    def _core(
        self, operation: Operation, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> ExecutionResult:
        tree = DocumentNode(definitions=(node, *operation.fragments.values()))
        result = execute(self._graph.core, tree, variable_values=dict(variables))
        assert isinstance(result, ExecutionResult)
        return result


def _raw(body: bytes) -> dict[str, orjson.Fragment]:
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


def errors_of(refused: DocumentError, viewer: Viewer) -> list[dict[str, Any]]:
    """What is wrong with a document, as it stands in a response."""
    return [_told(error, viewer) for error in refused.errors]


def _told(error: GraphQLError, viewer: Viewer) -> dict[str, Any]:
    """An error as it is told: whoever may not read the schema is not told what its names are like either."""
    told = dict(error.formatted)
    if not viewer.introspect:
        told["message"] = error.message.partition(" Did you mean ")[0]
    return told


def _answer(body: bytes, operation: Operation, trace: Trace) -> Answer:
    return Answer(body, True, operation.kind, tuple(trace.stages), trace.statements, "", operation.name)


def _failed(error: HubError, operation: Operation, trace: Trace) -> Answer:
    """The answer of an operation that was run and came to nothing; unless it could not be run at all now."""
    body = orjson.dumps({"data": None, "errors": [error.to_graphql()]})
    executed = error.code != "UNAVAILABLE"
    return Answer(body, executed, operation.kind, tuple(trace.stages), trace.statements, error.code, operation.name)


def _refused(errors: list[Any], operation: Operation | None, trace: Trace) -> Answer:
    kind, name = (operation.kind, operation.name) if operation else ("", "")
    code = str(errors[0]["extensions"]["code"])
    return Answer(orjson.dumps({"errors": errors}), False, kind, tuple(trace.stages), trace.statements, code, name)
