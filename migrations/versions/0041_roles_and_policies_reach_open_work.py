"""Who gets a role is notified of open work, and open rows get the clocks of a new policy.

Adds two empty columns and an index of the few rows that wait; each table is locked for a moment."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0041"
down_revision: str | None = "0040"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

UNLOGGED = (("job_roles", "announces_at"), ("sla_policies", "rows_after"))


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column(
        "job_roles",
        sa.Column(
            "announces_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the person is notified of open steps that the role may decide; empty once that is done.",
        ),
    )
    op.create_index(
        "ix_job_roles_announces_at",
        "job_roles",
        ["announces_at"],
        postgresql_where=sa.text("announces_at is not null"),
    )
    op.add_column(
        "sla_policies",
        sa.Column(
            "rows_after",
            sa.Uuid(),
            nullable=True,
            comment="Key after which open rows are still to be looked at for clocks; empty if there are none.",
        ),
    )
    for table, column in UNLOGGED:
        op.execute(f"insert into change_exceptions values ('{table}', '{column}', 'unlogged') on conflict do nothing")
        op.execute(f"select hub_capture('{table}')")


def downgrade() -> None:
    for table, column in UNLOGGED:
        op.execute(f"delete from change_exceptions where table_name = '{table}' and column_name = '{column}'")
    op.drop_column("sla_policies", "rows_after")
    op.drop_index("ix_job_roles_announces_at", table_name="job_roles")
    op.drop_column("job_roles", "announces_at")
    for table, _ in UNLOGGED:
        op.execute(f"select hub_capture('{table}')")
