"""Processes and their steps, work items and theirs.

Creates five tables; locks the tables that their foreign keys lead to, for no longer than that takes."""

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
    op.create_table(
        "work_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom the subject belongs to."),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit that the subject belongs to."),
        sa.Column(
            "staff_id",
            sa.Uuid(),
            nullable=True,
            comment="The member of staff whom the subject is about, or who does it.",
        ),
        sa.Column(
            "audience",
            sa.Enum(
                "CUSTOMER",
                "INSIDE",
                "UNIT",
                "PERSON",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Who sees the row.",
        ),
        sa.Column("entity", sa.Text(), nullable=False, comment="Name of the type of the row that it is about."),
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="What it is about."),
        sa.Column(
            "number",
            sa.Text(),
            nullable=True,
            comment="Its number, by the code rule of the process; empty without one.",
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="What is to be done."),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="The amount that is decided on; who decides needs the authority for it.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 code of its currency."),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Free facts, a JSON object.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "WAITING",
                "OPEN",
                "DONE",
                "REJECTED",
                "WITHDRAWN",
                name="workitemstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="Where it is.",
        ),
        sa.Column("round", sa.Integer(), nullable=False, comment="Its round: 1, and one more for each RETURN."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="Time of opening."),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="Time at which it ended."),
        sa.Column("cause_id", sa.Uuid(), nullable=True, comment="Key of what made the hub open it."),
        sa.Column("process_id", sa.Uuid(), nullable=False, comment="The revision of the process that it goes by."),
        sa.Column(
            "step_id", sa.Uuid(), nullable=True, comment="The step that it is at; the last one of an item that ended."
        ),
        sa.Column("opened_by_id", sa.Uuid(), nullable=True, comment="The person who opened it; empty for the hub."),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("hub_fold(coalesce(title, '')) || hub_fold(coalesce(number, ''))", persisted=True),
            nullable=False,
            comment="Folded text that `search` looks in; made by the database.",
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
        sa.CheckConstraint("(amount is null) = (currency is null)", name=op.f("ck_work_items_amount_has_a_currency")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_work_items_amount_is_not_negative")),
        sa.CheckConstraint(
            "customer_id is null or unit_id is not null", name=op.f("ck_work_items_a_customer_has_a_unit")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_work_items_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["opened_by_id"], ["staff.id"], name=op.f("fk_work_items_opened_by_id")),
        sa.ForeignKeyConstraint(["process_id"], ["processes.id"], name=op.f("fk_work_items_process_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_work_items_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["step_id"], ["process_steps.id"], name=op.f("fk_work_items_step_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_work_items_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_items")),
        sa.UniqueConstraint("cause_id", "process_id", name=op.f("uq_work_items_cause_id_process_id")),
        sa.UniqueConstraint("number", name=op.f("uq_work_items_number")),
        comment="Work about a row, done by a process: an application, an order, a promotion. Customers do not see it.",
    )
    op.execute("select hub_capture('work_items')")
    op.create_index(
        "ix_work_items_customer_id_opened_at_id", "work_items", ["customer_id", "opened_at", "id"], unique=False
    )
    op.create_index("ix_work_items_opened_at_id", "work_items", ["opened_at", "id"], unique=False)
    op.create_index(
        "ix_work_items_opened_by_id_opened_at_id", "work_items", ["opened_by_id", "opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_work_items_process_id_opened_at_id", "work_items", ["process_id", "opened_at", "id"], unique=False
    )
    op.create_index("ix_work_items_row_id_opened_at_id", "work_items", ["row_id", "opened_at", "id"], unique=False)
    op.create_index(
        "ix_work_items_search_text",
        "work_items",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_index(
        "ix_work_items_staff_id_opened_at_id",
        "work_items",
        ["staff_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index(
        "ix_work_items_unit_id_opened_at_id",
        "work_items",
        ["unit_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index("ix_work_items_updated_at_id", "work_items", ["updated_at", "id"], unique=False)
    op.create_table(
        "work_item_dependencies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("item_id", sa.Uuid(), nullable=False, comment="The item that waits."),
        sa.Column(
            "predecessor_id", sa.Uuid(), nullable=False, comment="The item that must end first, in whichever way."
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
        sa.ForeignKeyConstraint(
            ["item_id"], ["work_items.id"], name=op.f("fk_work_item_dependencies_item_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["predecessor_id"],
            ["work_items.id"],
            name=op.f("fk_work_item_dependencies_predecessor_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_item_dependencies")),
        sa.UniqueConstraint("item_id", "predecessor_id", name=op.f("uq_work_item_dependencies_item_id_predecessor_id")),
        comment="An item that does not begin before another one has ended.",
    )
    op.execute("select hub_capture('work_item_dependencies')")
    op.create_index(
        "ix_work_item_dependencies_created_at_id", "work_item_dependencies", ["created_at", "id"], unique=False
    )
    op.create_index(
        "ix_work_item_dependencies_item_id_created_at_id",
        "work_item_dependencies",
        ["item_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_work_item_dependencies_predecessor_id_created_at_id",
        "work_item_dependencies",
        ["predecessor_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "work_steps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom the subject belongs to."),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit that the subject belongs to."),
        sa.Column(
            "staff_id",
            sa.Uuid(),
            nullable=True,
            comment="The member of staff whom the subject is about, or who does it.",
        ),
        sa.Column(
            "audience",
            sa.Enum(
                "CUSTOMER",
                "INSIDE",
                "UNIT",
                "PERSON",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Who sees the row.",
        ),
        sa.Column("item_id", sa.Uuid(), nullable=False, comment="The item that it is a step of."),
        sa.Column("position", sa.Integer(), nullable=False, comment="Place of the step in its process."),
        sa.Column("round", sa.Integer(), nullable=False, comment="The item's round."),
        sa.Column("voter", sa.Integer(), nullable=False, comment="Number of the voter, from 1."),
        sa.Column("role", sa.Text(), nullable=True, comment="The role of whom it is addressed to."),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "DECIDED",
                "SKIPPED",
                name="workstepstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="Whether it is decided.",
        ),
        sa.Column(
            "decision",
            sa.Enum(
                "APPROVE",
                "DONE",
                "REJECT",
                "RETURN",
                name="stepdecision",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
            comment="How it was decided.",
        ),
        sa.Column("note", sa.Text(), nullable=True, comment="Why it was decided so."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="Time of opening."),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time by which it should be decided, as its clock said when it opened.",
        ),
        sa.Column(
            "decided_at", sa.DateTime(timezone=True), nullable=True, comment="Time at which it was decided or skipped."
        ),
        sa.Column("step_id", sa.Uuid(), nullable=False, comment="The step of the process."),
        sa.Column(
            "addressee_id",
            sa.Uuid(),
            nullable=True,
            comment="The person whose work it is; empty if it is that of all who have the role, or nobody's yet.",
        ),
        sa.Column("working_unit_id", sa.Uuid(), nullable=True, comment="The unit that it is done in."),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True, comment="The person who decided it."),
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
        sa.CheckConstraint(
            "customer_id is null or unit_id is not null", name=op.f("ck_work_steps_a_customer_has_a_unit")
        ),
        sa.ForeignKeyConstraint(["addressee_id"], ["staff.id"], name=op.f("fk_work_steps_addressee_id")),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_work_steps_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["decided_by_id"], ["staff.id"], name=op.f("fk_work_steps_decided_by_id")),
        sa.ForeignKeyConstraint(["item_id"], ["work_items.id"], name=op.f("fk_work_steps_item_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_work_steps_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["step_id"], ["process_steps.id"], name=op.f("fk_work_steps_step_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_work_steps_unit_id")),
        sa.ForeignKeyConstraint(["working_unit_id"], ["org_units.id"], name=op.f("fk_work_steps_working_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_steps")),
        sa.UniqueConstraint(
            "item_id", "step_id", "round", "voter", name=op.f("uq_work_steps_item_id_step_id_round_voter")
        ),
        comment="A step of an item that somebody decides. A step with several voters has a row for each of them.",
    )
    op.execute("select hub_capture('work_steps')")
    op.create_index(
        "ix_work_steps_addressee_id_opened_at_id", "work_steps", ["addressee_id", "opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_work_steps_customer_id_opened_at_id",
        "work_steps",
        ["customer_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_work_steps_decided_by_id_opened_at_id", "work_steps", ["decided_by_id", "opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_work_steps_due_at_id",
        "work_steps",
        [sa.literal_column("coalesce(due_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index("ix_work_steps_item_id_opened_at_id", "work_steps", ["item_id", "opened_at", "id"], unique=False)
    op.create_index("ix_work_steps_opened_at_id", "work_steps", ["opened_at", "id"], unique=False)
    op.create_index(
        "ix_work_steps_staff_id_opened_at_id",
        "work_steps",
        ["staff_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index("ix_work_steps_status_opened_at", "work_steps", ["status", "opened_at"], unique=False)
    op.create_index("ix_work_steps_step_id_opened_at_id", "work_steps", ["step_id", "opened_at", "id"], unique=False)
    op.create_index(
        "ix_work_steps_unit_id_opened_at_id",
        "work_steps",
        ["unit_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index(
        "ix_work_steps_working_unit_id_opened_at_id", "work_steps", ["working_unit_id", "opened_at", "id"], unique=False
    )
    op.execute("select hub_follow_subject('customers', 'work_items')")
    op.execute("select hub_follow_subject('org_units', 'work_items')")
    op.execute("select hub_follow_subject('staff', 'work_items')")
    op.execute("select hub_follow_subject('products', 'work_items')")
    op.execute("select hub_follow_subject('orders', 'work_items')")
    op.execute("select hub_follow_subject('interactions', 'work_items')")
    op.execute("select hub_follow_subject('teams', 'work_items')")
    op.execute("select hub_follow_subject('work_items', 'clocks')")
    op.execute("select hub_follow_subject('work_steps', 'clocks')")
    op.execute("select hub_follow_subject('work_items', 'notifications')")
    op.execute("select hub_follow_subject('work_steps', 'notifications')")
    op.execute("select hub_follow_subject('work_items', 'moves')")
    op.execute("select hub_follow_subject('work_steps', 'moves')")


def downgrade() -> None:
    op.execute("select hub_unfollow_subjects('work_items')")
    op.drop_index("ix_work_steps_working_unit_id_opened_at_id", table_name="work_steps")
    op.drop_index(
        "ix_work_steps_unit_id_opened_at_id", table_name="work_steps", postgresql_where=sa.text("unit_id IS NOT NULL")
    )
    op.drop_index("ix_work_steps_step_id_opened_at_id", table_name="work_steps")
    op.drop_index("ix_work_steps_status_opened_at", table_name="work_steps")
    op.drop_index(
        "ix_work_steps_staff_id_opened_at_id", table_name="work_steps", postgresql_where=sa.text("staff_id IS NOT NULL")
    )
    op.drop_index("ix_work_steps_opened_at_id", table_name="work_steps")
    op.drop_index("ix_work_steps_item_id_opened_at_id", table_name="work_steps")
    op.drop_index("ix_work_steps_due_at_id", table_name="work_steps")
    op.drop_index("ix_work_steps_decided_by_id_opened_at_id", table_name="work_steps")
    op.drop_index(
        "ix_work_steps_customer_id_opened_at_id",
        table_name="work_steps",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_index("ix_work_steps_addressee_id_opened_at_id", table_name="work_steps")
    op.drop_table("work_steps")
    op.drop_index("ix_work_item_dependencies_predecessor_id_created_at_id", table_name="work_item_dependencies")
    op.drop_index("ix_work_item_dependencies_item_id_created_at_id", table_name="work_item_dependencies")
    op.drop_index("ix_work_item_dependencies_created_at_id", table_name="work_item_dependencies")
    op.drop_table("work_item_dependencies")
    op.drop_index("ix_work_items_updated_at_id", table_name="work_items")
    op.drop_index(
        "ix_work_items_unit_id_opened_at_id", table_name="work_items", postgresql_where=sa.text("unit_id IS NOT NULL")
    )
    op.drop_index(
        "ix_work_items_staff_id_opened_at_id", table_name="work_items", postgresql_where=sa.text("staff_id IS NOT NULL")
    )
    op.drop_index(
        "ix_work_items_search_text",
        table_name="work_items",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("ix_work_items_row_id_opened_at_id", table_name="work_items")
    op.drop_index("ix_work_items_process_id_opened_at_id", table_name="work_items")
    op.drop_index("ix_work_items_opened_by_id_opened_at_id", table_name="work_items")
    op.drop_index("ix_work_items_opened_at_id", table_name="work_items")
    op.drop_index("ix_work_items_customer_id_opened_at_id", table_name="work_items")
    op.drop_table("work_items")
    op.drop_index("ix_process_steps_process_id_position_id", table_name="process_steps")
    op.drop_index("ix_process_steps_position_id", table_name="process_steps")
    op.drop_table("process_steps")
    op.drop_index("ix_processes_updated_at_id", table_name="processes")
    op.drop_index("ix_processes_revision_id", table_name="processes")
    op.drop_index("ix_processes_name_id", table_name="processes")
    op.drop_index("ix_processes_code_id", table_name="processes")
    op.drop_table("processes")
