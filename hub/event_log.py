"""The log: writes each event as one line to standard error."""

import asyncio
import logging
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from hub.log_output import StderrWriter, StdlibLogHandler, format_traceback
from hub.observability import (
    AuditReadsDropped,
    ChangesSequenced,
    DiskFull,
    Event,
    HubReady,
    HubStopping,
    InternalFailure,
    JobEnded,
    LeadershipAcquired,
    LeadershipLost,
    MatchingTrained,
    MessagesSent,
    PlanCompiled,
    PostgresNotice,
    PostgresReady,
    ProjectionAdvanced,
    ProjectionFailed,
    RequestDone,
    SettingsWarning,
    SocketClosed,
    SocketOpened,
    StartupStep,
    StoredFilterBroken,
    StreamClosed,
    StreamOpened,
    TimerFailed,
    TimersFired,
    TokenIssuerFailed,
    WokenUp,
    WorkerEnded,
    WorkerStarted,
    WorkPostponed,
    add_handler,
)

FLUSH_DELAY = 0.02
DISK_FULL_INTERVAL = 10.0  # seconds between two lines about a full disk


class Log:
    """Writes each event as one line to standard error: JSON, or coloured text on a terminal."""

    def __init__(self, *, requests: bool = True) -> None:
        self.requests = requests
        self._buffered: list[tuple[float, RequestDone]] = []
        self._next_disk_full = 0.0
        self._processors: list[Any] = [_encode_json]
        if sys.stderr.isatty():
            timestamper = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True)
            renderer = structlog.dev.ConsoleRenderer()
            self._processors = [structlog.processors.add_log_level, timestamper, renderer, _encode_text]
        self._writer = StderrWriter()
        wrapper = structlog.make_filtering_bound_logger(logging.INFO)
        self._log = structlog.wrap_logger(self._writer, processors=self._processors, wrapper_class=wrapper).bind()

    def capture_stdlib_logging(self) -> None:
        """Includes warnings and errors that libraries write through Python's logging."""
        logging.basicConfig(level=logging.WARNING, handlers=[StdlibLogHandler(self._log)], force=True)
        # Its warnings concern requests that web/http_protocol.py rejects and logs itself.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestDone):
            if self.requests:
                self._buffer(event)
            return
        if isinstance(event, SocketClosed | StreamClosed) and not self.requests:
            return
        self.flush()
        if isinstance(event, InternalFailure):
            self._log.error(
                "internal_failure",
                request_id=event.request_id,
                where=event.where,
                exception=format_traceback(event.error),
            )
        elif isinstance(event, DiskFull):
            if time.monotonic() >= self._next_disk_full:  # every write fails while the disk is full
                self._next_disk_full = time.monotonic() + DISK_FULL_INTERVAL
                self._log.error("disk_full", message=event.message)
        elif not isinstance(event, METRICS_ONLY):
            self._log.info(_EVENT_NAMES[type(event)], **event._asdict())

    def _buffer(self, request: RequestDone) -> None:
        """Buffers request lines and writes them in batches after FLUSH_DELAY; single writes cost twice as much."""
        self._buffered.append((time.time(), request))
        if len(self._buffered) == 1:
            try:
                asyncio.get_running_loop().call_later(FLUSH_DELAY, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Writes the buffered request lines; calls the processors directly, because the logger itself costs more than they do."""
        buffered, self._buffered = self._buffered, []
        lines = []
        for logged_at, request in buffered:
            line: Any = {
                "event": "request",
                "timestamp": datetime.fromtimestamp(logged_at, UTC),
                "request_id": request.request_id,
                "operation": request.operation,
                "name": request.name,
                "status": request.status,
                "code": request.code,
                "key": request.key,
                "ms": round(request.seconds * 1000, 3),
                "statements": request.statements,
            }
            for processor in self._processors:
                line = processor(None, "info", line)
            lines.append(line)
        if lines:
            self._writer.msg(b"\n".join(lines))


# Not logged: too frequent, or covered by a later event. Metrics count them.
METRICS_ONLY = (
    PlanCompiled,
    ChangesSequenced,
    SocketOpened,
    StreamOpened,
    MessagesSent,
    TimersFired,
    ProjectionAdvanced,
    WorkerStarted,
    WokenUp,
)
_EVENT_NAMES: dict[type[Event], str] = {
    SocketClosed: "socket",
    StreamClosed: "stream",
    HubReady: "ready",
    HubStopping: "stopping",
    PostgresReady: "postgres_ready",
    PostgresNotice: "postgres",
    SettingsWarning: "settings_warning",
    StartupStep: "startup",
    TokenIssuerFailed: "token_issuer_failed",
    StoredFilterBroken: "stored_filter_broken",
    LeadershipAcquired: "leadership_acquired",
    LeadershipLost: "leadership_lost",
    AuditReadsDropped: "audit_reads_dropped",
    TimerFailed: "timer_failed",
    WorkPostponed: "work_postponed",
    JobEnded: "job",
    ProjectionFailed: "projection_failed",
    MatchingTrained: "matching_trained",
    WorkerEnded: "worker_ended",
}


def start_log(*, requests: bool) -> Log:
    """Begins to log the events of this process."""
    log = Log(requests=requests)
    log.capture_stdlib_logging()
    add_handler(log)
    return log


def _encode_json(_: object, level: str, event_dict: MutableMapping[str, Any]) -> bytes:
    # One step instead of structlog's four, which cost twice as much per request.
    event_dict["level"] = level
    if "timestamp" not in event_dict:
        event_dict["timestamp"] = datetime.now(UTC)
    return orjson.dumps(event_dict, default=repr, option=orjson.OPT_UTC_Z)


def _encode_text(_: object, __: str, line: str) -> bytes:
    return line.encode()
