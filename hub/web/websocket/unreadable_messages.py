"""The id of a `subscribe` message that cannot be read as a whole: no valid JSON, or larger than the limit.

With the id, the operation gets an `error` message and the socket's other operations go on."""

import json
import re
from typing import TypeGuard

MAX_ID_LENGTH = 256

# The members that clients write before the payload; longer ones are not searched.
_PREFIX_BYTES = 4_096
_UNTIL_PAYLOAD = re.compile(
    rb'\s*\{(?:\s*"(?:id|type)"\s*:\s*"(?:[^"\\\x00-\x1f]|\\.)*"\s*,)+\s*"payload"\s*:', re.DOTALL
)


def is_operation_id(value: object) -> TypeGuard[str]:
    """Whether a value can be the id of an operation: a string of 1 to 256 characters that UTF-8 can encode."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def subscribe_id(text: bytes) -> str | None:
    """Returns the id of a `subscribe` message from its text or the beginning of its text; None if it cannot be read."""
    beginning = _UNTIL_PAYLOAD.match(text, 0, _PREFIX_BYTES)
    return (_read_id(beginning[0] + b"null}") if beginning else None) or _read_id(text)


def _read_id(text: bytes) -> str | None:
    try:
        # This parser also reads lone surrogates and numbers beyond a double. An object becomes a tuple of its members.
        members = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, tuple):
        return None
    types, ids = ([value for name, value in members if name == member] for member in ("type", "id"))
    return ids[0] if types == ["subscribe"] and len(ids) == 1 and is_operation_id(ids[0]) else None
