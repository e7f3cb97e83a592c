"""uvicorn's HTTP/1.1 protocol with additional timeouts, size limits and JSON errors.

A slow or stalled client costs one socket for a limited time. A client that disconnects cancels its request."""

import asyncio
import re
from functools import partial
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hub.errors import BadInput, HubError, LimitExceeded
from hub.observability import RequestDone, emit
from hub.settings import Settings
from hub.web.http import responses
from hub.web.websocket.connection import WebSocketConnection
from hub.web.websocket.handshake import accept_handshake

# The part of a request that the timer waits for.
NO_TIMER, HEADER_TIMER, BODY_TIMER = range(3)

# Bytes of a rejected body that are read and discarded, so that the client gets the error, not a reset.
MAX_DISCARDED = 32 * 1024 * 1024

# Seconds between the error response and the close of the connection.
GRACEFUL_CLOSE_SECONDS = 1.0

# RFC 9110, 7.2: a host as in a URL, and a port.
HOST_PATTERN = re.compile(rb"[\w.~%!$&'()*+,;=\[\]:-]*", re.ASCII)
# Texts of the parser's errors for a request line of another version, also that of HTTP/2 with prior knowledge.
VERSION_ERRORS = ("Invalid HTTP version", "Pause on PRI/Upgrade")


class RequestRejected(Exception):
    """Raised in a parser callback to stop the parser; `parse_error` holds the reason."""


class LingeringTransport:
    """The transport of a response: it closes once the request's body has arrived.

    A full close while the client still sends would reset the connection, and the client would lose the response."""

    __slots__ = ("_protocol", "_transport")

    def __init__(self, protocol: "LimitedHttpProtocol", transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Writes to the connection."""
        self._transport.write(data)

    def close(self) -> None:
        """Closes the connection, or only its sending side until the body has arrived."""
        self._protocol.close_after_body()


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. uvicorn gets a subclass from `http_protocol_for`."""

    settings: ClassVar[Settings]
    cors: ClassVar[responses.Cors]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.in_body = False
        self.timer: asyncio.TimerHandle | None = None
        self.timer_phase = NO_TIMER
        self.header_bytes = 0
        self.discarded = 0
        self.closing_gracefully = self.lingering = False
        self.accepted_hosts: list[bytes] | None = None  # the Host of the connection's earlier requests
        self.stopping = False
        self.task: asyncio.Task[Any] | None = None
        self.active_cycle: RequestResponseCycle | None = None  # the running one; uvicorn's `cycle` is the last one read
        self.parse_error: HubError = NOT_HTTP_ERROR
        self.idle_since = 0.0  # of the loop's clock; 0 while a request arrives or is processed

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # The task is stored so that it can be cancelled when the client disconnects.
        self.active_cycle = cycle
        self.task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(self.task)
        self.task.add_done_callback(self.tasks.discard)
        state = cycle.scope["state"]
        state[responses.WHOLE_RESPONSE] = partial(self._send_whole_response, cycle)
        state[responses.ABORT_CONNECTION] = partial(self._abort, cycle)

    def _send_whole_response(
        self, cycle: RequestResponseCycle, status: int, headers: responses.HeaderList, body: bytes
    ) -> bool:
        """Sends a complete response in one write, at a fifth of the cost of two ASGI messages; False if it cannot."""
        if cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
            return False
        if cycle.disconnected:
            return True
        if responses.CLOSE_CONNECTION in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append(responses.CLOSE_CONNECTION)
        lines = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n", body)
        self.transport.write(b"".join(lines))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.close_after_body()
        cycle.on_response()
        cycle.scope["state"].clear()
        return True

    def close_after_body(self) -> None:
        """Closes the connection after the last response; while the request's body arrives, only the sending side."""
        if self.in_body and not self.pipeline and not self.stopping and self.transport.can_write_eof():
            self.lingering = True
            self.transport.write_eof()
        else:
            self.transport.close()

    def _abort(self, cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        super().connection_lost(exc)
        if self.active_cycle is not None:
            self.active_cycle.disconnected = True
        if self.task is not None:
            self.task.cancel()
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Breaks the reference cycles of this object, which the rare full garbage collections would free late."""
        if self.scope is not None:
            self.scope["state"].clear()
        self.parser = self.cycle = self.scope = self.active_cycle = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.closing_gracefully:
            return
        self.header_bytes += len(data)
        self.idle_since = 0.0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._accept_upgrade(data[upgrade.args[0] :]):
                return
        except httptools.HttpParserError as error:
            self._reject_unparsable(error)
        if self.closing_gracefully or self.transport.is_closing():
            return
        if self.in_body:
            if self.cycle.response_complete:
                self.discarded += len(data)
                if self.discarded > MAX_DISCARDED:
                    self.transport.abort()
        elif self.header_bytes > self.settings.header_limit:
            self._reject(self._headers_too_large())
        self._arm_timer()

    def _accept_upgrade(self, data: bytes) -> bool:
        """Upgrades to a WebSocket; any other protocol is ignored. `data` follows the request's headers.

        The parser has stopped before the body, so a new one reads the request without the header. (Java's HTTP client sends
        `Upgrade: h2c` with its first POST.)"""
        while True:
            if self._should_upgrade():
                self._upgrade(data)
                return True
            lines = [b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)]
            lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
            data = b"\r\n".join((*lines, b"", data))
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            try:
                self.parser.feed_data(data)
                return False
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                self._reject_unparsable(error)
                return False

    def _reject_unparsable(self, error: httptools.HttpParserError) -> None:
        self._reject(HTTP_VERSION_ERROR if str(error) in VERSION_ERRORS else self.parse_error)

    def on_headers_complete(self) -> None:
        # `header_bytes` counts whole reads. The exact size is computed only if that is over the limit.
        limit = self.settings.header_limit
        if (
            self.header_bytes > limit
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > limit
        ):
            self.parse_error = self._headers_too_large()
            raise RequestRejected
        hosts = [value for name, value in self.headers if name == b"host"]
        if hosts != self.accepted_hosts or self.parser.get_http_version() != "1.1":
            self._check_version_and_host(hosts)
        if self.parser.should_upgrade():
            if all(name != b"upgrade" for name, _ in self.headers):
                raise RequestRejected  # CONNECT, which is for proxies; the parser reads no further
            return
        if self.closing_gracefully:
            return
        self.in_body = True
        super().on_headers_complete()
        if self.stopping and self.cycle is not None:
            self.cycle.keep_alive = False
        if not self.cycle.keep_alive:
            self.cycle.transport = cast(asyncio.Transport, LingeringTransport(self, self.transport))

    def _check_version_and_host(self, hosts: list[bytes]) -> None:
        """Raises RequestRejected unless the version is supported and the request has the one Host that HTTP/1.1 requires."""
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self.parse_error = HTTP_VERSION_ERROR
        elif len(hosts) == 1 and HOST_PATTERN.fullmatch(hosts[0]):
            self.accepted_hosts = hosts
            return
        elif not hosts and version == "1.0":
            return
        else:
            self.parse_error = HOST_ERROR
        raise RequestRejected

    def on_message_complete(self) -> None:
        self.in_body = False
        self.header_bytes = self.discarded = 0
        if self.lingering:
            self.closing_gracefully = True
            self.transport.close()
        elif not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                self.idle_since = self.loop.time()
                if self.timeout_keep_alive_task is None:
                    self._arm_keep_alive(self.timeout_keep_alive)
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            self.loop.call_later(self.settings.request_timeout, self._abort_if_stalled, unsent)

    def _arm_keep_alive(self, seconds: float) -> None:
        # uvicorn has a timer for each pause between two requests, which costs as much as parsing a request.
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self.timeout_keep_alive_task = None
        if not self.idle_since or self.transport.is_closing():
            return  # the next response starts the timer anew
        remaining = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if remaining > 0:
            self._arm_keep_alive(remaining)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Makes the current or next request the last one of the connection; uvicorn calls it at shutdown.

        An idle connection is closed by its keep-alive timer."""
        self.stopping = True
        if self.lingering:
            self.transport.close()
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        return method == b"GET" and version == "1.1" and bool(self._get_upgrade() == b"websocket")

    def _upgrade(self, rest: bytes) -> None:
        """Hands the connection and the bytes after the request to a WebSocket, or rejects the request."""
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request has no response yet, and the client would take an error for that response.
            self.transport.close()
            return
        try:
            handshake = accept_handshake(self.url, self.headers, self.cors, self.settings.frame_limit)
            protocol_class = cast(type[WebSocketConnection], self.ws_protocol_class)
            socket = protocol_class(self.config, self.server_state, {})
            socket.open(self.transport, handshake)
        except HubError as error:
            self._reject(error)
            return
        self.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._break_cycles()
        if rest:
            socket.data_received(rest)

    def _arm_timer(self) -> None:
        """Starts the timer for the awaited part of a request; there is none while a request is processed."""
        responding = self.cycle is not None and not self.cycle.response_complete
        phase = BODY_TIMER if self.in_body else NO_TIMER if responding else HEADER_TIMER
        if phase == self.timer_phase:
            return
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.timer_phase = phase
        if phase:
            # The endpoint enforces the body's deadline with an error; this timer covers bodies that no one reads.
            seconds = self.settings.header_timeout if phase == HEADER_TIMER else self.settings.request_timeout + 1
            self.timer = self.loop.call_later(seconds, self._on_timeout)

    def _on_timeout(self) -> None:
        self.timer, self.timer_phase = None, NO_TIMER
        if self.closing_gracefully or self.transport.is_closing():
            return
        if self.header_bytes and not self.in_body:
            message = f"The headers had not arrived after {self.settings.header_timeout:g} s; send them faster."
            self._reject(BadInput(message, code="REQUEST_TIMEOUT"))
        else:
            self.transport.close()

    def _reject(self, error: HubError) -> None:
        """Sends an error response and closes; only closes if the client would take it for another request's response."""
        cycle = self.cycle
        if self.lingering:
            self.transport.close()
            return
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or not self.in_body or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
        status, body = responses.status_of(error), responses.error_body(error)
        lines = b"".join(
            b"%s: %s\r\n" % pair for pair in (*responses.SECURITY_HEADERS, *responses.error_headers(error))
        )
        header_template = (
            b"content-type: application/json; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + lines + header_template % len(body) + body)
        # A full close while the client still sends would reset the connection and lose the response.
        self.closing_gracefully = True
        self.transport.write_eof()
        self.loop.call_later(GRACEFUL_CLOSE_SECONDS, self.transport.close)
        emit(RequestDone("", "", "", status, error.code, "", 0.0, 0, ()))

    def _headers_too_large(self) -> HubError:
        limit = self.settings.header_limit
        message = f"The request line and headers are larger than {limit} bytes; send long documents by POST."
        return LimitExceeded(message, code="HEADERS_TOO_LARGE", extensions={"limit": limit})

    def _abort_if_stalled(self, unsent: int) -> None:
        """Aborts the connection if the client has read nothing since the last check; a slow reader may continue."""
        if self.parser is None:
            return  # upgraded to a WebSocket, or closed
        remaining = self.transport.get_write_buffer_size()
        if remaining >= unsent:
            self.transport.abort()
        elif remaining:
            self.loop.call_later(self.settings.request_timeout, self._abort_if_stalled, remaining)


NOT_HTTP_ERROR = BadInput(
    "The request is not valid HTTP/1.1; correct the request line, headers or chunks.", code="BODY_MALFORMED"
)
HOST_ERROR = BadInput(
    "HTTP/1.1 requires one Host header with the host of the URL; send exactly one.", code="BODY_MALFORMED"
)
HTTP_VERSION_ERROR = BadInput(
    "The hub speaks HTTP/1.1; send the request with that version.", code="HTTP_VERSION_UNSUPPORTED"
)


def http_protocol_for(settings: Settings) -> type[LimitedHttpProtocol]:
    """Returns the protocol class that is bound to a hub's settings; uvicorn instantiates it per connection."""
    return type(
        "ConfiguredHttpProtocol",
        (LimitedHttpProtocol,),
        {"settings": settings, "cors": responses.Cors(settings.allowed_origins)},
    )
