"""One timer for the heartbeats of many: each member has its turn once per period, a few at a time."""

import asyncio
from typing import Protocol

SLOTS = 300


class HasHeartbeat(Protocol):
    """Whoever has a turn now and then."""

    def on_heartbeat(self) -> None:
        """The turn."""


class TimingWheel:
    """Turns while it has members."""

    def __init__(self, period: float) -> None:
        self._slot_interval = period / SLOTS
        self._slots: list[set[HasHeartbeat]] = [set() for _ in range(SLOTS)]
        self._slot_of_member: dict[HasHeartbeat, int] = {}
        self._current_slot = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: HasHeartbeat) -> None:
        """Its first turn comes after a whole period."""
        self._slot_of_member[member] = self._current_slot
        self._slots[self._current_slot].add(member)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._slot_interval, self._advance)

    def remove(self, member: HasHeartbeat) -> None:
        slot = self._slot_of_member.pop(member, None)
        if slot is not None:
            self._slots[slot].discard(member)

    def _advance(self) -> None:
        if not self._slot_of_member:
            self._timer = None
            return
        self._timer = asyncio.get_running_loop().call_later(self._slot_interval, self._advance)
        self._current_slot = (self._current_slot + 1) % SLOTS
        for member in list(self._slots[self._current_slot]):
            member.on_heartbeat()
