"""A least-recently-used cache with a budget in bytes, for values that are expensive to create: documents, plans."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBudgetCache(Generic[T]):
    """Evicts the least recently used values above the budget. A value that alone exceeds it is not cached."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._used = 0
        self._items: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._pending: dict[Hashable, asyncio.Task[T]] = {}

    def get(self, key: Hashable) -> T | None:
        """The value of the key, or None."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    async def get_or_create(self, key: Hashable, create: Callable[[], Awaitable[tuple[T, int]]]) -> T:
        """The value of the key; `create` gives a missing one with its size.

        Concurrent callers share one call of `create`, which goes on if they are cancelled."""
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._create(key, create))
            # All callers may be gone: marks an exception as retrieved.
            task.add_done_callback(lambda finished: finished.cancelled() or finished.exception())
        return await asyncio.shield(task)

    async def _create(self, key: Hashable, create: Callable[[], Awaitable[tuple[T, int]]]) -> T:
        try:
            value, size = await create()
            self.put(key, value, size)
            return value
        finally:
            del self._pending[key]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Caches a value of a size in bytes."""
        if size > self._capacity:
            return
        _, replaced = self._items.pop(key, (None, 0))
        self._items[key] = value, size
        self._used += size - replaced
        while self._used > self._capacity:
            _, (_, freed) = self._items.popitem(last=False)
            self._used -= freed
