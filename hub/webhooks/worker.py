"""The webhook worker of one process: runs inside a serving hub, or alone in `hub worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.change_positions import CHANGEFEED_SESSION
from hub.db.pool import Pool
from hub.domain.access.secrets import Encryptor
from hub.domain.webhooks.queue import SESSION_SETTINGS
from hub.settings import Settings
from hub.subscriptions.registry import SubscriptionCompiler
from hub.webhooks.deliverer import Deliverer
from hub.webhooks.documents import WebhookDocuments
from hub.webhooks.egress import EgressPolicy
from hub.webhooks.expander import UtcClock, WebhookExpander, utc_now
from hub.webhooks.http_client import HttpClient

CONNECTIONS = 5  # database connections, opened on demand; one of them polls the change feed


@asynccontextmanager
async def webhook_worker(
    settings: Settings,
    dsn: str,
    engine: SubscriptionCompiler,
    cursors: ChangeCursors,
    encryptor: Encryptor,
    clock: UtcClock = utc_now,
) -> AsyncIterator[None]:
    """Runs the expander and the deliverer while the body runs."""
    pool = Pool(dsn, settings.model_copy(update={"pool_size": CONNECTIONS - 1}), SESSION_SETTINGS)
    changefeed_pool = Pool(dsn, settings.model_copy(update={"pool_size": 1}), CHANGEFEED_SESSION)
    deliverer = Deliverer(pool, HttpClient(EgressPolicy(settings.webhook_allow)), encryptor, clock)
    expander = WebhookExpander(
        pool, ChangeFeed(pool, cursors, changefeed_pool), WebhookDocuments(engine), deliverer.wake, clock
    )
    try:
        async with deliverer.running(), expander.running():
            yield
    finally:
        await changefeed_pool.close()
        await pool.close()
