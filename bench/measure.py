"""Rounds: every runner takes its turn at every workload, in another order each round, and the medians are told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from bench import ceiling, load
from bench.ceiling import Statement
from bench.contenders import Contender
from bench.usage import cpu_seconds

PGBENCH = "pgbench, hub's SQL"
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn: requests per second, latency in ms, CPU per request in µs, the generator's share of a core."""

    rate: float
    p50: float | None
    p99: float | None
    app: float | None
    postgres: float | None
    generator: float | None

    @classmethod
    def median(cls, samples: Sequence["Sample"]) -> "Sample":
        """The median of each figure on its own."""

        def middle(name: str) -> Any:
            values = [getattr(each, name) for each in samples]
            return None if None in values else median(values)

        return cls(**{each.name: middle(each.name) for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class Turn:
    """How long a turn is, over how many connections, beside which Postgres (None when it is not on this machine)."""

    seconds: float
    connections: int
    postmaster: int | None


class Runner(Protocol):
    """Something that can be measured at one workload."""

    @property
    def name(self) -> str: ...

    def take(self, turn: Turn) -> Sample: ...


@dataclass(frozen=True, slots=True)
class Http:
    """A contender with the requests of one workload."""

    name: str
    server: Contender
    requests: list[bytes]

    def take(self, turn: Turn) -> Sample:
        app, postgres = cpu_seconds(self.server.pid), cpu_seconds(turn.postmaster)
        found = load.run(self.server.address, self.requests, turn.seconds, turn.connections)
        app, postgres = cpu_seconds(self.server.pid) - app, cpu_seconds(turn.postmaster) - postgres
        return Sample(
            rate=found.rate,
            p50=found.percentile(0.5),
            p99=found.percentile(0.99),
            app=app / found.requests * MICRO,
            postgres=postgres / found.requests * MICRO if turn.postmaster else None,
            generator=found.generator / found.seconds,
        )


@dataclass(frozen=True, slots=True)
class Pgbench:
    """Postgres alone with the hub's statements of one workload."""

    name: str
    program: Path
    dsn: str
    statements: list[Statement]
    work: Path

    def take(self, turn: Turn) -> Sample:
        before = cpu_seconds(turn.postmaster)
        found = ceiling.run(self.program, self.dsn, self.statements, max(1, round(turn.seconds)), self.work)
        used = cpu_seconds(turn.postmaster) - before
        per = used / found.transactions * MICRO if turn.postmaster else None
        return Sample(found.rate, None, None, None, per, None)


Turns = dict[str, dict[str, list[Sample]]]  # workload → runner → one sample per turn


def rounds(runners: dict[str, list[Runner]], count: int, turn: Turn, tell: Callable[[], None]) -> Turns:
    """Each runner once per round and workload, after one turn that does not count; `tell` is called after each turn."""
    taken: Turns = {workload: {each.name: [] for each in some} for workload, some in runners.items()}
    for some in runners.values():
        for runner in some:
            runner.take(turn)
            tell()
    for number in range(count):
        for workload, some in runners.items():
            first = number % len(some)
            for runner in some[first:] + some[:first]:
                taken[workload][runner.name].append(runner.take(turn))
                tell()
    return taken


def medians(taken: Turns) -> dict[str, dict[str, Sample]]:
    return {work: {name: Sample.median(each) for name, each in by_name.items()} for work, by_name in taken.items()}
