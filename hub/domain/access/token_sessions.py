"""Sessions of the pages that a token started: keys that stand for the token's bearer until the token expires.

Their public ids begin with `t`, so that a look-up of keys knows their table. They hold no token."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import api_keys, key_upkeep, roles
from hub.domain.access.login_links import SESSION_LIFETIME, PageSession
from hub.domain.access.token_viewers import PRINCIPALS, TokenSubject, find_viewers
from hub.errors import Unauthenticated
from hub.model.columns import SECRET, metadata, timestamp
from hub.token_issuers import TokenIssuer
from hub.viewer import Role, Viewer

PREFIX = "t"
NOBODY = Viewer(PRINCIPALS, Role.READER, roles=(roles.NO_ROLE,))  # of a session that is over

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
    sa.Column("key_fingerprint", sa.LargeBinary, comment="The issuer's key that signed the token."),
    sa.Column("created_at", timestamp(), nullable=False, comment="When the session was started."),
    sa.Column(
        "expires_at", timestamp(), nullable=False, comment="When the session ends: with its token at the latest."
    ),
    sa.Column("ended_at", timestamp(), comment="When its user ended it; empty before."),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_is_sha256"),
    comment="A session of the pages that was started with a token. Rows are deleted a week after their end.",
)
sa.Index("ix_token_sessions_expires_at", TokenSession.c.expires_at)

_OF_TOKEN = ("issuer", "audience", "subject", "reference", "roles", "key_fingerprint")
_COLUMNS = ("public_id", "hash", *_OF_TOKEN, "created_at", "expires_at")
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


async def start(
    tx: Connection, subject: TokenSubject, fingerprint: bytes, token_expires_at: datetime, now: datetime
) -> PageSession:
    """Starts a session for a token's bearer; its key is stored nowhere. `fingerprint` is of the key that signed the token."""
    expires_at = min(now + SESSION_LIFETIME, token_expires_at)
    public_id = PREFIX + secrets.token_hex(8)
    key = f"hub_{public_id}_{secrets.token_urlsafe(32)}"
    issuer = subject.issuer
    values = (issuer.issuer, issuer.audience[0], subject.subject, subject.reference, list(subject.roles), fingerprint)
    await tx.execute(_INSERT, public_id, api_keys.digest(key), *values, now, expires_at)
    return PageSession(key, expires_at)


async def end(tx: Connection, public_id: str, now: datetime) -> bool:
    """Ends a session; returns False if it had ended before or never existed."""
    return await tx.fetchval(_END, now, public_id) is not None


async def find_keys(
    connection: Connection,
    public_ids: Sequence[str],
    issuers: Iterable[TokenIssuer],
    holds: Callable[[TokenIssuer, bytes], bool],
    now: datetime,
) -> list[api_keys.StoredKey]:
    """The sessions of these public ids as keys, with the viewers that their tokens' bearers are now.

    `holds` says whether an issuer may still have a key. A session is over whose key is withdrawn, or whose issuer or bearer
    is unknown."""
    entries = {(issuer.issuer, issuer.audience[0]): issuer for issuer in issuers}
    rows = await connection.fetch(_FIND, public_ids)
    subjects = {
        row["public_id"]: TokenSubject(issuer, row["subject"], row["reference"], tuple(row["roles"]))
        for row in rows
        if (issuer := entries.get((row["issuer"], row["audience"]))) is not None
        and (row["key_fingerprint"] is None or holds(issuer, row["key_fingerprint"]))
    }
    viewers = await find_viewers(connection, list(subjects.values()), now)
    bearers = dict(zip(subjects, viewers, strict=True))
    return [_to_key(row, bearers.get(row["public_id"])) for row in rows]


def _to_key(row: asyncpg.Record, bearer: Viewer | Unauthenticated | None) -> api_keys.StoredKey:
    """The session as a key; one without a bearer was over as soon as it was made."""
    has_left = isinstance(bearer, Unauthenticated) and bearer.code == "TOKEN_STAFF_LEFT"
    viewer = bearer if isinstance(bearer, Viewer) else None
    return api_keys.StoredKey(
        public_id=row["public_id"],
        hash=row["hash"],
        name=f"session of {row['issuer']}|{row['subject']}" if viewer is None else f"session of {viewer.principal}",
        viewer=NOBODY if viewer is None else replace(viewer, expires_at=row["expires_at"]),
        unit_id=None,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["created_at"] if viewer is None and not has_left else row["ended_at"],
        last_used_at=None,
        is_session=True,
        left_at=row["created_at"] if has_left else None,
    )


async def purge_expired(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes sessions that ended long ago. Whether there may be more."""
    status: str = await tx.execute(_PURGE, now - key_upkeep.EXPIRED_KEY_RETENTION, limit)
    return status == f"DELETE {limit}"
