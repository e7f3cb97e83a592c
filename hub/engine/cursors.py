"""The cursor codec: the sort keys of a row, signed, with the fingerprint of the list that they belong to.

A cursor is base64url(fingerprint ‖ signature ‖ keys). The signature is 10 bytes of a nested SHA-256 under a key that is
derived for the list; the keys are a JSON array of texts. Statements write the cursors (see sql/cursors.py)."""

import base64
import binascii
import hashlib
import hmac
import json

from hub.errors import BadInput

FINGERPRINT_BYTES = 6
SIGNATURE_BYTES = 10


def list_fingerprint(list_signature: str) -> bytes:
    """The fingerprint that a list's cursors carry; `list_signature` names the list, its order and its search."""
    return hashlib.sha256(list_signature.encode()).digest()[:FINGERPRINT_BYTES]


def signing_key(secret: bytes, fingerprint: bytes) -> bytes:
    """The signing key of one list, derived from the hub's secret."""
    return hmac.digest(secret, fingerprint, "sha256")


def sign(key: bytes, payload: bytes) -> bytes:
    """The signature of a payload, which nobody can forge without the key."""
    return hashlib.sha256(key + hashlib.sha256(key + payload).digest()).digest()[:SIGNATURE_BYTES]


def decode(text: str, fingerprint: bytes, secret: bytes, argument: str) -> list[str]:
    """The keys inside a cursor; raises CURSOR_MALFORMED or CURSOR_WRONG_LIST naming the argument."""
    keys: list[str] = json.loads(verify(text, fingerprint, secret, argument))
    return keys


def verify(text: str, fingerprint: bytes, secret: bytes, argument: str) -> bytes:
    """The payload of a cursor; raises CURSOR_MALFORMED or CURSOR_WRONG_LIST naming the argument."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    cursor_fingerprint, signature, payload = (
        decoded[:FINGERPRINT_BYTES],
        decoded[FINGERPRINT_BYTES : FINGERPRINT_BYTES + SIGNATURE_BYTES],
        decoded[FINGERPRINT_BYTES + SIGNATURE_BYTES :],
    )
    if payload and hmac.compare_digest(signature, sign(signing_key(secret, cursor_fingerprint), payload)):
        if cursor_fingerprint == fingerprint:
            return payload
        raise BadInput(
            f"{argument}: the cursor comes from another list, order or search; use it in the list that it comes from.",
            code="CURSOR_WRONG_LIST",
            argument=argument,
        )
    raise BadInput(
        f"{argument}: {text[:40]!r} is not a cursor of this hub; send a cursor of an earlier page unchanged.",
        code="CURSOR_MALFORMED",
        argument=argument,
    )
