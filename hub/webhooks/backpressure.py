"""Backpressure: an adaptive concurrency window per webhook and a circuit breaker per host. Pure functions of outcomes."""

from collections import deque
from datetime import datetime, timedelta

INITIAL_WINDOW, MAX_WINDOW = 8, 32  # concurrent requests to one webhook
FAILURES_TO_MINIMUM = 5  # consecutive failures after which the window shrinks to one request
FAILURE_WINDOW, OPEN_DURATION = timedelta(minutes=5), timedelta(minutes=2)
MIN_FAILURES, MIN_FAILURE_RATIO = 20, 0.5  # within FAILURE_WINDOW, to open the breaker


class ConcurrencyWindow:
    """The number of concurrent requests that a webhook may have."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._size = float(INITIAL_WINDOW)
        self._failures = 0

    @property
    def available(self) -> int:
        """The number of requests that may be sent now."""
        return max(0, int(self._size) - self.in_flight)

    def record(self, *, delivered: bool) -> None:
        """Records an outcome: a delivery grows the window by one, a failure halves it."""
        self._failures = 0 if delivered else self._failures + 1
        self._size = min(MAX_WINDOW, self._size + 1) if delivered else max(1.0, self._size / 2)
        if self._failures >= FAILURES_TO_MINIMUM:
            self._size = 1.0


class CircuitBreaker:
    """A host's circuit breaker: opens when most requests fail; after OPEN_DURATION one trial request may close it."""

    def __init__(self) -> None:
        self._outcomes: deque[tuple[datetime, bool]] = deque()
        self._failures = 0
        self.open_until: datetime | None = None

    def is_closed(self, now: datetime) -> bool:
        """Whether requests are unrestricted."""
        return self.open_until is None

    def is_open(self, now: datetime) -> bool:
        """Whether no request may be sent. After OPEN_DURATION the breaker is neither open nor closed: one trial may go."""
        return self.open_until is not None and now < self.open_until

    def record(self, now: datetime, *, success: bool) -> None:
        """Records an outcome. Every response counts as a success except 429 and 5xx."""
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
