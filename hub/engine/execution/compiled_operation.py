"""Compiled operations and their cache: an operation is planned and compiled once for each shape of its variables.

Queries, subscriptions and the fields of mutations share them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

from hub.db.fair_queue import Flow
from hub.engine.cache import ByteBudgetCache
from hub.engine.document.documents import Operation
from hub.engine.execution.resolvers import ResolverMerger
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.cache_key import plan_cache_key
from hub.engine.plan.dependencies import resolver_plans
from hub.engine.plan.nodes import Plan, ResolverTree
from hub.engine.plan.parameters import ExecutionContext
from hub.engine.planning_turns import PlanningTurns
from hub.engine.sql.compiler import CompiledStatement, compile_plan
from hub.model import exact_json
from hub.observability import PlanCompiled, emit
from hub.rights import Rights

# About the memory that a compiled operation takes, by the length of its statements (measured with tracemalloc).
BASE_BYTES, BYTES_PER_CHARACTER = 8_192, 12

FetchJson = Callable[[str, list[Any]], Awaitable[bytes]]  # the text of a statement and its arguments


def estimated_size(text_length: int) -> int:
    """About how many bytes a compiled operation takes whose statements have so many characters."""
    return BASE_BYTES + BYTES_PER_CHARACTER * text_length


class Sized(Protocol):
    """A value that knows how much memory it takes."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""


Compiled = TypeVar("Compiled", bound=Sized)
Compile = Callable[[Operation, Mapping[str, Any], Rights], Compiled]


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """A plan with its statement, and with the statements that read the rows behind keys that resolvers return."""

    statement: CompiledStatement | None  # None where nothing stored is selected
    rows_statements: Mapping[int, CompiledStatement]  # by the identity of their plans

    @property
    def text_length(self) -> int:
        """How many characters the statements have."""
        statements = (self.statement, *self.rows_statements.values())
        return sum(len(statement.text) for statement in statements if statement)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return estimated_size(self.text_length)

    def resolver_merger(self, context: ExecutionContext, fetch_json: FetchJson) -> ResolverMerger:
        """A merger for one response; `fetch_json` runs the statements that read rows by their keys."""

        async def load_by_keys(plan: Plan, inner_context: ExecutionContext) -> dict[str, Any]:
            statement = self.rows_statements[id(plan)]
            data = exact_json.loads_rows(await fetch_json(statement.text, statement.bind(inner_context)))
            return data["rows"] or {}

        return ResolverMerger(context, load_by_keys)


def compile_rows_statements(resolver_tree: ResolverTree | None, rights: Rights) -> dict[int, CompiledStatement]:
    """The statements that read the rows behind keys, by the identity of their plans."""
    return {id(plan): compile_plan(plan, rights) for plan in resolver_plans(resolver_tree)}


class PlanCache(Generic[Compiled]):
    """Compiled operations by the key that their plans depend on.

    The key is the operation, the viewer's rights, and the part of the variables that plan_cache_key names."""

    def __init__(self, schema: Schema, capacity: int, planning: PlanningTurns) -> None:
        self._schema = schema
        self._planning = planning
        self._cache: ByteBudgetCache[Compiled] = ByteBudgetCache(capacity)

    async def get_or_compile(
        self,
        operation: Operation,
        variables: Mapping[str, Any],
        rights: Rights,
        compile_operation: Compile[Compiled],
        flow: Flow,
    ) -> Compiled:
        """The compiled operation; one that is not cached is compiled when it is the turn of the flow."""
        key = (operation, rights, *plan_cache_key(operation, variables, self._schema))
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        seconds = 0.0

        def create() -> Compiled:
            nonlocal seconds
            started_at = perf_counter()
            compiled = compile_operation(operation, variables, rights)
            seconds = perf_counter() - started_at
            return compiled

        def store(compiled: Compiled) -> None:
            # The key holds the operation, which may live longer than its document.
            self._cache.put(key, compiled, compiled.size + operation.bytes)
            emit(PlanCompiled(operation.name, seconds))

        return await self._planning.create(flow, lambda: self._cache.get(key), create, store)
