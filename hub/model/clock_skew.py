"""Moments that other systems report: their clocks may be a little ahead of the hub's."""

from datetime import datetime, timedelta

from hub.errors import BadInput

MAX_CLOCK_SKEW = timedelta(minutes=5)  # by which a clock may be ahead


def past_moment(name: str, moment: datetime | None, now: datetime, skew: timedelta = MAX_CLOCK_SKEW) -> datetime:
    """A moment of the past, `now` by default. One that is ahead by at most `skew` is `now`: the clock that said it is fast.

    Raises BadInput for one further ahead."""
    if moment is None or now < moment <= now + skew:
        return now
    if moment > now:
        raise BadInput(f"{name}: it lies ahead of the hub's clock; give a moment that is past.", argument=name)
    return moment
