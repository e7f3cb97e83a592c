"""Secrets that all nodes of a hub share, created with the database, and the encryption of secrets that it stores.

The encryption key is HUB_ENCRYPTION_KEY, which the database never sees, or else one that the database made."""

import hashlib
import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import Misconfigured
from hub.model.columns import SECRET, metadata

HubSecret = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="What the secret is for."),
    sa.Column("value", sa.LargeBinary, nullable=False, comment="32 random bytes.", info={SECRET: True}),
    sa.CheckConstraint("octet_length(value) >= 32", name="value_is_long_enough"),
    comment="Secrets of the hub itself. A reader of this table can forge cursors, but no permissions.",
)
CURSORS_SECRET, ENCRYPTION_SECRET, AUDIT_SECRET = "cursors", "boxes", "audit"
AUDIT_KEY_BYTES, AUDIT_LABEL = 32, b"audit"
KEY_ID_BYTES, NONCE_BYTES = 4, 12  # bytes: which key closes a box, and what is drawn anew for every one

_STORE = "insert into secrets (name, value) values ($1, $2) on conflict do nothing"
_READ = to_sql(sa.select(HubSecret.c.value).where(HubSecret.c.name == sa.bindparam("name")))


async def cursor_secret(connection: Connection) -> bytes:
    """The secret that cursors are signed with; the migrations made it."""
    value: bytes = await connection.fetchval(_READ, CURSORS_SECRET)
    return value


class Encryptor:
    """Encrypts with the first key and decrypts with the one that was used. AES-256-GCM; `label` is authenticated data."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {hashlib.sha256(b"mark" + key).digest()[:KEY_ID_BYTES]: AESGCM(key) for key in keys}

    def encrypt(self, secret: bytes, label: bytes) -> bytes:
        """The ciphertext, with the key's fingerprint and the nonce before it."""
        key_id, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        return key_id + nonce + key.encrypt(nonce, secret, label)

    def decrypt(self, ciphertext: bytes, label: bytes) -> bytes:
        """The plaintext; raises Misconfigured when the key that encrypted it is missing."""
        key = self._keys.get(ciphertext[:KEY_ID_BYTES])
        if key is None:
            message = "HUB_ENCRYPTION_KEY: secrets were closed with another key; give that one, or rotate the secrets."
            raise Misconfigured(message, argument="HUB_ENCRYPTION_KEY")
        return key.decrypt(
            ciphertext[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], ciphertext[KEY_ID_BYTES + NONCE_BYTES :], label
        )


async def load_encryptor(connection: Connection, configured_key: str | None) -> Encryptor:
    """The encryptor of this hub: it uses the configured key, if there is one, else the database's."""
    database_secret: bytes = await connection.fetchval(_READ, ENCRYPTION_SECRET)
    keys = [hashlib.sha256(database_secret).digest()]
    return Encryptor([hashlib.sha256(configured_key.encode()).digest(), *keys] if configured_key else keys)


async def audit_key(connection: Connection, encryptor: Encryptor) -> bytes:
    """The key of the audit log's digests, encrypted like the secrets of webhooks; the first caller makes it.

    Raises Misconfigured when the key that encrypted it is missing."""
    stored: bytes | None = await connection.fetchval(_READ, AUDIT_SECRET)
    if stored is None:
        await connection.execute(
            _STORE, AUDIT_SECRET, encryptor.encrypt(secrets.token_bytes(AUDIT_KEY_BYTES), AUDIT_LABEL)
        )
        stored = await connection.fetchval(_READ, AUDIT_SECRET)
    assert stored is not None
    return encryptor.decrypt(stored, AUDIT_LABEL)
