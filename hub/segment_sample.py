"""Puts three segments into force on the sample data, as an operator would."""

from datetime import datetime
from typing import Any

from hub import graph
from hub.db.pool import Connection, Pool
from hub.domain.segments.commands import activate_segment, create_segment
from hub.domain.segments.definitions import is_known
from hub.settings import Settings
from hub.timer_loop import open_clock
from hub.viewer import ADMIN

SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "big.spenders",
        "Ordered for 20,000 dollars or more",
        {"orders": {"sum": {"total": {"gte": "20000"}, "currency": "USD"}}},
    ),
    (
        "lapsed",
        "Ordered once, but not for a year",
        {"and": [{"orders": {"some": {}}}, {"orders": {"none": {"placedAt": {"withinLast": "P365D"}}}}]},
    ),
    (
        "win.back",
        "Big spenders who have lapsed",
        {"and": [{"segments": {"some": {"code": {"eq": code}}}} for code in ("big.spenders", "lapsed")]},
    ),
)


async def load_segments(settings: Settings, pool: Pool) -> None:
    """Describes and activates the segments in a migrated database with Northwind. A second load changes nothing."""
    clock = await open_clock(settings, pool)
    graph.build()  # plans the filters
    now = await clock.time_source.read()
    async with pool.transaction() as tx:
        await _load(tx, now)


async def _load(tx: Connection, now: datetime) -> None:
    for code, name, filter_ in SEGMENTS:
        if not await is_known(tx, code):
            draft = await create_segment(tx, ADMIN, code=code, name=name, filter=filter_, now=now)
            await activate_segment(tx, ADMIN, id=draft.segment, now=now)
