"""Counts what observe tells, for Prometheus. Plain numbers on the way in; names, labels and text only when scraped.

Labels come from closed sets, so that no client can make the table grow. Workers of one hub add up by files."""

import os
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from operator import add
from pathlib import Path

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.errors import CODES
from hub.observability import (
    Delivered,
    Failed,
    LeadLost,
    LeadTaken,
    Placed,
    PlanMade,
    Record,
    RequestDone,
    SocketClosed,
    SocketOpened,
    StreamClosed,
    StreamOpened,
)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BOUNDS = (*(str(bound) for bound in BUCKETS), "+Inf")
OPERATIONS = ("query", "mutation", "subscription")
STAGES = ("parse", "validate", "document", "plan", "sql", "resolve", "splice")

ALIVE = (
    10.0  # seconds after which a worker that has left no numbers, as it does every second, is gone with all it had open
)

LABELS = ("operation", "status", "code")
Requests = dict[tuple[str, int, str], list[float]]

SIMPLE: dict[type[Record], tuple[str, str]] = {
    PlanMade: ("hub_plans", "Operations of a shape not seen before."),
    Failed: ("hub_failures", "Faults of the hub itself."),
    LeadTaken: ("hub_leads_taken", "Times that a process began to give changes their positions."),
    LeadLost: ("hub_leads_lost", "Times that it lost the lead against its will."),
}

# What is open: one up, one down.
OPEN: dict[type[Record], tuple[str, int]] = {
    SocketOpened: ("hub_sockets_open", 1),
    SocketClosed: ("hub_sockets_open", -1),
    StreamOpened: ("hub_streams_open", 1),
    StreamClosed: ("hub_streams_open", -1),
}
OPENED = {"hub_sockets_open": "WebSockets open now.", "hub_streams_open": "Subscriptions open now."}
CUT = ("SLOW_CONSUMER", "PERMISSIONS_CHANGED", "STOPPING")

PLACING = {
    "hub_changes_placed": "Changes that got their position.",
    "hub_change_moves": "Moves that gave positions.",
    "hub_change_lag_seconds": "Age of the oldest change of each of these moves, added up.",
}


class Metrics(Collector):
    """One process's numbers, and the sum of all workers' when there is a folder that they share."""

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        # By operation, status and code: how many, their statements, their seconds, and how many per bucket.
        self._requests: Requests = {}
        self._counts: dict[str, float] = defaultdict(float)
        self._open: dict[str, int] = dict.fromkeys(OPENED, 0)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if shared is None:
            ProcessCollector(registry=self._registry)

    def __call__(self, record: Record) -> None:
        if isinstance(record, RequestDone):
            self._request(record)
        elif isinstance(record, Placed):
            self._counts["hub_changes_placed"] += record.changes
            self._counts["hub_change_lag_seconds"] += record.seconds
            self._counts["hub_change_moves"] += 1
        elif isinstance(record, Delivered):
            self._counts["hub_stream_messages"] += record.messages
        elif type(record) in OPEN:
            name, step = OPEN[type(record)]
            self._open[name] += step
            if isinstance(record, StreamClosed) and record.reason in CUT:
                self._counts[f"hub_streams_cut {record.reason}"] += 1
        elif type(record) in SIMPLE:
            self._counts[SIMPLE[type(record)][0]] += 1

    def _request(self, done: RequestDone) -> None:
        numbers = self._requests.get((done.operation, done.status, done.code))
        if numbers is None:
            operation = done.operation if done.operation in OPERATIONS else "none"
            code = done.code if not done.code or done.code in CODES else "OTHER"
            numbers = self._requests.setdefault((operation, done.status, code), [0.0] * (3 + len(BOUNDS)))
        numbers[0] += 1
        numbers[1] += done.statements
        numbers[2] += done.seconds
        numbers[3 + bisect_left(BUCKETS, done.seconds)] += 1
        for stage, ms in done.timings:
            self._counts[stage if stage in STAGES else "other"] += ms

    def save(self) -> None:
        """Leave this worker's numbers where the one that is scraped finds them."""
        if self._shared:
            file = self._shared / f"{os.getpid()}.json"
            unfinished = file.with_suffix(".new")
            unfinished.write_bytes(orjson.dumps([list(self._requests.items()), self._counts, self._open]))
            unfinished.replace(file)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        requests, counts, opened = self._total()
        answered = CounterMetricFamily("hub_requests", "Requests answered or refused.", labels=LABELS)
        for (operation, status, code), numbers in sorted(requests.items()):
            answered.add_metric([operation, str(status), code], numbers[0])
        yield answered
        yield _histogram(requests)
        statements = sum(numbers[1] for numbers in requests.values())
        yield CounterMetricFamily("hub_statements", "SQL statements sent for requests.", statements)
        stages = CounterMetricFamily("hub_stage_seconds", "Time spent per stage of answering.", labels=("stage",))
        for stage in (*STAGES, "other"):
            if stage in counts:
                stages.add_metric([stage], counts[stage] / 1000)
        yield stages
        for name, text in SIMPLE.values():
            yield CounterMetricFamily(name, text, counts.get(name, 0))
        for name, text in PLACING.items():
            yield CounterMetricFamily(name, text, counts.get(name, 0))
        for name, text in OPENED.items():
            yield GaugeMetricFamily(name, text, opened[name])
        yield CounterMetricFamily(
            "hub_stream_messages",
            "Messages sent through subscriptions and sockets.",
            counts.get("hub_stream_messages", 0),
        )
        cut = CounterMetricFamily("hub_streams_cut", "Subscriptions that the hub ended, by reason.", labels=("reason",))
        for reason in CUT:
            cut.add_metric([reason], counts.get(f"hub_streams_cut {reason}", 0))
        yield cut

    def _total(self) -> tuple[Requests, dict[str, float], dict[str, int]]:
        if not self._shared:
            return self._requests, self._counts, self._open
        self.save()
        requests: Requests = {}
        counts: dict[str, float] = defaultdict(float)
        opened = dict.fromkeys(OPENED, 0)
        for file in self._shared.glob("*.json"):
            theirs, simple, open_there = orjson.loads(file.read_bytes())
            if time.time() - file.stat().st_mtime < ALIVE:
                for name, number in open_there.items():
                    opened[name] += number
            for key, numbers in theirs:
                ours = requests.setdefault(tuple(key), [0.0] * len(numbers))
                ours[:] = map(add, ours, numbers)
            for name, number in simple.items():
                counts[name] += number
        return requests, counts, opened


def _histogram(requests: Requests) -> Metric:
    family = HistogramMetricFamily("hub_request_seconds", "Time from headers to answer.", labels=("operation",))
    for operation in (*OPERATIONS, "none"):
        found = [numbers for (kind, _, _), numbers in requests.items() if kind == operation]
        if found:
            summed = [sum(column) for column in zip(*found, strict=True)]
            family.add_metric([operation], list(zip(BOUNDS, accumulate(summed[3:]), strict=True)), summed[2])
    return family
