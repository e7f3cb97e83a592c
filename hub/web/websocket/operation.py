"""One operation of a socket, from its `subscribe` to its `complete` or `error`: run, timed, told of, or kept as a stream.

Which of a socket's operations run is the session's; how bytes leave, the socket's."""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Protocol

import orjson

from hub.engine.engine import Answer, Request
from hub.errors import Unavailable
from hub.observability import RequestDone, tell
from hub.web.auth import Credential
from hub.web.context import Desk
from hub.web.http import responses
from hub.web.stream_sink import NAME_LENGTH, Errors, Seat, code_of, errors_of

END = b"}"
GONE = 499  # nobody is told; for the log
STATUS: Mapping[str, int] = MappingProxyType({**responses.STATUS, "REQUEST_TIMEOUT": 503})


class Wire(Protocol):
    """The socket, as far as messages go."""

    @property
    def full(self) -> bool:
        """Whether the client does not take what was sent."""

    async def room(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""

    def send(self, *parts: bytes) -> None:
        """One message."""

    def close(self, code: int, reason: str) -> None:
        """Ends it."""


class Talk(Protocol):
    """The session, as far as its operations know it."""

    wire: Wire
    desk: Desk

    def ended(self, operation: "Operation") -> None:
        """It has sent its last message."""

    def done(self) -> None:
        """It runs no more, though its stream may."""


def error_message(name: str, errors: Errors) -> bytes:
    """What ends an operation that was refused."""
    return orjson.dumps({"id": name, "type": "error", "payload": errors})


class Operation(Seat):
    """A query, a mutation or a subscription; the sink of its stream."""

    __slots__ = ("id", "prefix", "presence", "request", "session", "task", "wire")
    transport = "socket"

    def __init__(self, session: Talk, name: str, request: Request, key: str) -> None:
        super().__init__(request, key)
        self.session = session
        self.wire = session.wire
        self.presence = session.desk.presence
        self.id = name
        self.request: Request | None = request
        self.prefix = b'{"id":' + orjson.dumps(name) + b',"type":"next","payload":'
        self.task: asyncio.Task[None] | None = None

    # -- what a sink is -------------------------------------------------------------------------------------------------

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """One answer of it."""
        if not self.closed:
            self.sent += 1
            self.presence.sent += 1
            self.wire.send(self.prefix, message, END)

    @property
    def full(self) -> bool:
        """Whether the client does not keep up."""
        return self.wire.full

    async def room(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""
        await self.wire.room()

    def end(self, errors: Errors = ()) -> None:
        """The last message: `complete`, or `error`."""
        if self.close(code_of(errors) or self.doomed or "complete"):
            told = error_message(self.id, errors) if errors else orjson.dumps({"id": self.id, "type": "complete"})
            self.wire.send(told)
            self.session.ended(self)

    def stop(self, reason: str) -> None:
        """The client wants no more, or is gone."""
        super().stop(reason)
        self.session.ended(self)
        if self.task is not None:
            self.task.cancel()

    def refuse(self, errors: Errors) -> None:
        """It may go on no longer: the client is told why."""
        self.refuse_with(errors)
        if self.task is not None:
            self.task.cancel()

    # -- running --------------------------------------------------------------------------------------------------------

    def run(self, credential: Credential) -> None:
        """Begins; `session.done` is called when it is over, or open as a stream."""
        self.task = asyncio.create_task(self._run(credential))
        self.task.add_done_callback(self._done)

    def _done(self, _: asyncio.Task[None]) -> None:
        self.task = self.request = None
        self.session.done()

    async def _run(self, credential: Credential) -> None:
        answer: Answer | None = None
        errors: Errors = ()
        status = 200
        try:
            async with asyncio.timeout(self.session.desk.settings.request_timeout):
                answer = await self._answered(credential)
        except (asyncio.CancelledError, ConnectionError):
            status = GONE
        except TimeoutError:
            seconds = self.session.desk.settings.request_timeout
            message = f"The operation could not be answered within {seconds:g} s; ask for less, or try again."
            errors = [Unavailable(message, code="REQUEST_TIMEOUT").to_graphql()]
        except Exception as error:
            errors = errors_of(error, self.request_id, "running an operation of a socket")
        if errors:
            self.end(errors)
        if answer is not None or errors or status == GONE:  # else it is a stream, which is told of in other records
            self._tell_request(answer, errors, status)

    async def _answered(self, credential: Credential) -> Answer | None:
        """The answer, which is sent; None when it is a stream, which goes on."""
        desk, request = self.session.desk, self.request
        assert request is not None
        if self.full:
            await self.room()
        if desk.is_stream(request):
            self.take(await desk.streams.open(request, credential.viewer, self))
            return None
        answer = await desk.engine.execute(request, credential.viewer)
        if answer.executed:
            self.send(answer.body, None)
            self.end()
        else:
            self.end(orjson.loads(answer.body)["errors"])
        return answer

    def _tell_request(self, answer: Answer | None, errors: Errors, status: int) -> None:
        seconds = perf_counter() - self.began
        if answer is not None:
            code = answer.code
            if not answer.executed:
                status = STATUS.get(code, 400)
            done = (answer.operation, answer.name[:NAME_LENGTH], status, code, self.key, seconds)
            tell(RequestDone(self.request_id, *done, answer.statements, answer.timings))
            return
        code = code_of(errors)
        if code:
            status = STATUS.get(code, 400)
        tell(RequestDone(self.request_id, "", self.name, status, code, self.key, seconds, 0, ()))
