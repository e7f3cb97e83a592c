"""Rows that a dry run of an import would have written, so that later lines of its file meet them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0051"
down_revision: str | None = "0050"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run the migration."""
    op.create_table(
        "dry_run_rows",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False, comment="Digest of what the row is found by."),
        sa.Column("key", sa.Uuid(), nullable=False, comment="The key that the row has in the dry run."),
        sa.Column(
            "columns",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Digests of its values by column.",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_dry_run_rows_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "token", name=op.f("pk_dry_run_rows")),
        comment="Rows that a dry run would have written. They are deleted with its end.",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Undo the migration."""
    op.drop_table("dry_run_rows")
