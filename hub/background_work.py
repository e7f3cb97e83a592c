"""The work of a hub beside serving: webhooks, jobs and projections, each on connections of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import NamedTuple

from hub.changefeed.cursors import ChangeCursors
from hub.domain.access.secrets import Encryptor
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.engine.engine import Engine
from hub.jobs.context import JobServices
from hub.jobs.runner import running_jobs
from hub.projections.runner import running_projections
from hub.settings import Settings
from hub.time_source import TimeSource
from hub.webhooks import worker as webhooks
from hub.webhooks.expander import UtcClock, utc_now


class WorkTypes(NamedTuple):
    """What a process does beside projections, which every worker keeps current."""

    webhooks: bool = True
    jobs: bool = True


@asynccontextmanager
async def running_work(
    settings: Settings,
    dsn: str,
    engine: Engine,
    cursors: ChangeCursors,
    encryptor: Encryptor,
    documents: TrustedDocuments,
    time_source: TimeSource,
    types: WorkTypes,
    clock: UtcClock = utc_now,
) -> AsyncIterator[None]:
    """Works while the body runs; what runs at its end stops at its next checkpoint, and others go on with it."""
    services = JobServices(settings, engine, cursors, documents, time_source)
    async with (
        running_projections(settings, dsn, cursors),
        webhooks.webhook_worker(settings, dsn, engine, cursors, encryptor, clock) if types.webhooks else nullcontext(),
        running_jobs(dsn, services) if types.jobs else nullcontext(),
    ):
        yield
