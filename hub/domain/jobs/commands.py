"""Commands of jobs. Commands of other contexts start them."""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.jobs import queue
from hub.errors import BadInput
from hub.model import rows
from hub.model.commands import command
from hub.schema.jobs.jobs import Job
from hub.viewer import Viewer


class JobPayload(NamedTuple):
    """The payload of commands that start or stop a job."""

    job: Annotated[UUID, Job, "The job as it is now."]


def real_time() -> datetime:
    """The time by which leases end, also where a test clock stands still."""
    return datetime.now(UTC)


@command("jobCancel")
async def cancel(tx: Connection, viewer: Viewer, *, id: Annotated[UUID, Job, "The job."], now: datetime) -> JobPayload:
    """Stops a job within two seconds. What it wrote by then stays; its counts say what that is."""
    Job.require(viewer, "update")
    row = await rows.lock_row(tx, viewer, Job, id, "id")
    async with rows.updating(tx, viewer, Job, id):
        if not await queue.cancel(tx, id, real_time()):
            message = f"id: the job has ended with {row['status']}; there is nothing to stop."
            raise BadInput(message, argument="id")
    return JobPayload(id)
