"""Asks the hub's engine for the very statements that it would send, so that pgbench can run them alone."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from bench.ceiling import Statement
from bench.facts import Facts
from bench.workloads import HUB, Workload
from hub import schema
from hub.changefeed.cursors import Cursors
from hub.changefeed.feed import Feed
from hub.db.pool import Pool
from hub.engine.engine import Engine, Request
from hub.model.idempotency import Memory
from hub.settings import load
from hub.viewer import ADMIN

Templates = dict[str, tuple[str, list[Any]]]
ID = "cus_"
DIFFERENT = 16  # values of a workload's variables; each becomes a script of pgbench, and a prepared statement


def templates(asked: Mapping[str, Sequence[Statement]], workloads: Sequence[Workload], facts: Facts) -> Templates:
    """By workload, its statement and its arguments: names of variables, or lists with the value that all requests give."""
    found = {}
    for work in (each for each in workloads if each.name in asked):
        first, variables = asked[work.name][0], work.variables(facts, HUB)[0]
        names = {str(value).removeprefix(ID): name for name, value in variables.items()}
        arguments = [names.get(each.hex if isinstance(each, UUID) else str(each), [each]) for each in first.arguments]
        found[work.name] = (first.sql, arguments)
    return found


async def of(dsn: str, workloads: tuple[Workload, ...], facts: Facts) -> dict[str, list[Statement]]:
    """For each workload, its statement with some of its arguments, as sent for an admin key."""
    settings = load(pool_size=1)
    pool = await Pool.open(dsn, settings)
    try:
        engine = Engine(
            schema.build(), pool, settings, b"nobody pages on from here", Memory(), Feed(pool, Cursors(b""))
        )
        found: dict[str, list[Statement]] = {}
        for work in (each for each in workloads if not each.writes):
            bodies = [orjson.loads(each) for each in work.bodies(facts, HUB)[:DIFFERENT]]
            requests = [Request(each["query"], each["variables"], None) for each in bodies]
            found[work.name] = [
                Statement(sql, tuple(args)) for sql, args in [engine.explain(each, ADMIN) for each in requests]
            ]
        return found
    finally:
        await pool.close()
