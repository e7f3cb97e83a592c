"""The closed list of events, and who handles them: the log (event_log.py), metrics (web/metrics.py), whoever waits for one."""

from collections.abc import Callable
from typing import NamedTuple


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


class WorkerStarted(NamedTuple):
    """A worker of this hub runs jobs, projections and webhooks from now on."""


class WorkerEnded(NamedTuple):
    """The worker of this hub ended, though nobody stops the hub; another one starts in a while."""

    exit_code: int  # negative: the signal that ended it
    seconds: float  # until the next one starts


class WokenUp(NamedTuple):
    """Another process of this hub has committed something, or has assigned positions to changes."""

    mutation: bool
    changes: bool


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
    | WorkerStarted
    | WorkerEnded
    | WokenUp
    | MatchingTrained
)
EventHandler = Callable[[Event], None]

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


def remove_handlers() -> None:
    """Removes all handlers, in a fork: those of its parent are not its own."""
    _registrations.clear()
    _handlers_by_type.clear()
