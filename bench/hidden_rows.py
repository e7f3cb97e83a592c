"""Look-ups of hidden and of absent rows, one after the other: whether their medians tell which row exists."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.settings import Settings
from hub.viewer import Role, Viewer

AIM = 0.05  # the largest share by which the medians may differ
LOOK_UPS: Mapping[str, str] = {
    "customer": "query ($id: ID!) { customer(id: $id) { id name } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
    "filter": "query ($id: ID!) { customers(filter: {id: {eq: $id}}) { totalCount } }",
    "orders": "query ($id: ID!) { orders(filter: {customer: {id: {eq: $id}}}) { totalCount } }",
}


@dataclass(frozen=True, slots=True)
class LookUpMedians:
    """The medians of one look-up, in microseconds."""

    name: str
    hidden: float
    absent: float

    @property
    def difference(self) -> float:
        """The share by which the look-up of a hidden row takes longer."""
        return self.hidden / self.absent - 1

    def __str__(self) -> str:
        verdict = "within" if abs(self.difference) <= AIM else "beyond"
        return (
            f"{self.name}: hidden {self.hidden:.0f} µs, absent {self.absent:.0f} µs, {self.difference:+.1%}"
            f" ({verdict} {AIM:.0%})"
        )


def run(dsn: str, rounds: int) -> Sequence[LookUpMedians]:
    """The medians of so many interleaved pairs of look-ups of each kind."""
    return asyncio.run(_measure(dsn, rounds))


async def _measure(dsn: str, rounds: int) -> Sequence[LookUpMedians]:
    """Looks rows of other units up as a viewer that is bound to one unit."""
    connection = await asyncpg.connect(dsn)
    try:
        unit = await connection.fetchrow(
            "select id, path::text as path from org_units order by nlevel(path) desc, id limit 1"
        )
        assert unit is not None
        rows = await connection.fetch("select id from customers where unit_id <> $1 limit 200", unit["id"])
    finally:
        await connection.close()
    viewer = Viewer(None, Role.READER, unit_path=unit["path"], unit_ids=(unit["id"],))
    hidden = [f"cus_{row['id'].hex}" for row in rows]
    # An absent id beside each hidden one, so that both lead to the same page of the index.
    absent = [f"{row_id[:-4]}ffff" for row_id in hidden]
    pool = await Pool.open(dsn, Settings())
    try:
        engine, _, _ = await build_graphql_engine(Settings(), pool, pool)
        return [await _medians(engine, viewer, name, hidden, absent, rounds) for name in LOOK_UPS]
    finally:
        await pool.close()


async def _medians(
    engine: Engine, viewer: Viewer, name: str, hidden: Sequence[str], absent: Sequence[str], rounds: int
) -> LookUpMedians:
    times: tuple[list[float], list[float]] = ([], [])
    answers: tuple[set[bytes], set[bytes]] = (set(), set())
    for number in range(rounds):
        # Whichever comes second finds warmer pages, so the two take turns at being first.
        for order in (0, 1) if number % 2 else (1, 0):
            row_id = (hidden, absent)[order][number % len(hidden)]
            request = GraphQLRequest(LOOK_UPS[name], {"id": row_id}, None)
            start = time.perf_counter()
            response = await engine.execute(request, viewer)
            times[order].append((time.perf_counter() - start) * 1e6)
            answers[order].add(response.body)
    if answers[0] != answers[1] or any("errors" in json.loads(body) for body in answers[0]):
        raise ValueError(f"{name}: hidden and absent rows do not give the same answer")
    return LookUpMedians(name, statistics.median(times[0]), statistics.median(times[1]))
