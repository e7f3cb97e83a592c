"""The time of requests, rules, timers, keys and changes: the machine's, or that of a test clock (hub/model/test_clock.py).

Transports stay with the machine: tokens, signatures and retries of webhooks, leases of jobs, the log of events."""

import time
from datetime import UTC, datetime


class TimeSource:
    """The machine's time."""

    is_test = False

    def now(self) -> datetime:
        """The time, as this process knows it."""
        return datetime.now(UTC)

    def timestamp(self) -> float:
        """The same in seconds since the Unix epoch."""
        return time.time()

    async def read(self) -> datetime:
        """The time, on which all processes agree."""
        return self.now()


REAL_TIME = TimeSource()
