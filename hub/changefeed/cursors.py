"""Change cursors: a signed epoch and position, and the check whether a stream can resume from one.

They share the format of list cursors, so a cursor passed to the wrong argument is detected. No database access."""

import binascii
from functools import lru_cache

from hub.db.change_positions import CursorExpired, FeedState
from hub.engine.cursors import list_fingerprint, sign, signing_key, verify
from hub.errors import BadInput

LIST_FINGERPRINT = list_fingerprint("changes")
EPOCH_BYTES, POSITION_BYTES = 6, 8  # bytes; with fingerprint and signature they encode to 40 characters without padding
CACHE_SIZE = 2_048  # encoded cursors; every stream needs the latest one and the one before
URLSAFE = bytes.maketrans(b"+/", b"-_")
RESYNC_HINT = "read the rows again, then continue from a new cursor."


class ChangeCursors:
    """Signs and verifies change cursors with the secret that all processes of the hub share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = signing_key(secret, LIST_FINGERPRINT)
        self.encode = lru_cache(CACHE_SIZE)(self._encode)

    def _encode(self, epoch: int, position: int) -> str:
        """Returns the cursor; its length does not depend on the values."""
        payload = epoch.to_bytes(EPOCH_BYTES) + position.to_bytes(POSITION_BYTES)
        return (
            binascii.b2a_base64(LIST_FINGERPRINT + sign(self._key, payload) + payload, newline=False)
            .translate(URLSAFE)
            .decode()
        )

    def decode(self, text: str, argument: str) -> tuple[int, int]:
        """Returns epoch and position; raises CURSOR_MALFORMED, or CURSOR_WRONG_LIST for a list cursor."""
        payload = verify(text, LIST_FINGERPRINT, self._secret, argument)
        return int.from_bytes(payload[:EPOCH_BYTES]), int.from_bytes(payload[EPOCH_BYTES:])


def resume_position(state: FeedState, epoch: int, position: int) -> int:
    """Returns the position to resume after; raises CURSOR_FORKED, CURSOR_AHEAD or CURSOR_EXPIRED.

    `state` must be read after the cursor arrived: an older state may not include newer positions."""
    if epoch != state.epoch and position > state.epoch_ends.get(epoch, -1):
        raise cursor_forked()
    if position > state.last_position:
        raise BadInput(
            f"after: this cursor is beyond the last change; retry in a second, and if it still fails, {RESYNC_HINT}",
            code="CURSOR_AHEAD",
            argument="after",
        )
    if position < state.least_position - 1:
        raise CursorExpired
    return position


def cursor_forked() -> BadInput:
    """The error for a cursor that points to changes the database has lost."""
    message = f"after: this cursor points to changes that the database has lost; {RESYNC_HINT}"
    return BadInput(message, code="CURSOR_FORKED", argument="after")
