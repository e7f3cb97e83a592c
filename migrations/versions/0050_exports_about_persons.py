"""Whether the rows of an export's file are about persons: such files expire when a customer is erased."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0050"
down_revision: str | None = "0049"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run the migration."""
    op.add_column(
        "export_files",
        sa.Column(
            "personal",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether rows are about persons.",
        ),
    )


def downgrade() -> None:
    """Undo the migration."""
    op.drop_column("export_files", "personal")
