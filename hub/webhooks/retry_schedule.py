"""When a delivery is tried again: the schedule of Standard Webhooks, with jitter, and what a receiver asks for. Pure.

Also when a webhook that only fails is paused."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Between one attempt and the next; ten attempts in 75 hours and 35 minutes.
WAITS = tuple(timedelta(seconds=each) for each in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
ATTEMPTS = len(WAITS) + 1
JITTER = 0.2
LONGEST_ASKED = timedelta(hours=1)
GIVEN_UP = timedelta(days=5)

GONE = 410
THROTTLED = frozenset((429, 502, 503, 504))


def next_attempt(attempts: int, at: datetime, drawn: float, retry_after: str | None = None) -> datetime | None:
    """When to try again after so many attempts; None for never. `drawn` is a random number from 0 to 1.

    What the receiver asks for may put it off for an hour more than the schedule does, never move it up."""
    if attempts >= ATTEMPTS:
        return None
    due = at + WAITS[attempts - 1] * (1 + JITTER * (2 * drawn - 1))
    asked = asked_for(retry_after, at)
    return due if asked is None else max(due, at + min(asked, LONGEST_ASKED))


def asked_for(retry_after: str | None, at: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, in seconds or as a date; None when it says nothing sensible."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((when if when.tzinfo else when.replace(tzinfo=UTC)) - at, timedelta(0))


def given_up(failing_since: datetime | None, at: datetime) -> bool:
    """Whether a webhook has failed for so long that it is paused."""
    return failing_since is not None and at - failing_since >= GIVEN_UP
