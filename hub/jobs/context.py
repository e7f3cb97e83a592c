"""What a job sees of the hub while it runs: its input, its cursor, its rights, transactions and checkpoints."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Any
from uuid import UUID

from hub.changefeed.cursors import ChangeCursors
from hub.db.pool import Connection, Pool
from hub.db.transaction import record_caller
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.domain.jobs import queue
from hub.domain.jobs.commands import real_time
from hub.domain.jobs.queue import JobProgress, LeasedJob
from hub.engine.engine import Engine
from hub.settings import Settings
from hub.time_source import TimeSource
from hub.viewer import Viewer

MIN_RATE_SECONDS = 0.2  # a rate over a shorter time says nothing


@dataclass(frozen=True, slots=True)
class JobServices:
    """What jobs may use of the hub beside the database."""

    settings: Settings
    engine: Engine
    cursors: ChangeCursors
    documents: TrustedDocuments
    time_source: TimeSource


class StopCause(StrEnum):
    """Why a job stops before its end."""

    CANCELLED = "cancelled"
    YIELDED = "yielded"  # others wait for their turn
    STOPPING = "stopping"  # the process ends
    LEASE_LOST = "lease lost"  # another process may run it


class JobStopped(Exception):
    """The job has to stop; what it wrote up to its last checkpoint stays."""

    def __init__(self, cause: StopCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class JobContext:
    """One run of a job, from a lease to the end of the lease."""

    def __init__(self, job: LeasedJob, viewer: Viewer, pool: Pool, services: JobServices, *, preemptible: bool) -> None:
        self.job_id: UUID = job.job_id
        self.arguments = job.arguments
        self.cursor: Any = job.cursor
        self.viewer = viewer
        self.pool = pool
        self.services = services
        self.done, self.total = job.done, job.total
        self.counts: Mapping[str, int] = job.counts
        self.errors: Sequence[Mapping[str, Any]] = job.errors
        self.result = job.result  # as it was when this run began
        self._lease = job.lease
        self._preemptible = preemptible
        self._stop_cause: StopCause | None = StopCause.CANCELLED if job.is_cancelled else None
        self._others_wait = False
        self._started_at, self._started_with = monotonic(), job.done
        self.renewed_at = monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job to stop."""
        return self._stop_cause is StopCause.CANCELLED

    @property
    def settings(self) -> Settings:
        return self.services.settings

    async def now(self) -> datetime:
        """The hub's time, for what the job writes."""
        return await self.services.time_source.read()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yields a connection in a transaction that names the job's key and the job as its request."""
        async with self.pool.transaction() as tx:
            await record_caller(tx, self.viewer, "")
            await queue.record_request(tx, self.job_id)
            yield tx

    async def checkpoint(
        self,
        tx: Connection,
        cursor: Any,
        *,
        done: int,
        total: int | None = None,
        counts: Mapping[str, int] | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Moves the cursor, JSON, in the transaction of what was written up to it. Numbers count from the job's beginning.

        What is left out stays. Raises JobStopped, so that the transaction is rolled back, if the lease has ended."""
        total = self.total if total is None else total
        counts = self.counts if counts is None else counts
        errors = self.errors if errors is None else errors
        rate, eta = self._speed(done, total)
        progress = JobProgress(done, total, counts, errors, result or {}, rate, eta)
        is_cancelled = await queue.move(tx, self.job_id, self._lease, cursor, progress, real_time())
        if is_cancelled is None:
            raise JobStopped(StopCause.LEASE_LOST)
        self.cursor, self.done, self.total, self.counts, self.errors = cursor, done, total, counts, errors
        self.renewed_at = monotonic()
        if is_cancelled:
            self.stop(StopCause.CANCELLED)

    async def breathe(self) -> None:
        """Lets other work of the process go on. Call it about once a millisecond of a job's own computing."""
        await asyncio.sleep(0)

    async def proceed(self) -> None:
        """Raises JobStopped if the job has to stop here. Call it between transactions."""
        had_turn = monotonic() - self._started_at >= queue.TURN.total_seconds()
        if self._stop_cause is None and self._others_wait and self._preemptible and had_turn:
            self._stop_cause = StopCause.YIELDED
        if self._stop_cause is not None:
            raise JobStopped(self._stop_cause)

    def stop(self, cause: StopCause) -> None:
        """Asks the job to stop at its next `proceed`; a cancellation comes before other causes."""
        if self._stop_cause is None or cause is StopCause.CANCELLED:
            self._stop_cause = cause

    @property
    def stop_cause(self) -> StopCause | None:
        """Why it is to stop; None while it is not."""
        return self._stop_cause

    async def renew(self) -> None:
        """Renews the lease and learns whether the job is to stop."""
        async with self.pool.connection() as connection:
            state = await queue.renew(connection, self.job_id, self._lease, real_time())
        if state is None:
            self.stop(StopCause.LEASE_LOST)
            return
        self.renewed_at = monotonic()
        self._others_wait = state.others_wait
        if state.is_cancelled:
            self.stop(StopCause.CANCELLED)

    def _speed(self, done: int, total: int | None) -> tuple[float | None, datetime | None]:
        """Steps per second in this run, and the time at which they will be done."""
        seconds = monotonic() - self._started_at
        if seconds < MIN_RATE_SECONDS or done <= self._started_with:
            return None, None
        rate = (done - self._started_with) / seconds
        return rate, None if total is None else real_time() + timedelta(seconds=max(0, total - done) / rate)
