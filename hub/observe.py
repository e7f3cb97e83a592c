"""The closed list of things worth telling. Logs (here) and metrics (web/metrics.py) are two listeners of it."""

import io
import logging
import sys
from collections.abc import Callable
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


class StatementSlow(NamedTuple):
    """A statement took longer than it should; the text holds no values."""

    text: str
    seconds: float


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


Record = RequestDone | StatementSlow | PlanMade | Failed | PostgresReady | PostgresNotice | HubReady | HubStopping
Listener = Callable[[Record], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Tell `listener` everything from now on; calling the result ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell(record: Record) -> None:
    for listener in _listeners:
        listener(record)


class Log:
    """Writes what is told, and what libraries log, as one line each: JSON, or coloured text on a terminal."""

    def __init__(self, *, requests: bool = True) -> None:
        self.requests = requests
        # Past Python's buffers: a line is written whole, whichever process writes beside us.
        stream = io.FileIO(sys.stderr.fileno(), "w", closefd=False)
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        level = structlog.processors.add_log_level
        last: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
        if stream.isatty():
            last = [structlog.dev.ConsoleRenderer(), lambda _, __, line: line.encode()]
        self._log = structlog.wrap_logger(
            structlog.BytesLogger(stream),
            processors=[level, stamp, *last],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        ).bind()
        logging.basicConfig(level=logging.WARNING, handlers=[_Libraries(self._log)], force=True)

    def __call__(self, record: Record) -> None:
        if isinstance(record, RequestDone):
            if self.requests:
                self._request(record)
        elif isinstance(record, Failed):
            self._log.error("failed", request_id=record.request_id, where=record.where, exc_info=record.error)
        elif isinstance(record, StatementSlow):
            self._log.warning("statement_slow", **record._asdict())
        elif not isinstance(record, PlanMade):  # each shape once; a metric, not a line
            self._log.info(_EVENTS[type(record)], **record._asdict())

    def _request(self, done: RequestDone) -> None:
        self._log.info(
            "request",
            request_id=done.request_id,
            operation=done.operation,
            name=done.name,
            status=done.status,
            code=done.code,
            key=done.key,
            ms=round(done.seconds * 1000, 3),
            statements=done.statements,
        )


_EVENTS: dict[type[Record], str] = {
    HubReady: "ready",
    HubStopping: "stopping",
    PostgresReady: "postgres_ready",
    PostgresNotice: "postgres",
}


def _json(value: object, **_: object) -> bytes:
    return orjson.dumps(value, default=repr)


class _Libraries(logging.Handler):
    """Lets asyncio's, uvicorn's and other libraries' own warnings into the same log."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        self.log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
