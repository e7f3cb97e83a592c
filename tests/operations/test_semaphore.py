"""Turns at what there are few of: in order, handed on whoever leaves the line, and refused to all of it at once."""

import asyncio

import pytest

from hub.db.semaphore import Turns


async def take(turns: Turns, name: str, told: list[str]) -> None:
    async with turns:
        told.append(name)
        await asyncio.sleep(0)


async def test_turns_come_in_the_order_of_the_line() -> None:
    turns, told = Turns(1), list[str]()
    await asyncio.gather(*(take(turns, name, told) for name in "abcd"))
    assert told == ["a", "b", "c", "d"]


async def test_who_leaves_the_line_is_passed_over() -> None:
    turns, told = Turns(1), list[str]()
    async with turns:
        tasks = [asyncio.create_task(take(turns, name, told)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert told == ["b", "c"]


async def test_who_leaves_as_its_turn_comes_hands_it_on() -> None:
    turns, told = Turns(1), list[str]()
    async with turns:
        tasks = [asyncio.create_task(take(turns, name, told)) for name in "ab"]
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), turns:
        assert told == ["b"]


async def test_all_of_the_line_are_sent_away_at_once_and_turns_go_on() -> None:
    turns, told = Turns(1), list[str]()
    async with turns:
        tasks = [asyncio.create_task(take(turns, name, told)) for name in "abc"]
        await asyncio.sleep(0)
        turns.send_away(lambda: ConnectionError("away"))
        for task in tasks:
            with pytest.raises(ConnectionError, match="away"):
                await task
    await take(turns, "d", told)
    assert told == ["d"]
