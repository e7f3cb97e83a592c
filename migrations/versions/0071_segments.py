"""Segments with who was in which from when until when; moments at which customers are derived anew."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0071"
down_revision: str | None = "0063"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "reevaluations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("derivation", sa.Text(), nullable=False, comment="Name of what is derived."),
        sa.Column("subject_id", sa.Uuid(), nullable=False, comment="What it is derived for, such as a model."),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, comment="When time alone changes the result."),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_reevaluations_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reevaluations")),
        sa.UniqueConstraint("customer_id", "subject_id", name=op.f("uq_reevaluations_customer_id_subject_id")),
        comment="Moments at which customers are derived anew though none of their rows changes.",
    )
    op.create_index("ix_reevaluations_moment_id", "reevaluations", ["moment", "id"], unique=False)
    op.create_table(
        "segments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="Short unique name, in small words joined by dots: `big.spenders`. Filters name it; it never changes.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it."),
        sa.Column(
            "kind",
            sa.Enum("FILTER", "LIST", name="segmentkind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
            comment="How customers come into it.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "ACTIVE",
                "ARCHIVED",
                name="segmentstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'DRAFT'"),
            nullable=False,
            comment="Whether it is in force.",
        ),
        sa.Column(
            "filter",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The filter of its customers; empty for a list.",
        ),
        sa.Column(
            "fault",
            sa.Text(),
            nullable=True,
            comment="Why its filter cannot be read any more; its customers stay as they were.",
        ),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True, comment="Time of the activation."),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True, comment="Time when it was given up."),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time when all customers had been looked at; empty while that goes on.",
        ),
        sa.Column(
            "computes_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When looking at all customers goes on; empty if there is nothing to do.",
        ),
        sa.Column("computed_to", sa.Uuid(), nullable=True, comment="Customer up to whom that has come."),
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
            "(kind = 'FILTER') = (filter is not null)", name=op.f("ck_segments_filter_stands_with_its_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("code", name=op.f("uq_segments_code")),
        comment="A group of customers: those who match a filter, or a list.",
    )
    op.execute("insert into change_exceptions values ('segments', 'computes_at', 'unlogged') on conflict do nothing")
    op.execute("insert into change_exceptions values ('segments', 'computed_to', 'unlogged') on conflict do nothing")
    op.execute("select hub_capture('segments')")
    op.create_index("ix_segments_code_id", "segments", ["code", "id"], unique=False)
    op.create_index(
        "ix_segments_computes_at",
        "segments",
        ["computes_at"],
        unique=False,
        postgresql_where=sa.text("computes_at is not null"),
    )
    op.create_index("ix_segments_updated_at_id", "segments", ["updated_at", "id"], unique=False)
    op.create_table(
        "segment_memberships",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer."),
        sa.Column("segment_id", sa.Uuid(), nullable=False, comment="The segment."),
        sa.Column("code", sa.Text(), nullable=False, comment="The segment's code."),
        sa.Column(
            "since", sa.DateTime(timezone=True), nullable=False, comment="The moment at which the customer entered."
        ),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The moment at which the customer left; empty for who is in it.",
        ),
        sa.Column(
            "because",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="The conditions that held at the entry: a list of `condition`, as in the filter, and its `value` then.",
        ),
        sa.Column("member_id", sa.Uuid(), nullable=True, comment="The customer, while in the segment."),
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
            "(until is null) = (member_id is not null)", name=op.f("ck_segment_memberships_member_while_it_lasts")
        ),
        sa.CheckConstraint("until >= since", name=op.f("ck_segment_memberships_until_is_not_before_since")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_segment_memberships_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["customers.id"], name=op.f("fk_segment_memberships_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segments.id"], name=op.f("fk_segment_memberships_segment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_memberships")),
        comment="A customer in a segment from a moment until another. Its creation is the entry, its end by an update the exit.",
    )
    op.execute("select hub_capture('segment_memberships')")
    op.create_index(
        "ix_segment_memberships_customer_id_since_id",
        "segment_memberships",
        ["customer_id", "since", "id"],
        unique=False,
    )
    op.create_index(
        "ix_segment_memberships_member_id_since_id", "segment_memberships", ["member_id", "since", "id"], unique=False
    )
    op.create_index(
        "ix_segment_memberships_members",
        "segment_memberships",
        ["segment_id", "customer_id"],
        unique=False,
        postgresql_where=sa.text("until is null"),
    )
    op.create_index(
        "ix_segment_memberships_segment_id_since_id", "segment_memberships", ["segment_id", "since", "id"], unique=False
    )
    op.create_index("ix_segment_memberships_since_id", "segment_memberships", ["since", "id"], unique=False)
    op.create_index(
        "ix_segment_memberships_until_id",
        "segment_memberships",
        [sa.literal_column("coalesce(until, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index("ix_segment_memberships_updated_at_id", "segment_memberships", ["updated_at", "id"], unique=False)
    op.create_index(
        "uq_segment_memberships_current",
        "segment_memberships",
        ["customer_id", "segment_id"],
        unique=True,
        postgresql_where=sa.text("until is null"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_segment_memberships_current", table_name="segment_memberships", postgresql_where=sa.text("until is null")
    )
    op.drop_index("ix_segment_memberships_updated_at_id", table_name="segment_memberships")
    op.drop_index("ix_segment_memberships_until_id", table_name="segment_memberships")
    op.drop_index("ix_segment_memberships_since_id", table_name="segment_memberships")
    op.drop_index("ix_segment_memberships_segment_id_since_id", table_name="segment_memberships")
    op.drop_index(
        "ix_segment_memberships_members", table_name="segment_memberships", postgresql_where=sa.text("until is null")
    )
    op.drop_index("ix_segment_memberships_member_id_since_id", table_name="segment_memberships")
    op.drop_index("ix_segment_memberships_customer_id_since_id", table_name="segment_memberships")
    op.drop_table("segment_memberships")
    op.drop_index("ix_segments_updated_at_id", table_name="segments")
    op.drop_index("ix_segments_computes_at", table_name="segments", postgresql_where=sa.text("computes_at is not null"))
    op.drop_index("ix_segments_code_id", table_name="segments")
    op.drop_table("segments")
