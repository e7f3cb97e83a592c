"""The table behind jobs that is no entity: what a job works on, where it is, and who runs it. The change log has none of it."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.model.columns import metadata, timestamp
from hub.schema.jobs.jobs import Job

JobQueue = sa.Table(
    "job_queue",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey(Job.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("arguments", JSONB, nullable=False, comment="The input of the job, for its type to read."),
    sa.Column("cursor", JSONB, comment="Where it goes on; empty before its first step."),
    sa.Column("queued_at", timestamp(), nullable=False, comment="Real time since which it waits for its turn."),
    sa.Column("due_at", timestamp(), nullable=False, comment="Real time from which it may run."),
    sa.Column(
        "attempts", sa.Integer, nullable=False, server_default=sa.text("0"), comment="Failures without progress."
    ),
    sa.Column("lease", sa.Uuid, comment="Who runs it, if somebody does."),
    sa.Column("leased_until", timestamp(), comment="Real time at which the lease ends unless it is renewed."),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false(), comment="Whether it is to stop."),
    comment="Jobs that are not finished. A job is a cursor that moves in the transaction of what it writes.",
)
sa.Index("ix_job_queue_queued_at", JobQueue.c.queued_at)
