"""Imports: the files that are sent, refused lines, and the index of what jobs changed, for taking it back.

The index is partial, so that other changes do not pay for it; building it blocks writes for as long as reading the log takes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0044"
down_revision: str | None = "0043"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "import_files",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key that sent it."),
        sa.Column("name", sa.Text(), nullable=False, comment="Its name."),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="Its bytes, as announced; empty if they were not."),
        sa.Column(
            "received", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Bytes that have come."
        ),
        sa.Column("job_id", sa.Uuid(), nullable=True, comment="The import that reads it."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it began to come.",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_import_files_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_files")),
        comment="Files that were sent to be imported. They are deleted once their import is done.",
    )
    op.create_index("ix_import_files_job_id", "import_files", ["job_id"], unique=False)
    op.create_index(
        "ix_import_files_unused",
        "import_files",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("job_id IS NULL"),
    )
    op.create_table(
        "import_rejects",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key that started it."),
        sa.Column("job_id", sa.Uuid(), nullable=False, comment="The import."),
        sa.Column("line", sa.Integer(), nullable=False, comment="Number of its first line in the file, from 1."),
        sa.Column("code", sa.Text(), nullable=False, comment="Code of the error."),
        sa.Column("message", sa.Text(), nullable=False, comment="Why it was refused, and what to do."),
        sa.Column("row", sa.Text(), nullable=True, comment="The row of the mapping that was refused."),
        sa.Column("argument", sa.Text(), nullable=True, comment="The field that was refused."),
        sa.Column("columns", postgresql.ARRAY(sa.Text()), nullable=False, comment="The columns that the field reads."),
        sa.Column(
            "record", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="The line's values by column."
        ),
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
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_import_rejects_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_import_rejects_staff_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_rejects")),
        comment="A line of a file that an import refused: nothing of it was written.",
    )
    op.create_index("ix_import_rejects_job_id_line_id", "import_rejects", ["job_id", "line", "id"], unique=False)
    op.create_index("ix_import_rejects_line_id", "import_rejects", ["line", "id"], unique=False)
    op.create_table(
        "import_chunks",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="Of its first byte in the file."),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="The bytes."),
        sa.ForeignKeyConstraint(
            ["file_id"], ["import_files.id"], name=op.f("fk_import_chunks_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "position", name=op.f("pk_import_chunks")),
        comment="The contents of these files.",
    )
    # The changes that a job made, to take them back.
    op.execute("create index ix_change_log_job on change_log (request, id) where request like 'job:%'")


def downgrade() -> None:
    op.execute("drop index ix_change_log_job")
    op.drop_table("import_chunks")
    op.drop_index("ix_import_rejects_line_id", table_name="import_rejects")
    op.drop_index("ix_import_rejects_job_id_line_id", table_name="import_rejects")
    op.drop_table("import_rejects")
    op.drop_index("ix_import_files_unused", table_name="import_files", postgresql_where=sa.text("job_id IS NULL"))
    op.drop_index("ix_import_files_job_id", table_name="import_files")
    op.drop_table("import_files")
