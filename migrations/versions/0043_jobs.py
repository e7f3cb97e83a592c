"""Jobs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0043"
down_revision: str | None = "0042"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key that started it."),
        sa.Column(
            "type",
            sa.Enum(
                "IMPORT", "IMPORT_UNDO", "EXPORT", name="jobtype", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="What it does.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="What it works on, such as the name of a file."),
        sa.Column(
            "status",
            sa.Enum(
                "QUEUED",
                "RUNNING",
                "SUCCEEDED",
                "FAILED",
                "CANCELLED",
                name="jobstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'QUEUED'"),
            nullable=False,
            comment="Whether it runs.",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it failed."),
        sa.Column("error_code", sa.Text(), nullable=True, comment="The code of the error it failed with."),
        sa.Column(
            "done",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Steps that are done: lines of a file, or rows.",
        ),
        sa.Column("total", sa.Integer(), nullable=True, comment="Steps that there are; empty while nobody knows."),
        sa.Column(
            "rate", sa.Numeric(precision=12, scale=1), nullable=True, comment="Steps per second, in its present run."
        ),
        sa.Column(
            "eta",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time at which it will be done, if it goes on at this rate.",
        ),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Rows by what became of them.",
        ),
        sa.Column(
            "errors",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="The first errors, each with its code, message and line.",
        ),
        sa.Column(
            "result",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What else came of it.",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it began to run."),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it ended."),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="The person behind the key that started it."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of creation.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of the last edit.",
        ),
        sa.CheckConstraint("done >= 0 and total >= 0", name=op.f("ck_jobs_progress_is_positive")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_jobs_staff_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        comment="Long work that runs in the background: how far it is, and what came of it.",
    )
    op.execute("select hub_capture('jobs')")
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_jobs_finished_at",
        "jobs",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at is not null"),
    )
    op.create_index("ix_jobs_updated_at_id", "jobs", ["updated_at", "id"], unique=False)
    op.create_table(
        "job_queue",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "arguments",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The input of the job, for its type to read.",
        ),
        sa.Column(
            "cursor",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Where it goes on; empty before its first step.",
        ),
        sa.Column(
            "queued_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Real time since which it waits for its turn.",
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="Real time from which it may run."),
        sa.Column(
            "attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Failures without progress."
        ),
        sa.Column("lease", sa.Uuid(), nullable=True, comment="Who runs it, if somebody does."),
        sa.Column(
            "leased_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Real time at which the lease ends unless it is renewed.",
        ),
        sa.Column(
            "cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="Whether it is to stop."
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_queue_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_queue")),
        comment="Jobs that are not finished. A job is a cursor that moves in the transaction of what it writes.",
    )
    op.create_index("ix_job_queue_queued_at", "job_queue", ["queued_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_job_queue_queued_at", table_name="job_queue")
    op.drop_table("job_queue")
    op.drop_index("ix_jobs_updated_at_id", table_name="jobs")
    op.drop_index("ix_jobs_finished_at", table_name="jobs", postgresql_where=sa.text("finished_at is not null"))
    op.drop_index("ix_jobs_created_at_id", table_name="jobs")
    op.drop_table("jobs")
