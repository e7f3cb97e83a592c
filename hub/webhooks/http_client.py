"""A minimal HTTP/1.1 client: posts and gets bytes at an address that egress.py permits, without redirects or proxies.

Idle connections are reused for the same host, port and checked address."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from time import monotonic
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from hub.domain.webhooks.blocking import BLOCKED_PREFIX
from hub.webhooks.egress import EgressDenied, EgressPolicy, EgressTarget

CONNECT_TIMEOUT, TOTAL_TIMEOUT = 3.0, 15.0  # seconds
IDLE_CONNECTION_TTL = 30.0  # seconds
MAX_IDLE_CONNECTIONS = 64  # per address
MAX_RESPONSE_BYTES = 65_536  # including headers; a longer response closes the connection
MAX_BODY_EXCERPT = 1_024  # bytes of the response body to return
CLOSED_MESSAGE = "the connection was closed before a response arrived"


class HttpResponse(NamedTuple):
    """The outcome of a request: either a status or an error."""

    status: int | None
    error: str | None
    body: bytes
    retry_after: str | None
    seconds: float


class ConnectionBroken(Exception):
    """There is no response; the message says why."""


class HttpConnection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self.idle_since = monotonic()
        self.address = ""
        self.used = False
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._completed: asyncio.Future[None] | None = None
        self._error: str | None = None
        self.status = 0
        self.body = bytearray()
        self.retry_after: str | None = None
        self.received_bytes = 0
        self.body_limit = MAX_BODY_EXCERPT
        self.open = False

    # -- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self.close()  # data without a request
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("the response is not HTTP")
        except httptools.HttpParserUpgrade:
            self._end("the response switches protocols")
        self.received_bytes += len(data)
        if self.received_bytes > MAX_RESPONSE_BYTES:
            self._end(None if self.status >= 200 else "the response headers are too large")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.status >= 200:
            self._end(None)  # a response without a length ends with the connection
        self._end(CLOSED_MESSAGE if error is None else "the connection was lost")

    # -- the parser ---------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = value[:64].decode("latin-1")

    def on_body(self, body: bytes) -> None:
        if len(self.body) < self.body_limit:
            self.body += body[: self.body_limit - len(self.body)]

    def on_message_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        self.status = parser.get_status_code()
        if 100 <= self.status < 200:
            return  # an interim response; the final one follows
        keep_alive = parser.should_keep_alive()
        self._end(None)
        if not keep_alive:
            self.close()

    def on_headers_complete(self) -> None:
        if self._parser is not None:
            self.status = self._parser.get_status_code()

    # -- one request --------------------------------------------------------------------------------------------------

    async def send(self, request: bytes) -> None:
        """Sends a request and waits for the whole response; raises ConnectionBroken if there is none."""
        assert self._transport is not None
        self.status, self.received_bytes, self.retry_after, self._error = 0, 0, None, None
        self.body = bytearray()
        self._parser = httptools.HttpResponseParser(self)
        self._completed = asyncio.get_running_loop().create_future()
        if not self.open:
            raise ConnectionBroken(CLOSED_MESSAGE)
        self._transport.write(request)
        try:
            await self._completed
        finally:
            self._parser = self._completed = None
            self.used = True
        if self._error is not None:
            raise ConnectionBroken(self._error)

    def _end(self, error: str | None) -> None:
        if self._completed is not None and not self._completed.done():
            self._error = error
            self._completed.set_result(None)

    def close(self) -> None:
        """Closes the connection at once."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()


@cache
def _system_certificates() -> ssl.SSLContext:
    """Trusts the authorities that the system trusts; reading them takes tens of milliseconds."""
    return ssl.create_default_context()


class HttpClient:
    """Posts to and gets from URLs that the egress policy permits, and pools idle connections."""

    def __init__(self, egress: EgressPolicy, context: ssl.SSLContext | None = None) -> None:
        self._egress = egress
        self._context = context or _system_certificates()
        self._idle_connections: defaultdict[tuple[object, ...], list[HttpConnection]] = defaultdict(list)

    async def is_permitted(self, url: str) -> bool:
        """Whether the egress policy permits a URL now."""
        return await self._egress.refusal(url) is None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Makes one attempt. A failure of the receiver or the network is returned, never raised."""
        return await self._send(url, _request("POST", url, headers, body), MAX_BODY_EXCERPT)

    async def get(self, url: str, headers: Mapping[str, str]) -> HttpResponse:
        """Gets a document of up to MAX_RESPONSE_BYTES, likewise."""
        return await self._send(url, _request("GET", url, headers, None), MAX_RESPONSE_BYTES)

    async def _send(self, url: str, request: bytes, body_limit: int) -> HttpResponse:
        started_at = monotonic()
        connection: HttpConnection | None = None
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                target = await self._egress.target(url)
                connection = await self._connection(target)
                connection.body_limit, reused = body_limit, connection.used
                try:
                    await connection.send(request)
                except ConnectionBroken:
                    if not reused or connection.status:
                        raise
                    # The receiver may have closed the idle connection at the moment of this request.
                    connection = await self._connect(target)
                    connection.body_limit = body_limit
                    await connection.send(request)
        except TimeoutError:
            return self._failure(connection, started_at, f"there was no response within {TOTAL_TIMEOUT:.0f} s")
        except EgressDenied as error:
            return self._failure(connection, started_at, f"{BLOCKED_PREFIX}{error}")
        except ConnectionBroken as error:
            return self._failure(connection, started_at, str(error))
        finally:
            if connection is not None and connection.used and connection.open:
                self._store_idle(target, connection)
            elif connection is not None:
                connection.close()
        return HttpResponse(
            connection.status, None, bytes(connection.body), connection.retry_after, monotonic() - started_at
        )

    def close(self) -> None:
        """Closes the idle connections."""
        for connections in self._idle_connections.values():
            for connection in connections:
                connection.close()
        self._idle_connections.clear()

    def _failure(self, connection: HttpConnection | None, started_at: float, error: str) -> HttpResponse:
        if connection is not None:
            connection.close()
        return HttpResponse(None, error, b"", None, monotonic() - started_at)

    async def _connection(self, target: EgressTarget) -> HttpConnection:
        """Returns an idle connection to one of the target's addresses, or a new one."""
        for address in target.addresses:
            connections = self._idle_connections.get((target.host, target.port, target.secure, address), [])
            while connections:
                connection = connections.pop()
                if connection.open and monotonic() - connection.idle_since < IDLE_CONNECTION_TTL:
                    return connection
                connection.close()
        return await self._connect(target)

    async def _connect(self, target: EgressTarget) -> HttpConnection:
        loop = asyncio.get_running_loop()
        context, server_name = (self._context, target.host) if target.secure else (None, None)
        error = ""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                for address in target.addresses:
                    try:
                        _, connection = await loop.create_connection(
                            HttpConnection, address, target.port, ssl=context, server_hostname=server_name
                        )
                    except OSError as cause:
                        error = _connect_error(cause)
                    else:
                        connection.address = address
                        return connection
        except TimeoutError:
            error = f"no connection could be opened within {CONNECT_TIMEOUT:.0f} s"
        raise ConnectionBroken(error)

    def _store_idle(self, target: EgressTarget, connection: HttpConnection) -> None:
        connections = self._idle_connections[target.host, target.port, target.secure, connection.address]
        if len(connections) < MAX_IDLE_CONNECTIONS:
            connection.idle_since = monotonic()
            connections.append(connection)
        else:
            connection.close()


def _connect_error(error: OSError) -> str:
    """Returns why the connection failed, without any text that the remote host has sent."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or 'no handshake'}"
    return (
        "the connection was refused" if isinstance(error, ConnectionRefusedError) else "no connection could be opened"
    )


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("ascii") + (body or b"")
