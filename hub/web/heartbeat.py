"""One timer for the heartbeats of many: each member has its turn once per period, a few at a time."""

import asyncio
from typing import Protocol

SPOKES = 300


class Beats(Protocol):
    """Whoever has a turn now and then."""

    def beat(self) -> None:
        """The turn."""


class Wheel:
    """Turns while it has members."""

    def __init__(self, period: float) -> None:
        self._every = period / SPOKES
        self._spokes: list[set[Beats]] = [set() for _ in range(SPOKES)]
        self._at: dict[Beats, int] = {}
        self._now = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, member: Beats) -> None:
        """Its first turn comes after a whole period."""
        self._at[member] = self._now
        self._spokes[self._now].add(member)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._turn)

    def leave(self, member: Beats) -> None:
        at = self._at.pop(member, None)
        if at is not None:
            self._spokes[at].discard(member)

    def _turn(self) -> None:
        if not self._at:
            self._timer = None
            return
        self._timer = asyncio.get_running_loop().call_later(self._every, self._turn)
        self._now = (self._now + 1) % SPOKES
        for member in list(self._spokes[self._now]):
            member.beat()
