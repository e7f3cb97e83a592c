"""Signatures of Standard Webhooks: HMAC-SHA256 over the id, the time and the exact bytes; made here, and checked."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

TOLERANCE = 300.0  # seconds that a signature's time may be off


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, with the version of its scheme before it."""
    digest = hmac.new(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery; the signatures of all secrets stand beside each other."""
    signatures = " ".join(signature(secret, message_id, timestamp, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def verify(secret: bytes, request_headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a delivery was signed with this secret, not long ago; header names are in small letters."""
    timestamp = request_headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE:
        return False
    expected = signature(secret, request_headers.get("webhook-id", ""), int(timestamp), body)
    signatures = request_headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in signatures)
