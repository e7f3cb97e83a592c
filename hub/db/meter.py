"""Measures the database time of one operation: how long its statements and transactions occupy connections."""

from collections.abc import Callable


class WorkMeter:
    """Adds up seconds of a clock. Waiting for a connection does not count."""

    __slots__ = ("clock", "seconds")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock  # in seconds, from any moment on
        self.seconds = 0.0

    def admit(self) -> None:
        """Called when a statement that waited for its turn may run; raises HubError to refuse it. A meter alone admits all."""

    def add_since(self, started_at: float) -> None:
        """Adds the seconds since a time of the clock."""
        self.seconds += self.clock() - started_at
