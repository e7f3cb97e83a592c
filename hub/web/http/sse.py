"""Server-sent events with one operation per response (graphql-sse's "distinct connections").

endpoint.py authenticates and parses the request. Errors before the stream begins are ordinary responses."""

import asyncio
from collections.abc import Callable

import orjson
from starlette.types import Scope, Send

from hub.engine.request import GraphQLRequest
from hub.errors import HubError
from hub.model.ip_networks import IpAddress
from hub.web.auth import Client, KeyCredential
from hub.web.context import GatewayContext
from hub.web.http import responses
from hub.web.stream_sink import ErrorList, StreamSink, first_code

SSE_HEADERS: responses.HeaderList = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
    responses.VARY,
]
KEEPALIVE_COMMENT = b":\n\n"
COMPLETE_EVENT = b"event: complete\ndata:\n\n"


class EventStream(StreamSink):
    """One response: the sink of its stream, and a registered connection until it ends."""

    __slots__ = (
        "_buffered_bytes",
        "_client",
        "_context",
        "_drained_event",
        "_idle",
        "_keepalive_timer",
        "_pending",
        "_wakeup",
        "credential",
    )
    transport = "events"

    def __init__(
        self,
        context: GatewayContext,
        request: GraphQLRequest,
        credential: KeyCredential | None,
        client: Client | None = None,
    ) -> None:
        super().__init__(request, credential.public_id if credential else "")
        self.credential = credential
        self._client = client
        self._context = context
        self._pending: list[bytes] = [KEEPALIVE_COMMENT]  # the first bytes, so that the client sees the stream open
        self._buffered_bytes = 0  # pending or in the current write
        self._wakeup = asyncio.Event()
        self._drained_event: asyncio.Event | None = None
        self._keepalive_timer: asyncio.TimerHandle | None = None
        self._idle = True

    @classmethod
    def for_response(cls, context: GatewayContext, request: GraphQLRequest, response: bytes) -> "EventStream":
        """Returns the events of a query or a mutation: its response and `complete`."""
        stream = cls(context, request, None)
        stream.send(response, None)
        stream.end()
        return stream

    # -- the message sink -----------------------------------------------------------------------------------------------

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Enqueues one response, with the cursor that a client can resume from."""
        if not self.close_reason:
            self.sent += 1
            self._context.connection_registry.messages_sent += 1
            self._enqueue(format_event(message, cursor))

    @property
    def is_backpressured(self) -> bool:
        """Whether the buffer is full because the client reads too slowly."""
        return self._buffered_bytes >= self._context.settings.stream_buffer

    async def drained(self) -> None:
        """Returns once the buffer has drained; raises ConnectionError if the response has ended."""
        while self.is_backpressured and not self.close_reason:
            if self._drained_event is None:
                self._drained_event = asyncio.Event()
            await self._drained_event.wait()
        if self.close_reason:
            raise ConnectionResetError("The response has ended.")

    def end(self, errors: ErrorList = ()) -> None:
        """Sends `complete`, after a response with the errors if there are any."""
        if self.record_close(first_code(errors) or self.pending_close_reason or "complete"):
            if errors:
                self._enqueue(format_event(orjson.dumps({"errors": errors}), None))
            self._enqueue(COMPLETE_EVENT)

    def record_close(self, reason: str) -> bool:
        """Records why the stream is closed and wakes the writer; returns False if it was closed before."""
        newly_closed = super().record_close(reason)
        self._notify_drained()
        return newly_closed

    # -- the registered connection --------------------------------------------------------------------------------------

    def client_address(self) -> IpAddress | None:
        """The address of the client."""
        return None if self._client is None else self._client.client_address()

    def on_key_rejected(self, error: HubError) -> None:
        """Ends the stream with an error, because the key is no longer valid."""
        self.reject([error.to_graphql()])

    def on_rights_changed(self, credential: KeyCredential) -> None:
        """Closes the stream. The client subscribes again and gets the new rights."""
        self.close_with_reason("PERMISSIONS_CHANGED")

    def on_shutdown(self) -> None:
        """Closes the stream, because the hub stops."""
        self.close_with_reason("STOPPING")

    # -- the response ---------------------------------------------------------------------------------------------------

    async def run(self, headers: responses.HeaderList, scope: Scope, send: Send) -> None:
        """Sends the enqueued events until the stream ends or the client disconnects."""
        try:
            self._send_keepalive()
            await send({"type": "http.response.start", "status": 200, "headers": headers + SSE_HEADERS})
            while self._pending or not self.close_reason:
                if self._pending:
                    await self._flush(send)
                else:
                    self._wakeup.clear()
                    await self._wakeup.wait()
            async with asyncio.timeout(self._context.close_timeout):
                await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, asyncio.CancelledError):
            # The client does not read, has disconnected, or the drain timeout has passed.
            abort: Callable[[], None] | None = scope.get("state", responses.NO_STATE).get(responses.ABORT_CONNECTION)
            if abort is not None:
                abort()
        finally:
            self.finish("gone")

    def finish(self, reason: str) -> None:
        """Releases the stream, the timer and the registration when the response is over."""
        self.cancel(reason)
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
        self._context.connection_registry.unregister(self, self.credential)

    async def _flush(self, send: Send) -> None:
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._idle = False
        try:
            async with asyncio.timeout(self._context.settings.stream_backpressure_timeout):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            self.close_with_reason("SLOW_CONSUMER")
            chunk += b"".join(self._pending)
            self._pending.clear()
            async with asyncio.timeout(self._context.close_timeout):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._buffered_bytes = sum(map(len, self._pending))
        self._notify_drained()

    def _enqueue(self, data: bytes) -> None:
        self._pending.append(data)
        self._buffered_bytes += len(data)
        self._wakeup.set()

    def _notify_drained(self) -> None:
        if self._drained_event is not None:
            self._drained_event.set()
            self._drained_event = None
        self._wakeup.set()

    def _send_keepalive(self) -> None:
        if self._keepalive_timer is not None and self._idle:
            self._enqueue(KEEPALIVE_COMMENT)
        self._idle = True
        self._keepalive_timer = asyncio.get_running_loop().call_later(
            self._context.settings.stream_keepalive, self._send_keepalive
        )


async def open_event_stream(
    context: GatewayContext, request: GraphQLRequest, credential: KeyCredential, client: Client
) -> EventStream:
    """Opens a subscription and returns its event stream; raises SubscriptionRejected or HubError."""
    stream = EventStream(context, request, credential, client)
    context.connection_registry.register(stream, credential)
    try:
        stream.attach(await context.subscriptions.open(request, credential.viewer, stream))
    except BaseException:
        stream.finish("refused")
        raise
    return stream


def format_event(message: bytes, cursor: bytes | None) -> bytes:
    """Formats one `next` event. A message of several lines becomes several `data` fields."""
    if b"\n" in message or b"\r" in message:
        message = b"\ndata: ".join(message.splitlines())
    if cursor is None:
        return b"event: next\ndata: %b\n\n" % message
    return b"event: next\nid: %b\ndata: %b\n\n" % (cursor, message)
