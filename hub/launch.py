"""Starts a hub from its settings: address, database, first key, processes. Called by the command line."""

import asyncio
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn, TypeVar

from hub import app, doctor, keyfile, postgres, worker
from hub.db import migrate
from hub.db.lanes import background_connections
from hub.db.pool import Pool
from hub.domain.access import login_links
from hub.errors import HubError
from hub.event_log import Log
from hub.model.test_clock import open_time_source
from hub.observability import PostgresNotice, PostgresReady, SettingsWarning, StartupStep, add_handler, emit
from hub.projections import runner as projections
from hub.settings import Settings, require_clock_allowed
from hub.web import server
from hub.web.workers import Workers
from hub.webhooks import worker as webhooks
from hub.worker_process import WorkerProcess, prepared_worker

PoolResult = TypeVar("PoolResult")


@contextmanager
def logging_events(settings: Settings, warnings: Sequence[str] = ()) -> Iterator[None]:
    """Logs events while the body runs, first the warnings about settings."""
    log = Log(requests=settings.log_requests)
    log.capture_stdlib_logging()
    remove_handler = add_handler(log)
    for text in warnings:
        emit(SettingsWarning(text))
    try:
        yield
    finally:
        remove_handler()
        log.flush()


@contextmanager
def running_database(settings: Settings, *, create: bool = False) -> Iterator[str]:
    """Yields the database URL: HUB_DATABASE_URL, or that of the embedded Postgres, which runs while the body runs.

    Only with `create` it makes a data directory that is missing; otherwise it raises Misconfigured, as it does for a test
    clock on a database that may be in production."""
    require_clock_allowed(settings)
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    pools = sum(size + background_connections(size) for size in (settings.pool_size, settings.stream_pool_size))
    work = settings.pool_size + settings.job_concurrency + 1 + projections.CONNECTIONS + 1 + webhooks.CONNECTIONS
    connections = max(100, settings.workers * (pools + 8) + work + 20)
    ensured = postgres.ensure(
        settings.data_dir,
        create=create,
        max_connections=connections,
        notice=lambda text: emit(PostgresNotice(text)),
    )
    with ensured as postgres_server:
        emit(PostgresReady(str(postgres_server.data_dir), postgres_server.owned))
        yield postgres_server.socket_dsn


async def with_pool(settings: Settings, dsn: str, function: Callable[[Pool], Awaitable[PoolResult]]) -> PoolResult:
    """Runs `function` with a pool of its own, as the database's owner, and returns its result."""
    (await doctor.connect(dsn)).terminate()
    pool = await Pool.open(dsn, settings, as_owner=True)
    try:
        return await function(pool)
    finally:
        await pool.close()


def up(
    settings: Settings, load: Callable[[str], Awaitable[object]] | None = None, warnings: Sequence[str] = ()
) -> None:
    """Create everything that is missing, then serve until a signal."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    # Bind first: an address in use is the most likely fault, and the cheapest to detect.
    with (
        logging_events(settings, warnings),
        closing(server.bind(settings)) as server_socket,
        prepared_worker(settings, server_socket) as worker_process,
        running_database(settings, create=True) as dsn,
    ):
        asyncio.run(migrate_to_head(dsn))
        if load is not None:
            asyncio.run(_run_loader(load, dsn))
        now = asyncio.run(with_pool(settings, dsn, partial(_read_time, settings)))
        key, is_new = asyncio.run(with_pool(settings, dsn, lambda pool: keyfile.ensure(pool, settings.data_dir, now)))
        link = None
        if settings.graphiql:  # without its pages nothing could follow the link
            link = asyncio.run(with_pool(settings, dsn, lambda pool: keyfile.create_login_link(pool, key, now)))
        server_socket.listen(server.BACKLOG)
        if is_new:
            print(f"key  {key}")
        if settings.graphiql:
            if link is not None:
                print(f"Login  {server.url(settings, server_socket)}{login_links.PATH}{link}")
            print(f"GraphiQL  {server.url(settings, server_socket)}/graphiql")
            print(f"Live  {server.url(settings, server_socket)}/live")
        sys.stdout.flush()
        serve_processes(settings, dsn, server_socket, worker_process)


def serve(settings: Settings, warnings: Sequence[str] = ()) -> None:
    """Serve a database that is migrated and has a key."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    with (
        logging_events(settings, warnings),
        closing(server.bind(settings)) as server_socket,
        prepared_worker(settings, server_socket) as worker_process,
        running_database(settings) as dsn,
    ):
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        serve_processes(settings, dsn, server_socket, worker_process)


def start_worker(settings: Settings, warnings: Sequence[str] = ()) -> None:
    """Send webhooks, run jobs and keep projections current until a signal."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    with logging_events(settings, warnings), running_database(settings) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        worker.run_alone(settings, dsn)


def serve_processes(
    settings: Settings, dsn: str, server_socket: socket.socket, worker_process: WorkerProcess | None
) -> None:
    """Serve in this process, or in several child processes, with a worker beside them."""
    with tempfile.TemporaryDirectory(prefix="hub-") as folder, ExitStack() as stack:
        peers = app.Peers(Path(folder), None if worker_process is None else worker_process.wakeups)
        if worker_process is not None:
            stack.enter_context(worker_process.running(dsn, peers.folder))
        arguments = (settings, dsn, server_socket, peers)
        if settings.workers == 1:
            app.serve(*arguments)
        elif not Workers(settings.workers, app.serve_worker, arguments, settings.drain_timeout).run():
            raise HubError("The workers exit right after they start; see the log above.", code="INTERNAL")


async def _read_time(settings: Settings, pool: Pool) -> datetime:
    return await (await open_time_source(settings, pool)).read()


async def _run_loader(load: Callable[[str], Awaitable[object]], dsn: str) -> None:
    await load(dsn)


async def migrate_to_head(dsn: str) -> None:
    """Migrate a database to the newest revision. Raises Misconfigured if the server does not meet the requirements."""
    doctor.require_all_ok(await doctor.check_server(dsn))
    started_at, previous = monotonic(), await migrate.current_revision(dsn)
    await migrate.upgrade(dsn)
    if previous != migrate.head_revision():
        step = "tables created" if previous is None else f"tables migrated from revision {previous}"
        emit(StartupStep(step, round(monotonic() - started_at, 1)))


def generate_migration(settings: Settings, message: str) -> Path | None:
    """Generate a migration from the tables in the code; None if the existing migrations already create them."""
    # In a temporary database, because a data directory may have run drafts of migrations that no longer exist.
    with (
        tempfile.TemporaryDirectory(prefix="hub-") as scratch,
        running_database(settings.model_copy(update={"data_dir": Path(scratch)}), create=True) as dsn,
    ):
        asyncio.run(migrate_to_head(dsn))
        return asyncio.run(migrate.write_revision(dsn, message))


def _exit_on_signal(_: int, __: FrameType | None) -> NoReturn:
    """Exits through every `finally`, until the server installs its own signal handlers."""
    raise SystemExit(1)
