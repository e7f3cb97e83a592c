"""What happens by itself, and how often: one tuple."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from hub.db import days
from hub.db.pool import Pool
from hub.domain import answers, keys, webhook_queue
from hub.observe import Failed, tell
from hub.settings import Settings
from hub.web.auth import Keyring
from hub.web.metrics import Metrics

SWEEP = 1_000  # old deliveries deleted at once


class Chore(NamedTuple):
    """Something done every so many seconds, and once more before the hub stops."""

    name: str
    every: float
    do: Callable[[], Awaitable[None]]


def chores(pool: Pool, keyring: Keyring, metrics: Metrics, settings: Settings) -> tuple[Chore, ...]:
    async def remember_used_keys() -> None:
        used: dict[UUID, datetime] = keyring.take_used()
        if used:
            async with pool.transaction() as tx:
                await keys.mark_used(tx, used)

    async def share_numbers() -> None:
        metrics.save()

    async def forget_answers() -> None:
        async with pool.transaction() as tx:
            await answers.forget(tx, datetime.now(UTC))

    async def keep_days() -> None:
        today = datetime.now(UTC).date()
        await days.make(pool, today)
        await days.forget(pool, today - timedelta(days=settings.change_retention))

    async def forget_deliveries() -> None:
        before, done = datetime.now(UTC) - timedelta(days=settings.webhook_retention), SWEEP
        while done == SWEEP:
            async with pool.transaction() as tx:
                done = await webhook_queue.forget(tx, before, SWEEP)

    return (
        Chore("remembering used keys", 60.0, remember_used_keys),
        Chore("forgetting old answers", 600.0, forget_answers),
        Chore("making and dropping days of the log", 600.0, keep_days),
        Chore("forgetting old deliveries", 600.0, forget_deliveries),
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
        await _once(chore)


async def _once(chore: Chore) -> None:
    try:
        await chore.do()
    except Exception as error:
        # The next time may do better; a chore must not take the hub down.
        tell(Failed("", chore.name, error))
