"""Refused lines that could not be read into columns keep their text."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0052"
down_revision: str | None = "0051"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run the migration."""
    comment = "The line as it stands in the file, if it could not be read into columns."
    op.add_column("import_rejects", sa.Column("text", sa.Text(), nullable=True, comment=comment))


def downgrade() -> None:
    """Undo the migration."""
    op.drop_column("import_rejects", "text")
