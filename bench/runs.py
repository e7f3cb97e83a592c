"""The runs of the bench: contenders side by side, one hub under several keys, a hub on each of two sizes of data."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench import contenders, facts, report, statements, usage
from bench.children import Failed
from bench.contenders import Contender
from bench.facts import Bound, Facts
from bench.measure import PGBENCH, Http, Pgbench, Runner, Turn, Turns, medians, rounds
from bench.workloads import W1, W2, WORKLOADS, Workload, plain
from hub.postgres.binaries import find

COMPARED = 25  # answers of each workload that are compared before anything is measured
ADMIN_KEY = "admin"
SINGLE = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    connections: int
    workloads: tuple[Workload, ...] = WORKLOADS


def _facts(dsn: str, unit: str | None = None) -> Facts:
    async def read() -> Facts:
        connection = await asyncpg.connect(dsn)
        try:
            return await facts.read(connection, unit)
        finally:
            await connection.close()

    return asyncio.run(read())


def _bound(dsn: str, found: Facts) -> Bound:
    async def read() -> Bound:
        connection = await asyncpg.connect(dsn)
        try:
            return await facts.bound(connection, found)
        finally:
            await connection.close()

    return asyncio.run(read())


async def _swept(dsn: str) -> None:
    """Takes away what W5 wrote, so that the data set stays what it is."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set hub.capture = 'off'")
        await connection.execute(
            "delete from interactions where kind = 'bench.seen' and occurred_at = '2026-01-31T12:00Z'"
        )
        await connection.execute("truncate kept_answers, change_log, change_order")
        await connection.execute("vacuum (analyze) interactions")
    finally:
        await connection.close()


def _rounds(what: str, runners: dict[str, list[Runner]], plan: Plan, postmaster: int | None, connections: int) -> Turns:
    turns = sum(map(len, runners.values())) * (plan.rounds + 1)
    with report.progress(what, turns) as tell:
        return rounds(runners, plan.rounds, Turn(plan.seconds, connections, postmaster), tell)


def contest(dsn: str, plan: Plan, wanted: Sequence[str]) -> Mapping[str, Turns]:
    """Contenders and pgbench beside each other; their answers are compared first."""
    found = _facts(dsn)
    with ExitStack() as stack:
        scripts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        servers = []
        for name in wanted:
            try:
                servers.append(stack.enter_context(CONTENDERS[name](dsn, logs())))
            except Failed as error:
                if name == "hub":
                    raise
                report.show(f"left out: {error}")
        compare(servers, plan.workloads, found)
        runners: dict[str, list[Runner]] = {
            work.name: [Http(each.name, each, each.requests(each.bodies(work, found))) for each in servers]
            for work in plan.workloads
        }
        if "hub" in wanted:
            program, asked = Path(find().path("pgbench")), asyncio.run(statements.of(dsn, plan.workloads, found))
            bare = stack.enter_context(contenders.bare(dsn, logs(), statements.templates(asked, plan.workloads, found)))
            for work in (each for each in plan.workloads if each.name in asked):
                runners[work.name].append(Http(bare.name, bare, bare.requests(bare.bodies(work, found))))
            for name, some in asked.items():
                place = scripts / name
                place.mkdir()
                runners[name].append(Pgbench(PGBENCH, program, dsn, some, place))
        taken = _rounds("contenders", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    asyncio.run(_swept(dsn))
    table = medians(taken)
    report.show(report.compared(table, plan.workloads), *report.leads(table, [each.name for each in servers[1:]]))
    return {"contenders": taken}


Start = Callable[[str, Path], Any]
CONTENDERS: dict[str, Start] = {
    "hub": contenders.hub,
    "postgraphile": contenders.postgraphile,
    "strawberry": contenders.strawberry,
    "strawberry-tuned": contenders.strawberry_tuned,
}


def logs() -> Path:
    """Where children write what they say."""
    report.RESULTS.mkdir(exist_ok=True)
    return report.RESULTS


def compare(servers: Sequence[Contender], workloads: Sequence[Workload], found: Facts) -> None:
    """Raise Failed unless all give the same answers."""
    for work in workloads:
        bodies = [server.bodies(work, found)[:COMPARED] for server in servers]
        for asked in zip(*bodies, strict=True):
            answers = [plain(server.answer(body)) for server, body in zip(servers, asked, strict=True)]
            for server, answer in zip(servers[1:], answers[1:], strict=True):
                where = difference(answers[0], answer, "data")
                if where:
                    raise Failed(f"{work.name}: {servers[0].name} and {server.name} differ at {where}")
    report.show(f"answers compared: {', '.join(each.name for each in servers)} agree")


def difference(one: Any, other: Any, path: str) -> str | None:
    """Where two plain answers differ first, and how; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        steps = [difference(one[name], other[name], f"{path}.{name}") for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        steps = [difference(a, b, f"{path}[{at}]") for at, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{path}: {one!r} ≠ {other!r}"
    return next(filter(None, steps), None)


def by_key(dsn: str, plan: Plan) -> Mapping[str, Turns]:
    """One hub, asked with an unbound key and with keys bound to a leaf unit, to a region and to one customer."""
    every = _facts(dsn)
    bound = _bound(dsn, every)
    leaf, region = (path.rpartition(".")[2] for path in (bound.leaf, bound.middle))
    with ExitStack() as stack:
        server = stack.enter_context(contenders.hub(dsn, logs()))
        keys = {
            f"leaf unit {leaf}": (("--unit", leaf), _facts(dsn, bound.leaf)),
            f"region {region}": (("--unit", region), _facts(dsn, bound.middle)),
            "one customer": (("--customer", str(bound.customer)), Facts([bound.customer], every.classes)),
        }
        holders = [(ADMIN_KEY, server, every)]
        for name, (binding, visible) in keys.items():
            key = stack.enter_context(contenders.admin_key(dsn, *binding))
            holders.append((name, server.holding(key), visible))
        runners: dict[str, list[Runner]] = {}
        for work in (each for each in plan.workloads if not each.writes):
            for name, holder, visible in holders:
                bodies = holder.bodies(work, visible)
                if plain(holder.answer(bodies[0])) == {"customer": None}:
                    raise Failed(f"{work.name}: the key for {name} does not see the customer that it asks for")
                runners.setdefault(work.name, []).append(Http(name, holder, holder.requests(bodies)))
        taken = _rounds("keys", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    report.show(report.slowed(medians(taken), plan.workloads, ADMIN_KEY))
    return {"keys": taken}


def by_size(dsns: Mapping[int, str], plan: Plan) -> Mapping[str, Turns]:
    """A hub on each of two data sets: latency of one customer and of the 360° view, alone and under load."""
    names = [f"{size:,} customers" for size in dsns]
    with ExitStack() as stack:
        runners: dict[str, list[Runner]] = {}
        for name, dsn in zip(names, dsns.values(), strict=True):
            server, found = stack.enter_context(contenders.hub(dsn, logs())), _facts(dsn)
            for work in (W1, W2):
                requests = server.requests(server.bodies(work, found))
                runners.setdefault(work.name, []).append(Http(name, server, requests))
        postmaster = asyncio.run(usage.postmaster(next(iter(dsns.values()))))
        taken = {
            connections: _rounds(f"{connections} connections", runners, plan, postmaster, connections)
            for connections in (SINGLE, plan.connections)
        }
    report.show(report.grown({each: medians(turns) for each, turns in taken.items()}, (W1, W2), names[0], names[1]))
    return {f"{connections} connections": turns for connections, turns in taken.items()}
