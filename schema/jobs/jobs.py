"""Jobs: long work that runs in the background. Commands start and cancel them; only the runner writes their progress."""

from datetime import datetime
from decimal import Decimal

from hub.model import Column, DescribedEnum, Entity, Json, PersonalData, field, index, key_or_person, to_one
from hub.schema.organisation.staff import Staff


class JobType(DescribedEnum):
    IMPORT = "IMPORT", "Rows of a file are written."
    IMPORT_UNDO = "IMPORT_UNDO", "The rows that an import wrote become what they were."
    EXPORT = "EXPORT", "The rows of a query are written to a file."
    MERGE = "MERGE", "One customer becomes part of another one or is parted from it, or what did is undone."
    SURVIVORSHIP = "SURVIVORSHIP", "Customers get the values that a policy of survivorship chooses."


class JobStatus(DescribedEnum):
    QUEUED = "QUEUED", "It waits for its turn."
    RUNNING = "RUNNING", "It runs, or goes on soon where it stopped."
    SUCCEEDED = "SUCCEEDED", "It did all that it was to do."
    FAILED = "FAILED", "It stopped because of a fault; `reason` says which."
    CANCELLED = "CANCELLED", "It was stopped by hand; what it wrote by then stays."


class Job(
    Entity,
    prefix="job",
    owned_by=key_or_person,
    writable_by=("unit",),
    operations=(),
    order="-created_at",
    sortable=("updated_at",),
    indexes=(index("finished_at", where="finished_at is not null", name="finished_at"),),
    checks={"progress_is_positive": "done >= 0 and total >= 0"},
):
    """Long work that runs in the background: how far it is, and what came of it."""

    type: Column[JobType] = field("What it does.")
    name: Column[str] = field("What it works on, such as the name of a file.", personal=PersonalData.FREE_TEXT)
    status: Column[JobStatus] = field("Whether it runs.", default=JobStatus.QUEUED, writable="command")
    reason: Column[str | None] = field("Why it failed.", personal=PersonalData.FREE_TEXT)
    error_code: Column[str | None] = field("The code of the error it failed with.", personal=PersonalData.NOT_PERSONAL)
    done: Column[int] = field("Steps that are done: lines of a file, or rows.", server_default=0)
    total: Column[int | None] = field("Steps that there are; empty while nobody knows.")
    rate: Column[Decimal | None] = field("Steps per second, in its present run.", precision=(12, 1))
    eta: Column[datetime | None] = field("Time at which it will be done, if it goes on at this rate.")
    counts: Column[Json] = field("Rows by what became of them.", server_default={}, personal=PersonalData.NOT_PERSONAL)
    errors: Column[Json] = field(
        "The first errors, each with its code, message and line.", server_default=[], personal=PersonalData.FREE_TEXT
    )
    result: Column[Json] = field("What else came of it.", server_default={}, personal=PersonalData.FREE_TEXT)
    started_at: Column[datetime | None] = field("Time when it began to run.")
    finished_at: Column[datetime | None] = field("Time when it ended.")
    staff = to_one(Staff, "The person behind the key that started it.", optional=True, on_delete="set null")
