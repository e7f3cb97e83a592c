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


class PlanMade(NamedTuple):
    """An operation of a shape not seen before was planned."""

    operation: str
    seconds: float


class Failed(NamedTuple):
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


class LeadTaken(NamedTuple):
    """This process gives changes their positions from now on."""

    settled: int  # the id up to which it has nothing to look for


class LeadLost(NamedTuple):
    """It does so no longer, against its will; another process takes over, or this one again."""

    reason: str


class Placed(NamedTuple):
    """Changes got their positions."""

    changes: int
    seconds: float  # since the oldest of them was made


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


class Delivered(NamedTuple):
    """Messages were sent through streams, since the last time that this was told."""

    messages: int


Record = (
    RequestDone
    | PlanMade
    | Failed
    | PostgresReady
    | PostgresNotice
    | HubReady
    | HubStopping
    | LeadTaken
    | LeadLost
    | Placed
    | SocketOpened
    | SocketClosed
    | StreamOpened
    | StreamClosed
    | Delivered
)
Listener = Callable[[Record], None]

LATER = 0.02

_listeners: list[Listener] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Tell `listener` everything from now on; calling the result ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell(record: Record) -> None:
    for listener in _listeners:
        listener(record)


class Log:
    """Writes what is told as one line each on standard error: JSON, or coloured text on a terminal."""

    def __init__(self, *, requests: bool = True) -> None:
        self.requests = requests
        self._waiting: list[tuple[float, RequestDone]] = []
        self._processors: list[Any] = [_json]
        if sys.stderr.isatty():
            stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True)
            self._processors = [structlog.processors.add_log_level, stamp, structlog.dev.ConsoleRenderer(), _encoded]
        self._lines = _Lines()
        wrapper = structlog.make_filtering_bound_logger(logging.INFO)
        self._log = structlog.wrap_logger(self._lines, processors=self._processors, wrapper_class=wrapper).bind()

    def hear_libraries(self) -> None:
        """Let in what asyncio and other libraries write to Python's own log, if it is a warning or worse."""
        logging.basicConfig(level=logging.WARNING, handlers=[_Libraries(self._log)], force=True)
        # Its warnings are about requests that web/protocol.py refuses, and tells of.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    def __call__(self, record: Record) -> None:
        if isinstance(record, RequestDone):
            if self.requests:
                self._later(record)
            return
        if isinstance(record, SocketClosed | StreamClosed) and not self.requests:
            return
        self.flush()
        if isinstance(record, Failed):
            self._log.error("failed", request_id=record.request_id, where=record.where, exception=_trace(record.error))
        elif not isinstance(record, UNWRITTEN):
            self._log.info(_EVENTS[type(record)], **record._asdict())

    def _later(self, done: RequestDone) -> None:
        """Requests are written in bunches, soon: between two others a line costs twice as much."""
        self._waiting.append((time.time(), done))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(LATER, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write what waits; by the same steps as any other line, without the logger's own, which cost more than they."""
        waiting, self._waiting = self._waiting, []
        lines = []
        for at, done in waiting:
            line: Any = {
                "event": "request",
                "timestamp": datetime.fromtimestamp(at, UTC),
                "request_id": done.request_id,
                "operation": done.operation,
                "name": done.name,
                "status": done.status,
                "code": done.code,
                "key": done.key,
                "ms": round(done.seconds * 1000, 3),
                "statements": done.statements,
            }
            for process in self._processors:
                line = process(None, "info", line)
            lines.append(line)
        if lines:
            self._lines.msg(b"\n".join(lines))


# Too many for lines, or told again at their end; metrics count them.
UNWRITTEN = (PlanMade, Placed, SocketOpened, StreamOpened, Delivered)
_EVENTS: dict[type[Record], str] = {
    SocketClosed: "socket",
    StreamClosed: "stream",
    HubReady: "ready",
    HubStopping: "stopping",
    PostgresReady: "postgres_ready",
    PostgresNotice: "postgres",
    LeadTaken: "lead_taken",
    LeadLost: "lead_lost",
}


def _json(_: object, level: str, event: MutableMapping[str, Any]) -> bytes:
    # One step instead of structlog's four, which cost a request twice as much.
    event["level"] = level
    event.setdefault("timestamp", datetime.now(UTC))
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z)


def _encoded(_: object, __: str, line: str) -> bytes:
    return line.encode()


def _trace(error: BaseException | None) -> str | None:
    return None if error is None else "".join(traceback.format_exception(error))


class _Lines:
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


class _Libraries(logging.Handler):
    """Python's own log, passed on."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.log.log(record.levelno, record.getMessage(), logger=record.name, exception=_trace(error))
