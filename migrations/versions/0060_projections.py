"""Projections: how far they are in the change feed. Composite foreign keys become deferrable, so that rows can change customers.

Creates a table. The tables with a composite key are locked ACCESS EXCLUSIVE until the transaction ends; no row is read."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0060"
down_revision: str | None = "0055"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ALTER = """
do $$
declare
    entry record;
begin
    for entry in
        select conrelid::regclass as table_name, conname from pg_constraint
        where contype = 'f' and cardinality(conkey) > 1 and conparentid = 0 and connamespace = current_schema()::regnamespace
            and condeferrable <> {deferrable}
        order by 1, 2
    loop
        execute format('alter table %s alter constraint %I {mode}', entry.table_name, entry.conname);
    end loop;
end
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(ALTER.format(deferrable="true", mode="deferrable initially immediate"))
    op.create_table(
        "projections",
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the projection."),
        sa.Column("edition", sa.Integer(), nullable=False, comment="Edition of the rows: another one is built anew."),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="Changes up to it are applied."),
        sa.Column(
            "rebuilding",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it is built from nothing.",
        ),
        sa.Column(
            "rebuilt_to", sa.Uuid(), nullable=True, comment="The key up to which it is built; empty before the first."
        ),
        sa.Column(
            "advanced_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Real time at which the position moved.",
        ),
        sa.Column(
            "attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Failures since then."
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why the last attempt failed."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projections")),
        comment="How far each projection has come in the change feed.",
    )


def downgrade() -> None:
    op.drop_table("projections")
    op.execute("set local lock_timeout = '5s'")
    op.execute(ALTER.format(deferrable="false", mode="not deferrable"))
