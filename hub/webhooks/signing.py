"""Signatures of Standard Webhooks: HMAC-SHA256 over the id, the time and the exact bytes; made here, and checked."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

TOLERANCE = 300.0  # seconds that a signature's time may be off


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """One signature, with the version of its scheme before it."""
    told = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(told).decode()


def headers(secrets: Sequence[bytes], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery; the signatures of all secrets stand beside each other."""
    signed = " ".join(signature(each, id, timestamp, body) for each in secrets)
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signed}


def verified(secret: bytes, given: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a delivery was signed with this secret, not long ago; header names are in small letters."""
    stamp = given.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE:
        return False
    expected = signature(secret, given.get("webhook-id", ""), int(stamp), body)
    shown = given.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), each.encode()) for each in shown)
