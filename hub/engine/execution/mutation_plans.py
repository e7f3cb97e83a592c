"""From a mutation's document to roots that mutations.py can run: planned once per shape, kept as plans of queries are."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson

from hub.db.transaction import Transaction
from hub.engine.cache import ByteBudgetCache
from hub.engine.document.documents import Operation
from hub.engine.document.limits import Limits
from hub.engine.execution.mutations import CompiledMutationField, MutationExecutor, OperationIdentity, fingerprint
from hub.engine.execution.single_statement import single_statement
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.cache_key import plan_cache_key
from hub.engine.plan.nodes import Plan
from hub.engine.plan.operations import OperationPlanner
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.sql.compiler import CompiledStatement, compile_plan
from hub.observability import PlanCompiled, emit
from hub.viewer import Viewer

MUTATION_CACHE_BYTES = 16 * 1024 * 1024
MUTATION_BASE_BYTES, MUTATION_BYTES_PER_CHARACTER = 8_192, 12  # as for the plans of queries, see engine.py

FingerprintParts = tuple[str, str | None, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class CompiledMutation:
    """A mutation planned for one shape of the variables in its selections and one binding."""

    fields: tuple[CompiledMutationField, ...]

    @property
    def size(self) -> int:
        """About how much memory it takes."""
        return MUTATION_BASE_BYTES + MUTATION_BYTES_PER_CHARACTER * sum(
            len(field.statement.text) for field in self.fields if field.statement
        )


class MutationCompiler:
    """Plans mutations of one schema, and has them performed."""

    def __init__(self, schema: Schema, limits: Limits, executor: MutationExecutor) -> None:
        self._schema = schema
        self._limits = limits
        self._executor = executor
        self._cache: ByteBudgetCache[CompiledMutation] = ByteBudgetCache(MUTATION_CACHE_BYTES)

    async def compile(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> CompiledMutation:
        """The mutation's plan: kept, or made now, in a thread."""
        key = (operation, viewer.binding, *plan_cache_key(operation, variables, self._schema.plan_relevant_enums))

        async def create() -> tuple[CompiledMutation, int]:
            started = perf_counter()
            mutation = await asyncio.to_thread(self._compile, operation, variables, viewer)
            emit(PlanCompiled(operation.name, perf_counter() - started))
            return mutation, mutation.size

        return self._cache.get(key) or await self._cache.get_or_create(key, create)

    async def execute(
        self,
        mutation: CompiledMutation,
        context: ExecutionContext,
        request_id: str,
        fingerprint_parts: FingerprintParts,
    ) -> bytes:
        """The answer; `fingerprint_parts` is the request as it came, for the fingerprint of an idempotency key."""
        return await self._executor.execute(
            mutation.fields,
            context,
            OperationIdentity(context.viewer.actor, request_id, lambda: fingerprint(*fingerprint_parts)),
        )

    def _compile(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> CompiledMutation:
        planner = OperationPlanner(self._schema, variables, operation.fragments, self._limits.page)
        field_plans = planner.plan_mutation(operation.node.selection_set)
        rows_statements: dict[int, CompiledStatement] = {}

        async def load_by_keys(tx: Transaction, context: ExecutionContext, plan: Plan) -> dict[str, Any]:
            if id(plan) not in rows_statements:
                rows_statements[id(plan)] = compile_plan(plan, viewer.binding)
            statement = rows_statements[id(plan)]
            data = orjson.loads(await tx.fetch_json(statement.text, statement.bind(context)))
            return data["rows"] or {}

        single = single_statement(field_plans[0], viewer.binding) if len(field_plans) == 1 else None
        return CompiledMutation(
            tuple(
                CompiledMutationField(
                    field_plan,
                    compile_plan(field_plan.plan, viewer.binding) if field_plan.plan else None,
                    load_by_keys,
                    single,
                )
                for field_plan in field_plans
            )
        )
