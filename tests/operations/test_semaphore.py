"""FifoSemaphore admits in order, passes on when a waiter is cancelled, and rejects all waiters at once."""

import asyncio

import pytest

from hub.db.semaphore import FifoSemaphore


async def acquire(semaphore: FifoSemaphore, name: str, finished: list[str]) -> None:
    async with semaphore:
        finished.append(name)
        await asyncio.sleep(0)


async def test_waiters_acquire_in_order() -> None:
    semaphore, finished = FifoSemaphore(1), list[str]()
    await asyncio.gather(*(acquire(semaphore, name, finished) for name in "abcd"))
    assert finished == ["a", "b", "c", "d"]


async def test_a_cancelled_waiter_is_skipped() -> None:
    semaphore, finished = FifoSemaphore(1), list[str]()
    async with semaphore:
        tasks = [asyncio.create_task(acquire(semaphore, name, finished)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert finished == ["b", "c"]


async def test_a_waiter_cancelled_on_acquiring_releases() -> None:
    semaphore, finished = FifoSemaphore(1), list[str]()
    async with semaphore:
        tasks = [asyncio.create_task(acquire(semaphore, name, finished)) for name in "ab"]
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), semaphore:
        assert finished == ["b"]


async def test_all_waiters_are_rejected_at_once_and_the_semaphore_works_on() -> None:
    semaphore, finished = FifoSemaphore(1), list[str]()
    async with semaphore:
        tasks = [asyncio.create_task(acquire(semaphore, name, finished)) for name in "abc"]
        await asyncio.sleep(0)
        semaphore.reject_waiters(lambda: ConnectionError("away"))
        for task in tasks:
            with pytest.raises(ConnectionError, match="away"):
                await task
    await acquire(semaphore, "d", finished)
    assert finished == ["d"]
