"""A store bounded by bytes, for what is costly to make and cheap to forget: documents, plans."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBudgetCache(Generic[T]):
    """Forgets what was longest unused once it holds more than its bytes; what alone is larger is not kept at all."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._used = 0
        self._items: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._pending: dict[Hashable, asyncio.Task[T]] = {}

    def get(self, key: Hashable) -> T | None:
        """What is kept under the key."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    async def get_or_create(self, key: Hashable, create: Callable[[], Awaitable[tuple[T, int]]]) -> T:
        """What is made for the key, with its size, and kept: once, however many ask for it meanwhile, or cease to."""
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._create(key, create))
            task.add_done_callback(
                lambda finished: finished.cancelled() or finished.exception()
            )  # nobody may be left to be told
        return await asyncio.shield(task)

    async def _create(self, key: Hashable, create: Callable[[], Awaitable[tuple[T, int]]]) -> T:
        try:
            value, size = await create()
            self.put(key, value, size)
            return value
        finally:
            del self._pending[key]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keeps a value of a size in bytes."""
        if size > self._capacity:
            return
        _, replaced = self._items.pop(key, (None, 0))
        self._items[key] = value, size
        self._used += size - replaced
        while self._used > self._capacity:
            _, (_, freed) = self._items.popitem(last=False)
            self._used -= freed
