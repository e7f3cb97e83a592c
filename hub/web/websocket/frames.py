"""The bytes of WebSocket frames that a server sends (RFC 6455), made at once and whole. Reading them is a library's."""

from struct import Struct

MOST_IN_A_REASON = 123  # bytes, beside the code of a close frame

_TEXT = 0x81  # a whole message, and text
_SHORT = tuple(bytes((_TEXT, length)) for length in range(126))
_medium = Struct("!BBH").pack
_long = Struct("!BBQ").pack

PING = b"\x89\x00"


def text(*parts: bytes) -> bytes:
    """One message, the parts joined."""
    payload = b"".join(parts)
    length = len(payload)
    if length < 126:
        return _SHORT[length] + payload
    if length < 65_536:
        return _medium(_TEXT, 126, length) + payload
    return _long(_TEXT, 127, length) + payload


def reason(why: str) -> str:
    """As much of a text as a close frame holds."""
    return why.encode()[:MOST_IN_A_REASON].decode(errors="ignore")
