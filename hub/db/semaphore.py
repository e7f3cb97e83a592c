"""So many at once, the others in a line; who waits in it can be sent away. Knows no database."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """A block under `async with` is one's turn."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._line: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._next()  # it came too late
            raise

    async def __aexit__(self, *_: object) -> None:
        self._next()

    def _next(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def send_away(self, error: Callable[[], Exception]) -> None:
        """Everybody in the line gets an error."""
        for turn in self._line:
            if not turn.done():
                turn.set_exception(error())
        self._line.clear()
