"""How much is sent at once to a webhook, and whether to a host at all: windows that grow and shrink, and a breaker. Pure."""

from collections import deque
from datetime import datetime, timedelta

INITIAL_WINDOW, MAX_WINDOW = 8, 32  # requests at once to one webhook: at first, and at most
FAILURES_TO_MINIMUM = 5  # failures in a row, after which one request at a time is enough to find out
FAILURE_WINDOW, OPEN_DURATION = timedelta(minutes=5), timedelta(minutes=2)
MIN_FAILURES, MIN_FAILURE_RATIO = 20, 0.5


class ConcurrencyWindow:
    """How many requests a webhook may have under way."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._size = float(INITIAL_WINDOW)
        self._failures = 0

    @property
    def available(self) -> int:
        """How many more may be sent."""
        return max(0, int(self._size) - self.in_flight)

    def record(self, *, delivered: bool) -> None:
        """What came of a request: each that is taken makes room for one more, each that is not halves it."""
        self._failures = 0 if delivered else self._failures + 1
        self._size = min(MAX_WINDOW, self._size + 1) if delivered else max(1.0, self._size / 2)
        if self._failures >= FAILURES_TO_MINIMUM:
            self._size = 1.0


class CircuitBreaker:
    """Whether a host is asked at all. When most of what was sent to it failed, it is left alone for a while, then tried once."""

    def __init__(self) -> None:
        self._outcomes: deque[tuple[datetime, bool]] = deque()
        self._failures = 0
        self.open_until: datetime | None = None

    def is_closed(self, now: datetime) -> bool:
        """Whether requests may go as usual."""
        return self.open_until is None

    def is_open(self, now: datetime) -> bool:
        """Whether none may; once the rest is over, one may go to find out."""
        return self.open_until is not None and now < self.open_until

    def record(self, now: datetime, *, success: bool) -> None:
        """What came of a request. An answer of any kind but those of an overloaded or broken server is well."""
        if self.open_until is not None:
            if success:
                self._outcomes.clear()
                self._failures, self.open_until = 0, None
            elif now >= self.open_until:
                self.open_until = now + OPEN_DURATION
            return
        self._outcomes.append((now, success))
        self._failures += not success
        while self._outcomes and now - self._outcomes[0][0] > FAILURE_WINDOW:
            self._failures -= not self._outcomes.popleft()[1]
        if self._failures >= MIN_FAILURES and self._failures >= MIN_FAILURE_RATIO * len(self._outcomes):
            self.open_until = now + OPEN_DURATION
