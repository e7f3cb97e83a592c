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
from bench.children import Failed
from bench.database import Place, filled, place
from bench.load import BadAnswer
from bench.measure import Turns
from bench.runs import CONTENDERS, Plan
from bench.workloads import WORKLOADS
from hub.errors import HubError

STANDARD, LARGER = 100_000, 10  # customers of the standard set, and how many times more the second set has
DATA = Path(__file__).parent / "data"


class Part(StrEnum):
    CONTENDERS = "contenders"
    KEYS = "keys"
    SIZE = "size"
    CAPTURE = "capture"
    WEBHOOKS = "webhooks"
    STREAMS = "streams"


Parts = Annotated[list[Part] | None, typer.Argument(help="What to run; contenders and keys when nothing is given.")]
Rounds = Annotated[int, typer.Option(min=1, max=51, help="Rounds; the medians are told.")]
Seconds = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds of one turn.")]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="Connections of the load generator.")]
Customers = Annotated[int, typer.Option(min=100, help="Customers of the data set.")]
Url = Annotated[str | None, typer.Option(envvar="HUB_BENCH_URL", help="A PostgreSQL 18 database to use, as its owner.")]
Data = Annotated[Path, typer.Option(envvar="HUB_BENCH_DATA", help="Data directory of the embedded Postgres.")]
Only = Annotated[list[str] | None, typer.Option(help="A workload to run, may be repeated; all when not given.")]
Who = Annotated[list[str] | None, typer.Option(help="A contender to run, may be repeated; all when not given.")]


def _chosen(given: list[str] | None, known: list[str], option: str) -> list[str]:
    unknown = sorted(set(given or ()) - set(known))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}", param_hint=option)
    return [name for name in known if name in (given or known)]


def main(
    parts: Parts = None,
    rounds: Rounds = 7,
    seconds: Seconds = 2.0,
    connections: Connections = 16,
    customers: Customers = STANDARD,
    url: Url = None,
    data: Data = DATA,
    only: Only = None,
    who: Who = None,
) -> None:
    """Measure the hub beside others, by key, by size of the data, or what the log of changes costs."""
    names = _chosen(only, [each.name for each in WORKLOADS], "--only")
    plan = Plan(rounds, seconds, connections, tuple(each for each in WORKLOADS if each.name in names))
    rivals = _chosen(who, list(CONTENDERS), "--who")
    wanted = parts or [Part.CONTENDERS, Part.KEYS]
    taken: dict[str, Turns] = {}
    with place(url, data) as where:
        if Part.CAPTURE in wanted:
            taken |= capture.run(where, plan)
        if {*wanted} - {Part.CAPTURE, Part.WEBHOOKS, Part.STREAMS}:
            taken |= _read(where, wanted, plan, customers, rivals)
        if Part.STREAMS in wanted:
            dsn = filled(where, customers, customers)
            for found in streams.rounds(dsn, data, rounds, max(seconds, 10.0)):
                report.show(Text(str(found)))
        if Part.WEBHOOKS in wanted:
            dsn = filled(where, customers, customers)
            for name, found in webhooks.run(dsn, data, rounds, max(seconds, 10.0)).items():
                report.show(f"{name}: {found}")
    facts = report.machine(customers=customers, rounds=rounds, seconds=seconds, connections=connections)
    report.show(", ".join(f"{name} {value}" for name, value in facts.items()))
    report.show(f"every sample: bench/results/{report.keep('-'.join(wanted), facts, taken).name}")


def _read(where: Place, wanted: list[Part], plan: Plan, customers: int, rivals: list[str]) -> dict[str, Turns]:
    """The parts that ask a hub."""
    dsn, taken = filled(where, customers, customers), dict[str, Turns]()
    if Part.CONTENDERS in wanted:
        taken |= runs.contest(dsn, plan, rivals)
    if Part.KEYS in wanted:
        taken |= runs.by_key(dsn, plan)
    if Part.SIZE in wanted:
        larger = customers * LARGER
        taken |= runs.by_size({customers: dsn, larger: filled(where, larger, customers)}, plan)
    return taken


def _end(_: int, __: FrameType | None) -> NoReturn:
    """Leave through every `finally`, so that no child is left behind."""
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        typer.run(main)
    except (Failed, BadAnswer, HubError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
