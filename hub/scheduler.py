"""What happens by itself, and how often: one tuple."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from hub.db import log_partitions
from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.webhooks import queue
from hub.model import idempotency
from hub.observability import Failed, tell
from hub.settings import Settings
from hub.web.auth import Keyring
from hub.web.metrics import Metrics

SWEEP = 1_000  # rows deleted at once


class Chore(NamedTuple):
    """Something done every so many seconds, until it says that nothing is left, and once more before the hub stops."""

    name: str
    every: float
    do: Callable[[], Awaitable[bool]]


def chores(pool: Pool, keyring: Keyring, metrics: Metrics, settings: Settings) -> tuple[Chore, ...]:
    async def remember_used_keys() -> bool:
        used: dict[UUID, datetime] = keyring.take_used()
        if used:
            async with pool.transaction() as tx:
                await api_keys.mark_used(tx, used)
        return False

    async def forget_keys() -> bool:
        async with pool.transaction() as tx:
            return await api_keys.forget(tx, datetime.now(UTC), SWEEP)

    async def share_numbers() -> bool:
        metrics.save()
        return False

    async def forget_answers() -> bool:
        async with pool.transaction() as tx:
            return await idempotency.forget(tx, datetime.now(UTC), SWEEP)

    async def keep_days() -> bool:
        today = datetime.now(UTC).date()
        await log_partitions.make(pool, today)
        await log_partitions.forget(pool, today - timedelta(days=settings.change_retention))
        return False

    async def forget_deliveries() -> bool:
        before = datetime.now(UTC) - timedelta(days=settings.webhook_retention)
        async with pool.transaction() as tx:
            return await queue.forget(tx, before, SWEEP)

    async def clear_webhooks() -> bool:
        async with pool.transaction() as tx:
            return await queue.clear(tx, SWEEP)

    return (
        Chore("remembering used keys", 60.0, remember_used_keys),
        Chore("forgetting ended keys of customers", 600.0, forget_keys),
        Chore("forgetting old answers", 600.0, forget_answers),
        Chore("making and dropping days of the log", 600.0, keep_days),
        Chore("forgetting old deliveries", 600.0, forget_deliveries),
        Chore("clearing up after deleted webhooks", 60.0, clear_webhooks),
        Chore("sharing numbers", 1.0, share_numbers),
    )


@asynccontextmanager
async def running(doing: tuple[Chore, ...]) -> AsyncIterator[None]:
    """The chores are done while the body runs."""
    tasks = [asyncio.create_task(_repeat(chore)) for chore in doing]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for chore in doing:
            await _once(chore)


async def _repeat(chore: Chore) -> None:
    while True:
        await asyncio.sleep(chore.every)
        while await _once(chore):
            pass


async def _once(chore: Chore) -> bool:
    try:
        return await chore.do()
    except Exception as error:
        # The next time may do better; a chore must not take the hub down.
        tell(Failed("", chore.name, error))
        return False
