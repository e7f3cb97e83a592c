"""A FIFO semaphore whose waiters can be rejected with an error. Knows no database."""

import asyncio
from collections import deque
from collections.abc import Callable


class FifoSemaphore:
    """Admits at most `limit` blocks under `async with` at a time; the others wait in order."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release()  # acquired and cancelled at the same time: pass it on
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def reject_waiters(self, create_error: Callable[[], Exception]) -> None:
        """Raises a new error in every waiter."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(create_error())
        self._waiters.clear()
