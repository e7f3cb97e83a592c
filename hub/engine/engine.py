"""One request from text to bytes: document → plan → statement → JSON. Each stage is timed.

A client's mistakes become error responses; only faults of the hub are raised."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter
from types import MappingProxyType
from typing import Any

from hub.db.audit_buffer import AuditBuffer, ObservedReads
from hub.db.fair_queue import Flow
from hub.db.pool import Pool
from hub.engine.budgets import CostAccounts, OperationCharge, ProcessBuckets
from hub.engine.document.documents import Document, DocumentStore, InvalidDocument, Operation, OperationType
from hub.engine.document.variables import coerce_variables
from hub.engine.document_stores import checked_document, document_limits, document_store
from hub.engine.execution.compiled_operation import PlanCache
from hub.engine.execution.exports import ExportSource, compile_export, query_error
from hub.engine.execution.introspection import Introspection
from hub.engine.execution.mutation_plans import MutationCompiler
from hub.engine.execution.mutations import MutationExecutor
from hub.engine.execution.queries import CompiledQuery, QueryExecutor, compile_query
from hub.engine.execution.read_audit import ReadAudit, audit_conflicts, audit_read
from hub.engine.execution.redirects import RedirectFollower, Redirects
from hub.engine.execution.subscriptions import (
    ChangesReader,
    CompiledSubscription,
    SubscriptionSource,
    compile_subscription,
)
from hub.engine.graphql_types.narrowed_schema import narrow
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.exports import plan_export
from hub.engine.plan.operations import OperationPlanner
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.planning_turns import PlanningTurns
from hub.engine.request import (
    GraphQLRequest,
    GraphQLResponse,
    StageTimer,
    completed_response,
    failed_response,
    formatted_errors,
    rejected_response,
)
from hub.errors import BadInput, Forbidden, HubError, LimitExceeded
from hub.model.idempotency import IdempotencyStore
from hub.rights import Rights, rights_of_roles
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource
from hub.viewer import Viewer

QUERY_CACHE_BYTES = 64 * 1024 * 1024
SUBSCRIPTION_CACHE_BYTES = 16 * 1024 * 1024
NARROWED_CACHE_BYTES = 4 * 1024 * 1024  # for each set of roles that hide a part of the schema


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
        accounts: CostAccounts | None = None,
        audit: AuditBuffer | None = None,
        time_source: TimeSource = REAL_TIME,
        redirects: Redirects | None = None,
    ) -> None:
        self.redirects = RedirectFollower(redirects)
        limits = document_limits(settings)
        self._schema = schema
        self._limits = limits
        self._secret = secret
        self.accounts = accounts or CostAccounts(None, ProcessBuckets())
        self._audit = audit
        self._time_source = time_source
        self._planning = PlanningTurns()
        self._max_operations = settings.operation_limit
        self._operations: dict[Flow, int] = {}  # running or waiting
        self._documents = document_store(schema, settings)
        self._introspection = Introspection(self._planning)
        self._queries: PlanCache[CompiledQuery] = PlanCache(schema, QUERY_CACHE_BYTES, self._planning)
        self._subscriptions: PlanCache[CompiledSubscription] = PlanCache(
            schema, SUBSCRIPTION_CACHE_BYTES, self._planning
        )
        self._query_executor = QueryExecutor(pool, self._introspection, changes_reader, limits.errors)
        self._mutation_compiler = MutationCompiler(
            schema,
            limits,
            MutationExecutor(schema, pool, idempotency, limits.errors, injected(self), self.redirects),
            self._planning,
        )

    async def operation_type(self, request: GraphQLRequest, viewer: Viewer) -> OperationType:
        """The type of the requested operation; raises HubError or InvalidDocument when there is none to run."""
        return (await self._operation(request, viewer, viewer.flow)).operation_type

    async def execute(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLResponse:
        """The response to a request, as this viewer may see it."""
        timer, flow = StageTimer(perf_counter()), viewer.flow
        running = self._operations.get(flow, 0)
        if running >= self._max_operations and flow is not None:
            return rejected_response([_too_many_operations(self._max_operations).to_graphql()], None, timer)
        self._operations[flow] = running + 1
        self._planning.note(flow)
        try:
            if viewer.limits.budget is None and not (self.accounts.concern_all or request.report_cost):
                return await self._execute(request, viewer, timer)
            charge = self.accounts.open_charge(viewer)
            try:
                response = await self._execute(request, viewer, timer, charge)
            finally:
                charge.settle()
            return charge.reported(response)
        finally:
            remaining = self._operations[flow] - 1
            if remaining:
                self._operations[flow] = remaining
            else:
                del self._operations[flow]

    async def _operation(self, request: GraphQLRequest, viewer: Viewer, flow: Flow) -> Operation:
        """The requested operation; a document that is not cached is checked when it is the turn of the flow."""
        operation = self._cached_operation(request, viewer)
        if operation is not None:
            return operation
        documents = (
            self._documents if not viewer.rights.hides_names else await self._narrowed_documents(viewer.rights, flow)
        )
        outcome = documents.lookup(request.query) or await self._checked(documents, request.query, flow)
        if isinstance(outcome, InvalidDocument):
            raise InvalidDocument(outcome.errors)
        return outcome.operation(request.operation_name)

    def _cached_operation(self, request: GraphQLRequest, viewer: Viewer) -> Operation | None:
        """The requested operation of a valid document in the cache, for a viewer who sees the whole schema."""
        document = None if viewer.rights.hides_names else self._documents.lookup(request.query)
        return document.operation(request.operation_name) if isinstance(document, Document) else None

    async def _narrowed_documents(self, rights: Rights, flow: Flow) -> DocumentStore:
        """The documents of viewers whose roles hide a part of the schema."""
        derived = rights_of_roles(rights).derived

        def find() -> DocumentStore | None:
            documents = derived.get(self)
            return documents if isinstance(documents, DocumentStore) else None

        def create() -> DocumentStore:
            return self._documents.narrowed(narrow(self._schema, rights).core, NARROWED_CACHE_BYTES)

        def store(documents: DocumentStore) -> None:
            derived[self] = documents

        current = find()
        return current if current is not None else await self._planning.create(flow, find, create, store)

    async def _checked(self, documents: DocumentStore, text: str, flow: Flow) -> Document | InvalidDocument:
        def check() -> Document | InvalidDocument:
            return checked_document(documents, text)

        return await self._planning.create(flow, partial(documents.lookup, text), check, partial(documents.store, text))

    async def _execute(
        self, request: GraphQLRequest, viewer: Viewer, timer: StageTimer, charge: OperationCharge | None = None
    ) -> GraphQLResponse:
        operation: Operation | None = None
        meter = None if charge is None else charge.meter
        try:
            if charge is not None:
                await charge.require_points()
            operation = self._cached_operation(request, viewer)
            if operation is None:
                operation = await self._operation(request, viewer, viewer.flow)
            if operation.operation_type == "subscription":
                raise BadInput("A subscription has many answers; open it as a stream.", code="STREAM_TRANSPORT")
            self._authorize(operation, request, viewer)
            variables = self._coerce_variables(operation, request, viewer)
            cost = operation.cost(variables)
            if charge is not None:
                await self._charge(charge, operation, variables, cost)
            timer.finish_stage("parse")
            if operation.introspection_only:
                body = await self._introspection.response_body(operation, variables, viewer.flow)
                return completed_response(body, operation, timer)
            now = request.now or await self._time_source.read()
            if operation.operation_type == "mutation":
                context = ExecutionContext(variables, now, viewer, self._secret, meter=meter, reads=ObservedReads())
                return await self._execute_mutation(operation, context, request, timer)
            context = ExecutionContext(variables, now, viewer, self._secret, meter=meter)
            query = await self._queries.get_or_compile(
                operation, variables, viewer.rights, self._compile_query, viewer.flow
            )
            if query.filters_by_id:
                context = await self.redirects.of_filters(query, context)
            arguments = query.statement.bind(context) if query.statement else []
            timer.finish_stage("plan")
        except InvalidDocument as invalid:
            return rejected_response(formatted_errors(invalid, viewer), operation, timer)
        except HubError as error:
            return rejected_response([error.to_graphql()], operation, timer)
        try:
            body = await self._query_executor.execute(operation, query, arguments, context, timer)
            if query.row_roots and (redirected := await self.redirects.of_roots(query, context, body)):
                context, arguments = redirected
                body = await self._query_executor.execute(operation, query, arguments, context, timer)
        except HubError as error:
            return failed_response(error, operation, timer)
        if query.audit is not None and self._audit is not None:
            self._audit.add(
                viewer, request.network, request.request_id, context.now, query.audit.read, query.audit.rows(arguments)
            )
        return self.redirects.described(completed_response(body, operation, timer), context.redirects)

    def explain(self, request: GraphQLRequest, viewer: Viewer) -> tuple[str, list[Any]]:
        """The statement of a query and its arguments; raises HubError or InvalidDocument."""
        documents = self._documents
        if viewer.rights.hides_names:
            documents = documents.narrowed(narrow(self._schema, viewer.rights).core, NARROWED_CACHE_BYTES)
        operation = documents.get(request.query).operation(request.operation_name)
        variables = self._coerce_variables(operation, request, viewer)
        statement = self._compile_query(operation, variables, viewer.rights).statement
        assert statement is not None
        now = request.now or self._time_source.now()
        return statement.text, statement.bind(ExecutionContext(variables, now, viewer, self._secret))

    async def export_source(self, request: GraphQLRequest, viewer: Viewer) -> ExportSource:
        """The source of an export's rows, with the viewer's rights as they are now; raises BadInput or HubError."""
        try:
            operation = await self._operation(request, viewer, viewer.flow)
            if operation.operation_type != "query":
                message = f"an export is a query, not a {operation.operation_type}; send a query of one list."
                raise BadInput(message, code="EXPORT_INVALID")
            variables = self._coerce_variables(operation, request, viewer)
            operation.cost(variables)
            planner = self._planner(operation, variables, viewer.rights)
            count_planner = self._planner(operation, variables, viewer.rights)
            export_plan = plan_export(planner, count_planner, operation.node.selection_set)
            compiled = compile_export(export_plan, viewer.rights)
            statement = compiled.statement
            assert statement is not None
            now = request.now or await self._time_source.read()
            context = ExecutionContext(variables, now, viewer, self._secret)
            context = await self.redirects.of_statement(statement, context)
            audit = audit_read(operation, (export_plan.plan,), statement)
            return ExportSource(compiled, context, statement.bind(context), audit)
        except InvalidDocument as invalid:
            first = formatted_errors(invalid, viewer)[0]
            raise query_error(first["message"], first["extensions"]["code"]) from None
        except BadInput as error:
            raise query_error(error.message, error.code, error.extensions) from None

    async def subscription_source(
        self, request: GraphQLRequest, viewer: Viewer, *, by_hub: bool = False, charged: bool = True
    ) -> SubscriptionSource:
        """The source of a subscription's messages; raises InvalidDocument or HubError when it cannot be opened.

        `by_hub` says that the hub needs it for its own work, which does not wait for the budget of the viewer's flow.
        `charged` says that the viewer's cost budget pays for it: it needs the points of one run, and pays for each run."""
        flow = None if by_hub else viewer.flow
        charge = None if by_hub or not charged else self.accounts.open_charge(viewer)
        if charge is not None:
            await charge.require_points()
        operation = await self._operation(request, viewer, flow)
        if operation.operation_type != "subscription":
            raise BadInput(
                f"A {operation.operation_type} has one answer and is no stream; send a subscription.",
                code="OPERATION_UNKNOWN",
            )
        self._authorize(operation, request, viewer)
        variables = self._coerce_variables(operation, request, viewer)
        cost = operation.cost(variables)
        if charge is not None:
            await self._charge(charge, operation, variables, cost)
            charge.settle()  # to one point
        compiled = await self._subscriptions.get_or_compile(
            operation, variables, viewer.rights, self._compile_subscription, flow
        )
        now = request.now or await self._time_source.read()
        context = ExecutionContext(variables, now, viewer, self._secret)
        context = await self.redirects.of_statement(compiled.statement, context)
        if charge is None:
            source = SubscriptionSource(compiled, context)
        else:
            source = SubscriptionSource(compiled, context, charge.requested, charge.account)
        if not by_hub:
            self._audit_stream(compiled, source, context, request)
        return source

    def _audit_stream(
        self,
        compiled: CompiledSubscription,
        source: SubscriptionSource,
        context: ExecutionContext,
        request: GraphQLRequest,
    ) -> None:
        """Records what an opened stream will read."""
        if compiled.audit is None or self._audit is None:
            return
        rows = list(compiled.audit.rows(compiled.statement.bind(context) if compiled.statement else ()))
        if source.customer_id is not None:
            rows.append((self._schema.catalog.customer_type.declaration.prefix, source.customer_id))
        about = tuple(dict.fromkeys(rows))
        self._audit.add(context.viewer, request.network, request.request_id, context.now, compiled.audit.read, about)

    def _authorize(self, operation: Operation, request: GraphQLRequest, viewer: Viewer) -> None:
        if operation.operation_type == "mutation" and request.read_only:
            raise BadInput("A mutation cannot run in a read-only request.", code="METHOD_NOT_ALLOWED")
        if operation.has_introspection and not viewer.can_introspect:
            raise Forbidden(
                "This key may not read the schema; use one that is not bound to a customer and whose role allows it.",
                code="INTROSPECTION_FORBIDDEN",
            )

    def _coerce_variables(self, operation: Operation, request: GraphQLRequest, viewer: Viewer) -> Mapping[str, Any]:
        return coerce_variables(
            operation.schema,
            operation,
            request.variables or {},
            self._limits.errors,
            hide_suggestions=not viewer.can_introspect,
        )

    async def _charge(
        self, charge: OperationCharge, operation: Operation, variables: Mapping[str, Any], cost: int
    ) -> None:
        """Charges an operation; raises LimitExceeded when the budget can never pay for it, Throttled when it cannot now."""
        if charge.account is not None and cost > charge.account.budget.capacity:
            raise operation.over_budget(variables, cost, charge.account.budget.capacity)
        await charge.open(cost)

    def _planner(self, operation: Operation, variables: Mapping[str, Any], rights: Rights) -> OperationPlanner:
        return OperationPlanner(self._schema, variables, operation.fragments, self._limits, rights)

    def _compile_query(self, operation: Operation, variables: Mapping[str, Any], rights: Rights) -> CompiledQuery:
        plan = self._planner(operation, variables, rights).plan_query(operation.node.selection_set)
        compiled = compile_query(plan, rights, self._schema.catalog.customer_type)
        plans = (plan.plan, *(root.plan for root in plan.changes_roots))
        return replace(compiled, audit=audit_read(operation, plans, compiled.statement))

    def _compile_subscription(
        self, operation: Operation, variables: Mapping[str, Any], rights: Rights
    ) -> CompiledSubscription:
        root = self._planner(operation, variables, rights).plan_subscription(operation.node.selection_set)
        compiled = compile_subscription(root, rights, self._schema.catalog.customer_type)
        return replace(compiled, audit=audit_read(operation, (root.plan,), compiled.statement))

    async def _execute_mutation(
        self, operation: Operation, context: ExecutionContext, request: GraphQLRequest, timer: StageTimer
    ) -> GraphQLResponse:
        """The response to a mutation; an error of a command is a response without data."""
        mutation = await self._mutation_compiler.compile(operation, context.variables, context.viewer)
        timer.finish_stage("plan")
        fingerprint_parts = (request.query, request.operation_name, request.variables)
        try:
            body, redirects = await self._mutation_compiler.execute(
                mutation, context, request.request_id, request.network, fingerprint_parts
            )
        except HubError as error:
            self._audit_mutation(None, operation, context, request)
            return failed_response(error, operation, timer)
        self._audit_mutation(mutation.audit, operation, context, request)
        timer.finish_stage("sql")
        return self.redirects.described(completed_response(body, operation, timer), redirects)

    def _audit_mutation(
        self,
        payloads: ReadAudit | None,
        operation: Operation,
        context: ExecutionContext,
        request: GraphQLRequest,
    ) -> None:
        """Records what the payloads of a mutation read, and what the errors of its conflicts show."""
        reads = context.reads
        if self._audit is None or reads is None:
            return
        described = [] if payloads is None else [payloads.read]
        if reads.conflicts:
            described.append(audit_conflicts(operation, reads))
        for read in described:
            self._audit.add(context.viewer, request.network, request.request_id, context.now, read, reads.rows)


def _too_many_operations(limit: int) -> LimitExceeded:
    message = f"This key already has {limit} operations in progress; wait for some of them, then try again."
    return LimitExceeded(message, code="OPERATION_LIMIT", extensions={"limit": limit})
