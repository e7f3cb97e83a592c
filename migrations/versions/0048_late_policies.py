"""A new policy takes over open clocks for whose row it comes first: how far that came.

Adds an empty column; the table of policies is locked for a moment."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0048"
down_revision: str | None = "0047"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Run the migration."""
    op.execute("set local lock_timeout = '5s'")
    op.add_column(
        "sla_policies",
        sa.Column(
            "clocks_after",
            sa.Uuid(),
            nullable=True,
            comment="Key after which open clocks of other policies are still to be looked at; empty if there are none.",
        ),
    )
    op.execute(
        "insert into change_exceptions values ('sla_policies', 'clocks_after', 'unlogged') on conflict do nothing"
    )
    op.execute("select hub_capture('sla_policies')")


def downgrade() -> None:
    """Undo the migration."""
    op.execute("delete from change_exceptions where table_name = 'sla_policies' and column_name = 'clocks_after'")
    op.drop_column("sla_policies", "clocks_after")
    op.execute("select hub_capture('sla_policies')")
