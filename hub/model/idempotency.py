"""The answers that idempotency keys are kept with, so that an operation that is repeated happens once.

An answer that holds a secret (a new API key) is kept as a box that only its idempotency key opens, and of any key a hash
is kept. When they are kept and looked up is hub/engine/perform.py's."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.db.sql_text import text
from hub.model.columns import metadata, moment

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

KEPT_FOR = timedelta(hours=48)
NONCE = 12  # bytes, drawn anew for every box

Kept = sa.Table(
    "kept_answers",
    metadata,
    sa.Column("owner_id", sa.Uuid, primary_key=True, comment="The API key that the operation came with."),
    sa.Column("key", sa.LargeBinary, primary_key=True, comment="SHA-256 of the idempotency key that its client chose."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of document, operation and variables."),
    sa.Column("answer", sa.LargeBinary, nullable=False, comment="The answer."),
    sa.Column("boxed", sa.Boolean, nullable=False, comment="Whether the answer lies in a box that the key opens."),
    sa.Column("kept_at", moment(), nullable=False, comment="When it was given; it is forgotten 48 hours later."),
    comment="Answers to operations with an idempotency key, kept in the transaction that did the work.",
)
sa.Index("ix_kept_answers_kept_at", Kept.c.kept_at, postgresql_using="brin")  # rows come in the order of their time

_FIND = text(
    sa.select(Kept.c.fingerprint, Kept.c.answer, Kept.c.boxed).where(
        Kept.c.owner_id == sa.bindparam("owner", type_=sa.Uuid),
        Kept.c.key == sa.bindparam("key_", type_=sa.LargeBinary),
    )
)
_name_of = (Kept.c.owner_id, Kept.c.key)
_old = (
    sa.select(*_name_of)
    .where(Kept.c.kept_at < sa.bindparam("before", type_=moment()))
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_FORGET = text(sa.delete(Kept).where(sa.tuple_(*_name_of).in_(_old)))


_KEEP = "insert into kept_answers (owner_id, key, fingerprint, answer, boxed, kept_at)"
_KEEP_ONE = f"{_KEEP} values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true"
ANSWER = "answer$"  # the column of the statement around that holds the answer's bytes


def _name(key: str) -> bytes:
    return hashlib.sha256(b"name" + key.encode()).digest()


def _box(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"box" + key.encode()).digest())


class Memory:
    """Keeps answers and finds them again."""

    table = Kept.name

    async def find(self, tx: Tx, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """The fingerprint and the answer that a key was used for."""
        found = await tx.fetchrow(_FIND, owner, _name(key))
        if found is None:
            return None
        answer: bytes = found["answer"]
        if found["boxed"]:
            answer = _box(key).decrypt(answer[:NONCE], answer[NONCE:], owner.bytes)
        return found["fingerprint"], answer

    async def keep(
        self, tx: Tx, owner: UUID, key: str, fingerprint: bytes, answer: bytes, at: datetime, *, secret: bool
    ) -> bool:
        """Keeps an answer; False where a twin's is kept already, for whose end it waits.

        It is a parameter and never part of the text: Postgres writes the text of what fails into its log."""
        if secret:
            nonce = secrets.token_bytes(NONCE)
            answer = nonce + _box(key).encrypt(nonce, answer, owner.bytes)
        kept = await tx.fetchval(_KEEP_ONE, owner, _name(key), fingerprint, answer, secret, at)
        return kept is not None

    def keeping_within(self, first: int) -> str:
        """What keeps one inside the statement that makes it: it follows `select`, with parameters from `$first` on.

        It fails where a twin's is kept."""
        given = f"${first}::uuid, ${first + 1}::bytea, ${first + 2}::bytea, {ANSWER}, false, ${first + 3}::timestamptz"
        return f"{_KEEP} select {given}"

    def kept_with(self, owner: UUID, key: str, fingerprint: bytes, at: datetime) -> tuple[object, ...]:
        """The arguments of `keeping_within`."""
        return owner, _name(key), fingerprint, at


async def forget(tx: Tx, at: datetime, most: int) -> bool:
    """Forgets what has been kept for long enough. Whether there may be more."""
    done: str = await tx.execute(_FORGET, at - KEPT_FOR, most)
    return done == f"DELETE {most}"
