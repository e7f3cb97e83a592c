"""Writes: kept answers, consents, moves between stages, doubts about identity."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("owner_id", sa.Uuid(), nullable=False, comment="The API key that the operation came with."),
        sa.Column(
            "key", sa.LargeBinary(), nullable=False, comment="SHA-256 of the idempotency key that its client chose."
        ),
        sa.Column(
            "fingerprint", sa.LargeBinary(), nullable=False, comment="SHA-256 of document, operation and variables."
        ),
        sa.Column("answer", sa.LargeBinary(), nullable=False, comment="The answer."),
        sa.Column(
            "boxed", sa.Boolean(), nullable=False, comment="Whether the answer lies in a box that the key opens."
        ),
        sa.Column(
            "kept_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was given; it is forgotten 48 hours later.",
        ),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_kept_answers")),
        comment="Answers to operations with an idempotency key, kept in the transaction that did the work.",
    )
    op.create_index("ix_kept_answers_kept_at", "kept_answers", ["kept_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who was asked."),
        sa.Column(
            "purpose", sa.Text(), nullable=False, comment="What for, in words joined by dots: `marketing.newsletter`."
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "EMAIL",
                "PHONE",
                "SMS",
                "CHAT",
                "WEB",
                "APP",
                "IN_STORE",
                "SOCIAL",
                "POST",
                "API",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
            comment="Through which channel; empty for every one.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "GRANTED",
                "DENIED",
                "WITHDRAWN",
                name="consentstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What the customer answered.",
        ),
        sa.Column(
            "evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What proves it: the wording shown, the form, the call.",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="The system that the customer answered in."),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False, comment="When the customer answered."),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the answer ceases to count; empty for never.",
        ),
        sa.Column(
            "superseded_at", sa.DateTime(timezone=True), nullable=True, comment="When a newer answer took its place."
        ),
        sa.Column(
            "current",
            sa.Boolean(),
            sa.Computed("superseded_at is null", persisted=True),
            nullable=False,
            comment="Whether it is the latest answer for its purpose and channel.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("jsonb_typeof(evidence) = 'object'", name=op.f("ck_consents_evidence_is_an_object")),
        sa.CheckConstraint("expires_at > given_at", name=op.f("ck_consents_expires_at_comes_later")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_consents_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        comment="What a customer answered when asked whether data may be used.",
    )
    op.execute("select hub_capture('consents')")
    op.create_index("ix_consents_customer_id_given_at_id", "consents", ["customer_id", "given_at", "id"], unique=False)
    op.create_index("ix_consents_given_at_id", "consents", ["given_at", "id"], unique=False)
    op.create_index(
        "uq_consents_customer_id_purpose_channel_current",
        "consents",
        ["customer_id", "purpose", sa.literal_column("coalesce(channel, '')")],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "identity_reviews",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who may be another one."),
        sa.Column("other_id", sa.Uuid(), nullable=False, comment="The customer who it may be."),
        sa.Column("reason", sa.Text(), nullable=False, comment="What speaks for it."),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN", "SAME", "NOT_SAME", name="reviewstatus", native_enum=False, create_constraint=True, length=32
            ),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="Whether somebody has decided, and how.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("customer_id <> other_id", name=op.f("ck_identity_reviews_other_id_is_another")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_identity_reviews_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["customers.id"], name=op.f("fk_identity_reviews_other_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_reviews")),
        sa.UniqueConstraint("customer_id", "other_id", name=op.f("uq_identity_reviews_customer_id_other_id")),
        comment="A doubt whether two customers are one.",
    )
    op.execute("select hub_capture('identity_reviews')")
    op.create_index("ix_identity_reviews_created_at_id", "identity_reviews", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_identity_reviews_customer_id_created_at_id",
        "identity_reviews",
        ["customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_identity_reviews_other_id_created_at_id", "identity_reviews", ["other_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "stage_moves",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who moved."),
        sa.Column(
            "from_stage",
            sa.Enum(
                "PROSPECT",
                "QUALIFIED",
                "ACTIVE",
                "LOYAL",
                "DORMANT",
                "LOST",
                name="from_stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Where the customer stood.",
        ),
        sa.Column(
            "to_stage",
            sa.Enum(
                "PROSPECT",
                "QUALIFIED",
                "ACTIVE",
                "LOYAL",
                "DORMANT",
                "LOST",
                name="to_stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Where the customer stands since.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in one line."),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False, comment="When the customer moved."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_stage_moves_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_moves")),
        comment="A customer's move from one stage of the lifecycle to another.",
    )
    op.execute("select hub_capture('stage_moves')")
    op.create_index(
        "ix_stage_moves_customer_id_moved_at_id", "stage_moves", ["customer_id", "moved_at", "id"], unique=False
    )
    op.create_index("ix_stage_moves_moved_at_id", "stage_moves", ["moved_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_stage_moves_moved_at_id", table_name="stage_moves")
    op.drop_index("ix_stage_moves_customer_id_moved_at_id", table_name="stage_moves")
    op.drop_table("stage_moves")
    op.drop_index("ix_identity_reviews_other_id_created_at_id", table_name="identity_reviews")
    op.drop_index("ix_identity_reviews_customer_id_created_at_id", table_name="identity_reviews")
    op.drop_index("ix_identity_reviews_created_at_id", table_name="identity_reviews")
    op.drop_table("identity_reviews")
    op.drop_index(
        "uq_consents_customer_id_purpose_channel_current",
        table_name="consents",
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.drop_index("ix_consents_given_at_id", table_name="consents")
    op.drop_index("ix_consents_customer_id_given_at_id", table_name="consents")
    op.drop_table("consents")
    op.drop_index("ix_kept_answers_kept_at", table_name="kept_answers")
    op.drop_table("kept_answers")
