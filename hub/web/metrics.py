"""Counts what observe tells, for Prometheus. Plain numbers on the way in; names, labels and text only when scraped.

Labels come from closed sets, so that no client can make the table grow. Workers of one hub add their numbers up by files."""

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.errors import CODES
from hub.observe import Failed, PlanMade, Record, RequestDone, StatementSlow

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BOUNDS = (*(str(bound) for bound in BUCKETS), "+Inf")
OPERATIONS = ("query", "mutation", "subscription")
STAGES = ("parse", "validate", "document", "plan", "sql", "resolve", "splice")

SIMPLE: dict[type[Record], tuple[str, str]] = {
    StatementSlow: ("hub_slow_statements", "Statements that took longer than they should."),
    PlanMade: ("hub_plans", "Operations of a shape not seen before."),
    Failed: ("hub_failures", "Faults of the hub itself."),
}


class Metrics(Collector):
    """One process's numbers, and the sum of all workers' when there is a folder that they share."""

    def __init__(self, shared: Path | None = None) -> None:
        self.numbers: defaultdict[str, float] = defaultdict(float)
        self._shared = shared
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if shared is None:
            ProcessCollector(registry=self._registry)

    def __call__(self, record: Record) -> None:
        if isinstance(record, RequestDone):
            self._request(record)
        elif type(record) in SIMPLE:
            self.numbers[SIMPLE[type(record)][0]] += 1

    def _request(self, done: RequestDone) -> None:
        numbers = self.numbers
        operation = done.operation if done.operation in OPERATIONS else "none"
        code = done.code if not done.code or done.code in CODES else "OTHER"
        numbers[f"requests|{operation}|{done.status}|{code}"] += 1
        numbers[f"bucket|{operation}|{bisect_left(BUCKETS, done.seconds)}"] += 1
        numbers[f"seconds|{operation}"] += done.seconds
        numbers["statements"] += done.statements
        for stage, ms in done.timings:
            numbers[f"stage|{stage if stage in STAGES else 'other'}"] += ms / 1000

    def save(self) -> None:
        """Leave this worker's numbers where the one that is scraped finds them."""
        if self._shared:
            file = self._shared / f"{os.getpid()}.json"
            unfinished = file.with_suffix(".new")
            unfinished.write_bytes(orjson.dumps(self.numbers))
            unfinished.replace(file)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        numbers = self._total()
        requests = CounterMetricFamily(
            "hub_requests", "Requests answered or refused.", labels=("operation", "status", "code")
        )
        stages = CounterMetricFamily("hub_stage_seconds", "Time spent per stage of answering.", labels=("stage",))
        for key, number in sorted(numbers.items()):
            kind, *labels = key.split("|")
            if kind == "requests":
                requests.add_metric(labels, number)
            elif kind == "stage":
                stages.add_metric(labels, number)
        yield requests
        yield stages
        yield _histogram(numbers)
        yield CounterMetricFamily("hub_statements", "SQL statements sent for requests.", numbers["statements"])
        for name, text in SIMPLE.values():
            yield CounterMetricFamily(name, text, numbers[name])

    def _total(self) -> defaultdict[str, float]:
        self.save()
        if not self._shared:
            return self.numbers
        total: defaultdict[str, float] = defaultdict(float)
        for file in self._shared.glob("*.json"):
            for key, number in orjson.loads(file.read_bytes()).items():
                total[key] += number
        return total


def _histogram(numbers: defaultdict[str, float]) -> Metric:
    family = HistogramMetricFamily("hub_request_seconds", "Time from headers to answer.", labels=("operation",))
    for operation in (*OPERATIONS, "none"):
        below = 0.0
        buckets = []
        for index, bound in enumerate(BOUNDS):
            below += numbers[f"bucket|{operation}|{index}"]
            buckets.append((bound, below))
        if below:
            family.add_metric([operation], buckets, numbers[f"seconds|{operation}"])
    return family
