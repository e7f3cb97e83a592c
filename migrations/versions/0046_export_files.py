"""Files that exports wrote."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0046"
down_revision: str | None = "0045"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run the migration."""
    op.create_table(
        "export_files",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False, comment="The format of the file."),
        sa.Column("compression", sa.Text(), nullable=False, comment="How the file is compressed."),
        sa.Column(
            "rights", sa.LargeBinary(), nullable=False, comment="Hash of the rights with which the rows were read."
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Number of rows."),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="Size of the file."),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False, comment="When the file was whole."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="When it is deleted."),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_export_files_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_export_files")),
        comment="Files that exports wrote. They lie in the folder of exports under the keys of their jobs.",
    )
    op.create_index("ix_export_files_expires_at", "export_files", ["expires_at"], unique=False)


def downgrade() -> None:
    """Undo the migration. The files become orphans, which are deleted."""
    op.drop_index("ix_export_files_expires_at", table_name="export_files")
    op.drop_table("export_files")
