"""Cursors: the sort keys of a row, signed, and marked with the list that they belong to.

A cursor is base64url(fingerprint ‖ signature ‖ keys): the fingerprint tells lists apart, the signature is 10 bytes of
a nested SHA-256 under a key that is derived for the list, the keys are a JSON array of texts. Cursors are written by the
statement (see `signed_cursor_expression`) and opened here."""

import base64
import binascii
import hashlib
import hmac
import json

import sqlalchemy as sa

from hub.engine.plan.list_nodes import CursorSigning
from hub.engine.sql.expressions import sql_literal
from hub.errors import BadInput

FINGERPRINT_BYTES = 6
SIGNATURE_BYTES = 10


def list_fingerprint(list_signature: str) -> bytes:
    """What tells a list's cursors from those of others; the signature names the list, its order and its search."""
    return hashlib.sha256(list_signature.encode()).digest()[:FINGERPRINT_BYTES]


def signing_key(secret: bytes, fingerprint: bytes) -> bytes:
    """The list's own signing key."""
    return hmac.digest(secret, fingerprint, "sha256")


def sign(key: bytes, payload: bytes) -> bytes:
    """What nobody can write who does not have the key."""
    return hashlib.sha256(key + hashlib.sha256(key + payload).digest()).digest()[:SIGNATURE_BYTES]


def signed_cursor_expression(cursor_signing: CursorSigning, keys: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The SQL expression that turns the text of a JSON array of keys into a cursor."""
    fingerprint = sa.bindparam(cursor_signing.list_fingerprint.name, type_=cursor_signing.list_fingerprint.type)
    key = sa.bindparam(cursor_signing.signing_key.name, type_=cursor_signing.signing_key.type)
    payload = sa.func.convert_to(keys, sql_literal("'UTF8'"))
    signature = sa.func.substring(
        sa.func.sha256(key.op("||")(sa.func.sha256(key.op("||")(payload)))),
        sql_literal("1"),
        sql_literal(str(SIGNATURE_BYTES)),
    )
    text = sa.func.encode(fingerprint.op("||")(signature).op("||")(payload), sql_literal("'base64'"))
    return sa.func.translate(text, sql_literal("E'+/=\\n'"), sql_literal("'-_'"))


def decode(text: str, fingerprint: bytes, secret: bytes, argument: str) -> list[str]:
    """The keys inside a cursor; raises CURSOR_MALFORMED or CURSOR_WRONG_LIST naming the argument."""
    keys: list[str] = json.loads(verify(text, fingerprint, secret, argument))
    return keys


def verify(text: str, fingerprint: bytes, secret: bytes, argument: str) -> bytes:
    """What is inside a cursor, whatever it is; raises the same."""
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
        f"{argument}: {text[:40]!r} is not a cursor of this hub; pass a cursor of an earlier page unchanged.",
        code="CURSOR_MALFORMED",
        argument=argument,
    )
