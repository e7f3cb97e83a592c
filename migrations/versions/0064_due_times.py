"""The due time of a step follows its clock, and its comment says so. Locks `work_steps` for a moment, and changes no row."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0064"
down_revision: str | None = "0063"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = "Time by which it should be decided, as its clock said when it opened."
AFTER = "Time by which it should be decided: while it is open, that of its clock."


def upgrade() -> None:
    """Applies the migration."""
    _set_comment(AFTER, BEFORE)


def downgrade() -> None:
    """Reverts the migration."""
    _set_comment(BEFORE, AFTER)


def _set_comment(comment: str, existing: str) -> None:
    op.alter_column(
        "work_steps",
        "due_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment=comment,
        existing_comment=existing,
        existing_nullable=True,
    )
