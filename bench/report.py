"""What is printed and kept: Markdown tables on standard output, every sample as JSON under bench/results/."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from statistics import median

import orjson
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.measure import PGBENCH, Sample, Turns
from bench.workloads import HUB, Workload

RESULTS = Path(__file__).parent / "results"
WIDTH = 200  # wide enough that no cell is broken when the output goes to a file

Medians = Mapping[str, Mapping[str, Sample]]


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, and what moves it on."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def machine(**more: object) -> dict[str, object]:
    """Where and when."""
    model = [
        line.partition(":")[2].strip()
        for line in (Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else [])
        if line.startswith("model name")
    ]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **more,
    }


def keep(command: str, facts: Mapping[str, object], taken: Mapping[str, Turns]) -> Path:
    """Write every sample of a run to a file of its own."""
    RESULTS.mkdir(exist_ok=True)
    samples = {
        part: {work: {name: [asdict(each) for each in some] for name, some in by.items()} for work, by in turns.items()}
        for part, turns in taken.items()
    }
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{command}.json"
    file.write_bytes(orjson.dumps({"machine": facts, **samples}, option=orjson.OPT_INDENT_2))
    return file


def _table(title: str, columns: Sequence[str]) -> Table:
    made = Table(box=box.MARKDOWN, title=title, title_justify="left")
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number > 1 else "left")
    return made


def show(*things: object) -> None:
    console = Console(width=WIDTH)
    for each in things:
        console.print(each, highlight=False)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def compared(found: Medians, workloads: Sequence[Workload]) -> Table:
    """Contenders beside each other, with the hub's lead over each."""
    columns = ("", "contender", "req/s", "hub is ×", "p50 ms", "p99 ms", "app µs", "Postgres µs", "sum µs")
    table = _table("Medians; CPU per request. pgbench: the hub's own statements, no HTTP.", columns)
    for work in workloads:
        by_name = found[work.name]
        for name, sample in by_name.items():
            hub = by_name.get(HUB)
            lead = "" if hub is None or name == HUB else f"{hub.rate / sample.rate:.2f}"
            cpu = None if sample.app is None or sample.postgres is None else sample.app + sample.postgres
            table.add_row(
                work.name if name == next(iter(by_name)) else "",
                name,
                _number(sample.rate),
                lead,
                *(_number(each, 1) for each in (sample.p50, sample.p99)),
                *(_number(each) for each in (sample.app, sample.postgres, cpu)),
            )
    return table


def leads(found: Medians, names: Sequence[str]) -> list[str]:
    """The geometric mean and the least of the hub's lead over W1–W4, one line per contender."""
    lines = []
    for name in names:
        each = [
            by[HUB].rate / by[name].rate
            for work, by in found.items()
            if work not in ("W5", "W6") and {HUB, name} <= by.keys()
        ]
        if each and name != PGBENCH:
            mean = prod(each) ** (1 / len(each))
            lines.append(f"hub ÷ {name}, W1–W4: geometric mean {mean:.2f}, least {min(each):.2f}")
    return lines


def slowed(found: Medians, workloads: Sequence[Workload], base: str) -> Table:
    """One server under several keys: requests per second, and how many times slower than the first key."""
    names = list(next(iter(found.values())))
    table = _table("The hub by key: req/s (times slower than the admin key's)", ["", "workload", *names])
    for work in (each for each in workloads if each.name in found):
        by_name = found[work.name]
        cells = (
            _number(each.rate) + ("" if name == base else f" ({by_name[base].rate / each.rate:.2f}×)")
            for name, each in by_name.items()
        )
        table.add_row(work.name, work.title, *cells)
    return table


def grown(found: Mapping[int, Medians], workloads: Sequence[Workload], small: str, large: str) -> Table:
    """Latency over two sizes of the data set, by number of connections."""
    columns = ("", "connections", "size", "p50", "p99", "mean", "mean, × the smaller")
    table = _table("Latency in ms by size of the data set", columns)
    for connections, by_work in found.items():
        for work in workloads:
            for name in (small, large):
                sample = by_work[work.name][name]
                mean, base = (1e3 * connections / by_work[work.name][each].rate for each in (name, small))
                ratio = "" if name == small else f"{mean / base:.2f}"
                cells = (_number(sample.p50, 2), _number(sample.p99, 2), _number(mean, 2), ratio)
                table.add_row(work.name, str(connections), name, *cells)
    return table


def costs(taken: Turns, titles: Mapping[str, str], dear: str, cheap: str) -> Table:
    """What one way of doing things costs beside the other: medians of the turns' own ratios, so that both saw the same."""
    columns = ("", "", f"rows/s {dear}", cheap, "fewer", "time ×", f"Postgres µs {dear}", cheap)
    table = _table("What the log of changes costs", columns)
    for work, by_name in taken.items():
        pairs = list(zip(by_name[dear], by_name[cheap], strict=True))
        times = median(bare.rate / logged.rate for logged, bare in pairs)
        middle = [Sample.median(by_name[name]) for name in (dear, cheap)]
        rates, cpu = [_number(each.rate) for each in middle], [_number(each.postgres) for each in middle]
        table.add_row(work, titles[work], *rates, f"{1 - 1 / times:.0%}", f"{times:.2f}", *cpu)
    return table
