"""The queue of jobs: enqueueing, leases, checkpoints and ends. Times are real ones and an argument, so that all nodes agree."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import Forbidden
from hub.model import exact_json, rows
from hub.schema.jobs.jobs import Job, JobStatus, JobType
from hub.viewer import Viewer

LEASE_DURATION = timedelta(seconds=15)  # a runner renews it every half second
# Without a renewal for so long, a job that is cancelled waits for its runner no more: it is dead, or its lease will be lost.
SILENCE = timedelta(seconds=1.5)
MAX_ERRORS = 100  # errors that a job lists; its type stores all of them where there may be more
OPERATOR = "hub"  # the owner of what the operator of the machine starts
TURN = timedelta(seconds=10)  # how long a job runs while others wait

_ENQUEUE = "insert into job_queue (job_id, arguments, queued_at, due_at) values ($1, $2, $3, $3)"
# The owner with the fewest running jobs comes first, then who waits longest.
_LEASE = """
with due as (
    select q.job_id from job_queue as q join jobs as j on j.id = q.job_id
    where q.due_at <= $1 and (q.lease is null or q.leased_until <= case when q.cancelled then $6 else $1 end)
        and j.type = any($4::text[])
        and ($5::uuid is null or q.job_id = $5)
    order by (
        select count(*) from job_queue as o join jobs as p on p.id = o.job_id
        where o.leased_until > $1 and p.owner = j.owner
    ), q.queued_at
    limit 1 for update of q skip locked
)
update job_queue as q set lease = $2, leased_until = $1 + $3::interval, attempts = attempts + 1 from due, jobs as j
where q.job_id = due.job_id and j.id = q.job_id
returning q.job_id, j.type, j.owner, j.done, j.total, q.arguments, q.cursor, q.attempts, q.cancelled, j.counts, j.errors,
    j.result
"""
_START = """
update jobs set status = 'RUNNING', started_at = coalesce(started_at, $2), version = version + 1, updated_at = $2
where id = $1 and status <> 'RUNNING'
"""
_RECORD_REQUEST = "select set_config('hub.request', $1, true)"
_RENEW = """
update job_queue set leased_until = $3 + $4::interval where job_id = $1 and lease = $2 and leased_until > $3
returning cancelled, exists (
    select from job_queue as q where q.due_at <= $3 and (q.lease is null or q.leased_until <= $3)
) as others_wait
"""
_MOVE = """
update job_queue set cursor = $3, attempts = 0, leased_until = $4 + $5::interval
where job_id = $1 and lease = $2 and leased_until > $4 returning cancelled
"""
_PROGRESS = """
update jobs set done = $2, total = $3, counts = $4, errors = $5, result = result || $6, rate = $7, eta = $8,
    version = version + 1, updated_at = $9
where id = $1
"""
_PUT_BACK = """
update job_queue set lease = null, leased_until = null, queued_at = $3, due_at = $4, attempts = $5
where job_id = $1 and lease = $2
"""
_END_LEASE = "delete from job_queue where job_id = $1 and lease = $2 returning job_id"
_END = """
update jobs set status = $2, reason = $3, error_code = $4, eta = null, finished_at = $5, version = version + 1, updated_at = $5
where id = $1
"""
_CANCEL_RUNNING = "update job_queue set cancelled = true where job_id = $1 and leased_until > $2 returning job_id"
_CANCEL_WAITING = "delete from job_queue where job_id = $1 returning job_id"
_LATEST = """
select id as job_id, type, name, status, done, total, rate, eta, counts, errors, result, reason, error_code, created_at,
    finished_at
from jobs where $1::uuid is null or id = $1 order by created_at desc, id desc limit $2
"""
_PURGE = """
delete from jobs where id = any(array(
    select id from jobs where finished_at < $1 order by finished_at limit $2 for update skip locked
))
"""


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job that this process runs until its lease ends."""

    job_id: UUID
    type: JobType
    owner: str
    lease: UUID
    arguments: Mapping[str, Any]
    cursor: Any
    attempts: int  # how often it was leased since its last progress
    is_cancelled: bool
    done: int
    total: int | None
    counts: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What a runner learns when it renews a lease."""

    is_cancelled: bool
    others_wait: bool


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is: all numbers count from its beginning."""

    done: int
    total: int | None
    counts: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]  # merged into what there is
    rate: float | None
    eta: datetime | None


class JobReport(NamedTuple):
    """A job as its operator sees it."""

    job_id: UUID
    type: str
    name: str
    status: JobStatus
    done: int
    total: int | None
    rate: Decimal | None
    eta: datetime | None
    counts: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]
    reason: str | None
    error_code: str | None
    created_at: datetime
    finished_at: datetime | None


def job_owner(viewer: Viewer) -> str:
    """The id of the key whose rights a job has; raises Forbidden KEY_REQUIRED for a token, which may end before the job."""
    if viewer.principal:
        message = "A job belongs to an API key and would outlive this token; start it with a key."
        raise Forbidden(message, code="KEY_REQUIRED")
    return viewer.key_public_id or OPERATOR


async def enqueue(
    tx: Connection,
    viewer: Viewer,
    type: JobType,
    arguments: Mapping[str, Any],
    *,
    name: str,
    now: datetime,
    queued_at: datetime,
    total: int | None = None,
) -> UUID:
    """Adds a job with the rights of the viewer's key; returns its key. `queued_at` is the real time.

    Raises Forbidden for a viewer who may start none."""
    Job.require(viewer, "create")
    row = {
        "owner": job_owner(viewer),
        "staff_id": viewer.staff_id,
        "type": type,
        "name": name,
        "status": JobStatus.QUEUED,
        "total": total,
    }
    key = await rows.insert_row(tx, viewer, Job, row, now)
    await tx.execute(_ENQUEUE, key, exact_json.dumps(dict(arguments)), queued_at)
    return key


async def lease(
    tx: Connection, types: Sequence[JobType], lease_id: UUID, now: datetime, only: UUID | None = None
) -> LeasedJob | None:
    """Leases the job whose turn it is; None if there is none. `only` names the one that it may be."""
    names = [type.value for type in types]
    row = await tx.fetchrow(_LEASE, now, lease_id, LEASE_DURATION, names, only, _renewed_since(now))
    if row is None:
        return None
    return LeasedJob(
        row["job_id"],
        JobType(row["type"]),
        row["owner"],
        lease_id,
        exact_json.loads(row["arguments"]),
        None if row["cursor"] is None else exact_json.loads(row["cursor"]),
        row["attempts"],
        row["cancelled"],
        row["done"],
        row["total"],
        json.loads(row["counts"]),
        json.loads(row["errors"]),
        json.loads(row["result"]),
    )


def _renewed_since(now: datetime) -> datetime:
    """The end of a lease that was renewed just so long ago that its runner may be alive."""
    return now + LEASE_DURATION - SILENCE


async def start(tx: Connection, job_id: UUID, now: datetime) -> None:
    """Says that a job runs."""
    await tx.execute(_START, job_id, now)


async def record_request(tx: Connection, job_id: UUID) -> None:
    """Says in the change log which job writes in this transaction."""
    await tx.execute(_RECORD_REQUEST, job_request(job_id))


def job_request(job_id: UUID) -> str:
    """The request that the change log names for what a job writes."""
    return f"job:{job_id.hex}"


async def renew(tx: Connection, job_id: UUID, lease_id: UUID, now: datetime) -> LeaseState | None:
    """Renews a lease; None if it has ended, so that another process may run the job."""
    row = await tx.fetchrow(_RENEW, job_id, lease_id, now, LEASE_DURATION)
    return None if row is None else LeaseState(row["cancelled"], row["others_wait"])


async def move(
    tx: Connection, job_id: UUID, lease_id: UUID, cursor: Any, progress: JobProgress, now: datetime
) -> bool | None:
    """Moves the job's cursor in the transaction of what it wrote; returns whether it is to stop, None without a lease."""
    cancelled: bool | None = await tx.fetchval(_MOVE, job_id, lease_id, exact_json.dumps(cursor), now, LEASE_DURATION)
    if cancelled is not None:
        await tx.execute(
            _PROGRESS,
            job_id,
            progress.done,
            progress.total,
            exact_json.dumps(dict(progress.counts)),
            exact_json.dumps(list(progress.errors[:MAX_ERRORS])),
            exact_json.dumps(dict(progress.result)),
            None if progress.rate is None else Decimal(f"{progress.rate:.1f}"),
            progress.eta,
            now,
        )
    return cancelled


async def put_back(
    tx: Connection, job_id: UUID, lease_id: UUID, now: datetime, due_at: datetime, attempts: int
) -> None:
    """Ends a lease of a job that goes on later, behind those that wait."""
    await tx.execute(_PUT_BACK, job_id, lease_id, now, due_at, attempts)


async def finish(
    tx: Connection,
    job_id: UUID,
    lease_id: UUID,
    status: JobStatus,
    now: datetime,
    reason: str | None = None,
    error_code: str | None = None,
) -> bool:
    """Ends a job; returns False if its lease has ended, with nothing changed."""
    if await tx.fetchval(_END_LEASE, job_id, lease_id) is None:
        return False
    await tx.execute(_END, job_id, status.value, reason, error_code, now)
    return True


async def cancel(tx: Connection, job_id: UUID, now: datetime) -> bool:
    """Asks the process that runs a job to stop it, or ends one that nobody runs; returns False for one that has ended.

    A runner that has not renewed its lease for a while counts as nobody: what it writes without a lease is rolled back."""
    if await tx.fetchval(_CANCEL_RUNNING, job_id, _renewed_since(now)) is not None:
        return True
    if await tx.fetchval(_CANCEL_WAITING, job_id) is None:
        return False
    await tx.execute(_END, job_id, JobStatus.CANCELLED.value, None, None, now)
    return True


async def latest_jobs(connection: Connection, limit: int, only: UUID | None = None) -> list[JobReport]:
    """The latest jobs of all keys, or the one that `only` names."""
    stored = await connection.fetch(_LATEST, only, limit)
    json_columns = ("counts", "errors", "result")
    return [
        JobReport(
            **{
                name: exact_json.loads(value) if name in json_columns else value
                for name, value in row.items()
                if name != "status"
            },
            status=JobStatus(row["status"]),
        )
        for row in stored
    ]


async def purge(tx: Connection, before: datetime, limit: int) -> bool:
    """Deletes jobs that ended before a time, with what is stored of them; returns whether there may be others."""
    return await tx.execute(_PURGE, before, limit) == f"DELETE {limit}"
