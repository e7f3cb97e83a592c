"""From settings to a hub that answers: the address, the database, the first key, the processes. Commands call this."""

import asyncio
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from hub import app, doctor, keyfile, observability, postgres, schema
from hub.db import migrate
from hub.db.pool import Pool
from hub.errors import HubError
from hub.observability import Log, PostgresNotice, PostgresReady, tell
from hub.settings import Settings
from hub.web import pages, server
from hub.web.workers import Workers
from hub.webhooks import worker as webhooks

Done = TypeVar("Done")


@contextmanager
def logging(settings: Settings) -> Iterator[None]:
    """What happens is written down while the body runs."""
    log = Log(requests=settings.log_requests)
    log.hear_libraries()
    unlisten = observability.listen(log)
    try:
        yield
    finally:
        unlisten()
        log.flush()


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The address of the database: that of HUB_DATABASE_URL, or of the embedded one, which runs while the body does."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    connections = max(
        100, settings.workers * (settings.pool_size + settings.stream_pool_size + 4 + webhooks.CONNECTIONS) + 20
    )
    noticed = postgres.ensure(
        settings.data_dir, max_connections=connections, notice=lambda text: tell(PostgresNotice(text))
    )
    with noticed as running:
        tell(PostgresReady(str(running.data_dir), running.owned))
        yield running.near_dsn


async def with_pool(settings: Settings, dsn: str, do: Callable[[Pool], Awaitable[Done]]) -> Done:
    """What `do` does with a pool that is there for it alone."""
    (await doctor.connect(dsn)).terminate()
    pool = await Pool.open(dsn, settings)
    try:
        return await do(pool)
    finally:
        await pool.close()


def up(settings: Settings, load: Callable[[str], Awaitable[object]] | None = None) -> None:
    """Make all that is missing, then serve until a signal."""
    signal.signal(signal.SIGTERM, _end)
    # The address comes first: that it is taken is the likeliest fault, and the cheapest to find.
    with logging(settings), closing(server.bind(settings)) as bound, database(settings) as dsn:
        asyncio.run(migrate_fit(dsn))
        if load is not None:
            asyncio.run(_loaded(load, dsn))
        now = datetime.now(UTC)
        key, made = asyncio.run(with_pool(settings, dsn, lambda pool: keyfile.ensure(pool, settings.data_dir, now)))
        if settings.workers == 1:
            schema.build()  # which takes longest: whoever follows what is printed now is answered soon
        bound.listen(server.BACKLOG)
        if made:
            print(f"key  {key}")
        if settings.graphiql:
            print(f"GraphiQL  {server.url(settings, bound)}/graphiql")
            print(f"Live  {server.url(settings, bound)}/live")
        sys.stdout.flush()
        run(settings, dsn, bound, key if pages.is_loopback(settings.host) else None)


def serve(settings: Settings) -> None:
    """Serve what others have made."""
    signal.signal(signal.SIGTERM, _end)
    with logging(settings), closing(server.bind(settings)) as bound, database(settings) as dsn:
        doctor.require(asyncio.run(doctor.database(dsn)))
        run(settings, dsn, bound, None)


def send(settings: Settings) -> None:
    """Send webhooks until a signal."""
    signal.signal(signal.SIGTERM, _end)
    with logging(settings), database(settings) as dsn:
        doctor.require(asyncio.run(doctor.database(dsn)))
        app.send(settings, dsn)


def run(settings: Settings, dsn: str, bound: socket.socket, demo_key: str | None) -> None:
    """Serve in this process, or in several below it."""
    if settings.workers == 1:
        app.serve(settings, dsn, bound, demo_key)
        return
    with tempfile.TemporaryDirectory(prefix="hub-") as shared:
        given = (settings, dsn, bound, demo_key, Path(shared))
        if not Workers(settings.workers, app.work, given, settings.drain_timeout).run():
            raise HubError("The workers end as soon as they start; the log above says why.", code="INTERNAL")


async def _loaded(load: Callable[[str], Awaitable[object]], dsn: str) -> None:
    await load(dsn)


async def migrate_fit(dsn: str) -> None:
    """Bring a database that can carry the hub to the newest schema."""
    doctor.require(await doctor.server_of(dsn))
    await migrate.upgrade(dsn)


def migration(settings: Settings, message: str) -> Path | None:
    """A new script of migrations/, printed from the tables in the code; None when they are what the scripts make."""
    # In a database of its own: a data directory may have seen drafts of scripts that are gone.
    with (
        tempfile.TemporaryDirectory(prefix="hub-") as scratch,
        database(settings.model_copy(update={"data_dir": Path(scratch)})) as dsn,
    ):
        asyncio.run(migrate_fit(dsn))
        return asyncio.run(migrate.write(dsn, message))


def _end(_: int, __: FrameType | None) -> NoReturn:
    """Until the server takes the signals over: leave through every `finally`."""
    raise SystemExit(1)
