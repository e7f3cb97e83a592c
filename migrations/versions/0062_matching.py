"""Matching: the day of birth of customers, pairs who may be one customer, blocking keys, and versions of the parameters."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0062"
down_revision: str | None = "0061"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "match_models",
        sa.Column(
            "version", sa.Integer(), autoincrement=False, nullable=False, comment="Counts the trainings, from 1."
        ),
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Shares of levels, and of common values by their hash.",
        ),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False, comment="When it was trained."),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_match_models")),
        comment="Versions of the parameters of matching; the latest one scores.",
    )
    op.create_table(
        "match_keys",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False, comment="Hash of normalized values."),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_match_keys_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "customer_id", name=op.f("pk_match_keys")),
        comment="Blocking keys: only customers who share one are compared. A projection keeps them.",
    )
    op.create_index("ix_match_keys_customer_id", "match_keys", ["customer_id"], unique=False)
    op.create_table(
        "match_candidates",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "customer_id",
            sa.Uuid(),
            nullable=False,
            comment="One of the two customers, as a rule the one that was created first.",
        ),
        sa.Column("other_id", sa.Uuid(), nullable=False, comment="The other customer, as a rule created later."),
        sa.Column(
            "score",
            sa.Numeric(precision=8, scale=2),
            nullable=False,
            comment="Logarithm to base 2 of the odds that they are one, the sum of the weights: 0 is even, 10 a thousand to one.",
        ),
        sa.Column(
            "reasons",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="Why: fields, each with the level of agreement and its weight in bits. The weights add up to the score.",
        ),
        sa.Column(
            "model_version",
            sa.Integer(),
            nullable=False,
            comment="Version of the parameters that the weights come from; 0 stands for the defaults.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "LATER",
                "SAME",
                "NOT_SAME",
                name="matchstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'OPEN'"),
            nullable=False,
            comment="Whether a person has decided, and how.",
        ),
        sa.Column(
            "reminds_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time at which a decision that was put off is open again.",
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True, comment="Time of the last decision."),
        sa.Column(
            "decided_by_id", sa.Uuid(), nullable=True, comment="The person who decided, if the key is a person's."
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
            "(status = 'LATER') = (reminds_at is not null)", name=op.f("ck_match_candidates_later_has_a_time")
        ),
        sa.CheckConstraint("jsonb_typeof(reasons) = 'array'", name=op.f("ck_match_candidates_reasons_are_a_list")),
        sa.CheckConstraint("customer_id <> other_id", name=op.f("ck_match_candidates_other_id_is_another")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_match_candidates_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["decided_by_id"], ["staff.id"], name=op.f("fk_match_candidates_decided_by_id")),
        sa.ForeignKeyConstraint(
            ["other_id"], ["customers.id"], name=op.f("fk_match_candidates_other_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_candidates")),
        sa.UniqueConstraint("customer_id", "other_id", name=op.f("uq_match_candidates_customer_id_other_id")),
        comment="Two customers who may be one. A candidate whose score falls goes away, unless it is decided.",
    )
    op.execute("select hub_capture('match_candidates')")
    op.create_index("ix_match_candidates_created_at_id", "match_candidates", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_match_candidates_customer_id_created_at_id",
        "match_candidates",
        ["customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_match_candidates_other_id_created_at_id", "match_candidates", ["other_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_match_candidates_reminds_at",
        "match_candidates",
        ["reminds_at"],
        unique=False,
        postgresql_where=sa.text("reminds_at is not null"),
    )
    op.create_index("ix_match_candidates_score_id", "match_candidates", ["score", "id"], unique=False)
    op.create_index("ix_match_candidates_status_score_id", "match_candidates", ["status", "score", "id"], unique=False)
    op.create_index("ix_match_candidates_updated_at_id", "match_candidates", ["updated_at", "id"], unique=False)
    op.add_column(
        "customers",
        sa.Column(
            "born_on", sa.Date(), nullable=True, comment="Day of birth of a person. It tells people of one name apart."
        ),
    )
    op.execute("select hub_capture('customers')")


def downgrade() -> None:
    op.drop_column("customers", "born_on")
    op.execute("select hub_capture('customers')")
    op.drop_index("ix_match_candidates_updated_at_id", table_name="match_candidates")
    op.drop_index("ix_match_candidates_status_score_id", table_name="match_candidates")
    op.drop_index("ix_match_candidates_score_id", table_name="match_candidates")
    op.drop_index(
        "ix_match_candidates_reminds_at",
        table_name="match_candidates",
        postgresql_where=sa.text("reminds_at is not null"),
    )
    op.drop_index("ix_match_candidates_other_id_created_at_id", table_name="match_candidates")
    op.drop_index("ix_match_candidates_customer_id_created_at_id", table_name="match_candidates")
    op.drop_index("ix_match_candidates_created_at_id", table_name="match_candidates")
    op.drop_table("match_candidates")
    op.drop_table("match_keys")
    op.drop_table("match_models")
