"""Encodes the WebSocket frames that a server sends (RFC 6455). A library parses the received ones."""

from struct import Struct

MAX_REASON_BYTES = 123  # the rest of a close frame after its code

_FINAL_TEXT = 0x81  # FIN bit and the text opcode
_SHORT_HEADERS = tuple(bytes((_FINAL_TEXT, length)) for length in range(126))
_pack_medium = Struct("!BBH").pack
_pack_long = Struct("!BBQ").pack

PING = b"\x89\x00"


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
