"""Two commits of the hub, measured in turns: `python -m bench commits A B`.

Each hub runs from a clean checkout, on a database that its own command line migrated and loaded.
"""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import contenders, facts, report, usage
from bench.checkouts import Checkout, checked_out
from bench.children import (
    HOST,
    SCRATCH_PREFIX,
    BenchmarkError,
    child_process,
    free_port,
    readiness_request,
    wait_until_answered,
)
from bench.database import BenchServer, cached_database, copied_database, with_connection
from bench.measure import Runner, SamplesByWorkload
from bench.runs import BenchPlan, http_runner, log_folder, measure_rounds, read_inputs, require_equal_responses

LABELS = ("A", "B")
DERIVED_POLL = 1.0  # seconds
DERIVING = """
select exists (select from projections where rebuilding) or not exists (select from projections)
    or (exists (select from customers offset 999) and not exists (select from match_models))
"""
LOAD_TIMEOUT = 7_200.0  # seconds that migrating and loading a database may take


@dataclass(frozen=True, slots=True)
class CommitComparison:
    """The hashes of both commits and all samples."""

    commits: list[str]
    samples: dict[str, SamplesByWorkload]


def compare(
    server: BenchServer, plan: BenchPlan, customers: int, revisions: tuple[str, str], *, in_unit: bool = False
) -> CommitComparison:
    """Measure two revisions in turns (A B, B A, …) and print the ratios B ÷ A with their spread.

    `in_unit`: with a writer's key that is bound to the leaf unit of median size, in place of an unbound admin's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX)))
        checkouts = [
            stack.enter_context(checked_out(revision, label, folder))
            for label, revision in zip(LABELS, revisions, strict=True)
        ]
        templates = [_loaded_template(server, checkout, customers) for checkout in checkouts]
        dsns = [
            stack.enter_context(copied_database(server, template, f"commit_{label.lower()}"))
            for label, template in zip(LABELS, templates, strict=True)
        ]
        unit = _leaf_unit(dsns[0]) if in_unit else None
        inputs, other_inputs = (read_inputs(dsn, unit) for dsn in dsns)
        if inputs != other_inputs:
            raise BenchmarkError("the two commits load different customers, so their rates cannot be compared")
        binding = ("--unit", unit.rpartition(".")[2]) if unit else ()
        role = contenders.WRITER if unit else contenders.ADMIN
        hubs = [
            stack.enter_context(contenders.hub(dsn, log_folder(), checkout.source, *binding, role=role))
            for dsn, checkout in zip(dsns, checkouts, strict=True)
        ]
        require_equal_responses(hubs, plan.workloads, inputs)
        runners: dict[str, list[Runner]] = {
            workload.name: [http_runner(hub, workload, inputs) for hub in hubs] for workload in plan.workloads
        }
        postmaster = asyncio.run(usage.postmaster(dsns[0]))
        samples = measure_rounds("commits", runners, plan, postmaster, plan.connections)
    names = (hubs[0].name, hubs[1].name)
    report.show(report.ratio_table(samples, plan.workloads, names), report.ratio_summary(samples, names))
    return CommitComparison([checkout.commit for checkout in checkouts], {"commits": samples})


def _leaf_unit(dsn: str) -> str:
    """The path of the leaf unit of median size."""
    inputs = read_inputs(dsn)
    return with_connection(dsn, lambda connection: facts.read_bindings(connection, inputs)).leaf_unit


def _loaded_template(server: BenchServer, checkout: Checkout, customers: int) -> str:
    """The address of the commit's own database with that many customers, which is migrated and loaded if it is absent."""

    def load(dsn: str) -> None:
        report.show(f"{checkout.source.name}: loading {customers:,} customers")
        _load(dsn, checkout, customers)

    return cached_database(server, f"{checkout.short_hash}_{customers}", load)


def _load(dsn: str, checkout: Checkout, customers: int) -> None:
    """Run `hub demo` until it serves; by then it has migrated and loaded the database. Then wait for derived rows."""
    source, port = checkout.source, free_port()
    log = log_folder() / f"load-{source.log_name}"
    with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as data_dir:
        arguments = ("demo", "--customers", str(customers), "--host", HOST, "--port", str(port), "--data", data_dir)
        with child_process(source.command(*arguments), source.environment(dsn), log, source.root) as process:
            wait_until_answered(process, (HOST, port), readiness_request(), log, LOAD_TIMEOUT)
            _wait_until_derived(dsn)


def _wait_until_derived(dsn: str) -> None:
    """Returns once projections are built and matching has trained itself, if the commit knows either.

    Otherwise a hub would build them while it is measured."""
    deadline = time.monotonic() + LOAD_TIMEOUT
    while with_connection(dsn, _is_deriving):
        if time.monotonic() > deadline:
            raise BenchmarkError("the projections are not built; see the load's log")
        time.sleep(DERIVED_POLL)


async def _is_deriving(connection: asyncpg.Connection) -> bool:
    if not await connection.fetchval("select to_regclass('projections') is not null"):
        return False
    return bool(await connection.fetchval(DERIVING))
