"""How an answer leaves: status, headers, compression, CORS. One place for all of them; the body is made elsewhere."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from starlette.types import Scope, Send

from hub.errors import HubError, Unavailable

Headers = list[tuple[bytes, bytes]]

METHODS = b"GET, POST, OPTIONS"
SAFE: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
VARY = (b"vary", b"Accept, Accept-Encoding, Origin")

CLOSE = (b"connection", b"close")
WHOLE = "hub.answer_whole"  # left in the request's state by web/protocol.py
ABORT = "hub.abort"  # likewise: ends the connection at once, and nobody minds that the answer is not whole
NO_STATE: Mapping[str, Any] = MappingProxyType({})

# Bodies above this are compressed beside the event loop, which they would hold up for over a millisecond.
ASIDE = 65_536

STATUS = {
    "UNAUTHENTICATED": 401,
    "KEY_UNKNOWN": 401,
    "KEY_REVOKED": 401,
    "KEY_EXPIRED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_ACCEPTABLE": 406,
    "REQUEST_TIMEOUT": 408,
    "BODY_TOO_LARGE": 413,
    "MEDIA_TYPE_UNSUPPORTED": 415,
    "SOCKET_LIMIT": 429,
    "HEADERS_TOO_LARGE": 431,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


def status_of(error: HubError) -> int:
    """The HTTP status of a request that was refused."""
    if isinstance(error, Unavailable):
        return 503
    return STATUS.get(error.code, 400)


def error_body(error: HubError) -> bytes:
    """A refusal in the form in which every answer comes."""
    return orjson.dumps({"errors": [error.to_graphql()]})


def headers_of(error: HubError) -> Headers:
    """What HTTP wants beside some statuses."""
    status = status_of(error)
    if status == 401:
        invalid = b"" if error.code == "UNAUTHENTICATED" else b', error="invalid_token"'
        return [(b"www-authenticate", b'Bearer realm="hub"' + invalid)]
    if status == 405:
        return [(b"allow", str(error.extensions.get("allow", "GET")).encode())]
    if error.code == "HANDSHAKE_INVALID":
        return [(b"sec-websocket-version", b"13")]
    return [(b"retry-after", b"1")] if status in (429, 503) else []


async def gzip(body: bytes) -> bytes:
    """The body compressed at the cheapest level."""
    return _gzip(body) if len(body) < ASIDE else await asyncio.to_thread(_gzip, body)


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, 1, wbits=31)


async def respond(scope: Scope, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send an answer that is known whole: in one piece where the server can, as ASGI's two messages elsewhere."""
    whole = scope.get("state", NO_STATE).get(WHOLE)
    if whole is None or not whole(status, headers, body):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Cors:
    """Which browser pages may call. A key travels in a header and never by itself, so no credentials mode is needed."""

    allowed: Sequence[str]

    def headers(self, origin: bytes | None) -> Headers:
        if origin is None or not self._allows(origin):
            return []
        return [
            (b"access-control-allow-origin", b"*" if "*" in self.allowed else origin),
            (b"access-control-expose-headers", b"X-Request-Id, Server-Timing, Retry-After"),
        ]

    def preflight(self, origin: bytes | None) -> Headers:
        if origin is None or not self._allows(origin):
            return []
        return [
            (b"access-control-allow-origin", b"*" if "*" in self.allowed else origin),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", b"Accept, Authorization, Content-Type, Last-Event-ID, X-Request-Id"),
            (b"access-control-max-age", b"600"),
        ]

    def admits(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may open a socket at this host: its own pages may, and those that may call."""
        scheme, _, place = origin.lower().partition("://")
        port = {"http": ":80", "https": ":443"}.get(scheme, "")
        same = place.removesuffix(port) == host.lower().removesuffix(port)
        return (bool(port) and same) or self._allows(origin.encode("latin-1"))

    def _allows(self, origin: bytes) -> bool:
        return "*" in self.allowed or origin.decode("latin-1") in self.allowed
