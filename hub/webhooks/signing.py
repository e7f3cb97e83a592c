"""Signs and verifies Standard Webhooks: HMAC-SHA256 over the id, the timestamp and the exact body bytes."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

TOLERANCE = 300.0  # seconds between a signature's timestamp and now


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Returns one signature, prefixed with the version of its scheme."""
    digest = hmac.new(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the three headers of a delivery. The signature header has one signature per secret."""
    signatures = " ".join(signature(secret, message_id, timestamp, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def verify(secret: bytes, request_headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a delivery was signed with this secret within TOLERANCE of `now`. Header names must be lowercase."""
    timestamp = request_headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE:
        return False
    expected = signature(secret, request_headers.get("webhook-id", ""), int(timestamp), body)
    signatures = request_headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in signatures)
