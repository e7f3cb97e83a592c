"""All periodic tasks and their intervals."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from hub.changefeed import audit_chain
from hub.db import log_partitions
from hub.db.audit_buffer import FLUSH_INTERVAL, AuditBuffer
from hub.db.database_errors import report_failure
from hub.db.pool import Pool
from hub.db.transaction import record_caller
from hub.domain.access import key_upkeep, token_sessions
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.domain.exchange import dry_runs, import_store
from hub.domain.identity import merging
from hub.domain.identity.merge_commands import MergeLimits
from hub.domain.jobs import queue as job_queue
from hub.domain.matching import automatic, decisions, self_training
from hub.domain.webhooks import retention
from hub.jobs.export_job import delete_old_files
from hub.model import idempotency, timer_runs
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource
from hub.viewer import ADMIN
from hub.web.auth import Credentials
from hub.web.metrics import Metrics

PURGE_BATCH = 1_000  # rows deleted at once
UNUSED_FILES = timedelta(days=1)  # for which a file that was sent waits for its import


class PeriodicTask(NamedTuple):
    """Runs every `interval` seconds, again at once while it returns True, and once more when the hub stops."""

    name: str
    interval: float
    run: Callable[[], Awaitable[bool]]


def periodic_tasks(
    pool: Pool,
    key_cache: Credentials,
    documents: TrustedDocuments,
    metrics: Metrics,
    audit: AuditBuffer,
    settings: Settings,
    time_source: TimeSource = REAL_TIME,
) -> tuple[PeriodicTask, ...]:
    async def flush_key_usage() -> bool:
        last_used_at: dict[UUID, datetime] = key_cache.drain_usage()
        if last_used_at:
            async with pool.transaction() as tx:
                await key_upkeep.record_usage(tx, last_used_at)
        return False

    async def purge_idempotency_records() -> bool:
        async with pool.transaction() as tx:
            return await idempotency.purge(tx, time_source.now(), PURGE_BATCH)

    async def purge_deliveries() -> bool:
        before = datetime.now(UTC) - timedelta(days=settings.webhook_retention)
        async with pool.transaction() as tx:
            return await retention.purge_deliveries(tx, before, PURGE_BATCH)

    async def purge_deleted_webhooks() -> bool:
        async with pool.transaction() as tx:
            return await retention.purge_deleted_webhooks(tx, PURGE_BATCH)

    return (
        PeriodicTask("flush key usage", 60.0, flush_key_usage),
        PeriodicTask("revoke keys of staff who left", 60.0, partial(_revoke_keys_of_leavers, pool, time_source)),
        PeriodicTask("purge expired keys", 600.0, partial(_purge_expired_keys, pool, time_source)),
        PeriodicTask("purge timer failures", 600.0, partial(_purge_timer_failures, pool)),
        PeriodicTask("purge idempotency records", 600.0, purge_idempotency_records),
        PeriodicTask("purge deliveries", 600.0, purge_deliveries),
        PeriodicTask("purge deleted webhooks", 60.0, purge_deleted_webhooks),
        PeriodicTask("purge ledgers of merges", 600.0, partial(_purge_ledgers, pool, time_source)),
        PeriodicTask("purge jobs", 600.0, partial(_purge_jobs, pool, settings)),
        PeriodicTask("delete files of exports", 60.0, partial(_delete_export_files, pool, settings, time_source)),
        *worker_tasks(pool, documents, metrics, time_source),
        *_log_tasks(pool, audit, settings),
    )


def worker_tasks(
    pool: Pool, documents: TrustedDocuments, metrics: Metrics, time_source: TimeSource
) -> Iterator[PeriodicTask]:
    """What every process keeps current, also one that does not serve."""

    async def flush_metrics() -> bool:
        metrics.save()
        return False

    yield PeriodicTask("refresh trusted documents", 3.0, partial(_refresh, documents, pool))
    yield PeriodicTask("flush metrics", 1.0, flush_metrics)
    if time_source.is_test:
        yield PeriodicTask("read the test clock", 0.5, partial(_read, time_source))


def _log_tasks(pool: Pool, audit: AuditBuffer, settings: Settings) -> Iterator[PeriodicTask]:
    async def rotate_log_partitions() -> bool:
        today = datetime.now(UTC).date()
        await log_partitions.create_partitions(pool, today)
        await log_partitions.drop_partitions(pool, today - timedelta(days=settings.change_retention))
        return False

    async def flush_buffer() -> bool:
        return await audit.flush(pool)

    async def prune_log() -> bool:
        return await audit_chain.prune(pool, settings, datetime.now(UTC) - timedelta(days=settings.audit_retention))

    yield PeriodicTask("rotate log partitions", 600.0, rotate_log_partitions)
    yield PeriodicTask("flush the audit buffer", FLUSH_INTERVAL, flush_buffer)
    yield PeriodicTask("prune the audit log", 3600.0, prune_log)


def _matching_tasks(pool: Pool, settings: Settings, time_source: TimeSource) -> Iterator[PeriodicTask]:
    async def train() -> bool:
        await self_training.train_if_grown(pool, time_source.now())
        return False

    async def reopen_candidates() -> bool:
        async with pool.transaction() as tx:
            await record_caller(tx, ADMIN, "")
            await decisions.reopen_abandoned(tx, time_source.now())
        return False

    yield PeriodicTask("train matching", 60.0, train)
    yield PeriodicTask("reopen candidates", 10.0, reopen_candidates)
    least_score = settings.match_automatic_merge
    if least_score is None:
        return
    limits = MergeLimits(settings.merge_rows_at_once, timedelta(days=settings.merge_undo))

    async def merge_candidates() -> bool:
        async with pool.transaction() as tx:
            await record_caller(tx, ADMIN, "")
            return await automatic.merge_next(tx, least_score, limits, time_source.now())

    yield PeriodicTask("merge candidates", 1.0, merge_candidates)


async def _purge_expired_keys(pool: Pool, time_source: TimeSource) -> bool:
    async with pool.transaction() as tx:
        more = await token_sessions.purge_expired(tx, time_source.now(), PURGE_BATCH)
        return await key_upkeep.purge_expired(tx, time_source.now(), PURGE_BATCH) or more


async def _revoke_keys_of_leavers(pool: Pool, time_source: TimeSource) -> bool:
    async with pool.transaction() as tx:
        await key_upkeep.revoke_keys_of_leavers(tx, time_source.now())
    return False


async def _purge_timer_failures(pool: Pool) -> bool:
    async with pool.transaction() as tx:
        return await timer_runs.purge_failures(tx, PURGE_BATCH)


async def _purge_ledgers(pool: Pool, time_source: TimeSource) -> bool:
    async with pool.transaction() as tx:
        return await merging.purge_ledgers(tx, time_source.now(), PURGE_BATCH)


async def _purge_jobs(pool: Pool, settings: Settings) -> bool:
    now = datetime.now(UTC)
    async with pool.transaction() as tx:
        await dry_runs.purge(tx)
        more = await import_store.purge_files(tx, now - UNUSED_FILES, PURGE_BATCH)
        return await job_queue.purge(tx, now - timedelta(days=settings.job_retention), PURGE_BATCH) or more


async def _delete_export_files(pool: Pool, settings: Settings, time_source: TimeSource) -> bool:
    return await delete_old_files(pool, settings, time_source.now())


async def _read(time_source: TimeSource) -> bool:
    await time_source.read()
    return False


async def _refresh(documents: TrustedDocuments, pool: Pool) -> bool:
    async with pool.connection() as connection:
        await documents.refresh(connection)
    return False


def run_all(
    pool: Pool,
    key_cache: Credentials,
    documents: TrustedDocuments,
    metrics: Metrics,
    audit: AuditBuffer,
    settings: Settings,
    time_source: TimeSource,
) -> AbstractAsyncContextManager[None]:
    """Runs all periodic tasks of a serving process while the body runs."""
    tasks = periodic_tasks(pool, key_cache, documents, metrics, audit, settings, time_source)
    return run_periodic_tasks((*tasks, *_matching_tasks(pool, settings, time_source)))


@asynccontextmanager
async def run_periodic_tasks(periodic: tuple[PeriodicTask, ...]) -> AsyncIterator[None]:
    """Runs the tasks while the body runs."""
    tasks = [asyncio.create_task(_repeat(periodic_task)) for periodic_task in periodic]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for periodic_task in periodic:
            await _run_once(periodic_task)


async def _repeat(periodic_task: PeriodicTask) -> None:
    while True:
        await asyncio.sleep(periodic_task.interval)
        while await _run_once(periodic_task):
            pass


async def _run_once(periodic_task: PeriodicTask) -> bool:
    try:
        return await periodic_task.run()
    except Exception as error:
        # The next run may succeed; a periodic task must not stop the hub.
        report_failure(periodic_task.name, error)
        return False
