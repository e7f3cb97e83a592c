"""Rounds: every runner takes a turn at every workload, in a new order each round. Results are medians."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from bench import ceiling, load
from bench.ceiling import PgbenchStatement
from bench.contenders import Contender
from bench.usage import cpu_seconds

PGBENCH = "pgbench, hub's SQL"
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn. A figure that cannot be measured is None."""

    rate: float  # requests per second
    p50: float | None  # latency in ms
    p99: float | None
    app: float | None  # CPU per request in µs, of the contender's processes
    postgres: float | None  # and of Postgres
    generator: float | None  # the load generator's share of a core

    @property
    def cpu(self) -> float | None:
        """CPU per request of contender and Postgres together, in µs."""
        return None if self.app is None or self.postgres is None else self.app + self.postgres

    @classmethod
    def median(cls, samples: Sequence["Sample"]) -> "Sample":
        """A sample of the medians of every figure."""

        def median_of(name: str) -> Any:
            values = [getattr(sample, name) for sample in samples]
            return None if None in values else median(values)

        return cls(**{field.name: median_of(field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """The length of a turn, its connections, and the process id of Postgres (None when it runs elsewhere)."""

    seconds: float
    connections: int
    postmaster: int | None


class Runner(Protocol):
    """One contender at one workload."""

    @property
    def name(self) -> str:
        """The name in the tables."""
        ...

    def measure(self, options: TurnOptions) -> Sample:
        """The sample of one turn."""
        ...


@dataclass(frozen=True, slots=True)
class HttpRunner:
    """A server with the requests of one workload."""

    name: str
    server: Contender
    requests: list[bytes]

    def measure(self, options: TurnOptions) -> Sample:
        app, postgres = cpu_seconds(self.server.pid), cpu_seconds(options.postmaster)
        result = load.run(self.server.address, self.requests, options.seconds, options.connections)
        app, postgres = cpu_seconds(self.server.pid) - app, cpu_seconds(options.postmaster) - postgres
        return Sample(
            rate=result.rate,
            p50=result.percentile(0.5),
            p99=result.percentile(0.99),
            app=app / result.requests * MICRO,
            postgres=postgres / result.requests * MICRO if options.postmaster else None,
            generator=result.generator_cpu / result.seconds,
        )


@dataclass(frozen=True, slots=True)
class PgbenchRunner:
    """Postgres alone with the hub's statements of one workload."""

    name: str
    program: Path
    dsn: str
    statements: list[PgbenchStatement]
    folder: Path

    def measure(self, options: TurnOptions) -> Sample:
        before = cpu_seconds(options.postmaster)
        result = ceiling.run(self.program, self.dsn, self.statements, max(1, round(options.seconds)), self.folder)
        used = cpu_seconds(options.postmaster) - before
        cpu_per_transaction = used / result.transactions * MICRO if options.postmaster else None
        return Sample(result.rate, None, None, None, cpu_per_transaction, None)


SamplesByWorkload = dict[str, dict[str, list[Sample]]]  # workload → runner → one sample per turn


def rounds(
    runners: dict[str, list[Runner]], count: int, options: TurnOptions, advance: Callable[[], None]
) -> SamplesByWorkload:
    """Every runner once per round and workload, after one warm-up turn. `advance` is called after every turn."""
    samples: SamplesByWorkload = {
        workload: {candidate.name: [] for candidate in group} for workload, group in runners.items()
    }
    for group in runners.values():
        for runner in group:
            runner.measure(options)
            advance()
    for number in range(count):
        for workload, group in runners.items():
            first = number % len(group)
            for runner in group[first:] + group[:first]:
                samples[workload][runner.name].append(runner.measure(options))
                advance()
    return samples


def medians(samples_by_workload: SamplesByWorkload) -> dict[str, dict[str, Sample]]:
    """By workload and runner, the sample of its medians."""
    return {
        workload: {name: Sample.median(samples) for name, samples in by_name.items()}
        for workload, by_name in samples_by_workload.items()
    }


@dataclass(frozen=True, slots=True)
class RatioSpread:
    """A ratio of two runners: the median of the rounds' own ratios, the least and the greatest."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of_rounds(cls, numerators: Sequence[float], denominators: Sequence[float]) -> "RatioSpread":
        """The ratio of a figure of two runners, which both have one value per round."""
        ratios = [numerator / denominator for numerator, denominator in zip(numerators, denominators, strict=True)]
        return cls(median(ratios), min(ratios), max(ratios))
