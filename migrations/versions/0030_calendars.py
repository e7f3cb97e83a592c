"""Calendars of working time, and the functions that count it in SQL.

Creates three tables and three functions; locks nothing that exists."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Working time up to a moment, in microseconds; null for a moment that the calendar does not cover.
WORKED_UNTIL = """
create function hub_worked_until(of uuid, moment timestamptz) returns bigint
language sql stable parallel safe as $$
    select coalesce((
        select before + (extract(epoch from least(moment, ends_at) - starts_at) * 1000000)::bigint
        from working_intervals where calendar_id = of and starts_at <= moment order by starts_at desc limit 1
    ), 0) from calendars where id = of and moment between covers_from and covers_until
$$
"""

# Working time from one moment to another, negative if the second comes first; null for what is not covered.
WORKING_TIME = """
create function hub_working_time(of uuid, since timestamptz, until timestamptz) returns interval
language sql stable parallel safe as $$
    select (hub_worked_until(of, until) - hub_worked_until(of, since)) * interval '1 microsecond'
$$
"""

# The first moment by which so much working time has passed since another one; null beyond the horizon.
DUE_AT = """
create function hub_due_at(of uuid, since timestamptz, working interval) returns timestamptz
language sql stable parallel safe as $$
    select case
        when amount = worked then since
        when amount > worked then (
            select case when amount - before <= extract(epoch from ends_at - starts_at) * 1000000
                then starts_at + (amount - before) * interval '1 microsecond' end
            from working_intervals where calendar_id = of and before < amount order by before desc limit 1
        )
    end
    from (
        select worked, worked + (extract(epoch from working) * 1000000)::bigint as amount
        from hub_worked_until(of, since) as worked
    ) as sums
$$
"""


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("code", sa.Text(), nullable=False, comment="Short unique name: letters, digits and underscores."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the calendar."),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA time zone of the opening hours."),
        sa.Column(
            "weekly",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment='Opening hours by day, mon to sun: {"mon": ["09:00-12:00", "13:30-18:00"]}. Other days are closed.',
        ),
        sa.Column(
            "exceptions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Opening hours of the days that differ from the week, by date; those of a closed day are empty.",
        ),
        sa.Column(
            "country",
            sa.Text(),
            nullable=True,
            comment="ISO 3166-1 code of the country whose public holidays and make-up working days count.",
        ),
        sa.Column(
            "subdivision",
            sa.Text(),
            nullable=True,
            comment="Part of the country whose holidays count too, as in ISO 3166-2 behind the hyphen.",
        ),
        sa.Column(
            "published_until",
            sa.Date(),
            nullable=True,
            comment="Last day for which the country's make-up days are known; later ones are estimates. Empty if it has none.",
        ),
        sa.Column(
            "holidays_release",
            sa.Text(),
            nullable=True,
            comment="Release of the table of holidays that the days are from.",
        ),
        sa.Column(
            "covers_from", sa.DateTime(timezone=True), nullable=False, comment="First moment that the calendar covers."
        ),
        sa.Column(
            "covers_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Moment at which the calendar ends: its horizon. No promise can end later.",
        ),
        sa.Column(
            "extends_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Moment at which the horizon moves on by a year; empty for a fixed one.",
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
        sa.UniqueConstraint("code", name=op.f("uq_calendars_code")),
        comment="Opening hours by which promises are counted: a week, holidays and exceptions, in one time zone.",
    )
    op.execute("select hub_capture('calendars')")
    op.create_index("ix_calendars_code_id", "calendars", ["code", "id"], unique=False)
    op.create_index(
        "ix_calendars_extends_at",
        "calendars",
        ["extends_at"],
        unique=False,
        postgresql_where=sa.text("extends_at is not null"),
    )
    op.create_index("ix_calendars_name_id", "calendars", ["name", "id"], unique=False)
    op.create_index("ix_calendars_updated_at_id", "calendars", ["updated_at", "id"], unique=False)
    op.create_table(
        "calendar_days",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("calendar_id", sa.Uuid(), nullable=False, comment="The calendar that it is part of."),
        sa.Column("day", sa.Date(), nullable=False, comment="The day."),
        sa.Column(
            "spans",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment='Opening hours like "09:00-12:00"; none when it is closed.',
        ),
        sa.Column(
            "source",
            sa.Enum(
                "HOLIDAY",
                "WORKDAY",
                "MANUAL",
                name="calendardaysource",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Where it comes from.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Name of the holiday, or why it differs."),
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
            ["calendar_id"], ["calendars.id"], name=op.f("fk_calendar_days_calendar_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_days")),
        sa.UniqueConstraint("calendar_id", "day", name=op.f("uq_calendar_days_calendar_id_day")),
        comment="A day whose opening hours differ from those of the week: a holiday, a make-up working day or an own exception.",
    )
    op.execute("select hub_capture('calendar_days')")
    op.create_index("ix_calendar_days_calendar_id_day_id", "calendar_days", ["calendar_id", "day", "id"], unique=False)
    op.create_index("ix_calendar_days_day_id", "calendar_days", ["day", "id"], unique=False)
    op.create_table(
        "working_intervals",
        sa.Column("calendar_id", sa.Uuid(), nullable=False, comment="The calendar."),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False, comment="When it opens."),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False, comment="When it closes."),
        sa.Column("before", sa.BigInteger(), nullable=False, comment="Working time before it, in microseconds."),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name=op.f("fk_working_intervals_calendar_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "starts_at", name=op.f("pk_working_intervals")),
        comment="When calendars are open, without gaps in between; made from their definitions.",
    )
    op.create_index("ix_working_intervals_before", "working_intervals", ["calendar_id", "before"], unique=False)

    for function in (WORKED_UNTIL, WORKING_TIME, DUE_AT):
        op.execute(function)


def downgrade() -> None:
    op.execute("drop function hub_due_at, hub_working_time, hub_worked_until")
    op.drop_index("ix_working_intervals_before", table_name="working_intervals")
    op.drop_table("working_intervals")
    op.drop_index("ix_calendar_days_day_id", table_name="calendar_days")
    op.drop_index("ix_calendar_days_calendar_id_day_id", table_name="calendar_days")
    op.drop_table("calendar_days")
    op.drop_index("ix_calendars_updated_at_id", table_name="calendars")
    op.drop_index("ix_calendars_name_id", table_name="calendars")
    op.drop_index("ix_calendars_extends_at", table_name="calendars", postgresql_where=sa.text("extends_at is not null"))
    op.drop_index("ix_calendars_code_id", table_name="calendars")
    op.drop_table("calendars")
