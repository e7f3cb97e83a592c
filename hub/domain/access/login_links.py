"""Login links, which open the pages once, and the sessions that they start: short-lived keys with another key's rights.

A link's token stands behind `#` in its URL, so that no request line, log or referrer contains it."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import api_keys
from hub.errors import BadInput, Forbidden, NotFound
from hub.model.columns import SECRET, foreign_key, metadata, timestamp
from hub.schema.access.api_keys import ApiKey
from hub.viewer import ADMIN, Viewer

PATH = "/graphiql#link="  # before the token
LINK_LIFETIME = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(hours=12)
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")

LoginLink = sa.Table(
    "login_links",
    metadata,
    sa.Column(
        "hash",
        sa.LargeBinary,
        primary_key=True,
        comment="SHA-256 of the link's token; the token itself is not stored.",
        info={SECRET: True},
    ),
    foreign_key("key_id", "api_keys.id", "The key whose rights the session gets.", ondelete="CASCADE"),
    sa.Column("expires_at", timestamp(), nullable=False, comment="Time when the link expires."),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_is_sha256"),
    comment="A link that starts one session of the pages; it is deleted when it is used.",
)
sa.Index("ix_login_links_key_id", LoginLink.c.key_id)

_hash, _now = sa.bindparam("hash", type_=sa.LargeBinary), sa.bindparam("now", type_=timestamp())
_INSERT = to_sql(
    sa.insert(LoginLink).values(
        hash=_hash,
        key_id=sa.bindparam("key_id", type_=sa.Uuid),
        expires_at=sa.bindparam("expires_at", type_=timestamp()),
    )
)
_PURGE = to_sql(sa.delete(LoginLink).where(LoginLink.c.expires_at <= _now))
_USE = to_sql(
    sa.delete(LoginLink)
    .where(LoginLink.c.hash == _hash, LoginLink.c.expires_at > _now, ApiKey.c.id == LoginLink.c.key_id)
    # The session is the work of the link's key, as the change log and the audit log say.
    .returning(
        ApiKey.c.public_id,
        sa.func.set_config(
            sa.literal_column("'hub.actor'"), sa.literal_column("'key:'") + ApiKey.c.public_id, sa.true()
        ),
    )
)


class PageSession(NamedTuple):
    """A session of the pages: its key, which is stored nowhere, and the time when it ends."""

    key: str
    expires_at: datetime


async def create(tx: Connection, viewer: Viewer, public_id: str, now: datetime) -> str:
    """Creates a link to a session with the rights of a key; returns its token, which is stored nowhere.

    Raises NotFound for an unknown key, and BadInput for one that is not valid any more or is a session itself."""
    viewer.require("keys:admin")
    stored_key = await api_keys.find_key(tx, public_id)
    if stored_key is None:
        message = "key: there is no such key; choose one of `hub key list`, or create one with `hub key create`."
        raise NotFound(message, argument="key")
    if stored_key.state(now) != "living" or stored_key.is_session:
        message = f"key: {public_id} is a session, is revoked or has expired; choose another of `hub key list`."
        raise BadInput(message, code="KEY_INVALID", argument="key")
    token = secrets.token_urlsafe(32)
    await tx.execute(_PURGE, now)
    await tx.execute(_INSERT, _digest(token), stored_key.viewer.key_id, now + LINK_LIFETIME)
    return token


async def start_session(tx: Connection, token: str, now: datetime) -> PageSession:
    """Exchanges a link's token for a session, once; raises Forbidden if it was used, has expired or never existed."""
    public_id = await tx.fetchval(_USE, _digest(token), now) if TOKEN_PATTERN.fullmatch(token) else None
    owner = await api_keys.find_key(tx, public_id) if public_id is not None else None
    if owner is None or owner.state(now) != "living":
        message = "The link was used already, has expired or belongs to another hub; `hub link` prints a new one."
        raise Forbidden(message, code="LINK_INVALID", argument="link")
    return await _start(tx, owner, now)


async def start_session_of_key(tx: Connection, public_id: str, now: datetime) -> PageSession:
    """Exchanges a key, whose holder has shown it, for a session; raises BadInput for a session's own key."""
    owner = await api_keys.find_key(tx, public_id)
    if owner is None or owner.state(now) != "living" or owner.is_session:
        message = "credential: this is the key of a session, or it has ended; give an API key of its own."
        raise BadInput(message, code="KEY_INVALID", argument="credential")
    return await _start(tx, owner, now)


async def _start(tx: Connection, owner: api_keys.StoredKey, now: datetime) -> PageSession:
    expires_at = now + SESSION_LIFETIME
    if owner.expires_at is not None:
        expires_at = min(expires_at, owner.expires_at)
    new_key = api_keys.NewKey(
        f"session of {owner.public_id}",
        owner.viewer.role,
        unit_id=None if owner.follows_unit else owner.unit_id,
        customer_id=owner.viewer.customer_id,
        staff_id=owner.viewer.staff_id,
        follows_unit=owner.follows_unit,
        expires_at=expires_at,
        session_of=owner.viewer.key_id,
    )
    return PageSession(await api_keys.create(tx, ADMIN, new_key, now), expires_at)


async def end_session(tx: Connection, public_id: str, now: datetime) -> bool:
    """Ends a session by its key's public id; returns False for a key that is no session."""
    stored_key = await api_keys.find_key(tx, public_id)
    if stored_key is None or not stored_key.is_session:
        return False
    await api_keys.revoke(tx, ADMIN, public_id, now)
    return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
