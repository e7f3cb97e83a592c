"""The engine as the comparison sees it: steps in, parsed answers out. The one place that knows its interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from hub.changefeed.cursors import Cursors
from hub.changefeed.feed import Feed
from hub.db.pool import Pool
from hub.engine.engine import Engine, Request
from hub.engine.graphql_types.schema_builder import Graph
from hub.model.idempotency import Memory
from hub.settings import Settings
from hub.viewer import Viewer
from oracle.compare import Ask, parsed
from oracle.script import Step


@asynccontextmanager
async def engine_on(dsn: str, graph: Graph) -> AsyncIterator[Ask]:
    """An engine on a database."""
    settings = Settings()
    pool = await Pool.open(dsn, settings)
    engine = Engine(
        graph, pool, settings, b"a secret of the tests", Memory(), Feed(pool, Cursors(b"a secret of the tests"))
    )

    async def ask(step: Step, viewer: Viewer, at: datetime) -> dict[str, Any]:
        try:
            answer = await engine.execute(Request(step.query, step.variables, step.name, at=at), viewer)
        except Exception as error:  # a fault of the engine's own: an answer that no oracle gives
            return {"errors": [{"message": repr(error), "extensions": {"code": "RAISED"}}]}
        return parsed(answer.body)

    try:
        yield ask
    finally:
        await pool.close()
