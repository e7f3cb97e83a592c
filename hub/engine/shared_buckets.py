"""Buckets of cost points that the serving processes of one machine share, in a file that each of them maps into memory.

A file lock guards the few microseconds of one change. The clock must be the machine's: time.monotonic is."""

import fcntl
import mmap
import os
from hashlib import sha256
from pathlib import Path
from struct import Struct

from hub.client_limits import CostBudget
from hub.db.fair_queue import Flow
from hub.engine.budgets import ROUNDING, refilled

SLOT = Struct("=16sdd")  # a flow, its balance, and the time since when it has it
SLOTS = 16_384
WINDOW = 16  # slots in which a flow may be
FREE = bytes(16)


class SharedBuckets:
    """Balances in a file. A flow that finds no free slot takes that of the flow that was longest without an operation."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, SLOTS * SLOT.size)  # new bytes are zero, and the size is the same for all
        self._slots = mmap.mmap(self._file, SLOTS * SLOT.size)

    def take(self, flow: Flow, budget: CostBudget, points: float, required: float, now: float) -> float:
        """See budgets.Buckets."""
        name = sha256(repr(flow).encode()).digest()[:16]
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            offset, stored = self._find(name)
            balance = refilled(stored, budget, now)
            if balance + ROUNDING >= required:
                SLOT.pack_into(self._slots, offset, name, min(balance - points, budget.capacity), now)
            return balance
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Releases the file."""
        self._slots.close()
        os.close(self._file)

    def _find(self, name: bytes) -> tuple[int, tuple[float, float] | None]:
        """The offset of the flow's slot and its balance with its time; None for a slot that is new to it."""
        first = int.from_bytes(name[:4], "big")
        oldest_offset, oldest_since = 0, float("inf")
        for number in range(first, first + WINDOW):
            offset = number % SLOTS * SLOT.size
            stored_name, balance, since = SLOT.unpack_from(self._slots, offset)
            if stored_name == name:
                return offset, (balance, since)
            if stored_name == FREE:
                since = float("-inf")
            if since < oldest_since:
                oldest_offset, oldest_since = offset, since
        return oldest_offset, None
