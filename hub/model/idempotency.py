"""Idempotency records: stored responses by idempotency key, so that a repeated operation runs once.

Responses are encrypted with their idempotency key, of which only a hash is stored: nobody else reads what they say of persons.
See hub/engine/execution/mutations.py for when records are stored and looked up."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model.columns import metadata, timestamp

RETENTION = timedelta(hours=48)
NONCE_BYTES = 16  # bytes, random for each response, in front of its ciphertext
GCM_NONCE_BYTES = 12  # the random part of a nonce that a counter follows; the whole one in records of earlier versions
GCM_FIRST_COUNTER = (2).to_bytes(4)  # of the first block that GCM encrypts with such a nonce
# Bytes of keystream that a statement gets to encrypt its response itself: as many as the plan's responses have needed.
SHORTEST_KEYSTREAM, LONGEST_KEYSTREAM = 512, 16_384

IdempotencyRecord = sa.Table(
    "idempotency_records",
    metadata,
    sa.Column("owner_id", sa.Uuid, primary_key=True, comment="The API key that the operation came with."),
    sa.Column("key", sa.LargeBinary, primary_key=True, comment="SHA-256 of the idempotency key that its client chose."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of document, operation and variables."),
    sa.Column("answer", sa.LargeBinary, nullable=False, comment="The encrypted response, behind its nonce."),
    sa.Column("stored_at", timestamp(), nullable=False, comment="When it was stored; it is deleted 48 hours later."),
    sa.Column(
        "cipher",
        sa.Text,
        sa.CheckConstraint("cipher in ('AES-CTR', 'AES-GCM', 'NONE')", name="cipher_valid"),
        nullable=False,
        comment="How the response is encrypted with the idempotency key; earlier versions wrote others than AES-CTR.",
    ),
    comment="Responses to operations with an idempotency key, stored in the transaction of the operation.",
)
sa.Index(
    "ix_idempotency_records_stored_at", IdempotencyRecord.c.stored_at, postgresql_using="brin"
)  # rows are inserted in the order of stored_at

_FIND = to_sql(
    sa.select(IdempotencyRecord.c.fingerprint, IdempotencyRecord.c.answer, IdempotencyRecord.c.cipher).where(
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


_INSERT = "insert into idempotency_records (owner_id, key, fingerprint, answer, cipher, stored_at)"
_INSERT_ONE = f"{_INSERT} values ($1, $2, $3, $4, 'AES-CTR', $5) on conflict do nothing returning true"
ANSWER_COLUMN = "answer$"  # the column of the enclosing statement with the response bytes
_HEX_BITS = f"('x' || encode({ANSWER_COLUMN}, 'hex'))::varbit"


def _key_hash(key: str) -> bytes:
    return hashlib.sha256(b"name" + key.encode()).digest()


def _gcm(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"box" + key.encode()).digest())


def _keystream(key: str, nonce: bytes) -> CipherContext:
    """Returns the cipher of one record; encryption and decryption are the same."""
    return Cipher(algorithms.AES(_answer_key(key)), modes.CTR(nonce)).encryptor()


def _answer_key(key: str) -> bytes:
    return hashlib.sha256(b"answer" + key.encode()).digest()


def _new_keystream(key: str, length: int) -> tuple[bytes, bytes]:
    """Returns a new nonce, and what `_keystream` encrypts so many zeros to, in half the time.

    GCM encrypts in counter mode, with a counter behind its own nonce that begins at 2; its tag is left out."""
    nonce = secrets.token_bytes(GCM_NONCE_BYTES)
    keystream = AESGCM(_answer_key(key)).encrypt(nonce, bytes(length), None)[:length]
    return nonce + GCM_FIRST_COUNTER, keystream


class KeystreamLength:
    """How many bytes of keystream the responses of one statement need: the least power of two that none has exceeded."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = SHORTEST_KEYSTREAM

    def fit(self, answer: bytes) -> None:
        """Grows for a response that is longer than the keystream, so that the next statement encrypts one of its length."""
        if len(answer) > self.bytes:
            self.bytes = min(1 << (len(answer) - 1).bit_length(), LONGEST_KEYSTREAM)


class IdempotencyStore:
    """Stores and finds idempotency records."""

    table = IdempotencyRecord.name

    async def find(self, tx: Connection, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """Returns the fingerprint and the response stored for a key; None if there are none."""
        record = await tx.fetchrow(_FIND, owner, _key_hash(key))
        if record is None:
            return None
        answer: bytes = record["answer"]
        if record["cipher"] == "AES-CTR":
            answer = _keystream(key, answer[:NONCE_BYTES]).update(answer[NONCE_BYTES:])
        elif record["cipher"] == "AES-GCM":
            answer = _gcm(key).decrypt(answer[:GCM_NONCE_BYTES], answer[GCM_NONCE_BYTES:], owner.bytes)
        return record["fingerprint"], answer

    async def store(
        self, tx: Connection, owner: UUID, key: str, fingerprint: bytes, answer: bytes, now: datetime
    ) -> bool:
        """Stores a response; returns False if a concurrent request has stored one, after waiting for its commit.

        The response is a parameter and never part of the SQL text, because Postgres logs the text of failed statements."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + _keystream(key, nonce).update(answer)
        inserted = await tx.fetchval(_INSERT_ONE, owner, _key_hash(key), fingerprint, sealed, now)
        return inserted is not None

    def store_sql(self, first: int) -> str:
        """Returns the INSERT of a record inside the statement that computes the response; its parameters start at `$first`.

        The statement combines the response with a keystream, as a build of Postgres without OpenSSL has no ciphers.
        A record that exists already is a unique violation; a response longer than the keystream violates NOT NULL."""
        nonce, keystream = f"${first + 3}::bytea", f"${first + 4}::varbit"
        bits = f"{_HEX_BITS} # substring({keystream}, 1, 8 * octet_length({ANSWER_COLUMN}))"
        sealed = (
            f"case when octet_length({ANSWER_COLUMN}) <= octet_length({keystream})"
            f" then {nonce} || substr(varbit_send({bits}), 5) end"  # four bytes are the number of bits
        )
        record = f"${first}::uuid, ${first + 1}::bytea, ${first + 2}::bytea, {sealed}, 'AES-CTR'"
        return f"{_INSERT} select {record}, ${first + 5}::timestamptz"

    def store_arguments(
        self, owner: UUID, key: str, fingerprint: bytes, now: datetime, length: KeystreamLength
    ) -> tuple[object, ...]:
        """Returns the arguments for `store_sql`: each call has a nonce, and so a keystream, of its own."""
        nonce, keystream = _new_keystream(key, length.bytes)
        return owner, _key_hash(key), fingerprint, nonce, keystream, now


async def purge(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes up to `limit` expired records; returns whether more may exist."""
    status: str = await tx.execute(_PURGE, now - RETENTION, limit)
    return status == f"DELETE {limit}"
