"""The answers that idempotency keys are kept with, so that an operation that is repeated happens once.

An answer that holds a secret (a new API key) is kept as a box that only its idempotency key opens, and of any key a hash
is kept. When they are kept and looked up is hub/engine/execution/mutations.py's."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model.columns import metadata, timestamp

RETENTION = timedelta(hours=48)
NONCE_BYTES = 12  # bytes, drawn anew for every box

IdempotencyRecord = sa.Table(
    "idempotency_records",
    metadata,
    sa.Column("owner_id", sa.Uuid, primary_key=True, comment="The API key that the operation came with."),
    sa.Column("key", sa.LargeBinary, primary_key=True, comment="SHA-256 of the idempotency key that its client chose."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of document, operation and variables."),
    sa.Column("answer", sa.LargeBinary, nullable=False, comment="The answer."),
    sa.Column("boxed", sa.Boolean, nullable=False, comment="Whether the answer lies in a box that the key opens."),
    sa.Column("stored_at", timestamp(), nullable=False, comment="When it was given; it is forgotten 48 hours later."),
    comment="Answers to operations with an idempotency key, kept in the transaction that did the work.",
)
sa.Index(
    "ix_idempotency_records_stored_at", IdempotencyRecord.c.stored_at, postgresql_using="brin"
)  # rows come in the order of their time

_FIND = to_sql(
    sa.select(IdempotencyRecord.c.fingerprint, IdempotencyRecord.c.answer, IdempotencyRecord.c.boxed).where(
        IdempotencyRecord.c.owner_id == sa.bindparam("owner", type_=sa.Uuid),
        IdempotencyRecord.c.key == sa.bindparam("key_", type_=sa.LargeBinary),
    )
)
_primary_key = (IdempotencyRecord.c.owner_id, IdempotencyRecord.c.key)
_expired = (
    sa.select(*_primary_key)
    .where(IdempotencyRecord.c.stored_at < sa.bindparam("before", type_=timestamp()))
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_PURGE = to_sql(sa.delete(IdempotencyRecord).where(sa.tuple_(*_primary_key).in_(_expired)))


_INSERT = "insert into idempotency_records (owner_id, key, fingerprint, answer, boxed, stored_at)"
_INSERT_ONE = f"{_INSERT} values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true"
ANSWER_COLUMN = "answer$"  # the column of the statement around that holds the answer's bytes


def _key_hash(key: str) -> bytes:
    return hashlib.sha256(b"name" + key.encode()).digest()


def _cipher(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"box" + key.encode()).digest())


class IdempotencyStore:
    """Keeps answers and finds them again."""

    table = IdempotencyRecord.name

    async def find(self, tx: Connection, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """The fingerprint and the answer that a key was used for."""
        record = await tx.fetchrow(_FIND, owner, _key_hash(key))
        if record is None:
            return None
        answer: bytes = record["answer"]
        if record["boxed"]:
            answer = _cipher(key).decrypt(answer[:NONCE_BYTES], answer[NONCE_BYTES:], owner.bytes)
        return record["fingerprint"], answer

    async def store(
        self, tx: Connection, owner: UUID, key: str, fingerprint: bytes, answer: bytes, now: datetime, *, secret: bool
    ) -> bool:
        """Keeps an answer; False where a twin's is kept already, for whose end it waits.

        It is a parameter and never part of the text: Postgres writes the text of what fails into its log."""
        if secret:
            nonce = secrets.token_bytes(NONCE_BYTES)
            answer = nonce + _cipher(key).encrypt(nonce, answer, owner.bytes)
        inserted = await tx.fetchval(_INSERT_ONE, owner, _key_hash(key), fingerprint, answer, secret, now)
        return inserted is not None

    def store_sql(self, first: int) -> str:
        """What keeps one inside the statement that makes it: it follows `select`, with parameters from `$first` on.

        It fails where a twin's is kept."""
        columns = f"${first}::uuid, ${first + 1}::bytea, ${first + 2}::bytea, {ANSWER_COLUMN}, false, ${first + 3}::timestamptz"
        return f"{_INSERT} select {columns}"

    def store_arguments(self, owner: UUID, key: str, fingerprint: bytes, now: datetime) -> tuple[object, ...]:
        """The arguments of `store_sql`."""
        return owner, _key_hash(key), fingerprint, now


async def purge(tx: Connection, now: datetime, limit: int) -> bool:
    """Forgets what has been kept for long enough. Whether there may be more."""
    status: str = await tx.execute(_PURGE, now - RETENTION, limit)
    return status == f"DELETE {limit}"
