"""Cursors: the sort keys of a row, signed, and marked with the list that they belong to.

A cursor is base64url(mark ‖ seal ‖ keys): the mark tells lists apart, the seal is 10 bytes of a nested SHA-256 under a key
that is derived for the list, the keys are a JSON array of texts. Cursors are written by the statement (see
`sealed`) and opened here."""

import base64
import binascii
import hashlib
import hmac
import json

import sqlalchemy as sa

from hub.engine.catalog.scalars import raw
from hub.engine.plan.list_nodes import Cursors
from hub.errors import BadInput

MARK = 6
SEAL = 10


def mark_of(signature: str) -> bytes:
    """What tells a list's cursors from those of others; the signature names the list, its order and its search."""
    return hashlib.sha256(signature.encode()).digest()[:MARK]


def key_of(secret: bytes, mark: bytes) -> bytes:
    """The list's own signing key."""
    return hmac.digest(secret, mark, "sha256")


def seal(key: bytes, payload: bytes) -> bytes:
    """What nobody can write who does not have the key."""
    return hashlib.sha256(key + hashlib.sha256(key + payload).digest()).digest()[:SEAL]


def sealed(cursors: Cursors, keys: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The SQL expression that turns the text of a JSON array of keys into a cursor."""
    mark = sa.bindparam(cursors.mark.name, type_=cursors.mark.type)
    key = sa.bindparam(cursors.key.name, type_=cursors.key.type)
    payload = sa.func.convert_to(keys, raw("'UTF8'"))
    seal = sa.func.substring(
        sa.func.sha256(key.op("||")(sa.func.sha256(key.op("||")(payload)))),
        raw("1"),
        raw(str(SEAL)),
    )
    text = sa.func.encode(mark.op("||")(seal).op("||")(payload), raw("'base64'"))
    return sa.func.translate(text, raw("E'+/=\\n'"), raw("'-_'"))


def opened(text: str, mark: bytes, secret: bytes, argument: str) -> list[str]:
    """The keys inside a cursor; raises CURSOR_MALFORMED or CURSOR_WRONG_LIST naming the argument."""
    keys: list[str] = json.loads(unsealed(text, mark, secret, argument))
    return keys


def unsealed(text: str, mark: bytes, secret: bytes, argument: str) -> bytes:
    """What is inside a cursor, whatever it is; raises the same."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    found, sealing, payload = packed[:MARK], packed[MARK : MARK + SEAL], packed[MARK + SEAL :]
    if payload and hmac.compare_digest(sealing, seal(key_of(secret, found), payload)):
        if found == mark:
            return payload
        raise BadInput(
            f"{argument}: the cursor comes from another list, order or search; use it where it was given.",
            code="CURSOR_WRONG_LIST",
            argument=argument,
        )
    raise BadInput(
        f"{argument}: {text[:40]!r} is not a cursor of this hub; pass a cursor of an earlier page unchanged.",
        code="CURSOR_MALFORMED",
        argument=argument,
    )
