"""Encodes the WebSocket frames that a server sends (RFC 6455). A library parses the received ones.

TruncatingReader limits what the library buffers of a received frame."""

from collections.abc import Generator
from struct import Struct

from websockets.streams import StreamReader

MAX_REASON_BYTES = 123  # the rest of a close frame after its code

_FINAL_TEXT = 0x81  # FIN bit and the text opcode
_SHORT_HEADERS = tuple(bytes((_FINAL_TEXT, length)) for length in range(126))
_pack_medium = Struct("!BBH").pack
_pack_long = Struct("!BBQ").pack

PING = b"\x89\x00"


class TruncatingReader(StreamReader):
    """Returns at most `limit` + 1 bytes of a longer payload and discards the rest, so that its frame can be answered."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        data = yield from super().read_exact(min(n, self._limit + 1))
        remaining = n - len(data)
        while remaining:
            size = min(remaining, len(self.buffer))
            if size:
                del self.buffer[:size]
                remaining -= size
            elif self.eof:
                raise EOFError("stream ends within a frame")
            else:
                yield
        return data


def text_frame(*parts: bytes) -> bytes:
    """Returns the frame of one text message, whose payload is the joined parts."""
    payload = b"".join(parts)
    length = len(payload)
    if length < 126:
        return _SHORT_HEADERS[length] + payload
    if length < 65_536:
        return _pack_medium(_FINAL_TEXT, 126, length) + payload
    return _pack_long(_FINAL_TEXT, 127, length) + payload


def truncate_reason(text: str) -> str:
    """Truncates a text to the length that a close frame can hold."""
    return text.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
