"""Code rules say at which share of their numbers the heads of the topmost units are notified.

Adds a column with a constant default, and a trigger: neither rewrites the table."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0055"
down_revision: str | None = "0054"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SHARE = "Share of the numbers of a prefix after which the heads of the topmost units are notified, above 0 up to 1."
CLOCK_NAMES = (("clocks", "name"), ("sla_terms", "clock"))


def upgrade() -> None:
    """Run the migration."""
    op.execute("set local lock_timeout = '5s'")
    op.add_column(
        "code_rules",
        sa.Column(
            "warn_share",
            sa.Numeric(precision=5, scale=4),
            server_default=sa.text("0.8"),
            nullable=False,
            comment=SHARE,
        ),
    )
    op.create_check_constraint(
        op.f("ck_code_rules_warn_share_is_a_share"), "code_rules", "warn_share > 0 and warn_share <= 1"
    )
    op.execute("select hub_follow_subject('code_rules', 'notifications')")
    for table, column in CLOCK_NAMES:
        op.alter_column(table, column, comment="Name of the clock, like STEP or HANDLING.")


def downgrade() -> None:
    """Undo the migration."""
    op.execute("drop trigger delete_notifications on code_rules")
    op.drop_constraint(op.f("ck_code_rules_warn_share_is_a_share"), "code_rules")
    op.drop_column("code_rules", "warn_share")
    for table, column in CLOCK_NAMES:
        op.alter_column(table, column, comment="Name of the clock, like STEP or CONTACT.")
