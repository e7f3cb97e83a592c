"""What clocks have spent, by plain arithmetic: a second definition of the SQL that resolvers of clocks read."""

from datetime import datetime, timedelta

from hub.model.working_time import compiled_working_time
from oracle.data import DataRecord, Dataset

SECOND = timedelta(seconds=1)


def spent_so_far(clock: DataRecord, every_row: Dataset, now: datetime) -> float:
    """Seconds of working time that a clock has spent; `every_row` holds its calendar even where a viewer does not see it."""
    return float(clock["spent"]) + _running_seconds(clock, every_row, now)


def _running_seconds(clock: DataRecord, every_row: Dataset, now: datetime) -> float:
    since: datetime | None = clock["running_since"]
    if since is None or now <= since:
        return 0.0
    calendar = every_row.get("Calendar", clock["calendar_id"])
    if calendar is None:
        return (now - since) / SECOND
    first, last = calendar["covers_from"], calendar["covers_until"]
    hours = compiled_working_time(calendar["timezone"], calendar["weekly"], calendar["exceptions"], first, last)
    worked: timedelta = hours.between(min(max(since, first), last), min(max(now, first), last))
    return worked / SECOND
