"""What becomes of what was sent: when its webhook is deleted, and when it is old."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from change_workload import until
from conftest import NewDatabase, execute
from test_lifecycle import RESEND
from webhook_client import UNIT, Receiver, Refused, customer, hooked, hub_on, receiving

DELETE = "mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }"
DELIVERIES = "{ webhookDeliveries { nodes { id status webhook { id } } } }"
LEFT = """
select (select count(*) from webhook_deliveries), (select count(*) from webhook_attempts), (select count(*) from webhook_queue),
    (select count(*) from webhook_progress), (select count(*) from webhook_secrets)
"""
TRIED = "select count(*) from webhook_attempts"
TOLD = """
select count(*) from change_log where operation = 'DELETE' and table_name in ('webhook_deliveries', 'webhook_attempts')
"""
OLD = "set hub.capture = off; update webhook_deliveries set created_at = now() - interval '31 days'"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def dsn(new_database: NewDatabase, empty_dsn: str) -> str:
    made = await new_database("migrated")
    await execute(made, UNIT)
    return made


@pytest.fixture
async def rows(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def tried(rows: asyncpg.Connection, times: int) -> None:
    async def there_are() -> bool:
        return bool(await rows.fetchval(TRIED) == times)

    await until(there_are)


async def test_what_was_sent_outlives_its_webhook(receiver: Receiver, dsn: str, rows: asyncpg.Connection) -> None:
    await receiver.script(hook=[200, 500])
    async with hub_on(dsn) as ask:
        webhook, _ = await hooked(ask, receiver.url())
        await customer(ask, "Ada")
        await tried(rows, 1)
        await customer(ask, "Bob")
        await tried(rows, 2)
        await ask(DELETE, {"id": webhook})
        newest, oldest = (await ask(DELIVERIES))["webhookDeliveries"]["nodes"]
        assert [(each["status"], each["webhook"]) for each in (oldest, newest)] == [
            ("DELIVERED", None),
            ("RETRYING", None),
        ]
        with pytest.raises(Refused, match=r"its webhook was deleted.*NOT_FOUND"):
            await ask(RESEND, {"id": newest["id"]})


async def test_what_was_sent_is_cleared_away_after_its_webhook(
    receiver: Receiver, dsn: str, rows: asyncpg.Connection
) -> None:
    await receiver.script(gone=[200, 500])
    async with hub_on(dsn) as ask:
        webhook, _ = await hooked(ask, receiver.url("/gone"))
        for number, name in enumerate(("Ada", "Bob"), 1):
            await customer(ask, name)
            await tried(rows, number)
        await ask(DELETE, {"id": webhook})
        await hooked(ask, receiver.url("/stays"))
        await customer(ask, "Cyd")
        await tried(rows, 3)
    (left,) = await rows.fetch(LEFT)
    assert (*left, await rows.fetchval(TOLD)) == (1, 1, 0, 1, 1, 4)


async def test_what_is_old_is_forgotten_unless_it_waits(receiver: Receiver, dsn: str, rows: asyncpg.Connection) -> None:
    await receiver.script(hook=[200, 500])
    async with hub_on(dsn) as ask:
        await hooked(ask, receiver.url())
        for number, name in enumerate(("Ada", "Bob"), 1):
            await customer(ask, name)
            await tried(rows, number)
        await rows.execute(OLD)
    assert [each["status"] for each in await rows.fetch("select status from webhook_deliveries")] == ["RETRYING"]
    assert await rows.fetchval(TOLD) == 0
