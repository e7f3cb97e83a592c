"""Cursors of the order of changes: an epoch and a position, sealed; and whether it can be gone on from one. Knows no database.

They are written as those of lists are, so that each is told from the other when it is passed in the wrong place."""

import binascii
from functools import lru_cache

from hub.db.change_positions import Forgotten, Standing
from hub.engine.cursors import key_of, mark_of, seal, unsealed
from hub.errors import BadInput

MARK = mark_of("changes")
EPOCH, POSITION = 6, 8  # bytes; with mark and seal they make 40 letters without padding
RECENT = 2_048  # cursors that are known by heart: everybody asks for the latest, and for the one before
LETTERS = bytes.maketrans(b"+/", b"-_")
ANEW = "read the rows anew, then go on from a new cursor."


class Cursors:
    """Seals and opens them with what the hub's processes share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = key_of(secret, MARK)
        self.sealed = lru_cache(RECENT)(self._sealed)

    def _sealed(self, epoch: int, position: int) -> str:
        """The cursor, which has the same length whatever it holds."""
        payload = epoch.to_bytes(EPOCH) + position.to_bytes(POSITION)
        return binascii.b2a_base64(MARK + seal(self._key, payload) + payload, newline=False).translate(LETTERS).decode()

    def opened(self, text: str, argument: str) -> tuple[int, int]:
        """Its epoch and position; raises CURSOR_MALFORMED, or CURSOR_WRONG_LIST for a cursor of a list."""
        payload = unsealed(text, MARK, self._secret, argument)
        return int.from_bytes(payload[:EPOCH]), int.from_bytes(payload[EPOCH:])


def resumed(standing: Standing, epoch: int, position: int) -> int:
    """The position to go on after; raises CURSOR_FORKED, CURSOR_AHEAD or CURSOR_EXPIRED.

    Only a standing that was read after the cursor was handed in refuses: an older one may not know yet what has come since."""
    if epoch != standing.epoch and position > standing.ended.get(epoch, -1):
        raise forked()
    if position > standing.head:
        raise BadInput(
            f"after: this cursor is beyond the last change; if it still is in a second, {ANEW}",
            code="CURSOR_AHEAD",
            argument="after",
        )
    if position < standing.least_position - 1:
        raise Forgotten
    return position


def forked() -> BadInput:
    """What those are told who know of changes that the database has lost."""
    message = f"after: this cursor comes from a time that the database has lost; {ANEW}"
    return BadInput(message, code="CURSOR_FORKED", argument="after")
