"""The messages of graphql-transport-ws: who may ask, what is open, what each message means. Knows no socket.

A refusal of one operation is an `error` message; what breaks the protocol closes the socket with a code of the protocol."""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

from hub.errors import HubError, LimitExceeded, Unauthenticated, Unavailable
from hub.observability import Failed, tell
from hub.web.auth import Credential
from hub.web.context import Desk
from hub.web.http import request_body
from hub.web.stream_sink import new_request_id
from hub.web.websocket.operation import Operation, Wire, error_message

SUBPROTOCOL = "graphql-transport-ws"
MOST_IN_AN_ID = 256

ACK = b'{"type":"connection_ack"}'
PONG = b'{"type":"pong"}'
STOPPING = Unavailable("The hub is stopping; connect again.")


class State(Enum):
    NEW, ASKED, OPEN, CLOSED = range(4)


class Session:
    """One client's conversation."""

    __slots__ = (
        "authorization",
        "credential",
        "desk",
        "open",
        "running",
        "state",
        "stopping",
        "task",
        "waiting",
        "wire",
    )

    def __init__(self, wire: Wire, desk: Desk, authorization: bytes | None) -> None:
        self.wire = wire
        self.desk = desk
        self.authorization = authorization
        self.state = State.NEW
        self.credential: Credential | None = None
        self.task: asyncio.Task[None] | None = None
        self.open: dict[str, Operation] = {}
        self.running = 0
        self.waiting: deque[Operation] | None = None
        self.stopping = False

    def receive(self, text: bytes) -> None:
        """Does what a message says."""
        if self.state is State.CLOSED:
            return
        try:
            message = request_body.read_json(text, "The message")
        except HubError as error:
            self.wire.close(4400, error.message)
            return
        kind = message.get("type") if isinstance(message, dict) else None
        act = ACTS.get(kind) if isinstance(kind, str) else None
        if act is None:
            self.wire.close(4400, "The message must be an object with the type of a message that a client sends.")
        else:
            act(self, message)

    def late(self) -> None:
        """The time in which a client must say who it is has passed."""
        if self.state is State.NEW:
            self.wire.close(4408, "Connection initialisation timeout")

    def lost(self, reason: str) -> None:
        """Nothing can be sent any more."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        if self.task is not None:
            self.task.cancel()
        self.desk.presence.leave(self, self.credential)
        for operation in list(self.open.values()):
            operation.stop(reason)

    # -- what the key and the hub come to -------------------------------------------------------------------------------

    def refuse(self, error: HubError) -> None:
        """The key opens nothing any more."""
        for operation in list(self.open.values()):
            operation.refuse([error.to_graphql()])
        self.wire.close(4403, "Forbidden")

    def change(self, credential: Credential) -> None:
        """The key's rights are others now."""
        self.credential = credential
        self.cut("PERMISSIONS_CHANGED")

    def shut(self) -> None:
        """The hub stops: streams are cut, what runs may end, and then the socket is closed."""
        self.stopping = True
        for operation in list(self.waiting or ()):
            operation.refuse([STOPPING.to_graphql()])
        self.cut("STOPPING")
        self._close_if_stopped()

    def cut(self, reason: str) -> None:
        """Ends every stream for a reason, also those that are being opened."""
        waiting = self.waiting or ()
        for operation in list(self.open.values()):
            if operation not in waiting:
                operation.cut(reason)

    # -- operations -----------------------------------------------------------------------------------------------------

    def ended(self, operation: Operation) -> None:
        """An operation has sent its last message; its id may be used again."""
        if self.open.get(operation.id) is operation:
            del self.open[operation.id]
        if self.waiting and operation in self.waiting:
            self.waiting.remove(operation)

    def done(self) -> None:
        """An operation runs no more, though its stream may; the next one's turn."""
        self.running -= 1
        while self.waiting and self.running < self.desk.settings.socket_concurrency:
            self._run(self.waiting.popleft())
        self._close_if_stopped()

    def _run(self, operation: Operation) -> None:
        assert self.credential is not None
        self.running += 1
        operation.run(self.credential)

    def _close_if_stopped(self) -> None:
        if self.stopping and not self.running:
            self.wire.close(1012, "STOPPING")

    # -- messages -------------------------------------------------------------------------------------------------------

    def _init(self, message: Mapping[str, Any]) -> None:
        payload = self._payload(message)
        if self.state is not State.NEW:
            self.wire.close(4429, "Too many initialisation requests")
        elif payload is not None:
            self.state = State.ASKED
            given = payload.get("authorization", self.authorization)
            self.authorization = None
            self.task = asyncio.create_task(self._admit(given.encode() if isinstance(given, str) else given))

    async def _admit(self, authorization: object) -> None:
        try:
            presented = authorization if isinstance(authorization, bytes) else None
            self.credential = await self.desk.keyring.credential(presented)
            self.desk.presence.enter(self, self.credential)
        except Unauthenticated:
            self.wire.close(4403, "Forbidden")
        except HubError as error:
            self.wire.close(1013, error.code)
        except Exception as error:
            tell(Failed("", "admitting a socket", error))
            self.wire.close(1011, "INTERNAL")
        else:
            self.state = State.OPEN
            self.task = None
            self.wire.send(ACK)

    def _ping(self, message: Mapping[str, Any]) -> None:
        if self._payload(message) is not None:
            self.wire.send(PONG)

    def _pong(self, message: Mapping[str, Any]) -> None:
        self._payload(message)

    def _subscribe(self, message: Mapping[str, Any]) -> None:
        name, payload = self._id(message), message.get("payload")
        if name is None:
            return
        if self.state is not State.OPEN or self.credential is None:
            self.wire.close(4401, "Unauthorized")
            return
        if name in self.open:
            self.wire.close(4409, f"Subscriber for {name} already exists")
            return
        try:
            asked = request_body.operation(payload if isinstance(payload, dict) else {}, new_request_id())
        except HubError as error:
            self.wire.close(4400, error.message)
            return
        most = self.desk.settings.stream_limit
        if self.stopping:
            self.wire.send(error_message(name, [STOPPING.to_graphql()]))
        elif len(self.open) >= most:
            told = f"The socket has {most} operations open; complete some, or open another socket."
            refusal = LimitExceeded(told, code="STREAM_LIMIT", extensions={"limit": most})
            self.wire.send(error_message(name, [refusal.to_graphql()]))
        else:
            self._begin(Operation(self, name, asked, self.credential.public_id))

    def _begin(self, operation: Operation) -> None:
        self.open[operation.id] = operation
        if self.running < self.desk.settings.socket_concurrency:
            self._run(operation)
            return
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append(operation)

    def _complete(self, message: Mapping[str, Any]) -> None:
        name = self._id(message)
        operation = self.open.get(name) if name is not None else None
        if operation is not None:
            operation.stop("stopped")

    def _payload(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The optional payload; None, and the end, when it is no object."""
        payload = message.get("payload")
        if payload is None or isinstance(payload, dict):
            return payload or {}
        self.wire.close(4400, "payload must be an object or null.")
        return None

    def _id(self, message: Mapping[str, Any]) -> str | None:
        """The id of an operation; None, and the end, when it is none."""
        name = message.get("id")
        if isinstance(name, str) and 0 < len(name) <= MOST_IN_AN_ID:
            return name
        self.wire.close(4400, f"id must be a text of 1 to {MOST_IN_AN_ID} characters.")
        return None


ACTS = {
    "connection_init": Session._init,
    "ping": Session._ping,
    "pong": Session._pong,
    "subscribe": Session._subscribe,
    "complete": Session._complete,
}
