"""The closed list of events, and the log that handles them. Metrics (web/metrics.py) are another handler."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog

from hub.log_output import StderrWriter, StdlibLogHandler, format_traceback


class RequestDone(NamedTuple):
    """A request was answered or rejected, or its client disconnected (status 499)."""

    request_id: str
    operation: str  # query, mutation, subscription, or "" if it was rejected before that was known
    name: str  # the operation's name, sanitised and shortened
    status: int
    code: str
    key: str  # public id of the API key, or a digest of the token's bearer; never the key or the token
    seconds: float
    statements: int
    timings: tuple[tuple[str, float], ...]


class PlanCompiled(NamedTuple):
    """An operation was planned that was not in the plan cache."""

    operation: str
    seconds: float


class InternalFailure(NamedTuple):
    """An unexpected exception. The client gets only the request id; the log gets the traceback."""

    request_id: str
    where: str
    error: BaseException


class DiskFull(NamedTuple):
    """The database refused a statement because its disk is full."""

    message: str


class PostgresReady(NamedTuple):
    """The embedded Postgres accepts connections; `started` says whether this process started it."""

    data_dir: str
    started: bool


class PostgresNotice(NamedTuple):
    """A notice about the embedded Postgres for the operator."""

    text: str


class SettingsWarning(NamedTuple):
    """A setting is most likely not as the operator intends, such as a misspelt variable."""

    text: str


class StartupStep(NamedTuple):
    """A step of the first start has ended."""

    step: str
    seconds: float


class TokenIssuerFailed(NamedTuple):
    """The keys of an issuer of tokens cannot be read; those that were read before stay valid."""

    issuer: str
    reason: str


class StoredFilterBroken(NamedTuple):
    """A stored filter cannot be planned any more; its rule grants nothing. `hub doctor` lists all of them."""

    rule: str


class HubReady(NamedTuple):
    """This process accepts requests."""

    address: str


class HubStopping(NamedTuple):
    """This process accepts no more requests and finishes the open ones."""

    reason: str


class LeadershipAcquired(NamedTuple):
    """This process became the leader: it assigns positions to changes."""

    settled: int  # the watermark: every id up to it has a position


class LeadershipLost(NamedTuple):
    """This process lost the leader lock; it or another process becomes the leader."""

    reason: str


class ChangesSequenced(NamedTuple):
    """Positions were assigned to changes."""

    changes: int
    max_lag: float  # seconds since the oldest of them was written


class SocketOpened(NamedTuple):
    """A WebSocket passed its handshake."""


class SocketClosed(NamedTuple):
    """A WebSocket was closed."""

    key: str  # public id of the API key; "" before authentication
    code: int  # the close code of the hub or the client; 1006 if the connection was lost
    seconds: float


class StreamOpened(NamedTuple):
    """A subscription started."""

    request_id: str
    name: str
    key: str
    transport: str  # socket or events


class StreamClosed(NamedTuple):
    """A subscription ended."""

    request_id: str
    name: str
    key: str
    transport: str
    reason: str  # complete, stopped (by the client), gone, or the error code that closed it
    seconds: float
    messages: int


class MessagesSent(NamedTuple):
    """Messages were sent to subscribers since the last such event."""

    messages: int


class TimersFired(NamedTuple):
    """Moments of a timer came, and its command ran; `lateness` is of the first of them, in seconds."""

    timer: str
    rows: int
    lateness: float


class TimerFailed(NamedTuple):
    """A timer's command failed for a row; it is tried again, unless the command would run for ever."""

    timer: str
    row: str
    attempts: int
    error: str


class WorkPostponed(NamedTuple):
    """Others hold the rows that a task of the hub itself needs; it tries again soon."""

    task: str


class JobEnded(NamedTuple):
    """A run of a job ended: its status, or why the job goes on later."""

    job: str
    type: str
    status: str
    seconds: float


class ProjectionAdvanced(NamedTuple):
    """A projection applied changes; `lag` is the age of the oldest of them, in seconds."""

    projection: str
    changes: int
    lag: float


class ProjectionFailed(NamedTuple):
    """A projection could not apply changes; it is tried again, and nothing is lost."""

    projection: str
    attempts: int
    error: str


class MatchingTrained(NamedTuple):
    """Matching has new parameters, learned from a sample of customers; a weight moved by `shift` bits at most."""

    version: int
    sampled: int
    shift: float


class AuditReadsDropped(NamedTuple):
    """Reads were not recorded, because the buffer of the audit log was full."""

    reads: int


Event = (
    RequestDone
    | PlanCompiled
    | InternalFailure
    | DiskFull
    | PostgresReady
    | PostgresNotice
    | SettingsWarning
    | StartupStep
    | TokenIssuerFailed
    | StoredFilterBroken
    | HubReady
    | HubStopping
    | LeadershipAcquired
    | LeadershipLost
    | ChangesSequenced
    | SocketOpened
    | SocketClosed
    | StreamOpened
    | StreamClosed
    | MessagesSent
    | AuditReadsDropped
    | TimersFired
    | TimerFailed
    | WorkPostponed
    | JobEnded
    | ProjectionAdvanced
    | ProjectionFailed
    | MatchingTrained
)
EventHandler = Callable[[Event], None]

FLUSH_DELAY = 0.02
DISK_FULL_INTERVAL = 10.0  # seconds between two lines about a full disk

_registrations: list[tuple[EventHandler, tuple[type[Event], ...]]] = []
_handlers_by_type: dict[type[Event], tuple[EventHandler, ...]] = {}  # filled by the first event of a type


def add_handler(handler: EventHandler, *event_types: type[Event]) -> Callable[[], None]:
    """Passes all further events to `handler`, or those of some types; the returned function removes it."""
    registration = (handler, event_types)
    _registrations.append(registration)
    _handlers_by_type.clear()

    def remove() -> None:
        _registrations.remove(registration)
        _handlers_by_type.clear()

    return remove


def emit(event: Event) -> None:
    """Passes an event to its handlers."""
    event_type = type(event)
    handlers = _handlers_by_type.get(event_type)
    if handlers is None:
        handlers = tuple(handler for handler, types in _registrations if not types or event_type in types)
        _handlers_by_type[event_type] = handlers
    for handler in handlers:
        handler(event)


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
        elif not isinstance(event, UNLOGGED):
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
UNLOGGED = (PlanCompiled, ChangesSequenced, SocketOpened, StreamOpened, MessagesSent, TimersFired, ProjectionAdvanced)
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
    MatchingTrained: "matching_trained",
    ProjectionFailed: "projection_failed",
}


def _encode_json(_: object, level: str, event_dict: MutableMapping[str, Any]) -> bytes:
    # One step instead of structlog's four, which cost twice as much per request.
    event_dict["level"] = level
    if "timestamp" not in event_dict:
        event_dict["timestamp"] = datetime.now(UTC)
    return orjson.dumps(event_dict, default=repr, option=orjson.OPT_UTC_Z)


def _encode_text(_: object, __: str, line: str) -> bytes:
    return line.encode()
