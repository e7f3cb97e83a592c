"""The pools of a serving process: one for each use, so that none of them waits for another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from hub.db.change_positions import CHANGEFEED_SESSION, MESSAGE_SESSION
from hub.db.pool import Pool
from hub.settings import Settings

CHANGEFEED_CONNECTIONS = 2  # connections that follow the change feed for streams
TIMER_CONNECTIONS = 2  # connections that fire timers and read a test clock


class HubPools(NamedTuple):
    """Pools by use. API keys are looked up on a pool of their own, which reads hashes."""

    requests: Pool
    keys: Pool
    streams: Pool
    messages: Pool
    changefeed: Pool
    timers: Pool


@asynccontextmanager
async def open_pools(settings: Settings, dsn: str) -> AsyncIterator[HubPools]:
    """Opens the pools while the body runs; raises Unavailable if the database does not answer."""
    requests = await Pool.open(dsn, settings, lanes=True)
    streams = settings.model_copy(update={"pool_size": settings.stream_pool_size})
    pools = HubPools(
        requests,
        Pool(dsn, settings.model_copy(update={"pool_size": 1}), as_owner=True),
        Pool(dsn, streams, lanes=True),
        Pool(dsn, streams, MESSAGE_SESSION),
        Pool(dsn, settings.model_copy(update={"pool_size": CHANGEFEED_CONNECTIONS}), CHANGEFEED_SESSION),
        Pool(dsn, settings.model_copy(update={"pool_size": TIMER_CONNECTIONS})),
    )
    try:
        yield pools
    finally:
        for pool in reversed(pools):
            await pool.close()
