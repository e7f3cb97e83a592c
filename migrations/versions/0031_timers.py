"""Timers: the moments whose command failed. A test clock: its time.

Creates two tables; locks nothing that exists."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "test_clock",
        sa.Column(
            "id", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="True: there is one row."
        ),
        sa.Column("now", sa.DateTime(timezone=True), nullable=False, comment="The time that requests and timers have."),
        sa.CheckConstraint("id", name=op.f("ck_test_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_clock")),
        comment="The test clock of a hub that runs with HUB_CLOCK=test.",
    )
    op.create_table(
        "timer_failures",
        sa.Column("timer", sa.Text(), nullable=False, comment="Name of the timer."),
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row whose moment came."),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="Attempts that failed."),
        sa.Column(
            "retry_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Real time of the next attempt; infinity for none.",
        ),
        sa.Column("error", sa.Text(), nullable=False, comment="Why the last attempt failed."),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False, comment="Real time of the last attempt."),
        sa.PrimaryKeyConstraint("timer", "row_id", name=op.f("pk_timer_failures")),
        comment="Moments that came and whose command failed. They are tried again; the others go on meanwhile.",
    )


def downgrade() -> None:
    op.drop_table("timer_failures")
    op.drop_table("test_clock")
