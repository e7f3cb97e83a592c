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
PREFIXES = {"customer": "cus", "order": "ord"}
SEVERAL = 20  # ids of a list
# By the value that they name: a row that has it, and one that differs in its last characters.
LOOK_UPS: Mapping[str, tuple[str, str]] = {
    "customer": ("customer", "query ($v: ID!) { customer(id: $v) { id name } }"),
    "node": ("customer", "query ($v: ID!) { node(id: $v) { id } }"),
    "customer by identifier": (
        "identifier",
        "query ($v: String!) { customerBy(identifier: {kind: EXTERNAL_ID, value: $v}) { id } }",
    ),
    "filter": ("customer", "query ($v: ID!) { customers(filter: {id: {eq: $v}}) { totalCount } }"),
    "orders": ("customer", "query ($v: ID!) { orders(filter: {customer: {id: {eq: $v}}}) { totalCount } }"),
    "orders of several": (
        "customers",
        "query ($v: [ID!]!) { orders(filter: {customer: {id: {in: $v}}}) { totalCount } }",
    ),
    "orders by name": ("name", "query ($v: String!) { orders(filter: {customer: {name: {eq: $v}}}) { totalCount } }"),
    "customers by order": (
        "order",
        "query ($v: ID!) { customers(filter: {orders: {some: {id: {eq: $v}}}}) { totalCount } }",
    ),
    "items by number": (
        "number",
        "query ($v: String!) { orderItems(filter: {order: {number: {eq: $v}}}) { totalCount } }",
    ),
}
HIDDEN_SQL = """
select c.id as customer, c.name, o.id as "order", o.number, i.value as identifier from customers as c
    join lateral (select id, number from orders where customer_id = c.id order by number limit 1) as o on true
    join lateral (
        select value from identifiers where customer_id = c.id and kind = 'EXTERNAL_ID' order by id limit 1
    ) as i on true
where c.unit_id <> $1 and not exists (select from customers where name = c.name and unit_id = $1) limit 200
"""


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
        rows = await connection.fetch(HIDDEN_SQL, unit["id"])
    finally:
        await connection.close()
    viewer = Viewer(None, Role.READER, unit_path=unit["path"], unit_ids=(unit["id"],))
    pool = await Pool.open(dsn, Settings())
    try:
        engine, _, _ = await build_graphql_engine(Settings(), pool, pool)
        return [
            await _medians(engine, viewer, name, query, _values(named, rows), rounds)
            for name, (named, query) in LOOK_UPS.items()
        ]
    finally:
        await pool.close()


def _values(named: str, rows: Sequence[asyncpg.Record]) -> tuple[Sequence[object], Sequence[object]]:
    """The values that name hidden rows, and beside each one that names no row."""
    if named == "customers":
        pairs = _values("customer", rows)
        hidden, absent = ([values[n : n + SEVERAL] for n in range(len(values) - SEVERAL)] for values in pairs)
        return hidden, absent
    if named in PREFIXES:
        ids = [f"{PREFIXES[named]}_{row[named].hex}" for row in rows]
        # So that both lead to the same page of the index.
        return ids, [f"{row_id[:-4]}ffff" for row_id in ids]
    return [row[named] for row in rows], [f"{row[named]}~" for row in rows]


async def _medians(
    engine: Engine,
    viewer: Viewer,
    name: str,
    query: str,
    values: tuple[Sequence[object], Sequence[object]],
    rounds: int,
) -> LookUpMedians:
    times: tuple[list[float], list[float]] = ([], [])
    answers: tuple[set[bytes], set[bytes]] = (set(), set())
    for number in range(rounds):
        # Whichever comes second finds warmer pages, so the two take turns at being first.
        for order in (0, 1) if number % 2 else (1, 0):
            request = GraphQLRequest(query, {"v": values[order][number % len(values[order])]}, None)
            start = time.perf_counter()
            response = await engine.execute(request, viewer)
            times[order].append((time.perf_counter() - start) * 1e6)
            answers[order].add(response.body)
    if answers[0] != answers[1] or any("errors" in json.loads(body) for body in answers[0]):
        raise ValueError(f"{name}: hidden and absent rows do not give the same answer")
    return LookUpMedians(name, statistics.median(times[0]), statistics.median(times[1]))
