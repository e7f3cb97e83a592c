"""From a mutation's document to roots that perform.py can run: planned once per shape, kept as plans of queries are."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson

from hub.db.transaction import Work
from hub.engine.cache import Shelf
from hub.engine.document.documents import Operation
from hub.engine.document.limits import Limits
from hub.engine.execution.mutations import Asked, Performer, Ready, fingerprint
from hub.engine.execution.single_statement import alone
from hub.engine.graphql_types.schema_builder import Graph
from hub.engine.plan.cache_key import shape
from hub.engine.plan.nodes import Plan
from hub.engine.plan.operations import Planner
from hub.engine.plan.predicates import Run
from hub.engine.sql.compiler import Statement, written
from hub.observability import PlanMade, tell
from hub.viewer import Viewer

ACT_BYTES = 16 * 1024 * 1024
ACT_BASE, ACT_FACTOR = 8_192, 12  # as for the plans of queries, see execute.py

Told = tuple[str, str | None, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Acts:
    """A mutation planned for one shape of the variables in its selections and one binding."""

    roots: tuple[Ready, ...]

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return ACT_BASE + ACT_FACTOR * sum(len(each.statement.text) for each in self.roots if each.statement)


class Mutator:
    """Plans mutations of one schema, and has them performed."""

    def __init__(self, graph: Graph, limits: Limits, performer: Performer) -> None:
        self._graph = graph
        self._limits = limits
        self._performer = performer
        self._acts: Shelf[Acts] = Shelf(ACT_BYTES)

    async def planned(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> Acts:
        """The mutation's plan: kept, or made now, in a thread."""
        key = (operation, viewer.binding, *shape(operation, variables, self._graph.steering))

        async def make() -> tuple[Acts, int]:
            began = perf_counter()
            acts = await asyncio.to_thread(self._made, operation, variables, viewer)
            tell(PlanMade(operation.name, perf_counter() - began))
            return acts, acts.bytes

        return self._acts.get(key) or await self._acts.made(key, make)

    async def performed(self, acts: Acts, run: Run, request_id: str, told: Told) -> bytes:
        """The answer; `told` is the request as it came, for the fingerprint of an idempotency key."""
        return await self._performer.perform(
            acts.roots, run, Asked(run.viewer.actor, request_id, lambda: fingerprint(*told))
        )

    def _made(self, operation: Operation, variables: Mapping[str, Any], viewer: Viewer) -> Acts:
        planner = Planner(self._graph, variables, operation.fragments, self._limits.page)
        acts = planner.acts(operation.node.selection_set)
        planner.draft.read.forget()
        keyed: dict[int, Statement] = {}

        async def read(work: Work, run: Run, plan: Plan) -> dict[str, Any]:
            if id(plan) not in keyed:
                keyed[id(plan)] = written(plan, viewer.binding)
            statement = keyed[id(plan)]
            found = orjson.loads(await work.fetch_json(statement.text, statement.bind(run)))
            return found["rows"] or {}

        single = alone(acts[0], viewer.binding) if len(acts) == 1 else None
        return Acts(
            tuple(Ready(act, written(act.plan, viewer.binding) if act.plan else None, read, single) for act in acts)
        )
