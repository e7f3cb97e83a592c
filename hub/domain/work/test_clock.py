"""The command that advances a test clock."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, NamedTuple, Protocol

from hub.db.pool import Connection
from hub.model.commands import Injected, command
from hub.viewer import Viewer


class AdvancingClock(Protocol):
    """What moves a test clock on; ClockTools in hub/timer_loop.py implements it."""

    @property
    def request_seconds(self) -> float | None:
        """How long a request may advance the clock; None for as long as it takes."""

    async def advance(
        self, moment: datetime, heartbeat: Callable[[], Awaitable[object]], seconds: float | None
    ) -> tuple[int, int]:
        """Advances the clock and fires timers; returns how many fired, and how many have failed.

        Raises BadInput for a clock that is no test clock, Unavailable CLOCK_NOT_REACHED after so many seconds."""


class TestClockAdvancePayload(NamedTuple):
    """The payload of testClockAdvance."""

    now: Annotated[datetime, "The time that it is now."]
    fired: Annotated[int, "Moments that came on the way and whose timers fired in this process."]
    failed: Annotated[int, "Moments that came and whose timers have failed; they are tried again apart."]


@command("testClockAdvance")
async def advance_test_clock(
    tx: Connection,
    viewer: Viewer,
    *,
    to: Annotated[datetime, "The time to move on to."],
    now: datetime,
    clock: Injected[AdvancingClock],
) -> TestClockAdvancePayload:
    """Moves the time of a test clock forward. It returns when every timer that is due by then has fired, in the order of
    their moments and each as of its own. A request that runs out of time is refused with CLOCK_NOT_REACHED, which says how far
    the clock came and which timer is next; sent again, it goes on from there."""
    viewer.require("clock:admin")
    # Without it the database would end the transaction, which waits.
    fired, failed = await clock.advance(to, partial(tx.execute, "select 1"), clock.request_seconds)
    return TestClockAdvancePayload(to, fired, failed)
