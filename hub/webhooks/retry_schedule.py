"""The retry schedule of Standard Webhooks, with jitter and Retry-After; and when a failing webhook is paused. Pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The delays between attempts: ten attempts within 75 hours and 35 minutes.
BACKOFF = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
MAX_ATTEMPTS = len(BACKOFF) + 1
JITTER = 0.2
MAX_RETRY_AFTER = timedelta(hours=1)
PAUSE_AFTER = timedelta(days=5)

HTTP_GONE = 410


def next_attempt(
    attempts: int, now: datetime, random_fraction: float, retry_after: str | None = None
) -> datetime | None:
    """Returns the time of the next attempt, or None after the last one. `random_fraction` is a random number from 0 to 1.

    The receiver's Retry-After may delay the attempt to at most MAX_RETRY_AFTER from now; it never makes it earlier."""
    if attempts >= MAX_ATTEMPTS:
        return None
    due = now + BACKOFF[attempts - 1] * (1 + JITTER * (2 * random_fraction - 1))
    requested_delay = parse_retry_after(retry_after, now)
    return due if requested_delay is None else max(due, now + min(requested_delay, MAX_RETRY_AFTER))


def parse_retry_after(retry_after: str | None, now: datetime) -> timedelta | None:
    """Returns the delay of a Retry-After header, given in seconds or as a date; None if it is missing or malformed."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        retry_at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((retry_at if retry_at.tzinfo else retry_at.replace(tzinfo=UTC)) - now, timedelta(0))


def should_pause(failing_since: datetime | None, now: datetime) -> bool:
    """Whether a webhook has failed for PAUSE_AFTER or longer."""
    return failing_since is not None and now - failing_since >= PAUSE_AFTER
