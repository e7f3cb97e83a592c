"""Server-sent events, one operation per response (graphql-sse's "distinct connections"): `next`, `complete`, comments.

Who asks and for what is graphql.py's. Errors before the stream begins are ordinary answers."""

import asyncio
from collections.abc import Callable

import orjson
from starlette.types import Scope, Send

from hub.engine.engine import Request
from hub.errors import HubError
from hub.web.auth import Credential
from hub.web.context import Desk
from hub.web.http import responses
from hub.web.stream_sink import Errors, Seat, code_of

HEADERS: responses.Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
    responses.VARY,
]
COMMENT = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


class Events(Seat):
    """One response; the sink of its stream, and a guest for as long as it lasts."""

    __slots__ = ("_beating", "_desk", "_pending", "_roomy", "_silent", "_size", "_woken", "credential")
    transport = "events"

    def __init__(self, desk: Desk, request: Request, credential: Credential | None) -> None:
        super().__init__(request, credential.public_id if credential else "")
        self.credential = credential
        self._desk = desk
        self._pending: list[bytes] = [COMMENT]  # so that the client sees at once that it has begun
        self._size = 0  # of what is pending, or being sent
        self._woken = asyncio.Event()
        self._roomy: asyncio.Event | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._silent = True

    @classmethod
    def of(cls, desk: Desk, request: Request, answer: bytes) -> "Events":
        """The events of a query or a mutation: its answer, and the end."""
        events = cls(desk, request, None)
        events.send(answer, None)
        events.end()
        return events

    # -- what a sink is -------------------------------------------------------------------------------------------------

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """One answer, and the cursor by which a client can go on behind it."""
        if not self.closed:
            self.sent += 1
            self._desk.presence.sent += 1
            self._put(event(message, cursor))

    @property
    def full(self) -> bool:
        """Whether the client does not keep up."""
        return self._size >= self._desk.settings.stream_buffer

    async def room(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""
        while self.full and not self.closed:
            if self._roomy is None:
                self._roomy = asyncio.Event()
            await self._roomy.wait()
        if self.closed:
            raise ConnectionResetError("The response has ended.")

    def end(self, errors: Errors = ()) -> None:
        """The last event; errors come as an answer before it."""
        if self.close(code_of(errors) or self.doomed or "complete"):
            if errors:
                self._put(event(orjson.dumps({"errors": errors}), None))
            self._put(COMPLETE)

    def close(self, reason: str) -> bool:
        """Remembers why nothing more is sent; false when that was so before."""
        first = super().close(reason)
        self._let_send()
        return first

    # -- what a guest is told -------------------------------------------------------------------------------------------

    def refuse(self, error: HubError) -> None:
        """The key opens nothing any more."""
        self.refuse_with([error.to_graphql()])

    def change(self, credential: Credential) -> None:
        """The key's rights are others now; the client asks again, and is answered by them."""
        self.cut("PERMISSIONS_CHANGED")

    def shut(self) -> None:
        """The hub stops."""
        self.cut("STOPPING")

    # -- the response ---------------------------------------------------------------------------------------------------

    async def run(self, headers: responses.Headers, scope: Scope, send: Send) -> None:
        """Sends what is put, until the end or until the client is gone."""
        try:
            self._beat()
            await send({"type": "http.response.start", "status": 200, "headers": headers + HEADERS})
            while self._pending or not self.closed:
                if self._pending:
                    await self._flush(send)
                else:
                    self._woken.clear()
                    await self._woken.wait()
            async with asyncio.timeout(self._desk.farewell):
                await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, asyncio.CancelledError):
            # It takes nothing, is gone, or the hub's patience with it is over.
            abort: Callable[[], None] | None = scope.get("state", responses.NO_STATE).get(responses.ABORT)
            if abort is not None:
                abort()
        finally:
            self.leave("gone")

    def leave(self, reason: str) -> None:
        """The response is over."""
        self.stop(reason)
        if self._beating is not None:
            self._beating.cancel()
        self._desk.presence.leave(self, self.credential)

    async def _flush(self, send: Send) -> None:
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._silent = False
        try:
            async with asyncio.timeout(self._desk.settings.stream_patience):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            self.cut("SLOW_CONSUMER")
            chunk += b"".join(self._pending)
            self._pending.clear()
            async with asyncio.timeout(self._desk.farewell):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._size = sum(map(len, self._pending))
        self._let_send()

    def _put(self, text: bytes) -> None:
        self._pending.append(text)
        self._size += len(text)
        self._woken.set()

    def _let_send(self) -> None:
        if self._roomy is not None:
            self._roomy.set()
            self._roomy = None
        self._woken.set()

    def _beat(self) -> None:
        if self._beating is not None and self._silent:
            self._put(COMMENT)
        self._silent = True
        self._beating = asyncio.get_running_loop().call_later(self._desk.settings.stream_keepalive, self._beat)


async def opened(desk: Desk, request: Request, credential: Credential) -> Events:
    """The events of a subscription, which is open; raises Refused or HubError."""
    events = Events(desk, request, credential)
    desk.presence.enter(events, credential)
    try:
        events.take(await desk.streams.open(request, credential.viewer, events))
    except BaseException:
        events.leave("refused")
        raise
    return events


def event(message: bytes, cursor: bytes | None) -> bytes:
    """One `next`. A line ends a field, so JSON that was written over several lines becomes several."""
    if b"\n" in message or b"\r" in message:
        message = b"\ndata: ".join(message.splitlines())
    if cursor is None:
        return b"event: next\ndata: %b\n\n" % message
    return b"event: next\nid: %b\ndata: %b\n\n" % (cursor, message)
