"""Reproducible random numbers: draws from the hash of a name."""

import hashlib
import math
import struct

DrawnNumbers = tuple[int, ...]

_WIDE = struct.Struct(">6I40x")
_NARROW = struct.Struct(">24x20H")


def draw(name: str) -> tuple[DrawnNumbers, DrawnNumbers]:
    """Returns six numbers below 2**32 and twenty below 2**16, which depend only on the name."""
    digest = hashlib.blake2b(name.encode()).digest()
    return _WIDE.unpack(digest), _NARROW.unpack(digest)


def draw_skewed(wide: int, bound: int) -> int:
    """Returns a number below the bound, biased to low numbers: the share of those below x is x to the power of 2/3."""
    share = wide / 4_294_967_296
    # Multiplication and square root are exact in IEEE 754, so they give the same result on every machine; powers do not.
    return int(share * math.sqrt(share) * bound)
