"""Chance that repeats itself: numbers drawn from the hash of a name."""

import hashlib
import math
import struct

DrawnNumbers = tuple[int, ...]

_WIDE = struct.Struct(">6I40x")
_NARROW = struct.Struct(">24x20H")


def draw(name: str) -> tuple[DrawnNumbers, DrawnNumbers]:
    """Six numbers below 2**32 and twenty below 2**16; nothing but the name decides on them."""
    digest = hashlib.blake2b(name.encode()).digest()
    return _WIDE.unpack(digest), _NARROW.unpack(digest)


def draw_skewed(wide: int, bound: int) -> int:
    """A number below the bound, lower ones more often: the share of those under x is x to the power of 2/3."""
    share = wide / 4_294_967_296
    # Multiplication and square root are exact in IEEE 754, so every machine gets the same; powers are not.
    return int(share * math.sqrt(share) * bound)
