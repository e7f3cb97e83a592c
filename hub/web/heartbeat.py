"""A timing wheel: one timer calls the heartbeats of many members, each once per period."""

import asyncio
from typing import Protocol

SLOTS = 300


class HasHeartbeat(Protocol):
    """A member of a timing wheel."""

    def on_heartbeat(self) -> None:
        """Called once per period."""


class TimingWheel:
    """Spreads its members over SLOTS slots. The timer runs while there are members; `period` is in seconds."""

    def __init__(self, period: float) -> None:
        self._slot_interval = period / SLOTS
        self._slots: list[set[HasHeartbeat]] = [set() for _ in range(SLOTS)]
        self._slot_of_member: dict[HasHeartbeat, int] = {}
        self._current_slot = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: HasHeartbeat) -> None:
        """Adds a member, whose first heartbeat comes after a whole period."""
        self._slot_of_member[member] = self._current_slot
        self._slots[self._current_slot].add(member)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._slot_interval, self._advance)

    def remove(self, member: HasHeartbeat) -> None:
        """Removes a member, if it is in the wheel."""
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
