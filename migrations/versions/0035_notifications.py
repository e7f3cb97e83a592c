"""Notifications to members of staff.

Creates a table. Its foreign keys hold back writes to staff, customers and org_units until it commits; it waits five seconds
for them at most."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="The person who is notified."),
        sa.Column(
            "type",
            sa.Enum(
                "ESCALATION",
                "DUE",
                "ASSIGNED",
                "ALARM",
                "DEVIATION",
                "EXPIRY",
                "URGED",
                "COPY",
                name="notificationtype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What it is about.",
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="The notification, in one line."),
        sa.Column(
            "notified_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Time of the notification: the moment that it is about, also when the hub was down then.",
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time when the person saw it; empty until then.",
        ),
        sa.Column("role", sa.Text(), nullable=True, comment="Job role as whose holder the person is notified."),
        sa.Column("clock_id", sa.Uuid(), nullable=True, comment="The clock whose level it is about."),
        sa.Column("level", sa.Integer(), nullable=True, comment="The level of escalation, from 1."),
        sa.Column("entity", sa.Text(), nullable=True, comment="Name of the type of the row that it is about."),
        sa.Column("row_id", sa.Uuid(), nullable=True, comment="What it is about."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom it is about."),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit whose row it is about."),
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
        sa.CheckConstraint("(entity is null) = (row_id is null)", name=op.f("ck_notifications_subject_is_whole")),
        sa.CheckConstraint("level is null or clock_id is not null", name=op.f("ck_notifications_level_has_a_clock")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_notifications_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_notifications_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["org_units.id"], name=op.f("fk_notifications_unit_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("clock_id", "level", "staff_id", name=op.f("uq_notifications_clock_id_level_staff_id")),
        comment="What a member of staff should know: the person sees it, and those who read about the people of the unit.",
    )
    op.execute("select hub_capture('notifications')")
    op.create_index(
        "ix_notifications_customer_id_notified_at_id",
        "notifications",
        ["customer_id", "notified_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index("ix_notifications_notified_at_id", "notifications", ["notified_at", "id"], unique=False)
    op.create_index(
        "ix_notifications_row_id_notified_at_id",
        "notifications",
        ["row_id", "notified_at", "id"],
        unique=False,
        postgresql_where=sa.text("row_id is not null"),
    )
    op.create_index(
        "ix_notifications_staff_id_notified_at_id", "notifications", ["staff_id", "notified_at", "id"], unique=False
    )
    op.create_index(
        "ix_notifications_unit_id_notified_at_id",
        "notifications",
        ["unit_id", "notified_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_unseen",
        "notifications",
        ["staff_id", "notified_at"],
        unique=False,
        postgresql_where=sa.text("seen_at is null"),
    )


def downgrade() -> None:
    op.drop_index("ix_notifications_unseen", table_name="notifications", postgresql_where=sa.text("seen_at is null"))
    op.drop_index(
        "ix_notifications_unit_id_notified_at_id",
        table_name="notifications",
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.drop_index("ix_notifications_staff_id_notified_at_id", table_name="notifications")
    op.drop_index(
        "ix_notifications_row_id_notified_at_id",
        table_name="notifications",
        postgresql_where=sa.text("row_id is not null"),
    )
    op.drop_index("ix_notifications_notified_at_id", table_name="notifications")
    op.drop_index(
        "ix_notifications_customer_id_notified_at_id",
        table_name="notifications",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_table("notifications")
