"""The rights with which the queued deliveries of a webhook were rendered.

Adds a column without a default, which locks the table for a moment."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COMMENT = "SHA-256 of the rights that queued deliveries were rendered with; empty before the first look at them."


def upgrade() -> None:
    op.add_column("webhook_progress", sa.Column("rights", sa.LargeBinary(), nullable=True, comment=COMMENT))


def downgrade() -> None:
    op.drop_column("webhook_progress", "rights")
