"""Change cursors: an encrypted, signed epoch and position, and the check whether a stream can resume from one.

Positions count the changes of all customers, so no client may read them. Cursors share the format of list cursors, so a
cursor passed to the wrong argument is detected. No database access."""

import binascii
import hmac
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hub.db.change_positions import CursorExpired, FeedState
from hub.engine.cursors import list_fingerprint, sign, signing_key, verify
from hub.errors import BadInput

LIST_FINGERPRINT = list_fingerprint("changes")
EPOCH_BYTES, POSITION_BYTES = 6, 8
BLOCK_BYTES = 16  # of AES
SEAL_LABEL = b"seal of change cursors"
CACHE_SIZE = 2_048  # encoded cursors; every stream needs the latest one and the one before
URLSAFE = bytes.maketrans(b"+/", b"-_")
RESYNC_HINT = "read the rows again, then continue from a new cursor."


class ChangeCursors:
    """Seals and opens change cursors with the secret that all processes of the hub share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = signing_key(secret, LIST_FINGERPRINT)
        # A cursor is one block, different for each position, and equal for equal positions. So the plain permutation suffices.
        cipher = Cipher(algorithms.AES(hmac.digest(secret, SEAL_LABEL, "sha256")), modes.ECB())
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self.encode = lru_cache(CACHE_SIZE)(self._encode)

    def _encode(self, epoch: int, position: int) -> str:
        """Returns the cursor; its length does not depend on the values."""
        return self._text(self._encryptor.update(_plain(epoch, position).ljust(BLOCK_BYTES, b"\0")))

    def signed_only(self, epoch: int, position: int) -> str:
        """Returns the cursor as earlier versions gave it out, unencrypted: an identity that upgrades do not change."""
        return self._text(_plain(epoch, position))

    def _text(self, payload: bytes) -> str:
        signed = LIST_FINGERPRINT + sign(self._key, payload) + payload
        return binascii.b2a_base64(signed, newline=False).translate(URLSAFE).rstrip(b"=").decode()

    def decode(self, text: str, argument: str) -> tuple[int, int]:
        """Returns epoch and position; raises CURSOR_MALFORMED, or CURSOR_WRONG_LIST for a list cursor."""
        payload = verify(text, LIST_FINGERPRINT, self._secret, argument)
        if len(payload) == BLOCK_BYTES:  # cursors of earlier versions are shorter, and not encrypted
            payload = self._decryptor.update(payload)[: EPOCH_BYTES + POSITION_BYTES]
        return int.from_bytes(payload[:EPOCH_BYTES]), int.from_bytes(payload[EPOCH_BYTES:])


def _plain(epoch: int, position: int) -> bytes:
    return epoch.to_bytes(EPOCH_BYTES) + position.to_bytes(POSITION_BYTES)


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
