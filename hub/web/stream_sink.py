"""One stream, as the transport that carries it holds it: opened, cancelled, closed, ended, and told of. Knows no wire."""

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from hub.engine.document.documents import InvalidDocument
from hub.engine.request import GraphQLRequest
from hub.errors import HubError, Internal
from hub.observability import InternalFailure, StreamClosed, StreamOpened, emit
from hub.subscriptions.interfaces import OpenSubscription, SubscriptionRejected

NAME_LENGTH = 64
ErrorList = Sequence[Mapping[str, Any]]

_process_id = secrets.token_hex(4)
_request_numbers = itertools.count(1)


def new_request_id() -> str:
    """Unique among all that this hub answers."""
    return f"{_process_id}-{next(_request_numbers):x}"


def client_errors(error: Exception, request_id: str, activity: str) -> ErrorList:
    """What a client is told of an exception; a fault of ours is told to the log, and to the client by its request id."""
    if isinstance(error, SubscriptionRejected):
        return error.errors
    if isinstance(error, HubError):
        return [error.to_graphql()]
    if isinstance(error, InvalidDocument):
        return [dict(graphql_error.formatted) for graphql_error in error.errors]
    emit(InternalFailure(request_id, activity, error))
    message = f"The hub failed; tell its keeper the request id {request_id}."
    return [Internal(message, extensions={"requestId": request_id}).to_graphql()]


def first_code(errors: ErrorList) -> str:
    """The code of the first error."""
    return str(errors[0].get("extensions", {}).get("code", "")) if errors else ""


class StreamSink:
    """The base of every sink: it holds the stream from `attach` to `record_close`.

    Whoever wants its end calls `close_with_reason` or `cancel`."""

    __slots__ = ("close_reason", "key", "name", "pending_close_reason", "request_id", "sent", "started_at", "stream")
    transport = ""

    def __init__(self, request: GraphQLRequest, key: str) -> None:
        self.started_at = perf_counter()
        self.request_id = request.request_id
        self.name = (request.operation_name or "")[:NAME_LENGTH]
        self.key = key
        self.stream: OpenSubscription | None = None
        self.pending_close_reason = ""  # it is closed for this as soon as it is open
        self.close_reason = ""  # why; "" while messages may be sent
        self.sent = 0

    def attach(self, stream: OpenSubscription) -> None:
        """The stream is open; it may have sent or ended already."""
        emit(StreamOpened(self.request_id, self.name, self.key, self.transport))
        if self.close_reason:
            self._emit_closed()
            self._run_safely(stream.cancel)
            return
        self.stream = stream
        if self.pending_close_reason:
            self.close_with_reason(self.pending_close_reason)

    def close_with_reason(self, reason: str) -> None:
        """The stream says so to its client, and ends; one that is still being opened does when it is open.

        When the hub stops it says nothing: clients take an end for the end, and a lost connection for what it is."""
        stream, self.pending_close_reason = self.stream, reason
        if stream is not None and reason == "STOPPING":
            self.cancel(reason)
        elif stream is not None:
            self._run_safely(lambda: stream.close_with_reason(reason))
            self.end()

    def cancel(self, reason: str) -> None:
        """The client wants no more, is gone, or may not have more: nothing is sent from now on."""
        stream = self.stream
        self.record_close(reason)
        if stream is not None:
            self._run_safely(stream.cancel)

    def reject(self, errors: ErrorList) -> None:
        """It may go on no longer: the client is told why."""
        stream = self.stream
        self.end(errors)
        if stream is not None:
            self._run_safely(stream.cancel)

    def end(self, errors: ErrorList = ()) -> None:
        """Overridden by each transport, which sends its last message if `record_close` says that it is the first end."""
        self.record_close(first_code(errors) or self.pending_close_reason or "complete")

    def record_close(self, reason: str) -> bool:
        """Remembers why nothing more is sent; false when that was so before."""
        if self.close_reason:
            return False
        self.close_reason = reason
        if self.stream is not None:
            self._emit_closed()
            self.stream = None  # which knows its sink: the two would hold each other
        return True

    def _emit_closed(self) -> None:
        seconds = perf_counter() - self.started_at
        emit(StreamClosed(self.request_id, self.name, self.key, self.transport, self.close_reason, seconds, self.sent))

    def _run_safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            emit(InternalFailure(self.request_id, "ending a stream", error))
