"""One operation of a WebSocket, from `subscribe` to `complete` or `error`: a query, a mutation or an open stream.

The session schedules the operations; the connection sends their bytes."""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Protocol

import orjson

from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.errors import Unavailable
from hub.observability import RequestDone, emit
from hub.web.auth import KeyCredential
from hub.web.context import GatewayContext
from hub.web.http import responses
from hub.web.stream_sink import NAME_LENGTH, ErrorList, StreamSink, client_errors, first_code

MESSAGE_END = b"}"
STATUS_BY_CODE: Mapping[str, int] = MappingProxyType({**responses.STATUS_BY_CODE, "REQUEST_TIMEOUT": 503})


class MessageTransport(Protocol):
    """The part of the connection that sessions and operations use."""

    @property
    def is_backpressured(self) -> bool:
        """Whether the write buffer is full because the client reads too slowly."""

    async def drained(self) -> None:
        """Returns once the buffer has drained; raises ConnectionError if the connection closes."""

    def send(self, *parts: bytes) -> None:
        """Sends one message, whose payload is the joined parts."""

    def close(self, code: int, reason: str) -> None:
        """Closes the connection with a code of graphql-transport-ws or RFC 6455."""


class OperationHost(Protocol):
    """The part of the session that its operations use."""

    connection: MessageTransport
    context: GatewayContext

    def on_last_message(self, operation: "SocketOperation") -> None:
        """Called when the operation has sent its last message."""

    def on_run_finished(self) -> None:
        """Called when an operation has finished running; its stream may stay open."""


def error_message(operation_id: str, errors: ErrorList) -> bytes:
    """Returns the `error` message that ends an operation."""
    return orjson.dumps({"id": operation_id, "type": "error", "payload": errors})


class SocketOperation(StreamSink):
    """A query, a mutation or a subscription; also the sink of its stream."""

    __slots__ = ("connection", "connection_registry", "id", "prefix", "request", "session", "task")
    transport = "socket"

    def __init__(self, session: OperationHost, operation_id: str, request: GraphQLRequest, key: str) -> None:
        super().__init__(request, key)
        self.session = session
        self.connection = session.connection
        self.connection_registry = session.context.connection_registry
        self.id = operation_id
        self.request: GraphQLRequest | None = request
        self.prefix = b'{"id":' + orjson.dumps(operation_id) + b',"type":"next","payload":'
        self.task: asyncio.Task[None] | None = None

    # -- the message sink -----------------------------------------------------------------------------------------------

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Sends one response as a `next` message. The cursor is in the response, so it is not sent separately."""
        if not self.close_reason:
            self.sent += 1
            self.connection_registry.messages_sent += 1
            self.connection.send(self.prefix, message, MESSAGE_END)

    @property
    def is_backpressured(self) -> bool:
        """Whether the connection is under backpressure."""
        return self.connection.is_backpressured

    async def drained(self) -> None:
        """Returns once the connection has drained; raises ConnectionError if it closes."""
        await self.connection.drained()

    def end(self, errors: ErrorList = ()) -> None:
        """Sends the last message: `complete`, or `error` if there are errors."""
        if self.record_close(first_code(errors) or self.pending_close_reason or "complete"):
            message = error_message(self.id, errors) if errors else orjson.dumps({"id": self.id, "type": "complete"})
            self.connection.send(message)
            self.session.on_last_message(self)

    def cancel(self, reason: str) -> None:
        """Stops the operation without a message, because the client completed it or has disconnected."""
        super().cancel(reason)
        self.session.on_last_message(self)
        if self.task is not None:
            self.task.cancel()

    def reject_and_cancel(self, errors: ErrorList) -> None:
        """Ends the operation with an `error` message and cancels its task."""
        self.reject(errors)
        if self.task is not None:
            self.task.cancel()

    # -- running --------------------------------------------------------------------------------------------------------

    def run(self, credential: KeyCredential) -> None:
        """Starts the operation. Calls `session.on_run_finished` when it has ended or is open as a stream."""
        self.task = asyncio.create_task(self._run(credential))
        self.task.add_done_callback(self._on_task_done)

    def _on_task_done(self, _: asyncio.Task[None]) -> None:
        self.task = self.request = None
        self.session.on_run_finished()

    async def _run(self, credential: KeyCredential) -> None:
        response: GraphQLResponse | None = None
        errors: ErrorList = ()
        status = 200
        try:
            async with asyncio.timeout(self.session.context.settings.request_timeout):
                response = await self._execute(credential)
        except (asyncio.CancelledError, ConnectionError):
            status = responses.CLIENT_CLOSED_REQUEST
        except TimeoutError:
            seconds = self.session.context.settings.request_timeout
            message = f"The operation took longer than {seconds:g} s; ask for less, or try again."
            errors = [Unavailable(message, code="REQUEST_TIMEOUT").to_graphql()]
        except Exception as error:
            errors = client_errors(error, self.request_id, "running a WebSocket operation")
        if errors:
            self.end(errors)
        # An open stream emits StreamOpened and StreamClosed instead of RequestDone.
        if response is not None or errors or status == responses.CLIENT_CLOSED_REQUEST:
            self._emit_request_done(response, errors, status)

    async def _execute(self, credential: KeyCredential) -> GraphQLResponse | None:
        """Executes the operation and sends its response, which it returns; opens a stream and returns None instead."""
        context, request = self.session.context, self.request
        assert request is not None
        if self.is_backpressured:
            await self.drained()
        if await context.is_subscription(request, credential.viewer):
            self.attach(await context.subscriptions.open(request, credential.viewer, self))
            return None
        response = await context.engine.execute(request, credential.viewer)
        if response.executed:
            self.send(response.body, None)
            self.end()
        else:
            self.end(orjson.loads(response.body)["errors"])
        return response

    def _emit_request_done(self, response: GraphQLResponse | None, errors: ErrorList, status: int) -> None:
        seconds = perf_counter() - self.started_at
        if response is not None:
            code = response.code
            if not response.executed:
                status = STATUS_BY_CODE.get(code, 400)
            fields = (response.operation_type, response.name[:NAME_LENGTH], status, code, self.key, seconds)
            emit(RequestDone(self.request_id, *fields, response.statements, response.timings))
            return
        code = first_code(errors)
        if code:
            status = STATUS_BY_CODE.get(code, 400)
        emit(RequestDone(self.request_id, "", self.name, status, code, self.key, seconds, 0, ()))
