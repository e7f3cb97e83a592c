"""Runs the jobs of the queue in a process, a few at a time. Any number of processes may do so, side by side.

The leases of a process that dies end by themselves. Then another one goes on from the job's last checkpoint."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import asyncpg

from hub.db.constraint_errors import to_hub_error
from hub.db.database_errors import report_failure, translate_error
from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.jobs import queue
from hub.domain.jobs.commands import real_time
from hub.domain.jobs.queue import JobReport, LeasedJob
from hub.errors import Forbidden, HubError, NotFound, Unavailable
from hub.jobs.context import JobContext, JobServices, JobStopped, StopCause
from hub.jobs.job_types import JOB_DEFINITIONS, JobDefinition
from hub.model.columns import metadata
from hub.observability import Event, InternalFailure, JobEnded, RequestDone, WokenUp, add_handler, emit
from hub.schema.jobs.jobs import JobStatus, JobType
from hub.settings import Settings
from hub.viewer import ADMIN, Viewer

POLL = 1.0  # seconds between two looks, unless a mutation wakes it
MIN_PAUSE = 0.2  # seconds between two looks, however many mutations there are
HEARTBEAT = 0.5  # seconds between two renewals of a lease
CANCEL_GRACE = 0.7  # seconds that a cancelled job has to stop by itself
SHUTDOWN_TIMEOUT = 5.0  # seconds that running jobs have to stop when the process ends
MAX_ATTEMPTS = 5  # leases without any progress after which a job fails
RETRY_PAUSE = timedelta(seconds=1)  # after a failure that may pass; twice as long after each further one
MAX_RETRY_PAUSE = timedelta(minutes=1)
KEY_ERRORS = {"revoked": "KEY_REVOKED", "expired": "KEY_EXPIRED", "left": "KEY_REVOKED"}


def jobs_pool(settings: Settings, dsn: str, connections: int) -> Pool:
    """The connections of jobs: a bounded number, of a low priority, with a statement timeout of their own."""
    own = {"pool_size": connections, "statement_timeout": settings.job_statement_timeout}
    session = {"application_name": "hub-jobs", "idle_in_transaction_session_timeout": "60000"}
    return Pool(dsn, settings.model_copy(update=own), session, background=True)


@asynccontextmanager
async def running_jobs(dsn: str, services: JobServices) -> AsyncIterator[None]:
    """Runs jobs while the body runs, on connections of their own."""
    pool = jobs_pool(services.settings, dsn, services.settings.job_concurrency + 1)
    try:
        async with JobRunner(pool, services).running():
            yield
    finally:
        await pool.close()


async def find_job_viewer(pool: Pool, owner: str) -> Viewer:
    """The viewer of a job's key as it is now; raises Forbidden for a key that is not valid any more."""
    if owner == queue.OPERATOR:
        return ADMIN
    async with pool.connection() as connection:
        keys = await api_keys.find_keys(connection, [owner])
    if not keys:
        raise Forbidden(f"The job's API key {owner} no longer exists.", code="KEY_UNKNOWN")
    state = keys[0].state(real_time())
    if state != "living":
        raise Forbidden(f"The job's API key {owner} is not valid any more.", code=KEY_ERRORS[state])
    return keys[0].viewer


class JobRunner:
    """Leases jobs and runs them."""

    def __init__(
        self, pool: Pool, services: JobServices, definitions: Mapping[JobType, JobDefinition] = JOB_DEFINITIONS
    ) -> None:
        self._pool = pool
        self._services = services
        self._definitions = definitions
        self._wakeups: list[asyncio.Event] = []
        self._running: set[JobContext] = set()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["JobRunner"]:
        """Runs jobs while the body runs; then they stop at their next checkpoint and are free for other processes."""
        remove_handler = add_handler(self._on_event, RequestDone, WokenUp)
        slots = self._services.settings.job_concurrency
        # One slot is for jobs that give way, so that others cannot block the queue.
        tasks = [asyncio.create_task(self._work(all_types=slot > 0 or slots == 1)) for slot in range(slots)]
        try:
            yield self
        finally:
            remove_handler()
            self._stopping = True
            for context in self._running:
                context.stop(StopCause.STOPPING)
            for wakeup in self._wakeups:
                wakeup.set()
            await asyncio.wait(tasks, timeout=SHUTDOWN_TIMEOUT)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if (isinstance(event, RequestDone) and event.operation == "mutation") or (
            isinstance(event, WokenUp) and event.mutation
        ):
            for wakeup in self._wakeups:
                wakeup.set()

    async def _work(self, *, all_types: bool) -> None:
        wakeup = asyncio.Event()
        self._wakeups.append(wakeup)
        while not self._stopping:
            types = [type for type, how in self._definitions.items() if all_types or how.preemptible]
            looked_at = monotonic()
            try:
                ran = await self.run_next(types)
            except Exception as error:
                if not isinstance(error, HubError):
                    report_failure("leasing jobs", error)
                ran = False
            if not ran:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await wakeup.wait()
                wakeup.clear()
                # Most mutations start no job: a look after each of them would cost as much as they do.
                await asyncio.sleep(max(0.0, looked_at + MIN_PAUSE - monotonic()))

    async def run_next(self, types: Sequence[JobType], only: UUID | None = None) -> bool:
        """Runs the job whose turn it is, until it ends or stops; returns False if there is none."""
        now = real_time()
        async with self._pool.transaction() as tx:
            job = await queue.lease(tx, types, uuid4(), now, only)
        if job is None:
            return False
        started_at = monotonic()
        status = await self._run(job)
        emit(JobEnded(job.job_id.hex, job.type.value, status, round(monotonic() - started_at, 3)))
        return True

    async def run_only(self, key: UUID) -> None:
        """Runs one job if it may run now; waits a moment otherwise, for another process may run it."""
        if not await self.run_next(list(self._definitions), key):
            await asyncio.sleep(HEARTBEAT)

    async def report(self, key: UUID) -> JobReport:
        """How far a job is; raises NotFound for one that is gone."""
        async with self._pool.connection() as connection:
            reports = await queue.latest_jobs(connection, 1, key)
        if not reports:
            raise NotFound("The job is gone: somebody deleted it.")
        return reports[0]

    @asynccontextmanager
    async def reporting(self, key: UUID, callback: Callable[[JobReport], None]) -> AsyncIterator[None]:
        """Calls back with the progress of a job while the body runs, about once a second, and at its end."""

        async def repeat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT)
                with suppress(Exception):  # the database is away: it reports again once it is back
                    callback(await self.report(key))

        task = asyncio.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        callback(await self.report(key))

    async def _run(self, job: LeasedJob) -> str:
        """Runs a leased job; returns what became of it."""
        if job.is_cancelled:
            return await self._finish(job, JobStatus.CANCELLED)
        if job.attempts > MAX_ATTEMPTS:
            message = f"It was begun {MAX_ATTEMPTS} times without any progress; the hub's log says why."
            return await self._finish(job, JobStatus.FAILED, message, "INTERNAL")
        try:
            viewer = await find_job_viewer(self._pool, job.owner)
            async with self._pool.transaction() as tx:
                await queue.start(tx, job.job_id, real_time())
            definition = self._definitions[job.type]
            context = JobContext(job, viewer, self._pool, self._services, preemptible=definition.preemptible)
            await self._supervise(context, definition)
            return await self._finish(job, JobStatus.SUCCEEDED)
        except JobStopped as stopped:
            return await self._stop(job, stopped.cause)
        except Exception as error:
            return await self._fail(job, error)

    async def _supervise(self, context: JobContext, definition: JobDefinition) -> None:
        """Runs a job while its lease is renewed; raises JobStopped for one that did not stop by itself in time."""
        if self._stopping:
            raise JobStopped(StopCause.STOPPING)
        self._running.add(context)
        task = asyncio.ensure_future(definition.run(context))
        try:
            stop_after: float | None = None
            while not task.done():
                await asyncio.wait((task,), timeout=HEARTBEAT)
                if task.done():
                    break
                with suppress(Exception):  # the database is away: the lease ends unless it comes back
                    await context.renew()
                if monotonic() - context.renewed_at > queue.LEASE_DURATION.total_seconds() - 2 * HEARTBEAT:
                    context.stop(StopCause.LEASE_LOST)
                cause = context.stop_cause
                if cause in (StopCause.CANCELLED, StopCause.LEASE_LOST):
                    stop_after = stop_after or monotonic() + CANCEL_GRACE
                    if monotonic() >= stop_after:
                        task.cancel()
                        await asyncio.wait((task,))
                        if task.cancelled():
                            raise JobStopped(cause)
            await task
        finally:
            self._running.discard(context)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _stop(self, job: LeasedJob, cause: StopCause) -> str:
        if cause is StopCause.CANCELLED:
            return await self._finish(job, JobStatus.CANCELLED)
        if cause is not StopCause.LEASE_LOST:
            now = real_time()
            async with self._pool.transaction() as tx:
                await queue.put_back(tx, job.job_id, job.lease, now, now, 0)
        return cause.value

    async def _fail(self, job: LeasedJob, error: Exception) -> str:
        """Ends a job that failed, or lets it go on later if the fault may pass."""
        if isinstance(error, asyncpg.PostgresError):
            error = to_hub_error(error, metadata) or translate_error(error)
        elif isinstance(error, OSError | asyncpg.InterfaceError | TimeoutError):
            error = Unavailable(f"The database was lost: {error}")
        if isinstance(error, HubError) and not isinstance(error, Unavailable) and error.code != "INTERNAL":
            return await self._finish(job, JobStatus.FAILED, error.message, error.code)
        if not isinstance(error, Unavailable):
            emit(InternalFailure(job.job_id.hex, f"running a job of type {job.type.value}", error))
        now = real_time()
        pause = min(MAX_RETRY_PAUSE, RETRY_PAUSE * 2 ** min(job.attempts, 10))
        attempts = 0 if isinstance(error, Unavailable) else job.attempts
        with suppress(Exception):  # otherwise the lease ends by itself
            async with self._pool.transaction() as tx:
                await queue.put_back(tx, job.job_id, job.lease, now, now + pause, attempts)
        return "retried"

    async def _finish(
        self, job: LeasedJob, status: JobStatus, reason: str | None = None, error_code: str | None = None
    ) -> str:
        async with self._pool.transaction() as tx:
            is_ours = await queue.finish(tx, job.job_id, job.lease, status, real_time(), reason, error_code)
        return status.value if is_ours else StopCause.LEASE_LOST.value
