"""One stream, as the transport that carries it holds it: opened, cut, stopped, ended, and told of. Knows no wire."""

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from hub.engine.document.documents import DocumentError
from hub.engine.engine import Request
from hub.errors import HubError, Internal
from hub.observability import Failed, StreamClosed, StreamOpened, tell
from hub.subscriptions.interfaces import Refused, Stream

NAME_LENGTH = 64
Errors = Sequence[Mapping[str, Any]]

_process = secrets.token_hex(4)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Unique among all that this hub answers."""
    return f"{_process}-{next(_numbers):x}"


def errors_of(error: Exception, request_id: str, doing: str) -> Errors:
    """What a client is told of an exception; a fault of ours is told to the log, and to the client by its request id."""
    if isinstance(error, Refused):
        return error.errors
    if isinstance(error, HubError):
        return [error.to_graphql()]
    if isinstance(error, DocumentError):
        return [dict(each.formatted) for each in error.errors]
    tell(Failed(request_id, doing, error))
    message = f"The hub failed; tell its keeper the request id {request_id}."
    return [Internal(message, extensions={"requestId": request_id}).to_graphql()]


def code_of(errors: Errors) -> str:
    """The code of the first error."""
    return str(errors[0].get("extensions", {}).get("code", "")) if errors else ""


class Seat:
    """The base of every sink. From `take` to `close` it holds the stream; whoever wants its end calls cut or stop."""

    __slots__ = ("began", "closed", "doomed", "key", "name", "request_id", "sent", "stream")
    transport = ""

    def __init__(self, request: Request, key: str) -> None:
        self.began = perf_counter()
        self.request_id = request.request_id
        self.name = (request.operation_name or "")[:NAME_LENGTH]
        self.key = key
        self.stream: Stream | None = None
        self.doomed = ""  # cut for this as soon as it is open
        self.closed = ""  # why; "" while messages may be sent
        self.sent = 0

    def take(self, stream: Stream) -> None:
        """The stream is open; it may have sent or ended already."""
        tell(StreamOpened(self.request_id, self.name, self.key, self.transport))
        if self.closed:
            self._tell()
            self._safely(stream.stop)
            return
        self.stream = stream
        if self.doomed:
            self.cut(self.doomed)

    def cut(self, reason: str) -> None:
        """The stream says so to its client, and ends; one that is still being opened does when it is open.

        When the hub stops it says nothing: clients take an end for the end, and a lost connection for what it is."""
        stream, self.doomed = self.stream, reason
        if stream is not None and reason == "STOPPING":
            self.stop(reason)
        elif stream is not None:
            self._safely(lambda: stream.cut(reason))
            self.end()

    def stop(self, reason: str) -> None:
        """The client wants no more, is gone, or may not have more: nothing is sent from now on."""
        stream = self.stream
        self.close(reason)
        if stream is not None:
            self._safely(stream.stop)

    def refuse_with(self, errors: Errors) -> None:
        """It may go on no longer: the client is told why."""
        stream = self.stream
        self.end(errors)
        if stream is not None:
            self._safely(stream.stop)

    def end(self, errors: Errors = ()) -> None:
        """Overridden by each transport, which sends its last message if `close` says that it is the first end."""
        self.close(code_of(errors) or self.doomed or "complete")

    def close(self, reason: str) -> bool:
        """Remembers why nothing more is sent; false when that was so before."""
        if self.closed:
            return False
        self.closed = reason
        if self.stream is not None:
            self._tell()
            self.stream = None  # which knows its sink: the two would hold each other
        return True

    def _tell(self) -> None:
        seconds = perf_counter() - self.began
        tell(StreamClosed(self.request_id, self.name, self.key, self.transport, self.closed, seconds, self.sent))

    def _safely(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:
            tell(Failed(self.request_id, "ending a stream", error))
