"""Migrations that rename tables and columns keep the rows, forwards and backwards."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
from alembic import command
from conftest import CreateDatabase
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from old_database import run_alembic

from hub.db import migrate
from hub.domain.webhooks import queue
from hub.model.idempotency import IdempotencyStore

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY, WEBHOOK, DELIVERY, CUSTOMER = (UUID(int=number) for number in range(1, 5))
NONCE = bytes(12)
BOXED = NONCE + AESGCM(hashlib.sha256(b"boxmint").digest()).encrypt(NONCE, b"secret", KEY.bytes)
OLD_ROWS = f"""
insert into kept_answers (owner_id, key, fingerprint, answer, boxed, kept_at)
    values ('{KEY}', '\\x{hashlib.sha256(b"nameonce").hexdigest()}', 'print', 'answer', false, '{NOW:%Y-%m-%dT%H:%M:%SZ}'),
        ('{KEY}', '\\x{hashlib.sha256(b"namemint").hexdigest()}', 'print', '\\x{BOXED.hex()}', true,
         '{NOW:%Y-%m-%dT%H:%M:%SZ}');
insert into webhooks (id, name, owner, url, query, variables, coalesce_seconds, status)
    values ('{WEBHOOK}', 'old', 'key', 'https://a.example', 'subscription {{ changes }}', '{{}}', 0, 'ACTIVE');
insert into webhook_progress (webhook_id, position, told) values ('{WEBHOOK}', 7, 5);
insert into webhook_deliveries (id, owner, webhook_id, cursor, status) values ('{DELIVERY}', 'key', '{WEBHOOK}', 'c', 'PENDING');
insert into webhook_queue (delivery_id, webhook_id, lane, row_id, position, due_at, body)
    values ('{DELIVERY}', '{WEBHOOK}', '{CUSTOMER}', '{CUSTOMER}', 5, '{NOW:%Y-%m-%dT%H:%M:%SZ}', 'body');
"""
OLD_COLUMNS = """
select kept_at, told, lane from (select distinct kept_at from kept_answers) as a, webhook_progress as p
    join webhook_queue as q on q.webhook_id = p.webhook_id
"""


async def test_renamed_tables_keep_their_rows(create_database: CreateDatabase) -> None:
    dsn = await create_database("template0")
    await run_alembic(dsn, command.upgrade, "0011")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(OLD_ROWS)
        await migrate.upgrade(dsn)

        assert await IdempotencyStore().find(connection, KEY, "once") == (b"print", b"answer")
        assert await IdempotencyStore().find(connection, KEY, "mint") == (b"print", b"secret")
        assert await connection.fetchval("select min(stored_at) from idempotency_records") == NOW
        async with connection.transaction():
            (progress,) = await queue.lock_behind(connection, 8, 10, 10, 10)
            assert (progress["id"], progress["position"], progress["last_sent_position"]) == (WEBHOOK, 7, 5)
            (leased,) = await queue.lease(connection, NOW, [], 10, 10, lease_id := uuid4())
            attempt = queue.AttemptResult(DELIVERY, "DELIVERED", None, NOW, 200, 1, None, None, lease_id)
            assert (leased["delivery_id"], leased["body"]) == (DELIVERY, b"body")
            (stored,) = await queue.store_results(connection, [attempt])
            assert (stored.ordering_key, stored.position) == (CUSTOMER, 5)
    finally:
        await connection.close()


async def test_a_rename_is_undone_by_its_downgrade(create_database: CreateDatabase) -> None:
    dsn = await create_database("template0")
    await run_alembic(dsn, command.upgrade, "0011")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(OLD_ROWS)
        names = (
            "select conname::text as name from pg_constraint union all select indexrelid::regclass::text from pg_index"
            " where indrelid::regclass::text !~ '^pg_' order by 1"
        )
        before = await connection.fetch(names)
        await migrate.upgrade(dsn)
        await run_alembic(dsn, command.downgrade, "0011")
        assert await connection.fetch(names) == before
        assert [tuple(row) for row in await connection.fetch(OLD_COLUMNS)] == [(NOW, 5, CUSTOMER)]
    finally:
        await connection.close()
