"""FairQueue: flows take turns, one flow has at most its share, and waiters can be cancelled and rejected."""

import asyncio

import pytest

from hub.db.fair_queue import FairQueue


async def enter(queue: FairQueue, name: str, finished: list[str]) -> None:
    async with queue.turn(name[0]):
        finished.append(name)
        await asyncio.sleep(0)


async def test_turns_of_one_flow_are_admitted_in_order() -> None:
    queue, finished = FairQueue(1), list[str]()
    await asyncio.gather(*(enter(queue, f"f{number}", finished) for number in range(4)))
    assert finished == ["f0", "f1", "f2", "f3"]


async def test_flows_take_turns_however_much_one_of_them_asks() -> None:
    queue, finished = FairQueue(1), list[str]()
    await asyncio.gather(*(enter(queue, name, finished) for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2")))
    assert finished == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_one_flow_has_at_most_its_share_and_the_rest_is_free_for_others() -> None:
    queue, finished = FairQueue(3, share=2), list[str]()
    async with queue.turn("a"), queue.turn("a"):
        waiting = asyncio.create_task(enter(queue, "a3", finished))
        await asyncio.sleep(0)
        await enter(queue, "b1", finished)
        assert finished == ["b1"]
    await waiting
    assert finished == ["b1", "a3"]


async def test_the_hubs_own_work_has_no_share() -> None:
    queue = FairQueue(2, share=1)
    async with asyncio.timeout(1), queue.turn(None), queue.turn(None):
        assert not queue.try_enter("a")


async def test_a_cancelled_waiter_is_skipped() -> None:
    queue, finished = FairQueue(1), list[str]()
    async with queue.turn("f"):
        tasks = [asyncio.create_task(enter(queue, name, finished)) for name in ("f1", "f2", "f3")]
        await asyncio.sleep(0)
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert finished == ["f2", "f3"]


async def test_a_waiter_cancelled_on_entering_passes_its_turn_on() -> None:
    queue, finished = FairQueue(1), list[str]()
    async with queue.turn("f"):
        tasks = [asyncio.create_task(enter(queue, name, finished)) for name in ("f1", "f2")]
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), queue.turn("f"):
        assert finished == ["f2"]


async def test_all_waiters_are_rejected_at_once_and_the_queue_works_on() -> None:
    queue, finished = FairQueue(1), list[str]()
    async with queue.turn("f"):
        tasks = [asyncio.create_task(enter(queue, name, finished)) for name in ("a", "b", "c")]
        await asyncio.sleep(0)
        queue.reject_waiters(lambda: ConnectionError("away"))
        for task in tasks:
            with pytest.raises(ConnectionError, match="away"):
                await task
    await enter(queue, "d", finished)
    assert finished == ["d"]
