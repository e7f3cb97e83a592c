"""Limits of single keys, and the trusted documents of clients.

Creates two tables. The foreign key locks api_keys in SHARE ROW EXCLUSIVE mode for a moment; its rows are few."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "key_limits",
        sa.Column("key_id", sa.Uuid(), nullable=False, comment="The key."),
        sa.Column(
            "cost_capacity",
            sa.Integer(),
            nullable=True,
            comment="Most cost points that it can save up; empty without a budget.",
        ),
        sa.Column(
            "cost_refill",
            sa.Float(),
            nullable=True,
            comment="Cost points per second that flow back; empty without a budget.",
        ),
        sa.Column(
            "trusted_only",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it runs only documents of a manifest.",
        ),
        sa.CheckConstraint("(cost_capacity is null) = (cost_refill is null)", name=op.f("ck_key_limits_whole_budget")),
        sa.CheckConstraint("cost_capacity >= 1 and cost_refill > 0", name=op.f("ck_key_limits_budget_is_positive")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_key_limits_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_limits")),
        comment="Limits of single API keys beside those of their roles; a key without a row has none.",
    )
    op.create_table(
        "trusted_documents",
        sa.Column("id", sa.Text(), nullable=False, comment="The id that clients send in place of the document."),
        sa.Column("manifest", sa.Text(), nullable=False, comment="Name of the manifest that has it."),
        sa.Column("text", sa.Text(), nullable=False, comment="The GraphQL document."),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was loaded."),
        sa.PrimaryKeyConstraint("id", "manifest", name=op.f("pk_trusted_documents")),
        comment="Documents of the manifests of clients. A key that is limited to trusted documents runs no others.",
    )


def downgrade() -> None:
    op.drop_table("trusted_documents")
    op.drop_table("key_limits")
