"""The WebSocket handshake: validates an upgrade request and returns a frame parser and the response. Opens nothing."""

import logging
from collections.abc import Generator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import httptools
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from hub.errors import BadInput, Forbidden, NotFound
from hub.web.http.endpoint import PATH
from hub.web.http.responses import Cors
from hub.web.websocket.frames import TruncatingReader
from hub.web.websocket.session import SUBPROTOCOL

SUPPORTED_SUBPROTOCOL = Subprotocol(SUBPROTOCOL)
# Bytes of one message that are received, and discarded beyond the limit; the announcement of a longer one closes the socket.
MAX_DISCARDED = 32 * 1024 * 1024
LOGGER = logging.getLogger("hub.websockets")


class WebSocketParser(ServerProtocol):
    """A server-side parser that accepts graphql-transport-ws as the only sub-protocol.

    It truncates a frame longer than `limit` to one byte more, so that the session can reject its operation alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        super().__init__(state=State.OPEN, max_size=max(MAX_DISCARDED, limit), logger=LOGGER)

    def parse(self) -> Generator[None, None, None]:
        self.reader = TruncatingReader(self._limit)
        yield from super().parse()

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        return SUPPORTED_SUBPROTOCOL if SUPPORTED_SUBPROTOCOL in subprotocols else None


class Handshake(NamedTuple):
    """An accepted upgrade request: the parser of frames, the bytes of the response, and headers of the request.

    If the client offers no supported sub-protocol, the parser's `subprotocol` is None."""

    parser: ServerProtocol
    response: bytes
    authorization: bytes | None
    forwarded: bytes | None  # X-Forwarded-For


def accept_handshake(url: bytes, raw_headers: Sequence[tuple[bytes, bytes]], cors: Cors, frame_limit: int) -> Handshake:
    """Accepts an upgrade request; raises HubError."""
    path = _path(url)
    if path != PATH:
        raise NotFound(f"There is no WebSocket at {path[:64]!r}; the API is at {PATH}.")
    headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw_headers])
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    if origins and (len(origins) != 1 or len(hosts) != 1 or not cors.allows_websocket(origins[0], hosts[0])):
        message = f"Origin {origins[0][:64]!r} may not call this hub; its operator can add it to HUB_ALLOWED_ORIGINS."
        raise Forbidden(message)
    parser = WebSocketParser(frame_limit)
    response = parser.accept(Request(url.decode("latin-1"), headers))
    if parser.handshake_exc is not None:
        message = f"The WebSocket handshake (RFC 6455, version 13) is invalid: {str(parser.handshake_exc)[:200]}."
        _break_cycles(parser)
        raise BadInput(message, code="HANDSHAKE_INVALID")
    authorization, forwarded = headers.get_all("Authorization"), headers.get_all("X-Forwarded-For")
    return Handshake(
        parser,
        response.serialize(),
        authorization[0].encode("latin-1") if len(authorization) == 1 else None,
        ",".join(forwarded).encode("latin-1") if forwarded else None,
    )


def _break_cycles(parser: ServerProtocol) -> None:
    """Breaks the reference cycles of a rejected handshake: the tracebacks hold the parser, and the parser holds itself."""
    error: BaseException | None = parser.handshake_exc
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__
    parser.parser.close()


def _path(url: bytes) -> str:
    try:
        path: bytes = httptools.parse_url(url).path or b""
        return unquote(path.decode("ascii"), errors="strict")
    except (httptools.HttpParserError, UnicodeDecodeError):
        return ""
