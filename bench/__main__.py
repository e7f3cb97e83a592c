"""`python -m bench`: every number in the documents. bench/README.md describes the suites."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from bench import (
    attack_runs,
    capture,
    commits,
    hidden_rows,
    imports,
    matching,
    matching_database,
    report,
    runs,
    scores,
    streams,
    timers,
    webhooks,
)
from bench.children import REPOSITORY, BenchmarkError
from bench.database import BenchServer, bench_server, empty_database, loaded_database
from bench.load import InvalidResponse
from bench.measure import SamplesByWorkload
from bench.runs import CONTENDERS, BenchPlan
from bench.workloads import WORKLOADS
from hub.errors import HubError

STANDARD, SIZE_FACTOR = 100_000, 10  # customers of the standard data set; how many times as many the larger one has
DATA = REPOSITORY / "bench" / "data"
PAIRS_OF_A_ROUND = 1_000  # look-ups of a hidden and of an absent row
MIN_STREAM_SECONDS = 10.0  # a turn of streams and webhooks is at least this long
COMMITS = "commits"  # the command that takes two revisions in place of suites


class Suite(StrEnum):
    """A group of measurements; bench/README.md describes all of them."""

    CONTENDERS = "contenders"
    KEYS = "keys"
    SIZE = "size"
    CAPTURE = "capture"
    WEBHOOKS = "webhooks"
    STREAMS = "streams"
    ATTACKS = "attacks"
    HIDDEN = "hidden"
    TIMERS = "timers"
    IMPORT = "import"
    MATCHING = "matching"
    SCORES = "scores"


QUERY_SUITES = {Suite.CONTENDERS, Suite.KEYS, Suite.SIZE}

SuitesArgument = Annotated[
    list[Suite] | None, typer.Argument(help="The suites to run; by default contenders and keys.")
]
FirstRevisionArgument = Annotated[str, typer.Argument(metavar="A", help="A commit, such as a hash, a tag or HEAD.")]
SecondRevisionArgument = Annotated[str, typer.Argument(metavar="B", help="The commit to compare with A.")]
RoundsOption = Annotated[int, typer.Option(min=1, max=51, help="Rounds; the tables show medians.")]
SecondsOption = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds of one turn.")]
ConnectionsOption = Annotated[int, typer.Option(min=1, max=1000, help="Connections of the load generator.")]
DataSetSizeOption = Annotated[int, typer.Option(min=100, help="Customers of the data set.")]
DatabaseUrlOption = Annotated[
    str | None, typer.Option(envvar="HUB_BENCH_URL", help="A PostgreSQL 18 database to use, as its owner.")
]
BenchDataOption = Annotated[
    Path, typer.Option(envvar="HUB_BENCH_DATA", help="Data directory of the embedded Postgres.")
]
UnitOption = Annotated[
    bool, typer.Option("--unit", help="With a writer's key that is bound to a unit, not an admin's.")
]
OnlyOption = Annotated[list[str] | None, typer.Option(help="A workload to run; repeat it for more. All by default.")]
AttackOption = Annotated[
    list[str] | None, typer.Option(help="An attack to run, or memory; repeat it for more. All by default.")
]
SeedOption = Annotated[int, typer.Option(help="Of the duplicates and look-alikes that the matching suite plants.")]
ContenderOption = Annotated[
    list[str] | None, typer.Option(help="A contender to run; repeat it for more. All by default.")
]


def _selected(requested: list[str] | None, available: list[str], option: str) -> list[str]:
    unknown = sorted(set(requested or ()) - set(available))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is unknown; use one of {', '.join(available)}", param_hint=option)
    return [name for name in available if name in (requested or available)]


def _plan(rounds: int, seconds: float, connections: int, only: list[str] | None) -> BenchPlan:
    names = _selected(only, [workload.name for workload in WORKLOADS], "--only")
    return BenchPlan(rounds, seconds, connections, tuple(workload for workload in WORKLOADS if workload.name in names))


def run_suites(
    suites: SuitesArgument = None,
    rounds: RoundsOption = 7,
    seconds: SecondsOption = 2.0,
    connections: ConnectionsOption = 16,
    customers: DataSetSizeOption = STANDARD,
    url: DatabaseUrlOption = None,
    data: BenchDataOption = DATA,
    only: OnlyOption = None,
    who: ContenderOption = None,
    attack: AttackOption = None,
    seed: SeedOption = matching.SEED,
) -> None:
    """Measure the hub: beside contenders, by key, by data size, the change log, webhooks, streams, attacks, hidden rows, timers,
    imports, matching.

    `python -m bench commits A B` compares two commits; it has a --help of its own.
    """
    plan = _plan(rounds, seconds, connections, only)
    attacks = _selected(attack, list(attack_runs.ATTACKS), "--attack")
    contender_names = _selected(who, list(CONTENDERS), "--who")
    selected_suites = suites or [Suite.CONTENDERS, Suite.KEYS]
    samples: dict[str, SamplesByWorkload] = {}
    with bench_server(url, data) as server:
        if Suite.CAPTURE in selected_suites:
            samples |= capture.run(server, plan)
        if QUERY_SUITES.intersection(selected_suites):
            samples |= _run_queries(server, selected_suites, plan, customers, contender_names)
        if Suite.STREAMS in selected_suites:
            dsn = loaded_database(server, customers, customers)
            for result in streams.rounds(dsn, data, rounds, max(seconds, MIN_STREAM_SECONDS)):
                report.show(Text(str(result)))
        if Suite.ATTACKS in selected_suites:
            for line in attack_runs.run(loaded_database(server, customers, customers), data, rounds, seconds, attacks):
                report.show(Text(line))
        if Suite.HIDDEN in selected_suites:
            for medians in hidden_rows.run(loaded_database(server, customers, customers), rounds * PAIRS_OF_A_ROUND):
                report.show(Text(str(medians)))
        _run_with_own_data(server, selected_suites, customers, seed)
        if Suite.WEBHOOKS in selected_suites:
            dsn = loaded_database(server, customers, customers)
            for name, result in webhooks.run(dsn, data, rounds, max(seconds, MIN_STREAM_SECONDS)).items():
                report.show(f"{name}: {result}")
    _finish("-".join(selected_suites), plan, customers, samples)


def _run_with_own_data(server: BenchServer, suites: list[Suite], customers: int, seed: int) -> None:
    """The suites that fill databases of their own."""
    if Suite.TIMERS in suites:
        for figure in timers.run(empty_database(server, "timers")):
            report.show(str(figure))
    if Suite.IMPORT in suites:
        for imported in imports.run(empty_database(server, "imports")):
            report.show(str(imported))
    if Suite.SCORES in suites:
        report.show(str(scores.run(empty_database(server, "scores"))))
    if Suite.MATCHING in suites:
        for matching_result in matching.run(customers, seed):
            report.show(Text(str(matching_result)))
        report.show(str(matching_database.run(empty_database(server, f"matching_{customers}"), customers, seed)))


def run_commits(
    first: FirstRevisionArgument,
    second: SecondRevisionArgument,
    rounds: RoundsOption = 15,
    seconds: SecondsOption = 2.0,
    connections: ConnectionsOption = 16,
    customers: DataSetSizeOption = STANDARD,
    url: DatabaseUrlOption = None,
    data: BenchDataOption = DATA,
    only: OnlyOption = None,
    unit: UnitOption = False,
) -> None:
    """Compare two commits from clean checkouts, in turns, and print the ratio of their rates (B ÷ A) with its spread."""
    plan = _plan(rounds, seconds, connections, only)
    with bench_server(url, data) as server:
        comparison = commits.compare(server, plan, customers, (first, second), in_unit=unit)
    key = "writer in a unit" if unit else "admin"
    _finish(COMMITS, plan, customers, comparison.samples, commits=comparison.commits, key=key)


def _finish(name: str, plan: BenchPlan, customers: int, samples: dict[str, SamplesByWorkload], **extra: object) -> None:
    """Print the conditions of the run and save its samples."""
    conditions = report.machine(
        customers=customers, rounds=plan.rounds, seconds=plan.seconds, connections=plan.connections, **extra
    )
    report.show(", ".join(f"{condition} {value}" for condition, value in conditions.items()))
    report.show(f"every sample: bench/results/{report.save(name, conditions, samples).name}")


def _run_queries(
    server: BenchServer, suites: list[Suite], plan: BenchPlan, customers: int, contender_names: list[str]
) -> dict[str, SamplesByWorkload]:
    """The suites that query a hub."""
    dsn, samples = loaded_database(server, customers, customers), dict[str, SamplesByWorkload]()
    if Suite.CONTENDERS in suites:
        samples |= runs.compare_contenders(dsn, plan, contender_names)
    if Suite.KEYS in suites:
        samples |= runs.by_key(dsn, plan)
    if Suite.SIZE in suites:
        larger = customers * SIZE_FACTOR
        samples |= runs.by_size({customers: dsn, larger: loaded_database(server, larger, customers)}, plan)
    return samples


def _exit_on_signal(_: int, __: FrameType | None) -> NoReturn:
    """Leave through every `finally`, so that no child process is left behind."""
    raise SystemExit(1)


def main(arguments: list[str]) -> None:
    """Run the command line: suites, or `commits` with two revisions."""
    compares_commits = arguments[:1] == [COMMITS]
    app = typer.Typer(add_completion=False)
    app.command()(run_commits if compares_commits else run_suites)
    app(
        args=arguments[1:] if compares_commits else arguments,
        prog_name=f"python -m bench {COMMITS}" if compares_commits else "python -m bench",
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        main(sys.argv[1:])
    except (BenchmarkError, InvalidResponse, HubError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
