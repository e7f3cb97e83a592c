"""Rules of codes, and how many numbers of each were drawn.

Creates three tables; locks nothing that exists."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "code_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("name", sa.Text(), nullable=False, comment="Short unique name: letters, digits and underscores."),
        sa.Column(
            "pattern",
            sa.Text(),
            nullable=False,
            comment="Pattern with placeholders: `INV-{year:4}-{serial:6}{check}`. Numbers run by what stands beside {serial}.",
        ),
        sa.Column(
            "check_digit",
            sa.Enum(
                "NONE",
                "LUHN",
                "ISO6346",
                "MOD10_3",
                name="checkdigit",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'NONE'"),
            nullable=False,
            comment="How {check} is made.",
        ),
        sa.Column(
            "gapless",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether no number may be missing. Transactions that draw from one prefix then take turns.",
        ),
        sa.Column(
            "reuse_after_days",
            sa.Integer(),
            nullable=True,
            comment="Days after which a number may be drawn again, once all were; empty for never.",
        ),
        sa.Column(
            "timezone",
            sa.Text(),
            server_default=sa.text("'UTC'"),
            nullable=False,
            comment="IANA time zone of the dates in codes.",
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
            "reuse_after_days between 1 and 36500", name=op.f("ck_code_rules_reuse_after_days_is_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_code_rules_name")),
        comment="How codes of one kind are made: a pattern with a running number for each prefix.",
    )
    op.execute("select hub_capture('code_rules')")
    op.create_index("ix_code_rules_name_id", "code_rules", ["name", "id"], unique=False)
    op.create_index("ix_code_rules_updated_at_id", "code_rules", ["updated_at", "id"], unique=False)
    op.create_table(
        "code_counters",
        sa.Column("rule_id", sa.Uuid(), nullable=False, comment="The rule."),
        sa.Column("prefix", sa.Text(), nullable=False, comment="What the codes of one sequence share."),
        sa.Column("drawn", sa.BigInteger(), nullable=False, comment="Numbers drawn so far, in all rounds."),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["code_rules.id"], name=op.f("fk_code_counters_rule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rule_id", "prefix", name=op.f("pk_code_counters")),
        comment="How many codes of each prefix were drawn.",
    )
    op.create_table(
        "code_draws",
        sa.Column("rule_id", sa.Uuid(), nullable=False, comment="The rule."),
        sa.Column("prefix", sa.Text(), nullable=False, comment="What the codes of one sequence share."),
        sa.Column("first", sa.BigInteger(), nullable=False, comment="The first number."),
        sa.Column("last", sa.BigInteger(), nullable=False, comment="The last number."),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False, comment="When they were drawn."),
        sa.ForeignKeyConstraint(["rule_id"], ["code_rules.id"], name=op.f("fk_code_draws_rule_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule_id", "prefix", "first", name=op.f("pk_code_draws")),
        comment="When numbers were drawn last, of rules that use them again.",
    )


def downgrade() -> None:
    op.drop_table("code_draws")
    op.drop_table("code_counters")
    op.drop_index("ix_code_rules_updated_at_id", table_name="code_rules")
    op.drop_index("ix_code_rules_name_id", table_name="code_rules")
    op.drop_table("code_rules")
