"""Prometheus metrics: counts observability events as plain numbers and builds names, labels and text only when scraped.

Labels come from closed sets, so clients cannot add series. The processes of a hub share their counts through files."""

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
    AuditReadsDropped,
    ChangesSequenced,
    Event,
    InternalFailure,
    LeadershipAcquired,
    LeadershipLost,
    MessagesSent,
    PlanCompiled,
    ProjectionAdvanced,
    ProjectionFailed,
    RequestDone,
    SocketClosed,
    SocketOpened,
    StreamClosed,
    StreamOpened,
    TimerFailed,
    TimersFired,
    WorkerStarted,
    WorkPostponed,
)

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BUCKET_LABELS = (*(str(bound) for bound in LATENCY_BUCKETS), "+Inf")
OPERATIONS = ("query", "mutation", "subscription")
STAGES = ("parse", "validate", "document", "plan", "sql", "resolve", "splice")

# Seconds without a save (there is one per second) after which a process counts as dead, with no open connections.
PROCESS_TTL = 10.0
SERVING_FILES, WORKER_FILES = "serving", "worker"  # how the files of processes that serve and of workers begin

REQUEST_LABELS = ("operation", "status", "code")
RequestCounts = dict[tuple[str, int, str], list[float]]

EVENT_COUNTERS: dict[type[Event], tuple[str, str]] = {
    PlanCompiled: ("hub_plans", "Operations of a shape not seen before."),
    InternalFailure: ("hub_failures", "Faults of the hub itself."),
    LeadershipAcquired: ("hub_leadership_acquired", "Times that this process became the sequencer's leader."),
    LeadershipLost: ("hub_leadership_lost", "Times that this process lost leadership unexpectedly."),
    ProjectionFailed: ("hub_projection_failures", "Attempts of projections that failed; the log says why."),
    WorkPostponed: ("hub_work_postponed", "Times that a task of the hub had to wait for rows that others held."),
    TimerFailed: ("hub_timer_failures", "Attempts of timers that failed; the log says why."),
    WorkerStarted: ("hub_worker_starts", "Starts of workers; with more than one, the earlier ones died."),
}

# The gauges of open sockets and streams, and their steps.
GAUGE_STEPS: dict[type[Event], tuple[str, int]] = {
    SocketOpened: ("hub_sockets_open", 1),
    SocketClosed: ("hub_sockets_open", -1),
    StreamOpened: ("hub_streams_open", 1),
    StreamClosed: ("hub_streams_open", -1),
}
GAUGES = {"hub_sockets_open": "WebSockets open now.", "hub_streams_open": "Subscriptions open now."}
CLOSE_REASONS = ("SLOW_CONSUMER", "PERMISSIONS_CHANGED", "STOPPING")

TIMER_COUNTERS = {
    "hub_timers_fired": "Rows whose moment came and whose timer ran.",
    "hub_timer_lateness_seconds": "Age of the oldest moment of each batch of timers, summed.",
}
PROJECTION_COUNTERS = {
    "hub_projection_changes": "Changes that projections applied.",
    "hub_projection_batches": "Batches of changes that projections applied.",
    "hub_projection_lag_seconds": "Age of the oldest change of each such batch, summed.",
}
SEQUENCING_COUNTERS = {
    "hub_changes_sequenced": "Changes that were assigned a position.",
    "hub_sequencer_batches": "Batches of assigned positions.",
    "hub_change_lag_seconds": "Age of the oldest change of each batch, summed.",
}


class Metrics(Collector):
    """The metrics of one process, or the sum over all processes of a hub if they share a folder.

    `alone` says that no other process serves; `has_worker`, that one works beside them."""

    def __init__(
        self,
        shared_folder: Path | None = None,
        files: str = SERVING_FILES,
        *,
        alone: bool = True,
        has_worker: bool = False,
    ) -> None:
        self._shared_folder = shared_folder
        self._files = files
        self._has_worker = has_worker
        self._started_at = time.time()
        # By operation, status and code: count, statements, seconds, and the count per latency bucket.
        self._requests: RequestCounts = {}
        self._counts: dict[str, float] = defaultdict(float)
        self._gauges: dict[str, int] = dict.fromkeys(GAUGES, 0)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if alone:
            ProcessCollector(registry=self._registry)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestDone):
            self._count_request(event)
        elif isinstance(event, ChangesSequenced):
            self._counts["hub_changes_sequenced"] += event.changes
            self._counts["hub_change_lag_seconds"] += event.max_lag
            self._counts["hub_sequencer_batches"] += 1
        elif isinstance(event, MessagesSent):
            self._counts["hub_stream_messages"] += event.messages
        elif isinstance(event, TimersFired):
            self._counts["hub_timers_fired"] += event.rows
            self._counts["hub_timer_lateness_seconds"] += event.lateness
        elif isinstance(event, ProjectionAdvanced):
            self._counts["hub_projection_changes"] += event.changes
            self._counts["hub_projection_lag_seconds"] += event.lag
            self._counts["hub_projection_batches"] += 1
        elif isinstance(event, AuditReadsDropped):
            self._counts["hub_audit_reads_dropped"] += event.reads
        elif type(event) in GAUGE_STEPS:
            name, step = GAUGE_STEPS[type(event)]
            self._gauges[name] += step
            if isinstance(event, StreamClosed) and event.reason in CLOSE_REASONS:
                self._counts[f"hub_streams_closed {event.reason}"] += 1
        elif type(event) in EVENT_COUNTERS:
            self._counts[EVENT_COUNTERS[type(event)][0]] += 1

    def _count_request(self, event: RequestDone) -> None:
        numbers = self._requests.get((event.operation, event.status, event.code))
        if numbers is None:
            operation = event.operation if event.operation in OPERATIONS else "none"
            code = event.code if not event.code or event.code in CODES else "OTHER"
            numbers = self._requests.setdefault((operation, event.status, code), [0.0] * (3 + len(BUCKET_LABELS)))
        numbers[0] += 1
        numbers[1] += event.statements
        numbers[2] += event.seconds
        numbers[3 + bisect_left(LATENCY_BUCKETS, event.seconds)] += 1
        for stage, ms in event.timings:
            self._counts[stage if stage in STAGES else "other"] += ms

    def save(self) -> None:
        """Saves this process's counts to the shared folder, where the scraped process reads them."""
        if self._shared_folder:
            file = self._shared_folder / f"{self._files}-{os.getpid()}.json"
            temporary = file.with_suffix(".new")
            temporary.write_bytes(orjson.dumps([list(self._requests.items()), self._counts, self._gauges]))
            temporary.replace(file)

    def worker_is_down(self) -> bool:
        """Whether the hub should have a worker and has had none for some time."""
        if self._shared_folder is None or not self._has_worker:
            return False
        alive = (file.stat().st_mtime for file in self._shared_folder.glob(f"{WORKER_FILES}-*.json"))
        return time.time() - max(alive, default=self._started_at) >= PROCESS_TTL

    def exposition(self) -> bytes:
        """Returns the metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        requests, counts, gauges = self._totals()
        request_counter = CounterMetricFamily("hub_requests", "Requests that got a response.", labels=REQUEST_LABELS)
        for (operation, status, code), numbers in sorted(requests.items()):
            request_counter.add_metric([operation, str(status), code], numbers[0])
        yield request_counter
        yield _histogram(requests)
        statement_count = sum(numbers[1] for numbers in requests.values())
        yield CounterMetricFamily("hub_statements", "SQL statements sent for requests.", statement_count)
        stage_counter = CounterMetricFamily(
            "hub_stage_seconds", "Time spent per stage of execution.", labels=("stage",)
        )
        for stage in (*STAGES, "other"):
            if stage in counts:
                stage_counter.add_metric([stage], counts[stage] / 1000)
        yield stage_counter
        for name, description in EVENT_COUNTERS.values():
            yield CounterMetricFamily(name, description, counts.get(name, 0))
        for name, description in (SEQUENCING_COUNTERS | TIMER_COUNTERS | PROJECTION_COUNTERS).items():
            yield CounterMetricFamily(name, description, counts.get(name, 0))
        for name, description in GAUGES.items():
            yield GaugeMetricFamily(name, description, gauges[name])
        if self._has_worker:
            is_up = not self.worker_is_down()
            yield GaugeMetricFamily(
                "hub_worker_up", "Whether the process of jobs, webhooks and projections runs.", is_up
            )
        yield CounterMetricFamily(
            "hub_stream_messages",
            "Messages sent through subscriptions and sockets.",
            counts.get("hub_stream_messages", 0),
        )
        yield CounterMetricFamily(
            "hub_audit_reads_dropped",
            "Reads that are missing in the audit log, because its buffer was full.",
            counts.get("hub_audit_reads_dropped", 0),
        )
        close_counter = CounterMetricFamily(
            "hub_streams_closed", "Subscriptions closed by the hub, by reason.", labels=("reason",)
        )
        for reason in CLOSE_REASONS:
            close_counter.add_metric([reason], counts.get(f"hub_streams_closed {reason}", 0))
        yield close_counter

    def _totals(self) -> tuple[RequestCounts, dict[str, float], dict[str, int]]:
        if not self._shared_folder:
            return self._requests, self._counts, self._gauges
        self.save()
        requests: RequestCounts = {}
        counts: dict[str, float] = defaultdict(float)
        gauges = dict.fromkeys(GAUGES, 0)
        for file in self._shared_folder.glob("*.json"):
            other_requests, other_counts, other_gauges = orjson.loads(file.read_bytes())
            if time.time() - file.stat().st_mtime < PROCESS_TTL:
                for name, value in other_gauges.items():
                    gauges[name] += value
            for key, numbers in other_requests:
                totals = requests.setdefault(tuple(key), [0.0] * len(numbers))
                totals[:] = map(add, totals, numbers)
            for name, value in other_counts.items():
                counts[name] += value
        return requests, counts, gauges


def _histogram(requests: RequestCounts) -> Metric:
    family = HistogramMetricFamily("hub_request_seconds", "Time from headers to response.", labels=("operation",))
    for operation in (*OPERATIONS, "none"):
        samples = [numbers for (operation_type, _, _), numbers in requests.items() if operation_type == operation]
        if samples:
            totals = [sum(column) for column in zip(*samples, strict=True)]
            family.add_metric([operation], list(zip(BUCKET_LABELS, accumulate(totals[3:]), strict=True)), totals[2])
    return family
