"""Processes and their steps.

Creates two tables; locks org_units and calendars for their foreign keys, for no longer than that takes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "processes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="Short name: letters, digits and underscores. All revisions share it.",
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="Number of the revision, from 1."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the process."),
        sa.Column(
            "type",
            sa.Enum(
                "APPROVAL",
                "ORDER",
                "PIPELINE",
                "PROGRAMME",
                name="processtype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What it is for.",
        ),
        sa.Column("about", sa.Text(), nullable=False, comment="Name of the type of the rows that its items are about."),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT", "ACTIVE", "RETIRED", name="processstatus", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="Whether new items are opened by it.",
        ),
        sa.Column(
            "max_rounds",
            sa.Integer(),
            nullable=False,
            comment="Rounds that an item takes at most: a RETURN beyond them is refused.",
        ),
        sa.Column(
            "code_rule_id",
            sa.Uuid(),
            nullable=True,
            comment="The rule that numbers its items; empty for items without number.",
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
        sa.ForeignKeyConstraint(["code_rule_id"], ["code_rules.id"], name=op.f("fk_processes_code_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
        sa.UniqueConstraint("code", "revision", name=op.f("uq_processes_code_revision")),
        comment="How work of a kind is done, step by step. A changed definition is a new revision; items go on by their own.",
    )
    op.execute("select hub_capture('processes')")
    op.create_index("ix_processes_code_id", "processes", ["code", "id"], unique=False)
    op.create_index("ix_processes_name_id", "processes", ["name", "id"], unique=False)
    op.create_index("ix_processes_revision_id", "processes", ["revision", "id"], unique=False)
    op.create_index("ix_processes_updated_at_id", "processes", ["updated_at", "id"], unique=False)
    op.create_table(
        "process_steps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("process_id", sa.Uuid(), nullable=False, comment="The process that it is part of."),
        sa.Column("position", sa.Integer(), nullable=False, comment="Place in the order, from 1."),
        sa.Column("code", sa.Text(), nullable=False, comment="Short name within the process."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the step, for staff."),
        sa.Column(
            "public_name",
            sa.Text(),
            nullable=True,
            comment="Name of the step for the customer, who sees it as a milestone; empty for an internal one.",
        ),
        sa.Column(
            "group_name",
            sa.Text(),
            nullable=True,
            comment="Steps in a row with one group are open at the same time; what follows waits for all of them.",
        ),
        sa.Column(
            "addressee",
            sa.Enum(
                "ROLE",
                "OWNER",
                "OPENER",
                "UNIT_HEAD",
                "AUTO",
                name="stepaddressee",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Whose work it is.",
        ),
        sa.Column("role", sa.Text(), nullable=True, comment="The role of whom it is addressed to."),
        sa.Column(
            "unit_type",
            sa.Enum("OWN", "PARENT", "NAMED", name="stepunit", native_enum=False, create_constraint=True, length=32),
            nullable=False,
            comment="In which unit it is done.",
        ),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit that a NAMED step is done in."),
        sa.Column("decisions", postgresql.ARRAY(sa.Text()), nullable=False, comment="How it may be decided."),
        sa.Column("returns_to", sa.Text(), nullable=True, comment="Code of the earlier step to which RETURN leads."),
        sa.Column("quorum", sa.Integer(), nullable=False, comment="Voters, each of whom decides once."),
        sa.Column(
            "majority",
            sa.Text(),
            nullable=True,
            comment='Share of the voters who must approve, like "2/3" or "0.75"; empty for more than half.',
        ),
        sa.Column(
            "distinct_from",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Codes of earlier steps: whoever decided one of them does not decide this one.",
        ),
        sa.Column(
            "allows_opener",
            sa.Boolean(),
            nullable=False,
            comment="Whether the person who opened the item may decide it.",
        ),
        sa.Column(
            "authority",
            sa.Text(),
            nullable=True,
            comment="Code of the authority that whoever decides needs, up to the item's amount.",
        ),
        sa.Column(
            "verified",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Fields of the subject that must be verified before the item goes on.",
        ),
        sa.Column("about", sa.Text(), nullable=False, comment="Type of the rows that the exit criteria filter."),
        sa.Column(
            "exit_criteria",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Filter that the subject must match before the item goes on; empty for none.",
        ),
        sa.Column(
            "goal_seconds",
            sa.Integer(),
            nullable=True,
            comment="Working time in seconds in which it should be decided.",
        ),
        sa.Column("calendar_id", sa.Uuid(), nullable=True, comment="The calendar by which the goal is counted."),
        sa.Column(
            "probability",
            sa.Numeric(precision=5, scale=4),
            nullable=True,
            comment="Share of the items in this stage that are won, 0 to 1.",
        ),
        sa.Column(
            "forecast",
            sa.Enum(
                "OMITTED",
                "PIPELINE",
                "BEST_CASE",
                "COMMIT",
                "CLOSED",
                name="forecastcategory",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
            comment="How items in this stage count in a forecast.",
        ),
        sa.Column("buyer_step", sa.Text(), nullable=True, comment="What the buyer does in this stage."),
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
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_process_steps_calendar_id")),
        sa.ForeignKeyConstraint(
            ["process_id"], ["processes.id"], name=op.f("fk_process_steps_process_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_process_steps_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_steps")),
        sa.UniqueConstraint("process_id", "code", name=op.f("uq_process_steps_process_id_code")),
        sa.UniqueConstraint("process_id", "position", name=op.f("uq_process_steps_process_id_position")),
        comment="A step of a process: whose work it is, how it may be decided, by when, and what must hold.",
    )
    op.execute("select hub_capture('process_steps')")
    op.create_index("ix_process_steps_position_id", "process_steps", ["position", "id"], unique=False)
    op.create_index(
        "ix_process_steps_process_id_position_id", "process_steps", ["process_id", "position", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_process_steps_process_id_position_id", table_name="process_steps")
    op.drop_index("ix_process_steps_position_id", table_name="process_steps")
    op.drop_table("process_steps")
    op.drop_index("ix_processes_updated_at_id", table_name="processes")
    op.drop_index("ix_processes_revision_id", table_name="processes")
    op.drop_index("ix_processes_name_id", table_name="processes")
    op.drop_index("ix_processes_code_id", table_name="processes")
    op.drop_table("processes")
