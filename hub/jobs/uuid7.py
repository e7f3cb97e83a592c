"""Keys of rows, made by the hub where one statement inserts rows that refer to one another: UUIDs of version 7."""

import os
from time import time_ns
from uuid import UUID


def uuid7() -> UUID:
    """A new key; later ones are greater, to the millisecond."""
    milliseconds = time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    high, low = random >> 62 & 0xFFF, random & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
