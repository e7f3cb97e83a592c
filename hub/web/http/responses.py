"""HTTP responses: status codes, headers, compression and CORS. Callers provide the body."""

import asyncio
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any

import orjson
from starlette.types import Scope, Send

from hub.errors import HubError, Unavailable

HeaderList = list[tuple[bytes, bytes]]

ALLOWED_METHODS = b"GET, POST, OPTIONS"
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
TEXT_SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
)
VARY = (b"vary", b"Accept, Accept-Encoding, Origin")

# Request headers of common clients: Apollo Client, Relay and graphql-sse; Sentry, OpenTelemetry and other tracing.
# A page may send any other header too; these are named to whoever asks without naming any.
CLIENT_HEADERS = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "X-Request-Id",
    "X-Cost-Report",
    "Apollo-Require-Preflight",
    "ApolloGraphQL-Client-Name",
    "ApolloGraphQL-Client-Version",
    "GraphQL-Require-Preflight",
    "X-Apollo-Operation-Id",
    "X-Apollo-Operation-Name",
    "X-Apollo-Operation-Type",
    "B3",
    "Baggage",
    "Cache-Control",
    "Sentry-Trace",
    "Traceparent",
    "Tracestate",
    "X-Correlation-Id",
    "X-Requested-With",
)
MAX_REQUESTED_HEADERS = 2_048  # bytes of Access-Control-Request-Headers
HEADER_NAMES_PATTERN = re.compile(rb"[\w!#$%&'*+.^`|~, \t-]*", re.ASCII)  # RFC 9110, 5.6.2, joined by commas

CLOSE_CONNECTION = (b"connection", b"close")
# Keys of functions that web/http_protocol.py stores in the request's state:
WHOLE_RESPONSE = "hub.send_whole"  # sends a complete response in one write
ABORT_CONNECTION = (
    "hub.abort_connection"  # closes the connection at once, without an error about the incomplete response
)
NO_STATE: Mapping[str, Any] = MappingProxyType({})

# Larger bodies are compressed in a thread, because they would block the event loop for over a millisecond.
COMPRESS_IN_THREAD = 65_536

CLIENT_CLOSED_REQUEST = 499  # for the log only; no client receives it
STATUS_BY_CODE = {
    # As Apollo Server: the client sends the request again, with the document.
    "PERSISTED_QUERY_NOT_FOUND": 200,
    "PERSISTED_QUERY_NOT_SUPPORTED": 200,
    "UNAUTHENTICATED": 401,
    "KEY_UNKNOWN": 401,
    "KEY_REVOKED": 401,
    "KEY_EXPIRED": 401,
    "TOKEN_MALFORMED": 401,
    "TOKEN_TOO_LARGE": 401,
    "TOKEN_ENCRYPTED": 401,
    "TOKEN_ALGORITHM_FORBIDDEN": 401,
    "TOKEN_HEADER_UNSUPPORTED": 401,
    "TOKEN_ISSUER_UNKNOWN": 401,
    "TOKEN_AUDIENCE_WRONG": 401,
    "TOKEN_KEY_UNKNOWN": 401,
    "TOKEN_SIGNATURE_INVALID": 401,
    "TOKEN_EXPIRY_MISSING": 401,
    "TOKEN_EXPIRED": 401,
    "TOKEN_NOT_YET_VALID": 401,
    "KEY_ROTATED": 401,
    "KEY_STAFF_LEFT": 401,
    "KEY_NETWORK": 403,
    "FORBIDDEN": 403,
    "KEY_REQUIRED": 403,
    "TOKEN_UNMAPPED": 403,
    "TOKEN_STAFF_LEFT": 403,
    "DOCUMENT_UNTRUSTED": 403,
    "EXPORT_RIGHTS_CHANGED": 403,
    "LINK_INVALID": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_ACCEPTABLE": 406,
    "REQUEST_TIMEOUT": 408,
    "EXPORT_NOT_READY": 409,
    "UPLOAD_OFFSET": 409,
    "EXPORT_EXPIRED": 410,
    "BODY_TOO_LARGE": 413,
    "MEDIA_TYPE_UNSUPPORTED": 415,
    "UPLOAD_LIMIT": 429,
    "SOCKET_LIMIT": 429,
    "OPERATION_LIMIT": 429,
    "THROTTLED": 429,
    "HEADERS_TOO_LARGE": 431,
    "INTERNAL": 500,
    "DISK_FULL": 503,
    "TOKEN_ISSUER_UNAVAILABLE": 503,
    "UNAVAILABLE": 503,
    "HTTP_VERSION_UNSUPPORTED": 505,
}


def status_of(error: HubError) -> int:
    """Returns the HTTP status of an error."""
    if isinstance(error, Unavailable):
        return 503
    return STATUS_BY_CODE.get(error.code, 400)


def error_body(error: HubError) -> bytes:
    """Returns an error as the body of a GraphQL response."""
    return orjson.dumps({"errors": [error.to_graphql()]})


def error_headers(error: HubError) -> HeaderList:
    """Returns the headers that HTTP requires or recommends for the error's status."""
    status = status_of(error)
    if status == 401:
        error_parameter = b"" if error.code == "UNAUTHENTICATED" else b', error="invalid_token"'
        return [(b"www-authenticate", b'Bearer realm="hub"' + error_parameter)]
    if status == 405:
        return [(b"allow", str(error.extensions.get("allow", "GET")).encode())]
    if error.code == "HANDSHAKE_INVALID":
        return [(b"sec-websocket-version", b"13")]
    return retry_headers(status, float(str(error.extensions.get("retryAfter", 0))))


def retry_headers(status: int, seconds: float) -> HeaderList:
    """Returns Retry-After, which counts whole seconds, for a status that asks to come back; 0 stands for one second."""
    return [(b"retry-after", b"%d" % max(1, ceil(seconds)))] if status in (429, 503) else []


async def gzip(body: bytes) -> bytes:
    """Compresses a body at the fastest level."""
    return _gzip(body) if len(body) < COMPRESS_IN_THREAD else await asyncio.to_thread(_gzip, body)


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, 1, wbits=31)


async def send_response(scope: Scope, send: Send, status: int, headers: HeaderList, body: bytes) -> None:
    """Sends a complete response: in one write if the server supports it, else as the two ASGI messages."""
    send_whole = scope.get("state", NO_STATE).get(WHOLE_RESPONSE)
    if send_whole is None or not send_whole(status, headers, body):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Cors:
    """The browser origins that may call. Keys travel in an explicit header, so credentials mode is not needed."""

    allowed_origins: Sequence[str]

    def headers(self, origin: bytes | None) -> HeaderList:
        """Returns the CORS headers of a response; none for an origin that is not allowed."""
        if origin is None or not self._allows(origin):
            return []
        return [
            (b"access-control-allow-origin", b"*" if "*" in self.allowed_origins else origin),
            (b"access-control-expose-headers", b"X-Request-Id, Server-Timing, Retry-After"),
        ]

    def preflight(self, origin: bytes | None, requested_headers: bytes | None = None) -> HeaderList:
        """Returns the CORS headers of a preflight response; none for an origin that is not allowed.

        An allowed origin may send any header: every tool adds its own, and no header but Authorization has rights."""
        if origin is None or not self._allows(origin):
            return []
        return [
            (b"access-control-allow-origin", b"*" if "*" in self.allowed_origins else origin),
            (b"access-control-allow-methods", ALLOWED_METHODS),
            (b"access-control-allow-headers", _allowed_headers(requested_headers or b"")),
            (b"access-control-max-age", b"600"),
            (b"vary", b"Origin, Access-Control-Request-Headers"),
        ]

    def allows_websocket(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may open a WebSocket: the hub's own pages and the allowed origins may."""
        scheme, _, authority = origin.lower().partition("://")
        port = {"http": ":80", "https": ":443"}.get(scheme, "")
        same_origin = authority.removesuffix(port) == host.lower().removesuffix(port)
        return (bool(port) and same_origin) or self._allows(origin.encode("latin-1"))

    def _allows(self, origin: bytes) -> bool:
        return "*" in self.allowed_origins or origin.decode("latin-1") in self.allowed_origins


def _allowed_headers(requested: bytes) -> bytes:
    """Returns the headers of common clients and the requested ones, unless these are malformed or too many."""
    names = list(CLIENT_HEADERS)
    if len(requested) <= MAX_REQUESTED_HEADERS and HEADER_NAMES_PATTERN.fullmatch(requested):
        known = {name.lower() for name in names}
        names += sorted({name for part in requested.decode().lower().split(",") if (name := part.strip())} - known)
    return ", ".join(names).encode()
