"""Idempotency records: stored responses by idempotency key, so that a repeated operation runs once.

A response with a secret (a new API key) is encrypted with its idempotency key; of keys only hashes are stored. See
hub/engine/execution/mutations.py for when records are stored and looked up."""

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
NONCE_BYTES = 12  # bytes, random for each encrypted response

IdempotencyRecord = sa.Table(
    "idempotency_records",
    metadata,
    sa.Column("owner_id", sa.Uuid, primary_key=True, comment="The API key that the operation came with."),
    sa.Column("key", sa.LargeBinary, primary_key=True, comment="SHA-256 of the idempotency key that its client chose."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of document, operation and variables."),
    sa.Column("answer", sa.LargeBinary, nullable=False, comment="The response."),
    sa.Column(
        "boxed", sa.Boolean, nullable=False, comment="Whether the response is encrypted with the idempotency key."
    ),
    sa.Column("stored_at", timestamp(), nullable=False, comment="When it was stored; it is deleted 48 hours later."),
    comment="Responses to operations with an idempotency key, stored in the transaction of the operation.",
)
sa.Index(
    "ix_idempotency_records_stored_at", IdempotencyRecord.c.stored_at, postgresql_using="brin"
)  # rows are inserted in the order of stored_at

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
ANSWER_COLUMN = "answer$"  # the column of the enclosing statement with the response bytes


def _key_hash(key: str) -> bytes:
    return hashlib.sha256(b"name" + key.encode()).digest()


def _cipher(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"box" + key.encode()).digest())


class IdempotencyStore:
    """Stores and finds idempotency records."""

    table = IdempotencyRecord.name

    async def find(self, tx: Connection, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """Returns the fingerprint and the response stored for a key; None if there are none."""
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
        """Stores a response; returns False if a concurrent request has stored one, after waiting for its commit.

        The response is a parameter and never part of the SQL text, because Postgres logs the text of failed statements."""
        if secret:
            nonce = secrets.token_bytes(NONCE_BYTES)
            answer = nonce + _cipher(key).encrypt(nonce, answer, owner.bytes)
        inserted = await tx.fetchval(_INSERT_ONE, owner, _key_hash(key), fingerprint, answer, secret, now)
        return inserted is not None

    def store_sql(self, first: int) -> str:
        """Returns the INSERT of a record inside the statement that computes the response; its parameters start at `$first`.

        A record that exists already is a unique violation."""
        columns = f"${first}::uuid, ${first + 1}::bytea, ${first + 2}::bytea, {ANSWER_COLUMN}, false, ${first + 3}::timestamptz"
        return f"{_INSERT} select {columns}"

    def store_arguments(self, owner: UUID, key: str, fingerprint: bytes, now: datetime) -> tuple[object, ...]:
        """Returns the arguments for `store_sql`."""
        return owner, _key_hash(key), fingerprint, now


async def purge(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes up to `limit` expired records; returns whether more may exist."""
    status: str = await tx.execute(_PURGE, now - RETENTION, limit)
    return status == f"DELETE {limit}"
