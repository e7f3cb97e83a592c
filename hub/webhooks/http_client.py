"""Posts bytes: one HTTP/1.1 request on a connection to an address that egress.py has let through. No redirects, no proxies.

Connections are kept for the next request to the same place, for a while; each leads to the address that was looked at."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from hub.webhooks.egress import Barred, Egress, Target

CONNECT, TOTAL = 3.0, 15.0  # seconds
KEPT = 30.0  # seconds that an idle connection is kept
MOST_KEPT = 64  # per place
MOST_READ = 65_536  # bytes of an answer, headers and all; more of it ends the connection
SHOWN = 1_024  # bytes of it that are kept
CLOSED = "the connection was closed before there was an answer"


class Answer(NamedTuple):
    """What came of a request: a status, or else an error."""

    status: int | None
    error: str | None
    body: bytes
    retry_after: str | None
    seconds: float


class Broken(Exception):
    """There is no answer; the message tells why."""


class Line(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self.idle_since = monotonic()
        self.address = ""
        self.used = False
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._done: asyncio.Future[None] | None = None
        self._error: str | None = None
        self.status = 0
        self.body = bytearray()
        self.retry_after: str | None = None
        self.length = 0
        self.open = False

    # -- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("the answer is not HTTP")
        except httptools.HttpParserUpgrade:
            self._end("the answer changes the protocol")
        self.length += len(data)
        if self.length > MOST_READ:
            self._end(None if self.status >= 200 else "the headers of the answer have no end")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.status >= 200:
            self._end(None)  # an answer may end with the connection
        self._end(CLOSED if error is None else "the connection broke off")

    # -- the parser ---------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = value[:64].decode("latin-1")

    def on_body(self, body: bytes) -> None:
        if len(self.body) < SHOWN:
            self.body += body[: SHOWN - len(self.body)]

    def on_message_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        self.status = parser.get_status_code()
        if 100 <= self.status < 200:
            return  # an interim answer; the one that counts follows
        keep = parser.should_keep_alive()
        self._end(None)
        if not keep:
            self.close()

    def on_headers_complete(self) -> None:
        if self._parser is not None:
            self.status = self._parser.get_status_code()

    # -- one request --------------------------------------------------------------------------------------------------

    async def send(self, request: bytes) -> None:
        """Sends a request and waits for the whole answer; raises Broken when there is none."""
        assert self._transport is not None
        self.status, self.length, self.retry_after, self._error = 0, 0, None, None
        self.body = bytearray()
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        if not self.open:
            raise Broken(CLOSED)
        self._transport.write(request)
        try:
            await self._done
        finally:
            self._parser = self._done = None
            self.used = True
        if self._error is not None:
            raise Broken(self._error)

    def _end(self, error: str | None) -> None:
        if self._done is not None and not self._done.done():
            self._error = error
            self._done.set_result(None)

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()


class Poster:
    """Posts to whatever the egress lets through; keeps connections."""

    def __init__(self, egress: Egress, context: ssl.SSLContext | None = None) -> None:
        self._egress = egress
        self._context = context or ssl.create_default_context()
        self._kept: defaultdict[tuple[object, ...], list[Line]] = defaultdict(list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One attempt. Never raises for what the other side does."""
        began = monotonic()
        line: Line | None = None
        try:
            async with asyncio.timeout(TOTAL):
                target = await self._egress.target(url)
                line = await self._line(target)
                request, before = _request(url, headers, body), line.used
                try:
                    await line.send(request)
                except Broken:
                    if not before or line.status:
                        raise
                    # Kept for the next request, it may have been closed in the very moment that this one was sent.
                    line = await self._connected(target)
                    await line.send(request)
        except TimeoutError:
            return self._failed(line, began, f"there was no answer within {TOTAL:.0f} s")
        except (Barred, Broken) as error:
            return self._failed(line, began, str(error))
        finally:
            if line is not None and line.used and line.open:
                self._keep(target, line)
            elif line is not None:
                line.close()
        return Answer(line.status, None, bytes(line.body), line.retry_after, monotonic() - began)

    def close(self) -> None:
        """Ends what is kept."""
        for lines in self._kept.values():
            for line in lines:
                line.close()
        self._kept.clear()

    def _failed(self, line: Line | None, began: float, error: str) -> Answer:
        if line is not None:
            line.close()
        return Answer(None, error, b"", None, monotonic() - began)

    async def _line(self, target: Target) -> Line:
        """A connection to one of the target's addresses, kept from before if there is one."""
        for address in target.addresses:
            lines = self._kept.get((target.host, target.port, target.secure, address), [])
            while lines:
                line = lines.pop()
                if line.open and monotonic() - line.idle_since < KEPT:
                    return line
                line.close()
        return await self._connected(target)

    async def _connected(self, target: Target) -> Line:
        loop = asyncio.get_running_loop()
        context, name = (self._context, target.host) if target.secure else (None, None)
        error = ""
        try:
            async with asyncio.timeout(CONNECT):
                for address in target.addresses:
                    try:
                        _, line = await loop.create_connection(
                            Line, address, target.port, ssl=context, server_hostname=name
                        )
                    except OSError as fault:
                        error = _told(fault)
                    else:
                        line.address = address
                        return line
        except TimeoutError:
            error = f"there was no connection within {CONNECT:.0f} s"
        raise Broken(error)

    def _keep(self, target: Target, line: Line) -> None:
        lines = self._kept[target.host, target.port, target.secure, line.address]
        if len(lines) < MOST_KEPT:
            line.idle_since = monotonic()
            lines.append(line)
        else:
            line.close()


def _told(fault: OSError) -> str:
    """Why there is no connection, without anything that the other side says of itself."""
    if isinstance(fault, ssl.SSLError):
        return f"TLS failed: {getattr(fault, 'verify_message', '') or fault.reason or 'no handshake'}"
    return "the connection was refused" if isinstance(fault, ConnectionRefusedError) else "there was no connection"


def _request(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, f"content-length: {len(body)}", "", "")).encode("ascii") + body
