"""Tasks, milestones, reports and what is issued of them.

Creates four tables. Triggers keep a task's unit, and an issued report as it is. `customers` is locked for a moment, to get
the trigger that takes tasks along to another unit; the migration gives up after five seconds of waiting."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0039"
down_revision: str | None = "0038"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A task belongs to the unit of its customer, else to that of its person.
TASK_UNIT = """
create function hub_task_unit() returns trigger
language plpgsql as $$
begin
    new.unit_id := coalesce(
        (select unit_id from customers where id = new.customer_id for key share),
        (select unit_id from staff where id = new.staff_id)
    );
    return new;
end
$$
"""
TASK_UNIT_TRIGGER = """
create trigger unit before insert or update of customer_id, staff_id on tasks
    for each row execute function hub_task_unit()
"""
MOVE_TASKS = """
create function hub_move_tasks() returns trigger
language plpgsql as $$
begin
    if tg_table_name = 'customers' then
        update tasks set unit_id = new.unit_id where customer_id = new.id;
    else
        update tasks set unit_id = new.unit_id where staff_id = new.id and customer_id is null;
    end if;
    return null;
end
$$
"""
MOVE_TASKS_TRIGGER = """
create trigger move_tasks after update of unit_id on {table} for each row
    when (old.unit_id is distinct from new.unit_id) execute function hub_move_tasks()
"""
ISSUED = """
create function hub_issued_report() returns trigger
language plpgsql as $$
begin
    raise exception 'an issued report never changes' using errcode = 'restrict_violation';
end
$$
"""
ISSUED_TRIGGER = """
create trigger issued before update or delete on report_issues for each row
    when (old.status = 'ISSUED') execute function hub_issued_report()
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "reports",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key with whose rights it is sent."),
        sa.Column("name", sa.Text(), nullable=False, comment="Short unique name: letters, digits and underscores."),
        sa.Column("title", sa.Text(), nullable=False, comment="Title, in plain words."),
        sa.Column(
            "status",
            sa.Enum("ACTIVE", "PAUSED", name="reportstatus", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'ACTIVE'"),
            nullable=False,
            comment="Whether it is issued.",
        ),
        sa.Column("status_reason", sa.Text(), nullable=True, comment="Why it is not issued."),
        sa.Column(
            "period",
            sa.Enum(
                "DAY",
                "WEEK",
                "MONTH",
                "QUARTER",
                "YEAR",
                name="reportperiod",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The period that one issue is about.",
        ),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA time zone in which its periods begin and end."),
        sa.Column(
            "document",
            sa.Text(),
            nullable=True,
            comment="The query that gives its facts; `$from`, `$to` and `$subject` are filled in. Empty for a form.",
        ),
        sa.Column(
            "operation_name", sa.Text(), nullable=True, comment="The operation of the document, if it has several."
        ),
        sa.Column(
            "variables",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Other variables of the document.",
        ),
        sa.Column(
            "sections", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names of the sections that people write."
        ),
        sa.Column(
            "per",
            sa.Enum(
                "NONE", "STAFF", "TEAM", "UNIT", name="reportper", native_enum=False, create_constraint=True, length=32
            ),
            server_default=sa.text("'NONE'"),
            nullable=False,
            comment="What there is one issue for.",
        ),
        sa.Column("subject_type", sa.Text(), nullable=True, comment="The type that `per` stands for."),
        sa.Column(
            "subjects",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The members of staff, teams or units that it is issued for; all that its key sees when empty.",
        ),
        sa.Column(
            "due_after_seconds",
            sa.Integer(),
            nullable=True,
            comment="Seconds of working time after the end of the period within which people must have submitted it.",
        ),
        sa.Column(
            "checked_by", sa.Text(), nullable=True, comment="The job role whose holder checks it; empty if nobody does."
        ),
        sa.Column("starts_on", sa.Date(), nullable=False, comment="First day of the period that runs now."),
        sa.Column(
            "closes_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="End of that period: the moment at which it is issued.",
        ),
        sa.Column("calendar_id", sa.Uuid(), nullable=True, comment="The calendar by which `dueAfterSeconds` counts."),
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
        sa.CheckConstraint("document is not null or cardinality(sections) > 0", name=op.f("ck_reports_has_content")),
        sa.CheckConstraint(
            "due_after_seconds between 0 and 31622400", name=op.f("ck_reports_due_after_seconds_is_bounded")
        ),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_reports_calendar_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("name", name=op.f("uq_reports_name")),
        comment="A report that is issued for each period: facts that a stored query answers, and sections that people write.",
    )
    op.execute("select hub_capture('reports')")
    op.create_index(
        "ix_reports_closes_at", "reports", ["closes_at"], unique=False, postgresql_where=sa.text("status = 'ACTIVE'")
    )
    op.create_index("ix_reports_name_id", "reports", ["name", "id"], unique=False)
    op.create_index("ix_reports_updated_at_id", "reports", ["updated_at", "id"], unique=False)
    op.create_table(
        "milestones",
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
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="What it is a step of."),
        sa.Column(
            "position", sa.Integer(), nullable=False, comment="Position among the milestones of its subject, from 1."
        ),
        sa.Column("code", sa.Text(), nullable=False, comment="Short name, unique for the subject."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name, in plain words."),
        sa.Column(
            "state",
            sa.Enum(
                "TODO",
                "CURRENT",
                "DONE",
                "SKIPPED",
                name="milestonestate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Whether it is reached.",
        ),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True, comment="Time by which it is expected."),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was reached."),
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
            "customer_id is null or unit_id is not null", name=op.f("ck_milestones_a_customer_has_a_unit")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_milestones_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_milestones_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_milestones_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_milestones")),
        sa.UniqueConstraint("row_id", "code", name=op.f("uq_milestones_row_id_code")),
        comment="A step of something that is under way, as its customer sees it.",
    )
    op.execute("select hub_capture('milestones')")
    op.create_index("ix_milestones_created_at_id", "milestones", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_milestones_customer_id_position_id", "milestones", ["customer_id", "position", "id"], unique=False
    )
    op.create_index(
        "ix_milestones_planned_at_id",
        "milestones",
        [sa.literal_column("coalesce(planned_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index("ix_milestones_position_id", "milestones", ["position", "id"], unique=False)
    op.create_index(
        "ix_milestones_reached_at_id",
        "milestones",
        [sa.literal_column("coalesce(reached_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index("ix_milestones_row_id_position_id", "milestones", ["row_id", "position", "id"], unique=False)
    op.create_index(
        "ix_milestones_staff_id_position_id",
        "milestones",
        ["staff_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index(
        "ix_milestones_unit_id_position_id",
        "milestones",
        ["unit_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_table(
        "report_issues",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("name", sa.Text(), nullable=False, comment="Short name of the report."),
        sa.Column("title", sa.Text(), nullable=False, comment="Title of the report, in plain words."),
        sa.Column(
            "section_names",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Names of the sections that people write.",
        ),
        sa.Column("starts_on", sa.Date(), nullable=False, comment="First day of the period."),
        sa.Column("ends_on", sa.Date(), nullable=False, comment="Last day of the period."),
        sa.Column(
            "revision",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="1, and one more for each correction.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "SUBMITTED",
                "CHECKED",
                "ISSUED",
                name="reportissuestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="How far it is.",
        ),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The answer of the report's query; empty without one.",
        ),
        sa.Column(
            "facts_read_at", sa.DateTime(timezone=True), nullable=True, comment="Time as of which the facts were read."
        ),
        sa.Column("fault", sa.Text(), nullable=True, comment="Why its facts could not be read."),
        sa.Column(
            "sections",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What people wrote, by the name of the section.",
        ),
        sa.Column("note", sa.Text(), nullable=True, comment="What its checker said, or why it corrects another one."),
        sa.Column(
            "digest", sa.Text(), nullable=True, comment="SHA-256 of what was issued, in hexadecimal; see docs/work.md."
        ),
        sa.Column(
            "submitted_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was submitted first."
        ),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was checked."),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was issued."),
        sa.Column("subject_id", sa.Uuid(), nullable=False, comment="Key of what it is about."),
        sa.Column("facts_at", sa.DateTime(timezone=True), nullable=True, comment="Time at which its facts are read."),
        sa.Column("report_id", sa.Uuid(), nullable=False, comment="The report."),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="The member of staff whom it is about."),
        sa.Column(
            "unit_id",
            sa.Uuid(),
            nullable=True,
            comment="The unit that it is about, or in which its person or team works.",
        ),
        sa.Column("team_id", sa.Uuid(), nullable=True, comment="The team that it is about."),
        sa.Column("submitter_id", sa.Uuid(), nullable=True, comment="The person who submitted it."),
        sa.Column("checker_id", sa.Uuid(), nullable=True, comment="The person who checks it."),
        sa.Column("replaces_id", sa.Uuid(), nullable=True, comment="The issued one that it corrects."),
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
            "(status = 'ISSUED') = (digest is not null)", name=op.f("ck_report_issues_issued_with_digest")
        ),
        sa.ForeignKeyConstraint(["checker_id"], ["staff.id"], name=op.f("fk_report_issues_checker_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["report_issues.id"], name=op.f("fk_report_issues_replaces_id")),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name=op.f("fk_report_issues_report_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_report_issues_staff_id")),
        sa.ForeignKeyConstraint(["submitter_id"], ["staff.id"], name=op.f("fk_report_issues_submitter_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_report_issues_team_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_report_issues_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_issues")),
        sa.UniqueConstraint(
            "report_id",
            "starts_on",
            "subject_id",
            "revision",
            name=op.f("uq_report_issues_report_id_starts_on_subject_id_revision"),
        ),
        comment="A report of one period, about one member of staff, team or unit. Once issued it never changes.",
    )
    op.execute("insert into change_exceptions values ('report_issues', 'facts_at', 'unlogged') on conflict do nothing")
    op.execute("select hub_capture('report_issues')")
    op.create_index(
        "ix_report_issues_facts_at",
        "report_issues",
        ["facts_at"],
        unique=False,
        postgresql_where=sa.text("facts_at is not null"),
    )
    op.create_index(
        "ix_report_issues_issued_at_id",
        "report_issues",
        [sa.literal_column("coalesce(issued_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_report_issues_open",
        "report_issues",
        ["staff_id", "starts_on"],
        unique=False,
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_index(
        "ix_report_issues_replaces_id_starts_on_id",
        "report_issues",
        ["replaces_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("replaces_id IS NOT NULL"),
    )
    op.create_index(
        "ix_report_issues_report_id_starts_on_id", "report_issues", ["report_id", "starts_on", "id"], unique=False
    )
    op.create_index(
        "ix_report_issues_staff_id_starts_on_id",
        "report_issues",
        ["staff_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index("ix_report_issues_starts_on_id", "report_issues", ["starts_on", "id"], unique=False)
    op.create_index(
        "ix_report_issues_team_id_starts_on_id",
        "report_issues",
        ["team_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_report_issues_unit_id_starts_on_id",
        "report_issues",
        ["unit_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "type",
            sa.Enum(
                "CALL",
                "VISIT",
                "MEETING",
                "FOLLOW_UP",
                "REVIEW",
                "CORRECTIVE",
                "TRAINING",
                "OTHER",
                name="tasktype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'OTHER'"),
            nullable=False,
            comment="What is to be done.",
        ),
        sa.Column(
            "category",
            sa.Enum(
                "SALES",
                "INTERNAL",
                "CLERICAL",
                name="taskcategory",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The part of the work that it belongs to.",
        ),
        sa.Column(
            "title",
            sa.Text(),
            nullable=False,
            comment="What is to be done, in one line; a new one is called after its type where it is left out.",
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="Time by which it must be done."),
        sa.Column("minutes", sa.Integer(), nullable=True, comment="Minutes that it takes or took."),
        sa.Column(
            "status",
            sa.Enum("OPEN", "DONE", "DROPPED", name="taskstatus", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="Whether it is done.",
        ),
        sa.Column("result", sa.Text(), nullable=True, comment="What came of it."),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was done first."),
        sa.Column(
            "origin",
            sa.Enum("PERSON", "POLICY", name="taskorigin", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'PERSON'"),
            nullable=False,
            comment="Who created it.",
        ),
        sa.Column(
            "reminds_at", sa.DateTime(timezone=True), nullable=True, comment="Time at which its person is reminded."
        ),
        sa.Column("entity", sa.Text(), nullable=True, comment="Name of the type of the row that it is about."),
        sa.Column("row_id", sa.Uuid(), nullable=True, comment="The row that it is about, beside its customer."),
        sa.Column("clock_id", sa.Uuid(), nullable=True, comment="The clock whose policy created it."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom it is about."),
        sa.Column(
            "staff_id",
            sa.Uuid(),
            nullable=False,
            comment="The person who has to do it; the person who asks where it is left out.",
        ),
        sa.Column(
            "unit_id",
            sa.Uuid(),
            nullable=False,
            comment="The unit that it belongs to: the customer's, else that of its person.",
        ),
        sa.Column("interaction_id", sa.Uuid(), nullable=True, comment="The interaction that came of it."),
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
        sa.CheckConstraint("(entity is null) = (row_id is null)", name=op.f("ck_tasks_subject_is_whole")),
        sa.CheckConstraint("minutes between 0 and 100000", name=op.f("ck_tasks_minutes_is_a_duration")),
        sa.ForeignKeyConstraint(["clock_id"], ["clocks.id"], name=op.f("fk_tasks_clock_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_tasks_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"], ["interactions.id"], name=op.f("fk_tasks_interaction_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_tasks_staff_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_tasks_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("clock_id", "due_at", name=op.f("uq_tasks_clock_id_due_at")),
        comment="Something that a member of staff has to do, or did.",
    )
    op.execute("insert into change_exceptions values ('tasks', 'reminds_at', 'unlogged') on conflict do nothing")
    op.execute("select hub_capture('tasks')")
    op.create_index("ix_tasks_created_at_id", "tasks", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_tasks_customer_id_created_at_id",
        "tasks",
        ["customer_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_done_at_id",
        "tasks",
        [sa.literal_column("coalesce(done_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_tasks_due_at_id",
        "tasks",
        [sa.literal_column("coalesce(due_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_tasks_interaction_id_created_at_id",
        "tasks",
        ["interaction_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("interaction_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tasks_open", "tasks", ["staff_id", "due_at"], unique=False, postgresql_where=sa.text("status = 'OPEN'")
    )
    op.create_index(
        "ix_tasks_reminds_at",
        "tasks",
        ["reminds_at"],
        unique=False,
        postgresql_where=sa.text("reminds_at is not null and status = 'OPEN'"),
    )
    op.create_index(
        "ix_tasks_row_id_created_at_id",
        "tasks",
        ["row_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("row_id IS NOT NULL"),
    )
    op.create_index("ix_tasks_staff_id_created_at_id", "tasks", ["staff_id", "created_at", "id"], unique=False)
    op.create_index("ix_tasks_unit_id_created_at_id", "tasks", ["unit_id", "created_at", "id"], unique=False)
    op.execute("select hub_follow_subject('tasks', 'clocks')")
    op.execute("select hub_follow_subject('report_issues', 'clocks')")
    op.execute("select hub_follow_subject('tasks', 'notifications')")
    op.execute("select hub_follow_subject('report_issues', 'notifications')")
    op.execute("select hub_follow_subject('tasks', 'moves')")
    op.execute("select hub_follow_subject('report_issues', 'moves')")
    op.execute("select hub_follow_subject('work_items', 'milestones')")
    op.execute("select hub_follow_subject('work_items', 'tasks')")
    op.execute("select hub_follow_subject('report_issues', 'tasks')")

    op.execute(TASK_UNIT)
    op.execute(TASK_UNIT_TRIGGER)
    op.execute(MOVE_TASKS)
    for table in ("customers", "staff"):
        op.execute(MOVE_TASKS_TRIGGER.format(table=table))
    op.execute(ISSUED)
    op.execute(ISSUED_TRIGGER)


def downgrade() -> None:
    op.execute("select hub_unfollow_subjects('milestones')")
    op.execute("select hub_unfollow_subjects('tasks')")
    op.execute("drop trigger issued on report_issues")
    op.execute("drop function hub_issued_report()")
    for table in ("customers", "staff"):
        op.execute(f"drop trigger move_tasks on {table}")
    op.execute("drop function hub_move_tasks()")
    op.execute("drop trigger unit on tasks")
    op.execute("drop function hub_task_unit()")
    op.drop_index("ix_tasks_unit_id_created_at_id", table_name="tasks")
    op.drop_index("ix_tasks_staff_id_created_at_id", table_name="tasks")
    op.drop_index("ix_tasks_row_id_created_at_id", table_name="tasks", postgresql_where=sa.text("row_id IS NOT NULL"))
    op.drop_index(
        "ix_tasks_reminds_at",
        table_name="tasks",
        postgresql_where=sa.text("reminds_at is not null and status = 'OPEN'"),
    )
    op.drop_index("ix_tasks_open", table_name="tasks", postgresql_where=sa.text("status = 'OPEN'"))
    op.drop_index(
        "ix_tasks_interaction_id_created_at_id",
        table_name="tasks",
        postgresql_where=sa.text("interaction_id IS NOT NULL"),
    )
    op.drop_index("ix_tasks_due_at_id", table_name="tasks")
    op.drop_index("ix_tasks_done_at_id", table_name="tasks")
    op.drop_index(
        "ix_tasks_customer_id_created_at_id", table_name="tasks", postgresql_where=sa.text("customer_id IS NOT NULL")
    )
    op.drop_index("ix_tasks_created_at_id", table_name="tasks")
    op.drop_table("tasks")
    op.drop_index(
        "ix_report_issues_unit_id_starts_on_id",
        table_name="report_issues",
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_report_issues_team_id_starts_on_id",
        table_name="report_issues",
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.drop_index("ix_report_issues_starts_on_id", table_name="report_issues")
    op.drop_index(
        "ix_report_issues_staff_id_starts_on_id",
        table_name="report_issues",
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.drop_index("ix_report_issues_report_id_starts_on_id", table_name="report_issues")
    op.drop_index(
        "ix_report_issues_replaces_id_starts_on_id",
        table_name="report_issues",
        postgresql_where=sa.text("replaces_id IS NOT NULL"),
    )
    op.drop_index("ix_report_issues_open", table_name="report_issues", postgresql_where=sa.text("status = 'OPEN'"))
    op.drop_index("ix_report_issues_issued_at_id", table_name="report_issues")
    op.drop_index(
        "ix_report_issues_facts_at", table_name="report_issues", postgresql_where=sa.text("facts_at is not null")
    )
    op.drop_table("report_issues")
    op.drop_index(
        "ix_milestones_unit_id_position_id", table_name="milestones", postgresql_where=sa.text("unit_id IS NOT NULL")
    )
    op.drop_index(
        "ix_milestones_staff_id_position_id", table_name="milestones", postgresql_where=sa.text("staff_id IS NOT NULL")
    )
    op.drop_index("ix_milestones_row_id_position_id", table_name="milestones")
    op.drop_index("ix_milestones_reached_at_id", table_name="milestones")
    op.drop_index("ix_milestones_position_id", table_name="milestones")
    op.drop_index("ix_milestones_planned_at_id", table_name="milestones")
    op.drop_index("ix_milestones_customer_id_position_id", table_name="milestones")
    op.drop_index("ix_milestones_created_at_id", table_name="milestones")
    op.drop_table("milestones")
    op.drop_index("ix_reports_updated_at_id", table_name="reports")
    op.drop_index("ix_reports_name_id", table_name="reports")
    op.drop_index("ix_reports_closes_at", table_name="reports", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_table("reports")
