"""Sessions of the pages that a token started: keys that stand for the token's bearer until the token expires.

Their public ids begin with `t`, so that a look-up of keys knows their table. They hold no token."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import api_keys, key_upkeep
from hub.domain.access.login_links import SESSION_LIFETIME, PageSession
from hub.domain.access.token_viewers import TokenSubject, find_viewers
from hub.errors import Unauthenticated
from hub.model.columns import SECRET, metadata, timestamp
from hub.token_issuers import TokenIssuer

PREFIX = "t"

TokenSession = sa.Table(
    "token_sessions",
    metadata,
    sa.Column(
        "public_id", sa.Text, primary_key=True, comment="The part of the session's key that may be shown and logged."
    ),
    sa.Column(
        "hash",
        sa.LargeBinary,
        nullable=False,
        comment="SHA-256 of the session's key; the key itself is not stored.",
        info={SECRET: True},
    ),
    sa.Column("issuer", sa.Text, nullable=False, comment="The issuer of the token that started the session."),
    sa.Column("audience", sa.Text, nullable=False, comment="The audience of that token, as the settings name it."),
    sa.Column("subject", sa.Text, nullable=False, comment="Whom the token was issued for, in the issuer's words."),
    sa.Column("reference", sa.Text, comment="What the token names a member of staff, a customer or a unit by."),
    sa.Column("roles", sa.ARRAY(sa.Text), nullable=False, comment="The roles that the token brought."),
    sa.Column("created_at", timestamp(), nullable=False, comment="When the session was started."),
    sa.Column(
        "expires_at", timestamp(), nullable=False, comment="When the session ends: with its token at the latest."
    ),
    sa.Column("ended_at", timestamp(), comment="When its user ended it; empty before."),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_is_sha256"),
    comment="A session of the pages that was started with a token. Rows are deleted a week after their end.",
)
sa.Index("ix_token_sessions_expires_at", TokenSession.c.expires_at)

_COLUMNS = ("public_id", "hash", "issuer", "audience", "subject", "reference", "roles", "created_at", "expires_at")
_INSERT = to_sql(sa.insert(TokenSession).values({name: sa.bindparam(name) for name in _COLUMNS}))
_FIND = to_sql(
    sa.select(TokenSession).where(
        TokenSession.c.public_id == sa.func.any(sa.bindparam("public_ids", type_=sa.ARRAY(sa.Text)))
    )
)
_END = to_sql(
    sa.update(TokenSession)
    .where(TokenSession.c.public_id == sa.bindparam("public_id_", type_=sa.Text), TokenSession.c.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now", type_=timestamp()))
    .returning(TokenSession.c.public_id)
)
_expired = (
    sa.select(TokenSession.c.public_id)
    .where(TokenSession.c.expires_at < sa.bindparam("before", type_=timestamp()))
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_PURGE = to_sql(sa.delete(TokenSession).where(TokenSession.c.public_id.in_(_expired)))


def is_token_session(public_id: str) -> bool:
    """Whether a public id is that of a token's session."""
    return public_id.startswith(PREFIX)


async def start(tx: Connection, subject: TokenSubject, token_expires_at: datetime, now: datetime) -> PageSession:
    """Starts a session for a token's bearer; its key is stored nowhere."""
    expires_at = min(now + SESSION_LIFETIME, token_expires_at)
    public_id = PREFIX + secrets.token_hex(8)
    key = f"hub_{public_id}_{secrets.token_urlsafe(32)}"
    issuer = subject.issuer
    values = (issuer.issuer, issuer.audience[0], subject.subject, subject.reference, list(subject.roles))
    await tx.execute(_INSERT, public_id, api_keys.digest(key), *values, now, expires_at)
    return PageSession(key, expires_at)


async def end(tx: Connection, public_id: str, now: datetime) -> bool:
    """Ends a session; returns False if it had ended before or never existed."""
    return await tx.fetchval(_END, now, public_id) is not None


async def find_keys(
    connection: Connection, public_ids: Sequence[str], issuers: Iterable[TokenIssuer], now: datetime
) -> list[api_keys.StoredKey]:
    """The sessions of these public ids as keys, with the viewers that their tokens' bearers are now.

    A session whose issuer or bearer is no longer known is left out."""
    entries = {(issuer.issuer, issuer.audience[0]): issuer for issuer in issuers}
    rows = [
        (row, TokenSubject(issuer, row["subject"], row["reference"], tuple(row["roles"])))
        for row in await connection.fetch(_FIND, public_ids)
        if (issuer := entries.get((row["issuer"], row["audience"]))) is not None
    ]
    viewers = await find_viewers(connection, [subject for _, subject in rows], now)
    return [
        api_keys.StoredKey(
            public_id=row["public_id"],
            hash=row["hash"],
            name=f"session of {subject.principal}",
            viewer=replace(viewer, expires_at=row["expires_at"]),
            unit_id=None,
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["ended_at"],
            last_used_at=None,
            is_session=True,
        )
        for (row, subject), viewer in zip(rows, viewers, strict=True)
        if not isinstance(viewer, Unauthenticated)
    ]


async def purge_expired(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes sessions that ended long ago. Whether there may be more."""
    status: str = await tx.execute(_PURGE, now - key_upkeep.EXPIRED_KEY_RETENTION, limit)
    return status == f"DELETE {limit}"
