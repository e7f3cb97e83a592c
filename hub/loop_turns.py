"""Long lists in parts: the event loop has one thread, and what computes for a millisecond lets clients wait for as long."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

PART = 50
Item = TypeVar("Item")


async def in_parts(items: Sequence[Item], size: int = PART) -> AsyncIterator[Sequence[Item]]:
    """Yields a list in parts; before each but the first, other work of the process goes on."""
    for start in range(0, len(items), size):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + size]
