"""Teams, job roles and assignments.

Creates tables; writes of units and staff wait for their foreign keys until the transaction ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("create extension if not exists btree_gist with schema public")
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
    op.create_table(
        "job_roles",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="Who has the role."),
        sa.Column(
            "role",
            sa.Text(),
            nullable=False,
            comment="Code of the role. Of HEAD, CAPTAIN and CONTACT a unit or team has one at a time; others are free.",
        ),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit whose role it is."),
        sa.Column("team_id", sa.Uuid(), nullable=True, comment="The team whose role it is."),
        sa.Column(
            "from_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it begins.",
        ),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True, comment="When it ends; empty for no end."),
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
        postgresql.ExcludeConstraint(
            (sa.column("staff_id"), "="),
            (sa.column("team_id"), "="),
            (sa.column("role"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            using="gist",
            name="ex_job_roles_staff_id_team_id_role",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("staff_id"), "="),
            (sa.column("unit_id"), "="),
            (sa.column("role"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            using="gist",
            name="ex_job_roles_staff_id_unit_id_role",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("team_id"), "="),
            (sa.column("role"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            where=sa.text("role in ('HEAD', 'CAPTAIN', 'CONTACT')"),
            using="gist",
            name="ex_job_roles_team_id_role",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("unit_id"), "="),
            (sa.column("role"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            where=sa.text("role in ('HEAD', 'CAPTAIN', 'CONTACT')"),
            using="gist",
            name="ex_job_roles_unit_id_role",
        ),
        sa.CheckConstraint(
            "num_nonnulls(unit_id, team_id) = 1", name=op.f("ck_job_roles_exactly_one_of_unit_id_or_team_id")
        ),
        sa.CheckConstraint("to_at > from_at", name=op.f("ck_job_roles_to_at_is_after_from_at")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_job_roles_staff_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_job_roles_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_job_roles_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_roles")),
        comment="What a member of staff is of a unit or a team, for a time.",
    )
    op.execute("select hub_capture('job_roles')")
    op.create_index("ix_job_roles_from_at_id", "job_roles", ["from_at", "id"], unique=False)
    op.create_index("ix_job_roles_staff_id_from_at_id", "job_roles", ["staff_id", "from_at", "id"], unique=False)
    op.create_index(
        "ix_job_roles_team_id_from_at_id",
        "job_roles",
        ["team_id", "from_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_job_roles_unit_id_from_at_id",
        "job_roles",
        ["unit_id", "from_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index("ix_job_roles_updated_at_id", "job_roles", ["updated_at", "id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who is looked after."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="Who looks after the customer."),
        sa.Column(
            "role",
            sa.Enum(
                "PRIMARY",
                "DEPUTY",
                "SPECIALIST",
                name="assignmentrole",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="As what. A customer has one PRIMARY at a time, who is its owner.",
        ),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False, comment="When it begins."),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True, comment="When it ends; empty for no end."),
        sa.Column(
            "origin",
            sa.Enum(
                "LEGACY",
                "SELF_SOURCED",
                "REFERRED",
                "MARKETING",
                name="assignmentorigin",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="How the person came to the customer.",
        ),
        sa.Column(
            "locked_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until then, only an administrator with a reason gives the customer to somebody else.",
        ),
        sa.Column(
            "baseline",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The customer when the assignment began, which later growth is measured against.",
        ),
        sa.Column(
            "reason", sa.Text(), nullable=True, comment="Reason for the assignment, or for the last change of its lock."
        ),
        sa.Column(
            "owner_changes_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Next moment at which it begins or ends, and the customer's owner changes with it.",
        ),
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
        postgresql.ExcludeConstraint(
            (sa.column("customer_id"), "="),
            (sa.column("staff_id"), "="),
            (sa.column("role"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            using="gist",
            name="ex_assignments_customer_id_staff_id_role",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("customer_id"), "="),
            (sa.text("tstzrange(from_at, to_at)"), "&&"),
            where=sa.text("role = 'PRIMARY'"),
            using="gist",
            name="ex_assignments_customer_id",
        ),
        sa.CheckConstraint("to_at > from_at", name=op.f("ck_assignments_to_at_is_after_from_at")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_assignments_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_assignments_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        comment="A member of staff who looks after a customer, for a time.",
    )
    op.execute("select hub_capture('assignments')")
    op.create_index(
        "ix_assignments_customer_id_from_at_id", "assignments", ["customer_id", "from_at", "id"], unique=False
    )
    op.create_index("ix_assignments_from_at_id", "assignments", ["from_at", "id"], unique=False)
    op.create_index(
        "ix_assignments_owner_changes_at",
        "assignments",
        ["owner_changes_at"],
        unique=False,
        postgresql_where=sa.text("owner_changes_at is not null"),
    )
    op.create_index("ix_assignments_staff_id_from_at_id", "assignments", ["staff_id", "from_at", "id"], unique=False)
    op.create_index("ix_assignments_updated_at_id", "assignments", ["updated_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_assignments_updated_at_id", table_name="assignments")
    op.drop_index("ix_assignments_staff_id_from_at_id", table_name="assignments")
    op.drop_index(
        "ix_assignments_owner_changes_at",
        table_name="assignments",
        postgresql_where=sa.text("owner_changes_at is not null"),
    )
    op.drop_index("ix_assignments_from_at_id", table_name="assignments")
    op.drop_index("ix_assignments_customer_id_from_at_id", table_name="assignments")
    op.drop_table("assignments")
    op.drop_index("ix_job_roles_updated_at_id", table_name="job_roles")
    op.drop_index(
        "ix_job_roles_unit_id_from_at_id", table_name="job_roles", postgresql_where=sa.text("unit_id IS NOT NULL")
    )
    op.drop_index(
        "ix_job_roles_team_id_from_at_id", table_name="job_roles", postgresql_where=sa.text("team_id IS NOT NULL")
    )
    op.drop_index("ix_job_roles_staff_id_from_at_id", table_name="job_roles")
    op.drop_index("ix_job_roles_from_at_id", table_name="job_roles")
    op.drop_table("job_roles")
    op.drop_index("ix_teams_updated_at_id", table_name="teams")
    op.drop_index("ix_teams_unit_id_name_id", table_name="teams")
    op.drop_index("ix_teams_sponsor_id_name_id", table_name="teams")
    op.drop_index("ix_teams_name_id", table_name="teams")
    op.drop_table("teams")
