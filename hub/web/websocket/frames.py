"""The bytes of WebSocket frames that a server sends (RFC 6455), made at once and whole. Reading them is a library's."""

from struct import Struct

MAX_REASON_BYTES = 123  # bytes, beside the code of a close frame

_FINAL_TEXT = 0x81  # a whole message, and text
_SHORT_HEADERS = tuple(bytes((_FINAL_TEXT, length)) for length in range(126))
_pack_medium = Struct("!BBH").pack
_pack_long = Struct("!BBQ").pack

PING = b"\x89\x00"


def text_frame(*parts: bytes) -> bytes:
    """One message, the parts joined."""
    payload = b"".join(parts)
    length = len(payload)
    if length < 126:
        return _SHORT_HEADERS[length] + payload
    if length < 65_536:
        return _pack_medium(_FINAL_TEXT, 126, length) + payload
    return _pack_long(_FINAL_TEXT, 127, length) + payload


def truncate_reason(text: str) -> str:
    """As much of a text as a close frame holds."""
    return text.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
