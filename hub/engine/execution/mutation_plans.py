"""Compiles mutations: the payload statement of each root field, cached per shape of the variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from hub.engine.document.documents import Operation
from hub.engine.document.limits import Limits
from hub.engine.execution.compiled_operation import PlanCache, compile_rows_statements, estimated_size
from hub.engine.execution.mutations import CompiledMutationField, MutationExecutor, OperationIdentity, fingerprint
from hub.engine.execution.read_audit import ReadAudit, audit_read, row_arguments_of, write_context
from hub.engine.execution.single_statement import single_statement
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.operations import MutationFieldPlan, OperationPlanner
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.planning_turns import PlanningTurns
from hub.engine.sql.compiler import compile_plan
from hub.rights import Rights
from hub.viewer import Viewer

CACHE_BYTES = 16 * 1024 * 1024

FingerprintParts = tuple[str, str | None, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class CompiledMutation:
    """The compiled root fields of a mutation, for one shape of the variables and for certain rights."""

    fields: tuple[CompiledMutationField, ...]
    audit_context: Mapping[str, Any]  # what the audit log says of its writes
    audit: ReadAudit | None = None  # what its payloads read

    @property
    def size(self) -> int:
        """Estimated size in bytes."""
        return estimated_size(sum(field.text_length for field in self.fields))


class MutationCompiler:
    """Compiles the mutations of one schema and passes them to the executor."""

    def __init__(self, schema: Schema, limits: Limits, executor: MutationExecutor, planning: PlanningTurns) -> None:
        self._schema = schema
        self._limits = limits
        self._executor = executor
        self._cache: PlanCache[CompiledMutation] = PlanCache(schema, CACHE_BYTES, planning)

    async def compile(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> CompiledMutation:
        """Returns the compiled mutation, from the cache if possible."""
        return await self._cache.get_or_compile(operation, variables, viewer.rights, self._compile, viewer.flow)

    async def execute(
        self,
        mutation: CompiledMutation,
        context: ExecutionContext,
        request_id: str,
        network: str,
        fingerprint_parts: FingerprintParts,
    ) -> tuple[bytes, Mapping[UUID, UUID]]:
        """Runs a mutation and returns the response, and the redirects that it followed.

        `fingerprint_parts` are query, operation name and variables.

        `network` is the client's address."""
        audit_context = orjson.dumps({**mutation.audit_context, **context.viewer.audit_context(network)}).decode()
        viewer = context.viewer
        operation_identity = OperationIdentity(
            viewer.actor, request_id, audit_context, viewer.source, lambda: fingerprint(*fingerprint_parts)
        )
        return await self._executor.execute(mutation.fields, context, operation_identity)

    def _compile(self, operation: Operation, variables: Mapping[str, Any], rights: Rights) -> CompiledMutation:
        planner = OperationPlanner(self._schema, variables, operation.fragments, self._limits, rights)
        field_plans = planner.plan_mutation(operation.node.selection_set)
        is_only_field = len(field_plans) == 1
        plans = [field_plan.plan for field_plan in field_plans if field_plan.plan is not None]
        kinds = {field_plan.mutation.audit for field_plan in field_plans if field_plan.mutation is not None}
        return CompiledMutation(
            tuple(_compile_field(field_plan, rights, is_only_field=is_only_field) for field_plan in field_plans),
            write_context(operation, kinds.pop() if len(kinds) == 1 else None),
            audit_read(operation, plans, None, of_payloads=True),
        )


def _compile_field(field_plan: MutationFieldPlan, rights: Rights, *, is_only_field: bool) -> CompiledMutationField:
    plan = field_plan.plan
    statement = compile_plan(plan, rights) if plan else None
    return CompiledMutationField(
        statement,
        compile_rows_statements(plan.resolver_tree, rights) if plan else {},
        field_plan,
        single_statement(field_plan, rights) if is_only_field else None,
        row_arguments_of(plan, statement) if plan and statement else (),
    )
