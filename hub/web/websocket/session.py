"""The graphql-transport-ws protocol: authentication, open operations and message handlers, without any I/O.

An operation that is rejected gets an `error` message. A protocol violation closes the socket with the protocol's code."""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

from hub.errors import Forbidden, HubError, LimitExceeded, Unauthenticated, Unavailable
from hub.model.ip_networks import IpAddress
from hub.observability import InternalFailure, emit
from hub.web.auth import Credential
from hub.web.context import GatewayContext
from hub.web.http import request_body
from hub.web.stream_sink import new_request_id
from hub.web.websocket import init_payload
from hub.web.websocket.operation import MessageTransport, SocketOperation, error_message
from hub.web.websocket.unreadable_messages import MAX_ID_LENGTH, is_operation_id, subscribe_id

SUBPROTOCOL = "graphql-transport-ws"

ACK = b'{"type":"connection_ack"}'
PONG = b'{"type":"pong"}'
STOPPING_ERROR = Unavailable("The hub is stopping; connect again.")


class SessionState(Enum):
    """NEW until `connection_init` arrives, AUTHENTICATING during the key look-up, then OPEN, finally CLOSED."""

    NEW, AUTHENTICATING, OPEN, CLOSED = range(4)


class Session:
    """The protocol state of one connection."""

    __slots__ = (
        "address",
        "auth_task",
        "authorization",
        "connection",
        "context",
        "credential",
        "operations",
        "queued",
        "running",
        "state",
        "stopping",
    )

    def __init__(
        self,
        connection: MessageTransport,
        context: GatewayContext,
        authorization: bytes | None,
        address: IpAddress | None,
    ) -> None:
        self.connection = connection
        self.address = address
        self.context = context
        self.authorization = authorization
        self.state = SessionState.NEW
        self.credential: Credential | None = None
        self.auth_task: asyncio.Task[None] | None = None
        self.operations: dict[str, SocketOperation] = {}
        self.running = 0
        self.queued: deque[SocketOperation] | None = None
        self.stopping = False

    def receive(self, text: bytes) -> None:
        """Handles one message of the client."""
        if self.state is SessionState.CLOSED:
            return
        try:
            message = request_body.read_json(text, "The message")
        except HubError as error:
            self._reject_unreadable(text, error, 4400)
            return
        message_type = message.get("type") if isinstance(message, dict) else None
        handler = HANDLERS.get(message_type) if isinstance(message_type, str) else None
        if handler is None:
            self.connection.close(
                4400, "The message must be an object whose `type` is a client message of graphql-transport-ws."
            )
        else:
            handler(self, message)

    def receive_oversized(self, beginning: bytes) -> None:
        """Handles a message that is larger than the limit, by its first bytes."""
        if self.state is SessionState.CLOSED:
            return
        limit = self.context.settings.frame_limit
        message = f"The message is larger than {limit} bytes; send a smaller one, or a POST."
        error = LimitExceeded(message, code="BODY_TOO_LARGE", extensions={"limit": limit})
        self._reject_unreadable(beginning, error, 1009)

    def on_init_timeout(self) -> None:
        """Closes the connection if the client has not sent `connection_init` in time."""
        if self.state is SessionState.NEW:
            self.connection.close(4408, "Connection initialisation timeout")

    def on_connection_lost(self, reason: str) -> None:
        """Cancels all operations, because nothing can be sent any more."""
        if self.state is SessionState.CLOSED:
            return
        self.state = SessionState.CLOSED
        if self.auth_task is not None:
            self.auth_task.cancel()
        self.context.connection_registry.unregister(self, self.credential)
        for operation in list(self.operations.values()):
            operation.cancel(reason)

    # -- the registered connection --------------------------------------------------------------------------------------

    def client_address(self) -> IpAddress | None:
        """The address of the client."""
        return self.address

    def on_key_rejected(self, error: HubError) -> None:
        """Rejects all operations and closes the connection, because the key is no longer valid."""
        for operation in list(self.operations.values()):
            operation.reject_and_cancel([error.to_graphql()])
        self._close_rejected(error)

    def on_rights_changed(self, credential: Credential) -> None:
        """Closes the streams; the client subscribes again and gets the new rights."""
        self.credential = credential
        self.close_streams("PERMISSIONS_CHANGED")

    def on_shutdown(self) -> None:
        """Handles a shutdown: closes streams, lets running operations end, then closes the connection."""
        self.stopping = True
        for operation in list(self.queued or ()):
            operation.reject_and_cancel([STOPPING_ERROR.to_graphql()])
        self.close_streams("STOPPING")
        self._close_if_stopped()

    def close_streams(self, reason: str) -> None:
        """Closes every stream for a reason, including those that are still opening."""
        queued = self.queued or ()
        for operation in list(self.operations.values()):
            if operation not in queued:
                operation.close_with_reason(reason)

    # -- operations -----------------------------------------------------------------------------------------------------

    def on_last_message(self, operation: SocketOperation) -> None:
        """Releases the id of an operation that has sent its last message."""
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]
        if self.queued and operation in self.queued:
            self.queued.remove(operation)

    def on_run_finished(self) -> None:
        """Starts the next queued operation after one has finished running; its stream may stay open."""
        self.running -= 1
        while self.queued and self.running < self.context.settings.socket_concurrency:
            self._run(self.queued.popleft())
        self._close_if_stopped()

    def _run(self, operation: SocketOperation) -> None:
        assert self.credential is not None
        self.running += 1
        operation.run(self.credential)

    def _close_if_stopped(self) -> None:
        if self.stopping and not self.running:
            self.connection.close(1012, "STOPPING")

    # -- messages -------------------------------------------------------------------------------------------------------

    def _init(self, message: Mapping[str, Any]) -> None:
        payload = self._payload(message)
        if self.state is not SessionState.NEW:
            self.connection.close(4429, "Too many initialisation requests")
        elif payload is not None:
            self.state = SessionState.AUTHENTICATING
            self.auth_task = asyncio.create_task(self._authenticate(payload))

    async def _authenticate(self, payload: Mapping[str, Any]) -> None:
        try:
            header = init_payload.authorization(payload) or self.authorization
            self.authorization = None
            if header is None:
                raise init_payload.missing_key()
            self.credential = await self.context.key_cache.credential(header, self)
            self.context.connection_registry.register(self, self.credential)
        except (Unauthenticated, Forbidden) as error:
            self._close_rejected(error)
        except HubError as error:
            self.connection.close(1013, error.code)
        except Exception as error:
            emit(InternalFailure("", "authenticating a WebSocket", error))
            self.connection.close(1011, "INTERNAL")
        else:
            self.state = SessionState.OPEN
            self.auth_task = None
            self.connection.send(ACK)

    def _close_rejected(self, error: HubError) -> None:
        """Closes the connection with the protocol's code for a rejected key; the reason begins with the error's code."""
        self.connection.close(4403, f"{error.code}: {error.message}")

    def _ping(self, message: Mapping[str, Any]) -> None:
        if self._payload(message) is not None:
            self.connection.send(PONG)

    def _pong(self, message: Mapping[str, Any]) -> None:
        self._payload(message)

    def _subscribe(self, message: Mapping[str, Any]) -> None:
        operation_id, payload = self._operation_id(message), message.get("payload")
        if operation_id is None or not self._may_subscribe(operation_id):
            return
        assert self.credential is not None
        try:
            parameters = payload if isinstance(payload, dict) else {}
            request = request_body.parse_operation(
                parameters, new_request_id(), self.credential, self.context.document_finder, str(self.address or "")
            )
        except HubError as error:
            self.connection.send(error_message(operation_id, [error.to_graphql()]))
            return
        limit = self.context.settings.stream_limit
        if self.stopping:
            self.connection.send(error_message(operation_id, [STOPPING_ERROR.to_graphql()]))
        elif len(self.operations) >= limit:
            limit_message = f"The socket already has {limit} operations open; complete some, or open another socket."
            limit_error = LimitExceeded(limit_message, code="STREAM_LIMIT", extensions={"limit": limit})
            self.connection.send(error_message(operation_id, [limit_error.to_graphql()]))
        else:
            self._start_or_queue(SocketOperation(self, operation_id, request, self.credential.public_id))

    def _may_subscribe(self, operation_id: str) -> bool:
        """Closes the connection and returns False before authentication and for an id that is in use."""
        if self.state is not SessionState.OPEN:
            self.connection.close(4401, "Unauthorized")
        elif operation_id in self.operations:
            self.connection.close(4409, f"Subscriber for {operation_id} already exists")
        else:
            return True
        return False

    def _reject_unreadable(self, text: bytes, error: HubError, close_code: int) -> None:
        """Rejects a message that cannot be read: the operation if the message names it, else the connection."""
        operation_id = subscribe_id(text)
        if operation_id is None:
            self.connection.close(close_code, error.message)
        elif self._may_subscribe(operation_id):
            self.connection.send(error_message(operation_id, [error.to_graphql()]))

    def _start_or_queue(self, operation: SocketOperation) -> None:
        self.operations[operation.id] = operation
        if self.running < self.context.settings.socket_concurrency:
            self._run(operation)
            return
        if self.queued is None:
            self.queued = deque()
        self.queued.append(operation)

    def _complete(self, message: Mapping[str, Any]) -> None:
        operation_id = self._operation_id(message)
        operation = self.operations.get(operation_id) if operation_id is not None else None
        if operation is not None:
            operation.cancel("stopped")

    def _payload(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns the optional payload; closes the connection and returns None if it is not an object."""
        payload = message.get("payload")
        if payload is None or isinstance(payload, dict):
            return payload or {}
        self.connection.close(4400, "payload must be an object or null.")
        return None

    def _operation_id(self, message: Mapping[str, Any]) -> str | None:
        """Returns the operation's id; closes the connection and returns None if it is invalid."""
        operation_id = message.get("id")
        if is_operation_id(operation_id):
            return operation_id
        self.connection.close(4400, f"id must be a string of 1 to {MAX_ID_LENGTH} characters.")
        return None


HANDLERS = {
    "connection_init": Session._init,
    "ping": Session._ping,
    "pong": Session._pong,
    "subscribe": Session._subscribe,
    "complete": Session._complete,
}
