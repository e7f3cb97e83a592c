"""All types of jobs, and the function that runs each. A job goes on from its cursor after a stop, also in another process."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hub.jobs.context import JobContext
from hub.jobs.export_job import run_export
from hub.jobs.import_run import run_import
from hub.jobs.import_undo import run_import_undo
from hub.jobs.merge_job import run_merge
from hub.jobs.survivorship_job import run_survivorship
from hub.schema.jobs.jobs import JobType


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """How a type of job runs. A preemptible one gives way to others that wait, and goes on later.

    `run` returns when the job is done. HubError ends it as FAILED; Unavailable and a lost database let it go on later."""

    run: Callable[[JobContext], Awaitable[None]]
    preemptible: bool = True


JOB_DEFINITIONS: Mapping[JobType, JobDefinition] = {
    JobType.EXPORT: JobDefinition(run_export, preemptible=False),
    JobType.IMPORT: JobDefinition(run_import),
    JobType.IMPORT_UNDO: JobDefinition(run_import_undo),
    JobType.MERGE: JobDefinition(run_merge, preemptible=False),
    JobType.SURVIVORSHIP: JobDefinition(run_survivorship),
}
