"""The statements that the hub's engine sends for the workloads, so that pgbench can run them alone."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from bench.ceiling import PgbenchStatement
from bench.facts import WorkloadInputs
from bench.workloads import CUSTOMER_ID_PREFIX, HUB, Workload
from hub import graph
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.pool import Pool
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.model.idempotency import IdempotencyStore
from hub.settings import load
from hub.viewer import ADMIN

StatementTemplates = dict[str, tuple[str, list[Any]]]
MAX_VARIANTS = 16  # of a workload's variables; each becomes a pgbench script and a prepared statement


def statement_templates(
    statements: Mapping[str, Sequence[PgbenchStatement]], workloads: Sequence[Workload], inputs: WorkloadInputs
) -> StatementTemplates:
    """By workload, its statement and its arguments: a name of a variable, or a list with the value of all requests."""
    templates = {}
    for workload in (candidate for candidate in workloads if candidate.name in statements):
        first_statement, variables = statements[workload.name][0], workload.variables(inputs, HUB)[0]
        names = {str(value).removeprefix(CUSTOMER_ID_PREFIX): name for name, value in variables.items()}
        arguments = [
            names.get(argument.hex if isinstance(argument, UUID) else str(argument), [argument])
            for argument in first_statement.arguments
        ]
        templates[workload.name] = (first_statement.sql, arguments)
    return templates


async def sample_statements(
    dsn: str, workloads: tuple[Workload, ...], inputs: WorkloadInputs
) -> dict[str, list[PgbenchStatement]]:
    """By workload, its statement with up to MAX_VARIANTS sets of arguments, as sent for an admin key."""
    settings = load(pool_size=1)
    pool = await Pool.open(dsn, settings)
    try:
        engine = Engine(
            graph.build(),
            pool,
            settings,
            b"this engine serves no further page",
            IdempotencyStore(),
            ChangeFeed(pool, ChangeCursors(b"")),
        )
        statements: dict[str, list[PgbenchStatement]] = {}
        for workload in (candidate for candidate in workloads if not candidate.writes):
            bodies = [orjson.loads(body) for body in workload.bodies(inputs, HUB)[:MAX_VARIANTS]]
            requests = [GraphQLRequest(body["query"], body["variables"], None) for body in bodies]
            statements[workload.name] = [
                PgbenchStatement(sql, tuple(args)) for sql, args in [engine.explain(item, ADMIN) for item in requests]
            ]
        return statements
    finally:
        await pool.close()
