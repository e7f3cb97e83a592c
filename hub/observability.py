"""The closed list of things worth telling. Logs (here) and metrics (web/metrics.py) are two listeners of it."""

import asyncio
import io
import logging
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog


class RequestDone(NamedTuple):
    """A request was answered, or refused, or given up by its client (status 499)."""

    request_id: str
    operation: str  # query, mutation, subscription, or "" when it was refused before that was known
    name: str  # the operation's name, sanitised and cut
    status: int
    code: str
    key: str  # public id of the API key, never the key
    seconds: float
    statements: int
    timings: tuple[tuple[str, float], ...]


class PlanCompiled(NamedTuple):
    """An operation of a shape not seen before was planned."""

    operation: str
    seconds: float


class InternalFailure(NamedTuple):
    """A fault of ours. The client was told the request id; the traceback goes to the log alone."""

    request_id: str
    where: str
    error: BaseException


class PostgresReady(NamedTuple):
    """The embedded Postgres accepts connections; it ran already, unless this process started it."""

    data_dir: str
    started: bool


class PostgresNotice(NamedTuple):
    """Something about the embedded Postgres that its keeper should know."""

    text: str


class HubReady(NamedTuple):
    """This process accepts requests."""

    address: str


class HubStopping(NamedTuple):
    """This process accepts no more requests and ends those it has."""

    reason: str


class LeadershipAcquired(NamedTuple):
    """This process gives changes their positions from now on."""

    settled: int  # the id up to which it has nothing to look for


class LeadershipLost(NamedTuple):
    """It does so no longer, against its will; another process takes over, or this one again."""

    reason: str


class ChangesSequenced(NamedTuple):
    """Changes got their positions."""

    changes: int
    max_lag: float  # since the oldest of them was made


class SocketOpened(NamedTuple):
    """A WebSocket passed its handshake."""


class SocketClosed(NamedTuple):
    """It is gone."""

    key: str  # public id of the API key; "" when none was shown
    code: int  # that the hub or else the client closed it with; 1006 when it broke off
    seconds: float


class StreamOpened(NamedTuple):
    """A subscription runs."""

    request_id: str
    name: str
    key: str
    transport: str  # socket or events


class StreamClosed(NamedTuple):
    """It has ended."""

    request_id: str
    name: str
    key: str
    transport: str
    reason: str  # complete, stopped (by the client), gone, or the code that it was cut or refused with
    seconds: float
    messages: int


class MessagesSent(NamedTuple):
    """Messages were sent through streams, since the last time that this was told."""

    messages: int


Event = (
    RequestDone
    | PlanCompiled
    | InternalFailure
    | PostgresReady
    | PostgresNotice
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
)
EventHandler = Callable[[Event], None]

FLUSH_DELAY = 0.02

_handlers: list[EventHandler] = []


def add_handler(handler: EventHandler) -> Callable[[], None]:
    """Tell `listener` everything from now on; calling the result ends that."""
    _handlers.append(handler)
    return lambda: _handlers.remove(handler)


def emit(event: Event) -> None:
    for handler in _handlers:
        handler(event)


class Log:
    """Writes what is told as one line each on standard error: JSON, or coloured text on a terminal."""

    def __init__(self, *, requests: bool = True) -> None:
        self.requests = requests
        self._buffered: list[tuple[float, RequestDone]] = []
        self._processors: list[Any] = [_encode_json]
        if sys.stderr.isatty():
            timestamper = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True)
            self._processors = [
                structlog.processors.add_log_level,
                timestamper,
                structlog.dev.ConsoleRenderer(),
                _encode_text,
            ]
        self._writer = _StderrWriter()
        wrapper = structlog.make_filtering_bound_logger(logging.INFO)
        self._log = structlog.wrap_logger(self._writer, processors=self._processors, wrapper_class=wrapper).bind()

    def capture_stdlib_logging(self) -> None:
        """Let in what asyncio and other libraries write to Python's own log, if it is a warning or worse."""
        logging.basicConfig(level=logging.WARNING, handlers=[_StdlibLogHandler(self._log)], force=True)
        # Its warnings are about requests that web/http_protocol.py refuses, and tells of.
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
                exception=_format_traceback(event.error),
            )
        elif not isinstance(event, METRICS_ONLY):
            self._log.info(_EVENT_NAMES[type(event)], **event._asdict())

    def _buffer(self, request: RequestDone) -> None:
        """Requests are written in bunches, soon: between two others a line costs twice as much."""
        self._buffered.append((time.time(), request))
        if len(self._buffered) == 1:
            try:
                asyncio.get_running_loop().call_later(FLUSH_DELAY, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write what waits; by the same steps as any other line, without the logger's own, which cost more than they."""
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


# Too many for lines, or told again at their end; metrics count them.
METRICS_ONLY = (PlanCompiled, ChangesSequenced, SocketOpened, StreamOpened, MessagesSent)
_EVENT_NAMES: dict[type[Event], str] = {
    SocketClosed: "socket",
    StreamClosed: "stream",
    HubReady: "ready",
    HubStopping: "stopping",
    PostgresReady: "postgres_ready",
    PostgresNotice: "postgres",
    LeadershipAcquired: "leadership_acquired",
    LeadershipLost: "leadership_lost",
}


def _encode_json(_: object, level: str, event_dict: MutableMapping[str, Any]) -> bytes:
    # One step instead of structlog's four, which cost a request twice as much.
    event_dict["level"] = level
    event_dict.setdefault("timestamp", datetime.now(UTC))
    return orjson.dumps(event_dict, default=repr, option=orjson.OPT_UTC_Z)


def _encode_text(_: object, __: str, line: str) -> bytes:
    return line.encode()


def _format_traceback(error: BaseException | None) -> str | None:
    return None if error is None else "".join(traceback.format_exception(error))


class _StderrWriter:
    """Past Python's buffers: a line is written whole, whichever process writes beside us."""

    def __init__(self) -> None:
        self._file = io.FileIO(sys.stderr.fileno(), "w", closefd=False)

    def msg(self, line: bytes) -> None:
        try:
            self._file.write(line + b"\n")
        except OSError:
            # A full disk or a closed pipe must not stop the hub; there is no place left to say so.
            return

    info = warning = error = critical = msg


class _StdlibLogHandler(logging.Handler):
    """Python's own log, passed on."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.log.log(record.levelno, record.getMessage(), logger=record.name, exception=_format_traceback(error))
