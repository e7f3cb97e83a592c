"""Policies of promises and clocks, and what clocks count in SQL.

Creates five tables and a function, and adds a column to calendars. Writes of calendars, customers, orders, units, staff and
notifications wait until the transaction ends; it waits five seconds for them at most."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Working time in seconds that a clock has spent since it runs; 0 while it stands still. Without a calendar all time counts;
# what a calendar does not cover is no working time.
CLOCK_SECONDS = """
create function hub_clock_seconds(of uuid, since timestamptz, until timestamptz) returns double precision
language sql stable parallel safe as $$
    select case
        when since is null or until <= since then 0
        when of is null then extract(epoch from until - since)
        else coalesce((
            select extract(epoch from hub_working_time(of, least(greatest(since, covers_from), covers_until),
                greatest(least(until, covers_until), covers_from)))
            from calendars where id = of
        ), 0)
    end
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "sla_policies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("code", sa.Text(), nullable=False, comment="Short unique name: letters, digits and underscores."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the policy."),
        sa.Column("entity", sa.Text(), nullable=False, comment="Name of the type whose rows it is about."),
        sa.Column(
            "match",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Filter of the rows that it is about; empty for all rows of the type.",
        ),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="Its place among the policies of the type: the first that matches counts.",
        ),
        sa.Column(
            "valid_from",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="First moment at which clocks may start by it; empty for always.",
        ),
        sa.Column(
            "valid_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Moment from which no clock starts by it; empty for never. Clocks that run go on.",
        ),
        sa.Column(
            "revision",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts changes of the policy and its parts, from 1.",
        ),
        sa.Column(
            "clocks_change_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When clocks that follow an earlier revision change to this one; empty if there are none.",
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
        sa.CheckConstraint("position between 1 and 1000000", name=op.f("ck_sla_policies_position_is_positive")),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_sla_policies_validity_is_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policies")),
        sa.UniqueConstraint("code", name=op.f("uq_sla_policies_code")),
        comment="Promises about the rows of one type. Of the policies that match a row, the first by position counts.",
    )
    op.execute(
        "insert into change_exceptions values ('sla_policies', 'clocks_change_at', 'unlogged') on conflict do nothing"
    )
    op.execute("select hub_capture('sla_policies')")
    op.create_index(
        "ix_sla_policies_clocks_change_at",
        "sla_policies",
        ["clocks_change_at"],
        unique=False,
        postgresql_where=sa.text("clocks_change_at is not null"),
    )
    op.create_index("ix_sla_policies_code_id", "sla_policies", ["code", "id"], unique=False)
    op.create_index("ix_sla_policies_position_id", "sla_policies", ["position", "id"], unique=False)
    op.create_index("ix_sla_policies_updated_at_id", "sla_policies", ["updated_at", "id"], unique=False)
    op.create_table(
        "calendar_editions",
        sa.Column("calendar_id", sa.Uuid(), nullable=False, comment="The calendar."),
        sa.Column(
            "calendar_version",
            sa.Integer(),
            nullable=False,
            comment="The version of the calendar that had this definition.",
        ),
        sa.Column(
            "replaced_at", sa.DateTime(timezone=True), nullable=False, comment="When another definition took its place."
        ),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA time zone of the opening hours."),
        sa.Column(
            "weekly",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Opening hours by day of the week.",
        ),
        sa.Column(
            "exceptions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Opening hours of the days that differ, by date.",
        ),
        sa.Column("covers_from", sa.DateTime(timezone=True), nullable=False, comment="First moment that it covered."),
        sa.Column("covers_until", sa.DateTime(timezone=True), nullable=False, comment="Moment at which it ended."),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name=op.f("fk_calendar_editions_calendar_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "calendar_version", name=op.f("pk_calendar_editions")),
        comment="Former definitions of calendars by which open clocks were counted.",
    )
    op.create_table(
        "escalation_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("policy_id", sa.Uuid(), nullable=False, comment="The policy that it is part of."),
        sa.Column("clock", sa.Text(), nullable=False, comment="Name of the clock."),
        sa.Column("level", sa.Integer(), nullable=False, comment="Number of the level, from 1."),
        sa.Column(
            "at_share",
            sa.Numeric(precision=7, scale=4),
            nullable=True,
            comment="Share of the goal at which it is reached: 0.8 for 80 percent, 1.5 for half of the goal after it is due.",
        ),
        sa.Column(
            "at_offset_seconds",
            sa.Integer(),
            nullable=True,
            comment="Working time after the due time at which it is reached, in seconds; negative for before.",
        ),
        sa.Column(
            "act",
            sa.Enum(
                "NOTIFY",
                "TASK",
                "ORDER",
                "MOVE",
                name="escalationact",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What happens.",
        ),
        sa.Column("role", sa.Text(), nullable=True, comment="Job role whose holders are notified."),
        sa.Column(
            "unit",
            sa.Enum(
                "OWN", "PARENT", "TOP", name="escalationunit", native_enum=False, create_constraint=True, length=32
            ),
            server_default=sa.text("'OWN'"),
            nullable=False,
            comment="In which unit the holders are looked for.",
        ),
        sa.Column(
            "copy_role",
            sa.Text(),
            nullable=True,
            comment="Job role whose holders are notified too, for their information.",
        ),
        sa.Column("process", sa.Text(), nullable=True, comment="Code of the process that an ORDER opens."),
        sa.Column("move_to", sa.Text(), nullable=True, comment="State that a MOVE leads to."),
        sa.Column(
            "text",
            sa.Text(),
            nullable=True,
            comment="Text of the notification or task; the hub writes one if it is empty.",
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
        sa.CheckConstraint("(act = 'MOVE') = (move_to is not null)", name=op.f("ck_escalation_rules_move_has_a_state")),
        sa.CheckConstraint(
            "(act = 'ORDER') = (process is not null)", name=op.f("ck_escalation_rules_order_has_a_process")
        ),
        sa.CheckConstraint(
            "act not in ('NOTIFY', 'TASK') or role is not null", name=op.f("ck_escalation_rules_task_has_a_role")
        ),
        sa.CheckConstraint("at_share > 0", name=op.f("ck_escalation_rules_at_share_is_positive")),
        sa.CheckConstraint("level between 1 and 30", name=op.f("ck_escalation_rules_level_is_positive")),
        sa.CheckConstraint(
            "num_nonnulls(at_share, at_offset_seconds) = 1", name=op.f("ck_escalation_rules_one_moment")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["sla_policies.id"], name=op.f("fk_escalation_rules_policy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_rules")),
        sa.UniqueConstraint("policy_id", "clock", "level", name=op.f("uq_escalation_rules_policy_id_clock_level")),
        comment="A level of escalation: the moment, counted in working time, and the act. Each clock reaches a level once.",
    )
    op.execute("select hub_capture('escalation_rules')")
    op.create_index("ix_escalation_rules_level_id", "escalation_rules", ["level", "id"], unique=False)
    op.create_index(
        "ix_escalation_rules_policy_id_level_id", "escalation_rules", ["policy_id", "level", "id"], unique=False
    )
    op.create_table(
        "sla_terms",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("policy_id", sa.Uuid(), nullable=False, comment="The policy that it is part of."),
        sa.Column("clock", sa.Text(), nullable=False, comment="Name of the clock, like STEP or CONTACT."),
        sa.Column("goal_seconds", sa.Integer(), nullable=False, comment="Working time until it is due, in seconds."),
        sa.Column(
            "calendar_id", sa.Uuid(), nullable=True, comment="The calendar that counts; empty if all time counts."
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
        sa.CheckConstraint("goal_seconds > 0", name=op.f("ck_sla_terms_goal_is_positive")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_sla_terms_calendar_id")),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["sla_policies.id"], name=op.f("fk_sla_terms_policy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_terms")),
        sa.UniqueConstraint("policy_id", "clock", name=op.f("uq_sla_terms_policy_id_clock")),
        comment="A promise: how much working time a clock may use.",
    )
    op.execute("select hub_capture('sla_terms')")
    op.create_index("ix_sla_terms_calendar_id_clock_id", "sla_terms", ["calendar_id", "clock", "id"], unique=False)
    op.create_index("ix_sla_terms_clock_id", "sla_terms", ["clock", "id"], unique=False)
    op.create_index("ix_sla_terms_policy_id_clock_id", "sla_terms", ["policy_id", "clock", "id"], unique=False)
    op.create_table(
        "clocks",
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
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row that it is about."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the clock, like STEP or CONTACT."),
        sa.Column(
            "status",
            sa.Enum(
                "RUNNING",
                "PAUSED",
                "MET",
                "MISSED",
                "VOID",
                name="clockstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Whether it runs, and how it ended.",
        ),
        sa.Column(
            "policy_id",
            sa.Uuid(),
            nullable=True,
            comment="The policy that it follows; empty if its goal was set by hand and no policy escalates it.",
        ),
        sa.Column(
            "calendar_id", sa.Uuid(), nullable=True, comment="The calendar that counts; empty if all time counts."
        ),
        sa.Column(
            "calendar_version",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The version of the calendar that the due time was counted by.",
        ),
        sa.Column("goal_seconds", sa.Integer(), nullable=False, comment="Working time that it may take, in seconds."),
        sa.Column(
            "policy_revision",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The revision of the policy that it follows.",
        ),
        sa.Column(
            "own_goal",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether its goal was set by hand, so that policies leave it alone.",
        ),
        sa.Column(
            "spent",
            sa.Numeric(precision=18, scale=6),
            server_default=sa.text("0"),
            nullable=False,
            comment="Working time in seconds that was spent before it began to run last.",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="When it was started."),
        sa.Column(
            "running_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when it runs; empty while it stands still.",
        ),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is due, closing time included. Empty while it stands still, and beyond the calendar's horizon.",
        ),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When its next level is reached, or it is missed.",
        ),
        sa.Column(
            "reached",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The levels that were reached, a bit for each.",
        ),
        sa.Column(
            "level",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The highest level of escalation that was reached; 0 for none.",
        ),
        sa.Column(
            "stopped_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was stopped or called off; empty until then.",
        ),
        sa.Column(
            "overdue_seconds",
            sa.Integer(),
            nullable=True,
            comment="Working time by which it was too late when it was stopped, rounded up; empty until then.",
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
        sa.CheckConstraint(
            "(status in ('MET', 'VOID')) <= (stopped_at is not null)", name=op.f("ck_clocks_ended_clocks_are_stopped")
        ),
        sa.CheckConstraint("customer_id is null or unit_id is not null", name=op.f("ck_clocks_a_customer_has_a_unit")),
        sa.CheckConstraint("goal_seconds > 0", name=op.f("ck_clocks_goal_is_positive")),
        sa.CheckConstraint("spent >= 0", name=op.f("ck_clocks_spent_is_not_negative")),
        sa.CheckConstraint(
            "stopped_at is null or (running_since is null and next_at is null)",
            name=op.f("ck_clocks_stopped_clocks_stand_still"),
        ),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_clocks_calendar_id")),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_clocks_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["sla_policies.id"], name=op.f("fk_clocks_policy_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_clocks_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_clocks_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clocks")),
        comment="A promise about a row: how much working time it may take, how much was spent, and when it is due.",
    )
    op.execute("select hub_capture('clocks')")
    op.create_index(
        "ix_clocks_calendar_of_open",
        "clocks",
        ["calendar_id", "calendar_version"],
        unique=False,
        postgresql_where=sa.text("stopped_at is null"),
    )
    op.create_index(
        "ix_clocks_customer_id_started_at_id",
        "clocks",
        ["customer_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_clocks_due_at_id",
        "clocks",
        [sa.literal_column("coalesce(due_at, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_clocks_next_at", "clocks", ["next_at"], unique=False, postgresql_where=sa.text("next_at is not null")
    )
    op.create_index(
        "ix_clocks_open_of_unit",
        "clocks",
        ["unit_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at is null"),
    )
    op.create_index("ix_clocks_policy_id_started_at_id", "clocks", ["policy_id", "started_at", "id"], unique=False)
    op.create_index(
        "ix_clocks_policy_of_open",
        "clocks",
        ["policy_id", "policy_revision"],
        unique=False,
        postgresql_where=sa.text("stopped_at is null"),
    )
    op.create_index("ix_clocks_row_id_started_at_id", "clocks", ["row_id", "started_at", "id"], unique=False)
    op.create_index(
        "ix_clocks_staff_id_started_at_id",
        "clocks",
        ["staff_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index("ix_clocks_started_at_id", "clocks", ["started_at", "id"], unique=False)
    op.create_index(
        "ix_clocks_unit_id_started_at_id",
        "clocks",
        ["unit_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index(
        "uq_clocks_open", "clocks", ["row_id", "name"], unique=True, postgresql_where=sa.text("stopped_at is null")
    )
    op.add_column(
        "calendars",
        sa.Column(
            "clocks_move_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When clocks that run by an earlier version are counted on by this one; empty if there are none.",
        ),
    )
    op.create_index(
        "ix_calendars_clocks_move_at",
        "calendars",
        ["clocks_move_at"],
        unique=False,
        postgresql_where=sa.text("clocks_move_at is not null"),
    )
    op.execute(
        "insert into change_exceptions values ('calendars', 'clocks_move_at', 'unlogged') on conflict do nothing"
    )
    op.execute("select hub_capture('calendars')")
    op.create_index(
        "ix_notifications_clock_id_notified_at_id",
        "notifications",
        ["clock_id", "notified_at", "id"],
        unique=False,
        postgresql_where=sa.text("clock_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_notifications_clock_id"), "notifications", "clocks", ["clock_id"], ["id"], ondelete="CASCADE"
    )
    op.execute("select hub_follow_subject('customers', 'clocks')")
    op.execute("select hub_follow_subject('orders', 'clocks')")
    op.execute("select hub_follow_subject('customers', 'notifications')")
    op.execute("select hub_follow_subject('orders', 'notifications')")
    op.execute(CLOCK_SECONDS)


def downgrade() -> None:
    op.execute("select hub_unfollow_subjects('clocks')")
    op.execute("select hub_unfollow_subjects('notifications')")
    op.execute("drop function hub_clock_seconds")
    op.drop_constraint(op.f("fk_notifications_clock_id"), "notifications", type_="foreignkey")
    op.drop_index(
        "ix_notifications_clock_id_notified_at_id",
        table_name="notifications",
        postgresql_where=sa.text("clock_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_calendars_clocks_move_at", table_name="calendars", postgresql_where=sa.text("clocks_move_at is not null")
    )
    op.drop_column("calendars", "clocks_move_at")
    op.execute("delete from change_exceptions where table_name = 'calendars'")
    op.execute("select hub_capture('calendars')")
    op.drop_index("uq_clocks_open", table_name="clocks", postgresql_where=sa.text("stopped_at is null"))
    op.drop_index(
        "ix_clocks_unit_id_started_at_id", table_name="clocks", postgresql_where=sa.text("unit_id IS NOT NULL")
    )
    op.drop_index("ix_clocks_started_at_id", table_name="clocks")
    op.drop_index(
        "ix_clocks_staff_id_started_at_id", table_name="clocks", postgresql_where=sa.text("staff_id IS NOT NULL")
    )
    op.drop_index("ix_clocks_row_id_started_at_id", table_name="clocks")
    op.drop_index("ix_clocks_policy_of_open", table_name="clocks", postgresql_where=sa.text("stopped_at is null"))
    op.drop_index("ix_clocks_policy_id_started_at_id", table_name="clocks")
    op.drop_index("ix_clocks_open_of_unit", table_name="clocks", postgresql_where=sa.text("stopped_at is null"))
    op.drop_index("ix_clocks_next_at", table_name="clocks", postgresql_where=sa.text("next_at is not null"))
    op.drop_index("ix_clocks_due_at_id", table_name="clocks")
    op.drop_index(
        "ix_clocks_customer_id_started_at_id", table_name="clocks", postgresql_where=sa.text("customer_id IS NOT NULL")
    )
    op.drop_index("ix_clocks_calendar_of_open", table_name="clocks", postgresql_where=sa.text("stopped_at is null"))
    op.drop_table("clocks")
    op.drop_index("ix_sla_terms_policy_id_clock_id", table_name="sla_terms")
    op.drop_index("ix_sla_terms_clock_id", table_name="sla_terms")
    op.drop_index("ix_sla_terms_calendar_id_clock_id", table_name="sla_terms")
    op.drop_table("sla_terms")
    op.drop_index("ix_escalation_rules_policy_id_level_id", table_name="escalation_rules")
    op.drop_index("ix_escalation_rules_level_id", table_name="escalation_rules")
    op.drop_table("escalation_rules")
    op.drop_table("calendar_editions")
    op.drop_index("ix_sla_policies_updated_at_id", table_name="sla_policies")
    op.drop_index("ix_sla_policies_position_id", table_name="sla_policies")
    op.drop_index("ix_sla_policies_code_id", table_name="sla_policies")
    op.drop_index(
        "ix_sla_policies_clocks_change_at",
        table_name="sla_policies",
        postgresql_where=sa.text("clocks_change_at is not null"),
    )
    op.drop_table("sla_policies")
