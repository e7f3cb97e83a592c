"""`python -m bench`: the numbers of the README are measured here. bench/README.md says what is compared, and how."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from bench import capture, report, runs, streams, webhooks
from bench.children import BenchmarkError
from bench.database import BenchServer, bench_server, loaded_database
from bench.load import InvalidResponse
from bench.measure import SamplesByWorkload
from bench.runs import CONTENDERS, BenchPlan
from bench.workloads import WORKLOADS
from hub.errors import HubError

STANDARD, SIZE_FACTOR = 100_000, 10  # customers of the standard set, and how many times more the second set has
DATA = Path(__file__).parent / "data"


class Suite(StrEnum):
    CONTENDERS = "contenders"
    KEYS = "keys"
    SIZE = "size"
    CAPTURE = "capture"
    WEBHOOKS = "webhooks"
    STREAMS = "streams"


SuitesArgument = Annotated[
    list[Suite] | None, typer.Argument(help="What to run; contenders and keys when nothing is given.")
]
RoundsOption = Annotated[int, typer.Option(min=1, max=51, help="Rounds; the medians are told.")]
SecondsOption = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds of one turn.")]
ConnectionsOption = Annotated[int, typer.Option(min=1, max=1000, help="Connections of the load generator.")]
DataSetSizeOption = Annotated[int, typer.Option(min=100, help="Customers of the data set.")]
DatabaseUrlOption = Annotated[
    str | None, typer.Option(envvar="HUB_BENCH_URL", help="A PostgreSQL 18 database to use, as its owner.")
]
BenchDataOption = Annotated[
    Path, typer.Option(envvar="HUB_BENCH_DATA", help="Data directory of the embedded Postgres.")
]
OnlyOption = Annotated[list[str] | None, typer.Option(help="A workload to run, may be repeated; all when not given.")]
ContenderOption = Annotated[
    list[str] | None, typer.Option(help="A contender to run, may be repeated; all when not given.")
]


def _selected(requested: list[str] | None, available: list[str], option: str) -> list[str]:
    unknown = sorted(set(requested or ()) - set(available))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(available)}", param_hint=option)
    return [name for name in available if name in (requested or available)]


def main(
    parts: SuitesArgument = None,
    rounds: RoundsOption = 7,
    seconds: SecondsOption = 2.0,
    connections: ConnectionsOption = 16,
    customers: DataSetSizeOption = STANDARD,
    url: DatabaseUrlOption = None,
    data: BenchDataOption = DATA,
    only: OnlyOption = None,
    who: ContenderOption = None,
) -> None:
    """Measure the hub beside others, by key, by size of the data, or what the log of changes costs."""
    names = _selected(only, [workload.name for workload in WORKLOADS], "--only")
    plan = BenchPlan(rounds, seconds, connections, tuple(workload for workload in WORKLOADS if workload.name in names))
    contender_names = _selected(who, list(CONTENDERS), "--who")
    suites = parts or [Suite.CONTENDERS, Suite.KEYS]
    samples: dict[str, SamplesByWorkload] = {}
    with bench_server(url, data) as server:
        if Suite.CAPTURE in suites:
            samples |= capture.run(server, plan)
        if {*suites} - {Suite.CAPTURE, Suite.WEBHOOKS, Suite.STREAMS}:
            samples |= _run_queries(server, suites, plan, customers, contender_names)
        if Suite.STREAMS in suites:
            dsn = loaded_database(server, customers, customers)
            for result in streams.rounds(dsn, data, rounds, max(seconds, 10.0)):
                report.show(Text(str(result)))
        if Suite.WEBHOOKS in suites:
            dsn = loaded_database(server, customers, customers)
            for name, result in webhooks.run(dsn, data, rounds, max(seconds, 10.0)).items():
                report.show(f"{name}: {result}")
    conditions = report.machine(customers=customers, rounds=rounds, seconds=seconds, connections=connections)
    report.show(", ".join(f"{name} {value}" for name, value in conditions.items()))
    report.show(f"every sample: bench/results/{report.save('-'.join(suites), conditions, samples).name}")


def _run_queries(
    server: BenchServer, suites: list[Suite], plan: BenchPlan, customers: int, contender_names: list[str]
) -> dict[str, SamplesByWorkload]:
    """The parts that ask a hub."""
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
    """Leave through every `finally`, so that no child is left behind."""
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        typer.run(main)
    except (BenchmarkError, InvalidResponse, HubError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
