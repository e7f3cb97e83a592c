"""A least-recently-used cache with a budget in bytes, for values that are expensive to create: documents, plans."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteBudgetCache(Generic[T]):
    """Evicts the least recently used values above the budget. A value that alone exceeds it is not cached."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._used = 0
        self._items: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """The value of the key, or None."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

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
