"""SQL expressions of clocks, for fields that resolvers compute."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa


def spent_by_clock(row: sa.FromClause, now: "sa.ColumnElement[datetime]") -> "sa.ColumnElement[Any]":
    """Seconds of working time that a clock has spent so far; `row` is one of the table of clocks."""
    return row.c.spent + sa.func.hub_clock_seconds(row.c.calendar_id, row.c.running_since, now)
