"""uvicorn's HTTP/1.1 protocol with the deadlines and bounds that it lacks, and with refusals in JSON.

A slow, silent, endless or stalled client costs one socket for a while; one that hangs up ends its request's work."""

import asyncio
import re
from functools import partial
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hub.errors import BadInput, HubError, LimitExceeded
from hub.observability import RequestDone, tell
from hub.settings import Settings
from hub.web.http import responses
from hub.web.websocket.connection import Socket
from hub.web.websocket.handshake import shaken

# What part of a request a timer waits for.
NOTHING, HEAD, BODY = range(3)

# A refused body is read and thrown away up to this, so that the client reads the refusal and not a reset.
THROWN_AWAY = 32 * 1024 * 1024


# Seconds in which a refused client may notice.
LINGER = 1.0

# The parser believes that after a wish for another protocol no HTTP follows, and drops the body that does
# (Java's own client sends `Upgrade: h2c` with every first POST). As long, so that all lengths stay true.
UPGRADE = re.compile(rb"(?<=\n)upgrade(?=[ \t]*:(?![ \t]*websocket))", re.IGNORECASE)


class HeadTooLarge(Exception):
    """Raised inside the parser, which then stops."""


class Bounded(HttpToolsProtocol):
    """One connection. What uvicorn is given is a subclass made by `bounded_by`."""

    settings: ClassVar[Settings]
    cors: ClassVar[responses.Cors]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.in_body = False
        self.timer: asyncio.TimerHandle | None = None
        self.timer_for = NOTHING
        self.head_size = 0
        self.thrown_away = 0
        self.lingering = False
        self.stopping = False
        self.task: asyncio.Task[Any] | None = None
        self.answering: RequestResponseCycle | None = None  # uvicorn's `cycle` is the last that was read
        self.refusal: HubError = NOT_HTTP

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Held, so that it can be ended when the client hangs up.
        self.answering = cycle
        self.task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(self.task)
        self.task.add_done_callback(self.tasks.discard)
        state = cycle.scope["state"]
        state[responses.WHOLE] = partial(self._answer_whole, cycle)
        state[responses.ABORT] = partial(self._abort, cycle)

    def _answer_whole(self, cycle: RequestResponseCycle, status: int, headers: responses.Headers, body: bytes) -> bool:
        """A whole answer in one write, for a fifth of what ASGI's two messages cost; False when it cannot be."""
        if cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
            return False
        if cycle.disconnected:
            return True
        if responses.CLOSE in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append(responses.CLOSE)
        lines = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n", body)
        self.transport.write(b"".join(lines))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        cycle.scope["state"].clear()
        return True

    def _abort(self, cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        super().connection_lost(exc)
        if self.answering is not None:
            self.answering.disconnected = True
        if self.task is not None:
            self.task.cancel()
        self._let_go()

    def _let_go(self) -> None:
        """Forgets what knows this object, too: collections that find such circles are seldom."""
        if self.scope is not None:
            self.scope["state"].clear()
        self.parser = self.cycle = self.scope = self.answering = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        if not self.in_body and (b"pgrade" in data or b"PGRADE" in data):
            data = UPGRADE.sub(b"ignored", data)
        self.head_size += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._upgrade(data[upgrade.args[0] :])
                return
        except httptools.HttpParserError:
            self._refuse(self.refusal)
        if self.lingering or self.transport.is_closing():
            return
        if self.in_body:
            if self.cycle.response_complete:
                self.thrown_away += len(data)
                if self.thrown_away > THROWN_AWAY:
                    self.transport.abort()
        elif self.head_size > self.settings.header_limit:
            self._refuse(self._too_large())
        self._watch()

    def on_headers_complete(self) -> None:
        # The first number counts whole chunks; only when it is large is it worth counting exactly.
        limit = self.settings.header_limit
        if (
            self.head_size > limit
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > limit
        ):
            self.refusal = self._too_large()
            raise HeadTooLarge
        self.in_body = True
        super().on_headers_complete()
        if self.stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self.in_body = False
        self.head_size = self.thrown_away = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            self.loop.call_later(self.settings.request_timeout, self._abort_if_stalled, unsent)

    def shutdown(self) -> None:
        """uvicorn stops. A client that does not know may be sending its next request: it is answered, as the last one here.

        A connection on which nothing comes is left to the timer that closes idle ones at any time."""
        self.stopping = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        return method == b"GET" and version == "1.1" and bool(self._get_upgrade() == b"websocket")

    def _upgrade(self, rest: bytes) -> None:
        """The connection becomes a WebSocket's, with all that came behind the request; or the request is refused."""
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request is not answered yet, and a refusal would be taken for its answer.
            self.transport.close()
            return
        try:
            parser, answer, authorization = shaken(self.url, self.headers, self.cors, self.settings.frame_limit)
            made = cast(type[Socket], self.ws_protocol_class)
            socket = made(self.config, self.server_state, {})
            socket.open(self.transport, parser, answer, authorization)
        except HubError as error:
            self._refuse(error)
            return
        self.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._let_go()
        if rest:
            socket.data_received(rest)

    def _watch(self) -> None:
        """Have a timer for what is awaited; none while a request is answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        wanted = BODY if self.in_body else NOTHING if answering else HEAD
        if wanted == self.timer_for:
            return
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.timer_for = wanted
        if wanted:
            # A body has its deadline from the endpoint, which can say so; this is for bodies that nobody reads.
            seconds = self.settings.header_timeout if wanted == HEAD else self.settings.request_timeout + 1
            self.timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self.timer, self.timer_for = None, NOTHING
        if self.lingering or self.transport.is_closing():
            return
        if self.head_size and not self.in_body:
            message = f"The headers had not arrived after {self.settings.header_timeout:g} s; send them faster."
            self._refuse(BadInput(message, code="REQUEST_TIMEOUT"))
        else:
            self.transport.close()

    def _refuse(self, error: HubError) -> None:
        """Answer in the endpoint's place and close; only close where an answer would be taken for another request's."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or not self.in_body or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
        status, body = responses.status_of(error), responses.error_body(error)
        lines = b"".join(b"%s: %s\r\n" % header for header in (*responses.SAFE, *responses.headers_of(error)))
        head = b"content-type: application/json; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + lines + head % len(body) + body)
        # Closing now would reset the connection while the client still sends, and the answer with it.
        self.lingering = True
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)
        tell(RequestDone("", "", "", status, error.code, "", 0.0, 0, ()))

    def _too_large(self) -> HubError:
        limit = self.settings.header_limit
        message = f"The request's line and headers are larger than {limit} bytes; send long documents by POST."
        return LimitExceeded(message, code="HEADERS_TOO_LARGE", extensions={"limit": limit})

    def _abort_if_stalled(self, unsent: int) -> None:
        """A client that takes its time may have it; one that takes nothing may not hold the answer's memory."""
        if self.parser is None:
            return  # the connection is a WebSocket's now, or gone
        left = self.transport.get_write_buffer_size()
        if left >= unsent:
            self.transport.abort()
        elif left:
            self.loop.call_later(self.settings.request_timeout, self._abort_if_stalled, left)


NOT_HTTP = BadInput("This is not HTTP/1.1; a line, a header or a chunk cannot be read.", code="BODY_MALFORMED")


def bounded_by(settings: Settings) -> type[Bounded]:
    """The protocol class for one hub; uvicorn makes an object of it per connection."""
    return type(
        "BoundedBySettings", (Bounded,), {"settings": settings, "cors": responses.Cors(settings.allowed_origins)}
    )
