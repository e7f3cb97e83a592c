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
from bench.children import BenchmarkError
from bench.contenders import Contender
from bench.facts import KeyBindings, WorkloadInputs
from bench.measure import PGBENCH, HttpRunner, PgbenchRunner, Runner, SamplesByWorkload, TurnOptions, medians, rounds
from bench.workloads import W1, W2, WORKLOADS, Workload, normalized_data
from hub.postgres.binaries import find_programs

COMPARED_RESPONSES = 25  # answers of each workload that are compared before anything is measured
ADMIN_KEY = "admin"
SINGLE = 1


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """How much is measured."""

    rounds: int
    seconds: float
    connections: int
    workloads: tuple[Workload, ...] = WORKLOADS


def _inputs(dsn: str, unit: str | None = None) -> WorkloadInputs:
    async def read() -> WorkloadInputs:
        connection = await asyncpg.connect(dsn)
        try:
            return await facts.read_inputs(connection, unit)
        finally:
            await connection.close()

    return asyncio.run(read())


def _bindings(dsn: str, inputs: WorkloadInputs) -> KeyBindings:
    async def read() -> KeyBindings:
        connection = await asyncpg.connect(dsn)
        try:
            return await facts.read_bindings(connection, inputs)
        finally:
            await connection.close()

    return asyncio.run(read())


async def _delete_written_rows(dsn: str) -> None:
    """Takes away what W5 wrote, so that the data set stays what it is."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set hub.capture = 'off'")
        await connection.execute(
            "delete from interactions where kind = 'bench.seen' and occurred_at = '2026-01-31T12:00Z'"
        )
        await connection.execute("truncate idempotency_records, change_log, change_order")
        await connection.execute("vacuum (analyze) interactions")
    finally:
        await connection.close()


def _rounds(
    what: str, runners: dict[str, list[Runner]], plan: BenchPlan, postmaster: int | None, connections: int
) -> SamplesByWorkload:
    turns = sum(map(len, runners.values())) * (plan.rounds + 1)
    with report.progress(what, turns) as advance:
        return rounds(runners, plan.rounds, TurnOptions(plan.seconds, connections, postmaster), advance)


def compare_contenders(dsn: str, plan: BenchPlan, contender_names: Sequence[str]) -> Mapping[str, SamplesByWorkload]:
    """Contenders and pgbench beside each other; their answers are compared first."""
    inputs = _inputs(dsn)
    with ExitStack() as stack:
        scripts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        servers = []
        for name in contender_names:
            try:
                servers.append(stack.enter_context(CONTENDERS[name](dsn, log_folder())))
            except BenchmarkError as error:
                if name == "hub":
                    raise
                report.show(f"left out: {error}")
        require_equal_responses(servers, plan.workloads, inputs)
        runners: dict[str, list[Runner]] = {
            workload.name: [
                HttpRunner(contender.name, contender, contender.requests(contender.bodies(workload, inputs)))
                for contender in servers
            ]
            for workload in plan.workloads
        }
        if "hub" in contender_names:
            program, hub_statements = (
                Path(find_programs().path("pgbench")),
                asyncio.run(statements.sample_statements(dsn, plan.workloads, inputs)),
            )
            bare = stack.enter_context(
                contenders.bare(
                    dsn, log_folder(), statements.statement_templates(hub_statements, plan.workloads, inputs)
                )
            )
            for workload in (candidate for candidate in plan.workloads if candidate.name in hub_statements):
                runners[workload.name].append(HttpRunner(bare.name, bare, bare.requests(bare.bodies(workload, inputs))))
            for name, pgbench_statements in hub_statements.items():
                script_folder = scripts / name
                script_folder.mkdir()
                runners[name].append(PgbenchRunner(PGBENCH, program, dsn, pgbench_statements, script_folder))
        samples = _rounds("contenders", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    asyncio.run(_delete_written_rows(dsn))
    medians_by_workload = medians(samples)
    report.show(
        report.comparison_table(medians_by_workload, plan.workloads),
        *report.lead_lines(medians_by_workload, [contender.name for contender in servers[1:]]),
    )
    return {"contenders": samples}


StartContender = Callable[[str, Path], Any]
CONTENDERS: dict[str, StartContender] = {
    "hub": contenders.hub,
    "postgraphile": contenders.postgraphile,
    "strawberry": contenders.strawberry,
    "strawberry-tuned": contenders.strawberry_tuned,
}


def log_folder() -> Path:
    """Where children write what they say."""
    report.RESULTS.mkdir(exist_ok=True)
    return report.RESULTS


def require_equal_responses(
    servers: Sequence[Contender], workloads: Sequence[Workload], inputs: WorkloadInputs
) -> None:
    """Raise Failed unless all give the same answers."""
    for workload in workloads:
        bodies = [server.bodies(workload, inputs)[:COMPARED_RESPONSES] for server in servers]
        for request_bodies in zip(*bodies, strict=True):
            responses = [
                normalized_data(server.execute(body)) for server, body in zip(servers, request_bodies, strict=True)
            ]
            for server, response in zip(servers[1:], responses[1:], strict=True):
                first_difference = difference(responses[0], response, "data")
                if first_difference:
                    raise BenchmarkError(
                        f"{workload.name}: {servers[0].name} and {server.name} differ at {first_difference}"
                    )
    report.show(f"answers compared: {', '.join(contender.name for contender in servers)} agree")


def difference(one: Any, other: Any, path: str) -> str | None:
    """Where two plain answers differ first, and how; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        steps = [difference(one[name], other[name], f"{path}.{name}") for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        steps = [difference(a, b, f"{path}[{index}]") for index, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{path}: {one!r} ≠ {other!r}"
    return next(filter(None, steps), None)


def by_key(dsn: str, plan: BenchPlan) -> Mapping[str, SamplesByWorkload]:
    """One hub, asked with an unbound key and with keys bound to a leaf unit, to a region and to one customer."""
    all_inputs = _inputs(dsn)
    bindings = _bindings(dsn, all_inputs)
    leaf_code, region_code = (path.rpartition(".")[2] for path in (bindings.leaf_unit, bindings.region_unit))
    with ExitStack() as stack:
        server = stack.enter_context(contenders.hub(dsn, log_folder()))
        keys = {
            f"leaf unit {leaf_code}": (("--unit", leaf_code), _inputs(dsn, bindings.leaf_unit)),
            f"region {region_code}": (("--unit", region_code), _inputs(dsn, bindings.region_unit)),
            "one customer": (
                ("--customer", str(bindings.customer)),
                WorkloadInputs([bindings.customer], all_inputs.country_stages),
            ),
        }
        holders = [(ADMIN_KEY, server, all_inputs)]
        for name, (binding, visible_inputs) in keys.items():
            key = stack.enter_context(contenders.admin_key(dsn, *binding))
            holders.append((name, server.with_key(key), visible_inputs))
        runners: dict[str, list[Runner]] = {}
        for workload in (candidate for candidate in plan.workloads if not candidate.writes):
            for name, contender, visible_inputs in holders:
                bodies = contender.bodies(workload, visible_inputs)
                if normalized_data(contender.execute(bodies[0])) == {"customer": None}:
                    raise BenchmarkError(
                        f"{workload.name}: the key for {name} does not see the customer that it asks for"
                    )
                runners.setdefault(workload.name, []).append(HttpRunner(name, contender, contender.requests(bodies)))
        samples = _rounds("keys", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    report.show(report.key_table(medians(samples), plan.workloads, ADMIN_KEY))
    return {"keys": samples}


def by_size(dsns: Mapping[int, str], plan: BenchPlan) -> Mapping[str, SamplesByWorkload]:
    """A hub on each of two data sets: latency of one customer and of the 360° view, alone and under load."""
    names = [f"{size:,} customers" for size in dsns]
    with ExitStack() as stack:
        runners: dict[str, list[Runner]] = {}
        for name, dsn in zip(names, dsns.values(), strict=True):
            server, inputs = stack.enter_context(contenders.hub(dsn, log_folder())), _inputs(dsn)
            for workload in (W1, W2):
                requests = server.requests(server.bodies(workload, inputs))
                runners.setdefault(workload.name, []).append(HttpRunner(name, server, requests))
        postmaster = asyncio.run(usage.postmaster(next(iter(dsns.values()))))
        samples = {
            connections: _rounds(f"{connections} connections", runners, plan, postmaster, connections)
            for connections in (SINGLE, plan.connections)
        }
    report.show(
        report.size_table(
            {connection_count: medians(turns) for connection_count, turns in samples.items()},
            (W1, W2),
            names[0],
            names[1],
        )
    )
    return {f"{connections} connections": turns for connections, turns in samples.items()}
