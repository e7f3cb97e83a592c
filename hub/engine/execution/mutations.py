"""Runs a mutation in one transaction: for each root field the command and then its payload, followed by one commit.

Any error rolls the operation back. With an idempotency key, the response is stored in the same transaction, and a repeated
operation returns the stored response."""

import asyncio
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

import orjson
from graphql import GraphQLNonNull, Undefined, value_from_ast

from hub.db.database_errors import ContentionError
from hub.db.fair_queue import FairQueue
from hub.db.pool import Connection, Pool
from hub.db.transaction import (
    RELEASE,
    ROLLBACK_TO,
    SAVEPOINT,
    IdempotencyConflict,
    NotASingleInsert,
    RecordingConnection,
    Transaction,
    execute_single_statement,
    read_only_connection,
    transaction,
)
from hub.engine.document.limits import node_locations
from hub.engine.execution.compiled_operation import CompiledOperation
from hub.engine.execution.mutation_arguments import (
    argument_error,
    execution_order,
    idempotency_key,
    limit_bulk_rows,
    qualify_argument,
    row_error,
    show_conflict,
)
from hub.engine.execution.read_audit import RowArguments, named_rows, observe_conflict
from hub.engine.execution.redirects import RedirectFollower
from hub.engine.execution.single_statement import SingleStatement, combine
from hub.engine.graphql_types.mutation_types import MutationField
from hub.engine.graphql_types.narrowed_schema import narrow
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.operations import MutationFieldPlan
from hub.engine.plan.parameters import NO_REDIRECTS, ExecutionContext
from hub.errors import BadInput, HubError, Unavailable
from hub.model import exact_json
from hub.model.idempotency import IdempotencyStore
from hub.viewer import Viewer

ATTEMPTS = 4
RETRY_BASE = 0.02  # seconds before the second attempt; doubles with each further attempt, plus jitter
FINGERPRINT_BYTES, RIGHTS_BYTES = 32, 16  # of an idempotency record
NO_KEY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class CompiledMutationField(CompiledOperation):
    """A root field of a mutation with the statement of its payload; `__typename` has no statement."""

    field_plan: MutationFieldPlan
    single_statement: SingleStatement | None = None
    row_arguments: tuple[RowArguments, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationIdentity:
    """Actor, request id and context for the change log, who says what is written, and the operation's fingerprint."""

    actor: str
    request_id: str
    context: str  # a JSON object
    source: str
    fingerprint: Callable[[], bytes]

    @property
    def caller(self) -> tuple[str, str, str, str]:
        """Who writes, as statements record it."""
        return self.actor, self.request_id, self.context, self.source


def fingerprint(query: str, name: str | None, variables: Mapping[str, Any] | None) -> bytes:
    """Returns a hash of the operation: equal text, name and variables give an equal hash."""
    operation = [query, name, variables or {}]
    try:
        canonical = orjson.dumps(operation, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number that orjson does not write
        canonical = json.dumps(operation, sort_keys=True, default=repr).encode()
    return hashlib.sha256(canonical).digest()


def _rights_digest(viewer: Viewer) -> bytes:
    """What follows the fingerprint in an idempotency record: with what rights its response was rendered.

    Empty for a viewer from whom nothing is hidden."""
    hides_something = viewer.binding != "unrestricted" or viewer.rights.narrowed
    return viewer.rights_digest()[:RIGHTS_BYTES] if hides_something else b""


class MutationExecutor:
    """Runs mutations over one schema and one pool."""

    def __init__(
        self,
        schema: Schema,
        pool: Pool,
        idempotency: IdempotencyStore,
        error_limit: int,
        injected: Mapping[str, object] = MappingProxyType({}),
        redirects: RedirectFollower | None = None,
    ) -> None:
        self._redirects = redirects or RedirectFollower(None)
        self._schema = schema
        self._injected = injected
        self._pool = pool
        self._idempotency = idempotency
        self._error_limit = error_limit
        self._retries = FairQueue(1)
        self._metadata = next(iter(schema.catalog.entities.values())).table.metadata

    async def execute(
        self, fields: Sequence[CompiledMutationField], context: ExecutionContext, operation_identity: OperationIdentity
    ) -> tuple[bytes, Mapping[UUID, UUID]]:
        """Returns the response body of a mutation and the redirects that it followed.

        An operation that misses a row runs once more, if it names former ids. Raises HubError with the path of the rejected
        root field."""
        if not fields:  # @skip or @include removed all of them
            return b'{"data":{}}', NO_REDIRECTS
        field_plans = [field.field_plan for field in fields]
        arguments = [self._coerced_arguments(field_plan, context.variables) for field_plan in field_plans]
        limit_bulk_rows(field_plans, arguments)
        key = idempotency_key(field_plans, arguments)
        owner, pool = context.viewer.key_id or NO_KEY, self._pool.for_flow(context.viewer.flow, context.meter)
        run = (pool, fields, arguments, context, operation_identity, key)
        try:
            try:
                return await self._with_retries(*run), NO_REDIRECTS
            except HubError as missed:
                redirects = await self._redirects.of_arguments(arguments, missed, context.viewer)
                if not redirects:
                    raise
                replaced = self._redirects.replaced(arguments, redirects)
                context = context._replace(redirects=redirects)
                run = (pool, fields, replaced, context, operation_identity, key)
                return await self._with_retries(*run), redirects
        except HubError as error:
            stored = None if key is None else await self._stored_response(pool, owner, key)
            if key is None or stored is None:
                if isinstance(error, IdempotencyConflict):  # stored by a concurrent operation, and purged since
                    raise Unavailable(
                        "An operation with the same idempotency key ran at the same time; try again."
                    ) from error
                raise
        fingerprint, rights = stored[0][:FINGERPRINT_BYTES], stored[0][FINGERPRINT_BYTES:]
        if fingerprint == operation_identity.fingerprint() and rights != _rights_digest(context.viewer):
            fault = "the operation ran already; its response is not repeated, since the key's rights have changed; read the rows"
            raise argument_error(fields[0].field_plan, "idempotencyKey", "IDEMPOTENCY_RIGHTS_CHANGED", fault)
        if fingerprint != operation_identity.fingerprint():
            fault = f"{key[:60]!r} was used for another operation; use a new key for each operation"
            raise argument_error(fields[0].field_plan, "idempotencyKey", "IDEMPOTENCY_KEY_REUSED", fault)
        return stored[1], NO_REDIRECTS

    async def _stored_response(self, pool: Pool, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        async with read_only_connection(pool, self._metadata) as connection:
            return await self._idempotency.find(connection, owner, key)

    async def _with_retries(
        self,
        pool: Pool,
        fields: Sequence[CompiledMutationField],
        arguments: Sequence[Mapping[str, Any]],
        context: ExecutionContext,
        operation_identity: OperationIdentity,
        key: str | None,
    ) -> bytes:
        """Retries after deadlocks and serialization failures; raises ContentionError after the last attempt."""
        run = (pool, fields, arguments, context, operation_identity, key)
        for attempt in range(ATTEMPTS):
            try:
                response = await self._as_single_statement(
                    pool, fields[0], arguments[0], context, operation_identity, key
                )
                if response is not None:
                    return response
                if attempt == 0:
                    return await self._in_transaction(*run, serialized=False)
                # One at a time, so that waiting retries hold one connection, not the whole pool.
                async with self._retries.turn(context.viewer.flow):
                    return await self._in_transaction(*run, serialized=True)
            except ContentionError:
                if attempt == ATTEMPTS - 1:
                    raise
            await asyncio.sleep(RETRY_BASE * 2**attempt * (1 + random.random()))
        raise AssertionError("the last attempt returns or raises")

    async def _as_single_statement(
        self,
        pool: Pool,
        field: CompiledMutationField,
        field_arguments: Mapping[str, Any],
        context: ExecutionContext,
        operation_identity: OperationIdentity,
        key: str | None,
    ) -> bytes | None:
        """Returns the response if the command is a single INSERT; None if it needs a transaction or fails."""
        mutation, recording = field.field_plan.mutation, RecordingConnection()
        if field.single_statement is None or mutation is None or mutation.single_insert is None:
            return None
        try:
            values = mutation.input.read(field_arguments["input"], "input")
            if not mutation.single_insert(context.viewer, values):
                return None
            values = self._with_injected(mutation, values)
            outcome = await mutation.call(cast(Connection, recording), context.viewer, values, context.now)
            context = context._replace(outcome=outcome)
        except (NotASingleInsert, HubError):
            return None
        if not recording.text.startswith(f"INSERT INTO {field.single_statement.table} "):
            return None
        payload, identity = field.single_statement.payload, operation_identity
        arguments = [*payload.bind(context), *recording.arguments, *identity.caller]
        store_sql = None
        if key is not None:
            store_sql = self._idempotency.store_sql(len(arguments) + 1)
            arguments += self._idempotency.store_arguments(
                context.viewer.key_id or NO_KEY,
                key,
                identity.fingerprint() + _rights_digest(context.viewer),
                context.now,
                field.single_statement.keystream,
            )
        insert_parameters = len(recording.arguments)
        text = combine(payload.text, len(payload.parameters), recording.text, insert_parameters, store_sql)
        try:
            body = await execute_single_statement(pool, text, arguments, self._idempotency.table)
        except Unavailable:
            raise
        except (NotASingleInsert, HubError):
            return None  # the transaction raises it again, with the argument
        return None if body is None else b'{"data":' + body + b"}"

    async def _in_transaction(
        self,
        pool: Pool,
        fields: Sequence[CompiledMutationField],
        arguments: Sequence[Mapping[str, Any]],
        context: ExecutionContext,
        operation_identity: OperationIdentity,
        key: str | None,
        *,
        serialized: bool,
    ) -> bytes:
        parts: list[bytes] = []
        errors: list[HubError] = []
        async with transaction(
            pool,
            self._metadata,
            *operation_identity.caller,
            serialized=serialized,
        ) as tx:
            for field, field_arguments in zip(fields, arguments, strict=True):
                try:
                    parts.append(await self._execute_field(tx, field, field_arguments, context, errors))
                except HubError as rejected:
                    rejected.path = rejected.path or (field.field_plan.key,)
                    rejected.locations = rejected.locations or node_locations(field.field_plan.node)
                    raise
            response = b'{"data":{' + b",".join(parts) + b"}"
            if errors:
                response += b',"errors":' + orjson.dumps([error.to_graphql() for error in errors[: self._error_limit]])
            response += b"}"
            tx.raise_if_failed()
            if key is not None:
                if fields[0].single_statement is not None:  # perhaps too long for its keystream
                    fields[0].single_statement.keystream.fit(response)
                fingerprint_and_rights = operation_identity.fingerprint() + _rights_digest(context.viewer)
                record_key = (context.viewer.key_id or NO_KEY, key, fingerprint_and_rights)
                async with tx.translate_errors():
                    if not await self._idempotency.store(tx.connection, *record_key, response, context.now):
                        raise IdempotencyConflict("the key is already stored")
            await tx.finish()
        return response

    async def _execute_field(
        self,
        tx: Transaction,
        field: CompiledMutationField,
        field_arguments: Mapping[str, Any],
        context: ExecutionContext,
        errors: list[HubError],
    ) -> bytes:
        """Runs a root field; returns its member of `data`."""
        mutation = field.field_plan.mutation
        if mutation is None or field.statement is None or field.field_plan.plan is None:
            return b'"%s":"Mutation"' % field.field_plan.key.encode()
        execute = self._execute_bulk if mutation.is_bulk else self._execute_single
        context = context._replace(outcome=await execute(tx, mutation, field_arguments["input"], context))
        bound = field.statement.bind(context)
        body = await tx.fetch_json(field.statement.text, bound)
        if context.reads is not None:
            context.reads.rows += named_rows(field.row_arguments, bound)
        if field.field_plan.plan.resolver_tree is not None:
            data = exact_json.loads_rows(body)
            merger = field.resolver_merger(context, tx.fetch_json)
            await merger.merge(data, field.field_plan.plan.resolver_tree)
            errors += merger.errors
            body = exact_json.dumps_rows(data)
        return body.strip()[1:-1]

    async def _execute_single(
        self, tx: Transaction, mutation: MutationField, input_value: Any, context: ExecutionContext
    ) -> Mapping[str, Any]:
        values = mutation.input.read(input_value, "input")
        return await self._run_command(tx, mutation, values, context, "input")

    async def _run_command(
        self, tx: Transaction, mutation: MutationField, values: Any, context: ExecutionContext, argument: str
    ) -> Mapping[str, Any]:
        try:
            async with tx.translate_errors():
                return await mutation.call(
                    tx.connection, context.viewer, self._with_injected(mutation, values), context.now
                )
        except HubError as error:
            qualify_argument(error, argument)
            if "current" in error.extensions:
                entities = narrow(self._schema, context.viewer.rights).catalog.entities
                show_conflict(error, mutation, entities)
                observe_conflict(context.reads, mutation, values, error)
            raise

    def _with_injected(self, mutation: MutationField, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**values, **{name: self._injected[name] for name in mutation.injected}} if mutation.injected else values

    async def _execute_bulk(
        self, tx: Transaction, mutation: MutationField, input_value: Any, context: ExecutionContext
    ) -> Mapping[str, Any]:
        """Runs each row in a savepoint, so that a rejected row changes nothing; returns results in the order of the rows."""
        rows, policy = input_value["rows"], input_value.get("errorPolicy")
        results: list[Mapping[str, Any]] = [{}] * len(rows)
        row_input = next(input_field for input_field in mutation.input.fields if input_field.name == "rows").inner
        assert row_input is not None
        await tx.run(SAVEPOINT)
        for index in execution_order(rows, mutation.ordering_field):
            argument = f"input.rows[{index}]"
            try:
                values = row_input.read(rows[index], argument)
                results[index] = await self._run_command(tx, mutation, values, context, argument)
                await tx.run(f"{RELEASE}; {SAVEPOINT}")
            except Unavailable:
                raise
            except HubError as error:
                await tx.run(ROLLBACK_TO)
                if policy is not None and await self._redirects.of_arguments(
                    rows[index], error, context.viewer, tx.connection
                ):
                    raise  # the operation runs again, with the current ids
                results[index] = {"error": row_error(error)}
        failed = [(index, result["error"]) for index, result in enumerate(results) if "error" in result]
        if failed and (policy is None or getattr(policy, "value", policy) == "REJECT_ALL"):
            first = failed[0][1]
            message = (
                f"{len(failed)} of {len(rows)} rows were rejected, so none was written. The first: {first['message']}"
            )
            rejected_rows = [{"row": index, **error} for index, error in failed]
            raise BadInput(
                message, code="BULK_REJECTED", argument=first["argument"], extensions={"rows": rejected_rows}
            )
        return {"results": results, "succeeded": len(results) - len(failed), "failed": len(failed)}

    def _coerced_arguments(self, field_plan: MutationFieldPlan, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the coerced arguments of a root field; raises VARIABLE_INVALID."""
        if field_plan.mutation is None:
            return {}
        declared = self._schema.core.mutation_type
        assert declared is not None
        arguments = {}
        for argument in field_plan.node.arguments or ():
            type_ = declared.fields[field_plan.node.name.value].args[argument.name.value].type
            value = value_from_ast(argument.value, type_, dict(variables))
            if value is not Undefined:
                arguments[argument.name.value] = value
            elif isinstance(type_, GraphQLNonNull):
                # A nullable variable with a default is valid for a non-null argument, but can still be null.
                fault = "a variable is null where a value is required; send a value"
                raise argument_error(field_plan, argument.name.value, "VARIABLE_INVALID", fault)
        return arguments
