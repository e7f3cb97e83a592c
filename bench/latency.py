"""Latencies: from the writer's timestamp in a row to the arrival of the row, and their percentiles."""

import re
from collections.abc import Sequence

ATTRIBUTE = "t"  # of a customer: the writer's clock in nanoseconds
TIMESTAMP_PATTERN = re.compile(rb'"t": ?(\d+)')
NANOSECONDS_PER_MS = 1e6


def timestamp_latencies(data: bytes, received_at: int) -> list[float]:
    """The milliseconds from every writer's timestamp in the data to its arrival at `received_at`, in nanoseconds."""
    return [(received_at - int(match[1])) / NANOSECONDS_PER_MS for match in TIMESTAMP_PATTERN.finditer(data)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
