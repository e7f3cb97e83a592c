"""What becomes of what was sent: when its webhook is deleted, and when it is old."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, execute_sql
from webhook_client import (
    INSERT_UNIT,
    RESEND,
    QueryFailed,
    ReceiverProcess,
    create_customer,
    create_webhook,
    open_webhook_hub,
    run_receiver,
)

DELETE = "mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }"
DELIVERIES = "{ webhookDeliveries { nodes { id status webhook { id } } } }"
REMAINING_ROWS = """
select (select count(*) from webhook_deliveries), (select count(*) from webhook_attempts), (select count(*) from webhook_queue),
    (select count(*) from webhook_progress), (select count(*) from webhook_secrets)
"""
ATTEMPT_COUNT = "select count(*) from webhook_attempts"
LOGGED_DELETES = """
select count(*) from change_log where operation = 'DELETE' and table_name in ('webhook_deliveries', 'webhook_attempts')
"""
OLD = "set hub.capture = off; update webhook_deliveries set created_at = now() - interval '31 days'"


@pytest.fixture
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


@pytest.fixture
async def dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    new_dsn = await create_database("migrated")
    await execute_sql(new_dsn, INSERT_UNIT)
    return new_dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def wait_for_attempts(connection: asyncpg.Connection, times: int) -> None:
    async def enough_attempts() -> bool:
        return bool(await connection.fetchval(ATTEMPT_COUNT) == times)

    await wait_until(enough_attempts)


async def test_what_was_sent_outlives_its_webhook(
    receiver: ReceiverProcess, dsn: str, connection: asyncpg.Connection
) -> None:
    await receiver.set_actions(hook=[200, 500])
    async with open_webhook_hub(dsn) as run_query:
        webhook, _ = await create_webhook(run_query, receiver.url())
        await create_customer(run_query, "Ada")
        await wait_for_attempts(connection, 1)
        await create_customer(run_query, "Bob")
        await wait_for_attempts(connection, 2)
        await run_query(DELETE, {"id": webhook})
        newest, oldest = (await run_query(DELIVERIES))["webhookDeliveries"]["nodes"]
        assert [(delivery["status"], delivery["webhook"]) for delivery in (oldest, newest)] == [
            ("DELIVERED", None),
            ("RETRYING", None),
        ]
        with pytest.raises(QueryFailed, match=r"its webhook was deleted.*NOT_FOUND"):
            await run_query(RESEND, {"id": newest["id"]})


async def test_what_was_sent_is_cleared_away_after_its_webhook(
    receiver: ReceiverProcess, dsn: str, connection: asyncpg.Connection
) -> None:
    await receiver.set_actions(gone=[200, 500])
    async with open_webhook_hub(dsn) as run_query:
        webhook, _ = await create_webhook(run_query, receiver.url("/gone"))
        for number, name in enumerate(("Ada", "Bob"), 1):
            await create_customer(run_query, name)
            await wait_for_attempts(connection, number)
        await run_query(DELETE, {"id": webhook})
        await create_webhook(run_query, receiver.url("/stays"))
        await create_customer(run_query, "Cyd")
        await wait_for_attempts(connection, 3)
    (left,) = await connection.fetch(REMAINING_ROWS)
    assert (*left, await connection.fetchval(LOGGED_DELETES)) == (1, 1, 0, 1, 1, 4)


async def test_old_deliveries_are_purged_unless_they_are_pending(
    receiver: ReceiverProcess, dsn: str, connection: asyncpg.Connection
) -> None:
    await receiver.set_actions(hook=[200, 500])
    async with open_webhook_hub(dsn) as run_query:
        await create_webhook(run_query, receiver.url())
        for number, name in enumerate(("Ada", "Bob"), 1):
            await create_customer(run_query, name)
            await wait_for_attempts(connection, number)
        await connection.execute(OLD)
    assert [row["status"] for row in await connection.fetch("select status from webhook_deliveries")] == ["RETRYING"]
    assert await connection.fetchval(LOGGED_DELETES) == 0
