"""A worker: webhooks, jobs and projections in a process that does not serve. `hub worker` runs one, and `hub serve` another.

It has a low priority, so that the processes that serve on its machine go first."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import uvloop

from hub import observability, scheduler
from hub.app import build_graphql_engine, cost_accounts, freeze_gc
from hub.background_work import WorkTypes, running_work
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Pool
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.errors import HubError
from hub.event_log import start_log
from hub.observability import HubReady, HubStopping, InternalFailure, WorkerStarted, emit
from hub.settings import Settings
from hub.timer_loop import open_clock
from hub.wakeups import receiving_wakeups
from hub.web import server
from hub.web.metrics import WORKER_FILES, Metrics
from hub.webhooks.expander import UtcClock, utc_now

ALL_WORK = WorkTypes()
NICENESS = 5  # a third of the usual share while others want the processor, all of it otherwise


class WorkerStart(NamedTuple):
    """What a worker of `hub serve` gets once there is a database."""

    dsn: str
    folder: Path  # shared with the serving processes: metrics and budgets


@asynccontextmanager
async def worker_lifespan(
    settings: Settings,
    dsn: str,
    clock: UtcClock = utc_now,
    *,
    types: WorkTypes = ALL_WORK,
    folder: Path | None = None,
) -> AsyncIterator[None]:
    """Runs webhooks, jobs and projections without a server."""
    pool = await Pool.open(dsn, settings)
    metrics = Metrics(folder, WORKER_FILES)
    remove_handler = observability.add_handler(metrics)
    try:
        documents, hub_clock = TrustedDocuments(), await open_clock(settings, pool)
        async with pool.connection() as connection:
            await documents.refresh(connection)
        async with cost_accounts(settings, folder) as accounts:
            engine, cursors, encryptor = await build_graphql_engine(
                settings, pool, pool, documents, accounts, clock=hub_clock, refreshes_rules=folder is None
            )
            tasks = tuple(scheduler.worker_tasks(pool, documents, metrics, hub_clock.time_source))
            async with (
                scheduler.run_periodic_tasks(tasks),
                engine.redirects.refreshing(),
                running_work(settings, dsn, engine, cursors, encryptor, documents, hub_clock.time_source, types, clock),
            ):
                emit(WorkerStarted())
                metrics.save()
                yield
    finally:
        remove_handler()
        await pool.close()


def run_alone(settings: Settings, dsn: str) -> None:
    """Runs `hub worker`, until a signal. It also sequences changes if no other process does."""
    os.nice(NICENESS)
    uvloop.run(_run_alone(settings, dsn))


async def _run_alone(settings: Settings, dsn: str) -> None:
    stopping = asyncio.Event()
    for signal_number in server.STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    async with worker_lifespan(settings, dsn), Sequencer(dsn, settings).running():
        freeze_gc()
        emit(HubReady("it sends webhooks and runs jobs"))
        await stopping.wait()
        emit(HubStopping("a signal"))


def run_beside(settings: Settings, control: Connection, wakeups: Connection) -> None:
    """Runs the worker of `hub serve`, from the WorkerStart that it is sent until the control pipe closes, or a signal.

    Ctrl-C concerns the process that serves, which then closes the pipe; so does its death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    observability.remove_handlers()
    log = start_log(requests=settings.log_requests)
    os.nice(NICENESS)
    try:
        start: WorkerStart = control.recv()
        uvloop.run(_run_beside(settings, start, control, wakeups))
    except EOFError:  # the hub did not get so far
        return
    except Exception as error:
        if not isinstance(error, HubError):
            emit(InternalFailure("", "running the worker", error))
        sys.exit(1)
    finally:
        log.flush()


async def _run_beside(settings: Settings, start: WorkerStart, control: Connection, wakeups: Connection) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(control.fileno(), stopping.set)
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    types = WorkTypes(settings.webhooks, settings.jobs)
    async with worker_lifespan(settings, start.dsn, types=types, folder=start.folder):
        freeze_gc()
        with receiving_wakeups(wakeups):
            await stopping.wait()
    loop.remove_reader(control.fileno())
