"""One operation of a socket, from its `subscribe` to its `complete` or `error`: run, timed, told of, or kept as a stream.

Which of a socket's operations run is the session's; how bytes leave, the socket's."""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Protocol

import orjson

from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.errors import Unavailable
from hub.observability import RequestDone, emit
from hub.web.auth import Credential
from hub.web.context import GatewayContext
from hub.web.http import responses
from hub.web.stream_sink import NAME_LENGTH, ErrorList, StreamSink, client_errors, first_code

MESSAGE_END = b"}"
STATUS_BY_CODE: Mapping[str, int] = MappingProxyType({**responses.STATUS_BY_CODE, "REQUEST_TIMEOUT": 503})


class MessageTransport(Protocol):
    """The socket, as far as messages go."""

    @property
    def is_backpressured(self) -> bool:
        """Whether the client does not take what was sent."""

    async def drained(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""

    def send(self, *parts: bytes) -> None:
        """One message."""

    def close(self, code: int, reason: str) -> None:
        """Ends it."""


class OperationHost(Protocol):
    """The session, as far as its operations know it."""

    connection: MessageTransport
    context: GatewayContext

    def on_last_message(self, operation: "SocketOperation") -> None:
        """It has sent its last message."""

    def on_run_finished(self) -> None:
        """It runs no more, though its stream may."""


def error_message(operation_id: str, errors: ErrorList) -> bytes:
    """What ends an operation that was refused."""
    return orjson.dumps({"id": operation_id, "type": "error", "payload": errors})


class SocketOperation(StreamSink):
    """A query, a mutation or a subscription; the sink of its stream."""

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

    # -- what a sink is -------------------------------------------------------------------------------------------------

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """One answer of it."""
        if not self.close_reason:
            self.sent += 1
            self.connection_registry.messages_sent += 1
            self.connection.send(self.prefix, message, MESSAGE_END)

    @property
    def is_backpressured(self) -> bool:
        """Whether the client does not keep up."""
        return self.connection.is_backpressured

    async def drained(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""
        await self.connection.drained()

    def end(self, errors: ErrorList = ()) -> None:
        """The last message: `complete`, or `error`."""
        if self.record_close(first_code(errors) or self.pending_close_reason or "complete"):
            message = error_message(self.id, errors) if errors else orjson.dumps({"id": self.id, "type": "complete"})
            self.connection.send(message)
            self.session.on_last_message(self)

    def cancel(self, reason: str) -> None:
        """The client wants no more, or is gone."""
        super().cancel(reason)
        self.session.on_last_message(self)
        if self.task is not None:
            self.task.cancel()

    def reject_and_cancel(self, errors: ErrorList) -> None:
        """It may go on no longer: the client is told why."""
        self.reject(errors)
        if self.task is not None:
            self.task.cancel()

    # -- running --------------------------------------------------------------------------------------------------------

    def run(self, credential: Credential) -> None:
        """Begins; `session.on_run_finished` is called when it is over, or open as a stream."""
        self.task = asyncio.create_task(self._run(credential))
        self.task.add_done_callback(self._on_task_done)

    def _on_task_done(self, _: asyncio.Task[None]) -> None:
        self.task = self.request = None
        self.session.on_run_finished()

    async def _run(self, credential: Credential) -> None:
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
            message = f"The operation could not be answered within {seconds:g} s; ask for less, or try again."
            errors = [Unavailable(message, code="REQUEST_TIMEOUT").to_graphql()]
        except Exception as error:
            errors = client_errors(error, self.request_id, "running an operation of a socket")
        if errors:
            self.end(errors)
        # Else it is a stream, which is told of in other records.
        if response is not None or errors or status == responses.CLIENT_CLOSED_REQUEST:
            self._emit_request_done(response, errors, status)

    async def _execute(self, credential: Credential) -> GraphQLResponse | None:
        """The answer, which is sent; None when it is a stream, which goes on."""
        context, request = self.session.context, self.request
        assert request is not None
        if self.is_backpressured:
            await self.drained()
        if context.is_subscription(request):
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
