"""The suites that query a hub: contenders side by side, one hub with several keys, a hub on each of two data sizes."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import contenders, facts, report, statements, usage
from bench.children import SCRATCH_PREFIX, BenchmarkError
from bench.contenders import Contender
from bench.database import execute, with_connection
from bench.facts import WorkloadInputs
from bench.measure import PGBENCH, HttpRunner, PgbenchRunner, Runner, SamplesByWorkload, TurnOptions, medians, rounds
from bench.workloads import (
    HUB,
    INTERACTION_KIND,
    INTERACTION_TIME,
    SECOND_NAME,
    W1,
    W2,
    WORKLOADS,
    Workload,
    normalized_data,
)
from hub.model.idempotency import IdempotencyRecord
from hub.postgres.binaries import find_programs

COMPARED_RESPONSES = 25  # of each workload, before anything is measured
ADMIN_KEY = "admin"
SINGLE = 1
# Removes the rows that W5 wrote and the names that W7 gave, so that the data set stays the same.
DELETE_WRITTEN_SQL = (
    "set hub.capture = 'off'; "
    f"update customers set name = regexp_replace(name, '{SECOND_NAME}$', '') where name like '%{SECOND_NAME}'",
    "set hub.capture = 'off'; delete from interactions "
    f"where kind = '{INTERACTION_KIND}' and occurred_at = '{INTERACTION_TIME}'",
    f"truncate {IdempotencyRecord.name}, change_log, change_order",
    "vacuum (analyze) interactions",
)


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """The rounds, seconds per turn, connections of the load generator and workloads of a run."""

    rounds: int
    seconds: float
    connections: int
    workloads: tuple[Workload, ...] = WORKLOADS


def read_inputs(dsn: str, unit: str | None = None) -> WorkloadInputs:
    """The inputs of the workloads from a database, of the whole data set or of one unit's subtree."""
    return with_connection(dsn, lambda connection: facts.read_inputs(connection, unit))


def measure_rounds(
    title: str, runners: dict[str, list[Runner]], plan: BenchPlan, postmaster: int | None, connections: int
) -> SamplesByWorkload:
    """The samples of all rounds, with a progress bar."""
    turns = sum(map(len, runners.values())) * (plan.rounds + 1)
    with report.progress(title, turns) as advance:
        return rounds(runners, plan.rounds, TurnOptions(plan.seconds, connections, postmaster), advance)


def compare_contenders(dsn: str, plan: BenchPlan, contender_names: Sequence[str]) -> Mapping[str, SamplesByWorkload]:
    """Measure contenders and pgbench side by side, after a comparison of the contenders' answers."""
    inputs = read_inputs(dsn)
    with ExitStack() as stack:
        scripts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX)))
        servers = _start_contenders(stack, dsn, contender_names)
        require_equal_responses(servers, plan.workloads, inputs)
        runners: dict[str, list[Runner]] = {
            workload.name: [http_runner(server, workload, inputs) for server in servers] for workload in plan.workloads
        }
        if HUB in contender_names:
            _add_upper_bounds(runners, stack, dsn, plan, inputs, scripts)
        samples = measure_rounds("contenders", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    execute(dsn, *DELETE_WRITTEN_SQL)
    medians_by_workload = medians(samples)
    report.show(
        report.comparison_table(medians_by_workload, plan.workloads),
        *report.lead_lines(medians_by_workload, [contender.name for contender in servers[1:]]),
    )
    return {"contenders": samples}


def _start_contenders(stack: ExitStack, dsn: str, names: Sequence[str]) -> list[Contender]:
    """The contenders that can run here; those that cannot are reported. The hub must run."""
    servers = []
    for name in names:
        try:
            servers.append(stack.enter_context(CONTENDERS[name](dsn, log_folder())))
        except BenchmarkError as error:
            if name == HUB:
                raise
            report.show(f"skipped: {error}")
    return servers


def http_runner(server: Contender, workload: Workload, inputs: WorkloadInputs) -> HttpRunner:
    """The runner of a contender at a workload."""
    return HttpRunner(server.name, server, server.requests(server.bodies(workload, inputs)))


def _add_upper_bounds(
    runners: dict[str, list[Runner]],
    stack: ExitStack,
    dsn: str,
    plan: BenchPlan,
    inputs: WorkloadInputs,
    scripts: Path,
) -> None:
    """Add the runners of the hub's own statements: without GraphQL (bare_app.py), and without HTTP (pgbench)."""
    program = Path(find_programs().path("pgbench"))
    hub_statements = asyncio.run(statements.sample_statements(dsn, plan.workloads, inputs))
    templates = statements.statement_templates(hub_statements, plan.workloads, inputs)
    bare = stack.enter_context(contenders.bare(dsn, log_folder(), templates))
    for workload in (candidate for candidate in plan.workloads if candidate.name in hub_statements):
        script_folder = scripts / workload.name
        script_folder.mkdir()
        pgbench = PgbenchRunner(PGBENCH, program, dsn, hub_statements[workload.name], script_folder)
        runners[workload.name] += [http_runner(bare, workload, inputs), pgbench]


StartContender = Callable[[str, Path], Any]
CONTENDERS: dict[str, StartContender] = {
    HUB: contenders.hub,
    "postgraphile": contenders.postgraphile,
    "strawberry": contenders.strawberry,
    "strawberry-tuned": contenders.strawberry_tuned,
}


def log_folder() -> Path:
    """The folder for the output of child processes."""
    report.RESULTS.mkdir(exist_ok=True)
    return report.RESULTS


def require_equal_responses(
    servers: Sequence[Contender], workloads: Sequence[Workload], inputs: WorkloadInputs
) -> None:
    """Raise BenchmarkError unless all servers return the same data."""
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
    report.show(f"equal answers: {', '.join(contender.name for contender in servers)}")


def difference(one: Any, other: Any, path: str) -> str | None:
    """The path and the values of the first difference of two plain answers; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        steps = [difference(one[name], other[name], f"{path}.{name}") for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        steps = [difference(a, b, f"{path}[{index}]") for index, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{path}: {one!r} ≠ {other!r}"
    return next(filter(None, steps), None)


def by_key(dsn: str, plan: BenchPlan) -> Mapping[str, SamplesByWorkload]:
    """Measure one hub with an unbound key and with keys bound to a leaf unit, to a region and to one customer."""
    all_inputs = read_inputs(dsn)
    bindings = with_connection(dsn, lambda connection: facts.read_bindings(connection, all_inputs))
    leaf_code, region_code = (path.rpartition(".")[2] for path in (bindings.leaf_unit, bindings.region_unit))
    with ExitStack() as stack:
        server = stack.enter_context(contenders.hub(dsn, log_folder()))
        keys = {
            f"leaf unit {leaf_code}": (("--unit", leaf_code), read_inputs(dsn, bindings.leaf_unit)),
            f"region {region_code}": (("--unit", region_code), read_inputs(dsn, bindings.region_unit)),
            "one customer": (
                ("--customer", str(bindings.customer)),
                WorkloadInputs([bindings.customer], all_inputs.country_stages, []),
            ),
        }
        holders = [(ADMIN_KEY, server, all_inputs)]
        for name, (binding, visible_inputs) in keys.items():
            key = stack.enter_context(contenders.new_key(dsn, *binding))
            holders.append((name, server.with_key(key), visible_inputs))
        runners: dict[str, list[Runner]] = {}
        for workload in (candidate for candidate in plan.workloads if not candidate.writes):
            for name, contender, visible_inputs in holders:
                bodies = contender.bodies(workload, visible_inputs)
                if normalized_data(contender.execute(bodies[0])) == {"customer": None}:
                    raise BenchmarkError(
                        f"{workload.name}: the key for {name} cannot see the customer that the workload requests"
                    )
                runners.setdefault(workload.name, []).append(HttpRunner(name, contender, contender.requests(bodies)))
        samples = measure_rounds("keys", runners, plan, asyncio.run(usage.postmaster(dsn)), plan.connections)
    report.show(report.key_table(medians(samples), plan.workloads, ADMIN_KEY))
    return {"keys": samples}


def by_size(dsns: Mapping[int, str], plan: BenchPlan) -> Mapping[str, SamplesByWorkload]:
    """Measure a hub on each of two data sets: latency of W1 and W2, over one connection and under load."""
    names = [f"{size:,} customers" for size in dsns]
    with ExitStack() as stack:
        runners: dict[str, list[Runner]] = {}
        for name, dsn in zip(names, dsns.values(), strict=True):
            server, inputs = stack.enter_context(contenders.hub(dsn, log_folder())), read_inputs(dsn)
            for workload in (W1, W2):
                requests = server.requests(server.bodies(workload, inputs))
                runners.setdefault(workload.name, []).append(HttpRunner(name, server, requests))
        postmaster = asyncio.run(usage.postmaster(next(iter(dsns.values()))))
        samples = {
            connections: measure_rounds(f"{connections} connections", runners, plan, postmaster, connections)
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
