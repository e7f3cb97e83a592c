"""The engine as the comparison sees it: steps in, parsed answers out. The one place that knows its interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.pool import Pool
from hub.engine.document.documents import InvalidDocument
from hub.engine.engine import Engine
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.request import GraphQLRequest, formatted_errors
from hub.errors import HubError
from hub.model.idempotency import IdempotencyStore
from hub.settings import Settings
from hub.viewer import Viewer
from oracle.compare import ExecuteStep, parse_body
from oracle.script import Step

# Conditions are generated whatever they cost; on a busy machine some take long.
SETTINGS = Settings(cost_limit=10_000_000, statement_timeout=120, request_timeout=300)


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
        request = GraphQLRequest(step.query, step.variables, step.name, now=now)
        try:
            if step.query.startswith("subscription"):
                return await _opened(engine, request, viewer)
            response = await engine.execute(request, viewer)
        except Exception as error:  # a fault of the engine's own: an answer that no oracle gives
            return {"errors": [{"message": repr(error), "extensions": {"code": "RAISED"}}]}
        return parse_body(response.body)

    return execute_step


async def _opened(engine: Engine, request: GraphQLRequest, viewer: Viewer) -> dict[str, Any]:
    """Data without a field where a subscription can be opened, else the errors of its refusal."""
    try:
        await engine.subscription_source(request, viewer)
    except InvalidDocument as error:
        return {"errors": formatted_errors(error, viewer)}
    except HubError as error:
        return {"errors": [error.to_graphql()]}
    return {"data": {}}
