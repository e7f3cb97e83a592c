"""All that works for webhooks in one process: beside the requests of a serving hub, or alone in `hub worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.changefeed.cursors import Cursors
from hub.changefeed.feed import Feed
from hub.db.change_positions import READING
from hub.db.pool import Pool
from hub.domain.webhooks.queue import SESSION
from hub.domain.webhooks.signing_secrets import Boxes
from hub.settings import Settings
from hub.subscriptions.registry import Watches
from hub.webhooks.deliverer import Deliverer
from hub.webhooks.documents import Documents
from hub.webhooks.egress import Egress
from hub.webhooks.expander import Clock, Expander, now
from hub.webhooks.http_client import Poster

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
