"""The transport's side of one stream: attaches, closes, rejects and logs it. The same for WebSocket and SSE."""

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
    """Returns a request id that is unique among the hub's processes."""
    return f"{_process_id}-{next(_request_numbers):x}"


def client_errors(error: Exception, request_id: str, activity: str) -> ErrorList:
    """Returns the errors for the client. An internal failure is logged; the client gets only the request id."""
    if isinstance(error, SubscriptionRejected):
        return error.errors
    if isinstance(error, HubError):
        return [error.to_graphql()]
    if isinstance(error, InvalidDocument):
        return [dict(graphql_error.formatted) for graphql_error in error.errors]
    emit(InternalFailure(request_id, activity, error))
    message = f"The hub failed; report the request id {request_id} to its operator."
    return [Internal(message, extensions={"requestId": request_id}).to_graphql()]


def first_code(errors: ErrorList) -> str:
    """Returns the code of the first error, or "" if there is none."""
    return str(errors[0].get("extensions", {}).get("code", "")) if errors else ""


class StreamSink:
    """The base of every sink: it holds the stream from `attach` to `record_close`.

    `close_with_reason`, `cancel` and `reject` end the stream."""

    __slots__ = ("close_reason", "key", "name", "pending_close_reason", "request_id", "sent", "started_at", "stream")
    transport = ""

    def __init__(self, request: GraphQLRequest, key: str) -> None:
        self.started_at = perf_counter()
        self.request_id = request.request_id
        self.name = (request.operation_name or "")[:NAME_LENGTH]
        self.key = key
        self.stream: OpenSubscription | None = None
        self.pending_close_reason = ""  # the reason to close the stream with, also while it is still opening
        self.close_reason = ""  # "" while messages may be sent
        self.sent = 0

    def attach(self, stream: OpenSubscription) -> None:
        """Attaches the open stream, which may have sent messages or ended already."""
        emit(StreamOpened(self.request_id, self.name, self.key, self.transport))
        if self.close_reason:
            self._emit_closed()
            self._run_safely(stream.cancel)
            return
        self.stream = stream
        if self.pending_close_reason:
            self.close_with_reason(self.pending_close_reason)

    def close_with_reason(self, reason: str) -> None:
        """Closes the stream with a last message; a stream that is still opening closes when it is open.

        "STOPPING" closes it without a message: clients reconnect after a lost connection, but not after `complete`."""
        stream, self.pending_close_reason = self.stream, reason
        if stream is not None and reason == "STOPPING":
            self.cancel(reason)
        elif stream is not None:
            self._run_safely(lambda: stream.close_with_reason(reason))
            self.end()

    def cancel(self, reason: str) -> None:
        """Ends the stream without a message."""
        stream = self.stream
        self.record_close(reason)
        if stream is not None:
            self._run_safely(stream.cancel)

    def reject(self, errors: ErrorList) -> None:
        """Ends the stream with errors."""
        stream = self.stream
        self.end(errors)
        if stream is not None:
            self._run_safely(stream.cancel)

    def end(self, errors: ErrorList = ()) -> None:
        """Ends the sink. Each transport overrides it to send its last message if `record_close` returns True."""
        self.record_close(first_code(errors) or self.pending_close_reason or "complete")

    def record_close(self, reason: str) -> bool:
        """Records why the stream is closed; returns False if it was closed before."""
        if self.close_reason:
            return False
        self.close_reason = reason
        if self.stream is not None:
            self._emit_closed()
            self.stream = None  # breaks the reference cycle between stream and sink
        return True

    def _emit_closed(self) -> None:
        seconds = perf_counter() - self.started_at
        emit(StreamClosed(self.request_id, self.name, self.key, self.transport, self.close_reason, seconds, self.sent))

    def _run_safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            emit(InternalFailure(self.request_id, "ending a stream", error))
