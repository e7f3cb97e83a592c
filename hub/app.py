"""The composition root: settings → pool → schema → engine → routes, and the life of one serving process."""

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import sqlalchemy as sa
import uvloop

from hub import observability, scheduler, schema
from hub.changefeed.cursors import Cursors
from hub.changefeed.feed import Feed
from hub.changefeed.sequencer import Sequencer
from hub.db import migrate
from hub.db.change_positions import READING, TELLING
from hub.db.pool import Pool
from hub.db.sql_text import text
from hub.domain.access import api_keys, secrets
from hub.engine.engine import Engine
from hub.errors import Unavailable
from hub.model import idempotency
from hub.observability import HubReady, HubStopping, Log, tell
from hub.settings import Settings
from hub.subscriptions.interfaces import Streams
from hub.subscriptions.registry import Subscriptions
from hub.web import health, pages, server
from hub.web.asgi import Site
from hub.web.auth import Keyring
from hub.web.context import Desk, Executes
from hub.web.metrics import Metrics
from hub.webhooks import worker as webhooks
from hub.webhooks.documents import Documents, Trials
from hub.webhooks.expander import Clock, now

_version = sa.table("alembic_version", sa.column("version_num"))
REVISION = text(sa.select(_version.c.version_num))

LOOKING = 2  # connections that the order of changes is read through, for streams

DemoKey = Callable[[], str | None]


def nobody() -> None:
    """No key to hand out."""


def keyring(pool: Pool, settings: Settings) -> Keyring:
    async def find(shown: Sequence[str]) -> list[api_keys.KeyFound]:
        async with pool.connection() as connection:
            return await api_keys.find_all(connection, shown)

    return Keyring(find, ttl=settings.key_cache_ttl, size=settings.key_cache_size)


def build(
    settings: Settings,
    engine: Executes,
    ring: Keyring,
    streams: Streams,
    *,
    check: health.Check,
    metrics: Metrics | None = None,
    demo_key: DemoKey = nobody,
) -> Site:
    """Everything that answers, from what it answers with. Holds no resource."""
    routes = health.routes(check, metrics if settings.metrics else None)
    routes += pages.routes(enabled=settings.graphiql, demo_key=demo_key, bound_to=settings.host)
    return Site(Desk(engine, ring, streams, settings), routes)


async def engine_on(settings: Settings, pool: Pool, aside: Pool) -> tuple[Engine, Cursors, secrets.Boxes]:
    """The engine on a database, and the secrets that it shares with others; its commands look at the log `aside`."""
    chosen = settings.encryption_key.get_secret_value() if settings.encryption_key else None
    async with pool.connection() as connection:
        secret, boxes = await secrets.cursor_secret(connection), await secrets.boxes(connection, chosen)
    cursors = Cursors(secret)
    tools: dict[str, object] = {"boxes": boxes}
    engine = Engine(schema.build(), pool, settings, secret, idempotency.Memory(), Feed(pool, cursors), tools)
    tools["subscriptions"] = Trials(Documents(engine), Feed(aside, cursors))  # which ask the engine themselves
    return engine, cursors, boxes


@asynccontextmanager
async def running(
    settings: Settings, dsn: str, *, demo_key: DemoKey = nobody, shared: Path | None = None
) -> AsyncIterator[Site]:
    """The whole hub on a database, without a socket; workers give the folder in which they share their numbers."""
    pool = await Pool.open(dsn, settings)
    door = Pool(
        dsn, settings.model_copy(update={"pool_size": 1})
    )  # whoever comes is let in, however busy the others are
    aside = Pool(dsn, settings.model_copy(update={"pool_size": settings.stream_pool_size}))
    telling = Pool(dsn, settings.model_copy(update={"pool_size": settings.stream_pool_size}), TELLING)
    log = Pool(dsn, settings.model_copy(update={"pool_size": LOOKING}), READING)
    try:
        head = migrate.head()

        async def check() -> None:
            async with pool.connection() as connection:
                if await connection.fetchval(REVISION) != head:
                    raise Unavailable(f"the database is not at revision {head}; run `hub migrate`")

        ring = keyring(door, settings)
        metrics = Metrics(shared)
        unlisten = observability.listen(metrics)
        try:
            doing = scheduler.chores(pool, ring, metrics, settings)
            async with scheduler.running(doing), Sequencer(dsn, settings).running():
                engine, cursors, boxes = await engine_on(settings, pool, aside)
                async with (
                    Subscriptions(engine, Feed(aside, cursors, log, telling), settings.live_limit).running() as streams,
                    webhooks.working(settings, dsn, engine, cursors, boxes) if settings.webhooks else nullcontext(),
                ):
                    yield build(settings, engine, ring, streams, check=check, metrics=metrics, demo_key=demo_key)
        finally:
            unlisten()
    finally:
        await door.close()
        await log.close()
        await telling.close()
        await aside.close()
        await pool.close()


@asynccontextmanager
async def sending(settings: Settings, dsn: str, clock: Clock = now) -> AsyncIterator[None]:
    """What sends webhooks, without anything that answers; it also gives changes their order, if nobody else does."""
    pool = await Pool.open(dsn, settings)
    try:
        engine, cursors, boxes = await engine_on(settings, pool, pool)
        async with Sequencer(dsn, settings).running(), webhooks.working(settings, dsn, engine, cursors, boxes, clock):
            yield
    finally:
        await pool.close()


def send(settings: Settings, dsn: str) -> None:
    """The life of a process that sends webhooks, until a signal."""
    uvloop.run(_send(settings, dsn))


async def _send(settings: Settings, dsn: str) -> None:
    stopping = asyncio.Event()
    for number in server.STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with sending(settings, dsn):
        _settle()
        tell(HubReady("it sends webhooks"))
        await stopping.wait()
        tell(HubStopping("a signal"))


def serve(settings: Settings, dsn: str, bound: socket.socket, demo_key: str | None, shared: Path | None = None) -> None:
    """The life of a serving process, from the open socket to the last answer."""
    _open_more_files()
    uvloop.run(_serve(settings, dsn, bound, demo_key, shared))


def work(settings: Settings, dsn: str, bound: socket.socket, demo_key: str | None, shared: Path | None = None) -> None:
    """The same for one of several processes, which has nobody yet who listens to it."""
    log = Log(requests=settings.log_requests)
    log.hear_libraries()
    observability.listen(log)
    serve(settings, dsn, bound, demo_key, shared)
    log.flush()


async def _serve(settings: Settings, dsn: str, bound: socket.socket, demo_key: str | None, shared: Path | None) -> None:
    async with running(settings, dsn, demo_key=lambda: demo_key, shared=shared) as app:
        _settle()
        tell(HubReady(server.url(settings, bound)))
        await server.made(app, settings).serve([bound])


def _settle() -> None:
    """What exists now lives for ever: it is not looked through again for circles."""
    gc.collect()
    gc.freeze()


def _open_more_files() -> None:
    """Every connection is a file, and the usual 1024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
