"""Cursors of the order of changes: an epoch and a position, signed; and whether it can be gone on from one. Knows no database.

They are written as those of lists are, so that each is told from the other when it is passed in the wrong place."""

import binascii
from functools import lru_cache

from hub.db.change_positions import CursorExpired, FeedState
from hub.engine.cursors import list_fingerprint, sign, signing_key, verify
from hub.errors import BadInput

LIST_FINGERPRINT = list_fingerprint("changes")
EPOCH_BYTES, POSITION_BYTES = 6, 8  # bytes; with fingerprint and signature they make 40 letters without padding
CACHE_SIZE = 2_048  # cursors that are known by heart: everybody asks for the latest, and for the one before
URLSAFE = bytes.maketrans(b"+/", b"-_")
RESYNC_HINT = "read the rows anew, then go on from a new cursor."


class ChangeCursors:
    """Signs and opens them with what the hub's processes share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = signing_key(secret, LIST_FINGERPRINT)
        self.encode = lru_cache(CACHE_SIZE)(self._encode)

    def _encode(self, epoch: int, position: int) -> str:
        """The cursor, which has the same length whatever it holds."""
        payload = epoch.to_bytes(EPOCH_BYTES) + position.to_bytes(POSITION_BYTES)
        return (
            binascii.b2a_base64(LIST_FINGERPRINT + sign(self._key, payload) + payload, newline=False)
            .translate(URLSAFE)
            .decode()
        )

    def decode(self, text: str, argument: str) -> tuple[int, int]:
        """Its epoch and position; raises CURSOR_MALFORMED, or CURSOR_WRONG_LIST for a cursor of a list."""
        payload = verify(text, LIST_FINGERPRINT, self._secret, argument)
        return int.from_bytes(payload[:EPOCH_BYTES]), int.from_bytes(payload[EPOCH_BYTES:])


def resume_position(state: FeedState, epoch: int, position: int) -> int:
    """The position to go on after; raises CURSOR_FORKED, CURSOR_AHEAD or CURSOR_EXPIRED.

    Only a standing that was read after the cursor was handed in refuses: an older one may not know yet what has come since."""
    if epoch != state.epoch and position > state.epoch_ends.get(epoch, -1):
        raise cursor_forked()
    if position > state.last_position:
        raise BadInput(
            f"after: this cursor is beyond the last change; if it still is in a second, {RESYNC_HINT}",
            code="CURSOR_AHEAD",
            argument="after",
        )
    if position < state.least_position - 1:
        raise CursorExpired
    return position


def cursor_forked() -> BadInput:
    """What those are told who know of changes that the database has lost."""
    message = f"after: this cursor comes from a time that the database has lost; {RESYNC_HINT}"
    return BadInput(message, code="CURSOR_FORKED", argument="after")
