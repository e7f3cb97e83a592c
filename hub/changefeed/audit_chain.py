"""Chains the audit log: the leader's second task, on a connection of its own, so that it never delays positions.

Digests are HMAC-SHA-256 under keys that are derived from the hub's audit key for each block of numbers. The database gets
padded block keys as arguments and computes the digests where the rows are."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from hub import graph
from hub.db import audit_log
from hub.db.audit_log import BLOCK, AuditHead
from hub.db.pool import Connection, Pool
from hub.domain.access import secrets
from hub.engine.catalog.catalog import Catalog
from hub.settings import Settings

PRUNE_BATCH = 1_000  # entries deleted at once
HMAC_BLOCK = 64  # bytes of a block of SHA-256
# Kinds of entries by table, where the mutation says nothing else.
KIND_BY_TABLE: Mapping[str, str] = {
    "api_keys": "KEY",
    "roles": "PERMISSION",
    "role_rules": "PERMISSION",
    "role_budgets": "PERMISSION",
    "role_assignments": "PERMISSION",
}


def block_key(audit_key: bytes, block: int) -> bytes:
    """The key of the digests of one block of numbers."""
    return hmac.digest(audit_key, b"block" + block.to_bytes(8), hashlib.sha256)


def padded_keys(key: bytes) -> tuple[bytes, bytes]:
    """The inner and the outer padded key of HMAC-SHA-256."""
    padded = key.ljust(HMAC_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


def checkpoint_seal(audit_key: bytes, last: AuditHead) -> bytes:
    """The seal of a checkpoint: without the key nobody can move the beginning of the log."""
    return hmac.digest(audit_key, b"checkpoint" + last.number.to_bytes(8) + last.digest, hashlib.sha256)


def table_names(catalog: Catalog) -> str:
    """The names that entries give to tables, ids and columns, as JSON."""
    names: dict[str, dict[str, object]] = {table: {"kind": entry_kind} for table, entry_kind in KIND_BY_TABLE.items()}
    for entity in catalog.entities.values():
        prefix, fields = entity.declaration.prefix, dict(entity.field_by_column)
        names.setdefault(entity.table.name, {}).update(type=entity.name, prefix=prefix, fields=fields)
    return json.dumps(names)


@cache
def declared_names() -> str:
    """The names of all declared entities."""
    return table_names(graph.build().catalog)


async def load_audit_key(connection: Connection, settings: Settings) -> bytes:
    """The key of the audit log, made at first use; raises Misconfigured if HUB_ENCRYPTION_KEY does not open it."""
    configured = settings.encryption_key.get_secret_value() if settings.encryption_key else None
    return await secrets.audit_key(connection, await secrets.load_encryptor(connection, configured))


async def prune(pool: Pool, settings: Settings, before: datetime) -> bool:
    """Deletes a batch of the entries before a time, of which a sealed checkpoint remains. Returns whether there are more."""
    async with pool.owner_connection() as connection:
        last = await audit_log.last_entry_before(connection, before)
        if last is None:
            return False
        seal = checkpoint_seal(await load_audit_key(connection, settings), last)
        return await audit_log.prune(connection, last, seal, PRUNE_BATCH)


class AuditChain:
    """Chains batches on the connection of a leader."""

    def __init__(self, audit_key: bytes) -> None:
        self._key = audit_key
        self._last_number: int | None = None

    async def run_batch(self, connection: Connection) -> bool:
        """Chains one batch; returns whether more wait. Two leaders take turns: the second sees what the first chained."""
        if self._last_number is None:
            self._last_number = (await audit_log.read_head(connection)).number
        block = self._last_number // BLOCK
        keys = [padded_keys(block_key(self._key, number)) for number in (block, block + 1)]
        batch = await audit_log.chain_batch(connection, block, keys, declared_names())
        self._last_number = None if batch is None else batch.last_number
        return batch is None or batch.more
