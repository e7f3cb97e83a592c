"""All that works for webhooks in one process: beside the requests of a serving hub, or alone in `hub worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.db.pool import Pool
from hub.db.positions import READING
from hub.domain.webhook_queue import SESSION
from hub.domain.webhook_secrets import Boxes
from hub.publish.cursors import Cursors
from hub.publish.feed import Feed
from hub.publish.subscriptions import Watches
from hub.publish.webhooks.deliver import Deliverer
from hub.publish.webhooks.documents import Documents
from hub.publish.webhooks.egress import Egress
from hub.publish.webhooks.expand import Clock, Expander, now
from hub.publish.webhooks.post import Poster
from hub.settings import Settings

CONNECTIONS = 5  # of the database, opened when there is something to do; one of them looks for changes


@asynccontextmanager
async def working(
    settings: Settings, dsn: str, engine: Watches, cursors: Cursors, boxes: Boxes, clock: Clock = now
) -> AsyncIterator[None]:
    """Expands and delivers while the body runs."""
    pool = Pool(dsn, settings.model_copy(update={"pool_size": CONNECTIONS - 1}), SESSION)
    log = Pool(dsn, settings.model_copy(update={"pool_size": 1}), READING)
    deliverer = Deliverer(pool, Poster(Egress(settings.webhook_allow)), boxes, clock)
    expander = Expander(pool, Feed(pool, cursors, log), Documents(engine), deliverer.wake, clock)
    try:
        async with deliverer.running(), expander.running():
            yield
    finally:
        await log.close()
        await pool.close()
