"""The engine as the comparison sees it: steps in, parsed answers out. The one place that knows its interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.pool import Pool
from hub.engine.engine import Engine
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.request import GraphQLRequest
from hub.model.idempotency import IdempotencyStore
from hub.settings import Settings
from hub.viewer import Viewer
from oracle.compare import ExecuteStep, parse_body
from oracle.script import Step

SETTINGS = Settings(cost_limit=10_000_000)  # conditions are generated whatever they cost


@asynccontextmanager
async def open_engine(dsn: str, graph: Schema) -> AsyncIterator[ExecuteStep]:
    """An engine on a database."""
    pool = await Pool.open(dsn, SETTINGS)
    engine = Engine(
        graph,
        pool,
        SETTINGS,
        b"a secret of the tests",
        IdempotencyStore(),
        ChangeFeed(pool, ChangeCursors(b"a secret of the tests")),
    )

    try:
        yield steps_of(engine)
    finally:
        await pool.close()


def steps_of(engine: Engine) -> ExecuteStep:
    """How an engine executes steps."""

    async def execute_step(step: Step, viewer: Viewer, now: datetime) -> dict[str, Any]:
        try:
            response = await engine.execute(GraphQLRequest(step.query, step.variables, step.name, now=now), viewer)
        except Exception as error:  # a fault of the engine's own: an answer that no oracle gives
            return {"errors": [{"message": repr(error), "extensions": {"code": "RAISED"}}]}
        return parse_body(response.body)

    return execute_step
