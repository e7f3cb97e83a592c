"""Teams, job roles and assignments.

Creates tables; writes of units and staff wait for their foreign keys until the transaction ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("code", sa.Text(), nullable=False, comment="Short unique name: letters, digits and underscores."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the team."),
        sa.Column("motto", sa.Text(), nullable=True, comment="What the team says of itself, in one line."),
        sa.Column(
            "type",
            sa.Enum(
                "SALES", "COMMITTEE", "SHIFT", name="teamtype", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="What the people do together.",
        ),
        sa.Column(
            "status",
            sa.Enum("ACTIVE", "ENDED", name="teamstatus", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'ACTIVE'"),
            nullable=False,
            comment="Whether it works.",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended first."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The unit that the team belongs to."),
        sa.Column("sponsor_id", sa.Uuid(), nullable=True, comment="The member of staff who stands up for the team."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of creation.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of the last edit.",
        ),
        sa.ForeignKeyConstraint(["sponsor_id"], ["staff.id"], name=op.f("fk_teams_sponsor_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_teams_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("code", name=op.f("uq_teams_code")),
        comment="People who work together beside the tree of units.",
    )
    op.execute("select hub_capture('teams')")
    op.create_index("ix_teams_name_id", "teams", ["name", "id"], unique=False)
    op.create_index("ix_teams_sponsor_id_name_id", "teams", ["sponsor_id", "name", "id"], unique=False)
    op.create_index("ix_teams_unit_id_name_id", "teams", ["unit_id", "name", "id"], unique=False)
    op.create_index("ix_teams_updated_at_id", "teams", ["updated_at", "id"], unique=False)
    op.execute("select hub_follow_subject('teams', 'moves')")


def downgrade() -> None:
    op.drop_index("ix_teams_updated_at_id", table_name="teams")
    op.drop_index("ix_teams_unit_id_name_id", table_name="teams")
    op.drop_index("ix_teams_sponsor_id_name_id", table_name="teams")
    op.drop_index("ix_teams_name_id", table_name="teams")
    op.drop_table("teams")
