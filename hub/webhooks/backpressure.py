"""How much is sent at once to a webhook, and whether to a host at all: windows that grow and shrink, and a breaker. Pure."""

from collections import deque
from datetime import datetime, timedelta

USUAL, MOST = 8, 32  # requests at once to one webhook: at first, and at most
ILL = 5  # failures in a row, after which one request at a time is enough to find out
SPAN, REST = timedelta(minutes=5), timedelta(minutes=2)
LEAST_FAILURES, LEAST_SHARE = 20, 0.5


class Window:
    """How many requests a webhook may have under way."""

    def __init__(self) -> None:
        self.flying = 0
        self._size = float(USUAL)
        self._failures = 0

    @property
    def room(self) -> int:
        """How many more may be sent."""
        return max(0, int(self._size) - self.flying)

    def learn(self, *, taken: bool) -> None:
        """What came of a request: each that is taken makes room for one more, each that is not halves it."""
        self._failures = 0 if taken else self._failures + 1
        self._size = min(MOST, self._size + 1) if taken else max(1.0, self._size / 2)
        if self._failures >= ILL:
            self._size = 1.0


class Breaker:
    """Whether a host is asked at all. When most of what was sent to it failed, it is left alone for a while, then tried once."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, bool]] = deque()
        self._failures = 0
        self.resting_until: datetime | None = None

    def closed(self, at: datetime) -> bool:
        """Whether requests may go as usual."""
        return self.resting_until is None

    def resting(self, at: datetime) -> bool:
        """Whether none may; once the rest is over, one may go to find out."""
        return self.resting_until is not None and at < self.resting_until

    def learn(self, at: datetime, *, well: bool) -> None:
        """What came of a request. An answer of any kind but those of an overloaded or broken server is well."""
        if self.resting_until is not None:
            if well:
                self._seen.clear()
                self._failures, self.resting_until = 0, None
            elif at >= self.resting_until:
                self.resting_until = at + REST
            return
        self._seen.append((at, well))
        self._failures += not well
        while self._seen and at - self._seen[0][0] > SPAN:
            self._failures -= not self._seen.popleft()[1]
        if self._failures >= LEAST_FAILURES and self._failures >= LEAST_SHARE * len(self._seen):
            self.resting_until = at + REST
