"""The output: Markdown tables on standard output, every sample as JSON under bench/results/."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean, median

import orjson
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.measure import PGBENCH, RatioSpread, Sample, SamplesByWorkload
from bench.workloads import HUB, Workload

RESULTS = Path(__file__).parent / "results"
RATIO_DIGITS = 3
WIDTH = 200  # wide enough that no cell is broken when the output goes to a file

Medians = Mapping[str, Mapping[str, Sample]]


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error; the block calls the function after each step."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def machine(**conditions: object) -> dict[str, object]:
    """The time, the machine and the options of a run."""
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
        **conditions,
    }


def save(command: str, conditions: Mapping[str, object], suites: Mapping[str, SamplesByWorkload]) -> Path:
    """Write every sample of a run to a new file and return its path."""
    RESULTS.mkdir(exist_ok=True)
    samples = {
        suite: {
            workload: {name: [asdict(sample) for sample in turn_samples] for name, turn_samples in by_name.items()}
            for workload, by_name in by_workload.items()
        }
        for suite, by_workload in suites.items()
    }
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{command}.json"
    file.write_bytes(orjson.dumps({"machine": conditions, **samples}, option=orjson.OPT_INDENT_2))
    return file


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(box=box.MARKDOWN, title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number > 1 else "left")
    return table


def show(*items: object) -> None:
    """Print tables and lines."""
    console = Console(width=WIDTH)
    for item in items:
        console.print(item, highlight=False)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def comparison_table(medians: Medians, workloads: Sequence[Workload]) -> Table:
    """Contenders side by side, with the hub's lead over each."""
    columns = ("", "contender", "req/s", "hub is ×", "p50 ms", "p99 ms", "app µs", "Postgres µs", "sum µs")
    table = _table("Medians; CPU per request. pgbench: the hub's own statements, no HTTP.", columns)
    for workload in workloads:
        by_name = medians[workload.name]
        for name, sample in by_name.items():
            hub = by_name.get(HUB)
            lead = "" if hub is None or name == HUB else f"{hub.rate / sample.rate:.2f}"
            table.add_row(
                workload.name if name == next(iter(by_name)) else "",
                name,
                _number(sample.rate),
                lead,
                *(_number(value, 1) for value in (sample.p50, sample.p99)),
                *(_number(value) for value in (sample.app, sample.postgres, sample.cpu)),
            )
    return table


def lead_lines(medians: Medians, names: Sequence[str]) -> list[str]:
    """The geometric mean and the minimum of the hub's lead over W1–W4, one line per contender."""
    lines = []
    for name in names:
        ratios = [
            by_name[HUB].rate / by_name[name].rate
            for workload_name, by_name in medians.items()
            if workload_name not in ("W5", "W6", "W7") and {HUB, name} <= by_name.keys()
        ]
        if ratios and name != PGBENCH:
            lines.append(f"hub ÷ {name}, W1–W4: geometric mean {geometric_mean(ratios):.2f}, minimum {min(ratios):.2f}")
    return lines


def key_table(medians: Medians, workloads: Sequence[Workload], base: str) -> Table:
    """One server with several keys: requests per second, and how many times slower than `base`."""
    names = list(next(iter(medians.values())))
    table = _table("The hub by key: req/s (times slower than the admin key's)", ["", "workload", *names])
    for workload in (candidate for candidate in workloads if candidate.name in medians):
        by_name = medians[workload.name]
        cells = (
            _number(sample.rate) + ("" if name == base else f" ({by_name[base].rate / sample.rate:.2f}×)")
            for name, sample in by_name.items()
        )
        table.add_row(workload.name, workload.title, *cells)
    return table


def size_table(
    medians_by_connections: Mapping[int, Medians], workloads: Sequence[Workload], small: str, large: str
) -> Table:
    """Latency over two sizes of the data set, by number of connections."""
    columns = ("", "connections", "size", "p50", "p99", "mean", "mean, × the smaller")
    table = _table("Latency in ms by size of the data set", columns)
    for connections, by_work in medians_by_connections.items():
        for workload in workloads:
            for name in (small, large):
                sample = by_work[workload.name][name]
                mean, base_mean = (
                    1e3 * connections / by_work[workload.name][size_name].rate for size_name in (name, small)
                )
                ratio = "" if name == small else f"{mean / base_mean:.2f}"
                cells = (_number(sample.p50, 2), _number(sample.p99, 2), _number(mean, 2), ratio)
                table.add_row(workload.name, str(connections), name, *cells)
    return table


def ratio_table(samples: SamplesByWorkload, workloads: Sequence[Workload], names: tuple[str, str]) -> Table:
    """Two runners side by side, with the ratio of the second to the first and its spread over the rounds."""
    columns = (
        "",
        "workload",
        *(f"{name} req/s" for name in names),
        "B ÷ A",
        "min–max",
        *(f"{name} µs" for name in names),
        "B ÷ A",
        "Postgres, B ÷ A",
    )
    table = _table(
        "Medians of the rounds; CPU per request of hub and Postgres together, and of Postgres alone.", columns
    )
    for workload in workloads:
        by_name = samples[workload.name]
        middle_samples = [Sample.median(by_name[name]) for name in names]
        ratio = _rate_ratio(by_name, names)
        table.add_row(
            workload.name,
            workload.title,
            *(_number(sample.rate) for sample in middle_samples),
            _number(ratio.median, RATIO_DIGITS),
            f"{_number(ratio.minimum, RATIO_DIGITS)}–{_number(ratio.maximum, RATIO_DIGITS)}",
            *(_number(sample.cpu) for sample in middle_samples),
            _number(_cpu_ratio(by_name, names, lambda sample: sample.cpu), RATIO_DIGITS),
            _number(_cpu_ratio(by_name, names, lambda sample: sample.postgres), RATIO_DIGITS),
        )
    return table


def ratio_summary(samples: SamplesByWorkload, names: tuple[str, str]) -> str:
    """The geometric mean and the minimum of the workloads' ratios, on one line."""
    ratios = {workload: _rate_ratio(by_name, names).median for workload, by_name in samples.items()}
    slowest = min(ratios, key=lambda workload: ratios[workload])
    mean, minimum = (_number(value, RATIO_DIGITS) for value in (geometric_mean(ratios.values()), ratios[slowest]))
    return f"req/s, B ÷ A over {', '.join(ratios)}: geometric mean {mean}, minimum {minimum} ({slowest})"


def _rate_ratio(by_name: Mapping[str, Sequence[Sample]], names: tuple[str, str]) -> RatioSpread:
    first, second = ([sample.rate for sample in by_name[name]] for name in names)
    return RatioSpread.of_rounds(second, first)


def _cpu_ratio(
    by_name: Mapping[str, Sequence[Sample]], names: tuple[str, str], cpu: Callable[[Sample], float | None]
) -> float | None:
    """The median ratio of CPU per request; None when Postgres runs on another machine."""
    first, second = ([used for sample in by_name[name] if (used := cpu(sample)) is not None] for name in names)
    return RatioSpread.of_rounds(second, first).median if first and second else None


def cost_table(samples: SamplesByWorkload, titles: Mapping[str, str], logged_name: str, bare_name: str) -> Table:
    """The cost of the change log: medians of the turns' own ratios, because only one turn's two samples saw the same machine."""
    columns = ("", "", f"rows/s {logged_name}", bare_name, "fewer", "time ×", f"Postgres µs {logged_name}", bare_name)
    table = _table("Cost of the change log", columns)
    for workload, by_name in samples.items():
        pairs = list(zip(by_name[logged_name], by_name[bare_name], strict=True))
        times = median(bare.rate / logged.rate for logged, bare in pairs)
        middle_samples = [Sample.median(by_name[name]) for name in (logged_name, bare_name)]
        rates, cpu = (
            [_number(sample.rate) for sample in middle_samples],
            [_number(sample.postgres) for sample in middle_samples],
        )
        table.add_row(workload, titles[workload], *rates, f"{1 - 1 / times:.0%}", f"{times:.2f}", *cpu)
    return table
